"""Fixed points, eigenvalues, bifurcations and trajectories of the models, against the literature.

Numbers come from the papers and from independent solvers; ``derivative`` is all that is used.
"""

from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import physiology
import pytest
from model_tools import WC_UNIT, coupled, eigenvalues, field, newton, output, period, rk4
from scipy.optimize import brentq

from braingraph import nodes, observers
from braingraph.component import Node
from braingraph.nodes import transfer

WC_CYCLE = dict(
    WC_UNIT, c_EE=16.0, c_EI=-12.0, c_IE=15.0, c_II=-3.0, a_E=1.3, theta_E=4.0, a_I=2.0, theta_I=3.7
)


# ---------------------------------------------------------------- fixed points
HYSTERESIS = nodes.WilsonCowanStep(1, **WC_UNIT)
MPR = nodes.MontbrioPazoRoxinStep(1)
FIXED: list[tuple[Node, dict[str, float], list[float], bool]] = [
    (HYSTERESIS, {}, [0, 0], True),
    (HYSTERESIS, {}, [0.17803726, 0.062801178], False),
    (HYSTERESIS, {}, [0.46246487, 0.24336411], True),
    (HYSTERESIS, {"rE_inp": 1.25}, [0.4862555475, 0.2598079487], True),
    (nodes.WongWangExcInhStep(1), {}, [0.16475721, 0.03921845], True),
    (MPR, {}, [0.081134442, -1.961619989], True),
    (MPR, {}, [0.472980341, -0.336493781], False),
    (MPR, {}, [1.030596799, -0.154429883], True),
    (nodes.JansenRitStep(1), {"p": 0}, [0.0019206418, 0.67765069, 2.5814522, 0, 0, 0], True),
    (nodes.JansenRitStep(1), {"p": 50}, [0.00473323, 2.455607, 2.7172319, 0, 0, 0], True),
    (nodes.HopfStep(1, a=-0.1), {}, [0, 0], True),
    (nodes.HopfStep(1, a=0.1), {}, [0, 0], False),
    (nodes.VanDerPolStep(1), {}, [0, 0], False),
    (nodes.FitzHughNagumoStep(1), {}, [-1.199408035, -0.624260044], True),
    (nodes.FitzHughNagumoStep(1), {"inp": 0.5}, [-0.804847645, -0.131059556], False),
    (nodes.FitzHughNagumoCubicStep(1), {"inp": 1.0}, [0.42772618, 0.85545236], False),
    (nodes.Generic2dOscillatorStep(1), {}, [-0.18865175, -0.11348247], True),
    (nodes.LorenzStep(1), {}, [8.48528137, 8.48528137, 27], False),
    (nodes.LorenzStep(1), {}, [-8.48528137, -8.48528137, 27], False),
    (nodes.LorenzStep(1, rho=0.5), {}, [0, 0, 0], True),
    (nodes.LinearStep(1), {"x_inp": 2.5}, [0.25], True),
    (observers.BOLDSignal(1), {"z": 0}, [0, 1, 1, 1], True),
    (observers.BOLDSignal(1), {"z": 0.1}, [0, 1.243902439, 1.072337817, 0.895642306], True),
    *physiology.FIXED,
]


@pytest.mark.parametrize("case", FIXED, ids=lambda case: f"{type(case[0]).__name__}{case[2][:2]}")
def test_fixed_points_stand_where_they_should(x64: None, case: Any) -> None:
    model, inputs, expected, stable = case
    f = field(model, **inputs)
    found = newton(f, expected)
    np.testing.assert_allclose(f(found), 0, atol=2e-14)
    np.testing.assert_allclose(found, expected, atol=2e-7)
    assert (eigenvalues(f, found)[0].real < 0) == stable


