"""What a plan and a finished run come to, for people and for scripts."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from fpsynth.console import Console, Table, clock, size
from fpsynth.dataset import DatasetWriter
from fpsynth.gate.verdict import WORDS
from fpsynth.recipe import Plan


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """output: the dataset's folder, and its bytes; made: images made now; missing: shards, for other parts to make;
    verdicts: images of a whole dataset by what the gate said of them."""

    output: str
    bytes: int
    plan: Plan
    made: int
    missing: int
    verdicts: Mapping[str, int]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether no image is short of the gate."""
        return not self.verdicts.get("failed")


def outcome(writer: DatasetWriter, plan: Plan, made: int, seconds: float) -> Outcome:
    """What came of a finished run."""
    return Outcome(
        output=str(writer.root),
        bytes=writer.size(),
        plan=plan,
        made=made,
        missing=len(writer.missing()),
        verdicts=verdicts(writer),
        seconds=seconds,
    )


def verdicts(writer: DatasetWriter) -> dict[str, int]:
    """How many images of the whole dataset passed, failed or were not judged."""
    codes: Counter[int] = Counter()
    for table in writer.columns("gate"):
        codes.update(table["gate"].combine_chunks().field("verdict").to_pylist())
    return {word: codes[code] for code, word in enumerate(WORDS) if codes[code]}


def tell(outcome: Outcome, console: Console) -> None:
    """Say what came of a run."""
    plan, counts = outcome.plan, outcome.verdicts
    facts = {
        "output": outcome.output,
        "identities": plan.recipe.identities,
        "images": plan.images,
        "made": outcome.made,
        "bytes": outcome.bytes,
        "shards": len(plan.shards),
        "missing_shards": outcome.missing,
        "gate": dict(counts),
        "seconds": round(outcome.seconds, 1),
    }
    rows = [
        ("identities", f"{plan.recipe.identities}"),
        ("images", f"{plan.images} in {len(plan.shards)} shards, {size(outcome.bytes)}"),
        ("made now", f"{outcome.made} in {clock(outcome.seconds)}" + _before(outcome)),
        ("gate", "off" if plan.recipe.gate is None else ", ".join(f"{n} {verdict}" for verdict, n in counts.items())),
    ]
    if not outcome.missing:
        rows.append(("next", f"fpsynth inspect {outcome.output} --sheet {outcome.output}-sheet.png"))
    else:
        rows[-1] = ("still missing", f"{outcome.missing} of {len(plan.shards)} shards, for the other parts of the run")
    console.result(facts, Table(outcome.output, rows), brief=outcome.output)
    if failed := counts.get("failed"):
        console.note(f"{failed} images stayed short of the gate after all retries; their rows say so (exit code 3)")


def _before(outcome: Outcome) -> str:
    """What an earlier run had made."""
    rest = outcome.plan.images - outcome.made
    return f"; {rest} were there already" if rest and not outcome.missing else ""
