"""Plots: they draw the numbers, into given axes or new ones, and say what is on the axes."""

from __future__ import annotations

import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import brainunit as u
import matplotlib
import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot
from recorded_signals import LABELS, noise, recording
from test_errors import Case, ids, refused

import braingraph as bg
from braingraph import analysis
from braingraph.analysis import plots

ROOT = Path(__file__).resolve().parent.parent
MS = u.ms
SIGNAL = recording(noise(3000, 3), chunks=500)
ALONE = SIGNAL[:, 0]
FC = analysis.functional_connectivity(SIGNAL)
SPECTRUM = analysis.power_spectrum(SIGNAL, 200 * MS)
FCD = analysis.fc_dynamics(SIGNAL, 200 * MS, 100 * MS)
TABLE = analysis.events(SIGNAL, 5.0, shortest=1 * MS)


@pytest.fixture(autouse=True)
def no_window() -> Iterator[None]:
    """Figures nobody looks at."""
    before = matplotlib.get_backend()
    pyplot.switch_backend("agg")
    yield
    pyplot.close("all")
    pyplot.switch_backend(before)


PLOTS: list[tuple[str, Callable[..., Any], str, str]] = [
    ("timeseries", lambda ax: plots.timeseries(SIGNAL, ax), "time (s)", "cortex.x (mV), "),
    ("one line", lambda ax: plots.timeseries(ALONE[:100], ax), "time (ms)", "cortex.x (mV)"),
    ("connectivity", lambda ax: plots.connectivity(FC, ax), "cortex", "cortex"),
    (
        "spectrum",
        lambda ax: plots.spectrum(SPECTRUM, ax),
        "frequency (Hz)",
        "power spectral density (mV^2 / Hz)",
    ),
    ("fcd", lambda ax: plots.fcd(FCD, ax), "time (s)", "time (s)"),
    (
        "phase portrait",
        lambda ax: plots.phase_portrait(SIGNAL, SIGNAL.rename("y"), ax),
        "cortex.x (mV)",
        "cortex.x (mV)",
    ),
    ("raster", lambda ax: plots.raster(TABLE, ax), "time (s)", "cortex"),
]


@pytest.mark.parametrize(("draw", "x", "y"), [p[1:] for p in PLOTS], ids=ids(PLOTS))
def test_plots_take_axes_return_them_and_name_them(
    draw: Callable[..., Any], x: str, y: str
) -> None:
    given = pyplot.subplots()[1]
    assert draw(given) is given and given.has_data()
    assert given.get_xlabel() == x and given.get_ylabel().startswith(y)
    new = draw(None)
    assert new is not given and new.get_xlabel() == x
    new.figure.canvas.draw()


def test_lines_are_the_signal_one_above_the_other() -> None:
    ax = plots.timeseries(SIGNAL[:100], spread=10.0)
    for k, line in enumerate(ax.lines):
        np.testing.assert_array_equal(line.get_xdata(), SIGNAL["time"].values[:100])
        np.testing.assert_allclose(line.get_ydata(), SIGNAL.values[:100, k] + 10 * k)
    assert [t.get_text() for t in ax.get_yticklabels()] == list(LABELS[:3])


def test_matrices_are_drawn_without_their_diagonal() -> None:
    image = plots.connectivity(FC).images[0]
    others = np.where(np.eye(3, dtype=bool), np.nan, FC.values)
    np.testing.assert_array_equal(np.ma.filled(image.get_array(), np.nan), others)
    low, high = image.get_clim()
    assert -low == high == np.nanmax(np.abs(others))
    weights = xr.DataArray(np.array([[0.0, 2.0], [1.0, 0.0]]), dims=("target", "source"))
    assert plots.connectivity(weights).images[0].get_clim() == (0.0, 2.0)
    image = plots.fcd(FCD).images[0]
    np.testing.assert_array_equal(image.get_array(), FCD.values)
    np.testing.assert_allclose(image.get_extent(), (0.05, 2.95, 2.95, 0.05))


def test_bars_are_the_events() -> None:
    bars = plots.raster(TABLE).patches
    found = [(round(b.get_y() + 0.4), b.get_x() * 1000, b.get_width() * 1000) for b in bars]
    names = [list(LABELS).index(name) for name in TABLE["event_cortex"].values]
    expected = zip(names, TABLE["onset"].values, TABLE["duration"].values, strict=True)
    np.testing.assert_allclose(found, list(expected))
    assert len(found) > 10
    nothing = analysis.events(SIGNAL, 100.0)
    assert not plots.raster(nothing).patches


def test_spectra_have_their_mean_in_black() -> None:
    *lines, mean = plots.spectrum(SPECTRUM).lines
    np.testing.assert_allclose(mean.get_ydata(), SPECTRUM.values[1:].mean(1))
    assert len(lines) == 3 and len(plots.spectrum(SPECTRUM[:, 0]).lines) == 1


def test_the_example_finds_what_was_put_in(tmp_path: Path) -> None:
    main = runpy.run_path(str(ROOT / "examples" / "analysis.py"))["main"]
    numbers = main(seconds=6.0, figure=str(tmp_path / "analysis.png"))
    assert 8 <= numbers["rhythm"] <= 12 and 0 < numbers["synchrony"] < 1
    assert numbers["volumes"] == 8 and numbers["structure and function"] > 0.1
    assert numbers["seizures"] >= 5 and numbers["of the healthy node"] == 0
    assert (tmp_path / "analysis.png").stat().st_size > 10_000


REPLICAS = recording(noise(2, 300, 3))
WRONG: list[Case] = [
    (
        "replicas",
        lambda: plots.timeseries(REPLICAS),
        bg.ParameterError,
        r"timeseries draws one recording, but this has .*: select one, as in .isel\(axis_0=0\)",
        {"parameter": "dim", "given": ("axis_0", "time", "cortex")},
    ),
    (
        "a list of matrices",
        lambda: plots.connectivity(analysis.functional_connectivity(REPLICAS)),
        bg.ParameterError,
        r"plots.connectivity draws one recording, .* as in .isel\(axis_0=0\)",
        {"parameter": "dim"},
    ),
    (
        "a signal for a spectrum",
        lambda: plots.spectrum(SIGNAL),
        bg.ParameterError,
        "plots.spectrum takes what power_spectrum returns",
        {"parameter": "frequency"},
    ),
    (
        "connectivity for dynamics",
        lambda: plots.fcd(FC),
        bg.ParameterError,
        "plots.fcd takes what fc_dynamics returns, with a dimension 'window'",
        {"parameter": "window"},
    ),
    (
        "variables of two shapes",
        lambda: plots.phase_portrait(SIGNAL, SIGNAL[:100]),
        bg.ParameterError,
        r"two variables of one shape, but got \(3000, 3\) and \(100, 3\)",
        {"given": (100, 3), "needed": (3000, 3)},
    ),
    (
        "a signal for events",
        lambda: plots.raster(SIGNAL),
        bg.ParameterError,
        "plots.raster takes the dataset that events returns, but got a DataArray",
        {"parameter": "table"},
    ),
]


@pytest.mark.parametrize(
    ("call", "error", "text", "fields"), [c[1:] for c in WRONG], ids=ids(WRONG)
)
def test_what_cannot_be_drawn_is_refused(
    call: Any, error: type[bg.BraingraphError], text: str, fields: dict[str, Any]
) -> None:
    refused(call, error, text, fields)
