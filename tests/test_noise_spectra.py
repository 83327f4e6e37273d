"""Spectra, variances and correlations of the noise sources, in time, at two steps.

One program a step holds all sources side by side. Estimates are compared with closed forms,
within four standard errors and what a finite record biases them by.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import brainunit as u
import numpy as np
import pytest
from scipy.signal import welch

import braingraph as bg
from braingraph import nodes

Array = np.ndarray[Any, np.dtype[Any]]

UNITS, REPLICAS = 8, 2
SPAN = 16.384  # s
STEPS = (1e-3, 0.25e-3)  # s
LOW, HIGH = 1.0, 100.0  # Hz, of the bands
TURN = 300.0  # Hz, of violet noise, whose spectrum bends already a factor of three below
SIGMA = 0.7
BAND = {"f_low": LOW * u.Hz, "f_high": HIGH * u.Hz}


# ---------------------------------------------------------------- what must come
@dataclass(frozen=True)
class Colour:
    """A source, its port, the exponent of its spectrum, and the spectrum at a step."""

    model: Any
    exponent: float
    spectrum: Callable[[Array, float], Array]  # (f, dt), one-sided, in s
    signal: str = "out"


def shares(beta: float, count: int, rise: int) -> tuple[Array, Array]:
    """Corner frequencies, and the part of the variance that each process has.

    The last stands for all that would follow it, and the first for all before.
    """
    f = np.geomspace(LOW, HIGH, count)
    c = f ** (1 - beta)
    ratio = f[1] / f[0]
    c[0] /= 1 - ratio ** (beta - 2)
    c[-1] /= 1 - ratio ** -(beta + rise)
    return f, c / c.sum()


def falling(beta: float) -> Callable[[Array, float], Array]:
    """Of sampled Ornstein-Uhlenbeck processes: autoregressions of order 1."""

    def spectrum(f: Array, dt: float) -> Array:
        total = np.zeros_like(f)
        for corner, c in zip(*shares(beta, 7, 0), strict=True):
            a = np.exp(-2 * np.pi * corner * dt)
            total += c * 2 * dt * (1 - a**2) / (1 - 2 * a * np.cos(2 * np.pi * f * dt) + a**2)
        return SIGMA**2 * total

    return spectrum


def rising(corners: Array, c: Array) -> Callable[[Array, float], Array]:
    """Of the mean over each step, whose spectrum is that of the process times sinc^2, folded."""

    def spectrum(f: Array, dt: float) -> Array:
        total = np.zeros_like(f)
        for k in range(-30, 31):
            g = abs(f + k / dt)
            x = g[:, None] / corners
            density = (c * 4 / (np.pi * corners) * x**2 / (1 + x**2) ** 2).sum(1)
            total += density * np.sinc(g * dt) ** 2
        return SIGMA**2 * total

    return spectrum


def white(f: Array, dt: float) -> Array:
    return np.full_like(f, 2 * SIGMA**2)


def brown(f: Array, dt: float) -> Array:
    """Of x_n - x_{n-1} white, of variance sigma^2 dt."""
    return 2 * SIGMA**2 * dt**2 / (2 - 2 * np.cos(2 * np.pi * f * dt))


#: Strengths of white and Brownian noise are in roots of a second here.
COLOURS: dict[str, Colour] = {
    "white": Colour(nodes.WhiteNoise(UNITS, sigma=SIGMA * u.nA * u.second**0.5), 0, white),
    "pink": Colour(nodes.PinkNoise(UNITS, sigma=SIGMA, **BAND), -1, falling(1.0)),
    "brownian": Colour(
        nodes.BrownianNoise(UNITS, sigma=SIGMA * u.nA / u.second**0.5), -2, brown, "x"
    ),
    "blue": Colour(nodes.BlueNoise(UNITS, sigma=SIGMA, **BAND), 1, rising(*shares(-1.0, 5, 2))),
    "violet": Colour(
        nodes.VioletNoise(UNITS, sigma=SIGMA, f_high=TURN * u.Hz),
        2,
        rising(np.array([TURN]), np.ones(1)),
    ),
    "beta": Colour(nodes.ColoredNoise(UNITS, sigma=SIGMA, beta=1.5, **BAND), -1.5, falling(1.5)),
}


#: A general exponent at one step only: it is pink noise's code, and takes long to compile.
CASES = [(name, dt) for name in COLOURS for dt in STEPS if (name, dt) != ("beta", STEPS[1])]


# ---------------------------------------------------------------- what came
@cache
def recorded(dt: float) -> dict[str, Array]:
    """(replica, time, unit), by colour."""
    g = bg.Graph()
    colours = {name: colour for name, colour in COLOURS.items() if (name, dt) in CASES}
    for name, colour in colours.items():
        g.add_node(name, colour.model)
    ports = {name: f"{name}.{colour.signal}" for name, colour in colours.items()}
    sim = bg.Simulator(g, dt=dt * u.second, seed=11)
    ds = sim.run(
        SPAN * u.second, monitors=list(ports.values()), batch_size=REPLICAS, progress=False
    )
    return {name: np.asarray(ds[port], float) for name, port in ports.items()}


SEGMENT = 2.048  # s


@cache
def estimated(name: str, dt: float) -> tuple[Array, Array]:
    """Welch's spectrum, the mean of all units and replicas."""
    f, power = welch(recorded(dt)[name], 1 / dt, nperseg=round(SEGMENT / dt), axis=1)
    return f, power.mean((0, 2))


