"""Noise sources and stimuli: their laws, at any step, and their units."""

from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import braingraph as bg
from braingraph.component import Signals
from braingraph.errors import BraingraphError, ParameterError, ShapeError, UnitError
from braingraph.nodes.noise import GaussianNoise, OUProcess, WhiteNoise
from braingraph.nodes.stimulus import (
    ArrayStimulus,
    ConstantStimulus,
    FunctionStimulus,
    PulseTrain,
)
from braingraph.random import key, normals, path_words


def emitted(node: Any, **signals: Any) -> Any:
    """What the node emits, as a plain array in its declared unit."""
    output = type(node).out
    value = output.function(node, Signals({}), Signals(signals))
    unit = output.unit(node)
    assert u.get_unit(value).has_same_dim(unit)
    return value.to_decimal(unit) if isinstance(value, u.Quantity) else value


def series(node: Any, steps: Any, dt: float = 0.1) -> Any:
    """What a stimulus emits at the given steps, in float32 and traced as in a run."""

    def at(n: Any) -> Any:
        return emitted(node, n=n, dt=np.float32(dt) * u.ms, t=n * np.float32(dt) * u.ms)

    return np.asarray(jax.jit(jax.vmap(at))(jnp.asarray(steps, jnp.int32)))


def run(step: Any, start: Any, steps: int, seed: int = 0) -> Any:
    """``x = step(x, xi)`` over consecutive steps; every x, as (steps, unit)."""
    k = key(seed, path_words("noise.xi"))
    n = np.shape(start)[0]

    def one(x: Any, number: Any) -> Any:
        xi = normals(*k, number, 1, jnp.arange(n, dtype=jnp.uint32), jnp.float32)[0]
        new = step(x, xi)
        return new, new

    numbers = jnp.arange(steps, dtype=jnp.int32)
    return np.asarray(jax.jit(lambda x: jax.lax.scan(one, x, numbers)[1])(start), np.float64)


# ---------------------------------------------------------------- white noise
ROOT_MS, ROOT_S = u.ms**0.5, u.second**0.5
WHITE = [
    # sigma, unit of the output, its standard deviation at dt = 0.25 ms
    (0.3, u.UNITLESS, 0.6),
    (0.3 * ROOT_MS, u.UNITLESS, 0.6),
    (0.3 * u.mV * ROOT_MS, u.mV, 0.6),
    (0.3 * u.Hz * ROOT_S, u.Hz, 0.3 / 0.25e-3**0.5),
    (0.3 * u.nA * u.us**0.5, u.pA, 0.3e3 / 250**0.5),
    (0.3 * u.nA, u.nA / ROOT_S, 0.3 / 0.25e-3**0.5),
    ([0.3, 0.1], u.UNITLESS, [0.6, 0.2]),
]


@pytest.mark.parametrize(("sigma", "unit", "expected"), WHITE)
@pytest.mark.parametrize("law", [WhiteNoise, GaussianNoise])
def test_white_noise_carries_the_root_of_time(
    law: Any, sigma: Any, unit: Any, expected: Any
) -> None:
    node = law(2, sigma=sigma)
    assert node.signals()["out"].unit(node) == unit
    for xi in (1.0, -2.5):
        got = emitted(node, xi=xi * jnp.ones(2), dt=0.25 * u.ms)
        np.testing.assert_allclose(got, xi * np.multiply(expected, [1, 1]), rtol=1e-6)


def test_the_mean_of_white_noise_is_in_the_output_unit() -> None:
    node = WhiteNoise(3, sigma=0.1 * u.mV * ROOT_MS, mean=[1, 2, 3] * u.volt)
    still = emitted(node, xi=jnp.zeros(3), dt=0.1 * u.ms)
    np.testing.assert_allclose(still, [1e3, 2e3, 3e3])
    assert node.replace(sigma=0.2 * u.mV * ROOT_MS).mean.to_decimal(u.volt).tolist() == [1, 2, 3]


@pytest.mark.parametrize("dt", [0.5, 0.1, 0.05])
def test_integrated_white_noise_does_not_depend_on_dt(dt: float) -> None:
    """dx = s dW has variance s**2 T at any dt (Ito isometry)."""
    node, n, duration = WhiteNoise(8000, sigma=0.7), 8000, 5.0
    x = run(
        lambda x, xi: x + dt * emitted(node, xi=xi, dt=dt * u.ms),
        jnp.zeros(n),
        round(duration / dt),
    )
    assert x[-1].var() / (0.7**2 * duration) == pytest.approx(1, abs=4 * np.sqrt(2 / n))


