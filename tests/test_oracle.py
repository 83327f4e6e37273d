"""The oracle's rules against what they share no code with: paper, closed forms, scipy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import brainunit as u
import numpy as np
import oracle
import oracle_models as laws
import pytest
from scipy.integrate import solve_ivp

from braingraph.component import Input, Node, State
from braingraph.edges import AdditiveCoupling, DiffusiveCoupling
from braingraph.graph import Graph
from braingraph.nodes import (
    FunctionStimulus,
    HopfStep,
    LinearStep,
    MontbrioPazoRoxinStep,
    OUProcess,
    WhiteNoise,
    WilsonCowanStep,
    WongWangExcInhStep,
)

Array = oracle.Array
ORDER = {"euler": 1, "exp_euler": 1, "heun": 2, "rk4": 4}


def order_of(error: Callable[[float], float], dt: float) -> float:
    """The slope of log(error) over log(dt) between dt and dt / 2."""
    return math.log2(error(dt) / error(dt / 2))


def integrator(size: int, **given: Any) -> LinearStep:
    """x' = x_inp, and nothing else."""
    return LinearStep(size, **{"gamma": 0.0, "init_x": 0.0, **given})


# ---------------------------------------------------------------- methods against scipy
def two_models() -> Graph:
    """Oscillators and rates that drive each other at once, one of them inside a graph."""
    inner = Graph()
    inner.add_node("osc", HopfStep(3, a=[0.1, 0.2, 0.3], w=0.4))
    inner.add_edge(
        "osc.x", "osc.x_inp", DiffusiveCoupling(conn=[[0, 1, 0], [2, 0, 1], [0, 3, 0]], k=0.1)
    )
    g = Graph()
    g.add_node("left", inner)
    g.add_node("ei", WilsonCowanStep(2, tau_E=2 * u.ms, tau_I=3 * u.ms))
    g.add_edge("left.osc.x", "ei.rE_inp", AdditiveCoupling(conn=[[1, -1, 2], [0, 1, 0]], k=0.5))
    g.add_edge("ei.rE", "left.osc.y_inp", AdditiveCoupling(conn=0.2, b=-0.01))
    g.add_edge("ei.rI", "ei.rI_inp")
    return g


def two_models_field(t: float, z: Array) -> Array:
    x, y, E, I = z[:3], z[3:6], z[6:8], z[8:]  # noqa: E741
    r2, a = x * x + y * y, np.array([0.1, 0.2, 0.3])
    neighbours = np.array([1 * x[1], 2 * x[0] + x[2], 3 * x[1]]) - np.array([1, 3, 3]) * x
    to_E = 12 * E - 4 * I + 0.5 * np.array([x[0] - x[1] + 2 * x[2], x[1]])
    to_I = 13 * E - 11 * I + I
    gain_E = 1 / (1 + np.exp(-1.2 * (to_E - 2.8))) - 1 / (1 + np.exp(1.2 * 2.8))
    gain_I = 1 / (1 + np.exp(-(to_I - 4.0))) - 1 / (1 + np.exp(4.0))
    return np.concatenate(
        [
            (a - r2) * x - 0.4 * y + 0.1 * neighbours,
            (a - r2) * y + 0.4 * x + 0.2 * E.sum() - 0.01,
            (-E + (1 - E) * gain_E) / 2,
            (-I + (1 - I) * gain_I) / 3,
        ]
    )


@pytest.mark.parametrize("method", ORDER)
def test_order_with_instantaneous_coupling(method: str) -> None:
    start = {"left.osc.x": [0.3, -0.2, 0.1], "left.osc.y": [0.0, 0.4, -0.5]}
    start |= {"ei.rE": [0.1, 0.3], "ei.rI": [0.2, 0.05]}
    z = np.concatenate(list(start.values()))
    exact = solve_ivp(two_models_field, (0, 4), z, rtol=1e-12, atol=1e-13).y[:, -1]

    def error(dt: float) -> float:
        found = oracle.simulate(two_models(), dt, round(4 / dt), method, initial=start)
        return float(abs(np.concatenate([found[port][-1] for port in start]) - exact).max())

    assert order_of(error, 0.05) == pytest.approx(ORDER[method], abs=0.15)
    assert error(0.05) < {1: 0.05, 2: 1e-3, 4: 1e-6}[ORDER[method]]


