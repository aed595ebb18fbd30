"""What a format must be able to do."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from fpsynth.dataset.reader.unit import Unit
from fpsynth.dataset.row import Row, features
from fpsynth.dataset.spec import DatasetSpec, ShardPlace
from fpsynth.dataset.stored import Stored

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Features


class Format(Protocol):
    """How images, their columns and their sidecars lie in files below the folder root.

    A format keeps to the folders of spec.RESERVED, to those of the splits, and to spec.PARTS, which is removed when
    the dataset is closed. Files are written whole or not at all, with fpsynth.files.
    """

    root: Path

    def shard(self, place: ShardPlace) -> Path:
        """The file whose existence says that the shard is whole, until the dataset is closed."""
        ...

    def write(self, place: ShardPlace, rows: Iterable[Row], sidecars: tuple[str, ...]) -> int:
        """Write a shard and its sidecars. Rows are streamed; the same rows give the same bytes. Returns their number.

        sidecars: names of fpsynth.vocabulary.SIDECARS. shard(place) is written last.
        """
        ...

    def close(self, spec: DatasetSpec) -> list[tuple[str, Path]]:
        """All shards are there: write what is made of them together. May be done again after a crash.

        Returns the files that the manifest is to list, each with its split; together they hold the columns of all rows.
        """
        ...

    def columns(self, file: Path, names: Sequence[str]) -> "pa.Table":
        """These columns of the rows of a shard or listed file.

        Raises OSError, ValueError or ArrowException for one that is damaged.
        """
        ...

    def rows(self, file: Path, sidecars: tuple[str, ...] = ()) -> Iterator[Stored]:
        """All rows of a shard or listed file, in order, with their sidecars of these formats.

        Raises OSError, ValueError or ArrowException for one that is damaged.
        """
        ...

    def size(self, file: Path) -> int:
        """Bytes on disk of the images of a listed file, for the card."""
        ...

    def data_files(self, split: str) -> str | list[str]:
        """Where the files of a split are, as patterns below root, for the card."""
        ...

    def features(self) -> "Features | None":
        """The columns that `datasets` gives of these files; None: it finds them itself."""
        return features()

    def units(self, sidecars: tuple[str, ...]) -> tuple[Unit, ...] | None:
        """What lies below root, to be read piece by piece; None where no file of this format does.

        sidecars: those to expect. It need not be a dataset of ours. Raises no error for damaged files: reading the
        unit does.
        """
        ...
