"""What only the whole graph shows: every finding at once, before any work."""

from __future__ import annotations

from braingraph.compiler.plan import Flat
from braingraph.component import Observer
from braingraph.errors import ClockError, GraphError, together
from braingraph.units import show_time


def whole_steps(time: float, dt: float, what: str) -> int:
    """A time as a number of steps of dt; ClockError, with the nearest that fit, otherwise."""
    if not time > 0:
        raise ClockError(f"{what} must be positive, but is {time:g} ms.", given=time, dt=dt)
    steps = round(time / dt)
    if abs(time / dt - steps) > 1e-6 * max(1.0, time / dt) or steps < 1:
        low, high = max(1, int(time / dt)), max(1, int(time / dt)) + 1
        raise ClockError(
            f"{what} is {show_time(time)}, which is no multiple of the step of {show_time(dt)}: "
            f"take {show_time(low * dt)} or {show_time(high * dt)}, or another dt.",
            given=time,
            dt=dt,
        )
    return steps


def check(flat: Flat, dt: float) -> None:
    """Raise for an empty graph, clocks that do not fit, and edges against the flow of rates."""
    findings: list[GraphError] = []
    if not flat.vertices:
        findings.append(GraphError("the graph has no nodes: add one with g.add_node(name, model)."))
    every: dict[str, int] = {}
    for path, model in flat.vertices.items():
        every[path] = 1
        if model.dt is not None:
            try:
                every[path] = whole_steps(model.dt, dt, f"the clock of '{path}'")
            except ClockError as error:
                findings.append(error)
    for edge in flat.edges:
        source, target = (end.rpartition(".")[0] for end in (edge.source, edge.target))
        if isinstance(flat.vertices[source], Observer) and not isinstance(
            flat.vertices[target], Observer
        ):
            findings.append(
                GraphError(
                    f"{edge.source} -> {edge.target}: '{source}' is an observer and may not feed "
                    "back into the model; observing never changes the experiment.",
                    source=edge.source,
                    target=edge.target,
                )
            )
        slow, fast = sorted((source, target), key=lambda path: -every[path])
        if every[slow] % every[fast]:
            findings.append(
                ClockError(
                    f"{edge.source} -> {edge.target}: '{slow}' runs at "
                    f"{show_time(every[slow] * dt)}, which is no multiple of the "
                    f"{show_time(every[fast] * dt)} of '{fast}': take one of them as dt=.",
                    source=edge.source,
                    target=edge.target,
                )
            )
        elif every[source] > 1 and edge.delayed:
            findings.append(
                ClockError(
                    f"{edge.source} -> {edge.target}: an edge from a node with a clock of its own "
                    "takes no delay. Leave delay= out.",
                    source=edge.source,
                    target=edge.target,
                )
            )
    if findings:
        raise together(findings)
