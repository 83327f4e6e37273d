"""Sines, chirps and ramps: their laws, the accuracy of their phase, and the order they keep."""

from fractions import Fraction
from functools import cache
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import braingraph as bg
from braingraph.component import Signals
from braingraph.errors import BraingraphError, ParameterError, UnitError
from braingraph.nodes.linear import LinearStep
from braingraph.nodes.waveforms import ChirpStimulus, RampStimulus, SineStimulus

Array = np.ndarray[Any, np.dtype[Any]]


def emitted(node: Any, n: Any, dt: float, stage: float = 0.0) -> Any:
    """What the node emits at a step, in its unit, traced as in a run."""
    signals = {"n": jnp.asarray(n, jnp.int32), "dt": dt * u.ms, "stage": stage}
    value = type(node).out.function(node, Signals({}), Signals(signals))
    return jnp.broadcast_to(u.get_magnitude(value), (node.size,))


def series(node: Any, steps: Any, dt: float, stage: float = 0.0) -> Array:
    """(step, unit)."""
    at = jax.jit(jax.vmap(lambda n: emitted(node, n, dt, stage)))
    return np.asarray(at(jnp.asarray(steps, jnp.int32)), float)


# ---------------------------------------------------------------- phase
def turned(frequency: float, steps: Array, dt: float) -> Array:
    """The sine by exact fractions, of the frequency as float32 holds it."""
    each = Fraction(float(np.float32(frequency))) * Fraction(dt) / 1000
    return np.array([np.sin(2 * np.pi * float(each * int(n) % 1)) for n in steps])


TEN_HOURS = 360_000_000  # steps of 0.1 ms
FIRST = [0, 10**6, TEN_HOURS, 2_147_483_000]


@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize(
    ("frequency", "dt"), [(10.0, 0.1), (10.1, 0.1), (1e-3, 1.0), (47.3, 1 / 3)]
)
def test_a_sine_keeps_its_phase_in_float32(frequency: float, dt: float, first: int) -> None:
    """1e-7 of a cycle and 1e-12 of the cycles gone by, and the rounding of the sine."""
    steps = np.arange(first, first + 300)
    got = series(SineStimulus(1, frequency=frequency * u.Hz), steps, dt)[:, 0]
    gone = frequency * dt / 1000 * first
    right = turned(frequency, steps, dt)
    np.testing.assert_allclose(got, right, rtol=0, atol=2 * np.pi * (1e-7 + 1e-12 * gone))


def test_ten_hours_of_a_sine_agree_in_both_precisions() -> None:
    steps = np.arange(TEN_HOURS, TEN_HOURS + 1000)
    node = SineStimulus(2, frequency=[10.0, 40.0] * u.Hz, phase=[0.0, 1.0], amplitude=3.0 * u.nA)
    short = series(node, steps, 0.1)
    with jax.enable_x64(True):
        long = series(node, steps, 0.1)
    np.testing.assert_allclose(short, long, rtol=0, atol=3e-6)
    assert np.ptp(short) > 5.9


def swept(f0: float, f1: float, span: float, sweep: str, t: Array) -> Array:
    """The cycles of a chirp at t, in s."""
    if sweep == "linear" or f0 == f1:
        return np.asarray(f0 * t + (f1 - f0) * t**2 / (2 * span))
    return np.asarray(f0 * span / np.log(f1 / f0) * ((f1 / f0) ** (t / span) - 1))


CHIRPS = [(1.0, 100.0, 2.0), (200.0, 2.0, 10.0), (5.0, 5.0, 3.0), (1.0, 50.0, 600.0)]


@pytest.mark.parametrize(("f0", "f1", "span"), CHIRPS)
@pytest.mark.parametrize("sweep", ["linear", "exponential"])
def test_a_chirp_keeps_its_phase_in_float32(f0: float, f1: float, span: float, sweep: str) -> None:
    length = {"f0": f0 * u.Hz, "f1": f1 * u.Hz, "duration": span * u.second}
    node = ChirpStimulus(1, sweep=sweep, phase=0.3, **length)
    steps = np.unique(np.linspace(0, span * 1e4 - 1, 1500).astype(int))
    cycles = swept(f0, f1, span, sweep, steps * 1e-4)
    got = series(node, steps, 0.1)[:, 0]
    error = 1e-7 + (1e-6 if sweep == "exponential" else 1e-12) * cycles
    assert (abs(got - np.sin(2 * np.pi * cycles + 0.3)) < 2 * np.pi * error).all()


