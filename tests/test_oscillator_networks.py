"""Networks of Kuramoto and Hopf oscillators against theory: synchrony, death, noise, delays.

These run whole simulations, in float32 where the claim allows it. Cases that need the same program
stand side by side in one graph.
"""

from functools import cache
from typing import Any

import brainunit as u
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import iv, ndtri

import braingraph as bg
from braingraph import edges, nodes

Array = np.ndarray[Any, np.dtype[Any]]
N = 2000
QUANTILES = (np.arange(N) + 0.5) / N
#: Quantiles that go evenly with the others (the golden ratio's multiples).
PAIRED = np.arange(N) * (5**0.5 - 1) / 2 % 1
LORENTZ = np.clip(np.tan(np.pi * (QUANTILES - 0.5)), -50, 50)
GAUSS = ndtri(QUANTILES)


def blocks(count: int, size: int, block: Any) -> Array:
    """Networks that do not hear each other, side by side."""
    return np.kron(np.eye(count), np.broadcast_to(block, (size, size)))


# ---------------------------------------------------------------- Kuramoto's transition
@cache
def mean_field() -> bg.Simulator:
    """All to all, K / N; every case is a set of parameters of one program."""
    return bg.Simulator(nodes.KuramotoNetwork(N, omega=LORENTZ), dt=0.05 * u.ms)


def order(phases: Any) -> Any:
    return jnp.abs(jnp.mean(jnp.exp(1j * phases), -1))


@pytest.mark.parametrize(
    "omega, K, r",
    [
        # r = sqrt(1 - 2 / K): Kuramoto 1975; Strogatz 2000, Physica D 143:1
        (LORENTZ, 1.5, 0.0),
        (LORENTZ, 2.5, 0.4472136),
        (LORENTZ, 3.0, 0.57735027),
        (LORENTZ, 4.0, 0.70710678),
        # 1 = K int cos^2(x) g(K r sin x) dx
        (GAUSS, 2.0, 0.71517396),
        (GAUSS, 3.0, 0.92518169),
    ],
)
def test_oscillators_synchronise_as_their_frequencies_and_coupling_say(
    omega: Array, K: float, r: float
) -> None:
    ds = mean_field().run(
        60 * u.ms,
        transient=40 * u.ms,
        monitors={"theta": 0.5 * u.ms},
        params={"omega": omega, "K": K, "init_theta": 5 * PAIRED},
        progress=False,
    )
    found = float(order(ds.theta.values).mean())
    assert found == pytest.approx(r, abs=0.02 if r else 0.08)


def test_synchrony_grows_as_ott_and_antonsen_say() -> None:
    """r' = (K / 2 - gamma) r - K r^3 / 2 from wrapped Cauchy phases: 2008, Chaos 18:037113."""
    cauchy = 2 * np.arctan((1 - 0.2) / (1 + 0.2) * np.tan(np.pi * (PAIRED - 0.5)))
    ds = mean_field().run(
        0.75 * u.ms, params={"K": 4.0, "init_theta": cauchy}, monitors=["theta"], progress=False
    )
    assert float(order(cauchy)) == pytest.approx(0.2, abs=1e-3)
    assert float(order(ds.theta.values[-1])) == pytest.approx(0.3744506, abs=0.01)


@pytest.mark.parametrize("K, D", [(1.5, 0.5), (0.7, 0.5)])
def test_noise_holds_identical_oscillators_apart(K: float, D: float) -> None:
    """r = I1(K r / D) / I0(K r / D); incoherent below K = 2 D: Sakaguchi 1988."""
    g = bg.Graph()
    osc = g.add_node("osc", nodes.KuramotoNetwork(N, K=K, init_theta=0.0))
    g.add_edge(g.add_node("noise", nodes.WhiteNoise(N, sigma=np.sqrt(2 * D))), osc.theta_inp)
    sim = bg.Simulator(g, dt=0.05 * u.ms, seed=1)
    ds = sim.run(60 * u.ms, transient=30 * u.ms, monitors={"osc.theta": 0.5 * u.ms}, progress=False)
    found = float(order(ds["osc.theta"].values).mean())
    if K < 2 * D:
        assert found < 0.08
    else:
        r = brentq(lambda r: iv(1, K * r / D) / iv(0, K * r / D) - r, 0.01, 1)
        assert r == pytest.approx(0.72415872, abs=1e-7)
        assert found == pytest.approx(r, abs=0.03)


