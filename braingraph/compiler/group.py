"""Vertices of one kind -> one batched vertex; edges of one kind -> one bundle of rows.

Measured: 90 one-unit vertices with 1562 scalar edges lower to the same program as one vertex of
90 units with one edge; unrolled per vertex they are 50 times slower.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from braingraph import evaluate
from braingraph.compiler.plan import Bundle, Entries, Flat, Group
from braingraph.component import Coupling, Node
from braingraph.doctor import kind, pair
from braingraph.errors import ClockError
from braingraph.graph import Edge, delays_at, pairs
from braingraph.units import attach, magnitude, unit_of

#: Connections from which one weight for all of them is a sum of its own.
MEAN_FIELD = 256


def group(flat: Flat, every: dict[str, int], depth: dict[str, int]) -> tuple[Group, ...]:
    """Vertices with equal type, static fields, units, clock and depth stand side by side.

    ``depth`` keeps a vertex apart from those whose outputs it passes on within a step.
    """
    families: dict[Any, list[str]] = {}
    for path, model in flat.vertices.items():
        form = (kind(model), every[path], depth[path], path if indivisible(model) else "")
        families.setdefault(form, []).append(path)
    groups = []
    for number, paths in enumerate(families.values()):
        sizes = tuple(flat.vertices[p].size for p in paths)
        model = flat.vertices[paths[0]].with_values(in_size=(sum(sizes),))
        groups.append(Group(number, model, tuple(paths), sizes, every[paths[0]]))
    return tuple(groups)


def indivisible(model: Node) -> bool:
    """Whether its units cannot be told apart: parameters or signals of a size of their own."""
    return any(model._specs[k].free for k in model.arrays()) or any(
        signal.size is not None for signal in model.signals().values()
    )


def bundle(
    flat: Flat,
    groups: tuple[Group, ...],
    dt: float,
    live: bool,
    apart: frozenset[str] = frozenset(),
) -> tuple[Bundle, ...]:
    """Edges with equal coupling, source port and target port become one bundle of rows.

    A row is a target unit and what it hears. ``post`` runs once a row. When ``post`` is additive
    (linear in the sums and weights together, read off its jaxpr) and the edges' parameters are
    equal, rows for one unit merge; with ``live`` parameters they may come to differ, so each edge
    keeps its own. One weight from many units to many keeps rows of its own too: they are all the
    same sum. A pairwise coupling has a row for every connection.
    """
    where = {p: (g.number, g.span(p).start) for g in groups for p in g.paths}
    families: dict[Any, list[Edge]] = {}
    traits: dict[Any, tuple[bool, frozenset[str]]] = {}
    for edge in flat.edges:
        source, out = _split(edge.source)
        target, port = _split(edge.target)
        form = (_kind(edge.coupling), where[source][0], out, where[target][0], port)
        if form not in traits:
            traits[form] = _traits(edge.coupling, flat.vertices[source], out)
        additive, in_pre = traits[form]
        values = _values(edge.coupling, in_pre)
        if live and in_pre:
            values = (*values, edge.name)
        if additive and not live:
            values = _values(edge.coupling, frozenset(edge.coupling._specs) - {"conn"})
        if _mean_field(flat, edge) or (apart and not apart.isdisjoint(parameter_paths(edge))):
            values = (*values, edge.name)
        families.setdefault((form, values), []).append(edge)
    bundles: list[Bundle] = []
    for (form, _), edges in families.items():
        _, source_group, out, target_group, port = form
        merge = (
            traits[form][0] and not (live and len(edges) > 1) and not _mean_field(flat, edges[0])
        )
        bundles.append(
            _rows(
                len(bundles),
                tuple(edges),
                (source_group, out),
                (target_group, port),
                groups[target_group],
                {p: start for p, (_, start) in where.items()},
                flat,
                dt,
                merge,
            )
        )
    return tuple(bundles)


def _rows(
    number: int,
    edges: tuple[Edge, ...],
    source: tuple[int, str],
    target: tuple[int, str],
    group: Group,
    start: dict[str, int],
    flat: Flat,
    dt: float,
    merge: bool,
) -> Bundle:
    alike = _mean_field(flat, edges[0]) and not np.any(edges[0].delay)  # such an edge is alone
    alike = alike and bool(magnitude(edges[0].coupling.conn))
    columns: list[tuple[np.ndarray, ...]] = []
    row_target: list[np.ndarray] = []
    row_edge: list[np.ndarray] = []
    rows = 0
    for k, edge in enumerate(edges):
        (source_path, out), (target_path, port) = _split(edge.source), _split(edge.target)
        shape = (
            flat.vertices[target_path].signal_size(port),
            flat.vertices[source_path].signal_size(out),
        )
        i: np.ndarray
        j: np.ndarray
        if alike:  # 10 000 to 10 000 units would be 1e8 entries, and half a minute
            i, j = np.zeros(shape[1], np.int32), np.arange(shape[1], dtype=np.int32)
        else:
            i, j = pairs(edge.coupling, shape)
        if edge.by_connection or not edge.has_matrix:
            at = np.arange(len(i), dtype=np.int32)
        else:
            at = i.astype(np.int32 if shape[0] * shape[1] < 1 << 31 else np.int64) * shape[1] + j
        first = np.int32(start[target_path] if merge else rows)
        pairwise = edge.coupling.pairwise  # every connection is a row of its own
        columns.append(
            (
                first + (np.arange(len(i), dtype=np.int32) if pairwise else i),
                np.int32(start[source_path]) + j,
                np.full(len(i), k, np.int32),
                at,
                delay_steps(edge, i, j, dt),
            )
        )
        if not merge:
            ends: np.ndarray = i if pairwise else np.arange(shape[0])
            row_target.append(start[target_path] + ends)
            row_edge.append(np.full(len(ends), k))
            rows += len(ends)
    row, *rest = (c[0] if len(c) == 1 else np.concatenate(c) for c in zip(*columns, strict=True))
    if merge:
        # every unit of the group gets a row when at least half hear something: then rows are units
        many = group.length(target[1])
        heard = np.flatnonzero(np.bincount(row, minlength=many))
        units = np.arange(many) if 2 * len(heard) >= many else heard
        if len(units) < many:
            row = np.searchsorted(units, row).astype(np.int32)
        row_target, row_edge = [units], [np.zeros(len(units), int)]
    entries = _sorted(Entries(row, *rest))
    return Bundle(
        number,
        edges[0].coupling,
        edges,
        source,
        target,
        pair(group.model, target[1]),
        np.concatenate(row_target),
        np.concatenate(row_edge),
        entries,
        alike=alike,
    )


def _sorted(entries: Entries) -> Entries:
    """By row, then source, then edge, which they come in the order of."""
    sources = int(entries.source.max(initial=0)) + 1
    keys = entries.row.astype(np.int64) * sources + entries.source
    if (keys[1:] >= keys[:-1]).all():  # as one edge's are
        return entries
    return entries[np.argsort(keys, kind="stable")]


def _mean_field(flat: Flat, edge: Edge) -> bool:
    """Whether one weight connects all of many units with all of many.

    Among the other units of their groups each pair would be a connection of its own: two networks
    of 1000 units in one graph took 24 s where each alone took 0.06.
    """
    conn = edge.coupling.conn
    if conn is None or np.ndim(magnitude(conn)):
        return False
    (source, out), (target, port) = _split(edge.source), _split(edge.target)
    sizes = flat.vertices[source].signal_size(out), flat.vertices[target].signal_size(port)
    return sizes[0] * sizes[1] >= MEAN_FIELD


def parameter_path(edge: Edge, name: str) -> str:
    """Where users address an edge's parameter: its own name, or its composite node's."""
    renamed = (edge.rename or {}).get(name)
    return renamed if renamed else f"{edge.name}.{name}"


def parameter_paths(edge: Edge) -> list[str]:
    return [parameter_path(edge, name) for name in edge.coupling.arrays()]


def delay_steps(edge: Edge, target: np.ndarray, source: np.ndarray, dt: float) -> np.ndarray:
    """Delays in steps, per connection: whole or half numbers where only rounding missed them."""
    delay = np.zeros(()) if edge.delay is None else edge.delay
    steps = delays_at(delay, target, source) / dt
    half = np.rint(2 * steps) / 2
    steps = np.where(np.abs(steps - half) <= 1e-6 * np.maximum(1.0, steps), half, steps)
    steps = np.rint(steps) if edge.interpolation == "nearest" else steps
    return np.broadcast_to(steps, target.shape)


def _split(port: str) -> tuple[str, str]:
    node, _, signal = port.rpartition(".")
    return node, signal


def _kind(coupling: Coupling) -> tuple[Any, ...]:
    bare = coupling.with_values(conn=None)
    return (*kind(bare), unit_of(coupling.conn))


def _values(coupling: Coupling, names: frozenset[str]) -> tuple[Any, ...]:
    arrays = coupling.arrays()
    return tuple(
        (k, np.asarray(magnitude(arrays[k])).tobytes()) for k in sorted(names) if k in arrays
    )


def check_slow_targets(groups: tuple[Group, ...], bundles: tuple[Bundle, ...]) -> None:
    """A slower node's own state cannot enter what faster nodes send it, step by step."""
    for b in bundles:
        target, source = groups[b.target[0]], groups[b.source[0]]
        if target.every > source.every and _needs_target(b.coupling, source.model, b.source[1]):
            e = b.edges[0]
            raise ClockError(
                f"{e.source} -> {e.target}: {type(b.coupling).__name__} compares its source with a "
                "state of the target, which has a slower clock. Give both the same dt=, or use a "
                "coupling that only adds, as in edges.AdditiveCoupling.",
                source=e.source,
                target=e.target,
            )