@pytest.mark.parametrize("sweep", ["linear", "exponential"])
def test_a_chirp_goes_from_one_frequency_to_the_other(x64: None, sweep: str) -> None:
    dt = 0.01
    band = {"f0": 3.0 * u.Hz, "f1": 30.0 * u.Hz, "duration": 1 * u.second}
    node = ChirpStimulus(1, sweep=sweep, phase=np.pi / 2, **band)
    steps = np.arange(100_000)
    x = series(node, steps, dt)[:, 0]
    rises = np.flatnonzero((x[:-1] < 0) & (x[1:] >= 0))
    rises = (rises - x[rises] / (x[rises + 1] - x[rises])) * dt * 1e-3
    middle = (rises[1:] + rises[:-1]) / 2
    right = 3 + 27 * middle if sweep == "linear" else 3 * 10**middle
    np.testing.assert_allclose(1 / np.diff(rises), right, rtol=0.02)  # the mean of a cycle
    assert abs(np.diff(x)).max() < 2 * np.pi * 30 * dt * 1e-3 * 1.001  # no jump of the phase


# ---------------------------------------------------------------- windows and levels
def test_a_wave_keeps_to_its_window() -> None:
    window = {"onset": 0.3 * u.ms, "duration": 0.5 * u.ms}
    on = (np.arange(12) >= 3) & (np.arange(12) < 8)
    level = {"amplitude": [2.0, 3.0] * u.mV, "offset": 500 * u.uvolt, "phase": np.pi / 2}
    for node in (
        SineStimulus(2, frequency=1 * u.Hz, **window, **level),
        ChirpStimulus(2, f0=1 * u.Hz, f1=1 * u.Hz, **window, **level),
    ):
        assert node.signals()["out"].unit(node) == u.mV
        right = 0.5 + on[:, None] * [2.0, 3.0]
        np.testing.assert_allclose(series(node, range(12), 0.1), right, rtol=1e-5)


@pytest.mark.parametrize(
    ("start", "end", "unit"),
    [(0.0, 2.0, u.UNITLESS), (1.0 * u.nA, 0.0, u.nA), (1.0 * u.nA, 3000 * u.pA, u.pA)],
)
def test_a_ramp_goes_straight_and_stays(start: Any, end: Any, unit: Any) -> None:
    node = RampStimulus(1, start=start, end=end, onset=0.5 * u.ms, duration=1.0 * u.ms)
    assert node.signals()["out"].unit(node) == unit
    first, last = (x.to_decimal(unit) if isinstance(x, u.Quantity) else x for x in (start, end))
    for stage in (0.0, 0.5, 1.0):
        done = np.clip((np.arange(30) + stage - 5) / 10, 0, 1)
        got = series(node, range(30), 0.1, stage)[:, 0]
        np.testing.assert_allclose(got, first + (last - first) * done, rtol=1e-5, atol=1e-5)
    assert series(node, [10**9], 0.1)[0, 0] == pytest.approx(last)


# ---------------------------------------------------------------- order
RATE, FREQUENCY = -0.9, 0.4  # per ms, kHz
SPAN = 4.0  # ms


def driven() -> dict[str, float]:
    """x' = RATE x + drive, x(0) = 0, at SPAN."""
    z = np.linspace(0, SPAN, 400_001)
    kernel = np.exp(RATE * (SPAN - z))
    waves = {
        "sine": np.sin(2 * np.pi * FREQUENCY * z + 0.4),
        "chirp": np.sin(2 * np.pi * (0.1 * z + 0.3 * z**2 / (2 * SPAN))),
        "sweep": np.sin(2 * np.pi * swept(0.1, 0.4, SPAN, "exponential", z)),
        "ramp": np.where(z > 2, 3.0, 1 + z),
    }
    return {k: float(np.trapezoid(kernel * wave, z)) for k, wave in waves.items()}