def test_two_oscillators_beyond_locking_beat(x64: None) -> None:
    """At sqrt(d^2 - K^2), by Adler's equation."""
    pair = nodes.KuramotoNetwork(2, omega=[1.5, 0.0], K=1.0, init_theta=[0.3, 0.1])
    theta = bg.Simulator(pair, dt=0.05 * u.ms, method="rk4").run(570 * u.ms, progress=False).theta
    difference = (theta[:, 0] - theta[:, 1]).values
    # whole beats: where the difference passes multiples of 2 pi
    turns = np.arange(1, int(difference[-1] / (2 * np.pi)) + 1) * 2 * np.pi
    times = np.interp(turns, difference, theta.time.values)
    assert len(times) > 95
    beat = 2 * np.pi * (len(times) - 1) / (times[-1] - times[0])
    assert beat == pytest.approx(1.118034, rel=1e-5)


# ---------------------------------------------------------------- delayed phases
DELAYED = [  # n, w, K, tau: all to all, K / n, itself included
    (8, 1.0, 0.5, 1.0),
    (8, 2.0, 1.0, 0.5),
    (8, 2.0, 0.3, 1.5),
]
PAIRS = [(1.0, 0.4, 0.5), (1.0, 0.4, 3.0)]  # w, K, tau: each hears the other


@cache
def delayed_phases() -> Array:
    """Phases (time, unit) of all the cases, a hundredth of a radian or 1.2 off the solution."""
    n = 8 * len(DELAYED) + 2 * len(PAIRS)
    conn, delay = np.zeros((n, n)), np.zeros((n, n))
    omega, speed = np.zeros(n), np.zeros(n)
    start = 0.01 * np.random.default_rng(2).normal(size=n)
    at = 0
    for size, w, K, tau in [*DELAYED, *((2, *pair) for pair in PAIRS)]:
        own = slice(at, at + size)
        conn[own, own] = K / 8 if size == 8 else K * (1 - np.eye(2))
        delay[own, own], omega[own], speed[own] = tau, w, locked(w, K, tau)
        if size == 2:
            start[own] = [1.2, 0.0]
        at += size
    g = bg.Graph()
    osc = g.add_node("osc", nodes.KuramotoNetwork(n, omega=omega))
    far = edges.KuramotoCoupling(conn=conn)
    g.add_edge(osc.theta, osc.theta_inp, far, delay=delay * u.ms)
    past = {"osc.theta": lambda t: start + speed * (t / u.ms)}
    sim = bg.Simulator(g, dt=0.05 * u.ms)
    ds = sim.run(600 * u.ms, monitors={"osc.theta": 1 * u.ms}, history=past, progress=False)
    theta: Array = ds["osc.theta"].values
    return theta


def locked(w: float, K: float, tau: float) -> float:
    """The frequency W = w - K sin(W tau) of synchrony: Yeung & Strogatz 1999, PRL 82:648."""
    return float(brentq(lambda W: W - w + K * np.sin(W * tau), w - K, w + K))


@pytest.mark.parametrize("case, frequency", [(0, 0.68403666), (1, 1.3680733), (2, None)])
def test_delays_slow_synchrony_down_or_break_it(
    x64: None, case: int, frequency: float | None
) -> None:
    """Stable where cos(W tau) > 0: Earl & Strogatz 2003, PRE 67:036204."""
    _, w, K, tau = DELAYED[case]
    theta = delayed_phases()[:, 8 * case : 8 * case + 8]
    r = float(order(theta[-1]))
    if frequency is None:
        assert np.cos(locked(w, K, tau) * tau) < 0 and r < 0.95
        return
    assert r == pytest.approx(1, abs=1e-6)
    assert locked(w, K, tau) == pytest.approx(frequency, abs=1e-7)
    found = (theta[-1] - theta[-101]) / 100
    np.testing.assert_allclose(found, frequency, atol=2e-4)


@pytest.mark.parametrize("case, apart, frequency", [(0, 0.0, 0.83737528), (1, np.pi, 1.025736)])
def test_delay_decides_whether_a_pair_locks_in_phase_or_against_it(
    x64: None, case: int, apart: float, frequency: float
) -> None:
    """Schuster & Wagner 1989, Prog Theor Phys 81:939."""
    theta = delayed_phases()[:, 24 + 2 * case : 26 + 2 * case]
    difference = np.mod(theta[-1, 0] - theta[-1, 1] + 1, 2 * np.pi) - 1
    assert difference == pytest.approx(apart, abs=5e-3)
    np.testing.assert_allclose((theta[-1] - theta[-101]) / 100, frequency, atol=2e-3)


# ---------------------------------------------------------------- coupled Hopf oscillators
def hopf_pairs(w: Any, K: Any, tau: Any = None, dt: float = 0.05) -> bg.Simulator:
    """Pairs with z_j(t - tau) - z_i, strength K, side by side."""
    g = bg.Graph()
    n = 2 * len(K)
    start = np.random.default_rng(3).uniform(0.2, 0.6, (2, n))
    model = nodes.HopfStep(n, a=1.0, w=w, init_x=start[0], init_y=start[1])
    z = g.add_node("z", model)
    conn = blocks(len(K), 2, 1 - np.eye(2))
    delay = None if tau is None else np.kron(np.diag(tau), np.ones((2, 2))) * u.ms
    for source, target in ((z.x, z.x_inp), (z.y, z.y_inp)):
        pull = edges.DiffusiveCoupling(conn=conn, k=np.repeat(K, 2))
        g.add_edge(source, target, pull, delay=delay)
    return bg.Simulator(g, dt=dt * u.ms, method="rk4")


