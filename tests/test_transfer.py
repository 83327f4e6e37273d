"""The shared nonlinearities: values, gradients, overflow, units."""

from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from braingraph.errors import UnitError
from braingraph.nodes import transfer


def test_the_rate_curve_is_smooth_where_it_divides_zero_by_zero(x64: None) -> None:
    def H(x: Any) -> Any:
        return transfer.current_to_rate(x, 270.0, 108.0, 0.154)

    x = jnp.array([0.3, 0.4, 0.5])
    np.testing.assert_allclose(H(x), [0.42895608, 1 / 0.154, 27.428956], rtol=1e-7)
    assert jax.grad(H)(0.4) == pytest.approx(135, rel=1e-12)  # a / 2
    assert jax.grad(jax.grad(H))(0.4) == pytest.approx(270**2 * 0.154 / 6, rel=1e-10)


def test_the_rate_curve_is_exact_in_value_and_gradient(x64: None) -> None:
    def ratio(z: Any) -> Any:
        return transfer.current_to_rate(z, 1.0, 0.0, 1.0)

    z = np.concatenate([np.linspace(-40, 40, 1601), [-0.3, 0.3, 1e-12, -1e-5, 1e-3]])
    z = z[z != 0]
    np.testing.assert_allclose(ratio(z), -z / np.expm1(-z), rtol=1e-13)
    away = z[np.abs(z) > 0.1]  # the closed form itself loses digits nearer to 0
    slope = 1 / -np.expm1(-away) - away * np.exp(-away) / np.expm1(-away) ** 2
    np.testing.assert_allclose(jax.vmap(jax.grad(ratio))(away), slope, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("z", [-1e30, -1e4, -100.0, -0.3, 0.0, 1e-30, 0.3, 100.0, 1e4, 1e30])
def test_the_rate_curve_never_overflows(z: float) -> None:
    value, slope = jax.value_and_grad(lambda z: transfer.current_to_rate(z, 1.0, 0.0, 1.0))(z)
    assert np.isfinite(value) and 0 <= slope <= 1


def test_a_sigmoid_says_which_gain_it_lacks() -> None:
    with pytest.raises(UnitError, match=r"is in \[mV\].*multiply it by a gain in \[1 / mV\]"):
        transfer.logistic(3.0 * u.mV)


def test_a_synapse_answers_an_impulse_with_its_alpha_function(x64: None) -> None:
    rate = 0.7

    def response(t: Any) -> Any:
        return rate**2 * t * jnp.exp(-rate * t)

    velocity = jax.grad(response)
    assert float(velocity(0.0)) == pytest.approx(rate**2)  # what the impulse leaves behind
    for t in (0.0, 0.3, 2.0, 9.0):
        bent = transfer.second_order(0.0, rate, response(t), velocity(t))
        assert float(bent) == pytest.approx(float(jax.grad(velocity)(t)), abs=1e-15)
    assert transfer.second_order(3.0, rate, 3.0, 0.0) == 0  # at rest on its target