def test_exp_euler_is_exact_when_linear() -> None:
    g = Graph()
    g.add_node("n", LinearStep(2, gamma=[-10.0, 0.0], init_x=[3.0, 1.0]))
    found = oracle.simulate(g, 0.5, 4, "exp_euler", inputs={"n.x_inp": 2.0})["n.x"]
    t = 0.5 * np.arange(1, 5)
    np.testing.assert_allclose(found[:, 0], 0.2 + 2.8 * np.exp(-10 * t), rtol=1e-13)
    np.testing.assert_allclose(found[:, 1], 1 + 2 * t, rtol=1e-13)


def test_exp_euler_knows_only_the_own_slope() -> None:
    g = Graph()
    g.add_node("h", HopfStep(1, a=0.2, w=0.4, init_x=0.3, init_y=-0.5))
    g.add_edge("h.x", "h.x_inp", AdditiveCoupling(k=5.0))  # no part of J
    found = oracle.simulate(g, 0.1, 1, "exp_euler")
    fx, jx = (0.2 - 0.34) * 0.3 + 0.4 * 0.5 + 5 * 0.3, 0.2 - 3 * 0.09 - 0.25
    fy, jy = (0.2 - 0.34) * -0.5 + 0.4 * 0.3, 0.2 - 0.09 - 3 * 0.25
    assert found["h.x"][0, 0] == pytest.approx(0.3 + np.expm1(0.1 * jx) / jx * fx, rel=1e-13)
    assert found["h.y"][0, 0] == pytest.approx(-0.5 + np.expm1(0.1 * jy) / jy * fy, rel=1e-13)


# ---------------------------------------------------------------- delays
def decay(tau: float, a: float = 1.0) -> Graph:
    """x' = -a x(t - tau)."""
    g = Graph()
    g.add_node("n", integrator(1, init_x=1.0))
    g.add_edge("n.x", "n.x_inp", AdditiveCoupling(conn=1.0, k=-a), delay=tau * u.ms)
    return g


def by_steps(t: Any, tau: float, a: float) -> Any:
    """x' = -a x(t - tau) with x = 1 for t <= 0: sum_k (-a)^k (t - (k - 1) tau)^k / k!."""
    total = np.ones_like(t)
    for k in range(1, 10):
        late = np.maximum(t - (k - 1) * tau, 0.0)
        total = total + (-a) ** k * late**k / math.factorial(k)
    return total


def test_method_of_steps() -> None:
    # Heun sums trapezoids: exact while the past is linear, that is for t <= 2 tau.
    t = 0.1 * np.arange(1, 41)
    for interpolation in ("linear", "nearest"):
        g = Graph()
        g.add_node("n", integrator(1, init_x=1.0))
        coupling = AdditiveCoupling(conn=1.0, k=-0.8)
        g.add_edge("n.x", "n.x_inp", coupling, delay=1.0 * u.ms, interpolation=interpolation)
        x = oracle.simulate(g, 0.1, 40, "heun")["n.x"][:, 0]
        exact = by_steps(t, 1.0, 0.8)
        np.testing.assert_allclose(x[:20], exact[:20], atol=1e-13)
        # In the third interval x'''(t) = -0.8^3: the trapezoids are off by 0.8^3 dt^2 / 12 per ms.
        np.testing.assert_allclose(
            x[20:30] - exact[20:30], -(0.8**3) * 0.01 / 12 * (t[20:30] - 2), atol=1e-13
        )


def test_method_of_steps_off_the_grid() -> None:
    def error(dt: float) -> float:
        t = dt * np.arange(1, round(3 / dt) + 1)
        x = oracle.simulate(decay(0.93, 0.8), dt, len(t), "heun")["n.x"][:, 0]
        return float(abs(x - by_steps(t, 0.93, 0.8)).max())

    assert error(0.1) < 5e-3
    assert order_of(error, 0.1) > 1.5  # kinks off the grid move with dt, so not exactly 2