@pytest.mark.parametrize("dt", [1.0, 0.1])
def test_a_linear_node_has_the_stationary_variance_of_its_scheme(dt: float) -> None:
    """x' = -theta x + noise: Euler-Maruyama keeps s**2 / (2 theta) / (1 - theta dt / 2)."""
    theta, sigma, n = 0.2, 0.4, 1000
    node = WhiteNoise(n, sigma=sigma)
    x = run(
        lambda x, xi: x + dt * (-theta * x + emitted(node, xi=xi, dt=dt * u.ms)),
        jnp.zeros(n),
        round(150 / dt),
    )
    x = x[round(30 / dt) :]
    right = sigma**2 / (2 * theta) / (1 - theta * dt / 2)
    independent = n * 120 * theta  # samples 1 / (2 theta) apart, halved: they still correlate
    assert (x**2).mean() / right == pytest.approx(1, abs=4 * np.sqrt(2 / independent))
    assert abs(x.mean()) < 4 * np.sqrt(2 * right / independent)


# ---------------------------------------------------------------- Ornstein-Uhlenbeck
def ou_step(node: Any, x: Any, xi: Any, dt: Any) -> Any:
    """One step of plain values in the state's unit."""
    unit = node.signals()["x"].unit(node)
    state = Signals({"x": x if unit == u.UNITLESS else u.Quantity(x, unit=unit)})
    new = type(node)._update_rule(node, state, Signals({"xi": xi}), dt * u.ms)["x"]
    return new.to_decimal(unit) if isinstance(new, u.Quantity) else new


def ou_run(node: Any, dt: float, steps: int) -> Any:
    start = node._inits["x"].draw(node, *key(3, path_words("noise.x")), node.in_size)
    return run(lambda x, xi: ou_step(node, x, xi, dt), start, steps)


@pytest.mark.parametrize("dt", [0.1, 1.0, 10.0, 60.0])
def test_ou_starts_and_stays_stationary_at_any_step(dt: float) -> None:
    n, sigma, mean = 4000, 0.3, 2.0
    x = ou_run(OUProcess(n, sigma=sigma, tau=8.0 * u.ms, mean=mean), dt, 60)
    for row in (0, 1, 20, 59):
        assert x[row].mean() == pytest.approx(mean, abs=4 * sigma / np.sqrt(n))
        assert x[row].std() / sigma == pytest.approx(1, abs=4 / np.sqrt(2 * n))


@pytest.mark.parametrize("dt", [0.5, 2.0, 8.0])
def test_ou_autocorrelation(dt: float) -> None:
    n, tau = 4000, 8.0
    x = ou_run(OUProcess(n, tau=tau * u.ms), dt, 1 + round(24 / dt))
    for lag in (1, round(8 / dt), round(24 / dt)):
        r = (x[:-lag] * x[lag:]).mean()
        assert r == pytest.approx(np.exp(-lag * dt / tau), abs=4 * np.sqrt(2 / n))


def test_ou_has_units_and_one_law_a_unit() -> None:
    sigma, mean = np.array([1.0, 5.0]), np.array([-3.0, 7.0])
    node = OUProcess(
        (2, 3000), sigma=sigma[:, None] * u.Hz, mean=mean[:, None] * u.mhertz, tau=0.005 * u.second
    )
    assert node.signals()["x"].unit(node) == u.Hz
    start = node._inits["x"].draw(node, *key(0, (1, 2)), node.in_size, u.kHz) * 1e3
    assert np.std(start, axis=1) == pytest.approx(sigma, rel=4 / np.sqrt(6000))
    new = ou_step(node, jnp.zeros(node.in_size), jnp.ones(node.in_size), 10.0)
    a = np.exp(-2.0)
    right = 1e-3 * mean * (1 - a) + sigma * np.sqrt(1 - a**2)
    np.testing.assert_allclose(new[:, 7], right, rtol=1e-5)


