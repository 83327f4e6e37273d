"""Planar oscillators and excitable cells: cycles, thresholds and identities, to the literature.

Numbers come from the papers and from two independent solvers each; ``derivative`` is all that is
used.
"""

from collections.abc import Callable
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from model_tools import Array, Field, eigenvalues, field, newton, period, rk4

from braingraph import nodes
from braingraph.component import Node


# ---------------------------------------------------------------- limit cycles
def lindstedt(mu: float) -> float:
    """The Van der Pol period for small mu, to the fourth order: Andersen & Geer 1982."""
    return float(2 * np.pi * (1 + mu**2 / 16 - 5 * mu**4 / 3072))


BISTABLE = nodes.Generic2dOscillatorStep(1, a=1.0, b=0.0, c=-5.0, d=0.02)
#: model, inputs, dt, transient and length (ms), period, relative tolerance, range of the first
Cycle = tuple[Node, dict[str, float], float, float, float, float, float, tuple[float, float] | None]
CYCLES: list[Cycle] = [
    (nodes.HopfStep(1), {}, 0.1, 100, 200, 31.415927, 1e-5, (-0.5, 0.5)),
    (nodes.HopfStep(1, beta=4.0), {}, 0.1, 100, 200, 31.415927, 1e-5, (-0.25, 0.25)),
    (nodes.StuartLandauStep(1), {}, 0.1, 100, 200, 31.415927, 1e-5, (-0.5, 0.5)),
    (nodes.VanDerPolStep(1, mu=0.1), {}, 0.05, 150, 80, lindstedt(0.1), 1e-6, None),
    # Hairer, Norsett & Wanner, Solving ODEs I, section I.16, exercise 1
    (nodes.VanDerPolStep(1), {}, 0.01, 30, 40, 6.66328686, 1e-6, (-2.00861986, 2.00861986)),
    (nodes.VanDerPolStep(1, mu=5.0), {}, 0.005, 30, 60, 11.6122, 2e-5, (-2.021508, 2.021508)),
    (nodes.VanDerPolStep(1, mu=10.0), {}, 0.005, 50, 80, 19.0784, 2e-5, (-2.014285, 2.014285)),
    (nodes.FitzHughNagumoStep(1), {"inp": 0.5}, 0.1, 200, 200, 39.474415, 1e-5, None),
    (nodes.FitzHughNagumoCubicStep(1), {"inp": 0.8}, 0.1, 300, 300, 0.0, 0.0, (0.07, 0.65)),
    (nodes.FitzHughNagumoCubicStep(1), {"inp": 1.0}, 0.1, 300, 300, 30.545462, 1e-5, None),
    (nodes.FitzHughNagumoCubicStep(1), {"inp": 1.2}, 0.1, 300, 300, 0.0, 0.0, (0.18, 0.81)),
    (BISTABLE, {}, 0.5, 1000, 4000, 931.73978, 1e-5, (-0.9310, 1.6854)),
]


@pytest.mark.parametrize("case", CYCLES, ids=lambda c: f"{c[0]} {c[1]}")
def test_limit_cycles_have_their_period_and_size(x64: None, case: Cycle) -> None:
    model, inputs, dt, transient, length, expected, tolerance, size = case
    start = [0.0, 0.0] if model is BISTABLE else [0.04, 0.01]
    x = rk4(field(model, **inputs), start, dt, round((transient + length) / dt))
    x = x[round(transient / dt) :, 0]
    if expected:
        assert period(x, dt) == pytest.approx(expected, rel=tolerance)
    if size:  # to the digits given
        assert (x.min(), x.max()) == pytest.approx(size, abs=1e-3 if expected else 6e-3)


@pytest.mark.slow
def test_van_der_pol_relaxes_as_the_asymptotic_series_says(x64: None) -> None:
    x = rk4(field(nodes.VanDerPolStep(1, mu=100.0)), [2.0, 0.6], 0.001, 700_000)[200_000:, 0]
    assert period(x, 0.001) == pytest.approx(162.8371, rel=2e-6)
    assert x.max() == pytest.approx(2.001319, abs=1e-5)
    mu = 100.0
    series = (3 - 2 * np.log(2)) * mu + 7.01432 * mu ** (-1 / 3)
    series -= 2 / 3 * np.log(mu) / mu + 1.3233 / mu  # Dorodnitsyn 1947
    assert period(x, 0.001) == pytest.approx(series, rel=1e-5)


