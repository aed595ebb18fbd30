"""The mixture of what is rendered covers the table of slots."""

from fpsynth.slots import SLOTS, words_of
from fpsynth.training.data import BankSettings
from fpsynth.training.data.mixture import draw_device_of, draw_labels, read_labels


def test_every_slot_has_shares_or_is_the_devices():
    assert set(BankSettings().shares) | {"surface", "technique"} == set(SLOTS)


def test_shares_are_of_known_words_and_leave_none_out():
    """But for latent captures, which are all of latent devices and no others."""
    for slot, shares in BankSettings().shares.items():
        assert set(shares) | ({"latent"} if slot == "acquisition" else set()) == set(words_of(slot))
        assert BankSettings(**{slot: dict(shares)}).shares[slot] == shares


def test_labels_are_what_is_rendered():
    settings = BankSettings(sensor={"latent": 1.0})
    device = draw_device_of(settings, 3)
    labels = draw_labels(settings, 7, 1, device)
    assert labels.words["acquisition"] == labels.words["sensor"] == "latent"
    assert labels.words["surface"] == device.surface is not None
    assert labels.words["technique"] == device.technique is not None
    assert labels.words["material"] in words_of("material")
    assert read_labels({"identity": 7, "device": device.seed, "words": dict(labels.words)}) == labels


def test_a_slot_that_labels_do_not_speak_of_is_open():
    assert read_labels({"identity": 0, "device": 0, "words": {"skin": "dry"}}).words == dict.fromkeys(SLOTS) | {
        "skin": "dry"
    }