def test_feedback_inhibition_holds_every_region_at_three_hertz(x64: None) -> None:
    """Deco et al. 2014's balance in closed form (Demirtas et al. 2019), for any connectome."""

    def current(rate: float, a: float, b: float, d: float) -> float:
        return float(brentq(lambda x: transfer.current_to_rate(x, a, b, d) - rate, -1, 2))

    S_e = 100 * 0.641e-3 * 3 / (1 + 100 * 0.641e-3 * 3)
    S_i = float(
        brentq(
            lambda s: (
                transfer.current_to_rate(0.15 * S_e - s + 0.7 * 0.382, 615.0, 177.0, 0.087) * 0.01
                - s
            ),
            0,
            1,
        )
    )
    assert (S_e, S_i) == pytest.approx((0.16128491, 0.03891887), abs=1e-8)
    strength = np.random.default_rng(11).uniform(0.2, 1.0, 10)
    excess = 1.4 * 0.15 * S_e + 0.382 + 0.15 * S_e * strength - current(3, 310, 125, 0.16)
    model = nodes.WongWangExcInhStep(10, G=1.0, J_i=excess / S_i)
    state = np.full((2, 10), [[S_e], [S_i]])
    network = S_e * strength
    np.testing.assert_allclose(field(model, S_e_inp=network)(state), 0, atol=1e-13)
    np.testing.assert_allclose(output(model, "H_e", state, u.Hz, S_e_inp=network), 3, rtol=1e-10)


EIGENVALUES: list[tuple[Node, list[float], list[complex], float]] = [
    (nodes.HopfStep(1, a=-0.02, w=0.3), [0, 0], [-0.02 + 0.3j, -0.02 - 0.3j], 1e-12),
    (nodes.VanDerPolStep(1), [0, 0], [0.5 + 0.75**0.5 * 1j, 0.5 - 0.75**0.5 * 1j], 1e-12),
    (nodes.VanDerPolStep(1, mu=3.0), [0, 0], [2.61803399, 0.38196601], 1e-8),
    (nodes.LinearStep(1, gamma=-2.5), [0.4], [-2.5], 1e-12),
    (nodes.WongWangExcInhStep(1), [0.16475721, 0.03921845], [-0.0059824313, -0.23145182], 1e-7),
    (MPR, [0.081134442, -1.961619989], [-2.44874, -5.39774], 1e-5),
    (MPR, [0.472980341, -0.336493781], [1.64168, -2.98765], 1e-5),
    (MPR, [1.030596799, -0.154429883], [-0.30886 + 3.31863j, -0.30886 - 3.31863j], 1e-5),
    (
        observers.BOLDSignal(1),
        [0, 1, 1, 1],
        [-0.325e-3 + 0.5517e-3j, -0.325e-3 - 0.5517e-3j, -1.02041e-3, -3.18878e-3],
        1e-8,
    ),
]


@pytest.mark.parametrize("case", EIGENVALUES, ids=lambda c: f"{type(c[0]).__name__}{c[1][:1]}")
def test_small_deviations_decay_at_the_right_rates(x64: None, case: Any) -> None:
    model, point, expected, tolerance = case
    np.testing.assert_allclose(eigenvalues(field(model), point), expected, atol=tolerance)


# ---------------------------------------------------------------- bifurcations
def jansen_rit_equilibrium(x: float) -> tuple[float, list[float]]:
    """The input p [Hz] that holds E - I at x mV, and the state: Grimbert & Faugeras 2006."""

    def rate(v: float) -> float:
        return float(5 / (1 + np.exp(0.56 * (6 - v))))

    M = 3.25 / 100 * rate(x)
    I = 22 / 50 * 135 * 0.25 * rate(135 * 0.25 * M)  # noqa: E741
    E = x + I
    return E * 100 / 3.25 - 135 * 0.8 * rate(135 * M), [M, E, I, 0, 0, 0]


@pytest.mark.parametrize(
    "x, p, kind",
    [
        (5.32654, -41.301410, "saddle-node"),
        (2.58055, 113.586273, "saddle-node"),
        (5.94046, -12.147492, "hopf"),
        (6.73957, 89.829108, "hopf"),
        (8.07914, 315.696428, "hopf"),
    ],
)
def test_jansen_rit_bifurcates_where_grimbert_and_faugeras_say(
    x64: None, x: float, p: float, kind: str
) -> None:
    def quantity(x: float) -> float:
        """Passes zero at the bifurcation: a real eigenvalue, or a pair's real part."""
        p, state = jansen_rit_equilibrium(x)
        f = field(nodes.JansenRitStep(1), p=p)
        np.testing.assert_allclose(f(state), 0, atol=1e-9)
        values = eigenvalues(f, state)
        if kind == "hopf":
            return float(values[np.abs(values.imag) > 0.01].real.max())
        return float(np.linalg.det(np.asarray(jax.jacfwd(f)(jnp.asarray(state)))))

    assert quantity(x - 0.01) * quantity(x + 0.01) < 0
    assert jansen_rit_equilibrium(x)[0] == pytest.approx(p, abs=0.01)


