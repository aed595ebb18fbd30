"""How alike captures of a finger are at each capture.variation: quartiles of mated scores of virtual renders.

Prints the tables of fpsynth/inspect/measure/variation.py, by NIST's bozorth3 and by the bundled embedding.

python benchmarks/variation.py [--fingers 24] [--impressions 4] [--side 512]
"""

import argparse
from itertools import combinations

import numpy as np
import torch

from fpsynth.extractor.mindtct import extractor, png_at_500
from fpsynth.finger import Master, make_finger
from fpsynth.impression import CaptureSettings, capture
from fpsynth.inspect.measure.comparisons import Comparer
from fpsynth.inspect.measure.likeness import cosines, embedder
from fpsynth.rng import Stream, generator
from fpsynth.sensor import draw_device, render
from fpsynth.vocabulary import NATURAL_SHARES

SEED = 919_191
VARIATIONS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
QUALITIES = ("good", "poor")


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fingers", type=int, default=24)
    parser.add_argument("--impressions", type=int, default=4)
    parser.add_argument("--side", type=int, default=512)
    options = parser.parse_args()
    torch.set_num_threads(1)
    fingers = [grown(identity) for identity in range(options.fingers)]
    for quality in QUALITIES:
        for variation in VARIATIONS:
            how = CaptureSettings(width=options.side, height=options.side, quality=quality, variation=variation)
            for name, scores in mated_scores(fingers, how, options.impressions).items():
                low, middle, high = np.percentile(scores, (25, 50, 75))
                print(f"{name} {quality} {variation:g}: ({low:.3f}, {middle:.3f}, {high:.3f})", flush=True)


def grown(identity: int) -> Master:
    """A finger of a natural pattern."""
    pattern = generator(SEED, Stream.PLAN, identity).choice(list(NATURAL_SHARES), p=list(NATURAL_SHARES.values()))
    return make_finger(generator(SEED, Stream.FINGER, identity), str(pattern))


def mated_scores(fingers: list[Master], how: CaptureSettings, impressions: int) -> dict[str, np.ndarray]:
    """Scores of all pairs of captures of the same finger, by matcher."""
    images = [taken(finger, how, i, k) for i, finger in enumerate(fingers) for k in range(impressions)]
    starts = range(0, len(images), impressions)
    pairs = [pair for start in starts for pair in combinations(range(start, start + impressions), 2)]
    templates = [bytes(extractor().extract_minutiae(png_at_500(x, 500)).to_iso_19794_2_2005()) for x in images]
    vectors = np.stack([embedder().describe([image]).identity[0] for image in images])
    return {"bozorth3": np.array(Comparer().scores(templates, pairs)), "cosine": cosines(vectors, np.array(pairs))}


def taken(finger: Master, how: CaptureSettings, identity: int, impression: int) -> np.ndarray:
    """A capture by an optical sensor."""
    rng = generator(SEED, Stream.CAPTURE, identity, impression)
    return render(capture(finger, how, rng), draw_device("optical", rng), rng).numpy()


if __name__ == "__main__":
    main()
