"""A report of a dataset as one HTML file that needs nothing else: no network, no scripts."""

from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path

import numpy as np

from fpsynth import __version__
from fpsynth.files import write_bytes
from fpsynth.inspect.measure.breakdown import scores_of_word
from fpsynth.inspect.measure.dataset import Measured
from fpsynth.inspect.measure.image import decode
from fpsynth.inspect.measure.record import Record
from fpsynth.inspect.report import charts
from fpsynth.inspect.report.charts import Chart
from fpsynth.inspect.report.drawing import EXTRA, FOUND, HIT, MISSED, TRUE, thumbnail, with_minutiae
from fpsynth.inspect.report.pairs import best_non_mated, compared, worst_mated
from fpsynth.inspect.report.section import Section
from fpsynth.inspect.report.sections import EXTRACTORS, dataset_sections
from fpsynth.inspect.report.sheet import items_at
from fpsynth.inspect.report.terminal import fault_lines

RANDOM, EXTREME, FINGERS, IMPRESSIONS, PAIRS = 15, 5, 4, 8, 3
"""Images in the sheets: at random, best and worst, fingers and how many impressions of each; pairs that match oddly."""

CSS = """
:root { color-scheme: light }
body { font: 15px/1.5 system-ui, sans-serif; color: #1d252d; background: #f4f6f8; margin: 0 }
main { max-width: 1120px; margin: 0 auto; padding: 32px 24px 64px }
h1 { font-size: 28px; margin: 0 } h2 { font-size: 19px; margin: 40px 0 12px }
h3 { font-size: 14px; margin: 18px 0 6px; font-weight: 600 }
p.sub { color: #5b6670; margin: 4px 0 24px }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(124px, 1fr)); gap: 12px }
.tile, .card { background: #fff; border: 1px solid #dde3e8; border-radius: 8px; padding: 14px 16px }
.tile b { display: block; font-size: 24px; font-weight: 600 } .tile span { color: #5b6670; font-size: 13px }
.bad { border-left: 4px solid #c0392b } .good { border-left: 4px solid #2e8b57 }
.note { border-left: 4px solid #d9a129; margin-top: 8px }
.tables { columns: 2; column-gap: 12px } .table { margin-bottom: 12px; break-inside: avoid }
.card ul { margin: 6px 0; padding-left: 20px }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(330px, 1fr)); gap: 12px }
.grid .card { padding: 8px } .grid img { width: 100%; display: block }
.sheet { display: grid; grid-template-columns: repeat(5, 1fr); gap: 10px }
.sheet.finger { grid-template-columns: repeat(4, 1fr) }
.sheet.pairs { grid-template-columns: repeat(3, 1fr) } .two { display: grid; grid-template-columns: 1fr 1fr; gap: 6px }
label { cursor: zoom-in; display: block } label input { position: absolute; opacity: 0; pointer-events: none }
label:focus-within img { outline: 2px solid #2563a8 }
input:checked + img { position: fixed; inset: 0; z-index: 1; width: 100vw; height: 100vh; object-fit: contain;
  background: rgb(29 37 45 / 92%); cursor: zoom-out }
figure { margin: 0; background: #fff; border: 1px solid #dde3e8; border-radius: 6px; padding: 6px; overflow: hidden }
figure img { width: 100%; aspect-ratio: 1; object-fit: contain; display: block }
figcaption { font-size: 12px; color: #5b6670; padding-top: 4px; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100% } td { padding: 3px 8px; border-top: 1px solid #edf0f3; font-size: 14px }
td:first-child { color: #5b6670; white-space: nowrap; width: 1% } 
pre { columns: 300px; font-size: 13px; margin: 0; white-space: pre-wrap }
.key b { display: inline-block; width: 10px; height: 10px; border-radius: 50%; margin: 0 4px 0 12px }
@media (max-width: 900px) { .tables { columns: 1 } .sheet.finger { grid-template-columns: repeat(2, 1fr) } }
@media (max-width: 600px) { .sheet { grid-template-columns: repeat(2, 1fr) } }
"""


def write_report(look: Measured, path: Path) -> None:
    """Write the report. Raises UserError where matplotlib is not installed."""
    charts.require_matplotlib()
    body = "\n".join(_body(look))
    page = (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(_name(look))}</title>'
        f'<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
        f"<style>{CSS}</style></head>\n<body><main>\n{body}\n</main></body></html>\n"
    )
    write_bytes(path, page.encode(errors="backslashreplace"))


def _name(look: Measured) -> str:
    return str(look.recipe.get("name") or look.path.resolve().name)


