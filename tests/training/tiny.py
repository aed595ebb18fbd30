"""A bank, an autoencoder and settings small enough for tests. The pictures are waves, not prints."""

from dataclasses import dataclass

import numpy as np
import torch
from diffusers import AutoencoderKL

from fpsynth.console import Console
from fpsynth.training.autoencoder import AutoencoderSettings, new_autoencoder
from fpsynth.training.batches import CropSettings
from fpsynth.training.data import CHUNK, SIZE, Bank, Labels, add_images, to_signed
from fpsynth.training.denoiser import DenoiserSettings
from fpsynth.training.loop import LoopSettings

CROPS = CropSettings(sizes={64: 1.0})
WORDS = {
    "quality": "good", "acquisition": "plain", "pattern": "left_loop", "skin": "normal", "pressure": "normal",
    "surface": None,
}  # fmt: skip


QUIET = Console("quiet")


def quiet(text):
    pass


class Cut(Exception):
    """What a run is cut off with."""


@dataclass(frozen=True)
class CutAt(Console):
    """A console that cuts the run off when it tells of this step, which is before the step is saved."""

    mode: str = "human"
    step: int = 0

    def note(self, text):
        if text.startswith(f"step {self.step} "):
            raise Cut


def cut_at(step):
    return CutAt(step=step)


def wave_bank(folder) -> Bank:
    """64 images of waves; the planes are the wave itself, the whole image in contact, an even load, the wave again.

    Sensor "ink" prints it black on white, "optical" the other way round; the two devices of each differ in background.
    """
    add_images(folder, *waves())
    return Bank(folder)


def waves():
    """Images, planes by name and labels."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    images, planes, labels = [], [], []
    for k in range(CHUNK):
        angle, device = 2 * np.pi * k / 16, k // 16
        wave = (1 + np.sin((np.cos(angle) * x + np.sin(angle) * y) * 2 * np.pi / 9)) / 2
        seen = 1 - wave if device < 2 else wave
        images.append((40 + 30 * (device % 2) + 140 * seen).astype(np.uint8))
        planes.append((255 * np.stack([wave, np.ones_like(wave), 0.5 * np.ones_like(wave), wave])).astype(np.uint8))
        labels.append(Labels(k % 16, device, WORDS | {"sensor": "ink" if device < 2 else "optical"}))
    by_name = dict(zip(("ridge", "contact", "load", "touch"), torch.from_numpy(np.stack(planes, 1)), strict=True))
    return torch.from_numpy(np.stack(images)), by_name, labels


def wave_autoencoder(bank: Bank, folder) -> AutoencoderKL:
    """The closed-form encoder of the bank's images, saved, with an untrained decoder."""
    images = to_signed(torch.stack([bank.image(i) for i in range(0, CHUNK, 8)])[:, None])
    settings = AutoencoderSettings(stage="autoencoder", loop=loop(1))
    vae = new_autoencoder(settings, images)
    vae.save_pretrained(folder)
    return vae


def loop(steps, **changes) -> LoopSettings:
    """Short and precise."""
    usual = {"steps": steps, "batch": 4, "learning_rate": 2e-3, "warmup": 5, "precision": "fp32", "ema": 0.5}
    return LoopSettings(**usual | {"log_every": 5} | changes)


def denoiser_settings(home, **changes) -> DenoiserSettings:
    """A small denoiser for the encoder in home/encoder."""
    usual = {"stage": "denoiser", "autoencoder": home / "encoder", "crops": CROPS}
    usual["network"] = {"kind": "unet", "widths": (64, 64)}
    return DenoiserSettings(**usual | {"loop": loop(30)} | changes)
