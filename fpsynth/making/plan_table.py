"""A plan's figures for people."""

from collections.abc import Mapping
from typing import Any

from fpsynth.console import Table, clock, size
from fpsynth.embedding.rates import false_match_rate
from fpsynth.making.pace import SECONDS_A_FINGER


def plan_table(facts: Mapping[str, Any]) -> Table:
    """A plan's summary for people."""
    rows = [(name, str(facts[name])) for name in ("seed", "identities", "impressions", "images", "size", "renderer")]
    rows.append(("shards", f"{facts['shards']}, about {size(facts['bytes'])} in all"))
    rows.append(("time", _time(facts)))
    for split, counts in facts["splits"].items():
        rows.append((f"split {split}", f"{counts['images']} images in {counts['shards']} shards"))
    rows.append(("pattern", _shares(facts["identities_by_pattern"])))
    if "unique" in facts:
        rows.append(("unique", _screening(facts["unique"], facts["identities"])))
    rows.extend((slot, _shares(counts)) for slot, counts in facts["images_by"].items())
    return Table(f"{facts['name']}: the plan; nothing is written", rows)


def _time(facts: Mapping[str, Any]) -> str:
    if "seconds" not in facts:
        return "not known before a first run of this kind on this machine"
    return f"about {clock(facts['seconds'])}, as the last run of this kind took"


def _screening(threshold: float, identities: int) -> str:
    rate, cost = false_match_rate(threshold), clock(SECONDS_A_FINGER * identities)
    return f"identities will be screened: cosine below {threshold:g} (false match rate {rate:.1g}); {cost} of one core"


def _shares(counts: Mapping[str, int]) -> str:
    total = sum(counts.values())
    return ", ".join(f"{word} {count} ({100 * count / total:.0f} %)" for word, count in counts.items())