def _body(look: Measured) -> Iterator[str]:
    yield f"<h1>{escape(_name(look))}</h1>"
    yield f'<p class="sub">What is in this dataset, and is it any good. Looked at by fpsynth {__version__}.</p>'
    yield _tiles(look)
    yield from _state(look)
    yield "<h2>At random</h2>" + _thumbs(look, _random(look.records))
    yield from _extremes(look)
    yield "<h2>Fingers and their impressions, minutiae drawn</h2>" + _key(look)
    yield _fingers(look)
    yield "<h2>Distributions</h2>" + _cards(_distributions(look))
    if look.scores is not None:
        yield "<h2>Is each finger one finger, are different fingers different</h2>"
        matcher = "bozorth3" if look.judged else "cosine of the embedding"
        yield _cards(_scores(look, matcher))
        yield from _pairs(look)
    if shares := {name: told for name, told in look.figures.shares.items() if len(told.words) > 1}:
        yield "<h2>Shares</h2>" + _cards(charts.shares(column, told) for column, told in shares.items())
    if (reading := look.figures.reading) and any(told.agreement is not None for told in reading.slots.values()):
        yield "<h2>Does the picture read as the words that were asked for</h2>" + _cards([charts.agreement(reading)])
    tables = "".join(_table(section) for section in dataset_sections(look.figures))
    yield f'<h2>All figures</h2><div class="tables">{tables}</div>'
    if look.recipe:
        yield f'<h2>Recipe</h2><div class="card"><pre>{escape(_recipe_text(look))}</pre></div>'


def _scores(look: Measured, matcher: str) -> Iterator[Chart]:
    """The scores, the error trade-off of all, and of the words of each slot that says more than one."""
    assert look.scores is not None
    yield charts.score_histogram(look.scores, matcher)
    yield charts.det(look.scores)
    records = compared(look)
    for slot, words in look.figures.words.items():
        enough = [word for word, own in words.items() if own.eer is not None]
        told = {word: scores_of_word(slot, word, records, look.scores) for word in enough}
        if len(told) > 1:
            yield charts.det_of_words(slot, told)


def _pairs(look: Measured) -> Iterator[str]:
    """The comparisons that went worst."""
    for title, pairs in (
        ("One finger, lowest scores", worst_mated(look, PAIRS)),
        ("Two fingers, highest scores", best_non_mated(look, PAIRS)),
    ):
        items = items_at(look, {(r.unit, r.number) for pair in pairs for r in (pair.one, pair.other)})
        cells = []
        for pair in pairs:
            both = [_image(thumbnail(decode(items[r.unit, r.number].encoded)), r.name) for r in (pair.one, pair.other)]
            caption = escape(f"{pair.one.name} and {pair.other.name}: {pair.score:.3g}")
            cells.append(f'<figure><div class="two">{"".join(both)}</div><figcaption>{caption}</figcaption></figure>')
        yield f'<h3>{title}</h3><div class="sheet pairs">{"".join(cells)}</div>'


def _tiles(look: Measured) -> str:
    counts, judges, bozorth3 = look.figures.counts, look.figures.judges, look.figures.bozorth3
    tiles = [("images", f"{counts.images}"), ("identities", f"{counts.identities}")]
    if judges and judges.quality and judges.quality.nfiq2:
        tiles.append(("NFIQ2, mean", f"{judges.quality.nfiq2.mean:.0f}"))
    if judges and judges.truth:
        tiles.append((f"true minutiae found by {_extractor(look)}", f"{judges.truth.recall:.0%}"))
        tiles.append(("found, not true", f"{judges.truth.spurious:.0%}"))
    if bozorth3:
        tiles.append(("equal error rate", f"{bozorth3.scores.eer.value:.1%}"))
    tiles.append(("broken", f"{len(look.faults)}"))
    cells = (f'<div class="tile"><b>{value}</b><span>{escape(name)}</span></div>' for name, value in tiles)
    return f'<div class="tiles">{"".join(cells)}</div>'


def _extractor(look: Measured) -> str:
    """Who found minutiae, for people; empty: nobody."""
    judges = look.figures.judges
    return EXTRACTORS[judges.extractor] if judges else ""


def _state(look: Measured) -> Iterator[str]:
    """What is broken, what is worth knowing."""
    yield "<h2>Integrity</h2>"
    if look.faults:
        yield f'<div class="card bad">{_list(fault_lines(look.faults))}</div>'
    else:
        yield '<div class="card good">Nothing is broken.</div>'
    if look.notices:
        yield f'<div class="card note">{_list(look.notices)}</div>'


