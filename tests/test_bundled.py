"""The bundled model: small enough, opened by the stock pipeline, and true to the finger it is told to draw."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from fpsynth.conditioning.conditions import Conditioning
from fpsynth.console import Console
from fpsynth.diffusion.denoiser.unet.files import ADAPTER
from fpsynth.diffusion.model import load_model
from fpsynth.diffusion.sample import Request, sample
from fpsynth.diffusion.settings import Settings
from fpsynth.extractor.mindtct import available
from fpsynth.flow import Order, generate
from fpsynth.model_folder import default_model

BUNDLE = default_model()
MOST, LARGEST = 60e6, 15e6


def test_sizes():
    files = [path for path in BUNDLE.parent.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= MOST
    assert max(path.stat().st_size for path in files) <= LARGEST
    assert not [path for path in files if path.suffix in (".bin", ".pt", ".ckpt", ".pkl")]


def test_no_part_tells_where_it_was_made():
    for path in BUNDLE.rglob("*.json"):
        assert "_name_or_path" not in json.loads(path.read_text())


def test_the_stock_pipeline_draws_with_it():
    from diffusers import StableDiffusionControlNetPipeline

    pipe = StableDiffusionControlNetPipeline.from_pretrained(BUNDLE, dtype=torch.float32)
    pipe.load_ip_adapter(
        BUNDLE, subfolder=ADAPTER.parent.name, weight_name=ADAPTER.name, image_encoder_folder="image_encoder"
    )
    pipe.set_progress_bar_config(disable=True)
    ridges = 0.5 + 0.5 * torch.sin(torch.arange(128) * 2 * torch.pi / 9).expand(128, 128)
    touch = torch.sigmoid(8 * (ridges - 0.5))
    planes = torch.stack([ridges, touch, 0.5 * torch.ones(128, 128)])[None]
    drawn = pipe(
        "a good quality plain fingerprint, whorl, ink sensor",
        image=planes,
        height=128,
        width=128,
        num_inference_steps=8,
        guidance_scale=1.0,
        ip_adapter_image_embeds=[torch.zeros(1, 1, 128)],
        generator=torch.Generator().manual_seed(0),
        output_type="np",
    ).images[0, ..., 0]
    inner = slice(24, 104)
    assert np.corrcoef(drawn[inner, inner].ravel(), ridges[inner, inner].numpy().ravel())[0, 1] < -0.7


def test_a_batch_gives_what_each_image_gives_alone():
    """Two identities and prompts in one batch, in this device's number format: nearly all pixels to one grey level."""
    model = load_model(BUNDLE, student="default")
    flow = torch.stack(torch.meshgrid(torch.arange(128.0), torch.arange(128.0), indexing="xy"), -1) + 200
    drawn = torch.rand(3, 128, 128, generator=torch.Generator().manual_seed(1))
    planes = dict(zip(model.denoiser.planes, drawn, strict=True))
    words = ("a good quality plain fingerprint, whorl, optical sensor", "a poor quality fingerprint, arch, ink sensor")
    asked = [
        Request(
            conditioning=Conditioning(planes=planes, prompt=prompt),
            flow=flow,
            master=(704, 576),
            identity=identity,
            impression=0,
        )
        for identity, prompt in enumerate(words)
    ]
    settings = Settings(seed=0, shared_steps=2)
    both = sample(model, settings, asked)
    for one, drawn in zip(asked, both, strict=True):
        gap = np.abs(sample(model, settings, [one])[0].image.astype(int) - drawn.image.astype(int))
        assert gap.max() <= 2 and (gap > 1).mean() < 0.01


RECIPE = """
identities: 4
impressions: 2
prompt: {sensor: {optical: 0.5, ink: 0.5}, quality: good, skin: normal}
capture: {acquisition: plain}
"""


@pytest.mark.slow
@pytest.mark.skipif(not available(), reason="nbis-python is not installed")
def test_truth_identity_and_quality_by_nist(tmp_path):
    from fpsynth.console import Console
    from fpsynth.inspect.look import Options, inspect_path

    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE)
    generate(Order(recipe=recipe, overrides=(), out=tmp_path / "out"), Console("quiet"))
    judged = inspect_path(tmp_path / "out", Options(judges=True, workers=1, cache=False)).figures["judges"]
    assert judged["truth"]["recall"] > 0.8
    assert judged["truth"]["spurious"] < 0.2
    assert judged["nfiq2"]["median"] > 35
    assert judged["bozorth3"]["mated"]["median"] > 40 > judged["bozorth3"]["non_mated"]["most"]


@pytest.mark.slow
def test_images_move_towards_a_given_print_or_away(tmp_path):
    """And the truth stays that of their own fingers."""
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("identities: 2\nimpressions: 1\n")
    small = ("image={width: 256, height: 256}", "gate=off", "sampling={student: none, steps: 10, control_scale: 0.5}")

    def made(name: str, seed: int, *overrides: str) -> list[dict]:
        order = Order(recipe=recipe, out=tmp_path / name, overrides=(*small, f"seed={seed}", *overrides))
        generate(order, Console("silent"))
        return pq.read_table(next((tmp_path / name / "data").glob("*.parquet"))).to_pylist()

    (target,) = made("target", 1, "identities=1", "impressions=1")
    (tmp_path / "print.png").write_bytes(target["image"]["bytes"])
    cosines, minutiae = {}, {}
    for strength in (-0.5, 0, 0.5):
        match = f"sampling.match={{print: {tmp_path / 'print.png'}, strength: {strength}}}"
        rows = made(f"at{strength}", 2, "identities=2", "impressions=1", match)
        cosines[strength] = np.mean([dict(map(dict.values, row["parameters"]))["match"] for row in rows])
        minutiae[strength] = [row["minutiae"] for row in rows]
    assert cosines[-0.5] + 0.06 < cosines[0] < cosines[0.5] - 0.06, cosines
    assert minutiae[-0.5] == minutiae[0] == minutiae[0.5]
