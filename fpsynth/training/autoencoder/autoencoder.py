"""The autoencoder stage: an encoder in closed form, and a decoder that learns to undo it.

The encoder is a linear transform of blocks of pixels, written exactly into the weights of a diffusers AutoencoderKL. So
the latents are final before any training, and the denoiser may learn beside the decoder.

transform dct: all 64 coefficients of 8 x 8 blocks. This program undoes it exactly. The decoder is for diffusers alone,
and cannot do as well: stride 8 turns a wave of period 8 into constant latents, and nearest-neighbour upsampling and
convolutions cannot make a wave of a constant (ridges are 7 to 10 pixels apart).
transform pca: the leading components of 4 x 4 blocks, partly whitened, which only the decoder turns into images.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from diffusers import AutoencoderKL
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveInt
from torch import Tensor

from fpsynth.console import Console
from fpsynth.diffusion.bundle import forget_origins
from fpsynth.diffusion.codec.block_transform import BlockTransform, block_dct, block_pca
from fpsynth.diffusion.codec.closed_form import read_encoder, write_encoder
from fpsynth.errors import UserError
from fpsynth.training.batches import Side
from fpsynth.training.data import Bank, BankSettings, crop_corners, to_signed
from fpsynth.training.loop import Learner, LoopSettings, differing, fast_group_norm, fit, note_origin, step_generator

SHAPE = ("transform", "block_out_channels", "layers_per_block", "norm_num_groups", "latent_channels", "fit_images")
"""Keys that decide, with bank and seed, what an autoencoder is before it learns."""


class AutoencoderSettings(BaseModel):
    """A recipe of this stage."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: Literal["autoencoder"]
    bank: Path | BankSettings = Field(default_factory=BankSettings)
    loop: LoopSettings
    transform: Literal["pca", "dct"] = Field(default="pca", description="what the encoder is; dct keeps everything")
    block_out_channels: tuple[PositiveInt, ...] = (16, 32, 64)
    layers_per_block: PositiveInt = 1
    norm_num_groups: PositiveInt = 8
    latent_channels: PositiveInt = 4
    fit_images: PositiveInt = Field(default=256, description="images that the encoder is computed from")
    crop: Side = Field(default=128, description="pixels along a training crop's side")
    noise: NonNegativeFloat = Field(default=0.15, description="most noise that a crop's latents get in training")
    edges: NonNegativeFloat = Field(default=1.0, description="weight of the error of the gradients")

    @property
    def factor(self) -> int:
        """Pixels a latent cell."""
        return int(2 ** (len(self.block_out_channels) - 1))


