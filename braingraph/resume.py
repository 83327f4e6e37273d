"""Runs that a store describes: going on where one was cut short, and running it again."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import brainunit as u
import xarray as xr
import zarr

from braingraph import describe, graph_store, hierarchy, places, processes, provenance
from braingraph.checkpoint import START, Checkpoint, Checkpoints
from braingraph.errors import StoreError
from braingraph.graph import Graph
from braingraph.interrupt import Stop
from braingraph.node import Node
from braingraph.overrides import with_inputs, with_parameters
from braingraph.paths import ALONE
from braingraph.places import Place
from braingraph.session import Session
from braingraph.sinks import Memory, Sink, Stream
from braingraph.store import open_run
from braingraph.team import Team
from braingraph.written import About

if TYPE_CHECKING:
    from braingraph.simulator import Simulator

#: What must be as it was for the same numbers, and what to call it.
_SAME = {"dt": "dt", "method": "method", "seed": "seed", "dtype": "the precision"}
#: Of the provenance: what may round otherwise.
_ROUNDS = ("versions", "backend", "devices")


@dataclass(frozen=True)
class Past:
    """A store's run: what was asked for, and what made it."""

    path: Place
    root: zarr.Group
    status: str
    asked: Mapping[str, Any]
    provenance: Mapping[str, Any]

    @classmethod
    def read(cls, store: Any) -> Past:
        path = places.at(store)
        root = hierarchy.open_root(path)
        about: Any = root.attrs.asdict()
        return cls(path, root, about["status"], about["run"], about["provenance"])

    def description(self) -> describe.Description:
        """The graph as data."""
        with places.trouble(self.path, "read"):
            return graph_store.load(hierarchy.group_in(self.root, "graph"))

    def graph(self, given: Mapping[str, Any] | None = None) -> Graph | Node:
        """The graph that was run, its inputs and parameters included; or the single node."""
        graph = describe.rebuild(self.description(), given)
        if not self.asked["single"] or len(graph.nodes) > 1:  # inputs= are nodes too
            return graph
        return graph.nodes[ALONE]

    def simulator(self, given: Mapping[str, Any] | None = None, mesh: Any = None) -> Simulator:
        """A simulator of that graph, with the run's dt, method and seed."""
        from braingraph.simulator import Simulator

        asked = self.asked
        sim = Simulator(
            self.graph(given),
            dt=asked["dt"] * u.ms,
            method=asked["method"],
            seed=asked["seed"],
            mesh=mesh,
        )
        sim.single = asked["single"]
        return sim

    def records(self, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What was recorded, as ``monitors=`` takes it."""
        return describe.rebuild_records(self.asked["monitors"], given)

    def session(self, sim: Simulator, graph: Graph, monitors: Any) -> Session:
        """The run, prepared as it was; StoreError where it cannot be the same."""
        asked = self.asked
        total, skip, batch = asked["steps"], asked["skip"], asked["batch"]
        sim._check_mesh(batch)
        records = self.records() if monitors is None else monitors
        plan = sim._prepare(graph, records, batch, total, skip)
        block = plan.program.blocks.length
        if block != asked["block"]:
            raise self.differs("the length of a block", asked["block"], block)
        session = Session(sim, plan, asked["first"], total, skip, batch)
        self._check(session)
        return session

    def _check(self, session: Session) -> None:
        """StoreError unless the same is recorded of the same units at the same times."""
        now = {r.name: r for r in session.recordings}
        names: Any = self.root.attrs["monitors"]
        then = {
            name: hierarchy.recording_of(hierarchy.group_in(self.root, f"monitors/{name}"), name)
            for name in names
        }
        for name in {**then, **now}:
            a, b = (
                r and (r.dims, r.shape, r.period, r.start, r.unit, r.dtype, r.reduce)
                for r in (then.get(name), now.get(name))
            )
            if a != b:
                raise self.differs(f"the monitor {name!r}", a, b)

    def differs(self, what: str, then: Any, now: Any) -> StoreError:
        return StoreError(
            f"The run in {self.path!r} cannot go on: {what} was {then}, but is {now} here. "
            "Resume with the simulator and the monitors of the run, or start anew in another "
            "store.",
            path=str(self.path),
            differs=(what,),
            given=now,
            needed=then,
        )


def resume(
    sim: Simulator,
    store: Any,
    monitors: Any,
    inputs: Mapping[str, Any] | None,
    params: Mapping[str, Any] | None,
    progress: bool,
    client: Any = None,
) -> xr.Dataset:
    """See ``Simulator.resume``."""
    past = Past.read(store)
    if past.status == "complete":
        return open_run(past.path)
    _check(sim, past)
    asked, single = past.asked, sim.single
    graph = with_inputs(sim.graph, inputs or {}, single, first=asked["first"], steps=asked["steps"])
    graph = with_parameters(graph, params or {}, single)
    _check_graph(graph, past, inputs, params)
    session = past.session(sim, graph, monitors)
    now = provenance.attributes(sim, graph, session.plan.program)
    _warn(past.provenance, now)
    devices = () if sim.mesh is None else sim.mesh.devices.flat
    with processes.together(devices, past.path) as team, Stop(past.path) as stop:
        checkpoint, arrays = _newest(past.path, team)
        begun = session.continued(arrays, str(past.path))
        splits = session.split(team)
        for name in [n for n, s in splits.items() if not hierarchy.aligned(past.root, n, s)]:
            del splits[name]  # brought together, and written by process 0
        where = (past.path, False, team, splits, None, checkpoint, client)
        sink = Stream(session.recordings, now, *where)
        with sink:
            shown = progress and team.rank == 0
            session.advance(sink, begun, shown, team=team, k=checkpoint.step, stop=stop)
        return sink.dataset()


def rerun(
    store: Any,
    to: Any = None,
    *,
    given: Mapping[str, Any] | None = None,
    progress: bool = True,
    overwrite: bool = False,
) -> xr.Dataset:
    """Run again what a store holds: the same graph, from the same beginning, to the same numbers.

    Parameters
    ----------
    store : path, address or other place
        Of a run. Its graph, monitors, duration, dt, method, seed, initial state and history are
        used again; it is only read.
    to : path, optional
        Stream to this store. Default: memory.
    given : dict, optional
        Functions that no module holds, by the path they stand at: the store has their code as
        text only.
    progress : bool
        Show progress and the time left on standard error.
    overwrite : bool
        Replace a store that exists at ``to``.

    Errors
    ------
    StoreError
        No run is there, or where it began cannot be read.
    GraphError
        A class or function of the graph cannot be found, or has changed.
    """
    past = Past.read(store)
    sim = past.simulator(given)
    session = past.session(sim, sim.graph, past.records(given))
    now = provenance.attributes(sim, sim.graph, session.plan.program)
    _warn(past.provenance, now)
    slots = Checkpoints(past.root)
    with places.trouble(past.path, "read"):
        start = [c for c in slots.usable({}) if c.slot == START]
        if not start:
            raise StoreError(
                f"The store {past.path!r} does not hold where its run began: build the graph "
                "and run it, as in Simulator(...).run(...).",
                path=str(past.path),
            )
        arrays = slots.load(start[0])
    to = None if to is None else places.at(to)
    with Stop(to) as stop:
        sink: Sink
        if to is None:
            sink = Memory(session.recordings, now)
        else:
            about = About(past.asked, past.description())
            sink = Stream(session.recordings, now, to, overwrite, about=about)
        with sink:
            begun = session.continued(arrays, str(past.path))
            session.advance(sink, begun, progress, stop=stop)
        return sink.dataset()


def _newest(path: Place, team: Team) -> tuple[Checkpoint, dict[str, Any]]:
    """The latest checkpoint that can be read, as process 0 finds it, on every process."""

    def choose() -> str:
        if team.rank > 0:
            return ""
        root = hierarchy.open_root(path)
        slots, trouble = Checkpoints(root), None
        for checkpoint in slots.usable(hierarchy.committed(root)):
            try:
                slots.load(checkpoint)
            except Exception as error:  # whatever Zarr, a codec or the place says
                trouble = error
                continue
            return json.dumps([checkpoint.slot, checkpoint.step, dict(checkpoint.samples)])
        raise StoreError(
            f"The store {path!r} has no checkpoint that can be read"
            f"{f' ({path.reason(trouble)})' if trouble else ''}: its run cannot go on. What "
            f"was committed is there, bg.open({path!r}); run again into another store.",
            path=str(path),
        ) from trouble

    said = team.together("checkpoint", str(path), choose)[0]
    checkpoint = Checkpoint(*json.loads(said))
    with places.trouble(path, "read"):
        return checkpoint, Checkpoints(hierarchy.open_root(path)).load(checkpoint)


def _check(sim: Simulator, past: Past) -> None:
    now = {
        "dt": sim.dt,
        "method": sim.method,
        "seed": sim.seed,
        "dtype": provenance.precision(),
    }
    for key, words in _SAME.items():
        if past.asked[key] != now[key]:
            raise past.differs(words, past.asked[key], now[key])


def _check_graph(graph: Graph, past: Past, inputs: Any, params: Any) -> None:
    """StoreError unless this is the graph of the run, with the same inputs and parameters."""
    asked, path = past.asked, past.path
    if describe.digest(describe.describe(graph)) == asked["graph"]:
        return
    missing = [k for k, given in (("inputs", inputs), ("params", params)) if asked[k] and not given]
    if missing:
        what = " and ".join(f"{k}= for {', '.join(asked[k])}" for k in missing)
        raise StoreError(
            f"The run in {path!r} was given {what}: pass the same again, as in "
            f"sim.resume({path!r}, {missing[0]}=...).",
            path=str(path),
            differs=tuple(missing),
        )
    raise StoreError(
        f"The run in {path!r} was made with another graph than this simulator's: its nodes, edges, "
        "parameters, inputs or code differ. Resume with the graph of the run, or start anew in "
        "another store.",
        path=str(path),
        differs=("graph",),
    )


def _warn(then: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    # the kind of device counts, not how many there are
    then, now = ({**its, "devices": sorted(set(its["devices"]))} for its in (then, now))
    changed = [k for k in _ROUNDS if then[k] != now[k]]
    if changed:
        words = ", ".join(f"{k}: {then[k]} then, {now[k]} now" for k in changed)
        warnings.warn(
            f"what computes this run has changed ({words}): it goes on with the same noise, but "
            "numbers may round otherwise.",
            stacklevel=4,
        )
