"""Random numbers: known answers, independence of how they are asked for, and statistics."""

from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.random import threefry_2x32
from scipy import special, stats

from braingraph import random
from braingraph.errors import ParameterError, UnitError
from braingraph.random import Normal, Uniform, key, normals, path_words, threefry2x32

U32 = np.uint32
#: A statistic of standard normal law may reach this many sigma: p = 7e-6 a test.
SIGMAS = 4.5

draw = jax.jit(normals, static_argnums=(3, 5))


def units(n: int) -> Any:
    return jnp.arange(n, dtype=jnp.uint32)


def sample(seed: int, steps: int, n: int, path: str = "a.xi", replica: int = 0) -> Any:
    k = key(seed, path_words(path), replica)
    return np.asarray(draw(*k, 0, steps, units(n), jnp.float32), np.float64)


# ---------------------------------------------------------------- bits
# Random123's kat_vectors for threefry2x32, 20 rounds: key, counter, result.
KNOWN = [
    ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
]


@pytest.mark.parametrize("numbers", [U32, jnp.uint32, lambda v: np.full(3, v, U32)])
@pytest.mark.parametrize(("k", "x", "expected"), KNOWN)
def test_known_answers(numbers: Any, k: Any, x: Any, expected: Any) -> None:
    got = threefry2x32(*(numbers(word) for word in (*k, *x)))
    for word, right in zip(got, expected, strict=True):
        assert word.dtype == U32
        assert (np.asarray(word) == right).all()


def test_threefry_equals_jax_own() -> None:
    rng = np.random.default_rng(0)
    for _ in range(3):
        k, x = (rng.integers(2**32, size=s, dtype=U32) for s in (2, (2, 100)))
        ours = np.stack(threefry2x32(k[0], k[1], x[0], x[1]))
        np.testing.assert_array_equal(ours, threefry_2x32(jnp.asarray(k), jnp.asarray(x)))


def test_threefry_is_straight_line_code() -> None:
    text = draw.lower(U32(0), U32(1), 0, 8, units(5), jnp.float32).as_text()
    assert "while" not in text and "custom_call" not in text


def test_bits_are_balanced() -> None:
    words = threefry2x32(
        U32(1), U32(2), np.arange(1000, dtype=U32)[:, None], np.arange(200, dtype=U32)
    )
    for word in words:
        flat = word.ravel()
        ones = ((flat[:, None] >> np.arange(32, dtype=U32)) & U32(1)).sum(0)
        z = (ones - flat.size / 2) / np.sqrt(flat.size / 4)
        assert abs(z).max() < SIGMAS
        for shift in (0, 8, 16, 24):
            counts = np.bincount((flat >> U32(shift)) & U32(255), minlength=256)
            assert 1e-5 < stats.chisquare(counts).pvalue < 1 - 1e-5
    a, b = ((w >> U32(28)).ravel() for w in words)
    counts = np.bincount(a * U32(16) + b, minlength=256)  # the two words of a pair
    assert 1e-5 < stats.chisquare(counts).pvalue < 1 - 1e-5


@pytest.mark.parametrize("argument", range(4))
def test_flipping_one_input_bit_flips_half_of_the_output(argument: int) -> None:
    rng = np.random.default_rng(1)
    words = [rng.integers(2**32, size=(500, 1), dtype=U32) for _ in range(4)]
    flipped = list(words)
    flipped[argument] = words[argument] ^ (U32(1) << np.arange(32, dtype=U32))
    for before, after in zip(threefry2x32(*words), threefry2x32(*flipped), strict=True):
        flips = np.bitwise_count(before ^ after).mean(0)  # of 32, for every input bit
        assert abs(flips - 16).max() < SIGMAS * np.sqrt(8 / 500)


# ---------------------------------------------------------------- keys
def test_path_words_never_change() -> None:
    assert path_words("cortex.xi") == (0xA558FD64, 0x6F38FC5B)
    paths = [f"node{k}.{name}" for k in range(5000) for name in ("xi", "x")]
    assert len({path_words(p) for p in paths}) == len(paths)


def test_keys_differ_by_seed_path_and_replica() -> None:
    seeds = [0, 1, 2, 2**31, 2**32, 2**32 + 1, 2**63, 2**64 - 2, -1, -5]
    keys = [
        tuple(int(w) for w in key(seed, path_words(path), replica))
        for seed in seeds
        for path in ("a.xi", "a.x", "b.xi", "a.b.xi")
        for replica in range(4)
    ]
    assert len(set(keys)) == len(keys)
    assert len({word for k in keys for word in k}) == 2 * len(keys)


@pytest.mark.parametrize("seed", [0, 7, 2**31 - 1, -1, -(2**31)])
def test_a_traced_seed_is_the_same_seed(seed: int) -> None:
    words = path_words("a.xi")
    traced = jax.jit(lambda s: key(s, words))(jnp.int32(seed))
    assert [int(w) for w in traced] == [int(w) for w in key(seed, words)]


