"""The closed vocabularies below the slots: pattern classes and finger positions. No dependencies."""

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
