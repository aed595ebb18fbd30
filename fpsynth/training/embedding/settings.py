"""The recipe of the embedding stage."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

from fpsynth.training.data import PrintSettings
from fpsynth.training.loop import LoopSettings


class EmbeddingSettings(BaseModel):
    """A recipe of this stage."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: Literal["embedding"]
    prints: PrintSettings = PrintSettings()
    loop: LoopSettings
    size: PositiveInt = Field(default=192, description="length of the vector")
    temperature: PositiveFloat = Field(default=0.07, description="of the cosines in the contrastive loss")
    pose: PositiveFloat = Field(default=2.0, description="weight of the pose")
    minutiae: PositiveFloat = Field(default=1.0, description="weight of the minutiae map")
