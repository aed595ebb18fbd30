"""How a batch is sampled."""

from dataclasses import dataclass

from fpsynth.diffusion.noise import Sharing


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Names as in the recipe's `sampling` part. eta None: the sampler's usual one."""

    seed: int
    scheduler: str = "tcd"
    steps: int = 4
    eta: float | None = None
    cfg_scale: float = 1.0
    control_scale: float = 1.0
    style_scale: float = 0.6
    finish: bool = True
    shared_steps: int = 0
    shared_order: str = "last"
    transport: str = "skin"

    @property
    def sharing(self) -> Sharing:
        """Who shares which noise."""
        return Sharing(self.shared_steps, self.steps, self.shared_order, self.transport)