@pytest.mark.parametrize("mu", [0.5, 1.0, 3.0])
def test_lienards_plane_is_the_second_order_equation(x64: None, mu: float) -> None:
    def second(z: Any) -> Any:
        x, v = z
        return jnp.stack([v, mu * (1 - x * x) * v - x])

    x0, v0 = 1.0, 0.5
    direct = rk4(second, [x0, v0], 0.01, 2000)[-1, 0]
    plane = rk4(field(nodes.VanDerPolStep(1, mu=mu)), [x0, x0 - x0**3 / 3 - v0 / mu], 0.01, 2000)
    assert plane[-1, 0] == pytest.approx(direct, abs=1e-6)
    if mu == 1.0:
        assert direct == pytest.approx(1.8972273, abs=1e-6)


# ---------------------------------------------------------------- Euler's circle, exactly
@pytest.mark.parametrize("dt, radius", [(0.1, 0.50199622), (0.5, 0.50992659), (1.0, None)])
def test_eulers_method_rotates_hopf_on_a_circle_known_in_closed_form(
    x64: None, dt: float, radius: float | None
) -> None:
    """|1 + dt (a - beta r^2 + i w)| = 1, and asin(w dt) a step."""
    f = field(nodes.HopfStep(1))
    x = np.asarray(jax.jit(lambda x: euler(f, x, dt, 3000))(jnp.array([0.3, 0.0])))
    z = x[-200:, 0] + 1j * x[-200:, 1]
    closed = np.sqrt(0.25 + (1 - np.sqrt(1 - (0.2 * dt) ** 2)) / dt)
    np.testing.assert_allclose(np.abs(z), closed, rtol=1e-12)
    np.testing.assert_allclose(np.angle(z[1:] / z[:-1]), np.arcsin(0.2 * dt), rtol=1e-10)
    assert radius is None or closed == pytest.approx(radius, abs=1e-8)


def euler(f: Field, x: Any, dt: float, steps: int) -> Any:
    def step(x: Any, _: Any) -> tuple[Any, Any]:
        x = x + dt * f(x)
        return x, x

    return jax.lax.scan(step, x, None, length=steps)[1]


# ---------------------------------------------------------------- where rest loses its stability
def rest_of_classic(v: float) -> tuple[float, list[float]]:
    """The input that holds v, and the state."""
    w = (v + 0.7) / 0.8
    return w - v + v**3 / 3, [v, w]


def rest_of_cubic(v: float) -> tuple[float, list[float]]:
    return 2 * v + 3 * v**3 - 4 * v**2 + 1.5 * v, [v, 2 * v]


@pytest.mark.parametrize(
    "model, rest, v, at",
    [
        # v^2 = 1 - b / tau
        (nodes.FitzHughNagumoStep(1), rest_of_classic, -np.sqrt(1 - 0.064), 0.331281),
        (nodes.FitzHughNagumoStep(1), rest_of_classic, np.sqrt(1 - 0.064), 1.418719),
        # 9 v^2 - 8 v + 1.525 = 0
        (nodes.FitzHughNagumoCubicStep(1), rest_of_cubic, (8 - 9.1**0.5) / 18, 0.726058),
        (nodes.FitzHughNagumoCubicStep(1), rest_of_cubic, (8 + 9.1**0.5) / 18, 1.331555),
    ],
)
def test_rest_turns_into_spiking_at_its_hopf_bifurcations(
    x64: None, model: Node, rest: Callable[[float], Any], v: float, at: float
) -> None:
    inp, state = rest(v)
    assert inp == pytest.approx(at, abs=1e-6)
    f = field(model, inp=inp)
    np.testing.assert_allclose(f(state), 0, atol=1e-15)
    values = eigenvalues(f, state)
    assert values[0].real == pytest.approx(0, abs=1e-15) and values[0].imag > 0.1
    stable = [eigenvalues(field(model, inp=rest(x)[0]), rest(x)[1])[0].real < 0 for x in near(v)]
    assert stable[0] != stable[1]


