"""Convergence orders of the integrators on delayed networks, and where delays destabilise.

Every expected number is a closed form, or comes from a solver of this file that shares nothing
with the library. A program holds several experiments side by side: compiling costs most.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import brainunit as u
import numpy as np
import pytest
from scipy.special import lambertw

import braingraph as bg
from braingraph import edges, nodes

Array = np.ndarray[Any, np.dtype[Any]]
Past = Callable[[int, Any], Any]

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


# ---------------------------------------------------------------- networks with known solutions
@dataclass(frozen=True)
class Network:
    """A network and its smooth solution at any time, past and future."""

    model: Any
    wire: Callable[[bg.Graph, Any], object]
    solution: Callable[[float], dict[str, Array]]


def linear(coupling: type[Any], delays: Any, seed: int) -> Network:
    """x' = gamma x + delayed coupling, with weights that make exp(rate t) v its solution."""
    delays = np.array(delays)
    rng = np.random.default_rng(seed)
    n, gamma, rate = len(delays), -0.9, -0.4
    v, shares = rng.uniform(0.95, 1.05, n), rng.uniform(0.5, 1.0, delays.shape)
    arriving = v * np.exp(-rate * delays)
    if coupling is edges.DiffusiveCoupling:
        arriving = arriving - v[:, None]
    conn = shares * ((rate - gamma) * v / (shares * arriving).sum(1))[:, None]
    return Network(
        nodes.LinearStep(n, gamma=gamma),
        lambda g, node: g.add_edge(node.x, node.x_inp, coupling(conn=conn), delay=delays * u.ms),
        lambda t: {"x": np.exp(rate * t) * v},
    )


class Reference:
    """RK4 with a small step, cubic Hermite interpolation of the past, and time to settle.

    ``field(x, past)``: x is (variable, unit); ``past(variable, delays)`` is (target, source) for
    delays of a step or more. The kinks of the start are smoothed more than five times before t = 0.
    """

    STEP, SETTLED = 0.01, 10.0

    def __init__(self, field: Callable[[Array, Past], Any], start: Any) -> None:
        h, steps = self.STEP, round((self.SETTLED + SPAN) / self.STEP)
        self.x = np.empty((steps + 1, *np.shape(start)))
        self.f = np.empty_like(self.x)
        self.x[0] = start
        for n in range(steps):
            x = self.x[n]
            self.f[n] = a = field(x, self._past(n - 1, n))
            b = field(x + h / 2 * a, self._past(n, n + 0.5))
            c = field(x + h / 2 * b, self._past(n, n + 0.5))
            d = field(x + h * c, self._past(n, n + 1.0))
            self.x[n + 1] = x + h / 6 * (a + 2 * b + 2 * c + d)

    def _past(self, newest: int, now: float) -> Past:
        def past(variable: int, delays: Any) -> Any:
            s = np.maximum(now - delays / self.STEP, 0.0)
            k = np.clip(np.floor(s).astype(int), 0, max(newest - 1, 0))
            p, source = s - k, np.arange(self.x.shape[2])
            if newest < 1:
                return self.x[0 * k, variable, source]
            (x0, x1), (f0, f1) = (
                (z[k, variable, source], z[k + 1, variable, source]) for z in (self.x, self.f)
            )
            bend = f0 * p * (1 - p) ** 2 + f1 * p**2 * (p - 1)
            whole = x0 * (1 + 2 * p) * (1 - p) ** 2 + x1 * p**2 * (3 - 2 * p)
            return whole + self.STEP * bend

        return past

    def __call__(self, t: float) -> Any:
        return self.x[max(0, round((self.SETTLED + t) / self.STEP))]


