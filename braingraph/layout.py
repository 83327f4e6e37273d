"""Where boxes and arrows stand in a drawing: geometry only, no text and no SVG."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import networkx as nx

from braingraph.graph import Graph

GAP = 28.0  # between boxes of one column
LABEL = 14.0  # height of a line of text
MARGIN = 16.0
Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A rectangle: a node, or the frame of a nested graph."""

    path: str
    x: float
    y: float
    width: float
    height: float
    frame: bool = False

    @property
    def middle(self) -> Point:
        return self.x + self.width / 2, self.y + self.height / 2


@dataclass(frozen=True)
class Block:
    """Boxes laid out together, in a rectangle of their own."""

    width: float
    height: float
    boxes: tuple[Box, ...]

    def moved(self, x: float, y: float) -> tuple[Box, ...]:
        return tuple(replace(box, x=box.x + x, y=box.y + y) for box in self.boxes)


def arrange(
    graph: Graph, leaf: Callable[[str], Block], gap: Callable[[Graph], float], prefix: str = ""
) -> Block:
    """Columns of blocks; a nested graph is a block in a frame.

    ``leaf(path)`` is the block of a node, ``gap(graph)`` the room its arrows need.
    """
    blocks = {}
    for name, child in graph.nodes.items():
        path = prefix + name
        if isinstance(child, Graph):
            blocks[name] = _framed(path, arrange(child, leaf, gap, f"{path}."))
        else:
            blocks[name] = leaf(path)
    names = columns(graph)
    heights = [sum(blocks[n].height + GAP for n in column) - GAP for column in names]
    tall, x, space = max(heights, default=0.0), 0.0, gap(graph)
    boxes: list[Box] = []
    for column, height in zip(names, heights, strict=True):
        width, y = max(blocks[name].width for name in column), (tall - height) / 2
        for block in (blocks[name] for name in column):
            boxes += block.moved(x + (width - block.width) / 2, y)
            y += block.height + GAP
        x += width + space
    return Block(max(x - space, 0.0), tall, tuple(boxes))


def _framed(path: str, inner: Block) -> Block:
    width, height = inner.width + 2 * MARGIN, inner.height + 2 * MARGIN + LABEL
    frame = Box(path, 0, 0, width, height, frame=True)
    return Block(width, height, (frame, *inner.moved(MARGIN, MARGIN + LABEL)))


def columns(graph: Graph) -> list[list[str]]:
    """Names by distance from the sources; nodes that drive each other share a column."""
    links = nx.DiGraph()
    links.add_nodes_from(graph.nodes)
    for edge in graph.edges.values():
        links.add_edge(edge.source.split(".")[0], edge.target.split(".")[0])
    islands = nx.condensation(links)
    out = []
    for layer in nx.topological_generations(islands):
        members = set().union(*(islands.nodes[island]["members"] for island in layer))
        out.append([name for name in graph.nodes if name in members])
    return out


# ---------------------------------------------------------------- arrows
@dataclass(frozen=True)
class Curve:
    """The four points of a Bezier curve, and the middle of the baseline of its label."""

    points: tuple[Point, Point, Point, Point]
    label: Point

    def along(self) -> list[Point]:
        """Nine points on the curve, from end to end."""
        out = []
        for t in (k / 8 for k in range(9)):
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
            x = sum(w * point[0] for w, point in zip(weights, self.points, strict=True))
            y = sum(w * point[1] for w, point in zip(weights, self.points, strict=True))
            out.append((x, y))
        return out


def route(a: Box, b: Box, boxes: list[Box], half: float) -> Curve:
    """A curve from ``a`` to ``b`` for a label whose half width is ``half``."""
    if a is b:
        x, y = a.middle[0], a.y
        return Curve(((x - 14, y), (x - 32, y - 34), (x + 32, y - 34), (x + 14, y)), (x, y - 30))
    if b.x >= a.x + a.width:
        return _forward(a, b, boxes)
    if a.x < b.x + b.width:
        return _sideways(a, b, half)
    return _backward(a, b, boxes)


def _forward(a: Box, b: Box, boxes: list[Box]) -> Curve:
    """Left to right, over the top of what stands between."""
    (start, y), (end, z) = (a.x + a.width, a.middle[1]), (b.x, b.middle[1])
    centre, bow = (start + end) / 2, (y + z) / 2
    between = [c for c in boxes if c.x >= start and c.x + c.width <= end]
    if any(c.y - 8 < bow < c.y + c.height + 8 for c in between):
        bow = min(c.y for c in between) - 20
        lift = _control(bow, y, z)
        return Curve(((start, y), (start, lift), (end, lift), (end, z)), (centre, bow - 4))
    return Curve(((start, y), (centre, y), (centre, z), (end, z)), (centre, bow - 4))


def _sideways(a: Box, b: Box, half: float) -> Curve:
    """Within a column: down on the right, up on the left."""
    side = 1 if b.y > a.y else -1
    start, end = (box.middle[0] + side * box.width / 2 for box in (a, b))
    out = side * (max(start * side, end * side) + 40)
    y, z = a.middle[1], b.middle[1]
    label = (start + end) / 8 + out * 0.75 + side * (half + 4)
    return Curve(((start, y), (out, y), (out, z), (end, z)), (label, (y + z) / 2 + 4))


def _backward(a: Box, b: Box, boxes: list[Box]) -> Curve:
    """Right to left, underneath everything between."""
    under = [c.y + c.height for c in boxes if c.x + c.width > b.x and c.x < a.x + a.width]
    bow = max(under) + LABEL + 12
    (x, w), (y, z) = (a.middle[0], b.middle[0]), (a.y + a.height, b.y + b.height)
    lift = _control(bow, y, z)
    return Curve(((x, y), (x, lift), (w, lift), (w, z)), ((x + w) / 2, bow - 4))


def _control(middle: float, start: float, end: float) -> float:
    """Both inner points of a Bezier curve that passes ``middle`` halfway."""
    return (8 * middle - start - end) / 6  # its middle weighs the points 1, 3, 3, 1
