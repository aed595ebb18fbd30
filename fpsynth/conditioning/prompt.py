"""The prompt: one closed template whose slots may each be left out, or the user's own words with {slots}.

The slots and their phrases are those of fpsynth.slots: what leads, the word "fingerprint", and the others in a list,
as in "a good quality rolled fingerprint, left loop, optical sensor".
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from fpsynth.errors import UserError
from fpsynth.slots import Slot, Words, spoken_slots, words_of


def prompt_text(words: Words, text: str | None = None) -> str:
    """The prompt of an image. text: the user's own words, in which {slots} are filled in (left-out ones vanish).

    Raises UserError for a slot that does not exist.
    """
    if text is None:
        return _template(words)
    known = {name: spoken(words.get(name) or "") for name in spoken_slots()}
    try:
        filled = text.format_map(known)
    except (KeyError, ValueError, IndexError) as error:
        raise UserError(f"prompt text {text!r}: {error}; slots are {', '.join(known)}") from None
    return re.sub(r"\s+", " ", filled).strip()


def spoken(word: str) -> str:
    """A vocabulary word as it is said: left_loop -> left loop."""
    return word.replace("_", " ")


def _template(words: Words) -> str:
    said = [(slot, word) for name, slot in spoken_slots().items() if (word := words.get(name))]
    leading = [_phrase(slot, word) for slot, word in said if slot.leads]
    listed = [_phrase(slot, word) for slot, word in said if not slot.leads]
    return ", ".join([" ".join(["a", *leading, "fingerprint"]), *listed])


def _phrase(slot: Slot, word: str) -> str:
    return slot.phrase.format(spoken(word))


def known_words(vocabulary: Mapping[str, Sequence[str]] | None = None) -> tuple[str, ...]:
    """Every word (and sign) that a prompt of the template can hold, in small letters: the frame, then the slots'.

    vocabulary: slot -> words, as a model knows them; None: the table's.
    """
    slots = {name: slot for name, slot in spoken_slots().items() if vocabulary is None or name in vocabulary}
    frame = ["a", *_frame(slots.values(), leads=True), "fingerprint", *_frame(slots.values(), leads=False), ","]
    all_words = [words_of(name) for name in slots] if vocabulary is None else vocabulary.values()
    said = [part for words in all_words for word in words for part in spoken(word).split()]
    return tuple(dict.fromkeys(word.lower() for word in frame + said))


def _frame(slots: Iterable[Slot], leads: bool) -> list[str]:
    """The words of the phrases that are there whatever a slot says."""
    return [part for slot in slots if slot.leads == leads for part in slot.phrase.format("").split()]


def unknown_words(prompt: str, vocabulary: Mapping[str, Sequence[str]] | None = None) -> list[str]:
    """Words of a prompt that a model of this vocabulary never saw."""
    known = set(known_words(vocabulary))
    return [word for word in dict.fromkeys(re.findall(r"[^\s,]+", prompt.lower())) if word not in known]
