"""What ISO/IEC 19794-2:2005 and INCITS 378-2004 share: fields, views and minutiae, big-endian.

    view     u8 position | u8 view number << 4, impression type | u8 quality | u8 number of minutiae
    minutia  u16 type << 14, x | u16 y | u8 angle | u8 quality
    then     u16 length of extended data, and the data, after each view: blocks of u16 type | u16 length | content

Content of type 2, cores and deltas: u8 number | u16 x | u16 y of each core, then as much of the deltas. Bit 6 of the
number (INCITS), or bit 14 of x (ISO), would say that angles follow; we write none. ISO counts the content as the length
of a block, INCITS its type and length too.

Types of minutiae: 0 other, 1 ending, 2 bifurcation. Angles count from +x, counter-clockwise, in the standard's unit.
Reading is strict: every field is checked, and no byte may be left over.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from fpsynth.minutiae.minutia import Minutia, MinutiaKind, SingularKind, SingularPoint
from fpsynth.minutiae.record import IMPRESSION_TYPES, LARGEST, MAX_MINUTIAE, FormatError, Record, View

MAGIC = b"FMR\0 20\0"
TYPE_CODES: dict[MinutiaKind, int] = {"ending": 1, "bifurcation": 2}
SINGULAR: dict[SingularKind, int] = {"core": 1, "delta": 3}
"""In the order of the record, and how many angles each may have."""
KINDS: dict[int, MinutiaKind] = {0: "ending", 1: "ending", 2: "bifurcation"}
"""Type 0 (other) is read as an ending: the standard lets a matcher take it for either."""
CORE_DELTA, MAX_POINTS = 2, 15
MIN_RESOLUTION = 99
"""Pixels per centimetre."""


@dataclass
class Reader:
    """Takes fields one after another; FormatError where the bytes end too early."""

    data: bytes
    offset: int = 0

    def take(self, layout: str) -> tuple[int, ...]:
        """Unpack big-endian fields."""
        size = struct.calcsize(">" + layout)
        if self.offset + size > len(self.data):
            raise FormatError(f"minutiae record ends at byte {len(self.data)}, inside a field at {self.offset}")
        values = struct.unpack_from(">" + layout, self.data, self.offset)
        self.offset += size
        return values

    def skip(self, size: int) -> None:
        """Pass over bytes that are not interpreted."""
        self.take(f"{size}x")


def require(condition: bool, message: str) -> None:
    """Raise FormatError unless the condition holds."""
    if not condition:
        raise FormatError(message)


@dataclass(frozen=True)
class Dialect:
    """Where the standards differ. unit: degrees of an angle step; counted: bytes of a block's head in its length."""

    unit: float
    counted: int


def encode_body(record: Record, dialect: Dialect) -> bytes:
    """The shared end of the header (size, resolution, views), then the views."""
    require(0 < record.width <= LARGEST and 0 < record.height <= LARGEST, f"image of {record.width}x{record.height}")
    resolution = round(record.ppi / 2.54)
    require(MIN_RESOLUTION <= resolution <= 0xFFFF, f"resolution of {record.ppi} ppi: at least 252")
    require(1 <= len(record.views) <= 0xFF, f"{len(record.views)} views: 1 to 255")
    size = struct.pack(">HHHHBB", record.width, record.height, resolution, resolution, len(record.views), 0)
    return size + b"".join(_encode_view(view, record, dialect) for view in record.views)


def _encode_view(view: View, record: Record, dialect: Dialect) -> bytes:
    _check_view(view.position, view.impression, view.quality)
    require(0 <= view.number <= 0xF, f"view number {view.number}: 0 to 15")
    require(len(view.minutiae) <= MAX_MINUTIAE, f"{len(view.minutiae)} minutiae: a view holds at most {MAX_MINUTIAE}")
    head = struct.pack("BBBB", view.position, view.number << 4 | view.impression, view.quality, len(view.minutiae))
    minutiae = b"".join(_encode_minutia(m, record, dialect.unit) for m in view.minutiae)
    return head + minutiae + _encode_singular(view, record, dialect)


def _encode_singular(view: View, record: Record, dialect: Dialect) -> bytes:
    """The extended data of a view: its cores and deltas, if any."""
    if not view.singular:
        return b"\0\0"
    content = b""
    for kind in SINGULAR:
        points = [_in_image(p.x, p.y, record) for p in view.singular if p.kind == kind]
        require(len(points) <= MAX_POINTS, f"{len(points)} {kind}s: a view holds at most {MAX_POINTS}")
        content += bytes([len(points)]) + b"".join(struct.pack(">HH", *point) for point in points)
    block = struct.pack(">HH", CORE_DELTA, len(content) + dialect.counted) + content
    return struct.pack(">H", len(block)) + block


