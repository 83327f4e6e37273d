"""Stimuli that are smooth functions of time: sines, chirps and ramps.

They are evaluated at every stage of a step, so that a method keeps its order. Time is counted in
steps since the onset, an integer, and cycles, in float32, by pairs of numbers, so that a phase
stays exact however long the run: float32 alone holds a time of ten hours to 2 ms only.
"""

from __future__ import annotations

import math
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from braingraph.component import Node, Output, Size, parameter
from braingraph.errors import ParameterError, did_you_mean
from braingraph.nodes.checks import in_unit
from braingraph.nodes.stimulus import whole_steps
from braingraph.units import TIME, Quantity, attach, show, unit_of

CATEGORY = "stimulus"
SWEEPS = ("linear", "exponential")


# ---------------------------------------------------------------- two numbers for one
Pair = tuple[
    Any, Any
]  # their sum; the second is at most half a unit in the last place of the first


def _constant(x: float) -> Pair:
    head = np.float32(x)
    return head, np.float32(x - float(head))


def _sum(a: Any, b: Any) -> Pair:
    """a + b, and what its rounding lost (Knuth)."""
    s = a + b
    part = s - a
    return s, (a - (s - part)) + (b - part)


def _halves(x: Any) -> Pair:
    """The upper 12 bits of a float32, and the rest: products of halves are exact."""
    bits = jax.lax.bitcast_convert_type(jnp.asarray(x, jnp.float32), jnp.uint32)
    head = jax.lax.bitcast_convert_type(bits & np.uint32(0xFFFFF000), jnp.float32)
    return head, x - head


def _product(x: Pair, y: Pair) -> Pair:
    """x y, to 2^-46 of it. Exact products make it immune to being fused with additions."""
    (a, b), (c, d) = _halves(x[0]), _halves(y[0])
    middle, lost = _sum(a * d, b * c)
    head, rest = _sum(a * c, middle)
    return _sum(head, rest + (lost + b * d + (x[0] * y[1] + x[1] * y[0])))


def _count(steps: Any, stage: Any) -> Pair:
    """A whole number of steps, and a stage, exactly."""
    return _sum(
        (steps >> 12).astype(jnp.float32) * 4096, (steps & 4095).astype(jnp.float32) + stage
    )


# ---------------------------------------------------------------- waves
def _number(value: Any) -> Any:
    """The plain value in the run's precision."""
    return jnp.asarray(u.get_magnitude(value), jnp.result_type(float))


class _Wave(Node):
    """What sines and chirps share: a sine of counted cycles in a window, on an offset."""

    amplitude: Any = parameter(1.0, any_unit=True)
    offset: Any = parameter(0.0, any_unit=True)
    phase: float = 0.0
    onset: Quantity = 0.0 * u.ms
    duration: Any = parameter(None, unit=u.ms, positive=True)

    def __init__(self, in_size: Size, *, dt: Any = None, **given: Any) -> None:
        super().__init__(in_size, dt=dt, **given)
        unit = unit_of(self.amplitude)
        in_unit(self, "offset", unit, f"its amplitude is in {show(unit)}.")

    def _cycles(self, time: Any) -> Any:
        """The cycles since the onset, as floats: rough, but differentiable."""
        raise NotImplementedError

    def _exact_cycles(self, dt: float, count: Pair) -> Pair:
        """The same of a time given as steps of dt, in ms."""
        raise NotImplementedError

    @Output(unit="amplitude")
    def out(self, s: Any, i: Any) -> Any:
        steps = i.n - whole_steps(self.onset, i.dt)
        on = steps >= 0
        if self.duration is not None:
            on = on & (steps < whole_steps(self.duration, i.dt))
        steps, stage = jnp.maximum(steps, 0), i.stage
        dt = float(i.dt.to_decimal(TIME))
        cycles = self._cycles((steps + stage) * dt)
        if jnp.result_type(float) == jnp.float32:
            head, rest = self._exact_cycles(dt, _count(steps, stage))
            exact = jax.lax.stop_gradient(head - jnp.round(head) + rest)
            cycles = exact + (cycles - jax.lax.stop_gradient(cycles))  # 0, with the derivative
        wave = u.get_magnitude(self.amplitude) * jnp.sin(2 * math.pi * cycles + self.phase)
        return self.offset + attach(jnp.where(on, wave, 0.0), unit_of(self.amplitude))


