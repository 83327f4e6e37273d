"""The laws of observers that convolve, filter and average, in plain NumPy and SciPy.

As ``oracle_models`` reads them. Where the library steps a kernel's filter by a matrix exponential,
these are closed forms; where it steps a band-pass in increments, this is ``scipy.signal.sosfilt``,
whose memory is another, but as long.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import brainunit as u
import numpy as np
from scipy.signal import butter, sosfilt


def seconds(value: Any) -> float:
    return float(value.to_decimal(u.second))


def hertz(value: Any) -> float:
    return float(value.to_decimal(u.Hz))


# ---------------------------------------------------------------- kernels
def summit(samples: np.ndarray[Any, Any]) -> float:
    """The maximum of a smooth function, by the parabola through its largest samples."""
    k = int(samples.argmax())
    left, top, right = samples[k - 1 : k + 2]
    return float(top + (right - left) ** 2 / (8 * (2 * top - left - right)))


@cache
def oscillations(kernel: Any) -> list[tuple[complex, float]] | None:
    """Poles in 1 / s and amplitudes of the damped oscillations a kernel is the sum of."""
    if type(kernel).__name__ == "FirstOrderVolterra":
        tau_s, tau_f = seconds(kernel.tau_s), seconds(kernel.tau_f)
        omega = math.sqrt(1 / tau_f - 1 / (4 * tau_s**2))
        return [(-0.5 / tau_s + 1j * omega, 1 / 3 / omega)]
    if type(kernel).__name__ == "DoubleExponential":
        poles = [
            -1 / seconds(tau) + 2j * math.pi * hertz(f)
            for tau, f in ((kernel.tau_1, kernel.f_1), (kernel.tau_2, kernel.f_2))
        ]
        t = np.linspace(0, -8 / max(pole.real for pole in poles), 60_001)
        waves = [np.imag(np.exp(pole * t)) for pole in poles]
        scale = kernel.a / summit(kernel.amp_1 * waves[0] - kernel.amp_2 * waves[1])
        return [(poles[0], scale * kernel.amp_1), (poles[1], -scale * kernel.amp_2)]
    return None


def gammas(kernel: Any) -> tuple[float, dict[int, float]]:
    """The rate in 1 / s of a kernel's gamma densities, and the weight of each shape."""
    if type(kernel).__name__ == "MixtureOfGammas":
        rate = float(kernel.l.to_decimal(u.second**-1))
        return rate, {int(kernel.a_1): 1 / rate, int(kernel.a_2): -float(kernel.c) / rate}
    n, tau = int(kernel.n), seconds(kernel.tau)
    m = n - 1
    peak = m**m * math.exp(-m) / math.factorial(m) / tau  # of the density, at m tau
    return 1 / tau, {n: float(kernel.a) / peak}


def poisson(k: int, mean: float) -> float:
    return math.exp(-mean) * mean**k / math.factorial(k)


def _rows(s: Any, units: int) -> np.ndarray[Any, Any]:
    return np.asarray(s.memory).reshape(-1, units)


def bold_memory(p: Any, s: Any, i: Any, dt: float) -> dict[str, Any]:
    """One step of dt ms on, the input held."""
    kernel, h, z = p.kernel, dt / 1000, i.z
    old = _rows(s, len(z))
    if type(kernel).__name__ == "ArrayKernel":
        return {"memory": np.concatenate([[z], old[:-1]]).ravel()}
    waves = oscillations(kernel)
    if waves is not None:
        new = []
        for (pole, _), x, y in zip(waves, old[::2], old[1::2], strict=True):
            grown = np.exp(pole * h)
            w = grown * (x + 1j * y) + (grown - 1) / pole * z
            new += [w.real, w.imag]
        return {"memory": np.concatenate(new)}
    mean = gammas(kernel)[0] * h
    chain = []
    for k in range(len(old)):  # what is j filters above arrives as a Poisson process counts
        share = [poisson(k - j, mean) for j in range(k + 1)]
        arrived = sum(w * old[j] for j, w in enumerate(share))
        chain.append(arrived + (1 - sum(share)) * z)
    return {"memory": np.concatenate(chain)}


def bold_read(p: Any, s: Any, i: Any) -> Any:
    kernel = p.kernel
    name = type(kernel).__name__
    memory = np.asarray(s.memory)
    waves = oscillations(kernel)
    if name == "ArrayKernel":
        old = memory.reshape(len(kernel.samples), -1)
        y = seconds(kernel.every) * sum(h * z for h, z in zip(kernel.samples, old, strict=True))
    elif waves is not None:
        old = memory.reshape(2 * len(waves), -1)
        y = sum(k * v for (_, k), v in zip(waves, old[1::2], strict=True))
    else:
        weights = gammas(kernel)[1]
        old = memory.reshape(max(weights), -1)
        y = sum(w * old[n - 1] for n, w in weights.items())
    standard = (5.6, 0.02, 1.0) if name == "FirstOrderVolterra" else (1.0, 1.0, 0.0)
    given = (p.k_1, p.V_0, p.baseline)
    k_1, V_0, rest = (a if b is None else b for a, b in zip(standard, given, strict=True))
    return k_1 * V_0 * (y - rest)


# ---------------------------------------------------------------- band-pass
def sections(p: Any, dt: float) -> Any:
    """Second-order sections, in ms."""
    edges = [f for f in (p.low, p.high) if f is not None]
    kind = "bandpass" if len(edges) == 2 else "highpass" if p.high is None else "lowpass"
    edges = edges if len(edges) == 2 else edges[0]
    return butter(int(p.order), edges, kind, output="sos", fs=1000 / dt)


def band_pass(p: Any, s: Any, i: Any, dt: float) -> dict[str, Any]:
    x, sos = np.asarray(i.inp), sections(p, dt)
    old = _rows(s, len(x))[1:].reshape(len(sos), 2, -1)
    passed, new = sosfilt(sos, x[None], axis=0, zi=old)
    return {"memory": np.concatenate([passed.ravel(), new.ravel()])}


def through(p: Any, s: Any, i: Any) -> Any:
    both = p.low is not None and p.high is not None
    rows = 1 + 2 * int(p.order if both else (p.order + 1) // 2)
    return np.asarray(s.memory).reshape(rows, -1)[0]


# ---------------------------------------------------------------- averages
def _means(p: Any, s: Any, i: Any) -> Any:
    return np.array([np.average(i.inp, weights=row) for row in p.mask])


def _passing(model: Any) -> dict[str, Any]:
    """All in the unit that the observer was given."""
    unit = model.signals()["inp"].unit(model)
    return dict.fromkeys(("unit", "inp", "out", "memory"), unit)


_AS_IT_IS = {"outputs": {"out": lambda p, s, i: i.inp}, "units": _passing}

#: What a Law is made of, by class.
PARTS: dict[str, dict[str, Any]] = {
    "HRFBold": {"jump": bold_memory, "outputs": {"bold": bold_read}},
    "BandPass": {"jump": band_pass, "outputs": {"out": through}, "units": _passing},
    "TemporalAverage": _AS_IT_IS,
    "SubSample": _AS_IT_IS,
    "GlobalAverage": {
        "outputs": {"out": lambda p, s, i: np.array([np.sum(i.inp) / len(i.inp)])},
        "units": _passing,
    },
    "SpatialAverage": {"outputs": {"out": _means}, "units": _passing},
}