def _needs_target(coupling: Coupling, source: Node, out: str) -> bool:
    one, unit = jnp.ones(1), source.signals()[out].unit(source)
    channels, units = evaluate.message(coupling, one, unit)

    def received(values: dict[str, Any]) -> Any:
        s = tuple(attach(c, q) for c, q in zip(channels, units, strict=True))
        bare = coupling.with_values(conn=None)
        value = bare.post(s if len(s) > 1 else s[0], attach(values["y"], unit), one)
        return magnitude(value)

    return bool(evaluate.depends_on(received, {"y": one}))


def _traits(coupling: Coupling, source: Node, out: str) -> tuple[bool, frozenset[str]]:
    """Is ``post`` additive, and which parameters does ``pre`` use?"""
    one, unit = jnp.ones(1), source.signals()[out].unit(source)
    arrays = {k: v for k, v in coupling.arrays().items() if k != "conn"}
    plain = {k: jnp.asarray(magnitude(v), float) for k, v in arrays.items()}

    def sent(values: dict[str, Any]) -> Any:
        filled = {k: attach(v, unit_of(arrays[k])) for k, v in values.items()}
        return evaluate.message(coupling.with_values(**filled), one, unit)[0]

    in_pre = frozenset(k for _, k in evaluate.depends_on(sent, plain)) if plain else frozenset()
    channels, units = evaluate.message(coupling, one, unit)
    conn = unit_of(coupling.conn)

    def received(sums: tuple[Any, ...], w: Any) -> Any:
        s = evaluate.summed(coupling, sums, units)
        return magnitude(coupling.post(s, attach(one, unit), attach(w, conn)))

    return not coupling.pairwise and evaluate.is_linear(received, channels, one), in_pre
