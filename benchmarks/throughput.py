"""Images a second, end to end and of the network alone: teacher and students, ours against the stock pipeline.

python benchmarks/throughput.py [--images 16] [--batch 4] [--counts 16,64,256] [--workers 2]

End to end are runs of `fpsynth generate` in processes of their own: fingers, gate and writing included.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from stages import one_step, seconds
from torch.utils.flop_counter import FlopCounterMode

from fpsynth.conditioning.conditions import Conditioning
from fpsynth.diffusion.model import Model, load_model, natural_dtype
from fpsynth.diffusion.sample import Request, sample
from fpsynth.diffusion.settings import Settings
from fpsynth.model_folder import default_model, student_folder

SIDE = 512
PROMPT = "a good quality plain fingerprint, whorl, optical sensor"
RUNS = {
    "teacher, 25 steps, cfg_scale 1.5": ("sampling.student=none", "sampling.steps=25", "sampling.cfg_scale=1.5"),
    "student, 4 steps, cfg_scale 1.25": ("sampling.steps=4", "sampling.cfg_scale=1.25"),
    "student, 4 steps": ("sampling.steps=4", "sampling.cfg_scale=1"),
    "student, 2 steps": ("sampling.steps=2", "sampling.cfg_scale=1"),
    "virtual": ("sampling.model=virtual",),
}


WATCHED = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stderr=subprocess.DEVNULL).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""
"""Runs a command and says the peak memory of it: a process's count begins at the memory of the one that forks it."""


def generated(out: Path, images: int, sets: tuple[str, ...], *options: str) -> tuple[float, float, float]:
    """(seconds of the whole command, seconds that it counted, peak MiB of it and its workers) of a run."""
    sets = (f"identities={images // 4}", "impressions=4", "gate.retries=0", *sets)
    command = [sys.executable, "-m", "fpsynth", "generate", "quickstart", "-o", str(out), "--json", *options]
    command += [word for pair in sets for word in ("--set", pair)]
    start = time.perf_counter()
    run = subprocess.run([sys.executable, "-c", WATCHED, *command], stdout=subprocess.PIPE, text=True)
    if run.returncode not in (0, 3):
        raise SystemExit(f"{' '.join(command)}: exit code {run.returncode}")
    told, peak = run.stdout.splitlines()
    return time.perf_counter() - start, float(json.loads(told)["seconds"]), int(peak) / 1024


def end_to_end(images: int) -> Iterator[tuple[str, ...]]:
    """A line for each kind of run."""
    for name, sets in RUNS.items():
        with tempfile.TemporaryDirectory() as home:
            whole, counted, _ = generated(Path(home) / "out", images, sets)
        yield name, f"{images / counted:.2f}", f"{whole - counted:.1f}"


def growing(counts: list[int]) -> Iterator[tuple[str, ...]]:
    """Time an image, and memory, as the work grows (the student without guidance)."""
    for images in counts:
        with tempfile.TemporaryDirectory() as home:
            _, counted, peak = generated(Path(home) / "out", images, RUNS["student, 4 steps"])
        yield f"{images}", f"{counted / images:.3f}", f"{peak:.0f}"


def side_by_side(images: int, workers: int) -> Iterator[tuple[str, ...]]:
    """One worker on one core, and so many of them, each on one."""
    cores = sorted(os.sched_getaffinity(0))
    os.environ["OMP_NUM_THREADS"] = "1"
    for count in (1, workers):
        os.sched_setaffinity(0, cores[:count])
        with tempfile.TemporaryDirectory() as home:
            sets = (*RUNS["student, 4 steps"], "output.shard_images=8")
            _, counted, _ = generated(Path(home) / "out", images, sets, "--workers", str(count))
        yield f"{count} of one core each", f"{images / counted:.2f}"
    os.sched_setaffinity(0, cores)
    del os.environ["OMP_NUM_THREADS"]


