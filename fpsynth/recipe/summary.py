"""A plan in figures: how many of what, in how many shards, of about how many bytes."""

from collections import Counter
from typing import Any

from fpsynth.recipe.plan import Plan
from fpsynth.slots import SLOTS

SEEN = "seen on the finger"
"""In place of the class of fingers that are rebuilt or placed by hand."""
BYTES_A_PIXEL = 0.25
"""Of a grey fingerprint as a PNG, with its row: virtual renders take 0.21, noisier images more."""


def summary(plan: Plan) -> dict[str, Any]:
    """Plain values for a table or for JSON. Every row of the plan is looked at."""
    recipe = plan.recipe
    screened = {} if recipe.finger.unique is None else {"unique": recipe.finger.unique}
    splits: dict[str, dict[str, int]] = {}
    for shard in plan.shards:
        counts = splits.setdefault(shard.split, {"images": 0, "shards": 0})
        counts["images"] += shard.images
        counts["shards"] += 1
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
        "splits": splits,
        "identities_by_pattern": dict(patterns.most_common()),
        "images_by": {slot: dict(counts.most_common()) for slot, counts in words.items() if counts},
        "style_images": plan.styles,
        **screened,
    }


def _count(plan: Plan) -> tuple[Counter[str], dict[str, Counter[str]]]:
    patterns: Counter[str] = Counter()
    words: dict[str, Counter[str]] = {name: Counter() for name, slot in SLOTS.items() if slot.draw is not None}
    for shard in plan.shards:
        for row in plan.rows(shard):
            patterns[row.who.pattern or SEEN] += row.impression == 0
            for slot, counts in words.items():
                word = row.words[slot]
                if word is not None:
                    counts[word] += 1
    return patterns, words


def _renderer(plan: Plan) -> str:
    sampling = plan.recipe.sampling
    if sampling.virtual:
        return "virtual sensors, no diffusion"
    student = "" if sampling.student == "none" else f", student {sampling.student}"
    return f"model {sampling.model}{student}, {sampling.steps} steps of {sampling.scheduler}"
