"""A graph made ready to run: its programs, compiled once, and what can be done with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr
from jax.sharding import Mesh

from braingraph import places, processes, provenance
from braingraph.compiled import Compiled, capacity
from braingraph.compiler import begin, compile_graph
from braingraph.compiler.check import whole_steps
from braingraph.compiler.here import BATCH
from braingraph.compiler.plan import Program
from braingraph.compiler.values import collect
from braingraph.component import Node
from braingraph.devices import checked_mesh, local_mesh
from braingraph.errors import GraphError, ParameterError, RunError, did_you_mean
from braingraph.graph import Graph
from braingraph.integrate import METHODS
from braingraph.interrupt import Stop
from braingraph.monitors import requested, resolve
from braingraph.overrides import with_inputs, with_parameters
from braingraph.paths import values_by_path
from braingraph.session import Plan, Session
from braingraph.sinks import Memory, Sink, Stream
from braingraph.units import brief, milliseconds, show_time
from braingraph.written import described

State = begin.State
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
    mesh : jax.sharding.Mesh, optional
        Devices with axes ``"unit"`` (each computes some units of the network), ``"batch"`` (each
        computes some replicas) or both, as in ``jax.make_mesh((8,), ("unit",))``. Results do not
        depend on it, but for rounding where regions act on each other within a step or a block.
        Default: all local devices when there are several and the network is large enough to gain;
        ``explain()`` says.

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
        self,
        graph: Graph | Node,
        *,
        dt: Any,
        method: str = "heun",
        seed: int = 0,
        mesh: Mesh | None = None,
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
        self.mesh = checked_mesh(mesh)
        self.state: State | None = None  #: where the last run ended
        self._programs: dict[Any, Program] = {}
        self._compiled: dict[Any, Compiled] = {}
        self._values: dict[Any, dict[str, Any]] = {}
        self._shared: dict[str, Any] = {}  # what batches of simulations share
        program = compile_graph(self.graph, self.dt, method)  # every finding, in the user's line
        if mesh is None:
            self.mesh = local_mesh(program)

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
        client: Any = None,
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
        store : path, address (``"s3://bucket/run.zarr"``), Zarr store, or bg.place(...), optional
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
        client : dask.distributed.Client, optional
            The store's chunks are written by this cluster's workers, which must all see it: for
            stores that are slow or far. Default: two threads of this process.
        progress : bool
            Show progress and the time left on standard error.
        overwrite : bool
            Replace a store that exists.

        Sample k of an interval p stands at ``t = (k + 1) p`` after the transient.
        """
        store = None if store is None else places.at(store)
        if client is not None and store is None:
            raise ParameterError(
                "client= has the chunks of a store written by a cluster, but there is no store=: "
                "give one, or leave out client=.",
                parameter="client",
            )
        total = self._steps(duration, "duration")
        skip = self._skipped(transient, total)
        batch = _batch(batch_size)
        self._check_mesh(batch)
        first = initial.step if isinstance(initial, begin.State) else 0
        if first + total > STEP_LIMIT:
            raise RunError(f"a simulation has at most {STEP_LIMIT} steps: take a larger dt.")
        initial, history = self._given(initial, "initial"), self._given(history, "history")
        graph = with_inputs(self.graph, inputs or {}, self.single, first=first, steps=total)
        graph = with_parameters(graph, params or {}, self.single)
        records = requested(monitors, graph, self.single)
        plan = self._prepare(graph, records, batch, total, skip)
        session = Session(self, plan, first, total, skip, batch)
        attrs = provenance.attributes(self, graph, plan.program)
        devices = () if self.mesh is None else self.mesh.devices.flat
        with processes.together(devices, store) as team, Stop(store) as stop:
            sink: Sink
            if store is None:
                sink = Memory(session.recordings, attrs)
            else:
                about = described(session, graph, records, inputs or {}, params or {})
                splits = session.split(team)
                where = (store, overwrite, team, splits, about, None, client)
                sink = Stream(session.recordings, attrs, *where)
            with sink:
                begun, shown = session.begun(initial, history), progress and team.rank == 0
                session.advance(sink, begun, shown, team=team, stop=stop)
            return sink.dataset()

    def resume(
        self,
        store: Any,
        *,
        monitors: Any = None,
        inputs: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        client: Any = None,
        progress: bool = True,
    ) -> xr.Dataset:
        """Go on with a run that was cut short: from its last checkpoint, to the bit.

        The simulator is made as for the run: the same graph, dt, method and seed. It may have
        another number of devices or processes.

        Parameters
        ----------
        store : path, address or other place
            Where the run is. One that is complete is only opened.
        monitors, inputs, params : optional
            What the run was given, where the store cannot hold it: functions that are no module's,
            and what ``inputs=`` and ``params=`` changed.
        client : dask.distributed.Client, optional
            As in :meth:`run`.
        progress : bool
            Show progress and the time left on standard error.

        Errors
        ------
        StoreError
            No run is there; it is of another graph, dt, method, seed, precision or other monitors
            (field ``differs``); it has no checkpoint that can be read.
        """
        from braingraph.resume import resume

        return resume(self, store, monitors, inputs, params, progress, client)

    def _prepare(
        self,
        graph: Graph,
        monitors: Any,
        batch: int | None,
        total: int,
        skip: int,
        apart: frozenset[str] = frozenset(),
    ) -> Plan:
        records = requested(monitors, graph, self.single)
        paths = [str(r.path).rpartition(".")[0] for r in records.values() if not callable(r.path)]
        observed = None if any(callable(r.path) for r in records.values()) else frozenset(paths)
        program = self._program(graph, observed, apart)
        found = resolve(program, records, self.single)
        dtype = jnp.result_type(float)
        size = capacity(program, found, batch, total, dtype.itemsize)
        samplers = tuple(m.sampler(skip) for m in found)
        # what decides the compiled code: structure, what is sampled, batch, chunk and precision
        key = (program.structure, samplers, batch, size, dtype.name)
        if key not in self._compiled:
            self._compiled[key] = Compiled(program, samplers, batch, size, self.mesh)
        if graph is not self.graph:
            return Plan(program, found, self._compiled[key], collect(program)[0])
        if observed not in self._values:
            self._values[observed] = collect(program)[0]
        return Plan(program, found, self._compiled[key], self._values[observed])

    def _program(
        self, graph: Graph, observed: frozenset[str] | None, apart: frozenset[str]
    ) -> Program:
        if graph is not self.graph:
            return compile_graph(graph, self.dt, self.method, observed=observed, apart=apart)
        if observed not in self._programs:
            self._programs[observed] = compile_graph(graph, self.dt, self.method, observed=observed)
        return self._programs[observed]

    def _check_mesh(self, batch: int | None) -> None:
        if batch is None and self.mesh is not None and self.mesh.shape[BATCH] > 1:
            raise ParameterError(
                f"the mesh divides replicas between {self.mesh.shape[BATCH]} devices, but the run "
                "has none: give batch_size=, or a mesh with axis 'unit' only.",
                parameter="mesh",
            )

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

    def sweep(
        self,
        axes: Any,
        duration: Any,
        *,
        monitors: Any = None,
        reduce: Mapping[str, Any] | None = None,
        keep: Any = None,
        store: Any = None,
        params: Mapping[str, Any] | None = None,
        inputs: Mapping[str, Any] | None = None,
        transient: Any = None,
        initial: Any = None,
        history: Mapping[str, Any] | None = None,
        batch_size: int | None = None,
        memory: Any = None,
        client: Any = None,
        retries: int = 3,
        progress: bool = True,
        overwrite: bool = False,
    ) -> xr.Dataset:
        """Simulate every combination of parameter values, with labelled leading dimensions.

        Parameters
        ----------
        axes : dict, or bg.paired(...)
            Values by path: parameters, weights (``"long_range.conn"``), delays, initial values
            (``"cortex.init_x"``) or ``"seed"``. The simulations are their product; each path is
            a dimension with the values as its coordinate. :func:`braingraph.paired` makes one
            dimension of values that go together; the key is then its name, so a set of draws is
            crossed with seeds by ``{"draws": bg.paired({...}), "seed": range(10)}``. Without
            ``"seed"`` all simulations have the simulator's.
        duration : quantity of time
            Of every simulation.
        monitors, inputs, transient, initial, history, params
            As in :meth:`run`, the same for all simulations.
        reduce : dict, optional
            Functions of one simulation's dataset by name, ``{"fc": function}``, which return a
            number, an array or a DataArray. They run beside the simulation, and only what they
            return is kept. Each is called once with random numbers before anything runs.
        keep : list of str, optional
            Monitors whose samples are kept; by default all, or none with ``reduce``.
        store : path, optional
            A Zarr store to fill as batches finish; the dataset is then lazy, and the same call
            goes on where an earlier one stopped. ``bg.open`` reads it at any time; what is
            missing is NaN.
        batch_size : int, optional
            How many simulations advance together at most; by default what is fast and fits.
            A store keeps the batches it was made with.
        memory : int or str, optional
            Bytes for all batches at a time (on a cluster: for each worker), ``"4 GB"``. Default:
            half of what is free.
        client : dask.distributed.Client, optional
            Run batches on this cluster; without it here, one batch a core. (A client that is
            merely current is not used.) Workers that see the store write to it themselves.
        retries : int, default 3
            How often a batch is tried again that was lost with its worker.
        progress : bool
            Show progress and the time left on standard error.
        overwrite : bool
            Replace a store that exists, instead of going on with it.

        A simulation that stops being finite is NaN from there on, and so are its results;
        ``attrs["diverged"]`` counts them. Each simulation equals the run with its seed and
        ``params``, whatever the batches (to an ulp where sums of other shapes add up otherwise).

        Errors
        ------
        GraphError, ParameterError, UnitError, ShapeError
            A path, value, unit or shape that does not fit, before anything runs.
        StoreError
            Something else stands at ``store``, such as another sweep (field ``differs``).
        RunError
            Not enough memory; a reducer that fails.

        Examples
        --------
        >>> import braingraph as bg, brainunit as u
        >>> from braingraph import nodes
        >>> sim = bg.Simulator(nodes.HopfStep(2, w=0.2), dt=0.1 * u.ms)
        >>> axes = {"a": [-0.1, 0.1, 0.2], "seed": range(2)}
        >>> ds = sim.sweep(axes, 5 * u.ms, monitors={"x": 1 * u.ms})
        >>> ds["x"].dims, ds["x"].shape
        (('a', 'seed', 'time', 'unit'), (3, 2, 5, 2))

        On a cluster with a queue (``pip install braingraph-sim[cluster] dask-jobqueue``)::

            from dask.distributed import Client
            from dask_jobqueue import SLURMCluster

            cluster = SLURMCluster(cores=8, processes=4, memory="32 GB", walltime="04:00:00")
            cluster.scale(jobs=20)
            ds = sim.sweep(axes, 10 * u.minute, store="sweep.zarr", client=Client(cluster))
        """
        from braingraph.sweep import How, sweep

        return sweep(
            self,
            axes,
            duration,
            monitors=monitors,
            reduce=reduce,
            keep=keep,
            store=store,
            overwrite=overwrite,
            params=params,
            how=How(batch_size, memory, client, retries, progress),
            inputs=inputs,
            transient=transient,
            initial=initial,
            history=history,
        )

    def __getstate__(self) -> dict[str, Any]:
        """Without devices and what was compiled for them: another process has its own."""
        empty: dict[str, Any] = {k: {} for k in ("_programs", "_compiled", "_values", "_shared")}
        return {**self.__dict__, "mesh": None, **empty}

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
        the next whole step; beyond, results are NaN. Zero weights and zero delays stay zero. It
        runs on one device, whatever the mesh.
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
