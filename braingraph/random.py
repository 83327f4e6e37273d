"""Counter-based random numbers: every draw is a function of its address, never of an order.

1. The key is (seed, path of the signal, replica); the counter is (step, unit).
2. One threefry call serves two consecutive steps: the counter's first word is ``step >> 1``, and
   ``step & 1`` picks the output word.
3. A word becomes a standard normal by the inverse of the distribution function, so a draw uses
   one word, and float32 and float64 runs see the same noise to rounding.
4. Initial values use ``INITIAL`` as the first word, which no step reaches.

Therefore chunks, blocks, grouping, batches, devices and resuming cannot change a draw.

Source: Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC11 (2011),
threefry2x32 with 20 rounds.
"""

from __future__ import annotations

import hashlib
import operator
from dataclasses import dataclass
from functools import partial
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from braingraph.errors import ParameterError, did_you_mean
from braingraph.units import ONE, strip, unit_of

#: First counter word of initial values. Steps are below 2**32, so theirs is below 2**31.
INITIAL = 0xFFFFFFFF

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA


# ---------------------------------------------------------------- bits
def threefry2x32(k0: Any, k1: Any, x0: Any, x1: Any) -> tuple[Any, Any]:
    """Threefry2x32 with 20 rounds: two words for the key (k0, k1) and the counter (x0, x1).

    Parameters
    ----------
    k0, k1, x0, x1 : uint32 arrays, NumPy or JAX
        They broadcast. NumPy in, NumPy out.
    """
    # Straight elementwise code: it fuses into one vectorised loop. jax.random lowers to a rolled
    # loop on CPU and takes 14 to 21 ns a normal.
    u32 = np.uint32
    with np.errstate(over="ignore"):  # NumPy warns when a scalar wraps round; here it must
        keys = (k0, k1, k0 ^ k1 ^ u32(_PARITY))
        x0, x1 = x0 + keys[0], x1 + keys[1]
        for five in range(5):
            for r in _ROTATIONS[five % 2]:
                x0 = x0 + x1
                x1 = x0 ^ ((x1 << u32(r)) | (x1 >> u32(32 - r)))
            x0 = x0 + keys[(five + 1) % 3]
            x1 = x1 + (keys[(five + 2) % 3] + u32(five + 1))
    return x0, x1


def path_words(path: str) -> tuple[int, int]:
    """Two 32-bit words from a stable hash of a path. They never change between versions."""
    digest = hashlib.blake2b(path.encode(), digest_size=8).digest()
    return int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:], "little")


def key(seed: Any, path_words: tuple[Any, Any], replica: Any = 0) -> tuple[Any, Any]:
    """The key of one signal in one replica.

    Parameters
    ----------
    seed : int of up to 64 bits, a tuple of them, or a traced int32 or uint32
        A tuple gives arrays, one key a seed.
    path_words : two ints or uint32 arrays
        Of :func:`path_words`, for the path of the signal (not of the node: two signals of a node
        draw apart).
    replica : int or integer array
        The number in a batch; a run without a batch is replica 0. An array gives arrays.

    Errors
    ------
    ParameterError
        The seed is no integer of up to 64 bits.
    """
    low, high = _seed_words(seed)
    a0, a1 = threefry2x32(low, high, _word(path_words[0]), _word(path_words[1]))
    return threefry2x32(a0, a1, _word(replica), np.uint32(0))


def _word(value: Any) -> Any:
    if isinstance(value, jax.Array):
        return value.astype(jnp.uint32)
    return np.asarray(value).astype(np.uint32)


def _seed_words(seed: Any) -> tuple[Any, Any]:
    if isinstance(seed, jax.Array):  # as the Python int of the same value
        high = jnp.where(seed < 0, np.uint32(0xFFFFFFFF), np.uint32(0))
        return seed.astype(jnp.uint32), high
    if isinstance(seed, tuple):
        low, up = zip(*map(_seed_words, seed), strict=True)
        return np.array(low, np.uint32), np.array(up, np.uint32)
    try:
        whole = operator.index(seed)
    except TypeError:
        whole = None
    if whole is None or not -(2**63) <= whole < 2**64:
        raise ParameterError(
            f"seed must be an integer of up to 64 bits, as in seed=0, but is {seed!r}.",
            parameter="seed",
        )
    return np.uint32(whole & 0xFFFFFFFF), np.uint32((whole >> 32) & 0xFFFFFFFF)