def networks(batch: int) -> Iterator[tuple[str, ...]]:
    """Sampling and decoding alone, of one batch: ours and the stock pipeline's, with the same student and steps."""
    model = load_model(default_model(), student="default")
    requests = [asked(model, number) for number in range(batch)]
    settings = Settings(seed=0, steps=4)
    with torch.inference_mode():
        ours = seconds(lambda: sample(model, settings, requests), 3) / batch
        step = one_step(model, settings, requests)
        pace, work = seconds(step, 5) / batch, flops(step) / batch
    stock = seconds(stock_pipeline(batch), 3) / batch
    peak = matrix_peak(model.denoiser.dtype)
    yield "4 steps, decoding and finisher, ours", f"{ours:.3f} s an image"
    yield "the stock pipeline, the same student", f"{stock:.3f} s an image, {stock / ours:.1f} times as long"
    yield "one step of U-Net and ControlNet", f"{pace:.3f} s and {work / 1e9:.0f} GFLOP an image"
    yield "which is", f"{work / pace / 1e9:.0f} GFLOP/s"
    yield "convolutions of this machine reach", f"{peak / 1e9:.0f} GFLOP/s ({100 * work / pace / peak:.0f} % of it)"


def asked(model: Model, number: int) -> Request:
    """Some planes: what is in them costs nothing."""
    drawn = torch.rand(len(model.denoiser.planes), SIDE, SIDE, generator=torch.Generator().manual_seed(number))
    planes = dict(zip(model.denoiser.planes, drawn, strict=True))
    flow = torch.stack(torch.meshgrid(torch.arange(float(SIDE)), torch.arange(float(SIDE)), indexing="xy"), -1)
    told = Conditioning(planes=planes, prompt=PROMPT)
    return Request(conditioning=told, flow=flow, master=(704, 576), identity=number, impression=0)


def stock_pipeline(batch: int) -> Callable[[], object]:
    """diffusers' own, with our weights, in the same number format."""
    from diffusers import StableDiffusionControlNetPipeline, TCDScheduler

    home = default_model()
    pipe = StableDiffusionControlNetPipeline.from_pretrained(home, dtype=natural_dtype("cpu"))
    pipe.load_lora_weights(student_folder(home, "default"))
    pipe.scheduler = TCDScheduler.from_pretrained(student_folder(home, "default") / "scheduler")
    pipe.set_progress_bar_config(disable=True)
    planes = torch.rand(batch, 3, SIDE, SIDE)
    return lambda: pipe([PROMPT] * batch, image=planes, num_inference_steps=4, guidance_scale=1.0, output_type="np")


def flops(work: Callable[[], object]) -> float:
    """Floating point operations of a call: of its matrix products and convolutions."""
    with FlopCounterMode(display=False) as counter:
        work()
    return float(counter.get_total_flops())


def matrix_peak(dtype: torch.dtype) -> float:
    """What a large convolution of this number format reaches here, operations a second."""
    conv = torch.nn.Conv2d(256, 256, 3, padding=1).to(dtype, memory_format=torch.channels_last)
    x = torch.randn(4, 256, 64, 64).to(dtype, memory_format=torch.channels_last)
    with torch.inference_mode():
        return flops(lambda: conv(x)) / seconds(lambda: conv(x), 9)


def show(title: str, heads: tuple[str, ...], lines: Iterator[tuple[str, ...]]) -> None:
    table = Table(*heads, title=title, title_justify="left")
    for line in lines:
        table.add_row(*line)
    Console().print(table)


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--counts", default="16,64,256")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    show(f"Networks alone, {SIDE} x {SIDE}, {torch.get_num_threads()} threads", ("", ""), networks(options.batch))
    heads = ("run", "images a second", "start-up, s")
    show(f"End to end, {options.images} images of 4 a finger", heads, end_to_end(options.images))
    show("Workers", ("", "images a second"), side_by_side(2 * options.images, options.workers))
    counts = [int(word) for word in options.counts.split(",")]
    show("As the work grows", ("images", "s an image", "peak MiB"), growing(counts))


if __name__ == "__main__":
    main()
