"""The laws of noise sources and waveforms, in plain NumPy, as ``oracle_models`` reads them.

Linear processes are stepped by the matrix exponential of their drift and a Cholesky factor of
what keeps their stationary covariance, so that nothing is shared with the library's closed forms.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import brainunit as u
import numpy as np
from scipy.linalg import expm


# ---------------------------------------------------------------- what is drawn each step
def white(p: Any, s: Any, i: Any) -> Any:
    """Euler's step of dx = sigma dW adds sigma sqrt(dt) xi, which is dt times this."""
    return p.mean + p.sigma * i.xi / np.sqrt(i.dt)


def white_units(model: Any) -> dict[str, Any]:
    unit = model.signals()["out"].unit(model)
    plain = unit == u.UNITLESS  # sigma is then in sqrt(ms), and says nothing of it
    return {"out": unit, "mean": unit, "sigma": unit if plain else unit * u.ms**0.5}


def ornstein_uhlenbeck(p: Any, s: Any, i: Any, dt: float) -> dict[str, Any]:
    """Gillespie 1996, eq. 1.9, with sigma the stationary standard deviation."""
    kept = np.exp(-dt / p.tau)
    return {"x": kept * s.x + (1 - kept) * p.mean + p.sigma * np.sqrt(1 - kept**2) * i.xi}


def ou_units(model: Any) -> dict[str, Any]:
    unit = model.signals()["x"].unit(model)
    return {**dict.fromkeys(("sigma", "mean", "x"), unit), "tau": u.ms}


def brownian(p: Any, s: Any, i: Any, dt: float) -> dict[str, Any]:
    return {"x": s.x + p.sigma * np.sqrt(dt) * i.xi}


def brownian_units(model: Any) -> dict[str, Any]:
    unit = model.signals()["x"].unit(model)
    return {"x": unit, "sigma": unit if unit == u.UNITLESS else unit / u.ms**0.5}


# ---------------------------------------------------------------- colours
def band(p: Any, count: int, beta: Any, rise: int) -> tuple[Any, Any]:
    """Corner frequencies (process, unit) in kHz, and their shares of the variance.

    The share of the last is that of itself and all beyond it, f_high q, f_high q^2, ..., which
    have S ~ f_k^(1 - beta) f_k^-(1 + rise) in the band; so is that of the first.
    """
    k = np.arange(count)[:, None]
    q = (p.f_high / p.f_low) ** (1 / (count - 1))
    f = p.f_low * q**k
    shares = (f / p.f_high) ** (1 - beta)
    with np.errstate(divide="ignore"):
        shares[0] = shares[0] / (1 - q ** (beta - 2))
        shares[-1] = shares[-1] / (1 - q ** -(beta + rise))
    return f, shares / shares.sum(0)


def falling(beta: float | None) -> dict[str, Any]:
    """Seven Ornstein-Uhlenbeck processes."""

    def exponent(p: Any) -> Any:
        return p.beta if beta is None else beta

    def jump(p: Any, s: Any, i: Any, dt: float) -> dict[str, Any]:
        f, _ = band(p, 7, exponent(p), 0)
        kept = np.exp(-2 * np.pi * f * dt)
        return {
            f"x_{k}": kept[k - 1] * s[f"x_{k}"] + np.sqrt(1 - kept[k - 1] ** 2) * i[f"xi_{k}"]
            for k in range(1, 8)
        }

    def out(p: Any, s: Any, i: Any) -> Any:
        _, shares = band(p, 7, exponent(p), 0)
        return p.mean + p.sigma * sum(np.sqrt(shares[k - 1]) * s[f"x_{k}"] for k in range(1, 8))

    return {"jump": jump, "outputs": {"out": out}, "units": colour_units}


def colour_units(model: Any) -> dict[str, Any]:
    unit = model.signals()["out"].unit(model)
    return {**dict.fromkeys(("sigma", "mean", "out"), unit), "f_low": u.kHz, "f_high": u.kHz}


@cache
def oscillator(f: float, dt: float) -> tuple[Any, Any]:
    """Drift and shock of (z / tau, v) in a step: Chandrasekhar 1943, damping 2 / tau."""
    a = 2 * np.pi * f * dt
    drift = expm(a * np.array([[0.0, 1.0], [-1.0, -2.0]]))
    return drift, np.linalg.cholesky(np.eye(2) - drift @ drift.T)


