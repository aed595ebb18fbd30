"""Codecs against bytes laid out by hand from the standards, and encode o decode as the quantised identity."""

import random
import struct
from dataclasses import replace

import pytest

from fpsynth.minutiae import Minutia, SingularPoint, ansi378, iso19794, xyt
from fpsynth.minutiae.record import FormatError, Record, View, best

MINUTIAE = (Minutia(10.4, 20.0, 90.0, "ending", 77), Minutia(511.0, 300.6, 359.9, "bifurcation", 0))
RECORD = Record(512, 480, (View(MINUTIAE, position=2, impression=1, quality=63),))

ISO = bytes.fromhex(
    "464d5200 20323000"  # FMR, version 2.0
    "0000002a 0000"  # 42 bytes, no capture device
    "0200 01e0 00c5 00c5 01 00"  # 512 x 480, 197 px/cm, one view
    "02 01 3f 02"  # right index, view 0, live rolled, quality 63, two minutiae
    "400a 0014 40 4d"  # ending at 10, 20, 64 * 1.40625 = 90 degrees, quality 77
    "81ff 012d 00 00"  # bifurcation at 511, 301, 0 degrees
    "0000"  # no extended data
)
ANSI = bytes.fromhex(
    "464d5200 20323000"
    "002c 0103 0000 0000"  # 44 bytes, IBIA's unknown vendor, no type, no device
    "0200 01e0 00c5 00c5 01 00"
    "02 01 3f 02"
    "400a 0014 2d 4d"  # 45 * 2 = 90 degrees
    "81ff 012d 00 00"
    "0000"
)


def test_iso_golden_bytes() -> None:
    assert iso19794.encode(RECORD) == ISO
    view = iso19794.decode(ISO).views[0]
    assert view == View((Minutia(10, 20, 90, "ending", 77), Minutia(511, 301, 0, "bifurcation", 0)), 2, 1, 63)


def test_ansi_golden_bytes() -> None:
    assert ansi378.encode(RECORD) == ANSI
    assert ansi378.decode(ANSI).views[0].minutiae[0] == Minutia(10, 20, 90, "ending", 77)


SINGULAR = (SingularPoint(250.2, 259.6, "core"), SingularPoint(100, 400, "delta"), SingularPoint(251, 300, "core"))
CONTENT = "02 00fa 0104 00fb 012c 01 0064 0190"  # two cores, a delta, no angles


@pytest.mark.parametrize(
    ("codec", "bare", "length", "block"),
    [(iso19794, ISO, "0000003c", "0012 0002 000e"), (ansi378, ANSI, "003e", "0012 0002 0012")],
    ids=["iso", "ansi"],
)
def test_cores_and_deltas_are_extended_data(codec, bare: bytes, length: str, block: str) -> None:
    """The length of a block is that of its content in ISO, and of type, length and content in INCITS."""
    view = replace(RECORD.views[0], singular=SINGULAR)
    data = codec.encode(replace(RECORD, views=(view,)))
    whole = bytes.fromhex(length)
    assert data == bare[:8] + whole + bare[8 + len(whole) : -2] + bytes.fromhex(block + CONTENT)
    back = codec.decode(data).views[0]
    assert back.singular == (
        SingularPoint(250, 260, "core"),
        SingularPoint(251, 300, "core"),
        SingularPoint(100, 400, "delta"),
    )
    assert codec.encode(replace(RECORD, views=(replace(view, singular=back.singular),))) == data
    for wrong in (data[:-16] + b"\1" + data[-15:], data[:-16] + b"\3" + data[-15:], data[:-4] + b"\x02" + data[-3:]):
        with pytest.raises(FormatError):
            codec.decode(wrong)


def test_blocks_of_other_types_and_angles_are_passed_over() -> None:
    """A record of another maker: ridge counts (type 1), a core and a delta with their angles."""
    more = bytes.fromhex("0021 0001 0004 00 01 02 03 0002 000e 01 40fa 0104 20 01 4064 0190 01 02 03 0101 0003 aabbcc")
    data = ISO[:8] + struct.pack(">I", len(ISO) + len(more) - 2) + ISO[12:-2] + more
    assert iso19794.decode(data).views[0].singular == (
        SingularPoint(250, 260, "core"),
        SingularPoint(100, 400, "delta"),
    )


def test_xyt_golden_lines() -> None:
    text = "10 460 270 77\n511 179 180 0\n"
    assert xyt.encode(MINUTIAE, 480) == text
    assert xyt.decode(text, 480) == (Minutia(10, 20, 90, "ending", 77), Minutia(511, 301, 0, "ending", 0))


def _random_record(rng: random.Random) -> Record:
    width, height = rng.randint(1, 2000), rng.randint(1, 2000)

    def minutia() -> Minutia:
        kind = rng.choice(("ending", "bifurcation"))
        return Minutia(rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0, 360), kind, rng.randint(0, 100))

    views = tuple(
        View(tuple(minutia() for _ in range(rng.choice((0, 1, 40, 255)))), 3, rng.choice((0, 1, 2, 3, 8)), 50, number)
        for number in range(rng.randint(1, 4))
    )
    return Record(width, height, views, rng.choice((500, 1000)))


