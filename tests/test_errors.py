"""Every mistake in a description: refused where it was made, by class, with fields and a fix."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import brainunit as u
import networkx as nx
import numpy as np
import pytest

import braingraph as bg
from braingraph import edges, nodes
from braingraph.component import Input, Node, Output, State

ONES = np.ones((2, 2))
Case = tuple[str, Callable[..., Any], type[bg.BraingraphError], str, dict[str, Any]]


def ids(cases: list[Any]) -> list[str]:
    return [case[0] for case in cases]


def refused(
    call: Callable[..., Any], error: type[bg.BraingraphError], text: str, fields: dict[str, Any]
) -> None:
    """The call raises exactly this class, says this, and carries these fields."""
    with pytest.raises(error) as caught:
        call()
    assert type(caught.value) is error
    assert re.search(text, str(caught.value)), str(caught.value)
    for name, value in fields.items():
        assert caught.value.fields[name] == getattr(caught.value, name) == value, name


# ---------------------------------------------------------------- the messages of the design
class Relay(Node):
    """Passes its input on within the step."""

    inp = Input()

    @Output()
    def y(self, s: Any, i: Any) -> Any:
        return 2 * i.inp + 1


class Growing(Node):
    """Multiplied by a factor every step: exact in float32 for powers of two."""

    factor: float = 2.0
    x = State(1.0)

    def update(self, s: Any, i: Any, dt: Any) -> dict[str, Any]:
        return {"x": self.factor * s.x}


def areas() -> tuple[bg.Graph, Any, Any]:
    g = bg.Graph()
    return g, g.add_node("cortex", nodes.WilsonCowanStep(80)), g.add_node("thalamus", Relay(2))


def message(error: type[bg.BraingraphError], call: Callable[[], Any]) -> str:
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


def test_the_message_of_a_port_error() -> None:
    _, cortex, _ = areas()
    assert message(bg.PortError, lambda: cortex.rEE) == (
        "'cortex' (WilsonCowanStep) has no port 'rEE'. Did you mean 'rE'? "
        "States: rE [1], rI [1]; inputs: rE_inp [1], rI_inp [1]."
    )
    assert not hasattr(cortex, "rEE") and hasattr(cortex, "rE")


def test_the_message_of_a_shape_error() -> None:
    g, cortex, thalamus = areas()
    transposed = edges.AdditiveCoupling(conn=np.ones((80, 2)))
    assert message(bg.ShapeError, lambda: g.add_edge(cortex.rE, thalamus.inp, transposed)) == (
        "the weights of cortex.rE -> thalamus.inp have shape (80, 2), but must be (2, 80): "
        "[target, source]. The transpose fits: pass conn.T."
    )


def test_the_message_of_a_unit_error() -> None:
    g, cortex, thalamus = areas()
    lengths = np.ones((2, 80)) * u.mm
    coupling = edges.AdditiveCoupling(conn=np.ones((2, 80)))
    assert message(
        bg.UnitError, lambda: g.add_edge(cortex.rE, thalamus.inp, coupling, delay=lengths)
    ) == (
        "the delay of cortex.rE -> thalamus.inp is in [mm], but must be a time: divide lengths by "
        "a speed, as in delay=lengths / (5 * u.mm / u.ms)."
    )


def loop(delay: Any = None) -> bg.Graph:
    g = bg.Graph()
    a, b = g.add_node("a", Relay(1)), g.add_node("b", Relay(1))
    g.add_edge(a.y, b.inp)
    g.add_edge(b.y, a.inp, delay=delay)
    return g


@pytest.mark.parametrize("delay", [None, 0 * u.ms, 0.05 * u.ms])
def test_the_message_of_an_algebraic_loop(delay: Any) -> None:
    with pytest.raises(bg.AlgebraicLoopError) as caught:
        bg.Simulator(loop(delay), dt=0.1 * u.ms)
    path = caught.value.fields["loop"]
    assert path[0] == path[-1] and len(path) == 5
    assert set(zip(path, path[1:], strict=False)) == {
        ("a.y", "b.inp"),
        ("b.inp", "b.y"),
        ("b.y", "a.inp"),
        ("a.inp", "a.y"),
    }
    assert str(caught.value) == (
        f"these signals need each other within one step: {' -> '.join(path)}. Break it with a "
        "delay of at least dt, as in delay=0.1 * u.ms, or read a state."
    )


def test_a_delay_of_a_step_breaks_the_loop() -> None:
    bg.Simulator(loop(0.1 * u.ms), dt=0.1 * u.ms)


def test_the_message_of_a_divergence() -> None:
    g = bg.Graph()
    labels = [f"region {k}" for k in range(90)]
    labels[17] = "lh-precuneus"
    factor = np.ones(90)
    factor[[17, 40, 41]] = 2.0
    g.add_node("cortex", Growing(90, factor=factor), labels=labels)
    sim = bg.Simulator(g, dt=0.1 * u.ms)
    assert message(bg.DivergenceError, lambda: sim.run(20 * u.ms)) == (
        "cortex.x is not finite at t = 12.8 ms: 3 of 90 units, first unit 17 ('lh-precuneus'). "
        "The last finite value was 1.7e+38. Try a smaller dt (now 0.1 ms)."
    )


def test_two_vertices_of_one_kind_in_a_chain_are_no_loop() -> None:
    g = bg.Graph()
    a, b = g.add_node("a", Relay(1)), g.add_node("b", Relay(1))
    x = g.add_node("x", Growing(1))
    g.add_edge(b.y, a.inp)
    g.add_edge(x.x, b.inp)
    ds = bg.Simulator(g, dt=0.1 * u.ms).run(0.3 * u.ms, monitors=["x.x", "a.y", "b.y"])
    np.testing.assert_array_equal(ds["x.x"][:, 0], [2, 4, 8])
    np.testing.assert_array_equal(ds["b.y"][:, 0], [5, 9, 17])
    np.testing.assert_array_equal(ds["a.y"][:, 0], [11, 19, 35])


# ---------------------------------------------------------------- nodes and edges of a graph
def network() -> tuple[bg.Graph, Any, Any]:
    """Two oscillators ``a`` and ``b``, a column ``c``, and an edge ``long``."""
    g = bg.Graph()
    a, b = g.add_node("a", nodes.HopfStep(2)), g.add_node("b", nodes.HopfStep(2))
    g.add_node("c", nodes.JansenRitStep(2))
    g.add_edge(a.x, b.x_inp, edges.AdditiveCoupling(conn=ONES), name="long")
    return g, a, b


def delayed(delay: Any) -> Callable[..., Any]:
    return lambda g, a, b: g.add_edge(a.x, b.x_inp, edges.AdditiveCoupling(ONES), delay=delay)


def column(*coupling: Any) -> Callable[..., Any]:
    return lambda g, a, b: g.add_edge("c.eeg", "c.E_inp", *coupling)


ENDS = {"source": "a.x", "target": "b.x_inp"}
CALLS: list[Case] = [
    # ports
    ("node", lambda g, a, b: g.aa, bg.PortError, "no node or edge 'aa'.*mean 'a'", {"path": "aa"}),
    ("method", lambda g, a, b: g.add_nodes, bg.PortError, "Did you mean 'add_node'", {}),
    ("path", lambda g, a, b: g["a.z"], bg.PortError, r"'a' \(Ho.*no port 'z'", {"path": "a.z"}),
    ("edge's", lambda g, a, b: g["long.kk"], bg.PortError, "'kk'.*mean 'k'", {"path": "long.kk"}),
    ("no path", lambda g, a, b: g[3], bg.PortError, "a path is text", {}),
    ("too deep", lambda g, a, b: g["a.x.y"], bg.PortError, "no port 'x.y'", {}),
    ("parameter", lambda g, a, b: g.add_edge("a.a", b.x_inp), bg.PortError, "is a parameter", {}),
    ("seed page", lambda g, a, b: a.init_all_states(), bg.PortError, "mean 'init_state'", {}),
    (
        "ends at a state",
        lambda g, a, b: g.add_edge(a.x, b.x),
        bg.PortError,
        "end at an input, but b.x is a state. Did you mean 'x_inp'",
        {"path": "b.x"},
    ),
    (
        "starts at an input",
        lambda g, a, b: g.add_edge("a.x_inp", b.x_inp),
        bg.PortError,
        "start at a state or an output, but a.x_inp is an input",
        {"path": "a.x_inp"},
    ),
    ("which", lambda g, a, b: g.add_edge(a, b.x_inp), bg.PortError, "2 possible.*x, y", {}),
    ("where to", lambda g, a, b: g.add_edge(a.x, "b"), bg.PortError, "name one of x_inp, y_i", {}),
    ("nowhere", lambda g, a, b: g.add_edge(a.x, "zz"), bg.PortError, "no node or edge 'zz'", {}),
    ("array", lambda g, a, b: g.add_edge(ONES, b.x_inp), bg.PortError, "must be a port", {}),
    ("an edge", lambda g, a, b: g.add_edge("long", b.x_inp), bg.PortError, "must be a port", {}),
    (
        "port of another graph",
        lambda g, a, b: network()[0].add_edge(a.x, b.x_inp),
        bg.PortError,
        "a.x belongs to another graph: use the copy that add_node returned",
        {"path": "a.x"},
    ),
    (
        "model in no graph",
        lambda g, a, b: g.add_edge(nodes.HopfStep(2).x, b.x_inp),
        bg.PortError,
        r"HopfStep.x has no place yet.*g.add_node\('c', HopfStep\(...\)\), and use c.x",
        {},
    ),
    # delays
    (
        "delay without unit",
        delayed(5.0),
        bg.UnitError,
        r"in \[1\], but must be a time: give it a unit, as in delay=5 \* u.ms",
        ENDS,
    ),
    ("lengths", delayed(ONES), bg.UnitError, r"lengths / \(5 \* u.mm / u.ms\)", ENDS),
    ("delay as text", delayed("5 ms"), bg.UnitError, "must be a time", ENDS),
    ("past", delayed(-1 * u.ms), bg.DelayError, "is -1 ms: .*not negative", {"value": -1.0}),
    (
        "NaN delay",
        delayed([[0, 1], [np.nan, 1]] * u.ms),
        bg.DelayError,
        r"is nan ms at \(1, 0\)",
        {"at": (1, 0), **ENDS},
    ),
    (
        "delays",
        delayed(np.ones(3) * u.ms),
        bg.ShapeError,
        r"scalar or \(2, 2\)",
        {"given": (3,), "needed": (2, 2), **ENDS},
    ),
    (
        "interpolation",
        lambda g, a, b: g.add_edge(a.x, b.x_inp, interpolation="linaer"),
        bg.ParameterError,
        "'linear', 'nearest'. Did you mean 'linear'",
        {"parameter": "interpolation"},
    ),
    # weights and gains
    (
        "no weights",
        lambda g, a, b: g.add_edge(a.x, g.add_node("d", Relay(3))),
        bg.ShapeError,
        r"connects 2 units to 3: give weights of shape \(3, 2\) \(target, source\)",
        {"given": None, "needed": (3, 2)},
    ),
    (
        "one row of weights",
        lambda g, a, b: g.add_edge(a.x, b.x_inp, edges.AdditiveCoupling([1, 2])),
        bg.ShapeError,
        r"shape \(2,\), but must be \(2, 2\): \[target, source\]",
        {"given": (2,), **ENDS},
    ),
    (
        "gains",
        lambda g, a, b: g.add_edge(a.x, b.x_inp, edges.AdditiveCoupling(ONES, k=[1, 2, 3])),
        bg.ShapeError,
        r"k of a.x -> b.x_inp has shape \(3,\), but must be one number or one per target, \(2,\)",
        {"given": (3,), "needed": (2,), **ENDS},
    ),
    (
        "a parameter of the source per target",
        column(edges.SigmoidalJansenRitCoupling(ONES, midpoint=[6, 7] * u.mV)),
        bg.ShapeError,
        "midpoint of c.eeg -> c.E_inp acts on the source",
        {"source": "c.eeg"},
    ),
    (
        "unit",
        column(edges.AdditiveCoupling(ONES)),
        bg.UnitError,
        r"carries \[mV\] out of AdditiveCoupling, but c.E_inp takes \[Hz\]. Give the coupling a "
        r"gain in \[Hz / mV\], as in k=1.0 \* u.Hz / u.mV.",
        {"source": "c.eeg", "target": "c.E_inp", "given": u.mV, "needed": u.Hz},
    ),
    ("bare unit", column(), bg.UnitError, r"AdditiveCoupling\(k=1.0 \* u.Hz / u.mV\)", {}),
    (
        "unit of a gain",
        column(edges.AdditiveCoupling(ONES, k=2 * u.Hz)),
        bg.UnitError,
        "Multiply its gain k by a number in",
        {},
    ),
    (
        "plain noise into millivolts",
        lambda g, a, b: g.add_edge(g.add_node("n", nodes.WhiteNoise(2)), "c.M_inp"),
        bg.UnitError,
        r"carries \[1\] out of Coupling.*gain in \[mV\], as in .*k=1.0 \* u.mV",
        {"target": "c.M_inp"},
    ),
    (
        "units inside a coupling",
        lambda g, a, b: g.add_edge("c.Mv", "c.E_inp", edges.SigmoidalJansenRitCoupling(ONES)),
        bg.UnitError,
        "the units inside SigmoidalJansenRitCoupling do not fit: mV / s != mV",
        {"source": "c.Mv"},
    ),
    (
        "unpaired",
        lambda g, a, b: g.add_edge(a.x, g.add_node("d", Relay(2)), edges.DiffusiveCoupling(ONES)),
        bg.PortError,
        r"d.inp is paired with none: declare it as Input\(state=...\)",
        {"path": "d.inp"},
    ),
    (
        "class of coupling",
        lambda g, a, b: g.add_edge(a.x, b.x_inp, edges.AdditiveCoupling),
        bg.GraphError,
        r"AdditiveCoupling\(conn=W\), but is the class AdditiveCoupling: make one",
        ENDS,
    ),
    (
        "bare weights",
        lambda g, a, b: g.add_edge(a.x, b.x_inp, ONES),
        bg.GraphError,
        "array of",
        ENDS,
    ),
    # names, labels, models
    ("twice", lambda g, a, b: g.add_node("a", Relay(1)), bg.GraphError, "already", {"name": "a"}),
    ("an edge's", lambda g, a, b: g.add_node("long", Relay(1)), bg.GraphError, "edge 'long'", {}),
    ("empty", lambda g, a, b: g.add_node("", Relay(1)), bg.GraphError, "letters, digits", {}),
    ("number", lambda g, a, b: g.add_node(3, Relay(1)), bg.GraphError, "but is 3", {"name": 3}),
    ("dot", lambda g, a, b: g.add_node("d.e", Relay(1)), bg.GraphError, "take 'd_e'", {}),
    ("blank", lambda g, a, b: g.add_node("d e", Relay(1)), bg.GraphError, "take 'd_e'", {}),
    ("time", lambda g, a, b: g.add_node("time", Relay(1)), bg.GraphError, "a dimension", {}),
    (
        "edge like a node",
        lambda g, a, b: g.add_edge(a.x, b.x_inp, name="a"),
        bg.GraphError,
        "there is a node 'a' already",
        {"name": "a"},
    ),
    (
        "edge like an edge",
        lambda g, a, b: g.add_edge(a.x, b.x_inp, name="long"),
        bg.GraphError,
        "there is an edge 'long' already",
        {"name": "long"},
    ),
    (
        "edge with a dot",
        lambda g, a, b: g.add_edge(a.x, b.x_inp, name="l.r"),
        bg.GraphError,
        "an edge must be letters.*take 'l_r'",
        {},
    ),
    (
        "class of model",
        lambda g, a, b: g.add_node("d", nodes.HopfStep),
        bg.GraphError,
        r"is the class HopfStep: make one, as in HopfStep\(76\)",
        {"name": "d"},
    ),
    ("no model", lambda g, a, b: g.add_node("d", 76), bg.GraphError, "a model or a graph", {}),
    (
        "labels",
        lambda g, a, b: g.add_node("d", Relay(2), labels=["left"]),
        bg.ShapeError,
        "'d' has 2 units, but 1 labels",
        {"given": 1, "needed": 2},
    ),
    (
        "text as labels",
        lambda g, a, b: g.add_node("d", Relay(2), labels="lr"),
        bg.ParameterError,
        "a list of 2 names, but are 'lr'",
        {"parameter": "labels"},
    ),
    (
        "labels of a graph",
        lambda g, a, b: g.add_node("d", bg.Graph(), labels=["left"]),
        bg.GraphError,
        "give labels to its nodes",
        {"name": "d"},
    ),
]


@pytest.mark.parametrize("case", CALLS, ids=ids(CALLS))
def test_a_mistake_in_a_graph_fails_in_its_line(case: Case) -> None:
    _, call, error, text, fields = case
    g, a, b = network()
    refused(lambda: call(g, a, b), error, text, fields)
    assert set(g.nodes) - {"d", "n"} == {"a", "b", "c"} and list(g.edges) == ["long"]


def test_nested_mistakes_are_named_by_their_full_path() -> None:
    inner, a, b = network()
    g = bg.Graph()
    left: Any = g.add_node("left", inner)  # its nodes are unknown to type checkers
    for call in (lambda: g["left.a.z"], lambda: left.a.z, lambda: g.add_edge("left.a.z", "left.b")):
        refused(call, bg.PortError, "^'left.a' .HopfStep. has no port 'z'", {"path": "left.a.z"})
    refused(lambda: g["left.d"], bg.PortError, "'d' in 'left'", {"path": "left.d"})
    refused(lambda: g.add_edge(a.x, left.b.x_inp), bg.PortError, "a.x belongs to another", {})
    refused(lambda: g.add_edge(left, left.b.x_inp), bg.PortError, "must be a port", {})


@pytest.mark.parametrize(
    "edge, error, text",
    [
        ({"source": "x"}, bg.ParameterError, r"edge\(0, 1\) returned no target"),
        ({}, bg.ParameterError, "no source and no target"),
        ({"source": "x", "target": "z"}, bg.PortError, "has no port 'z'"),
    ],
)
def test_mistakes_from_networkx(edge: Any, error: Any, text: str) -> None:
    def convert(graph: Any) -> bg.Graph:
        return bg.Graph.from_networkx(
            graph, node=lambda name, a: nodes.HopfStep(1), edge=lambda s, t, a: edge
        )

    refused(lambda: convert(nx.path_graph(2)), error, text, {})
    refused(lambda: convert(nx.Graph([("a b", "a-b")])), bg.GraphError, "same name as text", {})
