import hashlib
import json
import re

import pytest

from fpsynth.conditioning.prompt import known_words, prompt_text, unknown_words
from fpsynth.conditioning.tokenizer import build_tokenizer
from fpsynth.errors import UserError
from fpsynth.slots import SLOTS, Slot, words_of

FULL = {
    "quality": "very poor",
    "acquisition": "rolled",
    "pattern": "left_loop",
    "sensor": "optical",
    "skin": "wet",
    "pressure": "firm",
    "surface": "card",
}
FIRST = {slot: words_of(slot) for slot in FULL}
"""The vocabulary of the bundled models."""


KNOWN = (
    "a", "quality", "fingerprint", "sensor", "skin", "pressure", "on", ",",
    "excellent", "good", "fair", "poor", "very", "plain", "rolled", "partial", "slap", "latent",
    "arch", "tented", "left", "loop", "right", "whorl", "double",
    "optical", "capacitive", "thermal", "ink", "contactless", "normal", "dry", "wet", "light", "firm",
    "glass", "card", "plastic", "metal", "paper",
)  # fmt: skip
"""The words of the bundled models in the order of their tokens."""


def test_template():
    text = "a very poor quality rolled fingerprint, left loop, optical sensor, wet skin, firm pressure, on card"
    assert prompt_text(FULL) == text
    assert prompt_text(dict(reversed(FULL.items()))) == text
    assert prompt_text({"quality": "good"}) == "a good quality fingerprint"
    assert prompt_text({"acquisition": "slap", "surface": "metal"}) == "a slap fingerprint, on metal"
    assert prompt_text({"pressure": "light", "skin": "dry"}) == "a fingerprint, dry skin, light pressure"
    assert prompt_text({}) == "a fingerprint"
    assert prompt_text({"pattern": "whorl", "sensor": None}) == "a fingerprint, whorl"
    spoof = {"material": "2-D print", "technique": "ninhydrin"}
    assert prompt_text(spoof) == "a fingerprint, 2-D print finger, developed with ninhydrin"
    assert unknown_words(prompt_text(spoof)) == []
    assert unknown_words(prompt_text(spoof), FIRST) == ["2-d", "print", "finger", "developed", "with", "ninhydrin"]


def test_own_text_with_slots():
    assert prompt_text(FULL, "an old {sensor} scan of a {pattern}") == "an old optical scan of a left loop"
    assert prompt_text({}, "a {skin} thumb") == "a thumb"
    with pytest.raises(UserError, match="slots are quality"):
        prompt_text(FULL, "a {colour} print")


def test_unknown_words_are_named():
    assert unknown_words(prompt_text(FULL)) == []
    assert unknown_words("a rusty fingerprint, on Mars") == ["rusty", "mars"]


def test_known_words_keep_their_order():
    assert known_words(FIRST) == KNOWN
    assert set(KNOWN) < set(known_words())
    kept = sorted((token, id) for token, id in build_tokenizer().get_vocab().items() if id < 669)
    vocabulary = json.dumps(kept).encode()
    told = "053a175a06472d2e88319581325a16289804cb0ba4a2e304138d637e4f98904c"
    assert hashlib.sha256(vocabulary).hexdigest() == told


def test_a_slot_without_a_phrase_is_not_spoken(monkeypatch):
    monkeypatch.setitem(SLOTS, "hand", Slot(words=("clean", "oily"), part="prompt", phrase="", draw=6))
    assert prompt_text({"hand": "oily", "skin": "wet"}) == "a fingerprint, wet skin"
    assert "oily" not in known_words()
    with pytest.raises(UserError, match="slots are quality"):
        prompt_text({"hand": "oily"}, "an {hand} print")


def test_every_known_word_is_one_token():
    tokenizer = build_tokenizer()
    for part in {part for word in known_words() for part in re.findall("[a-z]+|[^a-z]", word)}:
        assert len(tokenizer(part).input_ids) == 3  # start, word, end
    assert len(tokenizer("2-D print, play-doh").input_ids) == 2 + 4 + 1 + 3


def test_prompts_fit_and_unknown_text_falls_back_to_bytes(tmp_path):
    tokenizer = build_tokenizer()
    assert len(tokenizer(prompt_text(FULL)).input_ids) <= tokenizer.model_max_length
    odd = tokenizer("Fingerabdruck Zürich 指紋").input_ids
    assert tokenizer.unk_token_id not in odd[1:-1]
    tokenizer.save_pretrained(tmp_path)
    again = type(tokenizer).from_pretrained(tmp_path)
    assert again("a Zürich whorl").input_ids == tokenizer("a Zürich whorl").input_ids
    assert again.model_max_length == tokenizer.model_max_length


def test_words_of_different_meaning_have_different_tokens():
    tokenizer = build_tokenizer()
    prompts = {tuple(tokenizer(prompt_text({"quality": q, "sensor": s, "pattern": p})).input_ids)
               for q in words_of("quality") for s in words_of("sensor") for p in words_of("pattern")}  # fmt: skip
    assert len(prompts) == len(words_of("quality")) * len(words_of("sensor")) * len(words_of("pattern"))
