"""What must not change results: how a network is described, cut, watched and interrupted.

Not a bit, where XLA compiles the same program, or the same but for sizes that no sum depends on.
Where it compiles another one (other monitors, a batch, connections that travel another way), its
fused multiply-adds and the order of its sums may round otherwise: ``FEW`` bounds how far.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import braingraph as bg
from braingraph import compiled, edges, nodes, observers
from braingraph.compiler import compile_graph

Array = np.ndarray[Any, np.dtype[Any]]
Build = Callable[[], bg.Graph]
DT = 0.1 * u.ms
STEPS = 50
EVERY = {"a.x": None, "b.rE": None, "a.x_inp": None}


def values(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).uniform(0.1, 1.0, shape)


@pytest.fixture(params=["float32", "float64"])
def precision(request: pytest.FixtureRequest) -> Iterator[str]:
    with jax.enable_x64(request.param == "float64"):
        yield request.param


# ---------------------------------------------------------------- one network
A = nodes.HopfStep(5, a=values(1, 5), w=0.4, init_x=values(2, 5), init_y=0.1)
B = nodes.WilsonCowanStep(3, tau_E=3 * u.ms, init_rE=values(3, 3))
NOISE, OU = nodes.WhiteNoise(5, sigma=0.2), nodes.OUProcess(3, sigma=0.3, tau=2 * u.ms)
TO_A = edges.DiffusiveCoupling(conn=values(4, 5, 5), k=0.3)
FAR = values(5, 5, 5) * 1.2 * u.ms + 0.9 * u.ms
NEAR = edges.AdditiveCoupling(conn=values(6, 3, 5), k=0.5)


def network(order: int = 1, watched: bool = False) -> bg.Graph:
    """Two noisy populations, long delays within one, short ones to the other."""
    g = bg.Graph()
    for name, model in [("a", A), ("b", B), ("noise", NOISE), ("ou", OU)][::order]:
        g.add_node(name, model)
    wires: list[tuple[Any, ...]] = [
        ("a.x", "a.x_inp", TO_A, FAR),
        ("a.x", "b.rE_inp", NEAR, 0.23 * u.ms),
        ("b.rE", "a.y_inp", edges.AdditiveCoupling(conn=0.1), None),
        ("noise.out", "a.x_inp", None, None),
        ("ou.x", "b.rE_inp", None, None),
    ]
    for source, target, coupling, delay in wires[::order]:
        g.add_edge(source, target, coupling, delay=delay)
    if watched:
        watch(g)
    return g


def watch(g: bg.Graph) -> None:
    bold = g.add_node("bold", observers.BOLDSignal(5, dt=0.7 * u.ms))
    g.add_edge("a.x", bold.z, edges.AdditiveCoupling(k=1e3))


def run(graph: bg.Graph, monitors: Any = None, steps: int = STEPS, **given: Any) -> dict[str, Any]:
    sim = bg.Simulator(graph, dt=DT, method=given.pop("method", "heun"), seed=7)
    return recorded(sim, monitors, steps, **given)


def recorded(sim: bg.Simulator, monitors: Any, steps: int, **given: Any) -> dict[str, Any]:
    ds = sim.run(steps * DT, monitors=monitors or EVERY, progress=False, **given)
    return {str(name): np.asarray(ds[name]) for name in ds.data_vars}


def ulps(got: Array, want: Array) -> float:
    """The largest difference, in units of the last place of the signal's largest value."""
    return float(np.abs(got - want).max() / np.spacing(np.abs(want).max()))


#: Measured over 50 steps: up to 1.
FEW = 4.0


def assert_same(got: dict[str, Any], want: dict[str, Any], most: float = 0.0) -> None:
    off = {k: ulps(got[k], want[k]) for k in got if not np.array_equal(got[k], want[k])}
    assert all(v <= most for v in off.values()), f"units of the last place: {off}"


_REFERENCE: dict[str, dict[str, Any]] = {}


@pytest.fixture
def reference(precision: str) -> dict[str, Any]:
    """The network's signals, simulated once a precision."""
    if precision not in _REFERENCE:
        _REFERENCE[precision] = run(network())
    return _REFERENCE[precision]


def test_insertion_order(reference: dict[str, Any]) -> None:
    assert_same(run(network(order=-1)), reference)


def nested(first: str, second: str) -> bg.Graph:
    """The network with its populations in graphs of their own; noise keeps its path."""
    outer, inner, g = bg.Graph(), bg.Graph(), bg.Graph()
    inner.add_node("b", B)
    outer.add_node("a", A)
    outer.add_node(second, inner)
    outer.add_edge("a.x", f"{second}.b.rE_inp", NEAR, delay=0.23 * u.ms)
    outer.add_edge(f"{second}.b.rE", "a.y_inp", edges.AdditiveCoupling(conn=0.1))
    outer.add_edge("a.x", "a.x_inp", TO_A, delay=FAR)
    g.add_node("noise", NOISE)
    g.add_node("ou", OU)
    g.add_node(first, outer)
    g.add_edge("noise", f"{first}.a.x_inp")
    g.add_edge("ou.x", f"{first}.{second}.b.rE_inp")
    return g


