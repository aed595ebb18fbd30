"""Where the time of `make demo` goes: every stage on its own, on one image or one batch, and the memory at the end.

python benchmarks/stages.py [--model DIR] [--student NAME] [--batch 4] [--repeat 5] [--threads N]
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from fpsynth import gate
from fpsynth.conditioning.conditions import Conditioning
from fpsynth.conditioning.planes import control_planes
from fpsynth.dataset import DatasetSpec, DatasetWriter, Renderer, Row
from fpsynth.diffusion.denoiser.guidance import predictor
from fpsynth.diffusion.looks import conditions_of
from fpsynth.diffusion.model import Model, load_model
from fpsynth.diffusion.sample import (
    Request,
    course_of,
    finished,
    noise_of,
    noise_source,
    sample,
)
from fpsynth.diffusion.settings import Settings
from fpsynth.extractor import chosen
from fpsynth.finger import make_finger
from fpsynth.impression import CaptureSettings, Impression, capture
from fpsynth.model_folder import default_model
from fpsynth.sensor import draw_device, render


def seconds(work: Callable[[], object], repeat: int) -> float:
    """Median seconds of a call, after one to warm up."""
    work()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def row_of(impression: Impression, image: np.ndarray) -> Row:
    return Row(
        image=image,
        identity=0,
        impression=0,
        subject=0,
        words={"pattern": "whorl", "acquisition": "plain", "sensor": "optical", "quality": "good", "skin": "normal"},
        prompt="",
        seed=0,
        minutiae=impression.minutiae,
        renderer=Renderer("virtual"),
    )


def write_shard(rows: list[Row]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        writer = DatasetWriter(Path(folder) / "out", DatasetSpec(name="bench", splits={"train": 1}))
        writer.prepare()
        writer.write(0, iter(rows))


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=default_model())
    parser.add_argument("--student", default="default")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    start = time.perf_counter()
    model = load_model(options.model, student=None if options.student == "none" else options.student)
    loading = time.perf_counter() - start
    table = Table(title=f"512 x 512, {options.threads} threads, {str(model.denoiser.dtype).removeprefix('torch.')}")
    table.add_column("stage")
    table.add_column("seconds an image", justify="right")
    for stage, value in measured(model, options.batch, options.repeat):
        table.add_row(stage, f"{value:.3f}")
    table.add_row("loading the model (once)", f"{loading:.2f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    table.add_row("peak memory", f"{peak:.2f} GiB")
    Console().print(table)


def measured(model: Model, batch: int, repeat: int) -> list[tuple[str, float]]:
    """(stage, seconds an image) of every stage."""
    finger = make_finger(np.random.default_rng(1), "whorl")
    impression = capture(finger, CaptureSettings(), np.random.default_rng(2))
    device = draw_device("optical", np.random.default_rng(3))
    settings = Settings(seed=0, shared_steps=2, cfg_scale=1.25)
    prompt = "a good quality plain fingerprint, whorl, optical sensor"
    planes = model.denoiser.planes
    told = Conditioning(planes=dict(zip(planes, control_planes(impression, planes), strict=True)), prompt=prompt)
    asked = Request(conditioning=told, flow=impression.flow, master=(704, 576), identity=0, impression=0)
    requests = [replace(asked, impression=i) for i in range(batch)]
    image = sample(model, settings, requests)[0].image
    contact = impression.contact.numpy()
    with torch.inference_mode():
        stages = {
            "finger (once an identity)": (lambda: make_finger(np.random.default_rng(1), "whorl"), 1),
            "impression": (lambda: capture(finger, CaptureSettings(), np.random.default_rng(2)), 1),
            "virtual render": (lambda: render(impression, device, np.random.default_rng(4)), 1),
            "control planes, words, style": (
                lambda: model.denoiser.tell(
                    conditions_of(model, settings, [request.conditioning for request in requests])
                ),
                batch,
            ),
            "noise": (lambda: [noise_source(model, settings, r).start() for r in requests], batch),
            "sampling, one step": (one_step(model, settings, requests), batch),
            "decoding": (decoding(model, requests), batch),
            "finishing": (finishing(model, settings, requests), batch),
            "4 steps and all after them": (lambda: sample(model, settings, requests), batch),
            "writing (Parquet, 32 images)": (lambda: write_shard([row_of(impression, image)] * 32), 32),
        }
        stages[f"gate ({chosen()})"] = (lambda: gate.judge(image, impression.minutiae, contact, 500), 1)
        return [(name, seconds(work, repeat) / share) for name, (work, share) in stages.items()]


def starts_of(model: Model, requests: list[Request]) -> torch.Tensor:
    noise = [noise_source(model, Settings(seed=0), request).start() for request in requests]
    return noise_of(model, noise, [request.even for request in requests])


def one_step(model: Model, settings: Settings, requests: list[Request]) -> Callable[[], object]:
    predict = predictor(
        model.denoiser,
        conditions_of(model, settings, [request.conditioning for request in requests]),
        settings.cfg_scale,
    )
    latents, time = starts_of(model, requests), course_of(model, settings).times[0]
    return lambda: predict(latents, time)


def decoding(model: Model, requests: list[Request]) -> Callable[[], object]:
    latents = starts_of(model, requests)
    return lambda: model.codec.decode(latents)


def finishing(model: Model, settings: Settings, requests: list[Request]) -> Callable[[], object]:
    told = model.denoiser.tell(conditions_of(model, settings, [request.conditioning for request in requests]))
    noise = torch.stack([noise_source(model, settings, request).start() for request in requests])
    pictures = model.codec.decode(starts_of(model, requests))
    return lambda: finished(model, told, pictures, noise)


if __name__ == "__main__":
    main()
