"""One edge: its description, and the checks that ``add_edge`` makes where the user typed it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

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
from braingraph.sparse import Sparse, is_sparse, made_sparse
from braingraph.units import (
    ONE,
    TIME,
    attach,
    brief,
    magnitude,
    same_dimension,
    show,
    strip,
    unit_of,
)

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
    delay: Any = None  # in ms: a number, (target, source), or Sparse; None: instantaneous
    interpolation: str = "linear"
    rename: Mapping[str, str] | None = None  # parameter -> full path, for composite nodes

    @property
    def delayed(self) -> bool:
        delay = self.delay.values if isinstance(self.delay, Sparse) else self.delay
        return delay is not None and bool(np.any(delay != 0))

    @property
    def by_connection(self) -> bool:
        """Whether weights and delays are kept one a connection, in the order of the pairs."""
        sparse = is_sparse(self.coupling.conn)
        return sparse or (self.coupling.conn is None and isinstance(self.delay, Sparse))

    @property
    def has_matrix(self) -> bool:
        """Whether weights or delays differ between pairs."""
        return bool(np.ndim(magnitude(self.coupling.conn)) or np.ndim(self.delay))

    @property
    def parameters(self) -> dict[str, Any]:
        """The coupling's numbers and the delay, as ``as_function`` has them: no matrix is sparse.

        Where the weights are sparse, they and the delays have a value for every connection.
        """
        out = self.coupling.arrays()
        if is_sparse(self.coupling.conn):
            out["conn"] = attach(magnitude(out["conn"]).values, unit_of(out["conn"]))
        if self.delay is not None:
            delay = self.delay
            if self.by_connection and delay.ndim:
                delay = delays_at(delay, *pairs(self.coupling, delay.shape))
            out["delay"] = attach(delay, TIME)
        return out

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
        given = np.shape(magnitude(value))
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
    plain = magnitude(conn) if is_sparse(conn) else np.asarray(magnitude(conn))
    if plain.ndim and plain.shape != shape:
        raise ShapeError(
            f"the weights of {edge.where} have shape {plain.shape}, but must be {shape}: "
            f"[target, source].{_transpose(plain, shape, 'conn')}",
            given=plain.shape,
            needed=shape,
            **edge.ends,
        )


def _transpose(plain: np.ndarray | Sparse, shape: tuple[int, int], name: str) -> str:
    return f" The transpose fits: pass {name}.T." if plain.shape == shape[::-1] else ""


def _checked_delay(edge: Edge, delay: Any, shape: tuple[int, int]) -> Any:
    if delay is None:
        return None
    conn = magnitude(edge.coupling.conn)
    if isinstance(conn, Sparse):
        delay = conn.filled(delay)
    plain = _in_ms(edge, delay)
    if plain.ndim and plain.shape != shape:
        raise ShapeError(
            f"the delays of {edge.where} have shape {plain.shape}, but must be a scalar or "
            f"{shape}: [target, source].{_transpose(plain, shape, 'delay')}",
            given=plain.shape,
            needed=shape,
            **edge.ends,
        )
    if isinstance(plain, Sparse) and conn is not None and not isinstance(conn, Sparse):
        plain = plain.todense()  # as the weights are
    target: Any = None  # all alike
    source: Any = None
    if plain.ndim:
        target, source = pairs(edge.coupling, shape)
    values = delays_at(plain, target, source)
    wrong = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
    if len(wrong):
        first = wrong[0]
        at = () if target is None else (int(target[first]), int(source[first]))
        raise DelayError(
            f"the delay of {edge.where} is {values[first]:g} ms{f' at {at}' if at else ''}: delays "
            "must be finite and not negative.",
            **edge.ends,
            at=at,
            value=float(values[first]),
        )
    return _kept(plain, conn)


def _kept(plain: np.ndarray | Sparse, conn: Any) -> np.ndarray | Sparse:
    """Delays as an edge holds them.

    Where nothing is connected, a delay may be anything; what is no number is made one.
    """
    if isinstance(plain, Sparse):
        fine = np.isfinite(plain.values) & (plain.values >= 0)
        if not fine.all():
            plain = plain.with_values(np.where(fine, plain.values, 0.0))
        if isinstance(conn, Sparse) and plain.stands_like(conn):
            return conn.with_values(plain.values)  # the same pairs are held once
        return plain
    plain = np.where(np.isfinite(plain) & (plain >= 0), plain, 0.0)
    plain.setflags(write=False)
    return plain


def _in_ms(edge: Edge, delay: Any) -> np.ndarray | Sparse:
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
    if not is_sparse(delay):
        return np.asarray(strip(delay, TIME, "delay"), float)
    plain = made_sparse(magnitude(delay), f"the delay of {edge.where}", "delay")
    return plain.with_values(strip(attach(plain.values, given), TIME, "delay"))


def _as_typed(delay: Any) -> str:
    return f"{delay:g}" if isinstance(delay, (int, float)) else "delays"


def pairs(coupling: Coupling, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The units an edge connects, (targets, sources), row after row: weights that are not zero."""
    conn = magnitude(coupling.conn)
    if conn is None:
        own = np.arange(shape[0], dtype=np.int32)
        return own, own
    if isinstance(conn, Sparse):
        return conn.target, conn.source
    target, source = np.nonzero(np.broadcast_to(np.asarray(conn) != 0, shape))
    return target.astype(np.int32), source.astype(np.int32)


def delays_at(delay: Any, target: Any, source: Any) -> np.ndarray:
    """The delays of connections, from an edge's: one a connection, or one for all."""
    if isinstance(delay, Sparse):
        return delay.at(target, source)
    picked: np.ndarray = delay[target, source] if delay.ndim else delay[None]
    return picked


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
