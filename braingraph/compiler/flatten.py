"""Hierarchy -> vertices and edges with dotted paths, in an order that only paths decide."""

from __future__ import annotations

import re
from typing import Any

from braingraph.compiler.plan import Flat
from braingraph.graph import Graph


def flatten(graph: Graph) -> Flat:
    """Sorted by path (numbers as numbers: r2 before r10), so insertion order changes nothing.

    Sums are then always added up in the same order, which keeps results equal to the last bit.
    """
    models = graph.models()
    vertices = {path: models[path].bound(graph, path) for path in sorted(models, key=natural)}
    edges = sorted(
        graph.all_edges(), key=lambda e: (natural(e.target), natural(e.source), natural(e.name))
    )
    return Flat(vertices, tuple(edges))


def natural(path: str) -> tuple[Any, ...]:
    """A sort key that reads digits as numbers."""
    pieces = re.split(r"(\d+)", path)
    numbers = tuple((int(p), "") if p.isdigit() else (-1, p) for p in pieces)
    return (numbers, path)  # the path itself tells a1 from a01
