"""Sections of names and values, at most 80 columns wide, and two lists of them side by side."""

from typing import NamedTuple


class Section(NamedTuple):
    """A title and its lines."""

    title: str
    lines: list[tuple[str, str]]


def beside(one: list[Section], other: list[Section], name: str, against: str) -> list[Section]:
    """Two datasets' sections side by side: a line for each name that either has."""
    titles = dict.fromkeys([s.title for s in one] + [s.title for s in other])
    left, right = ({s.title: s.lines for s in sections} for sections in (one, other))
    head = Section("Compared", [("first", name), ("second", against)])
    return [head, *(Section(t, _side_by_side(left.get(t, []), right.get(t, []))) for t in titles)]


def _side_by_side(one: list[tuple[str, str]], other: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Lines with the same name (the n-th of it) stand together, one value under the other where they are long."""
    left, right = _numbered(one), _numbered(other)
    lines = []
    for key in dict.fromkeys([*left, *right]):
        a, b = left.get(key, "-"), right.get(key, "-")
        lines.append((key[0], f"{a} | {b}" if len(a) + len(b) < 50 else f"{a}\n{b}"))
    return lines


def _numbered(lines: list[tuple[str, str]]) -> dict[tuple[str, int], str]:
    seen: dict[str, int] = {}
    numbered = {}
    for name, value in lines:
        seen[name] = seen.get(name, 0) + 1
        numbered[name, seen[name]] = value
    return numbered