def moved(f: Any, dt: float, z: Any, v: Any, e: Any, xi: Any) -> Any:
    """(z / tau, v) after a step, of every unit."""
    out = []
    for unit, frequency in enumerate(f):
        drift, shock = oscillator(frequency, dt)
        out.append(drift @ [z[unit], v[unit]] + shock @ [e[unit], xi[unit]])
    return np.array(out).T


def mean_over_step(f: Any, dt: float, z: Any, v: Any, e: Any) -> Any:
    """(z(t + dt) - z(t)) / dt."""
    return (moved(f, dt, z, v, e, 0 * e)[0] - z) / (2 * np.pi * f * dt)


def blue(p: Any, s: Any, i: Any, dt: float) -> dict[str, Any]:
    f, _ = band(p, 5, -1.0, 2)
    new = {}
    for k in range(1, 6):
        now = s[f"z_{k}"], s[f"v_{k}"], s[f"e_{k}"]
        new[f"z_{k}"], new[f"v_{k}"] = moved(f[k - 1], dt, *now, i[f"xi_{k}"])
        new[f"e_{k}"] = i[f"zeta_{k}"]
    return new


def blue_out(p: Any, s: Any, i: Any) -> Any:
    f, shares = band(p, 5, -1.0, 2)
    total = 0.0
    for k in range(1, 6):
        now = s[f"z_{k}"], s[f"v_{k}"], s[f"e_{k}"]
        total = total + np.sqrt(shares[k - 1]) * mean_over_step(f[k - 1], i.dt, *now)
    return p.mean + p.sigma * total


def violet(p: Any, s: Any, i: Any, dt: float) -> dict[str, Any]:
    z, v = moved(p.f_high, dt, s.z, s.v, s.e, i.xi)
    return {"z": z, "v": v, "e": i.zeta}


def violet_out(p: Any, s: Any, i: Any) -> Any:
    return p.mean + p.sigma * mean_over_step(p.f_high, i.dt, s.z, s.v, s.e)


# ---------------------------------------------------------------- waveforms
def since(p: Any, i: Any) -> Any:
    """Time since the onset, in ms; the onset is a whole number of steps."""
    return i.t - np.rint(p.onset / i.dt) * i.dt


def windowed(p: Any, i: Any, wave: Any) -> Any:
    begun = i.n - np.rint(p.onset / i.dt)
    length = np.inf if p.duration is None else np.rint(p.duration / i.dt)
    return p.offset + np.where((begun >= 0) & (begun < length), wave, 0.0)


def sine(p: Any, s: Any, i: Any) -> Any:
    return windowed(p, i, p.amplitude * np.sin(2 * np.pi * p.frequency * since(p, i) + p.phase))


def chirp(p: Any, s: Any, i: Any) -> Any:
    t, T = since(p, i), p.duration
    if p.sweep == "linear":
        cycles = p.f0 * t + (p.f1 - p.f0) / (2 * T) * t**2
    else:
        ratio = p.f1 / p.f0
        cycles = p.f0 * T / np.log(ratio) * (ratio ** (t / T) - 1)
    return windowed(p, i, p.amplitude * np.sin(2 * np.pi * cycles + p.phase))


def ramp(p: Any, s: Any, i: Any) -> Any:
    t = since(p, i)
    return np.where(
        t < 0,
        p.start,
        np.where(t > p.duration, p.end, p.start + (p.end - p.start) * t / p.duration),
    )


def waveform_units(model: Any) -> dict[str, Any]:
    unit = model.signals()["out"].unit(model)
    return {
        **dict.fromkeys(("out", "amplitude", "offset", "start", "end"), unit),
        **dict.fromkeys(("onset", "duration"), u.ms),
        **dict.fromkeys(("frequency", "f0", "f1"), u.kHz),
    }


PARTS: dict[str, dict[str, Any]] = {
    "WhiteNoise": {"outputs": {"out": white}, "units": white_units},
    "GaussianNoise": {"outputs": {"out": white}, "units": white_units},
    "OUProcess": {"jump": ornstein_uhlenbeck, "units": ou_units},
    "BrownianNoise": {"jump": brownian, "units": brownian_units},
    "ColoredNoise": falling(None),
    "PinkNoise": falling(1.0),
    "BlueNoise": {"jump": blue, "outputs": {"out": blue_out}, "units": colour_units},
    "VioletNoise": {"jump": violet, "outputs": {"out": violet_out}, "units": colour_units},
    "SineStimulus": {"outputs": {"out": sine}, "units": waveform_units},
    "ChirpStimulus": {"outputs": {"out": chirp}, "units": waveform_units},
    "RampStimulus": {"outputs": {"out": ramp}, "units": waveform_units},
}
