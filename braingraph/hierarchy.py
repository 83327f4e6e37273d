"""The Zarr hierarchy of a run: its names, attributes and chunks, made and opened.

::

    run.zarr/               attrs: schema, run_id, status, world, monitors, provenance, run (what
                            was asked for), and ready, written last: without it nothing counts
        graph/              the graph as data (describe.py)
        monitors/<name>/    attrs of the recording; by itself an xarray dataset
            data            (*batch, time, node), filled with NaN, at its full size from the start
            time            ms
            <node>          labels, if there are any
            <batch dim>     coordinates
        _run/               attrs: writer, the processes that write it now
        _run/commit/rNNNNN  one for each process, attrs: commit, step, wall, and samples
                            {name: how many of what this process writes are on disk}
        _run/checkpoint/    what the run needs to go on (checkpoint.py)

Everything is a Zarr node, so any store that Zarr can write holds it (places.py). Data end with a
checksum: without it a chunk that was cut short may read as other numbers.
"""

from __future__ import annotations

import math
import os
import socket
import time
import uuid
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec
from zarr.errors import ZarrUserWarning

from braingraph.errors import StoreError
from braingraph.places import Place, check_writable, trouble
from braingraph.records import TIME_ATTRS, Recording, plain
from braingraph.team import Split

SCHEMA = "braingraph-run/1"
#: Layouts of this library start so; a number follows.
_KINDS = {"braingraph-run/": "run", "braingraph-sweep/": "sweep"}
#: What a store may hold at its top: anything else is someone else's, and never deleted.
_OURS = {"zarr.json", "monitors", "_run", "graph", "axes", "results"}
#: Measured: chunks of 2 to 4 MB write fastest and still read one region quickly.
CHUNK_BYTES = 4 << 20
#: Rows of unfinished chunks wait in memory, so one row of chunks is kept below this.
_ROW_BYTES = 64 << 20
_WIDTH = 256
#: Times in a chunk of the time axis: 4 MB before compression.
_TIMES = 1 << 19
#: Of the provenance, what may be another when a run goes on.
_WHO = ("created", "host", "versions", "python", "platform", "backend", "devices", "command")


