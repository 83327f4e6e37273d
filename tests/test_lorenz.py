"""The Lorenz flow: trajectories, divergence, Lyapunov exponents and averages."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from model_tools import Array, field, rk4

from braingraph import nodes

#: From (1, 1, 1): Taylor series of order 30 with 40 digits.
TRAJECTORY = {
    1: (-9.37857001092, -8.35703378844, 29.3623253373),
    5: (-6.51211369945, -6.97404278845, 23.9241295721),
    10: (-4.90268754114, -3.74387292193, 24.6908581026),
}


@pytest.mark.parametrize("dt, reached", [(0.01, {1: 2e-4}), (0.001, {1: 1e-7, 5: 1e-4, 10: 1e-2})])
def test_a_trajectory_is_followed_as_far_as_the_step_allows(
    x64: None, dt: float, reached: dict[int, float]
) -> None:
    x = rk4(field(nodes.LorenzStep(1)), [1.0, 1.0, 1.0], dt, round(max(reached) / dt))
    for time, tolerance in reached.items():
        np.testing.assert_allclose(x[round(time / dt) - 1], TRAJECTORY[time], atol=tolerance)


@pytest.mark.parametrize("sigma, rho, beta", [(10.0, 28.0, 8 / 3), (16.0, 45.0, 4.0)])
def test_volumes_shrink_equally_everywhere(
    x64: None, sigma: float, rho: float, beta: float
) -> None:
    f = field(nodes.LorenzStep(1, sigma=sigma, rho=rho, beta=beta))
    for point in np.random.default_rng(0).normal(0, 20, (5, 3)):
        trace = np.trace(np.asarray(jax.jacfwd(f)(jnp.asarray(point))))
        assert trace == pytest.approx(-(sigma + 1 + beta), rel=1e-13)


def lyapunov(dt: float, steps: int) -> tuple[Array, Array]:
    """The exponents, and the averages of z, x^2 and xy, along one orbit on the attractor."""
    f = field(nodes.LorenzStep(1))

    def tangent(xq: Any) -> Any:
        x, q = xq[:, 0], xq[:, 1:]
        return jnp.concatenate([f(x)[:, None], jax.jacfwd(f)(x) @ q], axis=1)

    def step(xq: Any, _: Any) -> tuple[Any, Any]:
        a = tangent(xq)
        b = tangent(xq + dt / 2 * a)
        c = tangent(xq + dt / 2 * b)
        xq = xq + dt / 6 * (a + 2 * b + 2 * c + tangent(xq + dt * c))
        x, grown = xq[:, 0], []
        columns: list[Any] = []
        for k in range(1, 4):  # Gram-Schmidt
            v = xq[:, k]
            for w in columns:
                v = v - (v @ w) * w
            grown.append(jnp.log(jnp.linalg.norm(v)))
            columns.append(v / jnp.linalg.norm(v))
        averaged = jnp.stack([x[2], x[0] ** 2, x[0] * x[1]])
        return jnp.stack([x, *columns], axis=1), jnp.concatenate([jnp.stack(grown), averaged])

    start = jnp.concatenate([jnp.array([[-9.4], [-8.4], [29.4]]), jnp.eye(3)], axis=1)
    out = np.asarray(jax.jit(lambda x: jax.lax.scan(step, x, None, length=steps)[1])(start))
    return out[:, :3].sum(0) / (dt * steps), out[:, 3:].mean(0)


@pytest.mark.slow
def test_lyapunov_exponents_and_averages_are_those_of_the_attractor(x64: None) -> None:
    """Viswanath 2004 and Sprott: 0.90563, 0, -14.57219; <x^2> = <xy> = beta <z> exactly."""
    exponents, (z, square, product) = lyapunov(0.005, 400_000)
    np.testing.assert_allclose(exponents, [0.90563, 0, -14.57219], atol=0.02)
    assert exponents.sum() == pytest.approx(-41 / 3, abs=1e-3)
    assert z == pytest.approx(23.55, rel=0.005)
    assert square == pytest.approx(8 / 3 * z, rel=2e-3)
    assert product == pytest.approx(8 / 3 * z, rel=2e-3)
