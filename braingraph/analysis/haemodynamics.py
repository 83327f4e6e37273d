"""BOLD after the fact: the haemodynamic model, driven by what was recorded."""

from __future__ import annotations

import itertools
import math
import threading
from typing import Any

import brainunit as u
import dask
import dask.array as da
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from braingraph.analysis.blocks import BLOCK_BYTES, is_lazy
from braingraph.analysis.recorded import Recorded, recorded, time_coordinate
from braingraph.component import Node
from braingraph.errors import ClockError, ParameterError, UnitError
from braingraph.simulator import Simulator
from braingraph.units import (
    attach,
    brief,
    milliseconds,
    show,
    show_time,
    strip,
    unit_named,
    unit_of,
)

_delayed: Any = dask.delayed  # type: ignore[attr-defined]
_from_delayed: Any = da.from_delayed
_concatenate: Any = da.concatenate
#: The clock of the haemodynamics where none is given: that of the observer.
CLOCK = 10.0


def bold(signal: Any, every: Any, *, model: Node | None = None, gain: Any = 1.0) -> xr.DataArray:
    """The BOLD signal of recorded neural activity.

    ::

        z = gain * x, held over each sampling interval, through the model's own equations

    with a :class:`~braingraph.Simulator` of the model, fed with the recording block by block and
    going on from its state, so memory holds one block of the signal. It gives the numbers that the
    observer gives while the network runs if the recording has what the observer hears: means over
    steps of its clock (``bg.Record("cortex.x", every=10 * u.ms, reduce="mean")``), or every step
    of the run. Of samples in between it cannot know; with 1 ms or less that is hardly seen.

    Parameters
    ----------
    signal : xarray.DataArray
        A recorded variable, dimensions ``(..., time, unit)``. Each of the leading dimensions'
        entries is a run of its own, from rest.
    every : quantity of time
        The sampling interval of the result (repetition time), a multiple of the signal's and of
        the model's clock.
    model : Node, default BOLDSignal
        One with one input and one output per unit, such as ``observers.BOLDSignal(90, kappa=...)``.
        The default's clock is the multiple of the signal's interval next to 10 ms, from below, or
        a part of it.
    gain : number or quantity, default 1.0
        What activity is worth: turns the signal's unit into that of the input, as in
        ``gain=0.1 / u.mV``.

    Returns an array ``(..., time_720ms, unit)`` in the unit of the model's output; the dimension is
    named for its interval as the recorder names slower monitors. Sample k stands at the end of its
    interval, counted from the start of the recording. Lazy if the signal is: blocks follow each
    other, so two cores compute it no faster than one, but for leading dimensions in several chunks.

    Errors
    ------
    ParameterError
        No recorded variable, samples that are not equally far apart, a model with another size or
        several inputs or outputs, an interval longer than the signal.
    UnitError
        ``gain`` does not turn the signal's unit into that of the model's input.
    ClockError
        Intervals that do not divide one another.

    Source: Friston, Harrison & Penny 2003, NeuroImage 19:1273, as
    :class:`braingraph.observers.BOLDSignal` has it.

    Examples
    --------
    >>> import brainunit as u
    >>> t = np.arange(1, 501) * 10.0  # ms
    >>> x = xr.DataArray(np.full((500, 2), 0.1), {"time": t}, ("time", "cortex"))
    >>> bold(x, 0.5 * u.second).sizes
    Frozen({'time_500ms': 10, 'cortex': 2})
    """
    r = recorded(signal, "bold")
    period = r.period
    if model is None:
        model = _balloon(r.array.shape[-1], _near(period))
    port, output = _ports(model, r)
    clock = _clock(model, period)
    scale = _gain(r, gain, model, port)
    interval = milliseconds(every, "every of bold")
    for part, what in ((clock, "the model's clock"), (period, "the signal's interval")):
        if interval <= 0 or not _divides(part, interval):
            raise ClockError(
                f"every={show_time(interval)} of bold must be a multiple of {what}, "
                f"{show_time(part)}.",
                given=interval,
                needed=part,
            )
    rows = round(interval / period)
    volumes = r.samples // rows
    if not volumes:
        raise ParameterError(
            f"every={show_time(interval)} of bold is longer than the signal of "
            f"{show_time(r.samples * period)}.",
            parameter="every",
            given=interval,
            needed=r.samples * period,
        )
    feed = _Feed(model, port, output, scale, clock, period, interval)
    data = _driven(feed, r.data[..., : volumes * rows, :], rows)
    time = r.time if rows == 1 else f"time_{interval:.12g}ms"
    times = time_coordinate(time, r.start + np.arange(1, volumes + 1) * interval)
    units = str(model.signals()[output].unit(model))
    return r.result(data, (time, r.unit), {time: times, **r.labels(r.unit)}, units, output)


