"""Building and reading a graph: paths, copies, nesting, networkx, and what it all costs."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import brainunit as u
import networkx as nx
import numpy as np
import pytest
from test_errors import network

import braingraph as bg
from braingraph import edges, evaluate, nodes
from braingraph.ports import Port

RING = np.array([[0, 1, 0], [0, 0, 2], [1, 0, 0]])
DT = 0.1 * u.ms


def column() -> bg.Graph:
    """Excitation drives inhibition, with a delay."""
    g = bg.Graph()
    e, i = g.add_node("e", nodes.LinearStep(2, gamma=-1.0)), g.add_node("i", nodes.LinearStep(2))
    g.add_edge(e.x, i.x_inp, edges.AdditiveCoupling(k=0.5), delay=0.2 * u.ms, name="feed")
    g.add_edge(i.x, e.x_inp, edges.AdditiveCoupling(k=-0.1))
    return g


# ---------------------------------------------------------------- paths
def test_everything_has_a_path() -> None:
    g, a, b = network()
    named: Any = g  # nodes are attributes too, which type checkers cannot know
    assert g["a"] is a and named.a is a and g["long"] is g.edges["long"].coupling
    assert str(g["a.x"]) == str(a.x) == "a.x" and isinstance(g["a.x"], Port)
    assert g["a.a"] == 0.25 and g["c.Ae"] == 3.25 * u.mV
    assert g["long.k"] == 1 and g["long.conn"].shape == (2, 2)
    assert a.path == "a" and g["long"].path == "long" and g.path == ""
    assert "a.x" in g and "long.k" in g and "zz" not in g and "a.zz" not in g and 3 not in g  # type: ignore[operator]
    assert list(g) == ["a", "b", "c"] and len(g) == 3
    unnamed = g.add_edge(a.y, b.y_inp, edges.AdditiveCoupling(k=2.0))
    again = g.add_edge(a.y, b.y_inp, edges.AdditiveCoupling(k=3.0))
    assert unnamed.path == "a.y->b.y_inp" and g["a.y->b.y_inp.k"] == 2
    assert again.path == "a.y->b.y_inp#2" and g["a.y->b.y_inp#2.k"] == 3


def test_ends_may_be_ports_paths_or_nodes_with_one() -> None:
    g = bg.Graph()
    x = g.add_node("x", nodes.LinearStep(2))
    noise = g.add_node("noise", nodes.WhiteNoise(2))
    for source, target in [(noise, x), (noise.out, x.x_inp), ("noise", "x"), ("noise.out", x)]:
        g.add_edge(source, target)
    assert {(e.source, e.target) for e in g.edges.values()} == {("noise.out", "x.x_inp")}
    assert len(g.edges) == 4


def test_adding_copies_so_one_object_may_be_added_twice() -> None:
    g, inner = bg.Graph(), column()
    left, right = g.add_node("left", inner), g.add_node("right", inner)
    model = nodes.LinearStep(2)
    p, q = g.add_node("p", model), g.add_node("q", model)
    assert p is not q and str(p.x) == "p.x" and str(q.x) == "q.x"
    inner.add_node("late", nodes.LinearStep(1))
    assert sorted(g.models()) == ["left.e", "left.i", "p", "q", "right.e", "right.i"]
    assert str(left["e"].x) == "left.e.x" and str(right["e"].x) == "right.e.x"
    assert left["e"].x != right["e"].x and left["e"].x == g["left.e.x"]
    assert left.path == "left" and left["e"].path == g["left.e"].path == "left.e"
    assert repr(left["e"]) == "LinearStep(2, gamma=-1) at 'left.e'"
    g.add_edge(left["e"].x, right["e"].x_inp, edges.AdditiveCoupling(k=3.0), name="across")
    assert (g.edges["across"].source, g.edges["across"].target) == ("left.e.x", "right.e.x_inp")
    assert [e.name for e in g.all_edges()] == [
        "left.feed",
        "left.i.x->e.x_inp",
        "right.feed",
        "right.i.x->e.x_inp",
        "across",
    ]
    assert g["left.feed.k"] == 0.5 and g["left.i.x->e.x_inp.k"] == -0.1
    outer = bg.Graph()
    outer.add_node("whole", g)
    assert str(outer["whole.left.e.x"]) == "whole.left.e.x"
    assert outer["whole.left.feed.k"] == 0.5 and outer["whole.across.k"] == 3


def test_nested_graphs_run_and_are_addressed_by_their_paths() -> None:
    g = bg.Graph()
    left, right = g.add_node("left", column()), g.add_node("right", column())
    g.add_edge(left["e"].x, right["e"].x_inp, edges.AdditiveCoupling(k=5.0), delay=0.3 * u.ms)
    sim = bg.Simulator(g, dt=DT)
    monitors = [left["e"].x, right["e"].x, "right.i.x"]
    ds = sim.run(1 * u.ms, monitors=monitors)
    assert list(ds.data_vars) == ["left.e.x", "right.e.x", "right.i.x"]
    assert ds["right.e.x"].dims == ("time", "right.e")
    driven = {
        "inputs": {"left.e.x_inp": 1.0, right["i"].x_inp: 2.0},
        "params": {"right.e.gamma": -2.0, "left.feed.k": 0.0},
    }
    changed = sim.run(1 * u.ms, monitors=monitors, **driven)  # type: ignore[arg-type]
    assert float(changed["left.e.x"][-1, 0]) > float(ds["left.e.x"][-1, 0]) + 0.3
    assert float(changed["right.i.x"][-1, 0]) > float(ds["right.i.x"][-1, 0]) + 0.1
    assert g["right.e.gamma"] == -1 and g["left.feed.k"] == 0.5
    # a part runs by itself, and its ports go on addressing it
    alone = bg.Simulator(left, dt=DT).run(1 * u.ms, monitors=[left["e"].x])
    np.testing.assert_allclose(alone["e.x"], ds["left.e.x"], rtol=1e-6)


def test_models_survive_copying_and_pickling() -> None:
    model = nodes.WilsonCowanStep(3, tau_E=5 * u.ms)
    for clone in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert repr(clone) == repr(model) and clone.tau_E == 5 * u.ms
    g, _, _ = network()
    clone = copy.deepcopy(g)
    clone.add_node("more", model)
    assert "more" in clone and "more" not in g and clone["a"].x.graph is clone


# ---------------------------------------------------------------- networkx
def test_a_graph_becomes_networkx_and_comes_back() -> None:
    g, a, b = network()
    g.add_edge(b.y, a.x_inp, edges.DiffusiveCoupling([[0, 1], [1, 0]]), delay=3 * u.ms, name="back")
    out = g.to_networkx()
    assert isinstance(out, nx.MultiDiGraph) and list(out.nodes) == ["a", "b", "c"]
    assert out.nodes["a"]["model"] == "HopfStep" and out.nodes["c"]["size"] == 2
    there = out.edges["a", "b", "long"]
    assert (there["source"], there["target"], there["delay"]) == ("a.x", "b.x_inp", None)
    assert out.edges["b", "a", "back"]["coupling"] == "DiffusiveCoupling"
    assert out.edges["b", "a", "back"]["delay"] == 3
    assert nx.is_strongly_connected(out.subgraph(["a", "b"]))

    def edge(start: str, end: str, given: dict[str, Any]) -> dict[str, Any]:
        delay = given["delay"]
        return {
            "source": given["source"].partition(".")[2],
            "target": given["target"].partition(".")[2],
            "coupling": given["object"].coupling,
            "delay": None if delay is None else delay * u.ms,
            "name": given["object"].name,
        }

    back = bg.Graph.from_networkx(out, node=lambda name, given: given["object"], edge=edge)
    assert str(back) == str(g)
    nested = bg.Graph()
    nested.add_node("left", g)
    assert list(nested.to_networkx().nodes) == ["left.a", "left.b", "left.c"]
    assert nested.to_networkx().edges["left.a", "left.b", "left.long"]["source"] == "left.a.x"


def test_generators_of_networkx_make_networks() -> None:
    small = nx.relabel_nodes(nx.cycle_graph(4), {0: "lh-V1 a"})
    g = bg.Graph.from_networkx(
        small,
        node=lambda name, given: nodes.LinearStep(1, gamma=-1.0),
        edge=lambda s, t, given: {"source": "x", "target": "x_inp", "delay": 0.2 * u.ms},
    )
    assert list(g) == ["lh_V1_a", "1", "2", "3"] and len(g.edges) == 8  # both ways
    directed = nx.DiGraph([(0, 1)])
    one = bg.Graph.from_networkx(
        directed,
        node=lambda name, given: nodes.LinearStep(1),
        edge=lambda s, t, given: {"source": "x", "target": "x_inp"},
    )
    assert list(one.edges) == ["0.x->1.x_inp"]


# ---------------------------------------------------------------- cost
def test_a_call_costs_the_same_in_a_large_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kinds of nodes and edges are traced once, and no call walks all edges."""
    traced, walked = [], []
    trace: Any = evaluate.depends_on
    everything: Any = vars(bg.Graph)["edges"]

    def tracing(*given: Any) -> Any:
        traced.append(given)
        return trace(*given)

    def walking(graph: bg.Graph) -> Any:
        walked.append(graph)
        return everything.fget(graph)

    monkeypatch.setattr(evaluate, "depends_on", tracing)
    monkeypatch.setattr(bg.Graph, "edges", property(walking))
    g = bg.Graph()
    units = [g.add_node(f"r{k}", nodes.HopfStep(1)) for k in range(30)]
    for source in units:
        for target in units:
            g.add_edge(source.x, target.x_inp, edges.DiffusiveCoupling(conn=0.1))
    assert len(traced) == 1 and not walked
    assert len(g.edges) == 900
