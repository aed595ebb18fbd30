"""A portrait of a dataset as a recipe in YAML, with what every figure rests on as a comment."""

from collections.abc import Iterator, Mapping, Sequence

from fpsynth.inspect.measure.portrait import SURE, Portrait, Size
from fpsynth.inspect.measure.prior import Share, whole
from fpsynth.slots import SLOTS

HEAD = "# A recipe from images, written by fpsynth inspect: it makes prints like them."
"""The first line, by which such a file is known again."""


def recipe_text(portrait: Portrait, command: str) -> str:
    """The recipe; command: what wrote it, without paths."""
    lines = [
        *_head(portrait, command),
        *_numbers(portrait),
        *_image(portrait.size),
        *_part("finger", _finger(portrait)),
        *_part("capture", [*_slots(portrait, "capture"), *_variation(portrait)]),
        *_part("prompt", _slots(portrait, "prompt")),
        *_unread(portrait),
        "# For the renders of virtual sensors, without diffusion and several times as fast, in place of the model's:",
        "# sampling: {model: virtual}",
    ]
    return "\n".join(lines) + "\n"


def _head(portrait: Portrait, command: str) -> Iterator[str]:
    others = "fingers" if portrait.labelled else "images"
    yield HEAD
    yield f"# command: {command}"
    yield f"# images:  {portrait.images}, read by the reader {portrait.reader[:16]}"
    yield f"# Beside a share stands the 95 % interval that other {others} would give (bootstrap). It knows"
    yield "# nothing of what the reader gets wrong: how often it reads unseen renders rightly stands beside the slot."


def _numbers(portrait: Portrait) -> Iterator[str]:
    yield f"identities: {portrait.identities}"
    note = "" if portrait.labelled else "   # the folder does not say which images are of the same finger"
    yield f"impressions: {portrait.impressions}{note}"


def _image(size: Size) -> Iterator[str]:
    width, height, ppi = size.found
    same = (size.width, size.height, size.ppi) == (width, height, ppi)
    note = "" if same else f"   # most images are {width} x {height} at {ppi:g} ppi; sides are multiples of 64"
    yield f"image: {{width: {size.width}, height: {size.height}, ppi: {size.ppi}}}{note}"


def _part(name: str, lines: Sequence[str] | Iterator[str]) -> Iterator[str]:
    inside = list(lines)
    if inside:
        yield f"{name}:"
        yield from (f"  {line}" for line in inside)


def _finger(portrait: Portrait) -> Iterator[str]:
    if "pattern" in portrait.shares:
        yield from _slots(portrait, "finger")
    else:
        yield f"pattern: natural   # the reader is not sure enough of patterns ({SURE:.0%} would be)"


def _slots(portrait: Portrait, part: str) -> Iterator[str]:
    for slot, shares in portrait.shares.items():
        if SLOTS[slot].part == part:
            yield f"{slot}:   # read rightly in {portrait.accuracy[slot]:.0%} of renders"
            yield from (f"  {line}" for line in _shares(shares))


def _unread(portrait: Portrait) -> Iterator[str]:
    for slot in portrait.unread:
        if slot != "pattern":
            yield f"# {slot} is left as usual: only {portrait.accuracy[slot]:.0%} of renders are read rightly"


def _shares(shares: Mapping[str, Share]) -> Iterator[str]:
    for word, share in whole(shares).items():
        told = shares[word]
        yield f"{word}: {share:.2f}   # {told.low:.2f} to {told.high:.2f}"


def _variation(portrait: Portrait) -> Iterator[str]:
    told = portrait.variation
    if told is None:
        yield "variation: 1.0   # as usual: there are too few pairs of whole images of the same finger to tell"
        return
    yield f"# {told.pairs} pairs of whole images of the same finger are, by fpsynth's embedding, as alike as"
    yield "# plain optical renders of 512 x 512 pixels at this variation"
    yield f"variation: {told.value:.2f}   # {told.low:.2f} to {told.high:.2f}"
