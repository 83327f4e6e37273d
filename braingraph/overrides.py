"""Changes for one run: other parameter values, and inputs driven without a stimulus vertex."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from braingraph.component import Node, Output, parameter
from braingraph.connections import Edge, checked
from braingraph.doctor import check_edge
from braingraph.errors import (
    GraphError,
    ParameterError,
    PortError,
    ShapeError,
    UnitError,
    did_you_mean,
)
from braingraph.graph import Graph
from braingraph.parameters import numbers
from braingraph.paths import ALONE, full_path, signal_path
from braingraph.units import (
    TIME,
    Unit,
    as_code,
    attach,
    dimensionless,
    same_dimension,
    show,
    unit_of,
)

_HIGH = 1 << 16


# ---------------------------------------------------------------- inputs
class Constant(Node):
    """The same value at all times."""

    value: Any = parameter(0.0, any_unit=True)

    @Output(unit="value")
    def out(self, s: Any, i: Any) -> Any:
        return self.value


class Series(Node):
    """One row a step, counted from the start of the run; nothing after the last."""

    values: Any = parameter(None, free=True, any_unit=True)
    # The run's first step, in two parts: each is exact in float32.
    high: float = 0.0
    low: float = 0.0

    @Output(unit="values")
    def out(self, s: Any, i: Any) -> Any:
        values = jnp.asarray(u.get_magnitude(self.values))
        first = jnp.round(self.high).astype(jnp.int32) * _HIGH + jnp.round(self.low).astype(
            jnp.int32
        )
        row = i.n - first[0]
        inside = (row >= 0) & (row < len(values))
        return attach(jnp.where(inside, values[row], 0.0), unit_of(self.values))


class Function(Node):
    """A function of time."""

    f: Any = parameter(None)
    _emits: Any = None

    @Output(unit=lambda model: model._emits)
    def out(self, s: Any, i: Any) -> Any:
        return self.f(i.t)


def with_inputs(
    graph: Graph,
    inputs: Mapping[Any, Any],
    single: bool,
    *,
    first: int = 0,
    steps: int | None = None,
) -> Graph:
    """The graph with a vertex and an edge for every driven port.

    ``first`` is the run's first step, where arrays begin; ``steps`` its length, which they must
    have.
    """
    if not inputs:
        return graph
    out = graph.bound(None, "")
    for number, (given, value) in enumerate(inputs.items()):
        path = signal_path(out, given, single)
        model, signal = out.resolve(path)
        if signal.kind != "input":
            raise PortError(
                f"inputs= drives input ports, but '{given}' is not one."
                f"{did_you_mean(f'{signal.name}_inp', model._inputs)} "
                f"Inputs: {', '.join(model._inputs) or 'none'}.",
                path=path,
            )
        size, unit = model.signal_size(signal.name), signal.unit(model)
        source = _driver(f"inputs['{given}']", value, size, unit, first, steps)
        name = f"input_{number}"
        while name in out.nodes:
            name += "_"
        out.add_edge(out.add_node(name, source), path, name=f"{name}_edge")
    return out


def _driver(where: str, value: Any, size: int, unit: Unit, first: int, steps: int | None) -> Node:
    if callable(value):
        return _function(where, value, size, unit)
    _check_unit(where, value, unit)
    plain = numbers(value, where, parameter="inputs")
    if plain.ndim == 0:
        return Constant(size, value=attach(plain, unit_of(value)))
    if plain.ndim == 1 and size == 1:
        plain = plain[:, None]
    if plain.ndim != 2 or plain.shape[1] not in (1, size):
        fix = " The transpose fits: pass values.T." if plain.shape[:1] == (size,) else ""
        if plain.shape == (size,):
            fix = f" For a constant of each unit: inputs={{..: lambda t: values}} ({size} units)."
        raise ShapeError(
            f"{where} has shape {plain.shape}, but must be one number, (steps, {size}), or a "
            f"callable of time.{fix}",
            given=plain.shape,
            needed=("steps", size),
        )
    if steps is not None and len(plain) != steps:
        raise ShapeError(
            f"{where} has {len(plain)} rows, but the run has {steps} steps: give one row a step.",
            given=plain.shape,
            needed=(steps, size),
        )
    rows = attach(np.broadcast_to(plain, (len(plain), size)), unit_of(value))
    return Series(size, values=rows, high=float(first // _HIGH), low=float(first % _HIGH))


def _function(where: str, function: Any, size: int, unit: Unit) -> Node:
    value = jax.eval_shape(function, u.Quantity(np.float32(0), unit=TIME))
    _check_unit(where, value, unit)
    shape = np.shape(u.get_magnitude(value))
    if shape not in ((), (size,)):
        raise ShapeError(
            f"{where} returns shape {shape}, but must return one value, or one for each of {size} "
            "units.",
            given=shape,
            needed=(size,),
        )
    node = Function(size, f=function)
    node.__dict__["_emits"] = unit_of(value)
    return node


def _check_unit(where: str, value: Any, unit: Unit) -> None:
    given = unit_of(value)
    if same_dimension(given, unit):
        return
    code = as_code(unit)
    fix = f": multiply it, as in value{code}." if dimensionless(given) and code else "."
    raise UnitError(
        f"{where} is in {show(given)}, but must be in {show(unit)}{fix}", given=given, needed=unit
    )


# ---------------------------------------------------------------- parameters
def with_parameters(graph: Graph, params: Mapping[Any, Any], single: bool) -> Graph:
    """The graph with other parameter values, checked as when it was built."""
    if not params:
        return graph
    out = graph.bound(None, "")
    before = _units(out)
    for given, value in params.items():
        path = full_path(out, given, single)
        try:
            _set(out, path, value, single)
        except GraphError as error:
            if "path" in error.fields:
                raise
            raise type(error)(f"params['{given}']: {error}", **error.fields) from None
    if _units(out) != before:  # of a gain or a noise: what it feeds may not take them
        for holder in _graphs(out):
            for edge in holder.edges.values():
                check_edge(holder, edge)
    return out


def _set(graph: Graph, path: str, value: Any, single: bool) -> None:
    """Change a parameter of a node or an edge in a graph that is ours to change."""
    holder, owner = graph, path.rpartition(".")[0]
    name = path.rpartition(".")[2]
    while owner not in holder._ends:
        head, _, rest = owner.partition(".")
        child = holder.nodes.get(head)
        if isinstance(child, Graph) and rest:
            holder, owner = child, rest
            continue
        if rest or not isinstance(child, Node) or not _is_parameter(child, name):
            raise _unknown(graph, path, single)
        changed = child.replace(**{name: value}).with_values(labels=child.labels)
        holder._nx.nodes[head]["model"] = changed.bound(holder, head)
        return
    edge = holder._edge(owner)
    if name not in (*edge.coupling._specs, "delay"):
        raise _unknown(graph, path, single)
    holder._place(_changed(holder, edge, name, value))


def _is_parameter(model: Node, name: str) -> bool:
    return name in model._specs or name in {f"init_{state}" for state in model._states}


def _changed(holder: Graph, edge: Edge, name: str, value: Any) -> Edge:
    if name == "delay":
        return checked(holder, edge, value)
    coupling = edge.coupling.replace(**{name: value})
    delay = None if edge.delay is None else attach(edge.delay, TIME)
    return checked(holder, replace(edge, coupling=coupling.bound(holder, edge.name)), delay)


def _graphs(graph: Graph) -> Iterator[Graph]:
    yield graph
    for child in graph.nodes.values():
        if isinstance(child, Graph):
            yield from _graphs(child)


def _units(graph: Graph) -> list[Any]:
    """The units of the parameters that may have any."""
    return [
        unit_of(value)
        for model in graph.models().values()
        for name, value in model.arrays().items()
        if model._specs[name].unit is None
    ]


def _unknown(graph: Graph, path: str, single: bool) -> ParameterError:
    known = [f"{p}.{k}" for p, m in graph.models().items() for k in m._specs]
    known += [f"{e.name}.{k}" for e in graph.all_edges() for k in e.coupling.arrays()]
    known += [f"{e.name}.delay" for e in graph.all_edges() if e.delay is not None]
    if single:
        known, path = [k.removeprefix(f"{ALONE}.") for k in known], path.removeprefix(f"{ALONE}.")
    return ParameterError(
        f"there is no parameter '{path}'.{did_you_mean(path, known)} "
        f"There are: {', '.join(known[:12])}{', ...' if len(known) > 12 else ''}.",
        parameter=path,
        path=path,
    )
