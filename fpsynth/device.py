"""Which torch device a command works on."""

import os

from fpsynth.errors import UserError

DEVICES = ("cpu", "cuda", "auto")


def choose_device(name: str) -> str:
    """cpu or cuda; auto is cuda where there is one. Raises UserError for what is not there."""
    import torch

    if name not in DEVICES:
        raise UserError(f"--device {name}: one of {', '.join(DEVICES)}")
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: no CUDA device can be used here")
    return "cpu" if name == "cpu" or not torch.cuda.is_available() else "cuda"


def gpus() -> tuple[str, ...]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    import torch

    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    return tuple(named.split(",")) if named else tuple(map(str, range(torch.cuda.device_count())))
