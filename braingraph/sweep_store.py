"""The store of a sweep: batches land in it as they finish, in any order, from any process.

::

    sweep.zarr/             attrs: schema, run_id, status, asked {part: fingerprint}, axes,
                            monitors, results, provenance, and ready, written last
        axes/<coordinate>   what stands along a dimension
        monitors/<name>/    as in the store of a run (hierarchy.py), the leading dimension "row"
        results/<name>/     data (row, *dims), and the coordinates of dims
        _run/row            for every simulation, in the order of the dimensions: its row
        _run/batches        (batch, 3): how many simulations, the size compiled for, first row
        _run/status         for every row: 0 missing, 1 complete, 2 diverged

1. Batches stand one below the other, each from a multiple of the chunk: no chunk is written by
   two batches. Rows in between belong to nobody and are never written.
2. Data before marker: a batch's rows of ``status`` (one chunk, replaced in one move) are written
   last. What they do not vouch for reads as NaN, whatever a torn batch left there.
3. A batch is a function of what was asked. Written twice, it is written equal: a task that ran
   again after its worker died doubles nothing.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
import zarr

from braingraph import hierarchy, places
from braingraph.batches import Batch, Cut
from braingraph.errors import StoreError
from braingraph.hierarchy import array_in, group_in
from braingraph.places import Place
from braingraph.records import Recording, plain, to_dataset
from braingraph.reducers import Result
from braingraph.repository import Repository
from braingraph.rows import lazy

SCHEMA = "braingraph-sweep/1"
_ROW = "row"


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a batch gave: arrays (simulation, ...), and 1 (complete) or 2 (diverged) for each."""

    arrays: Mapping[str, np.ndarray[Any, Any]]
    status: np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Contents:
    """What a sweep keeps: its dimensions with all that stands along them, and what of each."""

    axes: tuple[tuple[str, int], ...]
    coordinates: Mapping[str, xr.Variable]
    recordings: tuple[Recording, ...]
    results: tuple[Result, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(size for _, size in self.axes)

    def layout(self) -> Iterator[tuple[str, tuple[int, ...], str]]:
        """Of every array: its name, and the shape and type of one simulation's part."""
        for r in self.recordings:
            yield r.name, (r.samples, r.units), r.dtype
        for result in self.results:
            yield result.name, result.shape, result.dtype

    def dataset(self, arrays: Mapping[str, Any], attrs: Mapping[str, Any]) -> xr.Dataset:
        """Arrays (*axes, ...) as one labelled dataset."""
        dims = tuple(name for name, _ in self.axes)
        batch = tuple((name, self.coordinates[name]) for name in dims)
        recordings = [replace(r, batch=batch) for r in self.recordings]
        out = (
            to_dataset(recordings, arrays, attrs) if recordings else xr.Dataset(attrs=plain(attrs))
        )
        for r in self.results:
            about = {"long_name": r.name, **r.attrs}
            out[r.name] = xr.DataArray(arrays[r.name], r.coords, (*dims, *r.dims), attrs=about)
        return out.assign_coords(self.coordinates)


# ---------------------------------------------------------------- written
class SweepStore:
    """A sweep's store, open for writing: a new one, or one to go on with.

    Errors
    ------
    StoreError
        The path is taken by something else, or by a sweep that was asked for otherwise (field
        ``differs``); or it cannot be written.
    """

    def __init__(
        self,
        path: Any,
        contents: Contents,
        cuts: Sequence[Cut],
        asked: Mapping[str, str],
        provenance: Mapping[str, Any],
        *,
        overwrite: bool,
    ) -> None:
        self.path = places.at(path)
        _check_shown(self.path)
        found = _attributes(self.path)
        # One that was never ready holds nothing: its creation was cut short.
        if overwrite or not found.get("ready"):
            hierarchy.make_room(self.path, overwrite or "ready" in found)
            with places.trouble(self.path, "created"):
                _create(self.path, contents, cuts, asked, provenance)
        root = hierarchy.open_root(self.path, SCHEMA)
        _check_asked(self.path, root, asked)
        with places.trouble(self.path, "read"):
            self.run_id = str(root.attrs["run_id"])
            self.cuts = _cuts(root)
            status, first = _whole(root, "_run/status"), _whole(root, "_run/batches")[:, 2]
            self.done = {
                k
                for k, (cut, row) in enumerate(zip(self.cuts, first, strict=True))
                if status[row : row + len(cut.simulations)].all()
            }

    @property
    def address(self) -> tuple[Place, str] | None:
        """Where another process finds it, if it can, and how it knows that it is this one."""
        return (self.path.absolute(), self.run_id) if self.path.shared else None

    def put(self, batch: Batch, outcome: Outcome) -> None:
        """Write what a batch gave. Several threads may, each with a batch of its own."""
        if not write(self.path, self.run_id, batch, outcome):
            raise StoreError(
                f"The store {self.path!r} is gone, or another one stands there: the sweep "
                "cannot go on.",
                path=str(self.path),
            )

    def close(self, status: str) -> None:
        """``"complete"``, ``"interrupted"`` or ``"failed"``."""
        with places.trouble(self.path, "finished"):
            root = self.path.open("r+")
            if root.attrs["status"] == status:
                return
            root.attrs["status"] = status
            if status == "complete":
                hierarchy.consolidate(root)

    def dataset(self) -> xr.Dataset:
        return open_sweep(self.path)


def _check_shown(place: Place) -> None:
    """StoreError where what is written shows at commits only, and all of it at once."""
    if isinstance(place, Repository):
        raise StoreError(
            f"{place!r} cannot take a sweep, whose batches finish in any order: use a folder, an "
            "address or a Zarr store.",
            path=str(place),
        )


def is_sweep(place: Place) -> bool:
    """Whether the store of a sweep stands there."""
    return bool(_attributes(place))


def _attributes(place: Place) -> dict[str, Any]:
    """Those of a sweep's store; empty where there is none."""
    attrs = place.attributes() or {}
    return attrs if attrs.get("schema") == SCHEMA else {}


def _check_asked(place: Place, root: zarr.Group, asked: Mapping[str, str]) -> None:
    before: Any = root.attrs["asked"]
    differs = tuple(part for part in asked if before.get(part) != asked[part])
    if differs:
        raise StoreError(
            f"There is another sweep at {place!r}: it differs in {', '.join(differs)}. Choose "
            "another path, or replace it with overwrite=True.",
            path=str(place),
            differs=differs,
        )


def _cuts(root: zarr.Group) -> list[Cut]:
    """The batches as they were cut when the store was made."""
    table, order = _whole(root, "_run/batches"), np.argsort(_whole(root, "_run/row"))
    ends = np.cumsum(table[:, 0])
    return [
        Cut(order[end - count : end], int(size))
        for end, (count, size, _) in zip(ends, table, strict=True)
    ]


def write(place: Place, run_id: str, batch: Batch, outcome: Outcome) -> bool:
    """Write a batch if that very store is within reach here; whether it was."""
    if (place.attributes() or {}).get("run_id") != run_id:
        return False
    with places.trouble(place, "written"):
        root = place.open("r+")
        first = int(array_in(root, "_run/batches")[batch.number, 2])  # type: ignore[arg-type]
        rows = slice(first, first + len(batch))
        for name, values in outcome.arrays.items():
            where = "monitors" if name in group_in(root, "monitors") else "results"
            array_in(root, f"{where}/{name}/data")[rows] = values
        array_in(root, "_run/status")[rows] = outcome.status
    return True


def _create(
    place: Place,
    contents: Contents,
    cuts: Sequence[Cut],
    asked: Mapping[str, str],
    provenance: Mapping[str, Any],
) -> None:
    largest = max(len(cut.simulations) for cut in cuts)
    chunks = {r.name: _recording_chunks(r, largest) for r in contents.recordings}
    chunks |= {r.name: _result_chunks(r, largest) for r in contents.results}
    unit = max(chunk[0] for chunk in chunks.values())  # powers of two, so the others divide it
    slot = unit * math.ceil(largest / unit)
    rows = slot * len(cuts)
    root = place.create(
        {
            "schema": SCHEMA,
            "ready": False,
            "run_id": str(uuid.uuid4()),
            "status": "running",
            "asked": dict(asked),
            "axes": [list(axis) for axis in contents.axes],
            "monitors": [r.name for r in contents.recordings],
            "results": [r.name for r in contents.results],
            "provenance": plain(provenance),
        }
    )
    for name, variable in contents.coordinates.items():
        _variable(root.require_group("axes"), name, variable)
    root.require_group("monitors")
    for r in contents.recordings:
        stacked = replace(r, batch=((_ROW, np.arange(rows)),))
        hierarchy.create_monitor(root, stacked, chunks[r.name])
    for result in contents.results:
        _create_result(root, result, rows, chunks[result.name])
    row = np.empty(math.prod(contents.shape), np.int64)
    for k, cut in enumerate(cuts):
        row[cut.simulations] = k * slot + np.arange(len(cut.simulations))
    table = [[len(cut.simulations), cut.size, k * slot] for k, cut in enumerate(cuts)]
    _variable(root, "_run/row", xr.Variable(("simulation",), row))
    _variable(root, "_run/batches", xr.Variable(("batch", "what"), np.array(table, np.int64)))
    root.create_array(
        "_run/status", shape=(rows,), chunks=(slot,), dtype="int8", dimension_names=(_ROW,)
    )
    root.attrs["ready"] = True


def _recording_chunks(r: Recording, simulations: int) -> tuple[int, ...]:
    """A run's chunks for so many replicas, but of 2^k of them."""
    first, *rest = hierarchy.chunks_of(replace(r, batch=((_ROW, np.arange(simulations)),)))
    return (1 << first.bit_length() - 1, *rest)


def _result_chunks(r: Result, simulations: int) -> tuple[int, ...]:
    most = max(1, min(simulations, hierarchy.CHUNK_BYTES // max(r.bytes, 1)))
    return (1 << most.bit_length() - 1, *(max(size, 1) for size in r.shape))


def _create_result(root: zarr.Group, r: Result, rows: int, chunks: tuple[int, ...]) -> None:
    about = {"dims": list(r.dims), "attrs": dict(r.attrs)}
    group = root.create_group(f"results/{r.name}", attributes=about)
    group.create_array(
        "data",
        shape=(rows, *r.shape),
        chunks=chunks,
        dtype=r.dtype,
        fill_value=np.nan,
        dimension_names=(_ROW, *r.dims),
    )
    for dim, variable in r.coords.items():
        _variable(group, dim, variable)


def _variable(group: zarr.Group, name: str, variable: xr.Variable) -> None:
    kind: Any = str if variable.dtype == object else variable.dtype
    array = group.create_array(
        name,
        shape=variable.shape,
        dtype=kind,
        dimension_names=[str(dim) for dim in variable.dims],
        attributes=plain(variable.attrs),
    )
    array[...] = variable.values


# ---------------------------------------------------------------- read
def open_sweep(store: Any) -> xr.Dataset:
    """A sweep as a lazy dataset, laid out as in memory; what no batch has delivered yet is NaN.

    ``attrs``: ``status`` (``"running"``, also after a crash, ``"complete"``, ``"interrupted"``,
    ``"failed"``), how many simulations are ``finished``, and how many of those ``diverged``.
    """
    place = places.at(store).absolute()
    root = hierarchy.open_root(place, SCHEMA)
    about: dict[str, Any] = root.attrs.asdict()
    with places.trouble(place, "read"):
        row, status = _whole(root, "_run/row"), _whole(root, "_run/status")
        contents = _contents(root, about)
        numbers = row.reshape(contents.shape)
        names = [r.name for r in contents.recordings]
        where = {name: f"monitors/{name}/data" for name in names}
        where |= {r.name: f"results/{r.name}/data" for r in contents.results}
        arrays = {name: lazy(array_in(root, at), numbers, status) for name, at in where.items()}
    found = status[row]
    attrs = {
        **about["provenance"],
        "status": about["status"],
        "finished": int((found > 0).sum()),
        "diverged": int((found == 2).sum()),
    }
    return contents.dataset(arrays, attrs)


def _contents(root: zarr.Group, about: Mapping[str, Any]) -> Contents:
    recordings = []
    for name in about["monitors"]:
        stacked = hierarchy.recording_of(group_in(root, f"monitors/{name}"), name)
        recordings.append(replace(stacked, batch=()))
    results = []
    for name in about["results"]:
        group = group_in(root, f"results/{name}")
        data = array_in(group, "data")
        kept: dict[str, Any] = group.attrs.asdict()
        dims = tuple(kept["dims"])
        coords = {dim: _read_variable(group, dim) for dim in dims if dim in group}
        results.append(Result(name, dims, data.shape[1:], str(data.dtype), coords, kept["attrs"]))
    axes = group_in(root, "axes")
    coordinates = {name: _read_variable(axes, name) for name in sorted(axes.array_keys())}
    sizes = tuple((name, size) for name, size in about["axes"])
    return Contents(sizes, coordinates, tuple(recordings), tuple(results))


def _read_variable(group: zarr.Group, name: str) -> xr.Variable:
    array = array_in(group, name)
    dims: Any = array.metadata.dimension_names  # type: ignore[union-attr]
    values: Any = array[...]
    if values.dtype.kind == "T":
        values = values.astype(object)
    return xr.Variable(dims, values, array.attrs.asdict())


def _whole(root: zarr.Group, name: str) -> np.ndarray[Any, Any]:
    return np.asarray(array_in(root, name)[...])
