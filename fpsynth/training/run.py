"""Training as the command line calls it: a stage, a recipe, a folder."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from fpsynth.diffusion.bundle import default_model
from fpsynth.errors import UserError
from fpsynth.recipe.document import Document, read_document
from fpsynth.recipe.validate import validate
from fpsynth.training.adapters import AdapterSettings, run_adapters
from fpsynth.training.autoencoder import AutoencoderSettings, run_autoencoder
from fpsynth.training.bank import BankSettings, build_bank
from fpsynth.training.denoiser import DenoiserSettings, run_denoiser
from fpsynth.training.distill import DistillSettings, run_distill
from fpsynth.training.stream import Bank

Say = Callable[[str], None]
STAGES = ("bank", "autoencoder", "denoiser", "adapters")
"""In the order in which they are run."""


def train(
    stage: str, recipe: Path, overrides: Sequence[str], out: Path | None, device: str = "auto", say: Say | None = None
) -> None:
    """Run a stage, or go on with it. Raises UserError for whatever its recipe has wrong."""
    document = read_document(recipe, overrides)
    _check_stage(stage, document)
    folder, where, tell = _out(out, recipe), _device(device), say or _print
    if stage == "bank":
        build_bank(folder, validate(_without_stage(document), BankSettings), tell)
    elif stage == "autoencoder":
        autoencoder = validate(document, AutoencoderSettings)
        run_autoencoder(autoencoder, _bank(autoencoder.bank, folder, tell), folder, where, tell)
    elif stage == "denoiser":
        denoiser = validate(document, DenoiserSettings)
        run_denoiser(denoiser, _bank(denoiser.bank, folder, tell), folder, where, tell)
    else:
        adapters = validate(document, AdapterSettings)
        run_adapters(adapters, _bank(adapters.bank, folder, tell), folder, where, tell)


def distill(
    recipe: Path, overrides: Sequence[str], out: Path | None, device: str = "auto", say: Say | None = None
) -> None:
    """Make a few-step student, or go on with it."""
    settings = validate(read_document(recipe, overrides), DistillSettings)
    folder, where, tell = _out(out, recipe), _device(device), say or _print
    model = settings.model or default_model()
    run_distill(settings, model, _bank(settings.bank, folder, tell), folder, where, tell)


def _check_stage(stage: str, document: Document) -> None:
    if stage not in STAGES:
        raise UserError(f"unknown stage {stage!r}; stages are {', '.join(STAGES)}")
    found = document.data.get("stage")
    if found != stage:
        raise document.error(("stage",), f"is {found!r}, but the stage to run is {stage!r}")


def _without_stage(document: Document) -> Document:
    data = {key: value for key, value in document.data.items() if key != "stage"}
    return Document(document.path, data, document.keys, document.values)


def _bank(bank: Path | BankSettings, out: Path, say: Say) -> Bank:
    """The bank at a path, or the one that is described, built beside the folders of the runs."""
    if isinstance(bank, Path):
        return Bank(bank)
    folder = out.parent / "bank"
    build_bank(folder, bank, say)
    return Bank(folder, bank.chunks)


def _out(out: Path | None, recipe: Path) -> Path:
    folder = out or Path("runs") / recipe.stem
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is a file, not a folder")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _device(device: str) -> str:
    if device not in ("auto", "cpu", "cuda"):
        raise UserError(f"unknown device {device!r}; devices are auto, cpu, cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("no CUDA device here; use --device cpu")
    return ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device


def _print(text: str) -> None:
    print(text, flush=True)
