"""Functional connectivity: correlations of every two units, in one pass over the signal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from braingraph.analysis.blocks import blocks
from braingraph.analysis.recorded import Recorded, recorded
from braingraph.errors import ParameterError
from braingraph.units import brief


def functional_connectivity(signal: Any, dim: str = "time") -> xr.DataArray:
    """Correlations of every two units over time.

    ::

        fc_ij = sum_t z_i(t) z_j(t) / T,   z = (x - mean_t x) / std_t x

    in float64, in one pass: each block of samples gives its mean m and its centred sums
    C = sum_t (x - m)(x - m)', and two blocks a and b with A and B samples are merged by ::

        C = C_a + C_b + (m_b - m_a)(m_b - m_a)' A B / (A + B)

    so memory holds a few blocks (16 MB or a row of the store's chunks, and an N x N matrix each),
    however long the signal.

    Parameters
    ----------
    signal : xarray.DataArray
        A recorded variable, dimensions ``(..., time, unit)``. Leading dimensions are kept.
    dim : str, default "time"
        Over what. ``"time"`` also stands for the time of a slower monitor, ``"time_720ms"``.

    Returns an array ``(..., unit, unit_2)`` [1], both labelled as the units were, lazy if the
    signal is. The diagonal is exactly 1. A unit that never changes has no correlation: NaN.

    Errors
    ------
    ParameterError
        ``signal`` is no DataArray of numbers, or has not that dimension and one of units.

    Source: Biswal et al. 1995, Magn Reson Med 34:537 (correlations of slow fluctuations at rest);
    merging: Chan, Golub & LeVeque 1983, Am Stat 37:242, eq. 2.1.

    Examples
    --------
    >>> x = xr.DataArray([[0.0, 1.0], [1.0, 0.0], [2.0, -1.0]], dims=("time", "cortex"))
    >>> functional_connectivity(x).values.round(6).tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    """
    r = recorded(signal, "functional_connectivity", dim)
    fc = correlations(r.data, r.dtype)
    return r.result(fc, (r.unit, f"{r.unit}_2"), pair_labels(r), "1", "functional connectivity")


def upper_triangle(matrix: Any) -> xr.DataArray:
    """What a symmetric matrix says of every two: its entries above the diagonal.

    ::

        v_p = m_ij,   p = (i, j), i < j, row after row

    Parameters
    ----------
    matrix : xarray.DataArray
        Dimensions ``(..., unit, unit_2)``, such as :func:`functional_connectivity` or
        :func:`fc_dynamics` return.

    Returns an array ``(..., pair)`` in the matrix' unit; along ``pair`` the labels of both
    members, or their numbers, are coordinates.

    Errors
    ------
    ParameterError
        The last two dimensions are not those of a square matrix of 2 or more.

    Examples
    --------
    >>> fc = xr.DataArray([[1.0, 0.5], [0.5, 1.0]], {"cortex": ["l", "r"]}, ("cortex", "cortex_2"))
    >>> upper_triangle(fc).values.tolist()
    [0.5]
    """
    matrix = square(matrix, "upper_triangle")
    i, j = np.triu_indices(matrix.shape[-1], 1)
    rows, columns = (str(d) for d in matrix.dims[-2:])
    index = {rows: xr.Variable("pair", i), columns: xr.Variable("pair", j)}
    out: xr.DataArray = matrix.isel(index)
    return out.assign_coords({d: at for d, at in index.items() if d not in out.coords})


def square(matrix: Any, who: str) -> xr.DataArray:
    """``matrix`` if its last two dimensions are those of a square matrix."""
    shape = matrix.shape if isinstance(matrix, xr.DataArray) else ()
    if len(shape) < 2 or shape[-1] != shape[-2] or shape[-1] < 2:
        got = f"shape {shape}" if shape else brief(matrix)
        raise ParameterError(
            f"{who} needs a matrix (..., unit, unit_2), as functional_connectivity returns, of "
            f"two units or more, but got {got}.",
            parameter="matrix",
            given=shape,
        )
    out: xr.DataArray = matrix
    return out


def pair_labels(r: Recorded) -> dict[str, Any]:
    """The labels of the units, along both dimensions of a matrix."""
    found = r.labels(r.unit)
    return found | {f"{r.unit}_2": c.rename({r.unit: f"{r.unit}_2"}) for c in found.values()}


def correlations(data: Any, dtype: Any) -> Any:
    """Of every two columns of (*leading, row, column), lazy if they are."""
    cut = blocks(data, whole=True)
    return cut.reduced(Moments.of, Moments.merged, Moments.correlation, data.shape[-1], dtype)


@dataclass(frozen=True)
class Moments:
    """Of some samples: how many, their mean (*leading, unit), their centred sums of products."""

    count: int
    mean: Any
    comoment: Any

    @classmethod
    def of(cls, block: Any) -> Moments:
        """Of a block (*leading, time, unit), in float64."""
        x = np.array(block, np.float64)
        # About the first sample, so that what never changes is 0 and not what rounding left.
        first = x[..., :1, :].copy()
        x -= first
        mean = x.mean(-2, keepdims=True)
        x -= mean
        return cls(x.shape[-2], (first + mean)[..., 0, :], x.swapaxes(-1, -2) @ x)

    def merged(self, other: Moments) -> Moments:
        """Of the samples of both."""
        count = self.count + other.count
        apart = other.mean - self.mean
        weight = other.count / count
        comoment = self.comoment + other.comoment
        comoment += apart[..., :, None] * apart[..., None, :] * (self.count * weight)
        return Moments(count, self.mean + weight * apart, comoment)

    def correlation(self) -> Any:
        """(*leading, unit, unit): 1 on the diagonal, NaN where a unit never changes."""
        own = np.diagonal(self.comoment, axis1=-2, axis2=-1)
        moves = own > 0
        scale = np.sqrt(np.where(moves, own, np.nan))
        fc = np.clip(self.comoment / scale[..., :, None] / scale[..., None, :], -1, 1)
        each = np.arange(fc.shape[-1])
        fc[..., each, each] = np.where(moves, 1.0, np.nan)
        return fc