@pytest.mark.parametrize("method", ORDER)
@pytest.mark.parametrize("delay", [1.0, 0.73, "0.4 dt", "0.8 dt", "1.3 dt"])
def test_order_with_smooth_history(method: str, delay: float | str) -> None:
    # x = exp(lambda t) solves x' = a x(t - tau) when a = lambda exp(lambda tau).
    rate = -0.9

    def error(dt: float) -> float:
        tau = dt * float(delay.split()[0]) if isinstance(delay, str) else delay
        n = round(3 / dt)
        history = {"n.x": lambda t: np.exp(rate * t)}
        graph = decay(tau, -rate * math.exp(rate * tau))
        x = oracle.simulate(graph, dt, n, method, history=history)["n.x"]
        return float(abs(x[-1, 0] - math.exp(rate * dt * n)))

    assert order_of(error, 0.1) == pytest.approx(ORDER[method], abs=0.35)
    assert error(0.1) < {1: 0.1, 2: 5e-3, 4: 2e-5}[ORDER[method]]


# Samples of the past, oldest first, the last at t = 0; the input is read at t_1, the end of step 0.
PAST = [[2.0], [11.0], [5.0], [3.0], [7.0]]
READINGS: list[tuple[str, str, float, float]] = [
    ("euler", "linear", 1.0, 7.0),
    ("euler", "linear", 2.0, 3.0),
    ("heun", "linear", 1.25, 0.75 * 7 + 0.25 * 3),
    ("heun", "linear", 2.9, 0.1 * 3 + 0.9 * 5),
    ("exp_euler", "linear", 3.5, 0.5 * 5 + 0.5 * 11),
    ("heun", "nearest", 1.25, 7.0),
    ("heun", "nearest", 1.5, 3.0),  # half to even: 2 steps
    ("heun", "nearest", 2.5, 3.0),  # half to even: 2 steps
    ("rk4", "nearest", 2.6, 5.0),
    ("rk4", "linear", 3.0, 5.0),
    # p = -1.5: the cubic through samples -3 ... 0, halfway between the middle two
    ("rk4", "linear", 2.5, (-11 + 9 * 5 + 9 * 3 - 7) / 16),
    # p = -2.25: through samples -4 ... -1, 1.75 steps after the first
    ("rk4", "linear", 3.25, (-5 * 2 + 35 * 11 + 105 * 5 - 7 * 3) / 128),
    # p = -0.5 and 0.5: the newest sample is 0, so samples -3 ... 0 again, 2.5 and 3.5 steps on
    ("rk4", "linear", 1.5, (11 - 5 * 5 + 15 * 3 + 5 * 7) / 16),
    ("rk4", "linear", 0.5, (-5 * 11 + 21 * 5 - 35 * 3 + 35 * 7) / 16),
    ("heun", "linear", 9.5, 2.0),  # before the oldest sample stands the oldest
]


def test_history_of_an_output_follows_from_the_states() -> None:
    g = Graph()
    g.add_node("qif", MontbrioPazoRoxinStep(1, tau=10 * u.ms, init_r=0.1, init_v=0.0))
    g.add_node("n", integrator(1))
    coupling = AdditiveCoupling(k=1.0 * u.ms)
    g.add_edge("qif.rate", "n.x_inp", coupling, delay=3 * u.ms)  # r / 10 per ms
    for history, expected in (
        ({}, 0.01),
        ({"qif.r": lambda t: 0.1 - 0.02 * t}, 0.014),
        ({"qif.rate": 70.0}, 0.07),  # Hz
    ):
        found = oracle.simulate(g, 1.0, 1, "euler", history=history)
        assert found["n.x_inp"][0, 0] == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize(("method", "interpolation", "steps", "expected"), READINGS)
def test_reading_between_samples(
    method: str, interpolation: str, steps: float, expected: float
) -> None:
    g = Graph()
    g.add_node("a", integrator(1, init_x=7.0))
    g.add_node("b", integrator(1))
    g.add_edge("a.x", "b.x_inp", delay=round(0.1 * steps, 3) * u.ms, interpolation=interpolation)
    found = oracle.simulate(g, 0.1, 1, method, history={"a.x": PAST})
    assert found["b.x_inp"][0, 0] == pytest.approx(expected, rel=1e-13)


