"""The sampling loop: a batch of impressions, of any identities and styles, from noise to images.

Our own loop over the standard parts, since the stock pipeline lets every image of a batch attend to every style image
and cannot share noise between impressions. Without either it does what the stock pipeline does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fpsynth.diffusion.model import Model
from fpsynth.diffusion.noise import Node, NoiseSource, Sharing
from fpsynth.diffusion.samplers import make_sampler


@dataclass(frozen=True)
class Settings:
    """How to sample; names as in the recipe's `sampling` part. eta None: the sampler's usual one."""

    seed: int
    steps: int = 4
    scheduler: str = "tcd"
    cfg_scale: float = 1.0
    control_scale: float = 1.0
    style_scale: float = 0.6
    shared_steps: int = 0
    shared_order: str = "last"
    transport: str = "skin"
    eta: float | None = None

    @property
    def sharing(self) -> Sharing:
        """Who shares which noise."""
        return Sharing(self.shared_steps, self.steps, self.shared_order, self.transport)


@dataclass(frozen=True)
class Request:
    """One image: planes (3, H, W) in [0, 1], prompt, style (h, w) uint8 or None, flow (H, W, 2), and whose noise."""

    planes: Tensor
    prompt: str
    style: Tensor | None
    flow: Tensor
    identity: int
    impression: int
    attempt: int = 0


@dataclass(frozen=True)
class Sampled:
    """image (H, W) uint8; shared: how many noise injections were the identity's."""

    image: np.ndarray
    shared: int


@dataclass(frozen=True)
class Conditions:
    """What the networks are told, with the unguided half first where there is guidance."""

    text: Tensor
    planes: Tensor
    style: Tensor
    control_scale: float
    cfg_scale: float

    @property
    def guided(self) -> bool:
        """Whether the batch is doubled for classifier-free guidance."""
        return self.cfg_scale > 1


@torch.inference_mode()
def sample(model: Model, settings: Settings, requests: Sequence[Request]) -> list[Sampled]:
    """The images of one batch; all requests have the same size. Each image is what it would be alone (to rounding)."""
    sampler = make_sampler(settings.scheduler, model.schedule, settings.steps, model.device, settings.eta)
    conditions = prepare(model, settings, requests)
    sources = [noise_source(model, settings, request) for request in requests]
    latents = torch.stack([source.start() for source in sources]).to(model.device) * sampler.scheduler.init_noise_sigma
    for step in range(len(sampler.times)):
        seen = sampler.scaled(latents, step)
        output = denoise(model, conditions, seen, sampler.times[step])
        latents = sampler.step(
            output, step, latents, lambda i: torch.stack([source.injection(i) for source in sources])
        )
    shared = sum(settings.sharing.shares(step) for step in sampler.injects)
    return [Sampled(image.numpy(), shared) for image in model.decode(latents)]


def noise_source(model: Model, settings: Settings, request: Request) -> NoiseSource:
    """The noise of one request."""
    node = Node(settings.seed, request.identity, request.impression, request.attempt, request.flow)
    height, width = request.planes.shape[-2:]
    shape = (model.unet.config.in_channels, height // model.factor, width // model.factor)
    return NoiseSource(node, settings.sharing, shape, model.factor)


def prepare(model: Model, settings: Settings, requests: Sequence[Request]) -> Conditions:
    """Encode words, planes and style images, and set how strongly styles act."""
    text = model.text([request.prompt for request in requests])
    planes = torch.stack([request.planes for request in requests]).to(model.device, model.dtype)
    style = model.style([request.style for request in requests])
    styled = any(request.style is not None for request in requests)
    set_style_scale(model, settings.style_scale if styled else 1.0)
    if settings.cfg_scale > 1:
        text = torch.cat([model.text([""] * len(requests)), text])
        planes, style = torch.cat([planes, planes]), torch.cat([torch.zeros_like(style), style])
    return Conditions(text, planes, style, settings.control_scale, settings.cfg_scale)


def set_style_scale(model: Model, scale: float) -> None:
    """How strongly the IP-Adapter's tokens act."""
    for processor in model.unet.attn_processors.values():
        if hasattr(processor, "to_k_ip"):
            processor.scale = [scale]


def denoise(model: Model, conditions: Conditions, latents: Tensor, time: Tensor) -> Tensor:
    """The guided network output, float32 (Ho & Salimans 2022: u + w (c - u))."""
    seen = torch.cat([latents, latents]) if conditions.guided else latents
    seen = seen.to(model.dtype)
    down, middle = model.controlnet(
        seen,
        time,
        encoder_hidden_states=conditions.text,
        controlnet_cond=conditions.planes,
        conditioning_scale=conditions.control_scale,
        return_dict=False,
    )
    output = model.unet(
        seen,
        time,
        encoder_hidden_states=conditions.text,
        down_block_additional_residuals=down,
        mid_block_additional_residual=middle,
        added_cond_kwargs={"image_embeds": [conditions.style]},
        return_dict=False,
    )[0].float()
    if not conditions.guided:
        return output
    unguided, told = output.chunk(2)
    return unguided + conditions.cfg_scale * (told - unguided)
