"""A shard from its plan: finger -> impression -> conditioning -> image -> gate -> row -> file."""

from collections.abc import Iterable, Iterator

from fpsynth.dataset import DatasetWriter, Row
from fpsynth.making.edits import scenes_of
from fpsynth.making.job import Job, open_renderer
from fpsynth.making.rows import render_batch
from fpsynth.making.scene import batches
from fpsynth.recipe import Plan, RowPlan, make_plan
from fpsynth.work import Tick


class ShardMaker:
    """Makes shards, one after the other, in whatever process it lives."""

    def __init__(self, job: Job, plan: Plan | None = None) -> None:
        """plan: the recipe's, where it is at hand."""
        self.recipe, self.batch = job.loaded.recipe, job.batch
        self.plan = plan or make_plan(self.recipe, len(job.loaded.styles))
        self.writer = DatasetWriter(job.root, job.spec)
        self.renderer = open_renderer(job)
        told = self.renderer.planes, self.renderer.styles
        self.scenes = scenes_of(self.recipe, *told, job.attempts, job.loaded.sources)

    def __call__(self, index: int, tick: Tick) -> int:
        """Write the shard of this index, whole or not at all. Returns its number of images."""
        return self.writer.write(index, self.rows(index, tick))

    def rows(self, index: int, tick: Tick) -> Iterator[Row]:
        """The finished rows of a shard. Batches are fixed by the plan: they start anew in every shard."""
        return self.make(self.plan.rows(self.plan.shards[index]), tick)

    def make(self, planned: Iterable[RowPlan], tick: Tick) -> Iterator[Row]:
        """The finished rows of these rows of the plan, batch by batch."""
        for batch in batches(planned, self.batch):
            scenes = [self.scenes.scene(row) for row in batch]  # finger -> impression -> conditioning
            yield from render_batch(scenes, self.renderer, self.recipe)  # image -> gate -> row
            tick(len(batch))
