"""Simulations that differ in seeds and numbers only, advanced as one batch.

Each is what a run by itself with ``seed=seeds[r]`` and ``params=points[r]`` gives: replicas of a
batch share weights, delays and all that decides the program, and have parameters of their own in
the last axis.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from braingraph.compiler.begin import State
from braingraph.compiler.values import PerReplica, collect
from braingraph.errors import ParameterError
from braingraph.fingerprint import fingerprint
from braingraph.overrides import with_inputs, with_parameters
from braingraph.session import Plan, Session
from braingraph.sinks import Memory
from braingraph.units import Unit, strip

if TYPE_CHECKING:
    from braingraph.simulator import Simulator

Arrays = dict[str, np.ndarray[Any, Any]]
_LOCK = threading.Lock()


@dataclass(frozen=True)
class Shared:
    """What batches share that agree in their other values: a plan, compiled once."""

    plan: Plan
    units: Mapping[str, Unit]


def simulate(
    sim: Simulator,
    duration: Any,
    points: Sequence[Mapping[str, Any]],
    seeds: Sequence[int],
    varied: frozenset[str],
    *,
    monitors: Any = None,
    transient: Any = None,
    inputs: Mapping[str, Any] | None = None,
    initial: Any = None,
    history: Mapping[str, Any] | None = None,
) -> tuple[Arrays, np.ndarray]:
    """Samples by monitor, (simulation, time, unit), and which simulations stayed finite.

    Parameters
    ----------
    points : sequence of {full path: value}
        Every simulation's parameters.
    seeds : sequence of int
        Every simulation's seed.
    varied : set of paths
        What may differ between the points: numbers, one or one a unit, of nodes and couplings.

    The others are as in ``Simulator.run``. A simulation that stops being finite stays so; the
    others do not notice.
    """
    total = sim._steps(duration, "duration")
    skip = sim._skipped(transient, total)
    first = initial.step if isinstance(initial, State) else 0
    initial, history = sim._given(initial, "initial"), sim._given(history, "history")
    common = {k: v for k, v in points[0].items() if k not in varied}
    span, form = (total, skip, first, len(points)), jnp.result_type(float).name
    key = fingerprint((common, sorted(varied), monitors, inputs, span, form))
    with _LOCK:  # two batches at a time share one compilation
        if key not in sim._shared:
            graph = with_inputs(sim.graph, inputs or {}, sim.single, first=first, steps=total)
            graph = with_parameters(graph, points[0], sim.single)
            plan = sim._prepare(graph, monitors, len(points), total, skip, varied)
            sim._shared[key] = Shared(plan, collect(plan.program)[1])
    shared = sim._shared[key]
    # an observer that nothing recorded depends on is left out, with its parameters
    used = varied & shared.units.keys()
    own = {k: _stacked([p[k] for p in points], shared, k) for k in used}
    plan = replace(shared.plan, values={**shared.plan.values, **own}, base=shared.plan.values)
    session = Session(sim, plan, first, total, skip, len(points), tuple(seeds))
    sink = Memory(session.recordings, {})
    with _LOCK:
        session.warm(initial, history)
    session.advance(sink, session.begun(initial, history), progress=False, stops=False)
    return sink.arrays, session.finite


def _stacked(values: Sequence[Any], shared: Shared, path: str) -> PerReplica:
    """One parameter of all simulations, in its unit: (replica, *shape)."""
    plain = [np.asarray(strip(v, shared.units[path], path), float) for v in values]
    return PerReplica(np.stack(np.broadcast_arrays(*plain)))


def check_monitors(plan: Plan, varied: frozenset[str]) -> None:
    """ParameterError if a function that is recorded reads what differs between simulations.

    It would see one value for all of them.
    """
    for monitor in plan.monitors:
        for what in getattr(monitor.read, "reads", ()):
            if what[0] in varied:
                raise ParameterError(
                    f"monitor '{monitor.name}' reads {what[0]}, which the sweep varies: make it an "
                    "output of the model, which sees each simulation's own value, and record that.",
                    parameter="monitors",
                    path=what[0],
                )
