"""Functional connectivity, its dynamics, and comparisons: against NumPy and SciPy, and laws."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import brainunit as u
import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded_signals import LABELS, is_lazy, lazy, noise, recording
from scipy.stats import ks_2samp
from test_errors import Case, ids, refused

import braingraph as bg
from braingraph import analysis
from braingraph.analysis import blocks

MS, SECOND = u.ms, u.second


@pytest.fixture
def small_blocks() -> Any:
    """Blocks of 40 numbers in float64, so that small signals have many."""
    with patch.object(blocks, "BLOCK_BYTES", 320):
        yield


# ---------------------------------------------------------------- functional connectivity
@pytest.mark.parametrize("chunks", [None, 7, 1000])
@pytest.mark.parametrize("shape", [(50, 4), (2, 3, 50, 4)])
def test_functional_connectivity_is_that_of_numpy(
    small_blocks: None, shape: tuple[int, ...], chunks: int | None
) -> None:
    x = noise(*shape)
    found = analysis.functional_connectivity(recording(x, chunks=chunks))
    assert is_lazy(found) == (chunks is not None)
    assert found.dims[-2:] == ("cortex", "cortex_2")
    assert found["cortex_2"].values.tolist() == list(LABELS) and found.attrs["units"] == "1"
    for index in np.ndindex(shape[:-2]):
        expected = np.corrcoef(x[index].T)
        np.testing.assert_allclose(found.values[index], expected, rtol=1e-12, atol=1e-13)
    assert (np.diagonal(found.values, axis1=-2, axis2=-1) == 1).all()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.integers(1, 3), st.integers(0, 99))
def test_functional_connectivity_does_not_depend_on_chunks(
    sizes: list[int], width: int, seed: int
) -> None:
    x = noise(sum(sizes) + 2, 3, seed=seed)
    whole = analysis.functional_connectivity(recording(x))
    cut = recording(x).chunk({"time": (*sizes, 2), "cortex": width})
    np.testing.assert_allclose(analysis.functional_connectivity(cut), whole, rtol=1e-9, atol=1e-11)


def test_functional_connectivity_far_from_zero_and_of_what_never_moves(small_blocks: None) -> None:
    """A mean a million times the deviations, in float32, costs what float32 stores, no more."""
    x = (1e4 + 1e-2 * noise(400, 3)).astype(np.float32)
    x[:, 2] = 0.1
    for chunks in (None, 30):
        found = analysis.functional_connectivity(recording(x, chunks=chunks)).values
        expected = np.corrcoef(x[:, :2].astype(np.float64).T)
        np.testing.assert_allclose(found[:2, :2], expected, atol=2e-7)
        assert np.isnan(found[2]).all() and np.isnan(found[:, 2]).all()
        assert found.dtype == np.float32


def test_a_slow_monitor_and_whole_numbers_are_signals_too() -> None:
    x = np.random.default_rng(0).integers(0, 9, (60, 3))
    found = analysis.functional_connectivity(recording(x, 720.0, time="time_720ms", chunks=20))
    np.testing.assert_allclose(found, np.corrcoef(x.T), rtol=1e-12)


def test_functional_connectivity_of_a_linear_network() -> None:
    """x' = (W - 1) x + noise: the stationary covariance solves a Lyapunov equation."""
    from scipy.linalg import solve_continuous_lyapunov

    from braingraph import edges, nodes

    w = np.array([[0.0, 0.5, 0.0], [0.0, 0.0, 0.6], [0.3, 0.0, 0.0]])
    g = bg.Graph()
    x = g.add_node("x", nodes.LinearStep(3, gamma=-1.0))
    drive = g.add_node("drive", nodes.WhiteNoise(3, sigma=1.0))
    g.add_edge(x.x, x.x_inp, edges.AdditiveCoupling(conn=w))
    g.add_edge(drive, x.x_inp)
    ds = bg.Simulator(g, dt=0.02 * MS, seed=3).run(
        20 * SECOND, transient=20 * MS, monitors={"x.x": 0.2 * MS}, progress=False
    )
    a = w - np.eye(3)
    covariance = solve_continuous_lyapunov(a, -np.eye(3))
    deviation = np.sqrt(np.diag(covariance))
    found = analysis.functional_connectivity(lazy(ds["x.x"], 10_000))
    np.testing.assert_allclose(found, covariance / np.outer(deviation, deviation), atol=0.03)


