"""Stimuli: vertices whose output is given in advance, as steps, pulses, series or functions.

Pulses and series are decided by the number of the step, an integer, so they keep their place
however long the run; they are held over the step. Units on ``out`` follow the values. Sines,
chirps and ramps are in ``waveforms``.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Self

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from braingraph.component import Node, Output, Size, parameter
from braingraph.errors import ParameterError, ShapeError, did_you_mean
from braingraph.units import TIME, Quantity, attach, unit_of

CATEGORY = "stimulus"
AFTER = ("zero", "hold", "repeat")


class ConstantStimulus(Node):
    """The same value at all times.

    Parameters
    ----------
    in_size : int or tuple of int
    value : any unit, default 1.0
        What is emitted.

    Signals
    -------
    out : output, unit of value, (unit,)

    Source: ours.

    >>> import brainunit as u
    >>> from braingraph.nodes.stimulus import ConstantStimulus
    >>> ConstantStimulus(2, value=[0.1, 0.2] * u.nA)
    ConstantStimulus(2, value=array(2,) [nA])
    """

    value: Any = parameter(1.0, any_unit=True)

    @Output(unit="value")
    def out(self, s: Any, i: Any) -> Any:
        return self.value


class PulseTrain(Node):
    """Rectangular pulses: one, or one every period.

    Equation, with round() to whole steps (halves to even) and k = 0, 1, ..., count - 1::

        out_n = amplitude   where 0 <= n - round(onset / dt) - k round(period / dt)
                                    < round(duration / dt),
                0           elsewhere

    So every pulse has the same length, and pulse k comes k whole periods after the first,
    however late in the run. A period that is no multiple of dt is rounded *before* it is
    multiplied: choose dt to divide it where the frequency matters. A duration below dt / 2 gives
    no pulse, and one of a period or more is on all the time. In float32 an onset beyond two
    million steps may be a step off.

    Parameters
    ----------
    in_size : int or tuple of int
    amplitude : any unit, default 1.0
        The height of a pulse.
    onset : time, default 0 ms
        The start of the first pulse.
    duration : time, default 1 ms
        The length of a pulse.
    period : time, optional
        From the start of one pulse to the start of the next. Default: a single pulse.
    count : int, optional
        How many pulses. Default: without end. Needs a period.

    Signals
    -------
    out : output, unit of amplitude, (unit,)

    Errors
    ------
    ParameterError
        A duration or period that is not positive, a count that is not whole, or a count without
        a period.

    Source: ours.

    >>> import brainunit as u
    >>> from braingraph.nodes.stimulus import PulseTrain
    >>> PulseTrain(1, amplitude=2.0 * u.nA, duration=0.2 * u.ms, period=7.7 * u.ms)
    PulseTrain(1, amplitude=2 [nA], duration=0.2 [ms], period=7.7 [ms])
    """

    amplitude: Any = parameter(1.0, any_unit=True)
    onset: Quantity = 0.0 * u.ms
    duration: Quantity = parameter(1.0 * u.ms, positive=True)
    period: Any = parameter(None, unit=u.ms, positive=True)
    count: Any = parameter(None)

    def __init__(self, in_size: Size, *, dt: Any = None, **given: Any) -> None:
        super().__init__(in_size, dt=dt, **given)
        if self.count is not None and self.period is None:
            raise ParameterError(
                f"PulseTrain has count={self.count:g} but no period: give one, as in "
                "period=10.0 * u.ms, or leave count out for a single pulse.",
                parameter="count",
            )
        if self.count is not None and np.any((self.count < 0) | (self.count % 1 != 0)):
            raise ParameterError(
                f"PulseTrain.count must be a whole number of pulses, but is {self.count}.",
                parameter="count",
            )

    @Output(unit="amplitude")
    def out(self, s: Any, i: Any) -> Any:
        after = i.n - whole_steps(self.onset, i.dt)
        on = after >= 0
        if self.period is not None:
            period = jnp.maximum(whole_steps(self.period, i.dt), 1)
            pulse = after // period
            after = after - pulse * period
            if self.count is not None:
                on = on & (pulse < self.count)
        on = on & (after < whole_steps(self.duration, i.dt))
        unit = unit_of(self.amplitude)
        return attach(jnp.where(on, u.get_magnitude(self.amplitude), 0.0), unit)


def whole_steps(time: Any, dt: Any) -> Any:
    """A time as the nearest whole number of steps."""
    return jnp.round(time.to_decimal(TIME) / dt.to_decimal(TIME)).astype(jnp.int32)


class ArrayStimulus(Node):
    """A recorded or computed series, each row held over its interval.

    Equation, with m rows and k = n // round(every / dt) (k = n without ``every``)::

        out_n = gain * values[k]                                        k < m
        out_n = 0 | gain * values[m - 1] | gain * values[k mod m]       k >= m, by after

    Parameters
    ----------
    in_size : int or tuple of int
    values : array (row, unit) or (row,), any unit
        Rows from t = 0 on. A series without a unit axis goes to every unit.
    every : time, optional
        The sampling interval, rounded to whole steps. Default: one row a step, whatever dt is.
    gain : dimensionless, default 1.0
        The strength, of each unit if given as an array.
    after : {"zero", "hold", "repeat"}, default "zero"
        What follows the last row: nothing, the last row, or the series again.

    Signals
    -------
    out : output, unit of values, (unit,)

    Errors
    ------
    ParameterError
        No values, an interval that is not positive, or an unknown ``after``.
    ShapeError
        The values have no row, or not one column a unit.

    Source: ours.

    >>> import brainunit as u
    >>> from braingraph.nodes.stimulus import ArrayStimulus
    >>> ArrayStimulus(3, values=[0.0, 1.0, 0.0, -1.0] * u.mV, every=2.0 * u.ms, after="repeat")
    ArrayStimulus(3, values=array(4,) [mV], every=2 [ms], after='repeat')
    """

    values: Any = parameter(None, free=True, any_unit=True)
    every: Any = parameter(None, unit=u.ms, positive=True)
    gain: Any = 1.0
    after: str = "zero"

    def __init__(self, in_size: Size, *, dt: Any = None, **given: Any) -> None:
        super().__init__(in_size, dt=dt, **given)
        if self.after not in AFTER:
            raise ParameterError(
                f"ArrayStimulus.after is {self.after!r}, but must be one of "
                f"{', '.join(map(repr, AFTER))}.{did_you_mean(str(self.after), AFTER)}",
                parameter="after",
            )
        if self.values is None:
            raise ParameterError(
                "ArrayStimulus needs values, (row, unit), as in values=np.zeros((1000, "
                f"{self.size})).",
                parameter="values",
            )
        shape = np.shape(u.get_magnitude(self.values))
        if len(shape) not in (1, 2) or not shape[0] or shape[1:] not in ((), (self.size,)):
            fix = " The transpose fits: pass values.T." if shape[:1] == (self.size,) else ""
            raise ShapeError(
                f"ArrayStimulus.values have shape {shape}, but must be (rows, {self.size}) or "
                f"(rows,): (row, unit).{fix}",
                given=shape,
                needed=("rows", self.size),
            )

    @Output(unit="values")
    def out(self, s: Any, i: Any) -> Any:
        values = jnp.asarray(u.get_magnitude(self.values))
        rows = values.shape[0]
        k = i.n
        if self.every is not None:
            k = k // jnp.maximum(whole_steps(self.every, i.dt), 1)
        row = values[k % rows if self.after == "repeat" else jnp.minimum(k, rows - 1)]
        if self.after == "zero":
            row = jnp.where(k < rows, row, 0.0)
        return attach(self.gain * row, unit_of(self.values))


class FunctionStimulus(Node):
    """A function of time.

    Equation::

        out = gain * f(t)

    Parameters
    ----------
    in_size : int or tuple of int
    f : callable of t
        Takes the time, a quantity, and returns one value, or one a unit. It is traced: write it
        with ``u.math`` or ``jax.numpy``, without side effects. Its unit and shape are read off
        one abstract call when the node is made.
    gain : dimensionless, default 1.0
        The strength, of each unit if given as an array.

    Signals
    -------
    out : output, unit of f(t), (unit,)
        Evaluated at ``i.t``. Time has the run's precision: at 10 minutes, float32 resolves
        0.06 ms. For pulses use :class:`PulseTrain`, which counts steps.

    Errors
    ------
    ParameterError
        ``f`` is missing or cannot be called.
    ShapeError
        ``f`` returns neither one value nor one a unit.

    Source: ours.

    >>> import brainunit as u
    >>> from braingraph.nodes.stimulus import FunctionStimulus
    >>> drive = FunctionStimulus(3, f=lambda t: 2 * u.nA * u.math.sin(0.06 * t / u.ms))
    >>> drive.gain.shape
    ()
    """

    f: Any = parameter(None)
    gain: Any = 1.0
    _emits: Any = None
    _per_unit = False

    def __init__(self, in_size: Size, *, dt: Any = None, **given: Any) -> None:
        super().__init__(in_size, dt=dt, **given)
        if not callable(self.f):
            raise ParameterError(
                f"FunctionStimulus.f is {self.f!r}, but must be a function of the time, as in "
                "f=lambda t: u.math.sin(0.06 * t / u.ms).",
                parameter="f",
            )
        value = jax.eval_shape(self.f, u.Quantity(np.float32(0), unit=TIME))
        shape = np.shape(u.get_magnitude(value))
        if shape not in ((), (self.size,)):
            raise ShapeError(
                f"FunctionStimulus.f returns shape {shape}, but must return one value, or one for "
                f"each of {self.size} units.",
                given=shape,
                needed=(self.size,),
            )
        self.__dict__.update(_emits=unit_of(value), _per_unit=shape != ())

    def bound(self, graph: Any, path: str) -> Self:
        """The copy that stands in ``graph``."""
        copy = super().bound(graph, path)
        if self._per_unit:
            # Vertices with one function are computed side by side; this one knows its own units
            # only, so it must differ from every other. Partials compare by identity.
            copy.__dict__["f"] = partial(self.f)
        return copy

    @Output(unit=lambda model: model._emits)
    def out(self, s: Any, i: Any) -> Any:
        return self.gain * self.f(i.t)
