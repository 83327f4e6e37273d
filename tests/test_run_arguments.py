"""What a run is given: where it starts, how long it lasts, and what drives it on the way."""

from __future__ import annotations

from typing import Any

import brainunit as u
import numpy as np
import pytest
from test_errors import Relay, ids, loop, refused

import braingraph as bg
from braingraph import nodes, observers
from braingraph.component import Node, Output, State

MS = u.ms


def summing() -> bg.Simulator:
    """x' = x_inp: Euler's sums are the inputs' sums."""
    g = bg.Graph()
    g.add_node("cortex", nodes.LinearStep(2, gamma=0.0, init_x=0.0))
    return bg.Simulator(g, dt=1 * MS, method="euler")


SIM = summing()
REFUSED: list[tuple[str, dict[str, Any], type[bg.BraingraphError], str, dict[str, Any]]] = [
    (f"{what} {text}", {what: value}, error, message, fields)
    for what in ("initial", "history")
    for text, value, error, message, fields in [
        ("form", 5, bg.ParameterError, "is 5, but must be values by path, as in", {}),
        ("node", {"kortex.x": 1}, bg.PortError, "mean 'cortex'", {"path": "kortex"}),
        ("name", {"cortex.z": 1}, bg.PortError, "no port 'z'", {"path": "cortex.z"}),
        ("input", {"cortex.x_inp": 1}, bg.PortError, "is of another kind", {}),
        ("NaN", {"cortex.x": np.nan}, bg.ParameterError, "not finite", {"parameter": what}),
        ("text", {"cortex.x": "x"}, bg.ParameterError, "must be numbers", {"parameter": what}),
    ]
]
REFUSED += [
    ("nothing", {"duration": 0 * MS}, bg.ClockError, "duration must be positive, but is 0 ms", {}),
    ("past", {"duration": -3 * MS}, bg.ClockError, "must be positive, but is -3 ms", {}),
    (
        "transient",
        {"transient": 4 * MS},
        bg.ParameterError,
        "transient is 4 ms, but must be shorter than the duration of 4 ms",
        {"parameter": "transient"},
    ),
    (
        "rows",
        {"inputs": {"cortex.x_inp": np.ones((3, 2))}},
        bg.ShapeError,
        r"inputs\['cortex.x_inp'\] has 3 rows, but the run has 4 steps",
        {"given": (3, 2), "needed": (4, 2)},
    ),
    (
        "memory",
        {"duration": 2e9 * MS, "batch_size": 10**6},
        bg.RunError,
        r"what is recorded takes 1.6e\+07 GB, more than there is memory.*store=",
        {},
    ),
]


@pytest.mark.parametrize("case", REFUSED, ids=ids(REFUSED))
def test_a_bad_argument_is_refused_before_anything_is_compiled(case: Any) -> None:
    _, given, error, text, fields = case
    sim = summing()
    refused(lambda: sim.run(**{"duration": 4 * MS, **given}), error, text, fields)
    assert sim.compilations() == 0


def test_values_by_port_or_path_start_a_run() -> None:
    x = SIM.graph["cortex"].x
    for key in (x, "cortex.x"):
        ds = SIM.run(2 * MS, initial={key: [1.0, 2.0]}, transient=0 * MS)
        np.testing.assert_array_equal(ds["cortex.x"], [[1, 2], [1, 2]])
    two: Any = np.int64(2)
    ds = SIM.run(2 * MS, batch_size=two)
    assert ds["cortex.x"].shape == (2, 2, 2)


def test_rows_of_an_input_are_steps_of_the_run_it_is_given_to() -> None:
    rows = np.arange(8.0).reshape(4, 2)
    SIM.run(4 * MS, inputs={"cortex.x_inp": rows})
    count = SIM.compilations()
    for start in (4, 8):
        before = SIM.state
        assert before is not None and before.step == start
        ds = SIM.run(4 * MS, inputs={"cortex.x_inp": rows}, initial=before)
        expected = before.states["cortex.x"] + np.cumsum(rows, 0)
        np.testing.assert_allclose(ds["cortex.x"], expected)
    assert SIM.compilations() <= count + 1


def test_the_message_of_an_algebraic_loop_starts_at_an_output() -> None:
    with pytest.raises(bg.AlgebraicLoopError) as caught:
        bg.Simulator(loop(), dt=0.1 * MS)
    assert str(caught.value) == (
        "these signals need each other within one step: a.y -> b.inp -> b.y -> a.inp -> a.y. "
        "Break it with a delay of at least dt, as in delay=0.1 * u.ms, or read a state."
    )


def test_an_edge_between_clocks_that_do_not_fit_is_one_finding() -> None:
    g = bg.Graph()
    slow, fast = g.add_node("slow", nodes.LinearStep(1, dt=1 * MS)), Relay(1, dt=0.4 * MS)
    g.add_edge(slow.x, g.add_node("fast", fast).inp)
    refused(lambda: bg.Simulator(g, dt=0.1 * MS), bg.ClockError, "'slow' runs at 1 ms", {})


def test_an_output_has_one_value_a_unit_and_units_that_fit() -> None:
    def outer(self: Any, s: Any, i: Any) -> Any:
        return s.x[:, None] * s.x

    def mixed(self: Any, s: Any, i: Any) -> Any:
        return s.x + i.t

    body = {"x": State(0.1), "update": lambda self, s, i, dt: {"x": s.x}}
    for function, error, text in [
        (outer, bg.ModelError, r"output 'y' has shape \(3, 3\), but must have \(3,\)"),
        (mixed, bg.UnitError, r"'c' \(M\): the units inside do not fit: ms != 1\.$"),
    ]:
        model = type("M", (Node,), {**body, "y": Output()(function)})
        refused(lambda model=model: bg.Graph().add_node("c", model(3)), error, text, {"path": "c"})


def test_a_state_goes_on_only_what_it_came_from() -> None:
    """An observer that was left out has no past: watching it later is refused, not made up."""
    g = bg.Graph()
    cortex = g.add_node("cortex", nodes.HopfStep(2, a=0.1, init_x=0.1, init_y=0.0))
    bold = g.add_node("bold", observers.BOLDSignal(2, dt=1 * u.ms))
    g.add_edge(cortex.x, bold.z, delay=2 * u.ms)
    sim = bg.Simulator(g, dt=0.1 * u.ms)
    sim.run(3 * u.ms, monitors=["cortex.x"], progress=False)
    with pytest.raises(bg.RunError, match="holds nothing for") as caught:
        sim.run(3 * u.ms, monitors=["bold.bold"], initial=sim.state, progress=False)
    assert "bold.x" in caught.value.fields["missing"]
