"""Couplings in compiled programs: against the interpreter, matrix algebra and each other."""

from collections.abc import Callable
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compare import agree
from scipy import sparse
from scipy.linalg import solve_continuous_lyapunov

import braingraph as bg
from braingraph import edges, nodes
from braingraph.component import Coupling

Array = np.ndarray[Any, np.dtype[Any]]
DT = 0.1  # ms

pytestmark = pytest.mark.usefixtures("x64")


def values(seed: int, *shape: int, low: float = 0.1, high: float = 1.0) -> Array:
    """Numbers between low and high, the same at every call."""
    return np.random.default_rng(seed).uniform(low, high, shape)


def lurch(x: Any, y: Any) -> Any:
    """A function of a difference that is no product of functions of its ends."""
    return (x - y) * jnp.exp(-((x - y) ** 2))


class Lagged(edges.PairwiseCoupling):
    """Sine coupling, with a lag that is a parameter."""

    alpha: float = 0.0

    def pair(self, x: Any, y: Any) -> Any:
        return jnp.sin(x - y - self.alpha)


# ---------------------------------------------------------------- every coupling, compiled
W = values(1, 3, 3) * [[0, 1, 1], [1, 0, 1], [1, 1, 0]]
HOLES = W * [[0, 1, 1], [0, 0, 0], [1, 0, 0]]  # a unit hears nothing, another is not heard
RAGGED = values(2, 3, 3, low=0.3, high=1.4) * u.ms
MIXED = np.array([[0.9, 0.0, 1.35], [0.04, 1.2, 0.13], [0.0, 1.1, 0.87]]) * u.ms  # now to blocks
COUPLINGS: dict[str, Coupling] = {
    "sigmoidal": edges.SigmoidalCoupling(
        W, k=values(3, 3), a=2.0, b=-0.3, slope=3.0, midpoint=values(4, 3)
    ),
    "tvb_sigmoidal": edges.TVBSigmoidalCoupling(W, cmin=-0.2, sigma=values(5, 3), midpoint=0.3),
    "tanh": edges.HyperbolicTangentCoupling(W, k=-0.4, scale=1.5),
    "tvb_tanh": edges.TVBHyperbolicTangentCoupling(
        W, a=values(6, 3), b=1.3, midpoint=0.2, sigma=0.6
    ),
    "presigmoidal": edges.PreSigmoidalCoupling(W, H=values(7, 3), Q=0.8, G=2.0, P=1.2),
    "laplacian": edges.LaplacianCoupling(HOLES, k=0.6),
    "rw": edges.LaplacianCoupling(HOLES, k=values(8, 3), normalize="rw"),
    "sym": edges.LaplacianCoupling(HOLES, k=0.7, normalize="sym"),
    "sym_of_all": edges.LaplacianCoupling(0.3, normalize="sym"),
    "sym_one_to_one": edges.LaplacianCoupling(normalize="sym"),
    "pairs": edges.PairwiseCoupling(HOLES, f=lurch, k=values(9, 3)),
    "lagged": Lagged(W, alpha=values(10, 3), k=0.5),
}


def every_coupling() -> bg.Graph:
    """One population, heard through every coupling."""
    g = bg.Graph()
    a = g.add_node("a", nodes.HopfStep(3, a=0.1, w=0.4, init_x=values(11, 3), init_y=0.2))
    for name, coupling in COUPLINGS.items():
        ear = g.add_node(name, nodes.LinearStep(3, gamma=-0.3, init_x=values(12, 3)))
        g.add_edge(a.x, ear.x_inp, coupling, delay=MIXED, name=f"to_{name}")
    g.add_edge("pairs.x", a.x_inp, edges.AdditiveCoupling(0.1))
    return g


@pytest.mark.parametrize("method", ["heun", pytest.param("rk4", marks=pytest.mark.slow)])
def test_every_coupling_is_what_the_interpreter_says(method: str) -> None:
    agree(every_coupling(), dt=DT, steps=25, method=method)


