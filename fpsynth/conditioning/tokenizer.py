"""The tokenizer: a CLIPTokenizer over bytes in which every known word is one token.

Unknown words fall back to bytes, so no text is refused. Each known word is reached by a chain of merges of its own.
"""

import re
from collections.abc import Iterable
from typing import Any

from transformers import CLIPTokenizer

from fpsynth.conditioning.prompt import known_words
from fpsynth.slots import words_of

START, END = "<|startoftext|>", "<|endoftext|>"
END_OF_WORD = "</w>"
FIRST = ("quality", "acquisition", "pattern", "sensor", "skin", "pressure", "surface")
"""Slots of the first vocabulary. The tokens of later ones come after all of theirs, so that no token moves."""


def build_tokenizer(length: int = 32) -> CLIPTokenizer:
    """The tokenizer of the bundled models; `length` is the model's longest prompt in tokens."""
    first = known_words({slot: words_of(slot) for slot in FIRST})
    vocabulary, merges = _vocabulary(first, (word for word in known_words() if word not in first))
    pairs: Any = merges  # the library's annotation knows merges as strings only
    tokenizer = CLIPTokenizer(
        vocab=vocabulary, merges=pairs, unk_token=END, bos_token=START, eos_token=END, pad_token=END
    )
    tokenizer.model_max_length = length
    return tokenizer


def _vocabulary(first: Iterable[str], later: Iterable[str]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Token -> id, and the merges; those of later words come after the special tokens."""
    letters = _byte_letters()
    merges = _merges(first)
    tokens = letters + [letter + END_OF_WORD for letter in letters] + ["".join(pair) for pair in merges]
    added = [pair for pair in _merges(later) if pair not in merges]
    tokens = [*dict.fromkeys(tokens), START, END, *("".join(pair) for pair in added)]
    return {token: index for index, token in enumerate(dict.fromkeys(tokens))}, merges + added


def _merges(words: Iterable[str]) -> list[tuple[str, str]]:
    """The chains of these words, each merge once. What CLIP's tokenizer takes apart (play-doh) has a chain a part."""
    parts = (part for word in words for part in re.findall(r"[^\W\d_]+|\d|[^\s\w]+", word))
    return list(dict.fromkeys(pair for part in parts for pair in _chain(part)))


def _chain(word: str) -> list[tuple[str, str]]:
    """Merges that build a word from its right end, where the end-of-word mark tells it from other words' prefixes."""
    pairs, tail = [], word[-1] + END_OF_WORD
    for letter in reversed(word[:-1]):
        pairs.append((letter, tail))
        tail = letter + tail
    return pairs


def _byte_letters() -> list[str]:
    """The 256 printable letters that stand for bytes in byte-level BPE (Radford et al., GPT-2, 2019)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    spare = iter(range(256, 512))
    return [chr(byte) if byte in printable else chr(next(spare)) for byte in range(256)]
