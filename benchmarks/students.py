"""Methods of distillation side by side: the same minutes each, one teacher, one bank, the same judges.

python benchmarks/students.py BANK [--model DIR] [--minutes 12] [--only "lcm;flash"] [--work DIR]

How many steps a method gets is what it does in these minutes on this machine: a few steps are timed first. The judges
see what the students drew, without a finisher, which would hide the differences. What lies in --work is not made again;
look at the sets there (fpsynth inspect DIR/sets/NAME --sheet sheet.png).
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from knobs.page import table
from knobs.rows import SENSORS, grain, hatching
from knobs.sets import SEED, Bench, Seen, distance_to_twin, even, percent

from fpsynth.inspect.measure.likeness import textures
from fpsynth.inspect.measure.realism import kernel
from fpsynth.model_folder import default_model, student_folder
from fpsynth.slots import words_of

TIMED = 8
"""Steps that are timed."""
RANK, BATCH, SIDE = 16, 8, 256
STUDENT = "raced"
IMAGES = 60


@dataclass(frozen=True)
class Leg:
    """A part of a method's minutes: a recipe of recipes/distill, and what of it is set otherwise."""

    recipe: str
    share: float = 1.0
    sets: Mapping[str, object] = field(default_factory=dict)
    taught_by_last: bool = False


METHODS: dict[str, Sequence[Leg]] = {
    "trajectory": [Leg("trajectory")],
    "phased": [Leg("phased")],
    "trajectory, then phased": [Leg("trajectory", 0.6), Leg("phased", 0.4)],
    "lcm": [Leg("lcm")],
    "segment": [Leg("segment", 0.5), Leg("segment", 0.5, {"steps": 4, "teacher_steps": 8}, taught_by_last=True)],
    "flash": [Leg("flash")],
    "adversarial": [Leg("adversarial", sets={"method.cfg_scale": 1.0})],
}
"""A leg after another goes on with the student of that; taught_by_last: and learns from it, not from the model."""
COLUMNS = (
    *("student", "steps of training", "steps", "kernel distance", "NFIQ2 to the renders", "recall", "spurious"),
    *("diversity", "grain", "hatching"),
)


@dataclass(frozen=True)
class Race:
    """What all methods have in common."""

    bank: Path
    model: Path
    minutes: float
    work: Path

    def student(self, method: str) -> tuple[Path, int]:
        """The model's folder with the method's student in it, and the steps that it was trained for."""
        model, steps = self.model, 0
        for number, leg in enumerate(METHODS[method]):
            out = self.work / f"{method.replace(', ', '-').replace(' ', '-')}-{number}"
            given = self._sets(leg, model, number > 0)
            done = out / "steps.json"
            if not done.exists():
                pace = self._run(leg, given, out.with_name(out.name + "-timed"), TIMED)
                count = max(1, round(60 * self.minutes * leg.share / pace))
                self._run(leg, given, out, count)
                done.write_text(json.dumps(count), encoding="utf-8")
            steps += json.loads(done.read_text(encoding="utf-8"))
            model = out / "model"
        return model, steps

    def _sets(self, leg: Leg, last: Path, later: bool) -> dict[str, object]:
        common = {"bank": self.bank, "rank": RANK, "name": STUDENT, "crops.sizes": f"{{{SIDE}: 1.0}}"}
        begun = {"start": student_folder(last, STUDENT)} if later else {}
        taught = {"teacher": STUDENT} if leg.taught_by_last else {}
        return {**common, "model": last if later else self.model, **begun, **taught, **leg.sets}

    def _run(self, leg: Leg, given: Mapping[str, object], out: Path, steps: int) -> float:
        """Train for so many steps, or go on; seconds a step."""
        loop = {"loop.steps": steps, "loop.batch": BATCH, "loop.log_every": max(steps // 20, 1), "loop.grid_every": 0}
        command = [sys.executable, "-m", "fpsynth", "distill", f"distill/{leg.recipe}", "-o", str(out), "--quiet"]
        for key, value in {**given, **loop}.items():
            command += ["--set", f"{key}={value}"]
        subprocess.run(command, check=True)
        last = (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[-1]
        return float(json.loads(last)["seconds_per_step"])


@dataclass(frozen=True)
class Judges:
    """Renders of the rows that all draw, and renders of other fingers."""

    twin: Seen
    others: Seen

    def row(self, seen: Seen, teacher: Seen) -> tuple[str, ...]:
        """Of a set of these rows; diversity and grain as multiples of the teacher's and of the renders'."""
        theirs, ours = (np.mean([grain(image) for image in one.images]) for one in (self.twin, seen))
        return (
            f"{kernel(printed(seen), printed(self.others)):.1f}",
            "" if seen is self.twin else f"{distance_to_twin(seen, self.twin):.2f}",
            percent(seen.tally.recall),
            percent(seen.tally.spurious),
            f"{seen.diversity / teacher.diversity:.2f}",
            f"{ours / theirs:.2f}",
            percent(hatching(seen.images)),
        )


def printed(seen: Seen) -> np.ndarray:
    """The textures of the images that show a print."""
    return textures([record for record in seen.records if record.print is not None])


def main() -> None:
    """Train, draw, judge, print the table."""
    options = _options()
    methods = options.only.split(";")
    if strange := [name for name in methods if name not in METHODS]:
        raise SystemExit(f"--only: no method {strange[0]!r}; some of {'; '.join(METHODS)}")
    work = options.work or Path(tempfile.mkdtemp(prefix="students-"))
    race = Race(options.bank.absolute(), options.model.absolute(), options.minutes, work.absolute())
    title = f"Students after {race.minutes:g} minutes each, LoRAs of rank {RANK} for 4 steps ({IMAGES} images)"
    print(table("students", title, COLUMNS, list(_judged(race, methods)), work))


def _judged(race: Race, methods: Sequence[str]) -> Iterator[tuple[str, ...]]:
    prompt = {"sensor": even(SENSORS), "quality": even(words_of("quality"))}
    by_teacher = Bench(model=race.model, work=race.work / "sets", student="none", size=SIDE)
    judges = Judges(
        by_teacher.twin("renders", IMAGES, prompt=prompt),
        by_teacher.make("others", 2 * IMAGES, seed=SEED + 1, prompt=prompt, sampling={"model": "virtual"}),
    )

    def drawn(bench: Bench, name: str, steps: int) -> Seen:
        sampling = {"steps": steps, "shared_noise_steps": 0, "finish": False}
        return bench.make(f"{name}-{steps}", IMAGES, prompt=prompt, sampling=sampling)

    teacher = drawn(by_teacher, "teacher", 50)
    yield "(renders)", "", "", *judges.row(judges.twin, teacher)
    yield "the model itself", "", "50", *judges.row(teacher, teacher)
    for method in methods:
        model, trained = race.student(method)
        for steps in (4, 1):
            seen = drawn(Bench(model, race.work / "sets", STUDENT, SIDE), method.replace(" ", "-"), steps)
            yield method, str(trained), str(steps), *judges.row(seen, teacher)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bank", type=Path, help="that fpsynth train bank has made")
    parser.add_argument("--model", type=Path, default=default_model(), help="the teacher")
    parser.add_argument("--minutes", type=float, default=12.0, help="of training, for each")
    parser.add_argument("--only", default=";".join(METHODS), help="methods, separated by semicolons")
    parser.add_argument("--work", type=Path, help="where runs and sets lie (default: a temporary folder)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
