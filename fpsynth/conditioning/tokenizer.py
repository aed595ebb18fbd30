"""The tokenizer: a CLIPTokenizer over bytes in which every known word is one token.

Unknown words fall back to bytes, so no text is refused. Each known word is reached by a chain of merges of its own.
"""

from collections.abc import Iterable
from typing import Any

from transformers import CLIPTokenizer

from fpsynth.conditioning.prompt import known_words

START, END = "<|startoftext|>", "<|endoftext|>"
END_OF_WORD = "</w>"


def build_tokenizer(length: int = 32) -> CLIPTokenizer:
    """The tokenizer of the bundled models; `length` is the model's longest prompt in tokens."""
    vocabulary, merges = _vocabulary(known_words())
    pairs: Any = merges  # the library's annotation knows merges as strings only
    tokenizer = CLIPTokenizer(
        vocab=vocabulary, merges=pairs, unk_token=END, bos_token=START, eos_token=END, pad_token=END
    )
    tokenizer.model_max_length = length
    return tokenizer


def _vocabulary(words: Iterable[str]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    letters = _byte_letters()
    tokens = letters + [letter + END_OF_WORD for letter in letters]
    merges: list[tuple[str, str]] = []
    for word in words:
        for pair in _chain(word):
            if pair not in merges:
                merges.append(pair)
    tokens = [*dict.fromkeys(tokens + ["".join(pair) for pair in merges]), START, END]
    return {token: index for index, token in enumerate(tokens)}, merges


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
