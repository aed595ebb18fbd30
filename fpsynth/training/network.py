"""The parts that look at a noisy latent, as one thing with a few questions to ask."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer, CLIPVisionModelWithProjection

from fpsynth.training.batches import Batch

Residuals = tuple[list[Tensor], Tensor]
"""What the ControlNet adds to the U-Net's skips and to its middle."""


@dataclass(frozen=True)
class Words:
    """What a network is told beside the planes: text (B, tokens, width), style (B, 1, width)."""

    text: Tensor
    style: Tensor


@dataclass(frozen=True)
class Network:
    """The U-Net carries an IP-Adapter. Gradients flow wherever a part wants them."""

    unet: UNet2DConditionModel
    controlnet: ControlNetModel
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer
    image_encoder: CLIPVisionModelWithProjection

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

    def _style(self, batch: Batch) -> Tensor:
        embeds = self.image_encoder(batch.style.to(self.device, self.dtype)).image_embeds
        return embeds[:, None] * batch.styled.to(self.device, self.dtype)[:, None, None]

    def control(self, z: Tensor, t: Tensor, words: Words, batch: Batch) -> Residuals:
        """The ControlNet's residuals for noisy latents z (B, C, h, w) at t (B,); zeros where control is dropped."""
        down, mid = self.controlnet(self._here(z), t, words.text, self._here(batch.planes), return_dict=False)
        kept = batch.control.to(self.device, self.dtype).view(-1, 1, 1, 1)
        return [residual * kept for residual in down], mid * kept

    def velocity(self, z: Tensor, t: Tensor, words: Words, residuals: Residuals) -> Tensor:
        """v (B, C, h, w) float32."""
        out = self.unet(
            self._here(z),
            t,
            words.text,
            added_cond_kwargs={"image_embeds": [words.style]},
            down_block_additional_residuals=residuals[0],
            mid_block_additional_residual=residuals[1],
            return_dict=False,
        )
        return out[0].float()

    def _here(self, x: Tensor) -> Tensor:
        return x.to(self.device, self.dtype, memory_format=torch.channels_last)