def test_couplings_with_units_are_what_the_interpreter_says() -> None:
    g = bg.Graph()
    start = {"init_E": 10 * values(13, 3) * u.mV, "init_M": 0.1 * u.mV}
    a = g.add_node("a", nodes.JansenRitStep(3, **start))
    b = g.add_node("b", nodes.JansenRitStep(3))
    hz, mV, nA = u.Hz, u.mV, u.nA
    table: list[tuple[str, Coupling]] = [
        ("E_inp", edges.SigmoidalCoupling(W, k=9 * hz, slope=0.3 / mV, midpoint=0.006 * u.volt)),
        ("E_inp", edges.SigmoidalCoupling(W * nA, k=5 / u.ms, a=0.1 / (mV * nA), b=0.2)),
        ("E_inp", edges.TVBSigmoidalCoupling(W, cmin=0 * hz, cmax=9 * hz, sigma=5 * mV, **AT_6)),
        ("M_inp", edges.HyperbolicTangentCoupling(W, k=0.001 * u.volt, scale=50 / u.volt)),
        ("E_inp", edges.TVBHyperbolicTangentCoupling(W, a=7 * hz, sigma=3 * mV, **AT_6)),
        ("E_inp", edges.PreSigmoidalCoupling(W, H=5 * hz, G=0.4, P=1 / mV, theta=6.0)),
    ]
    for number, (port, coupling) in enumerate(table):
        late = None if number % 2 else RAGGED
        g.add_edge(a.eeg, getattr(b, port), coupling, delay=late, name=f"edge_{number}")
    compared: list[Coupling] = [
        edges.LaplacianCoupling(W * nA, k=2 * hz / mV, normalize="rw"),
        edges.LaplacianCoupling(W * nA, k=0.002 / (u.volt * u.ms), normalize="sym"),
        edges.PairwiseCoupling(W * nA, f=lambda x, y: x * y / (1 * mV + y), k=0.1 * hz / (mV * nA)),
    ]
    for coupling in compared:
        g.add_edge(a.E, b.E_inp, coupling, delay=RAGGED)
    agree(g, dt=DT, steps=30)


AT_6 = {"midpoint": 6 * u.mV}


# ---------------------------------------------------------------- pairs
WHOLE = np.rint(RAGGED / (DT * u.ms)) * DT * u.ms  # whole steps
SHAPES: dict[str, Any] = {"dense": W, "sparse": sparse.csr_array(HOLES), "mean": 0.3, "one": None}


def lateness(shape: str) -> dict[str, Any]:
    """No delay, and one for each connection."""
    each: Any = WHOLE
    if shape == "sparse":
        each = sparse.csr_array(WHOLE.to_decimal(u.ms) * (HOLES > 0)) * u.ms
    return {"now": None, "late": 0.7 * u.ms if shape == "one" else each}


def phases(kind: Callable[..., Coupling]) -> bg.Graph:
    """Phase oscillators, coupled in every way."""
    g = bg.Graph()
    for shape, weights in SHAPES.items():
        for when, delay in lateness(shape).items():
            start = 2 * np.pi * values(20, 3)
            name = f"{shape}_{when}"
            one = g.add_node(name, nodes.KuramotoNetwork(3, omega=values(21, 3), init_theta=start))
            coupling = kind(weights, k=[0.5, 1.0, -0.7], alpha=0.4)
            g.add_edge(one.theta, one.theta_inp, coupling, delay=delay, name=f"{name}_edge")
    two = g.add_node("two", nodes.KuramotoNetwork(2, omega=0.5, init_theta=[0.1, 2.0]))
    for number, delay in enumerate((None, 0.3 * u.ms)):  # two edges of one kind into one vertex
        back = kind(values(24 + number, 3, 2))
        g.add_edge(two.theta, "dense_now.theta_inp", back, delay=delay, name=f"back_{number}")
    g.add_edge("dense_now.theta", two.theta_inp, kind(values(23, 2, 3)), name="there")
    return g


def test_pairs_of_sines_are_kuramoto_coupling() -> None:
    """To rounding, with delays of whole steps: others interpolate the phase, or its sine."""
    one, other = (
        bg.Simulator(phases(kind), dt=DT * u.ms, method="euler").run(
            2 * u.ms, progress=False, batch_size=2
        )
        for kind in (Lagged, edges.KuramotoCoupling)
    )
    assert set(one) == set(other)
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=0, atol=1e-13, err_msg=name)
        assert np.ptp(one[name].values) > 0.5


def test_gradients_through_pairs_are_those_through_sums() -> None:
    found = []
    for kind in (Lagged, edges.KuramotoCoupling):
        g = bg.Graph()
        start = values(20, 3)
        a = g.add_node("a", nodes.KuramotoNetwork(3, omega=values(21, 3), init_theta=start))
        late = np.array([[0, 0.2, 0.2], [0, 0, 0.3], [0.2, 0, 0]]) * u.ms
        g.add_edge(a.theta, a.theta_inp, kind(W, k=0.8, alpha=0.3), delay=late, name="edge")
        sim = bg.Simulator(g, dt=DT * u.ms, method="euler")
        fn, params = sim.as_function(0.6 * u.ms, monitors=["a.theta"])

        def loss(given: dict[str, Any], fn: Any = fn, params: Any = params) -> Any:
            return (fn({**params, **given})["a.theta"] * jnp.arange(3.0)).sum()

        paths = ["edge.conn", "edge.k", "edge.alpha"]
        slopes = jax.jit(jax.grad(loss))({path: params[path] for path in paths})
        found.append([np.asarray(slopes[path]) for path in paths])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
        assert abs(other).max() > 1e-3


