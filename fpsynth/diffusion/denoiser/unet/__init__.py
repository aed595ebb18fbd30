"""U-Net, ControlNet and IP-Adapter: the standard parts of diffusers and transformers."""

from fpsynth.diffusion.denoiser.unet.build import UnetSettings
from fpsynth.diffusion.denoiser.unet.load import begin_unet, load_unet
from fpsynth.diffusion.denoiser.unet.unet import UnetDenoiser

__all__ = ["UnetDenoiser", "UnetSettings", "begin_unet", "load_unet"]
