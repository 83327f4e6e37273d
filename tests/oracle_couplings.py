"""The couplings of the oracle, restated in plain NumPy from their definitions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import brainunit as u
import numpy as np

Pre = Callable[[Any], Any]  # source (unit,) -> message (channel, unit)
Post = Callable[[Any, Any, Any], Any]  # sums (channel, unit), y, w -> (unit,)


def coupling(edge: Any, units: Mapping[str, Any]) -> tuple[Pre, Post]:
    """``pre(x)`` -> (channel, source) and ``post(sums, y, w)`` -> (target,), of plain numbers.

    ``units``: of the source, the target, and the target's paired state. Sums and ``w`` are in
    the unit of ``conn`` times the message's. Of a :func:`pairwise` law, the sum is of what the
    connections carry.
    """
    law = _pairwise if edge.pairwise else LAWS[type(edge).__name__]
    return law(edge, SimpleNamespace(**units, conn=unit(edge.conn)))


def pairwise(edge: Any, units: Mapping[str, Any]) -> Callable[[Any, Any], Any] | None:
    """``f(x_j, y_i)`` for all i, in plain numbers, of a coupling that sums nothing before."""
    if not edge.pairwise:
        return None

    def f(x: Any, y: Any) -> Any:
        own = None if y is None else quantity(y, units["state"])
        return plain(edge.pair(quantity(x, units["source"]), own))

    return f


# ---------------------------------------------------------------- numbers and units
def ratio(one: Any, other: Any) -> float:
    """How many of the unit ``other`` are one of ``one``."""
    return 1.0 if one == other else float(u.Quantity(1.0, unit=one).to_decimal(other))


def number(value: Any, of: Any) -> Any:
    """A quantity's number in a unit."""
    return np.asarray(value.to_decimal(of) if isinstance(value, u.Quantity) else value, float)


def unit(value: Any) -> Any:
    return value.unit if isinstance(value, u.Quantity) else u.UNITLESS


def plain(value: Any) -> Any:
    return np.asarray(u.get_magnitude(value), float)


def quantity(value: Any, of: Any) -> Any:
    return value if of == u.UNITLESS else u.Quantity(value, unit=of)


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def itself(x: Any) -> Any:
    """One channel: the source as it is."""
    return x[None]


# ---------------------------------------------------------------- laws
def _plain(edge: Any, of: Any) -> tuple[Pre, Post]:
    gain = ratio(of.conn * of.source, of.target)
    return itself, lambda s, y, w: gain * s[0]


def _additive(edge: Any, of: Any) -> tuple[Pre, Post]:
    gain = plain(edge.k) * ratio(unit(edge.k) * of.conn * of.source, of.target)
    b = 0.0 if edge.b is None else number(edge.b, of.target)
    return itself, lambda s, y, w: gain * s[0] + b


def _diffusive(edge: Any, of: Any) -> tuple[Pre, Post]:
    gain = plain(edge.k) * ratio(unit(edge.k) * of.conn * of.source, of.target)
    own = ratio(of.state, of.source)
    return itself, lambda s, y, w: gain * (s[0] - w * own * y)


def _laplacian(edge: Any, of: Any) -> tuple[Pre, Post]:
    if edge.normalize is None:
        return _diffusive(edge, of)
    gain = plain(edge.k) * ratio(unit(edge.k) * of.source, of.target)
    own = ratio(of.state, of.source)

    def post(s: Any, y: Any, w: Any) -> Any:
        out = np.zeros(len(w))
        for i in range(len(w)):
            hears = w[i] != 0 if edge.degree is None else edge.degree[i] != 0
            if hears:
                mean = s[0, i] / w[i] if edge.degree is None else s[0, i]
                out[i] = mean - own * y[i]
        return gain * out

    return itself, post


def _kuramoto(edge: Any, of: Any) -> tuple[Pre, Post]:
    gain, lag = plain(edge.k) * ratio(unit(edge.k) * of.conn, of.target), plain(edge.alpha)

    def sine(s: Any, y: Any, w: Any) -> Any:
        # sum_j w sin(theta_j - psi) is the imaginary part of e^(-i psi) sum_j w e^(i theta_j)
        return gain * np.imag((s[1] + 1j * s[0]) * np.exp(-1j * (y + lag)))

    return (lambda x: np.stack([np.sin(x), np.cos(x)])), sine


