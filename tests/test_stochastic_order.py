"""Strong and weak orders of the integrators with noise, and the laws of the noise sources.

The end of a linear scheme is a sum of noise increments, each weighed by the scheme's response h_n
to an increment n steps ago; of the equation, an integral weighed by its response r(t). So by
Ito's isometry the mean square of their difference is the integral of (h - r)^2, and the variances
are those of h^2 and r^2: orders follow from one run, without sampling.
"""

from collections.abc import Callable
from functools import cache
from math import factorial
from typing import Any

import brainunit as u
import numpy as np
import pytest
from compare import drawn

import braingraph as bg
from braingraph import edges, nodes

Array = np.ndarray[Any, np.dtype[Any]]

METHODS = ("euler", "heun", "rk4", "exp_euler")
COARSE, FINE = 0.1, 0.05  # ms
SPAN = 2.0  # ms


def simulate(
    graph: bg.Graph, method: str, dt: float, duration: float, **given: Any
) -> dict[str, Array]:
    """What was recorded, by path: (..., time, unit)."""
    sim = bg.Simulator(graph, dt=dt * u.ms, method=method, seed=3)
    ds = sim.run(duration * u.ms, progress=False, **given)
    return {str(name): np.asarray(ds[name]) for name in ds.data_vars}


# ---------------------------------------------------------------- orders
THETA, SIGMA = 1.0, 0.7
B, TAU = 1.0, 0.5 + COARSE / 3  # of x' = -b x(t - tau), tau between steps
HORIZON = 12.0
PATHS, FINER = 200, 60


@cache
def stochastic(method: str, dt: float) -> dict[str, Array]:
    """Responses of linear nodes to a unit increment, and noisy paths of Hopf networks."""
    g = bg.Graph()
    kicked = g.add_node("kicked", nodes.LinearStep(2, gamma=[-THETA, 0.0], init_x=0.0))
    back = edges.AdditiveCoupling(conn=np.diag([0.0, -B]))
    g.add_edge(kicked.x, kicked.x_inp, back, delay=TAU * u.ms)
    kick = nodes.ArrayStimulus(2, values=np.full((1, 2), 1 / dt))
    g.add_edge(g.add_node("kick", kick), kicked.x_inp)
    paths = g.add_node("paths", nodes.HopfStep(PATHS, a=1.0, w=1.3, init_x=0.5, init_y=0.0))
    g.add_edge(paths.x, paths.x_inp, edges.DiffusiveCoupling(k=0.8), delay=TAU * u.ms)
    increments = brownian().reshape(round(SPAN / dt), -1, PATHS).sum(1)
    g.add_edge(
        g.add_node("increments", nodes.ArrayStimulus(PATHS, values=increments / dt)), paths.x_inp
    )
    return simulate(g, method, dt, HORIZON)


@cache
def brownian() -> Any:
    """Increments of Brownian paths, strength 1/2, on a grid FINER times finer."""
    h = FINE / FINER
    return 0.5 * np.sqrt(h) * np.random.default_rng(5).normal(size=(round(SPAN / h), PATHS))


@cache
def fine_paths() -> Array:
    """x and y of the noisy Hopf networks at SPAN, by Heun's method on the grid of ``brownian``."""
    h, lag, dw = FINE / FINER, round(TAU * FINER / FINE), brownian()
    past = np.full((len(dw) + 1, PATHS), 0.5)
    z = np.full(PATHS, 0.5 + 0j)  # x + i y

    def field(z: Array, delayed: Array) -> Any:
        return (1 + 1.3j - abs(z) ** 2) * z + 0.8 * (delayed - z.real)

    for n, kick in enumerate(dw):
        before, after = past[max(n - lag, 0)], past[max(n + 1 - lag, 0)]
        slope = field(z, before)
        z = z + kick + h / 2 * (slope + field(z + kick + h * slope, after))
        past[n + 1] = z.real
    return np.stack([z.real, z.imag])


def spline(t: Array) -> Array:
    """The response of x' = -b x(t - tau) to a unit kick at t = 0."""
    out = np.zeros_like(t)
    for k in range(int(HORIZON / TAU) + 1):
        out += np.where(t >= k * TAU, (-B) ** k * (t - k * TAU) ** k / factorial(k), 0.0)
    return out


#: By equation: its unit of ``kicked``, r(t), and the integral of r^2 (Kuchler & Mensch 1992).
RESPONSES: dict[str, tuple[int, Callable[[Array], Array], float]] = {
    "OU": (0, lambda t: np.exp(-THETA * t), 1 / (2 * THETA)),
    "delayed": (1, spline, (1 + np.sin(B * TAU)) / (2 * B * np.cos(B * TAU))),
}


def halved(error: Callable[[float], float]) -> float:
    """The order: how much an error falls when the step is halved."""
    return float(np.log2(error(COARSE) / error(FINE)))


@pytest.mark.parametrize("equation", RESPONSES)
@pytest.mark.parametrize("method", ["euler", "heun"])
def test_strong_order_with_additive_noise(x64: None, method: str, equation: str) -> None:
    """1: a scheme that sees only increments cannot know where within a step they fell."""
    unit, exact, _ = RESPONSES[equation]
    points, weights = np.polynomial.legendre.leggauss(6)

    def error(dt: float) -> float:
        h = stochastic(method, dt)["kicked.x"][:, unit, None]
        t = dt * (np.arange(len(h))[:, None] + (1 + points) / 2)
        return float(np.sqrt(dt / 2 * (weights * (exact(t) - h) ** 2).sum()))

    assert halved(error) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("equation", RESPONSES)
