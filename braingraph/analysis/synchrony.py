"""Phases, and how much they agree: now, on average, and how much that comes and goes."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from braingraph.analysis.blocks import is_lazy
from braingraph.analysis.recorded import Recorded, recorded
from braingraph.errors import ParameterError

_map_overlap: Any = da.map_overlap  # Dask's functions have no types


def phase(signal: Any, margin: Any = None) -> xr.DataArray:
    """The phase of oscillating signals, by the Hilbert transform.

    ::

        theta(t) = arg(z(t) + i H[z](t)),   z = x - mean_t x

    in (-pi, pi]: 0 at a peak, growing with time. A phase means something for signals with one
    rhythm; filter others first. Towards both ends of the recording it is less true.

    A lazy signal with several blocks in time is transformed block by block, each with a margin of
    its neighbours on both sides, which is cut off afterwards. At the seams the phase then differs
    from that of the whole signal by about 0.05 rad times period / margin.

    Parameters
    ----------
    signal : xarray.DataArray
        A recorded variable, dimensions ``(..., time, unit)``.
    margin : quantity of time, default None
        Ten periods of the slowest rhythm, or more. Needed by lazy signals with several blocks in
        time; without effect on others.

    Returns an array like the signal [rad], lazy if it is.

    Errors
    ------
    ParameterError
        No recorded variable; a lazy signal of several blocks without a margin, or with one that is
        longer than the signal or no multiple of the sampling interval.
    UnitError
        ``margin`` is no time.

    Source: Gabor 1946, J IEE 93:429 (the analytic signal); the transform: scipy.signal.hilbert.

    Examples
    --------
    >>> t = np.arange(1, 1001)  # ms
    >>> x = xr.DataArray(np.cos(2 * np.pi * 0.01 * t)[:, None], {"time": t}, ("time", "cortex"))
    >>> phase(x).sel(time=[25, 50])[:, 0].values.round(3).tolist()
    [1.571, 3.142]
    """
    r = recorded(signal, "phase")
    data = r.data
    if not is_lazy(data) or len(data.chunks[-2]) == 1:
        theta = data.map_blocks(_angle, dtype=r.dtype) if is_lazy(data) else _angle(data)
    else:
        theta = _in_blocks(r, _margin(r, margin))
    out: xr.DataArray = r.array.copy(data=theta).rename(None)
    out.attrs = {"units": "rad", "long_name": "phase"}
    return out


def order_parameter(phases: Any) -> xr.DataArray:
    """The Kuramoto order parameter: how much phases agree at each time.

    ::

        R(t) = |(1/n) sum_j exp(i theta_j(t))|

    1 when all phases are equal, 0 when they are spread evenly, about 1 / sqrt(n) when they have
    nothing to do with each other.

    Parameters
    ----------
    phases : xarray.DataArray
        Dimensions ``(..., time, unit)``, in rad, wrapped or not: recorded phases, or those that
        :func:`phase` finds.

    Returns an array ``(..., time)`` [1], lazy if the phases are.

    Errors
    ------
    ParameterError
        No recorded variable, or one in a unit that no phase has.

    Source: Kuramoto 1984, Chemical Oscillations, Waves, and Turbulence, section 5.4.
    :class:`braingraph.observers.OrderParameter` finds it while a run goes on.

    Examples
    --------
    >>> theta = xr.DataArray([[0.0, 0.0, np.pi], [1.0, 1.0, 1.0]], dims=("time", "cortex"))
    >>> order_parameter(theta).values.round(4).tolist()
    [0.3333, 1.0]
    """
    return _order(phases, "order_parameter").astype(np.result_type(phases.dtype, np.float32))


def synchrony(phases: Any) -> xr.DataArray:
    """How much phases agree on average.

    ::

        mean_t R(t)

    with R the :func:`order_parameter`.

    Parameters
    ----------
    phases : xarray.DataArray
        As for :func:`order_parameter`.

    Returns an array of the leading dimensions [1], lazy if the phases are.

    Errors
    ------
    ParameterError
        As for :func:`order_parameter`.

    Source: Shanahan 2010, Chaos 20:013108.

    Examples
    --------
    >>> theta = xr.DataArray([[0.0, 0.0, np.pi], [1.0, 1.0, 1.0]], dims=("time", "cortex"))
    >>> float(synchrony(theta).round(4))
    0.6667
    """
    r = _order(phases, "synchrony")
    return _described(r.mean(str(r.dims[-1]), skipna=False), "synchrony")


def metastability(phases: Any) -> xr.DataArray:
    """How much synchrony comes and goes.

    ::

        std_t R(t)

    with R the :func:`order_parameter`, over T - 1.

    Parameters
    ----------
    phases : xarray.DataArray
        As for :func:`order_parameter`.

    Returns an array of the leading dimensions [1], lazy if the phases are. NaN of one sample.

    Errors
    ------
    ParameterError
        As for :func:`order_parameter`.

    Source: Shanahan 2010, Chaos 20:013108, where it is the variance, this squared, averaged over
    the parts of a network.

    Examples
    --------
    >>> theta = xr.DataArray([[0.0, 0.0, np.pi], [1.0, 1.0, 1.0]], dims=("time", "cortex"))
    >>> float(metastability(theta).round(4))
    0.4714
    """
    r = _order(phases, "metastability")
    if r.sizes[r.dims[-1]] < 2:
        return _described(r.isel({r.dims[-1]: 0}, drop=True) * np.nan, "metastability")
    return _described(r.std(str(r.dims[-1]), ddof=1, skipna=False), "metastability")


def _order(phases: Any, who: str) -> xr.DataArray:
    """R in float64: (*leading, time)"""
    r = recorded(phases, who)
    if r.units not in ("1", "rad"):
        raise ParameterError(
            f"{who} takes phases in rad, but got [{r.units}]: find them first, as in "
            f"{who}(phase(signal)).",
            parameter="phases",
            given=r.units,
        )
    theta = r.array.astype(float)
    parts: tuple[Any, Any] = np.cos(theta), np.sin(theta)
    x, y = (part.mean(r.unit, skipna=False) for part in parts)
    return _described(np.hypot(x, y), "order parameter")


def _described(out: Any, name: str) -> xr.DataArray:
    out.attrs = {"units": "1", "long_name": name}
    described: xr.DataArray = out
    return described


def _angle(x: Any) -> Any:
    from scipy.signal import hilbert

    x = np.asarray(x)
    centred = x - x.mean(-2, keepdims=True, dtype=float)
    return np.angle(hilbert(centred, axis=-2)).astype(np.result_type(x.dtype, np.float32))


def _margin(r: Recorded, margin: Any) -> int:
    if margin is None:
        raise ParameterError(
            f"phase finds a signal that is lazy, in {len(r.data.chunks[-2])} blocks of time: say "
            "how far it must look beyond a block, ten periods of the slowest rhythm, as in "
            "margin=1 * u.second, or load it first, as in phase(signal.load()).",
            parameter="margin",
            given=None,
        )
    return r.count(margin, "margin")


def _in_blocks(r: Recorded, margin: int) -> Any:
    depth = {axis: margin if axis == r.data.ndim - 2 else 0 for axis in range(r.data.ndim)}
    return _map_overlap(_angle, r.data, depth=depth, boundary="none", dtype=r.dtype)
