"""The integrators: one small function per method. They know nothing of graphs.

``field(x, stage)`` is the vector field at a stage ``c`` (the state guessed for t_n + c dt); states
and derivatives are trees of arrays, ``dt`` is in ms. Noise held over the step inside the field
makes Euler the Euler-Maruyama method and Heun the stochastic Heun method: a white-noise input
``sigma xi / sqrt(dt)`` contributes ``sigma sqrt(dt) xi`` to both stages.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp

Tree = Any
Bound = Callable[[Tree], Tree]


class Field(Protocol):
    """The right-hand side of all states at once."""

    def __call__(self, x: Tree, stage: float) -> Tree:
        """dx/dt at a stage."""

    def with_diagonal(self, x: Tree) -> tuple[Tree, Tree]:
        """dx/dt at stage 0, and its derivative by each unit's own variable, inputs held."""


def _plus(x: Tree, h: float, k: Tree) -> Tree:
    return jax.tree.map(lambda a, b: a + h * b, x, k)


def euler(field: Field, x: Tree, dt: float, bound: Bound) -> Tree:
    """Order 1 (strong 1/2, and 1 when the noise is additive)."""
    return bound(_plus(x, dt, field(x, 0.0)))


def heun(field: Field, x: Tree, dt: float, bound: Bound) -> Tree:
    """Order 2 (strong 1 for additive noise; Stratonovich)."""
    k1 = field(x, 0.0)
    k2 = field(bound(_plus(x, dt, k1)), 1.0)
    return bound(jax.tree.map(lambda a, p, q: a + 0.5 * dt * (p + q), x, k1, k2))


def rk4(field: Field, x: Tree, dt: float, bound: Bound) -> Tree:
    """Order 4."""
    k1 = field(x, 0.0)
    k2 = field(bound(_plus(x, 0.5 * dt, k1)), 0.5)
    k3 = field(bound(_plus(x, 0.5 * dt, k2)), 0.5)
    k4 = field(bound(_plus(x, dt, k3)), 1.0)
    return bound(
        jax.tree.map(lambda a, p, q, r, s: a + dt / 6 * (p + 2 * q + 2 * r + s), x, k1, k2, k3, k4)
    )


def exp_euler(field: Field, x: Tree, dt: float, bound: Bound) -> Tree:
    """Order 1, exact for x' = a x + b: x + dt phi(dt J) f with phi(z) = (e^z - 1) / z.

    J is the diagonal of each unit's own Jacobian, with its inputs held.
    """
    f, diagonal = field.with_diagonal(x)
    return bound(jax.tree.map(lambda a, k, j: a + dt * _phi(dt * j) * k, x, f, diagonal))


def _phi(z: Any) -> Any:
    # expm1(z) / z loses nothing near 0 but 0 / 0 itself, where the series keeps value and slope;
    # the inner where keeps the other branch's gradient finite
    safe = jnp.where(z == 0, 1.0, z)
    return jnp.where(z == 0, 1.0 + 0.5 * z, jnp.expm1(safe) / safe)


Method = Callable[[Field, Tree, float, Bound], Tree]
METHODS: dict[str, Method] = {"euler": euler, "heun": heun, "rk4": rk4, "exp_euler": exp_euler}
#: The stages c at which each method reads its inputs.
STAGES: dict[str, tuple[float, ...]] = {
    "euler": (0.0,),
    "heun": (0.0, 1.0),
    "rk4": (0.0, 0.5, 1.0),
    "exp_euler": (0.0,),
}
