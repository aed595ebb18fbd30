"""The prompt: one closed template whose slots may each be left out, or the user's own words with {slots}.

a {quality} quality {acquisition} fingerprint, {pattern}[, {sensor} sensor][, {skin} skin][, {pressure} pressure]
[, on {surface}]
"""

import re
from collections.abc import Mapping

from fpsynth.errors import UserError
from fpsynth.vocabulary import ACQUISITIONS, PATTERNS, PRESSURES, QUALITIES, SENSORS, SKINS, SURFACES

Words = Mapping[str, str | None]
SLOTS: Mapping[str, tuple[str, ...]] = {
    "quality": QUALITIES,
    "acquisition": ACQUISITIONS,
    "pattern": PATTERNS,
    "sensor": SENSORS,
    "skin": SKINS,
    "pressure": PRESSURES,
    "surface": SURFACES,
}


def prompt_text(words: Words, text: str | None = None) -> str:
    """The prompt of an image. text: the user's own words, in which {slots} are filled in (left-out ones vanish).

    Raises UserError for a slot that does not exist.
    """
    if text is None:
        return _template({slot: spoken(word) for slot, word in words.items() if word})
    known = {slot: spoken(words.get(slot) or "") for slot in SLOTS}
    try:
        filled = text.format_map(known)
    except (KeyError, ValueError, IndexError) as error:
        raise UserError(f"prompt text {text!r}: {error}; slots are {', '.join(SLOTS)}") from None
    return re.sub(r"\s+", " ", filled).strip()


def spoken(word: str) -> str:
    """A vocabulary word as it is said: left_loop -> left loop."""
    return word.replace("_", " ")


def _template(words: Mapping[str, str]) -> str:
    quality = f"{words['quality']} quality" if "quality" in words else ""
    parts = [" ".join(part for part in ("a", quality, words.get("acquisition", ""), "fingerprint") if part)]
    parts += [words["pattern"]] if "pattern" in words else []
    parts += [f"{words[slot]} {slot}" for slot in ("sensor", "skin", "pressure") if slot in words]
    parts += [f"on {words['surface']}"] if "surface" in words else []
    return ", ".join(parts)


def known_words() -> tuple[str, ...]:
    """Every word (and sign) that a prompt of the template can hold, in a fixed order."""
    frame = ["a", "quality", "fingerprint", "sensor", "skin", "pressure", "on", ","]
    spoken_words = [part for words in SLOTS.values() for word in words for part in spoken(word).split()]
    return tuple(dict.fromkeys(frame + spoken_words))


def unknown_words(prompt: str) -> list[str]:
    """Words of a prompt that a model trained on the template never saw."""
    known = set(known_words())
    return [word for word in dict.fromkeys(re.findall(r"[^\s,]+", prompt.lower())) if word not in known]
