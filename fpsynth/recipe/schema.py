"""What a recipe may say: the meaning, range and default of every key. docs/recipe.md is made of it.

Every slot of fpsynth.slots has a key of its name in the part that it names. What a type cannot say (files that must
exist, keys that must agree with each other) is checked in check.py.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_serializer

from fpsynth.model_folder import default_model
from fpsynth.recipe.listed import images, templates
from fpsynth.recipe.types import (
    Acquisition,
    Guided,
    Line,
    Material,
    Name,
    OneOf,
    Pattern,
    Pixels,
    Point,
    Position,
    Pressure,
    Quality,
    Sensor,
    Shares,
    Skin,
    SlotName,
    Split,
    Strings,
    Surface,
    Technique,
    as_list,
)
from fpsynth.slots import SLOTS
from fpsynth.vocabulary import DRAWN_EDITS, FORMATS, SAMPLERS, SIDECARS

VIRTUAL = "virtual"
DEFAULT, AUTO = "default", "auto"
NONE = "none"


def absent_if(word: str) -> BeforeValidator:
    """The word by which a recipe says that a key has no value of its own."""
    return BeforeValidator(partial(_without, word))


def _without(word: str, value: Any) -> Any:
    return None if value == word else value


def absent_word(metadata: Iterable[Any]) -> str | None:
    """The word that absent_if was given for a field with this metadata, if it has one."""
    validators = (item.func for item in metadata if isinstance(item, BeforeValidator))
    return next((str(func.args[0]) for func in validators if isinstance(func, partial)), None)


class Part(BaseModel):
    """A part of a recipe: fixed once read, and no key that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class ImageSize(Part):
    """The size and the resolution of the images."""

    width: Pixels = Field(default=512, description="pixels, a multiple of 64")
    height: Pixels = Field(default=512, description="pixels, a multiple of 64")
    ppi: int = Field(
        default=500, ge=250, le=1000, description="pixels per inch; the bundled model makes 250, 500 and 1000"
    )


class LayoutPart(Part):
    """Points and lines that every finger has, in pixels of the whole fingertip: 576 wide and 704 high at 500 ppi, the
    tip at the top, the upper core usually near [288, 300]."""

    cores: Annotated[tuple[Point, ...] | None, Field(max_length=2, strict=False)] = Field(
        default=None, description="[x, y] of each; with `deltas`, of which there are as many; they make the class"
    )
    deltas: Annotated[tuple[Point, ...] | None, Field(max_length=2, strict=False)] = Field(
        default=None, description="[x, y] of each"
    )
    scars: Annotated[tuple[Line, ...], Field(strict=False)] = Field(default=(), description="[x1, y1, x2, y2] of each")
    creases: Annotated[tuple[Line, ...], Field(strict=False)] = Field(
        default=(), description="[x1, y1, x2, y2] of each"
    )


class SourcePart(Part):
    """Fingers or prints that exist: each file is an identity. Its finger is rebuilt from it (`minutiae`, `prints`), or
    it is drawn anew as it lies there, as `fpsynth edit` does (`images`). One of the three is listed."""

    minutiae: Strings = Field(
        default=(),
        description="paths or globs, relative to the recipe, of minutiae files: ISO/IEC 19794-2, ANSI 378, .xyt, JSON",
    )
    prints: Strings = Field(default=(), description="images of prints, as in `minutiae`, with dark ridges")
    images: Strings = Field(
        default=(), description="images of prints to be drawn anew; what the program sees in them counts as their truth"
    )
    verb: Annotated[str, OneOf(DRAWN_EDITS)] = Field(
        default="refine", description="of `images`: " + ", ".join(DRAWN_EDITS) + " (docs/existing-prints.md)"
    )
    strength: float = Field(default=0.3, gt=0, le=1, description="of `refine`: how much noise is added and taken away")
    ppi: float = Field(default=500, ge=100, le=5000, description="resolution of images that do not say theirs")

    @property
    def drawn(self) -> bool:
        """Whether prints are drawn anew, and no fingers rebuilt."""
        return self.kind == "images"

    @property
    def kind(self) -> str:
        """Which of the three."""
        return next(kind for kind in ("minutiae", "prints", "images") if getattr(self, kind) or kind == "images")

    def paths(self, folder: Path) -> tuple[Path, ...]:
        """The files. Raises FileProblem for one that cannot be read."""
        return templates(self.minutiae, folder) if self.minutiae else images(self.prints or self.images, folder)


