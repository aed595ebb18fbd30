"""A finger made of a formula: a plane wave with phase vortices, so that every minutia is known exactly."""

import numpy as np
import torch

from fpsynth.finger import Finger
from fpsynth.minutiae import Minutia, SingularPoint

ROWS, COLS, PERIOD = 704, 576, 9.0
VORTICES = ((220.0, 250.0, 1), (350.0, 260.0, -1), (260.0, 340.0, -1), (330.0, 380.0, 1), (290.0, 300.0, 1))


def analytic(x, y):
    """The complex wave at (x, y): 0 at each vortex, its phase the ridge phase, ridges level far away."""
    wave = np.exp(2j * np.pi * y / PERIOD)
    for vx, vy, sign in VORTICES:
        turn = (x - vx) + 1j * sign * (y - vy)
        wave = wave * turn / np.sqrt(np.abs(turn) ** 2 + 36.0)
    return wave


def finger() -> Finger:
    y, x = np.mgrid[0:ROWS, 0:COLS].astype(float)
    ridges = torch.from_numpy(analytic(x, y).real.astype(np.float32))
    plane = torch.zeros(ROWS, COLS)
    minutiae = tuple(Minutia(vx, vy, 37.0 * k, "ending", 50) for k, (vx, vy, _) in enumerate(VORTICES))
    singular = (SingularPoint(288.0, 290.0, "core"), SingularPoint(10.0, 690.0, "delta"))
    return Finger(
        pattern="arch",
        position=0,
        ridges=ridges,
        detail=plane,
        orientation=plane,
        period=plane + PERIOD,
        minutiae=minutiae,
        singular=singular,
        centre=(288.0, 310.0),
    )
