"""How graphs print and draw themselves: a tree for text and HTML, and SVG written by ourselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import numpy as np

from braingraph.component import Coupling, Input, Node, Observer, Output, State, _Signal
from braingraph.graph import Edge, Graph, delays_at, pairs
from braingraph.layout import LABEL, MARGIN, Block, Box, Curve, Point, arrange, route
from braingraph.sparse import Sparse
from braingraph.units import magnitude, show, show_time


# ---------------------------------------------------------------- trees
@dataclass(frozen=True)
class Row:
    """One printed line of a tree: its branch, its aligned columns, and a note at the end."""

    branch: str
    columns: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True)
class Tree:
    """Lines with branches. ``columns`` align among siblings; every note is a line of its own.

    >>> leaves = (Tree(("cortex", "x [1]"), notes=("<- noise",)), Tree(("bold", "s [1]")))
    >>> print(Tree(("2 nodes",), leaves))
    2 nodes
    ├─ cortex  x [1]  <- noise
    └─ bold    s [1]
    """

    columns: tuple[str, ...]
    children: tuple[Tree, ...] = ()
    notes: tuple[str, ...] = ()

    def rows(
        self, branch: str = "", under: str = "", widths: tuple[int, ...] = ()
    ) -> Iterator[Row]:
        """The one walk that text and HTML come from."""
        widths = widths or tuple(len(cell) for cell in self.columns)
        padded = tuple(
            cell.ljust(widths[k]) if k + 1 < len(self.columns) or self.notes else cell
            for k, cell in enumerate(self.columns)
        )
        yield Row(branch, padded, self.notes[0] if self.notes else "")
        blank = tuple(" " * len(cell) for cell in padded)
        for note in self.notes[1:]:
            yield Row(under, blank, note)
        widths = _widths(self.children)
        for k, child in enumerate(self.children, 1):
            last = k == len(self.children)
            yield from child.rows(
                under + ("└─ " if last else "├─ "), under + ("   " if last else "│  "), widths
            )

    def text(self) -> str:
        """The tree in box-drawing characters."""
        return "\n".join(
            (row.branch + "  ".join((*row.columns, row.note))).rstrip() for row in self.rows()
        )

    def html(self) -> str:
        """The tree for notebooks: the same lines, first column in bold, notes dimmed."""
        lines = []
        for row in self.rows():
            first, *rest = (escape(cell) for cell in row.columns)
            if first.strip():
                first = f"<b>{first.rstrip()}</b>" + " " * (len(first) - len(first.rstrip()))
            note = f'<span style="opacity:.6">{escape(row.note)}</span>' if row.note else ""
            lines.append(row.branch + "  ".join((first, *rest, note)).rstrip())
        body = "\n".join(lines)
        return f'<pre class="braingraph" style="line-height:1.3">{body}</pre>'

    def __str__(self) -> str:
        return self.text()


def _widths(trees: tuple[Tree, ...]) -> tuple[int, ...]:
    """Column widths among siblings; a cell with nothing after it pushes no one aside."""
    widths: list[int] = [0] * max((len(tree.columns) for tree in trees), default=0)
    for tree in trees:
        for k, cell in enumerate(tree.columns):
            if k + 1 < len(tree.columns) or tree.notes:
                widths[k] = max(widths[k], len(cell))
    return tuple(widths)


def plural(count: int, noun: str) -> str:
    """``1 node``, ``2 nodes``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


# ---------------------------------------------------------------- graphs as trees
def graph_tree(graph: Graph) -> Tree:
    """A line for every node, a branch for every nested graph, a note for every edge."""
    incoming: dict[str, list[str]] = {}
    for edge in graph.all_edges():
        node, _, port = edge.target.rpartition(".")
        incoming.setdefault(node, []).append(f"<- {port}: {edge.source}{_how(edge)}")
    return Tree((_counts(graph),), _branches(graph, "", incoming))


def _branches(graph: Graph, prefix: str, incoming: dict[str, list[str]]) -> tuple[Tree, ...]:
    out = []
    for name, child in graph.nodes.items():
        path = prefix + name
        if isinstance(child, Graph):
            out.append(Tree((name, _counts(child)), _branches(child, f"{path}.", incoming)))
        else:
            columns = (name, _model(child), _signals(child))
            out.append(Tree(columns, notes=tuple(incoming.get(path, ()))))
    return tuple(out)


