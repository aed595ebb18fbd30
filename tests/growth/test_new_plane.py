"""A new control plane is one entry in the table of planes."""

import torch

from fpsynth.conditioning.planes import PLANES
from fpsynth.training.batches import DropSettings, draw_batch
from fpsynth.training.data import SIZE, BankSettings, build_bank, encode_bank
from fpsynth.training.data.bank import render_chunk
from fpsynth.training.data.makers import CASES
from fpsynth.training.loop import step_generator
from tests.training.data.test_latents import Halving
from tests.training.tiny import quiet


def minutiae_map(impression):
    """(H, W): 1 at the pixels of minutiae."""
    plane = torch.zeros_like(impression.contact)
    for one in impression.minutiae:
        plane[round(one.y), round(one.x)] = 1
    return plane


def test_a_bank_holds_a_new_plane_and_batches_give_it_to_who_asks(tmp_path, monkeypatch):
    monkeypatch.setitem(PLANES, "minutiae", minutiae_map)
    monkeypatch.setattr("fpsynth.training.data.bank.CHUNK", 8)
    monkeypatch.setattr("fpsynth.training.data.latents.CHUNK", 8)
    monkeypatch.setattr("fpsynth.training.data.makers.CASES", CASES[:1])
    monkeypatch.setattr(render_chunk, "__defaults__", (SIZE, 8, "cpu"))
    bank = build_bank(tmp_path, BankSettings(images=8, workers=1), quiet)
    assert bank.planes == ("ridge", "contact", "load", "touch", "minutiae")
    source = encode_bank(bank, Halving(), "cpu", quiet)

    def planes_of(*asked):
        return draw_batch(source, step_generator(0, 5), 4, 256, DropSettings(), asked or None).conditions.planes

    five, three, one = planes_of(*bank.planes), planes_of("ridge", "contact", "load"), planes_of("minutiae")
    assert five.shape == (4, 5, 256, 256) and torch.equal(planes_of(), five)
    assert torch.equal(five[:, :3], three) and torch.equal(five[:, 4:], one)
    assert one.sum() > 10
    assert (one * three[:, 1:2])[one > 0].min() > 0.3, "minutiae lie where skin touches"
