"""Bifurcations and trajectories of the physiological models.

Numbers come from the papers, or from TVB's right-hand sides integrated by scipy (DOP853, Radau).
"""

from __future__ import annotations

from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import physiology
import pytest
from model_tools import Array, eigenvalues, field, newton, output, period, rk4

import braingraph as bg
from braingraph import nodes
from braingraph.component import Node

pytestmark = pytest.mark.usefixtures("x64")


# ---------------------------------------------------------------- bifurcations
def leading(model: Node, guess: Any, **inputs: float) -> complex:
    """The rightmost eigenvalue of the fixed point next to ``guess``."""
    f = field(model, **inputs)
    return complex(eigenvalues(f, newton(f, guess, 8))[0])


def test_the_wrong_choice_disappears_at_a_coherence_of_0_685() -> None:
    model, S = nodes.WongWangStep(1), jnp.array([0.155587, 0.551208])
    f = field(model, coherence=0.68470129)
    np.testing.assert_allclose(f(S), 0, atol=1e-8)
    assert abs(np.linalg.det(np.asarray(jax.jacfwd(f)(S)))) < 1e-9
    for coherence, second_wins in ((0.66, True), (0.71, False)):
        end = rk4(field(model, coherence=coherence), [0.05, 0.7], 5.0, 4000)[-1]
        assert (end[1] > end[0]) == second_wins


def test_competition_begins_where_the_low_state_loses_its_symmetry() -> None:
    def growth(mu0: float) -> float:
        return leading(nodes.WongWangStep(1, mu0=mu0 * u.Hz), [0.144, 0.144]).real

    f = field(nodes.WongWangStep(1, mu0=10.6768058 * u.Hz))
    np.testing.assert_allclose(newton(f, [0.144, 0.144]), 0.1440105, atol=1e-7)
    assert abs(growth(10.6768058)) < 1e-9
    assert growth(0.9 * 10.6768058) < -1e-4 and growth(1.1 * 10.6768058) > 1e-4


@pytest.mark.parametrize(
    "given, swept, hopf",
    [
        ({}, ("d_V",), 0.5153),
        ({"gCa": 1.0, "aee": 0.36}, ("d_V", "d_Z"), 0.5707082),  # Alstott 2009, Honey 2007
    ],
)
def test_larter_breakspear_begins_to_oscillate(
    given: dict[str, float], swept: tuple[str, ...], hopf: float
) -> None:
    def growth(d: float) -> complex:
        model = nodes.LarterBreakspearStep(1, **given, **dict.fromkeys(swept, d))
        return leading(model, [-0.186, 0.224, 0.104])

    assert growth(hopf - 2e-4).real < 0 < growth(hopf + 2e-4).real
    assert abs(growth(hopf).imag) > 0.01


def test_the_epileptor_falls_off_its_resting_branch_where_the_algebra_says() -> None:
    """x1' = 4.1 - x1^3 - 2 x1^2 - z has its fold at x1 = -4/3; Jirsa et al. 2014."""
    fold = jnp.array([-4 / 3, 4.1 - 32 / 27])
    x0 = -4 / 3 - (4.1 - 32 / 27) / 4
    assert x0 == pytest.approx(-2.062037, abs=1e-6)
    f = field(nodes.Epileptor2DStep(1, x0=x0))
    np.testing.assert_allclose(f(fold), 0, atol=1e-14)
    assert abs(jax.jacfwd(f)(fold)[0, 0]) < 1e-14
    for beyond, stable in ((-0.02, True), (0.02, False)):
        model = nodes.Epileptor2DStep(1, x0=x0 + beyond)
        assert (leading(model, fold + jnp.array([beyond, 0])).real < 0) == stable


J, ALPHA, DELTA = 15 * 2**0.5, 10.0, 2.0


def resting(eta: float) -> list[float]:
    """The state of an adapting QIF population at rest, with J - alpha for J: the lowest rate."""
    quartic = [np.pi**2, ALPHA - J, -eta, 0, -(DELTA**2) / (4 * np.pi**2)]
    r = min(root.real for root in np.roots(quartic) if abs(root.imag) < 1e-9 and root.real > 0)
    return [r, -DELTA / (2 * np.pi * r), ALPHA * r, 0.0]


@pytest.mark.parametrize("eta, r", [(-6.0, 0.1493), (1.0, 1.2245), (-2.0, 0.931243)])
def test_adaptation_weakens_the_synapses_at_rest(eta: float, r: float) -> None:
    state = resting(eta)
    assert state[0] == pytest.approx(r, abs=5e-5)
    f = field(nodes.MontbrioPazoRoxinAdaptiveStep(1, eta=eta))
    np.testing.assert_allclose(f(jnp.array(state)), 0, atol=1e-12)


