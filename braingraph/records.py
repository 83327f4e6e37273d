"""What a run records, and how it is laid out as one labelled dataset.

A ``Recording`` describes one monitor before anything has run; ``to_dataset`` lays arrays out by
their recordings. Runs in memory and runs in a store both end here, so they look alike.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import brainunit as u
import dask.array as da
import numpy as np
import numpy.typing as npt
import xarray as xr

from braingraph import timeline
from braingraph.errors import RunError

#: Names that a stored monitor gives to arrays of its own.
_TAKEN = ("data", "time")


@dataclass(frozen=True, eq=False)
class Recording:
    """One monitor: what is recorded of which units, and when.

    Parameters
    ----------
    name : str
        The data variable: a path such as ``"cortex.x"``, or the user's own name.
    period : float, ms
        Time between samples.
    samples : int
        How many samples the whole run gives.
    unit : str
        Unit of the values, ``"mV"`` or ``"1"``.
    node : str
        Name of the unit dimension, ``"cortex"``.
    units : int
        Size of the unit dimension.
    labels : sequence of str, default None
        One name for each unit: the coordinate of the unit dimension.
    batch : tuple of (name, values), default ()
        Leading dimensions with their coordinates: a sequence of numbers or strings, a quantity,
        or an ``xarray.Variable``.
    start : float, ms, default 0
        Sample k stands at ``start + (k + 1) * period``, the end of its interval.
    reduce : str, default "sample"
        ``"sample"``: the value at that time; ``"mean"``: the mean over the interval.
    dtype : str, default "float32"
    axes : tuple of (name, size or values), optional
        Dimensions that a sample is laid out in, row after row, instead of that of units; none for
        a single value.

    Raises
    ------
    RunError
        A name that cannot be stored or is given twice, or a size that does not fit.
    """

    name: str
    period: float
    samples: int
    unit: str
    node: str
    units: int
    labels: tuple[str, ...] | None = None
    batch: tuple[tuple[str, Any], ...] = ()
    start: float = 0.0
    reduce: str = "sample"
    dtype: str = "float32"
    axes: tuple[tuple[str, Any], ...] | None = None

    def __post_init__(self) -> None:
        _check_name(self.name)
        axes: tuple[tuple[str, Any], ...] = tuple(
            (dim, along if isinstance(along, int) else _coordinate(dim, along, self.name))
            for dim, along in self.axes or ()
        )
        object.__setattr__(self, "axes", None if self.axes is None else axes)
        batch = tuple((dim, _coordinate(dim, values, self.name)) for dim, values in self.batch)
        object.__setattr__(self, "batch", batch)
        if self.labels is not None:
            object.__setattr__(self, "labels", tuple(str(label) for label in self.labels))
            if len(self.labels) != self.units:
                raise RunError(
                    f"The monitor {self.name!r} has {len(self.labels)} labels for {self.units} "
                    "units: give one label for each unit.",
                    path=self.name,
                )
        dims = (*(dim for dim, _ in batch), self.node, *(dim for dim, _ in axes))
        for k, dim in enumerate(dims):
            if dim in _TAKEN or dim in dims[:k] or not dim or "/" in dim:
                raise RunError(
                    f"The monitor {self.name!r} cannot have a dimension called {dim!r}: it is "
                    "taken ('data', 'time', or given twice), empty, or holds a '/'. "
                    "Rename that node or batch dimension.",
                    path=self.name,
                    given=dim,
                )
        if not (self.period > 0 and self.samples >= 0 and self.units > 0):
            raise RunError(
                f"The monitor {self.name!r} needs a period above 0 ms, at least 0 samples and at "
                f"least 1 unit, not {self.period} ms, {self.samples} and {self.units}.",
                path=self.name,
            )

    @property
    def dims(self) -> tuple[str, ...]:
        """``(*batch, "time", node)``: the order of the axes."""
        return (*(dim for dim, _ in self.batch), "time", self.node)

    @property
    def laid_out(self) -> tuple[tuple[str, int, xr.Variable | None], ...]:
        """The dimensions of one sample in a dataset: name, size, and coordinates if there are any.

        Labels are objects, not "<U": the latter has no Zarr v3 specification and warns when saved.
        """
        if self.axes is None:
            labels = None
            if self.labels is not None:
                labels = xr.Variable((self.node,), np.array(self.labels, dtype=object))
            return ((self.node, self.units, labels),)
        return tuple(
            (dim, along, None) if isinstance(along, int) else (dim, along.size, along)
            for dim, along in self.axes
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of ``dims`` when the run is complete."""
        return (*(values.size for _, values in self.batch), self.samples, self.units)

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether an array of this shape holds samples of this recording."""
        whole = self.shape
        return len(shape) == len(whole) and (*shape[:-2], shape[-1]) == (*whole[:-2], whole[-1])

    def times(self, begin: int, end: int) -> npt.NDArray[np.float64]:
        """When samples ``begin`` to ``end`` (exclusive) stand, in ms."""
        return self.start + np.arange(begin + 1, end + 1, dtype=np.float64) * self.period


def to_dataset(
    recordings: Sequence[Recording], arrays: Mapping[str, Any], attrs: Mapping[str, Any]
) -> xr.Dataset:
    """Recorded arrays as one labelled dataset.

    Every recording is a data variable with dimensions (*batch, time, unit), or its own ``axes`` in
    the place of units, and the attributes
    ``units``, ``long_name`` and ``reduce``. The unit dimension is called after the node and has
    the labels as its coordinate, if there are any; two monitors of one node share it. Time is in
    ms. The shortest period has the dimension ``time``; every other period has a dimension of its
    own, such as ``time_720ms`` (``time_720ms_from_500ms`` where only the start differs). Where
    monitors that share a time have different numbers of samples, all are cut to the fewest.

    Parameters
    ----------
    recordings : sequence of Recording
    arrays : mapping of name to array
        Axes (*batch, time, unit); NumPy, JAX or Dask; at most ``samples`` long in time.
    attrs : mapping
        Attributes of the dataset; reduced to what JSON can hold.

    Raises
    ------
    RunError
        Arrays that do not fit, or recordings that contradict each other.
    """
    times = check_together(recordings)
    lengths: dict[str, int] = {}
    for r in recordings:
        shape = np.shape(arrays[r.name]) if r.name in arrays else None
        if shape is None or not r.fits(shape) or shape[-2] > r.samples:
            raise RunError(
                f"The array of {r.name!r} has shape {shape}, but must have {r.shape}: "
                f"{r.dims}, with at most {r.samples} samples.",
                path=r.name,
                given=shape,
                needed=r.shape,
            )
        lengths[times[r.name]] = min(shape[-2], lengths.get(times[r.name], r.samples))
    data: dict[str, Any] = {}
    coords: dict[str, Any] = {}
    long: dict[str, xr.Coordinates] = {}
    for r in recordings:
        time = times[r.name]
        value = arrays[r.name]
        value = value if isinstance(value, da.Array) else np.asarray(value)
        value = value[..., : lengths[time], :].astype(r.dtype, copy=False)
        value = value.reshape(*value.shape[:-1], *(size for _, size, _ in r.laid_out))
        dims = (*r.dims[:-2], time, *(dim for dim, _, _ in r.laid_out))
        data[r.name] = (dims, value, {"units": r.unit, "long_name": r.name, "reduce": r.reduce})
        if lengths[time] < timeline.MANY:
            coords[time] = (time, r.times(0, lengths[time]), dict(TIME_ATTRS))
        else:
            long[time] = timeline.timeline(r.start, r.period, lengths[time], time, TIME_ATTRS)
        coords.update(r.batch)
        coords |= {dim: along for dim, _, along in r.laid_out if along is not None}
    ds = xr.Dataset(data, coords, plain(attrs))
    for coordinates in long.values():
        ds = ds.assign_coords(coordinates)
    return ds


TIME_ATTRS = {"units": "ms", "standard_name": "time", "axis": "T"}


def check_together(recordings: Sequence[Recording]) -> dict[str, str]:
    """The time dimension of every recording; RunError when they contradict each other."""
    if not recordings:
        raise RunError("There is nothing to record: name a monitor, as in monitors=['cortex.x'].")
    times = _time_dimensions(recordings)
    known: dict[str, tuple[str, Any]] = {dim: ("time", None) for dim in times.values()}
    seen: set[str] = set()
    for r in recordings:
        if r.name in seen:
            raise RunError(f"Two monitors are called {r.name!r}: rename one.", path=r.name)
        seen.add(r.name)
        meanings = {dim: ("batch", values) for dim, values in r.batch}
        for dim, size, along in r.laid_out:
            meanings[dim] = ("node", size)
            if along is not None:  # not every monitor of a node need know its labels
                meanings[f"{dim}/labels"] = ("labels", along)
        for dim, (kind, what) in meanings.items():
            before, other = known.setdefault(dim, (kind, what))
            if before != kind or not _same(other, what):
                dim = dim.removesuffix("/labels")
                raise RunError(
                    f"The monitor {r.name!r} has a dimension {dim!r} that differs in size, labels "
                    "or meaning from the one of another monitor: rename the node or the batch "
                    "dimension.",
                    path=r.name,
                    given=dim,
                )
    for r in recordings:
        if r.name in known:
            raise RunError(
                f"The monitor {r.name!r} is called like the dimension {r.name!r}: give it another "
                f"name, such as '{r.name}.out'.",
                path=r.name,
            )
    return times


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, xr.Variable):
        return a.dtype == b.dtype and a.attrs == b.attrs and np.array_equal(a.values, b.values)
    return bool(a == b)


def _time_dimensions(recordings: Sequence[Recording]) -> dict[str, str]:
    # As text, so that periods that differ by rounding alone (0.72 s, 720 ms) are one.
    keys = {r.name: (f"{r.period:.12g}", f"{r.start:.12g}") for r in recordings}
    finest = keys[min(recordings, key=lambda r: r.period).name]
    names = {finest: "time"}
    for period, start in keys.values():
        name = f"time_{period}ms"
        if name in names.values() or period == finest[0]:
            name += f"_from_{start}ms"
        names.setdefault((period, start), name)
    return {name: names[key] for name, key in keys.items()}


def _check_name(name: str) -> None:
    # Every monitor is a Zarr group of that name: these are Zarr v3's rules for names.
    if not name or "/" in name or name.startswith("__") or not name.strip("."):
        raise RunError(
            f"A monitor cannot be called {name!r}: a name must not be empty, hold a '/', start "
            "with '__' or consist of dots. Name it like its path, as in 'cortex.x'.",
            path=name,
        )


def _coordinate(dim: str, values: Any, name: str) -> xr.Variable:
    attrs: dict[str, Any] = {}
    if isinstance(values, xr.Variable):
        values, attrs = values.values, dict(values.attrs)
    elif isinstance(values, u.Quantity):
        values, attrs = values.to_decimal(values.unit), {"units": str(values.unit)}
    array = np.asarray(values)
    if array.ndim != 1 or not array.size:
        raise RunError(
            f"The batch dimension {dim!r} of the monitor {name!r} needs one coordinate value for "
            f"each member, not an array of shape {array.shape}.",
            path=name,
            given=array.shape,
        )
    return xr.Variable((dim,), array.astype(object) if array.dtype.kind in "UT" else array, attrs)


def plain(value: Any) -> Any:
    """``value`` as JSON can hold it: what is no finite number, text, list or dict becomes text."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)
