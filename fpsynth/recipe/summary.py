"""A plan in figures: how many of what, in how many shards, of about how many bytes."""

from collections import Counter
from itertools import islice
from typing import Any

from fpsynth.recipe.plan import Plan
from fpsynth.slots import SLOTS

SEEN = "seen on the finger"
"""In place of the class of fingers that are rebuilt or placed by hand."""
BYTES_A_PIXEL = 0.25
"""Of a grey fingerprint as a PNG, with its row: virtual renders take 0.21, noisier images more."""


ROWS = 20_000
"""That are looked at, at most: words are dealt out evenly, so that the others are like them."""


def summary(plan: Plan) -> dict[str, Any]:
    """Plain values for a table or for JSON. The words of larger plans are counted on their first ROWS rows."""
    recipe = plan.recipe
    screened = {} if recipe.finger.unique is None else {"unique": recipe.finger.unique}
    shards, identities = plan.splits, plan.shards.identities
    patterns, words = _count(plan)
    return {
        "name": recipe.name,
        "seed": recipe.seed,
        "identities": recipe.identities,
        "impressions": recipe.impressions,
        "images": plan.images,
        "size": f"{recipe.image.width} x {recipe.image.height} at {recipe.image.ppi} ppi",
        "renderer": _renderer(plan),
        "shards": len(plan.shards),
        "bytes": round(plan.images * recipe.image.width * recipe.image.height * BYTES_A_PIXEL),
        "splits": {s: {"images": n * recipe.impressions, "shards": shards[s]} for s, n in identities.items()},
        "identities_by_pattern": _scaled(patterns, recipe.identities / max(patterns.total(), 1)),
        "images_by": {
            s: _scaled(counts, plan.images / min(plan.images, ROWS)) for s, counts in words.items() if counts
        },
        "style_images": plan.styles,
        **screened,
    }


def _count(plan: Plan) -> tuple[Counter[str], dict[str, Counter[str]]]:
    patterns: Counter[str] = Counter()
    words: dict[str, Counter[str]] = {name: Counter() for name, slot in SLOTS.items() if slot.draw is not None}
    rows = (row for shard in plan.shards for row in plan.rows(shard))
    for row in islice(rows, ROWS):
        patterns[row.who.pattern or SEEN] += row.impression == 0
        for slot, counts in words.items():
            word = row.words[slot]
            if word is not None:
                counts[word] += 1
    return patterns, words


def _scaled(counts: Counter[str], share: float) -> dict[str, int]:
    """The counts of so many times as many, the largest first."""
    return {word: round(count * share) for word, count in counts.most_common()}


def _renderer(plan: Plan) -> str:
    sampling = plan.recipe.sampling
    if sampling.virtual:
        return "virtual sensors, no diffusion"
    student = "" if sampling.student == "none" else f", student {sampling.student}"
    return f"model {sampling.model}{student}, {sampling.steps} steps of {sampling.scheduler}"
