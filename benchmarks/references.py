"""What one would write by hand in JAX: a scan over steps, a ring buffer, a gather per step.

As the other simulators do, the coupling is frozen over the two stages of a step: less work than
braingraph does, which reads it at each stage. Noise is drawn with ``jax.random``, 1000 steps at a
time (its fastest use), and x is sampled inside the scan.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.networks import DT, EVERY, SIGMA, X0, Y0, A, K, Network, W

DRAWN = 1000  # steps whose noise is drawn at once
Run = Callable[[jax.Array], jax.Array]
State = tuple[jax.Array, jax.Array]
Coupling = Callable[[jax.Array], jax.Array]

#: On CPU, jaxlib 0.10 sends a float32 multiply and reduce to a library kernel that is slow for
#: these shapes. This option, unknown to other backends, keeps that kernel for matrix products.
FAST_FUSION = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_DOT"}


def compiled(run: Callable[[jax.Array], jax.Array], *, fast_fusion: bool = False) -> Run:
    """``run`` jitted; ``fast_fusion`` changes nothing on backends other than CPU."""
    if fast_fusion and jax.default_backend() == "cpu":
        return jax.jit(run, compiler_options=FAST_FUSION)
    return jax.jit(run)


def hopf(state: State, coupling: Any) -> State:
    x, y = state
    r = A - x * x - y * y
    return r * x - W * y + coupling, r * y + W * x


def heun(state: State, coupling: Coupling, noise: jax.Array, *, per_stage: bool = False) -> State:
    """One step; ``per_stage`` evaluates the coupling again at the second stage."""
    x, y = state
    held = coupling(x)
    kx, ky = hopf(state, held)
    guess = (x + DT * kx + noise[0], y + DT * ky + noise[1])
    lx, ly = hopf(guess, coupling(guess[0]) if per_stage else held)
    return x + DT / 2 * (kx + lx) + noise[0], y + DT / 2 * (ky + ly) + noise[1]


def delayed(network: Network, steps: int) -> Callable[[jax.Array], jax.Array]:
    """With delays: ``run(key)`` returns x, (sample, unit)."""
    assert network.delay is not None
    n = network.size
    weights = jnp.asarray(network.weights, jnp.float32)
    delay = np.where(network.weights != 0, network.delay, 0)
    slots = int(delay.max()) + 1
    back = jnp.asarray(delay * n - np.arange(n)[None, :], jnp.int32)

    def step(carry: Any, noise: jax.Array) -> tuple[Any, None]:
        state, ring, t = carry

        def coupling(x: jax.Array) -> jax.Array:
            at = t % slots * n - back
            at = jnp.where(at < 0, at + slots * n, at)
            past = ring.reshape(-1).at[at].get(mode="promise_in_bounds")
            return K * jnp.sum(weights * past, axis=1)

        state = heun(state, coupling, noise)
        t = t + 1
        ring = lax.dynamic_update_slice(ring, state[0][None], (t % slots, jnp.int32(0)))
        return (state, ring, t), None

    state = _start(n)
    ring = jnp.broadcast_to(state[0], (slots, n))
    return _scan(step, (state, ring, jnp.int32(0)), lambda carry: carry[0][0], n, steps)


def instantaneous(
    network: Network, steps: int, *, per_stage: bool
) -> Callable[[jax.Array], jax.Array]:
    """Without delays: the coupling is a matrix product."""
    n = network.size
    weights = jnp.asarray(network.weights, jnp.float32)

    def step(state: State, noise: jax.Array) -> tuple[State, None]:
        return heun(state, lambda x: K * (weights @ x), noise, per_stage=per_stage), None

    return _scan(step, _start(n), lambda state: state[0], n, steps)


def _start(n: int) -> State:
    return jnp.full(n, X0, jnp.float32), jnp.full(n, Y0, jnp.float32)


def _scan(
    step: Callable[[Any, jax.Array], tuple[Any, None]],
    start: Any,
    sample: Callable[[Any], jax.Array],
    n: int,
    steps: int,
) -> Callable[[jax.Array], jax.Array]:
    drawn = min(DRAWN, steps)
    assert steps % drawn == 0 and drawn % EVERY == 0

    def sampled(carry: Any, noise: jax.Array) -> tuple[Any, jax.Array]:
        carry, _ = lax.scan(step, carry, noise)
        return carry, sample(carry)

    def chunk(carry: Any, key: jax.Array) -> tuple[Any, jax.Array]:
        normals = jax.random.normal(key, (drawn // EVERY, EVERY, 2, n), jnp.float32)
        return lax.scan(sampled, carry, SIGMA * np.sqrt(DT) * normals)

    def run(key: jax.Array) -> jax.Array:
        _, x = lax.scan(chunk, start, jax.random.split(key, steps // drawn))
        return x.reshape(-1, n)

    return run
