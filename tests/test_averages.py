"""Averages, samples and filters of signals: their laws, and their places in chains."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import brainunit as u
import jax
import numpy as np
import pytest
from compare import agree, every_signal
from scipy.signal import butter, sosfilt, sosfreqz

import braingraph as bg
from braingraph import edges, nodes, observers
from braingraph.errors import ClockError, GraphError, ParameterError, ShapeError, UnitError
from braingraph.observers import (
    BandPass,
    GlobalAverage,
    SpatialAverage,
    SubSample,
    TemporalAverage,
)

Array = np.ndarray[Any, np.dtype[Any]]


def driven(values: Array, models: dict[str, bg.Observer], dt: float = 1.0) -> dict[str, Array]:
    """What observers make of rows given each ``dt`` ms: their only output."""
    g = bg.Graph()
    source = g.add_node("source", nodes.ArrayStimulus(values.shape[1], values=values))
    for name, model in models.items():
        g.add_edge(source, g.add_node(name, model))
    sim = bg.Simulator(g, dt=dt * u.ms)
    paths = [f"{name}.out" for name in models]
    ds = sim.run(len(values) * dt * u.ms, monitors=paths, progress=False)
    return {name: np.asarray(ds[f"{name}.out"]) for name in models}


# ---------------------------------------------------------------- over time
FREQUENCIES: Array = np.array([10.0, 40.0, 90.0])  # Hz


@cache
def signals() -> Array:
    """4000 ms: a ramp, a constant, and three sines, (time, unit)."""
    t = np.arange(4000.0)
    sines = [np.sin(2 * np.pi * f * t / 1000) for f in FREQUENCIES]
    return np.column_stack([t, np.full(4000, 3.25), *sines])


@pytest.fixture(scope="module")
def sampled() -> dict[str, Array]:
    with jax.enable_x64(True):
        clocked = {"mean": TemporalAverage(5, dt=5 * u.ms), "last": SubSample(5, dt=5 * u.ms)}
        return driven(signals(), dict(clocked))


def amplitude(y: Array, frequency: float, step: float, first: int) -> float:
    """Of a sine that is sampled every ``step`` ms, from sample ``first`` on."""
    t = step * np.arange(first, len(y))
    wave = np.exp(2j * np.pi * frequency * t / 1000)
    basis = np.column_stack([wave.real, wave.imag])
    return float(np.hypot(*np.linalg.lstsq(basis, y[first:], rcond=None)[0]))


def test_a_mean_stands_at_the_end_of_its_interval(sampled: dict[str, Array]) -> None:
    np.testing.assert_allclose(sampled["mean"][:4, 0], [2, 7, 12, 17], rtol=1e-14)
    np.testing.assert_allclose(sampled["mean"][:, 1], 3.25, rtol=1e-14)


@pytest.mark.parametrize("k, frequency", [*enumerate(FREQUENCIES)])
def test_a_mean_weakens_sines_by_the_dirichlet_factor(
    sampled: dict[str, Array], k: int, frequency: float
) -> None:
    half = np.pi * frequency / 1000
    factor = abs(np.sin(5 * half) / (5 * np.sin(half)))
    found = amplitude(sampled["mean"][:, 2 + k], frequency, 5.0, 0)
    assert found == pytest.approx(factor, rel=1e-9)


def test_a_subsample_is_the_last_of_its_interval(sampled: dict[str, Array]) -> None:
    np.testing.assert_array_equal(sampled["last"], signals()[4::5])


# ---------------------------------------------------------------- over units
X: Array = np.array([[1.0, 2.0, 5.0, 6.0], [-1.0, 0.5, 0.25, 3.0]])
SPACE: dict[str, tuple[bg.Observer, list[list[float]], tuple[str, ...] | None]] = {
    "all": (GlobalAverage(4), [[0.25] * 4], None),
    "words": (
        SpatialAverage(4, mask=["right", "left", "left", "right"]),
        [[0, 0.5, 0.5, 0], [0.5, 0, 0, 0.5]],
        ("left", "right"),
    ),
    "numbers": (
        SpatialAverage(4, mask=[3, 3, 0, 3]),
        [[0, 0, 1, 0], [1 / 3, 1 / 3, 0, 1 / 3]],
        ("0", "3"),
    ),
    "whole_floats": (SpatialAverage(4, mask=[1.0, 1.0, 1.0, 1.0]), [[0.25] * 4], ("1",)),
    "arranged": (
        SpatialAverage((2, 2), mask=[[0, 1], [0, 1]]),
        [[0.5, 0, 0.5, 0], [0, 0.5, 0, 0.5]],
        ("0", "1"),
    ),
    "weights": (
        SpatialAverage(4, mask=[[1, 3, 0, 0], [0, 2, 2, -3], [5, 0, 0, 0]]),
        [[0.25, 0.75, 0, 0], [0, 2, 2, -3], [1, 0, 0, 0]],
        None,
    ),
}


@pytest.fixture(scope="module")
def spread() -> dict[str, Array]:
    with jax.enable_x64(True):
        return driven(X, {name: model for name, (model, _, _) in SPACE.items()})


@pytest.mark.parametrize("name", SPACE)
def test_averages_over_units_are_weighted_means(spread: dict[str, Array], name: str) -> None:
    model, weights, labels = SPACE[name]
    np.testing.assert_allclose(spread[name], X @ np.transpose(weights), rtol=1e-14)
    assert model.labels == labels
    assert model.extent == len(weights)


def test_groups_name_their_values() -> None:
    g = bg.Graph()
    x = g.add_node("x", nodes.JansenRitStep(3))
    mask = np.array(["occipital", "frontal", "frontal"])
    lobes = g.add_node("lobes", SpatialAverage(3, mask=mask, unit=u.mV))
    g.add_edge(x.eeg, lobes)
    sim = bg.Simulator(g, dt=1 * u.ms)
    ds = sim.run(5 * u.ms, monitors=["lobes.out", "x.eeg"], progress=False)
    assert list(ds["lobes"].values) == ["frontal", "occipital"]
    assert ds["lobes.out"].attrs["units"] == "mV"
    eeg = np.asarray(ds["x.eeg"])
    expected = [eeg[:, 1:].mean(1), eeg[:, 0]]
    np.testing.assert_allclose(ds["lobes.out"], np.transpose(expected), rtol=1e-6)
    kept = lobes.replace(unit=u.uvolt)
    np.testing.assert_array_equal(kept.mask, lobes.mask)


# ---------------------------------------------------------------- band-pass
BANDS: dict[str, tuple[dict[str, Any], tuple[Any, str]]] = {
    "band": ({"low": 20 * u.Hz, "high": 60 * u.Hz, "order": 3}, ([20, 60], "bandpass")),
    "low": ({"high": 30 * u.Hz, "order": 5}, (30, "lowpass")),
    "high": ({"low": 0.05 * u.kHz}, (50, "highpass")),
    "wide": ({"low": 0.1 * u.Hz, "high": 300 * u.Hz, "order": 1}, ([0.1, 300], "bandpass")),
}


@cache
def sections(name: str) -> Array:
    """The same filter from scipy, for a sample every ms."""
    given, (edges_, kind) = BANDS[name]
    return np.asarray(butter(given.get("order", 2), edges_, kind, output="sos", fs=1000))


@cache
def noisy() -> Array:
    rng = np.random.default_rng(2)
    walk = rng.normal(size=(4000, 1)).cumsum(0)
    return np.column_stack([signals()[:, 2:], walk])


@pytest.fixture(scope="module")
def filtered() -> dict[str, Array]:
    with jax.enable_x64(True):
        return driven(noisy(), {name: BandPass(4, **given) for name, (given, _) in BANDS.items()})


@pytest.mark.parametrize("name", BANDS)
def test_a_filter_is_that_of_scipy(filtered: dict[str, Array], name: str) -> None:
    expected = sosfilt(sections(name), noisy(), axis=0)
    np.testing.assert_allclose(filtered[name], expected, atol=1e-10)


@pytest.mark.parametrize("k, frequency", [*enumerate(FREQUENCIES)])
@pytest.mark.parametrize("name", ["band", "low", "high"])
def test_sines_get_through_as_the_response_says(
    filtered: dict[str, Array], name: str, k: int, frequency: float
) -> None:
    response = abs(sosfreqz(sections(name), frequency, fs=1000)[1])[0]
    found = amplitude(filtered[name][:, k], frequency, 1.0, 2000)
    assert found == pytest.approx(response, rel=1e-6)
    model = BandPass(1, **BANDS[name][0])
    assert model.gain(frequency * u.Hz) == pytest.approx(response, rel=1e-12)


def test_the_edges_halve_the_power() -> None:
    for given, _ in BANDS.values():
        model = BandPass(1, **given)
        found = [edge for edge in (model.low, model.high) if edge is not None]
        for edge in found:
            assert model.gain(edge) == pytest.approx(0.5**0.5, rel=1e-9)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_a_narrow_band_is_late_by_what_the_docstring_says(order: int) -> None:
    t = np.arange(12_000.0)
    wave = np.sin(2 * np.pi * 50 * t / 1000) * np.exp(-(((t - 6000) / 1500) ** 2))  # of 50 Hz
    y = sosfilt(butter(order, [48, 52], "bandpass", output="sos", fs=1000), wave)
    late = float((t * y**2).sum() / (y**2).sum() - (t * wave**2).sum() / (wave**2).sum())
    assert late == pytest.approx(1000 / (np.pi * 4 * np.sin(np.pi / (2 * order))), rel=0.03)


def test_a_slow_band_keeps_its_digits_in_float32() -> None:
    """scipy's recursion of the same coefficients is off by 27 % in float32."""
    walk = 0.5 + np.random.default_rng(0).normal(size=(20_000, 1)).cumsum(0) / 1000
    slow = driven(walk, {"slow": BandPass(1, low=0.01 * u.Hz, high=0.1 * u.Hz)})["slow"]
    assert slow.dtype == np.float32
    sos = butter(2, [0.01, 0.1], "bandpass", output="sos", fs=1000)
    expected = sosfilt(sos, walk, axis=0)
    np.testing.assert_allclose(slow, expected, atol=1e-4 * np.abs(expected).max())
    naive = sosfilt(sos.astype(np.float32), walk.astype(np.float32), axis=0)
    assert np.abs(naive - expected).max() > 0.05 * np.abs(expected).max()


