"""README.md of a dataset: the card that people read and that `datasets.load_dataset(folder)` reads its layout from."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from fpsynth.dataset.formats import Format
from fpsynth.dataset.spec import DatasetSpec
from fpsynth.slots import SLOTS

OPEN = "left open"
"""How the card counts images of which a slot says nothing."""

BODY = """
# {name}

{images} synthetic fingerprint images of {identities} identities, made by fpsynth {version}. No image shows a print of a
real finger. Images of one identity are captures of one virtual finger; `minutiae` are those that are truly in
the image: pixels from the top left corner, angles in degrees counter-clockwise from +x in the sense of ISO/IEC 19794-2.

```python
import datasets

data = datasets.load_dataset("path/to/this/folder")
```

{shares}
{notes}
Files are listed with their digests in `manifest.json`.

## Recipe

```yaml
{recipe}
```
"""


@dataclass
class Tally:
    """What is counted for the card while finished shards are read."""

    rows: Counter[str] = field(default_factory=Counter)
    size: Counter[str] = field(default_factory=Counter)
    identities: set[int] = field(default_factory=set)
    words: dict[str, Counter[str]] = field(default_factory=lambda: {column: Counter() for column in SLOTS})

    def add(self, split: str, table: Any, size: int) -> None:
        """Count the rows of an Arrow table that holds identity and the columns of the slots."""
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
        shares="\n".join(_shares(column, counts) for column, counts in tally.words.items() if counts.keys() - {OPEN}),
        notes="".join(f"\n{note}\n" for note in spec.notes),
        recipe=spec.recipe.strip(),
    )
    return f"---\n{head.to_yaml()}\n---\n{body}"


def _shares(column: str, counts: Counter[str]) -> str:
    total = max(sum(counts.values()), 1)
    words = ", ".join(f"{word} {count / total:.1%}" for word, count in sorted(counts.items()))
    return f"- {column}: {words}"
