"""One edge: its description, and the checks that ``add_edge`` makes where the user typed it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import brainunit as u
import numpy as np

from braingraph.coupling import Coupling
from braingraph.declarations import Output, State
from braingraph.errors import (
    DelayError,
    GraphError,
    ParameterError,
    PortError,
    ShapeError,
    UnitError,
    did_you_mean,
)
from braingraph.node import Node, no_port
from braingraph.ports import Port
from braingraph.units import ONE, TIME, brief, same_dimension, show, strip, unit_of

if TYPE_CHECKING:
    from braingraph.graph import Graph

INTERPOLATIONS = ("linear", "nearest")


@dataclass(frozen=True)
class Edge:
    """One coupling between two ports, addressed relative to the graph that holds it."""

    name: str
    source: str
    target: str
    coupling: Coupling
    delay: Any = None  # plain array in ms: scalar or (target, source); None: instantaneous
    interpolation: str = "linear"
    rename: Mapping[str, str] | None = None  # parameter -> full path, for composite nodes

    @property
    def delayed(self) -> bool:
        return self.delay is not None and bool(np.any(self.delay != 0))

    @property
    def where(self) -> str:
        """How messages call it."""
        return f"{self.source} -> {self.target}"

    @property
    def ends(self) -> dict[str, str]:
        """The fields of an error about it."""
        return {"source": self.source, "target": self.target}


# ---------------------------------------------------------------- ends
_KINDS = {
    "state": "a state",
    "input": "an input",
    "output": "an output",
    "noise": "a standard normal",
}


def source_path(graph: Graph, given: Any) -> str:
    """The path of the state or output that an edge starts at, from a port, a path or a node."""
    path = _port_path(graph, given, ("output", "state"), "source")
    _, signal = graph.resolve(path)
    if not isinstance(signal, (State, Output)):
        raise PortError(
            f"an edge must start at a state or an output, but {path} is {_KINDS[signal.kind]}.",
            path=path,
        )
    return path


def target_path(graph: Graph, given: Any) -> str:
    """The path of the input that an edge ends at, from a port, a path or a node."""
    path = _port_path(graph, given, ("input",), "target")
    model, signal = graph.resolve(path)
    if signal.kind != "input":
        inputs = f" Inputs: {', '.join(model._inputs)}." if model._inputs else ""
        raise PortError(
            f"an edge must end at an input, but {path} is {_KINDS[signal.kind]}."
            f"{did_you_mean(f'{signal.name}_inp', model._inputs)}{inputs}",
            path=path,
        )
    return path


def _port_path(graph: Graph, given: Any, kinds: tuple[str, ...], role: str) -> str:
    if isinstance(given, Port):
        return graph.path_of(given)
    if isinstance(given, str):
        if "." in given and isinstance(graph[given.rpartition(".")[0]], Node):
            graph.resolve(given)
            return given
        given = graph[given]
    if not isinstance(given, Node) or given._graph is None:
        raise PortError(
            f"the {role} of an edge must be a port such as cortex.x, its path, or a node of "
            f"this graph, but is {brief(given)}."
        )
    ports: list[str] = []
    for kind in kinds:
        ports = [name for name, s in given.signals().items() if s.kind == kind]
        if len(ports) == 1:
            return graph.path_of(Port(given._graph, given._path, ports[0]))
        if ports:
            break
    what = (
        f"{len(ports)} possible {role} ports: name one of {', '.join(ports)}."
        if ports
        else f"no port that can be the {role} of an edge."
    )
    raise PortError(f"'{given.path}' ({type(given).__name__}) has {what}", path=given.path)


# ---------------------------------------------------------------- what travels
def checked(graph: Graph, edge: Edge, delay: Any) -> Edge:
    """The edge with its delay in plain ms, once everything about it fits ``graph``."""
    from braingraph.doctor import check_edge

    if not isinstance(edge.coupling, Coupling):
        raise GraphError(
            f"the coupling of {edge.where} must be one of braingraph.edges, as in "
            f"edges.AdditiveCoupling(conn=W), but is {_what(edge.coupling)}.",
            **edge.ends,
        )
    if edge.interpolation not in INTERPOLATIONS:
        raise ParameterError(
            f"interpolation of {edge.where} is {edge.interpolation!r}, but must be one of "
            f"{', '.join(map(repr, INTERPOLATIONS))}."
            f"{did_you_mean(str(edge.interpolation), INTERPOLATIONS)}",
            parameter="interpolation",
        )
    shape = (graph._size(edge.target), graph._size(edge.source))
    edge = fitted(edge, delay, shape)
    check_edge(graph, edge)
    return edge


def fitted(edge: Edge, delay: Any, shape: tuple[int, int]) -> Edge:
    """The edge with its delay in plain ms, once its arrays fit ``shape``, (target, source)."""
    _check_conn(edge, shape)
    for name, value in edge.coupling.arrays().items():
        given = np.shape(u.get_magnitude(value))
        if edge.coupling._specs[name].free or given in ((), (1,), shape[:1]):
            continue
        raise ShapeError(
            f"{name} of {edge.where} has shape {given}, but must be one number or one per target, "
            f"{shape[:1]}.",
            given=given,
            needed=shape[:1],
            **edge.ends,
        )
    return replace(edge, delay=_checked_delay(edge, delay, shape))


def _what(value: Any) -> str:
    return f"the class {value.__name__}: make one" if isinstance(value, type) else brief(value)


def _check_conn(edge: Edge, shape: tuple[int, int]) -> None:
    conn = edge.coupling.conn
    if conn is None:
        if shape[0] != shape[1]:
            raise ShapeError(
                f"{edge.where} connects {shape[1]} units to {shape[0]}: give weights of shape "
                f"{shape} (target, source), as in edges.AdditiveCoupling(conn=W), or conn=1.0 for "
                "all to all.",
                given=None,
                needed=shape,
                **edge.ends,
            )
        return
    plain = np.asarray(u.get_magnitude(conn))
    if plain.ndim and plain.shape != shape:
        raise ShapeError(
            f"the weights of {edge.where} have shape {plain.shape}, but must be {shape}: "
            f"[target, source].{_transpose(plain, shape, 'conn')}",
            given=plain.shape,
            needed=shape,
            **edge.ends,
        )


def _transpose(plain: np.ndarray, shape: tuple[int, int], name: str) -> str:
    return f" The transpose fits: pass {name}.T." if plain.shape == shape[::-1] else ""


def _checked_delay(edge: Edge, delay: Any, shape: tuple[int, int]) -> Any:
    if delay is None:
        return None
    plain = _in_ms(edge, delay)
    if plain.ndim and plain.shape != shape:
        raise ShapeError(
            f"the delays of {edge.where} have shape {plain.shape}, but must be a scalar or "
            f"{shape}: [target, source].{_transpose(plain, shape, 'delay')}",
            given=plain.shape,
            needed=shape,
            **edge.ends,
        )
    used = coupling_mask(edge.coupling, shape) if plain.ndim else np.bool_(True)
    wrong = (~np.isfinite(plain) | (plain < 0)) & used
    if wrong.any():
        at = tuple(int(k) for k in np.argwhere(wrong)[0])
        raise DelayError(
            f"the delay of {edge.where} is {plain[at]:g} ms{f' at {at}' if at else ''}: delays "
            "must be finite and not negative.",
            **edge.ends,
            at=at,
            value=float(plain[at]),
        )
    # Where nothing is connected, a delay may be anything; what is no number is made one.
    plain = np.where(np.isfinite(plain) & (plain >= 0), plain, 0.0)
    plain.setflags(write=False)
    return plain


def _in_ms(edge: Edge, delay: Any) -> np.ndarray:
    given = unit_of(delay)
    if not same_dimension(given, TIME):
        fix = "divide lengths by a speed, as in delay=lengths / (5 * u.mm / u.ms)."
        if given == ONE:
            fix = f"give it a unit, as in delay={_as_typed(delay)} * u.ms; or {fix}"
        raise UnitError(
            f"the delay of {edge.where} is in {show(given)}, but must be a time: {fix}",
            given=given,
            needed=TIME,
            **edge.ends,
        )
    return np.asarray(strip(delay, TIME, "delay"), float)


def _as_typed(delay: Any) -> str:
    return f"{delay:g}" if isinstance(delay, (int, float)) else "delays"


def coupling_mask(coupling: Coupling, shape: tuple[int, int]) -> np.ndarray:
    """Which of the (target, source) pairs an edge connects: weights that are not zero."""
    if coupling.conn is None:
        return np.eye(shape[0], dtype=bool)
    return np.broadcast_to(np.asarray(u.get_magnitude(coupling.conn)) != 0, shape)


def internal_edges(name: str, model: Node) -> list[Edge]:
    """The edges that a composite node brings along, as its graph sees them."""
    out = []
    for inside in model.internal_edges():
        for end in (inside.source, inside.target):
            if end not in model.signals():
                no_port(model, end, name)
        edge = Edge(
            f"{name}.{inside.name}",
            f"{name}.{inside.source}",
            f"{name}.{inside.target}",
            inside.coupling,
            rename={k: f"{name}.{v}" for k, v in (inside.rename or {}).items()},
        )
        shape = (model.signal_size(inside.target), model.signal_size(inside.source))
        out.append(fitted(edge, inside.delay, shape))
    return out
