"""The closed vocabularies below the slots: pattern classes and finger positions. No dependencies."""

import re
from dataclasses import dataclass
from typing import Final

PATTERNS: Final = ("arch", "tented_arch", "left_loop", "right_loop", "whorl", "double_loop")

NATURAL_SHARES: Final = {
    "arch": 0.037,
    "tented_arch": 0.029,
    "left_loop": 0.338,
    "right_loop": 0.317,
    "whorl": 0.223,
    "double_loop": 0.056,
}
"""Natural class shares: A, T, L, R as the NIST prior, its whorls (27.9 %) split 4:1 into plain and double loops."""

FINGERS: Final = (
    "unknown", "right_thumb", "right_index", "right_middle", "right_ring", "right_little",
    "left_thumb", "left_index", "left_middle", "left_ring", "left_little",
)  # fmt: skip
"""ISO/IEC 19794 finger positions: the index in this tuple is the position code 0..10."""


@dataclass(frozen=True)
class SamplerFacts:
    """What is known of a sampler without running it.

    scheduler  the diffusers class by which a model directory names it
    injects    whether it can inject noise after its steps, all but the last
    eta        how stochastic it usually is (DDIM's eta, TCD's gamma), where it has a choice; at 0 it injects nothing
    """

    scheduler: str
    injects: bool
    eta: float | None = None

    def injections(self, steps: int, eta: float | None = None) -> range:
        """The steps after which noise is injected; eta None: the usual one."""
        chosen = self.eta if eta is None or self.eta is None else eta
        return range(steps - 1 if self.injects and chosen != 0 else 0)


SAMPLERS: Final[dict[str, SamplerFacts]] = {
    "ddpm": SamplerFacts("DDPMScheduler", injects=True),
    "ddim": SamplerFacts("DDIMScheduler", injects=True, eta=0.0),
    "dpmpp": SamplerFacts("DPMSolverMultistepScheduler", injects=False),
    "euler": SamplerFacts("EulerDiscreteScheduler", injects=False),
    "lcm": SamplerFacts("LCMScheduler", injects=True),
    "tcd": SamplerFacts("TCDScheduler", injects=True, eta=0.3),
}
"""The samplers; each is the module of its name in fpsynth.diffusion.samplers."""
FORMATS: Final[dict[str, str]] = {"parquet": "Parquet shards", "png": "PNG files", "webdataset": "tar shards"}
"""How the files of a dataset lie, in words. Each is the module of that name in fpsynth.dataset.formats."""

SIDECARS: Final[dict[str, str]] = {"iso19794-2": ".fmr", "ansi378": ".378", "xyt": ".xyt", "json": ".json"}
"""Minutiae files that stand beside an image, and the endings of their names."""

RESERVED: Final = ("data", "minutiae")
"""Folders that a dataset may have besides those of its splits."""

RESTYLE: Final = "restyle"
DRAWN_EDITS: Final = (RESTYLE, "refine", "complete")
"""What a diffusion model can do to prints that exist."""
UPSCALE: Final = "upscale"
EDITS: Final = (*DRAWN_EDITS, UPSCALE)
"""What can be done to prints that exist."""

FVC: Final = "fvc"
WSQ: Final = "wsq"
EXPORTS: Final = (*FORMATS, *SIDECARS, FVC, WSQ)
"""What a dataset can be written again as; fvc: images called FINGER_IMPRESSION.png, as the databases of FVC; wsq: so
called too, compressed as the FBI's specification says."""


def is_split_name(name: str) -> bool:
    """Whether a split may be called so: the name is also a folder's."""
    return bool(re.fullmatch(r"[A-Za-z0-9_]+", name)) and name not in RESERVED
