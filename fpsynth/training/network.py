"""The parts that look at a noisy latent, as one thing with a few questions to ask."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer, CLIPVisionModelWithProjection

from fpsynth.training.batches import Batch

Residuals = tuple[list[Tensor], Tensor]
"""What the ControlNet adds to the U-Net's skips and to its middle."""


@dataclass(frozen=True)
class Words:
    """What a network is told beside the planes: text (B, tokens, width), style (B, 1, width) or None."""

    text: Tensor
    style: Tensor | None


@dataclass(frozen=True)
class Network:
    """image_encoder is None where the U-Net carries no IP-Adapter. Gradients flow wherever a part wants them."""

    unet: UNet2DConditionModel
    controlnet: ControlNetModel
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer
    image_encoder: CLIPVisionModelWithProjection | None = None

    @property
    def device(self) -> torch.device:
        """Where the U-Net is."""
        return self.unet.device

    @property
    def dtype(self) -> torch.dtype:
        """The number format of the U-Net."""
        return self.unet.dtype

    def words(self, batch: Batch) -> Words:
        """Encode prompts and style images of a batch."""
        return Words(self._text(batch.prompts), self._style(batch))

    def _text(self, prompts: Sequence[str]) -> Tensor:
        length = self.tokenizer.model_max_length
        ids = self.tokenizer(list(prompts), padding="max_length", truncation=True, max_length=length)["input_ids"]
        return self.text_encoder(torch.tensor(ids, device=self.device)).last_hidden_state

    def _style(self, batch: Batch) -> Tensor | None:
        if self.image_encoder is None:
            return None
        if batch.style is None or batch.styled is None:
            width = self.image_encoder.config.projection_dim
            return torch.zeros(len(batch.prompts), 1, width, device=self.device, dtype=self.dtype)
        embeds = self.image_encoder(batch.style.to(self.device, self.dtype)).image_embeds
        return embeds[:, None] * batch.styled.to(self.device, self.dtype)[:, None, None]

    def control(self, z: Tensor, t: Tensor, words: Words, batch: Batch) -> Residuals:
        """The ControlNet's residuals for noisy latents z (B, C, h, w) at t (B,); zeros where control is dropped."""
        down, mid = self.controlnet(self._here(z), t, words.text, self._here(batch.planes), return_dict=False)
        kept = batch.control.to(self.device, self.dtype).view(-1, 1, 1, 1)
        return [residual * kept for residual in down], mid * kept

    def velocity(self, z: Tensor, t: Tensor, words: Words, residuals: Residuals) -> Tensor:
        """v (B, C, h, w) float32."""
        added: dict[str, Any] | None = None if words.style is None else {"image_embeds": [words.style]}
        out = self.unet(
            self._here(z),
            t,
            words.text,
            added_cond_kwargs=added,
            down_block_additional_residuals=residuals[0],
            mid_block_additional_residual=residuals[1],
            return_dict=False,
        )
        return out[0].float()

    def _here(self, x: Tensor) -> Tensor:
        return x.to(self.device, self.dtype, memory_format=torch.channels_last)
