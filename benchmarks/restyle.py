"""Restyling by parts: by the planes alone, as `fpsynth edit restyle` does, and with what image editing adds elsewhere.

    python benchmarks/restyle.py [--prints 16] [--steps 16] [--model DIR] [--finish]

inversion: the source's own noise, by DDIM backwards under its own words (Song et al. 2021), in place of fresh noise.
attention: besides, the U-Net's self-attention maps, noted as the source is drawn from that noise again, act in the
first share of the steps (Liu et al., Towards understanding cross and self-attention, CVPR 2024). By the model itself,
without a student, whose few steps do not invert; with --finish its finisher, which learnt from a student, ends the
pictures. Virtual optical prints of all qualities are restyled to other sensors. recall, spurious: mindtct's reliable
minutiae of the source in the result, and those that the source has not; distance: energy distance in NFIQ2's measures
to renders of that sensor. Needs the extra `judges`.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import torch
from edit import kept, virtual, written
from knobs.sets import Bench, distance
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from fpsynth.diffusion.looks import Look, looks_of
from fpsynth.diffusion.sample import Request, course_of, finished, grey, noise_of, noise_source
from fpsynth.diffusion.samplers import Course, Predict, sampler_of
from fpsynth.edit.studio import Order, Studio
from fpsynth.making.model import request, sampling_settings
from fpsynth.model_folder import default_model
from fpsynth.recipe import load_recipe
from fpsynth.recipe.bundled import bundled_recipes

SENSORS = ("capacitive", "thermal")
SHARES = (0.25, 0.5)
"""Of the steps, in which the source's attention acts."""