def test_many_replicas_and_paths_at_once() -> None:
    paths = [path_words(p) for p in ("a.xi", "b.xi", "c.xi")]
    stacked = tuple(np.array(w, U32) for w in zip(*paths, strict=True))
    together = jax.jit(key)(jnp.uint32(3), stacked, jnp.arange(4)[:, None])
    for r in range(4):
        for p, words in enumerate(paths):
            assert [int(w[r, p]) for w in together] == [int(w) for w in key(3, words, r)]


def test_no_replica_is_replica_zero() -> None:
    assert key(5, (1, 2)) == key(5, (1, 2), 0)


@pytest.mark.parametrize("seed", [1.0, "seed", None, 2**64, -(2**63) - 1])
def test_seed_must_be_an_integer(seed: Any) -> None:
    with pytest.raises(ParameterError, match="seed must be an integer of up to 64 bits"):
        key(seed, (1, 2))


# ---------------------------------------------------------------- a draw has an address
WINDOWS = [(0, 1), (1, 1), (0, 8), (1, 8), (2, 7), (3, 7), (5, 2), (17, 16), (30, 33)]


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("origin", [0, 2**20 - 1, 2**31 - 100])
def test_draws_do_not_depend_on_the_window(x64: None, origin: int, dtype: Any) -> None:
    k = key(11, path_words("a.xi"))
    whole = np.asarray(draw(*k, jnp.uint32(origin), 64, units(13), dtype))
    assert whole.dtype == dtype and whole.shape == (64, 13)
    assert len(np.unique(whole)) == whole.size
    for first, steps in WINDOWS:
        part = draw(*k, jnp.uint32(origin + first), steps, units(13), dtype)
        np.testing.assert_array_equal(part, whole[first : first + steps])


def test_draws_do_not_depend_on_the_other_units() -> None:
    k = key(11, path_words("a.xi"))
    whole = np.asarray(draw(*k, 3, 10, units(200), jnp.float32))
    for chosen in ([0], [199], [7, 3], range(50, 183), range(90)):
        index = np.asarray(chosen)
        part = draw(*k, 3, 10, jnp.asarray(index, jnp.uint32), jnp.float32)
        np.testing.assert_array_equal(part, whole[:, index])


def test_stacked_vertices_keep_their_draws() -> None:
    keys = [key(0, path_words(p)) for p in ("a.xi", "b.xi")]
    sizes = (5, 12)
    alone = [draw(*k, 1, 9, units(n), jnp.float32) for k, n in zip(keys, sizes, strict=True)]
    k0, k1 = (np.repeat([k[w] for k in keys], sizes) for w in (0, 1))
    numbers = jnp.concatenate([units(n) for n in sizes])
    np.testing.assert_array_equal(
        draw(k0, k1, 1, 9, numbers, jnp.float32), np.concatenate(alone, axis=1)
    )


def test_replicas_batch_by_vmap_or_by_broadcasting() -> None:
    k0, k1 = key(0, path_words("a.xi"), np.arange(3))
    alone = np.stack([draw(a, b, 1, 9, units(5), jnp.float32) for a, b in zip(k0, k1, strict=True)])
    mapped = jax.vmap(lambda a, b: normals(a, b, 1, 9, units(5), jnp.float32))
    np.testing.assert_array_equal(jax.jit(mapped)(k0, k1), alone)
    column = (3, 1, 1)
    np.testing.assert_array_equal(
        draw(k0.reshape(column), k1.reshape(column), 1, 9, units(5), jnp.float32), alone
    )


def test_inside_a_scan() -> None:
    k = key(2, path_words("a.xi"))

    def blocks(first: Any) -> Any:
        def block(step: Any, _: None) -> Any:
            return step + 5, normals(*k, step, 5, units(9), jnp.float32)

        return jax.lax.scan(block, first, None, length=6)[1]

    got = jax.jit(blocks)(jnp.int32(3)).reshape(30, 9)
    np.testing.assert_array_equal(got, draw(*k, 3, 30, units(9), jnp.float32))


# ---------------------------------------------------------------- from bits to normals
def exact_normal(word: Any) -> Any:
    """sqrt(2) erfinv((b + 1/2) / 2**31), from the tail where that is precise."""
    b = word.view(np.int32).astype(np.int64)
    tail = (2**31 - 1 - np.where(b >= 0, b, ~b) + 0.5) * 2.0**-32
    bulk = np.sqrt(2) * special.erfinv((b + 0.5) * 2.0**-31)
    return np.where(tail > 0.25, bulk, -np.sign(b + 0.5) * special.ndtri(tail))


