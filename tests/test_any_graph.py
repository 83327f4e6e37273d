"""Graphs drawn at random, compiled and interpreted: the compiler has no favourite networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import brainunit as u
import jax.numpy as jnp
import numpy as np
import pytest
from compare import agree

import braingraph as bg
from braingraph import edges, nodes, observers
from braingraph.component import Coupling, Node
from braingraph.units import ONE, attach

T = TypeVar("T")
Random = np.random.Generator
DT, STEPS = 0.1, 26  # ms
#: Steps: none, less than one, whole and broken ones, shorter and longer than a block.
DELAYS = (0.0, 0.3, 0.5, 1.0, 2.0, 2.5, 6.7, 9.0, 12.5, 19.0, 21.2)
#: How large a signal of a unit is, about, so that no input drowns its target.
SCALE = {u.mV: 1.0, u.Hz: 20.0, ONE: 0.3}


pytestmark = pytest.mark.usefixtures("x64")


def pick(rng: Random, options: Sequence[T]) -> T:
    return options[int(rng.integers(len(options)))]


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
        case "fitzhugh_nagumo":
            tau, v = some(5, 15) * u.ms, some(-1, 1)
            return nodes.FitzHughNagumoStep(size, tau=tau, init_v=v, init_w=some(-0.5, 0.5))
        case "generic_2d":
            return nodes.Generic2dOscillatorStep(size, d=some(0.02, 0.3), init_V=some(-1, 1))
        case "horn":
            delay = pick(rng, [None, 0.4 * u.ms, rng.choice(DELAYS, (size, size)) * DT * u.ms])
            weights = rng.uniform(-1, 1, (size, size)) if rng.random() < 0.7 else None
            return nodes.HORNSeqLayer(
                size, W_hh=weights, v=some(-1, 1), delay=delay, alpha=2.0, **start
            )
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
    "fitzhugh_nagumo": ("v", "w"),
    "generic_2d": ("V", "W"),
    "horn": ("x", "y"),
    "wilson_cowan": ("rE", "rI"),
    "montbrio": ("r", "v", "rate"),
    "wong_wang": ("S_e", "S_i"),
    "kuramoto": ("theta",),
    "jansen_rit": ("eeg", "E"),
    "linear": ("x",),
}


# ---------------------------------------------------------------- edges and drives
def coupling_of(source: tuple[Node, str], target: tuple[Node, str], rng: Random) -> Coupling:
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
    conn = some[pick(rng, ["scalar", "dense", "sparse"] + ["one"] * (a.size == b.size))]
    k = rng.uniform(0.1, 1, b.size) if rng.random() < 0.5 else 0.7
    pair = b._states.get(port.removesuffix("_inp"))
    own = pair.unit(b) if pair else None
    menu = ["additive", "offset"]
    menu += ["plain"] * (given == needed)
    menu += ["diffusive"] * (own == given)
    menu += ["sines"] * (given == ONE and own == ONE)
    menu += ["sigmoid"] * (given == u.mV)
    kind = pick(rng, menu)
    if kind == "sigmoid":
        return edges.SigmoidalJansenRitCoupling(
            conn=conn, k=attach(k * SCALE[needed], needed / u.Hz)
        )
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


def delay_of(shape: tuple[int, int], rng: Random) -> Any:
    """No delay, one, or one per connection; in steps, so that whole ones are whole."""
    kind = pick(rng, ["none", "one", "ragged"])
    if kind == "none":
        return None
    steps = pick(rng, DELAYS) if kind == "one" else rng.choice(DELAYS, shape)
    return np.round(steps * DT, 9) * u.ms


def drive_of(size: int, unit: Any, rng: Random) -> Node:
    """A noise source or a stimulus that emits ``unit``."""
    strength = rng.uniform(0.2, 1, size) * SCALE[unit]
    kind = pick(rng, ["white", "ou", "pulses", "rows", "wave", "constant"])
    if kind == "white":
        return nodes.WhiteNoise(
            size, sigma=attach(strength, ONE if unit == ONE else unit * u.ms**0.5)
        )
    if kind == "ou":
        tau, start = rng.uniform(1, 5, size) * u.ms, attach(-strength, unit)
        return nodes.OUProcess(size, sigma=attach(strength, unit), tau=tau, init_x=start)
    if kind == "pulses":
        times = {"onset": rng.uniform(0, 1, size) * u.ms, "duration": 0.4 * u.ms}
        return nodes.PulseTrain(size, amplitude=attach(strength, unit), period=1 * u.ms, **times)
    if kind == "rows":
        rows = attach(rng.uniform(-1, 1, (7, size)) * strength, unit)
        after = pick(rng, ["zero", "hold", "repeat"])
        return nodes.ArrayStimulus(size, values=rows, after=after)
    if kind == "wave":
        return nodes.FunctionStimulus(
            size, f=lambda t: attach(jnp.sin(t.to_decimal(u.ms)), unit), gain=strength
        )
    return nodes.ConstantStimulus(size, value=attach(strength, unit))


# ---------------------------------------------------------------- graphs
def graph_of(rng: Random) -> bg.Graph:
    """Two to four populations, some in graphs of their own, wired, driven and watched."""
    g, box, inner = bg.Graph(), bg.Graph(), bg.Graph()
    kinds = [pick(rng, list(SOURCES)) for _ in range(rng.integers(2, 5))]
    places = [pick(rng, ["", "", "box.", "box.inner."]) for _ in kinds]
    holder = {"": g, "box.": box, "box.inner.": inner}
    for k, (kind, place) in enumerate(zip(kinds, places, strict=True)):
        holder[place].add_node(f"p{k}", model_of(kind, int(rng.integers(1, 7)), rng))
    box.add_node("inner", inner)
    g.add_node("box", box)
    paths = [f"{place}p{k}" for k, place in enumerate(places)]
    ports = [(p, out) for p, kind in zip(paths, kinds, strict=True) for out in SOURCES[kind]]
    for number in range(rng.integers(2, 7)):
        wire(g, pick(rng, ports), pick(rng, paths), f"e{number}", rng)
    for number in range(rng.integers(0, 3)):
        path = pick(rng, paths)
        model = g[path]
        port = pick(rng, list(model._inputs))
        source = drive_of(model.size, model._inputs[port].unit(model), rng)
        drive = g.add_node(f"d{number}", source)
        g.add_edge(drive, f"{path}.{port}", delay=pick(rng, [None, 0.25 * u.ms]))
    if rng.random() < 0.5:
        watch(g, *pick(rng, ports))
    return g


def wire(g: bg.Graph, start: tuple[str, str], end: str, name: str, rng: Random) -> None:
    """One edge between two populations."""
    (path, out), source, target = start, g[start[0]], g[end]
    port = pick(rng, list(target._inputs))
    g.add_edge(
        f"{path}.{out}",
        f"{end}.{port}",
        coupling_of((source, out), (target, port), rng),
        delay=delay_of((target.size, source.size), rng),
        interpolation=pick(rng, ["linear", "nearest"]),
        name=name,
    )


def watch(g: bg.Graph, path: str, out: str) -> None:
    """An observer with a slower clock."""
    model = g[path]
    slow = g.add_node("slow", observers.BOLDSignal(model.size, dt=0.5 * u.ms))
    gain = attach(1e3, ONE / model.signals()[out].unit(model))
    g.add_edge(f"{path}.{out}", slow.z, edges.AdditiveCoupling(k=gain))


# Seeds, not Hypothesis: its examples come in near copies, and to shrink a failure it would compile
# hundreds of programs.
@pytest.mark.parametrize(
    "seed", [*range(6), *(pytest.param(k, marks=pytest.mark.slow) for k in range(6, 30))]
)
def test_any_graph(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = graph_of(rng)
    method = pick(rng, ["euler", "heun", "heun", "rk4", "exp_euler"])
    print(method, graph, sep="\n")  # shown when it fails
    agree(graph, dt=DT, steps=STEPS, method=method)