def test_another_edge_is_another_program() -> None:
    g = bg.Graph()
    x = g.add_node("x", nodes.HopfStep(2, a=0.2, w=0.3))
    g.add_edge(x.x, g.add_node("band", BandPass(2, low=20 * u.Hz, high=80 * u.Hz)))
    sim = bg.Simulator(g, dt=0.5 * u.ms)
    given: dict[str, Any] = {"monitors": ["band.out"], "progress": False}
    one = sim.run(40 * u.ms, **given)["band.out"].values
    two = sim.run(40 * u.ms, params={"band.low": 40 * u.Hz}, **given)["band.out"].values
    swept = sim.sweep({"band.low": [20.0, 40.0] * u.Hz}, 40 * u.ms, **given)["band.out"].values
    assert np.abs(one - two).max() > 0.01
    np.testing.assert_allclose(swept, [one, two], atol=1e-7)


# ---------------------------------------------------------------- in chains
def chain() -> bg.Graph:
    """0.1 ms -> 0.2 -> 0.4 -> 0.8 -> 2.4 ms, every class at least once, with units and noise."""
    g = bg.Graph()
    start = np.array([0.1, -0.2, 0.3])
    x = g.add_node("x", nodes.HopfStep(3, a=0.2, w=0.9, init_x=start, init_y=0.1))
    g.add_edge(g.add_node("drive", nodes.WhiteNoise(3, sigma=0.2)), x.x_inp)
    bold = g.add_node("bold", observers.BOLDSignal(3, dt=0.2 * u.ms))
    g.add_edge(x.x, bold.z, edges.AdditiveCoupling(k=1e4))
    band = BandPass(3, low=100 * u.Hz, high=400 * u.Hz, dt=0.4 * u.ms)
    band = g.add_node("band", band)
    g.add_edge(bold.bold, band)
    mean = g.add_node("mean", TemporalAverage(3, dt=0.8 * u.ms))
    g.add_edge(band.out, mean)
    kept = g.add_node("kept", SubSample(3, dt=2.4 * u.ms))
    g.add_edge(mean, kept)
    everything = g.add_node("everything", GlobalAverage(3, dt=2.4 * u.ms))
    g.add_edge(kept, everything)
    volts = edges.AdditiveCoupling(k=2.0 * u.mV)
    sides = g.add_node("sides", SpatialAverage(3, mask=["l", "l", "r"], unit=u.mV))
    g.add_edge(x.y, sides, volts)
    low = g.add_node("low", BandPass(2, high=900 * u.Hz, order=3, unit=u.mV, dt=0.2 * u.ms))
    g.add_edge(sides, low)
    same = g.add_node("same", BandPass(2, low=50 * u.Hz, unit=u.mV, dt=0.2 * u.ms))
    g.add_edge(low, same)  # a filter of the same clock hears it a step later
    return g