def test_ou_keeps_its_precision_when_dt_is_tiny() -> None:
    """In float32 exp(-dt / tau) is 1 - dt / tau rounded; the spread must not come from it."""
    node = OUProcess(1, tau=1000.0 * u.second)
    x = jax.jit(lambda dt: ou_step(node, jnp.zeros(1), jnp.ones(1), dt))(jnp.float32(0.1))
    assert float(x[0]) == pytest.approx(np.sqrt(2 * 0.1 / 1e6), rel=1e-6)


def test_ou_is_differentiable_in_its_parameters(x64: None) -> None:
    node = OUProcess(1)

    def last(sigma: Any, tau: Any) -> Any:
        x = jnp.zeros(1)
        for xi in (0.3, -1.1, 0.7):
            x = ou_step(node.with_values(sigma=sigma, tau=tau * u.ms), x, xi, 1.0)
        return x[0]

    at = np.array([0.5, 5.0])
    for k, slope in enumerate(jax.grad(last, argnums=(0, 1))(*at)):
        nudge = np.eye(2)[k] * 1e-5
        difference = (last(*(at + nudge)) - last(*(at - nudge))) / 2e-5
        assert float(slope) == pytest.approx(float(difference), rel=1e-6)


# ---------------------------------------------------------------- stimuli
def pulses(n: int, onset: int, duration: int, period: int | None, count: int | None) -> float:
    """The pulse train in whole steps, by enumeration."""
    starts = [onset]
    if period is not None:
        starts = [onset + k * period for k in range(n + 1 if count is None else count)]
    return float(any(start <= n < start + duration for start in starts))


TRAINS: list[tuple[int, int, int | None, int | None]] = [
    # onset, duration, period, count, in steps
    (0, 1, None, None),
    (7, 5, None, None),
    (3, 2, 5, None),
    (3, 2, 5, 1),
    (3, 2, 5, 4),
    (0, 5, 5, 3),
    (2, 9, 4, None),
    (-3, 4, 10, None),
    (4, 1, 1, 2),
    (4, 3, 6, 0),
]


@pytest.mark.parametrize("dt", [0.1, 0.05, 1.0, 1 / 3])
@pytest.mark.parametrize("train", TRAINS)
def test_pulse_train(train: Any, dt: float) -> None:
    onset, duration, period, count = train
    node = PulseTrain(
        1,
        amplitude=2.0 * u.nA,
        onset=onset * dt * u.ms,
        duration=duration * dt * u.ms,
        period=None if period is None else period * dt * u.ms,
        count=count,
    )
    right = [2 * pulses(n, *train) for n in range(60)]
    np.testing.assert_array_equal(series(node, range(60), dt).ravel(), right)


def test_pulses_keep_their_place_in_a_long_run() -> None:
    """Float32 time resolves 0.06 ms after 10 minutes, and 8 ms after a day."""
    node = PulseTrain(1, onset=0.3 * u.ms, duration=0.2 * u.ms, period=7.7 * u.ms)
    for first in (10**7, 864_000_000, 2_000_000_011):
        n = np.arange(first, first + 200)
        right = ((n - 3) % 77 < 2).astype(float)
        assert 4 <= right.sum() <= 6
        np.testing.assert_array_equal(series(node, n).ravel(), right)


def test_every_unit_may_have_its_own_pulses() -> None:
    node = PulseTrain(
        2,
        amplitude=[1.0, 3.0] * u.mV,
        onset=[0.1, 0.2] * u.ms,
        duration=[0.1, 0.3] * u.ms,
        period=[0.4, 0.8] * u.ms,
        count=[2, 1],
    )
    assert node.signals()["out"].unit(node) == u.mV
    right = [[0, 0], [1, 0], [0, 3], [0, 3], [0, 3], [1, 0], [0, 0], [0, 0], [0, 0], [0, 0]]
    np.testing.assert_array_equal(series(node, range(10)), right)


TABLE = np.array([[1.0, -2.0], [3.0, 4.0], [5.0, -6.0]])
AFTER = [("zero", [0, 1, 2, -1, -1, -1, -1]), ("hold", [0, 1, 2, 2, 2, 2, 2]), ("repeat", None)]