def test_heun_reads_between_the_newest_sample_and_its_own_guess() -> None:
    # a: x' = 1 from 0, history 0. Delay 0.4 dt, dt = 1: stage 0 reads p = -0.4, which is 0; stage
    # 1 reads p = 0.6, between a_0 = 0 and the guess a_1 = 1.
    g = Graph()
    g.add_node("a", integrator(1))
    g.add_node("b", integrator(1))
    g.add_edge("a.x", "b.x_inp", delay=0.4 * u.ms)
    found = oracle.simulate(g, 1.0, 2, "heun", inputs={"a.x_inp": 1.0})
    np.testing.assert_allclose(found["b.x"][:, 0], [0.3, 0.3 + (0.6 + 1.6) / 2], rtol=1e-13)
    np.testing.assert_allclose(found["b.x_inp"][:, 0], [0.6, 1.6], rtol=1e-13)


def test_a_delay_per_connection() -> None:
    # Sources stand still at x = t + 10 j for t <= 0; delays [target, source] in steps of 0.5 ms.
    steps = np.array([[0, 1, 2], [3, 4, 5], [6, 7, 8]])
    weights = np.array([[1.0, 2.0, 3.0], [0.5, 0.0, -1.0], [0.0, 0.0, 4.0]])
    past = np.arange(-8, 1)[:, None] * 0.5 + np.array([0.0, 10.0, 20.0])
    g = Graph()
    g.add_node("n", integrator(3, init_x=past[-1]))
    g.add_node("m", integrator(3))
    coupling = AdditiveCoupling(conn=weights)
    g.add_edge("n.x", "m.x_inp", coupling, delay=steps * 0.5 * u.ms)
    for history in (past, lambda t: t + np.array([0.0, 10.0, 20.0])):
        found = oracle.simulate(g, 0.5, 1, "euler", history={"n.x": history})["m.x"][0]
        # Row 0: 1 * 0 + 2 * (10 - 0.5) + 3 * (20 - 1); row 1: 0.5 * -1.5 - 17.5; row 2: 4 * 16.
        np.testing.assert_allclose(found, 0.5 * np.array([76.0, -18.25, 64.0]), rtol=1e-13)


# ---------------------------------------------------------------- edges, on paper
def test_edges_add_up() -> None:
    g = Graph()
    g.add_node("a", integrator(2, init_x=[1.0, 2.0]))
    g.add_node("b", integrator(1, init_x=5.0))
    g.add_edge("a.x", "a.x_inp")
    g.add_edge("a.x", "a.x_inp", AdditiveCoupling(conn=[[0, 1], [0, 0]]), delay=3 * u.ms)
    g.add_edge("b.x", "a.x_inp", AdditiveCoupling(conn=[[1.0], [-1.0]]))
    found = oracle.simulate(g, 1.0, 1, "euler", inputs={"a.x_inp": np.array([[0.0, 100.0]])})
    np.testing.assert_allclose(found["a.x"][0], [1 + 1 + 2 + 5, 2 + 2 - 5 + 100])


def test_loops_within_a_step() -> None:
    def looped(delay: Any) -> Graph:
        g = Graph()
        g.add_node("n", WongWangExcInhStep(1))
        coupling = AdditiveCoupling(k=0.01 * u.ms)
        g.add_edge("n.H_e", "n.S_e_inp", coupling, delay=delay)  # H_e passes S_e_inp on
        return g

    for delay in (None, 0.04 * u.ms):
        with pytest.raises(oracle.LoopError, match="n.S_e_inp -> n.H_e -> n.S_e_inp"):
            oracle.simulate(looped(delay), 0.1, 1, "heun")
    assert np.isfinite(oracle.simulate(looped(0.1 * u.ms), 0.1, 5, "heun")["n.H_e"]).all()


# ---------------------------------------------------------------- noise, and nodes that jump
def numbers(path: str, signal: str, step: int) -> Array:
    """Normals that tell where they come from."""
    assert signal == "xi"
    return step + np.array([1.0, 1.5]) + (10.0 if path == "ou" else 0.0)


