"""Spectra, phases, events and BOLD of recorded signals: against SciPy, closed forms, and laws."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import brainunit as u
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded_signals import LABELS, is_lazy, noise, recording
from scipy.signal import hilbert, welch
from test_errors import Case, ids, refused

import braingraph as bg
from braingraph import analysis, edges, nodes, observers
from braingraph.analysis import blocks, haemodynamics
from braingraph.analysis.recorded import squared
from braingraph.units import unit_named

MS, SECOND = u.ms, u.second


@pytest.fixture
def small_blocks() -> Iterator[None]:
    """Blocks of 40 numbers in float64, so that small signals have many."""
    with (
        patch.object(blocks, "BLOCK_BYTES", 320),
        patch.object(haemodynamics, "BLOCK_BYTES", 320),
    ):
        yield


# ---------------------------------------------------------------- spectra
@pytest.mark.parametrize("chunks", [None, 7, 64, 1000])
@pytest.mark.parametrize(
    ("segment", "overlap", "window"),
    [
        (16, 0.5, "hann"),
        (17, 0.5, "hann"),
        (20, 0.0, "boxcar"),
        (12, 0.9, "hamming"),
        (200, 0, "hann"),
    ],
)
def test_the_spectrum_is_that_of_scipy_on_the_whole(
    small_blocks: None, segment: int, overlap: float, window: str, chunks: int | None
) -> None:
    x = noise(2, 200, 3)
    signal = recording(x, 2.0, chunks=chunks)
    found = analysis.power_spectrum(signal, segment * 2 * MS, overlap=overlap, window=window)
    shared = int(segment * overlap)
    f, expected = welch(x, 500.0, window, segment, shared, axis=1)
    assert is_lazy(found) == (chunks is not None)
    assert found.dims == ("axis_0", "frequency", "cortex") and found.attrs["units"] == "mV^2 / Hz"
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-20)
    np.testing.assert_allclose(found["frequency"], f)
    assert found["cortex"].values.tolist() == list(LABELS[:3])
    assert found.attrs["segments"] == (200 - shared) // (segment - shared)


def test_a_sine_has_one_line_of_half_its_amplitude_squared() -> None:
    t = np.arange(1, 20_001)
    x = np.stack([3 * np.sin(2 * np.pi * 0.01 * t), np.cos(2 * np.pi * 0.04 * t)], 1)
    spectrum = analysis.power_spectrum(recording(x, chunks=700), 1 * SECOND)
    peak = analysis.peak_frequency(spectrum)
    assert is_lazy(peak) and peak.attrs["units"] == "Hz"
    assert peak.values.tolist() == [10.0, 40.0]
    assert analysis.peak_frequency(spectrum, 20 * u.Hz).values[1] == 40.0
    alpha = analysis.band_power(spectrum, 8 * u.Hz, 13 * u.Hz)
    assert is_lazy(alpha) and alpha.attrs["units"] == "mV^2"
    np.testing.assert_allclose(alpha, [4.5, 0.0], atol=1e-6)
    np.testing.assert_allclose(analysis.band_power(spectrum), [4.5, 0.5], rtol=1e-6)
    gone = spectrum.where(spectrum["cortex"] == "left")
    assert analysis.peak_frequency(gone)[0] == 10.0 and np.isnan(analysis.peak_frequency(gone)[1])
    assert np.isnan(analysis.band_power(gone)[1])


def test_parseval_and_bands_side_by_side(small_blocks: None) -> None:
    x = noise(240, 3)
    spectrum = analysis.power_spectrum(recording(x, chunks=50), 60 * MS, overlap=0, window="boxcar")
    variance = x.reshape(4, 60, 3).var(1).mean(0)
    np.testing.assert_allclose(analysis.band_power(spectrum), variance, rtol=1e-10)
    middle = 0.15 * u.kHz
    low, high = (analysis.band_power(spectrum, *b) for b in ((None, middle), (middle, None)))
    np.testing.assert_allclose(low + high, variance, rtol=1e-10)


# ---------------------------------------------------------------- synchrony
@pytest.mark.parametrize("chunks", [None, 1000])
def test_the_phase_of_one_block_is_that_of_scipy(chunks: int | None) -> None:
    x = noise(2, 300, 3)
    found = analysis.phase(recording(x, chunks=chunks))
    expected = np.angle(hilbert(x - x.mean(1, keepdims=True), axis=1))
    assert is_lazy(found) == (chunks is not None)
    assert found.attrs["units"] == "rad" and found["time"].equals(recording(x)["time"])
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize(("chunks", "margin"), [(4000, 1000), (700, 1000), (3001, 2000)])
def test_the_phase_of_blocks_is_that_of_the_whole_but_for_what_the_margin_costs(
    chunks: int, margin: int
) -> None:
    t = np.arange(1, 12_001)[:, None]
    x = np.cos(2 * np.pi * t * np.array([0.01, 0.013, 0.02]) + np.array([0, 1, 2])) + 5
    found = analysis.phase(recording(x, chunks=chunks), margin=margin * MS)
    assert is_lazy(found)
    turns = np.angle(np.exp(1j * (found.values - analysis.phase(recording(x)).values)))
    inner = slice(1000, -1000)
    assert np.abs(turns[inner]).max() < 0.05 * 100 / margin * 2


def test_order_synchrony_and_metastability_are_those_of_the_definition() -> None:
    theta = np.random.default_rng(0).uniform(-20, 20, (2, 90, 3))
    for chunks in (None, 13):
        signal = recording(theta, units="rad", chunks=chunks)
        r = analysis.order_parameter(signal)
        expected = np.abs(np.exp(1j * theta).mean(-1))
        assert r.dims == ("axis_0", "time") and is_lazy(r) == (chunks is not None)
        np.testing.assert_allclose(r, expected, rtol=1e-12)
        np.testing.assert_allclose(analysis.synchrony(signal), expected.mean(1), rtol=1e-12)
        np.testing.assert_allclose(analysis.metastability(signal), expected.std(1, ddof=1))
    assert np.isnan(analysis.metastability(recording(theta[:, :1], units="1"))).all()
    same = recording(np.repeat(theta[0, :, :1], 3, 1), units="rad")
    np.testing.assert_allclose(analysis.order_parameter(same), 1.0)


# ---------------------------------------------------------------- events
def plain_events(
    x: Any, high: float, low: float, gap: float, least: float
) -> list[tuple[float, float, float]]:
    """One unit at 1 ms, sample by sample: (onset, offset, duration)."""
    found: list[list[float]] = []
    on = False
    for k, value in enumerate(x):
        if not on and value >= high:
            if found and k + 1 - found[-1][1] < gap:
                found[-1][1] = np.nan
            else:
                found.append([k + 1.0, np.nan])
            on = True
        elif on and value < low:
            found[-1][1], on = k + 1.0, False
    out = [(a, b, (float(len(x)) if np.isnan(b) else b) - a) for a, b in found]
    return [event for event in out if event[2] >= least]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from([0.0, 2.0, 5.0]),
    st.sampled_from([0.0, 1.0, 3.0]),
    st.sampled_from([None, 1, 5, 17]),
)
def test_events_are_those_found_sample_by_sample(
    seed: int, gap: float, least: float, chunks: int | None
) -> None:
    rng = np.random.default_rng(seed)
    x = np.round(np.cumsum(rng.normal(size=(2, 40, 2)), 1))
    x[rng.random(x.shape) < 0.05] = np.nan
    table = analysis.events(
        recording(x, chunks=chunks), 1.0 * u.mV, release=0.0, bridge=gap * MS, shortest=least * MS
    )
    expected = []
    for a in range(2):
        for k in range(2):
            of = plain_events(x[a, :, k], 1.0, 0.0, gap, least)
            expected += [(10 * a, LABELS[k], *event) for event in of]
            assert int(table["count"][a, k]) == len(of)
    names = ("event_axis_0", "event_cortex", "onset", "offset", "duration")
    found = list(zip(*(table[name].values.tolist() for name in names), strict=True))
    assert str(found) == str(expected)  # NaN equals NaN as text


def test_rates_count_units_without_events_too() -> None:
    x = np.zeros((2000, 2))
    x[[100, 101, 900, 1500], 0] = 1e-3
    signal = recording(x, 0.5, units="V")
    table = analysis.events(signal, 0.5 * u.mV)
    assert table["count"].values.tolist() == [3, 0] and table["onset"].attrs["units"] == "ms"
    assert table["onset"].values.tolist() == [50.5, 450.5, 750.5]
    rate = analysis.event_rate(table)
    assert rate.values.tolist() == [3.0, 0.0] and rate.attrs["units"] == "Hz"
    assert rate["cortex"].values.tolist() == list(LABELS[:2])
    assert analysis.events(signal, 1.0)["onset"].size == 0


def test_an_epileptic_node_has_seizures_and_a_healthy_one_has_none() -> None:
    """x0 = -1.6 makes seizures of its own, x0 = -2.4 none. In the LFP their spikes point down."""
    model = nodes.EpileptorStep(2, x0=[-1.6, -2.4])
    ds = bg.Simulator(model, dt=0.1 * MS).run(
        6000 * MS, monitors={"lfp": bg.Record(lambda m: m.lfp(), every=1 * MS)}, progress=False
    )
    lfp = -ds["lfp"].chunk(time=500)
    spikes = analysis.events(lfp, 0.5)["count"].values
    table = analysis.events(lfp, 0.5, bridge=500 * MS, shortest=200 * MS)
    counts, onsets = table["count"].values, table["onset"].values
    assert spikes[0] > 10 * counts[0] and 2 <= counts[0] <= 4 and spikes[1] == counts[1] == 0
    np.testing.assert_allclose(np.diff(onsets), 2020, rtol=0.02)  # they come at one interval


# ---------------------------------------------------------------- BOLD
def cortex() -> bg.Graph:
    g = bg.Graph()
    x = g.add_node("cortex", nodes.HopfStep(3, a=0.2, w=0.2), labels=LABELS[:3])
    drive = g.add_node("drive", nodes.WhiteNoise(3, sigma=0.1))
    bold = g.add_node("bold", observers.BOLDSignal(3))
    g.add_edge(drive, x.x_inp)
    g.add_edge(x.x, bold.z, edges.AdditiveCoupling(k=0.5))
    return g


@pytest.fixture(scope="module")
def online() -> xr.Dataset:
    monitors = {
        "cortex.x": 1 * MS,
        "mean": bg.Record("cortex.x", every=10 * MS, reduce="mean"),
        "bold.bold": 500 * MS,
    }
    sim = bg.Simulator(cortex(), dt=1 * MS, seed=1)
    return sim.run(10 * SECOND, monitors=monitors, batch_size=2, progress=False)


@pytest.mark.parametrize("chunks", [None, 333])
@pytest.mark.parametrize("source", ["cortex.x", "mean"])
def test_bold_after_the_fact_is_that_of_the_run(
    online: xr.Dataset, source: str, chunks: int | None
) -> None:
    signal = online[source]
    if chunks:
        signal = signal.chunk({signal.dims[1]: chunks, "replica": 1, "cortex": 2})
    with patch.object(haemodynamics, "BLOCK_BYTES", 40_000 if chunks else 1 << 24):
        found = analysis.bold(signal, 500 * MS, gain=0.5)
    assert is_lazy(found) == (chunks is not None)
    assert found.dims == ("replica", "time_500ms", "cortex") and found.attrs["units"] == "1"
    expected = online["bold.bold"].rename(bold="cortex")
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=5e-8)
    assert float(np.abs(expected).max()) > 2e-4
    np.testing.assert_array_equal(found["time_500ms"], online["time_500ms"])
    assert found["cortex"].values.tolist() == list(LABELS[:3])


def test_bold_goes_on_from_block_to_block_and_keeps_the_precision(x64: None) -> None:
    """In float64 the number of blocks changes nothing, nor does the thread that computes."""
    x = noise(180, 2) / 3
    signal = recording(x, 20.0, units="Hz", start=1000.0)
    given: dict[str, Any] = {"gain": 0.1 / u.Hz}
    whole = analysis.bold(signal, 0.2 * SECOND, **given)
    assert whole.dtype == np.float64 and whole["time_200ms"].values[0] == 1200.0
    with patch.object(haemodynamics, "BLOCK_BYTES", 1000):
        for cut in (signal, signal.chunk(time=30)):
            found = analysis.bold(cut, 0.2 * SECOND, **given)
            np.testing.assert_allclose(found, whole, rtol=1e-12)
    # a sample of 20 ms is held over two steps of the model
    sim = bg.Simulator(observers.BOLDSignal(2), dt=10 * MS)
    held = {"z": 0.1 * np.repeat(x, 2, axis=0)}
    ds = sim.run(3.6 * SECOND, inputs=held, monitors={"bold": 0.2 * SECOND}, progress=False)
    np.testing.assert_allclose(whole, ds["bold"], rtol=1e-12)
    model = observers.BOLDSignal(2, kappa=0.5 / SECOND, dt=20 * MS)
    other = analysis.bold(signal, 0.2 * SECOND, model=model, **given)
    assert 0.01 < float(np.abs(other / whole - 1)[-1].max()) < 1


# ---------------------------------------------------------------- units
@pytest.mark.parametrize(
    "unit", [u.mV, u.mV**2, u.mV / MS, 1 / MS, u.nA / (u.mV * MS), SECOND, u.volt]
)
def test_units_are_read_as_they_are_written(unit: Any) -> None:
    unit = unit if isinstance(unit, u.Unit) else unit.unit
    found = unit_named(str(unit))
    assert found is not None and str(found) == str(unit) and found.has_same_magnitude(unit)


def test_units_without_a_name_are_none_and_squares_are_written() -> None:
    assert unit_named("%") is None and unit_named("1") == u.UNITLESS
    assert [squared(t) for t in ("1", "mV", "mV / ms")] == ["1", "mV^2", "(mV / ms)^2"]


# ---------------------------------------------------------------- errors
SIGNAL = recording(noise(60, 3), 20.0)
SPECTRUM = analysis.power_spectrum(SIGNAL, 400 * MS)
WRONG: list[Case] = [
    (
        "segment longer than the signal",
        lambda: analysis.power_spectrum(SIGNAL, 2 * SECOND),
        bg.ParameterError,
        "segment of power_spectrum is 2 s, longer than the signal of 1.2 s",
        {"parameter": "segment", "given": 2000.0, "needed": 1200.0},
    ),
    (
        "overlap of all",
        lambda: analysis.power_spectrum(SIGNAL, 400 * MS, overlap=1.0),
        bg.ParameterError,
        "the overlap of power_spectrum must be 0 or more and below 1, but is 1.0",
        {"parameter": "overlap", "given": 1.0},
    ),
    (
        "unknown window",
        lambda: analysis.power_spectrum(SIGNAL, 400 * MS, window="bell"),
        bg.ParameterError,
        "the window of power_spectrum is 'bell'.*such as 'hann' or 'boxcar'",
        {"parameter": "window", "given": "bell"},
    ),
    (
        "a signal for a spectrum",
        lambda: analysis.band_power(SIGNAL, 8 * u.Hz, 12 * u.Hz),
        bg.ParameterError,
        "band_power takes what power_spectrum returns, with a dimension 'frequency', but got dim",
        {"parameter": "frequency", "given": ("time", "cortex")},
    ),
    (
        "a band between frequencies",
        lambda: analysis.band_power(SPECTRUM, 8 * u.Hz, 8.5 * u.Hz),
        bg.ParameterError,
        r"no frequency from 8 \[Hz\] to 8.5 \[Hz\]: the spectrum has 0 to 25 Hz, 2.5 Hz apart",
        {"parameter": "low"},
    ),
    (
        "a band in time",
        lambda: analysis.peak_frequency(SPECTRUM, 8 * MS),
        bg.UnitError,
        r"low of peak_frequency is in \[ms\], but must be in \[Hz\]: give a frequency",
        {},
    ),
    (
        "phase of many blocks",
        lambda: analysis.phase(SIGNAL.chunk(time=20)),
        bg.ParameterError,
        r"a signal that is lazy, in 3 blocks of time: .* as in margin=1 \* u.second, or load",
        {"parameter": "margin"},
    ),
    (
        "order of a signal",
        lambda: analysis.order_parameter(SIGNAL),
        bg.ParameterError,
        r"takes phases in rad, but got \[mV\]: .* as in order_parameter\(phase\(signal\)\)",
        {"parameter": "phases", "given": "mV"},
    ),
    (
        "threshold in another unit",
        lambda: analysis.events(SIGNAL, 1.0 * u.Hz),
        bg.UnitError,
        r"threshold of events is in \[Hz\], but must be in \[mV\]",
        {},
    ),
    (
        "threshold of an unknown unit",
        lambda: analysis.events(SIGNAL.assign_attrs(units="%"), 1.0 * u.mV),
        bg.UnitError,
        r"unit of the signal, \[%\], is not known: give a number in \[%\]",
        {"needed": "%"},
    ),
    (
        "release above the threshold",
        lambda: analysis.events(SIGNAL, 1.0, release=2.0),
        bg.ParameterError,
        "ends an event below release=2 and begins one at threshold=1",
        {"parameter": "release", "given": 2.0, "needed": 1.0},
    ),
    (
        "negative bridge",
        lambda: analysis.events(SIGNAL, 1.0, bridge=-1 * MS),
        bg.ParameterError,
        "bridge of events must not be negative, but is -1 ms",
        {"parameter": "bridge", "given": -1.0},
    ),
    (
        "rate of a signal",
        lambda: analysis.event_rate(SIGNAL),
        bg.ParameterError,
        "event_rate takes the dataset that events returns, but got a DataArray",
        {"parameter": "table"},
    ),
    (
        "activity in mV",
        lambda: analysis.bold(SIGNAL, 100 * MS),
        bg.UnitError,
        r"gain times the signal, \[1\] times \[mV\], is in \[mV\], but must be in \[1\]: ",
        {},
    ),
    (
        "activity of an unknown unit",
        lambda: analysis.bold(SIGNAL.assign_attrs(units="%"), 100 * MS),
        bg.UnitError,
        r"the unit of the signal, \[%\], is not known: name it as brainunit does",
        {"given": "%"},
    ),
    (
        "volumes that are no multiple",
        lambda: analysis.bold(SIGNAL, 110 * MS, gain=1 / u.mV),
        bg.ClockError,
        "every=110 ms of bold must be a multiple of the signal's interval, 20 ms",
        {"given": 110.0, "needed": 20.0},
    ),
    (
        "volumes longer than the signal",
        lambda: analysis.bold(SIGNAL, 2 * SECOND, gain=1 / u.mV),
        bg.ParameterError,
        "every=2 s of bold is longer than the signal of 1.2 s",
        {"parameter": "every", "given": 2000.0, "needed": 1200.0},
    ),
    (
        "a model of another size",
        lambda: analysis.bold(SIGNAL, 100 * MS, model=observers.BOLDSignal(2)),
        bg.ParameterError,
        "must have one input and one output, of 3 units .* BOLDSignal has z of 2, bold of 2",
        {"parameter": "model", "given": (2,), "needed": 3},
    ),
    (
        "a model that is none",
        lambda: analysis.bold(SIGNAL, 100 * MS, model="bold"),  # type: ignore[arg-type]
        bg.ParameterError,
        "the model of bold must be a node, as in observers.BOLDSignal",
        {"parameter": "model"},
    ),
    (
        "a clock that does not fit",
        lambda: analysis.bold(SIGNAL, 300 * MS, model=observers.BOLDSignal(3, dt=30 * MS)),
        bg.ClockError,
        r"the model's clock, 30 ms, and the signal's interval, 20 ms, must .* dt=20 \* u.ms",
        {"given": 30.0, "needed": 20.0},
    ),
]


@pytest.mark.parametrize(
    ("call", "error", "text", "fields"), [c[1:] for c in WRONG], ids=ids(WRONG)
)
def test_what_cannot_be_analysed_is_refused(
    call: Any, error: type[bg.BraingraphError], text: str, fields: dict[str, Any]
) -> None:
    refused(call, error, text, fields)
