"""The closed vocabularies: pattern classes, finger positions and the words of the prompt. No dependencies."""

from typing import Final

PATTERNS: Final = ("arch", "tented_arch", "left_loop", "right_loop", "whorl", "double_loop")

NATURAL_SHARES: Final = {
    "arch": 0.037,
    "tented_arch": 0.029,
    "left_loop": 0.338,
    "right_loop": 0.317,
    "whorl": 0.223,
    "double_loop": 0.056,
}
"""Natural class shares: A, T, L, R as the NIST prior, its whorls (27.9 %) split 4:1 into plain and double loops."""

FINGERS: Final = (
    "unknown", "right_thumb", "right_index", "right_middle", "right_ring", "right_little",
    "left_thumb", "left_index", "left_middle", "left_ring", "left_little",
)  # fmt: skip
"""ISO/IEC 19794 finger positions: the index in this tuple is the position code 0..10."""

ACQUISITIONS: Final = ("plain", "rolled", "partial", "slap", "latent")
SENSORS: Final = ("optical", "capacitive", "thermal", "ink", "latent", "contactless")
QUALITIES: Final = ("excellent", "good", "fair", "poor", "very poor")
SKINS: Final = ("normal", "dry", "wet")
PRESSURES: Final = ("light", "normal", "firm")
SURFACES: Final = ("glass", "card", "plastic", "metal", "paper")

FORMATS: Final[dict[str, str]] = {"parquet": "Parquet shards", "png": "PNG files"}
"""How the files of a dataset lie, in words. Each is the module of that name in fpsynth.dataset.formats."""

SIDECARS: Final[dict[str, str]] = {"iso19794-2": ".fmr", "ansi378": ".378", "xyt": ".xyt", "json": ".json"}
"""Minutiae files that stand beside an image, and the endings of their names."""
