"""Training as the command line calls it: a stage, a recipe, a folder."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from pydantic import BaseModel

from fpsynth.console import Console
from fpsynth.device import choose_device
from fpsynth.diffusion.bundle import check_bundle
from fpsynth.diffusion.codec import check_codec
from fpsynth.diffusion.model import be_quiet
from fpsynth.errors import UserError
from fpsynth.files import alone
from fpsynth.model_folder import check_student, default_model, knows
from fpsynth.reader.reader import load_reader
from fpsynth.recipe.bundled import find_recipe
from fpsynth.recipe.document import Document, read_document
from fpsynth.recipe.validate import validate
from fpsynth.training.adapt import AdaptSettings, own_prints, prints_key, run_adapt
from fpsynth.training.autoencoder import AutoencoderSettings, check_shape, run_autoencoder
from fpsynth.training.data import USUAL_PPI, Bank, BankSettings, Store, build_bank, build_prints
from fpsynth.training.denoiser import AdapterSettings, DenoiserSettings, begun_model, run_adapters, run_denoiser
from fpsynth.training.distill import DistillSettings, check_distill, run_distill
from fpsynth.training.embedding import EmbeddingSettings, run_embedding
from fpsynth.training.extractor import ExtractorSettings, run_extractor
from fpsynth.training.finisher import FinisherSettings, run_finisher
from fpsynth.training.loop import Origin, check_origin, check_precision, claim_origin, origin_of
from fpsynth.training.reader import ReaderSettings, run_reader
from fpsynth.training.upscaler import UpscalerSettings, run_upscaler

BASES = ("model", "start", "autoencoder")
"""Keys of what a run begins with."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What the command line asks for. out None: runs/ and the recipe's name."""

    recipe: Path
    overrides: tuple[str, ...] = ()
    out: Path | None = None
    device: str = "auto"

    @property
    def folder(self) -> Path:
        """The folder of the run. Raises UserError where it is a file."""
        folder = self.out or Path("runs") / self.recipe.stem
        if folder.exists() and not folder.is_dir():
            raise UserError(f"{folder}: is a file, not a folder")
        return folder


@dataclass(frozen=True)
class Stage:
    """settings: of its recipe; run(settings, folder, device, console) trains, or goes on."""

    settings: type[BaseModel]
    run: Callable[[Any, Path, str, Console], None]


def _bank_stage(settings: BankSettings, out: Path, device: str, console: Console) -> None:
    build_bank(out, settings, console.note, device)


def _autoencoder_stage(settings: AutoencoderSettings, out: Path, device: str, console: Console) -> None:
    check_shape(settings)
    run_autoencoder(settings, _prepare(settings, settings.bank, out, console), out, device, console)


def _denoiser_stage(settings: DenoiserSettings, out: Path, device: str, console: Console) -> None:
    if settings.autoencoder:
        check_codec(settings.autoencoder)
    if settings.start:
        check_bundle(settings.start)
    begun_model(settings)
    run_denoiser(settings, _prepare(settings, settings.bank, out, console), out, device, console)


def _adapters_stage(settings: AdapterSettings, out: Path, device: str, console: Console) -> None:
    check_bundle(settings.model)
    bank = _prepare(settings, settings.bank, out, console, knows(settings.model).ppi)
    run_adapters(settings, bank, out, device, console)


def _embedding_stage(settings: EmbeddingSettings, out: Path, device: str, console: Console) -> None:
    origin, folder = origin_of(settings), out.parent / "prints"
    check_origin(out, origin)
    with alone(folder):
        prints = build_prints(folder, settings.prints, console.note)
    claim_origin(out, origin | {"prints": Store(folder).identity(settings.prints.chunks)})
    _write_settings(settings, out)
    run_embedding(settings, prints, out, device, console)


def _finisher_stage(settings: FinisherSettings, out: Path, device: str, console: Console) -> None:
    base = settings.model or default_model()
    check_bundle(base)
    bank = _prepare(settings, settings.bank, out, console, knows(base).ppi)
    run_finisher(settings, bank, out, device, console)


def _extractor_stage(settings: ExtractorSettings, out: Path, device: str, console: Console) -> None:
    bank = _prepare(settings, settings.bank, out, console, (USUAL_PPI,))
    run_extractor(settings, bank, out, device, console)


def _upscaler_stage(settings: UpscalerSettings, out: Path, device: str, console: Console) -> None:
    run_upscaler(settings, _prepare(settings, settings.bank, out, console), out, device, console)


def _reader_stage(settings: ReaderSettings, out: Path, device: str, console: Console) -> None:
    check_bundle(settings.model or default_model())
    if settings.start:
        load_reader(settings.start)
    bank = _prepare(settings, settings.bank, out, console, (USUAL_PPI,))
    run_reader(settings, bank, out, device, console)


