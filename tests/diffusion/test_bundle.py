"""A model on disk: round trips, students, and clear words about damage."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from fpsynth.diffusion.bundle import digest
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
    with pytest.raises(UserError, match="cannot be loaded"):
        load_model(copy)


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
