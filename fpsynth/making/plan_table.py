"""A plan's figures for people."""

from collections.abc import Mapping
from typing import Any

from fpsynth.console import Table, clock, size
from fpsynth.embedding.rates import false_match_rate

SECONDS_A_FINGER = 0.35
"""To grow a finger, and to describe a print of it, on one core of a server processor."""


def plan_table(facts: Mapping[str, Any]) -> Table:
    """A plan's summary for people."""
    rows = [(name, str(facts[name])) for name in ("seed", "identities", "impressions", "images", "size", "renderer")]
    rows.append(("shards", f"{facts['shards']}, about {size(facts['bytes'])} in all"))
    for split, counts in facts["splits"].items():
        rows.append((f"split {split}", f"{counts['images']} images in {counts['shards']} shards"))
    rows.append(("pattern", _shares(facts["identities_by_pattern"])))
    if "unique" in facts:
        rows.append(("unique", _screening(facts["unique"], facts["identities"])))
    rows.extend((slot, _shares(counts)) for slot, counts in facts["images_by"].items())
    return Table(f"{facts['name']}: the plan; nothing is written", rows)


def _screening(threshold: float, identities: int) -> str:
    cost = clock(SECONDS_A_FINGER * identities)
    rate = f"false match rate {false_match_rate(threshold):.1g}"
    return (
        f"identities will be screened: cosine below {threshold:g} ({rate}); about {cost} of one core before any image"
    )


def _shares(counts: Mapping[str, int]) -> str:
    total = sum(counts.values())
    return ", ".join(f"{word} {count} ({100 * count / total:.0f} %)" for word, count in counts.items())