@pytest.mark.parametrize("unit", [u.UNITLESS, u.mV])
@pytest.mark.parametrize(("after", "rows"), AFTER)
def test_array_stimulus(after: str, rows: Any, unit: Any) -> None:
    rows = [0, 1, 2, 0, 1, 2, 0] if rows is None else rows
    padded = np.vstack([TABLE, [0, 0]])  # row -1 is nothing
    node = ArrayStimulus(2, values=TABLE * unit, after=after)
    assert node.signals()["out"].unit(node) == unit
    np.testing.assert_array_equal(series(node, range(7)), padded[rows])
    loud = node.replace(gain=[2.0, 0.5])
    np.testing.assert_array_equal(series(loud, range(7)), padded[rows] * [2, 0.5])
    shared = ArrayStimulus(2, values=TABLE[:, 0] * unit, gain=[1.0, 10.0], after=after)
    np.testing.assert_array_equal(series(shared, range(7)), padded[rows, :1] * [1, 10])


@pytest.mark.parametrize("dt", [0.1, 0.3])
def test_a_series_has_its_own_sampling_interval(dt: float) -> None:
    node = ArrayStimulus(2, values=TABLE, every=0.6 * u.ms, after="repeat")
    m = round(0.6 / dt)
    np.testing.assert_array_equal(
        series(node, range(5 * m), dt), np.repeat(TABLE[[0, 1, 2, 0, 1]], m, 0)
    )


def test_constant_stimulus() -> None:
    node = ConstantStimulus(2, value=[1.0, 2.0] * u.Hz)
    assert node.signals()["out"].unit(node) == u.Hz
    np.testing.assert_array_equal(series(node, range(3)), [[1, 2]] * 3)


FUNCTIONS = [
    (lambda t: u.math.sin(t / (2.0 * u.ms)), u.UNITLESS, lambda t: np.sin(t / 2)),
    (lambda t: 3.0 * u.nA * (t > 0.25 * u.ms), u.nA, lambda t: 3.0 * (t > 0.25)),
    (lambda t: t, u.ms, lambda t: t),
    (lambda t: 1.5 * u.mV, u.mV, lambda t: 1.5 + 0 * t),
]


@pytest.mark.parametrize(("f", "unit", "plain"), FUNCTIONS)
def test_function_stimulus(f: Any, unit: Any, plain: Any) -> None:
    node = FunctionStimulus(2, f=f, gain=[1.0, -2.0])
    assert node.signals()["out"].unit(node) == unit
    t = 0.1 * np.arange(6)
    np.testing.assert_allclose(
        series(node, range(6)), plain(t)[:, None] * [1, -2], rtol=1e-5, atol=1e-7
    )


def test_a_function_may_return_one_value_a_unit() -> None:
    phases = np.array([0.0, 1.0, 2.0])
    node = FunctionStimulus(3, f=lambda t: jnp.sin(t / u.ms + phases))
    right = np.sin(0.1 * np.arange(4)[:, None] + phases)
    np.testing.assert_allclose(series(node, range(4)), right, rtol=1e-5, atol=1e-6)


# ---------------------------------------------------------------- in a graph
DT = 0.1 * u.ms


def recorded(nodes: dict[str, Any], port: str, steps: int = 12) -> dict[str, Any]:
    """A port of every node, every step, when they stand in one graph."""
    g = bg.Graph()
    for name, node in nodes.items():
        g.add_node(name, node)
    paths = [f"{name}.{port}" for name in nodes]
    ds = bg.Simulator(g, dt=DT, seed=5).run(steps * DT, monitors=paths, progress=False)
    return {name: np.asarray(ds[path]) for name, path in zip(nodes, paths, strict=True)}


def test_a_graph_emits_white_noise_by_its_address() -> None:
    nodes = {"one": WhiteNoise(3, sigma=0.2), "two": WhiteNoise(2, mean=1.0)}
    got = recorded(nodes, "out")
    for name, node in nodes.items():
        k = key(5, path_words(f"{name}.xi"))
        xi = normals(*k, 0, 12, jnp.arange(node.size, dtype=jnp.uint32), jnp.float32)
        right = node.mean + node.sigma * np.asarray(xi) / np.sqrt(0.1)
        np.testing.assert_allclose(got[name], right, rtol=2e-6)


