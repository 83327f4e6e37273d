"""A graph as data: every class, value and graph comes back, and simulates to the same bits."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import brainunit as u
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from describing import (
    FEW,
    MANY,
    WEIGHTS,
    Chosen,
    Pair,
    Ramp,
    alone,
    back,
    difference,
    halved,
    shaped,
    sine,
    whole,
)
from scipy import sparse
from sweeps import DT, RING, network

import braingraph as bg
from braingraph import edges, nodes, observers
from braingraph.component import Node
from braingraph.describe import describe, digest, rebuild
from braingraph.errors import GraphError
from braingraph.literals import unit_from, unit_json, unit_key

# ---------------------------------------------------------------- every exported class
#: Classes that are bases only.
BASES = (
    nodes.FitzHughNagumoBase,
    nodes.RecurrentNode,
    nodes.WilsonCowanBase,
    nodes.WilsonCowanThreePopBase,
    nodes.XY_Oscillator,
)
GAIN = [[0.3, 0.1, 0.7], [-0.2, 0.4, 0.1]]
DIPOLE = u.nA * u.meter
#: What classes need beside their size.
NEEDED: dict[type, dict[str, Any]] = {
    nodes.ArrayStimulus: {"values": np.arange(12.0) * u.mV},
    nodes.FunctionStimulus: {"f": sine},
    nodes.HORNSeqNetwork: {"n_hidden": [4, 2], "n_output": 1},
    nodes.JansenRitTR: {"sc": 1 - np.eye(3), "delay": 7 * u.ms},
    edges.PairwiseCoupling: {"f": difference},
    observers.BandPass: {"low": 8 * u.Hz},
    observers.EEGLeadFieldModel: {"gain": GAIN * (u.uvolt / DIPOLE), "noise": 2 * u.uvolt},
    observers.LeadFieldModel: {"gain": GAIN},
    observers.LeadfieldReadout: {"lm": GAIN},
    observers.MEGLeadFieldModel: {"gain": GAIN * (u.ftesla / DIPOLE)},
    observers.PowerSpectrum: {"dt": 2 * u.ms, "unit": u.mV},
    observers.SEEGLeadFieldModel: {"gain": GAIN * (u.volt / u.amp)},
    observers.SpatialAverage: {"mask": ["left", "right", "left"]},
    observers.SubSample: {"dt": 720 * u.ms},
}
CLASSES: list[Any] = [
    kind
    for folder in (nodes, edges, observers)
    for name in folder.__all__
    if isinstance(kind := getattr(folder, name), type)
    and issubclass(kind, (bg.Node, bg.Coupling, bg.Graph))
    and kind not in BASES
]


def graph_of(kind: Any, **given: Any) -> bg.Graph:
    """The smallest graph that holds one of a class."""
    given = {**NEEDED.get(kind, {}), **given}
    if not issubclass(kind, bg.Coupling):
        return alone(kind(3, **given))
    conn = np.arange(9.0).reshape(3, 3) / 7
    potential = kind is edges.SigmoidalJansenRitCoupling
    g = alone(nodes.JansenRitStep(3) if potential else nodes.HopfStep(3))
    ends = ("a.eeg", "a.E_inp") if potential else ("a.x", "a.x_inp")
    g.add_edge(*ends, kind(conn, **given), delay=conn * u.ms)
    return g


@cache
def varied(kind: Any) -> dict[str, Any]:
    """Every numeric parameter that takes one value a unit, and initial values, as arrays."""
    options = {f"init_{k}": s.init for k, s in getattr(kind, "_states", {}).items()}
    specs = {} if issubclass(kind, bg.Graph) else kind._specs
    options |= {k: s.default for k, s in specs.items() if not s.free}
    needed = NEEDED.get(kind, {})
    out: dict[str, Any] = {}
    made = partial(graph_of, kind) if issubclass(kind, bg.Coupling) else partial(kind, 3, **needed)
    for name, default in options.items():
        if name in needed or type(u.get_magnitude(default)) not in (int, float):
            continue
        value = default * np.array([1.0, 1 + 1 / 3, 1 - 1e-9])
        try:
            made(**{**out, name: value})
        except GraphError:  # the parameter must be one number, or not with the others
            continue
        out[name] = value
    return out


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_exported_class_comes_back(kind: Any) -> None:
    back(graph_of(kind))
    if varied(kind):
        back(graph_of(kind, **varied(kind)))


def test_arrays_were_tried_in_most_classes() -> None:
    counts = [len(varied(kind)) for kind in CLASSES]
    assert sum(counts) > 300 and sum(n > 0 for n in counts) > 0.8 * len(counts)


# ---------------------------------------------------------------- values
VALUES: dict[str, Callable[[], Node]] = {
    "tuple": lambda: Chosen(3, mode=("slow", (1, -0.0), True)),
    "named tuple": lambda: Chosen(3, f=Pair(0.1, 0.3)),
    "units": lambda: Chosen(3, f=partial(halved, 1.5 * u.mV, np.arange(20) * u.ms, u.mV)),
    "lists and dicts": lambda: Chosen(3, f=partial(halved, [[1, "a"]], {"array": [2.5, None]})),
    "not numbers": lambda: Chosen(3, f=partial(halved, float("nan"), np.array([1, -np.inf]))),
    "function": lambda: Chosen(3, f=halved),
    "partial": lambda: Chosen(3, f=partial(halved, k=np.arange(20.0))),
    "library function": lambda: Chosen(3, f=jnp.tanh),
    "ufunc": lambda: Chosen(3, f=np.sin),
    "class": lambda: Chosen(3, f=Ramp),
    "object": lambda: Chosen(3, f=Ramp(0.3, (1.0, 2.0))),
    "a parameter called as a form": lambda: Chosen(3, values=np.arange(20.0), array="source"),
    "matrix": lambda: Chosen(3, w=np.random.default_rng(0).normal(size=(20, 20)) * u.nS),
    "empty": lambda: Chosen(3, w=np.zeros((0, 4))),
    "init number": lambda: Chosen(3, init_x=1),
    "init float32": lambda: Chosen(3, init_x=np.float32(0.1)),
    "init float32s": lambda: Chosen(3, init_x=np.array([0.1, 0.2, 0.3], np.float32)),
    "init integers": lambda: Chosen(MANY, init_x=np.arange(MANY, dtype=np.int16)),
    "init list": lambda: Chosen(3, init_x=[0.1, 1, 0.3]),
    "init long list": lambda: Chosen(MANY, init_x=[k / 7 for k in range(MANY)]),
    "init jax": lambda: Chosen(MANY, init_x=jnp.arange(MANY) / 7),
    "init uniform": lambda: Chosen(3, init_x=bg.Uniform("a", [1.0, 2.0, 3.0])),
    "init normal": lambda: nodes.JansenRitStep(3, init_M=bg.Normal(1 * u.mV, 0.1 * u.volt)),
    "init function": lambda: Chosen(3, init_x=jnp.zeros),
    "init object": lambda: Chosen(3, init_x=Ramp(0.25)),
    "init units": lambda: nodes.JansenRitStep(3, init_M=0.001 * u.volt),
    "arrangement": lambda: nodes.HopfStep((2, 3), a=[[0.1], [0.2]], w=np.arange(6.0).reshape(2, 3)),
    "clock": lambda: nodes.HopfStep(3, dt=0.3 * u.ms),
    "a function per unit": lambda: nodes.FunctionStimulus(3, f=partial(np.multiply, np.ones(3))),
    "kernel": lambda: observers.HRFBold(
        3, kernel=observers.ArrayKernel(samples=np.arange(20.0), every=5 * u.ms)
    ),
    "noise of sensors": lambda: observers.LeadFieldModel(
        3, gain=GAIN, noise_cov=[[2.0, 0.3], [0.3, 1.0]]
    ),
    "weights that round": lambda: observers.SpatialAverage(
        7, mask=np.random.default_rng(1).random((4, 7))
    ),
}


@pytest.mark.parametrize("made", VALUES.values(), ids=VALUES)
def test_every_kind_of_value_comes_back(made: Callable[[], Node]) -> None:
    back(alone(made()))


def test_types_of_numbers_come_back() -> None:
    given = [np.float32(0.1), np.arange(3, dtype=np.int16), np.array(7, np.uint8), 1, 0.5, True]
    found: Any = back(alone(Chosen(3, f=partial(halved, *given)))).nodes["a"]
    assert [np.asarray(v).dtype for v in found.f.args] == [np.asarray(v).dtype for v in given]
    np.testing.assert_array_equal(found.f.args[1], given[1])
    assert [type(v) for v in found.f.args[3:]] == [int, float, bool]


UNITS = [
    *(u.UNITLESS, u.ms, u.mV, u.volt, u.Hz, u.radian, u.minute, u.ftesla, u.mM, u.ohm * u.cm),
    *(u.ms**0.5 * u.nA, 1 / (u.mV * u.second), u.ms**-0.5, u.uvolt / DIPOLE, u.Hz / u.mV, u.mV**2),
    *(u.nA / u.Hz, 1 / u.second**2, u.ms * u.Hz, u.mS / u.cm**2, u.ms ** (1 / 3), u.meter**3),
    u.Unit(u.ms.dim, scale=-3, factor=2.5),
]


@pytest.mark.parametrize("made", UNITS, ids=str)
def test_every_unit_comes_back(made: Any) -> None:
    unit = u.get_unit(made)
    again = unit_from(json.loads(json.dumps(unit_json(unit))))
    assert again == unit and unit_key(again) == unit_key(unit)
    assert (str(again), str(again * u.mV)) == (str(unit), str(unit * u.mV))


# ---------------------------------------------------------------- whole graphs
def test_a_whole_graph_comes_back() -> None:
    graph = whole()
    assert str(back(graph)) == str(graph).replace("JansenRitTR", "Graph")


def same_bits(graph: bg.Graph, method: str) -> None:
    one, two = (
        bg.Simulator(g, dt=DT, method=method, seed=3).run(5 * u.ms, progress=False)
        for g in (graph, back(graph))
    )
    assert all(float(values.std()) > 0 for values in one.values())
    xr.testing.assert_identical(one.drop_attrs(deep=False), two.drop_attrs(deep=False))


def test_noise_delays_and_sparse_weights_simulate_to_the_same_bits() -> None:
    g = network()
    g.add_edge(
        *("cortex.x", "cortex.y_inp", edges.AdditiveCoupling(conn=sparse.csr_array(RING), k=0.1)),
        delay=sparse.csr_array(RING) * 0.13 * u.ms,
    )
    same_bits(g, "heun")


def test_functions_and_distributions_simulate_to_the_same_bits() -> None:
    g = bg.Graph()
    start = bg.Normal(0.1, 0.2)
    cells = g.add_node("cells", nodes.HopfStep(3, init_x=start, init_y=Ramp(0.25)))
    drive = g.add_node("drive", nodes.FunctionStimulus(3, f=partial(shaped, [0.1, 0.2, 0.3])))
    g.add_edge(drive, cells.x_inp)
    g.add_edge(cells.y, cells.y_inp, edges.PairwiseCoupling(0.1, f=difference))
    same_bits(g, "euler")


def test_a_subclass_of_graph_keeps_its_name_for_display() -> None:
    json_ = describe(whole()).json
    net = next(item for item in json_["nodes"] if item["name"] == "net")
    assert net["graph"]["class"] == "braingraph.nodes.jansen_rit_tr:JansenRitTR"
    assert type(rebuild(describe(whole())).nodes["net"]) is bg.Graph


def test_large_arrays_stand_beside_the_json() -> None:
    description = describe(whole())
    assert len(json.dumps(description.json)) < 16_000 < 2 * WEIGHTS.nbytes
    held = {name: np.shape(array) for name, array in description.arrays.items()}
    assert held["edges/long/conn"] == held["edges/long/delay"] == (MANY, MANY)
    assert held["nodes/cortex/labels"] == held["edges/long/k"] == (MANY,)
    pairs = "edges/cortex.x--cortex.x_inp/conn"
    assert held[pairs] == held[f"{pairs}.target"] == held[f"{pairs}.source"] == (FEW.nnz,)
    # the delays' pairs are those of the weights, and held once
    assert not any(name.endswith("delay.target") for name in held)
    stays = description.arrays["edges/long/conn"]
    np.testing.assert_array_equal(stays, WEIGHTS)


def test_what_the_user_changes_later_is_not_in_a_description() -> None:
    start = np.zeros(MANY)
    description = describe(alone(nodes.HopfStep(MANY, init_x=start)))
    before = digest(description)
    start[0] = 1.0
    assert digest(description) == before
