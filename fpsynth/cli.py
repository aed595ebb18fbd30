"""The command line: parse, call, print. What needs torch is imported inside the commands."""

import os
import re
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from fpsynth import __version__
from fpsynth.console import Console, Table, bear_any_stream, let_go
from fpsynth.errors import Unfinished, UserError
from fpsynth.vocabulary import EDITS, EXPORTS

if TYPE_CHECKING:
    from fpsynth.dataset.spec import Part

DONE, FAILURE, USAGE, SHORT, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit codes: done; a bug or a failing machine; the user's mistake; finished but short of a gate; Ctrl-C."""

app = typer.Typer(
    name="fpsynth",
    help="Synthetic fingerprint datasets from a recipe: identities that hold, minutiae that are true.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

RecipePath = Annotated[Path, typer.Argument(help="the recipe, a YAML file, or the name of a bundled one")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="replace a value of the recipe; may be repeated")
]
Json = Annotated[bool, typer.Option("--json", help="print the result as one JSON object")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="no progress, no notes")]
DeviceName = Annotated[str, typer.Option("--device", metavar="cpu|cuda|auto", help="where the model runs")]
RunFolder = Annotated[
    Path | None, typer.Option("-o", "--out", help="folder of the run (default: runs/ and the recipe's name)")
]


def _console(json: bool, quiet: bool) -> Console:
    if json and quiet:
        raise UserError("--json and --quiet exclude each other")
    return Console("json" if json else "quiet" if quiet else "human")


def _part(text: str | None, overwrite: bool) -> "Part | None":
    """I/N as a part of a run."""
    if text is None:
        return None
    from fpsynth.dataset.spec import Part

    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise UserError(f"--part {text}: I/N is needed, with I from 1 to N")
    if overwrite:
        raise UserError("--part and --overwrite exclude each other: one part would remove what another made")
    return Part(int(found[1]), int(found[2]))


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"fpsynth {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    pass


@app.command(
    epilog="Examples:\n\n"
    "fpsynth generate recipes/quickstart.yaml -o out/\n\n"
    "fpsynth generate recipe.yaml --dry-run --set identities=1000\n\n"
    "fpsynth generate recipe.yaml -o out/ --set sampling.model=virtual --set 'prompt.sensor={ink: 1.0}'"
)
def generate(
    recipe: RecipePath,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="folder of the dataset (default: out/ and the recipe's name)")
    ] = None,
    set_: Overrides = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="print the plan and write nothing")] = False,
    device: DeviceName = "auto",
    batch: Annotated[
        int | None, typer.Option(min=1, max=1024, help="images sampled at once (default: 4 on a CPU, 32 on a GPU)")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=4096, help="processes that make shards")] = 1,
    address: Annotated[
        str | None, typer.Option(envvar="RAY_ADDRESS", help="put the workers on this Ray cluster (local: a new one)")
    ] = None,
    part: Annotated[
        str | None, typer.Option(metavar="I/N", help="make the I-th of N shares of the shards, for several machines")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace a dataset that lies there")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="read what is there, make anew what changed")] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make the dataset of a recipe. The same command again takes up a run that was cut off."""
    from fpsynth import flow

    console = _console(json, quiet)
    order = flow.Order(
        recipe=recipe,
        overrides=tuple(set_ or ()),
        out=out,
        device=device,
        batch=batch,
        workers=workers,
        address=address,
        part=_part(part, overwrite),
        overwrite=overwrite,
        verify=verify,
    )
    if dry_run:
        flow.show_plan(order, console)
    elif not flow.generate(order, console).passed:
        raise typer.Exit(SHORT)


@app.command(
    epilog="Examples:\n\nfpsynth preview recipe.yaml\n\nfpsynth preview recipe.yaml -o look.png --set sampling.steps=8"
)
def preview(
    recipe: RecipePath,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="the sheet (default: the recipe's name and -preview.png)")
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=100, help="images on the sheet, about")] = 12,
    set_: Overrides = None,
    device: DeviceName = "auto",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make the first images of a recipe on one sheet (PNG), and no dataset."""
    from fpsynth import flow

    order = flow.Order(recipe=recipe, overrides=tuple(set_ or ()), out=out, device=device)
    flow.preview(order, count, _console(json, quiet))


@app.command(
    epilog="Examples:\n\nfpsynth inspect out/ --sheet sheet.png\n\nfpsynth inspect recipes/quickstart.yaml --json"
    "\n\nfpsynth inspect images/ --recipe like-them.yaml"
)
def inspect(
    path: Annotated[Path, typer.Argument(help="a dataset, a recipe or a model directory")],
    sheet: Annotated[Path | None, typer.Option(help="write a contact sheet of a dataset (PNG)")] = None,
    html: Annotated[Path | None, typer.Option(help="write a report")] = None,
    recipe: Annotated[Path | None, typer.Option(help="write a recipe that makes prints like these")] = None,
    against: Annotated[Path | None, typer.Option(help="a second dataset to set beside it")] = None,
    reference: Annotated[Path | None, typer.Option(help="real images to compare with: a folder or a dataset")] = None,
    training: Annotated[Path | None, typer.Option(help="images that the model was trained on: any repeated?")] = None,
    judges: Annotated[bool | None, typer.Option(help="measure with NIST's tools (default: where installed)")] = None,
    limit: Annotated[int, typer.Option(min=1, help="most images to measure in depth")] = 2000,
    ppi: Annotated[float, typer.Option(min=50, max=5000, help="resolution of images that do not say theirs")] = 500,
    workers: Annotated[int | None, typer.Option(min=1, max=4096, help="processes (default: one for each core)")] = None,
    cache: Annotated[bool, typer.Option(help="keep measurements for the next look")] = True,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Look at a dataset, a recipe or a model."""
    from fpsynth.inspect.look import Options, inspect_path
    from fpsynth.remote import fetched, shown

    console = _console(json, quiet)
    with ExitStack() as copies, console.watch() as progress:
        options = Options(
            judges=judges,
            html=html,
            sheet=sheet,
            recipe=recipe,
            against=against and copies.enter_context(fetched(against)),
            reference=reference and copies.enter_context(fetched(reference)),
            training=training and copies.enter_context(fetched(training)),
            limit=limit,
            ppi=ppi,
            workers=workers,
            cache=cache,
        )
        look = inspect_path(copies.enter_context(fetched(path)), options, progress)
    console.result(look.figures | {"path": shown(path)}, look, brief=shown(path))
    raise typer.Exit(look.exit_code)


