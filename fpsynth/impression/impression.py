"""One capture of a finger: where it lay, how the skin gave, what touched."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fpsynth.finger import Master
from fpsynth.finger.fields import column
from fpsynth.impression.asperities import Skin, asperities, load_of
from fpsynth.impression.contact import CREASE_MM, Outline, depth_field, draw_outline, touch
from fpsynth.impression.draws import Array, Draws, draws_for
from fpsynth.impression.droplets import SHOWN, droplets
from fpsynth.impression.load import (
    CONDITIONS,
    draw_moisture,
    draw_pressure,
    draw_roughness,
    moisture_field,
    pressure_field,
    wear_field,
)
from fpsynth.impression.material import MATERIALS, cast, moulded
from fpsynth.impression.pose import draw_pose
from fpsynth.impression.skin import SkinMap, draw_distortion
from fpsynth.impression.sweep import SWEPT, swept
from fpsynth.impression.truth import Planes, move_minutiae, move_singular
from fpsynth.minutiae import Minutia, SingularPoint
from fpsynth.slots import Words

SAID = ("acquisition", "quality", "skin", "pressure", "material", "sensor")
"""Slots whose words a capture follows."""


@dataclass(frozen=True, kw_only=True)
class CaptureSettings:
    """What the recipe asks of a capture. variation scales every difference between captures; 0: all the same.

    sensor: what the finger is put on, where that matters to the skin: it is swept, or droplets are seen.
    """

    width: int = 512
    height: int = 512
    ppi: int = 500
    acquisition: str = "plain"
    quality: str = "good"
    skin: str = "normal"
    pressure: str | None = None
    variation: float = 1.0
    material: str = "live"
    sensor: str | None = None

    @classmethod
    def saying(cls, words: Words, width: int, height: int, ppi: int, variation: float = 1.0) -> "CaptureSettings":
        """As the words of the slots say; what they leave open is as usual."""
        said = {slot: word for slot in SAID if (word := words.get(slot))}
        return cls(width=width, height=height, ppi=ppi, variation=variation, **said)


@dataclass(frozen=True, kw_only=True)
class Impression:
    """A capture, before any sensor has seen it. All planes (height, width) float32.

    ridges      [-1, 1], the master's wave, moved
    detail      the master's detail (pores, creases...), moved; to be added to ridges
    contact     [0, 1], 1 where skin touches, soft at the edge
    pressure    [0, 1], local pressure (0.5 is usual)
    moisture    [-1, 1], -1 dry, 0 normal, +1 wet
    wear        [0, 1], 1 where ridges are worn flat or smudged
    flow        (height, width, 2) float32: the master pixel (x, y) that lies under each image pixel
    master      (rows, cols) of the master that the flow points into
    minutiae    image pixels, only those in contact; quality says how legible each is
    singular    image pixels, only those in contact
    roughness   of the ridges, 1 being usual
    asperities  the skin's unevenness; to be added to the ridges, scaled by roughness and more
    droplets    [0, 1], sweat left beside the contact and between ridges, where the sensor sees it
    parameters  what was drawn (placement in mm, rotation in degrees, pressure...), for the dataset row
    """

    settings: CaptureSettings
    ridges: Tensor
    detail: Tensor
    contact: Tensor
    pressure: Tensor
    moisture: Tensor
    wear: Tensor
    asperities: Tensor
    droplets: Tensor
    flow: Tensor
    master: tuple[int, int]
    minutiae: tuple[Minutia, ...]
    singular: tuple[SingularPoint, ...]
    parameters: Mapping[str, float]
    roughness: float = 1.0


RIDGES_AND_LOAD = ("ridges", "pressure", "moisture")
DISPLACED = ("ridges", "detail", "asperities")
"""What a sweep displaces; all else is smooth."""
COARSE = 8
"""Image pixels between the points at which smooth fields are computed (linear between them: map error < 0.05 px)."""


@dataclass(frozen=True)
class _Touch:
    """What was drawn of one touch."""

    skin: SkinMap
    outline: Outline
    pressure: float
    moisture: float
    roughness: float


def capture(finger: Master, settings: CaptureSettings, rng: np.random.Generator) -> Impression:
    """Take one capture of the finger, on the finger's device. The same generator state gives the same capture."""
    return capture_all([finger], [settings], [rng])[0]


