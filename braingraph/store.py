"""The store: what a run records, streamed to a Zarr hierarchy (hierarchy.py) as it goes on.

1. Arrays never change their size. What is valid is said by the commit marker alone: the first
   ``samples[name]`` samples of every monitor. The rest reads as NaN.
2. Data before marker. A chunk is written whole or, at a commit, as far as it is known, and
   written again when more is known: a file is replaced in one move, so what was committed stays.
3. Only the order thread writes, in the order of the appends. It waits for the device, cuts the
   samples into whole chunks and hands one Dask task a chunk to its own pool of threads.
4. At most ``depth`` appends are in flight: the next one waits. Memory holds those, and for
   every monitor the rows of one unfinished chunk.
5. After an error nothing is written any more; the next append, flush or close raises it.
6. Metadata is consolidated at the end only: consolidated metadata of a growing store goes stale.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self

import numpy as np
import xarray as xr
import zarr
from dask.array import from_zarr
from dask.base import compute
from dask.delayed import delayed

from braingraph import hierarchy
from braingraph.errors import StoreError, did_you_mean
from braingraph.hierarchy import MARKER, array_in, group_in
from braingraph.records import Recording, check_together, to_dataset

_THREADS = 2
# Dask's functions have no types.
_compute: Any = compute
_delayed: Any = delayed
_from_zarr: Any = from_zarr


class _Put:
    """Writes one block to its place. Not a dataclass, or Dask would look inside."""

    __slots__ = ("array", "block", "region")

    def __init__(self, array: zarr.Array[Any], region: tuple[slice, ...], block: Any) -> None:
        self.array, self.region, self.block = array, region, block

    def __call__(self) -> None:
        self.array[self.region] = self.block


class _Lane:
    """One monitor's way to disk: rows come in pieces of any length, whole chunks go out."""

    def __init__(self, recording: Recording, array: zarr.Array[Any]) -> None:
        self.recording, self.array = recording, array
        self.taken = 0
        self.saved = 0
        self._rows: Any = None

    def take(self, piece: Any) -> Iterator[_Put]:
        """Accept the next samples; give the writes of the chunks that are whole now."""
        extent, done = self.array.chunks[-2], 0
        while done < piece.shape[-2]:
            begin = self.taken // extent * extent
            offset = self.taken - begin
            size = min(extent, self.recording.samples - begin)
            now = piece[..., done : done + size - offset, :]
            done += now.shape[-2]
            self.taken += now.shape[-2]
            if now.shape[-2] < size:
                if self._rows is None:
                    shape = (*piece.shape[:-2], size, piece.shape[-1])
                    self._rows = np.full(shape, self.array.fill_value, self.array.dtype)
                self._rows[..., offset : offset + now.shape[-2], :] = now
                now = self._rows
            if self.taken - begin == size:
                self._rows, self.saved = None, self.taken
                yield from self._cut(begin, now)

    def rest(self) -> Iterator[_Put]:
        """The writes of the unfinished chunks, if they hold anything new."""
        if self._rows is not None and self.saved < self.taken:
            self.saved = self.taken
            extent = self.array.chunks[-2]
            yield from self._cut(self.taken // extent * extent, self._rows)

    def _cut(self, begin: int, block: Any) -> Iterator[_Put]:
        grid = [
            [slice(low, min(low + chunk, size)) for low in range(0, size, chunk)]
            for size, chunk in zip(block.shape, self.array.chunks, strict=True)
        ]
        for region in itertools.product(*grid):
            rows = slice(begin + region[-2].start, begin + region[-2].stop)
            yield _Put(self.array, (*region[:-2], rows, region[-1]), block[region])


@dataclass
class _Job:
    """What the order thread is asked to do: take arrays, or commit (when there are none)."""

    arrays: dict[str, Any]
    step: int
    done: threading.Event = field(default_factory=threading.Event)


class Writer:
    """Streams the recordings of one run to a new store, in the background.

    Parameters
    ----------
    path : str or Path
        The folder to create, ``"rest.zarr"``.
    recordings : sequence of Recording
    attrs : mapping, default {}
        Provenance: how the data came about. Becomes the attributes of the dataset.
    overwrite : bool, default False
        Replace a store that is there. Nothing but a braingraph store is ever replaced.
    depth : int, default 2
        How many appends may be in flight.
    commit_every : int, default 16
        A commit (a few ms) every so many appends; the first ones come at 1, 2, 4, 8, so that a
        run can be looked at soon. After a crash, what was appended since is lost.

    Raises
    ------
    StoreError
        At once: the path is taken, or cannot be written. Later, from ``append``, ``flush`` or
        ``close``: writing failed; what was committed is kept. Fields: ``path``, ``step``.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> rate = Recording("cortex.rE", 10.0, 4, "1", "cortex", 2, labels=("left", "right"))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with Writer(f"{folder}/run.zarr", [rate]) as writer:
    ...         writer.append({"cortex.rE": np.zeros((4, 2), np.float32)}, step=400)
    ...     open_run(f"{folder}/run.zarr")["cortex.rE"].shape
    (4, 2)
    """

    def __init__(
        self,
        path: str | Path,
        recordings: Sequence[Recording],
        attrs: Mapping[str, Any] | None = None,
        *,
        overwrite: bool = False,
        depth: int = 2,
        commit_every: int = 16,
    ) -> None:
        if depth < 1 or commit_every < 1:
            raise StoreError(
                f"depth and commit_every must be at least 1, not {depth} and {commit_every}.",
                path=str(path),
            )
        check_together(recordings)
        self.path = hierarchy.local(path)
        self._recordings = {r.name: r for r in recordings}
        self._appended = dict.fromkeys(self._recordings, 0)
        self._appends = self._step = self._commits = 0
        self._every = commit_every
        self._closed = False
        self._error: BaseException | None = None
        self._committed: tuple[int, dict[str, int]] = (0, dict(self._appended))
        hierarchy.make_room(self.path, overwrite)
        with hierarchy.trouble(self.path, "created"):
            self._root = hierarchy.create(self.path, recordings, attrs or {})
            self._marker = group_in(self._root, MARKER)
            self._lanes = {
                name: _Lane(r, array_in(self._root, f"monitors/{name}/data"))
                for name, r in self._recordings.items()
            }
        self._slots = threading.BoundedSemaphore(depth)
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="braingraph-write")
        self._thread = threading.Thread(target=self._work, name="braingraph-order", daemon=True)
        self._thread.start()

    def append(self, arrays: Mapping[str, Any], *, step: int) -> None:
        """Hand over the next samples of some or all monitors, up to and including ``step``.

        Parameters
        ----------
        arrays : mapping of name to array
            Axes (*batch, time, unit), any number of samples. JAX arrays need not be ready.
        step : int
            How many steps of the run they complete.

        Returns at once, or when fewer than ``depth`` appends are in flight.

        Raises
        ------
        StoreError
            An unknown name, a shape or type that does not fit, a closed store, or an earlier
            append that could not be written.
        """
        self._check(arrays, step)
        held = {}
        for name, array in arrays.items():
            if hasattr(array, "copy_to_host_async"):
                array.copy_to_host_async()
            # The caller may reuse a NumPy array; JAX arrays cannot change.
            held[name] = array.copy() if isinstance(array, np.ndarray) else array
        if not held:
            self._step = step
            return
        self._slots.acquire()
        if self._error is not None:
            self._slots.release()
            raise self._failure()
        for name, array in held.items():
            self._appended[name] += array.shape[-2]
        self._step = step
        self._appends += 1
        self._jobs.put(_Job(held, step))
        k = self._appends
        if k % self._every == 0 or (k < self._every and k & (k - 1) == 0):
            self._jobs.put(_Job({}, step))

    def flush(self) -> None:
        """Commit what was appended, and wait until it is on disk."""
        self._check({}, self._step)
        job = _Job({}, self._step)
        self._jobs.put(job)
        job.done.wait()
        if self._error is not None:
            raise self._failure()

    def close(self) -> None:
        """Write what is left and finish the store; closing again does nothing.

        The status becomes ``"complete"``, or ``"interrupted"`` if samples are missing.
        """
        whole = all(self._appended[n] == r.samples for n, r in self._recordings.items())
        self._finish("complete" if whole else "interrupted")

    def abort(self, status: str = "interrupted") -> None:
        """Write what was appended and finish early, with status "interrupted" or "failed"."""
        if status not in ("interrupted", "failed"):
            raise StoreError(
                f"A run that stops early is 'interrupted' or 'failed', not {status!r}.",
                path=str(self.path),
                given=status,
            )
        self._finish(status)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
            return
        try:
            self.abort("interrupted" if isinstance(error, KeyboardInterrupt) else "failed")
        except StoreError as second:
            if not isinstance(error, StoreError):
                error.add_note(str(second))

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"step {self._step}"
        return f"Writer({str(self.path)!r}, {len(self._recordings)} monitors, {state})"

    def _check(self, arrays: Mapping[str, Any], step: int) -> None:
        if self._error is not None:
            raise self._failure()
        if self._closed:
            raise self._refuse("it is closed. Create another Writer, or another store.")
        if step < self._step:
            raise self._refuse(f"step {step} comes after step {self._step}. Append in order.")
        for name, array in arrays.items():
            if (r := self._recordings.get(name)) is None:
                raise self._refuse(
                    f"there is no monitor {name!r}.{did_you_mean(name, self._recordings)} "
                    f"Monitors: {', '.join(self._recordings)}.",
                    monitor=name,
                )
            shape, left = tuple(array.shape), r.samples - self._appended[name]
            if not r.fits(shape) or shape[-2] > left:
                raise self._refuse(
                    f"the samples of {name!r} have shape {shape}, but must have "
                    f"{(*r.shape[:-2], 'n', r.shape[-1])}: {r.dims}, with n at most {left}, what "
                    f"is left of {r.samples}.",
                    monitor=name,
                    given=shape,
                )
            if not np.can_cast(array.dtype, r.dtype, "same_kind"):
                raise self._refuse(
                    f"the samples of {name!r} are {array.dtype}, but must be {r.dtype}: convert "
                    "them, or record with another dtype.",
                    monitor=name,
                    given=array.dtype,
                )

    def _refuse(self, what: str, **fields: Any) -> StoreError:
        path = str(self.path)
        return StoreError(f"The store {path!r} cannot go on: {what}", path=path, **fields)

    def _failure(self) -> StoreError:
        path, step = str(self.path), self._committed[0]
        error = StoreError(
            f"The store {path!r} could not be written: {hierarchy.reason(self._error)}. What was "
            f"committed, up to step {step}, is kept: bg.open({path!r}) reads it.",
            path=path,
            step=step,
        )
        error.__cause__ = self._error
        return error

    def _finish(self, status: str) -> None:
        if self._closed:
            return
        self._closed = True
        self._jobs.put(_Job({}, self._step))
        self._jobs.put(None)
        self._thread.join()
        self._pool.shutdown()
        try:
            self._root.attrs["status"] = "failed" if self._error else status
            if self._error is None:
                hierarchy.consolidate(self._root)
        except OSError as error:
            self._error = self._error or error
        if self._error is not None:
            raise self._failure()

    def _work(self) -> None:
        """The order thread. After an error it only empties the queue, so that nobody waits."""
        while True:
            job = self._jobs.get()
            if job is None:
                return
            try:
                if self._error is None:
                    self._do(job)
            except BaseException as error:  # whatever it is, the main thread must hear of it
                self._error = error
            if job.arrays:
                self._slots.release()
            job.done.set()
            # Waiting for the next job, it must not keep this one's arrays alive.
            del job

    def _do(self, job: _Job) -> None:
        if job.arrays:
            lanes = [(self._lanes[name], array) for name, array in job.arrays.items()]
            self._write(
                lane.take(np.asarray(array, dtype=lane.recording.dtype)) for lane, array in lanes
            )
            return
        self._write(lane.rest() for lane in self._lanes.values())
        committed = (job.step, {name: lane.saved for name, lane in self._lanes.items()})
        if committed == self._committed:
            return
        self._commits += 1
        self._marker.attrs.put(hierarchy.marker_attrs(self._commits, *committed))
        self._committed = committed

    def _write(self, puts: Iterable[Iterator[_Put]]) -> None:
        tasks = [
            _delayed(put, pure=False, traverse=False)()
            for put in itertools.chain.from_iterable(puts)
        ]
        _compute(*tasks, scheduler="threads", pool=self._pool, optimize_graph=False)


def open_run(path: str | Path) -> xr.Dataset:
    """The recordings of a store as a lazy dataset, as ``to_dataset`` lays them out.

    It shows the samples committed at the moment of the call, also while another process is
    writing and after a crash: call it again to see more. ``attrs["status"]`` is "running",
    "complete", "interrupted" or "failed"; a process that was killed leaves "running".

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    StoreError
        Nothing is there, it is no braingraph store, or it was not created to the end.
    """
    path = hierarchy.local(path)
    root = hierarchy.open_root(path)
    about: dict[str, Any] = root.attrs.asdict()
    with hierarchy.trouble(path, "read"):
        samples: Any = group_in(root, MARKER).attrs["samples"]
        recordings, arrays = [], {}
        for name in about["monitors"]:
            group = group_in(root, f"monitors/{name}")
            recordings.append(hierarchy.recording_of(group, name))
            arrays[name] = _from_zarr(array_in(group, "data"))[..., : samples[name], :]
    return to_dataset(recordings, arrays, {**about["provenance"], "status": about["status"]})
