"""Welch's spectrum of a run, against scipy's of the whole trajectory."""

from __future__ import annotations

from typing import Any

import brainunit as u
import numpy as np
import oracle
import oracle_reducers  # noqa: F401 (it registers its laws)
import pytest
from compare import drawn, every_signal
from scipy.signal import welch
from test_errors import Case, ids, refused

import braingraph as bg
from braingraph import nodes
from braingraph.observers import PowerSpectrum

DT, N = 0.5, 2
MS = u.ms
QUIET: dict[str, Any] = {"progress": False}
#: Samples to a segment, overlap, clock in ms, start in ms, highest frequency in Hz.
SPECTRA: dict[str, tuple[int, float, float, float, float | None]] = {
    "apart": (15, 0.0, 0.5, 0.5, None),  # odd: no Nyquist frequency
    "half": (16, 0.5, 0.5, 0.5, None),
    "most": (24, 0.75, 1.0, 3.0, 130.0),
}


def watched() -> bg.Graph:
    g = bg.Graph()
    start = [0.3, 1.0] * u.mV
    x = g.add_node("x", nodes.OUProcess(N, sigma=[1.0, 2.0] * u.mV, tau=2 * MS, init_x=start))
    for name, (length, overlap, dt, after, up_to) in SPECTRA.items():
        model = PowerSpectrum(
            N,
            dt=dt * MS,
            segment=length * dt * MS,
            overlap=overlap,
            start=after * MS,
            unit=u.mV,
            up_to=None if up_to is None else up_to * u.Hz,
        )
        g.add_edge(x, g.add_node(name, model).x)
    return g


def scipys(x: Any, name: str) -> tuple[Any, Any]:
    """Frequencies and density (unit, frequency) of the samples (time, unit) that count."""
    length, overlap, dt, _, up_to = SPECTRA[name]
    f, psd = welch(x, 1000 / dt, "hann", length, int(overlap * length), axis=0)
    kept = slice(None) if up_to is None else f <= up_to
    return f[kept], psd[kept].T


def samples(one: Any, name: str) -> Any:
    """What the observer has seen at the end of each of its steps: those that count."""
    _, _, dt, after, _ = SPECTRA[name]
    if dt == DT:  # without a clock of its own, x at the beginning of each step
        return one["x.x"][round(after / DT) - 1 : -1]
    return one["coarse"][round(after / dt) :]


def test_at_every_moment_it_is_scipys_and_the_oracles(x64: None) -> None:
    """Every replica's, of the segments that have ended."""
    g = watched()
    monitors: dict[str, Any] = {
        **dict.fromkeys(every_signal(g)),
        "coarse": bg.Record("x.x", every=1 * MS, reduce="mean"),
    }
    ds = bg.Simulator(g, dt=DT * MS, seed=3).run(100 * MS, monitors=monitors, batch_size=2, **QUIET)
    assert not np.allclose(*ds["half.psd"][:, -1])
    for replica in range(2):
        one = {str(k): np.asarray(v[replica]) for k, v in ds.data_vars.items()}
        for name, (length, overlap, *_) in SPECTRA.items():
            x, psd = samples(one, name), one[f"{name}.psd"]
            counted = len(psd) - len(x)  # what the first row of psd lags behind
            for end in (length, length + 1, 2 * length - 1, 2 * length, len(x)):
                f, want = scipys(x[:end], name)
                np.testing.assert_allclose(psd[counted + end - 1], want, rtol=1e-10, atol=1e-13)
            assert np.isnan(psd[: counted + length - 1]).all()
            np.testing.assert_allclose(ds[f"{name}.frequency"], f, rtol=1e-14)
            step = round((1 - overlap) * length)
            assert one[f"{name}.segments"][-1] == (len(x) - length) // step + 1
    oracles = oracle.simulate(g, DT, 100, "heun", normals=drawn(g, 3, replica))
    for name, value in oracles.items():
        flat = one[name][: len(value)].reshape(len(value), -1)
        np.testing.assert_allclose(flat, value, rtol=1e-10, atol=1e-10, err_msg=name)


def test_float32_pieces_and_what_is_read() -> None:
    """About a mean of a thousand standard deviations; nothing grows with the run."""
    g = bg.Graph()
    x = g.add_node("x", nodes.OUProcess(N, sigma=1 * u.mV, tau=1 * MS, mean=[0, 1000] * u.mV))
    model = PowerSpectrum(N, dt=DT * MS, segment=25 * MS, start=DT * MS, unit=u.mV, overlap=0.0)
    psd = g.add_node("psd", model, labels=["left", "right"])
    g.add_edge(x, psd.x)
    sim = bg.Simulator(g, dt=DT * MS, seed=1)
    seen = {"x.x": None, "psd.psd": 500 * MS}
    whole = sim.run(5000 * MS, monitors=seen, **QUIET)
    trace = np.asarray(whole["x.x"], float)[:-1]
    assert whole["psd.psd"].dtype == np.float32
    f, want = welch(trace, 2000, "hann", 50, 0, axis=0)
    np.testing.assert_allclose(whole["psd.psd"][-1], want.T, rtol=1e-5)
    assert sim.state is not None
    sizes = {k: v.size for k, v in sim.state.states.items()}

    first = sim.run(3012 * MS, monitors=seen, **QUIET)  # within a segment
    second = sim.run(1988 * MS, monitors={"psd.psd": 1988 * MS}, initial=sim.state, **QUIET)
    np.testing.assert_array_equal(second["psd.psd"][-1], whole["psd.psd"][-1])
    np.testing.assert_array_equal(first["psd.psd"], whole["psd.psd"][:6])
    assert {k: v.size for k, v in sim.state.states.items()} == sizes

    assert whole["psd.psd"].dims == ("time_500ms", "psd", "psd.frequency")
    assert whole["psd.psd"].attrs["units"] == str(u.mV**2 / u.Hz)
    assert whole["psd.frequency"].attrs["units"] == "Hz"
    assert list(whole["psd"].values) == ["left", "right"]
    np.testing.assert_array_equal(psd.frequencies.to_decimal(u.Hz), np.arange(26) * 40.0)


