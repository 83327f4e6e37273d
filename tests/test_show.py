"""Graphs print and draw themselves: golden outputs, and laws for any picture."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import brainunit as u
import numpy as np
import pytest

from braingraph import Coupling, Graph, Input, Node, Observer, Output, StandardNormal, State
from braingraph.component import parameter
from braingraph.layout import columns
from braingraph.show import Tree, draw, graph_tree, plural


class Oscillator(Node):
    x = State(0.1)
    y = State(0.0)
    x_inp = Input()

    def derivative(self, s: Any, i: Any) -> dict[str, Any]:
        return {"x": i.x_inp - s.y, "y": s.x}


class Relay(Node):
    v = State(-65.0 * u.mV)
    w = State(0.0)
    inp = Input(0.0 * u.mV)

    def derivative(self, s: Any, i: Any) -> dict[str, Any]:
        return {"v": (i.inp - s.v) / (10 * u.ms), "w": -s.w}

    @Output(unit=u.Hz)
    def rate(self, s: Any, i: Any) -> Any:
        return s.v / u.mV * u.Hz


class Noise(Node):
    xi = StandardNormal()

    @Output()
    def out(self, s: Any, i: Any) -> Any:
        return i.xi


class Meter(Observer):
    default_dt = 10 * u.ms
    q = State(1.0)
    z = Input()

    def derivative(self, s: Any, i: Any) -> dict[str, Any]:
        return {"q": i.z - s.q}

    @Output(unit=u.mV)
    def signal(self, s: Any, i: Any) -> Any:
        return s.q * u.mV


class Gain(Coupling):
    k: Any = parameter(1.0, any_unit=True)

    def post(self, s: Any, y: Any, w: Any) -> Any:
        return self.k * s


def resting() -> Graph:
    g = Graph()
    cortex = g.add_node("cortex", Oscillator(3))
    drive = g.add_node("drive", Noise(3))
    meter = g.add_node("meter", Meter(3))
    ring = np.array([[0.0, 2.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    lengths = np.array([[9.0, 2.0, 9.0], [9.0, 9.0, 28.4], [0.987, 9.0, 9.0]])
    g.add_edge(cortex.x, cortex.x_inp, Gain(ring), delay=lengths * u.ms, name="long_range")
    g.add_edge(drive, cortex.x_inp)
    g.add_edge(cortex.x, meter.z)
    return g


def column() -> Graph:
    c = Graph()
    e = c.add_node("e", Oscillator(4))
    relay = c.add_node("relay", Relay(4))
    c.add_edge(e.x, relay.inp, Gain(1.0, k=1 * u.mV))
    c.add_edge(relay.rate, e.x_inp, Gain(k=1 / u.Hz))
    return c


def twins() -> Graph:
    g = Graph()
    g.add_node("left", column())
    g.add_node("right", column())
    g.add_node("noise", Noise((2, 2)))
    g.add_edge("left.relay.rate", "right.e.x_inp", Gain(k=1 / u.Hz), delay=5 * u.ms)
    g.add_edge("noise.out", "left.e.x_inp", delay=1500 * u.ms)
    return g


def everything() -> Graph:
    """Every kind of arrow but one: forward, over a box, down and up a column, and a loop."""
    g, inner = Graph(), Graph()
    inner.add_node("c", Oscillator(1))
    for name, model in {"drive": Noise(1), "a": Oscillator(1), "b": Oscillator(1)}.items():
        g.add_node(name, model)
    g.add_node("box", inner)
    g.add_node("meter", Meter(1))
    g.add_edge("drive.out", "a.x_inp")
    g.add_edge("a.x", "b.x_inp")
    g.add_edge("b.x", "a.x_inp")
    g.add_edge("b.x", "b.x_inp", Gain())
    g.add_edge("b.x", "box.c.x_inp")
    g.add_edge("box.c.x", "meter.z")
    g.add_edge("drive.out", "meter.z")
    return g


def tangled() -> Graph:
    """The other one: arrows from the end of a nested graph to a neighbour and to its start."""
    g, inner = Graph(), Graph()
    for name in "pqr":
        inner.add_node(name, Oscillator(1))
    inner.add_edge("p.x", "q.x_inp")
    inner.add_edge("q.x", "r.x_inp")
    g.add_node("box", inner)
    g.add_node("far", Oscillator(1))
    g.add_edge("box.r.x", "far.x_inp", Gain())
    g.add_edge("far.x", "box.p.x_inp", Gain())
    g.add_edge("box.r.x", "box.p.x_inp", Gain())
    return g


GRAPHS: dict[str, Callable[[], Graph]] = {
    "empty": Graph,
    "resting": resting,
    "twins": twins,
    "everything": everything,
    "tangled": tangled,
}

TEXTS = {
    "empty": "Graph: 0 nodes (0 units), 0 edges",
    "resting": """\