#: A third of a step, and two thirds of half a step: between samples a third away from one either
#: way, so the interpolation's constant is the same at both steps and the order shows undisturbed.
THIRD = COARSE / 3
BELOW = np.array([[0.3, 0.7], [0.1, 0.9]])  # of a step
THIRDS = np.array([[0.5, 0.8, 1.3], [0.3, 1.1, 0.4], [0.9, 0.7, 0.6]]) + THIRD * np.array([1, 2, 1])
CONN = np.array([[0.0, 0.6, 0.3], [0.5, 0.2, 0.7], [0.4, 0.0, 0.0]])
FAST = {"a": 0.8, "w": np.array([0.7, 1.1, 1.5])}
START = [[0.9, -0.3, 0.2], [0.1, 0.8, -0.6]]


def _rotation(x: Array) -> Array:
    growth = FAST["a"] - x[0] ** 2 - x[1] ** 2
    return np.array([growth * x[0] - FAST["w"] * x[1], growth * x[1] + FAST["w"] * x[0]])


@cache
def instantaneous_hopf() -> Network:
    """Diffusive coupling within the step."""

    def field(x: Array, past: Past) -> Any:
        return _rotation(x) + np.stack([CONN @ x[0] - CONN.sum(1) * x[0], np.zeros(3)])

    found = Reference(field, START)
    return Network(
        nodes.StuartLandauStep(3, **FAST),  # a type of its own, so a bundle of its own
        lambda g, node: g.add_edge(node.x, node.x_inp, edges.DiffusiveCoupling(conn=CONN)),
        lambda t: dict(zip("xy", found(t), strict=True)),
    )


@cache
def delayed_hopf() -> Network:
    """Delays of none, of less than a step, and between steps; a second edge without delay."""
    delays = THIRDS * [[1, 1, 1], [0, 1, 1], [1, 1, 1]]
    delays[1, 1], delays[2, 2] = THIRD, 0.2

    def field(x: Array, past: Past) -> Any:
        seen = np.where(delays > 0, past(0, delays), x[0])
        pulled = (CONN * (seen - x[0][:, None])).sum(1)
        return _rotation(x) + np.stack([pulled, 0.3 * CONN.T @ x[1]])

    def wire(g: bg.Graph, node: Any) -> None:
        far = edges.DiffusiveCoupling(conn=CONN)
        g.add_edge(node.x, node.x_inp, far, delay=delays * u.ms)
        g.add_edge(node.y, node.y_inp, edges.AdditiveCoupling(conn=CONN.T, k=0.3))

    found = Reference(field, START)
    model = nodes.HopfStep(3, **FAST)
    return Network(model, wire, lambda t: dict(zip("xy", found(t), strict=True)))


@cache
def delayed_kuramoto() -> Network:
    """All to all twice: within the step, and with one delay between steps."""
    omega, delay = np.array([0.4, 1.7, 3.5]), 0.6 + THIRD

    def field(x: Array, past: Past) -> Any:
        now = np.sin(x[0] - x[0][:, None]).sum(1) * 0.9 / 3
        return np.array([omega + now + 0.4 * np.sin(past(0, delay) - x[0][:, None]).sum(1)])

    def wire(g: bg.Graph, node: Any) -> None:
        far = edges.KuramotoCoupling(conn=1.0, k=0.4)
        g.add_edge(node.theta, node.theta_inp, far, delay=delay * u.ms)

    found = Reference(field, [[0.0, 1.5, 4.0]])
    model = nodes.KuramotoNetwork(3, omega=omega, K=0.9)
    return Network(model, wire, lambda t: {"theta": found(t)[0]})


NETWORKS: dict[str, Callable[[float], Network]] = {
    "whole_steps": lambda dt: linear(edges.AdditiveCoupling, [[0.5, 0.8], [1.2, 0.6]], 1),
    "between_steps": lambda dt: linear(edges.DiffusiveCoupling, THIRDS[:2, :2], 2),
    "below_a_step": lambda dt: linear(edges.AdditiveCoupling, dt * BELOW, 3),
    "instantaneous_hopf": lambda dt: instantaneous_hopf(),
    "delayed_hopf": lambda dt: delayed_hopf(),
    "delayed_kuramoto": lambda dt: delayed_kuramoto(),
}


