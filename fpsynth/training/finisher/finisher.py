"""The finisher stage: a model's pictures are drawn once, and a finisher learns to end them so that a critic is content.

Where a picture was begun from the bank's print, the two are compared pixel by pixel (Isola et al., pix2pix, 2017),
which draws the ridges; all else is between finisher and critic.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationInfo,
    field_validator,
)
from torch import Tensor

from fpsynth.console import Console
from fpsynth.diffusion.finisher import Finisher, Shape, load_finisher, save_finisher
from fpsynth.diffusion.model import load_model
from fpsynth.errors import UserError
from fpsynth.model_folder import default_model, own_sampler
from fpsynth.training.batches import DropSettings, Side
from fpsynth.training.critic import Critic, Eye, Shown, Trial
from fpsynth.training.data import Bank, BankSettings, encode_bank, to_signed
from fpsynth.training.data.store import Columns
from fpsynth.training.denoiser.lessons import check_grid
from fpsynth.training.finisher.drawn import CODE, DRAWN, NOISE, PLANES, REAL, Artist, Drawing, draw_pictures, is_paired
from fpsynth.training.loop import Learner, LoopSettings, fit, step_generator
from fpsynth.training.texture import unlike

Steps = Annotated[int, Field(ge=1, le=50)]
Guidance = Annotated[float, Field(ge=1, le=20)]
GRID = 16
"""Pixels: crops begin on it, so that the cells of the latents lie alike for finisher and critic."""
MOMENTUM = 0.5
RIDGE = "ridge"
LOOKED_AT = 4


class FinisherSettings(BaseModel):
    """A recipe of this stage.

    crop     side of what is cut out of the pictures at each step
    near     weight of the distance to the bank's print, where that is known, at the first step and at the last: it has
             the ridges drawn soon, and evens out what is random for as long as it weighs much
    alone    steps of the start in which that alone counts
    texture  weight of how unlike the bank's the strength of the picture is, along the ridges and across, scale by scale
    penalty  on the critic's slopes, at the first step and at the last; both fall by equal factors in between
    rate     the critic's, times the loop's
    depth    residual blocks of the critic after each of its halvings: without any it does not see what an eye sees
    heads    at how many of its scales, counted from the coarsest, the critic scores
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: Literal["finisher"]
    bank: Path | BankSettings = Field(default_factory=BankSettings)
    model: Path | None = Field(default=None, description="whose pictures; null: the bundled model")
    student: str | None = Field(default="default", description="of the model; null: the model itself")
    fresh: bool = Field(default=True, description="begin with a new finisher; false: go on with the model's own")
    steps: tuple[Steps, ...] = Field(default=(4, 2, 4, 1), min_length=1, description="of the sampler, in turns")
    cfg_scale: tuple[Guidance, ...] = Field(default=(1.0,), min_length=1, description="in turns, too")
    pictures: PositiveInt = 4096
    side: Side = 256
    crop: Side = 128
    specks: bool = Field(default=False, description="a new finisher is shown what is rare in the noise, too")
    drop: DropSettings = DropSettings(style=0.6, prompt=0.05, control=0.0)
    near: tuple[PositiveFloat, PositiveFloat] = (10.0, 1.0)
    alone: NonNegativeInt = 60
    texture: NonNegativeFloat = 0.0
    penalty: tuple[PositiveFloat, PositiveFloat] = (0.03, 0.006)
    rate: PositiveFloat = 1.0
    depth: Annotated[int, Field(ge=0, le=4)] = 1
    heads: Annotated[int, Field(ge=1, le=4)] = 4
    loop: LoopSettings

    @field_validator("crop")
    @classmethod
    def _inside(cls, crop: int, info: ValidationInfo) -> int:
        if crop > info.data.get("side", crop):
            raise ValueError(f"a crop of {crop} pixels is more than a picture's side, {info.data['side']}")
        return crop