#: A factor of three within the band's ends; all have 3 to 33 Hz.
FITTED = (3 * LOW, HIGH / 3)


def in_band(f: Array) -> Array:
    inside: Array = (f >= FITTED[0]) & (f <= FITTED[1])
    return inside


def relative_error(bins: int = 1) -> float:
    """Of the mean of some bins: segments half overlapping, Hann's correlation of neighbours."""
    segments = 2 * SPAN / SEGMENT - 1
    return float(np.sqrt(1.5 * (19 / 18) / (segments * UNITS * REPLICAS * bins)))


@pytest.mark.parametrize(("name", "dt"), CASES)
def test_the_exponent_of_the_spectrum(name: str, dt: float) -> None:
    f, power = estimated(name, dt)
    inside = in_band(f)
    x = np.log(f[inside])
    slope = np.polyfit(x, np.log(power[inside]), 1)[0]
    error = relative_error() / (np.std(x) * np.sqrt(len(x)))
    assert error < 0.02  # so that 0.1 says something
    assert slope == pytest.approx(COLOURS[name].exponent, abs=0.1)


@pytest.mark.parametrize(("name", "dt"), CASES)
def test_the_level_of_the_spectrum_is_the_closed_form(name: str, dt: float) -> None:
    """In three parts of the spectrum, up to beyond f_high, to 1 % of bias by leakage."""
    f, power = estimated(name, dt)
    right = COLOURS[name].spectrum(f[1:], dt)
    ratio = power[1:] / right
    for low, high in ((3, 10), (10, 40), (40, 400)):
        part = (f[1:] >= low) & (f[1:] < high)
        error = relative_error(int(part.sum()))
        assert ratio[part].mean() == pytest.approx(1, abs=4 * error + 0.01), (low, high)


@pytest.mark.parametrize("name", [name for name, dt in CASES if dt == STEPS[1]])
def test_the_spectrum_does_not_depend_on_the_step(name: str) -> None:
    (f, coarse), (g, fine) = (estimated(name, dt) for dt in STEPS)
    np.testing.assert_allclose(f[1:200], g[1:200], rtol=1e-9)
    inside = in_band(f[:200])
    ratio = (coarse[:200] / fine[:200])[inside].mean()
    # 3 % of what is beyond 1 / (2 dt) is folded into the coarser samples of falling spectra
    assert ratio == pytest.approx(1, abs=4 * np.sqrt(2) * relative_error(int(inside.sum())) + 0.03)


