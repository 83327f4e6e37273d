"""Between graphs and networkx, for its algorithms, generators and drawings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import networkx as nx

from braingraph.errors import GraphError, ParameterError

if TYPE_CHECKING:
    from braingraph.graph import Graph


def to_networkx(graph: Graph) -> nx.MultiDiGraph:
    """The whole hierarchy, flat; see :meth:`braingraph.Graph.to_networkx`."""
    out = nx.MultiDiGraph()
    for path, model in graph.models().items():
        out.add_node(path, model=type(model).__name__, size=model.size, object=model)
    for e in graph.all_edges():
        out.add_edge(
            e.source.rpartition(".")[0],
            e.target.rpartition(".")[0],
            key=e.name,
            source=e.source,
            target=e.target,
            coupling=type(e.coupling).__name__,
            delay=e.delay,
            object=e,
        )
    return out


def from_networkx(
    out: Graph,
    graph: Any,
    node: Callable[[Any, dict[str, Any]], Any],
    edge: Callable[[Any, Any, dict[str, Any]], Mapping[str, Any]],
) -> Graph:
    """Fill ``out``; see :meth:`braingraph.Graph.from_networkx`."""
    names = {v: str(v).replace(" ", "_").replace("-", "_") for v in graph.nodes}
    if len(set(names.values())) < len(names):
        raise GraphError("two networkx nodes have the same name as text: rename one.")
    for vertex, attributes in graph.nodes(data=True):
        out.add_node(names[vertex], node(vertex, attributes))
    directed = graph if graph.is_directed() else graph.to_directed()
    for start, end, attributes in directed.edges(data=True):
        given = dict(edge(start, end, attributes))
        missing = sorted({"source", "target"} - set(given))
        if missing:
            raise ParameterError(
                f"edge({start!r}, {end!r}) returned no {' and no '.join(missing)}: name the ports, "
                "as in {'source': 'x', 'target': 'x_inp'}.",
                parameter="edge",
            )
        source, target = given.pop("source"), given.pop("target")
        out.add_edge(f"{names[start]}.{source}", f"{names[end]}.{target}", **given)
    return out