@dataclass(frozen=True)
class Crops:
    """Crops of what was drawn, in [-1, 1], with all that they were drawn from; paired (B,): 1 where from the bank's."""

    drawn: Tensor
    real: Tensor
    planes: Tensor
    noise: Tensor
    code: Tensor
    paired: Tensor

    def to(self, device: torch.device) -> "Crops":
        """On a device."""
        each = (self.drawn, self.real, self.planes, self.noise, self.code, self.paired)
        return Crops(*(x.to(device) for x in each))


@dataclass(frozen=True)
class Pictures:
    """What was drawn: `count` pictures of side x side pixels."""

    columns: Columns
    count: int
    side: int

    def crops(self, index: list[int], top: list[int], left: list[int], size: int) -> Crops:
        """Crops of these pictures with these upper left corners."""
        places = [(i, slice(y, y + size), slice(x, x + size)) for i, y, x in zip(index, top, left, strict=True)]
        read = self.columns.read
        return Crops(
            drawn=torch.stack([to_signed(read(DRAWN, *place))[None] for place in places]),
            real=torch.stack([to_signed(read(REAL, *place))[None] for place in places]),
            planes=torch.stack([read(PLANES, i, slice(None), y, x) for i, y, x in places]).float() / 255,
            noise=torch.stack([read(NOISE, i, slice(None), y, x) for i, y, x in places]).float(),
            code=torch.stack([read(CODE, i, slice(None)) for i in index]).float(),
            paired=torch.tensor([float(is_paired(i)) for i in index]),
        )