class FingerPart(Part):
    """Who the identities are."""

    pattern: Annotated[Shares[Pattern] | None, absent_if("natural")] = Field(
        default=None, description="pattern class; `natural`: the shares of a population"
    )
    position: Shares[Position] = Field(default={"unknown": 1.0}, description="which finger of the hand (ISO position)")
    ten_fingers: bool = Field(default=False, description="ten identities in a row are the ten fingers of one subject")

    unique: Annotated[Annotated[float, Field(gt=0, lt=1)] | None, absent_if("off")] = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="a finger whose print is as like an earlier identity's as this (cosine in fpsynth's embedding) is "
        "refused and another one grown; docs/evaluation-virtual.md tells what the thresholds stand for",
    )

    layout: LayoutPart | None = Field(
        default=None, exclude_if=lambda value: value is None, description="what is placed by hand"
    )
    source: SourcePart | None = Field(
        default=None, exclude_if=lambda value: value is None, description="fingers that exist, in place of grown ones"
    )

    @property
    def read_later(self) -> bool:
        """Whether the class is seen on the finger only, once it is there."""
        return self.source is not None or (self.layout is not None and self.layout.cores is not None)

    @field_serializer("pattern")
    def _natural(self, pattern: dict[str, float] | None) -> Any:
        return "natural" if pattern is None else pattern


class CapturePart(Part):
    """How the fingers were taken."""

    acquisition: Shares[Acquisition] = Field(default={"plain": 1.0}, description="how the finger met the sensor")
    material: Shares[Material] | None = Field(
        default=None, description="what was presented: the live finger, or a spoof of it; `null`: live, and not said"
    )
    variation: float = Field(
        default=1.0,
        ge=0,
        le=3,
        description="scales placement, distortion, pressure and moisture; 0: the same capture again",
    )


class PromptPart(Part):
    """What the words say. A slot that is `null` is left out of the prompt."""

    sensor: Shares[Sensor] | None = Field(default={"optical": 1.0}, description="kind of sensor")
    quality: Shares[Quality] | None = Field(default={"good": 1.0}, description="quality of the print")
    skin: Shares[Skin] | None = Field(default={"normal": 1.0}, description="state of the skin")
    pressure: Shares[Pressure] | None = Field(default=None, description="pressure of the finger")
    surface: Shares[Surface] | None = Field(
        default=None, description="what a latent or ink print lies on (ink: card); left out with other sensors"
    )
    technique: Shares[Technique] | None = Field(
        default=None, description="what made a latent print visible; left out with other sensors"
    )
    text: str | None = Field(
        default=None,
        max_length=400,
        description="own words in place of the template; `{sensor}` and the other slots are filled in",
    )


class StylePart(Part):
    """Images whose look the output takes on."""

    images: Strings = Field(default=(), description="paths or globs, relative to the recipe")
    background: Strings = Field(
        default=(),
        exclude_if=lambda value: not value,
        description="as `images`, for what lies outside the print; one an image; at twice the cost of a step",
    )
    context: Strings = Field(
        default=(),
        description="example images, as in `images`: the words that they share are said where `prompt` says nothing",
    )
    per_image: int = Field(default=1, ge=1, le=16, description="style images that each image is given, none twice")
    scale: float = Field(default=1.0, ge=0, le=2, description="how strongly")


class MatchPart(Part):
    """A given print that images are moved towards in fpsynth's embedding, for studies of attacks and near duplicates.
    Their truth is still that of their own fingers; the row's parameter `match` is the cosine that came out."""

    print: str = Field(min_length=1, description="an image of a print with dark ridges, relative to the recipe")
    strength: float = Field(
        default=1.0, ge=-100, le=100, description="how strongly; below 0 away from it; a control_scale below 1 helps"
    )
    ppi: float = Field(default=500, ge=100, le=5000, description="its resolution, if it does not say one")