def capture_all(
    fingers: Sequence[Master], settings: Sequence[CaptureSettings], rngs: Sequence[np.random.Generator]
) -> list[Impression]:
    """Take a batch of captures together, on the fingers' device: each is what capture makes of it.

    All are of one size and resolution, and so are their masters; a finger may be captured more than once.
    """
    if len({(s.width, s.height, s.ppi) for s in settings}) != 1 or len({(f.ridges.shape, f.ppi) for f in fingers}) != 1:
        raise ValueError("captures of one batch have one size and one resolution, and so have their masters")
    draws = [draws_for(f, s.variation, rng) for f, s, rng in zip(fingers, settings, rngs, strict=True)]
    touches = [_draw_touch(*one) for one in zip(draws, fingers, settings, strict=True)]
    coarse = [_coarse_fields(*one) for one in zip(draws, touches, settings, strict=True)]
    fields = _enlarged(np.stack(coarse), settings[0], fingers[0].ridges.device)
    flow, (depth, pressure, moisture, wear) = fields[:, :2], fields[:, 2:].unbind(1)
    ridges, detail = _sampled(fingers, flow)
    depth = torch.minimum(depth, _inside(flow, fingers[0]))
    contact = touch(draws, depth, ridges, touches[0].skin.pixel_mm)
    planes = {"ridges": ridges, "detail": detail, "contact": contact, "pressure": pressure, "moisture": moisture}
    planes |= {"wear": wear, "flow": flow.permute(0, 2, 3, 1).contiguous()}
    each = [{name: plane[i] for name, plane in planes.items()} for i in range(len(fingers))]
    for one, held, asked, touched, own in zip(each, depth, settings, touches, draws, strict=True):
        one.update(moulded(one, held, MATERIALS[asked.material], own, touched.skin.pixel_mm))
    uneven = _uneven(draws, touches, each, settings[0].ppi)
    for one, plane, asked, own in zip(each, uneven, settings, draws, strict=True):
        one["asperities"] = plane
        one.update(_by_sensor(one, asked, own))
    rows = zip(fingers, settings, touches, each, strict=True)
    return [_impression(f, s, touched, own) for f, s, touched, own in rows]


def _uneven(
    draws: Sequence[Draws], touches: Sequence[_Touch], each: Sequence[Mapping[str, Tensor]], ppi: int
) -> Tensor:
    """The asperities of a batch (B, H, W), under its final ridges, pressures and moistures."""
    ridges, pressure, moisture = (torch.stack([one[name] for one in each]) for name in RIDGES_AND_LOAD)
    roughness = column([touched.roughness for touched in touches], ridges.device)
    return asperities(draws, Skin(ridges, load_of(pressure, moisture), roughness, ppi))


def _by_sensor(planes: Mapping[str, Tensor], settings: CaptureSettings, draws: Draws) -> dict[str, Tensor]:
    """The planes of a capture that follow from what the finger is put on."""
    changed = {"droplets": torch.zeros_like(planes["contact"])}
    if settings.sensor in SHOWN:
        load = load_of(planes["pressure"], planes["moisture"])
        changed["droplets"] = droplets(planes["contact"], load, draws, settings.ppi)
    if settings.sensor in SWEPT:
        moved = swept(torch.stack([planes[name] for name in DISPLACED]), draws, settings.ppi)
        changed |= dict(zip(DISPLACED, moved, strict=True))
    return changed


def _impression(finger: Master, settings: CaptureSettings, touched: _Touch, planes: Mapping[str, Tensor]) -> Impression:
    """One capture of a batch: its planes, and what is true of it."""
    rows, cols = finger.ridges.shape
    seen = Planes(*(planes[name].cpu().numpy() for name in ("contact", "pressure", "moisture", "wear")))
    return Impression(
        settings=settings,
        **planes,
        master=(rows, cols),
        minutiae=move_minutiae(finger, touched.skin, seen),
        singular=move_singular(finger, touched.skin, seen),
        parameters=_parameters(touched, seen),
        roughness=touched.roughness,
    )


def _draw_touch(draws: Draws, finger: Master, settings: CaptureSettings) -> _Touch:
    pose = draw_pose(draws, settings.acquisition)
    pressure = draw_pressure(draws, settings.quality, settings.pressure)
    size = finger_size(finger) * CONDITIONS[settings.quality].area ** 0.5
    middle = ((settings.width - 1) / 2, (settings.height - 1) / 2)
    distortion, sizes = draw_distortion(draws, pressure), (25.4 / settings.ppi, 25.4 / finger.ppi)
    skin = SkinMap(pose, distortion, middle, _pad_middle(finger), *sizes)
    outline = draw_outline(draws, settings.acquisition, size, pressure)
    moisture = draw_moisture(draws, settings.quality, settings.skin)
    roughness = draw_roughness(draws, settings.quality) * MATERIALS[settings.material].rough
    return _Touch(cast(skin, MATERIALS[settings.material]), outline, pressure, moisture, roughness)


