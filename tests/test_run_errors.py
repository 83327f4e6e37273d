"""Every mistake in a run: refused before anything is compiled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import brainunit as u
import numpy as np
import pytest
from test_errors import Relay, ids, network, refused

import braingraph as bg
from braingraph import edges, nodes, observers

MS = u.ms
DT = 0.1 * u.ms
ONES = np.ones((2, 2))


def pair() -> bg.Graph:
    g, a, b = network()
    g.add_edge(a.y, b.y_inp, edges.AdditiveCoupling(ONES), delay=1 * MS, name="late")
    return g


SIM = bg.Simulator(pair(), dt=DT)
COLUMN = bg.Simulator(nodes.JansenRitStep(2), dt=DT)
RunCase = tuple[str, dict[str, Any], type[bg.BraingraphError], str, dict[str, Any]]


# ---------------------------------------------------------------- simulators
SIMULATORS: list[tuple[str, Callable[[], Any], type[bg.BraingraphError], str, dict[str, Any]]] = [
    ("dt", lambda: bg.Simulator(pair(), dt=0.1), bg.UnitError, r"dt is 0.1 .*0.1 \* u.ms", {}),
    ("no time", lambda: bg.Simulator(pair(), dt=1 * u.mV), bg.UnitError, r"in \[mV\]", {}),
    ("zero", lambda: bg.Simulator(pair(), dt=0 * MS), bg.ParameterError, "positive, but is 0", {}),
    ("past", lambda: bg.Simulator(pair(), dt=-1 * MS), bg.ParameterError, "positive", {}),
    ("NaN", lambda: bg.Simulator(pair(), dt=np.nan * MS), bg.ParameterError, "one finite", {}),
    ("two", lambda: bg.Simulator(pair(), dt=[1, 2] * MS), bg.ParameterError, "one finite time", {}),
    (
        "method",
        lambda: bg.Simulator(pair(), dt=DT, method="huen"),
        bg.ParameterError,
        "no method 'huen'. Did you mean 'heun'. There are: euler, heun, rk4, exp_euler",
        {"parameter": "method"},
    ),
    (
        "class",
        lambda: bg.Simulator(nodes.HopfStep, dt=DT),  # type: ignore[arg-type]
        bg.GraphError,
        "takes a Graph or a node",
        {},
    ),
    ("empty", lambda: bg.Simulator(bg.Graph(), dt=DT), bg.GraphError, "has no nodes: add one", {}),
]


@pytest.mark.parametrize("case", SIMULATORS, ids=ids(SIMULATORS))
def test_a_simulator_is_checked_when_it_is_made(case: Any) -> None:
    _, make, error, text, fields = case
    refused(make, error, text, fields)


def clocked(model: Any, dt: Any) -> bg.Graph:
    """The pair, a node with a clock of its own, and an edge from it to ``b``."""
    g = pair()
    g.add_node("slow", model.replace(dt=dt))
    g.add_edge("slow", "b.x_inp", edges.AdditiveCoupling(ONES, k=0.1))
    return g


def test_all_findings_come_together() -> None:
    g = clocked(observers.BOLDSignal(2), 0.15 * MS)
    g.add_node("other", nodes.HopfStep(2, dt=0.25 * MS))
    with pytest.raises(bg.GraphError, match="^3 problems in this graph:\n  1. ") as caught:
        bg.Simulator(g, dt=DT)
    found = caught.value.fields["findings"]
    assert [type(e) for e in found] == [bg.ClockError, bg.ClockError, bg.GraphError]
    lines = str(caught.value).splitlines()[1:]
    assert "the clock of 'other' is 0.25 ms" in lines[0] and "take 0.2 ms or 0.3 ms" in lines[0]
    assert "the clock of 'slow' is 0.15 ms" in lines[1] and "take 0.1 ms or 0.2 ms" in lines[1]
    assert "slow.bold -> b.x_inp: 'slow' is an observer and may not feed back" in lines[2]


def test_a_slow_node_feeds_a_faster_one_at_once_only() -> None:
    g = bg.Graph()
    slow = g.add_node("slow", nodes.LinearStep(2, dt=1 * MS))
    g.add_edge(slow.x, g.add_node("b", nodes.HopfStep(2)).x_inp, delay=3 * MS)
    with pytest.raises(bg.ClockError, match="takes no delay") as caught:
        bg.Simulator(g, dt=DT)
    fields = caught.value.fields
    assert (fields["source"], fields["target"]) == ("slow.x", "b.x_inp")


# ---------------------------------------------------------------- runs
def monitor(*given: Any, every: Any = None) -> dict[str, Any]:
    return {"monitors": given[0] if every is None else {given[0]: every}}


FORMS = r"monitors=\['cortex.x'\], \{'cortex.x': 10 \* u.ms\}"
RUNS: list[RunCase] = [
    # times
    ("duration", {"duration": 5}, bg.UnitError, r"duration is 5 .*as in 5 \* u.ms", {}),
    (
        "between steps",
        {"duration": 1.05 * MS},
        bg.ClockError,
        "duration is 1.05 ms, which is no multiple of .*: take 1 ms or 1.1 ms, or another dt",
        {"given": 1.05, "dt": 0.1},
    ),
    ("NaN", {"duration": np.nan * MS}, bg.ParameterError, "one finite time", {}),
    ("nothing", {"duration": 0 * MS}, bg.ClockError, "duration", {"given": 0.0}),
    ("backwards", {"duration": -1 * MS}, bg.ClockError, "duration", {"given": -1.0}),
    ("too long", {"duration": 2**31 * DT}, bg.RunError, "at most 2147483647 steps", {}),
    ("all transient", {"transient": 2 * MS}, bg.ParameterError, "transient", {}),
    ("transient", {"transient": 0.15 * MS}, bg.ClockError, "transient is 0.15 ms", {}),
    ("plain transient", {"transient": 1}, bg.UnitError, "transient is 1", {}),
    *(
        (f"batch {n!r}", {"batch_size": n}, bg.ParameterError, "number of replicas", {})
        for n in (0, -1, 2.5, "x", True)
    ),
    # monitors
    ("none", monitor([]), bg.ParameterError, f"nothing to record.*{FORMS}", {}),
    ("form", monitor(5), bg.ParameterError, f"monitors= is 5, but must be like {FORMS}", {}),
    ("item", monitor([5]), bg.ParameterError, "a path, a port or a callable, but is 5", {}),
    ("no node", monitor("aa.x"), bg.PortError, "'aa'.*mean 'a'", {"path": "aa"}),
    ("no signal", monitor(["a.x", "a.z"]), bg.PortError, "no port 'z'", {"path": "a.z"}),
    ("parameter", monitor(["a.a"]), bg.PortError, "That is a parameter", {}),
    ("node", monitor(["a"]), bg.PortError, "name one of its signals, 'a.x', 'a.y'", {}),
    ("unnamed", monitor([lambda m: m.a.x]), bg.ParameterError, "needs a name: monitors={'l", {}),
    ("plain", monitor("a.x", every=5), bg.UnitError, r"is 5, but must be a time: 5 \* u.ms", {}),
    ("millivolts", monitor("a.x", every=5 * u.mV), bg.UnitError, "monitor 'a.x'", {}),
    ("zero", monitor("a.x", every=0 * MS), bg.ClockError, "must be positive, but is 0", {}),
    ("no multiple", monitor("a.x", every=0.25 * MS), bg.ClockError, "take 0.2 ms or 0.3 ms", {}),
    ("longer", monitor("a.x", every=3 * MS), bg.ParameterError, "of 3 ms, longer than the 2 m", {}),
    (
        "two of a name",
        monitor(["a.x", bg.Record("a.x", every=1 * MS)]),
        bg.ParameterError,
        "two monitors are called 'a.x'",
        {"parameter": "monitors"},
    ),
    ("like a node", monitor({"a": "a.x"}), bg.ParameterError, "a dimension.*'a.out'", {}),
    ("slash", monitor({"a/b": "a.x"}), bg.RunError, "hold a '/'", {"path": "a/b"}),
    ("value", monitor({"v": [1]}), bg.ParameterError, r"a path, a port or a callable", {}),
    ("no signal of", monitor({"v": lambda m: m.a.z}), bg.PortError, "'a' .*no port 'z'", {}),
    ("no node of", monitor({"v": lambda m: m.d.x}), bg.PortError, "no node 'd'", {"path": "d"}),
    ("nothing of", monitor({"v": lambda m: None}), bg.ParameterError, "but returned None", {}),
    ("constant", monitor({"v": lambda m: 3.0}), bg.ParameterError, "from 0 signals", {}),
    ("matrix", monitor({"v": lambda m: m.a.x[:, None]}), bg.ParameterError, r"\(2, 1\)", {}),
    ("mixed", monitor({"v": lambda m: m.c.M + m.c.Mv}), bg.UnitError, "mV != mV / s", {}),
    # inputs
    ("port", {"inputs": {"a.z": 1}}, bg.PortError, "no port 'z'", {"path": "a.z"}),
    (
        "state",
        {"inputs": {"a.x": 1}},
        bg.PortError,
        "drives input ports, but 'a.x' is not one. Did you mean 'x_inp'. Inputs: x_inp, y_inp",
        {"path": "a.x"},
    ),
    (
        "no unit",
        {"inputs": {"c.p": 220}},
        bg.UnitError,
        r"inputs\['c.p'\] is in \[1\], but must be in \[Hz\]: multiply it, as in value \* u.Hz",
        {"given": u.UNITLESS, "needed": u.Hz},
    ),
    ("unit", {"inputs": {"a.x_inp": 1 * u.mV}}, bg.UnitError, r"in \[mV\], but must be in", {}),
    ("unit of f", {"inputs": {"c.p": lambda t: t}}, bg.UnitError, r"\[ms\], but must be in", {}),
    ("text", {"inputs": {"a.x_inp": "x"}}, bg.ParameterError, "must be numbers", {}),
    ("NaN in", {"inputs": {"a.x_inp": np.nan}}, bg.ParameterError, "is not finite", {}),
    (
        "one row",
        {"inputs": {"a.x_inp": [1.0, 2.0]}},
        bg.ShapeError,
        r"shape \(2,\), but must be one number, \(steps, 2\), or a callable.*lambda t: values",
        {"given": (2,)},
    ),
    ("turned", {"inputs": {"a.x_inp": np.ones((2, 20))}}, bg.ShapeError, "pass values.T", {}),
    (
        "shape of f",
        {"inputs": {"a.x_inp": lambda t: np.ones(3)}},
        bg.ShapeError,
        r"returns shape \(3,\), but must return one value, or one for each of 2 units",
        {"given": (3,), "needed": (2,)},
    ),
    # params
    (
        "no parameter",
        {"params": {"a.alpha": 1}},
        bg.ParameterError,
        "there is no parameter 'a.alpha'. Did you mean .* There are: a.a, a.w",
        {"parameter": "a.alpha"},
    ),
    ("no owner", {"params": {"along.k": 1}}, bg.ParameterError, "Did you mean 'long.k'", {}),
    ("a node's size", {"params": {"a.in_size": 3}}, bg.ParameterError, "no parameter", {}),
    ("a signal", {"params": {"a.x": 3}}, bg.ParameterError, "no parameter 'a.x'", {}),
    ("its unit", {"params": {"a.a": 1 * u.mV}}, bg.UnitError, r"params\['a.a'\]: HopfStep.a", {}),
    ("its shape", {"params": {"a.a": [1, 2, 3]}}, bg.ShapeError, r"params\['a.a'\]: Hopf", {}),
    ("its start", {"params": {"a.init_x": [1, 2, 3]}}, bg.ShapeError, "HopfStep.init_x", {}),
    (
        "a gain's unit",
        {"params": {"long.k": 1 * u.mV}},
        bg.UnitError,
        r"params\['long.k'\]: the edge a.x -> b.x_inp carries \[mV\]",
        {"source": "a.x"},
    ),
    ("weights", {"params": {"long.conn": np.ones(3)}}, bg.ShapeError, r"\(3,\), but must be", {}),
    ("delay", {"params": {"late.delay": 3}}, bg.UnitError, r"as in delay=3 \* u.ms", {}),
    ("negative", {"params": {"late.delay": -3 * MS}}, bg.DelayError, "not negative", {}),
    # where to start
    ("start", {"initial": {"a.z": 1}}, bg.PortError, "'?z'?", {"path": "a.z"}),
    ("its unit", {"initial": {"a.x": 1 * u.mV}}, bg.UnitError, "'?a.x'? is in .mV", {}),
    ("its shape", {"initial": {"a.x": [1, 2, 3]}}, bg.ShapeError, r"\(3,\)", {"path": "a.x"}),
    ("past's unit", {"history": {"a.y": 1 * u.mV}}, bg.UnitError, "history of a.y is in", {}),
    ("past's shape", {"history": {"a.y": [1, 2, 3]}}, bg.ShapeError, r"\(samples, 2\)", {}),
]


@pytest.mark.parametrize("case", RUNS, ids=ids(RUNS))
def test_a_run_is_checked_before_anything_is_compiled(case: RunCase) -> None:
    _, given, error, text, fields = case
    refused(lambda: SIM.run(**{"duration": 2 * MS, **given}), error, text, fields)
    assert SIM.compilations() == 0 and SIM.state is None


ALONE: list[RunCase] = [
    ("monitor", {"monitors": ["z"]}, bg.PortError, "^JansenRitStep has no port 'z'", {"path": "z"}),
    ("input", {"inputs": {"q": 1}}, bg.PortError, "^JansenRitStep has no port 'q'", {"path": "q"}),
    ("state", {"inputs": {"E": 1}}, bg.PortError, "'E' is not one. Did you mean 'E_inp'", {}),
    ("unit", {"inputs": {"p": 220.0}}, bg.UnitError, r"inputs\['p'\].*value \* u.Hz", {}),
    ("parameter", {"params": {"Ac": 1}}, bg.ParameterError, "'Ac'. Did you mean 'Ai'", {}),
    ("its unit", {"params": {"Ae": 1}}, bg.UnitError, r"as in Ae=3.25 \* u.mV", {}),
]


@pytest.mark.parametrize("case", ALONE, ids=ids(ALONE))
def test_a_single_node_goes_by_its_own_names(case: RunCase) -> None:
    _, given, error, text, fields = case
    refused(lambda: COLUMN.run(1 * MS, **given), error, text, fields)
    assert COLUMN.compilations() == 0


RECORDS: list[tuple[str, Callable[[], Any], type[bg.BraingraphError], str]] = [
    ("reduce", lambda: bg.Record("a.x", reduce="means"), bg.ParameterError, "Did you mean 'mean'"),
    ("every", lambda: bg.Record("a.x", every=5), bg.UnitError, r"as in 5 \* u.ms"),
    ("path", lambda: bg.Record(5), bg.ParameterError, "a path, a port or a callable"),
]


@pytest.mark.parametrize("case", RECORDS, ids=ids(RECORDS))
def test_a_record_is_checked_when_it_is_made(case: Any) -> None:
    _, make, error, text = case
    refused(make, error, text, {})


def test_clocks_are_not_mixed_in_one_monitor() -> None:
    g = pair()
    g.add_node("slow", nodes.LinearStep(2, dt=1 * MS))
    sim = bg.Simulator(g, dt=DT)
    monitors = {"v": lambda m: m.a.x + m.slow.x}
    text = "monitor 'v' reads nodes with different clocks .a, slow."
    refused(lambda: sim.run(2 * MS, monitors=monitors), bg.ClockError, text, {})


def test_a_gain_that_changes_the_unit_of_noise_is_noticed() -> None:
    g = bg.Graph()
    noise, inner = g.add_node("noise", nodes.WhiteNoise(2)), bg.Graph()
    inner.add_node("x", Relay(2))
    g.add_node("inner", inner)
    g.add_edge(noise, "inner.x.inp")
    sim = bg.Simulator(g, dt=DT)
    params = {"noise.sigma": 0.1 * u.mV * u.ms**0.5}
    text = r"noise.out -> inner.x.inp carries \[mV\]"
    refused(lambda: sim.run(2 * MS, params=params), bg.UnitError, text, {"source": "noise.out"})


def test_a_store_is_refused_before_anything_is_compiled(tmp_path: Path) -> None:
    taken, alien = tmp_path / "taken.zarr", tmp_path / "notes"
    bg.Simulator(nodes.LinearStep(1), dt=DT).run(1 * MS, store=taken)
    alien.mkdir()
    (alien / "notes.txt").write_text("mine")
    sim = bg.Simulator(nodes.LinearStep(1), dt=DT)
    for path, text in [
        (taken, "There is a store at .* already .status: complete.*overwrite=True"),
        (alien, "It is never replaced"),
        (alien / "notes.txt", "is a file"),
        ("nowhere://bucket/run.zarr", "nowhere"),
    ]:
        for overwrite in (False, True) if path != taken else (False,):
            refused(
                lambda path=path, overwrite=overwrite: sim.run(
                    1 * MS, store=path, overwrite=overwrite
                ),
                bg.StoreError,
                text,
                {"path": str(path)},
            )
    assert sim.compilations() == 0
    assert (alien / "notes.txt").read_text() == "mine"
    assert bg.open(taken)["x"].shape == (10, 1)
