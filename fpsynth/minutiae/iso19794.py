"""ISO/IEC 19794-2:2005 finger minutiae records (off-card format), written and read strictly.

    header   "FMR\\0" " 20\\0" | u32 total length | u16 capture device | then as fmr.py says

Angles are stored in steps of 360/256 degrees.
"""

import struct

from fpsynth.minutiae.fmr import MAGIC, Dialect, Reader, decode_body, encode_body, require
from fpsynth.minutiae.record import FormatError, Record, View, best

UNIT = 360 / 256
DIALECT = Dialect(UNIT, counted=0)
PREFIX = 14
"""Bytes before the fields that this standard shares with INCITS 378."""

__all__ = ["FormatError", "Record", "View", "best", "decode", "encode"]


def encode(record: Record) -> bytes:
    """The record's bytes. Coordinates are rounded to pixels. Raises FormatError for what the standard cannot hold."""
    body = encode_body(record, DIALECT)
    return MAGIC + struct.pack(">IH", PREFIX + len(body), 0) + body


def decode(data: bytes) -> Record:
    """Read a record. Raises FormatError, with the field that is wrong, for anything that breaks the standard."""
    require(data[: len(MAGIC)] == MAGIC, "not a minutiae record (no FMR 20)")
    reader = Reader(data, len(MAGIC))
    length, device = reader.take("IH")
    require(length == len(data), f"length field says {length} bytes, there are {len(data)}")
    require(device & 0x7000 == 0, "reserved bits of the capture device field are not 0")
    return decode_body(reader, DIALECT)