class SineStimulus(_Wave):
    """A sine, at all times or in a window.

    Equation, with m = n - round(onset / dt) and c the stage of the step, 0 to 1::

        out = offset + amplitude sin(2 pi frequency (m + c) dt + phase)
                                                       where 0 <= m < round(duration / dt),
              offset                                   elsewhere

    It is evaluated at every stage of a step, so a method keeps its order. Its phase is that of
    the frequency as the run's precision holds it: in float32 within 1e-7 of a cycle and 1e-12 of
    the cycles gone by, also after ten hours. (Float32 holds 10 Hz exactly, and 10.1 Hz to
    4e-7 Hz, which makes 0.01 cycles in ten hours.)

    Parameters
    ----------
    in_size : int or tuple of int
    amplitude : any unit, default 1.0
        How far the sine goes from the offset.
    offset : unit of amplitude, default 0
        What the sine is added to, also outside its window.
    phase : radians, default 0.0
        At the onset; pi / 2 makes it a cosine.
    onset : time, default 0 ms
        The start of the window.
    duration : time, optional
        The length of the window. Default: without end.
    frequency : frequency, default 10 Hz
        Cycles per time.

    Signals
    -------
    out : output, unit of amplitude, (unit,)

    Errors
    ------
    ParameterError
        A frequency or duration that is not positive.
    UnitError
        ``offset`` is not in the unit of amplitude.

    Source: ours.

    >>> import brainunit as u
    >>> from braingraph.nodes.waveforms import SineStimulus
    >>> SineStimulus(2, amplitude=0.2 * u.nA, frequency=[6.0, 40.0] * u.Hz)
    SineStimulus(2, amplitude=0.2 [nA], offset=0 [nA], frequency=array(2,) [Hz])
    """

    frequency: Quantity = parameter(10.0 * u.Hz, positive=True)

    def _cycles(self, time: Any) -> Any:
        return _number(self.frequency) * (time / 1000)

    def _exact_cycles(self, dt: float, count: Pair) -> Pair:
        each = _product((_number(self.frequency), 0.0), _constant(dt / 1000))
        return _product(each, count)


class ChirpStimulus(_Wave):
    """A sine whose frequency sweeps from one value to another.

    Equation, with m = n - round(onset / dt), c the stage of the step, t = (m + c) dt, T the
    duration::

        out = offset + amplitude sin(2 pi N(t) + phase)   where 0 <= m < round(T / dt),
              offset                                      elsewhere
        N(t) = f0 t + (f1 - f0) t^2 / (2 T)               sweep="linear"
        N(t) = f0 T / log(f1 / f0) ((f1 / f0)^(t / T) - 1)     sweep="exponential"

    The frequency N' goes from f0 to f1, by equal amounts or by equal factors in equal times, up
    or down, and the phase is continuous. It is evaluated at every stage of a step. In float32
    the phase of a linear sweep is as exact as that of :class:`SineStimulus`, that of an
    exponential one within 1e-6 of the cycles gone by.

    Parameters
    ----------
    in_size : int or tuple of int
    amplitude : any unit, default 1.0
        How far the sine goes from the offset.
    offset : unit of amplitude, default 0
        What the sine is added to, also outside the sweep.
    phase : radians, default 0.0
        At the onset.
    onset : time, default 0 ms
        The start of the sweep.
    duration : time, default 1 s
        The length of the sweep.
    f0, f1 : frequency, default 1 Hz and 100 Hz
        At the beginning and at the end.
    sweep : {"linear", "exponential"}, default "linear"
        How the frequency goes from the one to the other.

    Signals
    -------
    out : output, unit of amplitude, (unit,)

    Errors
    ------
    ParameterError
        A frequency or duration that is not positive, or an unknown sweep.
    UnitError
        ``offset`` is not in the unit of amplitude.

    Source: ours.

    >>> import brainunit as u
    >>> from braingraph.nodes.waveforms import ChirpStimulus
    >>> ChirpStimulus(1, f0=2.0 * u.Hz, duration=10.0 * u.second, sweep="exponential")
    ChirpStimulus(1, duration=10000 [ms], f0=2 [Hz], sweep='exponential')
    """

    duration: Quantity = parameter(1000.0 * u.ms, positive=True)
    f0: Quantity = parameter(1.0 * u.Hz, positive=True)
    f1: Quantity = parameter(100.0 * u.Hz, positive=True)
    sweep: str = "linear"

    def __init__(self, in_size: Size, *, dt: Any = None, **given: Any) -> None:
        super().__init__(in_size, dt=dt, **given)
        if self.sweep not in SWEEPS:
            raise ParameterError(
                f"ChirpStimulus.sweep is {self.sweep!r}, but must be one of "
                f"{', '.join(map(repr, SWEEPS))}.{did_you_mean(str(self.sweep), SWEEPS)}",
                parameter="sweep",
            )

    def _plain(self) -> tuple[Any, Any, Any]:
        return _number(self.f0), _number(self.f1), _number(self.duration)

    def _cycles(self, time: Any) -> Any:
        f0, f1, duration = self._plain()
        done = time / duration
        if self.sweep == "linear":
            return (f0 + (f1 - f0) * done / 2) * (time / 1000)
        power = jnp.log(f1 / f0) * done
        flat = power == 0
        safe = jnp.where(flat, 1.0, power)
        return f0 * (time / 1000) * jnp.where(flat, 1 + power / 2, jnp.expm1(safe) / safe)

    def _exact_cycles(self, dt: float, count: Pair) -> Pair:
        if self.sweep == "exponential":
            return self._cycles(dt * (count[0] + count[1])), 0.0
        # XLA turns (x + a) - a into x where it knows a: hide what may be a constant
        hide: Any = jax.lax.optimization_barrier
        f0, f1, duration = hide(self._plain())
        half = _product(_product(_constant(dt / 2), count), _inverse(duration))
        change, lost = _sum(f1, -f0)
        more = _product((change, lost), half)
        head, rest = _sum(f0, more[0])
        return _product((head, rest + more[1]), _product(_constant(dt / 1000), count))


