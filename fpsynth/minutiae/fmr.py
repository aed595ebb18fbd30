"""What ISO/IEC 19794-2:2005 and INCITS 378-2004 share: fields, views and minutiae, big-endian.

    view     u8 position | u8 view number << 4, impression type | u8 quality | u8 number of minutiae
    minutia  u16 type << 14, x | u16 y | u8 angle | u8 quality
    then     u16 length of extended data, and the data, after each view

Types: 0 other, 1 ending, 2 bifurcation. Angles count from +x, counter-clockwise, in the standard's own unit. Reading
is strict: every field is checked, and no byte may be left over.
"""

import struct
from dataclasses import dataclass

from fpsynth.minutiae.minutia import Minutia, MinutiaKind
from fpsynth.minutiae.record import IMPRESSION_TYPES, MAX_MINUTIAE, FormatError, Record, View

MAGIC = b"FMR\0 20\0"
TYPE_CODES: dict[MinutiaKind, int] = {"ending": 1, "bifurcation": 2}
KINDS: dict[int, MinutiaKind] = {0: "ending", 1: "ending", 2: "bifurcation"}
"""Type 0 (other) is read as an ending: the standard lets a matcher take it for either."""
LOW14 = 0x3FFF
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


def encode_body(record: Record, unit: float) -> bytes:
    """The shared end of the header (size, resolution, views), then the views. unit: degrees of an angle step."""
    require(0 < record.width <= LOW14 and 0 < record.height <= LOW14, f"image of {record.width}x{record.height}")
    resolution = round(record.ppi / 2.54)
    require(MIN_RESOLUTION <= resolution <= 0xFFFF, f"resolution of {record.ppi} ppi: at least 252")
    require(1 <= len(record.views) <= 0xFF, f"{len(record.views)} views: 1 to 255")
    size = struct.pack(">HHHHBB", record.width, record.height, resolution, resolution, len(record.views), 0)
    return size + b"".join(_encode_view(view, record, unit) for view in record.views)


def _encode_view(view: View, record: Record, unit: float) -> bytes:
    _check_view(view.position, view.impression, view.quality)
    require(0 <= view.number <= 0xF, f"view number {view.number}: 0 to 15")
    require(len(view.minutiae) <= MAX_MINUTIAE, f"{len(view.minutiae)} minutiae: a view holds at most {MAX_MINUTIAE}")
    head = struct.pack("BBBB", view.position, view.number << 4 | view.impression, view.quality, len(view.minutiae))
    return head + b"".join(_encode_minutia(m, record, unit) for m in view.minutiae) + b"\0\0"


def _encode_minutia(m: Minutia, record: Record, unit: float) -> bytes:
    require(-0.5 <= m.x <= record.width and -0.5 <= m.y <= record.height, f"minutia at {m.x}, {m.y}: not in the image")
    require(0 <= m.quality <= 100, f"minutia quality {m.quality}: 0 to 100")
    x, y = (max(0, min(round(v), size - 1)) for v, size in ((m.x, record.width), (m.y, record.height)))
    angle = round(m.angle % 360 / unit) % round(360 / unit)
    return struct.pack(">HHBB", TYPE_CODES[m.kind] << 14 | x, y, angle, m.quality)


def decode_body(reader: Reader, unit: float) -> Record:
    """Read what encode_body writes. Raises FormatError; bytes left over are an error too."""
    width, height, across, down, count, reserved = reader.take("HHHHBB")
    require(width > 0 and height > 0, f"image of {width}x{height}")
    require(across >= MIN_RESOLUTION and down >= MIN_RESOLUTION, f"resolution {across}x{down} px/cm: at least 99")
    require(across == down, f"resolution {across}x{down} px/cm: pixels must be square")
    require(reserved == 0, "reserved byte of the header is not 0")
    views = tuple(_decode_view(reader, width, height, unit) for _ in range(count))
    require(reader.offset == len(reader.data), f"{len(reader.data) - reader.offset} bytes left over")
    _check_numbers(views)
    return Record(width, height, views, _ppi(across))


def _decode_view(reader: Reader, width: int, height: int, unit: float) -> View:
    position, packed, quality, count = reader.take("BBBB")
    number, impression = packed >> 4, packed & 0xF
    _check_view(position, impression, quality)
    minutiae = tuple(_decode_minutia(reader, width, height, unit) for _ in range(count))
    (extended,) = reader.take("H")
    reader.skip(extended)
    return View(minutiae, position, impression, quality, number)


def _decode_minutia(reader: Reader, width: int, height: int, unit: float) -> Minutia:
    kind_x, y, angle, quality = reader.take("HHBB")
    kind, x = kind_x >> 14, kind_x & LOW14
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