class _Feed:
    """Drives the model with blocks of a signal. Made once, used by every block, in any thread."""

    def __init__(
        self,
        model: Node,
        port: str,
        output: str,
        gain: Any,
        clock: float,
        period: float,
        every: float,
    ) -> None:
        self.model, self.port, self.output, self.gain = model, port, output, gain
        self.clock, self.every = clock, every
        self.fold, self.hold = max(1, round(clock / period)), max(1, round(period / clock))
        self.double = jnp.result_type(float) == jnp.float64  # of who asked: threads have their own
        self.lock, self.simulator = threading.Lock(), None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"lock": None, "simulator": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, lock=threading.Lock())

    @property
    def dtype(self) -> Any:
        return np.dtype(np.float64 if self.double else np.float32)

    def __call__(self, block: Any, states: Any) -> tuple[Any, Any]:
        """(*leading, time, unit) and where each ended -> BOLD of the block, where each ends now."""
        leading = block.shape[:-2]
        states = np.full(leading, None) if states is None else states
        ends, out = np.full(leading, None), []
        with self.lock, jax.enable_x64(self.double):
            for index in np.ndindex(leading):
                volumes, ends[index] = self._run(np.asarray(block[index]), states[index])
                out.append(volumes)
        return np.reshape(out, (*leading, *out[0].shape)), ends

    def _run(self, rows: Any, state: Any) -> tuple[Any, Any]:
        if self.simulator is None:
            self.simulator = Simulator(self.model, dt=self.clock * u.ms)  # type: ignore[assignment]
        sim: Any = self.simulator
        steps = self._steps(rows)
        ds = sim.run(
            len(steps) * self.clock * u.ms,
            inputs={self.port: self.gain * steps},
            monitors={self.output: self.every * u.ms},
            initial=state,
            progress=False,
        )
        return ds[self.output].values, sim.state

    def _steps(self, rows: Any) -> Any:
        """One row a step of the model: what reaches it of the samples since its last one."""
        if self.fold == 1:
            return np.repeat(rows, self.hold, axis=0)
        if getattr(self.model._inputs[self.port], "over", "mean") == "last":
            return rows[self.fold - 1 :: self.fold]
        return rows.reshape(-1, self.fold, rows.shape[-1]).mean(1, dtype=float)


class _Later:
    """A lazy block that Dask does not see: it is read when its turn has come, and not before.

    Dask reads whatever it can; blocks that wait for the one before would pile up in memory.
    """

    def __init__(self, data: Any) -> None:
        self.data = data

    def __call__(self) -> Any:
        return self.data.compute(scheduler="synchronous")


