"""The models of the oracle, restated in plain NumPy from their papers.

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
import oracle_noise as noise
import oracle_observers as forward
import oracle_observing as observing
import oracle_oscillators as oscillators
import oracle_physiology as physiology
from oracle_couplings import number as _number
from oracle_couplings import plain as _plain
from oracle_couplings import ratio


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
    **{name: Law(**parts) for name, parts in noise.PARTS.items()},
    **{name: Law(**parts) for name, parts in forward.PARTS.items()},
    **{name: Law(**parts) for name, parts in observing.PARTS.items()},
    "ConstantStimulus": Law(outputs={"out": lambda p, s, i: p.value}, units=_stimulus_units),
    "PulseTrain": Law(outputs={"out": _pulses}, units=_stimulus_units),
    "ArrayStimulus": Law(outputs={"out": _series}, units=_stimulus_units),
    "FunctionStimulus": Law(outputs={"out": _function}, units=_stimulus_units),
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