Graph: 3 nodes (9 units), 3 edges
├─ cortex  Oscillator x 3  x, y [1]                 <- x_inp: cortex.x (long_range: Gain, 3 weights, 0.987-28.4 ms)
│                                                   <- x_inp: drive.out
├─ drive   Noise x 3       out [1]
└─ meter   Meter x 3       signal [mV] every 10 ms  <- z: cortex.x""",  # noqa: E501
    "twins": """\
Graph: 5 nodes (20 units), 6 edges
├─ left   Graph: 2 nodes (8 units), 2 edges
│  ├─ e      Oscillator x 4  x, y [1]       <- x_inp: left.relay.rate (Gain, one to one)
│  │                                        <- x_inp: noise.out (1500 ms)
│  └─ relay  Relay x 4       v [mV], w [1]  <- inp: left.e.x (Gain, all to all)
├─ right  Graph: 2 nodes (8 units), 2 edges
│  ├─ e      Oscillator x 4  x, y [1]       <- x_inp: right.relay.rate (Gain, one to one)
│  │                                        <- x_inp: left.relay.rate (Gain, one to one, 5 ms)
│  └─ relay  Relay x 4       v [mV], w [1]  <- inp: right.e.x (Gain, all to all)
└─ noise  Noise x (2 x 2)  out [1]""",
}

HTML = """\
<pre class="braingraph" style="line-height:1.3"><b>Graph: 1 node (1 unit), 1 edge</b>
└─ <b>a</b>  Oscillator x 1  x, y [1]  <span style="opacity:.6">&lt;- x_inp: a.x (1 ms)</span>\
</pre>"""

SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" width="285.2" height="78" viewBox="-16 -16 285.2 78" \
font-family="sans-serif" text-anchor="middle">
<title>Graph: 2 nodes (2 units), 1 edge</title>
<defs><marker id="braingraph-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" \
markerHeight="8" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#555"/></marker></defs>
<rect x="-16" y="-16" width="285.2" height="78" fill="white"/>
<g class="edge"><title>drive.out -&gt; m.z (2 ms)</title><path d="M87,23 C126.6,23 126.6,23 \
166.2,23" fill="none" stroke="#555" marker-end="url(#braingraph-arrow)"/><text x="126.6" y="19" \
font-size="10" fill="#333" stroke="white" stroke-width="3" paint-order="stroke">z, 2 ms</text></g>
<g class="source"><title>drive: out [1]</title><rect x="0" y="0" width="87" height="46" rx="6" \
fill="#fdebd0" stroke="#b9770e"/><text x="43.5" y="20" font-size="13" font-weight="bold">drive\
</text><text x="43.5" y="36" font-size="11">Noise x 1</text></g>
<g class="observer"><title>m: signal [mV] every 10 ms</title><rect x="166.2" y="0" width="87" \
height="46" rx="6" fill="#ddf0dc" stroke="#3f8f3d"/><text x="209.7" y="20" font-size="13" \
font-weight="bold">m</text><text x="209.7" y="36" font-size="11">Meter x 1</text></g>
</svg>
"""


@pytest.mark.parametrize("name", TEXTS)
def test_a_graph_prints_as_a_tree(name: str) -> None:
    assert str(GRAPHS[name]()) == TEXTS[name]


def test_a_nested_graph_prints_with_paths_of_its_own() -> None:
    assert "<- inp: e.x (Gain, all to all)" in str(twins()["right"])


def test_html_is_the_text_with_marks() -> None:
    g = Graph()
    a = g.add_node("a", Oscillator(1))
    g.add_edge(a.x, a.x_inp, delay=1 * u.ms)
    assert g._repr_html_() == HTML


@pytest.mark.parametrize("name", GRAPHS)
def test_html_holds_the_same_characters_as_the_text(name: str) -> None:
    tree = graph_tree(GRAPHS[name]())
    assert "".join(ET.fromstring(tree.html()).itertext()) == tree.text()


def test_trees_escape_what_html_would_read() -> None:
    tree = Tree(("a < b & c",), (Tree(("<i>", "x > y")),))
    assert tree.text() == "a < b & c\n└─ <i>  x > y"
    assert "".join(ET.fromstring(tree.html()).itertext()) == tree.text()


def test_one_subtree_may_stand_twice() -> None:
    leaf = Tree(("leaf",))
    assert Tree(("root",), (leaf, leaf)).text() == "root\n├─ leaf\n└─ leaf"


@pytest.mark.parametrize(("count", "text"), [(0, "0 nodes"), (1, "1 node"), (2, "2 nodes")])
def test_plurals(count: int, text: str) -> None:
    assert plural(count, "node") == text


# ---------------------------------------------------------------- pictures
Rectangle = tuple[float, float, float, float]