def _driven(feed: _Feed, data: Any, rows: int) -> Any:
    """BOLD of the whole signal, block after block of whole intervals."""
    lazy = is_lazy(data)
    chunks = data.chunks[:-2] if lazy else tuple((n,) for n in data.shape[:-2])
    most = data.dtype.itemsize * data.shape[-1] * math.prod(max(c) for c in chunks) * rows
    each = rows * max(1, BLOCK_BYTES // most)
    bounds = [(k, min(k + each, data.shape[-2])) for k in range(0, data.shape[-2], each)]
    if not lazy:
        done, state = [], None
        for begin, end in bounds:
            out, state = feed(data[..., begin:end, :], state)
            done.append(out)
        return np.concatenate(done, -2)
    stops = [tuple(itertools.accumulate(c)) for c in chunks]
    parts = np.empty([len(c) for c in chunks], object)
    for index in np.ndindex(parts.shape):
        where = tuple(
            slice(s[k] - c[k], s[k]) for s, c, k in zip(stops, chunks, index, strict=True)
        )
        parts[index] = _chain(feed, data[where], bounds, rows)
    for axis in reversed(range(parts.ndim)):
        joined = np.empty(parts.shape[:axis], object)
        for index in np.ndindex(joined.shape):
            joined[index] = _concatenate(list(parts[index]), axis)
        parts = joined
    return parts.item()


def _chain(feed: _Feed, data: Any, bounds: list[tuple[int, int]], rows: int) -> Any:
    """One stretch of leading dimensions: each block takes the state that the last one left."""
    advance = _delayed(_advanced, pure=False, nout=2)
    state: Any = None
    pieces = []
    for begin, end in bounds:
        volumes, state = advance(feed, _Later(data[..., begin:end, :]), state)
        shape = (*data.shape[:-2], (end - begin) // rows, data.shape[-1])
        pieces.append(_from_delayed(volumes, shape, feed.dtype))
    return _concatenate(pieces, -2)


def _advanced(feed: _Feed, later: _Later, state: Any) -> tuple[Any, Any]:
    return feed(later(), state)


# ---------------------------------------------------------------- checks
def _near(period: float) -> float:
    """The longest clock up to CLOCK that the signal's interval divides or is divided by."""
    if period <= CLOCK:
        return period * math.floor(CLOCK / period * (1 + 1e-9))
    return period / math.ceil(period / CLOCK * (1 - 1e-9))


def _clock(model: Node, period: float) -> float:
    """The model's clock in ms, which the signal's interval divides or is divided by."""
    clock = period if model.dt is None else float(model.dt)
    if _divides(period, clock) or _divides(clock, period):
        return clock
    raise ClockError(
        f"the model's clock, {show_time(clock)}, and the signal's interval, {show_time(period)}, "
        f"must divide one another: give the model another, as in dt={period:g} * u.ms.",
        given=clock,
        needed=period,
    )


def _divides(part: float, whole: float) -> bool:
    number = round(whole / part)
    return number >= 1 and abs(number - whole / part) < 1e-6 * number


def _balloon(units: int, clock: float) -> Node:
    # By its public name: the framework itself holds no model.
    import braingraph

    model: Node = braingraph.observers.BOLDSignal(units, dt=clock * u.ms)
    return model


def _ports(model: Any, r: Recorded) -> tuple[str, str]:
    if not isinstance(model, Node):
        raise ParameterError(
            "the model of bold must be a node, as in observers.BOLDSignal(90), but is "
            f"{brief(model)}.",
            parameter="model",
        )
    ports = (*model._inputs, *model._outputs)
    units, sizes = r.array.shape[-1], {model.signal_size(name) for name in ports}
    if (len(model._inputs), len(model._outputs)) != (1, 1) or sizes != {units}:
        found = [f"{name} of {model.signal_size(name)}" for name in ports]
        raise ParameterError(
            f"the model of bold must have one input and one output, of {units} units as the signal "
            f"has, but {type(model).__name__} has {', '.join(found) or 'none'}.",
            parameter="model",
            given=tuple(sorted(sizes)),
            needed=units,
        )
    return ports[0], ports[1]


def _gain(r: Recorded, gain: Any, model: Node, port: str) -> Any:
    """What a number of the signal is multiplied with, in the unit of the input."""
    unit, needed = unit_named(r.units), model.signals()[port].unit(model)
    if unit is None:
        raise UnitError(
            f"the unit of the signal, [{r.units}], is not known: name it as brainunit does, as in "
            'signal.assign_attrs(units="mV").',
            given=r.units,
            needed=needed,
        )
    what = f"gain times the signal, {show(unit_of(gain))} times {show(unit)},"
    whole = strip(gain * attach(1.0, unit), needed, what, "give a gain that turns it into that.")
    return attach(float(whole), needed)
