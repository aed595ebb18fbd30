"""U-Net, ControlNet and IP-Adapter of diffusers as a denoiser, whose directory the stock pipeline opens."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer, CLIPVisionModelWithProjection

from fpsynth.conditioning.conditions import Conditions
from fpsynth.diffusion.denoiser.protocol import Told
from fpsynth.diffusion.denoiser.unet import files
from fpsynth.diffusion.denoiser.unet.adapter import embeds_of, is_adapter

Residuals = tuple[list[Tensor], Tensor]
"""What the ControlNet adds to the U-Net's skips and to its middle."""


@dataclass(frozen=True, kw_only=True)
class UnetDenoiser:
    """image_encoder: for the IP-Adapter that the U-Net carries; None where it carries none, and hears of no style."""

    unet: UNet2DConditionModel
    controlnet: ControlNetModel
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer
    image_encoder: CLIPVisionModelWithProjection | None = None
    planes: tuple[str, ...]

    @property
    def channels(self) -> int:
        """Channels of the latents."""
        return int(self.unet.config.in_channels)

    @property
    def multiple(self) -> int:
        """Each level but the last halves the latents."""
        return int(2 ** (len(self.unet.config.block_out_channels) - 1))

    @property
    def device(self) -> torch.device:
        """Where the U-Net is."""
        device: torch.device = self.unet.device
        return device

    @property
    def dtype(self) -> torch.dtype:
        """The number format of the U-Net."""
        dtype: torch.dtype = self.unet.dtype
        return dtype

    @property
    def parts(self) -> Mapping[str, nn.Module]:
        """All that can learn."""
        seeing = {} if self.image_encoder is None else {"image_encoder": self.image_encoder}
        return {"network": self.unet, "controlnet": self.controlnet, "text_encoder": self.text_encoder, **seeing}

    def tell(self, conditions: Conditions) -> Told:
        """Encode words and style images."""
        return Told(
            text=self._text(conditions.prompts),
            planes=self._here(conditions.planes),
            style=self._style(conditions.style, conditions.styled),
            heard=None if conditions.heard is None else conditions.heard.to(self.device, self.dtype),
            control_scale=conditions.control_scale,
            style_scale=conditions.style_scale,
        )

    def _text(self, prompts: Sequence[str]) -> Tensor:
        """(B, tokens, width): cut or padded to the model's length."""
        length = self.tokenizer.model_max_length
        ids = self.tokenizer(list(prompts), padding="max_length", truncation=True, max_length=length)["input_ids"]
        words: Tensor = self.text_encoder(torch.tensor(ids, device=self.device)).last_hidden_state
        return words

    def _style(self, style: Tensor, styled: Tensor) -> Tensor:
        """(B, n, D), without gradients. Each image is encoded alone, as in any other batch; in training all at once."""
        count, each = style.shape[:2]
        if self.image_encoder is None:
            return torch.zeros(count, each, 0, device=self.device, dtype=self.dtype)
        pixels, together = style.flatten(0, 1).to(self.device, self.dtype), torch.is_grad_enabled()
        with torch.no_grad():
            if together:
                embeds = embeds_of(self.image_encoder, pixels) * styled.flatten().to(pixels)[:, None]
            else:
                embeds = pixels.new_zeros(len(pixels), self.image_encoder.config.projection_dim)
                for row in styled.flatten().nonzero()[:, 0].tolist():
                    embeds[row] = embeds_of(self.image_encoder, pixels[row : row + 1])[0]
        tokens: Tensor = embeds.view(count, each, -1)
        return tokens

    def control(self, told: Told, z: Tensor, t: Tensor) -> Residuals:
        """The ControlNet's residuals; zeros where the planes are not heard."""
        down, middle = self.controlnet(
            self._here(z),
            t,
            encoder_hidden_states=told.text,
            controlnet_cond=told.planes,
            conditioning_scale=told.control_scale,
            return_dict=False,
        )
        if told.heard is None:
            return down, middle
        kept = told.heard.view(-1, 1, 1, 1)
        return [residual * kept for residual in down], middle * kept

    def predict(self, told: Told, z: Tensor, t: Tensor, control: Residuals) -> Tensor:
        """The U-Net's output."""
        self._set_style_scale(told.style_scale)
        output = self.unet(
            self._here(z),
            t,
            encoder_hidden_states=told.text,
            down_block_additional_residuals=control[0],
            mid_block_additional_residual=control[1],
            added_cond_kwargs={"image_embeds": [told.style]},
            return_dict=False,
        )
        predicted: Tensor = output[0].float()
        return predicted

    def _set_style_scale(self, scale: float) -> None:
        """diffusers keeps it in the attention processors."""
        for processor in self.unet.attn_processors.values():
            if hasattr(processor, "to_k_ip"):
                processor.scale = [scale]

    def _here(self, x: Tensor) -> Tensor:
        return x.to(self.device, self.dtype, memory_format=torch.channels_last)

    def save(self, folder: Path) -> Mapping[str, Any]:
        """Write all parts, the adapter apart from the U-Net."""
        return files.save_parts(folder, self.parts, self.tokenizer)

    def student(self, rank: int, seed: int, start: Path | None = None) -> "UnetDenoiser":
        """The adapter stays the teacher's."""
        unet = deepcopy(self.unet)
        if rank:
            from fpsynth.diffusion.denoiser.unet.lora import with_lora

            with_lora(unet, rank, seed)
        else:
            for name, parameter in unet.named_parameters():
                parameter.requires_grad_(not is_adapter(name))
        if start is not None:
            files.take_student(unet, start)
        return replace(self, unet=unet)

    def save_student(self, folder: Path) -> None:
        """The U-Net without its adapter, or its LoRA alone."""
        files.save_student(self.unet, folder)
