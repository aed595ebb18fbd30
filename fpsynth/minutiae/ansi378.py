"""ANSI/INCITS 378-2004 finger minutiae records, written and read strictly.

    header   "FMR\\0" " 20\\0" | u16 total length, or u16 0 and u32 length from 65536 | u16 CBEFF owner |
             u16 CBEFF type | u16 capture device | then as fmr.py says

Angles are stored in steps of 2 degrees. The magic is that of ISO/IEC 19794-2: the length field tells them apart.
"""

import struct

from fpsynth.minutiae.fmr import MAGIC, Dialect, Reader, decode_body, encode_body, require
from fpsynth.minutiae.record import Record

UNIT = 2.0
DIALECT = Dialect(UNIT, counted=4)
SHORT_PREFIX = 16
LONG_PREFIX = 20
LONG = 0x10000
UNKNOWN_VENDOR = 0x0103
"""IBIA's CBEFF owner for products that are not registered; strict readers refuse 0."""


def encode(record: Record) -> bytes:
    """The record's bytes. Coordinates are rounded to pixels. Raises FormatError for what the standard cannot hold."""
    body = encode_body(record, DIALECT)
    total = SHORT_PREFIX + len(body)
    length = struct.pack(">H", total) if total < LONG else struct.pack(">HI", 0, LONG_PREFIX + len(body))
    return MAGIC + length + struct.pack(">HHH", UNKNOWN_VENDOR, 0, 0) + body


def decode(data: bytes) -> Record:
    """Read a record. Raises FormatError, with the field that is wrong, for anything that breaks the standard."""
    require(data[: len(MAGIC)] == MAGIC, "not a minutiae record (no FMR 20)")
    reader = Reader(data, len(MAGIC))
    (length,) = reader.take("H")
    if length == 0:
        (length,) = reader.take("I")
        require(length >= LONG, f"long length field says {length} bytes: at least {LONG}")
    require(length == len(data), f"length field says {length} bytes, there are {len(data)}")
    reader.take("HHH")
    return decode_body(reader, DIALECT)