@cache
def errors(method: str, dt: float) -> dict[str, float]:
    """The largest error at the end, by network."""
    g, start, past = bg.Graph(), {}, {}
    networks = {name: make(dt) for name, make in NETWORKS.items()}
    for name, network in networks.items():
        network.wire(g, g.add_node(name, network.model))
        for state, value in network.solution(0.0).items():
            start[f"{name}.{state}"] = value
            past[f"{name}.{state}"] = _history(network, state)
    out = simulate(g, method, dt, SPAN, initial=start, history=past)
    return {
        name: max(
            float(np.abs(out[f"{name}.{state}"][-1] - want).max())
            for state, want in network.solution(SPAN).items()
        )
        for name, network in networks.items()
    }


def _history(network: Network, state: str) -> Callable[[Any], Array]:
    return lambda t: network.solution(float(t.to_decimal(u.ms)))[state]


ORDER = {"euler": (0.85, 1.15), "heun": (1.85, 2.15), "rk4": (3.5, 4.5), "exp_euler": (0.85, 1.15)}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("method", METHODS)
def test_the_whole_network_has_the_order_of_its_method(x64: None, method: str, name: str) -> None:
    low, high = ORDER[method]
    assert low < np.log2(errors(method, COARSE)[name] / errors(method, FINE)[name]) < high


# ---------------------------------------------------------------- stability of a delayed equation
#: x' = -a x(t - tau): a tau below and above pi / 2, tau a multiple of dt and not; last, a = 1.
LAG = np.array([1.0, 1.0, 1.0037, 1.0037, 1.0])
PULL = np.array([0.99, 1.01, 0.99, 1.01, 2 / np.pi]) * np.pi / 2 / LAG
SMALL = {"euler": 0.001, "heun": 0.02, "rk4": 0.02, "exp_euler": 0.001}


@cache
def delayed_pulls(method: str) -> Array:
    """Samples every 0.1 ms for 40 ms, from x = 1 at t <= 0."""
    g = bg.Graph()
    pull = g.add_node("pull", nodes.LinearStep(5, gamma=0.0, init_x=1.0))
    back = edges.AdditiveCoupling(conn=np.diag(-PULL))
    g.add_edge(pull.x, pull.x_inp, back, delay=np.diag(LAG) * u.ms)
    return simulate(g, method, SMALL[method], 40.0, monitors={"pull.x": 0.1 * u.ms})["pull.x"]


@pytest.mark.parametrize("method", METHODS)
def test_a_delayed_pull_is_unstable_beyond_half_pi(x64: None, method: str) -> None:
    """Hayes 1950: the rightmost root of lambda = -a exp(-lambda tau) is W(-a tau) / tau."""
    x = delayed_pulls(method)[100:, :4]  # from here on only that root and its conjugate are left
    for unit, want in enumerate(lambertw(-PULL * LAG).real[:4] / LAG[:4]):
        two = np.stack([x[1:-1, unit], x[:-2, unit]], 1)
        _, last = np.linalg.lstsq(two, x[2:, unit], rcond=None)[0]
        assert np.log(-last) / (2 * 0.1) == pytest.approx(want, rel=0.1), (unit, want)


@pytest.mark.parametrize("method", METHODS)
def test_method_of_steps(x64: None, method: str) -> None:
    """Bellman & Cooke 1963: x' = -x(t - 1), x = 1 before, is a polynomial between whole times."""
    tolerance = {"euler": 1.5e-3, "heun": 4e-4, "rk4": 5e-5, "exp_euler": 1.5e-3}
    at_whole_times = delayed_pulls(method)[9:60:10, 4]
    want = [0, -1 / 2, -1 / 6, 5 / 24, 19 / 120, -41 / 720]
    np.testing.assert_allclose(at_whole_times, want, rtol=0, atol=tolerance[method])