def test_normals_are_accurate_for_every_kind_of_word(x64: None) -> None:
    near = np.arange(3000, dtype=np.int64)
    powers = 2 ** np.arange(31, dtype=np.int64)
    b = np.concatenate([near, 2**31 - 1 - near, powers, 2**31 - powers])
    b = np.concatenate([b, ~b, np.random.default_rng(0).integers(-(2**31), 2**31, 300_000)])
    words = b.astype(np.int32).view(U32)
    right = exact_normal(words)
    for dtype, tolerance in ((jnp.float32, 4e-7), (jnp.float64, 3e-10)):
        got = jax.jit(random._normal, static_argnums=1)(words, dtype)
        assert got.dtype == dtype
        np.testing.assert_allclose(np.asarray(got, np.float64), right, rtol=tolerance)
    assert 6.33 < right.max() < 6.34 and right.min() == -right.max()


def test_float32_and_float64_runs_see_the_same_noise(x64: None) -> None:
    k = key(1, path_words("a.xi"))
    single, double = (draw(*k, 0, 100, units(50), d) for d in (jnp.float32, jnp.float64))
    np.testing.assert_allclose(np.asarray(single, np.float64), double, rtol=5e-7)


# ---------------------------------------------------------------- statistics
@pytest.mark.parametrize("seed", [0, 1, 2**40])
def test_standard_normal_law(seed: int) -> None:
    z = sample(seed, 1000, 200).ravel()
    n = z.size
    assert stats.kstest(z, "norm").pvalue > 1e-4
    # mean and standard deviation of z**k: E z**k and sqrt(E z**2k - (E z**k)**2)
    for power, (mean, spread) in enumerate([(0, 1), (1, 2), (0, 15), (3, 96)], start=1):
        root = np.sqrt(spread)
        assert abs((z**power).mean() - mean) < SIGMAS * root / np.sqrt(n), power


def test_tail_frequencies() -> None:
    z = sample(3, 4000, 1000).ravel()
    for limit in (1.0, 2.0, 3.0, 4.0):
        for side in (1, -1):
            p = stats.norm.sf(limit)
            count = (side * z > limit).sum()
            assert abs(count - z.size * p) < SIGMAS * np.sqrt(z.size * p * (1 - p)), limit
    assert 4.8 < abs(z).max() < 6.0  # of 4 million draws; the median of the maximum is 5.2


@pytest.mark.parametrize("f", [lambda z: z, lambda z: z**2 - 1, np.sign])
def test_steps_and_units_are_uncorrelated(f: Any) -> None:
    z = f(sample(4, 3000, 60))
    z = z / z.std()
    for lag in range(1, 9):  # within a pair of steps, and across pairs
        for parity in (0, 1):
            a, b = z[parity:-lag:2], z[parity + lag :: 2]
            r = (a[: len(b)] * b[: len(a)]).mean()
            assert abs(r) < SIGMAS / np.sqrt(min(a.size, b.size)), (lag, parity)
    across = (z.T @ z / len(z))[np.triu_indices(60, 1)] * np.sqrt(len(z))
    assert abs(across).max() < SIGMAS + 1  # the largest of 1770
    assert abs(across.var() - 1) < SIGMAS * np.sqrt(2 / across.size)


def test_seeds_paths_and_replicas_are_uncorrelated() -> None:
    draws = [
        sample(seed, 400, 50, path, replica).ravel()
        for seed in (0, 1, 2**32)
        for path in ("a.xi", "b.xi")
        for replica in range(4)
    ]
    z = np.array(draws)
    r = (z @ z.T / z.shape[1])[np.triu_indices(len(z), 1)] * np.sqrt(z.shape[1])
    assert abs(r).max() < SIGMAS
    assert abs(r.var() - 1) < SIGMAS * np.sqrt(2 / r.size)


def test_power_spectrum_is_flat() -> None:
    z = sample(5, 4096, 64)
    power = (abs(np.fft.rfft(z, axis=0))[1:-1] ** 2 / len(z)).mean(1)  # chi2 of 128, over 128
    assert stats.kstest(power * 128, stats.chi2(128).cdf).pvalue > 1e-4


# ---------------------------------------------------------------- initial values
class Model:
    """Stands for a node: an arrangement of units, and named parameters."""

    def __init__(self, in_size: tuple[int, ...] = (2,), **parameters: Any) -> None:
        self.in_size, self.parameters = in_size, parameters

    def arrays(self) -> dict[str, Any]:
        return self.parameters


KEY = key(0, path_words("a.x"))


def test_uniform_initial_values() -> None:
    x = np.asarray(Uniform(-1.0, 3.0).draw(Model(), *KEY, (100_000,)))
    assert x.dtype == np.float32 and x.min() >= -1 and x.max() <= 3
    assert stats.kstest(x, stats.uniform(-1, 4).cdf).pvalue > 1e-3


