"""A port: one named signal of one node in one graph."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Port:
    """What ``cortex.x`` is once ``cortex`` stands in a graph. ``str(port)`` is its path."""

    graph: Any = field(repr=False, compare=False)
    node: str
    signal: str

    @property
    def path(self) -> str:
        return f"{self.node}.{self.signal}"

    def __str__(self) -> str:
        return self.path

    def __repr__(self) -> str:
        return f"Port('{self.path}')"