def test_the_power_of_a_sine_and_of_noise() -> None:
    """Over all frequencies it is the variance (Parseval); a sine has its own at its frequency."""
    g = bg.Graph()
    sine = nodes.FunctionStimulus(1, f=lambda t: 3 + 2 * u.math.sin(2 * np.pi * t / (20 * MS)))
    x = g.add_node("x", sine)
    noise = g.add_node("noise", nodes.OUProcess(1, sigma=2.0, tau=3 * MS))
    for name, source in (("sine", x), ("red", noise)):
        model = PowerSpectrum(1, dt=1 * MS, segment=100 * MS)
        g.add_edge(source, g.add_node(name, model).x)
    end = 20 * u.second
    ds = bg.Simulator(g, dt=1 * MS, seed=2).run(
        end, monitors={"sine.psd": end, "red.psd": end}, **QUIET
    )
    found, red = (np.asarray(ds[f"{name}.psd"][-1, 0]) for name in ("sine", "red"))
    np.testing.assert_allclose(found[4:7], np.array([1, 4, 1]) / 3 * 0.1, rtol=1e-4)  # about 50 Hz
    assert np.delete(found, [4, 5, 6]).max() < 1e-8
    assert found.sum() * 10 == pytest.approx(2, rel=1e-4)
    assert red.sum() * 10 == pytest.approx(4, rel=0.1)


# ---------------------------------------------------------------- mistakes
def made(**given: Any) -> PowerSpectrum:
    return PowerSpectrum(2, **{"dt": 1 * MS, **given})


def wired() -> None:
    g = bg.Graph()
    x = g.add_node("x", nodes.OUProcess(2, sigma=1 * u.mV))
    g.add_edge(x, g.add_node("psd", made()).x)


MISTAKES: list[Case] = [
    ("no unit", wired, bg.UnitError, r"carries \[mV\]", {"given": u.mV}),
    (
        "no clock",
        lambda: PowerSpectrum(2),
        bg.ParameterError,
        r"pass dt=, a multiple of the simulation's step, as in dt=1 \* u.ms",
        {"parameter": "dt"},
    ),
    (
        "an overlap that is not offered",
        lambda: made(overlap=0.6),
        bg.ParameterError,
        "overlap is 0.6, but must be one of 0, 0.5, 0.75",
        {"parameter": "overlap"},
    ),
    (
        "a segment of broken samples",
        lambda: made(segment=10.5 * MS, overlap=0.0),
        bg.ClockError,
        "segment is 10.5 ms, but must be a multiple of dt = 1 ms .* take 10 ms",
        {"given": 10.5, "dt": 1.0},
    ),
    (
        "a segment that the overlap does not divide",
        lambda: made(segment=10 * MS, overlap=0.75),
        bg.ClockError,
        "a multiple of 4 dt = 4 ms from 4 ms .* take 8 ms",
        {"given": 10.0},
    ),
    (
        "a segment too short",
        lambda: made(segment=2 * MS),
        bg.ClockError,
        "a multiple of 2 dt = 2 ms from 4 ms .* take 4 ms",
        {"given": 2.0},
    ),
    (
        "a segment without unit",
        lambda: made(segment=100),
        bg.UnitError,
        r"segment is in \[1\], but must be in \[s\]",
        {"given": u.UNITLESS},
    ),
    (
        "a segment for each unit",
        lambda: made(segment=[100, 200] * MS),
        bg.ParameterError,
        r"segment has shape \(2,\), but must be one for all units",
        {"parameter": "segment"},
    ),
    (
        "frequencies there are not",
        lambda: made(up_to=600 * u.Hz),
        bg.ParameterError,
        "up_to is 600 .Hz., but samples every 1 ms reach 500 Hz only",
        {"parameter": "up_to"},
    ),
    (
        "a highest frequency below 0",
        lambda: made(up_to=-1 * u.Hz),
        bg.ParameterError,
        "up_to must be positive",
        {"parameter": "up_to"},
    ),
]


@pytest.mark.parametrize("case", MISTAKES, ids=ids(MISTAKES))
def test_mistakes_are_refused(case: Case) -> None:
    refused(*case[1:])


def test_another_segment_goes_with_its_frequencies() -> None:
    psd = made(up_to=100 * u.Hz, segment=0.1 * u.second)
    assert len(psd.frequencies) == 11
    longer = psd.replace(segment=0.2 * u.second)
    assert len(longer.frequencies) == longer.signal_size("psd") // 2 == 21
    assert repr(psd) == "PowerSpectrum(2, segment=0.1 [s], up_to=100 [Hz])"
    assert not {"segment", "overlap", "up_to"} & set(psd.arrays())
