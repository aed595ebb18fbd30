"""A model on disk: round trips, students, and clear words about damage."""

import json
import os
import re
import shutil

import pytest
import torch
from safetensors.torch import load_file

from fpsynth.diffusion.bundle import check_bundle, digest
from fpsynth.diffusion.denoiser.unet.adapter import adapter_state
from fpsynth.diffusion.denoiser.unet.files import ADAPTER
from fpsynth.diffusion.model import load_model
from fpsynth.errors import DamagedFile, UserError
from fpsynth.model_folder import Knows, default_model, knows, own_sampler, students


def test_adapter_round_trip(bundle, model):
    on_disk, loaded = load_file(bundle / ADAPTER), adapter_state(model.denoiser.unet)
    assert set(on_disk) == set(loaded)
    assert all(torch.equal(on_disk[key].float(), loaded[key]) for key in on_disk)


def test_student_has_weights_of_its_own(bundle, model):
    student = load_model(bundle, student="default", dtype=torch.float32)
    assert students(bundle) == ["default"]
    theirs, ours = student.denoiser, model.denoiser
    assert not torch.equal(theirs.unet.conv_in.weight, ours.unet.conv_in.weight)
    assert torch.equal(theirs.controlnet.conv_in.weight, ours.controlnet.conv_in.weight)
    with pytest.raises(UserError, match="no student 'swift'; it has: default"):
        load_model(bundle, student="swift")


@pytest.mark.parametrize("part", ["unet", "controlnet", "vae", "text_encoder", "image_encoder", "ip_adapter"])
def test_truncated_weights_are_named(bundle, tmp_path, part):
    copy = tmp_path / "model"
    shutil.copytree(bundle, copy)
    victim = next((copy / part).glob("*.safetensors"))
    victim.write_bytes(victim.read_bytes()[:-100])
    with pytest.raises(DamagedFile, match=victim.name):
        load_model(copy)


def test_missing_parts_are_named(bundle, tmp_path):
    copy = tmp_path / "model"
    shutil.copytree(bundle, copy)
    next((copy / "vae").glob("*.safetensors")).unlink()
    with pytest.raises(DamagedFile, match="vae: no safetensors weights"):
        load_model(copy)
    with pytest.raises(UserError, match=r"no model here \(model_index.json is missing\)"):
        load_model(tmp_path)


def test_broken_config_is_no_traceback(bundle, tmp_path):
    copy = tmp_path / "model"
    shutil.copytree(bundle, copy)
    (copy / "unet" / "config.json").write_text("{")
    with pytest.raises(UserError, match=r"unet/config\.json: cannot be read"):
        load_model(copy)


@pytest.mark.parametrize(
    ("part", "key", "value", "told"),
    [
        ("unet", "layers_per_block", 10**8, "layers_per_block is 1e"),
        ("scheduler", "num_train_timesteps", 10**10, "num_train_timesteps is 1e"),
        ("tokenizer", "model_max_length", 10**9, "model_max_length is 1e"),
        ("unet", "sample_size", float("nan"), "sample_size is nan"),
        ("unet", "block_out_channels", [0, 64], "block_out_channels is"),
        ("controlnet", "block_out_channels", None, "block_out_channels is None"),
        ("text_encoder", "quantization_config", {"quant_method": "x"}, "quantization_config is not taken"),
        ("text_encoder", "_attn_implementation", "someone/kernels", "_attn_implementation is not taken"),
    ],
)
def test_configs_that_no_model_has_are_refused_before_anything_is_built(bundle, tmp_path, part, key, value, told):
    copy = tmp_path / "model"
    shutil.copytree(bundle, copy)
    check_bundle(copy)
    (path,) = (copy / part).glob("*config.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(DamagedFile, match=re.escape(told)):
        check_bundle(copy)


def test_files_that_are_none_are_refused(bundle, tmp_path):
    copy = tmp_path / "model"
    shutil.copytree(bundle, copy)
    weights = next((copy / "unet").glob("*.safetensors"))
    content = weights.read_bytes()
    weights.write_bytes((90 << 20).to_bytes(8, "little") + content[8:])
    with pytest.raises(DamagedFile, match="a header of 94371840 bytes"):
        check_bundle(copy)
    weights.write_bytes(content)
    (copy / "unet" / "config.json").unlink()
    os.mkfifo(copy / "unet" / "config.json")
    with pytest.raises(DamagedFile, match="cannot be read as JSON"):
        check_bundle(copy)
    (copy / "conditions.json").write_text("[" * 100_000)
    with pytest.raises(DamagedFile, match="cannot be read as JSON"):
        knows(copy)


def test_digest_sees_every_byte(bundle, tmp_path):
    copy = tmp_path / "model"
    shutil.copytree(bundle, copy)
    assert digest(copy) == digest(bundle)
    (copy / "scheduler" / "scheduler_config.json").write_text("{}")
    assert digest(copy) != digest(bundle)


def test_pipeline_index_names_standard_classes(bundle):
    index = json.loads((bundle / "model_index.json").read_text())
    assert index["_class_name"] == "StableDiffusionControlNetPipeline"
    assert index["unet"] == ["diffusers", "UNet2DConditionModel"]
    assert index["safety_checker"] == [None, None]


def test_default_model_is_inside_the_package():
    assert default_model().parent.parent.name == "fpsynth"


def test_the_folder_says_what_the_model_knows_and_how_it_is_sampled(bundle, tmp_path):
    assert knows(bundle) == Knows(slots={"sensor": ("optical",)}, sides=(512,), ppi=(500,))
    assert (own_sampler(bundle, None), own_sampler(bundle, "default")) == ("ddim", "tcd")
    assert knows(tmp_path) == Knows()
    (tmp_path / "conditions.json").write_text('{"planes": 3}')
    with pytest.raises(DamagedFile, match="does not say what the model knows"):
        knows(tmp_path)


def test_a_network_that_nobody_knows_is_one_line(bundle, tmp_path):
    copy = tmp_path / "model"
    shutil.copytree(bundle, copy)
    index = json.loads((copy / "model_index.json").read_text())
    index["unet"][1] = "UNet9DModel"
    (copy / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match="names no network that is known here"):
        load_model(copy)
