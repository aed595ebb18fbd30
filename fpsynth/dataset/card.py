"""README.md of a dataset: the card that people read and that `datasets.load_dataset(folder)` reads its layout from."""

import io
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

from PIL import Image

from fpsynth.dataset.formats import Format
from fpsynth.dataset.mosaic import mosaic
from fpsynth.dataset.spec import DatasetSpec
from fpsynth.dataset.stored import row_of
from fpsynth.gate.verdict import WORDS
from fpsynth.recipe.schema import VIRTUAL
from fpsynth.slots import SLOTS

PICTURE = "card.png"
SHOWN, ACROSS = 12, 6
"""Images in the card's picture, and in one of its lines."""
OPEN = "left open"
"""How the card counts images of which a slot says nothing."""

BODY = """
# {name}

{images} synthetic fingerprint images of {identities} identities, made by fpsynth {version}. {fingers.whose}
{fingers.images}:
pixels from the top left corner, angles in degrees counter-clockwise from +x in the sense of ISO/IEC 19794-2.

![Some of the images]({picture})

```python
import datasets

data = datasets.load_dataset("path/to/this/folder")
```

## What is in it

{shares}
{notes}
## How it was made and judged

Each image was drawn by {renderer} from {fingers.drawn_from}; the recipe below makes it again. {gate}
Files are listed with their digests in `manifest.json`; `fpsynth verify` reads them all again.

## Limits

The fingers, and the sensors that the renderer learnt from, are models, and what they leave out is left out here. Before
a figure measured on synthetic prints is taken for one of real prints, measure the same on real ones too.

## Citation

```bibtex
@software{{fpsynth, title = {{fpsynth: synthetic fingerprint datasets}}, version = {{{version}}}, year = {{2026}}}}
```

## Recipe

```yaml
{recipe}
```
"""


GROWN = "No image shows a print of a real finger."
REBUILT = (
    "Every finger was rebuilt from a file that the column `source` names. Where those are of real people, these images "
    "are as much theirs: a matcher may find them by it, and they must be kept as the files are."
)

REDRAWN = (
    "Every image is a print that existed, drawn anew; the column `source` names its file. Where that is of a real "
    "person, the image is as much theirs, and must be kept as the file is."
)
SEEN = (
    "Images of one identity are drawn from one print; `minutiae` are those that a program saw in it, no truth in the "
    "sense of a grown finger, and at their end as many as the parameter `imagined` says that were added"
)


@dataclass(frozen=True)
class Fingers:
    """What the card says: whose the fingers are, what images and minutiae are, what an image is drawn from."""

    whose: str
    images: str
    drawn_from: str


def _captured(whose: str, kind: str) -> Fingers:
    images = (
        f"Images of one identity are captures of one {kind} finger; `minutiae` are those that are truly in the image"
    )
    return Fingers(whose, images, f"one impression of one {kind} finger")


FINGERS: Final = {
    None: _captured(GROWN, "virtual"),
    "minutiae": _captured(REBUILT, "rebuilt"),
    "prints": _captured(REBUILT, "rebuilt"),
    "images": Fingers(REDRAWN, SEEN, "one print"),
}
"""By what they were made from."""


@dataclass
class Tally:
    """What is counted for the card while finished shards are read."""

    rows: Counter[str] = field(default_factory=Counter)
    size: Counter[str] = field(default_factory=Counter)
    identities: set[int] = field(default_factory=set)
    words: dict[str, Counter[str]] = field(default_factory=lambda: {column: Counter() for column in SLOTS})
    gate: Counter[str] = field(default_factory=Counter)

    def add(self, split: str, table: Any, size: int) -> None:
        """Count the rows of an Arrow table that holds identity, gate and the columns of the slots."""
        self.gate.update(WORDS[code] for code in table["gate"].combine_chunks().field("verdict").to_pylist())
        self.rows[split] += table.num_rows
        self.size[split] += size
        self.identities.update(table.column("identity").to_pylist())
        for column, counts in self.words.items():
            names, codes = SLOTS[column].words, Counter(table.column(column).to_pylist())
            counts.update({OPEN if code is None else names[code]: n for code, n in codes.items()})


def card(spec: DatasetSpec, tally: Tally, form: Format) -> str:
    """The whole README.md: YAML front matter and text."""
    from huggingface_hub import DatasetCardData

    total = sum(tally.size.values())
    files = [{"split": split, "path": form.data_files(split)} for split in spec.splits]
    splits = [{"name": s, "num_bytes": tally.size[s], "num_examples": tally.rows[s]} for s in spec.splits]
    columns = form.features()
    head = DatasetCardData(
        pretty_name=spec.name,
        license="other" if spec.rebuilt_from else "cc0-1.0",
        language=["en"],
        task_categories=["image-classification", "image-feature-extraction"],
        size_categories=[_size(sum(tally.rows.values()))],
        tags=["fingerprint", "biometrics", "synthetic"],
        configs=[{"config_name": "default", "data_files": files}],
        dataset_info={
            **({} if columns is None else {"features": columns._to_yaml_list()}),
            "splits": splits,
            "download_size": total,
            "dataset_size": total,
        },
    )
    body = BODY.format(
        name=spec.name,
        images=sum(tally.rows.values()),
        identities=len(tally.identities),
        version=spec.provenance.get("fpsynth", ""),
        fingers=FINGERS[spec.rebuilt_from],
        shares="\n".join(_shares(column, counts) for column, counts in tally.words.items() if counts.keys() - {OPEN}),
        picture=PICTURE,
        renderer="virtual sensors" if spec.provenance.get("model") == VIRTUAL else "a diffusion model",
        gate=_judged(tally.gate),
        notes="".join(f"\n{note}\n" for note in spec.notes),
        recipe=spec.recipe.strip(),
    )
    return f"---\n{head.to_yaml()}\n---\n{body}"


def _shares(column: str, counts: Counter[str]) -> str:
    total = max(sum(counts.values()), 1)
    words = ", ".join(f"{word} {count / total:.1%}" for word, count in sorted(counts.items()))
    return f"- {column}: {words}"


def picture(form: Format, file: Path) -> bytes:
    """Some images of a listed file on one page, as PNG."""
    images = [row_of(stored).image for stored in islice(form.rows(file), SHOWN)]
    lines = [images[start : start + ACROSS] for start in range(0, len(images), ACROSS)]
    buffer = io.BytesIO()
    Image.fromarray(mosaic(lines, size=160)).save(buffer, "PNG")
    return buffer.getvalue()


def _judged(verdicts: Counter[str]) -> str:
    """What the gate came to, in words."""
    if not verdicts["passed"] + verdicts["failed"]:
        return "No gate looked at the images."
    return (
        "Minutiae were extracted again from every image and compared with the truth: "
        f"{verdicts['passed']} images passed, {verdicts['failed']} stayed short of it (column `gate`)."
    )


def _size(rows: int) -> str:
    """The hub's word for a number of rows."""
    names = ("1K", "10K", "100K", "1M", "10M", "100M", "1B")
    for place, (below, name) in enumerate(zip(("", *names), names, strict=False)):
        if rows < 10 ** (place + 3):
            return f"{below}<n<{name}".removeprefix("<")
    return "n>1B"
