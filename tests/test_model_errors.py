"""Every mistake in a model: in its class, and in what its functions return."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import brainunit as u
import numpy as np
import pytest
from test_errors import Case, ids, refused

import braingraph as bg
from braingraph import nodes
from braingraph.component import (
    Coupling,
    Input,
    InternalEdge,
    Node,
    Observer,
    Output,
    StandardNormal,
    State,
)
from braingraph.units import Quantity


def define(base: type, annotations: dict[str, Any] | None = None, **body: Any) -> Any:
    """A class as its body would define it; ``annotations`` make parameters."""
    return type("M", (base,), {"__annotations__": annotations or {}, **body})


def relax(self: Any, s: Any, i: Any) -> Any:
    return {"x": -s.x}


def step(self: Any, s: Any, i: Any, dt: Any) -> Any:
    return {"x": 0.5}


# ---------------------------------------------------------------- class bodies
BODIES: list[Case] = [
    (
        "annotated state",
        lambda: define(Node, {"x": float}, x=State(0.1)),
        bg.ModelError,
        "M.x is a parameter and a signal at once: .*leave out the annotation",
        {},
    ),
    (
        "annotated over a state",
        lambda: define(nodes.LinearStep, {"x": float}, x=0.1),
        bg.ModelError,
        "M.x is a parameter and a signal",
        {},
    ),
    (
        "state over a parameter",
        lambda: define(nodes.LinearStep, gamma=State()),
        bg.ModelError,
        "M.gamma is a parameter of its base and a signal",
        {},
    ),
    (
        "no default",
        lambda: define(Node, {"tau": float}),
        bg.ModelError,
        "M.tau needs a default: tau: ... = value",
        {},
    ),
    (
        "two rules",
        lambda: define(Node, x=State(), derivative=relax, update=step),
        bg.ModelError,
        "M declares both derivative and update: keep one",
        {},
    ),
    (
        "rule over a derivative",
        lambda: define(nodes.LinearStep, update=step),
        bg.ModelError,
        "both derivative and update",
        {},
    ),
    ("bare output", lambda: define(Node, y=Output()), bg.ModelError, "M.y: Output.*decorates", {}),
    (
        "output without brackets",
        lambda: define(Node, y=Output(relax)),
        bg.ModelError,
        r"as in @Output\(unit=u.mV\)",
        {},
    ),
    (
        "pair",
        lambda: define(Node, rate=State(), x_inp=Input(state="rat")),
        bg.ModelError,
        "paired with the state 'rat', which does not exist. Did you mean 'rate'",
        {},
    ),
    ("bounds", lambda: State(0.5, bounds=(1, 0)), bg.ModelError, "1 is not below 0", {}),
    ("bound", lambda: State(0.5, bounds=0.0), bg.ModelError, "bounds must be .low, high", {}),  # type: ignore[arg-type]
    ("unit of a bound", lambda: State(0 * u.mV, bounds=(0 * u.ms, None)), bg.UnitError, "mV", {}),
    (
        "state of a coupling",
        lambda: define(Coupling, x=State()),
        bg.ModelError,
        "a coupling has parameters only",
        {},
    ),
]
RESERVED = ["size", "dt", "path", "labels", "in_size", "update", "replace", "signals", "init_x"]
BODIES += [
    (
        f"signal {k}",
        lambda k=k: define(Node, None, **{k: State()}),
        bg.ModelError,
        f"'{k}' is a res",
        {},
    )
    for k in [*RESERVED, "t", "n"]
]
BODIES += [
    (
        f"parameter {k}",
        lambda k=k: define(Node, {k: float}, **{k: 0.1}),
        bg.ModelError,
        f"'{k}' is a reserved name",
        {},
    )
    for k in RESERVED
]
BODIES += [
    (
        f"coupling's {k}",
        lambda k=k: define(Coupling, {k: float}, **{k: 0.1}),
        bg.ModelError,
        f"'{k}' is a reserved name",
        {},
    )
    for k in ["delay", "pre", "path", "replace"]
]


@pytest.mark.parametrize("case", BODIES, ids=ids(BODIES))
def test_a_class_is_checked_when_it_is_defined(case: Case) -> None:
    _, body, error, text, fields = case
    refused(body, error, text, fields)


def test_bounds_may_have_units_and_are_kept() -> None:
    g = bg.Graph()
    model = define(Node, v=State(1.5 * u.mV, bounds=(1 * u.mV, None)), derivative=falling)
    g.add_node("n", model(1))
    ds = bg.Simulator(g, dt=1 * u.ms).run(2 * u.ms)
    np.testing.assert_array_equal(ds["n.v"], [[1], [1]])


def falling(self: Any, s: Any, i: Any) -> Any:
    return {"v": -s.v / u.ms}


# ---------------------------------------------------------------- what functions return
def returning(function: Callable[..., Any]) -> Callable[[], Any]:
    """Adding a model with two states, an input and this derivative."""

    class M(Node):
        tau: Quantity = 10 * u.ms
        v = State(0.0 * u.mV)
        x = State(0.1)
        v_inp = Input(0.0 * u.mV)

        def derivative(self, s: Any, i: Any) -> Any:
            return function(self, s, i)

    return lambda: bg.Graph().add_node("c", M(3))


def emitting(function: Callable[..., Any], unit: Any = None) -> Callable[[], Any]:
    """Adding a model with one state and this output."""
    out = Output(unit=unit)(lambda self, s, i: function(s, i))
    model = define(Node, x=State(0.1), xi=StandardNormal(), derivative=relax, y=out)
    return lambda: bg.Graph().add_node("c", model(3))


def composite(edge: InternalEdge) -> Callable[[], Any]:
    """Adding a model that brings this edge."""
    model = define(
        Node,
        v=State(0.0 * u.mV),
        v_inp=Input(),
        derivative=falling,
        internal_edges=lambda self: [edge],
    )
    return lambda: bg.Graph().add_node("c", model(3))


AT = {"path": "c"}
RETURNS: list[Case] = [
    (
        "missing",
        returning(lambda m, s, i: {"v": s.v / m.tau}),
        bg.ModelError,
        r"'c' \(M\).derivative must return exactly its states \(v, x\); missing: x",
        AT,
    ),
    (
        "unknown",
        returning(lambda m, s, i: {"v": s.v / m.tau, "x": s.x, "vv": s.x}),
        bg.ModelError,
        "unknown: vv. Did you mean 'v'",
        AT,
    ),
    ("tuple", returning(lambda m, s, i: (s.v, s.x)), bg.ModelError, "a dict of its states", AT),
    ("nothing", returning(lambda m, s, i: None), bg.ModelError, "returned NoneType", AT),
    (
        "unit",
        returning(lambda m, s, i: {"v": s.v, "x": s.x}),
        bg.UnitError,
        r"derivative of 'v' is in \[mV\], but must be in \[mV / ms\]",
        {"given": u.mV, "needed": u.mV / u.ms, **AT},
    ),
    (
        "unit inside",
        returning(lambda m, s, i: {"v": (s.v + s.x) / m.tau, "x": s.x}),
        bg.UnitError,
        r"'c' \(M\): the units inside do not fit.*mV != 1",
        AT,
    ),
    (
        "shape",
        returning(lambda m, s, i: {"v": s.v / m.tau, "x": s.x[:2]}),
        bg.ModelError,
        r"derivative of 'x' has shape \(2,\), but the state has \(3,\)",
        AT,
    ),
    (
        "branch",
        returning(lambda m, s, i: {"v": s.v / m.tau, "x": s.x if s.x[0] > 0 else -s.x}),
        bg.ModelError,
        r"traced, so they cannot branch on values.*jnp.where\(condition, a, b\)",
        AT,
    ),
    (
        "NumPy",
        returning(lambda m, s, i: {"v": s.v / m.tau, "x": np.sin(s.x)}),
        bg.ModelError,
        "hand them to NumPy.*jax.numpy",
        AT,
    ),
    (
        "state",
        returning(lambda m, s, i: {"v": s.w / m.tau, "x": s.x}),
        bg.ModelError,
        r"'c' \(M\): there is no signal 'w' here. There are: v, x",
        AT,
    ),
    (
        "input",
        returning(lambda m, s, i: {"v": i.v_in / m.tau, "x": s.x}),
        bg.ModelError,
        "no signal 'v_in' here. Did you mean 'v_inp'",
        AT,
    ),
    (
        "parameter",
        returning(lambda m, s, i: {"v": s.v / m.taus, "x": s.x}),
        bg.PortError,
        "no port 'taus'. Did you mean 'tau'",
        {},
    ),
    (
        "update",
        lambda: bg.Graph().add_node("c", define(Node, y=State(), update=step)(2)),
        bg.ModelError,
        "update must return exactly its states .y.; missing: y; unknown: x",
        AT,
    ),
    (
        "no rule",
        lambda: bg.Graph().add_node("c", define(Node, x=State())(2)),
        bg.ModelError,
        "neither derivative.self, s, i. nor update",
        AT,
    ),
    (
        "output's unit",
        emitting(lambda s, i: s.x, u.mV),
        bg.UnitError,
        r"output 'y' is in \[1\], but must be in \[mV\]",
        {"given": u.UNITLESS, "needed": u.mV, **AT},
    ),
    (
        "port of an edge inside",
        composite(InternalEdge("l", "v", "w_inp", Coupling())),
        bg.PortError,
        "'c' .M. has no port 'w_inp'. Did you mean 'v_inp'",
        {"path": "c.w_inp"},
    ),
    (
        "unit of an edge inside",
        composite(InternalEdge("l", "v", "v_inp", Coupling())),
        bg.UnitError,
        r"c.v -> c.v_inp carries \[mV\]",
        {"source": "c.v"},
    ),
    (
        "weights of an edge inside",
        composite(InternalEdge("l", "v", "v_inp", Coupling(conn=np.ones((2, 3))))),
        bg.ShapeError,
        r"\(2, 3\), but must be \(3, 3\)",
        {"source": "c.v"},
    ),
]


@pytest.mark.parametrize("case", RETURNS, ids=ids(RETURNS))
def test_a_model_is_traced_when_it_is_added(case: Case) -> None:
    _, add, error, text, fields = case
    refused(add, error, text, fields)


def test_a_refused_model_leaves_no_trace_in_the_graph() -> None:
    g = bg.Graph()
    model = define(
        Node,
        v=State(0.0 * u.mV),
        v_inp=Input(),
        derivative=falling,
        internal_edges=lambda self: [InternalEdge("l", "v", "v_inp", Coupling())],
    )
    with pytest.raises(bg.UnitError):
        g.add_node("c", model(3))
    assert len(g) == 0
    g.add_node("c", nodes.LinearStep(3))


def test_an_observer_is_a_node_like_any_other_until_it_feeds_back() -> None:
    class Mean(Observer):
        x = State()
        x_inp = Input()

        def derivative(self, s: Any, i: Any) -> Any:
            return {"x": i.x_inp - s.x}

    g = bg.Graph()
    cortex, first = g.add_node("cortex", nodes.LinearStep(2)), g.add_node("first", Mean(2))
    second = g.add_node("second", Mean(2))
    g.add_edge(cortex.x, first.x_inp)
    g.add_edge(first.x, second.x_inp)
    bg.Simulator(g, dt=0.1 * u.ms)
    g.add_edge(second.x, cortex.x_inp)
    refused(
        lambda: bg.Simulator(g, dt=0.1 * u.ms),
        bg.GraphError,
        "second.x -> cortex.x_inp: 'second' is an observer and may not feed back",
        {"source": "second.x", "target": "cortex.x_inp"},
    )