@pytest.mark.parametrize(
    "eta, frequency, r", [(-4.0398186, 0.1721647, 0.22364861), (-0.53408054, 0.42895143, 1.094524)]
)
def test_adapting_populations_begin_and_cease_to_burst(
    eta: float, frequency: float, r: float
) -> None:
    def at(eta: float) -> complex:
        return leading(nodes.MontbrioPazoRoxinAdaptiveStep(1, eta=eta), resting(eta))

    assert resting(eta)[0] == pytest.approx(r, abs=1e-6)
    assert at(eta) == pytest.approx(1j * frequency, abs=1e-6)
    assert at(eta - 0.01).real * at(eta + 0.01).real < 0


@pytest.mark.parametrize("share, oscillates", [(0.85, False), (1.2, True)])
def test_delays_make_wilson_cowan_oscillate(share: float, oscillates: bool) -> None:
    critical = 1.9531834  # by the characteristic roots (Coombes & Laing 2009)
    names = ("delay_EE", "delay_EI", "delay_IE", "delay_II")
    given = physiology.FLIPPED | dict.fromkeys(names, share * critical * u.ms)
    model = nodes.WilsonCowanDelayedStep(1, init_rE=0.49, init_rI=0.24, **given)
    drives = {"rE_inp": 3.0, "rI_inp": 4.0}
    sim = bg.Simulator(model, dt=0.05 * u.ms)
    ds = sim.run(400 * u.ms, monitors=["rE", "rI"], inputs=drives, progress=False)
    end = ds.rE.values[-1000:, 0]
    assert (np.ptp(end) > 0.01) == oscillates
    if not oscillates:
        assert (end[-1], float(ds.rI[-1, 0])) == pytest.approx((0.4835484, 0.2392202), abs=1e-6)


# ---------------------------------------------------------------- trajectories
@pytest.mark.parametrize(
    "coherence, time", [(0.032, 704.6859), (0.128, 478.3077), (0.512, 249.6707)]
)
def test_decisions_take_their_time(coherence: float, time: float) -> None:
    model = nodes.WongWangStep(1)
    S = rk4(field(model, coherence=coherence), [0.1026512] * 2, 0.5, 1600)
    rate = output(model, "r1", S.T, u.Hz, coherence=coherence)
    after = int(np.argmax(rate > 15))
    start, end = rate[after - 1 : after + 1]
    crossed = 0.5 * (after + (15 - start) / (end - start))  # sample k stands at (k + 1) dt
    assert crossed == pytest.approx(time, abs=0.01)
    made = output(model, "decision", S.T, coherence=coherence)
    assert not made[:after].any() and (made[after:] == 1).all()


def test_a_threshold_linear_curve_does_not_decide() -> None:
    """As brainmass has it: both populations win."""
    given = {"transfer": "threshold_linear", "J_A_ext": 2.243e-4 * u.nA / u.Hz}
    S = rk4(field(nodes.WongWangStep(1, **given), coherence=0.3), [0.1, 0.1], 1.0, 3000)[-1]
    np.testing.assert_allclose(S, [0.763, 0.757], atol=5e-4)
    S = rk4(field(nodes.WongWangStep(1), coherence=0.3), [0.1, 0.1], 1.0, 3000)[-1]
    np.testing.assert_allclose(S, [0.677, 0.040], atol=5e-4)


def test_coombes_byrne_with_slow_synapses_has_its_limit_cycle() -> None:
    x = rk4(field(nodes.CoombesByrne4DStep(1)), [0.1, 0.0, 0.0, 0.0], 0.005, 20_000)[12_000:]
    assert period(x[:, 0], 0.005) == pytest.approx(2.0829424, rel=1e-5)
    assert (x[:, 0].min(), x[:, 0].max()) == pytest.approx((0.20630, 1.43941), abs=1e-4)


def test_coombes_byrne_synchrony_and_relaxation() -> None:
    model = nodes.CoombesByrneStep(1)
    point = [0.184725544, -0.571408970]
    assert output(model, "synchrony", point) == pytest.approx(0.421885538, abs=1e-8)
    assert output(model, "synchrony", [1 / np.pi, 0.0]) == pytest.approx(0, abs=1e-15)
    assert output(model, "synchrony", [0.0, 0.3]) == pytest.approx(1)
    assert eigenvalues(field(model), point)[0] == pytest.approx(-2.013317 + 2.289627j, abs=1e-6)


def test_adapting_populations_burst() -> None:
    model = nodes.MontbrioPazoRoxinAdaptiveStep(1, eta=-2.0)
    x = rk4(field(model), [0.1, -0.5, 0.0, 0.0], 0.01, 60_000)[20_000:]
    assert period(x[:, 2], 0.01) == pytest.approx(47.462671, rel=1e-6)
    assert (x[:, 2].min(), x[:, 2].max()) == pytest.approx((3.529291, 10.234287), abs=1e-4)
    assert (x[:, 0].min(), x[:, 0].max()) == pytest.approx((0.099610, 3.466076), abs=1e-4)


