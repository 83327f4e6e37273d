"""Parameters by path -> what the program takes: stacked by group and bundle, once per run.

Runs on NumPy for a run's fixed parameters and on JAX, traced, for live ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from braingraph.compiler import packing
from braingraph.compiler.delays import VECTOR
from braingraph.compiler.group import parameter_path
from braingraph.compiler.plan import Bundle, Group, Part, Program
from braingraph.compiler.shard import Placement, Share
from braingraph.component import Coupling
from braingraph.integrate import STAGES
from braingraph.units import Unit, attach, magnitude, unit_of

Packed = dict[str, Any]


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
            for name, value in edge.parameters.items():
                put(parameter_path(edge, name), value)
    return values, units


@dataclass(frozen=True)
class PerReplica:
    """A parameter that differs between the replicas of a batch: (replica, *its shape)."""

    values: np.ndarray


def pack(
    program: Program,
    values: Mapping[str, Any],
    dtype: Any,
    live: bool,
    placement: Placement,
    device: int = 0,
) -> Packed:
    """Parameters stacked per group, and per bundle and row, of the units and rows of one device.

    Those that differ between replicas have these in a last axis.
    """
    xp: Any = jnp if live else np
    packed: Packed = {"groups": [], "bundles": []}
    for group in program.groups:
        units = placement.units[group.number]
        mine = None if units is None else np.maximum(units[device], 0)
        packed["groups"].append(_group_values(program, group, values, mine, xp))
    for bundle in program.bundles:
        rows = placement.rows[bundle.number]
        mine = None if rows is None else np.maximum(rows[device], 0)
        packed["bundles"].append(_bundle_values(program, bundle, values, mine, xp))
    cast: Packed = _cast(packed, dtype, xp)
    return cast


def pack_parts(
    program: Program,
    values: Mapping[str, Any],
    dtype: Any,
    live: bool,
    placement: Placement,
    device: int = 0,
) -> list[Any]:
    """Per bundle and part, of one device's connections: weights, and where to read the past."""
    xp: Any = jnp if live else np
    share = placement.shares[device]
    packed = []
    for bundle in program.bundles:
        arrays = _arrays(bundle, values, live, xp)
        packed.append(
            [
                _part_values(program, placement, share, bundle, k, *arrays, xp)
                for k in range(len(bundle.parts))
            ]
        )
    cast: list[Any] = _cast(packed, dtype, xp)
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


def _group_values(
    program: Program, group: Group, values: Mapping[str, Any], mine: np.ndarray | None, xp: Any
) -> Packed:
    out: Packed = {}
    for name in group.model.arrays():
        given = [values[f"{path}.{name}"] for path in group.paths]
        if group.model._specs[name].free:
            out[name] = xp.asarray(given[0])
            continue
        shapes = [program.flat.vertices[path].in_size for path in group.paths]
        stacked = _stacked(given, shapes, xp)
        out[name] = stacked if mine is None else stacked[mine]
    return out


def _stacked(given: list[Any], shapes: Sequence[tuple[int, ...]], xp: Any) -> Any:
    """Values of several vertices, unit after unit: (unit,), or (unit, replica)."""
    replicas = next((len(v.values) for v in given if isinstance(v, PerReplica)), 0)
    pieces = []
    for value, shape in zip(given, shapes, strict=True):
        if isinstance(value, PerReplica):
            flat = np.broadcast_to(_expanded(value.values, len(shape)), (replicas, *shape))
            pieces.append(flat.reshape(replicas, -1).T)
            continue
        flat = xp.broadcast_to(xp.asarray(value), shape).reshape(-1)
        if replicas:
            flat = np.broadcast_to(flat[:, None], (len(flat), replicas))
        pieces.append(flat)
    return pieces[0] if len(pieces) == 1 else xp.concatenate(pieces)


def _expanded(values: np.ndarray, axes: int) -> np.ndarray:
    """(replica, *shape) with the shape's missing leading axes."""
    return values.reshape(len(values), *(1,) * (axes - values.ndim + 1), *values.shape[1:])


def _bundle_values(
    program: Program,
    bundle: Bundle,
    values: Mapping[str, Any],
    mine: np.ndarray | None,
    xp: Any,
) -> Packed:
    everything = Part("now", "padded", bundle.entries)
    weights = packing.entry_values(bundle, everything, _weights(bundle, values, xp), xp)
    sums = _row_sums(bundle, weights, xp)
    if bundle.alike:
        sums = xp.broadcast_to(sums[:1], sums.shape)
    parameters = {
        name: _per_row(program, bundle, name, values, xp)
        for name in bundle.coupling.arrays()
        if name != "conn"
    }
    if mine is not None:
        sums = sums[mine]
        parameters = {
            k: v[mine] if np.ndim(v) and len(v) == bundle.rows else v for k, v in parameters.items()
        }
    return {"parameters": parameters, "w": sums}


