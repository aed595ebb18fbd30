"""The main job on one page: a recipe becomes a plan, the plan's shards become rows, and the rows a dataset."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fpsynth import __version__, work
from fpsynth.console import Console, Table, clock, size
from fpsynth.recipe import LoadedRecipe, Plan, load_recipe, make_plan, recipe_yaml
from fpsynth.recipe.summary import summary

if TYPE_CHECKING:
    from fpsynth.dataset import DatasetSpec, DatasetWriter, Row
    from fpsynth.render.renderer import SceneRenderer


@dataclass(frozen=True)
class Order:
    """What the command line asks for. out None: out/NAME; batch None: by the kind of device."""

    recipe: Path
    overrides: tuple[str, ...] = ()
    out: Path | None = None
    device: str = "auto"
    batch: int | None = None
    workers: int = 1
    overwrite: bool = False


@dataclass(frozen=True)
class Job:
    """All that a worker needs to make any shard. root is absolute where the worker runs in another folder."""

    loaded: LoadedRecipe
    root: Path
    spec: "DatasetSpec"
    device: str
    batch: int

    @property
    def plan(self) -> Plan:
        """The recipe unrolled."""
        return make_plan(self.loaded.recipe, len(self.loaded.styles))


class ShardMaker:
    """Makes shards: finger -> impression -> image -> gate -> row -> file."""

    def __init__(self, job: Job) -> None:
        from fpsynth.dataset import DatasetWriter
        from fpsynth.render.scene import Scenes

        self.plan = job.plan
        self.writer = DatasetWriter(job.root, job.spec)
        self.scenes = Scenes(job.loaded.recipe)
        self.renderer = _open_renderer(job.loaded, job.device)
        self.batch = job.batch

    def __call__(self, index: int, tick: work.Tick) -> int:
        """Write the shard of this index, whole or not at all. Returns its number of images."""
        return self.writer.write(index, self.rows(index, tick))

    def rows(self, index: int, tick: work.Tick) -> Iterator["Row"]:
        """The finished rows of a shard. Batches are fixed by the plan: they start anew in every shard."""
        from fpsynth.render.rows import render_batch
        from fpsynth.render.scene import batches

        for batch in batches(self.plan.rows(self.plan.shards[index]), self.batch):
            scenes = [self.scenes.build(row) for row in batch]
            yield from render_batch(scenes, self.renderer, self.plan.recipe)
            tick(len(batch))


def _open_renderer(loaded: LoadedRecipe, device: str) -> "SceneRenderer":
    """The renderer that the recipe asks for, ready to draw. Raises UserError for a model that cannot be used."""
    if loaded.recipe.sampling.virtual:
        from fpsynth.render.virtual import VirtualRenderer

        return VirtualRenderer(loaded.recipe)
    from fpsynth.render.model import ModelRenderer

    return ModelRenderer(loaded, device)


def generate(order: Order, console: Console) -> bool:
    """Make the dataset, or what is missing of it. False when it is whole but some images failed the gate.

    Raises UserError, before anything is written, for what a person can put right.
    """
    from fpsynth.dataset import DatasetWriter

    start = time.monotonic()
    loaded = _load(order, console)
    job = _job(order, loaded, console)
    writer = DatasetWriter(job.root, job.spec)
    maker = ShardMaker(job) if order.workers == 1 and _any_missing(writer, order.overwrite) else None
    writer.prepare(order.overwrite)
    made = _make_shards(job, maker, writer.missing(), order.workers, console)
    writer.finish()
    verdicts = _verdicts(writer)
    _report(job, made, verdicts, time.monotonic() - start, console)
    if failed := verdicts.get("failed"):
        console.note(f"{failed} images stayed short of the gate after all retries; their rows say so (exit code 3)")
    return not failed


def show_plan(order: Order, console: Console) -> None:
    """Print what generate would make."""
    loaded = _load(order, console)
    facts = summary(make_plan(loaded.recipe, len(loaded.styles)))
    console.result(facts, plan_table(facts), brief=str(facts["images"]))


def _load(order: Order, console: Console) -> LoadedRecipe:
    loaded = load_recipe(order.recipe, order.overrides)
    for notice in loaded.notices:
        console.note(notice)
    return loaded


def _job(order: Order, loaded: LoadedRecipe, console: Console) -> Job:
    """Settle what the run depends on, and that it can be done at all."""
    from fpsynth.dataset import DatasetSpec
    from fpsynth.device import choose_device
    from fpsynth.gate import notice
    from fpsynth.render.means import means

    recipe = loaded.recipe
    if recipe.gate and (text := notice()):
        console.note(text)
    if strange := _strange_words(loaded):
        console.note(f"the bundled model never saw these words of prompt.text: {', '.join(strange)}")
    device = "cpu" if recipe.sampling.virtual else choose_device(order.device)
    if order.workers > 1:
        work.require_ray()
    batch = 1 if recipe.sampling.virtual else order.batch or (32 if device == "cuda" else 4)
    spec = DatasetSpec(
        name=recipe.name,
        splits=make_plan(recipe).splits,
        format=recipe.output.format,
        sidecars=recipe.output.minutiae,
        provenance={"recipe": loaded.digest, "fpsynth": __version__, "batch": batch, **means(loaded, device)},
        recipe=recipe_yaml(recipe),
    )
    return Job(loaded, order.out or Path("out") / recipe.name, spec, device, batch)


def _strange_words(loaded: LoadedRecipe) -> list[str]:
    """The recipe's own words that a model trained on the template does not know; slots aside."""
    from fpsynth.conditioning.prompt import prompt_text, unknown_words

    text = loaded.recipe.prompt.text
    if text is None or loaded.recipe.sampling.virtual:
        return []
    return unknown_words(prompt_text({}, text))


