"""The linear and the threshold-linear node, alone and in networks, against linear algebra."""

from typing import Any

import brainunit as u
import jax.numpy as jnp
import numpy as np
import pytest
from model_tools import eigenvalues, field, newton, rk4
from scipy.linalg import expm

import braingraph as bg
from braingraph import edges, nodes

rng = np.random.default_rng(4)
POSITIVE = rng.uniform(0, 1, (6, 6))
POSITIVE /= np.abs(np.linalg.eigvals(POSITIVE)).max()  # spectral radius 1


# ---------------------------------------------------------------- linear
@pytest.mark.parametrize("dt", [0.01, 0.1, 0.37, 5.0])
def test_one_step_of_exponential_euler_is_exact(x64: None, dt: float) -> None:
    """x(t) = (x0 + c / gamma) exp(gamma t) - c / gamma, whatever the step."""
    model = nodes.LinearStep(1)
    state, _ = model.update(model.init_state(), x_inp=2.5, dt=dt * u.ms, method="exp_euler")
    assert float(state.x[0]) == pytest.approx(0.25 - 0.24 * np.exp(-10 * dt), rel=1e-13)
    state, _ = model.update(model.init_state(), x_inp=2.5, dt=dt * u.ms, method="euler")
    assert float(state.x[0]) == pytest.approx(0.01 + dt * (2.5 - 0.1), rel=1e-13)


def test_a_linear_network_follows_the_matrix_exponential(x64: None) -> None:
    """Asymmetric weights: rows are targets."""
    start = rng.normal(size=6)
    g = bg.Graph()
    n = g.add_node("n", nodes.LinearStep(6, init_x=start))
    g.add_edge(n.x, n.x_inp, edges.AdditiveCoupling(conn=POSITIVE, k=5.0))
    ds = bg.Simulator(g, dt=0.001 * u.ms, method="rk4").run(0.3 * u.ms, progress=False)
    exact = expm((5 * POSITIVE - 10 * np.eye(6)) * 0.3) @ start
    np.testing.assert_allclose(ds["n.x"][-1], exact, rtol=1e-9)
    assert not np.allclose(exact, expm((5 * POSITIVE.T - 10 * np.eye(6)) * 0.3) @ start, rtol=0.01)


def test_a_linear_network_is_stable_until_its_coupling_outweighs_the_decay(x64: None) -> None:
    g = bg.Graph()
    n = g.add_node("n", nodes.LinearStep(6, init_x=1.0))
    g.add_edge(n.x, n.x_inp, edges.AdditiveCoupling(conn=POSITIVE), name="w")
    sim = bg.Simulator(g, dt=0.02 * u.ms)
    for k in (9.9, 10.1):
        x = sim.run(20 * u.ms, params={"w.k": k}, progress=False)["n.x"].values
        rate = np.log(np.linalg.norm(x[-1]) / np.linalg.norm(x[500])) / (20 - 501 * 0.02)
        assert rate == pytest.approx(k - 10, abs=1e-3)


# ---------------------------------------------------------------- threshold-linear
W = {"EE": 24.3, "EI": 19.7, "IE": 12.2, "II": 12.5}  # pA / Hz: Chaudhuri et al. 2015


def local_circuit(x: Any) -> Any:
    """The derivative of the closed loop under 500 and 200 pA, per ms."""
    rE, rI = x
    drive = {
        "rE_inp": W["EE"] * rE - W["EI"] * rI + 500.0,
        "rI_inp": W["IE"] * rE - W["II"] * rI + 200.0,
    }
    return field(nodes.ThresholdLinearStep(1), **drive)(x)


def test_the_local_circuit_settles_where_linear_algebra_says(x64: None) -> None:
    found = newton(local_circuit, [30.0, 30.0])
    np.testing.assert_allclose(found, [37.374959, 42.737271], atol=1e-6)
    np.testing.assert_allclose(eigenvalues(local_circuit, found), [-0.023879, -0.484681], atol=1e-6)
    np.testing.assert_allclose(rk4(local_circuit, [0.0, 0.0], 0.2, 5000)[-1], found, atol=1e-6)


def test_rates_decay_under_negative_currents_and_never_turn_negative(x64: None) -> None:
    model = nodes.ThresholdLinearStep(1)
    x = rk4(field(model, rE_inp=-100.0, rI_inp=-100.0), [10.0, 10.0], 0.1, 200)[-1]
    np.testing.assert_allclose(x, [3.6787944, 1.3533528], rtol=1e-7)
    state = model.replace(init_rE=10 * u.Hz, init_rI=10 * u.Hz).init_state()
    # a step longer than both time constants would overshoot
    state, _ = model.update(state, rE_inp=-100 * u.pA, dt=30 * u.ms, method="euler")
    assert [float(state[k][0].to_decimal(u.Hz)) for k in ("rE", "rI")] == [0.0, 0.0]


@pytest.mark.parametrize("current, slope", [(-5.0, 0.0), (5.0, 0.351 / 10)])
def test_the_gain_is_zero_below_threshold_and_constant_above(
    x64: None, current: float, slope: float
) -> None:
    def rate(current: Any) -> Any:
        return field(nodes.ThresholdLinearStep(1), rI_inp=current)(jnp.zeros(2))[1]

    difference = rate(current + 0.5) - rate(current - 0.5)
    assert float(difference) == pytest.approx(slope, abs=1e-14)
