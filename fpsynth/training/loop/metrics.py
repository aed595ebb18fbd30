"""What a training run leaves to look at: metrics.jsonl and grids of images."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor


class MetricsLog:
    """metrics.jsonl: one JSON object a line, the mean of every figure since the line before."""

    def __init__(self, path: Path, from_step: int) -> None:
        """Go on after `from_step`: lines of later steps, from a run that was cut off, are dropped."""
        self._path = path
        self._seen: dict[str, list[float]] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text().splitlines() if path.exists() else []
        kept = [line for line in lines if _step_of(line) <= from_step]
        path.write_text("".join(line + "\n" for line in kept))

    def add(self, figures: Mapping[str, float]) -> None:
        """Count one step's figures; not every step need have all."""
        for name, value in figures.items():
            self._seen.setdefault(name, []).append(float(value))

    def flush(self, step: int, **extra: float) -> dict[str, float]:
        """Write the means so far as the line of `step`, and start anew."""
        means = {name: float(f"{sum(values) / len(values):.6g}") for name, values in self._seen.items()}
        line = {"step": step, **means, **extra}
        with self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        self._seen = {}
        return line


def _step_of(line: str) -> float:
    """The step of a line; infinite for the half line of a killed run."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError):
        return math.inf


def save_grid(path: Path, images: Tensor, columns: int) -> None:
    """Write (N, 1, H, W) in [-1, 1] as one PNG, `columns` to a row."""
    count, _, height, width = images.shape
    rows = math.ceil(count / columns)
    grey = ((images.detach().float().cpu().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    padded = F.pad(grey, (0, 0, 0, 0, 0, 0, 0, rows * columns - count), value=255)
    sheet = padded.view(rows, columns, height, width).permute(0, 2, 1, 3).reshape(rows * height, columns * width)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheet.numpy()).save(path)
