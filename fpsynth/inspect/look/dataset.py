"""A dataset: measured, reported, and beside another one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fpsynth.inspect.look.dataset_json import to_json
from fpsynth.inspect.look.portrait import check_target, write_recipe
from fpsynth.inspect.look.result import Look, Options
from fpsynth.inspect.measure.dataset import (
    Depth,
    Measured,
    against_reference,
    against_training,
    measure_dataset,
    source_at,
)
from fpsynth.inspect.measure.fault import as_dict
from fpsynth.inspect.measure.realism import require_torchmetrics
from fpsynth.inspect.report.charts import require_matplotlib
from fpsynth.inspect.report.section import beside
from fpsynth.inspect.report.sections import dataset_sections


def look_at_dataset(path: Path, options: Options, progress: Any = None) -> Look:
    """Measure the dataset, and write sheet, report and recipe where asked for. Raises UserError where it cannot."""
    _check(options)
    depth = Depth(options.judges, options.limit, options.ppi, options.workers, options.cache)
    measured = measure_dataset(path, depth, progress)
    if options.reference is not None:
        measured = against_reference(measured, options.reference, depth, progress)
    if options.training is not None:
        measured = against_training(measured, options.training, depth, progress)
    figures = {"path": str(path), **to_json(measured.figures)}
    notices = [*measured.notices, *_left_out(measured, options)]
    figures |= {"faults": [as_dict(f) for f in measured.faults], "notices": notices}
    sections, faults = dataset_sections(measured.figures), list(measured.faults)
    if options.against is not None:
        other = measure_dataset(options.against, depth, progress)
        faults += other.faults
        figures["against"] = {"path": str(options.against), **to_json(other.figures)}
        sections = beside(sections, dataset_sections(other.figures), path.name, options.against.name)
    _write(measured, options)
    return Look(figures, sections, faults, notices)


def _check(options: Options) -> None:
    """Raise UserError for what cannot be followed, before anything is measured."""
    if options.recipe is not None:
        check_target(options.recipe)
    if options.html is not None:
        require_matplotlib()
    if options.reference is not None:
        require_torchmetrics()
    for other in (options.against, options.reference, options.training):
        if other is not None:
            source_at(other)


def _left_out(measured: Measured, options: Options) -> Iterator[str]:
    if options.sheet is not None and not measured.records:
        yield f"{options.sheet} is not written: no image can be read"


def _write(measured: Measured, options: Options) -> None:
    if options.sheet is not None and measured.records:
        from fpsynth.inspect.report.sheet import write_sheet

        write_sheet(measured, options.sheet)
    if options.html is not None:
        from fpsynth.inspect.report.html import write_report

        write_report(measured, options.html)
    if options.recipe is not None:
        write_recipe(measured, options, options.recipe)
