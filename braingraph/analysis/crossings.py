"""Events: when a signal rises above a threshold, for how long, and how often."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dask
import numpy as np
import xarray as xr

from braingraph.analysis.blocks import blocks, is_lazy
from braingraph.analysis.recorded import Recorded, recorded
from braingraph.errors import ParameterError
from braingraph.units import milliseconds

Table = np.ndarray[Any, Any]
_delayed: Any = dask.delayed  # type: ignore[attr-defined]
_compute: Any = dask.compute  # type: ignore[attr-defined]


def events(
    signal: Any,
    threshold: Any,
    *,
    release: Any = None,
    bridge: Any = None,
    shortest: Any = None,
) -> xr.Dataset:
    """When a signal rises above a threshold: seizures, bursts, up states.

    ::

        begins where x >= threshold, ends at the next sample where x < release
        pauses shorter than bridge do not end it; events shorter than shortest do not count

    in this order: first pauses are bridged, then short events are left out. A release below the
    threshold (hysteresis) keeps noise about the threshold from ending an event. For what falls
    below a threshold, pass ``-signal``.

    Parameters
    ----------
    signal : xarray.DataArray
        A recorded variable, dimensions ``(..., time, unit)``.
    threshold : number or quantity
        Where an event begins; a number is in the signal's unit.
    release : number or quantity, default None
        Where it ends; None: at the threshold.
    bridge : quantity of time, default None
        From the end of an event to the beginning of the next: below it, they are one. A seizure
        of many spikes is one event with a bridge longer than their interval.
    shortest : quantity of time, default None
        The least duration.

    Returns a dataset with one line an event, in the order of leading dimensions, units and onsets:

    * ``onset``, ``offset``, ``duration`` ``(event,)`` [ms]: the times of the first sample above the
      threshold and of the first below the release. An event that goes on at the end of the
      recording has no offset (NaN) and lasts up to the last sample; one that is on at the first
      sample has its onset there.
    * along ``event``: the labels, or numbers, of what it is an event of, ``event_<unit>`` and
      ``event_<leading dimension>``
    * ``count`` ``(..., unit)``: how many, also where there are none
    * ``attrs["recorded_ms"]``: the length of the recording.

    How long the table is depends on the data, so it is not lazy: the signal is read at once, in one
    pass, with a few blocks in memory. A NaN changes nothing: what was on stays on.

    Errors
    ------
    ParameterError
        No recorded variable, samples that are not equally far apart, a release above the threshold,
        a negative time.
    UnitError
        A threshold in another unit than the signal; times that are no times.

    Source: a trigger with two thresholds: Schmitt 1938, J Sci Instrum 15:24.

    Examples
    --------
    >>> x = np.array([[0, 0, 2, 0.8, 2, 0, 0, 0, 2, 0]]).T
    >>> lfp = xr.DataArray(x, {"time": np.arange(1.0, 11.0)}, ("time", "cortex"))
    >>> table = events(lfp, 1.0, release=0.5)
    >>> table["onset"].values.tolist(), table["duration"].values.tolist()
    ([3.0, 9.0], [3.0, 1.0])
    """
    r = recorded(signal, "events")
    period = r.period  # checks the samples
    high = r.plain(threshold, "threshold")
    low = high if release is None else r.plain(release, "release")
    if not low <= high:
        raise ParameterError(
            f"events ends an event below release={low:g} and begins one at threshold={high:g}, so "
            "release must not be the higher one.",
            parameter="release",
            given=low,
            needed=high,
        )
    gap, least = (_time(t, what) for t, what in ((bridge, "bridge"), (shortest, "shortest")))
    first = r.start + period
    unit, onset, offset, ended = _intervals(_marks(r, high, low), r.samples)
    onset, offset = first + onset * period, first + offset * period
    unit, onset, offset, ended = _bridged(unit, onset, offset, ended, gap)
    long = offset - onset >= least * (1 - 1e-9)
    return _table(r, *(a[long] for a in (unit, onset, offset, ended)))


def event_rate(table: Any) -> xr.DataArray:
    """How often events happen.

    ::

        rate = count / length of the recording

    Parameters
    ----------
    table : xarray.Dataset
        From :func:`events`.

    Returns an array ``(..., unit)`` [Hz].

    Errors
    ------
    ParameterError
        ``table`` is not what :func:`events` returns.

    Examples
    --------
    >>> x = np.array([[0, 0, 2, 0, 2, 0, 0, 0, 2, 0]]).T
    >>> lfp = xr.DataArray(x, {"time": np.arange(1.0, 11.0)}, ("time", "cortex"))
    >>> event_rate(events(lfp, 1.0)).values.tolist()
    [300.0]
    """
    if not isinstance(table, xr.Dataset) or "recorded_ms" not in table.attrs:
        raise ParameterError(
            f"event_rate takes the dataset that events returns, but got a {type(table).__name__}.",
            parameter="table",
        )
    rate: xr.DataArray = table["count"] / (table.attrs["recorded_ms"] / 1000)
    rate.attrs = {"units": "Hz", "long_name": "rate of events"}
    return rate.rename(None)


# ---------------------------------------------------------------- marks
# A mark is a sample that is above the threshold (+1) or below the release (-1) when the last such
# sample was of the other kind, or when none is known. Marks of blocks are concatenated; those that
# repeat the one before are dropped in the end, so it does not matter where blocks begin.
def _marks(r: Recorded, high: float, low: float) -> Table:
    """(3, mark): number of the unit, leading dimensions included; sample; +1 or -1."""
    found = [_marks_of(*piece, high, low) for piece in _pieces(r)]
    if is_lazy(r.data):
        found = list(_compute(*found))
    marks = np.concatenate(found, 1)
    return marks[:, np.lexsort((marks[1], marks[0]))]


def _pieces(r: Recorded) -> Iterator[tuple[Any, Any, int]]:
    """Blocks with the numbers of their units and of their first sample."""
    cut = blocks(r.data)
    numbers = np.arange(r.array[..., 0, :].size).reshape(r.array[..., 0, :].shape)
    if not is_lazy(cut.data):
        begin = 0
        for block, count in zip(cut, cut.windows, strict=True):
            yield block, numbers, begin
            begin += count
        return
    grid = cut.data.to_delayed()
    starts = [np.cumsum((0, *sizes[:-1])) for sizes in cut.data.chunks]
    for index in np.ndindex(grid.shape):
        begins = [int(s[k]) for s, k in zip(starts, index, strict=True)]
        sizes = [c[k] for c, k in zip(cut.data.chunks, index, strict=True)]
        part = tuple(
            slice(b, b + n)
            for axis, (b, n) in enumerate(zip(begins, sizes, strict=True))
            if axis != len(sizes) - 2
        )
        yield grid[index], numbers[part], begins[-2]


def _marks_of(block: Any, numbers: Any, begin: int, high: float, low: float) -> Any:
    if isinstance(block, np.ndarray):
        return _marked(block, numbers, begin, high, low)
    return _delayed(_marked, pure=False)(block, numbers, begin, high, low)


def _marked(block: Any, numbers: Any, begin: int, high: float, low: float) -> Table:
    x = np.moveaxis(np.asarray(block), -2, -1).reshape(-1, block.shape[-2])
    kind = (x >= high).astype(np.int8) - (x < low).astype(np.int8)
    unit, sample = np.nonzero(kind)  # in the order of units, then samples
    sign = kind[unit, sample]
    new = np.ones(sign.size, bool)
    new[1:] = (sign[1:] != sign[:-1]) | (unit[1:] != unit[:-1])
    return np.stack([np.ravel(numbers)[unit], sample + begin, sign])[:, new].astype(np.int64)


def _intervals(marks: Table, samples: int) -> tuple[Any, Any, Any, Any]:
    """Unit, first sample, first sample after, whether it ended; of sorted marks."""
    unit, sample, sign = marks
    new = np.ones(sign.size, bool)
    new[1:] = (sign[1:] != sign[:-1]) | (unit[1:] != unit[:-1])
    unit, sample, sign = unit[new], sample[new], sign[new]
    begins = np.flatnonzero(sign > 0)
    after = np.minimum(begins + 1, sign.size - 1)
    ended = (after > begins) & (unit[after] == unit[begins])
    offset = np.where(ended, sample[after], samples - 1)
    return unit[begins], sample[begins].astype(float), offset.astype(float), ended


def _bridged(unit: Any, onset: Any, offset: Any, ended: Any, gap: float) -> tuple[Any, ...]:
    """Events of one unit with a pause shorter than ``gap`` between them, as one."""
    if not unit.size:
        return unit, onset, offset, ended
    apart = np.ones(unit.size, bool)
    apart[1:] = (unit[1:] != unit[:-1]) | (onset[1:] - offset[:-1] >= gap * (1 - 1e-9))
    first = np.flatnonzero(apart)
    last = np.append(first[1:], unit.size) - 1
    return unit[first], onset[first], offset[last], ended[last]


def _time(given: Any, what: str) -> float:
    ms = 0.0 if given is None else milliseconds(given, f"{what} of events")
    if ms < 0:
        raise ParameterError(
            f"{what} of events must not be negative, but is {ms:g} ms.", parameter=what, given=ms
        )
    return ms


def _table(r: Recorded, unit: Any, onset: Any, offset: Any, ended: Any) -> xr.Dataset:
    dims = (*r.leading, r.unit)
    shape = r.array[..., 0, :].shape
    time = {"units": "ms"}
    of = {}
    for dim, index in zip(dims, np.unravel_index(unit, shape), strict=True):
        known = (
            r.array.coords[dim].values if dim in r.array.coords else np.arange(r.array.sizes[dim])
        )
        of[f"event_{dim}"] = ("event", known[index])
    counts = np.bincount(unit, minlength=int(np.prod(shape))).reshape(shape)
    variables = {
        "onset": ("event", onset, {**time, "long_name": "onset"}),
        "offset": ("event", np.where(ended, offset, np.nan), {**time, "long_name": "offset"}),
        "duration": ("event", offset - onset, {**time, "long_name": "duration"}),
        "count": (dims, counts, {"units": "1", "long_name": "number of events"}),
    }
    coords = {**of, **r.labels(*dims)}
    return xr.Dataset(variables, coords, {"recorded_ms": r.samples * r.period})