def _counts(graph: Graph) -> str:
    models = graph.models().values()
    units = plural(sum(model.size for model in models), "unit")
    return (
        f"Graph: {plural(len(models), 'node')} ({units}), {plural(len(graph.all_edges()), 'edge')}"
    )


def _model(model: Node) -> str:
    shape = " x ".join(map(str, model.in_size))
    return f"{type(model).__name__} x {shape if len(model.in_size) == 1 else f'({shape})'}"


def _signals(model: Node) -> str:
    """What a node is read by: a population's states, a source's or an observer's outputs."""
    signals = model.signals().items()
    states = {name: s for name, s in signals if isinstance(s, State)}
    outputs = {name: s for name, s in signals if isinstance(s, Output)}
    shown: dict[str, _Signal] = {**(states or outputs)}
    if isinstance(model, Observer) and outputs:
        shown = {**outputs}
    groups: dict[str, list[str]] = {}
    for name, signal in shown.items():
        groups.setdefault(show(signal.unit(model)), []).append(name)
    text = ", ".join(f"{', '.join(names)} {unit}" for unit, names in groups.items())
    return text if model.dt is None else f"{text} every {show_time(model.dt)}".lstrip()


def _how(edge: Edge) -> str:
    """`` (long_range: DiffusiveCoupling, 1494 weights, 0.99-28.4 ms)``, or nothing if plain."""
    coupling, parts = edge.coupling, []
    if type(coupling) is not Coupling:
        parts.append(type(coupling).__name__)
    if coupling.conn is not None:
        conn = magnitude(coupling.conn)
        count = len(conn) if isinstance(conn, Sparse) else int(np.count_nonzero(conn))
        parts.append(plural(count, "weight") if np.ndim(conn) else "all to all")
    elif parts:
        parts.append("one to one")
    if edge.delay is not None:
        parts.append(_delay(edge))
    if "->" not in edge.name and edge.rename is None:  # named by the user: its parameters' address
        parts = [f"{edge.name}: {parts[0]}" if parts else edge.name, *parts[1:]]
    return f" ({', '.join(parts)})" if parts else ""


def _delay(edge: Edge) -> str:
    """The range of the delays in use: those of weights that are not zero."""
    delay = edge.delay
    if delay.ndim:
        delay = delays_at(delay, *pairs(edge.coupling, delay.shape))
    if not delay.size:
        return "0 ms"
    low, high = (_number(float(value)) for value in (delay.min(), delay.max()))
    return f"{low} ms" if low == high else f"{low}-{high} ms"


