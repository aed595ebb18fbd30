"""The kinds of value that a recipe is made of: words of a vocabulary, shares of words, image sizes."""

import math
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from fpsynth.slots import SLOTS
from fpsynth.vocabulary import FINGERS, is_split_name

ROUNDING = 1e-3
"""How far from 1 the shares of a distribution may sum: thirds written as 0.333 are meant to be whole."""


def nearest(word: str, words: Iterable[str]) -> str:
    """`` (did you mean x?)`` when one of the words is close, else nothing."""
    close = get_close_matches(word, words, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


@dataclass(frozen=True)
class OneOf:
    """Marks a string that must be a word of a closed vocabulary: one of these words, or of the slot of this name.

    The table of slots is asked when a word is checked, so its words are those that it has then. called: what a
    message calls them.
    """

    of: Collection[str] | str
    called: str = "word"

    @property
    def words(self) -> Collection[str]:
        """The vocabulary."""
        return SLOTS[self.of].words if isinstance(self.of, str) else self.of

    def __hash__(self) -> int:
        """Also of a table, which a dict is."""
        return hash(self.of if isinstance(self.of, str) else tuple(self.of))

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """A plain check that names the nearest word."""
        return core_schema.no_info_plain_validator_function(
            self.check, serialization=core_schema.to_string_ser_schema()
        )

    def check(self, word: object) -> str:
        """The word itself, if it is one of ours."""
        if told := self.problem(word):
            raise PydanticCustomError("unknown_word", "{text}", {"text": told})
        return str(word)

    def problem(self, word: object) -> str | None:
        """What is wrong with the word, if anything is."""
        words = self.words
        if word in words and isinstance(word, str):
            return None
        hint = nearest(str(word), words) or f": one of {', '.join(words)}"
        return f"unknown {self.called} {word!r}{hint}"


def as_shares(value: object) -> object:
    """A constant is a distribution with one word."""
    return {value: 1.0} if isinstance(value, str) else value


def summing_to_one(shares: dict[str, float]) -> dict[str, float]:
    """The shares, scaled to sum to exactly 1; refused when they are further from it than rounding explains."""
    total = math.fsum(shares.values())
    if abs(total - 1) > ROUNDING:
        raise PydanticCustomError("shares", "{text}", {"text": f"the shares sum to {total:g}, not to 1"})
    return {word: share / total for word, share in shares.items()}


def multiple_of_64(value: int) -> int:
    """The model's latents are an eighth of the image, and its U-Net halves them twice more."""
    if value % 64:
        low = max(64, value // 64 * 64)
        raise PydanticCustomError(
            "size", "{text}", {"text": f"must be a multiple of 64, not {value} (nearest: {low} or {low + 64})"}
        )
    return value


def plain_name(value: str) -> str:
    """A name that is safe as a part of a file name."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", value):
        raise PydanticCustomError("name", "must be letters, digits, '.', '_' and '-', and start with a letter or digit")
    return value


def split_name(value: Any) -> str:
    """A name that a dataset's reader takes for a split."""
    if not isinstance(value, str) or not is_split_name(value):
        raise PydanticCustomError("split", "a split's name is letters, digits and '_', and not 'data' or 'minutiae'")
    return value


def as_list(value: object) -> object:
    """One value where a list may stand is a list of one."""
    return [value] if isinstance(value, str) else value


Word = TypeVar("Word")
Share = Annotated[float, Field(ge=0, le=1)]
Shares = Annotated[dict[Word, Share], BeforeValidator(as_shares), AfterValidator(summing_to_one)]
"""{word: share}, or a constant word; after validation always {word: share} with a sum of 1."""

Pattern = Annotated[str, OneOf("pattern")]
Position = Annotated[str, OneOf(FINGERS)]
Acquisition = Annotated[str, OneOf("acquisition")]
Sensor = Annotated[str, OneOf("sensor")]
Quality = Annotated[str, OneOf("quality")]
Skin = Annotated[str, OneOf("skin")]
Pressure = Annotated[str, OneOf("pressure")]
Surface = Annotated[str, OneOf("surface")]
Material = Annotated[str, OneOf("material")]
Technique = Annotated[str, OneOf("technique")]
Split = Annotated[str, BeforeValidator(split_name)]
Name = Annotated[str, AfterValidator(plain_name)]
Pixels = Annotated[int, Field(ge=64, le=2048), AfterValidator(multiple_of_64)]
Strength = Annotated[float, Field(ge=0, le=100)]
Guided = dict[Annotated[str, OneOf(SLOTS)], Strength]
"""{slot: strength}."""
SlotName = Annotated[str, OneOf(SLOTS, "slot")]
Strings = Annotated[tuple[str, ...], BeforeValidator(as_list), Field(strict=False)]
Across = Annotated[float, Field(ge=0, le=575)]
Down = Annotated[float, Field(ge=0, le=703)]
Point = Annotated[tuple[Across, Down], Field(strict=False)]
"""x, y in pixels of a fingertip."""
Line = Annotated[tuple[Across, Down, Across, Down], Field(strict=False)]
"""x1, y1, x2, y2 in pixels of a fingertip."""
