"""Every mistake in the values that models and couplings are given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import brainunit as u
import numpy as np
import pytest
from test_errors import Case, ids, refused

import braingraph as bg
from braingraph import edges, nodes, observers
from braingraph.component import Coupling, Node, State


class Constant(Node):
    """A time constant that is not annotated, so it is no parameter."""

    tau = 10.0
    x = State()

    def derivative(self, s: Any, i: Any) -> Any:
        return {"x": -s.x / self.tau}


# ---------------------------------------------------------------- what a model is given
def given(model: Any, **values: Any) -> Callable[[], Any]:
    return lambda: model(2, **values)


def sizes(size: Any) -> Callable[[], Any]:
    return lambda: nodes.HopfStep(size)


GIVEN: list[Case] = [
    (f"in_size {size!r}", sizes(size), bg.ShapeError, "positive number of units", {"given": size})
    for size in (0, -1, 2.5, "76", None, (), (2, 0), True)
]
GIVEN += [
    (
        "name",
        given(nodes.HopfStep, beat=1.0),
        bg.ParameterError,
        "has no parameter 'beat'. Did you mean 'beta'. It has: a, w, beta, init_x, init_y",
        {"parameter": "beat"},
    ),
    ("state", given(nodes.HopfStep, init_z=1.0), bg.ParameterError, "Did you mean 'init_y'", {}),
    (
        "class constant",
        given(Constant, tau=3.0),
        bg.ParameterError,
        "Annotate it in the class to make it one: tau: ... = value",
        {"parameter": "tau"},
    ),
    (
        "no unit",
        given(nodes.WilsonCowanStep, tau_E=10.0),
        bg.UnitError,
        r"tau_E is in \[1\], but must be in \[ms\]: as in tau_E=10 \* u.ms",
        {"given": u.UNITLESS, "needed": u.ms},
    ),
    ("unit", given(nodes.HopfStep, w=6 * u.Hz), bg.UnitError, r"as in w=0.2\.", {"given": u.Hz}),
    ("text", given(nodes.HopfStep, a="x"), bg.ParameterError, "must be numbers, but is 'x'", {}),
    ("None", given(nodes.HopfStep, a=None), bg.ParameterError, "must be numbers", {}),
    ("flag", given(nodes.HopfStep, a=True), bg.ParameterError, "must be numbers", {}),
    ("ragged", given(nodes.HopfStep, a=[[1, 2], [3]]), bg.ParameterError, "must be numbers", {}),
    (
        "no flag",
        given(nodes.KuramotoNetwork, normalize_by_n=1),
        bg.ParameterError,
        "must be a bool, as its default True is, but is 1",
        {"parameter": "normalize_by_n"},
    ),
    (
        "NaN",
        given(nodes.HopfStep, a=[0, np.nan]),
        bg.ParameterError,
        r"HopfStep.a is not finite at \(1,\): it is nan, but must be a number",
        {"at": (1,), "parameter": "a"},
    ),
    (
        "shape",
        given(nodes.HopfStep, a=[1, 2, 3]),
        bg.ShapeError,
        r"HopfStep.a has shape \(3,\), which does not broadcast to the units \(2,\)",
        {"given": (3,), "needed": (2,)},
    ),
    (
        "positive",
        given(nodes.OUProcess, tau=0 * u.ms),
        bg.ParameterError,
        "OUProcess.tau must be positive, but its least value is 0",
        {"parameter": "tau"},
    ),
    (
        "shape of a start",
        given(nodes.HopfStep, init_x=np.ones(3)),
        bg.ShapeError,
        r"HopfStep.init_x has shape \(3,\).*give one number, or one per unit",
        {"given": (3,), "needed": (2,)},
    ),
    ("NaN start", given(nodes.HopfStep, init_x=np.nan), bg.ParameterError, "is not finite", {}),
    ("text as start", given(nodes.HopfStep, init_x="x"), bg.ParameterError, "must be numbers", {}),
    ("unit of a start", given(nodes.JansenRitStep, init_M=0.1), bg.UnitError, r"\[mV\]", {}),
    ("clock", given(observers.BOLDSignal, dt=10.0), bg.UnitError, r"as in 10 \* u.ms", {}),
    ("clocks", given(observers.BOLDSignal, dt=[1, 2] * u.ms), bg.ParameterError, "one finite", {}),
    (
        "NaN weight",
        lambda: edges.AdditiveCoupling([[0, np.nan], [1, 1]]),
        bg.WeightError,
        r"conn is not finite at \(0, 1\): mend the entry, or set it to 0",
        {"at": (0, 1), "parameter": "conn"},
    ),
    (
        "infinite weight",
        lambda: Coupling(np.inf),
        bg.WeightError,
        "is not finite: mend",
        {"at": ()},
    ),
    (
        "connectome for weights",
        lambda: edges.AdditiveCoupling(bg.load_connectome("tvb76")),
        bg.ParameterError,
        "must be numbers.*pass its weights, as in sc.weights",
        {"parameter": "conn"},
    ),
    ("gain", lambda: edges.AdditiveCoupling(g=1), bg.ParameterError, "It has: conn, k, b", {}),
]


@pytest.mark.parametrize("case", GIVEN, ids=ids(GIVEN))
def test_a_value_is_checked_when_it_is_given(case: Case) -> None:
    _, make, error, text, fields = case
    refused(make, error, text, fields)


ASSIGNED = [
    ("noise", nodes.OUProcess(2), r"g.add_edge\(g.add_node\('noise', OUProcess.*model.x_inp\)"),
    ("a", 0.3, r"model.replace\(a=...\), or params= of a run"),
    ("x", 0.3, r"model.replace\(init_x=...\)"),
    ("x_inp", 0.3, r"driven by an edge, or by inputs=\{'x_inp': ...\}"),
    ("bet", 0.3, "no parameter 'bet' either. Did you mean 'beta'. It has: a, w, beta"),
]


@pytest.mark.parametrize("name, value, text", ASSIGNED, ids=ids(ASSIGNED))
@pytest.mark.parametrize("placed", [False, True])
def test_a_model_does_not_change(name: str, value: Any, text: str, placed: bool) -> None:
    model = nodes.HopfStep(2)
    model = bg.Graph().add_node("cortex", model) if placed else model
    refused(
        lambda: setattr(model, name, value),
        bg.ParameterError,
        f"HopfStep does not change once made. .*{text}",
        {"parameter": name},
    )
    assert model.replace(a=0.3).a == 0.3 and model.a == 0.25


WC = nodes.WilsonCowanStep(2)
START = WC.init_state()
MS = 0.1 * u.ms
STEPS: list[Case] = [
    ("no state", lambda: WC.update(rE_inp=0.1), bg.ParameterError, "state = model.init_st", {}),
    ("no dt", lambda: WC.update(START), bg.ParameterError, r"dt=0.1 \* u.ms", {"parameter": "dt"}),
    ("plain dt", lambda: WC.update(START, dt=0.1), bg.UnitError, r"as in 0.1 \* u.ms", {}),
    (
        "input",
        lambda: WC.update(START, dt=MS, rE_in=1),
        bg.ParameterError,
        "no input 'rE_in'. Did you mean 'rE_inp'. It has: rE_inp, rI_inp",
        {"parameter": "rE_in"},
    ),
    ("unit", lambda: WC.update(START, dt=MS, rE_inp=1 * u.mV), bg.UnitError, "rE_inp is in", {}),
    ("shape", lambda: WC.update(START, dt=MS, rE_inp=[1, 2, 3]), bg.ShapeError, r"\(3,\)", {}),
    ("method", lambda: WC.update(START, dt=MS, method="heu"), bg.ParameterError, "'heun'", {}),
    ("lacking", lambda: WC.update({"rE": 0.1}, dt=MS), bg.ParameterError, "lacks rI", {}),
    ("foreign", lambda: WC.update({**START, "x": 1}, dt=MS), bg.ParameterError, "no state 'x'", {}),
]


@pytest.mark.parametrize("case", STEPS, ids=ids(STEPS))
def test_a_step_by_hand_is_checked(case: Case) -> None:
    _, call, error, text, fields = case
    refused(call, error, text, fields)


def test_every_error_has_one_root_and_its_place_in_the_tree() -> None:
    graph = [bg.PortError, bg.UnitError, bg.ShapeError, bg.DelayError, bg.WeightError]
    graph += [bg.ParameterError, bg.ModelError, bg.AlgebraicLoopError, bg.ClockError]
    assert all(issubclass(error, bg.GraphError) for error in graph)
    assert all(issubclass(error, bg.RunError) for error in (bg.DivergenceError, bg.StoreError))
    assert issubclass(bg.GraphError, bg.BraingraphError)
    assert issubclass(bg.RunError, bg.BraingraphError)
    assert not issubclass(bg.RunError, bg.GraphError)
