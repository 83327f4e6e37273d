"""Same-step dependencies -> an order of evaluation, or the loop that forbids one.

States and samples of the past are known when a stage begins. Outputs may pass inputs on within
the stage; which ones do is read off their jaxpr, never declared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import networkx as nx
import numpy as np

from braingraph import evaluate
from braingraph.compiler.delays import within_step
from braingraph.compiler.group import delay_steps
from braingraph.compiler.plan import Bundle, Flat, Group, Op, Slot
from braingraph.component import Node
from braingraph.doctor import abstract, kind
from braingraph.errors import AlgebraicLoopError
from braingraph.graph import pairs
from braingraph.units import magnitude


class Feedthrough:
    """Which inputs each output of a kind of node needs within the stage (traced once a kind)."""

    def __init__(self) -> None:
        self._known: dict[Any, dict[str, frozenset[str]]] = {}

    def __call__(self, model: Node) -> dict[str, frozenset[str]]:
        form = kind(model)
        if form not in self._known:
            self._known[form] = {name: _passes(model, name) for name in model._outputs}
        return self._known[form]


def _passes(model: Node, output: str) -> frozenset[str]:
    model = abstract(model)
    states = {k: jnp.ones(model.signal_size(k)) for k in model._states}
    inputs = {k: jnp.ones(model.signal_size(k)) for k in (*model._inputs, *model._normals)}
    clock = evaluate.Clock(jnp.ones(()), 0.1, jnp.ones((), jnp.int32))
    needed = evaluate.depends_on(
        lambda s, i: evaluate.output(model, output, s, i, clock), states, inputs
    )
    return frozenset(k for which, k in needed if which == 1 and k in model._inputs)


def depths(flat: Flat, dt: float, passes: Feedthrough, every: Mapping[str, int]) -> dict[str, int]:
    """How many outputs a vertex's own outputs wait for within a step; 0 for almost all."""
    waits = nx.DiGraph()
    for path, model in flat.vertices.items():
        for output, inputs in passes(model).items():
            waits.add_edges_from((f"{path}.{port}", f"{path}.{output}") for port in inputs)
    for edge in flat.edges:
        source, _, out = edge.source.rpartition(".")
        model = flat.vertices[source]
        if every[source] > every[edge.target.rpartition(".")[0]]:
            continue  # held, so nothing waits
        if passes(model).get(out) and _instantaneous(flat, edge, dt):
            waits.add_edge(edge.source, edge.target)
    try:
        around = [start for start, _ in nx.find_cycle(waits)]
    except nx.NetworkXNoCycle:
        around = []
    if around:
        ports = {
            f"{path}.{port}" for path, model in flat.vertices.items() for port in model._inputs
        }
        start = next(k for k, signal in enumerate(around) if signal not in ports)
        loop = (*around[start:], *around[: start + 1])
        raise AlgebraicLoopError(
            f"these signals need each other within one step: {' -> '.join(loop)}. Break it with a "
            f"delay of at least dt, as in delay={dt:g} * u.ms, or read a state.",
            loop=loop,
        )
    depth = dict.fromkeys(flat.vertices, 0)
    for generation, signals in enumerate(nx.topological_generations(waits)):
        for signal in signals:
            path = signal.rpartition(".")[0]
            depth[path] = max(depth[path], generation)
    return depth


def _instantaneous(flat: Flat, edge: Any, dt: float) -> bool:
    """Does it carry anything within the step? Delays under one step do, at the later stages."""
    conn = magnitude(edge.coupling.conn)
    if not np.any(edge.delay) and (conn is None or np.ndim(conn) == 0):
        return conn is None or bool(conn)
    (source, _, out), (target, _, port) = edge.source.rpartition("."), edge.target.rpartition(".")
    shape = (flat.vertices[target].signal_size(port), flat.vertices[source].signal_size(out))
    return bool((delay_steps(edge, *pairs(edge.coupling, shape), dt) < 1).any())


def order(
    groups: tuple[Group, ...], bundles: tuple[Bundle, ...], passes: Feedthrough
) -> tuple[tuple[Op, ...], dict[Op, frozenset[Slot]]]:
    """Outputs and bundles in a valid order, and what each needs at the same stage."""
    needs: dict[Op, frozenset[Slot]] = {}
    waits = nx.DiGraph()
    for group in groups:
        for output, inputs in passes(group.model).items():
            op = Op("output", (group.number, output))
            needs[op] = frozenset((group.number, port) for port in inputs)
    for bundle in bundles:
        op = Op("bundle", bundle.target, bundle.number)
        now = within_step(bundle.entries) and not bundle.held(groups)
        needs[op] = frozenset([bundle.source] if now else [])
    makes: dict[Slot, list[Op]] = {}
    for op in needs:
        waits.add_node(op)
        makes.setdefault(op.slot, []).append(op)
    for op, slots in needs.items():
        waits.add_edges_from((maker, op) for slot in slots for maker in makes.get(slot, []))
    position = {op: k for k, op in enumerate(needs)}
    return tuple(nx.lexicographical_topological_sort(waits, key=position.__getitem__)), needs
