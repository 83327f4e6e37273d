"""Graphs drawn at random, compiled and interpreted: the compiler has no favourite networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import brainunit as u
import jax
import numpy as np
import pytest
from compare import agree
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

import braingraph as bg
from braingraph import edges, nodes, observers
from braingraph.component import Coupling, Node
from braingraph.units import ONE, attach

Random = np.random.Generator
Draw = Callable[[st.SearchStrategy[Any]], Any]
DT, STEPS = 0.1, 26  # ms
#: Steps: none, less than one, whole and broken ones, shorter and longer than a block.
DELAYS = (0.0, 0.3, 0.5, 1.0, 2.0, 2.5, 6.7, 9.0, 12.5, 19.0, 21.2)
#: How large a signal of a unit is, about, so that no input drowns its target.
SCALE = {u.mV: 1.0, u.Hz: 20.0, ONE: 0.3}


# ---------------------------------------------------------------- populations
def model_of(kind: str, size: int, rng: Random) -> Node:
    def some(low: float, high: float) -> Any:
        return rng.uniform(low, high, size)

    start = {"init_x": some(-0.6, 0.6), "init_y": some(-0.6, 0.6)}
    match kind:
        case "hopf":
            return nodes.HopfStep(size, a=some(-0.1, 0.3), w=0.3, **start)
        case "stuart_landau":
            return nodes.StuartLandauStep((size, 1), init_x=0.2, init_y=0.1)
        case "wilson_cowan":
            return nodes.WilsonCowanStep(size, tau_E=3 * u.ms, init_rE=some(0, 0.5))
        case "montbrio":
            return nodes.MontbrioPazoRoxinStep(
                size, tau=some(3, 9) * u.ms, init_r=some(0, 0.5), init_v=some(-1, 0)
            )
        case "wong_wang":
            return nodes.WongWangExcInhStep(size, init_S_e=some(0, 1), init_S_i=some(0, 1))
        case "kuramoto":
            conn = rng.uniform(-1, 1, (size, size)) if rng.random() < 0.5 else None
            theta = {"init_theta": some(0, 6)}
            return nodes.KuramotoNetwork(size, omega=some(0, 1), K=0.6, conn=conn, **theta)
        case "jansen_rit":
            return nodes.JansenRitStep(size, C=some(120, 140), init_E=some(0, 15) * u.mV)
        case _:
            return nodes.LinearStep(size, gamma=some(-2, 0), init_x=some(-0.6, 0.6))


SOURCES = {
    "hopf": ("x", "y"),
    "stuart_landau": ("x", "y"),
    "wilson_cowan": ("rE", "rI"),
    "montbrio": ("r", "v", "rate"),
    "wong_wang": ("S_e", "S_i"),
    "kuramoto": ("theta",),
    "jansen_rit": ("eeg", "E"),
    "linear": ("x",),
}


# ---------------------------------------------------------------- edges and drives
def coupling_of(draw: Draw, source: Any, target: Any, into: str, rng: Random) -> Coupling:
    """A coupling between two ports, with weights of some shape and a gain in their units."""
    (a, out), (b, port) = source, target
    given, needed = (m.signals()[s].unit(m) for m, s in ((a, out), (b, port)))
    shape = (b.size, a.size)
    dense = rng.uniform(-1, 1, shape) / a.size
    some = {
        "scalar": 0.5 / a.size,
        "dense": dense,
        "sparse": dense * (rng.random(shape) < 0.4),
        "one": None,
    }
    conn = some[draw(st.sampled_from(["scalar", "dense", "sparse"] + ["one"] * (a.size == b.size)))]
    k = rng.uniform(0.1, 1, b.size) if draw(st.booleans()) else 0.7
    pair = b._states.get(port.removesuffix("_inp"))
    own = pair.unit(b) if pair else None
    menu = ["additive", "offset"]
    menu += ["plain"] * (given == needed)
    menu += ["diffusive"] * (own == given)
    menu += ["sines"] * (given == ONE and own == ONE)
    menu += ["sigmoid"] * (given == u.mV)
    kind = draw(st.sampled_from(menu))
    if kind == "sigmoid":
        return edges.SigmoidalJansenRitCoupling(conn=conn, k=attach(k * SCALE[needed], needed / u.Hz))
    if kind == "sines":
        return edges.KuramotoCoupling(conn=conn, k=attach(k * SCALE[needed], needed), alpha=0.2)
    if kind == "plain":
        return Coupling(conn=conn)
    gain = attach(k * SCALE[needed] / SCALE[given], needed / given)
    if kind == "offset":
        return edges.AdditiveCoupling(conn=conn, k=gain, b=attach(0.1 * SCALE[needed], needed))
    if kind == "diffusive":
        return edges.DiffusiveCoupling(conn=conn, k=gain)
    return edges.AdditiveCoupling(conn=conn, k=gain)


def delay_of(draw: Draw, shape: tuple[int, int], rng: Random) -> Any:
    """No delay, one, or one per connection; in steps, so that whole ones are whole."""
    kind = draw(st.sampled_from(["none", "one", "ragged"]))
    if kind == "none":
        return None
    steps = draw(st.sampled_from(DELAYS)) if kind == "one" else rng.choice(DELAYS, shape)
    return np.round(steps * DT, 9) * u.ms


def drive_of(draw: Draw, size: int, unit: Any, rng: Random) -> Node:
    """A noise source or a stimulus that emits ``unit``."""
    strength = rng.uniform(0.2, 1, size) * SCALE[unit]
    kind = draw(st.sampled_from(["white", "ou", "pulses", "rows", "wave", "constant"]))
    if kind == "white":
        return nodes.WhiteNoise(size, sigma=attach(strength, ONE if unit == ONE else unit * u.ms**0.5))
    if kind == "ou":
        tau, start = rng.uniform(1, 5, size) * u.ms, attach(-strength, unit)
        return nodes.OUProcess(size, sigma=attach(strength, unit), tau=tau, init_x=start)
    if kind == "pulses":
        times = {"onset": rng.uniform(0, 1, size) * u.ms, "duration": 0.4 * u.ms}
        return nodes.PulseTrain(size, amplitude=attach(strength, unit), period=1 * u.ms, **times)
    if kind == "rows":
        rows = attach(rng.uniform(-1, 1, (7, size)) * strength, unit)
        after = draw(st.sampled_from(["zero", "hold", "repeat"]))
        return nodes.ArrayStimulus(size, values=rows, after=after)
    if kind == "wave":
        return nodes.FunctionStimulus(
            size, f=lambda t: attach(jax.numpy.sin(t.to_decimal(u.ms)), unit), gain=strength
        )
    return nodes.ConstantStimulus(size, value=attach(strength, unit))


# ---------------------------------------------------------------- graphs
@st.composite
def graphs(draw: Draw) -> bg.Graph:
    """Two to four populations, some in a graph of their own, wired and driven at random."""
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    g, box = bg.Graph(), bg.Graph()
    kinds = draw(st.lists(st.sampled_from(list(SOURCES)), min_size=2, max_size=4))
    sizes = [draw(st.integers(1, 6)) for _ in kinds]
    nested = [draw(st.booleans()) for _ in kinds]
    for k, (kind, size, inside) in enumerate(zip(kinds, sizes, nested, strict=True)):
        (box if inside else g).add_node(f"p{k}", model_of(kind, size, rng))
    if any(nested):
        g.add_node("box", box)
    paths = [f"box.p{k}" if inside else f"p{k}" for k, inside in enumerate(nested)]
    some = st.integers(0, len(kinds) - 1)
    for number in range(draw(st.integers(1, 6))):
        a, b = draw(some), draw(some)
        source, target = g[paths[a]], g[paths[b]]
        out = draw(st.sampled_from(SOURCES[kinds[a]]))
        port = draw(st.sampled_from(list(target._inputs)))
        g.add_edge(
            f"{paths[a]}.{out}",
            f"{paths[b]}.{port}",
            coupling_of(draw, (source, out), (target, port), port, rng),
            delay=delay_of(draw, (sizes[b], sizes[a]), rng),
            interpolation=draw(st.sampled_from(["linear", "nearest"])),
            name=f"e{number}",
        )
    for number in range(draw(st.integers(0, 2))):
        b = draw(some)
        target = g[paths[b]]
        port = draw(st.sampled_from(list(target._inputs)))
        unit = target._inputs[port].unit(target)
        drive = g.add_node(f"d{number}", drive_of(draw, sizes[b], unit, rng))
        delay = draw(st.sampled_from([None, 0.25 * u.ms]))
        g.add_edge(drive, f"{paths[b]}.{port}", delay=delay)
    if draw(st.booleans()):
        a = draw(some)
        out = SOURCES[kinds[a]][0]
        slow = g.add_node("slow", observers.BOLDSignal(sizes[a], dt=0.5 * u.ms))
        unit = g[paths[a]].signals()[out].unit(g[paths[a]])
        g.add_edge(f"{paths[a]}.{out}", slow.z, edges.AdditiveCoupling(k=attach(1e3, ONE / unit)))
    return g


def compare(graph: bg.Graph, method: str) -> None:
    note(str(graph))
    agree(graph, dt=DT, steps=STEPS, method=method)


METHODS = st.sampled_from(["euler", "heun", "heun", "rk4", "exp_euler"])
# Shrinking a failure would compile hundreds of programs: the graph is printed as it was drawn.
SETTINGS: dict[str, Any] = {
    "derandomize": True,
    "deadline": None,
    "database": None,
    "phases": [Phase.generate],
    "suppress_health_check": [HealthCheck.too_slow],
}


@settings(max_examples=12, **SETTINGS)
@given(graphs(), METHODS)
def test_any_graph(graph: bg.Graph, method: str) -> None:
    with jax.enable_x64(True):
        compare(graph, method)


@pytest.mark.slow
@settings(max_examples=150, **SETTINGS)
@given(graphs(), METHODS)
def test_many_graphs(graph: bg.Graph, method: str) -> None:
    with jax.enable_x64(True):
        compare(graph, method)
