"""The order parameter, now and over time, against known states and the whole trajectory."""

from __future__ import annotations

import math
from typing import Any

import brainunit as u
import numpy as np
import oracle
import oracle_reducers  # noqa: F401 (it registers its laws)
import pytest
from compare import drawn, every_signal
from test_errors import Case, ids, refused

import braingraph as bg
from braingraph import edges, nodes
from braingraph.observers import OrderParameter, PlanarOrderParameter

DT, N = 0.1, 4
QUIET: dict[str, Any] = {"progress": False}

# ---------------------------------------------------------------- states that are known
STATES: dict[str, tuple[Any, float, float | None]] = {
    "one unit": ([2.0], 1.0, 2.0),
    "all equal": ([-2.5] * 4, 1.0, -2.5),
    "equal but for whole turns": ([0.3, 0.3 + 2 * math.pi, 0.3 - 6 * math.pi], 1.0, 0.3),
    "spread evenly": (2 * math.pi * np.arange(7) / 7, 0.0, None),
    "opposite": ([0.4, 0.4 + math.pi], 0.0, None),
    "two groups": ([0.0, 0.0, math.pi / 2, math.pi / 2], math.sqrt(0.5), math.pi / 4),
    "a uniform arc": ((np.arange(20000) + 0.5) / 10000 - 1, math.sin(1), 0.0),  # sin(a) / a
    "twisted": (2 * math.pi * 3 * np.arange(12) / 12, 0.0, None),  # kuramoto.twisted, q = 3
}


@pytest.mark.parametrize("case", STATES)
def test_known_states(case: str, x64: None) -> None:
    theta, R, psi = STATES[case]
    theta = np.asarray(theta)
    for unit in (u.UNITLESS, u.mV):
        order: Any = PlanarOrderParameter(len(theta), unit=unit)
        long = np.linspace(0.5, 3, len(theta)) * unit
        given = {"x": long * np.cos(theta), "y": long * np.sin(theta)}
        _, planar = order.update(order.init_state(), **given, dt=1 * u.ms)
        assert float(planar.R[0]) == pytest.approx(R, abs=1e-8)
    order = OrderParameter(len(theta))
    _, out = order.update(order.init_state(), theta=theta, dt=1 * u.ms)
    assert out.R.shape == out.psi.shape == (1,)
    assert float(out.R[0]) == pytest.approx(R, abs=1e-8)
    assert psi is None or float(out.psi[0]) == pytest.approx(psi, abs=1e-8)


def quantiles(n: int, gamma: float = 1.0) -> Any:
    """Frequencies that stand for a Lorentzian, in the middle of n equal shares."""
    return np.clip(gamma * np.tan(math.pi * ((np.arange(n) + 0.5) / n - 0.5)), -200, 200)


@pytest.mark.parametrize("K", [2.5, 3.0, 4.0])
def test_lorentzian_oscillators_lock_as_far_as_the_theory_says(K: float) -> None:
    """R = sqrt(1 - 2 gamma / K) (Kuramoto 1975; Strogatz 2000); time in units of 1 / gamma."""
    ds = SYNC.run(18 * u.ms, monitors={"order.R_mean": 18 * u.ms}, params={"osc.K": K}, **QUIET)
    assert ds["order.R_mean"][-1].item() == pytest.approx(math.sqrt(1 - 2 / K), abs=0.02)


def locking() -> bg.Simulator:
    g = bg.Graph()
    osc = g.add_node("osc", nodes.KuramotoNetwork(1000, omega=quantiles(1000), init_theta=0.0))
    order = g.add_node("order", OrderParameter(1000, start=8 * u.ms))
    g.add_edge(osc.theta, order.theta)
    return bg.Simulator(g, dt=0.01 * u.ms)


SYNC = locking()


# ---------------------------------------------------------------- trajectories
def watched() -> bg.Graph:
    """Noisy oscillators in a chain, their phases and their planes seen on three clocks."""
    g = bg.Graph()
    turn = np.array([0.1, 0.2, 0.25, 0.3])
    hopf = g.add_node("hopf", nodes.HopfStep(N, a=0.3, w=turn, init_x=0.5, init_y=0.1))
    drive = g.add_node("drive", nodes.WhiteNoise(N, sigma=0.3))
    g.add_edge(drive, hopf.x_inp)
    kuramoto = nodes.KuramotoNetwork(N, omega=20 * turn, K=0.5, init_theta=[0.0, 3.0, 4.0, 6.0])
    osc = g.add_node("osc", kuramoto)
    g.add_edge(drive, osc.theta_inp)
    for name, model, source in (
        ("order", OrderParameter(N, start=0.5 * u.ms), osc.phase),
        ("slow", OrderParameter(N, dt=0.4 * u.ms), osc.phase),
    ):
        g.add_edge(source, g.add_node(name, model).theta)
    plane = g.add_node("plane", PlanarOrderParameter(N, dt=0.4 * u.ms, start=0.8 * u.ms))
    g.add_edge(hopf.x, plane.x)
    g.add_edge(hopf.y, plane.y)
    pair = g.add_node("pair", OrderParameter(2))  # a part of the network
    g.add_edge(osc.theta, pair.theta, edges.AdditiveCoupling(conn=np.eye(N)[[1, 3]]))
    return g


