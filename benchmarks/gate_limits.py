"""What the gate may ask of an image: writes fpsynth/gate/limits.json from virtual renders, and prints it as a table.

    python benchmarks/gate_limits.py [--fingers 24] [--side 384]

Every sensor with every word of quality and skin, on the same fingers; about 7 minutes on one core.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from itertools import product
from typing import Any

import numpy as np
from scipy.optimize import isotonic_regression

from fpsynth.extractor import Extractor, compare, extract, mindtct
from fpsynth.finger import Master, grow_masters
from fpsynth.gate.limits import TABLE, usual_of
from fpsynth.impression import CaptureSettings, capture
from fpsynth.rng import Stream, generator
from fpsynth.sensor import draw_device, render
from fpsynth.slots import words_of
from fpsynth.vocabulary import PATTERNS

Tally = tuple[float, float, int]
"""Recall, share of spurious minutiae, number of true ones."""
SEED = 770_001
EXTRACTORS: tuple[Extractor, ...] = ("mindtct", "skeleton")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fingers", type=int, default=24)
    parser.add_argument("--side", type=int, default=384)
    options = parser.parse_args()
    if reason := mindtct.missing():
        raise SystemExit(f"NIST's tools are needed: {reason}")
    rngs = [generator(SEED, Stream.FINGER, i) for i in range(options.fingers)]
    fingers = grow_masters(rngs, [PATTERNS[i % len(PATTERNS)] for i in range(len(rngs))], [0] * len(rngs))
    table: dict[str, Any] = {extractor: defaultdict(lambda: defaultdict(dict)) for extractor in EXTRACTORS}
    slots = (words_of(slot) for slot in ("sensor", "quality", "skin"))
    for number, (sensor, quality, skin) in enumerate(product(*slots)):
        settings = CaptureSettings(
            width=options.side, height=options.side, quality=quality, skin=skin,
            acquisition="latent" if sensor == "latent" else "plain",
        )  # fmt: skip
        for extractor, figures in tallies(fingers, settings, sensor, number).items():
            usual = usual_of(*zip(*figures, strict=True))
            table[extractor][sensor][quality][skin] = list(astuple(usual))
            said = f"{extractor:9}{sensor:12}{quality:10}{skin:7}"
            print(said, *(f"{value:.3f}" for value in astuple(usual)), flush=True)
    TABLE.write_text(json.dumps(smoothed(table), indent=1) + "\n", encoding="utf-8")


def smoothed(table: Mapping[str, Any]) -> dict[str, Any]:
    """Poorer quality never shows more: means, and the spreads of all skins, by isotonic regression over its words."""
    result: dict[str, Any] = {}
    for extractor, sensors in table.items():
        for sensor, qualities in sensors.items():
            skins = list(next(iter(qualities.values())))
            cells = np.array([[qualities[q][skin] for skin in skins] for q in qualities])  # (5, 3, 4)
            for skin in range(len(skins)):
                cells[:, skin, 0] = isotonic_regression(cells[:, skin, 0], increasing=False).x
                cells[:, skin, 2] = isotonic_regression(cells[:, skin, 2]).x
            spreads = np.sqrt((cells[..., 1::2] ** 2).mean(1))  # (5, 2)
            for of in range(2):
                cells[..., 1 + 2 * of] = isotonic_regression(spreads[:, of]).x[:, None]
            rows = dict(zip(qualities, cells.round(3).tolist(), strict=True))
            result.setdefault(extractor, {})[sensor] = {q: dict(zip(skins, r, strict=True)) for q, r in rows.items()}
    return result


def tallies(
    fingers: Sequence[Master], settings: CaptureSettings, sensor: str, number: int
) -> dict[Extractor, list[Tally]]:
    """Extractor -> (recall, spurious, true minutiae) of a capture of each finger."""
    found: dict[Extractor, list[Tally]] = {extractor: [] for extractor in EXTRACTORS}
    for i, finger in enumerate(fingers):
        impression = capture(finger, settings, generator(SEED, Stream.CAPTURE, number, i))
        device = draw_device(sensor, generator(SEED, Stream.DEVICE, number, i))
        image = np.asarray(render(impression, device, generator(SEED, Stream.RENDER, number, i)))
        if not impression.minutiae:
            continue
        for extractor in EXTRACTORS:
            tally = compare(impression.minutiae, extract(extractor, image, settings.ppi), impression.contact.numpy())
            found[extractor].append((tally.recall, tally.spurious, len(impression.minutiae)))
    return found


if __name__ == "__main__":
    main()
