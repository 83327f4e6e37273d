"""Running a graph: chunks of one jitted scan, in memory or streamed to a store.

With U(k) the computation of chunk k and W(k) its writing: U(k) precedes W(k) and U(k + 1), and
W(k) precedes W(k + 1). So W(k - 1) may run beside U(k), with two chunks held at once.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr

from braingraph import provenance
from braingraph.compiled import Compiled, capacity
from braingraph.compiler import begin, compile_graph
from braingraph.compiler.check import whole_steps
from braingraph.compiler.plan import Program
from braingraph.compiler.sampling import Sampler
from braingraph.compiler.values import collect
from braingraph.component import Node
from braingraph.divergence import locate
from braingraph.errors import GraphError, ParameterError, RunError, did_you_mean
from braingraph.graph import Graph
from braingraph.integrate import METHODS
from braingraph.monitors import Monitor, requested, resolve
from braingraph.overrides import with_inputs, with_parameters
from braingraph.paths import values_by_path
from braingraph.progress import Progress
from braingraph.records import Recording
from braingraph.sinks import Memory, Rows, Sink, Stream
from braingraph.units import brief, milliseconds, show_time

State = begin.State
#: Wall seconds a chunk should take: often enough for progress and commits, rare enough to be free.
CHUNK_SECONDS = 0.5
FIRST_STEPS = 2000
STEP_LIMIT = 2**31 - 1


class Simulator:
    """Executes a graph, or a single node, with a fixed step.

    Parameters
    ----------
    graph : Graph or Node
        Copied: later changes do not reach this simulator.
    dt : quantity of time
        The step.
    method : {"heun", "euler", "rk4", "exp_euler"}
        The integrator. With noise, Euler is Euler-Maruyama and Heun is stochastic Heun.
    seed : int
        With a node's path, decides all its random numbers.

    Examples
    --------
    >>> import braingraph as bg, brainunit as u
    >>> from braingraph import nodes
    >>> sim = bg.Simulator(nodes.HopfStep(2, a=0.25, w=0.2), dt=0.1 * u.ms)
    >>> ds = sim.run(5 * u.ms, monitors={"x": 1 * u.ms})
    >>> ds["x"].dims, ds["x"].shape
    (('time', 'unit'), (5, 2))
    """

    def __init__(
        self, graph: Graph | Node, *, dt: Any, method: str = "heun", seed: int = 0
    ) -> None:
        self.single = isinstance(graph, Node)
        if isinstance(graph, Node):
            wrapped = Graph()
            wrapped.add_node("node", graph)
            graph = wrapped
        if not isinstance(graph, Graph):
            what = f"the class {graph.__name__}" if isinstance(graph, type) else brief(graph)
            raise GraphError(f"a Simulator takes a Graph or a node, but got {what}.")
        self.dt = milliseconds(dt, "dt")
        if not self.dt > 0:
            raise ParameterError(f"dt must be positive, but is {self.dt:g} ms.", parameter="dt")
        if method not in METHODS:
            raise ParameterError(
                f"there is no method {method!r}.{did_you_mean(str(method), METHODS)} "
                f"There are: {', '.join(METHODS)}.",
                parameter="method",
            )
        self.graph, self.method, self.seed = graph.bound(None, ""), method, seed
        self.state: State | None = None  #: where the last run ended
        self._programs: dict[Any, Program] = {}
        self._compiled: dict[Any, Compiled] = {}
        self._values: dict[Any, dict[str, Any]] = {}
        compile_graph(self.graph, self.dt, method)  # every finding now, in the user's line

    # ------------------------------------------------------------ running
    def run(
        self,
        duration: Any,
        *,
        monitors: Any = None,
        store: Any = None,
        inputs: Mapping[str, Any] | None = None,
        transient: Any = None,
        batch_size: int | None = None,
        initial: Any = None,
        history: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        progress: bool = True,
        overwrite: bool = False,
    ) -> xr.Dataset:
        """Simulate, and return what was recorded as a labelled dataset.

        Parameters
        ----------
        duration : quantity of time
            A multiple of dt.
        monitors : list of paths, or dict
            ``["cortex.x"]`` (every step), ``{"cortex.x": 10 * u.ms}``, or
            ``{"name": path | callable(view) | bg.Record(...)}``. Default: every state.
        store : path, optional
            Stream to this Zarr store instead of memory; the dataset is then lazy.
        inputs : dict, optional
            Drive input ports: a number or quantity, an array ``(steps, unit)``, or a callable of
            time.
        transient : quantity of time, optional
            The first part of the duration, which is not recorded.
        batch_size : int, optional
            Replicas with noise of their own; a leading dimension ``replica``.
        initial : State or dict, optional
            Where to start: ``sim.state`` to go on, or values by state path.
        history : dict, optional
            A signal's past for delays: value, array (oldest first, ending at t = 0), or callable
            of time. Default: the initial value.
        params : dict, optional
            Other values for parameters, by path, for this run.
        progress : bool
            Show progress and the time left on standard error.
        overwrite : bool
            Replace a store that exists.

        Sample k of an interval p stands at ``t = (k + 1) p`` after the transient.
        """
        total = self._steps(duration, "duration")
        skip = self._skipped(transient, total)
        batch = _batch(batch_size)
        first = initial.step if isinstance(initial, begin.State) else 0
        if first + total > STEP_LIMIT:
            raise RunError(f"a simulation has at most {STEP_LIMIT} steps: take a larger dt.")
        initial, history = self._given(initial, "initial"), self._given(history, "history")
        graph = with_inputs(self.graph, inputs or {}, self.single, first=first, steps=total)
        graph = with_parameters(graph, params or {}, self.single)
        plan = self._prepare(graph, monitors, batch, total, skip)
        session = _Session(self, plan, first, total, skip, batch)
        attrs = provenance.attributes(self, graph, plan.program)
        sink: Sink = (
            Memory(session.recordings, attrs)
            if store is None
            else Stream(session.recordings, attrs, store, overwrite)
        )
        with sink:
            session.advance(sink, initial, history, progress)
        return sink.dataset()

    def _prepare(
        self, graph: Graph, monitors: Any, batch: int | None, total: int, skip: int
    ) -> _Plan:
        records = requested(monitors, graph, self.single)
        paths = [str(r.path).rpartition(".")[0] for r in records.values() if not callable(r.path)]
        observed = None if any(callable(r.path) for r in records.values()) else frozenset(paths)
        program = self._program(graph, observed)
        found = resolve(program, records, self.single)
        dtype = jnp.result_type(float)
        size = capacity(program, found, batch, total, dtype.itemsize)
        samplers = tuple(m.sampler(skip) for m in found)
        # what decides the compiled code: structure, what is sampled, batch, chunk and precision
        key = (program.structure, samplers, batch, size, dtype.name)
        if key not in self._compiled:
            self._compiled[key] = Compiled(program, samplers, batch, size)
        if graph is not self.graph:
            return _Plan(program, found, self._compiled[key], collect(program)[0])
        if observed not in self._values:
            self._values[observed] = collect(program)[0]
        return _Plan(program, found, self._compiled[key], self._values[observed])

    def _program(self, graph: Graph, observed: frozenset[str] | None) -> Program:
        if graph is not self.graph:
            return compile_graph(graph, self.dt, self.method, observed=observed)
        if observed not in self._programs:
            self._programs[observed] = compile_graph(graph, self.dt, self.method, observed=observed)
        return self._programs[observed]

    def _steps(self, given: Any, what: str) -> int:
        return whole_steps(milliseconds(given, what), self.dt, what)

    def _skipped(self, transient: Any, total: int) -> int:
        if transient is None or not milliseconds(transient, "transient"):
            return 0
        skip = self._steps(transient, "transient")
        if skip >= total:
            raise ParameterError(
                f"transient is {show_time(skip * self.dt)}, but must be shorter than the duration "
                f"of {show_time(total * self.dt)}.",
                parameter="transient",
            )
        return skip

    def _given(self, given: Any, what: str) -> Any:
        """``initial=`` or ``history=`` by full path; a State as it is."""
        if given is None or (what == "initial" and isinstance(given, begin.State)):
            return given
        kinds = ("state",) if what == "initial" else ("state", "output")
        return values_by_path(self.graph, given, what, kinds, self.single)

    def _named(self, path: str) -> str:
        """A full path: a single node's signals need no prefix."""
        return f"node.{path}" if self.single and "." not in path else path

    # ------------------------------------------------------------ looking
    def explain(self, monitors: Any = None, duration: Any = None, batch_size: Any = None) -> str:
        """The plan as a tree: groups, bundles, blocks and why, memory, bytes to disk."""
        from braingraph.compiler.explain import explain

        total = self._steps(duration, "duration") if duration is not None else 10_000
        plan = self._prepare(self.graph, monitors, _batch(batch_size), total, 0)
        return explain(plan.compiled, plan.monitors, total if duration is not None else None)

    def compilations(self) -> int:
        """How many XLA programs this simulator has compiled."""
        return sum(c.compilations() for c in self._compiled.values())

    def as_function(
        self,
        duration: Any,
        *,
        monitors: Any = None,
        batch_size: int | None = None,
        initial: Any = None,
        history: Mapping[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """The run as a pure function of its parameters, and their values.

        ``fn(params)`` returns arrays ``(time, unit)`` by monitor; it can be jitted, vmapped and
        differentiated. ``params`` maps paths to numbers or quantities: node and coupling
        parameters, weights, and delays. Delays may move by 10 % from their present values, and to
        the next whole step; beyond, results are NaN. Zero weights and zero delays stay zero.
        """
        from braingraph.differentiable import as_function

        return as_function(self, duration, monitors, _batch(batch_size), initial, history)

    def __repr__(self) -> str:
        how = f"dt={self.dt:g} ms, method={self.method!r}, seed={self.seed}"
        return f"Simulator({self.graph!r}, {how})"


def _batch(size: Any) -> int | None:
    whole = isinstance(size, (int, np.integer)) and not isinstance(size, bool)
    if size is not None and (not whole or size < 1):
        raise ParameterError(
            f"batch_size must be a positive number of replicas, but is {size!r}.",
            parameter="batch_size",
        )
    return None if size is None else int(size)


@dataclass(frozen=True)
class _Plan:
    """What a run needs: its program, and code compiled for one of the same structure."""

    program: Program
    monitors: tuple[Monitor, ...]
    compiled: Compiled
    values: dict[str, Any]


class _Session:
    """One run: from its first carry to its last."""

    def __init__(
        self, sim: Simulator, plan: _Plan, first: int, total: int, skip: int, batch: int | None
    ) -> None:
        self.sim, self.plan, self.compiled, self.monitors = sim, plan, plan.compiled, plan.monitors
        self.first, self.total, self.skip, self.batch = first, total, skip, batch
        self.dt = sim.dt
        self.samplers = plan.compiled.engine.samplers
        self.recordings = [
            self._recording(m, s) for m, s in zip(self.monitors, self.samplers, strict=True)
        ]

    def _recording(self, m: Monitor, sampler: Sampler) -> Recording:
        skipped = self.skipped(sampler)
        samples = self.finished(sampler, self.total) - skipped
        # clocks of slow nodes count from t = 0, also in a run that goes on within an interval
        steps = self.first // m.clock + skipped * sampler.period - sampler.phase
        if samples < 1:
            raise ParameterError(
                f"monitor '{m.name}' has an interval of {m.interval(self.dt):g} ms, longer than "
                f"the {(self.total - self.skip) * self.dt:g} ms that are recorded.",
                parameter="monitors",
            )
        return Recording(
            m.name,
            m.interval(self.dt),
            samples,
            str(m.unit) if str(m.unit) else "1",
            m.node,
            m.units,
            m.labels,
            (("replica", np.arange(self.batch)),) if self.batch is not None else (),
            steps * m.clock * self.dt,
            "mean" if m.mean else "sample",
            np.dtype(self.compiled.engine.dtype).name,
        )

    def finished(self, sampler: Sampler, steps: int) -> int:
        """How many of a sampler's intervals have ended after so many steps of the run."""
        since = (self.first + steps) // sampler.clock - self.first // sampler.clock
        return (since + sampler.phase) // sampler.period

    def skipped(self, sampler: Sampler) -> int:
        return self.finished(sampler, self.skip)

    def advance(self, sink: Sink, initial: Any, history: Any, progress: bool) -> None:
        """Chunk after chunk; each is checked and handed over while the next one computes."""
        compiled, B = self.compiled, self.compiled.program.blocks.length
        packed, keys = compiled.parameters(self.plan.values), compiled.keys(self.sim.seed)
        carry = compiled.start(packed, self.plan.program.flat, self.sim.seed, initial, history)
        bar = Progress(self.total * self.dt, progress)
        k, chunk = 0, min(compiled.capacity, B * -(-FIRST_STEPS // B))
        while k < self.total:
            begun = time.monotonic()
            steps = min(chunk, self.total - k)
            before = carry
            carry, out, finite = compiled.chunk(before, packed, keys, self.total, -(-steps // B))
            if not bool(finite):
                error = locate(self, before, packed, keys, k, steps)
                sink.take(self._rows(out, k, error.fields["steps"] - 1), error.fields["steps"] - 1)
                sink.fail(error)
            sink.take(self._rows(out, k, k + steps), k + steps)
            k += steps
            bar.update(k * self.dt)
            wanted = steps * CHUNK_SECONDS / max(time.monotonic() - begun, 1e-6)
            chunk = min(compiled.capacity, B * max(1, round(min(wanted, 8 * chunk) / B)))
        bar.finish()
        self.sim.state = begin.snapshot(compiled.engine, carry)

    def _rows(self, out: Any, start: int, stop: int) -> dict[str, Rows]:
        """What a chunk finished, as views that wait for the device only when read."""
        rows = {}
        for monitor, sampler, (buffer, _) in zip(self.monitors, self.samplers, out, strict=True):
            origin, skipped = self.finished(sampler, start), self.skipped(sampler)
            low = max(origin, skipped) - origin
            high = self.finished(sampler, stop) - origin
            if high > low:
                rows[monitor.name] = Rows(buffer, low, high)
        return rows
