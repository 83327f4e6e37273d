"""Parameters by path -> what the program takes: stacked by group and bundle, once per run.

Runs on NumPy for a run's fixed parameters and on JAX, traced, for live ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from braingraph.compiler import transport
from braingraph.compiler.delays import VECTOR
from braingraph.compiler.plan import Bundle, Group, Part, Program
from braingraph.component import Coupling
from braingraph.graph import Edge
from braingraph.integrate import STAGES
from braingraph.units import TIME, Unit, attach, magnitude, unit_of

Packed = dict[str, Any]


def parameter_path(edge: Edge, name: str) -> str:
    """Where users address an edge's parameter: its own name, or its composite node's."""
    renamed = (edge.rename or {}).get(name)
    return renamed if renamed else f"{edge.name}.{name}"


def collect(program: Program) -> tuple[dict[str, Any], dict[str, Unit]]:
    """Every numeric parameter by path, as plain arrays, and their units."""
    values: dict[str, Any] = {}
    units: dict[str, Unit] = {}

    def put(path: str, value: Any) -> None:
        units[path] = unit_of(value)
        values[path] = np.asarray(magnitude(value), float)

    for path, model in program.flat.vertices.items():
        if path in program.pruned:
            continue
        for name, value in model.arrays().items():
            put(f"{path}.{name}", value)
    for bundle in program.bundles:
        for edge in bundle.edges:
            for name, value in edge.coupling.arrays().items():
                put(parameter_path(edge, name), value)
            if edge.delay is not None:
                put(parameter_path(edge, "delay"), attach(edge.delay, TIME))
    return values, units


def pack(program: Program, values: Mapping[str, Any], dtype: Any, live: bool) -> Packed:
    """Stack parameters per group; per bundle rows, weights and where to read the past."""
    xp: Any = jnp if live else np
    packed: Packed = {"groups": [], "bundles": []}
    for group in program.groups:
        packed["groups"].append(_group_values(program, group, values, xp))
    for bundle in program.bundles:
        packed["bundles"].append(_bundle_values(program, bundle, values, live, xp))
    cast: Packed = _cast(packed, dtype, xp)
    return cast


def _cast(tree: Any, dtype: Any, xp: Any) -> Any:
    if isinstance(tree, dict):
        return {k: _cast(v, dtype, xp) for k, v in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [_cast(v, dtype, xp) for v in tree]
    if tree is None or isinstance(tree, (int, str)):
        return tree
    array = xp.asarray(tree)
    return array.astype(np.int32 if array.dtype.kind in "iu" else dtype)


def _group_values(program: Program, group: Group, values: Mapping[str, Any], xp: Any) -> Packed:
    out: Packed = {}
    for name in group.model.arrays():
        per_vertex = []
        for path in group.paths:
            model = program.flat.vertices[path]
            value = xp.asarray(values[f"{path}.{name}"])
            if not model._specs[name].free:
                value = xp.broadcast_to(value, model.in_size).reshape(-1)
            per_vertex.append(value)
        out[name] = per_vertex[0] if len(per_vertex) == 1 else xp.concatenate(per_vertex)
    return out


def _bundle_values(
    program: Program, bundle: Bundle, values: Mapping[str, Any], live: bool, xp: Any
) -> Packed:
    conn = [
        xp.asarray(values[parameter_path(e, "conn")])
        if e.coupling.conn is not None
        else xp.ones(())
        for e in bundle.edges
    ]
    delays = None
    if live:
        delays = [
            xp.asarray(values[parameter_path(e, "delay")]) if e.delay is not None else xp.zeros(())
            for e in bundle.edges
        ]
    everything = Part("now", "padded", bundle.entries)
    weights = transport.entry_values(bundle, everything, conn, xp)
    return {
        "parameters": {
            name: _per_row(program, bundle, name, values, xp)
            for name in bundle.coupling.arrays()
            if name != "conn"
        },
        "w": _row_sums(bundle, weights, xp),
        "parts": [_part_values(program, bundle, part, conn, delays, xp) for part in bundle.parts],
    }


def _row_sums(bundle: Bundle, weights: Any, xp: Any) -> Any:
    """The summed weights of every row, which diffusive couplings subtract."""
    if xp is np:
        return np.bincount(bundle.entries.row, weights, minlength=bundle.rows)
    return xp.zeros(bundle.rows, weights.dtype).at[bundle.entries.row].add(weights)


def _per_row(
    program: Program, bundle: Bundle, name: str, values: Mapping[str, Any], xp: Any
) -> Any:
    """A coupling's parameter: one number, or one value per row when edges or units differ."""
    given = [xp.asarray(values[parameter_path(e, name)]) for e in bundle.edges]
    merged = not (bundle.row_edge != 0).any()
    if merged and given[0].ndim == 0:
        return given[0]
    group = program.groups[bundle.target[0]]
    per_unit = []
    for edge, value in zip(bundle.edges, given, strict=True):
        span = group.span(edge.target.rpartition(".")[0])
        own = xp.broadcast_to(value, (span.stop - span.start,))
        # units the edge does not reach have rows without weights, whatever stands here
        per_unit.append(xp.pad(own, (span.start, group.size - span.stop)))
    if merged:
        # one row for a unit of any edge: edges into one vertex have equal parameters
        spans = [group.span(e.target.rpartition(".")[0]) for e in bundle.edges]
        owner = np.zeros(group.size, int)
        for k, span in enumerate(spans):
            owner[span] = k
        return xp.stack(per_unit)[owner[bundle.row_target], bundle.row_target]
    return xp.stack(per_unit)[bundle.row_edge, bundle.row_target]