def main() -> None:
    """Restyle in every way and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prints", type=int, default=16)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--model", type=Path, default=default_model())
    parser.add_argument("--finish", action="store_true")
    options = parser.parse_args()
    work = Path(mkdtemp(prefix="restyle-"))
    table = Table(title=f"{options.prints} prints, {options.steps} steps, in {work}")
    for column in ("to", "by", "recall", "spurious", "distance"):
        table.add_column(column, justify="right")
    for row in rows(options.prints, options.steps, options.model, options.finish, work):
        table.add_row(*row)
    Console().print(table)


def rows(count: int, steps: int, model: Path, finish: bool, work: Path) -> Iterator[tuple[str, ...]]:
    """The lines of the table."""
    bench, prints = Bench(model, work, "default"), virtual(count)
    targets = {sensor: studio(model, "restyle", f"prompt.sensor={sensor}") for sensor in SENSORS}
    restyling = Restyling(studio(model, "refine"), targets, steps, finish)
    made: dict[tuple[str, str], dict[str, np.ndarray]] = defaultdict(dict)
    for path in sorted(written(work / "source", prints).glob("*.png")):
        for sensor, way, image in restyling.ways(path):
            made[sensor, way][path.stem] = image
    for sensor in SENSORS:
        aim = bench.look(written(work / f"renders {sensor}", virtual(count, (sensor,))))
        for way in (way for to, way in made if to == sensor):
            images = made[sensor, way]
            tally = kept(prints, images)
            away = distance(bench.look(written(work / f"{sensor} {way}", images)), aim)
            yield sensor, way, f"{tally.recall:.3f}", f"{tally.spurious:.3f}", f"{away:.2f}"


def studio(model: Path, verb: str, *told: str) -> Studio:
    """Where prints are sketched by a verb, and drawn by the model itself."""
    overrides = (f"sampling.model={model}", "sampling.student=null", *told)
    order = Order(verb=verb, images=(), out=Path("unused"), overrides=overrides)
    return Studio(order, load_recipe(bundled_recipes()["edit"], overrides))


class Restyling:
    """Restyles prints in every way. source, targets: where prints are sketched to be read, and to be restyled."""

    def __init__(self, source: Studio, targets: Mapping[str, Studio], steps: int, finish: bool) -> None:
        self._source, self._targets, self._model, self._finish = source, targets, source.model, finish
        self._maps = Maps(self._model.denoiser.parts["network"])
        self._settings = replace(sampling_settings(source.recipe), scheduler="ddim", steps=steps, eta=0.0)
        self._course = course_of(self._model, self._settings)

    @torch.inference_mode()
    def ways(self, path: Path) -> Iterator[tuple[str, str, np.ndarray]]:
        """What the print at this path comes to, by sensor and way."""
        given, source = self._told(self._source, path)
        assert given.canvas is not None
        latents = given.canvas.latents[None].to(self._model.denoiser.device)
        own = inverted(source.predict, latents, self._course)
        self._sampled(self._maps.noting(source.predict), own)
        for sensor, desk in self._targets.items():
            asked, target = self._told(desk, path)
            drawn = noise_source(self._model, self._settings, asked).start()
            fresh = noise_of(self._model, [drawn], [asked.even])
            starts = {"planes": (fresh, 0.0), "inversion": (own, 0.0), **{f"attention {x}": (own, x) for x in SHARES}}
            for way, (start, share) in starts.items():
                first = {int(t) for t in self._course.times[: round(share * len(self._course.times))]}
                latents = self._sampled(self._maps.acting(target.predict, first), start)
                picture = self._model.codec.decode(latents)
                if self._finish:
                    picture = finished(self._model, target.told, picture, drawn[None])
                yield sensor, way, grey(picture)[0].numpy()

    def _told(self, desk: Studio, path: Path) -> tuple[Request, Look]:
        """A print as a studio sketches it, and how the model sees it."""
        asked = request(self._model, desk.task(path).scene)
        (look,) = looks_of(self._model, self._settings, [asked.conditioning])
        return asked, look

    def _sampled(self, predict: Predict, start: Tensor) -> Tensor:
        return sampler_of("ddim").sample(predict, start, lambda _: start, self._course)


def inverted(predict: Predict, latents: Tensor, course: Course) -> Tensor:
    """The noise at the first time from which DDIM comes to these latents, to the accuracy of its steps."""
    z = latents
    for step in reversed(course.steps):
        t = course.times[step]
        at = t if course.after(step) is None else course.times[step + 1]
        x0, noise = course.schedule.split(z, predict(z, at), at)
        a, s = course.schedule.scales(t)
        z = a * x0 + s * noise
    return z


class Maps:
    """A U-Net's self-attention maps, noted in one sampling by their times, to act in another."""

    def __init__(self, unet: nn.Module) -> None:
        attentions = [module for name, module in unet.named_modules() if name.endswith("attn1")]
        self._layers = [Layer() for _ in attentions]
        for attention, layer in zip(attentions, self._layers, strict=True):
            attention.set_processor(layer)

    def noting(self, predict: Predict) -> Predict:
        """The prediction, its maps noted."""
        return lambda z, t: self._through(predict, z, t, noting=True)

    def acting(self, predict: Predict, times: set[int]) -> Predict:
        """The prediction by the noted maps at these times, by its own at others."""
        return lambda z, t: self._through(predict, z, t, acting=int(t) in times)

    def _through(self, predict: Predict, z: Tensor, t: Tensor, noting: bool = False, acting: bool = False) -> Tensor:
        for layer in self._layers:
            layer.time, layer.noting, layer.acting = int(t), noting, acting
        output = predict(z, t)
        for layer in self._layers:
            layer.noting = layer.acting = False
        return output


@dataclass
class Layer:
    """How one attention computes: as diffusers' AttnProcessor does, and with noted maps where these are to act."""

    time: int = 0
    noting: bool = False
    acting: bool = False
    maps: dict[int, Tensor] = field(default_factory=dict)

    def __call__(self, attn: Any, x: Tensor, *_: Any, **__: Any) -> Tensor:
        """(B, tokens, width) -> the same."""
        query, key, value = (attn.head_to_batch_dim(into(x)) for into in (attn.to_q, attn.to_k, attn.to_v))
        weights = self.maps[self.time] if self.acting else attn.get_attention_scores(query, key)
        if self.noting:
            self.maps[self.time] = weights
        out: Tensor = attn.to_out[0](attn.batch_to_head_dim(weights @ value))
        return out


if __name__ == "__main__":
    main()
