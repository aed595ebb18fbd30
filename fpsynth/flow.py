"""The story on one page: a recipe becomes a plan, the plan's shards become rows, and the rows a dataset.

    Recipe -> Plan -> Finger -> Impression -> Conditioning -> image -> gate -> Row -> Shard -> Report

`generate` tells it from recipe to report; fpsynth.making.shard tells what lies between a shard's plan and its rows.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fpsynth import work
from fpsynth.console import Console
from fpsynth.errors import Unfinished, UserError
from fpsynth.files import Busy
from fpsynth.recipe import LoadedRecipe, Plan, load_recipe, make_plan
from fpsynth.recipe.bundled import find_recipe
from fpsynth.recipe.summary import summary

if TYPE_CHECKING:
    from fpsynth.dataset import DatasetWriter
    from fpsynth.dataset.spec import Part
    from fpsynth.making.job import Job
    from fpsynth.making.report import Outcome


@dataclass(frozen=True, kw_only=True)
class Order:
    """What the command line asks for. out None: out/NAME; batch None: by the kind of device; address: of a Ray cluster
    for the workers; part: the share of the shards to make; verify: read again what is there already."""

    recipe: Path
    overrides: tuple[str, ...] = ()
    out: Path | None = None
    device: str = "auto"
    batch: int | None = None
    workers: int = 1
    address: str | None = None
    part: "Part | None" = None
    overwrite: bool = False
    verify: bool = False


def generate(order: Order, console: Console) -> "Outcome":
    """Make the dataset, or what is missing of it.

    Raises UserError, before anything is written, for what a person can put right.
    """
    from fpsynth.making.report import tell
    from fpsynth.remote import delivered, shown, url_of

    start = time.monotonic()
    loaded = _read(order, console)
    target = order.out or Path("out") / loaded.recipe.name
    if order.part and url_of(target):
        raise UserError(f"{shown(target)}: parts of a run need a folder that all machines see")
    with delivered(target) as root:
        made = _generated(order, loaded, root, start, console)
    result = replace(made, output=shown(target))
    tell(result, console)
    return result


def _generated(order: Order, loaded: LoadedRecipe, root: Path, start: float, console: Console) -> "Outcome":
    """The dataset in a folder of this machine."""
    from fpsynth.dataset import DatasetWriter
    from fpsynth.making.job import settle
    from fpsynth.making.pace import remember
    from fpsynth.making.report import outcome
    from fpsynth.making.screened import screened

    plan = make_plan(loaded.recipe, len(loaded.styles))
    job = settle(loaded, plan, root, order.device, order.batch)
    DatasetWriter(job.root, job.spec).any_missing(order.overwrite)
    job = screened(job, loaded.recipe.identities, console)
    writer = DatasetWriter(job.root, job.spec)
    with writer.alone(order.part):
        maker = _maker(order, job, plan, writer, console)
        writer.prepare(order.overwrite, order.verify)
        missing = order.part.of_these(writer.missing()) if order.part else writer.missing()
        began = time.monotonic()
        made = _make_shards(order, job, plan, maker, missing, console)
        paced = time.monotonic() - began
        _finish(order, writer)
    result = outcome(writer, plan, made, time.monotonic() - start)
    if not result.missing:
        remember(plan, order.device, order.workers, made, paced, result.bytes)
    return result


def show_plan(order: Order, console: Console) -> None:
    """Print what generate would make."""
    from fpsynth.making.pace import recall
    from fpsynth.making.plan_table import plan_table

    loaded = _read(order, console)
    plan = make_plan(loaded.recipe, len(loaded.styles))
    facts, pace = summary(plan), recall(loaded.recipe, order.device)
    if pace:
        facts |= {"bytes": round(pace.bytes * plan.images), "seconds": round(pace.time(plan, order.workers), 1)}
    console.result(facts, plan_table(facts), brief=str(facts["images"]))


def preview(order: Order, count: int, console: Console) -> None:
    """Make the first images of the dataset, and nothing but a sheet of them. order.out: the sheet.

    They are those that generate makes (by a model to one grey level, since the batches are others).
    """
    from fpsynth.making.job import notes, settle
    from fpsynth.making.preview import first_rows, preview_table, write_preview
    from fpsynth.making.screened import screened
    from fpsynth.making.shard import ShardMaker

    loaded = _read(order, console)
    plan = make_plan(loaded.recipe, len(loaded.styles))
    sheet = order.out or Path(f"{loaded.recipe.name}-preview.png")
    lines = first_rows(plan, count)
    for note in notes(loaded):
        console.note(note)
    job = screened(settle(loaded, plan, sheet, order.device, order.batch), len(lines), console)
    maker = ShardMaker(job, plan)
    with console.progress(sum(map(len, lines)), "images") as progress:
        rows = list(maker.make([row for line in lines for row in line], progress.tick))
    write_preview(rows, len(lines[0]), sheet)
    facts = {"sheet": str(sheet), "images": len(rows), "prompts": {row.id: row.prompt for row in rows}}
    console.result(facts, preview_table(rows, sheet), brief=str(sheet))


def _read(order: Order, console: Console) -> LoadedRecipe:
    loaded = load_recipe(find_recipe(order.recipe), order.overrides)
    for notice in loaded.notices:
        console.note(notice)
    if loaded.recipe.style.context:
        from fpsynth.making.context import in_context

        loaded, read = in_context(loaded)
        console.note(read)
    return loaded


def _maker(
    order: Order, job: "Job", plan: Plan, writer: "DatasetWriter", console: Console
) -> "Callable[[int, work.Tick], int] | None":
    """What makes shards in this process: its model is loaded before anything is written. None where nobody has to."""
    from fpsynth.making.job import notes
    from fpsynth.making.shard import ShardMaker

    for note in notes(job.loaded):
        console.note(note)
    if order.address:
        work.require_ray()
    if order.workers > 1 or order.address:
        return None
    return ShardMaker(job, plan) if order.verify or writer.any_missing(order.overwrite) else None


def _make_shards(
    order: Order,
    job: "Job",
    plan: Plan,
    maker: "Callable[[int, work.Tick], int] | None",
    missing: Sequence[int],
    console: Console,
) -> int:
    """Make the missing shards, here or on workers. Returns the number of images made."""
    made = 0
    with console.progress(sum(plan.shards[index].images for index in missing), "images") as progress:
        try:
            for index, images in _pieces(order, job, maker, missing, progress.tick):
                progress.piece(job.spec.places[index].stem)
                made += images
        except Unfinished as lost:
            raise Unfinished({job.spec.places[i].stem: why for i, why in lost.reasons.items()}) from None
    return made


def _pieces(
    order: Order,
    job: "Job",
    maker: "Callable[[int, work.Tick], int] | None",
    missing: Sequence[int],
    tick: work.Tick,
) -> Iterator[tuple[int, int]]:
    """(shard, images) as shards are made: by the maker, on a Ray cluster, or in processes."""
    from fpsynth.device import gpus
    from fpsynth.making.shard import ShardMaker

    away, on_gpu = replace(job, root=job.root.absolute()), job.device == "cuda"
    if maker:
        return work.run_here(maker, missing, tick)
    if order.address:
        return work.run_on_ray(ShardMaker, away, missing, tick, order.workers, order.address, on_gpu)
    return work.run_on_processes(ShardMaker, away, missing, tick, order.workers, gpus() if on_gpu else ())


def _finish(order: Order, writer: "DatasetWriter") -> None:
    """Close the dataset where it is whole; of several parts that end together, one does."""
    if order.part is None:
        writer.finish()
    elif not writer.missing():
        with suppress(Busy), writer.alone():
            writer.finish()
