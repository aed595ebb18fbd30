"""What editing prints keeps and what it changes.

    python benchmarks/edit.py [--prints 24] [--images FOLDER] [--reference FOLDER] [--work DIR] [--set KEY=VALUE]...

The prints are virtual optical ones of all qualities, or those of --images at 500 ppi. Each is refined at several
strengths, restyled to other sensors, and, of its left three fifths, completed. recall, spurious: mindtct's reliable
minutiae of the print in what was made of it, and those that the print has not. distance: energy distance in NFIQ2's
measures to --reference. At the seam: how far ridges within 16 pixels beyond it turn from the whole print's (median);
and mindtct's reliable minutiae within 16 pixels of it, beside those farther out. Last, prints of 1000 ppi are
reduced to 500 and upscaled. Needs the extra `judges`.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from knobs.sets import Bench, Seen, distance
from PIL import Image
from rich.console import Console as Terminal
from rich.table import Table

from fpsynth.console import Console
from fpsynth.edit.run import edit
from fpsynth.edit.studio import Order
from fpsynth.extractor import Found, Tally, compare, extract
from fpsynth.extractor.match import STRONG
from fpsynth.extractor.own import orientation, see
from fpsynth.finger import make_finger
from fpsynth.impression import CaptureSettings, capture
from fpsynth.model_folder import default_model
from fpsynth.rng import Stream, generator
from fpsynth.sensor import draw_device, render
from fpsynth.slots import words_of
from fpsynth.vocabulary import PATTERNS

SEED = 24_112
STRENGTHS = (0.15, 0.3, 0.45, 0.6, 0.75)
SENSORS = ("capacitive", "ink", "thermal")
PART = 0.6
"""Share of a print's width that is kept to be completed."""
BAND, SMOOTH = 16, 5.0
"""Pixels beyond the seam; standard deviation of the window of an orientation."""


def main() -> None:
    """Edit, measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prints", type=int, default=24)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--reference", type=Path)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    options = parser.parse_args()
    work = options.work or Path(mkdtemp(prefix="edit-"))
    prints = real(options.images, options.prints) if options.images else virtual(options.prints)
    studio = Studio(prints, options.reference, work, tuple(options.overrides))
    table = Table(title=f"{len(prints)} prints, in {work}")
    for column in ("what", "recall", "spurious", "distance"):
        table.add_column(column, justify="right")
    for row in studio.rows():
        table.add_row(*row)
    Terminal().print(table, studio.seams(), studio.fine(options.prints), sep="\n")


def virtual(count: int, sensors: Sequence[str] = ("optical",), ppi: int = 500) -> dict[str, np.ndarray]:
    """Prints by name, of all qualities, by these sensors in turn."""
    qualities = words_of("quality")
    made = {}
    for number in range(count):
        finger = make_finger(generator(SEED, Stream.FINGER, number), PATTERNS[number % len(PATTERNS)])
        rng = generator(SEED, Stream.CAPTURE, number)
        side, quality = 512 * ppi // 500, qualities[number % len(qualities)]
        impression = capture(finger, CaptureSettings(width=side, height=side, ppi=ppi, quality=quality), rng)
        device = draw_device(sensors[number % len(sensors)], rng)
        made[f"{number:03}"] = render(impression, device, rng).numpy()
    return made


def real(folder: Path, count: int) -> dict[str, np.ndarray]:
    """The first pictures of a folder, by name."""
    paths = sorted(path for path in folder.iterdir() if path.suffix in (".png", ".tif", ".bmp"))
    return {path.stem: np.asarray(Image.open(path).convert("L")) for path in paths[:count]}


class Studio:
    """Edits the same prints again and again, in folders under `work`."""

    def __init__(
        self, prints: dict[str, np.ndarray], reference: Path | None, work: Path, overrides: tuple[str, ...]
    ) -> None:
        self.prints, self._work, self._overrides = prints, work, overrides
        self._bench = Bench(default_model(), work, "default")
        self._reference = None if reference is None else self._bench.look(reference)
        self._source = written(work / "source", prints)

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The lines of the table."""
        yield "the prints", "", "", self._distance(self._source)
        for strength in STRENGTHS:
            yield self._row(f"refine {strength}", self._edited("refine", f"refine-{strength}", strength=strength))
        for sensor in SENSORS:
            told = f"prompt.sensor={sensor}"
            yield self._row(f"restyle {sensor}", self._edited("restyle", f"restyle-{sensor}", told))

    def seams(self) -> str:
        """A line on what was completed."""
        parts = {name: image[:, : _seam(image)] for name, image in self.prints.items()}
        blank = {name: _widened(part, self.prints[name]) for name, part in parts.items()}
        folder = self._edited("complete", "complete", "prompt.sensor=optical", of=written(self._work / "parts", blank))
        made = _pictures(folder)
        cuts = {name: _seam(self.prints[name]) for name in made}
        turns = np.concatenate([_turns(self.prints[name], made[name], cuts[name]) for name in made])
        near, far = (np.sum([_minutiae(made[name], cuts[name], at) for name in made], 0) for at in (True, False))
        rates = " and ".join(f"{count / area:.1f}" for count, area in (near, far))
        return (
            f"completed: ridges turn by {np.median(turns):.1f} degrees; minutiae in 100 mm2, seam and beyond: {rates}"
        )

    def fine(self, count: int) -> str:
        """A line on virtual prints of 1000 ppi that were reduced to 500 and upscaled again."""
        real = virtual(count, ("optical", "capacitive", "ink", "thermal"), ppi=1000)
        coarse = {name: _halved(image).round().astype(np.uint8) for name, image in real.items()}
        made = _pictures(self._edited("upscale", "upscale", of=written(self._work / "coarse", coarse)))
        wrong = [np.mean((_halved(made[name]) - coarse[name]) ** 2) for name in made]
        found = kept(real, made, 1000).recall
        power = np.median([_fine_power(made[name]) / _fine_power(real[name]) for name in made])
        signal = 10 * np.log10(255**2 / np.mean(wrong))
        return (
            f"upscaled: means {signal:.1f} dB from the coarse, recall {found:.3f}, fine power {power:.2f} of a render's"
        )

    def _edited(self, verb: str, name: str, *told: str, strength: float = 0.3, of: Path | None = None) -> Path:
        order = Order(
            verb=verb,
            images=(of or self._source,),
            out=self._work / name,
            overrides=(*self._overrides, *told),
            strength=strength,
        )
        edit(order, Console("quiet"))
        return order.out

    def _row(self, what: str, folder: Path) -> tuple[str, ...]:
        made = _pictures(folder)
        total = kept(self.prints, made)
        return what, f"{total.recall:.3f}", f"{total.spurious:.3f}", self._distance(folder)

    def _distance(self, folder: Path) -> str:
        if self._reference is None:
            return ""
        seen: Seen = self._bench.look(folder)
        return f"{distance(seen, self._reference):.2f}"


