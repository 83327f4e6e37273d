"""A batch of simulations that differ in numbers and seeds: each is a run by itself."""

from __future__ import annotations

from typing import Any

import brainunit as u
import jax
import numpy as np
import pytest

import braingraph as bg
from braingraph import edges, nodes, observers
from braingraph.errors import ParameterError
from braingraph.random import Uniform
from braingraph.together import simulate

DT, TIME = 0.1 * u.ms, 6 * u.ms
MONITORS = ["a.x", "b.rE", "bold.bold"]
ULP = 2e-7  # of signals about 1: other programs fuse a multiply and an add elsewhere


def network() -> bg.Graph:
    rng = np.random.default_rng(0)
    g = bg.Graph()
    a = g.add_node("a", nodes.HopfStep(5, a=rng.uniform(-0.1, 0.1, 5), w=0.4, init_x=0.3))
    b = g.add_node("b", nodes.WilsonCowanStep(3, tau_E=3 * u.ms, init_rE=0.2))
    noise = g.add_node("noise", nodes.WhiteNoise(5, sigma=0.2))
    bold = g.add_node("bold", observers.BOLDSignal(5, dt=0.5 * u.ms))
    within = edges.DiffusiveCoupling(conn=rng.uniform(0, 0.3, (5, 5)), k=0.3)
    across = edges.KuramotoCoupling(conn=rng.uniform(0, 1, (3, 5)))
    g.add_edge(a.x, a.x_inp, within, delay=rng.uniform(1, 3, (5, 5)) * u.ms, name="within")
    g.add_edge(a.x, b.rE_inp, across, name="across")
    g.add_edge(a.y, a.y_inp, edges.AdditiveCoupling(conn=0.01, k=0.5), name="mean")
    # two edges of one kind between the same ports, of which only one is varied
    g.add_edge(b.rE, b.rI_inp, edges.AdditiveCoupling(k=0.2), delay=1 * u.ms, name="self")
    g.add_edge(b.rI, b.rE_inp, edges.AdditiveCoupling(k=0.2), delay=1 * u.ms, name="back")
    g.add_edge(noise, a.x_inp)
    g.add_edge(a.x, bold.z)
    return g


POINTS = [
    {
        "a.a": np.linspace(-0.1, 0.1, 5) * k,  # one value a unit
        "a.w": 0.3 + 0.1 * k,
        "b.tau_E": (3 + k) * u.ms,
        "within.k": 0.1 * (k + 1),
        "mean.k": 0.5 - 0.1 * k,
        "back.k": 0.1 * k,
        "across.alpha": 0.1 * k,
        "noise.sigma": 0.1 * (k + 1),
        "bold.kappa": (0.5 + 0.1 * k) / u.second,
    }
    for k in range(3)
]
SEEDS = [4, 4, 9]


@pytest.fixture(scope="module")
def alone() -> list[dict[str, Any]]:
    """Every simulation by itself."""
    out = []
    for point, seed in zip(POINTS, SEEDS, strict=True):
        sim = bg.Simulator(network(), dt=DT, seed=seed)
        ds = sim.run(TIME, monitors=MONITORS, params=point, progress=False)
        out.append({name: ds[name].values for name in MONITORS})
    return out


@pytest.mark.parametrize("shape", [None, (2, 2)])
def test_each_is_the_run_with_its_seed_and_parameters(
    shape: tuple[int, int] | None, alone: list[dict[str, Any]]
) -> None:
    mesh = None
    if shape is not None:
        devices = np.array(jax.devices()[: shape[0] * shape[1]]).reshape(shape)
        mesh = jax.sharding.Mesh(devices, ("batch", "unit"))
    sim = bg.Simulator(network(), dt=DT, mesh=mesh)
    found, finite = simulate(sim, TIME, POINTS, SEEDS, frozenset(POINTS[0]), monitors=MONITORS)
    assert finite.all()
    for k, expected in enumerate(alone):
        for name, values in expected.items():
            np.testing.assert_allclose(found[name][k], values, rtol=0, atol=ULP, err_msg=name)
    assert len({found["a.x"][k].tobytes() for k in range(3)}) == 3


def test_other_numbers_compile_nothing() -> None:
    sim = bg.Simulator(network(), dt=DT)
    varied = frozenset(POINTS[0])
    simulate(sim, TIME, POINTS[:2], SEEDS[:2], varied, monitors=["a.x"])
    before = sim.compilations()
    simulate(sim, TIME, POINTS[1:], SEEDS[1:], varied, monitors=["a.x"])
    assert sim.compilations() == before > 0


def test_what_nothing_recorded_depends_on_may_vary() -> None:
    sim = bg.Simulator(network(), dt=DT)
    axes = {"bold.kappa": [0.5 / u.second, 0.6 / u.second]}
    ds = sim.sweep(axes, 1 * u.ms, monitors=["a.x"], progress=False)
    assert ds["a.x"].shape == (2, 10, 5)
    np.testing.assert_array_equal(ds["a.x"][0], ds["a.x"][1])


def test_initial_values_follow_their_bounds() -> None:
    class Drawn(bg.Node):
        """x stays where it starts."""

        top: float = 1.0
        x = bg.State(Uniform(0.0, "top"))

        def derivative(self, s: Any, i: Any) -> dict[str, Any]:
            return {"x": 0 * s.x / u.ms}

    sim = bg.Simulator(Drawn(50), dt=DT)
    ds = sim.sweep({"top": [1.0, 3.0]}, 0.2 * u.ms, monitors=["x"], progress=False)
    np.testing.assert_allclose(ds["x"][1], 3 * ds["x"][0], rtol=1e-6)


def test_a_function_that_reads_what_differs_is_refused() -> None:
    sim = bg.Simulator(network(), dt=DT)
    with pytest.raises(ParameterError, match="make it an output of the model") as caught:
        sim.sweep({"a.w": [0.1, 0.2]}, TIME, monitors={"wx": lambda m: m.a.w * m.a.x})
    assert caught.value.fields["path"] == "a.w"
    assert sim.compilations() == 0
