"""Changes for one run: other parameter values, and inputs driven without a stimulus vertex."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from braingraph.component import Node
from braingraph.errors import ParameterError, PortError, did_you_mean
from braingraph.graph import Graph, _checked_delay
from braingraph.units import TIME, attach, dimensionless, unit_of


def with_inputs(graph: Graph, inputs: Mapping[str, Any], single: bool) -> Graph:
    """The graph with a stimulus vertex and an edge for every driven port."""
    if not inputs:
        return graph
    from braingraph import edges
    from braingraph.nodes import stimulus

    out = graph.bound(None, "")
    for number, (given, value) in enumerate(inputs.items()):
        path = f"node.{given}" if single and "." not in given else given
        model, signal = out.resolve(path)
        if signal.kind != "input":
            raise PortError(
                f"inputs= drives input ports, but '{path}' is a {signal.kind}."
                f"{did_you_mean(signal.name, model._inputs)}",
                path=path,
            )
        unit = signal.unit(model)
        if not callable(value) and dimensionless(unit_of(value)) and not dimensionless(unit):
            raise ParameterError(
                f"inputs['{given}'] needs a unit: {value!r} * u.{unit}.", parameter=given
            )
        size = model.signal_size(signal.name)
        source: Node
        if callable(value):
            source = stimulus.FunctionStimulus(size, f=value)
        elif np.ndim(getattr(value, "mantissa", value)) == 0:
            source = stimulus.ConstantStimulus(size, amplitude=value)
        else:
            source = stimulus.ArrayStimulus(size, values=value)
        name = f"input_{number}"
        while name in out.nodes:
            name += "_"
        placed = out.add_node(name, source)
        out.add_edge(placed, path, edges.AdditiveCoupling(), name=f"{name}_edge")
    return out


def with_parameters(graph: Graph, params: Mapping[str, Any], single: bool) -> Graph:
    """The graph with other parameter values, checked as when it was built."""
    if not params:
        return graph
    out = graph.bound(None, "")
    for given, value in params.items():
        path = f"node.{given}" if single and "." not in given else given
        _set(out, path, value)
    return out


def _set(graph: Graph, path: str, value: Any) -> None:
    owner, _, name = path.rpartition(".")
    for start, end, key, data in graph._nx.edges(keys=True, data=True):
        if data["edge"].name == owner:
            graph._nx[start][end][key]["edge"] = _changed(graph, data["edge"], name, value)
            return
    head, _, rest = owner.partition(".")
    if head in graph.nodes and rest and isinstance(graph.nodes[head], Graph):
        _set(graph.nodes[head], f"{rest}.{name}", value)  # type: ignore[arg-type]
        return
    if owner in graph.nodes and isinstance(graph.nodes[owner], Node):
        model: Any = graph.nodes[owner]
        labels = model.labels
        changed = model.replace(**{name: value}).with_values(labels=labels)
        graph._nx.nodes[owner]["model"] = changed.bound(graph, owner)
        return
    known = _addresses(graph)
    raise ParameterError(
        f"there is no parameter '{path}'.{did_you_mean(path, known)} "
        f"There are: {', '.join(known[:12])}{', ...' if len(known) > 12 else ''}.",
        parameter=path,
    )


def _changed(graph: Graph, edge: Any, name: str, value: Any) -> Any:
    if name != "delay":
        coupling = edge.coupling.replace(**{name: value})
        return replace(edge, coupling=coupling.bound(graph, edge.name))
    shape = (graph._size(edge.target), graph._size(edge.source))
    if not hasattr(value, "mantissa"):
        value = attach(value, TIME)
    where = f"{edge.source} -> {edge.target}"
    return replace(edge, delay=_checked_delay(value, shape, edge.coupling, where))


def _addresses(graph: Graph) -> list[str]:
    known = [f"{p}.{k}" for p, m in graph.models().items() for k in m.arrays()]
    return known + [f"{e.name}.{k}" for e in graph.all_edges() for k in e.coupling.arrays()]