@pytest.mark.parametrize(
    "r, eta, J",
    [
        (0.753920, -5.74352716, 15.0),
        (0.162570, -3.13613409, 15.0),
        (0.296220727, -1.732050808, 7.796217037),  # the cusp
    ],
)
def test_montbrio_equilibria_merge_on_the_saddle_node_curve(
    x64: None, r: float, eta: float, J: float
) -> None:
    f = field(nodes.MontbrioPazoRoxinStep(1, eta=eta, J=J))
    point = jnp.array([r, -1 / (2 * np.pi * r)])
    np.testing.assert_allclose(f(point), 0, atol=1e-5)
    assert abs(np.linalg.det(np.asarray(jax.jacfwd(f)(point)))) < 1e-4


def test_twisted_states_of_a_ring_of_phases_have_their_spectrum(x64: None) -> None:
    n = 12
    ring = np.roll(np.eye(n), 1, 0) + np.roll(np.eye(n), -1, 0)
    model = nodes.KuramotoNetwork(n, K=1.0, conn=ring, normalize_by_n=False)
    theta = 2 * np.pi * np.arange(n) / n
    np.testing.assert_allclose(coupled(model, theta), 0, atol=1e-13)
    jacobian = jax.jacfwd(lambda x: coupled(model, x))(jnp.asarray(theta))
    k = 2 * np.pi * np.arange(n) / n
    expected = -2 * np.cos(2 * np.pi / n) * (1 - np.cos(k))
    np.testing.assert_allclose(np.linalg.eigvalsh(jacobian), np.sort(expected), atol=1e-12)


def test_symmetric_coupling_leaves_the_mean_phase_alone(x64: None) -> None:
    rng = np.random.default_rng(2)
    conn, omega = rng.uniform(size=(4, 4)), rng.uniform(size=4)
    model = nodes.KuramotoNetwork(4, omega=omega, K=3.0, conn=conn + conn.T)
    speed = coupled(model, rng.uniform(0, 6, 4))
    assert float(speed.mean()) == pytest.approx(omega.mean(), rel=1e-13)
    assert abs(speed - omega).max() > 0.1


def test_two_phase_oscillators_lock_at_the_adler_angle(x64: None) -> None:
    model = nodes.KuramotoNetwork(2, omega=[1.3, 0.7], K=1.0)
    locked = np.array([np.arcsin(0.6), 0.0])
    np.testing.assert_allclose(coupled(model, locked), [1.0, 1.0], atol=1e-12)


def test_the_mean_field_is_the_all_to_all_network(x64: None) -> None:
    theta = np.random.default_rng(0).uniform(0, 6, 5)
    given: dict[str, Any] = {"omega": 0.1, "K": [1, 2, 3, 4, 5.0], "alpha": 0.3}
    mean_field = nodes.KuramotoNetwork(5, **given)
    full = nodes.KuramotoNetwork(5, conn=np.ones((5, 5)), **given)
    assert np.ndim(mean_field.internal_edges()[0].coupling.conn) == 0
    np.testing.assert_allclose(coupled(mean_field, theta), coupled(full, theta), rtol=1e-13)
    pairs = np.sin(theta[None] - theta[:, None] - 0.3).sum(1)
    np.testing.assert_allclose(
        coupled(mean_field, theta), 0.1 + np.arange(1, 6) / 5 * pairs, rtol=1e-12
    )


def test_phases_are_read_wrapped() -> None:
    theta = np.array([0.5, -0.5, 7.0, -1e-9, 0.0, 2 * np.pi * 1000], np.float32)
    phase = output(nodes.KuramotoNetwork(6), "phase", theta[None])
    assert ((phase >= 0) & (phase < 2 * np.pi)).all()
    np.testing.assert_allclose(np.exp(1j * phase), np.exp(1j * theta), atol=2e-3)


# ---------------------------------------------------------------- trajectories
def test_hopf_follows_its_closed_form_onto_the_circle(x64: None) -> None:
    f = field(nodes.HopfStep(1))
    x = rk4(f, [0.01, 0.0], 0.1, 3000)
    assert np.hypot(*x[69]) == pytest.approx(0.057179927, rel=1e-6)
    assert np.arctan2(x[69, 1], x[69, 0]) == pytest.approx(1.4, rel=1e-6)
    assert np.hypot(*x[-1]) == pytest.approx(0.5, rel=1e-6)
    assert period(x[1000:, 0], 0.1) == pytest.approx(31.415927, rel=1e-5)