# ---------------------------------------------------------------- normals
def normals(k0: Any, k1: Any, first_step: Any, steps: int, units: Any, dtype: Any) -> Any:
    """The standard normals of ``steps`` consecutive steps, shaped ``(steps, unit)``.

    Parameters
    ----------
    k0, k1 : uint32
        One key, or one per unit (vertices stacked in a group); leading axes are a batch's.
    first_step : int or traced integer
        Any step >= 0, even or odd.
    steps : int
    units : uint32 array (unit,)
        The number of each unit within its own vertex.
    dtype : float32 or float64 (narrower types are rounded from float32)
    """
    # Each step draws its own pair and keeps one word of it. Drawing a pair for two steps halves
    # the threefry work but then interleaves rows, which does not fuse. Measured in a jitted
    # lax.scan, jax 0.10.2, one core of a 2-core EPYC (AVX2), ns per normal:
    #
    #                                                             (8, 90)  (8, 180)
    #     this                                                      4.2      3.2
    #     one pair for two steps, stacked and sliced at the parity 21.0     11.7
    #     one pair for two steps, kept from fusing by barriers      4.2      4.6
    #     jax.random.normal                                        13.6     21.5
    #
    # and with this layout, by the way from bits to normals:
    #
    #     none (bits only)                                          2.6      2.3
    #     lax.erf_inv                                               6.4      4.6
    #     Giles (2010), lax.log, exact tails                        5.6      4.0
    #     a rational of degree 6/5, lax.log                         5.0      3.7
    first = first_step if isinstance(first_step, jax.Array) else np.asarray(first_step)
    step = (first.astype(np.uint32) + jnp.arange(steps, dtype=jnp.uint32))[:, None]
    even, odd = threefry2x32(k0, k1, step >> np.uint32(1), units)
    return _normal(jnp.where((step & np.uint32(1)) == 0, even, odd), dtype)


def _normal(bits: Any, dtype: Any) -> Any:
    """sqrt(2) erfinv(v) with v = (b + 1/2) / 2**31 and b the word as a signed integer."""
    b = lax.bitcast_convert_type(jnp.asarray(bits), jnp.int32)
    if jnp.dtype(dtype) == jnp.float64:
        v = (b.astype(jnp.float64) + 0.5) * 2.0**-31
        return np.sqrt(2.0) * lax.erf_inv(v)
    return _normal32(b).astype(dtype)


# Minimax fits of our own, made in float64 and rounded; highest power first.
# _NUMERATOR / _DENOMINATOR in w = -log2(1 - v**2): sqrt(2) erfinv(v) / v for 0 <= w <= 31, to a
# relative 1e-8. All coefficients are positive, so nothing cancels.
_NUMERATOR = (
    2.11708535e-08,
    9.48368324e-06,
    2.62591726e-04,
    4.16955072e-03,
    4.37172763e-02,
    3.10131609e-01,
    1.25331414e00,
)
_DENOMINATOR = (
    5.97480721e-07,
    5.73165162e-05,
    7.69580016e-04,
    1.66469384e-02,
    6.59835264e-02,
    1.00000000e00,
)
# log2(1 + r) / r for sqrt(1/2) <= 1 + r < sqrt(2), to 5e-8 in the logarithm.
_LOG2 = (
    -0.143023819,
    0.235715538,
    -0.250497341,
    0.286885113,
    -0.360064656,
    0.480932325,
    -0.721357584,
    1.44269478,
)
_ROOT_HALF = 0x3F3504F3  # sqrt(1/2) as the bits of a float32


def _normal32(b: Any) -> Any:
    """In float32, within 4e-7 (relative) of the exact value for all 2**32 words: to 6.34 sigma."""
    half, scale = np.float32(0.5), np.float32(2.0**-31)
    v = (b.astype(jnp.float32) + half) * scale
    # 1 - |v| from the integer: rounded v would end the tails at 5.4 sigma.
    rest = (b ^ (b >> 31)) ^ np.int32(0x7FFFFFFF)
    q = (rest.astype(jnp.float32) + half) * scale
    # log2 of 1 - v**2 = q (2 - q): a normal number, so the exponent is read off its bits, and
    # an absolute error will do, which spares what a library's log spends on special cases.
    bits = lax.bitcast_convert_type(q * (2 - q), jnp.int32) - np.int32(_ROOT_HALF)
    mantissa = (bits & np.int32(0x7FFFFF)) + np.int32(_ROOT_HALF)
    r = lax.bitcast_convert_type(mantissa, jnp.float32) - 1
    w = -((bits >> 23).astype(jnp.float32) + r * _horner(_LOG2, r))
    return v * _horner(_NUMERATOR, w) / _horner(_DENOMINATOR, w)


def _horner(coefficients: tuple[float, ...], x: Any) -> Any:
    total: Any = np.float32(coefficients[0])
    for c in coefficients[1:]:
        total = total * x + np.float32(c)
    return total