def visible(g: bg.Graph) -> list[str]:
    """The memory of the library's filters is not that of scipy's."""
    return [path for path in every_signal(g) if not path.endswith(".memory") or "bold" in path]


def test_chains_are_those_of_the_oracle(x64: None) -> None:
    g = chain()
    agree(g, dt=0.1, steps=96, monitors=visible(g))


def test_replicas_and_pieces_change_nothing() -> None:
    g = chain()
    given: dict[str, Any] = {"monitors": ["kept.out", "everything.out", "same.out"]}
    given["progress"] = False
    sim = bg.Simulator(g, dt=0.1 * u.ms, seed=3)
    whole = sim.run(24 * u.ms, **given)
    twice = sim.run(24 * u.ms, batch_size=2, **given)
    sim.run(10.3 * u.ms, **given)  # within every interval
    second = sim.run(13.7 * u.ms, initial=sim.state, **given)
    for name in given["monitors"]:
        value, batch, rest = (np.asarray(ds[name]) for ds in (whole, twice, second))
        near: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-4 * np.abs(value).max()}
        np.testing.assert_allclose(batch[0], value, **near)
        assert np.abs(batch[1] - value).max() > 0.1 * np.abs(value).max()  # noise of its own
        np.testing.assert_allclose(rest, value[-len(rest) :], **near)


