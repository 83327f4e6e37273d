"""The description of a network: vertices with ports, edges with couplings and delays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar, overload

import networkx as nx

from braingraph.connections import (
    INTERPOLATIONS,
    Edge,
    checked,
    delays_at,
    internal_edges,
    pairs,
    source_path,
    target_path,
)
from braingraph.coupling import Coupling
from braingraph.declarations import Signal
from braingraph.errors import GraphError, ParameterError, PortError, ShapeError, did_you_mean
from braingraph.node import Node, no_port
from braingraph.parameters import ModelType
from braingraph.ports import Port, address
from braingraph.units import brief

__all__ = ["INTERPOLATIONS", "Edge", "Graph", "delays_at", "pairs"]

N = TypeVar("N", bound="Node | Graph")
C = TypeVar("C", bound=Coupling)


class Graph(metaclass=ModelType):
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
        self._ends: dict[str, tuple[str, str]] = {}  # of every edge, in order of insertion
        self._checked: set[Any] = set()  # kinds of nodes and edges that were traced once
        self._graph: Graph | None = None
        self._path = ""
        self._origin: Graph | None = None  # what this is a copy of, for its ports

    # ------------------------------------------------------------ building
    def add_node(self, name: str, model: N, *, labels: Any = None) -> N:
        """Add a copy of ``model`` and return it, with its ports.

        ``labels``: one name a unit; they become the coordinate of what is recorded.
        """
        from braingraph.doctor import check_edge, check_node

        self._check_name(name, "node")
        if not isinstance(model, (Node, Graph)):
            fix = f"make one, as in {model.__name__}(76)" if isinstance(model, type) else ""
            raise GraphError(
                f"node '{name}' must be a model or a graph, as in nodes.HopfStep(76), but is "
                f"{f'the class {model.__name__}: {fix}' if fix else brief(model)}.",
                name=name,
            )
        if isinstance(model, Node):
            labels = _labels(labels, model, name)
            check_node(self, model, name)
            model = model.with_values(labels=labels)
        elif labels is not None:
            raise GraphError(f"'{name}' is a graph: give labels to its nodes.", name=name)
        placed: N = model.bound(self, name)
        self._nx.add_node(name, model=placed)
        if isinstance(placed, Node):
            try:
                for edge in internal_edges(name, placed):
                    check_edge(self, edge)
            except GraphError:
                self._nx.remove_node(name)
                raise
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
            A scalar or one per edge, ``(target, source)``; any value >= 0. A sparse matrix, as in
            ``lengths * u.mm / speed`` for one of scipy's, has delay 0 where it has no entry, and
            what it has where there is no weight does not count. With sparse weights also one
            value per connection, row after row.
        name : str, optional
            Its parameters' address: ``"long_range.k"``. Default: ``source->target``.
        interpolation : {"linear", "nearest"}
            Delays that are no multiple of dt are interpolated (to the order of the method), or
            rounded to the nearest step.
        """
        start, end = source_path(self, source), target_path(self, target)
        given: Any = Coupling() if coupling is None else coupling
        edge = Edge(
            self._edge_name(name, f"{start}->{end}"), start, end, given, None, interpolation
        )
        edge = checked(self, edge, delay)
        placed = edge.coupling.bound(self, edge.name)
        self._place(replace(edge, coupling=placed))
        return placed

    def _place(self, edge: Edge) -> None:
        """Put an edge in, or in the place of the one of its name."""
        ends = edge.source.partition(".")[0], edge.target.partition(".")[0]
        self._nx.add_edge(*ends, key=edge.name, edge=edge)
        self._ends[edge.name] = ends

    # ------------------------------------------------------------ reading
    @property
    def nodes(self) -> dict[str, Node | Graph]:
        """Direct children by name."""
        return {name: data["model"] for name, data in self._nx.nodes(data=True)}

    @property
    def edges(self) -> dict[str, Edge]:
        """Direct edges by name, in order of insertion."""
        return {name: self._edge(name) for name in self._ends}

    def _edge(self, name: str) -> Edge:
        edge: Edge = self._nx.edges[(*self._ends[name], name)]["edge"]
        return edge

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
                out += internal_edges(name, child)
        return [*out, *self.edges.values()]

    def __getitem__(self, path: str) -> Any:
        """The node, coupling, port or parameter at a dotted path.

        >>> from braingraph import nodes
        >>> g = Graph()
        >>> _ = g.add_node("cortex", nodes.HopfStep(3, a=-0.02))
        >>> g["cortex"], g["cortex.x"], float(g["cortex.a"])
        (HopfStep(3, a=-0.02) at 'cortex', Port('cortex.x'), -0.02)
        """
        if not isinstance(path, str):
            raise PortError(f"a path is text, such as 'cortex.x', but is {brief(path)}.")
        if path in self._ends:
            return self._edge(path).coupling
        owner, _, name = path.rpartition(".")
        if owner in self._ends:
            return _parameter(self._edge(owner).coupling, name, owner)
        head, _, rest = path.partition(".")
        if head not in self._nx:
            self._nothing(head)
        child = self._nx.nodes[head]["model"]
        if not rest:
            return child
        if isinstance(child, Graph):
            return child[rest]
        if rest in child.signals():
            return getattr(child, rest)
        return child.__dict__[rest] if rest in child._specs else no_port(child, rest)

    def _nothing(self, name: str, methods: Iterable[str] = ()) -> NoReturn:
        known = [*self.nodes, *self._ends]
        raise PortError(
            f"there is no node or edge '{name}' in {self._title()}."
            f"{did_you_mean(name, [*known, *methods])} "
            f"There are: {', '.join(known) or 'none yet'}.",
            path=address(self, name),
        )

    def _title(self) -> str:
        return f"'{self.path}'" if self._path else "this graph"

    if not TYPE_CHECKING:  # or type checkers would take every misspelling

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_"):
                raise AttributeError(f"Graph has no attribute {name!r}")
            if name not in self._nx and name not in self._ends:
                self._nothing(name, (k for k in dir(Graph) if not k.startswith("_")))
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
        """The dotted path in the graph around it, or ''."""
        return address(self._graph, self._path)

    def bound(self, graph: Graph | None, path: str) -> Self:
        """The copy that stands in ``graph`` at ``path``; its children answer with full paths."""
        copy = type(self).__new__(type(self))
        copy.__dict__.update(self.__dict__)
        copy._nx, copy._ends = self._nx.copy(), dict(self._ends)
        copy._graph, copy._path = graph, path
        copy._origin = (self._origin or self) if graph is None else None
        for name, data in copy._nx.nodes(data=True):
            data["model"] = data["model"].bound(copy, name)
        for name in copy._ends:
            edge = copy._edge(name)
            copy._place(replace(edge, coupling=edge.coupling.bound(copy, name)))
        return copy

    # ------------------------------------------------------------ networkx
    def to_networkx(self) -> nx.MultiDiGraph:
        """A copy for algorithms and drawing: vertices and edges of the whole hierarchy.

        Vertex attributes: ``model`` (the class's name), ``size``, ``object``. Edge attributes:
        ``source``, ``target`` (ports), ``coupling`` (name), ``delay`` (in ms: a number, a matrix,
        the entries of a sparse one, or None), ``object``.
        """
        from braingraph.exchange import to_networkx

        return to_networkx(self)

    @classmethod
    def from_networkx(
        cls,
        graph: Any,
        *,
        node: Callable[[Any, dict[str, Any]], Node | Graph],
        edge: Callable[[Any, Any, dict[str, Any]], Mapping[str, Any]],
    ) -> Graph:
        """A graph with one node per networkx vertex and one edge per networkx edge.

        ``node(name, attributes)`` returns a model; ``edge(u, v, attributes)`` returns the
        keyword arguments of :meth:`add_edge` (``source`` and ``target`` as port names). In the
        names of vertices, blanks and hyphens become underscores. An undirected edge stands for
        two, one each way.

        >>> import networkx as nx
        >>> from braingraph import edges, nodes
        >>> g = Graph.from_networkx(
        ...     nx.path_graph(3),
        ...     node=lambda name, attributes: nodes.HopfStep(1),
        ...     edge=lambda u, v, attributes: {
        ...         "source": "x", "target": "x_inp", "coupling": edges.AdditiveCoupling(k=0.1)
        ...     },
        ... )
        >>> list(g.edges)
        ['0.x->1.x_inp', '1.x->0.x_inp', '1.x->2.x_inp', '2.x->1.x_inp']
        """
        from braingraph.exchange import from_networkx

        return from_networkx(cls(), graph, node, edge)

    # ------------------------------------------------------------ shown
    def __repr__(self) -> str:
        at = f" at '{self.path}'" if self._path else ""
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
    def resolve(self, path: str) -> tuple[Node, Signal]:
        """The model and the declared signal at a port's path."""
        node_path, _, signal = path.rpartition(".")
        if not node_path:
            fix = f"name one of its signals, as in '{path}.x'."
            if path not in self:
                self._nothing(path)
            raise PortError(f"'{path}' is no port: {fix}", path=path)
        model = self[node_path]
        if not isinstance(model, Node):
            raise PortError(f"'{node_path}' is no node, so it has no port '{signal}'.", path=path)
        if signal not in model.signals():
            no_port(model, signal)
        return model, model.signals()[signal]

    def _size(self, path: str) -> int:
        model, _ = self.resolve(path)
        return model.signal_size(path.rpartition(".")[2])

    def path_of(self, port: Port) -> str:
        """A port's path as this graph sees it, climbing from the graph that holds the node."""
        holder, path = port.graph, port.local
        while holder is not self and (holder is None or holder is not self._origin):
            if holder is None or holder._graph is None:
                raise PortError(
                    f"{port.path} belongs to another graph: use the copy that add_node returned.",
                    path=port.path,
                )
            holder, path = holder._graph, f"{holder._path}.{path}"
        return path

    def _edge_name(self, given: str | None, default: str) -> str:
        if given is not None:
            self._check_name(given, "edge")
            return given
        name, k = default, 2
        while name in self._ends:
            name, k = f"{default}#{k}", k + 1
        return name

    def _check_name(self, name: Any, kind: str) -> None:
        if not isinstance(name, str) or not name.replace("_", "a").isalnum():
            fixed = (
                "".join(c if c.isalnum() else "_" for c in name) if isinstance(name, str) else ""
            )
            raise GraphError(
                f"the name of {_AN[kind]} must be letters, digits and underscores, but is {name!r}"
                f"{f': take {fixed!r}.' if fixed.strip('_') else '.'}",
                name=name,
            )
        if name in self._nx or name in self._ends:
            taken = "node" if name in self._nx else "edge"
            raise GraphError(
                f"there is {_AN[taken]} '{name}' already: names are unique.", name=name
            )
        if name in _DIMENSIONS:
            raise GraphError(
                f"{_AN[kind]} cannot be called '{name}': that is a dimension of what is recorded.",
                name=name,
            )


_AN = {"node": "a node", "edge": "an edge"}
_DIMENSIONS = ("time", "replica", "data")


def _labels(labels: Any, model: Node, name: str) -> tuple[str, ...] | None:
    if labels is None:
        return model.labels
    if isinstance(labels, str) or not isinstance(labels, Iterable):
        raise ParameterError(
            f"the labels of '{name}' must be a list of {model.extent} names, but are "
            f"{brief(labels)}.",
            parameter="labels",
        )
    out = tuple(str(label) for label in labels)
    if len(out) not in (model.extent, model.size):
        raise ShapeError(
            f"'{name}' has {model.extent} units, but {len(out)} labels.",
            given=len(out),
            needed=model.extent,
        )
    return out


def _parameter(coupling: Coupling, name: str, owner: str) -> Any:
    if name in coupling._specs:
        return coupling.__dict__[name]
    raise PortError(
        f"'{owner}' ({type(coupling).__name__}) has no parameter '{name}'."
        f"{did_you_mean(name, coupling._specs)} It has: {', '.join(coupling._specs)}.",
        path=f"{owner}.{name}",
    )