def _any_missing(writer: "DatasetWriter", overwrite: bool) -> bool:
    """Whether there will be something to make. Touches nothing; raises UserError in the folder of another dataset."""
    from fpsynth.dataset import manifest

    found = None if overwrite else manifest.read(writer.root)
    if found is None:
        return True
    manifest.require_same(writer.root, found, writer.spec)
    return bool(writer.missing())


def _make_shards(job: Job, maker: ShardMaker | None, missing: list[int], workers: int, console: Console) -> int:
    """Make the missing shards, here with maker or on workers. Returns the number of images made."""
    shards = job.plan.shards
    total, made = sum(shards[index].images for index in missing), 0
    with console.progress(total, "images") as progress:
        away = replace(job, root=job.root.absolute())
        pieces = (
            work.run_here(maker, missing, progress.tick)
            if maker
            else work.run_on_ray(ShardMaker, away, missing, progress.tick, workers, job.device == "cuda")
        )
        for index, images in pieces:
            progress.piece(job.spec.places[index].stem)
            made += images
    return made


def _verdicts(writer: "DatasetWriter") -> dict[str, int]:
    """How many images of the whole dataset passed, failed or were not judged."""
    from fpsynth.gate.verdict import WORDS

    codes: Counter[int] = Counter()
    for table in writer.columns("gate"):
        codes.update(table["gate"].combine_chunks().field("verdict").to_pylist())
    return {word: codes[code] for code, word in enumerate(WORDS) if codes[code]}


def _report(job: Job, made: int, verdicts: Mapping[str, int], seconds: float, console: Console) -> None:
    plan = job.plan
    facts = {
        "output": str(job.root),
        "identities": plan.recipe.identities,
        "images": plan.images,
        "made": made,
        "shards": len(plan.shards),
        "gate": dict(verdicts),
        "seconds": round(seconds, 1),
    }
    told = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items())
    rows = [
        ("identities", f"{plan.recipe.identities}"),
        ("images", f"{plan.images} in {len(plan.shards)} shards ({made} made now, in {clock(seconds)})"),
        ("gate", told),
    ]
    console.result(facts, Table(f"{job.root}", rows), brief=str(job.root))


def plan_table(facts: Mapping[str, Any]) -> Table:
    """A plan's summary for people."""
    rows = [(name, str(facts[name])) for name in ("seed", "identities", "impressions", "images", "size", "renderer")]
    rows.append(("shards", f"{facts['shards']}, about {size(facts['bytes'])} in all"))
    for split, counts in facts["splits"].items():
        rows.append((f"split {split}", f"{counts['images']} images in {counts['shards']} shards"))
    rows.append(("pattern", _shares(facts["identities_by_pattern"])))
    rows.extend((slot, _shares(counts)) for slot, counts in facts["images_by"].items())
    return Table(f"{facts['name']}: the plan; nothing is written", rows)


def _shares(counts: Mapping[str, int]) -> str:
    total = sum(counts.values())
    return ", ".join(f"{word} {count} ({100 * count / total:.0f} %)" for word, count in counts.items())
