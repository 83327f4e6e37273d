"""How a run's arguments address a graph: paths, ports, and a single node's own names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from braingraph.errors import ParameterError, PortError, did_you_mean
from braingraph.graph import Graph
from braingraph.node import no_port
from braingraph.parameters import numbers
from braingraph.ports import Port
from braingraph.units import brief

#: The vertex that a simulator makes of a single node: its signals need no prefix.
ALONE = "node"


def full_path(graph: Graph, given: Any, single: bool) -> str:
    """A path as the graph sees it, from a path, a port, or a single node's own name."""
    if isinstance(given, Port):
        return graph.path_of(given)
    return f"{ALONE}.{given}" if single and "." not in str(given) else str(given)


def signal_path(graph: Graph, given: Any, single: bool) -> str:
    """The path of a signal that exists; PortError otherwise."""
    path = full_path(graph, given, single)
    if single and path.startswith(f"{ALONE}."):
        model, name = graph[ALONE], path.removeprefix(f"{ALONE}.")
        if name not in model.signals():
            no_port(model.with_values(_path=""), name)  # which has no path a user knows
    graph.resolve(path)
    return path


def values_by_path(
    graph: Graph, given: Any, what: str, kinds: tuple[str, ...], single: bool
) -> dict[str, Any]:
    """``initial=`` or ``history=`` by full path, once its names and numbers are known to be good.

    ``kinds``: what the paths may lead to, ``"state"`` or ``"output"``.
    """
    if not isinstance(given, Mapping):
        raise ParameterError(
            f"{what}= is {brief(given)}, but must be values by path, as in "
            f"{what}={{'cortex.x': 0.1}}.",
            parameter=what,
        )
    out = {}
    for key, value in given.items():
        path = signal_path(graph, key, single)
        model, signal = graph.resolve(path)
        if signal.kind not in kinds:
            known = [name for name, s in model.signals().items() if s.kind in kinds]
            raise PortError(
                f"{what}= takes values of {' and '.join(f'{kind}s' for kind in kinds)}, but "
                f"'{key}' is of another kind.{did_you_mean(signal.name, known)} "
                f"There are: {', '.join(known) or 'none'}.",
                path=path,
            )
        if not callable(value):
            numbers(value, f"{what}['{key}']", parameter=what)
        out[path] = value
    return out