@pytest.mark.parametrize(
    "d_V, low, high",
    [(0.53, -0.2244, -0.1380), (0.57, -0.53487596, 0.35282317), (0.65, -0.5157, 0.3649)],
)
def test_larter_breakspear_oscillates_as_far_as_it_should(
    d_V: float, low: float, high: float
) -> None:
    V = rk4(field(nodes.LarterBreakspearStep(1, d_V=d_V)), [0.0] * 3, 0.1, 80_000)[30_000:, 0]
    assert (V.min(), V.max()) == pytest.approx((low, high), abs=2e-3)


@pytest.mark.parametrize(
    "given, exponent", [({}, 0.0), ({"gCa": 1.0, "aee": 0.36, "d_Z": 0.65}, 0.0089)]
)
def test_larter_breakspear_is_chaotic_elsewhere(given: dict[str, float], exponent: float) -> None:
    f = field(nodes.LarterBreakspearStep(1, d_V=0.65, **given))

    def step(carry: Any, _: Any) -> tuple[Any, Any]:
        def advance(x: Any) -> Any:
            a = f(x)
            b = f(x + 0.05 * a)
            c = f(x + 0.05 * b)
            return x + 0.1 / 6 * (a + 2 * b + 2 * c + f(x + 0.1 * c))

        x, tangent = jax.jvp(advance, (carry[0],), (carry[1],))
        size = jnp.linalg.norm(tangent)
        return (x, tangent / size), jnp.log(size)

    start = (jnp.zeros(3), jnp.ones(3))
    growth = np.asarray(jax.jit(lambda s: jax.lax.scan(step, s, None, length=500_000)[1])(start))
    assert growth[50_000:].mean() / 0.1 == pytest.approx(exponent, abs=1e-3)


# ---------------------------------------------------------------- seizures
REST = [-1.5, -10.0, 3.5, -1.0, 0.0, 0.0]


def seizures(x1: Array, dt: float, gap: float = 200.0) -> list[tuple[float, float]]:
    """Begin and end of every stretch above -0.2, pauses below ``gap`` ms bridged."""
    times = dt * np.flatnonzero(x1 > -0.2)
    breaks = np.flatnonzero(np.diff(times) > gap)
    begins = times[np.concatenate([[0], breaks + 1])] if len(times) else []
    ends = times[np.concatenate([breaks, [-1]])] if len(times) else []
    return list(zip(begins, ends, strict=True))


def test_the_epileptor_seizes() -> None:
    x0 = [-1.6, -1.6, -2.0, -2.1, -2.4]
    model = nodes.EpileptorStep(5, x0=x0, r=[3.5e-4, 7e-4, 3.5e-4, 3.5e-4, 3.5e-4])
    x = rk4(field(model), np.tile(np.array(REST)[:, None], 5), 0.05, 400_000)
    found = [seizures(x[:, 0, k], 0.05) for k in range(5)]
    recurring = [len([begin for begin, _ in events if begin > 4000]) for events in found]
    assert recurring[0] > 4 and recurring[2] > 2 and recurring[3:] == [0, 0]
    begins, ends = (np.array(times[2:8]) for times in zip(*found[0], strict=True))
    periods = np.diff(begins)
    assert periods.mean() == pytest.approx(1933.27, rel=5e-3)
    assert (ends - begins).mean() == pytest.approx(956.53, rel=0.02)
    z = x[:, 2, 0]
    assert z[np.rint(begins / 0.05).astype(int)] == pytest.approx(2.8554, abs=0.03)
    assert z[np.rint(ends / 0.05).astype(int)] == pytest.approx(4.1412, abs=0.03)
    fast = np.diff([begin for begin, _ in found[1]][3:9]).mean()
    assert 0.42 < fast / periods.mean() < 0.58
    late = x[-100_000:, :, 0]
    lfp = late[:, 3] - late[:, 0]
    assert (lfp.min(), lfp.max()) == pytest.approx((-2.73, 1.11), abs=0.05)
    healthy = x[-1, :, 4]
    np.testing.assert_allclose(healthy[[0, 2]], [-1.6231971, 3.1072115], atol=5e-3)
    np.testing.assert_allclose(healthy[[1, 5]], [-12.173845, -0.16231971], atol=5e-3)


