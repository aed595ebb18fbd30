"""Edit a list of prints: each is read, sketched, drawn and written beside a record of what was done to it."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol, TypeVar

from PIL import Image

from fpsynth.console import Console, Table
from fpsynth.edit.enlarge import Enlarger
from fpsynth.edit.ledger import Ledger
from fpsynth.edit.studio import Order, Studio
from fpsynth.errors import UserError
from fpsynth.extractor.picture import Picture
from fpsynth.files import alone
from fpsynth.making.scene import batches
from fpsynth.recipe import LoadedRecipe, load_recipe
from fpsynth.recipe.bundled import bundled_recipes
from fpsynth.vocabulary import UPSCALE


class WithPicture(Protocol):
    """What a task is at least."""

    @property
    def picture(self) -> Picture: ...


T = TypeVar("T", bound=WithPicture)


class Desk(Protocol[T]):
    """Where pictures of an order are drawn, so many tasks of one size together."""

    ledger: Ledger
    batch: int

    def task(self, path: Path) -> T:
        """Raises UserError for a picture that cannot be edited."""

    def draw(self, tasks: Sequence[T]) -> None:
        """Draw and write."""


def edit(order: Order, console: Console) -> bool:
    """Edit all pictures; those of an earlier run with the same order stay. False where some could not be edited.

    Raises UserError for an order that cannot be followed.
    """
    paths = pictures_of(order.images)
    if any(path.parent.resolve() == order.out.resolve() for path in paths):
        raise UserError(f"{order.out} holds the originals; choose another folder for the edited prints")
    loaded = _recipe(order)
    with alone(order.out):
        desk: Desk[Any] = Enlarger(order, loaded.recipe.seed) if order.verb == UPSCALE else Studio(order, loaded)
        waiting = [path for path in paths if not desk.ledger.done(path)]
        faults: dict[str, str] = {}
        with console.progress(len(waiting), "images") as progress:
            for batch in _batches(desk, waiting, faults):
                desk.draw(batch)
                progress.tick(len(batch))
    made = len(waiting) - len(faults)
    facts = {"out": str(order.out), "edited": made, "kept": len(paths) - len(waiting), "failed": len(faults)}
    console.result(facts, Table(str(order.out), [(name, str(value)) for name, value in facts.items()]), str(order.out))
    for name, fault in faults.items():
        console.error(f"{name}: {fault}")
    return not faults


def pictures_of(given: Sequence[Path]) -> list[Path]:
    """The files, and the images in the folders. Raises UserError for nothing to edit, and for equal names."""
    endings = {ending for ending, form in Image.registered_extensions().items() if form in Image.OPEN}
    paths = [path for one in given for path in (_within(one, endings) if one.is_dir() else (one,))]
    if not paths:
        raise UserError(f"no images in {', '.join(map(str, given))}")
    if missing := [path for path in paths if not path.is_file()]:
        raise UserError(f"no file {missing[0]}")
    stems: dict[str, Path] = {}
    for path in paths:
        if (other := stems.setdefault(path.stem, path)) is not path:
            raise UserError(f"{other} and {path} would both be written as {path.stem}.png")
    return paths


def _within(folder: Path, endings: set[str]) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in endings and path.is_file())


def _recipe(order: Order) -> LoadedRecipe:
    """The recipe that says the words and how to sample. Raises UserError for what edit does not do."""
    loaded = load_recipe(order.recipe or bundled_recipes()["edit"], order.overrides)
    if order.verb == UPSCALE:
        return loaded
    if loaded.model is None:
        raise UserError("sampling.model: virtual draws no picture; a diffusion model is needed")
    recipe = loaded.recipe
    unknown = {
        "sampling.guide": recipe.sampling.guide,
        "sampling.match": recipe.sampling.match,
        "style.context": recipe.style.context,
    }
    for key, said in unknown.items():
        if said:
            raise UserError(f"{key}: edit does not know it")
    return loaded


def _batches(desk: Desk[T], waiting: Sequence[Path], faults: dict[str, str]) -> Iterator[list[T]]:
    """Tasks of one size together; what is wrong with the other pictures goes into faults."""
    for _, alike in groupby(_tasks(desk, waiting, faults), key=lambda task: task.picture.image.shape):
        yield from batches(alike, desk.batch)


def _tasks(desk: Desk[T], waiting: Sequence[Path], faults: dict[str, str]) -> Iterator[T]:
    for path in waiting:
        try:
            yield desk.task(path)
        except UserError as fault:
            faults[path.name] = str(fault).removeprefix(f"{path}: ")