def test_nesting(reference: dict[str, Any]) -> None:
    first, second = "left", "deep"
    paths = {"a.x": f"{first}.a.x", "a.x_inp": f"{first}.a.x_inp", "b.rE": f"{first}.{second}.b.rE"}
    assert_same(run(nested(first, second), paths), reference)


def one_by_one(conn: Array, delay: Array, start: Array) -> bg.Graph:
    """A vertex per unit and an edge per connection; one noise vertex for all."""
    g = bg.Graph()
    size = len(conn)
    noise = g.add_node("noise", nodes.WhiteNoise(size, sigma=0.1))
    for k in range(size):
        g.add_node(f"r{k}", nodes.HopfStep(1, a=0.1, init_x=start[k], init_y=0.1))
    for i, j in np.argwhere(conn):
        coupling = edges.DiffusiveCoupling(conn=conn[i, j], k=0.2)
        g.add_edge(f"r{j}.x", f"r{i}.x_inp", coupling, delay=delay[i, j] * u.ms)
    for k, row in enumerate(np.eye(size)):
        g.add_edge(noise, f"r{k}.x_inp", edges.AdditiveCoupling(conn=row[None]))
    return g


def all_at_once(conn: Array, delay: Array, start: Array) -> bg.Graph:
    g = bg.Graph()
    size = len(conn)
    noise = g.add_node("noise", nodes.WhiteNoise(size, sigma=0.1))
    r = g.add_node("r", nodes.HopfStep(size, a=0.1, init_x=start, init_y=0.1))
    g.add_edge(r.x, r.x_inp, edges.DiffusiveCoupling(conn=conn, k=0.2), delay=delay * u.ms)
    g.add_edge(noise, r.x_inp)
    return g


def test_90_vertices_or_one() -> None:
    size = 90
    rng = np.random.default_rng(8)
    conn = rng.uniform(0, 1, (size, size)) * (rng.random((size, size)) < 0.19)
    network = (conn, rng.uniform(0.8, 4, (size, size)), values(9, size))
    begun = time.process_time()
    many = one_by_one(*network)
    per_edge = (time.process_time() - begun) / (np.count_nonzero(conn) + size)
    assert per_edge < 5e-3  # measured: 0.5 ms; unit checks alone would take 2 ms, made every time
    sim = bg.Simulator(many, dt=DT, seed=7)
    everything = {"x": lambda m: jnp.concatenate([getattr(m, f"r{k}").x for k in range(size)])}
    found = recorded(sim, everything, 40)["x"]
    assert_same({"x": found}, {"x": run(all_at_once(*network), {"x": "r.x"}, 40)["x"]})


def test_an_observer_more(reference: dict[str, Any]) -> None:
    found = run(network(watched=True), [*EVERY, "bold.bold"])
    assert np.ptp(found.pop("bold.bold")) > 0
    assert_same(found, reference, FEW)


def test_other_monitors(reference: dict[str, Any]) -> None:
    sparse = {"a.x": 0.4 * u.ms, "energy": lambda m: m.a.x**2 + m.a.y**2}
    assert_same({"a.x": run(network(), sparse)["a.x"]}, {"a.x": reference["a.x"][3::4]}, FEW)


@pytest.mark.parametrize("blocks", [(3, 8), (8, 16)])
def test_block_length(
    blocks: tuple[int, int], precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, ways = [], []
    for block in blocks:
        forced = partial(compile_graph, block=block)
        monkeypatch.setattr("braingraph.simulator.compile_graph", forced)
        ways.append([p.transport for b in forced(network(), 0.1, "heun").bundles for p in b.parts])
        found.append(run(network()))
    # another order of sums only where connections travel another way
    assert_same(found[0], found[1], 0.0 if ways[0] == ways[1] else FEW)


def test_chunk_length(reference: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "CHUNK_STEPS", 8)
    sim = bg.Simulator(network(), dt=DT, seed=7)
    assert_same(recorded(sim, EVERY, STEPS), reference)
    (made,) = sim._compiled.values()
    assert made.capacity <= STEPS / 2  # so that there were several


@pytest.mark.parametrize(
    ("precision", "first"), [("float32", 24), ("float64", 13)], indirect=["precision"]
)
def test_two_pieces(first: int, precision: str) -> None:
    sim = bg.Simulator(network(watched=True), dt=DT, seed=7)
    monitors = [*EVERY, "bold.bold", "bold.z"]
    whole = recorded(sim, monitors, STEPS)
    one = recorded(sim, monitors, first)
    two = recorded(sim, monitors, STEPS - first, initial=sim.state)
    found = {k: np.concatenate([one[k], two[k]]) for k in one}
    # a mean is summed block by block, and the second piece starts a block of its own
    means = {k: found.pop(k) for k in ("bold.z", "bold.bold")}
    assert_same(found, whole)
    assert_same(means, whole, FEW)


def test_replica_0(reference: dict[str, Any]) -> None:
    found = run(network(), batch_size=2)
    assert not np.array_equal(found["a.x"][0], found["a.x"][1])
    assert_same({k: v[0] for k, v in found.items()}, reference, FEW)
