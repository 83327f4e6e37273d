"""Reducers restated in plain NumPy, sample by sample, and made known to the oracle."""

from __future__ import annotations

from typing import Any

import brainunit as u
import numpy as np
import oracle_models as laws

Array = np.ndarray[Any, np.dtype[np.float64]]


def counts(p: Any, i: Any) -> bool:
    """Whether the sample of step n is at or after the start, to the nearest step."""
    return bool(i.n >= round(float(p.start) / i.dt))


# ---------------------------------------------------------------- moments
def moments(p: Any, s: Any, i: Any, x: Array) -> dict[str, Any]:
    """Welford 1962: the new mean, and products of deviations from the old and from the new one.

    Nothing is compensated: in float64 what roundings lose is below any tolerance.
    """
    names = ("count", "centre", "comoment")
    zero = {f"{name}_lost": np.zeros_like(s[name]) for name in names}
    if not counts(p, i):
        return {name: s[name] for name in names} | zero
    n = s.count + 1
    centre = s.centre + (x - s.centre) / n
    products = np.outer(x - s.centre, x - centre).ravel()
    return {"count": n, "centre": centre, "comoment": s.comoment + products} | zero


def mean(p: Any, s: Any, i: Any) -> Any:
    return s.centre if s.count[0] else np.full_like(s.centre, np.nan)


def covariance(p: Any, s: Any, i: Any) -> Any:
    n = s.count[0]
    return s.comoment / (n - 1) if n > 1 else np.full_like(s.comoment, np.nan)


def correlation(p: Any, s: Any, i: Any) -> Any:
    n = len(s.centre)
    comoment = s.comoment.reshape(n, n)
    out = np.full((n, n), np.nan)
    for j in range(n):
        for k in range(n):
            scale = np.sqrt(comoment[j, j] * comoment[k, k])
            if scale > 0:
                out[j, k] = 1.0 if j == k else comoment[j, k] / scale
    return out.ravel()


# ---------------------------------------------------------------- order
def phasor(i: Any, planar: bool) -> complex:
    theta = np.angle(i.x + 1j * i.y) if planar else i.theta
    return complex(np.exp(1j * theta).mean())


def order(planar: bool) -> laws.Law:
    def one(value: float) -> Array:
        return np.array([value])

    return laws.Law(
        jump=lambda p, s, i, dt: moments(p, s, i, one(abs(phasor(i, planar)))),
        outputs={
            "R": lambda p, s, i: one(abs(phasor(i, planar))),
            "psi": lambda p, s, i: one(float(np.angle(phasor(i, planar)))),
            "R_mean": mean,
            "R_std": lambda p, s, i: np.sqrt(covariance(p, s, i)),
        },
        units=taken if planar else {"start": u.ms},
    )


# ---------------------------------------------------------------- spectra
def welch(p: Any, s: Any, i: Any, dt: float) -> dict[str, Any]:
    """Segment q of each turn begins q L / Q samples after the first one, with L samples each."""
    running, length, bins = p.shape
    n = len(i.x)
    out = {name: np.array(s[name]) for name in ("segments", "power", "sums", "total", "first")}
    sums = out["sums"].reshape(running, 2, n, bins)
    total, first = out["total"].reshape(running, n), out["first"].reshape(running, n)
    power = out["power"].reshape(n, bins)
    if not counts(p, i):
        return out | {"position": s.position, "turn": s.turn}
    now = int(s.position[0])
    k = np.arange(bins)
    for q in range(running):
        if now < q * length // running:
            continue
        at = (now - q * length // running) % length
        if at == 0:
            sums[q], total[q], first[q] = 0, 0, i.x
        y = i.x - first[q]
        term = np.outer(
            np.sin(np.pi * at / length) ** 2 * y, np.exp(-2j * np.pi * k * now / length)
        )
        sums[q] += np.stack([term.real, term.imag])
        total[q] += y
        if at == length - 1:
            steps = now - length + 1 + np.arange(length)
            hann = np.sin(np.pi * np.arange(length) / length) ** 2
            constant = np.exp(-2j * np.pi * np.outer(k, steps) / length) @ hann
            found = sums[q, 0] + 1j * sums[q, 1] - np.outer(total[q] / length, constant)
            out["segments"] += 1
            power += (abs(found) ** 2 - power) / out["segments"]
    new = now + 1
    position = new - length if new == 2 * length else new
    turn = (s.turn + k) % length
    return {name: v.ravel() for name, v in out.items()} | {
        "position": np.array([position]),
        "turn": turn,
    }


def density(p: Any, s: Any, i: Any) -> Any:
    running, length, bins = p.shape
    if not s.segments[0]:
        return np.full_like(s.power, np.nan)
    hann = np.sin(np.pi * np.arange(length) / length) ** 2
    sides = np.array([1 if k in (0, length / 2) else 2 for k in range(bins)])
    scale = sides * i.dt / 1000 / (hann @ hann)
    return (s.power.reshape(-1, bins) * scale).ravel()


def taken(model: Any) -> dict[str, Any]:
    """The units of a reducer's ports: those it was made for."""
    unit = u.get_unit(model.unit)
    return {
        **dict.fromkeys(("x", "y", "mean", "unit"), unit),
        "cov": unit**2,
        "psd": model.signals()["psd"].unit(model) if "psd" in model.signals() else unit,
        "start": u.ms,
    }


laws.LAWS |= {
    "Covariance": laws.Law(
        jump=lambda p, s, i, dt: moments(p, s, i, i.x),
        outputs={"cov": covariance, "mean": mean},
        units=taken,
    ),
    "FunctionalConnectivity": laws.Law(
        jump=lambda p, s, i, dt: moments(p, s, i, i.x),
        outputs={"fc": correlation},
        units=taken,
    ),
    "OrderParameter": order(planar=False),
    "PlanarOrderParameter": order(planar=True),
    "PowerSpectrum": laws.Law(jump=welch, outputs={"psd": density}, units=taken),
}