class AutoencoderJob:
    """Crops of the bank; their latents with a little noise; the decoder's error."""

    def __init__(self, vae: AutoencoderKL, bank: Bank, settings: AutoencoderSettings) -> None:
        transform = read_encoder(vae)
        if transform is None:
            raise UserError("the autoencoder stage needs the encoder that it computes itself")
        self._encode, self._bank, self._settings = transform.encode, bank, settings
        self.decoder = vae.decoder

    @property
    def learners(self) -> tuple[Learner, ...]:
        return (Learner(modules={"decoder": self.decoder}, loss=self.loss),)

    def loss(self, step: int, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Mapping[str, float]]:
        generator = step_generator(self._settings.loop.seed, step)
        images = self._crops(generator)
        latents = self._encode(images)
        amount = torch.rand(len(images), 1, 1, 1, generator=generator) * self._settings.noise
        noisy = latents + amount * torch.randn(latents.shape, generator=generator)
        decoded = self.decoder(_placed(noisy, device, dtype)).float()
        return reconstruction_loss(decoded, images.to(device), self._settings.edges)

    def _crops(self, generator: torch.Generator) -> Tensor:
        """Of every two crops the one with more in it, mirrored at random: much of an image is empty."""
        count, size = self._settings.loop.batch, self._settings.crop
        index = torch.randint(len(self._bank), (2 * count,), generator=generator)
        top, left = crop_corners(generator, 2 * count, size, 1)
        places = zip(index, top, left, strict=True)
        crops = torch.stack([self._bank.image_crop(int(i), int(y), int(x), size) for i, y, x in places])
        images = torch.unflatten(to_signed(crops[:, None]), 0, (count, 2))
        fuller = images.flatten(2).std(2).argmax(1)
        chosen = images[torch.arange(count), fuller]
        mirrored = torch.rand(count, 1, 1, 1, generator=generator) < 0.5
        return torch.where(mirrored, chosen.flip(-1), chosen)

    def grid(self) -> Tensor:
        """Eight crops of the bank, each with what the decoder makes of it on its right."""
        chosen = torch.arange(8) * max(len(self._bank) // 8, 1) % len(self._bank)
        images = to_signed(torch.stack([self._bank.image_crop(int(i), 128, 128, 256) for i in chosen])[:, None])
        weight = next(self.decoder.parameters())
        decoded = self.decoder(_placed(self._encode(images), weight.device, weight.dtype)).float().cpu()
        return torch.stack([images, decoded], 1).flatten(0, 1)


def _placed(x: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    return x.to(device, dtype, memory_format=torch.channels_last)


def reconstruction_loss(decoded: Tensor, images: Tensor, edges: float) -> tuple[Tensor, dict[str, float]]:
    """Mean absolute error plus `edges` times that of the differences between neighbours; figures: both and PSNR."""
    error = decoded - images
    plain = error.abs().mean()
    steps = error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
    psnr = 10 * torch.log10(4 / error.detach().square().mean().clamp_min(1e-12))
    return plain + edges * steps, {"l1": float(plain.detach()), "edges": float(steps.detach()), "psnr": float(psnr)}


def new_autoencoder(settings: AutoencoderSettings, images: Tensor) -> AutoencoderKL:
    """An autoencoder whose encoder is computed from images (N, 1, H, W) in [-1, 1] and whose decoder is untrained.

    Raises UserError for a shape that cannot hold the transform, or cannot be.
    """
    groups = settings.norm_num_groups
    if odd := [width for width in settings.block_out_channels if width % groups]:
        raise UserError(f"block_out_channels: {odd[0]} is no multiple of norm_num_groups, {groups}")
    torch.manual_seed(settings.loop.seed)
    levels = len(settings.block_out_channels)
    vae = AutoencoderKL(
        in_channels=1,
        out_channels=1,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=settings.block_out_channels,
        layers_per_block=settings.layers_per_block,
        latent_channels=settings.latent_channels,
        norm_num_groups=settings.norm_num_groups,
        sample_size=512,
        scaling_factor=1.0,  # the transform is normalised, so its latents have standard deviation 1 as they are
        mid_block_add_attention=False,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )
    write_encoder(vae, transform_of(settings, images))
    return vae


def transform_of(settings: AutoencoderSettings, images: Tensor) -> BlockTransform:
    """The encoder as a matrix. Raises UserError for a cosine transform that would leave something out."""
    if settings.transform == "pca":
        return block_pca(images, settings.factor, settings.latent_channels)
    if settings.latent_channels != settings.factor**2:
        raise UserError(f"transform dct keeps everything: it needs {settings.factor**2} latent_channels")
    return block_dct(settings.factor)


def run_autoencoder(settings: AutoencoderSettings, bank: Bank, out: Path, device: str, console: Console) -> None:
    """Write out/encoder/ (encoder final, decoder untrained), then train the decoder and write out/vae/."""
    vae = AutoencoderKL.from_pretrained(_begun(settings, bank, out / "encoder", console))
    job = AutoencoderJob(vae, bank, settings)
    fast_group_norm(vae.decoder)
    fit(job, settings.loop, out, device, console)
    vae.save_pretrained(out / "vae")
    forget_origins(out)
    console.note(f"autoencoder: {out / 'vae'}")


def check_shape(settings: AutoencoderSettings) -> None:
    """Raises UserError for settings of which no autoencoder comes, whatever the images."""
    new_autoencoder(settings, torch.zeros(1, 1, settings.factor, settings.factor))


def _begun(settings: AutoencoderSettings, bank: Bank, folder: Path, console: Console) -> Path:
    """The folder of the untrained autoencoder, which is made where there is none by these settings of this bank."""
    origin = {key: getattr(settings, key) for key in SHAPE} | {"seed": settings.loop.seed, "bank": bank.digest}
    if differing(folder, origin) != []:
        half = folder.with_name(f".{folder.name}.partial")
        for gone in (half, folder):
            shutil.rmtree(gone, ignore_errors=True)
        _new(settings, bank).save_pretrained(half)
        note_origin(half, origin)
        half.rename(folder)
        console.note(f"encoder computed: {folder}")
    return folder


def _new(settings: AutoencoderSettings, bank: Bank) -> AutoencoderKL:
    """With the encoder of images that are spread over the bank."""
    stride = max(len(bank) // settings.fit_images, 1)
    images = torch.stack([bank.image(i) for i in range(0, len(bank), stride)])
    return new_autoencoder(settings, to_signed(images[:, None]))
