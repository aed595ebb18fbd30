"""NIST's judges, or our own extractor, on one image; what is systematically wrong where the truth does not fit it."""

from collections.abc import Callable, Sequence

import numpy as np

from fpsynth.extractor import PPI, Extractor, Found, Tally, compare, extract, mindtct
from fpsynth.inspect.measure.record import Judged
from fpsynth.minutiae import Minutia

FITS = 0.6
"""A recall below it asks for an explanation; a turned, mirrored or shifted truth that reaches it is one."""
FEW = 8
"""With fewer true minutiae, nothing is explained."""
CHANCE = 0.25
"""An explanation must better the recall by this much."""
FARTHEST = 120
"""Shifts up to this many pixels are looked for."""


def judge(extractor: Extractor, image: np.ndarray, ppi: float, truth: Sequence[Minutia] | None) -> Judged | None:
    """What this extractor, and NIST's judges where it is theirs, say of a grey image; None where they refuse it."""
    if extractor == "mindtct":
        return judge_image(image, ppi, truth)
    found = extract(extractor, image, ppi)
    tally, wrong = _truth(truth, found, image, ppi)
    return Judged(
        nfiq2=None, features={}, found=len(found), template=b"", tally=tally, wrong=wrong, extractor=extractor
    )


def judge_image(image: np.ndarray, ppi: float, truth: Sequence[Minutia] | None) -> Judged | None:
    """NFIQ2, mindtct and the truth of a grey image; None where mindtct itself refuses the image."""
    import nbis

    encoded, score, features = mindtct.png_at_500(image, ppi), None, {}
    try:
        template = mindtct.extractor(quality=True).extract_minutiae(encoded)
        quality = template.quality()
        score, features = quality.score, {v.name: float(v.value) for v in quality.features}
    except nbis.NbisError:
        try:
            template = mindtct.extractor().extract_minutiae(encoded)
        except nbis.NbisError:
            return None
    found = mindtct.points(template)
    stored = template.to_iso_19794_2_2005()
    tally, wrong = _truth(truth, found, image, ppi)
    return Judged(nfiq2=score, features=features, found=len(found), template=stored, tally=tally, wrong=wrong)


def _truth(
    truth: Sequence[Minutia] | None, found: Sequence[Found], image: np.ndarray, ppi: float
) -> tuple[Tally | None, str | None]:
    """How much of the truth was found, and what is wrong with it; nothing where there is none."""
    if truth is None:
        return None, None
    scaled = [m._replace(x=m.x * PPI / ppi, y=m.y * PPI / ppi) for m in truth]
    width, height = image.shape[1] * PPI / ppi, image.shape[0] * PPI / ppi
    return compare(scaled, found), explain(scaled, found, width, height)


def explain(truth: Sequence[Minutia], found: Sequence[Found], width: float, height: float) -> str | None:
    """What is wrong with a truth that the image does not show: its angles, its sides or its place. None: nothing is."""
    recall = compare(truth, found).recall
    if len(truth) < FEW or recall >= FITS:
        return None
    name, best = "", 0.0
    for candidate, change in _changes(truth, found, width, height).items():
        changed = compare([change(m) for m in truth], found).recall
        if changed > best:
            name, best = candidate, changed
    return name if best >= max(FITS, recall + CHANCE) else None


Change = Callable[[Minutia], Minutia]


def _changes(truth: Sequence[Minutia], found: Sequence[Found], width: float, height: float) -> dict[str, Change]:
    dx, dy = _shift(truth, found)
    return {
        "angles point the other way": lambda m: m._replace(angle=m.angle + 180),
        "angles run clockwise": lambda m: m._replace(angle=-m.angle),
        "angles run clockwise and point the other way": lambda m: m._replace(angle=180 - m.angle),
        "image mirrored left to right": lambda m: m._replace(x=width - 1 - m.x, angle=180 - m.angle),
        "image mirrored top to bottom": lambda m: m._replace(y=height - 1 - m.y, angle=-m.angle),
        "image turned by 180 degrees": lambda m: m._replace(x=width - 1 - m.x, y=height - 1 - m.y, angle=m.angle + 180),
        f"minutiae shifted by {-dx:.0f}, {-dy:.0f} pixels": lambda m: m._replace(x=m.x + dx, y=m.y + dy),
    }


def _shift(truth: Sequence[Minutia], found: Sequence[Found]) -> tuple[float, float]:
    """The shift that most pairs of like direction agree on (a vote in 8 pixel cells, then their mean)."""
    a = np.array([(m.x, m.y, m.angle) for m in truth])
    b = np.array([(f.x, f.y, f.angle) for f in found]).reshape(-1, 3)
    step = b[None] - a[:, None]
    like = np.abs((step[..., 2] + 180) % 360 - 180) < 20
    near = like & (np.abs(step[..., :2]).max(-1) < FARTHEST)
    moves = step[near][:, :2]
    if not len(moves):
        return 0.0, 0.0
    close = (np.abs(moves[:, None] - moves[None]) < 8).all(-1)
    chosen = moves[close[close.sum(1).argmax()]].mean(0)
    return float(chosen[0]), float(chosen[1])