# ---------------------------------------------------------------- what follows for networks
#: x_i' = -x_i + coupling + s xi: weights, coupling, s, delay, then variances and correlation.
G3, G7 = 0.3, 0.7
PAIR = np.array([[0.0, 1.0], [1.0, 0.0]])
NETWORKS: dict[str, tuple[Coupling, float, Any, list[float]]] = {
    "additive": (edges.AdditiveCoupling(PAIR, k=G3), 0.2, None, [0.04 / 1.82, 0.04 / 1.82, G3]),
    "diffusive": (
        edges.DiffusiveCoupling(PAIR, k=G3),
        1.0,
        None,
        [1.3 / 3.2, 1.3 / 3.2, G3 / 1.3],
    ),
    "laplacian": (
        edges.LaplacianCoupling(PAIR, k=G7),
        1.0,
        None,
        [1.7 / 4.8, 1.7 / 4.8, G7 / 1.7],
    ),
    "directed": (
        edges.AdditiveCoupling([[0, 0], [0.6, 0]]),
        1.0,
        None,
        [0.5, 0.59, 0.15 / np.sqrt(0.295)],
    ),
    "transposed": (
        edges.AdditiveCoupling([[0, 0.6], [0, 0]]),
        1.0,
        None,
        [0.59, 0.5, 0.15 / np.sqrt(0.295)],
    ),
    "delayed_1": (
        edges.AdditiveCoupling(PAIR, k=0.5),
        0.3,
        1.0 * u.ms,
        [0.05329858, 0.05329858, 0.22258227],
    ),
    "delayed_3": (
        edges.AdditiveCoupling(PAIR, k=0.8),
        0.3,
        3.0 * u.ms,
        [0.07603169, 0.07603169, 0.16417740],
    ),
}


@pytest.mark.slow
def test_two_noisy_nodes_are_correlated_as_theory_says() -> None:
    """Lyapunov's equation; with delays Kuchler & Mensch 1992. 1e5 ms and more each."""
    for coupling, sigma, delay, (first, second, correlation) in NETWORKS.values():
        if delay is None:
            laplacian = np.diag(np.asarray(coupling.conn).sum(1))
            pulls = not isinstance(coupling, edges.AdditiveCoupling)
            a = np.asarray(coupling.arrays()["k"]) * (
                np.asarray(coupling.conn) - pulls * laplacian
            ) - np.eye(2)
            c = solve_continuous_lyapunov(a, -(sigma**2) * np.eye(2))
            exact = [c[0, 0], c[1, 1], c[0, 1] / np.sqrt(c[0, 0] * c[1, 1])]
            np.testing.assert_allclose(exact, [first, second, correlation], rtol=1e-12)
    g = bg.Graph()
    for name, (coupling, sigma, delay, _) in NETWORKS.items():
        one = g.add_node(name, nodes.LinearStep(2, gamma=-1.0))
        g.add_edge(g.add_node(f"{name}_noise", nodes.WhiteNoise(2, sigma=sigma)), one.x_inp)
        g.add_edge(one.x, one.x_inp, coupling, delay=delay)
    sim = bg.Simulator(g, dt=0.1 * u.ms, seed=4)
    every = {f"{name}.x": 1 * u.ms for name in NETWORKS}
    span = {"transient": 30 * u.ms, "monitors": every, "batch_size": 128, "progress": False}
    ds = sim.run(1030 * u.ms, **span)
    for name, (_, _, _, (first, second, correlation)) in NETWORKS.items():
        c = np.cov(ds[f"{name}.x"].values.reshape(-1, 2).T)
        found = c[0, 1] / np.sqrt(c[0, 0] * c[1, 1])
        assert np.diag(c) == pytest.approx([first, second], rel=0.03), name
        assert found == pytest.approx(correlation, abs=0.02), name


def test_oscillators_fall_into_step_at_the_rate_of_the_graph() -> None:
    """Phases of identical oscillators approach each other at k times the second eigenvalue."""
    path = np.diag(np.ones(3), 1) + np.diag(np.ones(3), -1)
    second = np.sort(np.linalg.eigvalsh(-edges.laplacian_connectivity(path)))[1]
    g, k = bg.Graph(), 0.2
    angle = 0.1 * np.arange(4)
    start = {"init_x": 0.5 * np.cos(angle), "init_y": 0.5 * np.sin(angle)}
    one = g.add_node("one", nodes.HopfStep(4, a=0.25, w=0.3, **start))
    g.add_edge(one.x, one.x_inp, edges.LaplacianCoupling(path, k=k))
    g.add_edge(one.y, one.y_inp, edges.LaplacianCoupling(path, k=k))
    ds = bg.Simulator(g, dt=0.1 * u.ms, method="rk4").run(
        70 * u.ms, monitors={"one.x": 10 * u.ms, "one.y": 10 * u.ms}, progress=False
    )
    phase = np.angle(ds["one.x"].values + 1j * ds["one.y"].values)
    apart = abs(np.exp(1j * (phase[:, 3] - phase[:, 0])) - 1)
    assert np.log(apart[4] / apart[6]) / 20 == pytest.approx(k * second, rel=0.005)
