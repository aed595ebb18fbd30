"""Which torch device a command works on."""

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