def _list(lines: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"


def _random(records: Sequence[Record]) -> list[Record]:
    chosen = np.random.default_rng(0).permutation(len(records))[:RANDOM]
    return [records[i] for i in sorted(chosen.tolist())]


def _extremes(look: Measured) -> Iterator[str]:
    """The images of the best and of the worst NFIQ2 score."""
    scored = [r for r in look.records if r.judged is not None and r.judged.nfiq2 is not None]
    scored.sort(key=lambda r: -(r.judged.nfiq2 or 0) if r.judged else 0)
    if len(scored) >= 2 * EXTREME:
        yield "<h2>Best by NFIQ2</h2>" + _thumbs(look, scored[:EXTREME])
        yield "<h2>Worst by NFIQ2</h2>" + _thumbs(look, scored[-EXTREME:])


def _thumbs(look: Measured, records: Sequence[Record]) -> str:
    items = items_at(look, {(r.unit, r.number) for r in records})
    cells = (_cell(thumbnail(decode(items[r.unit, r.number].encoded)), _caption(r)) for r in records)
    return f'<div class="sheet">{"".join(cells)}</div>'


def _key(look: Measured) -> str:
    """What the colours of the minutiae mean, those that are there."""
    extractor = _extractor(look)
    if look.figures.minutiae is None:
        colours = {f"found by {extractor}": FOUND} if extractor else {}
    elif extractor:
        colours = {f"true, and found by {extractor}": HIT, "true, not found": MISSED, "found, not true": EXTRA}
    else:
        colours = {"true (no extractor was run)": TRUE}
    shapes = "circle: ending, square: bifurcation" if look.figures.minutiae else ""
    dots = (f'<b style="background:rgb{colour}"></b>{escape(name)}' for name, colour in colours.items())
    return f'<p class="sub key">{shapes} {"".join(dots)}</p>'


def _fingers(look: Measured) -> str:
    """Some fingers, spread over the dataset, in rows; the images that were looked at in depth."""
    by_identity: dict[str, list[Record]] = defaultdict(list)
    for record in look.records:
        by_identity[record.identity].append(record)
    names = [name for name, own in by_identity.items() if any(r.judged or r.deep for r in own)] or list(by_identity)
    count = min(FINGERS, len(names))
    rows = [by_identity[names[i * len(names) // count]][:IMPRESSIONS] for i in range(count)]
    items = items_at(look, {(r.unit, r.number) for row in rows for r in row})
    sheets = []
    for row in rows:
        cells = []
        for record in row:
            item = items[record.unit, record.number]
            drawn = with_minutiae(decode(item.encoded), item.minutiae, record.judged, record.ppi)
            cells.append(_cell(drawn, _caption(record)))
        sheets.append(f'<h3>Finger {escape(row[0].identity)}</h3><div class="sheet finger">{"".join(cells)}</div>')
    return "".join(sheets)


def _caption(record: Record) -> str:
    words = [(record.words.get(column) or "").replace("_", " ") for column in ("pattern", "sensor", "quality")]
    score = f"NFIQ2 {record.judged.nfiq2}" if record.judged and record.judged.nfiq2 is not None else None
    return ", ".join(word for word in (record.name, *words, score) if word)


def _cell(image: bytes, caption: str) -> str:
    return f"<figure>{_image(image, caption)}<figcaption>{escape(caption)}</figcaption></figure>"


def _image(image: bytes, told: str) -> str:
    """A print that a click makes large, without a script."""
    return f'<label><input type="checkbox"><img alt="{escape(told)}" src="{_data(image, "jpeg")}"></label>'


def _data(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{b64encode(content).decode()}"


def _cards(pictures: Iterable[Chart]) -> str:
    cells = (f'<div class="card"><img alt="{escape(p.told)}" src="{_data(p.svg, "svg+xml")}"></div>' for p in pictures)
    return f'<div class="grid">{"".join(cells)}</div>'


def _distributions(look: Measured) -> Iterator[Chart]:
    judged = [r.judged for r in look.records if r.judged is not None]
    deep = [r.deep for r in look.records if r.deep is not None]
    extractor = _extractor(look)
    scores = [j.nfiq2 for j in judged if j.nfiq2 is not None]
    if scores:
        yield charts.histogram("Quality", "NFIQ2", {"images": scores})
    counts = {
        "in the rows": [r.truth for r in look.records if r.truth is not None],
        extractor: [j.found for j in judged],
    }
    counts = {name: own for name, own in counts.items() if own}
    if counts:
        yield charts.histogram("Minutiae", "in an image", counts)
    if periods := [d.period for d in deep if d.period is not None]:
        yield charts.histogram("Ridge period", "pixels at 500 ppi", {"images": periods})
    if deep:
        yield charts.histogram("Foreground", "mm²", {"images": [d.area for d in deep]})
    yield charts.histogram("Grey level, mean", "grey level", {"images": [r.mean for r in look.records]})
    if recalls := [j.tally.recall for j in judged if j.tally is not None]:
        extra = [j.tally.spurious for j in judged if j.tally is not None]
        yield charts.histogram(f"Truth by {extractor}", "share", {"recall": recalls, "spurious": extra})


def _table(section: Section) -> str:
    rows = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in section.lines)
    return f'<div class="card table"><strong>{escape(section.title)}</strong><table>{rows}</table></div>'


def _recipe_text(look: Measured) -> str:
    from io import StringIO

    from ruamel.yaml import YAML

    out, yaml = StringIO(), YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.dump(dict(look.recipe), out)
    return out.getvalue()
