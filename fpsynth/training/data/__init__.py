"""Training data: stores of images with what is known of them, rendered once, and their latents."""

from fpsynth.training.data.bank import (
    CHUNK,
    SIZE,
    USUAL_PPI,
    Bank,
    BankSettings,
    add_images,
    build_bank,
    crop_corners,
    to_signed,
)
from fpsynth.training.data.latents import Images, LatentBank, encode_bank
from fpsynth.training.data.mixture import Labels, Mixture, draw_pattern
from fpsynth.training.data.prints import Prints, PrintSettings, build_prints
from fpsynth.training.data.store import Store

__all__ = [
    "CHUNK",
    "SIZE",
    "USUAL_PPI",
    "Bank",
    "BankSettings",
    "Images",
    "Labels",
    "LatentBank",
    "Mixture",
    "PrintSettings",
    "Prints",
    "Store",
    "add_images",
    "build_bank",
    "build_prints",
    "crop_corners",
    "draw_pattern",
    "encode_bank",
    "to_signed",
]