# ---------------------------------------------------------------- mistakes
Wrong = tuple[Callable[[], Any], type[GraphError], str, dict[str, Any]]
LOW = {"low": 8 * u.Hz}
WRONG: dict[str, Wrong] = {
    "no clock": (lambda: SubSample(3), ParameterError, "dt=720", {"parameter": "dt"}),
    "unit": (
        lambda: TemporalAverage(3, unit="mV"),
        ParameterError,
        r"as in unit=u\.mV, but is 'mV'",
        {"parameter": "unit"},
    ),
    "a scale": (
        lambda: GlobalAverage(3, unit=2 * u.mV),
        ParameterError,
        "give the edge a gain",
        {"parameter": "unit"},
    ),
    "no mask": (lambda: SpatialAverage(3), ParameterError, "needs its mask", {"parameter": "mask"}),
    "labels": (
        lambda: SpatialAverage(3, mask=[0, 0.5, 1]),
        ParameterError,
        "whole number or a string",
        {"parameter": "mask"},
    ),
    "no label": (
        lambda: SpatialAverage(2, mask=["left", None]),
        ParameterError,
        "whole number or a string",
        {"parameter": "mask"},
    ),
    "too few": (
        lambda: SpatialAverage(3, mask=[0, 1]),
        ShapeError,
        "a label for each unit",
        {"given": (2,), "needed": ("group", 3)},
    ),
    "transposed": (
        lambda: SpatialAverage(3, mask=np.ones((3, 2))),
        ShapeError,
        r"pass mask\.T",
        {"given": (3, 2)},
    ),
    "no weight": (
        lambda: SpatialAverage(3, mask=[[1, 0, 0], [1, 0, -1]]),
        ParameterError,
        "group 1 add up to 0",
        {"parameter": "mask"},
    ),
    "no edge": (lambda: BandPass(3), ParameterError, "needs an edge", {"parameter": "low"}),
    "order of edges": (
        lambda: BandPass(3, low=9 * u.Hz, high=3 * u.Hz),
        ParameterError,
        "low, 9 Hz, must be below high, 3 Hz",
        {"parameter": "low"},
    ),
    "fast edge": (
        lambda: BandPass(3, high=60 * u.Hz, dt=10 * u.ms),
        ParameterError,
        "below 50 Hz, half the rate of a sample every 10 ms",
        {"parameter": "high"},
    ),
    "negative edge": (
        lambda: BandPass(3, low=-1 * u.Hz),
        ParameterError,
        "positive",
        {"parameter": "low"},
    ),
    "unit of an edge": (
        lambda: BandPass(3, low=8),
        UnitError,
        r"must be in \[Hz\]",
        {"given": u.UNITLESS, "needed": u.Hz},
    ),
    "edges of units": (
        lambda: BandPass(2, low=[8, 9] * u.Hz),
        ShapeError,
        "one number for all units",
        {"given": (2,), "needed": ()},
    ),
    "order": (
        lambda: BandPass(3, order=1.5, **LOW),
        ParameterError,
        "whole number",
        {"parameter": "order"},
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_mistakes_are_named(case: str) -> None:
    make, kind, message, fields = WRONG[case]
    with pytest.raises(kind, match=message) as error:
        make()
    assert {name: error.value.fields[name] for name in fields} == fields


def test_a_graph_refuses_units_and_clocks_that_do_not_fit() -> None:
    g = bg.Graph()
    x = g.add_node("x", nodes.JansenRitStep(2))
    plain = g.add_node("plain", TemporalAverage(2, dt=5 * u.ms))
    with pytest.raises(UnitError, match=r"carries \[mV\].*takes \[1\]"):
        g.add_edge(x.eeg, plain)
    other = g.add_node("other", SubSample(2, dt=2 * u.ms))
    g.add_edge(plain, other)
    with pytest.raises(ClockError, match="'plain' runs at 5 ms, which is no multiple of the 2 ms"):
        bg.Simulator(g, dt=1 * u.ms).run(10 * u.ms, progress=False)


def test_another_unit_starts_the_memory_at_zero_of_it() -> None:
    band: Any = BandPass(2, **LOW).replace(unit=u.mV)
    state = band.init_state()
    assert state.memory.shape == (6,) and state.memory.unit == u.mV
    _, out = band.update(state, inp=1.0 * u.volt, dt=1 * u.ms)
    assert out.out.unit == u.mV
    gain = butter(2, 8, "highpass", output="sos", fs=1000)[0, 0]
    np.testing.assert_allclose(out.out.to_decimal(u.mV), 1000 * gain, rtol=1e-6)