def finger_size(finger: Master) -> float:
    """Size of the fingertip, 1 = usual: broad ridges sit on large fingers; thumbs are larger, little fingers less."""
    by_position = {1: 1.14, 6: 1.14, 5: 0.88, 10: 0.88}.get(finger.position, 1.0)
    period = finger.period.mean().item() * (500 / finger.ppi)
    size: float = float(np.clip(period / 9.0, 0.85, 1.15)) ** 0.5 * by_position
    return size


def _pad_middle(finger: Master) -> tuple[float, float]:
    """The pad's middle in master pixels: at the height of the finger's centre, half way to its axis."""
    return (finger.centre[0] + (finger.ridges.shape[1] - 1) / 2) / 2, finger.centre[1]


def _coarse_fields(draws: Draws, touched: _Touch, settings: CaptureSettings) -> Array:
    """(6, rows, cols): flow x and y, depth, pressure, moisture, wear on a coarse grid that spans the image."""
    rows, cols = (max(2, -(-(n - 1) // COARSE) + 1) for n in (settings.height, settings.width))
    y, x = np.linspace(0, settings.height - 1, rows), np.linspace(0, settings.width - 1, cols)
    finger = touched.skin.to_finger(np.stack(np.meshgrid(x, y), -1))
    step = (settings.width - 1) / (cols - 1) * touched.skin.pixel_mm
    crease = CREASE_MM - touched.skin.pose.pitch_mm
    flow = touched.skin.finger_to_master(finger)
    depth = depth_field(draws, touched.outline, finger, crease, step)
    pressure = pressure_field(draws, touched.outline, finger, touched.pressure, step)
    moisture = moisture_field(draws, settings.quality, touched.moisture, (rows, cols), step)
    wear = wear_field(draws, settings.quality, (rows, cols), step)
    return np.stack([flow[..., 0], flow[..., 1], depth, pressure, moisture, wear])


def _enlarged(fields: Array, settings: CaptureSettings, device: torch.device) -> Tensor:
    coarse = torch.from_numpy(fields.astype(np.float32)).to(device)
    return F.interpolate(coarse, (settings.height, settings.width), mode="bilinear", align_corners=True)


def _sampled(fingers: Sequence[Master], flow: Tensor) -> tuple[Tensor, Tensor]:
    """The masters' ridges and detail (B, H, W) under flows (B, 2, H, W)."""
    rows, cols = fingers[0].ridges.shape
    span = torch.tensor([cols - 1, rows - 1], dtype=flow.dtype, device=flow.device)
    where = flow.permute(0, 2, 3, 1) * (2 / span) - 1
    both = torch.stack([torch.stack([finger.ridges, finger.detail]) for finger in fingers])
    ridges, detail = F.grid_sample(both, where, mode="bilinear", padding_mode="border", align_corners=True).unbind(1)
    return ridges, detail


def _inside(flow: Tensor, finger: Master) -> Tensor:
    """(B, H, W) millimetres inside the master: there is no skin beyond it."""
    rows, cols = finger.ridges.shape
    x, y = flow.unbind(1)
    across, along = torch.minimum(x, cols - 1 - x), torch.minimum(y, rows - 1 - y)
    return (torch.minimum(across, along) - 8 * finger.ppi / 500) * (25.4 / finger.ppi)


def _parameters(touched: _Touch, planes: Planes) -> dict[str, float]:
    pose, distortion, outline = touched.skin.pose, touched.skin.distortion, touched.outline
    return {
        "dx_mm": pose.dx_mm,
        "dy_mm": pose.dy_mm,
        "rotation_deg": pose.rotation_deg,
        "roll_deg": pose.roll_deg,
        "pitch_mm": pose.pitch_mm,
        "pressure": touched.pressure,
        "moisture": touched.moisture,
        "torsion_deg": distortion.torsion_deg,
        "traction_mm": float(np.hypot(*distortion.traction)),
        "width_mm": 2 * outline.half_width,
        "height_mm": 2 * outline.half_height,
        "contact_mm2": float(planes.contact.sum(dtype=np.float64)) * touched.skin.pixel_mm**2,
        "worn": float((planes.wear * planes.contact).sum() / max(planes.contact.sum(), 1.0)),
    }