def _inverse(x: Any) -> Pair:
    """1 / x."""
    guess = 1 / x
    head, rest = _product((guess, 0.0), (x, 0.0))
    return guess, guess * ((1 - head) - rest)


class RampStimulus(Node):
    """A value that goes straight from one level to another, and stays there.

    Equation, with m = n - round(onset / dt) and c the stage of the step, 0 to 1::

        out = start + (end - start) min(max((m + c) dt / duration, 0), 1)

    It is evaluated at every stage of a step, so a method keeps its order where onset and
    duration are whole steps.

    Parameters
    ----------
    in_size : int or tuple of int
    start : any unit, default 0.0
        The level until the onset.
    end : unit of start, default 1.0
        The level from onset + duration on. Of the two, zero needs no unit.
    onset : time, default 0 ms
        The start of the ramp.
    duration : time, default 1 s
        The length of the ramp.

    Signals
    -------
    out : output, unit of start and end, (unit,)

    Errors
    ------
    UnitError
        ``start`` and ``end`` have different units.
    ParameterError
        The duration is not positive.

    Source: ours.

    >>> import brainunit as u
    >>> from braingraph.nodes.waveforms import RampStimulus
    >>> RampStimulus(2, end=[0.5, 1.0] * u.nA, onset=200.0 * u.ms)
    RampStimulus(2, start=0 [nA], end=array(2,) [nA], onset=200 [ms])
    """

    start: Any = parameter(0.0, any_unit=True)
    end: Any = parameter(1.0, any_unit=True)
    onset: Quantity = 0.0 * u.ms
    duration: Quantity = parameter(1000.0 * u.ms, positive=True)

    def __init__(self, in_size: Size, *, dt: Any = None, **given: Any) -> None:
        super().__init__(in_size, dt=dt, **given)
        leads = "end" if isinstance(self.end, u.Quantity) else "start"
        unit = unit_of(getattr(self, leads))
        for name in ("start", "end"):
            in_unit(self, name, unit, f"its {leads} is in {show(unit)}.")

    @Output(unit="end")
    def out(self, s: Any, i: Any) -> Any:
        steps = i.n - whole_steps(self.onset, i.dt)
        time = (steps + i.stage) * i.dt.to_decimal(TIME)
        done = jnp.clip(time / self.duration.to_decimal(TIME), 0.0, 1.0)
        return self.start + (self.end - self.start) * done