def test_a_graph_steps_ou_processes() -> None:
    nodes = {"one": OUProcess(3, sigma=0.2), "two": OUProcess(2, mean=1.0, tau=0.3 * u.ms)}
    got = recorded(nodes, "x")
    for name, node in nodes.items():
        units = jnp.arange(node.size, dtype=jnp.uint32)
        xi = normals(*key(5, path_words(f"{name}.xi")), 0, 12, units, jnp.float32)
        x = node._inits["x"].draw(node, *key(5, path_words(f"{name}.x")), (node.size,))
        for row in range(12):
            x = ou_step(node, x, xi[row], 0.1)
            np.testing.assert_allclose(got[name][row], x, rtol=1e-5, atol=1e-6)


def test_stimuli_keep_apart_in_a_graph() -> None:
    """Nodes of one class are computed side by side; each keeps its own series or function."""

    def f(t: Any) -> Any:
        return jnp.sin(t / u.ms + jnp.arange(3.0))

    alike = FunctionStimulus(3, f=f)
    nodes = {"a": alike, "b": alike, "c": FunctionStimulus(3, f=f, gain=2.0)}
    got = recorded(nodes, "out")
    np.testing.assert_array_equal(got["a"], got["b"])
    np.testing.assert_array_equal(got["c"], 2 * got["a"])
    rows = np.arange(6.0).reshape(3, 2)
    got = recorded(
        {
            "a": ArrayStimulus(2, values=rows),
            "b": ArrayStimulus(2, values=rows * u.mV, after="hold"),
            "c": ArrayStimulus(2, values=-rows, after="repeat"),
        },
        "out",
    )
    np.testing.assert_array_equal(got["a"], np.vstack([rows, np.zeros((9, 2))]))
    np.testing.assert_array_equal(got["b"], rows[[0, 1] + [2] * 10])
    np.testing.assert_array_equal(got["c"], -rows[[0, 1, 2] * 4])


# ---------------------------------------------------------------- mistakes
MISTAKES: list[tuple[Any, type[BraingraphError], str]] = [
    (lambda: WhiteNoise(2, mean=1.0 * u.mV), UnitError, r"WhiteNoise.mean is in \[mV\].*\[1\]"),
    (lambda: WhiteNoise(2, sigma=1.0 * u.mV * ROOT_MS, mean=1.0), UnitError, r"in \[mV\]"),
    (lambda: OUProcess(2, sigma=0.3 * u.Hz, mean=1.0), UnitError, r"in \[Hz\]"),
    (lambda: OUProcess(2, tau=0.0 * u.ms), ParameterError, "tau must be positive"),
    (lambda: OUProcess(2, tau=5.0), UnitError, r"OUProcess.tau is in \[1\].*u.ms"),
    (lambda: OUProcess(2, sigma=[1.0, 2.0, 3.0]), ShapeError, r"OUProcess.sigma has shape \(3,\)"),
    (lambda: PulseTrain(1, count=3), ParameterError, "count=3 but no period"),
    (lambda: PulseTrain(1, period=1.0 * u.ms, count=2.5), ParameterError, "whole number"),
    (lambda: PulseTrain(1, period=0.0 * u.ms), ParameterError, "period must be positive"),
    (lambda: PulseTrain(1, duration=-1.0 * u.ms), ParameterError, "duration must be positive"),
    (lambda: PulseTrain(1, onset=3.0), UnitError, r"onset is in \[1\]"),
    (lambda: ArrayStimulus(2), ParameterError, "needs values"),
    (lambda: ArrayStimulus(2, values=TABLE, every=0.0 * u.ms), ParameterError, "every must be"),
    (lambda: ArrayStimulus(2, values=TABLE, after="hodl"), ParameterError, "Did you mean 'hold'"),
    (lambda: ArrayStimulus(2, values=TABLE.T), ShapeError, "pass values.T"),
    (lambda: ArrayStimulus(4, values=TABLE), ShapeError, r"must be \(rows, 4\) or \(rows,\)"),
    (lambda: ArrayStimulus(2, values=np.zeros((0, 2))), ShapeError, r"\(0, 2\)"),
    (lambda: FunctionStimulus(2), ParameterError, "must be a function of the time"),
    (lambda: FunctionStimulus(2, f=lambda t: np.ones(3)), ShapeError, "each of 2 units"),
]


@pytest.mark.parametrize(("mistake", "error", "message"), MISTAKES)
def test_mistakes(mistake: Any, error: type[BraingraphError], message: str) -> None:
    with pytest.raises(error, match=message):
        mistake()
