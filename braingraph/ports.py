"""A port: one named signal of one node in one graph."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


def address(graph: Any, path: str) -> str:
    """A path of ``graph`` as the outermost graph around it sees it."""
    while graph is not None and graph._graph is not None:
        graph, path = graph._graph, f"{graph._path}.{path}"
    return path


@dataclass(frozen=True, eq=False)
class Port:
    """What ``cortex.x`` is once ``cortex`` stands in a graph. ``str(port)`` is its path."""

    graph: Any = field(repr=False)
    node: str
    signal: str

    @property
    def local(self) -> str:
        """The path as the graph that holds the node sees it."""
        return f"{self.node}.{self.signal}"

    @property
    def path(self) -> str:
        """The dotted path, from the outermost graph."""
        return address(self.graph, self.local)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Port) and self.path == other.path

    def __hash__(self) -> int:
        return hash(self.path)

    def __str__(self) -> str:
        return self.path

    def __repr__(self) -> str:
        return f"Port('{self.path}')"