@pytest.mark.parametrize("name", COLOURS)
def test_units_and_replicas_are_independent(name: str) -> None:
    """By the coherence of every pair, over all segments and frequencies: each of them once."""
    x = recorded(STEPS[0])[name]
    long = round(SEGMENT / STEPS[0])
    parts = x[:, : len(x[0]) // long * long].reshape(REPLICAS, -1, long, UNITS)
    parts = (parts - parts.mean(2, keepdims=True)) * np.hanning(long)[:, None]
    z = np.fft.rfft(parts, axis=2)[:, :, 4::4]  # every fourth: a Hann window joins three
    z = np.moveaxis(z / abs(z), 3, 1).reshape(REPLICAS * UNITS, -1)
    coherence = abs(z @ z.conj().T) / z.shape[1]
    pairs = coherence[np.triu_indices(len(z), 1)]
    assert np.allclose(np.diag(coherence), 1)
    # |mean of m random phases|^2 is exponential of mean 1 / m: 1e-7 over all pairs
    assert pairs.max() < np.sqrt(np.log(len(pairs) / 1e-7) / z.shape[1])


# ---------------------------------------------------------------- in time
MANY = 4000
LONG = 20e-3  # s: long for the fast processes, short for the slow ones


def kept(corners: Array, dt: float) -> Array:
    """The variance of a mean over dt of a process of variance 1, and its covariance with the next.

    z has the covariance (1 + a) exp(-a), in tau^2.
    """
    a = 2 * np.pi * corners * dt
    one, two = (1 + a) * np.exp(-a), (1 + 2 * a) * np.exp(-2 * a)
    return np.array([2 * (1 - one), 2 * one - 1 - two]) / a**2


def relaxed(beta: float) -> list[float]:
    f, c = shares(beta, 7, 0)
    return [1.0, float((c * np.exp(-2 * np.pi * f * LONG)).sum())]


#: Variance, and covariance of neighbours, at sigma = 1.
MOMENTS: dict[str, tuple[Any, list[float]]] = {
    "pink": (nodes.PinkNoise(MANY, mean=3.0, **BAND), relaxed(1.0)),
    "blue": (
        nodes.BlueNoise(MANY, mean=0.5, **BAND),
        [float(m) for m in (shares(-1.0, 5, 2)[1] * kept(shares(-1.0, 5, 2)[0], LONG)).sum(1)],
    ),
    "violet": (
        nodes.VioletNoise(MANY, f_high=5 * u.Hz),
        [float(m) for m in kept(np.array([5.0]), LONG).sum(1)],
    ),
}


@cache
def walked() -> dict[str, Array]:
    """(time, unit) from t = 0 on, by the models themselves."""
    g = bg.Graph()
    for name, (model, _) in MOMENTS.items():
        g.add_node(name, model)
    sim = bg.Simulator(g, dt=LONG * u.second, seed=2)
    monitors = [f"{name}.out" for name in MOMENTS]
    ds = sim.run(60 * LONG * u.second, monitors=monitors, progress=False)
    return {name: np.asarray(ds[f"{name}.out"], float) for name in MOMENTS}


@pytest.mark.parametrize("name", MOMENTS)
def test_it_is_stationary_from_the_start(name: str) -> None:
    """The first sample is the state after one step, and half of what it shows is of t = 0."""
    model, (variance, neighbours) = MOMENTS[name]
    x = walked()[name] - np.asarray(model.mean)
    spread = np.sqrt(2 / MANY)
    for row in (0, 1, 10, 59):
        assert x[row].mean() == pytest.approx(0, abs=4 * np.sqrt(variance / MANY))
        assert x[row].var() == pytest.approx(variance, rel=4 * spread)
    for row in (0, 30, 58):
        product = (x[row] * x[row + 1]).mean()
        assert product == pytest.approx(neighbours, abs=4 * variance * spread)


@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0, 1.7, 2.0])
def test_sigma_is_the_standard_deviation(beta: float) -> None:
    """Independent processes of variance 1 add up to it; at either end, one of them is all."""
    model = nodes.ColoredNoise(1, beta=beta, **BAND)
    weights = np.array([float(w) for w in model._weights()])
    assert (weights**2).sum() == pytest.approx(1, rel=1e-6)
    assert ((weights > 0).sum() == 1) == (beta in (0.0, 2.0))


def test_a_step_shows_the_part_of_a_rising_spectrum_that_the_docstrings_name() -> None:
    for corners, c in (shares(-1.0, 5, 2), (np.array([HIGH]), np.ones(1))):
        for part, step in ((0.999, 0.0005), (0.96, 0.02), (0.82, 0.1)):
            variance = (c * kept(corners, step / HIGH)).sum(1)[0]
            assert np.sqrt(variance) == pytest.approx(part, abs=0.006)
