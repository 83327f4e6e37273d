"""Many simulations of one graph: planned as batches, run side by side, kept as they finish.

1. The simulations are the product of the axes. Each is a run by itself: its numbers depend on its
   parameters and its seed, not on what else is in the sweep, nor on batches, threads or workers
   (to an ulp where sums of other shapes add up in another order).
2. A batch advances together, so it agrees in all but its seeds and the numbers, one or one a unit,
   that parameters of nodes and couplings are. Simulations are sorted by the rest, and cut there.
3. A simulation that stops being finite is NaN from there on, and so are its results; the others
   do not notice.
4. Whatever is wrong with the arguments shows before anything runs.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any, Protocol

import jax.numpy as jnp
import numpy as np
import xarray as xr

from braingraph import axes, batches, cluster, provenance, reducers
from braingraph.axes import Space
from braingraph.batches import Batch, Cut
from braingraph.compiled import Compiled, capacity
from braingraph.compiler.begin import State
from braingraph.compiler.explain import show_bytes
from braingraph.errors import ParameterError, RunError, StoreError, did_you_mean
from braingraph.fingerprint import fingerprint
from braingraph.monitors import requested
from braingraph.overrides import with_inputs, with_parameters
from braingraph.places import Place
from braingraph.progress import Count
from braingraph.records import Recording
from braingraph.session import Session
from braingraph.simulator import Simulator
from braingraph.sweep_store import Contents, Outcome, SweepStore
from braingraph.together import check_monitors
from braingraph.units import brief
from braingraph.work import Work, alike

#: Bytes of what is compiled, measured for 90 regions.
CODE = 16 << 20


@dataclass(frozen=True, eq=False)
class How:
    """Where and how widely a sweep runs."""

    batch_size: Any
    memory: Any
    client: Any
    retries: Any
    progress: bool

    def __post_init__(self) -> None:
        for name, value, least in (
            ("batch_size", self.batch_size, 1),
            ("retries", self.retries, 0),
        ):
            whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
            if value is not None and (not whole or value < least):
                raise ParameterError(
                    f"{name} must be a whole number of at least {least}, but is {brief(value)}.",
                    parameter=name,
                )


def sweep(
    sim: Simulator,
    given: Any,
    duration: Any,
    *,
    monitors: Any,
    reduce: Any,
    keep: Any,
    store: Any,
    overwrite: bool,
    params: Any,
    how: How,
    **options: Any,
) -> xr.Dataset:
    """See :meth:`Simulator.sweep`. ``options``: those of every run."""
    space = axes.space(sim.graph, given, params, sim.single, sim.seed)
    plan = _planned(sim, space, duration, monitors, options)
    results = reducers.planned(reduce, plan.recordings)
    kept = _kept(keep, plan.recordings, bool(results))
    chosen = tuple(r for r in plan.recordings if r.name in kept)
    dims = tuple((axis.name, len(axis)) for axis in space.axes)
    contents = Contents(dims, space.coordinates(), chosen, results)
    _check_layout(contents)
    work = Work(
        alike(sim, state=None),
        duration,
        space.varied(),
        {"monitors": monitors, **options},
        plan.recordings,
        kept,
        dict(reduce or {}),
        results,
        plan.double,
    )
    held = _checked_room(contents) if store is None else 0
    cuts, parallel, needed = _cuts(space, plan, results, how, held)
    about = {
        **plan.attrs,
        "duration": plan.steps * sim.dt,
        "simulations": space.size,
        "batch_size": max(cut.size for cut in cuts),
        "parallel": parallel,
        "memory": needed,
    }
    if store is None:
        sink: Sink = Held(contents, cuts, about)
    else:
        asked = _asked(sim, space, monitors, work, plan)
        sink = SweepStore(store, contents, cuts, asked, about, overwrite=overwrite)
    _run(work, space, sink, parallel, how)
    return sink.dataset()


# ---------------------------------------------------------------- planned
@dataclass(frozen=True, eq=False)
class _Plan:
    """What one simulation records, and what a batch of them needs."""

    recordings: tuple[Recording, ...]
    steps: int
    attrs: Mapping[str, Any]
    double: bool
    engine: Callable[[int], int]  # bytes by size of the batch


def _planned(
    sim: Simulator, space: Space, duration: Any, monitors: Any, options: Mapping[str, Any]
) -> _Plan:
    """The first simulation, up to the point of compiling: with it, all arguments are checked."""
    initial = options["initial"]
    first = initial.step if isinstance(initial, State) else 0
    total = sim._steps(duration, "duration")
    skip = sim._skipped(options["transient"], total)
    for what in ("initial", "history"):
        sim._given(options[what], what)
    graph = with_inputs(sim.graph, options["inputs"] or {}, sim.single, first=first, steps=total)
    graph = with_parameters(graph, space.point(0)[0], sim.single)
    plan = sim._prepare(graph, monitors, None, total, skip)
    check_monitors(plan, space.varied())
    session = Session(sim, plan, first, total, skip, None)
    program, item = plan.program, jnp.result_type(float).itemsize

    def engine(size: int) -> int:
        steps = capacity(program, plan.monitors, size, total, item)
        return Compiled(program, session.samplers, size, steps).memory()

    attrs = provenance.attributes(sim, graph, program)
    return _Plan(tuple(session.recordings), total, attrs, item == 8, engine)


def _kept(keep: Any, recordings: Sequence[Recording], reduced: bool) -> tuple[str, ...]:
    """The monitors whose samples are kept: by default all, or with reducers none."""
    known = [r.name for r in recordings]
    if keep is None:
        return () if reduced else tuple(known)
    names = [keep] if isinstance(keep, str) else [str(name) for name in keep]
    for name in names:
        if name not in known:
            raise ParameterError(
                f"keep= names '{name}', which is no monitor.{did_you_mean(name, known)} There are: "
                f"{', '.join(known)}.",
                parameter="keep",
            )
    if not names and not reduced:
        raise ParameterError(
            "nothing would be kept: leave out keep=, or give a reducer.", parameter="keep"
        )
    return tuple(dict.fromkeys(names))


def _check_layout(contents: Contents) -> None:
    """Names and dimensions that contradict each other, found on arrays that hold nothing."""
    taken = [*contents.coordinates, *(r.name for r in contents.recordings)]
    for result in contents.results:
        if result.name in taken:
            raise ParameterError(
                f"reduce= calls a result '{result.name}', as a coordinate or a monitor is: take "
                "another name.",
                parameter="reduce",
            )
        for dim in result.dims:
            if dim in contents.coordinates:
                raise ParameterError(
                    f"reduce['{result.name}'] returns a dimension '{dim}', as the sweep has: "
                    "rename it.",
                    parameter="reduce",
                )
    arrays = {
        name: np.broadcast_to(np.zeros((), dtype), (*contents.shape, *shape))
        for name, shape, dtype in contents.layout()
    }
    try:
        contents.dataset(arrays, {})
    except ValueError as error:  # what xarray says of sizes and labels that differ
        raise RunError(
            f"what the sweep keeps does not fit together: {error} Rename a dimension: of a paired "
            "axis, as in {'draws': bg.paired({...})}, or of what a reducer returns."
        ) from error


def _checked_room(contents: Contents) -> int:
    """Bytes of what is kept in memory, if there is room for it."""
    size = math.prod(contents.shape) * sum(
        math.prod(shape) * np.dtype(dtype).itemsize for _, shape, dtype in contents.layout()
    )
    free = batches.available()
    if size > free:
        raise RunError(
            f"what the sweep keeps takes {show_bytes(size)}, more than the {show_bytes(free)} "
            "of memory that are free: stream it with store='sweep.zarr', or keep only what "
            "reduce={'fc': function} makes of it.",
            needed=size,
            given=free,
        )
    return size


def _cuts(
    space: Space, plan: _Plan, results: Sequence[reducers.Result], how: How, held: int
) -> tuple[list[Cut], int, int]:
    """The batches, how many of them at a time, and the bytes that those need.

    ``held``: bytes of main memory that are spoken for.
    """
    samples, given = batches.sample_bytes(plan.recordings), sum(r.bytes for r in results)

    def needs(size: int) -> int:
        # A reducer sees one simulation at a time, and may copy it.
        return plan.engine(size) + size * (samples + given) + (2 * samples if results else 0)

    most = min(how.batch_size or batches.most(), space.size)
    if how.client is None:
        room = batches.budget(how.memory, held)
        width, parallel = batches.fitting(needs, most, room, batches.parallel())
    else:
        parallel = cluster.parallel(how.client)
        width, _ = batches.fitting(needs, most, cluster.budget(how.client, how.memory), 1)
    cuts = batches.cut(space.groups(), width, parallel)
    at_a_time = min(parallel, len(cuts))
    return cuts, at_a_time, at_a_time * needs(max(cut.size for cut in cuts)) + CODE + held


def _asked(sim: Simulator, space: Space, monitors: Any, work: Work, plan: _Plan) -> dict[str, str]:
    """What decides the results, part by part: a store goes on only with the same."""
    varied = [(axis.name, axis.values, axis.coordinate.values) for axis in space.axes]
    seed = None if any(axes.SEED in axis.values for axis in space.axes) else sim.seed
    parts = {
        "graph": sim.graph,
        "axes": varied,
        "params": space.fixed,
        "seed": seed,
        "dt, method or precision": (sim.dt, sim.method, plan.double),
        "duration": plan.steps * sim.dt,
        "monitors": requested(monitors, sim.graph, sim.single),
        "what is kept": work.kept,
        "reduce": work.functions,
        **{k: v for k, v in work.options.items() if k != "monitors"},
    }
    return {name: fingerprint(part) for name, part in parts.items()}


# ---------------------------------------------------------------- run
class Sink(Protocol):
    """Takes batches as they finish, in any order."""

    done: set[int]

    @property
    def cuts(self) -> Sequence[Cut]:
        """The batches."""

    @property
    def address(self) -> tuple[Place, str] | None:
        """Where another process finds it, if it can."""

    def put(self, batch: Batch, outcome: Outcome) -> None: ...

    def close(self, status: str) -> None: ...

    def dataset(self) -> xr.Dataset: ...


class Held:
    """Results in memory."""

    address = None

    def __init__(self, contents: Contents, cuts: Sequence[Cut], attrs: Mapping[str, Any]) -> None:
        self.contents, self.cuts, self.attrs = contents, cuts, attrs
        self.done: set[int] = set()
        number = math.prod(contents.shape)
        layout = {name: ((number, *shape), dtype) for name, shape, dtype in contents.layout()}
        self.arrays = {name: np.empty(shape, kind) for name, (shape, kind) in layout.items()}
        self.status = np.zeros(number, np.int8)

    def put(self, batch: Batch, outcome: Outcome) -> None:
        for name, values in outcome.arrays.items():
            self.arrays[name][batch.simulations] = values
        self.status[batch.simulations] = outcome.status

    def close(self, status: str) -> None:
        self.attrs = {**self.attrs, "status": status}

    def dataset(self) -> xr.Dataset:
        shape, status = self.contents.shape, self.status
        arrays = {name: a.reshape(*shape, *a.shape[1:]) for name, a in self.arrays.items()}
        counts = {"finished": int((status > 0).sum()), "diverged": int((status > 1).sum())}
        return self.contents.dataset(arrays, {**self.attrs, **counts})


def _run(work: Work, space: Space, sink: Sink, parallel: int, how: How) -> None:
    """Every batch that is missing."""
    done = sum(len(sink.cuts[k].simulations) for k in sink.done)
    missing = [k for k in range(len(sink.cuts)) if k not in sink.done]
    bar = Count(space.size, how.progress)

    def batch(number: int) -> Batch:
        return batches.batch(space, number, sink.cuts[number])

    try:
        finished = (
            _here(work, missing, batch, sink, parallel)
            if how.client is None
            else cluster.run(how.client, work, missing, batch, sink, how.retries)
        )
        for count in finished:
            done += count
            bar.update(done)
    except BaseException as error:
        with contextlib.suppress(StoreError):  # the first error says more
            sink.close("interrupted" if isinstance(error, KeyboardInterrupt) else "failed")
        if sink.address is not None:
            place = sink.address[0]
            error.add_note(f"What is finished is in {place}: the same call goes on from there.")
        raise
    bar.finish()
    sink.close("complete")


def _here(
    work: Work, numbers: Sequence[int], batch: Callable[[int], Batch], sink: Sink, parallel: int
) -> Iterator[int]:
    """Run batches in threads: JAX lets go of the interpreter while it computes."""

    stopped = threading.Event()

    def one(number: int) -> int:
        if stopped.is_set():
            return 0
        try:
            mine = batch(number)
            sink.put(mine, work(mine))
        except BaseException:
            stopped.set()  # or the next one would begin before the pool hears of it
            raise
        return len(mine)

    with ThreadPoolExecutor(parallel, thread_name_prefix="braingraph-sweep") as pool:
        futures = [pool.submit(one, number) for number in numbers]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