def amplitudes(sim: bg.Simulator, span: float) -> Array:
    """The larger radius of each pair over the last tenth of the run."""
    ds = sim.run(span * u.ms, monitors={"z.x": 1 * u.ms, "z.y": 1 * u.ms}, progress=False)
    radius = np.hypot(ds["z.x"].values, ds["z.y"].values)[-int(span / 10) :]
    out: Array = radius.reshape(len(radius), -1, 2).max((0, 2))
    return out


def test_detuned_oscillators_die_between_two_strengths() -> None:
    """1 < K < (1 + D^2 / 4) / 2 with D = |w1 - w2| = 4: Aronson, Ermentrout & Kopell 1990."""
    found = amplitudes(hopf_pairs(np.tile([3.0, -1.0], 4), [0.97, 1.05, 2.45, 2.55]), 600)
    assert list(found > 1e-4) == [True, False, False, True], found


def test_delay_alone_kills_identical_oscillators() -> None:
    """All roots of s = a + i w - K +- K exp(-s tau) are stable: Reddy, Sen & Johnston 1998."""
    sim = hopf_pairs(10.0, [5, 5, 5, 1.5], tau=[0.15, 0.02, 0.3, 0.15], dt=0.01)
    found = amplitudes(sim, 200)
    assert list(found > 1e-4) == [False, True, True, False], found


def test_identical_oscillators_synchronise_at_the_rate_of_the_laplacian(x64: None) -> None:
    """Phase differences decay with g lambda_2 (Pecora & Carroll 1998)."""
    weights = np.array([[0, 0.4, 0, 0.2], [0.4, 0, 0.1, 0], [0, 0.1, 0, 0.3], [0.2, 0, 0.3, 0]])
    slowest = np.linalg.eigvalsh(np.diag(weights.sum(1)) - weights)[1]
    g = bg.Graph()
    phase = np.array([0.3, -0.2, 0.1, 0.25])
    start = {"init_x": 0.5 * np.cos(phase), "init_y": 0.5 * np.sin(phase)}
    z = g.add_node("z", nodes.HopfStep(4, a=0.25, w=0.3, **start))
    for source, target in ((z.x, z.x_inp), (z.y, z.y_inp)):
        g.add_edge(source, target, edges.DiffusiveCoupling(conn=weights, k=0.5))
    ds = bg.Simulator(g, dt=0.1 * u.ms, method="rk4").run(120 * u.ms, progress=False)
    theta = np.unwrap(np.arctan2(ds["z.y"].values, ds["z.x"].values), axis=0)
    spread = (theta - theta.mean(1, keepdims=True)).std(1)
    rate = -np.log(spread[-1] / spread[799]) / 40
    assert rate == pytest.approx(0.5 * slowest, rel=2e-3)
    np.testing.assert_allclose(np.hypot(ds["z.x"][-1], ds["z.y"][-1]), 0.5, atol=1e-4)


def test_noise_spreads_hopf_oscillators_as_fokker_and_planck_say() -> None:
    """P(r) ~ r exp(2 / s^2 (a r^2 / 2 - beta r^4 / 4)), whatever w: Risken, ch. 12."""
    n, s = 400, 0.1
    a = np.repeat([-0.2, 0.25], n)
    g = bg.Graph()
    g.add_node("z", nodes.HopfStep(2 * n, a=a, init_x=np.where(a > 0, 0.5, 0.1), init_y=0.0))
    for port in ("x_inp", "y_inp"):
        g.add_edge(g.add_node(f"noise_{port}", nodes.WhiteNoise(2 * n, sigma=s)), f"z.{port}")
    power = bg.Record(lambda m: m.z.x**2 + m.z.y**2, every=250 * u.ms, reduce="mean")
    ds = bg.Simulator(g, dt=0.1 * u.ms, seed=2).run(
        300 * u.ms, transient=50 * u.ms, monitors={"power": power}, progress=False
    )
    found = ds["power"].values.reshape(2, n).mean(1)
    r = np.linspace(0, 2, 20_001)
    for mean, growth, published in zip(found, (-0.2, 0.25), (0.037321553, 0.25176378), strict=True):
        density = r * np.exp(2 / s**2 * (growth * r**2 / 2 - r**4 / 4))
        expected = (r**2 * density).sum() / density.sum()
        assert expected == pytest.approx(published, rel=1e-6)
        assert mean == pytest.approx(expected, rel=0.03)