def test_noise_is_held_over_its_step() -> None:
    g = Graph()
    g.add_node("drive", WhiteNoise(2, sigma=0.3, mean=0.2))
    g.add_node("n", integrator(2))
    g.add_node("late", integrator(2))
    g.add_edge("drive.out", "n.x_inp")
    g.add_edge("drive.out", "late.x_inp", delay=0.25 * u.ms)
    xi = np.array([numbers("drive", "xi", n) for n in range(4)])
    out = 0.2 + 0.3 * xi / math.sqrt(0.25)
    for method in ("euler", "heun", "rk4"):  # two equal stages, and four: all as Euler-Maruyama
        found = oracle.simulate(g, 0.25, 4, method, normals=numbers)
        np.testing.assert_allclose(found["drive.out"], out, rtol=1e-13)
        np.testing.assert_allclose(found["n.x"], np.cumsum(0.25 * out, axis=0), rtol=1e-13)
        np.testing.assert_allclose(found["n.x_inp"], out, rtol=1e-13)
        # Sample k is what was held over step k - 1; before, there is only the mean.
        np.testing.assert_allclose(found["late.x_inp"], [[0.2, 0.2], *out[:3]], rtol=1e-13)
    quiet = oracle.simulate(g, 0.25, 2, "heun")
    np.testing.assert_allclose(quiet["n.x"], [[0.05, 0.05], [0.1, 0.1]], rtol=1e-13)


def test_ou_jumps_and_is_held() -> None:
    g = Graph()
    g.add_node("ou", OUProcess(2, sigma=0.3 * u.mV, tau=5 * u.ms, mean=1 * u.mV))
    g.add_node("n", integrator(2))
    g.add_edge("ou.x", "n.x_inp", AdditiveCoupling(k=2 / u.volt))
    start = {"ou.x": [1.3, 0.4]}
    found = oracle.simulate(g, 0.5, 3, "heun", initial=start, normals=numbers)
    x = [np.array(start["ou.x"])]
    for n in range(3):
        kept = math.exp(-0.1)
        noise = 0.3 * math.sqrt(1 - kept**2) * numbers("ou", "xi", n)
        x.append(1 + kept * (x[-1] - 1) + noise)
    np.testing.assert_allclose(found["ou.x"], x[1:], rtol=1e-12)
    np.testing.assert_allclose(found["n.x_inp"], 0.002 * np.array(x[1:]), rtol=1e-12)
    np.testing.assert_allclose(found["n.x"], 0.001 * np.cumsum(x[:3], axis=0), rtol=1e-12)


class Follower(Node):
    """Takes on what its input was when the step began."""

    x = State(0.0)
    x_inp = Input(0.5)

    def update(self, s: Any, i: Any, dt: Any) -> dict[str, Any]:
        return {"x": i.x_inp}


