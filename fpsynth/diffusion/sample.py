"""Sampling: a batch of impressions, of any identities and styles, from noise to images.

Our own loop over the standard parts, since the stock pipeline lets every image of a batch attend to every style image
and cannot share noise between impressions. Without either it does what the stock pipeline does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fpsynth.conditioning.conditions import Conditioning
from fpsynth.diffusion.canvas import Canvas, begun, keeping, start_on
from fpsynth.diffusion.denoiser.guidance import Towards, moved
from fpsynth.diffusion.denoiser.protocol import Told
from fpsynth.diffusion.finisher import code_of
from fpsynth.diffusion.looks import looks_of, seen, united
from fpsynth.diffusion.model import Model
from fpsynth.diffusion.noise import Node, NoiseSource, evened
from fpsynth.diffusion.samplers import Course, make_course, sampler_of
from fpsynth.diffusion.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Request:
    """One image.

    conditioning  what it is to show
    flow          (H, W, 2): the master pixel (x, y) under each image pixel
    master        (rows, columns) of the master that flow points into
    canvas        what it starts from and keeps, if anything; all requests of a batch have one strength
    even          whether its noise is evened: not where the tone, and with it the sensor, is for the noise to choose
    """

    conditioning: Conditioning
    flow: Tensor
    master: tuple[int, int]
    identity: int
    impression: int
    attempt: int = 0
    canvas: Canvas | None = None
    even: bool = True

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.flow.shape[0], self.flow.shape[1]


@dataclass(frozen=True)
class Sampled:
    """image (H, W) uint8; shared: how many noise injections were the identity's."""

    image: np.ndarray
    shared: int


@torch.inference_mode()
def sample(
    model: Model, settings: Settings, requests: Sequence[Request], towards: Sequence[Towards] = ()
) -> list[Sampled]:
    """The images of one batch; all requests have the same size. Each image is what it would be alone (to rounding).

    towards: gradients that guide the batch.
    """
    sampler, course = sampler_of(settings.scheduler), course_of(model, settings)
    looks = looks_of(model, settings, [request.conditioning for request in requests])
    predict = seen(looks)
    for gradient in towards:
        predict = moved(predict, gradient, model.schedule)
    sources = [noise_source(model, settings, request) for request in requests]
    noise = [source.start() for source in sources]
    even = [request.even for request in requests]
    start = noise_of(model, noise, even)
    canvases = [request.canvas for request in requests if request.canvas is not None]
    if canvases:
        course = begun(course, canvases[0].strength)
        predict, start = keeping(predict, canvases, model.schedule), start_on(canvases, start, course)
    latents = sampler.sample(predict, start, lambda i: noise_of(model, [s.injection(i) for s in sources], even), course)
    pictures = model.codec.decode(latents)
    if settings.finish:
        pictures = united(looks, [finished(model, look.told, pictures, torch.stack(noise)) for look in looks])
    shared = sum(settings.sharing.shares(step) for step in course.injects if step >= course.begin)
    return [Sampled(image.numpy(), shared) for image in grey(pictures)]


def finished(model: Model, told: Told, pictures: Tensor, noise: Tensor) -> Tensor:
    """The pictures (B, 1, H, W) as the model's finisher ends them, as far as the planes are to act.

    noise: that they were drawn from, on pixels.
    """
    share = min(told.control_scale, 1.0)
    if model.finisher is None or share == 0:
        return pictures
    stirred = model.finisher.shape.stir * noise.to(pictures.device)
    ended = model.finisher(pictures, told.planes, stirred, code_of(told))
    return torch.lerp(pictures, ended, share)


def course_of(model: Model, settings: Settings) -> Course:
    """The times to stop at. Raises UserError for steps that the sampler cannot take."""
    name, device = settings.scheduler, str(model.denoiser.device)
    return make_course(name, sampler_of(name), model.schedule, settings.steps, settings.eta, device)


def noise_source(model: Model, settings: Settings, request: Request) -> NoiseSource:
    """The noise of one request."""
    node = Node(
        seed=settings.seed,
        identity=request.identity,
        impression=request.impression,
        attempt=request.attempt,
        flow=request.flow,
        master=request.master,
    )
    cell = model.codec.grain
    height, width = (side // cell for side in request.size)
    return NoiseSource(node, settings.sharing, (1 if cell == 1 else model.codec.channels, height, width), cell)


def noise_of(model: Model, each: Sequence[Tensor], even: Sequence[bool]) -> Tensor:
    """The noise of a batch's latents, where the denoiser is: turned on the CPU, in float32; noise on pixels evened."""
    if model.codec.grain == 1:
        each = [evened(noise) if wanted else noise for noise, wanted in zip(each, even, strict=True)]
    return model.codec.white(torch.stack(list(each))).to(model.denoiser.device)


def grey(images: Tensor) -> Tensor:
    """(B, 1, H, W) in [-1, 1] -> (B, H, W) uint8 on the CPU."""
    return ((images[:, 0] / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8).cpu()
