"""Where sensors and sources are, as checked arrays of numbers in metres."""

from __future__ import annotations

from typing import Any

import brainunit as u
import numpy as np

from braingraph.errors import ParameterError, ShapeError
from braingraph.parameters import numbers
from braingraph.units import Unit, strip

#: How far from the sphere electrodes may stand, and how near to it sources, relative to its radius.
ON_SPHERE = 1e-3
#: How far from 1 the length of a direction may be.
UNIT_LENGTH = 1e-2


def geometry(
    sensors: Any, name: str, sources: Any, orientations: Any, centre: Any = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Positions of sensors and sources from the centre, in m, and directions of the sources."""
    r, r0 = _positions(sensors, name), _positions(sources, "sources")
    if centre is not None:
        origin = numbers(strip(centre, u.meter, "centre"), "centre", parameter="centre")
        if origin.shape != (3,):
            raise ShapeError(
                f"centre has shape {origin.shape}, but must have (3,).",
                given=origin.shape,
                needed=(3,),
            )
        r, r0 = r - origin, r0 - origin
    return r, r0, None if orientations is None else directions(orientations, "orientations", r0)


def length(vectors: np.ndarray) -> np.ndarray:
    """Of the last axis, which stays."""
    size: np.ndarray = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return size


def matrix(value: Any, name: str) -> np.ndarray:
    """The plain numbers of a matrix."""
    plain = numbers(u.get_magnitude(value), name, parameter=name)
    if plain.ndim != 2:
        raise ShapeError(
            f"{name} has shape {plain.shape}, but must be a matrix.", given=plain.shape
        )
    return plain


def _positions(value: Any, name: str) -> np.ndarray:
    """Positions in m, (number, 3)."""
    plain = numbers(strip(value, u.meter, name, f"as in {name} * u.mm."), name, parameter=name)
    return _triples(plain, name, None)


def _triples(plain: np.ndarray, name: str, count: int | None) -> np.ndarray:
    if plain.ndim == 2 and plain.shape[1] == 3 and count in (None, len(plain)):
        return plain
    number = "number" if count is None else count
    fits = plain.ndim == 2 and plain.shape[0] == 3 and count in (None, plain.shape[1])
    raise ShapeError(
        f"{name} have shape {plain.shape}, but must be ({number}, 3)"
        f"{f'. The transpose fits: pass {name}.T.' if fits else ': x, y and z of each.'}",
        given=plain.shape,
        needed=(number, 3),
    )


def directions(value: Any, name: str, of: np.ndarray) -> np.ndarray:
    """Unit vectors, one for each of ``of``."""
    plain = numbers(strip(value, u.UNITLESS, name), name, parameter=name)
    plain = _triples(plain, name, len(of))
    size = np.linalg.norm(plain, axis=1)
    wrong = np.flatnonzero(abs(size - 1) > UNIT_LENGTH)
    if wrong.size:
        raise ParameterError(
            f"{name} must be unit vectors, but number {wrong[0]} has length {size[wrong[0]]:g}: "
            f"divide them by np.linalg.norm({name}, axis=1, keepdims=True).",
            parameter=name,
        )
    return plain


def positive(value: Any, unit: Unit, name: str) -> float:
    """One positive number in the unit."""
    plain = numbers(strip(value, unit, name), name, parameter=name)
    if plain.ndim or plain <= 0:
        raise ParameterError(
            f"{name} must be one positive number, but is {plain.tolist()}.", parameter=name
        )
    return float(plain)


def on_sphere(r: np.ndarray, radius: float) -> None:
    """ParameterError unless all electrodes are on the sphere."""
    off = abs(np.linalg.norm(r, axis=1) / radius - 1)
    if off.max() > ON_SPHERE:
        raise ParameterError(
            f"electrode {int(off.argmax())} is {off.max():.2g} radii off the sphere: put them on "
            "it, as in radius * e / np.linalg.norm(e, axis=1, keepdims=True), where e are their "
            "positions from the centre.",
            parameter="electrodes",
        )


def within(r0: np.ndarray, radius: float, what: str) -> None:
    """ParameterError unless all sources are nearer to the centre than the radius."""
    far = np.linalg.norm(r0, axis=1)
    if far.max() >= (1 - ON_SPHERE) * radius:
        raise ParameterError(
            f"source {int(far.argmax())} is {1e3 * far.max():g} mm from the centre, but must lie "
            f"within {what}, of {1e3 * radius:g} mm.",
            parameter="sources",
        )