def _number(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


# ---------------------------------------------------------------- graphs as pictures
COLOURS = {  # kind of node: (inside, border)
    "population": ("#dbe9f6", "#3b6ea5"),
    "source": ("#fdebd0", "#b9770e"),
    "observer": ("#ddf0dc", "#3f8f3d"),
}
Arrows = dict[tuple[str, str], list[Edge]]


@dataclass(frozen=True)
class Drawing:
    """A picture as SVG text. ``str(drawing)`` is the file; notebooks show it."""

    svg: str = field(repr=False)

    def __str__(self) -> str:
        return self.svg

    def _repr_svg_(self) -> str:
        return self.svg


def draw(graph: Graph, path: str | Path | None = None) -> Drawing:
    """The graph as SVG: sources left, what they drive right of them, nested graphs in frames."""
    drawing = Drawing(_svg(graph))
    if path is not None:
        Path(path).write_text(drawing.svg, encoding="utf-8")
    return drawing


def _svg(graph: Graph) -> str:
    models = graph.models()
    arrows: Arrows = {}  # one arrow for all edges between two nodes
    for edge in graph.all_edges():
        ends = (edge.source.rpartition(".")[0], edge.target.rpartition(".")[0])
        arrows.setdefault(ends, []).append(edge)

    def leaf(path: str) -> Block:
        loops = len(arrows.get((path, path), ()))
        head = 30 + LABEL * loops if loops else 0.0  # room for the loop and its labels; twice, so
        # that boxes in a row stay level
        width = 24 + 7.0 * max(len(path.rpartition(".")[2]), len(_model(models[path])))
        return Block(width, 2 * head + 46, (Box(path, 0, head, width, 46),))

    def gap(graph: Graph) -> float:
        return 40 + max((_label_width([edge]) for edge in graph.edges.values()), default=0.0)

    block = arrange(graph, leaf, gap)
    boxes = {box.path: box for box in block.boxes if not box.frame}
    frames = [_drawn_box(box, None) for box in block.boxes if box.frame]
    drawn = [_drawn_box(box, models[path]) for path, box in boxes.items()]
    lines = []
    extent: list[Point] = [(0.0, 0.0)]
    for box in block.boxes:
        extent += [(box.x, box.y), (box.x + box.width, box.y + box.height)]
    for (source, target), edges in arrows.items():
        half = _label_width(edges) / 2
        curve = route(boxes[source], boxes[target], list(boxes.values()), half)
        lines.append(_drawn_arrow(curve, edges))
        x, y = curve.label
        extent += [*curve.along(), (x - half, y - LABEL * len(edges)), (x + half, y)]
    return _document(_counts(graph), extent, [*frames, *lines, *drawn])


def _document(title: str, extent: list[Point], drawn: list[str]) -> str:
    left, top = (min(values) - MARGIN for values in zip(*extent, strict=True))
    right, bottom = (max(values) + MARGIN for values in zip(*extent, strict=True))
    size = f'width="{_n(right - left)}" height="{_n(bottom - top)}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} '
        f'viewBox="{_n(left)} {_n(top)} {_n(right - left)} {_n(bottom - top)}" '
        'font-family="sans-serif" text-anchor="middle">',
        f"<title>{escape(title)}</title>",
        '<defs><marker id="braingraph-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
        'markerHeight="8" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#555"/></marker></defs>',
        f'<rect x="{_n(left)}" y="{_n(top)}" {size} fill="white"/>',
        *drawn,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _drawn_box(box: Box, model: Node | None) -> str:
    """A node's box; without a model the frame of a nested graph."""
    name, x = box.path.rpartition(".")[2], _n(box.middle[0])
    place = f'x="{_n(box.x)}" y="{_n(box.y)}" width="{_n(box.width)}" height="{_n(box.height)}"'
    title = f'<text x="{x}" y="{_n(box.y + 20)}" font-size="13" font-weight="bold">{name}</text>'
    if model is None:
        shape = f'<rect {place} rx="6" fill="none" stroke="#999" stroke-dasharray="4 3"/>'
        return f'<g class="graph"><title>{box.path}</title>{shape}{title}</g>'
    kind = _kind(model)
    inside, border = COLOURS[kind]
    return (
        f'<g class="{kind}"><title>{box.path}: {escape(_signals(model))}</title>'
        f'<rect {place} rx="6" fill="{inside}" stroke="{border}"/>{title}'
        f'<text x="{x}" y="{_n(box.y + 36)}" font-size="11">{escape(_model(model))}</text></g>'
    )


def _kind(model: Node) -> str:
    if isinstance(model, Observer):
        return "observer"
    has_input = any(isinstance(signal, Input) for signal in model.signals().values())
    return "population" if has_input else "source"  # nothing drives noise and stimuli


def _drawn_arrow(curve: Curve, edges: list[Edge]) -> str:
    start, *others = (f"{_n(x)},{_n(y)}" for x, y in curve.points)
    tip = "\n".join(f"{edge.source} -> {edge.target}{_how(edge)}" for edge in edges)
    x, y = curve.label
    texts = [
        f'<text x="{_n(x)}" y="{_n(y - LABEL * above)}" font-size="10" fill="#333" '
        f'stroke="white" stroke-width="3" paint-order="stroke">{escape(line)}</text>'
        for above, line in enumerate(reversed(_labels(edges)))
    ]
    return (
        f'<g class="edge"><title>{escape(tip)}</title><path d="M{start} C{" ".join(others)}" '
        f'fill="none" stroke="#555" marker-end="url(#braingraph-arrow)"/>{"".join(texts)}</g>'
    )


def _labels(edges: list[Edge]) -> list[str]:
    """What an arrow says: the coupling and its delays, or the port where a plain edge ends."""
    out = []
    for edge in edges:
        plain = type(edge.coupling) is Coupling
        name = edge.target.rpartition(".")[2] if plain else type(edge.coupling).__name__
        out.append(name if edge.delay is None else f"{name}, {_delay(edge)}")
    return out


def _label_width(edges: list[Edge]) -> float:
    return 5.6 * max(len(line) for line in _labels(edges))


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
