"""AdamW on float32 copies of weights that may be bfloat16, with their moving average.

All weights live in one flat float32 buffer, so a step is a handful of operations however many layers there are. Pure
bfloat16 weights with such copies train twice as fast as autocast on a CPU (Micikevicius et al. 2018, section 3.1).
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

MOMENTS = ("exp_avg", "exp_avg_sq")


class Weights:
    """The float32 copies, gradients and moving average of the trainable weights of some modules."""

    def __init__(self, modules: Mapping[str, nn.Module], weight_decay: float, momentum: float = 0.9) -> None:
        named = [(f"{m}.{n}", p) for m, module in modules.items() for n, p in module.named_parameters()]
        self._named = [(name, weight) for name, weight in named if weight.requires_grad]
        size = sum(weight.numel() for _, weight in self._named)
        device = self._named[0][1].device
        self.flat = nn.Parameter(torch.empty(size, device=device))
        self.flat.grad = torch.zeros_like(self.flat)
        self._copies, self._grads = self._views(self.flat.data), self._views(self.flat.grad)
        for copy, (_, weight) in zip(self._copies, self._named, strict=True):
            copy.copy_(weight.data)
        self.average = self.flat.data.clone()
        self._averages = self._views(self.average)
        betas = momentum, 0.99
        self.optimizer = torch.optim.AdamW([self.flat], betas=betas, weight_decay=weight_decay, fused=True)

    def _views(self, flat: Tensor) -> list[Tensor]:
        """One view a weight, laid out in memory as the weight itself is (channels last or not)."""
        views, start = [], 0
        for _, weight in self._named:
            views.append(flat[start : start + weight.numel()].as_strided(weight.shape, weight.stride(), start))
            start += weight.numel()
        return views

    def gather(self, keep: bool = True) -> None:
        """Collect the gradients of the weights into theirs and clear them. A weight without one counts as 0.

        keep False: clear them alone, for weights that another's loss went through.
        """
        for view, (_, weight) in zip(self._grads, self._named, strict=True):
            if keep:
                view.zero_() if weight.grad is None else view.copy_(weight.grad)
            weight.grad = None

    def publish(self, decay: float) -> None:
        """After an optimizer step: copy them to the weights, and move the average towards them."""
        self.average.lerp_(self.flat.data, 1 - decay)
        self._write(self._copies)

    def _write(self, source: list[Tensor]) -> None:
        with torch.no_grad():
            for view, (_, weight) in zip(source, self._named, strict=True):
                weight.copy_(view)

    def write_average(self) -> None:
        """Leave the moving average in the modules."""
        self._write(self._averages)

    def write_current(self) -> None:
        """Go on with the copies in the modules."""
        self._write(self._copies)

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint needs: by name of weight copies, average and the two moments; the optimizer's own steps.

        These are fewer than the loop's where the scaling of the loss skipped some.
        """
        state = self.optimizer.state.get(self.flat, {})
        parts = {"weight": self.flat.data, "average": self.average}
        parts |= {key: state[key] if state else torch.zeros_like(self.flat) for key in MOMENTS}
        return {self._step: torch.as_tensor(state.get("step", 0.0), dtype=torch.float32)} | {
            f"{part}/{name}": view.contiguous()
            for part, flat in parts.items()
            for (name, _), view in zip(self._named, self._views(flat), strict=True)
        }

    @property
    def _step(self) -> str:
        """The name of the number of steps in a checkpoint."""
        return f"step/{self._named[0][0]}"

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take the tensors of a checkpoint. Raises KeyError for another model's."""
        moments = {key: torch.zeros_like(self.flat) for key in MOMENTS}
        for part, flat in {"weight": self.flat.data, "average": self.average, **moments}.items():
            for (name, weight), view in zip(self._named, self._views(flat), strict=True):
                tensor = tensors[f"{part}/{name}"]
                if tensor.shape != weight.shape:
                    raise KeyError(f"{name} is {tuple(tensor.shape)}, not {tuple(weight.shape)}")
                view.copy_(tensor)
        self.optimizer.state[self.flat] = {"step": tensors[self._step].to(self.flat.device), **moments}
        self._write(self._copies)