def near(v: float) -> tuple[float, float]:
    return v - 0.01, v + 0.01


@pytest.mark.parametrize("inp", [0.0, 0.7, 1.5])
def test_the_cubic_rests_below_and_above_its_oscillations(x64: None, inp: float) -> None:
    x = rk4(field(nodes.FitzHughNagumoCubicStep(1), inp=inp), [0.04, 0.01], 0.1, 20_000)
    assert np.ptp(x[-1000:, 0]) < 1e-4


def test_fitzhugh_nagumo_is_excitable(x64: None) -> None:
    """A kick beyond the quasi-threshold makes a spike, one short of it does not."""
    f = field(nodes.FitzHughNagumoStep(1))
    rest = newton(f, [-1.2, -0.62])
    kick = 0.555458

    def peak(share: float) -> float:
        return float(rk4(f, rest + np.array([share * kick, 0.0]), 0.05, 1500)[:, 0].max())

    assert peak(0.9) == pytest.approx(-0.6699, abs=2e-3)
    assert peak(1.1) == pytest.approx(1.7208, abs=2e-3)


def test_a_node_and_a_limit_cycle_stand_side_by_side(x64: None) -> None:
    """At the golden ratio, as V^2 - V - 1 divides the cubic of TVB's bistable set."""
    golden = (1 + 5**0.5) / 2
    f = field(BISTABLE)
    found = newton(f, [-golden, 1 - 5 * golden**2])
    assert found[0] == pytest.approx(-golden, abs=1e-12)
    values = eigenvalues(f, found)
    assert abs(values.imag).max() == 0 and values[0].real == pytest.approx(-0.0015, abs=1e-4)
    near_node = rk4(f, found + np.array([-0.01, 0.0]), 0.5, 20_000)[-1]
    np.testing.assert_allclose(near_node, found, atol=1e-5)


# ---------------------------------------------------------------- one model written as another
def random_states() -> Array:
    return np.random.default_rng(5).normal(size=(2, 50))


def test_the_generic_oscillator_is_van_der_pols(x64: None) -> None:
    for mu in (0.3, 1.0, 4.0):
        given = {"a": 0, "b": 1, "c": 0, "d": 1, "e": 0, "f": 1 / 3, "g": 1, "alpha": -1, "beta": 0}
        generic = nodes.Generic2dOscillatorStep(1, tau=mu, **given)
        x = random_states()
        expected = field(nodes.VanDerPolStep(1, mu=mu), x_inp=0.3 * mu)(x)
        np.testing.assert_allclose(field(generic, V_inp=0.3)(x), expected, atol=1e-13)


def test_the_generic_oscillator_is_fitzhugh_nagumos(x64: None) -> None:
    x = random_states()
    same = {"a": -0.2 / 20, "b": 1 / 20, "c": 0, "d": 1, "alpha": -1, "beta": 0.5 / 20}
    generic = nodes.Generic2dOscillatorStep(1, e=4, f=3, g=-1.5, I=0.1, **same)
    cubic = nodes.FitzHughNagumoCubicStep(1, delta=0.2)
    expected = field(cubic, inp=0.4, w_inp=0.2)(x)
    np.testing.assert_allclose(field(generic, V_inp=0.3, n_W=0.2)(x), expected, atol=1e-12)


def test_the_classic_cell_is_the_cubic_one(x64: None) -> None:
    x = random_states()
    classic = nodes.FitzHughNagumoStep(1, a=0.7, b=0.8)
    given = {"alpha": 1 / 3, "beta": 0.0, "gamma": 1.0, "delta": -0.7, "epsilon": 0.8}
    cubic = nodes.FitzHughNagumoCubicStep(1, tau=12.5 * u.ms, **given)
    expected = field(classic, inp=0.4, w_inp=0.2)(x)
    np.testing.assert_allclose(field(cubic, inp=0.4, w_inp=0.2)(x), expected, atol=1e-13)
