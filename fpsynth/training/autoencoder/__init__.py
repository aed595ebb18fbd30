"""The autoencoder stage: the space that a denoiser works in."""

from fpsynth.training.autoencoder.autoencoder import (
    AutoencoderSettings,
    check_shape,
    new_autoencoder,
    run_autoencoder,
)

__all__ = ["AutoencoderSettings", "check_shape", "new_autoencoder", "run_autoencoder"]
