"""The recipe of the reader stage."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from fpsynth.training.data import CHUNK, SIZE, BankSettings
from fpsynth.training.loop import LoopSettings

Side = Annotated[int, Field(multiple_of=64, ge=64, le=SIZE)]


class ReaderSettings(BaseModel):
    """A recipe of this stage."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: Literal["reader"]
    bank: Path | BankSettings = Field(default_factory=BankSettings)
    model: Path | None = Field(default=None, description="whose noisy latents it reads; null: the bundled model")
    start: Path | None = Field(default=None, description="a reader's folder to go on from, of the same words")
    loop: LoopSettings
    sides: tuple[Side, ...] = Field(default=(256, 384, 512), min_length=1, description="of the crops, in pixels")
    noisy: float = Field(default=0.35, ge=0, le=1, description="share of the images that are shown as noisy latents")
    held_out: PositiveInt = Field(
        default=8 * CHUNK,
        description=f"images at the end of the bank by which it is measured; {CHUNK} at a time are of other fingers",
    )