def _groups(svg: str, kind: str) -> list[ET.Element]:
    root = ET.fromstring(svg)
    return [g for g in root.findall(".//{*}g") if re.fullmatch(kind, g.attrib["class"])]


def _rectangles(svg: str, kind: str) -> dict[str, Rectangle]:
    out = {}
    for group in _groups(svg, kind):
        title, rect = group.find("{*}title"), group.find("{*}rect")
        assert title is not None and title.text is not None and rect is not None
        x, y, width, height = (float(rect.attrib[k]) for k in ("x", "y", "width", "height"))
        out[title.text.split(":")[0]] = (x, y, x + width, y + height)
    return out


NODE = "population|source|observer"


def test_a_drawing_is_this_svg(tmp_path: Path) -> None:
    g = Graph()
    drive, m = g.add_node("drive", Noise(1)), g.add_node("m", Meter(1))
    g.add_edge(drive, m.z, delay=2 * u.ms)
    drawing = g.draw(str(tmp_path / "g.svg"))
    assert str(drawing) == drawing._repr_svg_() == SVG
    assert (tmp_path / "g.svg").read_text(encoding="utf-8") == SVG


@pytest.mark.parametrize("name", GRAPHS)
def test_every_node_has_a_box_and_boxes_do_not_overlap(name: str) -> None:
    graph = GRAPHS[name]()
    boxes = _rectangles(draw(graph).svg, NODE)
    assert set(boxes) == set(graph.models())
    for (a, b, c, d), (x, y, z, w) in combinations(boxes.values(), 2):
        assert c <= x or z <= a or d <= y or w <= b


@pytest.mark.parametrize("name", GRAPHS)
def test_every_edge_has_an_arrow_from_border_to_border(name: str) -> None:
    graph = GRAPHS[name]()
    svg = draw(graph).svg
    boxes, told = _rectangles(svg, NODE), []
    for group in _groups(svg, "edge"):
        title, path = group.find("{*}title"), group.find("{*}path")
        assert title is not None and title.text is not None and path is not None
        told += [line.split(" (")[0] for line in title.text.splitlines()]
        ends = [port.rpartition(".")[0] for port in told[-1].split(" -> ")]
        numbers = [float(n) for n in re.findall(r"-?[\d.]+", path.attrib["d"])]
        for node, (x, y) in zip(ends, (numbers[:2], numbers[-2:]), strict=True):
            left, top, right, bottom = boxes[node]
            assert left - 0.1 <= x <= right + 0.1 and top - 0.1 <= y <= bottom + 0.1
            assert min(abs(x - left), abs(x - right), abs(y - top), abs(y - bottom)) <= 0.1
    assert sorted(told) == sorted(f"{e.source} -> {e.target}" for e in graph.all_edges())


@pytest.mark.parametrize("name", GRAPHS)
def test_everything_is_inside_the_picture(name: str) -> None:
    svg = draw(GRAPHS[name]()).svg
    left, top, width, height = map(float, ET.fromstring(svg).attrib["viewBox"].split())
    curves = [
        np.reshape([float(n) for n in re.findall(r"-?[\d.]+", path.attrib["d"])], (4, 2))
        for path in ET.fromstring(svg).findall("./{*}g/{*}path")
    ]
    t = np.linspace(0, 1, 101)[:, None]
    bernstein = np.hstack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3])
    boxes = _rectangles(svg, f"graph|{NODE}").values()
    for x, y in [p for r in boxes for p in (r[:2], r[2:])] + [
        p for c in curves for p in bernstein @ c
    ]:
        assert left <= x <= left + width and top <= y <= top + height


def test_frames_hold_their_nodes_and_no_others() -> None:
    svg = draw(twins()).svg
    frames, boxes = _rectangles(svg, "graph"), _rectangles(svg, NODE)
    assert set(frames) == {"left", "right"}
    for frame, (a, b, c, d) in frames.items():
        inside = {p for p, (x, y, z, w) in boxes.items() if a < x and b < y and z < c and w < d}
        assert inside == {p for p in boxes if p.startswith(f"{frame}.")}


def test_columns_go_from_sources_to_observers_and_loops_share_one() -> None:
    assert columns(resting()) == [["drive"], ["cortex"], ["meter"]]
    assert columns(everything()) == [["drive"], ["a", "b"], ["box"], ["meter"]]
    assert columns(Graph()) == []


def test_names_from_models_are_escaped() -> None:
    odd = type("Odd<&>", (Oscillator,), {})
    g = Graph()
    g.add_node("a", odd(1))
    assert any(
        text.text == "Odd<&> x 1" for text in ET.fromstring(draw(g).svg).findall(".//{*}text")
    )
    assert "Odd&lt;&amp;&gt;" in g._repr_html_()