@pytest.mark.parametrize(("codec", "unit"), [(iso19794, 360 / 256), (ansi378, 2.0)], ids=["iso", "ansi"])
def test_decoding_gives_the_record_quantised(codec, unit: float) -> None:
    rng = random.Random(5)
    for _ in range(60):
        record = _random_record(rng)
        back = codec.decode(codec.encode(record))
        assert (back.width, back.height, back.ppi) == (record.width, record.height, record.ppi)
        assert codec.encode(back) == codec.encode(record)
        for view, read in zip(record.views, back.views, strict=True):
            assert (view.position, view.impression, view.number) == (read.position, read.impression, read.number)
            for m, r in zip(view.minutiae, read.minutiae, strict=True):
                assert (m.kind, m.quality) == (r.kind, r.quality)
                assert abs(m.x - r.x) <= 1 and abs(m.y - r.y) <= 1
                assert abs((m.angle - r.angle + 180) % 360 - 180) <= unit / 2 + 1e-9


def test_long_ansi_record_uses_the_long_length_field() -> None:
    full = tuple(Minutia(1, 1, 0, "ending") for _ in range(255))
    record = Record(100, 100, tuple(View(full, position=p, number=n) for p in range(1, 11) for n in range(5)))
    data = ansi378.encode(record)
    assert data[8:10] == b"\0\0" and struct.unpack(">I", data[10:14])[0] == len(data) > 65535
    assert ansi378.decode(data) == record


def test_the_two_standards_are_told_apart() -> None:
    with pytest.raises(FormatError, match="length"):
        iso19794.decode(ANSI)
    with pytest.raises(FormatError, match="length"):
        ansi378.decode(ISO)


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (0, b"XMR", "not a minutiae record"),
        (8, b"\0\0\0\x2b", "length field"),
        (14, b"\0\x0a", "not in the"),
        (18, b"\0\x62", "resolution"),
        (20, b"\0\xc6", "square"),
        (22, b"\2", "inside a field|position|left over"),
        (23, b"\1", "reserved"),
        (24, b"\x0b", "position"),
        (25, b"\x05", "impression type"),
        (25, b"\x11", "view 1"),
        (26, b"\x65", "finger quality"),
        (27, b"\3", "inside a field|extended|not in the|position"),
        (28, b"\xc0", "type 3"),
        (33, b"\x65", "minutia quality"),
        (40, b"\0\1", "inside a field"),
    ],
)
def test_broken_records_are_refused(offset: int, value: bytes, message: str) -> None:
    broken = ISO[:offset] + value + ISO[offset + len(value) :]
    with pytest.raises(FormatError, match=message):
        iso19794.decode(broken)


@pytest.mark.parametrize(
    ("codec", "length", "body"),
    [(iso19794, "00000018 0000", ISO[14:22]), (ansi378, "001a 0103 0000 0000", ANSI[16:24])],
    ids=["iso", "ansi"],
)
def test_a_record_without_views_is_refused(codec, length: str, body: bytes) -> None:
    with pytest.raises(FormatError, match="0 views"):
        codec.decode(ISO[:8] + bytes.fromhex(length) + body + b"\0\0")


@pytest.mark.parametrize("cut", range(len(ISO)))
def test_truncated_records_are_refused(cut: int) -> None:
    with pytest.raises(FormatError):
        iso19794.decode(ISO[:cut])


def test_angle_beyond_a_full_turn_is_refused_in_ansi() -> None:
    broken = bytearray(ANSI)
    broken[34] = 180
    with pytest.raises(FormatError, match="angle 180"):
        ansi378.decode(bytes(broken))


@pytest.mark.parametrize(
    "bad",
    [
        Record(512, 480, ()),
        Record(512, 480, (View((Minutia(600, 1, 0, "ending"),)),)),
        Record(512, 480, (View((Minutia(1, 1, 0, "ending", 101),)),)),
        Record(512, 480, (View(MINUTIAE * 200),)),
        Record(512, 480, (View((), position=11),)),
        Record(512, 480, (View(()),), ppi=72),
        Record(20000, 480, (View(()),)),
    ],
)
def test_what_the_standard_cannot_hold_is_refused(bad: Record) -> None:
    with pytest.raises(FormatError):
        iso19794.encode(bad)


def test_the_best_255_are_kept_in_their_order() -> None:
    many = [Minutia(i, 0, 0, "ending", i % 101) for i in range(400)]
    kept = best(many)
    assert len(kept) == 255 and [m.x for m in kept] == sorted(m.x for m in kept)
    assert min(m.quality for m in kept) >= max(m.quality for m in many if m not in kept)


@pytest.mark.parametrize("line", ["1 2 3", "1 2 3 4 5", "a 2 3 4", "1 2 360 4", "1 2 3 101", "1 481 3 4"])
def test_bad_xyt_lines_are_named(line: str) -> None:
    with pytest.raises(FormatError, match="line 2"):
        xyt.decode(f"1 2 3 4\n{line}\n", 480)