@app.command(epilog="Examples:\n\nfpsynth recipes\n\nfpsynth recipes recognition -o mine.yaml")
def recipes(
    name: Annotated[str | None, typer.Argument(help="the one to copy")] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="where to (default: its name here)")] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """List the recipes that come with the program, or copy one to start from. Commands take them by name."""
    from fpsynth.recipe.bundled import about, bundled_recipes, copy_recipe

    console = _console(json, quiet)
    if name is None:
        told = {known: about(path) for known, path in bundled_recipes().items()}
        console.result({"recipes": told}, Table("recipes", list(told.items())), brief="\n".join(told))
        return
    to = out or Path(f"{Path(name).name}.yaml")
    copy_recipe(name, to)
    console.result({"recipe": str(to)}, Table(str(to), [("copied from", name)]), brief=str(to))


@app.command(epilog="Example:\n\nfpsynth verify out/ || fpsynth generate recipe.yaml -o out/ --verify")
def verify(
    dataset: Annotated[Path, typer.Argument(help="a finished dataset of fpsynth")],
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Is a dataset still what was written, every image and every sidecar? Exit code 3 and names where it is not."""
    from fpsynth.making.exchange import verify_dataset

    if not verify_dataset(dataset, _console(json, quiet)):
        raise typer.Exit(SHORT)


@app.command(
    epilog="Examples:\n\nfpsynth export out/ --to webdataset -o tars/\n\n"
    "fpsynth export out/ --to iso19794-2 -o templates/\n\nfpsynth export out/ --to fvc -o images/"
)
def export(
    dataset: Annotated[Path, typer.Argument(help="a finished dataset of fpsynth")],
    to: Annotated[str, typer.Option("--to", metavar="FORMAT", help=f"one of {', '.join(EXPORTS)}")],
    out: Annotated[Path, typer.Option("-o", "--out", help="a new folder")],
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write a dataset again: in another format, as minutiae records, or as images named FINGER_IMPRESSION (FVC)."""
    from fpsynth.making.exchange import export_dataset

    export_dataset(dataset, to, out, _console(json, quiet))


@app.command(
    epilog="Examples:\n\nfpsynth edit restyle prints/ -o inked/ --set prompt.sensor=ink\n\n"
    "fpsynth edit refine renders/ -o refined/ --strength 0.3 --set prompt.sensor=optical\n\n"
    "fpsynth edit complete partial.png -o whole/ --set prompt.sensor=optical\n\n"
    "fpsynth edit upscale prints/ -o fine/"
)
def edit(
    verb: Annotated[str, typer.Argument(help="restyle, refine, complete or upscale")],
    images: Annotated[list[Path], typer.Argument(help="prints, or folders of them, with dark ridges")],
    out: Annotated[Path, typer.Option("-o", "--out", help="folder of the edited prints, by the same names")],
    recipe: Annotated[
        Path | None, typer.Option(help="words, style images and sampling (default: words as the reader reads them)")
    ] = None,
    set_: Overrides = None,
    strength: Annotated[float, typer.Option(min=0.05, max=1, help="of refine: how much noise is added, 1: all")] = 0.3,
    ppi: Annotated[float, typer.Option(min=100, max=5000, help="resolution of images that do not say theirs")] = 500,
    device: DeviceName = "auto",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Draw prints that exist anew: in another look, with more texture, whole or finer. Run again, it goes on."""
    from fpsynth.edit.run import edit as run
    from fpsynth.edit.studio import Order

    if verb not in EDITS:
        raise UserError(f"edit {verb}: one of {', '.join(EDITS)} is needed")
    order = Order(
        verb=verb,
        images=tuple(images),
        out=out,
        recipe=recipe,
        overrides=tuple(set_ or ()),
        strength=strength,
        ppi=ppi,
        device=device,
    )
    if not run(order, _console(json, quiet)):
        raise typer.Exit(SHORT)


@app.command(
    epilog="Examples:\n\n"
    "fpsynth train autoencoder recipes/train/autoencoder.yaml -o runs/autoencoder\n\n"
    "fpsynth train denoiser recipes/train/denoiser.yaml --device cuda --set loop.steps=20000\n\n"
    "fpsynth train adapt train/adapt --data prints/ -o runs/own"
)
def train(
    stage: Annotated[
        str,
        typer.Argument(
            help="bank, autoencoder, denoiser, adapters, finisher, embedding, upscaler, extractor, reader or adapt"
        ),
    ],
    recipe: RecipePath,
    data: Annotated[Path | None, typer.Option("--data", help="adapt: the prints to learn from")] = None,
    out: RunFolder = None,
    set_: Overrides = None,
    device: DeviceName = "auto",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a stage of a model, the embedding or the reader. The same command again takes up a run that was cut off."""
    from fpsynth.training import run

    told = () if data is None else ("data='{}'".format(str(data).replace("'", "''")),)
    order = run.Order(recipe=recipe, overrides=(*(set_ or ()), *told), out=out, device=device)
    console = _console(json, quiet)
    run.train(stage, order, console)
    if stage == "adapt":
        from fpsynth.leak import check_leak

        check_leak(order.folder, device, console)


@app.command(epilog="Example:\n\nfpsynth distill recipes/distill/trajectory.yaml -o runs/student")
def distill(
    recipe: RecipePath,
    out: RunFolder = None,
    set_: Overrides = None,
    device: DeviceName = "auto",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make a few-step student of a model. The same command again takes up a run that was cut off."""
    from fpsynth.training import run

    order = run.Order(recipe=recipe, overrides=tuple(set_ or ()), out=out, device=device)
    run.distill(order, _console(json, quiet))


def _interrupt(signum: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def main() -> NoReturn:
    """Run the command line and end with its exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    bear_any_stream()
    code = _exit_code()
    let_go()
    sys.exit(code)


def _text_alone(arguments: Sequence[str]) -> None:
    """Raise UserError for a name that is no text, in which no Parquet file can be opened."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise UserError(f"{argument}: this name is no valid UTF-8; choose another one") from None


def _exit_code() -> int:
    console = Console()
    try:
        _text_alone(sys.argv)
        app(prog_name="fpsynth")
    except SystemExit as end:
        if end.code == INTERRUPTED:
            console.error("interrupted; the same command again goes on from here")
        return end.code if isinstance(end.code, int) else DONE
    except KeyboardInterrupt:
        console.error("interrupted; the same command again goes on from here")
        return INTERRUPTED
    except UserError as error:
        console.error(str(error))
        return USAGE
    except Unfinished as error:
        console.error(f"{error}: failed again and again, all else is done; the same command tries them again")
        return SHORT
    except OSError as error:
        return _failure(console, error, f"{error.filename or 'fpsynth'}: {(error.strerror or str(error)).lower()}")
    except Exception as error:
        return _failure(console, error)
    return DONE


def _failure(console: Console, error: Exception, text: str = "") -> int:
    """A bug, or (with a text) a machine that fails; the whole traceback where it is asked for."""
    if os.environ.get("FPSYNTH_DEBUG"):
        traceback.print_exception(error)
    elif text:
        console.error(text)
    else:
        last = traceback.extract_tb(error.__traceback__)[-1]
        console.error(f"fpsynth failed: {type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})")
        console.error("this is a mistake of the program; with FPSYNTH_DEBUG=1 it shows the traceback to report")
    return FAILURE