# ---------------------------------------------------------------- dynamics
@pytest.mark.parametrize("chunks", [None, 11])
@pytest.mark.parametrize(("window", "step"), [(10, 3), (10, 10), (5, 12), (40, 1), (60, 7)])
def test_windows_are_correlations_of_their_samples(
    small_blocks: None, window: int, step: int, chunks: int | None
) -> None:
    x = noise(2, 60, 4)
    signal = recording(x, 720.0, chunks=chunks, start=5000.0)
    given = {"window": window * 0.72 * SECOND, "step": step * 720 * MS}
    vectors = analysis.windowed_connectivity(signal, **given)
    fcd = analysis.fc_dynamics(signal, **given)
    assert is_lazy(vectors) == is_lazy(fcd) == (chunks is not None)
    starts = range(0, 60 - window + 1, step)
    i, j = np.triu_indices(4, 1)
    for k in range(2):
        expected = np.array([np.corrcoef(x[k, s : s + window].T)[i, j] for s in starts])
        np.testing.assert_allclose(vectors[k], expected, rtol=1e-9, atol=1e-12)
        if len(starts) > 1:
            np.testing.assert_allclose(fcd[k], np.corrcoef(expected), rtol=1e-8, atol=1e-10)
    assert vectors.dims == ("axis_0", "window", "pair") and fcd.dims[1:] == ("window", "window_2")
    assert vectors["cortex"].values.tolist() == [LABELS[k] for k in i]
    assert vectors["cortex_2"].values.tolist() == [LABELS[k] for k in j]
    middles = [5000 + 720 * (s + window / 2) for s in starts]
    np.testing.assert_allclose(vectors["window"], middles)
    np.testing.assert_allclose(fcd["window_2"], middles)
    assert (fcd.attrs["window_ms"], fcd.attrs["step_ms"]) == (720.0 * window, 720.0 * step)


