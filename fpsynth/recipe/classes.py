"""Which pattern classes a finger of a hand tends to have."""

from collections.abc import Mapping

from fpsynth.vocabulary import NATURAL_SHARES

RADIAL = (0.02, 0.35, 0.03, 0.02, 0.01)
"""Share of radial loops among loops, thumb to little finger."""

BENDS: Mapping[str, tuple[float, ...]] = {
    "whorl": (1.45, 1.1, 0.65, 1.4, 0.45),
    "double_loop": (1.9, 1.0, 0.7, 0.8, 0.6),
    "arch": (0.5, 1.9, 1.4, 0.5, 0.5),
    "tented_arch": (0.5, 1.9, 1.4, 0.5, 0.5),
}
"""How much more often than on an average finger, thumb to little finger."""


def class_shares(position: int) -> dict[str, float]:
    """Class shares of a finger position (ISO 0..10): the natural shares, bent by the known tendencies.

    Loops open towards the little finger (ulnar) except on index fingers, where radial loops are usual; whorls favour
    thumbs and ring fingers, arches index fingers (Galton's tables; Cummins & Midlo, "Finger prints, palms and soles",
    1943). As printed, a right hand's ulnar loop opens to the right.
    """
    if position == 0:
        return dict(NATURAL_SHARES)
    finger, right = (position - 1) % 5, position <= 5  # 0 thumb .. 4 little
    loops = NATURAL_SHARES["left_loop"] + NATURAL_SHARES["right_loop"]
    ulnar, radial = ("right_loop", "left_loop") if right else ("left_loop", "right_loop")
    weights = {**NATURAL_SHARES, ulnar: loops * (1 - RADIAL[finger]), radial: loops * RADIAL[finger]}
    bent = {name: weight * (BENDS[name][finger] if name in BENDS else 1.0) for name, weight in weights.items()}
    return {name: weight / sum(bent.values()) for name, weight in bent.items()}