def written(folder: Path, pictures: dict[str, np.ndarray]) -> Path:
    """The folder, with pictures of 500 ppi in it, by their names."""
    folder.mkdir(parents=True, exist_ok=True)
    for stem, picture in pictures.items():
        Image.fromarray(picture).save(folder / f"{stem}.png", dpi=(500, 500))
    return folder


def _pictures(folder: Path) -> dict[str, np.ndarray]:
    return {path.stem: np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png"))}


def kept(prints: dict[str, np.ndarray], made: dict[str, np.ndarray], ppi: float = 500) -> Tally:
    """mindtct's reliable minutiae of the prints in what was made of them."""
    tallies = [compare(_strong(prints[name], ppi), extract("mindtct", made[name], ppi)) for name in made]
    return Tally(*(sum(column) for column in zip(*tallies, strict=True)))


def _strong(image: np.ndarray, ppi: float = 500) -> list[Found]:
    return [f for f in extract("mindtct", image, ppi) if f.reliability >= STRONG]


def _halved(image: np.ndarray) -> np.ndarray:
    """Means of four pixels."""
    height, width = (side // 2 for side in image.shape)
    halved: np.ndarray = image.astype(float).reshape(height, 2, width, 2).mean((1, 3))
    return halved


def _fine_power(image: np.ndarray) -> float:
    """The power of what half the resolution cannot show."""
    height, width = image.shape
    power = np.abs(np.fft.fft2(image - image.mean())) ** 2
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])
    return float(power[frequency > 0.25].sum())


def _seam(image: np.ndarray) -> int:
    """The column at which a print is cut: a share of where its ridges are."""
    columns = np.flatnonzero(see(image).mask.any(0))
    return int(columns[0] + PART * (columns[-1] - columns[0]))


def _widened(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """The part on a plain ground as large as the whole."""
    ground = np.full_like(whole, int(np.percentile(whole, 95)))
    ground[:, : part.shape[1]] = part
    return ground


def _turns(whole: np.ndarray, made: np.ndarray, seam: int) -> np.ndarray:
    """Degrees between the ridges of both in the band beyond the seam, where both have any."""
    band, seen = (slice(None), slice(seam, seam + BAND)), [see(image) for image in (whole, made)]
    both = seen[0].mask[band] & seen[1].mask[band]
    one, other = (orientation(each.wave, SMOOTH)[0][band][both] for each in seen)
    turned: np.ndarray = np.degrees(np.abs((one - other + np.pi / 2) % np.pi - np.pi / 2))
    return turned


def _minutiae(made: np.ndarray, seam: int, at_seam: bool) -> tuple[int, float]:
    """How many reliable ones lie within BAND pixels of the seam, or farther out; and the area of ridges, 100 mm2."""
    columns = np.arange(made.shape[1])
    here = np.abs(columns - seam) <= BAND if at_seam else columns > seam + BAND
    area = float((see(made).mask & here).sum()) * (25.4 / 500) ** 2
    return sum(bool(here[int(f.x)]) for f in _strong(made)), area / 100


if __name__ == "__main__":
    main()
