"""The description of a network: vertices with ports, edges with couplings and delays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

import brainunit as u
import networkx as nx
import numpy as np

from braingraph.component import Coupling, Node, Output, State, _Signal
from braingraph.errors import (
    DelayError,
    GraphError,
    ParameterError,
    PortError,
    ShapeError,
    UnitError,
    did_you_mean,
)
from braingraph.ports import Port
from braingraph.units import TIME, same_dimension, show, strip, unit_of

N = TypeVar("N", bound="Node | Graph")
C = TypeVar("C", bound=Coupling)
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
    number: int = 0  # order of insertion

    @property
    def delayed(self) -> bool:
        return self.delay is not None and bool(np.any(self.delay != 0))


class Graph:
    """A directed graph of model populations. Itself a node: graphs nest, paths are dotted.

    >>> import braingraph as bg
    >>> from braingraph import edges, nodes
    >>> g = bg.Graph()
    >>> cortex = g.add_node("cortex", nodes.HopfStep(3, a=-0.02))
    >>> ring = [[0, 1, 0], [0, 0, 1], [1, 0, 0]]
    >>> _ = g.add_edge(cortex.x, cortex.x_inp, edges.DiffusiveCoupling(conn=ring, k=0.5))
    >>> print(g)
    Graph: 1 node (3 units), 1 edge
    └─ cortex  HopfStep x 3  x, y [1]  <- x_inp: cortex.x (DiffusiveCoupling, 3 weights)
    """

    def __init__(self) -> None:
        self._nx = nx.MultiDiGraph()  # a vertex per node, a keyed edge per coupling
        self._checked: set[Any] = set()  # kinds of nodes and edges that were traced once
        self._graph: Graph | None = None
        self._path = ""

    # ------------------------------------------------------------ building
    def add_node(self, name: str, model: N, *, labels: Any = None) -> N:
        """Add a copy of ``model`` and return it, with its ports.

        ``labels``: one name a unit; they become the coordinate of what is recorded.
        """
        if not isinstance(name, str) or not name or not name.replace("_", "a").isalnum():
            raise GraphError(
                f"a node's name must be letters, digits and underscores, but is {name!r}.",
                name=name,
            )
        if name in self._nx:
            raise GraphError(f"there is a node '{name}' already: names are unique.", name=name)
        if not isinstance(model, (Node, Graph)):
            raise GraphError(
                f"node '{name}' must be a model or a graph, as in nodes.HopfStep(76), but is "
                f"{type(model).__name__}.",
                name=name,
            )
        if isinstance(model, Node):
            from braingraph.doctor import check_node

            check_node(self, model, name)
            model = model.with_values(labels=_labels(labels, model, name))  # type: ignore[assignment]
        elif labels is not None:
            raise GraphError(f"'{name}' is a graph: give labels to its nodes.", name=name)
        placed: N = model.bound(self, name)
        self._nx.add_node(name, model=placed)
        return placed

    @overload
    def add_edge(
        self,
        source: Any,
        target: Any,
        coupling: C,
        *,
        delay: Any = None,
        name: str | None = None,
        interpolation: str = "linear",
    ) -> C: ...
    @overload
    def add_edge(
        self,
        source: Any,
        target: Any,
        coupling: None = None,
        *,
        delay: Any = None,
        name: str | None = None,
        interpolation: str = "linear",
    ) -> Coupling: ...
    def add_edge(
        self,
        source: Any,
        target: Any,
        coupling: Coupling | None = None,
        *,
        delay: Any = None,
        name: str | None = None,
        interpolation: str = "linear",
    ) -> Coupling:
        """Couple a source (a state or output) to a target (an input).

        Parameters
        ----------
        source, target : port, path, or node
            A node with one output (input) stands for it.
        coupling : Coupling, optional
            How the source acts; by default it is added, one to one.
        delay : quantity of time, optional
            A scalar or one per edge, ``(target, source)``; any value >= 0.
        name : str, optional
            Its parameters' address: ``"long_range.k"``. Default: ``source->target``.
        interpolation : {"linear", "nearest"}
            Delays that are no multiple of dt are interpolated (to the order of the method), or
            rounded to the nearest step.
        """
        start, end = self._source(source), self._target(target)
        where = f"{start} -> {end}"
        if coupling is None:
            coupling = Coupling()
        if not isinstance(coupling, Coupling):
            raise GraphError(
                f"the coupling of {where} must be one of braingraph.edges, as in "
                f"edges.AdditiveCoupling(conn=W), but is {type(coupling).__name__}.",
                source=start,
                target=end,
            )
        edge = Edge(
            name=self._edge_name(name, f"{start}->{end}"),
            source=start,
            target=end,
            coupling=coupling,
            delay=None,
            interpolation=_interpolation(interpolation, where),
            number=self._nx.number_of_edges(),
        )
        shape = (self._size(end), self._size(start))
        _check_conn(coupling.conn, shape, where)
        edge = replace(edge, delay=_checked_delay(delay, shape, coupling, where))
        from braingraph.doctor import check_edge

        check_edge(self, edge)
        placed = coupling.bound(self, edge.name)
        self._nx.add_edge(
            start.split(".")[0],
            end.split(".")[0],
            key=edge.name,
            edge=replace(edge, coupling=placed),
        )
        return placed

    # ------------------------------------------------------------ reading
    @property
    def nodes(self) -> dict[str, Node | Graph]:
        """Direct children by name."""
        return {name: data["model"] for name, data in self._nx.nodes(data=True)}

    @property
    def edges(self) -> dict[str, Edge]:
        """Direct edges by name, in order of insertion."""
        found = [data["edge"] for _, _, data in self._nx.edges(data=True)]
        return {edge.name: edge for edge in sorted(found, key=lambda edge: edge.number)}

    def models(self) -> dict[str, Node]:
        """Every vertex of the hierarchy by its dotted path."""
        out: dict[str, Node] = {}
        for name, child in self.nodes.items():
            if isinstance(child, Graph):
                out |= {f"{name}.{path}": model for path, model in child.models().items()}
            else:
                out[name] = child
        return out

    def all_edges(self) -> list[Edge]:
        """Every edge of the hierarchy, with dotted paths, and those of composite nodes."""
        out = []
        for name, child in self.nodes.items():
            if isinstance(child, Graph):
                for e in child.all_edges():
                    rename = e.rename and {k: f"{name}.{v}" for k, v in e.rename.items()}
                    out.append(
                        replace(
                            e,
                            name=f"{name}.{e.name}",
                            source=f"{name}.{e.source}",
                            target=f"{name}.{e.target}",
                            rename=rename,
                        )
                    )
            else:
                out += _internal(name, child)
        return [*out, *self.edges.values()]

    def __getitem__(self, path: str) -> Any:
        """The node, edge or port at a dotted path."""
        if path in self.edges:
            return self.edges[path].coupling
        head, _, rest = path.partition(".")
        if head not in self._nx:
            known = [*self.nodes, *self.edges]
            raise PortError(
                f"there is no node or edge '{head}' here.{did_you_mean(head, known)} "
                f"There are: {', '.join(known) or 'none yet'}.",
                path=path,
            )
        child = self.nodes[head]
        if not rest:
            return child
        if isinstance(child, Graph):
            return child[rest]
        return getattr(child, rest) if rest in child.signals() else _no_port(child, rest)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_"):
                raise AttributeError(name)
            return self[name]

    def __contains__(self, path: str) -> bool:
        try:
            self[path]
        except GraphError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self._nx)

    @property
    def path(self) -> str:
        return self._path

    def bound(self, graph: Graph, path: str) -> Self:
        """The copy that stands in ``graph`` at ``path``; its children answer with full paths."""
        copy = type(self).__new__(type(self))
        copy.__dict__.update(self.__dict__)
        copy._nx = self._nx.copy()
        copy._graph, copy._path = graph, path
        for name, data in copy._nx.nodes(data=True):
            data["model"] = data["model"].bound(copy, name)
        return copy

    # ------------------------------------------------------------ networkx
    def to_networkx(self) -> nx.MultiDiGraph:
        """A copy for algorithms and drawing: vertices and edges of the whole hierarchy.

        Vertex attributes: ``model`` (the class's name), ``size``, ``object``. Edge attributes:
        ``source``, ``target`` (ports), ``coupling`` (name), ``delay`` (ms or None), ``object``.
        """
        out = nx.MultiDiGraph()
        for path, model in self.models().items():
            out.add_node(path, model=type(model).__name__, size=model.size, object=model)
        for e in self.all_edges():
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

    @classmethod
    def from_networkx(cls, graph: Any, *, node: Any, edge: Any) -> Graph:
        """A graph with one node per networkx vertex and one edge per networkx edge.

        ``node(name, attributes)`` returns a model; ``edge(u, v, attributes)`` returns the
        keyword arguments of :meth:`add_edge` (``source`` and ``target`` as port names).
        """
        out = cls()
        names = {v: str(v).replace(" ", "_").replace("-", "_") for v in graph.nodes}
        if len(set(names.values())) < len(names):
            raise GraphError("two networkx nodes have the same name as text: rename one.")
        for vertex, attributes in graph.nodes(data=True):
            out.add_node(names[vertex], node(vertex, attributes))
        for start, end, attributes in graph.edges(data=True):
            given = dict(edge(start, end, attributes))
            source, target = given.pop("source"), given.pop("target")
            out.add_edge(f"{names[start]}.{source}", f"{names[end]}.{target}", **given)
        return out

    # ------------------------------------------------------------ shown
    def __repr__(self) -> str:
        at = f" at '{self._path}'" if self._path else ""
        return f"Graph({len(self)} nodes, {len(self.edges)} edges){at}"

    def __str__(self) -> str:
        from braingraph.show import graph_tree

        return graph_tree(self).text()

    def _repr_html_(self) -> str:
        from braingraph.show import graph_tree

        return graph_tree(self).html()

    def draw(self, path: str | None = None) -> Any:
        """The graph as SVG, written to ``path`` if given. Shows itself in notebooks."""
        from braingraph.show import draw

        return draw(self, path)

    # ------------------------------------------------------------ inside
    def resolve(self, path: str) -> tuple[Node, _Signal]:
        """The model and the declared signal at a port's path."""
        node_path, _, signal = path.rpartition(".")
        if not node_path:
            raise PortError(f"'{path}' is no port: name one of its signals, as in '{path}.x'.")
        model = self[node_path]
        if not isinstance(model, Node):
            raise PortError(f"'{node_path}' is not a node, so it has no port '{signal}'.")
        if signal not in model.signals():
            _no_port(model, signal, node_path)
        return model, model.signals()[signal]

    def _size(self, path: str) -> int:
        model, _ = self.resolve(path)
        return model.signal_size(path.rpartition(".")[2])

    def _source(self, given: Any) -> str:
        path = self._port_path(given, ("output", "state"), "source")
        _, signal = self.resolve(path)
        if not isinstance(signal, (State, Output)):
            raise PortError(
                f"an edge must start at a state or an output, but {path} is an {signal.kind}.",
                path=path,
            )
        return path

    def _target(self, given: Any) -> str:
        path = self._port_path(given, ("input",), "target")
        model, signal = self.resolve(path)
        if signal.kind != "input":
            raise PortError(
                f"an edge must end at an input, but {path} is a {signal.kind}."
                f"{did_you_mean(path.rpartition('.')[2] + '_inp', model._inputs)}",
                path=path,
            )
        return path

    def _port_path(self, given: Any, kinds: tuple[str, ...], role: str) -> str:
        if isinstance(given, Port):
            return self._here(given)
        if isinstance(given, str) and given in self and isinstance(self[given], (Node, Graph)):
            given = self[given]
        if isinstance(given, str):
            self.resolve(given)
            return given
        if not isinstance(given, Node) or given._graph is None:
            raise PortError(
                f"the {role} of an edge must be a port such as cortex.x, its path, or a node of "
                f"this graph, but is {given!r}."
            )
        for kind in kinds:
            ports = [name for name, s in given.signals().items() if s.kind == kind]
            if len(ports) == 1:
                return self._here(Port(given._graph, given._path, ports[0]))
            if ports:
                break
        raise PortError(
            f"'{given._path}' ({type(given).__name__}) has {len(ports)} possible {role} ports: "
            f"name one of {', '.join(ports) or 'none'}.",
            path=given._path,
        )

    def _here(self, port: Port) -> str:
        """A port's path as this graph sees it, climbing from the graph that holds the node."""
        holder, path = port.graph, port.path
        while holder is not self:
            if holder is None or holder._graph is None:
                raise PortError(
                    f"{port.path} belongs to another graph: use the copy that add_node returned.",
                    path=port.path,
                )
            holder, path = holder._graph, f"{holder._path}.{path}"
        return path

    def _edge_name(self, given: str | None, default: str) -> str:
        taken = self.edges
        if given is None:
            name, k = default, 2
            while name in taken:
                name, k = f"{default}#{k}", k + 1
        else:
            name = given
            if not name or "." in name:
                raise GraphError(f"an edge's name must not be empty or have dots: {given!r}.")
            if name in taken or name in self._nx:
                raise GraphError(f"the name '{name}' is taken: names are unique.", name=name)
        return name


# ---------------------------------------------------------------- checks of one call
def _labels(labels: Any, model: Node, name: str) -> tuple[str, ...] | None:
    if labels is None:
        return model.labels
    out = tuple(str(label) for label in labels)
    if len(out) != model.size:
        raise ShapeError(
            f"'{name}' has {model.size} units, but {len(out)} labels.",
            given=len(out),
            needed=model.size,
        )
    return out


def _no_port(model: Node, signal: str, path: str = "") -> Any:
    by_kind: dict[str, list[str]] = {}
    for name, declared in model.signals().items():
        if declared.kind != "noise":
            by_kind.setdefault(declared.kind, []).append(f"{name} {show(declared.unit(model))}")
    menu = "; ".join(f"{kind}s: {', '.join(names)}" for kind, names in by_kind.items())
    raise PortError(
        f"'{path or model.path}' ({type(model).__name__}) has no port '{signal}'."
        f"{did_you_mean(signal, model.signals())} {menu[:1].upper()}{menu[1:]}.",
        path=f"{path or model.path}.{signal}",
    )


def _interpolation(given: str, where: str) -> str:
    if given not in INTERPOLATIONS:
        raise ParameterError(
            f"interpolation of {where} is {given!r}, but must be one of "
            f"{', '.join(map(repr, INTERPOLATIONS))}.{did_you_mean(str(given), INTERPOLATIONS)}",
            parameter="interpolation",
        )
    return given


def _check_conn(conn: Any, shape: tuple[int, int], where: str) -> None:
    if conn is None:
        if shape[0] != shape[1]:
            raise ShapeError(
                f"{where} connects {shape[1]} units to {shape[0]}: give weights of shape {shape} "
                "(target, source), as in edges.AdditiveCoupling(conn=W), or conn=1.0 for all to "
                "all.",
                given=None,
                needed=shape,
            )
        return
    plain = np.asarray(u.get_magnitude(conn))
    if plain.ndim == 0 or plain.shape == shape:
        return
    fix = " The transpose fits: pass conn.T." if plain.shape == shape[::-1] else ""
    raise ShapeError(
        f"the weights of {where} have shape {plain.shape}, but must be {shape}: "
        f"[target, source].{fix}",
        given=plain.shape,
        needed=shape,
    )


def _checked_delay(delay: Any, shape: tuple[int, int], coupling: Coupling, where: str) -> Any:
    if delay is None:
        return None
    given = unit_of(delay)
    if not same_dimension(given, TIME):
        raise UnitError(
            f"the delay of {where} is in {show(given)}, but must be a time: divide lengths by a "
            "speed, as in delay=lengths / (5 * u.mm / u.ms).",
            given=given,
            needed=TIME,
        )
    plain = np.asarray(strip(delay, TIME, "delay"), float)
    if plain.ndim and plain.shape != shape:
        fix = " The transpose fits: pass delay.T." if plain.shape == shape[::-1] else ""
        raise ShapeError(
            f"the delays of {where} have shape {plain.shape}, but must be a scalar or {shape}: "
            f"[target, source].{fix}",
            given=plain.shape,
            needed=shape,
        )
    used = np.ones(shape, bool) if coupling.conn is None else coupling_mask(coupling, shape)
    wrong = (~np.isfinite(plain) | (plain < 0)) & (used if plain.ndim else True)
    if np.any(wrong):
        at = tuple(int(k) for k in np.argwhere(np.atleast_1d(wrong))[0])
        value = np.atleast_1d(plain)[at]
        raise DelayError(
            f"the delay of {where} is {value:g} ms{f' at {at}' if plain.ndim else ''}: delays must "
            "be finite and not negative.",
            source=where.split(" -> ")[0],
            target=where.split(" -> ")[1],
            at=at,
            value=float(value),
        )
    plain = np.where(wrong | ~np.isfinite(plain), 0.0, plain)
    plain.setflags(write=False)
    return plain


def coupling_mask(coupling: Coupling, shape: tuple[int, int]) -> np.ndarray:
    """Which of the (target, source) pairs an edge connects: weights that are not zero."""
    if coupling.conn is None:
        return np.eye(shape[0], dtype=bool)
    return np.broadcast_to(np.asarray(u.get_magnitude(coupling.conn)) != 0, shape)


def _internal(name: str, model: Node) -> list[Edge]:
    out = []
    for e in model.internal_edges():
        where = f"{name}.{e.source} -> {name}.{e.target}"
        shape = (model.signal_size(e.target), model.signal_size(e.source))
        _check_conn(e.coupling.conn, shape, where)
        out.append(
            Edge(
                f"{name}.{e.name}",
                f"{name}.{e.source}",
                f"{name}.{e.target}",
                e.coupling,
                _checked_delay(e.delay, shape, e.coupling, where),
                rename={k: f"{name}.{v}" for k, v in (e.rename or {}).items()},
            )
        )
    return out