# ---------------------------------------------------------------- initial values
@dataclass(frozen=True)
class Uniform:
    """Initial values drawn uniformly between ``low`` and ``high``.

    Parameters
    ----------
    low, high : number, quantity, or str
        A name stands for that parameter of the model. Plain numbers are taken in the unit of the
        other value, when that is a quantity.

    Errors
    ------
    UnitError
        ``low`` and ``high`` have different dimensions.
    ParameterError
        ``low`` is above ``high``, or the model has no such parameter.
    """

    low: Any = 0.0
    high: Any = 1.0

    def __post_init__(self) -> None:
        low, high = _checked(self, self.low, self.high)
        if low is not None and high is not None and np.any(low > high):
            raise ParameterError(f"low must not be above high: {self!r}.", parameter="low")

    def draw(self, model: Any, k0: Any, k1: Any, shape: tuple[int, ...], unit: Any = None) -> Any:
        """Plain values, shaped ``(*shape of the keys, *shape)``.

        Parameters
        ----------
        model : Node
            Holds the named parameters.
        k0, k1 : uint32
            The key of the state, or an array of keys (one per replica).
        shape : tuple of int
            The units of one vertex.
        unit : unit, optional
            The unit of the result; by default that of the first value that is a quantity.
        """
        low, high = _magnitudes(model, (self.low, self.high), shape, unit)
        return _uniform(_initial_bits(k0, k1, shape), low, high)


@dataclass(frozen=True)
class Normal:
    """Initial values drawn from a normal distribution.

    Parameters
    ----------
    mean, std : number, quantity, or str
        A name stands for that parameter of the model. Plain numbers are taken in the unit of the
        other value, when that is a quantity.

    Errors
    ------
    UnitError
        ``mean`` and ``std`` have different dimensions.
    ParameterError
        ``std`` is negative, or the model has no such parameter.
    """

    mean: Any = 0.0
    std: Any = 1.0

    def __post_init__(self) -> None:
        _, std = _checked(self, self.mean, self.std)
        if std is not None and np.any(std < 0):
            raise ParameterError(f"std must not be negative: {self!r}.", parameter="std")

    def draw(self, model: Any, k0: Any, k1: Any, shape: tuple[int, ...], unit: Any = None) -> Any:
        """Plain values, shaped ``(*shape of the keys, *shape)``; see :meth:`Uniform.draw`."""
        mean, std = _magnitudes(model, (self.mean, self.std), shape, unit)
        return _shifted_normal(_initial_bits(k0, k1, shape), mean, std)


# Compiled also outside a trace, where op by op is slow and rounds otherwise (no fused
# multiply-add), so that a run's initial values do not depend on where they are drawn.
@partial(jax.jit, inline=True)
def _uniform(bits: Any, low: Any, high: Any) -> Any:
    if jnp.result_type(float) == jnp.float64:
        return low + (high - low) * ((bits.astype(jnp.float64) + 0.5) * 2.0**-32)
    # 23 bits: with more, a float32 next to 1 would round to it, and the value to `high`.
    fraction = ((bits >> np.uint32(9)).astype(jnp.float32) + np.float32(0.5)) * 2.0**-23
    return low + (high - low) * fraction


@partial(jax.jit, inline=True)
def _shifted_normal(bits: Any, mean: Any, std: Any) -> Any:
    return mean + std * _normal(bits, jnp.result_type(float))


def _initial_bits(k0: Any, k1: Any, shape: tuple[int, ...]) -> Any:
    k0, k1 = (k.reshape(k.shape + (1,) * len(shape)) for k in (_word(k0), _word(k1)))
    units = np.arange(int(np.prod(shape)), dtype=np.uint32).reshape(shape)
    return threefry2x32(k0, k1, np.uint32(INITIAL), units)[0]


def _magnitudes(
    model: Any, values: tuple[Any, Any], shape: tuple[int, ...], unit: Any
) -> list[Any]:
    """Both values as plain numbers in one unit, laid out as ``shape``."""
    found = [_parameter(model, v) if isinstance(v, str) else v for v in values]
    if unit is None:
        unit = next((unit_of(v) for v in found if isinstance(v, u.Quantity)), ONE)
    where = type(model).__name__
    plain = [strip(v, unit, f"{where}: {v!r}") if isinstance(v, u.Quantity) else v for v in found]
    # Values broadcast to the arrangement of the units, which `shape` may have flattened.
    return [
        jnp.broadcast_to(jnp.asarray(v), model.in_size).reshape(shape) if np.ndim(v) else v
        for v in plain
    ]


def _parameter(model: Any, name: str) -> Any:
    known = model.arrays()
    if name not in known:
        raise ParameterError(
            f"{type(model).__name__} has no parameter {name!r} to draw initial values from."
            f"{did_you_mean(name, known)} It has: {', '.join(known) or 'none'}.",
            parameter=name,
        )
    return known[name]


def _checked(distribution: Any, *values: Any) -> list[Any]:
    """Plain numbers in one unit, None for names, so that mistakes show where they were typed."""
    unit = next((unit_of(v) for v in values if isinstance(v, u.Quantity)), ONE)
    where = type(distribution).__name__
    plain: list[Any] = []
    for v in values:
        if isinstance(v, str):
            plain.append(None)
            continue
        number = np.asarray(strip(v, unit, where) if isinstance(v, u.Quantity) else v)
        if number.dtype.kind not in "fiu" or not np.isfinite(number).all():
            raise ParameterError(
                f"{where} takes finite numbers, quantities, or names of parameters, but got {v!r}.",
                parameter=None,
            )
        plain.append(number)
    return plain
