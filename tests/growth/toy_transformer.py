"""A toy diffusion transformer (Peebles & Xie 2023): patches, a few layers, planes as channels, words as one token.

All that a backbone needs: settings that build it, what it is told, its control, its prediction, its files.
"""

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, PositiveInt
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from fpsynth.conditioning.conditions import Conditions
from fpsynth.diffusion.denoiser import Backbone, Told

PATCH = 2


class ToySettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["toy"] = "toy"
    width: PositiveInt = 64
    layers: PositiveInt = 2

    def build(self, channels: int, factor: int, planes: Sequence[str], seed: int) -> "ToyTransformer":
        torch.manual_seed(seed)
        shape = {"channels": channels, "factor": factor, "planes": len(planes), **self.model_dump(exclude={"kind"})}
        return ToyTransformer(ToyNetwork(**shape), shape, tuple(planes))


class ToyNetwork(nn.Module):
    def __init__(self, channels: int, factor: int, planes: int, width: int, layers: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(channels, width, PATCH, PATCH)
        self.control = nn.Conv2d(planes, width, PATCH * factor, PATCH * factor)
        self.words, self.time = nn.Linear(64, width), nn.Linear(64, width)
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, 0.0, batch_first=True, norm_first=True)
        self.body = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.out = nn.ConvTranspose2d(width, channels, PATCH, PATCH)

    def forward(self, z: Tensor, t: Tensor, words: Tensor, control: Tensor) -> Tensor:
        phase = t.view(-1, 1).to(z) / 1000 * 2 ** torch.linspace(0, 8, 32, device=z.device, dtype=z.dtype)
        time = self.time(torch.cat([phase.sin(), phase.cos()], 1)).expand(len(z), -1)
        grid = self.patches(z) + control + (time + self.words(words))[:, :, None, None]
        tokens = self.body(grid.flatten(2).transpose(1, 2)).transpose(1, 2)
        return self.out(tokens.reshape(grid.shape))


@dataclass(frozen=True)
class ToyTransformer:
    network: ToyNetwork
    shape: Mapping[str, int]
    planes: tuple[str, ...]

    @property
    def channels(self) -> int:
        return self.shape["channels"]

    @property
    def multiple(self) -> int:
        return PATCH

    @property
    def device(self) -> torch.device:
        return self.network.patches.weight.device

    @property
    def dtype(self) -> torch.dtype:
        return self.network.patches.weight.dtype

    @property
    def parts(self) -> Mapping[str, nn.Module]:
        return {"network": self.network}

    def tell(self, conditions: Conditions) -> Told:
        """Words as a bag of bytes; it has no eyes for style."""
        bags = torch.zeros(len(conditions.prompts), 64)
        for row, prompt in enumerate(conditions.prompts):
            for byte in prompt.encode():
                bags[row, byte % 64] += 0.1
        none = torch.zeros(len(bags), 1, 1)
        planes, heard = conditions.planes.to(self.device, self.dtype), conditions.heard
        return Told(
            text=bags.to(planes),
            planes=planes,
            style=none,
            heard=heard,
            control_scale=conditions.control_scale,
            style_scale=conditions.style_scale,
        )

    def control(self, told: Told, z: Tensor, t: Tensor) -> Tensor:
        features = self.network.control(told.planes) * told.control_scale
        return features if told.heard is None else features * told.heard.view(-1, 1, 1, 1).to(features)

    def predict(self, told: Told, z: Tensor, t: Tensor, control: Tensor) -> Tensor:
        return self.network(z.to(self.device, self.dtype), t, told.text, control).float()

    def save(self, folder: Path) -> Mapping[str, Any]:
        self._write(folder / "transformer")
        return {"_class_name": "ToyPipeline", "transformer": ["tests", "ToyTransformer"]}

    def student(self, rank: int, seed: int, start: Path | None = None) -> "ToyTransformer":
        network = deepcopy(self.network).requires_grad_(True)
        if start is not None:
            network.load_state_dict(load_file(start / "net.safetensors"))
        network.control.requires_grad_(False)
        return replace(self, network=network)

    def save_student(self, folder: Path) -> None:
        self._write(folder)

    def _write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(dict(self.shape)))
        save_file({k: v.half().contiguous() for k, v in self.network.state_dict().items()}, folder / "net.safetensors")


def load_toy(
    folder: Path, student: str | None, device: str, dtype: torch.dtype, planes: tuple[str, ...]
) -> ToyTransformer:
    home = folder / "students" / student if student else folder / "transformer"
    shape = json.loads((home / "config.json").read_text())
    network = ToyNetwork(**shape)
    network.load_state_dict({k: v.float() for k, v in load_file(home / "net.safetensors").items()})
    return ToyTransformer(network.to(device, dtype).eval(), shape, planes)


BACKBONE = Backbone(ToySettings, load_toy)
