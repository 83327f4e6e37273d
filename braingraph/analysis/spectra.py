"""Power spectra by Welch's method, and what is read off them."""

from __future__ import annotations

from typing import Any

import brainunit as u
import numpy as np
import xarray as xr

from braingraph.analysis.blocks import blocks
from braingraph.analysis.recorded import recorded, squared, with_dimension
from braingraph.errors import ParameterError
from braingraph.units import brief, strip

_PER_HERTZ = " / Hz"


def power_spectrum(
    signal: Any, segment: Any, *, overlap: float = 0.5, window: str = "hann"
) -> xr.DataArray:
    """Power spectral density by Welch's method.

    ::

        P(f) = mean_k |sum_t w(t) (x(t + k step) - mean_k) exp(-2 pi i f t)|^2 2 / (fs sum_t w^2)

    over all segments k that fit, one-sided (no factor 2 at 0 and at fs / 2), in float64. It is
    ``scipy.signal.welch`` of the whole signal, but segments are averaged block by block, so memory
    holds a few blocks (16 MB, a row of the store's chunks, or two segments), however long the
    signal.

    Parameters
    ----------
    signal : xarray.DataArray
        A recorded variable, dimensions ``(..., time, unit)``.
    segment : quantity of time
        The length of a segment, a multiple of the sampling interval: frequencies are
        1 / segment apart. The error of P is about P / sqrt(number of segments).
    overlap : 1, default 0.5
        Of a segment, the part that it shares with the next; from 0 up to, not including, 1.
    window : str, default "hann"
        Any of ``scipy.signal.get_window``, as in ``"boxcar"``.

    Returns an array ``(..., frequency, unit)`` in the signal's unit squared / Hz, lazy if the
    signal is. ``frequency`` is in Hz; ``attrs["segments"]`` is how many were averaged.

    Errors
    ------
    ParameterError
        No recorded variable, samples that are not equally far apart, a segment that is no multiple
        of the sampling interval, of less than 2 samples, or longer than the signal; an overlap out
        of range; an unknown window.
    UnitError
        ``segment`` is no time.

    Source: Welch 1967, IEEE Trans Audio Electroacoust 15:70.

    Examples
    --------
    >>> t = np.arange(1, 2001)  # ms
    >>> x = xr.DataArray(np.sin(2 * np.pi * 0.01 * t)[:, None], {"time": t}, ("time", "cortex"))
    >>> spectrum = power_spectrum(x.assign_attrs(units="mV"), 0.5 * u.second)
    >>> spectrum.attrs["units"], float(peak_frequency(spectrum)[0])
    ('mV^2 / Hz', 10.0)
    """
    from scipy.signal import welch

    r = recorded(signal, "power_spectrum")
    length = r.count(segment, "segment", least=2)
    if not 0 <= overlap < 1:
        raise ParameterError(
            f"the overlap of power_spectrum must be 0 or more and below 1, but is "
            f"{brief(overlap)}.",
            parameter="overlap",
            given=overlap,
        )
    step = length - int(length * overlap)
    rate = 1000.0 / r.period
    taper = _taper(window, length)
    cut = blocks(r.data, length, step)
    count = sum(cut.windows)

    def summed(block: Any) -> Any:
        samples = np.asarray(block, np.float64)
        segments = (samples.shape[-2] - length) // step + 1
        _, mean = welch(samples, rate, taper, length, length - step, axis=-2)
        return mean * segments

    power = cut.reduced(summed, np.add, lambda total: total / count, length // 2 + 1, r.dtype)
    frequency = np.fft.rfftfreq(length, 1 / rate)
    units = squared(r.units) + _PER_HERTZ
    coords = {"frequency": ("frequency", frequency, {"units": "Hz"}), **r.labels(r.unit)}
    out = r.result(power, ("frequency", r.unit), coords, units, "power spectral density")
    return out.assign_attrs(segments=count)


def band_power(spectrum: Any, low: Any = None, high: Any = None) -> xr.DataArray:
    """Power in a band of frequencies.

    ::

        p = sum_f P(f) df,   low <= f < high

    so bands side by side add up, and the power of all frequencies is the mean variance of the
    segments (exactly so for a window of ones).

    Parameters
    ----------
    spectrum : xarray.DataArray
        From :func:`power_spectrum`, dimensions ``(..., frequency, unit)``.
    low, high : quantity of frequency, default None
        As in ``8 * u.Hz``; None: from 0, to the last one.

    Returns an array without ``frequency``, in the signal's unit squared, lazy if ``spectrum`` is.

    Errors
    ------
    ParameterError
        No spectrum, or no frequency of it in the band.
    UnitError
        ``low`` or ``high`` is no frequency.

    Examples
    --------
    >>> t = np.arange(1, 2001)  # ms
    >>> x = xr.DataArray(np.sin(2 * np.pi * 0.01 * t)[:, None], {"time": t}, ("time", "cortex"))
    >>> spectrum = power_spectrum(x, 0.5 * u.second)
    >>> float(band_power(spectrum, 8 * u.Hz, 12.1 * u.Hz)[0].round(6))
    0.5
    """
    band = _band(spectrum, low, high, "band_power")
    frequency = spectrum["frequency"].values
    out: xr.DataArray = band.sum("frequency", skipna=False) * float(frequency[1] - frequency[0])
    units = str(spectrum.attrs.get("units", "1")).removesuffix(_PER_HERTZ)
    out.attrs = {"units": units, "long_name": "power"}
    return out


def peak_frequency(spectrum: Any, low: Any = None, high: Any = None) -> xr.DataArray:
    """The frequency that has the most power.

    ::

        f = argmax_f P(f),   low <= f < high

    one of the spectrum's frequencies, so it is known to 1 / segment.

    Parameters
    ----------
    spectrum : xarray.DataArray
        From :func:`power_spectrum`, dimensions ``(..., frequency, unit)``.
    low, high : quantity of frequency, default None
        Where to look, as in ``8 * u.Hz``; None: from 0, to the last one.

    Returns an array without ``frequency`` [Hz], lazy if ``spectrum`` is; NaN where the power is.

    Errors
    ------
    ParameterError
        No spectrum, or no frequency of it in the band.
    UnitError
        ``low`` or ``high`` is no frequency.

    Examples
    --------
    >>> f = xr.Variable("frequency", [0.0, 5.0, 10.0])
    >>> spectrum = xr.DataArray([[3.0], [1.0], [2.0]], {"frequency": f}, ("frequency", "cortex"))
    >>> float(peak_frequency(spectrum)[0]), float(peak_frequency(spectrum, low=1 * u.Hz)[0])
    (0.0, 10.0)
    """
    band = _band(spectrum, low, high, "peak_frequency")
    frequency = band["frequency"].values
    known = band.notnull().all("frequency")
    at = band.drop_vars("frequency").fillna(0.0).argmax("frequency")
    out: xr.DataArray = xr.apply_ufunc(
        frequency.__getitem__, at, dask="parallelized", output_dtypes=[float]
    ).where(known)
    out.attrs = {"units": "Hz", "long_name": "frequency of the most power"}
    return out


def _taper(window: str, length: int) -> Any:
    from scipy.signal import get_window

    try:
        return get_window(window, length)
    except (ValueError, TypeError) as error:
        raise ParameterError(
            f"the window of power_spectrum is {brief(window)}: {error}. Take one of "
            "scipy.signal.get_window, such as 'hann' or 'boxcar'.",
            parameter="window",
            given=window,
        ) from error


def _band(spectrum: Any, low: Any, high: Any, who: str) -> xr.DataArray:
    spectrum = with_dimension(spectrum, "frequency", who, "power_spectrum")
    frequency = spectrum["frequency"].values
    keep = np.ones(frequency.shape, bool)
    if low is not None:
        keep &= frequency >= _hertz(low, f"low of {who}")
    if high is not None:
        keep &= frequency < _hertz(high, f"high of {who}")
    if keep.sum() < 1 or len(frequency) < 2:
        apart = frequency[-1] / max(len(frequency) - 1, 1)
        raise ParameterError(
            f"{who} finds no frequency from {brief(low)} to {brief(high)}: the spectrum has "
            f"{frequency[0]:g} to {frequency[-1]:g} Hz, {apart:.3g} Hz apart. Take a wider band, "
            "or a spectrum of longer segments.",
            parameter="low",
            given=(low, high),
        )
    band: xr.DataArray = spectrum.isel(frequency=np.flatnonzero(keep))
    return band


def _hertz(value: Any, what: str) -> float:
    return float(strip(value, u.Hz, what, "give a frequency, as in 8 * u.Hz."))