@pytest.mark.parametrize("method", ORDER)
def test_update_reads_the_signals_of_stage_0(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = laws.Law(jump=lambda p, s, i, dt: {"x": i.x_inp})
    monkeypatch.setitem(laws.LAWS, "Follower", copy)
    g = Graph()
    g.add_node("ramp", integrator(1))
    g.add_node("copy", Follower(1))
    g.add_edge("ramp.x", "copy.x_inp")
    found = oracle.simulate(g, 0.25, 3, method, inputs={"ramp.x_inp": 1.0})
    np.testing.assert_allclose(found["copy.x"][:, 0], [0.5, 0.75, 1.0], rtol=1e-13)
    np.testing.assert_allclose(found["copy.x_inp"][:, 0], [0.75, 1.0, 1.25], rtol=1e-13)


@pytest.mark.parametrize("method", ORDER)
def test_a_delayed_function_of_time(method: str) -> None:
    g = Graph()
    g.add_node("clock", FunctionStimulus(1, f=lambda t: t / u.ms))
    g.add_node("late", integrator(1))
    g.add_edge("clock.out", "late.x_inp", delay=0.25 * u.ms)
    found = oracle.simulate(g, 0.1, 10, method)["late.x_inp"][:, 0]
    np.testing.assert_allclose(found[6:], 0.1 * np.arange(7, 11) - 0.25, rtol=1e-12)


# ---------------------------------------------------------------- inputs, bounds, clocks
def test_inputs_from_outside() -> None:
    g = Graph()
    g.add_node("n", integrator(2))
    rows = np.array([[1.0, 2.0], [10.0, 20.0]])
    found = oracle.simulate(g, 0.5, 2, "rk4", inputs={"n.x_inp": rows})
    np.testing.assert_allclose(found["n.x"], [[0.5, 1.0], [5.5, 11.0]])
    np.testing.assert_allclose(found["n.x_inp"], rows)  # held over the step that ended there
    # RK4 at the stage's own time is Simpson's rule, exact for cubics; Heun is the trapezoid.
    cubic = oracle.simulate(g, 0.5, 2, "rk4", inputs={"n.x_inp": lambda t: t**3})
    np.testing.assert_allclose(cubic["n.x"][:, 0], [0.5**4 / 4, 0.25], rtol=1e-13)
    np.testing.assert_allclose(cubic["n.x_inp"][:, 0], [0.125, 1.0], rtol=1e-13)
    lines = oracle.simulate(g, 0.5, 2, "heun", inputs={"n.x_inp": lambda t: t**3})
    np.testing.assert_allclose(lines["n.x"][:, 0], [0.03125, 0.03125 + 0.28125], rtol=1e-13)


def test_bounds_hold_at_every_stage() -> None:
    g = Graph()
    g.add_node("n", MontbrioPazoRoxinStep(1, init_r=0.1, init_v=-3.0))
    found = oracle.simulate(g, 1.0, 1, "heun", inputs={"n.r_inp": -2.0})
    slope_r, slope_v = 1 / math.pi - 0.6 - 2, 9 - 5 + 1.5 - (math.pi * 0.1) ** 2
    v = -3 + slope_v  # at the second stage, where r is held at 0 instead of 0.1 + slope_r < 0
    assert found["n.r"][0, 0] == 0.0 < 0.1 - slope_r
    assert found["n.v"][0, 0] == pytest.approx(-3 + (slope_v + v * v - 5) / 2, rel=1e-13)


def test_slow_nodes_see_the_mean_of_their_interval() -> None:
    g = Graph()
    g.add_node("ramp", integrator(1))
    g.add_node("slow", integrator(1, dt=0.4 * u.ms))
    g.add_node("after", integrator(1, dt=0.4 * u.ms))
    g.add_edge("ramp.x", "slow.x_inp")
    g.add_edge("slow.x", "after.x_inp")  # within the stages of the slow step
    found = oracle.simulate(g, 0.1, 8, "heun", inputs={"ramp.x_inp": 1.0})
    np.testing.assert_allclose(found["slow.x_inp"][:, 0], [0.25, 0.65], rtol=1e-13)
    np.testing.assert_allclose(found["slow.x"][:, 0], [0.1, 0.36], rtol=1e-13)
    np.testing.assert_allclose(found["after.x_inp"][:, 0], [0.1, 0.36], rtol=1e-13)
    np.testing.assert_allclose(found["after.x"][:, 0], [0.02, 0.02 + 0.4 * 0.23], rtol=1e-13)


def test_slow_nodes_compare_with_their_own_state() -> None:
    g = Graph()
    g.add_node("ramp", integrator(1))
    g.add_node("slow", integrator(1, dt=0.4 * u.ms, init_x=1.0))
    g.add_edge("ramp.x", "slow.x_inp", DiffusiveCoupling(k=2.0), delay=0.1 * u.ms)
    found = oracle.simulate(g, 0.1, 8, "euler", inputs={"ramp.x_inp": 1.0})
    first = 2 * (0.15 - 1.0)  # the ramp 0.1 ms ago was 0, 0.1, 0.2, 0.3
    second = 2 * (0.55 - (1 + 0.4 * first))
    np.testing.assert_allclose(found["slow.x_inp"][:, 0], [first, second], rtol=1e-12)


def test_noise_with_a_clock_of_its_own() -> None:
    g = Graph()
    g.add_node("drive", WhiteNoise(2, sigma=0.3, dt=1 * u.ms))
    g.add_node("n", integrator(2, dt=1 * u.ms))
    g.add_edge("drive.out", "n.x_inp")
    found = oracle.simulate(g, 0.25, 8, "heun", normals=numbers)
    out = 0.3 * np.array([numbers("drive", "xi", 0), numbers("drive", "xi", 1)])
    np.testing.assert_allclose(found["drive.out"], out, rtol=1e-13)
    np.testing.assert_allclose(found["n.x"], np.cumsum(out, axis=0), rtol=1e-13)
