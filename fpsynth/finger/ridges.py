"""The master ridge pattern, grown from noise by repeated oriented filtering.

As SFinGe grows ridges with local Gabor filters (Cappelli, Maio & Maltoni, "Synthetic fingerprint-image generation",
ICPR 2000), but the filter is steerable (Freeman & Adelson, "The design and use of steerable filters", PAMI 1991):
its angular part cos^2N(phi - theta) is a sum of N+1 harmonics, so one set of inverse FFTs filters every pixel along
its own orientation. Minutiae are where the growing ridges cannot agree: none is placed by hand.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fpsynth.finger.fields import column, frequencies, one_by_one

HARMONICS = 6
BANDWIDTH = 0.28
"""Standard deviation of the radial band, as a share of its centre frequency."""


SHIFT = 0.15
"""Two bands, this much (in log period) to either side of the mean, are mixed to follow the local period."""


def grow(noise: Tensor, orientation: Tensor, period: Tensor, rounds: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Ridges from noise. noise, orientation, period (in samples) (B, H, W). Returns the waves and their quadratures.

    The wave is the even response, the quadrature the odd one taken across the ridge in the direction
    orientation + 90 degrees; together they give the phase of the ridge pattern.
    """
    filters = Filters.along(orientation, period)
    wave, stops = noise, column(rounds, noise.device)
    for done in range(max(rounds)):
        wave = torch.where(stops > done, saturated(filters(wave)), wave)
    even = filters(wave)
    return even, quadrature(even, orientation)


@dataclass(frozen=True)
class Filters:
    """A filter for each sample of (B, H, W), along its orientation and at its period."""

    bank: Tensor
    weights: Tensor

    @classmethod
    def along(cls, orientation: Tensor, period: Tensor) -> "Filters":
        """orientation, period (in samples) (B, H, W)."""
        mean, angular = one_by_one(torch.mean, period.log()), _weights(orientation)
        share = (0.5 + (period.log() - mean) / (2 * SHIFT))[:, None]
        centres = [torch.exp(mean + shift).flatten().tolist() for shift in (SHIFT, -SHIFT)]
        height, width = period.shape[-2:]
        bank = torch.cat([_bank(height, width, centre, period.device) for centre in centres], 1)
        return cls(bank, torch.cat([share * angular, (1 - share) * angular], 1))

    def __call__(self, wave: Tensor) -> Tensor:
        """The response of each sample's own filter."""
        return _filtered(wave, self.bank, self.weights)


def saturated(response: Tensor) -> Tensor:
    """Responses (B, H, W) as ridges of even height."""
    return torch.tanh(2 * response / one_by_one(torch.std, response))


def _bank(height: int, width: int, periods: Sequence[float], device: torch.device) -> Tensor:
    """(B, 2N+1, H, W/2+1): the radial band times 1, cos(2n phi), sin(2n phi) for n = 1..N."""
    fx, fy = frequencies(height, width, device)
    centre, spread = column([1 / p for p in periods], device), column([BANDWIDTH / p for p in periods], device)
    band = torch.exp(-0.5 * ((torch.hypot(fx, fy) - centre) / spread) ** 2)
    phi = torch.atan2(fy, fx)
    turns = [f(2 * n * phi) for n in range(1, HARMONICS + 1) for f in (torch.cos, torch.sin)]
    return torch.stack([band, *(band * turn for turn in turns)], 1)


def _weights(orientation: Tensor) -> Tensor:
    """(..., 2N+1, H, W): the Fourier series of cos^2N(phi - normal), normal = orientation + 90 degrees."""
    share = [math.comb(2 * HARMONICS, HARMONICS - n) / 4**HARMONICS for n in range(HARMONICS + 1)]
    normal = orientation + math.pi / 2
    terms = [torch.full_like(orientation, share[0])]
    terms += [2 * share[n] * f(2 * n * normal) for n in range(1, HARMONICS + 1) for f in (torch.cos, torch.sin)]
    return torch.stack(terms, -3)


def _filtered(wave: Tensor, bank: Tensor, weights: Tensor) -> Tensor:
    """Each pixel's response to the filter that lies along its own orientation."""
    spectrum = torch.fft.rfft2(wave)[..., None, :, :] * bank
    responses: Tensor = (torch.fft.irfft2(spectrum, s=wave.shape[-2:]) * weights).sum(-3)
    return responses


def quadrature(wave: Tensor, orientation: Tensor) -> Tensor:
    """The Riesz transform (Felsberg & Sommer, "The monogenic signal", 2001) taken along the ridge normal."""
    fx, fy = frequencies(wave.shape[-2], wave.shape[-1], wave.device)
    radius = torch.hypot(fx, fy).clamp_min(1e-9)
    spectrum = torch.fft.rfft2(wave)
    riesz_x, riesz_y = (torch.fft.irfft2(-1j * f / radius * spectrum, s=wave.shape[-2:]) for f in (fx, fy))
    normal = orientation + math.pi / 2
    across: Tensor = torch.cos(normal) * riesz_x + torch.sin(normal) * riesz_y
    return across
