"""The models and couplings of the oracle, restated in plain NumPy from their papers.

A law's numbers are in the units it lists (dimensionless where it lists none), time in ms, and a
derivative is per ms. ``p`` holds the parameters, one number a unit; ``s`` states; ``i`` inputs,
standard normals, ``t``, ``dt`` and ``n``. Only what a law reads is evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import brainunit as u
import numpy as np
import oracle_oscillators as oscillators
import oracle_physiology as physiology


class Pull:
    """Values fetched when they are asked for, as items or attributes."""

    def __init__(self, fetch: Callable[[str], Any]) -> None:
        self._fetch = fetch

    def __getitem__(self, name: str) -> Any:
        return self._fetch(name)

    def __getattr__(self, name: str) -> Any:
        return self._fetch(name)


@dataclass(frozen=True)
class Law:
    """``rates(p, s, i)`` or ``jump(p, s, i, dt)`` of the states, and ``outputs`` by name."""

    rates: Callable[[Any, Any, Any], dict[str, Any]] | None = None
    jump: Callable[[Any, Any, Any, float], dict[str, Any]] | None = None
    outputs: Mapping[str, Callable[[Any, Any, Any], Any]] = field(default_factory=dict)
    units: Mapping[str, Any] | Callable[[Any], Mapping[str, Any]] = field(default_factory=dict)

    def unit(self, model: Any, name: str) -> Any:
        units = self.units(model) if callable(self.units) else self.units
        return units.get(name, u.UNITLESS)


# ---------------------------------------------------------------- what the interpreter calls
def derivative(model: Any, s: Pull, i: Pull) -> dict[str, Any]:
    """Time derivatives of all states, in their ports' units per ms."""
    law = LAWS[type(model).__name__]
    assert law.rates is not None
    rates = law.rates(_parameters(model, law), _inside(model, law, s), _inside(model, law, i))
    return {name: rate / _factor(model, law, name) for name, rate in rates.items()}


def update(model: Any, s: Pull, i: Pull, dt: float) -> dict[str, Any]:
    """All states one step on, in their ports' units."""
    law = LAWS[type(model).__name__]
    assert law.jump is not None
    new = law.jump(_parameters(model, law), _inside(model, law, s), _inside(model, law, i), dt)
    return {name: value / _factor(model, law, name) for name, value in new.items()}


def output(model: Any, name: str, s: Pull, i: Pull) -> Any:
    """One output, in its port's unit."""
    law = LAWS[type(model).__name__]
    views = _inside(model, law, s), _inside(model, law, i)
    return law.outputs[name](_parameters(model, law), *views) / _factor(model, law, name)


def _parameters(model: Any, law: Law) -> SimpleNamespace:
    out = SimpleNamespace(**model.static())
    for name, value in model.arrays().items():
        plain = _number(value, law.unit(model, name))
        if not model._specs[name].free:
            plain = np.broadcast_to(plain, model.in_size).ravel()
        setattr(out, name, plain)
    return out


def _inside(model: Any, law: Law, ports: Pull) -> Pull:
    def fetch(name: str) -> Any:
        value = ports[name]
        return value * _factor(model, law, name) if name in model.signals() else value

    return Pull(fetch)


def _factor(model: Any, law: Law, name: str) -> float:
    """How many of the law's units are one of the port's."""
    return ratio(model.signals()[name].unit(model), law.unit(model, name))


def ratio(one: Any, other: Any) -> float:
    """How many of the unit ``other`` are one of ``one``."""
    return 1.0 if one == other else float(u.Quantity(1.0, unit=one).to_decimal(other))


def _number(value: Any, unit: Any) -> Any:
    plain = value.to_decimal(unit) if isinstance(value, u.Quantity) else value
    return np.asarray(plain, float)