@pytest.mark.parametrize("a, radius", [(-0.2, 0.045343042), (0.0, 0.20412415)])
def test_hopf_decays_below_its_bifurcation(x64: None, a: float, radius: float) -> None:
    x = rk4(field(nodes.HopfStep(1, a=a)), [0.5, 0.0], 0.1, 100)
    assert np.hypot(*x[-1]) == pytest.approx(radius, rel=1e-6)


def test_the_linear_node_relaxes_exponentially(x64: None) -> None:
    x = rk4(field(nodes.LinearStep(1), x_inp=2.5), [0.01], 0.001, 370)
    assert x[-1, 0] == pytest.approx(0.25 - 0.24 * np.exp(-3.7), rel=1e-8)


def test_wilson_cowan_has_the_limit_cycle_of_figure_11(x64: None) -> None:
    model = nodes.WilsonCowanStep(1, **WC_CYCLE)
    x = rk4(field(model, rE_inp=1.25), [0.1, 0.05], 0.01, 12_000)[6000:]
    assert period(x[:, 0], 0.01) == pytest.approx(5.0034109, rel=1e-5)
    assert (x[:, 0].min(), x[:, 0].max()) == pytest.approx((0.10152301, 0.27148733), abs=1e-6)
    assert (x[:, 1].min(), x[:, 1].max()) == pytest.approx((0.02140963, 0.19744531), abs=1e-6)


@pytest.mark.parametrize(
    "model, start, end",
    [
        (HYSTERESIS, (0.6, 0.3), (0.46246487, 0.24336411)),
        (HYSTERESIS, (0.02, 0.02), (0.0, 0.0)),
        (MPR, (0.05, -2.0), (0.081134442, -1.96162)),
        (MPR, (1.5, 0.0), (1.0305968, -0.15442988)),
    ],
)
def test_bistable_models_go_where_they_start(
    x64: None, model: Node, start: tuple[float, ...], end: tuple[float, ...]
) -> None:
    x = rk4(field(model), start, 0.01, 10_000)[-1]
    np.testing.assert_allclose(x, end, atol=1e-6)


FROM_REST = [0.0] * 6
NEAR_UPPER_FOCUS = jansen_rit_equilibrium(6.9)[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    "p, v0, start, frequency, low, high",
    [
        (220, 6, FROM_REST, 10.938026, 6.0882172, 9.0344301),
        (120, 6, FROM_REST, 2.3846, 1.226, 11.170),
        (120, 6, NEAR_UPPER_FOCUS, 10.468485, 5.8907708, 7.9552570),
        (220, 5.52, FROM_REST, 6.8008437, 2.1489011, 11.902129),  # TVB's default
    ],
)
def test_jansen_rit_shows_alpha_and_spikes(
    x64: None, p: float, v0: float, start: list[float], frequency: float, low: float, high: float
) -> None:
    model = nodes.JansenRitStep(1, v0=v0 * u.mV)
    x = rk4(field(model, p=p), start, 0.5, 40_000)[32_000:]
    eeg = output(model, "eeg", x.T, u.mV)
    assert 1000 / period(eeg, 0.5) == pytest.approx(frequency, rel=1e-4)
    assert (eeg.min(), eeg.max()) == pytest.approx((low, high), abs=1e-3)


def test_a_second_of_activity_makes_the_bold_response(x64: None) -> None:
    model = observers.BOLDSignal(1)
    block = rk4(field(model, z=1.0), [0, 1, 1, 1], 2.0, 500)
    rest = rk4(field(model), block[-1], 2.0, 7000)
    bold = output(model, "bold", np.concatenate([block, rest]).T)
    time = 2e-3 * np.arange(1, len(bold) + 1)
    assert bold.max() == pytest.approx(0.025234619, rel=1e-5)
    assert time[bold.argmax()] == pytest.approx(3.376, abs=0.003)
    assert bold.min() == pytest.approx(-0.0056196797, rel=1e-5)
    assert time[bold.argmin()] == pytest.approx(9.58, abs=0.003)
