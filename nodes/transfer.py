"""Sigmoids, firing-rate curves and synapses: the mathematics that models and couplings share.

Arguments must be dimensionless once their gains are applied; units are never dropped in silence.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from braingraph.units import ONE, show, strip, unit_of

# z / (1 - exp(-z)) = 1 + z/2 + z^2/12 - z^4/720 + ...: even coefficients, in powers of z^2.
_SERIES = (1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160)
# Here the next term is below 3e-16, and dividing outside loses no digits in the gradient either.
_NEAR = 0.3


def argument(x: Any, what: str = "the argument of a sigmoid") -> Any:
    """``x`` as a plain array; UnitError, with the gain to add, when it has a unit."""
    unit = unit_of(x)
    gain = f"multiply it by a gain in {show(unit**-1)}."
    return strip(x, ONE, what, gain)


def logistic(x: Any) -> Any:
    """1 / (1 + exp(-x)), with no overflow in the value or the gradient.

    >>> print(logistic(0.0))
    0.5
    """
    return jax.lax.logistic(argument(x))


def logistic_from_zero(x: Any, a: Any, theta: Any) -> Any:
    """The logistic curve of slope ``a`` about ``theta``, moved down so that F(0) = 0.

    F(x) = 1 / (1 + exp(-a (x - theta))) - 1 / (1 + exp(a theta)): Wilson & Cowan 1972, eq. 15.
    """
    return logistic(a * (x - theta)) - logistic(-a * theta)


def potential_to_rate(v: Any, v0: Any, r: Any, low: Any, high: Any) -> Any:
    """A rate between ``low`` and ``high``, halfway at ``v0``, of steepness ``r``.

    S(v) = low + (high - low) / (1 + exp(r (v0 - v))): Jansen & Rit 1995, eq. 2, with low = 0 and
    high = 2 e0.
    """
    return low + (high - low) * logistic(r * (v - v0))


def current_to_rate(x: Any, a: Any, b: Any, d: Any) -> Any:
    """H(x) = (a x - b) / (1 - exp(-d (a x - b))), also where a x = b: there it is 1 / d.

    The f-I curve of Abbott & Chance 2005, as used by Wong & Wang 2006 (appendix).

    >>> import brainunit as u
    >>> H = current_to_rate(0.4 * u.nA, 270 * u.Hz / u.nA, 108 * u.Hz, 0.154 * u.second)
    >>> print(f"{float(H.to_decimal(u.Hz)):.4f} Hz")
    6.4935 Hz
    """
    return _ratio(argument(d * (a * x - b), "d (a x - b) of H(x)")) / d


def second_order(target: Any, rate: Any, y: Any, v: Any) -> Any:
    """y'' of a synapse with velocity ``v`` = y': (1 + (1 / rate) d/dt)^2 y = target.

    Its response to an impulse of the target is rate^2 t exp(-rate t).
    """
    return rate * (rate * (target - y) - 2 * v)


def _ratio(z: Any) -> Any:
    """z / (1 - exp(-z)): finite, with a finite gradient, for every finite z."""
    z = jnp.asarray(z)
    near = jnp.abs(z) < _NEAR
    # Each branch sees only arguments it can take: the gradient of jnp.where adds up both, and
    # 0 * inf is not a number.
    small, large = jnp.where(near, z, 0.0), jnp.where(near, 1.0, z)
    square, even = small * small, jnp.zeros_like(small)
    for coefficient in reversed(_SERIES):
        even = (even + coefficient) * square
    series = 1.0 + small / 2 + even
    size = jnp.abs(large)
    # For z < 0 the ratio is |z| exp(-|z|) / (1 - exp(-|z|)): no exponential of a large number.
    closed = size / -jnp.expm1(-size) * jnp.exp(jnp.minimum(large, 0.0))
    return jnp.where(near, series, closed)