@dataclass
class FinisherJob:
    """Finisher and critic, at the same crops. ridge: which of their planes holds the ridges, for texture."""

    finisher: Finisher
    trial: Trial
    pictures: Pictures
    settings: FinisherSettings
    ridge: int = 0
    shown: Shown | None = field(default=None, init=False)
    """Of the present step: the critic learns from the very pictures that the finisher was judged by."""

    @property
    def learners(self) -> tuple[Learner, ...]:
        """The finisher, and then the critic."""
        critic = {"critic": self.trial.critic}
        return (
            Learner(modules={"finisher": self.finisher}, loss=self.loss, momentum=MOMENTUM),
            Learner(modules=critic, loss=self._judge, name="critic", rate=self.settings.rate, momentum=MOMENTUM),
        )

    def loss(self, step: int, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Mapping[str, float]]:
        """The critic's verdict, and how far the pictures are from the bank's."""
        crops = self._draw(step).to(device)
        finished = self._finished(crops)
        shown = Shown(crops.real, finished.clamp(-1, 1), crops.planes, crops.code)
        self.shown = shown.still()
        verdict = self.trial.seen_through(shown)
        away = ((finished - crops.real).abs().mean((1, 2, 3)) * crops.paired).sum() / crops.paired.sum().clamp_min(1)
        figures = {"verdict": float(verdict.detach()), "away": float(away.detach())}
        if self.settings.texture:
            texture = unlike(finished, crops.real, crops.planes[:, [self.ridge]])
            figures["texture"] = float(texture.detach())
            verdict = verdict + self.settings.texture * texture
        say = float(step >= self.settings.alone)
        return say * verdict + self.weight(step, self.settings.near) * away, figures

    def weight(self, step: int, ends: tuple[float, float]) -> float:
        """A weight that changes by equal factors from the first step to the last."""
        first, last = ends
        weight: float = first * (last / first) ** (step / self.settings.loop.steps)
        return weight

    def _draw(self, step: int) -> Crops:
        """The crops of a step."""
        generator, how = step_generator(self.settings.loop.seed, step), self.settings
        index = torch.randint(self.pictures.count, (how.loop.batch,), generator=generator).tolist()
        room = (how.side - how.crop) // GRID + 1
        top, left = (GRID * torch.randint(room, (2, len(index)), generator=generator)).tolist()
        return self.pictures.crops(index, top, left, how.crop)

    def _finished(self, crops: Crops) -> Tensor:
        finished: Tensor = self.finisher(crops.drawn, crops.planes, crops.noise, crops.code)
        return finished

    def _judge(self, step: int, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Mapping[str, float]]:
        assert self.shown is not None, "the finisher learns first"
        return self.trial.verdict(self.shown, self.weight(step, self.settings.penalty))

    def grid(self) -> Tensor:
        """Pictures as they were drawn, and on their right as they are finished."""
        stride = max(self.pictures.count // LOOKED_AT, 1)
        index = [i * stride % self.pictures.count for i in range(LOOKED_AT)]
        crops = self.pictures.crops(index, [0] * LOOKED_AT, [0] * LOOKED_AT, self.pictures.side)
        finished = self._finished(crops.to(self.finisher.out.weight.device)).cpu().clamp(-1, 1)
        return torch.stack([crops.drawn, finished], 1).flatten(0, 1)


def run_finisher(settings: FinisherSettings, bank: Bank, out: Path, device: str, console: Console) -> None:
    """Train, and write out/model/: a copy of the model with a finisher."""
    base = settings.model or default_model()
    model = load_model(base, device, settings.student)
    source = encode_bank(bank, model.codec, device, console.note)
    finisher = teach(settings, base, Artist(model, source, drawing_of(settings, base)), out, console)
    shutil.copytree(base, out / "model", dirs_exist_ok=True)
    save_finisher(out / "model", finisher)
    console.note(f"model: {out / 'model'}")


def teach(settings: FinisherSettings, base: Path, artist: Artist, out: Path, console: Console) -> Finisher:
    """A finisher for what the artist draws: of the model in the folder `base`, on whose device it learns.

    Raises UserError for a model whose noise is not on pixels, or that is not told the ridges that texture asks for.
    """
    model = artist.model
    ridge = ridge_of(settings, model.denoiser.planes)
    check_grid(settings.side, model.multiple, "side")
    if model.codec.grain > 1:
        raise UserError(f"{base}: its noise is not on pixels, and a finisher is shown that")
    told = artist.drawing.settings(base, settings.student)
    columns = draw_pictures(out / "drawn", artist, told, settings.pictures, console.note)
    pictures = Pictures(columns, settings.pictures, settings.side)
    some = pictures.crops([0], [0], [0], settings.crop)
    planes, code = some.planes.shape[1], some.code.shape[1]
    torch.manual_seed(settings.loop.seed)
    finisher = Finisher(Shape(planes, code, columns=True, specks=settings.specks)) if settings.fresh else _own(base)
    trial = Trial(Critic(planes, code, Eye(settings.depth, settings.heads)))
    job = FinisherJob(finisher, trial, pictures, settings, ridge)
    fit(job, settings.loop, out, str(model.denoiser.device), console)
    return finisher


def ridge_of(settings: FinisherSettings, planes: tuple[str, ...]) -> int:
    """Which of a model's planes holds the ridges. Raises UserError where none does and texture is weighed."""
    if RIDGE in planes:
        return planes.index(RIDGE)
    if settings.texture:
        raise UserError(f"texture: needs the plane `{RIDGE}`, and the model is told {', '.join(planes)}")
    return 0


def _own(base: Path) -> Finisher:
    """The model's own finisher, free to learn."""
    finisher = load_finisher(base, "cpu", torch.float32)
    if finisher is None:
        raise UserError(f"{base}: has no finisher to go on with; say `fresh: true`")
    return finisher.requires_grad_(True)


def drawing_of(settings: FinisherSettings, base: Path) -> Drawing:
    """How the pictures are drawn. Raises UserError for a model that names no sampler."""
    sampler = own_sampler(base, settings.student)
    if sampler is None:
        raise UserError(f"{base}: names no sampler that is known here")
    return Drawing(
        side=settings.side,
        sampler=sampler,
        steps=settings.steps,
        cfg_scale=settings.cfg_scale,
        drop=settings.drop,
        seed=settings.loop.seed,
    )
