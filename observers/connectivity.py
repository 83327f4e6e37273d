"""Covariance and functional connectivity of a run, while it runs."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from braingraph.component import Input, Output, Size, parameter
from braingraph.nodes.checks import one_of
from braingraph.observers.moments import Moments
from braingraph.units import ONE, attach, magnitude, unit_of


class _Pairs(Moments):
    """What both share: the input, and its unit."""

    unit: Any = parameter(1.0, any_unit=True)

    x = Input(unit="unit")

    def __init__(self, in_size: Size, *, dt: Any = None, unit: Any = ONE, **given: Any) -> None:
        where = f"{type(self).__name__}.unit"
        super().__init__(in_size, dt=dt, unit=one_of(unit, where), **given)

    def update(self, s: Any, i: Any, dt: Any) -> dict[str, Any]:
        return self.absorbed(s, i, magnitude(i.x))


class Covariance(_Pairs):
    """Covariance of every two units over time, and their means, without keeping their past.

    With T the samples so far::

        mean_i = sum_t x_i(t) / T
        cov_ij = sum_t (x_i(t) - mean_i) (x_j(t) - mean_j) / (T - 1)

    updated with every sample by Welford's rule. The memory is 2 n^2 + 2 n + 2 numbers, however long
    the run; a step of 76 units takes 35 us on one core. The value at the end of a run is the last
    sample of a monitor with a long interval, as in ``{"cov.cov": 5 * u.minute}``.

    One step of the observer is one sample. On a clock of its own (``dt=``) that is the mean of x
    over the interval that ends with the step, so sample k stands at (k + 1) dt, as a monitor's
    does; without it, x at the beginning of the step.

    Parameters
    ----------
    in_size : int or tuple of int
    unit : unit, default 1
        Of x, as in ``unit=u.mV``.
    start : time, default 0 ms
        Steps that begin before it do not count: the transient. It is rounded to whole steps.
    dt : time, default None
        A clock of its own: the sampling interval.

    Signals
    -------
    x : input, unit, (unit,)
    cov : output, unit^2, (unit, unit)
        NaN before the second sample.
    mean : output, unit, (unit,)
        NaN before the first sample.
    count, count_lost : state, 1, (1,)
        The samples so far, and what its roundings lost.
    centre, centre_lost : state, 1, (unit,)
        The mean so far, a number in the unit of x, and what its roundings lost.
    comoment, comoment_lost : state, 1, (unit unit,)
        cov times (T - 1), a number, and what its roundings lost.

    In float32, with 1e4 to 1e6 samples of standard deviation 1 about means of 0, 10 and 1000, each
    entry of cov was within 1e-7, and each mean within a unit in the last place, of those of
    the same samples in float64, and the error did not grow with their number.

    Errors
    ------
    UnitError
        What is connected to x is not in ``unit``; a ``start`` that is no time.
    ParameterError
        ``unit`` is no unit; ``start`` is negative.
    ShapeError
        ``start`` is not one time.

    Source: Welford 1962, Technometrics 4:419; of pairs: Chan, Golub & LeVeque 1983, Am Stat
    37:242; compensated sums: Kahan 1965, Commun ACM 8:40.

    >>> import brainunit as u
    >>> import braingraph as bg
    >>> from braingraph import nodes, observers
    >>> g = bg.Graph()
    >>> x = g.add_node("x", nodes.OUProcess(2, sigma=[1.0, 2.0] * u.mV, tau=1 * u.ms))
    >>> cov = g.add_node("cov", observers.Covariance(2, unit=u.mV, dt=1 * u.ms))
    >>> _ = g.add_edge(x, cov.x)
    >>> ds = bg.Simulator(g, dt=1 * u.ms).run(2 * u.second, monitors={"cov.cov": 2 * u.second})
    >>> ds["cov.cov"].dims, ds["cov.cov"].attrs["units"]
    (('time', 'cov', 'cov_2'), 'mV^2')
    """

    @Output(unit=lambda model: unit_of(model.unit) ** 2, axes=lambda model: ("unit", "unit"))
    def cov(self, s: Any, i: Any) -> Any:
        """The covariance so far."""
        return attach(self.covariance_of(s).reshape(-1), unit_of(self.unit) ** 2)

    @Output(unit="unit")
    def mean(self, s: Any, i: Any) -> Any:
        """The mean so far."""
        return attach(self.mean_of(s), unit_of(self.unit))


class FunctionalConnectivity(_Pairs):
    """Correlation of every two units over time, without keeping their past.

    ::

        fc_ij = cov_ij / sqrt(cov_ii cov_jj)

    of the samples so far, with the covariance of :class:`Covariance`, whose remarks on samples,
    memory and precision hold here too. The convention is that of
    :func:`braingraph.analysis.functional_connectivity`, which takes a recorded signal: the
    diagonal is exactly 1, and a unit that never moves has no correlation: NaN, with itself too.

    Parameters
    ----------
    in_size : int or tuple of int
    unit : unit, default 1
        Of x, as in ``unit=u.mV``.
    start : time, default 0 ms
        Steps that begin before it do not count: the transient. It is rounded to whole steps.
    dt : time, default None
        A clock of its own: the sampling interval.

    Signals
    -------
    x : input, unit, (unit,)
    fc : output, 1, (unit, unit)
        NaN before the second sample.
    count, centre, comoment, count_lost, centre_lost, comoment_lost : state, 1
        Those of :class:`Covariance`.

    Errors
    ------
    UnitError
        What is connected to x is not in ``unit``; a ``start`` that is no time.
    ParameterError
        ``unit`` is no unit; ``start`` is negative.
    ShapeError
        ``start`` is not one time.

    Source: Pearson's correlation coefficient; Biswal et al. 1995, Magn Reson Med 34:537; the
    update: Welford 1962, Technometrics 4:419.

    >>> import brainunit as u
    >>> import braingraph as bg
    >>> from braingraph import edges, nodes, observers
    >>> g = bg.Graph()
    >>> x = g.add_node("x", nodes.HopfStep(2, a=0.5, w=6e-4, init_x=[0.7, -0.7], init_y=0))
    >>> bold = g.add_node("bold", observers.BOLDSignal(2))
    >>> fc = g.add_node("fc", observers.FunctionalConnectivity(
    ...     2, dt=0.72 * u.second, start=10 * u.second))
    >>> _ = g.add_edge(x.x, bold.z, edges.AdditiveCoupling(k=0.1))
    >>> _ = g.add_edge(bold.bold, fc.x)
    >>> ds = bg.Simulator(g, dt=1 * u.ms).run(36 * u.second, monitors={"fc.fc": 36 * u.second})
    >>> ds["fc.fc"].isel(time=-1).values.round(1).tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    """

    @Output(axes=lambda model: ("unit", "unit"))
    def fc(self, s: Any, i: Any) -> Any:
        """The correlation so far."""
        comoment = self.comoment_of(s)
        own = jnp.diagonal(comoment)
        moves = own > 0
        scale = jnp.sqrt(jnp.where(moves, own, 1.0))
        fc = jnp.clip(comoment / (scale[:, None] * scale[None, :]), -1, 1)
        fc = jnp.where(jnp.eye(self.size, dtype=bool), 1.0, fc)
        return jnp.where(moves[:, None] & moves[None, :], fc, jnp.nan).reshape(-1)
