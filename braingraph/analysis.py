"""Measures of recorded signals: functions of labelled arrays that keep their labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from braingraph.errors import ParameterError
from braingraph.units import brief


def functional_connectivity(signal: Any, dim: str = "time") -> xr.DataArray:
    """Correlations of every two units over time.

    ::

        fc_ij = sum_t z_i(t) z_j(t) / T,   z = (x - mean_t x) / std_t x

    Parameters
    ----------
    signal : xarray.DataArray
        A recorded variable, dimensions ``(..., time, unit)``. Leading dimensions are kept.
    dim : str, default "time"
        Over what. ``"time"`` also stands for the time of a slower monitor, ``"time_720ms"``.

    Returns an array ``(..., unit, unit_2)`` [1], both labelled as the units were. A unit that
    never changes has no correlation: NaN.

    Errors
    ------
    ParameterError
        ``signal`` is no DataArray, or has not that dimension and one of units.

    Source: Pearson's correlation coefficient; Biswal et al. 1995, Magn Reson Med 34:537.

    Examples
    --------
    >>> x = xr.DataArray([[0.0, 1.0], [1.0, 0.0], [2.0, -1.0]], dims=("time", "cortex"))
    >>> functional_connectivity(x).values.round(6).tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    """
    dim, unit = _dimensions(signal, dim)
    other = f"{unit}_2"
    ordered = signal.transpose(..., dim, unit)
    z = np.asarray(ordered.data, float)
    z = z - z.mean(-2, keepdims=True)
    scale = np.sqrt((z**2).sum(-2, keepdims=True))
    z = np.divide(z, scale, out=np.full_like(z, np.nan), where=scale > 0)
    fc = np.clip(z.swapaxes(-1, -2) @ z, -1, 1).astype(signal.dtype)
    leading = [str(d) for d in ordered.dims[:-2]]
    coords = {d: ordered.coords[d] for d in (*leading, unit) if d in ordered.coords}
    if unit in coords:
        coords[other] = coords[unit].rename({unit: other})
    attrs = {"units": "1", "long_name": "functional connectivity"}
    return xr.DataArray(fc, coords, (*leading, unit, other), attrs=attrs)


def _dimensions(signal: Any, dim: str) -> tuple[str, str]:
    """The dimension of time and that of units."""
    if not isinstance(signal, xr.DataArray):
        raise ParameterError(
            f"functional_connectivity takes a recorded variable, as in ds['bold.bold'], but got "
            f"{brief(signal)}.",
            parameter="signal",
        )
    dims = [str(d) for d in signal.dims]
    times = [d for d in dims if d == dim or (dim == "time" and d.startswith("time_"))]
    others = [d for d in dims if d not in times]
    if len(times) != 1 or not others:
        raise ParameterError(
            f"functional_connectivity needs dimensions (..., {dim}, unit), but the signal has "
            f"({', '.join(dims)}).",
            parameter="dim",
            given=tuple(dims),
        )
    return times[0], others[-1]
