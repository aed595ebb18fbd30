"""Training as the command line calls it: a stage, a recipe, a folder."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel

from fpsynth.device import choose_device
from fpsynth.diffusion.bundle import check_bundle, default_model
from fpsynth.errors import UserError
from fpsynth.recipe.document import Document, read_document
from fpsynth.recipe.validate import validate
from fpsynth.training.adapters import AdapterSettings, run_adapters
from fpsynth.training.autoencoder import AutoencoderSettings, run_autoencoder
from fpsynth.training.data import Bank, BankSettings, build_bank, build_prints
from fpsynth.training.denoiser import DenoiserSettings, check_autoencoder, run_denoiser
from fpsynth.training.distill import DistillSettings, run_distill
from fpsynth.training.embedding import EmbeddingSettings, run_embedding
from fpsynth.training.loop import check_precision

Say = Callable[[str], None]
Settings = AutoencoderSettings | DenoiserSettings | AdapterSettings | DistillSettings


def train(
    stage: str, recipe: Path, overrides: Sequence[str], out: Path | None, device: str = "auto", say: Say | None = None
) -> None:
    """Run a stage, or go on with it. Raises UserError for whatever its recipe has wrong.

    device "auto" is a GPU where there is one, but for the bank, which all cores make together.
    """
    if stage not in RUNNERS:
        raise UserError(f"unknown stage {stage!r}; stages are {', '.join(STAGES)}")
    document = read_document(recipe, overrides)
    found = document.data.get("stage")
    if found != stage:
        raise document.error(("stage",), f"is {found!r}, but the stage to run is {stage!r}")
    chosen = "cpu" if (stage, device) == ("bank", "auto") else choose_device(device)
    RUNNERS[stage](document, _out(out, recipe), chosen, say or _print)


def _bank_stage(document: Document, out: Path, device: str, say: Say) -> None:
    data = {key: value for key, value in document.data.items() if key != "stage"}
    settings = validate(Document(document.path, data, document.keys, document.values), BankSettings)
    build_bank(out, settings, say, device)


def _autoencoder_stage(document: Document, out: Path, device: str, say: Say) -> None:
    settings = validate(document, AutoencoderSettings)
    check_precision(settings.loop.precision, device)
    run_autoencoder(settings, _prepare(settings, out, say), out, device, say)


def _denoiser_stage(document: Document, out: Path, device: str, say: Say) -> None:
    settings = validate(document, DenoiserSettings)
    check_precision(settings.loop.precision, device)
    check_autoencoder(settings.autoencoder)
    run_denoiser(settings, _prepare(settings, out, say), out, device, say)


def _adapters_stage(document: Document, out: Path, device: str, say: Say) -> None:
    settings = validate(document, AdapterSettings)
    check_precision(settings.loop.precision, device)
    check_bundle(settings.model)
    run_adapters(settings, _prepare(settings, out, say), out, device, say)


def _embedding_stage(document: Document, out: Path, device: str, say: Say) -> None:
    settings = validate(document, EmbeddingSettings)
    check_precision(settings.loop.precision, device)
    prints = build_prints(out.parent / "prints", settings.prints, say)
    _write_settings(settings, out)
    run_embedding(settings, prints, out, device, say)


RUNNERS: Mapping[str, Callable[[Document, Path, str, Say], None]] = {
    "bank": _bank_stage,
    "autoencoder": _autoencoder_stage,
    "denoiser": _denoiser_stage,
    "adapters": _adapters_stage,
    "embedding": _embedding_stage,
}
STAGES = tuple(RUNNERS)
"""In the order in which they are run; the embedding stands alone."""


def distill(
    recipe: Path, overrides: Sequence[str], out: Path | None, device: str = "auto", say: Say | None = None
) -> None:
    """Make a few-step student, or go on with it."""
    settings = validate(read_document(recipe, overrides), DistillSettings)
    folder, where, tell = _out(out, recipe), choose_device(device), say or _print
    model = settings.model or default_model()
    check_precision(settings.loop.precision, where)
    check_bundle(model)
    run_distill(settings, model, _prepare(settings, folder, tell), folder, where, tell)


def _prepare(settings: Settings, out: Path, say: Say) -> Bank:
    """The bank; and out/settings.json."""
    bank = _bank(settings.bank, out, say)
    _write_settings(settings, out)
    return bank


def _write_settings(settings: BaseModel, out: Path) -> None:
    """out/settings.json says what the run was told, defaults included."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "settings.json").write_text(settings.model_dump_json(indent=1) + "\n", encoding="utf-8")


def _bank(bank: Path | BankSettings, out: Path, say: Say) -> Bank:
    """The bank at a path, or the one that is described, built beside the folders of the runs."""
    if isinstance(bank, Path):
        return Bank(bank)
    return build_bank(out.parent / "bank", bank, say)


def _out(out: Path | None, recipe: Path) -> Path:
    folder = out or Path("runs") / recipe.stem
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is a file, not a folder")
    return folder


def _print(text: str) -> None:
    print(text, flush=True)