def test_normal_initial_values() -> None:
    x = np.asarray(Normal(2.0, 0.5).draw(Model(), *KEY, (100_000,)))
    assert stats.kstest(x, stats.norm(2, 0.5).cdf).pvalue > 1e-3


@pytest.mark.parametrize("distribution", [Uniform(0.0, 1.0), Normal(0.0, 1.0)])
def test_initial_values_have_addresses_too(distribution: Any) -> None:
    whole = np.asarray(distribution.draw(Model(), *KEY, (12,)))
    np.testing.assert_array_equal(distribution.draw(Model(), *KEY, (5,)), whole[:5])
    np.testing.assert_array_equal(distribution.draw(Model(), *KEY, (3, 4)), whole.reshape(3, 4))
    replicas = key(0, path_words("a.x"), np.arange(3))
    batch = np.asarray(distribution.draw(Model(), *replicas, (12,)))
    assert batch.shape == (3, 12) and len(np.unique(batch)) == 36
    np.testing.assert_array_equal(batch[0], whole)
    traced = jax.jit(lambda a, b: distribution.draw(Model(), a, b, (12,)))(*replicas)
    np.testing.assert_array_equal(traced, batch)


def test_initial_values_in_double_precision(x64: None) -> None:
    for distribution in (Uniform(0.0, 1.0), Normal(0.0, 1.0)):
        double = np.asarray(distribution.draw(Model(), *KEY, (1000,)))
        with jax.enable_x64(False):
            single = np.asarray(distribution.draw(Model(), *KEY, (1000,)))
        assert double.dtype == np.float64 and single.dtype == np.float32
        np.testing.assert_allclose(single, double, rtol=4e-7, atol=2e-7)


def test_initial_values_never_meet_the_noise() -> None:
    start = np.asarray(Normal().draw(Model(), *KEY, (50,)))
    last = draw(*KEY, jnp.uint32(2**32 - 4), 4, units(50), jnp.float32)
    assert not np.isin(start, np.asarray(last)).any()


UNITS = [
    # distribution, unit asked for, expected magnitudes at the standard draw 0 (low, mean)
    (Normal(1.0 * u.mV, 0.0 * u.uvolt), None, 1.0),
    (Normal(1.0 * u.mV, 0.0 * u.uvolt), u.uvolt, 1000.0),
    (Normal(2.0, 0.0 * u.mV), None, 2.0),
    (Normal("level", 0.0), None, 3.0),
    (Normal("level", 0.0), u.Hz, 3000.0),
    (Normal("level", "none"), None, 3.0),
    (Uniform(5.0 * u.ms, 5.0 * u.ms), u.second, 0.005),
    (Uniform("gain", "gain"), None, 7.0),
]


@pytest.mark.parametrize(("distribution", "unit", "expected"), UNITS)
def test_units_and_names(distribution: Any, unit: Any, expected: float) -> None:
    model = Model(level=3.0 * u.kHz, none=0.0 * u.Hz, gain=np.array([7.0, 7.0]))
    drawn = distribution.draw(model, *KEY, (2,), unit)
    np.testing.assert_allclose(drawn, [expected] * 2, rtol=1e-6)


def test_parameters_follow_the_arrangement_of_the_units() -> None:
    model = Model((2, 3), mean=np.array([[10.0], [20.0]]) * u.mV, std=0.0 * u.mV)
    flat = Normal("mean", "std").draw(model, *KEY, (6,))
    np.testing.assert_array_equal(flat, [10, 10, 10, 20, 20, 20])
    replicas = key(0, path_words("a.x"), np.arange(4))
    batch = Normal("mean", 1.0).draw(model, *replicas, (2, 3))
    assert batch.shape == (4, 2, 3) and abs(batch - flat.reshape(2, 3)).max() < 5


MISTAKES = [
    (lambda: Uniform(1.0, 0.0), ParameterError, "low must not be above high"),
    (lambda: Normal(0.0, -1.0), ParameterError, "std must not be negative"),
    (lambda: Normal(0.0, np.nan), ParameterError, "finite"),
    (lambda: Normal(0.0, [0.0, "sigma"]), ParameterError, "names of parameters"),
    (lambda: Normal(0.0 * u.mV, 1.0 * u.ms), UnitError, r"Normal is in \[ms\].*\[mV\]"),
    (
        lambda: Normal(0.0, "sgima").draw(Model(sigma=1.0), *KEY, (3,)),
        ParameterError,
        "Did you mean 'sigma'",
    ),
    (
        lambda: Normal(0.0, "sigma").draw(Model(sigma=1.0 * u.mV), *KEY, (3,), u.Hz),
        UnitError,
        r"\[mV\].*\[Hz\]",
    ),
]


@pytest.mark.parametrize(("mistake", "error", "message"), MISTAKES)
def test_mistakes(mistake: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        mistake()
