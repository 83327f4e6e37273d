"""The store: what a run records, streamed to a Zarr hierarchy (hierarchy.py) as it goes on.

1. Arrays never change their size. What is valid is said by the commit marker alone: the first
   ``samples[name]`` samples of every monitor. The rest reads as NaN.
2. Data before marker. A chunk is written whole or, at a commit, as far as it is known, and
   written again when more is known: a file is replaced in one move, so what was committed stays.
   Between data and marker a commit keeps a checkpoint, from which the run can go on.
3. Only the order thread writes, in the order of the appends. It waits for the device, cuts the
   samples into whole chunks and hands one Dask task a chunk to its own pool of threads, or to the
   workers of a cluster (hands.py).
4. At most ``depth`` appends are in flight: the next one waits. Memory holds those, and for
   every monitor the rows of one unfinished chunk.
5. After an error nothing is written any more; the next append, flush or close raises it. So
   it is when another run has taken over the store.
6. Metadata is consolidated at the end only: consolidated metadata of a growing store goes stale.

With several processes (team.py), all of which append at the same steps:

7. Process 0 makes the store and finishes it; each writes its own chunks and its own marker, and
   waits for nobody in between. Commits are counted in appends, so they fall together.
8. Of a monitor, what all its writers have committed is valid: the fewest samples of their markers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Self

import numpy as np
import xarray as xr
import zarr

from braingraph import cluster, hierarchy, places, sweep_store
from braingraph.background import Background
from braingraph.checkpoint import Checkpoint, Checkpoints
from braingraph.errors import StoreError, did_you_mean
from braingraph.graph_store import save
from braingraph.hands import Hands, Threads, Workers
from braingraph.hierarchy import array_in, group_in
from braingraph.lanes import Lane
from braingraph.records import Recording, check_together, to_dataset
from braingraph.rows import prefix
from braingraph.team import Split, Team
from braingraph.written import About

_THREADS = 2
#: Seconds until a file that one machine wrote must be seen by the others: file systems that
#: machines share remember for up to a minute that there was nothing.
_VISIBLE = 90.0
State = Callable[[], Any]


class Writer:
    """Streams the recordings of one run to a new store, in the background.

    Parameters
    ----------
    path : path, address, Zarr store, icechunk repository or Place
        What to create, ``"rest.zarr"``.
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
    team : Team, default one process
        The processes that write this store together. All make a Writer and call the same methods
        in the same order; each appends its own part, and any array of what it does not write
        (its samples are counted).
    splits : mapping of name to Split, default {}
        Which process writes which units; monitors that are not named are written by process 0.
    about : About, optional
        What the run was asked for and its graph, kept for those who resume it.
    checkpoint : Checkpoint, optional
        Go on with the store that is there, from here.
    client : dask.distributed.Client, optional
        Its workers write the chunks: for stores that are slow. All of them must see the store.

    Raises
    ------
    StoreError
        At once: the path is taken, or cannot be written, or not seen by all processes. Later, from
        ``append``, ``flush`` or ``close``: writing failed; what was committed is kept. Fields:
        ``path``, ``step``.

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
        path: Any,
        recordings: Sequence[Recording],
        attrs: Mapping[str, Any] | None = None,
        *,
        overwrite: bool = False,
        depth: int = 2,
        commit_every: int = 16,
        team: Team | None = None,
        splits: Mapping[str, Split] | None = None,
        about: About | None = None,
        checkpoint: Checkpoint | None = None,
        client: Any = None,
    ) -> None:
        if depth < 1 or commit_every < 1:
            raise StoreError(
                f"depth and commit_every must be at least 1, not {depth} and {commit_every}.",
                path=str(path),
            )
        check_together(recordings)
        self.path = places.at(path)
        self._recordings = {r.name: r for r in recordings}
        self._appended = dict.fromkeys(self._recordings, 0)
        self._appends = self._step = self._commits = 0
        if checkpoint is not None:
            self._appended |= checkpoint.samples
            self._step = checkpoint.step
        self._every = commit_every
        self._state: State | None = None
        self._closed = False
        self._team = team or Team()
        if client is not None:
            cluster.parallel(client)  # or it is none
            self.path = self.path.absolute()
        if not self.path.shared and (self._team.world > 1 or client is not None):
            raise StoreError(
                f"{self.path!r} is seen by one process only, but others have to write there too: "
                "use a folder that they share, or an address.",
                path=str(self.path),
            )
        splits = hierarchy.complete_splits(recordings, splits or {}, self._team.world)

        def make() -> zarr.Group:
            if checkpoint is not None:
                root = hierarchy.open_for_writing(self.path, attrs or {})
                hierarchy.take_over(root, recordings, splits, self._team.world)
                return root
            hierarchy.make_room(self.path, overwrite)
            asked = about.asked if about is not None else {}
            root = hierarchy.create(
                self.path, recordings, attrs or {}, splits, self._team.world, asked
            )
            if about is not None:
                save(root.create_group("graph"), about.graph)
            return root

        self._open(splits, make)
        self._hands = self._hired(client)
        self._order = Background("braingraph-order", depth)

    def _open(self, splits: Mapping[str, Split], make: Callable[[], zarr.Group]) -> None:
        """Process 0 makes the store and the others find it, or all raise what went wrong."""
        rank, path = self._team.rank, self.path

        def first() -> str:
            if rank > 0:
                return ""
            with places.trouble(path, "created"):
                writer = hierarchy.begin_writing(make())
                path.commit("made")
            return writer

        def find() -> str:
            self._root = hierarchy.find(path, self._writer, 0 if rank == 0 else _VISIBLE)
            with places.trouble(path, "opened"):
                self._marker = group_in(self._root, hierarchy.marker(rank))
                there: Any = self._marker.attrs["samples"]
                self._lanes = {
                    name: Lane(
                        r,
                        array_in(self._root, f"monitors/{name}/data"),
                        region,
                        self._appended[name],
                        there[name],
                    )
                    for name, r in self._recordings.items()
                    if (region := splits[name].regions[rank]) is not None
                }
                self._committed: tuple[int, dict[str, int]] = (self._step, dict(there))
                self._checkpoints = Checkpoints(self._root)
            return ""

        self._writer = self._team.together("made", str(path), first)[0]
        self._team.together("found", str(path), find)

    def _hired(self, client: Any) -> Hands:
        if client is None:
            return Threads(_THREADS)
        try:
            return Workers(client, self.path, self._writer)
        except StoreError:
            self._root.attrs["status"] = "failed"
            raise

    def begin(self, state: State) -> None:
        """Keep the state that the run begins with, before the first append."""
        if self._team.rank == 0:
            self._order.add(lambda: self._checkpoints.begin(state()))

    @property
    def due(self) -> bool:
        """Whether the next append is followed by a commit; the same on every process."""
        k = self._appends + 1
        return k % self._every == 0 or (k < self._every and k & (k - 1) == 0)

    def append(self, arrays: Mapping[str, Any], *, step: int, state: State | None = None) -> None:
        """Hand over the next samples of some or all monitors, up to and including ``step``.

        Parameters
        ----------
        arrays : mapping of name to array
            Axes (*batch, time, unit), any number of samples. JAX arrays need not be ready.
        step : int
            How many steps of the run they complete.
        state : callable, optional
            Gives what the run needs to go on from there, in the background, if that is kept.

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
            if name not in self._lanes:
                continue
            if hasattr(array, "copy_to_host_async"):
                array.copy_to_host_async()
            # The caller may reuse a NumPy array; JAX arrays cannot change.
            held[name] = array.copy() if isinstance(array, np.ndarray) else array
        self._step, self._state = step, state
        if not arrays:
            return
        self._order.hand_over(partial(self._take, held))
        del held
        for name, array in arrays.items():
            self._appended[name] += array.shape[-2]
        due, self._appends = self.due, self._appends + 1
        if due:
            self._order.add(self._commit_later())

    def flush(self) -> None:
        """Commit what was appended, and wait until it is on disk."""
        self._check({}, self._step)
        self._order.add(self._commit_later()).wait()
        self._raise()

    def close(self) -> None:
        """Write what is left and finish the store, all processes; closing again does nothing.

        The status becomes ``"complete"``, or ``"interrupted"`` if samples are missing.
        """
        whole = all(self._appended[n] == r.samples for n, r in self._recordings.items())
        self._finish("complete" if whole else "interrupted", self._team)

    def abort(self, status: str = "interrupted") -> None:
        """Finish early, all processes, with status "interrupted" or "failed"."""
        if status not in ("interrupted", "failed"):
            raise StoreError(
                f"A run that stops early is 'interrupted' or 'failed', not {status!r}.",
                path=str(self.path),
                given=status,
            )
        self._finish(status, self._team)

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
        status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        try:
            # The other processes may be lost, or know nothing of the error: nobody is waited for.
            self._finish(status, Team())
        except StoreError as second:
            if not isinstance(error, StoreError):
                error.add_note(str(second))

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"step {self._step}"
        return f"Writer({self.path!r}, {len(self._recordings)} monitors, {state})"

    def _check(self, arrays: Mapping[str, Any], step: int) -> None:
        self._raise()
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
            if (lane := self._lanes.get(name)) is None:
                continue
            shape, left = tuple(array.shape), r.samples - self._appended[name]
            *batch, units = lane.sizes
            if not lane.fits(shape) or shape[-2] > left:
                raise self._refuse(
                    f"the samples of {name!r} have shape {shape}, but must have "
                    f"{(*batch, 'n', units)}: {r.dims}, with n at most {left}, what is left of "
                    f"{r.samples}.",
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
        text = f"The store {self.path!r} cannot go on: {what}"
        return StoreError(text, path=str(self.path), **fields)

    def _raise(self) -> str:
        """StoreError if anything could not be written."""
        if (cause := self._order.error) is None:
            return ""
        step = self._committed[0]
        raise StoreError(
            f"The store {self.path!r} could not be written: {self.path.reason(cause)}. What was "
            f"committed, up to step {step}, is kept: bg.open({self.path!r}) reads it.",
            path=str(self.path),
            step=step,
        ) from cause

    def _finish(self, status: str, team: Team) -> None:
        if self._closed:
            return
        self._closed = True
        self._order.add(self._commit_later())
        self._order.finish()
        self._hands.close()
        try:
            team.together("written", str(self.path), self._raise)
        except StoreError:
            self._seal("failed")
            raise
        team.together("sealed", str(self.path), lambda: self._seal(status))

    def _seal(self, status: str) -> str:
        """Say how the run ended: process 0 does."""
        if self._team.rank > 0:
            return ""
        try:
            self._root.attrs["status"] = status
            if self._order.error is None:
                hierarchy.consolidate(self._root)
            self.path.commit(status)
        except self.path.faults as error:
            self._order.error = self._order.error or error
        self.path.close()
        return self._raise()

    # In the background, in order.
    def _take(self, arrays: dict[str, Any]) -> None:
        lanes = [(self._lanes[name], array) for name, array in arrays.items()]
        pieces = (lane.take(np.asarray(array, dtype=lane.recording.dtype)) for lane, array in lanes)
        self._hands.write(pieces)

    def _commit(self, step: int, appended: Mapping[str, int], state: State | None) -> None:
        self._hands.write(lane.rest() for lane in self._lanes.values())
        if (writer := hierarchy.writer_of(self._root)) != self._writer:
            raise StoreError("another run has taken it over", path=str(self.path), writer=writer)
        if state is not None and self._team.rank == 0:
            self._checkpoints.save(state(), step, appended)
        before, there = self._committed
        samples = {name: max(lane.saved, there[name]) for name, lane in self._lanes.items()}
        if (step, samples) == self._committed:
            return
        self._commits += 1
        self._marker.attrs.put(hierarchy.marker_attrs(self._commits, max(step, before), samples))
        self.path.commit(f"up to step {max(step, before)}")
        self._committed = (max(step, before), samples)

    def _commit_later(self) -> Callable[[], None]:
        """A commit of all that was appended until now."""
        return partial(self._commit, self._step, dict(self._appended), self._state)


def open_run(path: Any) -> xr.Dataset:
    """The recordings of a store as a lazy dataset, as ``to_dataset`` lays them out.

    It shows the samples committed at the moment of the call, also while another process is
    writing and after a crash: call it again to see more. ``attrs["status"]`` is "running",
    "complete", "interrupted" or "failed"; a process that was killed leaves "running".

    Parameters
    ----------
    path : path, address, Zarr store, icechunk repository, or bg.place(...)
        What was passed as ``store=``, or the zip file that :func:`braingraph.archive` made of it.

    Raises
    ------
    StoreError
        Nothing is there, it cannot be reached, it is no braingraph store, or it was not created
        to the end.
    """
    # Workers of a cluster that read it may have another working folder.
    place = places.at(path).absolute()
    if sweep_store.is_sweep(place):
        return sweep_store.open_sweep(place)
    root = hierarchy.open_root(place)
    about: dict[str, Any] = root.attrs.asdict()
    with places.trouble(place, "read"):
        samples = hierarchy.committed(root)
        recordings, arrays = [], {}
        for name in about["monitors"]:
            group = group_in(root, f"monitors/{name}")
            recordings.append(hierarchy.recording_of(group, name))
            arrays[name] = prefix(array_in(group, "data"), samples[name])
    ds = to_dataset(recordings, arrays, {**about["provenance"], "status": about["status"]})
    ds.encoding.update(source=str(place), place=place)
    return ds