def test_dynamics_of_stationary_noise_and_of_states_that_come_back() -> None:
    """Windows that share nothing are alike by chance alone; two states make a chessboard."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(4000, 20))
    apart = {"window": 100 * MS, "step": 100 * MS}
    values = analysis.upper_triangle(analysis.fc_dynamics(recording(x), **apart))
    # vectors of 190 independent numbers: correlations of deviation 1 / sqrt(190)
    assert abs(float(values.mean())) < 0.01
    assert float(values.std()) == pytest.approx(190**-0.5, rel=0.1)
    mixes = rng.normal(size=(2, 20, 20))
    y = np.concatenate([x[k : k + 500] @ mixes[k // 500 % 2] for k in range(0, 4000, 500)])
    fcd = analysis.fc_dynamics(recording(y, chunks=300), window=250 * MS, step=250 * MS).values
    state = np.arange(16) // 2 % 2
    same = state[:, None] == state
    assert fcd[same].min() > 0.8 and fcd[~same].max() < 0.5


def test_the_distribution_of_dynamics_is_a_density() -> None:
    fcd = analysis.fc_dynamics(recording(noise(3, 200, 4), chunks=50), 20 * MS, 5 * MS)
    found = analysis.fcd_distribution(fcd, bins=20)
    assert is_lazy(found) and found.dims == ("axis_0", "correlation")
    np.testing.assert_allclose(found.sum("correlation") * 0.1, 1.0)
    i, j = np.triu_indices(fcd.shape[-1], 1)
    expected, _ = np.histogram(fcd.values[1][i, j], np.linspace(-1, 1, 21), density=True)
    np.testing.assert_allclose(found[1], expected)
    np.testing.assert_allclose(found["correlation"], np.arange(-0.95, 1, 0.1))


# ---------------------------------------------------------------- comparisons
def connectivities(*shape: int, seed: int = 0) -> xr.DataArray:
    return analysis.functional_connectivity(recording(noise(*shape, seed=seed)))


@pytest.mark.parametrize("chunked", [False, True])
def test_comparisons_are_those_of_numpy_over_pairs(chunked: bool) -> None:
    a, b = (
        connectivities(3, 30, 4),
        connectivities(30, 4, seed=1).rename(cortex="bold", cortex_2="bold_2"),
    )
    i, j = np.triu_indices(4, 1)
    x, y = a.values[:, i, j], b.values[i, j]
    given = a.chunk({"axis_0": 1, "cortex": 2}) if chunked else a
    r, e = analysis.fc_correlation(given, b), analysis.fc_rmse(given, b)
    assert is_lazy(r) == is_lazy(e) == chunked
    np.testing.assert_allclose(r, [np.corrcoef(v, y)[0, 1] for v in x])
    np.testing.assert_allclose(e, np.sqrt(((x - y) ** 2).mean(1)))
    assert r.dims == ("axis_0",) and r["axis_0"].values.tolist() == [0, 10, 20]
    np.testing.assert_allclose(analysis.fc_correlation(a, a), 1.0)
    np.testing.assert_array_equal(analysis.fc_rmse(a, a), 0.0)


@pytest.mark.parametrize("chunked", [False, True])
def test_the_distance_of_dynamics_is_that_of_distributions(chunked: bool) -> None:
    given = {"window": 20 * MS, "step": 10 * MS}
    a = analysis.fc_dynamics(recording(noise(2, 300, 4)), **given)
    b = analysis.fc_dynamics(recording(noise(200, 4, seed=1).cumsum(0)), **given)
    first, second = (analysis.upper_triangle(m) for m in (a, b))
    found = analysis.fcd_ks(a.chunk({"axis_0": 1}) if chunked else a, b)
    assert is_lazy(found) == chunked
    for k in range(2):
        steps = np.sort(np.concatenate([first[k], second]))
        shares = [np.searchsorted(np.sort(v), steps, "right") / v.size for v in (first[k], second)]
        assert float(found[k]) == pytest.approx(np.abs(shares[0] - shares[1]).max(), abs=1e-12)
        other = ks_2samp(first[k].values, second.values).statistic
        assert float(found[k]) == pytest.approx(other, abs=1e-12)
    assert np.isnan(analysis.fcd_ks(a * np.nan, b)).all()


def test_upper_triangles_say_of_whom() -> None:
    fc = connectivities(30, 4)
    pairs = analysis.upper_triangle(fc)
    assert pairs.dims == ("pair",) and pairs.sizes["pair"] == 6
    for k in range(6):
        pair = {d: pairs[d].values[k] for d in ("cortex", "cortex_2")}
        assert float(pairs[k]) == float(fc.sel(pair))
    bare = analysis.upper_triangle(xr.DataArray(np.eye(3), dims=("i", "j")))
    assert bare["i"].values.tolist() == [0, 0, 1] and bare["j"].values.tolist() == [1, 2, 2]


# ---------------------------------------------------------------- laziness
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(
    ("length", "step"), [(1, 1), (2000, 1000), (2000, 1), (3000, 7000), (60_000, 2000)]
)
@pytest.mark.parametrize(
    ("shape", "chunks"),
    [
        ((2_000_000, 1000), (4096, 250)),
        ((500_000, 90), (8192, 90)),
        ((500_000, 90), (500_000, 1)),
        ((100, 200_000, 90), (1, 8192, 90)),
        ((100_000, 1000), (10, 1000)),
    ],
)
def test_blocks_are_small_and_hold_every_window_once(
    shape: tuple[int, ...], chunks: tuple[int, ...], length: int, step: int, whole: bool
) -> None:
    data = da.zeros(shape, dtype=np.float32, chunks=chunks)
    cut = blocks.blocks(data, length, step, whole=whole)
    assert sum(cut.windows) == (shape[-2] - length) // step + 1
    overlap = max(length - step, 0)
    for rows, windows in zip(cut.data.chunks[-2], cut.windows, strict=True):
        assert (windows - 1) * step + length <= rows <= windows * step + overlap
    row = cut.data.chunksize[-1] * 4
    most = 4 * blocks.BLOCK_BYTES + 2 * max(length, step) * row
    assert np.prod(cut.data.chunksize) * 4 <= most
    assert not whole or cut.data.numblocks[-1] == 1


def test_a_signal_of_8_gigabytes_is_planned_without_a_number_of_it() -> None:
    def untouched(block: Any) -> Any:
        raise AssertionError("read too early")

    big = da.zeros((2_000_000, 1000), dtype=np.float32, chunks=(4096, 250))
    big = big.map_blocks(untouched, dtype=np.float32, meta=np.empty((0, 0), np.float32))
    t = xr.Variable("time", np.arange(1, 2_000_001) * 1.0, {"units": "ms"})
    signal = xr.DataArray(big, {"time": t}, ("time", "cortex"), attrs={"units": "1"})
    results = {
        "fc": analysis.functional_connectivity(signal),
        "windows": analysis.windowed_connectivity(signal, 4 * SECOND, 20 * SECOND),
        "spectrum": analysis.power_spectrum(signal, 4 * SECOND),
        "phase": analysis.phase(signal, margin=1 * SECOND),
        "order": analysis.order_parameter(signal),
        "metastability": analysis.metastability(signal),
        "bold": analysis.bold(signal, 1 * SECOND),
    }
    for name, result in results.items():
        assert is_lazy(result), name
    with pytest.raises(AssertionError, match="read too early"):
        results["fc"].compute()


# ---------------------------------------------------------------- errors
SIGNAL = recording(noise(60, 3), 720.0)
FC = connectivities(30, 4)
FCD = analysis.fc_dynamics(SIGNAL, 7.2 * SECOND, 7.2 * SECOND)
UNEVEN = SIGNAL.assign_coords(time=np.cumsum(np.arange(60.0)))
WRONG: list[Case] = [
    (
        "no array",
        lambda: analysis.fc_dynamics(np.zeros((9, 3)), 1 * SECOND, 1 * SECOND),
        bg.ParameterError,
        r"fc_dynamics takes a recorded variable, as in ds\['bold.bold'\], but got an array of",
        {"parameter": "signal"},
    ),
    (
        "no time",
        lambda: analysis.power_spectrum(SIGNAL.rename(time="t"), 1 * SECOND),
        bg.ParameterError,
        r"power_spectrum needs dimensions \(..., time, unit\), but the signal has \(t, cortex\)",
        {"parameter": "dim", "given": ("t", "cortex")},
    ),
    (
        "no times",
        lambda: analysis.windowed_connectivity(SIGNAL.drop_vars("time"), 1 * SECOND, 1 * SECOND),
        bg.ParameterError,
        r"has no coordinate 'time': give it times in ms, as in signal.assign_coords\(time=",
        {"parameter": "signal"},
    ),
    (
        "uneven times",
        lambda: analysis.windowed_connectivity(UNEVEN, 1 * SECOND, 1 * SECOND),
        bg.ParameterError,
        "needs samples that are equally far apart, .* 1 ms at first, 30 ms on average",
        {"given": 1.0, "needed": 30.0},
    ),
    (
        "complex numbers",
        lambda: analysis.functional_connectivity(SIGNAL.astype(complex)),
        bg.ParameterError,
        "functional_connectivity needs real numbers, but the signal has shape .* of complex128",
        {"parameter": "signal"},
    ),
    (
        "window of no unit",
        lambda: analysis.fc_dynamics(SIGNAL, 60, 1 * SECOND),
        bg.UnitError,
        r"window of fc_dynamics is 60 in \[1\], but must be a time, as in 60 \* u.ms",
        {},
    ),
    (
        "window between samples",
        lambda: analysis.fc_dynamics(SIGNAL, 10 * SECOND, 0.72 * SECOND),
        bg.ParameterError,
        r"window of fc_dynamics is 10 s, but must be a multiple of the 0.72 s .*, such as 10.08 s",
        {"parameter": "window", "given": 10000.0, "needed": 720.0},
    ),
    (
        "window too short",
        lambda: analysis.fc_dynamics(SIGNAL, 1.44 * SECOND, 0.72 * SECOND),
        bg.ParameterError,
        "window of fc_dynamics is 1.44 s, 2 samples, but must be at least 3, 2.16 s",
        {"parameter": "window", "given": 1440.0, "needed": 2160.0},
    ),
    (
        "window too long",
        lambda: analysis.fc_dynamics(SIGNAL, 720 * SECOND, 0.72 * SECOND),
        bg.ParameterError,
        "window of fc_dynamics is 12 min, longer than the signal of 43.2 s: take a shorter one",
        {"parameter": "window", "given": 720000.0, "needed": 43200.0},
    ),
    (
        "two units",
        lambda: analysis.fc_dynamics(SIGNAL[:, :2], 7.2 * SECOND, 7.2 * SECOND),
        bg.ParameterError,
        "fc_dynamics compares pairs of units, so it needs 3 units or more, but the signal has 2",
        {"given": 2, "needed": 3},
    ),
    (
        "no bins",
        lambda: analysis.fcd_distribution(FCD, bins=0),
        bg.ParameterError,
        "fcd_distribution needs one bin or more, but bins is 0",
        {"parameter": "bins", "given": 0},
    ),
    (
        "no matrix",
        lambda: analysis.upper_triangle(SIGNAL),
        bg.ParameterError,
        r"upper_triangle needs a matrix \(..., unit, unit_2\), .* but got shape \(60, 3\)",
        {"parameter": "matrix", "given": (60, 3)},
    ),
    (
        "matrices of two sizes",
        lambda: analysis.fc_correlation(FC, FC[:3, :3]),
        bg.ShapeError,
        "fc_correlation compares matrices of the same units, but one has 4 and the other 3",
        {"given": 3, "needed": 4},
    ),
    (
        "another order of units",
        lambda: analysis.fc_rmse(FC, FC.isel(cortex=[0, 2, 1, 3], cortex_2=[0, 2, 1, 3])),
        bg.ParameterError,
        r"unit 1 is 'right' in one and 'middle' in the other: reorder one, as in b.sel\(cortex=",
        {"given": "middle", "needed": "right"},
    ),
    (
        "other units",
        lambda: analysis.fc_rmse(FC, FC.assign_attrs(units="mV")),
        bg.ParameterError,
        r"fc_rmse compares values in one unit, but these are in \['1', 'mV'\]",
        {"given": ("1", "mV")},
    ),
    (
        "leading dimensions that differ",
        lambda: analysis.fc_correlation(connectivities(2, 30, 4), connectivities(3, 30, 4)),
        bg.ShapeError,
        "the leading dimensions of what is compared do not fit",
        {"given": (3,), "needed": (2,)},
    ),
    (
        "dynamics in other windows",
        lambda: analysis.fcd_ks(FCD, analysis.fc_dynamics(SIGNAL, 14.4 * SECOND, 7.2 * SECOND)),
        bg.ParameterError,
        "fcd_ks compares dynamics in equal windows, but window_ms is 7200 in one and 14400",
        {"parameter": "window_ms", "given": 14400.0, "needed": 7200.0},
    ),
]


@pytest.mark.parametrize(
    ("call", "error", "text", "fields"), [c[1:] for c in WRONG], ids=ids(WRONG)
)
def test_what_cannot_be_analysed_is_refused(
    call: Any, error: type[bg.BraingraphError], text: str, fields: dict[str, Any]
) -> None:
    refused(call, error, text, fields)