def test_the_planar_epileptor_keeps_the_slow_cycle() -> None:
    model = nodes.Epileptor2DStep(3, x0=[-1.6, -2.0, -2.1])
    x = rk4(field(model), np.tile([[-1.5], [3.5]], 3), 0.05, 320_000)
    found = [seizures(x[:, 0, k], 0.05) for k in range(3)]
    cycles = [(1721.65, 851.2, 2.9031), (2221.07, 603.4, 2.9138)]
    for k, (time, duration, onset) in enumerate(cycles):
        begins, ends = (np.array(times[1:6]) for times in zip(*found[k], strict=True))
        assert np.diff(begins).mean() == pytest.approx(time, abs=0.1)
        assert (ends - begins).mean() == pytest.approx(duration, abs=0.2)
        assert x[np.rint(begins / 0.05).astype(int), 1, k] == pytest.approx(onset, abs=1e-3)
    assert all(begin < 3000 for begin, _ in found[2])


# ---------------------------------------------------------------- adaptive exponential neurons
@pytest.mark.parametrize(
    "nu, rest, slowest",
    [
        (1.0, [0.378099, 2.860495, 35.110334, 0.0], -0.005118),
        (4.0, [2.045294, 13.669796, 97.851669, 0.0], -0.004316),
    ],
)
def test_the_adex_mean_field_relaxes_as_slowly_as_it_adapts(
    nu: float, rest: list[float], slowest: float
) -> None:
    f = field(nodes.ZerlautAdaptationFirstOrderStep(1), nu_inp=nu)
    assert eigenvalues(f, rest)[0].real == pytest.approx(slowest, abs=1e-6)


def test_without_adaptation_the_adex_mean_field_has_a_paroxysmal_state() -> None:
    f = field(nodes.ZerlautAdaptationFirstOrderStep(2, b_e=0 * u.pA), nu_inp=2.0)
    start = np.array([[1.0, 30.0], [1.0, 50.0], [0.0, 100.0], [0.0, 0.0]])
    end = rk4(f, start, 0.5, 12_000)[-1]
    np.testing.assert_allclose(end[0], [192.834494, 2.628966], atol=1e-3)
    np.testing.assert_allclose(end[1], [192.835377, 10.604907], atol=1e-3)


@pytest.mark.parametrize("model", physiology.MODELS, ids=lambda model: type(model).__name__)
def test_slopes_are_finite_at_zero(model: Node) -> None:
    """Where rates vanish, thresholds are met and square roots begin."""
    f, nothing = field(model), jnp.zeros((len(model._states), 3), jnp.float32)
    assert np.isfinite(f(nothing)).all()
    assert np.isfinite(jax.jacfwd(f)(nothing)).all()


# ---------------------------------------------------------------- spiking neurons
def spikes(eta: float, drive: Any, steps: int, dt: float = 1e-3) -> Array:
    """The rate of 10 000 neurons V' = V^2 + eta_i + drive(V, rate, t), Lorentzian eta_i."""
    n = 10_000
    quantiles = (2 * np.arange(1, n + 1) - n - 1) / (n + 1)
    eta_i = jnp.asarray(eta + np.tan(np.pi / 2 * quantiles))

    def step(carry: Any, k: Any) -> tuple[Any, Any]:
        V, rate = carry
        spiked = dt * V >= 1.0
        # V' = V^2 alone takes V to V / (1 - dt V): to infinity, and back from minus infinity
        V = V / (1.0 - dt * V) + dt * (eta_i + drive(V, rate, k * dt))
        now = spiked.mean() / dt
        return (V, rate + dt * (now - rate) / 0.01), now

    start = (jnp.full(n, -2.0), jnp.asarray(0.0))
    scan = jax.jit(lambda s: jax.lax.scan(step, s, jnp.arange(steps))[1])
    return np.asarray(scan(start))


def test_conductance_coupled_neurons_fire_at_the_rate_of_their_mean_field() -> None:
    rate = spikes(2.0, lambda V, r, t: np.pi * r * (-4.0 - V), 15_000)
    assert rate[5_000:].mean() == pytest.approx(0.18472554, rel=0.03)


def test_neurons_remember_a_step_of_current_as_their_mean_field_does() -> None:
    """Rest, then a current of 3 from 10 ms to 20 ms, then the second stable state."""
    rate = spikes(-5.0, lambda V, r, t: 15 * r + 3.0 * ((t >= 10) & (t < 20)), 30_000)
    x, parts = np.array([0.0811, -1.96]), []
    for current in (0.0, 3.0, 0.0):
        part = rk4(field(nodes.MontbrioPazoRoxinStep(1), v_inp=current), x, 1e-3, 10_000)
        x = part[-1]
        parts.append(part[:, 0])
    field_rate = np.concatenate(parts)
    assert field_rate[[9_999, -1]] == pytest.approx([0.081134, 1.031559], rel=0.02)
    for window in (slice(5000, 10_000), slice(12_000, 20_000), slice(24_000, 30_000)):
        # the missing tail of 10 000 Lorentzian excitabilities is 0.0025 spikes / ms
        wanted = field_rate[window].mean() - 0.0025
        assert rate[window].mean() == pytest.approx(wanted, rel=0.03)