class SamplingPart(Part):
    """How images come out of the model."""

    model: str = Field(
        default=DEFAULT,
        min_length=1,
        description="`default`: the bundled model; a directory (relative to the recipe); `virtual`: the render of a "
        "virtual sensor, without diffusion",
    )
    student: Annotated[str, BeforeValidator(lambda value: NONE if value is None else value)] = Field(
        default=DEFAULT, min_length=1, description="the few-step student of the model, by name; or `none`"
    )
    steps: int = Field(default=4, ge=1, le=1000, description="sampling steps")
    scheduler: Annotated[Annotated[str, OneOf(SAMPLERS)] | None, absent_if(DEFAULT)] = Field(
        default=None, description="sampler; `default`: the one that the student, or the model without one, is meant for"
    )
    eta: float | None = Field(
        default=None, ge=0, le=1, description="how much noise the sampler injects, where it has a choice (ddim, tcd)"
    )
    cfg_scale: float = Field(default=1.0, ge=1, le=20, description="guidance by the words; above 1 at twice the cost")
    guide: Guided = Field(
        default={},
        description="how strongly the reader guides towards the words of slots: {quality: 2.0}; from 10 steps of the "
        "model itself (`student: none`) on",
    )
    match: MatchPart | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="a print to be moved towards, with steps as for `guide`",
    )
    control_scale: float = Field(default=1.0, ge=0, le=2, description="how strongly the finger's ridges hold the image")
    finish: bool = Field(default=True, description="the model's finisher, where it has one, ends the images")
    shared_noise_steps: int = Field(
        default_factory=lambda done: done["steps"] // 2,
        ge=0,
        description="steps whose noise all impressions of an identity share; by default half of the steps",
    )
    shared_noise_order: Annotated[str, OneOf(("last", "first"))] = Field(
        default="last", description="which of the steps share their noise"
    )
    shared_noise_transport: Annotated[str, OneOf(("skin", "none"))] = Field(
        default="skin", description="`skin`: shared noise moves with the skin of each impression; `none`: it stays"
    )

    @property
    def virtual(self) -> bool:
        """True when virtual sensors render the images and no model is needed."""
        return self.model == VIRTUAL

    @property
    def student_name(self) -> str | None:
        """The student that samples; None for the model itself, and for virtual renders."""
        return None if self.virtual or self.student == NONE else self.student

    def folder(self, base: Path) -> Path | None:
        """The model's directory, relative ones under base; None for virtual renders."""
        if self.virtual:
            return None
        return default_model() if self.model == DEFAULT else base / self.model

    @field_serializer("scheduler")
    def _default(self, scheduler: str | None) -> str:
        return scheduler or DEFAULT


class GatePart(Part):
    """What an image must show of the minutiae that are truly in it; a failing one is drawn again."""

    recall: Annotated[Annotated[float, Field(ge=0, le=1)] | None, absent_if(AUTO)] = Field(
        default=None,
        description="least share of the true minutiae to be found again by the gate's extractor; "
        "`auto`: what captures of these words can show",
    )
    spurious: Annotated[Annotated[float, Field(ge=0, le=1)] | None, absent_if(AUTO)] = Field(
        default=None, description="largest share of found minutiae that are not true; `auto`: as recall"
    )
    retries: int = Field(default=3, ge=0, le=20, description="how often a failing image is drawn again")

    @field_serializer("recall", "spurious")
    def _auto(self, limit: float | None) -> float | str:
        return AUTO if limit is None else limit


class OutputPart(Part):
    """What is written."""

    format: Annotated[str, OneOf(FORMATS)] = Field(default="parquet", description=", or ".join(FORMATS.values()))
    shard_images: int = Field(
        default=256, ge=1, le=100_000, description="most images in a shard; identities stay whole"
    )
    minutiae: Annotated[tuple[Annotated[str, OneOf(SIDECARS)], ...], BeforeValidator(as_list), Field(strict=False)] = (
        Field(default=(), description="minutiae files to write besides the columns")
    )


class Rule(Part):
    """Where the words of some slots decide the shares of others."""

    when: dict[SlotName, Annotated[Strings, Field(min_length=1)]] = Field(
        min_length=1, description="what a row must say for the rule to hold: a word, or a list of which it says one"
    )
    then: dict[SlotName, Shares[str] | None] = Field(
        min_length=1, description="the shares of other slots in these rows; `null` leaves a slot open"
    )


class Recipe(Part):
    """A whole recipe."""

    name: Name = Field(default="fingerprints", max_length=100, description="the name of the dataset")
    seed: int = Field(default=0, ge=0, lt=2**63, description="all randomness comes from it")
    identities: int = Field(ge=1, le=100_000_000, description="number of fingers")
    impressions: int = Field(ge=1, le=1_000_000, description="captures of each finger")
    image: ImageSize = ImageSize()
    finger: FingerPart = FingerPart()
    capture: CapturePart = CapturePart()
    prompt: PromptPart = PromptPart()
    style: StylePart = StylePart()
    sampling: SamplingPart = SamplingPart()
    gate: Annotated[GatePart | None, absent_if("off")] = Field(default=GatePart(), description="or `off`")
    output: OutputPart = OutputPart()
    splits: Shares[Split] = Field(default={"train": 1.0}, description="shares of the subjects; nobody is in two splits")
    rules: Annotated[tuple[Rule, ...], Field(strict=False)] = Field(
        default=(), description="a list", exclude_if=lambda rules: not rules
    )

    @field_serializer("gate", mode="wrap")
    def _off(self, gate: GatePart | None, handler: Any) -> Any:
        return "off" if gate is None else handler(gate)


def shares_of(recipe: Recipe, slot: str) -> Mapping[str, float] | None:
    """The shares of a slot's words; None where the recipe leaves it open."""
    shares: Mapping[str, float] | None = getattr(getattr(recipe, SLOTS[slot].part), slot)
    return shares
