"""Averages over time and over units, as vertices: they pass on what they make of a signal."""

from __future__ import annotations

from typing import Any

import brainunit as u
import numpy as np

from braingraph.component import Input, Observer, Output, Size, parameter
from braingraph.errors import ParameterError, ShapeError
from braingraph.nodes.checks import one_of
from braingraph.observers.sensors import applied
from braingraph.parameters import numbers
from braingraph.units import ONE, brief


class Passing(Observer):
    """Base of observers that keep the unit of what they are given, which is ``unit``."""

    unit: Any = parameter(1.0, any_unit=True)

    inp = Input(unit="unit")

    def __init__(self, in_size: Size, *, dt: Any = None, unit: Any = ONE, **given: Any) -> None:
        where = f"{type(self).__name__}.unit"
        super().__init__(in_size, dt=dt, unit=one_of(unit, where), **given)


class TemporalAverage(Passing):
    """The mean of a signal over every interval of a clock.

    ::

        out(t_k) = mean of inp over (t_k - dt, t_k],        t_k = k dt

    of its samples at the steps of the simulation. The value stands at the end of its interval;
    TVB's, the same, at the middle. A sine of angular frequency omega per step is weakened by
    sin(N omega / 2) / (N sin(omega / 2)), N steps an interval.

    Parameters
    ----------
    in_size : int or tuple of int
    unit : unit, default 1
        Of the signal, as in ``unit=u.mV``.
    dt : time, default 4 ms
        The interval.

    Signals
    -------
    inp : input, unit, (unit,)
    out : output, unit, (unit,)

    Errors
    ------
    ParameterError
        ``unit`` is none.

    Source: TVB's ``TemporalAverage`` monitor (Sanz Leon et al. 2013, Front Neuroinform 7:10).
    To record the mean of a signal that nothing else needs, ``bg.Record(path, every=...,
    reduce="mean")`` is enough.

    >>> import brainunit as u
    >>> import numpy as np
    >>> import braingraph as bg
    >>> from braingraph import nodes, observers
    >>> g = bg.Graph()
    >>> ramp = g.add_node("ramp", nodes.ArrayStimulus(1, values=np.arange(20.0)[:, None]))
    >>> mean = g.add_node("mean", observers.TemporalAverage(1, dt=5 * u.ms))
    >>> _ = g.add_edge(ramp, mean)
    >>> ds = bg.Simulator(g, dt=1 * u.ms).run(20 * u.ms, monitors=["mean.out"])
    >>> ds["mean.out"][:, 0].values.round(5).tolist(), ds["mean.out"].time.values.tolist()
    ([2.0, 7.0, 12.0, 17.0], [5.0, 10.0, 15.0, 20.0])
    """

    default_dt = 4.0 * u.ms

    @Output(unit="unit")
    def out(self, s: Any, i: Any) -> Any:
        """The mean of the interval that just ended."""
        return i.inp


class SubSample(Passing):
    """The last sample of a signal in every interval of a clock.

    ::

        out(t_k) = inp(t_k),        t_k = k dt

    What changes faster than twice an interval appears slower than it is: average first where that
    matters, with :class:`TemporalAverage`.

    Parameters
    ----------
    in_size : int or tuple of int
    unit : unit, default 1
        Of the signal.
    dt : time
        From sample to sample.

    Signals
    -------
    inp : input, unit, (unit,)
    out : output, unit, (unit,)

    Errors
    ------
    ParameterError
        No ``dt``, or ``unit`` is none.

    Source: TVB's ``SubSample`` monitor.

    >>> import brainunit as u
    >>> from braingraph.observers import SubSample
    >>> SubSample(76, unit=u.mV, dt=720 * u.ms)
    SubSample(76, unit=1 [mV])
    """

    inp = Input(unit="unit", over="last")

    def __init__(self, in_size: Size, *, dt: Any = None, **given: Any) -> None:
        if dt is None:
            raise ParameterError(
                "SubSample needs the time from sample to sample: dt=720 * u.ms.", parameter="dt"
            )
        super().__init__(in_size, dt=dt, **given)

    @Output(unit="unit")
    def out(self, s: Any, i: Any) -> Any:
        """The last sample."""
        return i.inp


class GlobalAverage(Passing):
    """The mean over all units.

    ::

        out = sum_j inp_j / n

    Parameters
    ----------
    in_size : int or tuple of int
    unit : unit, default 1
        Of the signal.
    dt : time, default None
        A clock of its own.

    Signals
    -------
    inp : input, unit, (unit,)
    out : output, unit, (1,)

    Errors
    ------
    ParameterError
        ``unit`` is none.

    Source: TVB's ``GlobalAverage`` monitor.

    >>> import brainunit as u
    >>> from braingraph.observers import GlobalAverage
    >>> mean = GlobalAverage(4)
    >>> _, now = mean.update(mean.init_state(), inp=[1.0, 2.0, 3.0, 6.0], dt=1 * u.ms)
    >>> now.out.tolist()
    [3.0]
    """

    @Output(unit="unit", size=lambda model: 1)
    def out(self, s: Any, i: Any) -> Any:
        """The mean."""
        return i.inp.mean()