def chunks_of(recording: Recording, grain: Sequence[int] | None = None) -> tuple[int, ...]:
    """The chunk of a recording's array: up to 256 units, 2^k samples, 2 to 4 MB.

    Where memory allows only few samples a chunk, it takes in more units, then more of the batch.
    Chunks divide ``grain``, the sizes (*batch, unit) at whose multiples another process begins.
    """
    *batch, samples, units = recording.shape
    item = np.dtype(recording.dtype).itemsize
    *grains, common = grain or (*batch, units)
    width = _fitting(math.ceil(units / math.ceil(units / _WIDTH)), common, units)
    rows = min(CHUNK_BYTES // (width * item), _ROW_BYTES // (math.prod(batch) * units * item))
    rows = min(1 << max(rows, 1).bit_length() - 1, max(samples, 1))
    wider = min(units, max(width, CHUNK_BYTES // (rows * item)))
    width = _fitting(math.ceil(units / math.ceil(units / wider)), common, units)
    room = CHUNK_BYTES // (rows * width * item) if width == units else 1
    sizes: list[int] = []
    for size, common in zip(reversed(batch), reversed(grains), strict=True):
        most = max(1, min(size, room))
        sizes.insert(0, _fitting(math.ceil(size / math.ceil(size / most)), common, size))
        room = room // size if sizes[0] == size else 1
    return (*sizes, rows, width)


def _fitting(wanted: int, grain: int, size: int) -> int:
    """The divisor of ``grain`` nearest to ``wanted``; as wanted where one process has it all."""
    if grain >= size:
        return wanted
    divisors = {
        d for k in range(1, math.isqrt(grain) + 1) if grain % k == 0 for d in (k, grain // k)
    }
    return min(divisors, key=lambda d: (max(d / wanted, wanted / d), d))


def marker(rank: int) -> str:
    """The group whose attributes say what a process has committed."""
    return f"_run/commit/r{rank:05}"


def committed(root: zarr.Group) -> dict[str, int]:
    """How many samples of every monitor are valid: what all of its writers have committed.

    Read one after the other, markers only promise more as time goes on: the fewest is true.
    """
    samples: dict[str, int] = {}
    world: Any = root.attrs["world"]
    for rank in range(world):
        its: Any = group_in(root, marker(rank)).attrs["samples"]
        samples |= {name: min(n, samples.get(name, n)) for name, n in its.items()}
    return samples


def last_commit(root: zarr.Group) -> float:
    """When something was last committed, in seconds since the epoch."""
    world: Any = root.attrs["world"]
    walls: list[Any] = [group_in(root, marker(rank)).attrs["wall"] for rank in range(world)]
    return float(max(walls))


def complete_splits(
    recordings: Sequence[Recording], splits: Mapping[str, Split], world: int
) -> dict[str, Split]:
    """A split for every recording, checked; what has none is written by process 0."""
    whole = {r.name: splits.get(r.name) or Split.whole(r, world) for r in recordings}
    for r in recordings:
        whole[r.name].check(r, world)
    return whole


def create(
    place: Place,
    recordings: Sequence[Recording],
    provenance: Mapping[str, Any],
    splits: Mapping[str, Split],
    world: int,
    asked: Mapping[str, Any] | None = None,
) -> zarr.Group:
    """Every group and array of a run, at its full size, but not ``ready`` yet."""
    attrs = {
        "schema": SCHEMA,
        "ready": False,
        "run_id": str(uuid.uuid4()),
        "status": "running",
        "world": world,
        "monitors": [r.name for r in recordings],
        "provenance": plain(provenance),
        "run": plain(asked or {}),
    }
    root = place.create(attrs)
    for r in recordings:
        create_monitor(root, r, chunks_of(r, splits[r.name].grain))
    for rank in range(world):
        mine = [r.name for r in recordings if splits[r.name].regions[rank] is not None]
        attrs = marker_attrs(0, 0, dict.fromkeys(mine, 0))
        root.create_group(marker(rank), attributes=attrs)
    return root


def begin_writing(root: zarr.Group) -> str:
    """From now on the store is complete as a hierarchy, and written by whoever knows the answer."""
    writer = str(uuid.uuid4())
    root.require_group("_run").attrs["writer"] = writer
    root.attrs["ready"] = True
    return writer


def aligned(root: zarr.Group, name: str, split: Split) -> bool:
    """Whether no chunk of a monitor's data would have two writers."""
    array = array_in(group_in(root, f"monitors/{name}"), "data")
    sizes = (*zip(array.shape[:-2], array.chunks[:-2], strict=True),)
    sizes = (*sizes, (array.shape[-1], array.chunks[-1]))
    return all(
        part.start % chunk == 0 and (part.stop % chunk == 0 or part.stop == size)
        for region in filter(None, split.regions)
        for part, (size, chunk) in zip(region, sizes, strict=True)
    )


def writer_of(root: zarr.Group | zarr.Array[Any]) -> str:
    """Who writes the store now, as ``begin_writing`` answered."""
    group = zarr.open_group(
        root.store, path="_run", mode="r", zarr_format=3, use_consolidated=False
    )
    return str(group.attrs["writer"])


def take_over(
    root: zarr.Group, recordings: Sequence[Recording], splits: Mapping[str, Split], world: int
) -> None:
    """Markers for other processes than those that wrote it so far; nothing committed is lost."""
    valid = committed(root)
    old: Any = root.attrs["world"]
    for rank in range(world):
        mine = {r.name: valid[r.name] for r in recordings if splits[r.name].regions[rank]}
        if rank < old:
            its: Any = group_in(root, marker(rank)).attrs.asdict()
            if set(its["samples"]) == set(mine):
                continue
            group_in(root, marker(rank)).attrs.put({**its, "samples": mine})
        else:
            root.create_group(marker(rank), attributes=marker_attrs(0, 0, mine), overwrite=True)
    root.attrs["world"] = world


def create_monitor(root: zarr.Group, r: Recording, chunks: tuple[int, ...]) -> None:
    """A monitor's group with its arrays, all but the data written."""
    attrs = {
        "period": float(r.period),
        "period_units": "ms",
        "start": float(r.start),
        "samples": r.samples,
        "node": r.node,
        "reduce": r.reduce,
        "batch": [dim for dim, _ in r.batch],
        "axes": [[dim, size] for dim, size, _ in r.laid_out] if r.axes is not None else None,
    }
    group = root.create_group(f"monitors/{r.name}", attributes=attrs)
    group.create_array(
        "data",
        shape=r.shape,
        chunks=chunks,
        dtype=r.dtype,
        fill_value=np.nan if np.dtype(r.dtype).kind in "fc" else 0,
        compressors=[BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle"), Crc32cCodec()],
        dimension_names=r.dims,
        attributes={"units": r.unit, "long_name": r.name, "reduce": r.reduce},
    )
    # A regular axis shrinks to a hundredth this way.
    times = group.create_array(
        "time",
        shape=(r.samples,),
        chunks=(min(max(r.samples, 1), _TIMES),),
        dtype="float64",
        compressors=[BloscCodec(cname="zstd", clevel=1, shuffle="bitshuffle")],
        dimension_names=("time",),
        attributes=dict(TIME_ATTRS),
    )
    for begin in range(0, r.samples, _TIMES):
        end = min(begin + _TIMES, r.samples)
        times[begin:end] = r.times(begin, end)
    for dim, values in r.batch:
        _create_coordinate(group, dim, values.values, values.attrs)
    for dim, _, along in r.laid_out:
        if along is not None:
            _create_coordinate(group, dim, along.values, along.attrs)


def _create_coordinate(group: zarr.Group, dim: str, values: Any, attrs: Mapping[str, Any]) -> None:
    kind: Any = str if values.dtype == object else values.dtype
    array = group.create_array(
        dim,
        shape=values.shape,
        dtype=kind,
        dimension_names=(dim,),
        attributes=plain(attrs),
    )
    array[:] = values


def marker_attrs(commit: int, step: int, samples: Mapping[str, int]) -> dict[str, Any]:
    """What the commit marker says."""
    return {"commit": commit, "step": step, "samples": dict(samples), "wall": time.time()}


def recording_of(group: zarr.Group, name: str) -> Recording:
    """The recording that a monitor's group was made from."""
    attrs: dict[str, Any] = group.attrs.asdict()
    data = array_in(group, "data")
    node = attrs["node"]
    return Recording(
        name,
        attrs["period"],
        attrs["samples"],
        str(data.attrs["units"]),
        node,
        data.shape[-1],
        labels=tuple(array_in(group, node)[:]) if node in group else None,  # type: ignore[arg-type]
        batch=tuple((dim, _coordinate_in(group, dim)) for dim in attrs["batch"]),
        start=attrs["start"],
        reduce=attrs["reduce"],
        dtype=str(data.dtype),
        axes=None
        if attrs["axes"] is None
        else tuple(
            (dim, _coordinate_in(group, dim) if dim in group else size)
            for dim, size in attrs["axes"]
        ),
    )


def _coordinate_in(group: zarr.Group, dim: str) -> xr.Variable:
    array = array_in(group, dim)
    return xr.Variable((dim,), array[:], array.attrs.asdict())


def array_in(group: zarr.Group, name: str) -> zarr.Array[Any]:
    """An array of a group, typed."""
    array = group[name]
    assert isinstance(array, zarr.Array)
    return array


def group_in(group: zarr.Group, name: str) -> zarr.Group:
    """A group of a group, typed."""
    inner = group[name]
    assert isinstance(inner, zarr.Group)
    return inner


def consolidate(root: zarr.Group) -> None:
    """Collect the metadata of a finished run at its root, so that it opens in one read."""
    if not root.store.supports_consolidated_metadata:
        return  # it opens in one read anyway
    with warnings.catch_warnings():
        # Zarr warns that this is no part of its v3 specification; readers need not use it.
        warnings.simplefilter("ignore", ZarrUserWarning)
        zarr.consolidate_metadata(root.store)


def make_room(place: Place, overwrite: bool) -> None:
    """See to it that a store can be made there; StoreError where that needs a decision."""
    check_writable(place)
    with trouble(place, "looked into"):
        if names := place.names():
            check_ours(place, names, overwrite)
            place.remove()


def check_ours(place: Place, names: set[str], overwrite: bool) -> None:
    """StoreError unless what stands there is ours alone, and may be replaced."""
    attrs = place.attributes()
    if attrs is None or not _is_ours(attrs) or names - _OURS:
        alien = sorted(names - _OURS)
        raise StoreError(
            f"{place!r} is not only a braingraph store"
            f"{f': it also holds {alien[0]!r}' if alien else ''}. It is never replaced: "
            "choose another path, or move it away.",
            path=str(place),
        )
    if not overwrite:
        raise StoreError(
            f"There is a store at {place!r} already (status: {attrs.get('status')}). "
            "Choose another path, or replace it with overwrite=True.",
            path=str(place),
            status=attrs.get("status"),
        )


def open_root(place: Place, schema: str = SCHEMA) -> zarr.Group:
    """The root of a store that can be read; StoreError with what to do where there is none."""
    with trouble(place, "read"):
        attrs = place.attributes()
        if attrs is None and not place.exists():
            raise StoreError(
                f"There is nothing at {place!r}: check the path, or make a store with "
                f"sim.run(..., store={place!r}).",
                path=str(place),
            )
        if attrs is None or not _is_ours(attrs):
            raise StoreError(
                f"{place!r} is not a braingraph store: give the folder that was passed as "
                "store= to a run.",
                path=str(place),
            )
        if attrs["schema"] != schema:
            kind, needed = _kind(attrs["schema"]), _kind(schema)
            raise StoreError(
                f"{place!r} has the layout {attrs['schema']!r}, but this version reads "
                f"{schema!r}: read it with the version of braingraph that wrote it."
                if kind == needed
                else f"{place!r} is the store of a {kind}, but must be that of a {needed}.",
                path=str(place),
                given=attrs["schema"],
                needed=schema,
            )
        if not attrs.get("ready"):
            raise StoreError(
                f"{place!r} is still being created, or its creation was cut short: try again "
                "in a moment, or make it anew with overwrite=True.",
                path=str(place),
            )
        return place.open()


def open_for_writing(place: Place, provenance: Mapping[str, Any]) -> zarr.Group:
    """The root of a run that goes on, without what a process that was killed left half written.

    What goes on with it is added to its provenance.
    """
    open_root(place)
    check_writable(place)
    place.clean()
    root = place.open("r+")
    before: Any = root.attrs["provenance"]
    resumed = [*before.get("resumed", []), {k: provenance[k] for k in _WHO if k in provenance}]
    root.attrs.update({"status": "running", "provenance": {**before, "resumed": plain(resumed)}})
    return root


def find(place: Place, writer: str, seconds: float) -> zarr.Group:
    """The root of a store that process 0 has just made, or taken over, once it is seen."""
    deadline = time.monotonic() + seconds
    while True:
        with trouble(place, "opened"):
            attrs = place.attributes()
            if attrs is not None and attrs.get("ready"):
                root = place.open("r+")
                if writer_of(root) == writer:
                    return root
        if time.monotonic() > deadline:
            raise StoreError(
                f"{place!r} on {socket.gethostname()} (working folder {os.getcwd()!r}) is not "
                "the store that process 0 made: pass the absolute path of a folder that all "
                "machines of the run share.",
                path=str(place),
            )
        time.sleep(0.05)


def _is_ours(attrs: Mapping[str, Any]) -> bool:
    return bool(_kind(attrs.get("schema")))


def _kind(schema: Any) -> str:
    """``"run"`` or ``"sweep"``; empty for what is not ours."""
    return next((kind for start, kind in _KINDS.items() if str(schema).startswith(start)), "")