@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("heun", 2)])
def test_weak_order_of_the_stationary_variance(
    x64: None, method: str, order: int, equation: str
) -> None:
    unit, _, variance = RESPONSES[equation]

    def error(dt: float) -> float:
        h = stochastic(method, dt)["kicked.x"][:, unit]
        return abs(dt * float((h**2).sum()) - variance)

    assert halved(error) == pytest.approx(order, abs=0.1)


@pytest.mark.parametrize(("method", "variance"), [("euler", 0.25789474), ("heun", 0.24435696)])
def test_stationary_variance_of_the_scheme(x64: None, method: str, variance: float) -> None:
    """Of a linear recursion: Euler's is sigma^2 / (2 theta - theta^2 dt)."""
    h = stochastic(method, COARSE)["kicked.x"][:, 0]
    assert SIGMA**2 * COARSE * (h**2).sum() == pytest.approx(variance, abs=1e-8)


@pytest.mark.parametrize("method", ["euler", "heun"])
def test_strong_order_of_a_noisy_delayed_network(x64: None, method: str) -> None:
    """Nonlinear, and against the same Brownian paths in steps 60 and 120 times smaller."""

    def error(dt: float) -> float:
        out = stochastic(method, dt)
        last = np.stack([out[f"paths.{k}"][round(SPAN / dt) - 1] for k in "xy"])
        return float(np.sqrt(((last - fine_paths()) ** 2).mean()))

    assert halved(error) == pytest.approx(1, abs=0.15)


# ---------------------------------------------------------------- the laws of the noise sources
@pytest.mark.parametrize("method", METHODS)
def test_white_noise_makes_the_stochastic_scheme(x64: None, method: str) -> None:
    """x_{n+1} = R x_n + (R - 1) / z sigma sqrt(dt) xi_n, z = -theta dt, R the stability function.

    With xi the normals that the generator draws for the vertex; R = e^z makes exp_euler exact on
    linear decay, and the variance of Euler's sums is that of Euler-Maruyama.
    """
    g = bg.Graph()
    node = g.add_node("node", nodes.LinearStep(2, gamma=-THETA))
    g.add_edge(g.add_node("noise", nodes.WhiteNoise(2, sigma=SIGMA)), node.x_inp)
    x, z = simulate(g, method, COARSE, SPAN)["node.x"], -THETA * COARSE
    growth = {
        "euler": 1 + z,
        "heun": 1 + z + z**2 / 2,
        "rk4": 1 + z + z**2 / 2 + z**3 / 6 + z**4 / 24,
        "exp_euler": np.exp(z),
    }[method]
    normals = drawn(g, 3)
    xi = np.stack([normals("noise", "xi", n) for n in range(len(x))])
    before = np.concatenate([np.full((1, 2), 0.01), x[:-1]])
    want = growth * before + (growth - 1) / z * SIGMA * np.sqrt(COARSE) * xi
    np.testing.assert_allclose(x, want, rtol=0, atol=1e-13)


UNITS, REPLICAS = 400, 10


@cache
def stationary(dt: float) -> dict[str, Array]:
    """Ten replicas of linear nodes with white and with coloured noise, sampled every 5 ms."""
    g = bg.Graph()
    white = g.add_node("white", nodes.WhiteNoise(UNITS, sigma=SIGMA))
    slow = g.add_node("slow", nodes.OUProcess(UNITS, sigma=0.4, tau=5 * u.ms))
    for name, source in (("rough", white), ("smooth", slow)):
        node = g.add_node(name, nodes.LinearStep(UNITS, gamma=-THETA, init_x=0.0))
        g.add_edge(source, node.x_inp)
    monitors = {k: 5 * u.ms for k in ("rough.x", "smooth.x", "slow.x")}
    return simulate(
        g, "heun", dt, 30.0, monitors=monitors, transient=10 * u.ms, batch_size=REPLICAS
    )


VARIANCES = {
    "rough.x": SIGMA**2 / (2 * THETA),
    "slow.x": 0.4**2,
    "smooth.x": 0.4**2 * 5 / (THETA * (1 + 5 * THETA)),  # of x' = -theta x + OU
}


@pytest.mark.parametrize("name", VARIANCES)
@pytest.mark.parametrize("dt", [0.1, 0.01])
def test_stationary_variances_do_not_depend_on_the_step(x64: None, dt: float, name: str) -> None:
    x = stationary(dt)[name]
    rho = np.exp(-2.0)  # of squares 5 ms apart, at most
    error = np.sqrt(2 / x.size * (1 + rho) / (1 - rho))
    assert x.shape == (REPLICAS, 4, UNITS)
    assert (x**2).mean() == pytest.approx(VARIANCES[name], rel=4 * error)


@pytest.mark.parametrize("dt", [0.1, 0.01])
def test_autocorrelation_of_coloured_noise(x64: None, dt: float) -> None:
    x = stationary(dt)["slow.x"]
    pairs = (x[:, 1:] * x[:, :-1]).mean() / (x**2).mean()
    assert pairs == pytest.approx(np.exp(-1), abs=4 / np.sqrt(x[:, 1:].size))