@cache
def errors(method: str, dt: float) -> dict[str, float]:
    band = {"f0": 100 * u.Hz, "f1": 400 * u.Hz, "duration": SPAN * u.ms}
    drives = {
        "sine": SineStimulus(1, frequency=FREQUENCY * u.kHz, phase=0.4),
        "chirp": ChirpStimulus(1, **band),
        "sweep": ChirpStimulus(1, sweep="exponential", **band),
        "ramp": RampStimulus(1, start=1.0, end=3.0, duration=2 * u.ms),
    }
    g = bg.Graph()
    for name, drive in drives.items():
        node = g.add_node(f"{name}_node", LinearStep(1, gamma=RATE, init_x=0.0))
        g.add_edge(g.add_node(name, drive), node.x_inp)
    ds = bg.Simulator(g, dt=dt * u.ms, method=method).run(
        SPAN * u.ms, monitors=[f"{name}_node.x" for name in drives], progress=False
    )
    return {k: abs(float(ds[f"{k}_node.x"][-1, 0]) - x) for k, x in driven().items()}


ORDER = {"heun": (1.85, 2.15), "rk4": (3.8, 4.2)}


@pytest.mark.parametrize("method", ORDER)
def test_a_driven_node_has_the_order_of_the_method(x64: None, method: str) -> None:
    """A drive held over the step would leave order 1."""
    low, high = ORDER[method]
    for name, coarse in errors(method, 0.1).items():
        assert low < np.log2(coarse / errors(method, 0.05)[name]) < high, name


@pytest.mark.parametrize("name", ["frequency", "amplitude", "phase", "offset"])
def test_a_sine_is_differentiable_in_float32(name: str) -> None:
    """The exact count of cycles has no derivative of its own; a rough one lends it."""
    node, n, dt = SineStimulus(1, frequency=10.0 * u.Hz, phase=0.2, amplitude=1.5), 123_456, 0.1

    def value(x: Any) -> Any:
        return emitted(node.with_values(**{name: x * u.Hz if name == "frequency" else x}), n, dt)[0]

    t = n * dt / 1000
    angle = 2 * np.pi * 10 * t + 0.2
    right = {
        "frequency": 1.5 * 2 * np.pi * t * np.cos(angle),
        "amplitude": np.sin(angle),
        "phase": 1.5 * np.cos(angle),
        "offset": 1.0,
    }[name]
    at = jnp.float32(u.get_magnitude(getattr(node, name)))
    assert float(jax.grad(value)(at)) == pytest.approx(right, rel=1e-4)


# ---------------------------------------------------------------- mistakes
MISTAKES: list[tuple[Any, type[BraingraphError], str]] = [
    (lambda: SineStimulus(1, frequency=10.0), UnitError, r"SineStimulus.frequency is in \[1\]"),
    (lambda: SineStimulus(1, frequency=0 * u.Hz), ParameterError, "frequency must be positive"),
    (lambda: SineStimulus(1, duration=0 * u.ms), ParameterError, "duration must be positive"),
    (lambda: SineStimulus(1, offset=1 * u.nA), UnitError, r"SineStimulus.offset is in \[nA\]"),
    (lambda: SineStimulus(1, freq=1 * u.Hz), ParameterError, "Did you mean 'frequency'"),
    (lambda: ChirpStimulus(1, sweep="linaer"), ParameterError, "Did you mean 'linear'"),
    (lambda: ChirpStimulus(1, f1=-1 * u.Hz), ParameterError, "ChirpStimulus.f1 must be positive"),
    (lambda: ChirpStimulus(1, duration=None), UnitError, r"duration is in \[1\].* u.ms"),
    (lambda: RampStimulus(1, start=1 * u.nA, end=1.0), UnitError, r"RampStimulus.end is in \[1\]"),
    (lambda: RampStimulus(1, start=1.0, end=1 * u.nA), UnitError, r"start is in \[1\].*\[nA\]"),
    (lambda: RampStimulus(1, duration=0 * u.ms), ParameterError, "duration must be positive"),
]


@pytest.mark.parametrize(("mistake", "error", "message"), MISTAKES)
def test_mistakes(mistake: Any, error: type[BraingraphError], message: str) -> None:
    with pytest.raises(error, match=message):
        mistake()
