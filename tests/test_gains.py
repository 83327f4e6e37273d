"""Gains in closed form against series, field theory and published numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import brainunit as u
import numpy as np
import pytest
from numpy.polynomial import legendre

import braingraph as bg
from braingraph.observers import (
    build_fixed_orientation_weights,
    compress_vertex_leadfield,
    eeg_sphere_gain,
    meg_sphere_gain,
    seeg_dipole_gain,
    seeg_monopole_gain,
)

Array = np.ndarray[Any, np.dtype[np.float64]]
RADIUS = 0.09
SIGMA = 0.33
MU0 = 4e-7 * np.pi
EEG_UNIT = u.volt / (u.amp * u.meter)
MEG_UNIT = u.tesla / (u.amp * u.meter)
CM = u.cmeter


def directions(seed: int, number: int) -> Array:
    v = np.random.default_rng(seed).normal(size=(number, 3))
    out: Array = v / np.linalg.norm(v, axis=1, keepdims=True)
    return out


SCALP = RADIUS * directions(0, 40)
COILS = np.random.default_rng(1).uniform(0.1, 0.13, (30, 1)) * directions(2, 30)
INSIDE = np.random.default_rng(3).uniform(0.005, 0.08, (12, 1)) * directions(4, 12)
MOMENTS = directions(5, 12)
M = u.meter


def eeg(electrodes: Any, sources: Any, moments: Any = None, **given: Any) -> Array:
    gain = eeg_sphere_gain(electrodes * M, sources * M, moments, radius=RADIUS * M, **given)
    return np.asarray(gain.to_decimal(EEG_UNIT))


def field(points: Array, sources: Array, moments: Array) -> Array:
    """B of all dipoles together at points, (point, 3)."""
    along = [
        meg_sphere_gain(points * M, np.tile(n, (len(points), 1)), sources * M, moments)
        for n in np.eye(3)
    ]
    return np.stack([g.to_decimal(MEG_UNIT).sum(axis=1) for g in along], axis=1)


# ---------------------------------------------------------------- EEG of a sphere
def test_the_potential_of_a_dipole_is_the_published_one() -> None:
    electrode = [[9 * np.sin(0.7), 0, 9 * np.cos(0.7)]] * CM
    gain = eeg_sphere_gain(electrode, [[0, 0, 6]] * 2 * CM, [[0, 0, 1], [1, 0, 0]], radius=9 * CM)
    assert gain.unit == EEG_UNIT
    found = gain @ ([10, 5] * u.nA * u.meter)
    np.testing.assert_allclose(found.to_decimal(u.volt), 1.3558796e-06, rtol=1e-7)


def series(r: Array, r0: Array, q: Array, terms: int = 400) -> float:
    """Brody et al. 1973: the sum over Legendre polynomials, for one electrode and one dipole."""
    b = float(np.linalg.norm(r0))
    up, to = r0 / b, r / np.linalg.norm(r)
    cosine = float(up @ to)
    sideways = to - cosine * up
    sine = float(np.linalg.norm(sideways))
    k = np.arange(1, terms + 1)
    weight = (2 * k + 1) / k * (b / RADIUS) ** (k - 1)
    radial = legendre.legval(cosine, np.concatenate([[0], weight * k]))
    slope = legendre.legval(cosine, legendre.legder(np.concatenate([[0], weight])))
    total = (q @ up) * radial + (q @ sideways / sine) * sine * slope
    return float(total) / (4 * np.pi * SIGMA * RADIUS**2)


def test_the_closed_form_sums_the_series() -> None:
    found = eeg(SCALP, INSIDE, MOMENTS)
    want = [[series(r, r0, q) for r0, q in zip(INSIDE, MOMENTS, strict=True)] for r in SCALP]
    np.testing.assert_allclose(found, want, rtol=1e-9, atol=1e-9 * np.abs(want).max())


def test_a_dipole_at_the_centre_gives_three_times_its_field_in_free_space() -> None:
    found = eeg(SCALP, np.zeros((1, 3)), [[0, 0, 1]])
    want = 3 * SCALP[:, 2:] / (4 * np.pi * SIGMA * RADIUS**3)
    np.testing.assert_allclose(found, want, rtol=1e-12)


def test_the_mean_over_the_sphere_is_the_reference() -> None:
    z, weight = legendre.leggauss(60)
    angle = 2 * np.pi * np.arange(120) / 120
    ring = np.sqrt(1 - z**2)[:, None]
    points = np.stack([ring * np.cos(angle), ring * np.sin(angle), z[:, None] + 0 * angle], -1)
    near = np.linalg.norm(INSIDE, axis=1) < 0.06
    potential = eeg(RADIUS * points.reshape(-1, 3), INSIDE[near], MOMENTS[near])
    mean = np.average(potential, axis=0, weights=np.repeat(weight, 120))
    assert near.sum() > 3 and np.abs(mean).max() < 1e-6 * np.abs(potential).max()


def test_only_the_geometry_matters() -> None:
    turn, _ = np.linalg.qr(np.random.default_rng(6).normal(size=(3, 3)))
    away = np.array([0.01, -0.02, 0.03])
    found = eeg(SCALP, INSIDE, MOMENTS)
    moved = eeg(
        SCALP @ turn.T + away, INSIDE @ turn.T + away, MOMENTS @ turn.T, centre=away * u.meter
    )
    np.testing.assert_allclose(moved, found, rtol=1e-9, atol=1e-9 * np.abs(found).max())
    coarse = eeg_sphere_gain(
        SCALP * 1e3 * u.mm,
        INSIDE * 100 * CM,
        MOMENTS,
        radius=9 * CM,
        conductivity=SIGMA / 10 * u.siemens / u.dmeter,
    )
    np.testing.assert_allclose(coarse.to_decimal(EEG_UNIT), found, rtol=1e-9)
    np.testing.assert_allclose(
        eeg(SCALP, INSIDE, MOMENTS, conductivity=2 * SIGMA * u.siemens / u.meter), found / 2
    )


# ---------------------------------------------------------------- MEG of a sphere
def test_the_field_of_a_dipole_is_the_published_one() -> None:
    point = np.array([[0.03, 0.02, 0.11]])
    found = 10e-9 * field(point, np.array([[0, 0, 0.07]]), np.array([[1.0, 0, 0]]))
    want = [[4.780824e-14, -7.705121e-14, 8.246709e-14]]  # signs kept
    np.testing.assert_allclose(found, want, rtol=2e-7)


def test_radial_dipoles_are_silent() -> None:
    radial = INSIDE / np.linalg.norm(INSIDE, axis=1, keepdims=True)
    across = np.cross(radial, MOMENTS)
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    for n in np.eye(3):
        where = (COILS * M, np.tile(n, (len(COILS), 1)), INSIDE * M)
        quiet, loud = (meg_sphere_gain(*where, q).to_decimal(MEG_UNIT) for q in (radial, across))
        assert np.abs(quiet).max() < 1e-12 * np.abs(loud).max()


def test_the_radial_component_is_that_of_the_dipole_alone() -> None:
    """Volume currents do not contribute to it: Biot and Savart in free space."""
    out = COILS / np.linalg.norm(COILS, axis=1, keepdims=True)
    found = meg_sphere_gain(COILS * M, out, INSIDE * M, MOMENTS).to_decimal(MEG_UNIT)
    d = COILS[:, None] - INSIDE
    primary = MU0 / (4 * np.pi) * np.cross(MOMENTS, d) / np.linalg.norm(d, axis=2)[..., None] ** 3
    want = np.einsum("msk,mk->ms", primary, out)
    np.testing.assert_allclose(found, want, rtol=1e-9, atol=1e-12 * np.abs(want).max())


def test_the_field_outside_has_neither_sources_nor_curl() -> None:
    step = 1e-5
    slopes = np.stack(
        [
            (field(COILS + step * e, INSIDE, MOMENTS) - field(COILS - step * e, INSIDE, MOMENTS))
            / (2 * step)
            for e in np.eye(3)
        ],
        axis=1,
    )  # (point, along, component)
    size = np.abs(slopes).max()
    assert np.abs(np.trace(slopes, axis1=1, axis2=2)).max() < 1e-6 * size
    assert np.abs(slopes - slopes.transpose(0, 2, 1)).max() < 1e-6 * size


def test_the_sign_is_that_of_the_normal() -> None:
    n = directions(7, len(COILS))
    one, other = (meg_sphere_gain(COILS * M, s * n, INSIDE * M, MOMENTS) for s in (1, -1))
    np.testing.assert_array_equal(one.mantissa, -other.mantissa)
    assert (one.mantissa > 0).any() and (one.mantissa < 0).any()


# ---------------------------------------------------------------- depth electrodes
def test_a_dipole_is_two_currents_close_together() -> None:
    contacts = 0.02 * directions(8, 6) + INSIDE[:6]
    apart = 1e-6
    ends = [
        seeg_monopole_gain(contacts * M, (INSIDE + sign * apart / 2 * MOMENTS) * M)
        for sign in (1, -1)
    ]
    assert ends[0].unit == u.volt / u.amp
    pair = (ends[0] - ends[1]).to_decimal(u.volt / u.amp) / apart
    found = seeg_dipole_gain(contacts * M, INSIDE * M, MOMENTS).to_decimal(EEG_UNIT)
    np.testing.assert_allclose(found, pair, rtol=1e-5, atol=1e-6 * np.abs(found).max())


def test_potentials_fall_with_distance_as_they_must() -> None:
    contacts = [[0, 0, 2], [0, 0, 4], [0, 4, 0]] * u.mm
    one = seeg_monopole_gain(contacts, [[0, 0, 0]] * u.mm, conductivity=0.5 * u.siemens / u.meter)
    np.testing.assert_allclose(one.mantissa[:, 0], np.array([1, 0.5, 0.5]) / (4 * np.pi * 1e-3))
    two = seeg_dipole_gain(contacts, [[0, 0, 0]] * u.mm, [[0, 0, 1]])
    ratio = two.mantissa[:, 0] / two.mantissa[0, 0]
    np.testing.assert_allclose(ratio, [1, 0.25, 0], atol=1e-15)


# ---------------------------------------------------------------- components and surfaces
FREE: dict[str, Callable[[Any], Any]] = {
    "eeg": lambda q: eeg_sphere_gain(SCALP * M, INSIDE * M, q, radius=RADIUS * M),
    "meg": lambda q: meg_sphere_gain(COILS * M, directions(9, 30), INSIDE * M, q),
    "seeg": lambda q: seeg_dipole_gain(COILS * M, INSIDE * M, q),
}


@pytest.mark.parametrize("name", FREE)
def test_three_components_make_any_dipole(name: str) -> None:
    """And so a surface of them makes regions."""
    parcel = np.zeros((12, 4))
    parcel[np.arange(12), np.arange(12) % 4] = 1
    areas = np.arange(1.0, 13.0)
    fixed = FREE[name](MOMENTS)
    W = build_fixed_orientation_weights(MOMENTS, parcel, areas * u.mm**2)
    gain = compress_vertex_leadfield(FREE[name](None), W)
    assert gain.unit.has_same_dim(fixed.unit * u.mm**2)
    want = fixed.mantissa @ (areas[:, None] * parcel) * 1e-6
    found = gain.to_decimal(fixed.unit * u.meter**2)
    np.testing.assert_allclose(found, want, rtol=1e-9, atol=1e-12 * np.abs(want).max())


def test_weights_of_fixed_orientations_are_stacked_by_component() -> None:
    W = build_fixed_orientation_weights([[0, 0.6, 0.8], [1, 0, 0]], [[1, 0], [0.25, 0.75]])
    want = np.array([[0, 0], [0.25, 0.75], [0.6, 0], [0, 0], [0.8, 0], [0, 0]])
    np.testing.assert_allclose(W, want, atol=1e-15)
    assert type(compress_vertex_leadfield(np.ones((2, 6)), W)) is np.ndarray


# ---------------------------------------------------------------- mistakes
TOP, IN, UP = [[0, 0, 9]] * CM, [[0, 0, 6]] * CM, [[0, 0, 1]]
N2 = np.ones((3, 4))
MISTAKES: list[tuple[Callable[[], Any], type[bg.GraphError], str, dict[str, Any]]] = [
    (
        lambda: eeg_sphere_gain([[0, 0, 9]], IN, UP, radius=9 * CM),
        bg.UnitError,
        r"electrodes is in \[1\].*\[m\]: as in electrodes \* u.mm",
        {"given": u.UNITLESS, "needed": u.meter},
    ),
    (
        lambda: eeg_sphere_gain(TOP, IN, UP, radius=9 * u.ms),
        bg.UnitError,
        "radius is in",
        {"needed": u.meter},
    ),
    (
        lambda: eeg_sphere_gain(TOP, IN, UP, radius=9 * CM, conductivity=0.3),
        bg.UnitError,
        r"conductivity is in \[1\].*S / m",
        {},
    ),
    (
        lambda: eeg_sphere_gain(TOP, IN, UP, radius=0 * CM),
        bg.ParameterError,
        "radius must be one positive",
        {"parameter": "radius"},
    ),
    (
        lambda: eeg_sphere_gain([[0, 0, 8.9]] * CM, IN, UP, radius=9 * CM),
        bg.ParameterError,
        "electrode 0 is 0.011 radii off the sphere",
        {"parameter": "electrodes"},
    ),
    (
        lambda: eeg_sphere_gain(TOP, [[0, 0, 9]] * CM, UP, radius=9 * CM),
        bg.ParameterError,
        "source 0 is 90 mm from the centre.*of 90 mm",
        {"parameter": "sources"},
    ),
    (
        lambda: eeg_sphere_gain(TOP, IN, [[0, 0, 2]], radius=9 * CM),
        bg.ParameterError,
        "number 0 has length 2.*linalg.norm",
        {"parameter": "orientations"},
    ),
    (
        lambda: eeg_sphere_gain(TOP, IN, N2, radius=9 * CM),
        bg.ShapeError,
        r"orientations have shape \(3, 4\), but must be \(1, 3\)",
        {"given": (3, 4), "needed": (1, 3)},
    ),
    (
        lambda: eeg_sphere_gain(np.ones((3, 5)) * CM, IN, UP, radius=9 * CM),
        bg.ShapeError,
        r"electrodes have shape \(3, 5\).*transpose fits: pass electrodes.T",
        {"given": (3, 5), "needed": ("number", 3)},
    ),
    (
        lambda: eeg_sphere_gain(TOP, IN, UP, radius=9 * CM, centre=[0, 0] * CM),
        bg.ShapeError,
        r"centre has shape \(2,\)",
        {"needed": (3,)},
    ),
    (
        lambda: meg_sphere_gain([[0, 0, 6]] * CM, UP, TOP, UP),
        bg.ParameterError,
        "source 0 is 90 mm.*innermost sensor, of 60 mm",
        {"parameter": "sources"},
    ),
    (
        lambda: meg_sphere_gain(TOP, [[0, 0, 0]], IN, UP),
        bg.ParameterError,
        "normals must be unit vectors",
        {"parameter": "normals"},
    ),
    (
        lambda: seeg_monopole_gain(TOP, TOP),
        bg.ParameterError,
        "source 0 is where contact 0 is",
        {"parameter": "contacts"},
    ),
    (
        lambda: seeg_dipole_gain(TOP, [[0, 0, np.nan]] * CM, UP),
        bg.ParameterError,
        r"sources is not finite at \(0, 2\)",
        {"parameter": "sources"},
    ),
    (
        lambda: compress_vertex_leadfield(N2, N2),
        bg.ShapeError,
        r"L_3V has shape \(3, 4\) and W \(3, 4\)",
        {"given": (3, 4), "needed": (3, 3)},
    ),
    (lambda: compress_vertex_leadfield(UP[0], N2), bg.ShapeError, "must be a matrix", {}),
    (
        lambda: build_fixed_orientation_weights(UP, [[1.0]], [1.0, 2.0]),
        bg.ShapeError,
        r"areas have shape \(2,\).*\(1,\): one a vertex",
        {"given": (2,), "needed": (1,)},
    ),
    (
        lambda: build_fixed_orientation_weights([[1, 1, 1]], [[1.0]]),
        bg.ParameterError,
        "length 1.73",
        {"parameter": "normals"},
    ),
]


@pytest.mark.parametrize("make, error, text, fields", MISTAKES, ids=[c[2] for c in MISTAKES])
def test_a_mistake_is_named(
    make: Callable[[], Any], error: type[bg.GraphError], text: str, fields: dict[str, Any]
) -> None:
    with pytest.raises(error, match=text) as caught:
        make()
    assert {k: caught.value.fields[k] for k in fields} == fields