class SpatialAverage(Passing):
    """The mean over the units of each of several groups.

    ::

        out_r = sum_j mask_rj inp_j / sum_j mask_rj

    Parameters
    ----------
    in_size : int or tuple of int
    mask : labels, one a unit, or 1, (group, unit)
        Which group each unit belongs to: whole numbers or strings; the groups are the distinct
        ones in sorted order, and name the values. Or weights, which need not be whole. It is kept
        as weights that add up to 1 in each group.
    unit : unit, default 1
        Of the signal.
    dt : time, default None
        A clock of its own.

    Signals
    -------
    inp : input, unit, (unit,)
    out : output, unit, (group,)

    Errors
    ------
    ParameterError
        No mask; labels that are neither whole numbers nor strings; weights of a group that add up
        to 0; ``unit`` is none.
    ShapeError
        A mask of another number of units.

    Source: TVB's ``SpatialAverage`` monitor. The mask is dense: for thousands of units in hundreds
    of groups use an edge with a sparse ``conn`` instead.

    >>> import brainunit as u
    >>> from braingraph.observers import SpatialAverage
    >>> sides = SpatialAverage(4, mask=["left", "left", "right", "left"])
    >>> _, now = sides.update(sides.init_state(), inp=[1.0, 2.0, 5.0, 6.0], dt=1 * u.ms)
    >>> now.out.tolist(), sides.labels
    ([3.0, 5.0], ('left', 'right'))
    """

    mask: Any = parameter(None, free=True, unit=ONE)

    def __init__(self, in_size: Size, *, mask: Any = None, **given: Any) -> None:
        super().__init__(in_size, mask=None, **given)
        if mask is None:
            raise ParameterError(
                "SpatialAverage needs its mask, a label for each unit or weights (group, unit): "
                "pass mask=.",
                parameter="mask",
            )
        names, weights = _groups(mask, self.in_size)
        weights.setflags(write=False)
        self.__dict__.update(mask=weights, labels=names)

    @property
    def groups(self) -> int:
        """The number of groups."""
        return int(self.mask.shape[0])

    @Output(unit="unit", size=lambda model: model.groups)
    def out(self, s: Any, i: Any) -> Any:
        """The mean of each group."""
        return applied(self.mask, i.inp)


def _groups(mask: Any, in_size: tuple[int, ...]) -> tuple[tuple[str, ...] | None, np.ndarray]:
    """The names of the groups, where the mask is labels, and their weights, (group, unit)."""
    where, size = "SpatialAverage.mask", int(np.prod(in_size))
    plain = np.asarray(mask)
    if plain.shape in (in_size, (size,)):
        names, index = np.unique(_labels(plain.ravel(), where), return_inverse=True)
        members = (index == np.arange(len(names))[:, None]).astype(float)
        return tuple(map(str, names)), members / members.sum(axis=1, keepdims=True)
    weights = numbers(mask, where, parameter="mask")
    if weights.ndim != 2 or weights.shape[1] != size or not len(weights):
        fits = weights.ndim == 2 and weights.shape[0] == size and weights.shape[1] > 0
        raise ShapeError(
            f"{where} has shape {weights.shape}, but must be {(size,)}, a label for each unit, or "
            f"(group, {size}), weights.{' The transpose fits: pass mask.T.' if fits else ''}",
            given=weights.shape,
            needed=("group", size),
        )
    sums = weights.sum(axis=1, keepdims=True)
    if not sums.all():
        raise ParameterError(
            f"{where}: the weights of group {int((sums[:, 0] == 0).argmax())} add up to 0, so they "
            "make no mean.",
            parameter="mask",
        )
    return None, weights / sums


def _labels(given: np.ndarray, where: str) -> np.ndarray:
    """Labels that can be sorted: whole numbers, also as floats, or strings."""
    kind = given.dtype.kind
    if kind in "iubU":
        return given
    if kind == "f" and (given % 1 == 0).all():
        return given.astype(int)
    if kind == "O" and all(isinstance(label, str) for label in given):
        return given.astype(str)
    raise ParameterError(
        f"{where} must name the group of each unit by a whole number or a string, but is "
        f"{brief(given)} of {given.dtype}.",
        parameter="mask",
    )