def _part_values(
    program: Program, bundle: Bundle, part: Part, conn: list[Any], delays: Any, xp: Any
) -> Packed:
    weights = transport.entry_values(bundle, part, conn, xp)
    plan = transport.buckets(part.entries.row, bundle.rows) if part.layout == "padded" else ()
    group = program.groups[bundle.source[0]]
    sources = group.model.signal_size(bundle.source[1])
    shape = (bundle.rows, sources)
    if part.transport == "now":
        if part.layout == "mean":
            return {"weights": weights[0]}
        if part.layout == "one":
            ones = all(e.coupling.conn is None for e in bundle.edges)
            return {"weights": None if ones else weights}
        if part.layout == "dense":
            return {"weights": transport.columns(part, shape, weights, xp)}
        return {
            "buckets": [
                {
                    "place": transport.padded(part.entries.source, b.slots, 0, xp),
                    "weights": transport.padded(weights, b.slots, 0.0, xp),
                }
                for b in plan
            ]
        }
    message = message_of(program, bundle)
    whole, phi = transport.steps_of(bundle, part, delays, program.dt, xp)
    cubic = program.method == "rk4"
    if part.transport == "step":
        stages = STAGES[program.method]
        reading = tuple(sorted({*stages, 1.0}))  # samples are read at stage 1
        return transport.pack_step(
            part, plan, weights, whole, phi, message, reading, cubic, sources, xp
        )
    return transport.pack_block(
        part, plan, weights, whole, phi, message, row_length(message), cubic, shape, xp
    )


def message_of(program: Program, bundle: Bundle) -> Any:
    return next(m for m in program.messages if bundle.number in m.bundles)


def row_length(message: Any) -> int:
    """Columns per source: two copies of the ring, and room for windows rounded up to a vector."""
    return 2 * int(message.length) + VECTOR


def filled(coupling: Coupling, parameters: Mapping[str, Any]) -> Coupling:
    """The coupling with packed parameters, their units back on."""
    return coupling.with_values(
        **{k: attach(v, unit_of(coupling.arrays()[k])) for k, v in parameters.items()}
    )
