"""Between the resolution of a recipe and the one that a model was taught: what is asked for is drawn there, and the
picture brought to the one that was asked for. The truth is that of the recipe's resolution throughout."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch.nn.functional as F
from torch import Tensor

from fpsynth.diffusion.sample import Request
from fpsynth.diffusion.upscale import enlarged


@dataclass(frozen=True)
class Resolution:
    """times: how many times finer the model draws than the recipe asks: 1, 2, or half."""

    times: float

    def drawn(self, request: Request) -> Request:
        """The request as the model is to draw it."""
        if self.times == 1:
            return request
        told = request.conditioning
        planes = {name: self._resized(plane[None])[0] for name, plane in told.planes.items()}
        contact = None if told.contact is None else self._resized(told.contact[None])[0]
        flow = self._resized(request.flow.permute(2, 0, 1)).permute(1, 2, 0).contiguous()
        return replace(request, flow=flow, conditioning=replace(told, planes=planes, contact=contact))

    def picture(self, image: np.ndarray, rng: np.random.Generator, device: str) -> np.ndarray:
        """What the model drew, uint8, at the recipe's resolution."""
        if self.times == 1:
            return image
        if self.times < 1:
            return enlarged(image, rng, device)
        small = (round(side / self.times) for side in reversed(image.shape))
        return cv2.resize(image, tuple(small), interpolation=cv2.INTER_AREA)

    def _resized(self, planes: Tensor) -> Tensor:
        """(C, H, W) at the model's resolution."""
        if self.times < 1:
            return F.avg_pool2d(planes[None], round(1 / self.times))[0]
        return F.interpolate(planes[None], scale_factor=self.times, mode="bilinear")[0]
