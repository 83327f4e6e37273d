"""Functional connectivity in time: sliding windows, and how alike the windows are."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from braingraph.analysis.blocks import Blocks, blocks
from braingraph.analysis.connectivity import Moments, correlations, square, upper_triangle
from braingraph.analysis.recorded import Recorded, recorded, time_coordinate
from braingraph.errors import ParameterError
from braingraph.units import brief

#: Two samples correlate by 1 or -1 whatever they are.
_LEAST = 3


def windowed_connectivity(signal: Any, window: Any, step: Any) -> xr.DataArray:
    """Functional connectivity in sliding windows, one value for every two units.

    ::

        v_p(w) = fc_ij of the samples in [w step, w step + window),   p = (i, j), i < j

    with fc as :func:`functional_connectivity` has it. Memory holds a few windows of the signal.

    Parameters
    ----------
    signal : xarray.DataArray
        A recorded variable, dimensions ``(..., time, unit)``, two units or more.
    window : quantity of time
        The length of a window, a multiple of the sampling interval, at least 3 samples. In
        studies of rest 30 to 60 s.
    step : quantity of time
        From the start of a window to the start of the next, in studies of rest one to a few
        volumes.

    Returns an array ``(..., window, pair)`` [1], lazy if the signal is. ``window`` is the time in
    the middle of each window [ms]; along ``pair`` the labels of both units are coordinates.

    Errors
    ------
    ParameterError
        No recorded variable, one unit, samples that are not equally far apart, or times that are
        no multiples of the sampling interval, too short or longer than the signal.
    UnitError
        ``window`` or ``step`` is no time.

    Source: Hansen et al. 2015, NeuroImage 105:525, section "Functional connectivity dynamics".

    Examples
    --------
    >>> import brainunit as u
    >>> x = np.random.default_rng(0).normal(size=(100, 3))
    >>> ds = xr.DataArray(x, {"time": np.arange(1, 101) * 720.0}, ("time", "cortex"))
    >>> windowed_connectivity(ds, 14.4 * u.second, 7.2 * u.second).shape
    (9, 3)
    """
    r, cut = _windows(signal, window, step, "windowed_connectivity")
    i, j = np.triu_indices(r.array.shape[-1], 1)
    coords: dict[str, Any] = {"window": _middles(r, cut)}
    names = r.array.coords[r.unit].values if r.unit in r.array.coords else np.arange(i.size)
    for dim, index in ((r.unit, i), (f"{r.unit}_2", j)):
        coords[dim] = xr.Variable("pair", names[index])
    name = "functional connectivity in windows"
    return _told(r.result(_vectors(r, cut), ("window", "pair"), coords, "1", name), r, cut)


def fc_dynamics(signal: Any, window: Any, step: Any) -> xr.DataArray:
    """Functional connectivity dynamics (FCD): how alike the connectivity is at any two times.

    ::

        fcd_wv = corr_p(v_p(w), v_p(v))

    the correlation, over all pairs p of units, of the functional connectivities in two windows
    (:func:`windowed_connectivity`). Blocks of high values are states that last and come back;
    windows that overlap are alike by construction.

    Parameters
    ----------
    signal : xarray.DataArray
        A recorded variable, dimensions ``(..., time, unit)``, three units or more.
    window : quantity of time
        The length of a window, a multiple of the sampling interval, at least 3 samples. Hansen
        et al. take 60 s.
    step : quantity of time
        From the start of a window to the start of the next. Hansen et al. take 2 s.

    Returns an array ``(..., window, window_2)`` [1], lazy if the signal is; the coordinates are
    the times in the middle of the windows [ms]. Computing it holds the connectivity in all
    windows, W N (N - 1) / 2 numbers, but never the signal. A unit that does not change in a window
    makes the row of that window NaN.

    Errors
    ------
    ParameterError, UnitError
        As :func:`windowed_connectivity`; less than three units.

    Source: Hansen et al. 2015, NeuroImage 105:525.

    Examples
    --------
    >>> import brainunit as u
    >>> x = np.random.default_rng(0).normal(size=(100, 3))
    >>> ds = xr.DataArray(x, {"time": np.arange(1, 101) * 720.0}, ("time", "cortex"))
    >>> fcd = fc_dynamics(ds, 14.4 * u.second, 7.2 * u.second)
    >>> fcd.dims, fcd.shape
    (('window', 'window_2'), (9, 9))
    """
    r, cut = _windows(signal, window, step, "fc_dynamics", least=3)
    vectors = _vectors(r, cut)
    fcd = correlations(vectors.swapaxes(-1, -2), r.dtype)
    middles = _middles(r, cut)
    coords = {"window": middles, "window_2": time_coordinate("window_2", middles.values)}
    name = "functional connectivity dynamics"
    return _told(r.result(fcd, ("window", "window_2"), coords, "1", name), r, cut)


def fcd_distribution(fcd: Any, bins: int = 50) -> xr.DataArray:
    """How often windows are how much alike: the distribution of FCD values.

    ::

        p(c) = share of the pairs w < v with fcd_wv in the bin at c / width of the bin

    Parameters
    ----------
    fcd : xarray.DataArray
        Dimensions ``(..., window, window_2)``, from :func:`fc_dynamics`.
    bins : int, default 50
        Of equal width, from -1 to 1.

    Returns an array ``(..., correlation)`` [1], lazy if ``fcd`` is, whose coordinate is the middle
    of each bin. NaN are left out.

    Errors
    ------
    ParameterError
        No square matrix, or less than one bin.

    Source: Hansen et al. 2015, NeuroImage 105:525, figure 4.

    Examples
    --------
    >>> fcd = xr.DataArray([[1.0, 0.5], [0.5, 1.0]], dims=("window", "window_2"))
    >>> fcd_distribution(fcd, bins=4).values.tolist()
    [0.0, 0.0, 0.0, 2.0]
    """
    if not isinstance(bins, int) or bins < 1:
        raise ParameterError(
            f"fcd_distribution needs one bin or more, but bins is {brief(bins)}.",
            parameter="bins",
            given=bins,
        )
    values = upper_triangle(square(fcd, "fcd_distribution"))
    edges = np.linspace(-1, 1, bins + 1)
    density: xr.DataArray = xr.apply_ufunc(
        partial(_density, edges),
        values,
        input_core_dims=[["pair"]],
        output_core_dims=[["correlation"]],
        vectorize=True,
        dask="parallelized",
        output_dtypes=[float],
        dask_gufunc_kwargs={"output_sizes": {"correlation": bins}, "allow_rechunk": True},
    )
    density.attrs = {"units": "1", "long_name": "probability density"}
    middles = xr.Variable("correlation", (edges[1:] + edges[:-1]) / 2, {"units": "1"})
    return density.assign_coords(correlation=middles)


def _density(edges: Any, values: Any) -> Any:
    counts, _ = np.histogram(values[np.isfinite(values)], edges)
    return counts / max(counts.sum(), 1) / np.diff(edges)


def _windows(
    signal: Any, window: Any, step: Any, who: str, least: int = 2
) -> tuple[Recorded, Blocks]:
    r = recorded(signal, who)
    if r.array.shape[-1] < least:
        raise ParameterError(
            f"{who} compares pairs of units, so it needs {least} units or more, but the signal "
            f"has {r.array.shape[-1]}.",
            parameter="signal",
            given=r.array.shape[-1],
            needed=least,
        )
    length = r.count(window, "window", least=_LEAST)
    return r, blocks(r.data, length, r.count(step, "step"), whole=True)


def _vectors(r: Recorded, cut: Blocks) -> Any:
    """(*leading, window, pair)"""
    pairs = np.triu_indices(r.array.shape[-1], 1)

    def of(block: Any) -> Any:
        starts = range(0, block.shape[-2] - cut.length + 1, cut.step)
        windows = (block[..., k : k + cut.length, :] for k in starts)
        return np.stack([Moments.of(w).correlation()[..., *pairs] for w in windows], -2)

    return cut.each(of, pairs[0].size, r.dtype)


def _middles(r: Recorded, cut: Blocks) -> xr.Variable:
    first = r.start + cut.length * r.period / 2
    return time_coordinate("window", first + np.arange(sum(cut.windows)) * cut.step * r.period)


def _told(result: xr.DataArray, r: Recorded, cut: Blocks) -> xr.DataArray:
    return result.assign_attrs(window_ms=cut.length * r.period, step_ms=cut.step * r.period)