def _encode_minutia(m: Minutia, record: Record, unit: float) -> bytes:
    require(0 <= m.quality <= 100, f"minutia quality {m.quality}: 0 to 100")
    x, y = _in_image(m.x, m.y, record)
    angle = round(m.angle % 360 / unit) % round(360 / unit)
    return struct.pack(">HHBB", TYPE_CODES[m.kind] << 14 | x, y, angle, m.quality)


def _in_image(x: float, y: float, record: Record) -> tuple[int, int]:
    """Whole pixels. Raises FormatError for a point outside."""
    require(-0.5 <= x <= record.width and -0.5 <= y <= record.height, f"point at {x}, {y}: not in the image")
    return max(0, min(round(x), record.width - 1)), max(0, min(round(y), record.height - 1))


def decode_body(reader: Reader, dialect: Dialect) -> Record:
    """Read what encode_body writes. Raises FormatError; bytes left over are an error too."""
    width, height, across, down, count, reserved = reader.take("HHHHBB")
    require(width > 0 and height > 0, f"image of {width}x{height}")
    require(across >= MIN_RESOLUTION and down >= MIN_RESOLUTION, f"resolution {across}x{down} px/cm: at least 99")
    require(across == down, f"resolution {across}x{down} px/cm: pixels must be square")
    require(count > 0, "0 views: at least 1")
    require(reserved == 0, "reserved byte of the header is not 0")
    views = tuple(_decode_view(reader, width, height, dialect) for _ in range(count))
    require(reader.offset == len(reader.data), f"{len(reader.data) - reader.offset} bytes left over")
    _check_numbers(views)
    return Record(width, height, views, _ppi(across))


def _decode_view(reader: Reader, width: int, height: int, dialect: Dialect) -> View:
    position, packed, quality, count = reader.take("BBBB")
    number, impression = packed >> 4, packed & 0xF
    _check_view(position, impression, quality)
    minutiae = tuple(_decode_minutia(reader, width, height, dialect.unit) for _ in range(count))
    singular = tuple(_decode_extended(reader, width, height, dialect))
    return View(minutiae, position, impression, quality, number, singular)


def _decode_extended(reader: Reader, width: int, height: int, dialect: Dialect) -> Iterator[SingularPoint]:
    """Cores and deltas; blocks of other types are passed over."""
    (extended,) = reader.take("H")
    end = reader.offset + extended
    while reader.offset < end:
        kind, length = reader.take("HH")
        until = reader.offset + length - dialect.counted
        require(reader.offset <= until <= end, f"block of {length} bytes in {extended} bytes of extended data")
        if kind == CORE_DELTA:
            yield from _decode_singular(reader, width, height)
            require(reader.offset == until, f"cores and deltas do not take the {length} bytes of their block")
        else:
            reader.skip(until - reader.offset)
    require(reader.offset == end, f"blocks do not take the {extended} bytes of extended data")


def _decode_singular(reader: Reader, width: int, height: int) -> Iterator[SingularPoint]:
    """Points without their angles, which follow each where either standard's flag is set."""
    for kind, angles in SINGULAR.items():
        (count,) = reader.take("B")
        for _ in range(count & MAX_POINTS):
            x, y = reader.take("HH")
            reader.skip(angles if (count | x >> 8) & 0x40 else 0)
            x &= LARGEST
            require(x < width and y < height, f"{kind} at {x}, {y}: not in the {width}x{height} image")
            yield SingularPoint(float(x), float(y), kind)


def _decode_minutia(reader: Reader, width: int, height: int, unit: float) -> Minutia:
    kind_x, y, angle, quality = reader.take("HHBB")
    kind, x = kind_x >> 14, kind_x & LARGEST
    require(kind in KINDS, f"minutia type {kind} is reserved")
    require(x < width and y < height, f"minutia at {x}, {y}: not in the {width}x{height} image")
    require(angle * unit < 360, f"angle {angle}: below {round(360 / unit)}")
    require(quality <= 100, f"minutia quality {quality}: 0 to 100")
    return Minutia(float(x), float(y), angle * unit, KINDS[kind], quality)


def _check_view(position: int, impression: int, quality: int) -> None:
    require(0 <= position <= 10, f"finger position {position}: 0 to 10")
    require(impression in IMPRESSION_TYPES, f"impression type {impression}: one of {IMPRESSION_TYPES}")
    require(0 <= quality <= 100, f"finger quality {quality}: 0 to 100")


def _check_numbers(views: tuple[View, ...]) -> None:
    """Views of one finger position are numbered 0, 1, 2... in their order."""
    seen: dict[int, int] = {}
    for view in views:
        expected = seen.get(view.position, 0)
        require(view.number == expected, f"view {view.number} of finger {view.position}: {expected} expected")
        seen[view.position] = expected + 1


def _ppi(per_cm: int) -> float:
    """Pixels an inch; the usual resolutions exactly, since the record only holds whole pixels per centimetre."""
    exact = per_cm * 2.54
    return next((float(usual) for usual in (500, 1000) if round(usual / 2.54) == per_cm), exact)
