"""A Parquet file of rows: the same records give the same bytes."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fpsynth.files import replacing

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Features

ROW_GROUP = 256
ROWS = 16
"""So many rows with their images are held at once."""


def write_table(path: Path, records: Iterable[dict[str, Any]], columns: "Features", image: bool) -> int:
    """Write records as one atomic Parquet file, in row groups of 256. The same records give the same bytes."""
    import pyarrow as pa

    schema, count = columns.arrow_schema, 0
    with replacing(path) as temporary, parquet_writer(temporary, schema, image) as writer:
        for group in _groups(records):
            writer.write_table(pa.Table.from_pylist(group, schema=schema), row_group_size=ROW_GROUP)
            count += len(group)
    return count


def merge_tables(path: Path, parts: Iterable[Path], columns: "Features") -> None:
    """One atomic Parquet file, without images, of the rows of these files in their order."""
    from pyarrow import parquet

    with replacing(path) as temporary, parquet_writer(temporary, columns.arrow_schema, image=False) as writer:
        for part in parts:
            for group in parquet.ParquetFile(part).iter_batches(batch_size=ROW_GROUP):
                writer.write_batch(group)


def read_columns(path: Path, names: Sequence[str]) -> "pa.Table":
    """These columns of a Parquet file."""
    from pyarrow import parquet

    return parquet.ParquetFile(path, page_checksum_verification=True).read(columns=list(names))


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet file, some at a time. Raises OSError or ArrowException where it is damaged."""
    from pyarrow import parquet

    stored = parquet.ParquetFile(path, page_checksum_verification=True, pre_buffer=False)
    for group in stored.iter_batches(batch_size=ROWS, use_threads=False):
        yield from group.to_pylist()


def parquet_writer(path: Path, schema: "pa.Schema", image: bool) -> Any:
    """A Parquet writer as the Hugging Face hub likes it; PNG bytes stay as they are, they do not compress again."""
    from pyarrow import parquet

    if not image:
        return parquet.ParquetWriter(path, schema, compression="zstd", write_page_index=True, write_page_checksum=True)
    plain = ("image.bytes", "image.path")
    packed = {name: "zstd" for name in _leaves(schema) if name not in plain}
    return parquet.ParquetWriter(
        path,
        schema,
        compression={**packed, **dict.fromkeys(plain, "NONE")},
        use_dictionary=list(packed),
        write_page_index=True,
        write_page_checksum=True,
        use_content_defined_chunking=True,
    )


def _leaves(schema: "pa.Schema") -> list[str]:
    """Dotted names of the leaf columns as Parquet counts them."""
    import io

    from pyarrow import parquet

    buffer = io.BytesIO()
    parquet.ParquetWriter(buffer, schema).close()
    stored = parquet.read_metadata(buffer).schema
    return [stored.column(i).path for i in range(len(stored))]


def _groups(records: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    iterator = iter(records)
    while group := list(islice(iterator, ROW_GROUP)):
        yield group
