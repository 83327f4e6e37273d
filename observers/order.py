"""How much phases agree: the Kuramoto order parameter, now and over time."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from braingraph.component import Input, Output, Size, parameter
from braingraph.errors import ModelError
from braingraph.nodes.checks import one_of
from braingraph.observers.moments import Moments
from braingraph.units import ONE, magnitude


def _none(model: Any) -> tuple[Any, ...]:
    """One value, whatever the units: no axis."""
    return ()


class _Order(Moments):
    """What both share: they read phases, each in its own way."""

    @property
    def width(self) -> int:
        return 1

    def phases(self, i: Any) -> Any:
        """The phases of all units [rad]."""
        raise ModelError(f"{type(self).__name__} declares no phases(self, i).")

    def _vector(self, i: Any) -> tuple[Any, Any]:
        theta = self.phases(i)
        return jnp.cos(theta).mean(), jnp.sin(theta).mean()

    @Output(axes=_none)
    def R(self, s: Any, i: Any) -> Any:
        """How much the phases agree now: 1 when they are all equal."""
        x, y = self._vector(i)
        return jnp.sqrt(x * x + y * y)

    @Output(axes=_none)
    def psi(self, s: Any, i: Any) -> Any:
        """The mean phase now [rad], in [-pi, pi]."""
        x, y = self._vector(i)
        return jnp.arctan2(y, x)

    @Output(axes=_none)
    def R_mean(self, s: Any, i: Any) -> Any:
        """The mean of R so far; NaN before the first sample."""
        return self.mean_of(s)

    @Output(axes=_none)
    def R_std(self, s: Any, i: Any) -> Any:
        """The standard deviation of R so far; NaN before the second sample."""
        return jnp.sqrt(self.covariance_of(s)).reshape(-1)

    def update(self, s: Any, i: Any, dt: Any) -> dict[str, Any]:
        x, y = self._vector(i)
        return self.absorbed(s, i, jnp.sqrt(x * x + y * y).reshape(1))


class OrderParameter(_Order):
    """The Kuramoto order parameter of phases, and its mean and standard deviation over time.

    ::

        R exp(i psi) = (1/n) sum_j exp(i theta_j)
        R_mean = mean of R over the samples so far,   R_std its standard deviation (T - 1)

    R is 1 when all phases are equal and 0 when they are spread evenly. R_mean is the network's
    synchrony and R_std its metastability: how much synchrony comes and goes.

    R and psi are those of the moment they are recorded at. On a clock of its own (``dt=``) each
    step takes the last phases of its interval, never their mean, so wrapped phases are right too;
    without it R_mean and R_std take R at the beginning of each step. For parts of a network use
    one observer each, with an edge whose ``conn`` picks the units: its ``in_size`` is theirs.

    Parameters
    ----------
    in_size : int or tuple of int
    start : time, default 0 ms
        Steps that begin before it do not count in R_mean and R_std. It is rounded to whole steps.
    dt : time, default None
        A clock of its own: the sampling interval.

    Signals
    -------
    theta : input, 1, (unit,)
        Phases [rad], wrapped or not.
    R, psi : output, 1, (1,)
        psi in rad, in [-pi, pi].
    R_mean, R_std : output, 1, (1,)
        NaN before the first and the second sample.
    count, centre, comoment : state, 1, (1,)
        The samples so far, the mean of R over them, and its sum of squared deviations.
    count_lost, centre_lost, comoment_lost : state, 1, (1,)
        What their roundings lost.

    Errors
    ------
    UnitError
        A ``start`` that is no time.
    ParameterError
        ``start`` is negative.
    ShapeError
        ``start`` is not one time.

    Source: Kuramoto 1984, Chemical Oscillations, Waves, and Turbulence, section 5.4;
    metastability: Shanahan 2010, Chaos 20:013108, where it is the variance, R_std squared, averaged
    over the parts of a network. The running mean: Welford 1962, Technometrics 4:419.

    >>> import math
    >>> import brainunit as u
    >>> from braingraph.observers import OrderParameter
    >>> order = OrderParameter(3)
    >>> _, out = order.update(order.init_state(), theta=[0.0, 0.0, math.pi], dt=1 * u.ms)
    >>> f"{out.R[0]:.4f} {out.R_mean[0]:.4f}"
    '0.3333 0.3333'
    """

    theta = Input(over="last")

    def phases(self, i: Any) -> Any:
        return i.theta


class PlanarOrderParameter(_Order):
    """The order parameter of oscillators with two variables, such as Hopf's x and y.

    ::

        theta_j = atan2(y_j, x_j)

    and everything else as :class:`OrderParameter`. A unit at the origin has phase 0.

    Parameters
    ----------
    in_size : int or tuple of int
    unit : unit, default 1
        Of x and y, as in ``unit=u.mV``.
    start : time, default 0 ms
        Steps that begin before it do not count in R_mean and R_std. It is rounded to whole steps.
    dt : time, default None
        A clock of its own: the sampling interval.

    Signals
    -------
    x, y : input, unit, (unit,)
        About the centre of the cycle.
    R, psi : output, 1, (1,)
        psi in rad, in [-pi, pi].
    R_mean, R_std : output, 1, (1,)
        NaN before the first and the second sample.
    count, centre, comoment, count_lost, centre_lost, comoment_lost : state, 1
        Those of :class:`OrderParameter`.

    Errors
    ------
    UnitError
        What is connected to x or y is not in ``unit``; a ``start`` that is no time.
    ParameterError
        ``unit`` is no unit; ``start`` is negative.
    ShapeError
        ``start`` is not one time.

    Source: Kuramoto 1984, Chemical Oscillations, Waves, and Turbulence, section 5.4; Shanahan 2010,
    Chaos 20:013108.

    >>> import brainunit as u
    >>> from braingraph.observers import PlanarOrderParameter
    >>> order = PlanarOrderParameter(2)
    >>> _, out = order.update(order.init_state(), x=[1.0, 0.0], y=[0.0, 2.0], dt=1 * u.ms)
    >>> f"{out.R[0]:.4f} {out.psi[0]:.4f}"
    '0.7071 0.7854'
    """

    unit: Any = parameter(1.0, any_unit=True)

    x = Input(unit="unit", over="last")
    y = Input(unit="unit", over="last")

    def __init__(self, in_size: Size, *, dt: Any = None, unit: Any = ONE, **given: Any) -> None:
        where = f"{type(self).__name__}.unit"
        super().__init__(in_size, dt=dt, unit=one_of(unit, where), **given)

    def phases(self, i: Any) -> Any:
        return jnp.arctan2(magnitude(i.y), magnitude(i.x))
