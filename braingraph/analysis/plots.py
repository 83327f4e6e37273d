"""Plots of recordings and measures: each draws one thing, into given axes or new ones.

All take labelled arrays, write what is on the axes from their attributes, and return the axes.
They need matplotlib: ``pip install "braingraph-sim[plot]"``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from braingraph.analysis.connectivity import square
from braingraph.analysis.recorded import recorded, with_dimension
from braingraph.errors import ParameterError

#: More lines or labels than this only cover each other.
_MOST = 40


def timeseries(signal: Any, ax: Any = None, *, spread: float | None = None) -> Any:
    """Signals over time, one above the other.

    Parameters
    ----------
    signal : xarray.DataArray
        Dimensions ``(time, unit)``, or ``(time,)``. What is drawn is loaded: select a stretch
        first, as in ``signal.sel(time=slice(0, 2000))``.
    ax : matplotlib axes, default None
        Where to draw; None: new ones.
    spread : float, default None
        From one line to the next, in the signal's unit. None: 6 standard deviations, or 0 for one
        line.

    Returns the axes.

    Errors
    ------
    ParameterError
        No recorded variable, leading dimensions, or no times.
    """
    if isinstance(signal, xr.DataArray) and signal.ndim == 1:
        signal = signal.expand_dims("unit", -1)
    r = recorded(signal, "timeseries")
    _plain(r.array, 2, "timeseries")
    x, start, period = r.array.load(), r.start, r.period
    many = x.shape[-1]
    apart = (6 * float(x.std()) if many > 1 else 0.0) if spread is None else spread
    seconds, times = _seconds(start + period * np.arange(1, r.samples + 1))
    ax = _axes(ax)
    ax.plot(times, x.values + apart * np.arange(many), lw=0.8)
    ax.set(xlabel=f"time ({seconds})", ylabel=_named(signal))
    if apart and r.unit in x.coords and many <= _MOST:
        ax.set_yticks(apart * np.arange(many), [str(v) for v in x[r.unit].values], fontsize=7)
        ax.set_ylabel(f"{_named(signal)}, {apart:.3g} apart")
    return ax


def connectivity(matrix: Any, ax: Any = None) -> Any:
    """A matrix of connectivity: functional connectivity, or weights.

    Parameters
    ----------
    matrix : xarray.DataArray
        Dimensions ``(unit, unit_2)``. Values of both signs are shown about a white 0, and the
        diagonal is left blank.
    ax : matplotlib axes, default None
        Where to draw; None: new ones.

    Returns the axes.

    Errors
    ------
    ParameterError
        No square matrix, or leading dimensions.
    """
    m = _plain(square(matrix, "plots.connectivity"), 2, "plots.connectivity").load()
    values = np.where(np.eye(len(m), dtype=bool), np.nan, m.values.astype(float))
    finite = values[np.isfinite(values)]
    most = float(np.abs(finite).max(initial=0.0)) or 1.0
    signed = bool((finite < 0).any())
    ax = _axes(ax)
    colours = {"cmap": "RdBu_r" if signed else "viridis", "vmin": -most if signed else 0}
    image = ax.imshow(values, vmax=most, interpolation="none", **colours)
    ax.figure.colorbar(image, ax=ax, label=_named(m))
    rows, columns = (str(d) for d in m.dims)
    ax.set(xlabel=columns.removesuffix("_2"), ylabel=rows)
    if rows in m.coords and len(m) <= _MOST:
        labels = [str(v) for v in m[rows].values]
        ax.set_xticks(range(len(m)), labels, rotation=90, fontsize=6)
        ax.set_yticks(range(len(m)), labels, fontsize=6)
    return ax


def spectrum(power: Any, ax: Any = None) -> Any:
    """Power spectra on logarithmic axes, with their mean in black.

    Parameters
    ----------
    power : xarray.DataArray
        From :func:`~braingraph.analysis.power_spectrum`, dimensions ``(frequency, unit)`` or
        ``(frequency,)``.
    ax : matplotlib axes, default None
        Where to draw; None: new ones.

    Returns the axes.

    Errors
    ------
    ParameterError
        No spectrum, or leading dimensions.
    """
    p = with_dimension(power, "frequency", "plots.spectrum", "power_spectrum")
    p = p.expand_dims("unit", -1) if p.ndim == 1 else p.transpose("frequency", ...)
    p = _plain(p, 2, "plots.spectrum").load()
    p = p.isel(frequency=p["frequency"].values > 0)  # 0 has no place on a logarithmic axis
    ax = _axes(ax)
    many = p.shape[1]
    ax.loglog(p["frequency"], p.values, lw=0.6, alpha=0.5 if many > 1 else 1.0)
    if many > 1:
        ax.loglog(p["frequency"], p.values.mean(1), color="black", lw=1.5, label="mean")
        ax.legend(frameon=False)
    ax.set(xlabel="frequency (Hz)", ylabel=_named(power))
    return ax


def fcd(dynamics: Any, ax: Any = None) -> Any:
    """Functional connectivity dynamics: how alike any two times are.

    Parameters
    ----------
    dynamics : xarray.DataArray
        From :func:`~braingraph.analysis.fc_dynamics`, dimensions ``(window, window_2)``.
    ax : matplotlib axes, default None
        Where to draw; None: new ones.

    Returns the axes.

    Errors
    ------
    ParameterError
        No such matrix, or leading dimensions.
    """
    m = with_dimension(dynamics, "window", "plots.fcd", "fc_dynamics")
    m = _plain(square(m, "plots.fcd"), 2, "plots.fcd").load()
    seconds, times = _seconds(m["window"].values)
    ax = _axes(ax)
    half = (times[1] - times[0]) / 2
    extent = (times[0] - half, times[-1] + half, times[-1] + half, times[0] - half)
    image = ax.imshow(m.values, vmin=0, vmax=1, cmap="viridis", interpolation="none", extent=extent)
    ax.figure.colorbar(image, ax=ax, label=_named(m))
    ax.set(xlabel=f"time ({seconds})", ylabel=f"time ({seconds})")
    return ax


def phase_portrait(x: Any, y: Any, ax: Any = None) -> Any:
    """Two variables of the same units against each other; a dot marks the beginning.

    Parameters
    ----------
    x, y : xarray.DataArray
        Recorded variables, dimensions ``(time, unit)`` or ``(time,)``, of one shape.
    ax : matplotlib axes, default None
        Where to draw; None: new ones.

    Returns the axes.

    Errors
    ------
    ParameterError
        No recorded variables, leading dimensions, or shapes that differ.
    """
    found = []
    for variable in (x, y):
        if isinstance(variable, xr.DataArray) and variable.ndim == 1:
            variable = variable.expand_dims("unit", -1)
        array = recorded(variable, "phase_portrait").array
        found.append(_plain(array, 2, "phase_portrait").load())
    a, b = found
    if a.shape != b.shape:
        raise ParameterError(
            f"phase_portrait takes two variables of one shape, but got {a.shape} and {b.shape}: "
            "record both with the same interval.",
            parameter="y",
            given=b.shape,
            needed=a.shape,
        )
    ax = _axes(ax)
    for k, line in enumerate(ax.plot(a.values, b.values, lw=0.8)):
        ax.plot(a.values[0, k], b.values[0, k], "o", ms=4, color=line.get_color())
    ax.set(xlabel=_named(x), ylabel=_named(y))
    return ax


def raster(table: Any, ax: Any = None) -> Any:
    """Events as bars: units from top to bottom, time from left to right.

    Parameters
    ----------
    table : xarray.Dataset
        From :func:`~braingraph.analysis.events`, without leading dimensions.
    ax : matplotlib axes, default None
        Where to draw; None: new ones.

    Returns the axes.

    Errors
    ------
    ParameterError
        No such dataset, or leading dimensions.
    """
    if not isinstance(table, xr.Dataset) or not {"onset", "duration", "count"} <= {*table}:
        raise ParameterError(
            "plots.raster takes the dataset that events returns, but got a "
            f"{type(table).__name__}.",
            parameter="table",
        )
    counts = _plain(table["count"], 1, "plots.raster")
    unit = str(counts.dims[0])
    rows = np.repeat(np.arange(counts.size), counts.values)  # the table goes unit by unit
    seconds, times = _seconds(table["onset"].values)
    scale = 1000.0 if seconds == "s" else 1.0
    ax = _axes(ax)
    ax.barh(rows, table["duration"].values / scale, left=times, height=0.8)
    ax.set(xlabel=f"time ({seconds})", ylabel=unit, ylim=(counts.size - 0.5, -0.5))
    if counts.size <= _MOST:  # without labels, the numbers of the units
        ax.set_yticks(range(counts.size), [str(v) for v in counts[unit].values], fontsize=7)
    return ax


# ---------------------------------------------------------------- inside
def _axes(ax: Any) -> Any:
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ParameterError(
            'plots need matplotlib, which is not installed: pip install "braingraph-sim[plot]".',
            parameter="ax",
        ) from error
    return pyplot.subplots(layout="constrained")[1]


def _plain(array: xr.DataArray, dims: int, who: str) -> xr.DataArray:
    if array.ndim != dims:
        extra = [str(d) for d in array.dims[: array.ndim - dims]]
        raise ParameterError(
            f"{who} draws one recording, but this has dimensions "
            f"({', '.join(map(str, array.dims))}): select one, as in "
            f".isel({', '.join(f'{d}=0' for d in extra)}).",
            parameter="dim",
            given=tuple(map(str, array.dims)),
        )
    return array


def _named(array: xr.DataArray) -> str:
    """``cortex.x (mV)``"""
    units = str(array.attrs.get("units", "1"))
    name = str(array.attrs.get("long_name", array.name or ""))
    return name if units == "1" else f"{name} ({units})".strip()


def _seconds(ms: Any) -> tuple[str, Any]:
    """The unit that suits these times in ms, and the times in it."""
    ms = np.asarray(ms, float)
    return ("s", ms / 1000) if ms.size and np.ptp(ms) >= 2000 else ("ms", ms)
