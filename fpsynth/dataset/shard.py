"""Writing one shard: a Parquet file of rows, or images in folders with a Parquet file of their metadata."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fpsynth.dataset.row import Row, facts, features, metadata_features, png
from fpsynth.dataset.sidecar import write_sidecars
from fpsynth.files import replacing, write_bytes

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Features

ROW_GROUP = 256


def write_parquet_shard(path: Path, rows: Iterable[Row], sidecars: tuple[str, ...], sidecar_folder: Path) -> int:
    """Write rows to a Parquet file, their sidecars before it. Returns the number of rows."""

    def record(row: Row) -> dict[str, Any]:
        write_sidecars(sidecar_folder / f"{row.identity:06d}" / row.id, row, sidecars)
        encoded = png(row)
        return {"image": {"bytes": encoded, "path": f"{row.id}.png"}, **facts(row, encoded)}

    return write_table(path, map(record, rows), features(), image=True)


def write_png_shard(path: Path, rows: Iterable[Row], sidecars: tuple[str, ...], image_folder: Path) -> int:
    """Write rows as image_folder/IDENTITY/ID.png with sidecars, then their metadata to path. Returns the rows."""

    def record(row: Row) -> dict[str, Any]:
        stem = image_folder / f"{row.identity:06d}" / row.id
        encoded = png(row)
        write_bytes(stem.with_name(f"{row.id}.png"), encoded)
        write_sidecars(stem, row, sidecars)
        return {"file_name": f"{row.identity:06d}/{row.id}.png", **facts(row, encoded)}

    return write_table(path, map(record, rows), metadata_features(), image=False)


def write_table(path: Path, records: Iterable[dict[str, Any]], columns: "Features", image: bool) -> int:
    """Write records as one atomic Parquet file, in row groups of 256. The same records give the same bytes."""
    import pyarrow as pa

    schema, count = columns.arrow_schema, 0
    with replacing(path) as temporary, parquet_writer(temporary, schema, image) as writer:
        for group in _groups(records):
            writer.write_table(pa.Table.from_pylist(group, schema=schema), row_group_size=ROW_GROUP)
            count += len(group)
    return count


def parquet_writer(path: Path, schema: "pa.Schema", image: bool) -> Any:
    """A Parquet writer as the Hugging Face hub likes it; PNG bytes stay as they are, they do not compress again."""
    from pyarrow import parquet

    if not image:
        return parquet.ParquetWriter(path, schema, compression="zstd", write_page_index=True)
    plain = ("image.bytes", "image.path")
    packed = {name: "zstd" for name in _leaves(schema) if name not in plain}
    return parquet.ParquetWriter(
        path,
        schema,
        compression={**packed, **dict.fromkeys(plain, "NONE")},
        use_dictionary=list(packed),
        write_page_index=True,
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