def _arrays(bundle: Bundle, values: Mapping[str, Any], live: bool, xp: Any) -> tuple[Any, Any]:
    """The weights of a bundle's edges, and their delays where these may change."""
    if not live:
        return _weights(bundle, values, xp), None
    delays = [
        xp.asarray(values[parameter_path(e, "delay")]) if e.delay is not None else xp.zeros(())
        for e in bundle.edges
    ]
    return _weights(bundle, values, xp), delays


def _weights(bundle: Bundle, values: Mapping[str, Any], xp: Any) -> list[Any]:
    return [
        xp.asarray(values[parameter_path(e, "conn")])
        if e.coupling.conn is not None
        else xp.ones(())
        for e in bundle.edges
    ]


def _row_sums(bundle: Bundle, weights: Any, xp: Any) -> Any:
    """The summed weights of every row, which diffusive couplings subtract."""
    if xp is np:
        return np.bincount(bundle.entries.row, weights, minlength=bundle.rows)
    return xp.zeros(bundle.rows, weights.dtype).at[bundle.entries.row].add(weights)


def _per_row(
    program: Program, bundle: Bundle, name: str, values: Mapping[str, Any], xp: Any
) -> Any:
    """A coupling's parameter: one number, or one value per row when edges or units differ.

    When replicas differ it has them in a last axis: (1 or row, replica).
    """
    given = [values[parameter_path(e, name)] for e in bundle.edges]
    varied = [isinstance(v, PerReplica) for v in given]
    merged = not (bundle.row_edge != 0).any()
    if merged and len(given) == 1 and varied[0] and given[0].values.ndim == 1:
        return given[0].values[None]
    if merged and not any(varied) and xp.asarray(given[0]).ndim == 0:
        return xp.asarray(given[0])
    group = program.groups[bundle.target[0]]
    port = bundle.target[1]
    spans = [group.values(e.target.rpartition(".")[0], port) for e in bundle.edges]
    shapes = [(span.stop - span.start,) for span in spans]
    each = _stacked(given, shapes, xp)
    start = np.concatenate([[0], np.cumsum([n for (n,) in shapes])])
    owner = bundle.row_edge
    if merged:
        # one row for a unit of any edge: edges into one vertex have equal parameters
        at = np.zeros(group.length(port), int)
        for k, span in enumerate(spans):
            at[span] = k
        owner = at[bundle.row_target]
    first = np.array([span.start for span in spans])
    # units no edge reaches have rows without weights, whatever stands here
    place = np.clip(
        bundle.row_target - first[owner], 0, np.array([n for (n,) in shapes])[owner] - 1
    )
    return each[start[owner] + place]


def _part_values(
    program: Program,
    placement: Placement,
    share: Share,
    bundle: Bundle,
    k: int,
    conn: list[Any],
    delays: Any,
    xp: Any,
) -> Packed:
    part = share.bundles[bundle.number].parts[k]
    weights = packing.entry_values(bundle, part, conn, xp)
    if bundle.coupling.pairwise:  # they are the rows' own, for ``post``
        weights = xp.ones_like(weights)
    plan = share.plans.get((bundle.number, k), ())
    rows, sources = placement.row_count(bundle), placement.sources(program, bundle, k)
    shape = (rows, sources)
    if part.transport == "now":
        if part.layout == "mean":
            return {"weights": weights[0] if len(weights) else xp.zeros(())}
        if part.layout == "one":
            ones = all(e.coupling.conn is None for e in bundle.edges)
            return {"weights": None if ones else packing.by_row(part, rows, weights, xp)}
        if part.layout == "dense":
            return {"weights": packing.columns(part, shape, weights, xp)}
        return {
            "buckets": [
                {
                    "place": packing.padded(part.entries.source, b.slots, 0, xp),
                    "weights": packing.padded(weights, b.slots, 0.0, xp),
                }
                for b in plan
            ]
        }
    message = message_of(program, bundle)
    whole, phi = packing.steps_of(bundle, part, delays, program.dt, xp)
    cubic = program.method == "rk4"
    if part.transport == "step":
        stages = STAGES[program.method]
        reading = tuple(sorted({*stages, 1.0}))  # samples are read at stage 1
        return packing.pack_step(
            part, plan, weights, whole, phi, message, reading, cubic, sources, xp
        )
    return packing.pack_block(
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
