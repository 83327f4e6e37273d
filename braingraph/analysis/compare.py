"""How far two matrices of functional connectivity, or their dynamics, are from each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from braingraph.analysis.connectivity import square, upper_triangle
from braingraph.errors import ParameterError, ShapeError


def fc_correlation(a: Any, b: Any) -> xr.DataArray:
    """Correlation of two connectivity matrices over all pairs of units.

    ::

        r = corr_p(a_p, b_p),   p = (i, j), i < j

    Parameters
    ----------
    a, b : xarray.DataArray
        Dimensions ``(..., unit, unit_2)``, the same number of units, the same labels if both
        have labels. Leading dimensions, as of a sweep, are kept; where both have one, it must be
        the same. Dimensions of units may have different names.

    Returns an array of the leading dimensions [1], lazy if ``a`` or ``b`` is. NaN in either gives
    NaN.

    Errors
    ------
    ParameterError
        No square matrices, or labels that differ.
    ShapeError
        Sizes that differ.

    Source: as the fit of simulated to measured connectivity: Honey et al. 2009, PNAS 106:2035.

    Examples
    --------
    >>> a = xr.DataArray(np.array([[1, 2, 3], [2, 1, 4], [3, 4, 1.0]]), dims=("i", "j"))
    >>> float(fc_correlation(a, 10 - 2 * a).round(6))
    -1.0
    """
    return _over_pairs(_correlation, a, b, "fc_correlation", "correlation of connectivities")


def fc_rmse(a: Any, b: Any) -> xr.DataArray:
    """Root mean square difference of two connectivity matrices over all pairs of units.

    ::

        e = sqrt(mean_p (a_p - b_p)^2),   p = (i, j), i < j

    Parameters
    ----------
    a, b : xarray.DataArray
        As in :func:`fc_correlation`.

    Returns an array of the leading dimensions, in the unit of ``a``, lazy if ``a`` or ``b`` is.

    Errors
    ------
    ParameterError, ShapeError
        As in :func:`fc_correlation`; units that differ.

    Examples
    --------
    >>> a = xr.DataArray(np.eye(3), dims=("i", "j"))
    >>> float(fc_rmse(a, a + 0.5))
    0.5
    """
    units = {str(m.attrs.get("units", "1")) for m in (a, b) if isinstance(m, xr.DataArray)}
    if len(units) > 1:
        raise ParameterError(
            f"fc_rmse compares values in one unit, but these are in {sorted(units)}.",
            parameter="b",
            given=tuple(sorted(units)),
        )
    out = _over_pairs(_rmse, a, b, "fc_rmse", "rms difference of connectivities")
    return out.assign_attrs(units=units.pop())


def fcd_ks(a: Any, b: Any) -> xr.DataArray:
    """Kolmogorov-Smirnov distance of two FCD matrices: of the distributions of their values.

    ::

        D = max_c |F_a(c) - F_b(c)|,   F(c) = share of the pairs w < v with fcd_wv <= c

    0 where both have the same values as often, 1 where all of one are above all of the other.

    Parameters
    ----------
    a, b : xarray.DataArray
        Dimensions ``(..., window, window_2)``, from :func:`fc_dynamics`; the numbers of windows
        may differ, but windows should have the same length and step. Leading dimensions as in
        :func:`fc_correlation`.

    Returns an array of the leading dimensions [1], lazy if ``a`` or ``b`` is. NaN in either gives
    NaN.

    Errors
    ------
    ParameterError
        No square matrices, or windows of another length or step.
    ShapeError
        Leading dimensions that differ.

    Source: as the fit of simulated to measured dynamics: Deco et al. 2017, Sci Rep 7:3095; the
    statistic: scipy.stats.ks_2samp.

    Examples
    --------
    >>> a = xr.DataArray([[1.0, 0.1, 0.2], [0.1, 1.0, 0.3], [0.2, 0.3, 1.0]], dims=("w", "v"))
    >>> float(fcd_ks(a, a + 1)), float(fcd_ks(a, a))
    (1.0, 0.0)
    """
    a, b = square(a, "fcd_ks"), square(b, "fcd_ks")
    for key in ("window_ms", "step_ms"):
        if key in a.attrs and key in b.attrs and a.attrs[key] != b.attrs[key]:
            raise ParameterError(
                f"fcd_ks compares dynamics in equal windows, but {key} is {a.attrs[key]:g} in one "
                f"and {b.attrs[key]:g} in the other: compute both with the same window and step.",
                parameter=key,
                given=b.attrs[key],
                needed=a.attrs[key],
            )
    first, second = _pairs(a, "one"), _pairs(b, "other")
    return _each(_distance, first, second, "distance of FCD distributions", vectorize=True)


def _over_pairs(
    function: Callable[[Any, Any], Any], a: Any, b: Any, who: str, name: str
) -> xr.DataArray:
    a, b = square(a, who), square(b, who)
    if a.shape[-1] != b.shape[-1]:
        raise ShapeError(
            f"{who} compares matrices of the same units, but one has {a.shape[-1]} and the other "
            f"{b.shape[-1]}: select those that both have.",
            given=b.shape[-1],
            needed=a.shape[-1],
        )
    if all(m.dims[-2] in m.coords for m in (a, b)):
        first, second = (m.coords[m.dims[-2]].values.tolist() for m in (a, b))
        if first != second:
            k = next(k for k, (x, y) in enumerate(zip(first, second, strict=True)) if x != y)
            raise ParameterError(
                f"{who} compares matrices of the same units in the same order, but unit {k} is "
                f"{first[k]!r} in one and {second[k]!r} in the other: reorder one, as in "
                f"b.sel({b.dims[-2]}=labels, {b.dims[-1]}=labels).",
                parameter="b",
                given=second[k],
                needed=first[k],
            )
    return _each(function, _pairs(a, "pair"), _pairs(b, "pair"), name)


def _pairs(matrix: xr.DataArray, dim: str) -> xr.DataArray:
    """Upper triangles, without the names of units, which may differ."""
    rows, columns = matrix.dims[-2:]
    bare = matrix.drop_vars([c for c in matrix.coords if {rows, columns} & {*matrix[c].dims}])
    pairs = upper_triangle(bare)
    return pairs.drop_vars([rows, columns]).rename(pair=dim)


def _each(
    function: Callable[[Any, Any], Any],
    a: xr.DataArray,
    b: xr.DataArray,
    name: str,
    vectorize: bool = False,
) -> xr.DataArray:
    try:
        out: xr.DataArray = xr.apply_ufunc(
            function,
            a,
            b,
            input_core_dims=[[a.dims[-1]], [b.dims[-1]]],
            vectorize=vectorize,
            dask="parallelized",
            output_dtypes=[float],
            dask_gufunc_kwargs={"allow_rechunk": True},
        )
    except ValueError as error:  # xarray's, for dimensions that both have
        raise ShapeError(
            f"the leading dimensions of what is compared do not fit: {error}",
            given=b.shape[:-1],
            needed=a.shape[:-1],
        ) from error
    out.attrs = {"units": "1", "long_name": name}
    return out


def _correlation(a: Any, b: Any) -> Any:
    x, y = (np.asarray(v, float) - np.mean(v, -1, keepdims=True, dtype=float) for v in (a, b))
    scale = np.sqrt((x * x).sum(-1) * (y * y).sum(-1))
    return (x * y).sum(-1) / np.where(scale > 0, scale, np.nan)


def _rmse(a: Any, b: Any) -> Any:
    return np.sqrt(((np.asarray(a, float) - b) ** 2).mean(-1))


def _distance(a: Any, b: Any) -> float:
    from scipy.stats import ks_2samp

    if np.isnan(a).any() or np.isnan(b).any():
        return float("nan")
    return float(ks_2samp(a, b, method="asymp").statistic)