def _jansen_rit(edge: Any, of: Any) -> tuple[Pre, Post]:
    gain = plain(edge.k) * ratio(unit(edge.k) * of.conn * u.Hz, of.target)
    to_mV = ratio(of.source, u.mV)
    cmin, cmax = number(edge.cmin, u.Hz), number(edge.cmax, u.Hz)
    middle, r = number(edge.midpoint, u.mV), number(edge.r, u.mV**-1)

    def rate(x: Any) -> Any:
        return (cmin + (cmax - cmin) / (1 + np.exp(r * (middle - to_mV * x))))[None]

    return rate, lambda s, y, w: gain * s[0]


def _sigmoidal(edge: Any, of: Any) -> tuple[Pre, Post]:
    inside = unit(edge.a) * of.conn * of.source
    a, slope = plain(edge.a), number(edge.slope, inside**-1)
    b = 0.0 if edge.b is None else number(edge.b, inside)
    middle, k = number(edge.midpoint, inside), number(edge.k, of.target)
    return itself, lambda s, y, w: k * sigmoid(slope * (a * s[0] + b - middle))


def _tvb_sigmoidal(edge: Any, of: Any) -> tuple[Pre, Post]:
    inside = of.conn * of.source
    low, high = number(edge.cmin, of.target), number(edge.cmax, of.target)
    middle, width, a = number(edge.midpoint, inside), number(edge.sigma, inside), plain(edge.a)
    return itself, lambda s, y, w: low + (high - low) * sigmoid(a * (s[0] - middle) / width)


def _tanh(edge: Any, of: Any) -> tuple[Pre, Post]:
    k, scale = number(edge.k, of.target), number(edge.scale, (of.conn * of.source) ** -1)
    return itself, lambda s, y, w: k * np.tanh(scale * s[0])


def _tvb_tanh(edge: Any, of: Any) -> tuple[Pre, Post]:
    inside = unit(edge.b) * of.source
    middle, width, b = number(edge.midpoint, inside), number(edge.sigma, inside), plain(edge.b)
    gain = plain(edge.a) * ratio(unit(edge.a) * of.conn, of.target)
    return lambda x: (1 + np.tanh((b * x - middle) / width))[None], lambda s, y, w: gain * s[0]


def _presigmoidal(edge: Any, of: Any) -> tuple[Pre, Post]:
    inside = unit(edge.P) * of.source
    theta, G, P = number(edge.theta, inside), number(edge.G, inside**-1), plain(edge.P)
    Q, H = plain(edge.Q), plain(edge.H) * ratio(unit(edge.H) * of.conn, of.target)
    return lambda x: np.tanh(G * (P * x - theta))[None], lambda s, y, w: H * (s[0] + Q * w)


def _pairwise(edge: Any, of: Any) -> tuple[Pre, Post]:
    one = edge.pair(quantity(np.ones(1), of.source), quantity(np.ones(1), of.state))
    gain = plain(edge.k) * ratio(unit(edge.k) * of.conn * unit(one), of.target)
    return itself, lambda s, y, w: gain * s[0]


def _horn(edge: Any, of: Any) -> tuple[Pre, Post]:
    """(W y + b + v x) / sqrt(n), where k is the root; y stands on the wire, x is the target's."""
    return itself, lambda s, y, w: plain(edge.k) * (s[0] + edge.b + edge.v * y)


LAWS: dict[str, Callable[[Any, Any], tuple[Pre, Post]]] = {
    "Coupling": _plain,
    "AdditiveCoupling": _additive,
    "DiffusiveCoupling": _diffusive,
    "HORNRecurrence": _horn,
    "HyperbolicTangentCoupling": _tanh,
    "KuramotoCoupling": _kuramoto,
    "LaplacianCoupling": _laplacian,
    "PreSigmoidalCoupling": _presigmoidal,
    "SigmoidalCoupling": _sigmoidal,
    "SigmoidalJansenRitCoupling": _jansen_rit,
    "TVBHyperbolicTangentCoupling": _tvb_tanh,
    "TVBSigmoidalCoupling": _tvb_sigmoidal,
}