# ---------------------------------------------------------------- couplings
def coupling(edge: Any, units: Mapping[str, Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """``pre(x)`` -> (channel, source) and ``post(sums, y, w)`` -> (target,), of plain numbers.

    ``units``: of the source, the target, and the target's paired state. Sums and ``w`` are in
    the unit of ``conn`` times the message's.
    """
    kind = type(edge).__name__
    conn = _unit(edge.conn)
    if kind == "Coupling":
        gain = ratio(conn * units["source"], units["target"])
        return (lambda x: x[None]), (lambda s, y, w: gain * s[0])
    k, gain_unit = _plain(edge.k), _unit(edge.k) * conn
    if kind == "AdditiveCoupling":
        gain = ratio(gain_unit * units["source"], units["target"])
        b = 0.0 if edge.b is None else _number(edge.b, units["target"])
        return (lambda x: x[None]), (lambda s, y, w: gain * k * s[0] + b)
    if kind == "DiffusiveCoupling":
        gain = ratio(gain_unit * units["source"], units["target"])
        own = ratio(units["state"], units["source"])
        return (lambda x: x[None]), (lambda s, y, w: gain * k * (s[0] - w * own * y))
    if kind == "KuramotoCoupling":
        gain, lag = ratio(gain_unit, units["target"]), _plain(edge.alpha)

        def sine(s: Any, y: Any, w: Any) -> Any:
            # sum_j w sin(theta_j - psi) is the imaginary part of e^(-i psi) sum_j w e^(i theta_j)
            return gain * k * np.imag((s[1] + 1j * s[0]) * np.exp(-1j * (y + lag)))

        return (lambda x: np.stack([np.sin(x), np.cos(x)])), sine
    if kind == "SigmoidalJansenRitCoupling":
        gain, to_mV = ratio(gain_unit * u.Hz, units["target"]), ratio(units["source"], u.mV)
        cmin, cmax = _number(edge.cmin, u.Hz), _number(edge.cmax, u.Hz)
        middle, r = _number(edge.midpoint, u.mV), _number(edge.r, u.mV**-1)

        def rate(x: Any) -> Any:
            return (cmin + (cmax - cmin) / (1 + np.exp(r * (middle - to_mV * x))))[None]

        return rate, lambda s, y, w: gain * k * s[0]
    if kind == "HORNRecurrence":
        # (W y + b + v x) / sqrt(n), where k is the root; y stands on the wire, x is the target's
        return (lambda x: x[None]), (lambda s, y, w: k * (s[0] + edge.b + edge.v * y))
    raise KeyError(f"the oracle has no {kind}")


def _unit(value: Any) -> Any:
    return value.unit if isinstance(value, u.Quantity) else u.UNITLESS


def _plain(value: Any) -> Any:
    return np.asarray(u.get_magnitude(value), float)


# ---------------------------------------------------------------- models
def _balloon(p: Any, s: Any, i: Any) -> dict[str, Any]:
    """Friston et al. 2003, eqs. 3-4, in seconds; divided by 1000 for time in ms."""
    extracted = 1 - (1 - p.rho) ** (1 / s.f)
    return {
        "x": (p.epsilon * i.z - p.kappa * s.x - p.gamma * (s.f - 1)) / 1000,
        "f": s.x / 1000,
        "v": (s.f - s.v ** (1 / p.alpha)) / p.tau / 1000,
        "q": (s.f * extracted / p.rho - s.q * s.v ** (1 / p.alpha - 1)) / p.tau / 1000,
    }


def _bold(p: Any, s: Any, i: Any) -> Any:
    k_1 = 7 * p.rho if p.k_1 is None else p.k_1
    k_2 = 2.0 if p.k_2 is None else p.k_2
    k_3 = 2 * p.rho - 0.2 if p.k_3 is None else p.k_3
    return p.V_0 * (k_1 * (1 - s.q) + k_2 * (1 - s.q / s.v) + k_3 * (1 - s.v))


# ---------------------------------------------------------------- noise
def _white(p: Any, s: Any, i: Any) -> Any:
    """Euler's step of dx = sigma dW adds sigma sqrt(dt) xi, which is dt times this."""
    return p.mean + p.sigma * i.xi / np.sqrt(i.dt)


def _white_units(model: Any) -> dict[str, Any]:
    unit = model.signals()["out"].unit(model)
    plain = unit == u.UNITLESS  # sigma is then in sqrt(ms), and says nothing of it
    return {"out": unit, "mean": unit, "sigma": unit if plain else unit * u.ms**0.5}


def _ornstein_uhlenbeck(p: Any, s: Any, i: Any, dt: float) -> dict[str, Any]:
    """Gillespie 1996, eq. 1.9, with sigma the stationary standard deviation."""
    kept = np.exp(-dt / p.tau)
    return {"x": kept * s.x + (1 - kept) * p.mean + p.sigma * np.sqrt(1 - kept**2) * i.xi}


def _ou_units(model: Any) -> dict[str, Any]:
    return {**dict.fromkeys(("sigma", "mean", "x"), _unit(model.sigma)), "tau": u.ms}


# ---------------------------------------------------------------- stimuli
def _pulses(p: Any, s: Any, i: Any) -> Any:
    onset, long = np.rint(p.onset / i.dt), np.rint(p.duration / i.dt)
    if p.period is None:
        return np.where((onset <= i.n) & (i.n < onset + long), p.amplitude, 0.0)
    period = np.maximum(np.rint(p.period / i.dt), 1)
    out = np.zeros_like(p.amplitude)
    for k in range(i.n + 1):  # pulse by pulse: those begun by now
        start = onset + k * period
        counted = True if p.count is None else k < p.count
        out = np.where(counted & (start <= i.n) & (i.n < start + long), p.amplitude, out)
    return out


def _series(p: Any, s: Any, i: Any) -> Any:
    rows = len(p.values)
    if i.n >= rows and p.after == "zero":
        return 0.0 * p.gain
    return p.gain * p.values[i.n % rows if p.after == "repeat" else min(i.n, rows - 1)]


def _function(p: Any, s: Any, i: Any) -> Any:
    return p.gain * _plain(p.f(i.t * u.ms))


def _stimulus_units(model: Any) -> dict[str, Any]:
    times = dict.fromkeys(("onset", "duration", "period"), u.ms)
    unit = model.signals()["out"].unit(model)
    return {**times, **dict.fromkeys(("out", "value", "values", "amplitude"), unit)}


LAWS: dict[str, Law] = {
    "HopfStep": Law(oscillators.hopf),
    "StuartLandauStep": Law(oscillators.stuart_landau),
    "VanDerPolStep": Law(oscillators.van_der_pol),
    "FitzHughNagumoStep": Law(oscillators.fitzhugh_nagumo, units={"tau": u.ms}),
    "FitzHughNagumoCubicStep": Law(oscillators.fitzhugh_nagumo_cubic, units={"tau": u.ms}),
    "Generic2dOscillatorStep": Law(oscillators.generic_2d),
    "LorenzStep": Law(oscillators.lorenz),
    "ThresholdLinearStep": Law(
        oscillators.threshold_linear,
        units={
            **dict.fromkeys(("tau_E", "tau_I"), u.ms),
            **dict.fromkeys(("beta_E", "beta_I"), u.Hz / u.pA),
            **dict.fromkeys(("rE", "rI"), u.Hz),
            **dict.fromkeys(("rE_inp", "rI_inp"), u.pA),
        },
    ),
    **dict.fromkeys(
        ("HORNStep", "HORNSeqLayer"),
        Law(
            jump=oscillators.horn,
            outputs={"out": lambda p, s, i: oscillators.horn(p, s, i, i.dt)["x"]},
        ),
    ),
    "Relay": Law(outputs={"out": lambda p, s, i: i.inp}),
    "LinearStep": Law(oscillators.linear),
    "KuramotoNetwork": Law(
        oscillators.kuramoto, outputs={"phase": lambda p, s, i: s.theta % (2 * np.pi) % (2 * np.pi)}
    ),
    **{name: Law(**parts) for name, parts in physiology.PARTS.items()},
    "ConstantStimulus": Law(outputs={"out": lambda p, s, i: p.value}, units=_stimulus_units),
    "PulseTrain": Law(outputs={"out": _pulses}, units=_stimulus_units),
    "ArrayStimulus": Law(outputs={"out": _series}, units=_stimulus_units),
    "FunctionStimulus": Law(outputs={"out": _function}, units=_stimulus_units),
    "WhiteNoise": Law(outputs={"out": _white}, units=_white_units),
    "GaussianNoise": Law(outputs={"out": _white}, units=_white_units),
    "OUProcess": Law(jump=_ornstein_uhlenbeck, units=_ou_units),
    "BOLDSignal": Law(
        _balloon,
        outputs={"bold": _bold},
        units={
            "kappa": u.second**-1,
            "gamma": u.second**-2,
            "epsilon": u.second**-2,
            "tau": u.second,
            "x": u.second**-1,
        },
    ),
}