def _adapt_stage(settings: AdaptSettings, out: Path, device: str, console: Console) -> None:
    base = settings.model or default_model()
    check_bundle(base)
    if (seen := knows(base).ppi) and USUAL_PPI not in seen:
        raise UserError(f"model: {base} does not draw prints of {USUAL_PPI} ppi, as which they are learnt")
    origin = {"data": prints_key(settings)}
    check_origin(out, origin_of(settings) | origin)
    own = own_prints(settings, out / "own", console)
    bank = _prepare(settings, settings.bank, out, console, (USUAL_PPI,), origin)
    run_adapt(settings, own, bank, out, device, console)


STAGES: Final[Mapping[str, Stage]] = {
    "bank": Stage(BankSettings, _bank_stage),
    "autoencoder": Stage(AutoencoderSettings, _autoencoder_stage),
    "denoiser": Stage(DenoiserSettings, _denoiser_stage),
    "adapters": Stage(AdapterSettings, _adapters_stage),
    "finisher": Stage(FinisherSettings, _finisher_stage),
    "embedding": Stage(EmbeddingSettings, _embedding_stage),
    "upscaler": Stage(UpscalerSettings, _upscaler_stage),
    "extractor": Stage(ExtractorSettings, _extractor_stage),
    "reader": Stage(ReaderSettings, _reader_stage),
    "adapt": Stage(AdaptSettings, _adapt_stage),
}
"""In the order in which they are run; embedding, upscaler and extractor stand alone, the reader reads latents."""


def train(stage: str, order: Order, console: Console) -> None:
    """Run a stage, or go on with it. Raises UserError for whatever its recipe has wrong.

    device "auto" is a GPU where there is one, but for the bank, which all cores make together.
    """
    be_quiet()
    if stage not in STAGES:
        raise UserError(f"unknown stage {stage!r}; stages are {', '.join(STAGES)}")
    document = read_document(find_recipe(order.recipe), order.overrides)
    found = document.data.get("stage")
    if found != stage:
        raise document.error(("stage",), f"is {found!r}, but the stage to run is {stage!r}")
    settings = _settings(document, STAGES[stage].settings)
    device = "cpu" if (stage, order.device) == ("bank", "auto") else choose_device(order.device)
    _check(settings, order.folder, device)
    with alone(order.folder):
        STAGES[stage].run(settings, order.folder, device, console)
    console.result({"stage": stage, "output": str(order.folder)}, brief=str(order.folder))


def distill(order: Order, console: Console) -> None:
    """Make a few-step student, or go on with it."""
    be_quiet()
    settings = validate(read_document(find_recipe(order.recipe), order.overrides), DistillSettings)
    device, model = choose_device(order.device), settings.model or default_model()
    out = order.folder
    _check(settings, out, device)
    check_bundle(model)
    if settings.teacher:
        check_student(model, settings.teacher)
    check_distill(settings, model)
    with alone(out):
        bank = _prepare(settings, settings.bank, out, console, knows(model).ppi)
        run_distill(settings, model, bank, out, device, console)
    facts = {"student": settings.name, "output": str(out / "model")}
    console.result(facts, brief=str(out / "model"))


def _settings(document: Document, schema: type[BaseModel]) -> BaseModel:
    """A recipe's settings; `stage` is not a key of theirs where the schema does not name it."""
    if "stage" in schema.model_fields:
        return validate(document, schema)
    data = {key: value for key, value in document.data.items() if key != "stage"}
    return validate(Document(document.path, data, document.keys, document.values), schema)


def _check(settings: BaseModel, out: Path, device: str) -> None:
    """Raises UserError for a number format that the device has not, and for a model that the run itself writes."""
    if loop := getattr(settings, "loop", None):
        check_precision(loop.precision, device)
    written = (out / "model").resolve()
    for key in BASES:
        if (given := getattr(settings, key, None)) is not None:
            base = given.resolve()
            if base == written or base in written.parents or written in base.parents:
                raise UserError(f"{key}: {given} overlaps {out / 'model'}, which this run writes; choose another -o")


def _prepare(
    settings: BaseModel,
    bank: Path | BankSettings,
    out: Path,
    console: Console,
    ppi: tuple[int, ...] = (),
    origin: Origin = MappingProxyType({}),
) -> Bank:
    """The bank at a path, or the one that is described, built beside the folders of the runs; and out/settings.json.

    ppi: resolutions that the stage can use, empty: any; origin: what decides the weights beside the settings. Raises
    UserError for a bank of another one, and where the run in `out` has a checkpoint that something else decided.
    """
    given = Bank(bank) if isinstance(bank, Path) else bank
    if ppi and given.ppi not in ppi:
        raise UserError(f"bank: is of {given.ppi} ppi, and this stage needs {' or '.join(map(str, ppi))}")
    told = {**origin_of(settings), **origin}
    check_origin(out, told)
    found = given if isinstance(given, Bank) else _built(out.parent / "bank", given, console)
    claim_origin(out, told | {"bank": found.digest})
    _write_settings(settings, out)
    return found


def _built(folder: Path, bank: BankSettings, console: Console) -> Bank:
    with alone(folder):
        return build_bank(folder, bank, console.note)


def _write_settings(settings: BaseModel, out: Path) -> None:
    """out/settings.json says what the run was told, defaults included."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "settings.json").write_text(settings.model_dump_json(indent=1) + "\n", encoding="utf-8")