def test_at_every_moment_they_are_those_of_the_trajectory_and_of_the_oracle(x64: None) -> None:
    g = watched()
    ds = bg.Simulator(g, dt=DT * u.ms, seed=3).run(
        12 * u.ms, monitors=every_signal(g), batch_size=2, **QUIET
    )
    for replica in range(2):
        one = {str(k): np.asarray(v[replica]) for k, v in ds.data_vars.items()}
        z = np.exp(1j * one["osc.theta"]).mean(1)
        last = z[3::4]  # the last of each interval, never a mean of wrapped phases
        planar = np.exp(1j * np.angle(one["hopf.x"] + 1j * one["hopf.y"])).mean(1)[3::4]
        part = np.exp(1j * one["osc.theta"][:, [1, 3]]).mean(1)
        for name, seen in (("order", z), ("slow", last), ("plane", planar), ("pair", part)):
            np.testing.assert_allclose(one[f"{name}.R"].ravel(), abs(seen), rtol=1e-10)
            np.testing.assert_allclose(one[f"{name}.psi"].ravel(), np.angle(seen), rtol=1e-9)
        for k in range(10, 30):  # without a clock, R at the beginning of each step
            for name, R in (
                ("slow", abs(last[: k + 1])),
                ("plane", abs(planar[2 : k + 1])),
                ("order", abs(z[4:k])),
            ):
                assert one[f"{name}.R_mean"][k] == pytest.approx(R.mean(), rel=1e-10)
                assert one[f"{name}.R_std"][k] == pytest.approx(R.std(ddof=1), rel=1e-10)
    want = oracle.simulate(g, DT, 40, "heun", normals=drawn(g, 3, replica))
    for name, value in want.items():
        flat = one[name][: len(value)].reshape(len(value), -1)
        np.testing.assert_allclose(flat, value, rtol=1e-10, atol=1e-10, err_msg=name)
    assert not np.allclose(*ds["order.R_mean"][:, -1])


def test_interrupted_and_resumed_is_the_same() -> None:
    seen = ["order.R", "order.R_std", "plane.psi", "plane.R_std"]
    sim = bg.Simulator(watched(), dt=DT * u.ms, seed=3)
    whole = sim.run(8 * u.ms, monitors=seen, **QUIET)
    first = sim.run(4.4 * u.ms, monitors=seen, **QUIET)
    second = sim.run(3.6 * u.ms, monitors=seen, initial=sim.state, **QUIET)
    for name in seen:
        pieces = np.concatenate([np.asarray(first[name]), np.asarray(second[name])])
        np.testing.assert_array_equal(pieces, np.asarray(whole[name]), err_msg=name)
    assert sim.state is not None
    small = {k: v.size for k, v in sim.state.states.items() if k.startswith("order.")}
    assert set(small.values()) == {1}  # whatever the run's length and the units


# ---------------------------------------------------------------- mistakes
def planar(unit: Any) -> None:
    g = bg.Graph()
    x = g.add_node("x", nodes.OUProcess(2, sigma=1 * u.mV))
    g.add_edge(x, g.add_node("order", PlanarOrderParameter(2, unit=unit)).y)


def no_phases() -> Any:
    return PlanarOrderParameter(2)


MISTAKES: list[Case] = [
    ("no unit", lambda: planar(u.UNITLESS), bg.UnitError, r"carries \[mV\]", {"given": u.mV}),
    (
        "not a unit",
        lambda: PlanarOrderParameter(2, unit=2),
        bg.ParameterError,
        "PlanarOrderParameter.unit must be a unit, as in unit=u.mV, but is 2",
        {"parameter": "unit"},
    ),
    (
        "a phase with a unit",
        lambda: OrderParameter(2, unit=u.mV),
        bg.ParameterError,
        "OrderParameter has no parameter 'unit'",
        {"parameter": "unit"},
    ),
    (
        "a start before the run",
        lambda: OrderParameter(2, start=-3 * u.ms),
        bg.ParameterError,
        "OrderParameter.start is -3 ms",
        {"parameter": "start"},
    ),
    (
        "planar oscillators have no theta",
        lambda: bg.Graph().add_node("o", no_phases()).theta,
        bg.PortError,
        "no port 'theta'",
        {"path": "o.theta"},
    ),
]


@pytest.mark.parametrize("case", MISTAKES, ids=ids(MISTAKES))
def test_mistakes_are_refused(case: Case) -> None:
    refused(*case[1:])
