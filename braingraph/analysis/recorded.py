"""What every measure is given: a recorded variable, its axes in order, its clock and its unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import brainunit as u
import numpy as np
import xarray as xr

from braingraph.errors import ParameterError, UnitError
from braingraph.records import TIME_ATTRS
from braingraph.units import (
    brief,
    milliseconds,
    show_time,
    strip,
    unit_named,
)


@dataclass(frozen=True)
class Recorded:
    """A recorded variable with its axes in the order (*leading, time, unit)."""

    array: xr.DataArray
    time: str
    unit: str
    who: str  # the function that was called, for messages

    @property
    def data(self) -> Any:
        """The numbers, in memory or lazy."""
        return self.array.data

    @property
    def leading(self) -> tuple[str, ...]:
        return tuple(str(d) for d in self.array.dims[:-2])

    @property
    def samples(self) -> int:
        return int(self.array.shape[-2])

    @property
    def units(self) -> str:
        """The unit of the values as it is written down: ``"mV"``."""
        return str(self.array.attrs.get("units", "1"))

    @property
    def dtype(self) -> Any:
        """What results come in: the signal's own precision."""
        return np.result_type(self.array.dtype, np.float32)

    def labels(self, *dims: str) -> dict[str, Any]:
        """Coordinates along these dimensions, as far as there are any."""
        return {d: self.array.coords[d] for d in dims if d in self.array.coords}

    def result(
        self, data: Any, dims: tuple[str, ...], coords: Mapping[str, Any], units: str, name: str
    ) -> xr.DataArray:
        """``data`` with dimensions (*leading, *dims)."""
        whole = {**self.labels(*self.leading), **coords}
        attrs = {"units": units, "long_name": name}
        return xr.DataArray(data, whole, (*self.leading, *dims), attrs=attrs)

    # ------------------------------------------------------------ time
    @property
    def period(self) -> float:
        """The time between samples in ms; ParameterError unless all are equally far apart."""
        known, last = self.time in self.array.coords, self.samples - 1
        if not known or last < 1:
            raise ParameterError(
                f"{self.who} must know when the samples were taken, but the signal has "
                f"{'one sample' if known else f'no coordinate {self.time!r}'}: give it "
                f"times in ms, as in signal.assign_coords({self.time}=np.arange(1, n + 1) * 0.1).",
                parameter="signal",
                given=self.samples,
            )
        # A few of them: the axis of a store may be larger than what is analysed at a time.
        times = self.array.coords[self.time]
        first, second, half, end = (float(times[k]) for k in (0, 1, last // 2, last))
        period = (end - first) / last
        where = (first + period, first + (last // 2) * period)
        if not period > 0 or not np.allclose((second, half), where, rtol=0, atol=1e-3 * period):
            raise ParameterError(
                f"{self.who} needs samples that are equally far apart, but those of the signal "
                f"are not: {second - first:g} ms at first, {period:g} ms on average. Select them "
                "with a fixed step, as in signal.isel(time=slice(0, None, 10)).",
                parameter="signal",
                given=second - first,
                needed=period,
            )
        return float(f"{period:.10g}")

    @property
    def start(self) -> float:
        """When the first sample's interval began, in ms: a sample stands at its end."""
        return float(self.array.coords[self.time][0]) - self.period

    def count(self, given: Any, what: str, least: int = 1) -> int:
        """A time as a number of samples: a whole one, at least ``least`` and at most all."""
        period, ms = self.period, milliseconds(given, f"{what} of {self.who}")
        number = round(ms / period)
        if abs(number - ms / period) > 1e-6 * max(number, 1):
            raise ParameterError(
                f"{what} of {self.who} is {show_time(ms)}, but must be a multiple of the "
                f"{show_time(period)} between samples, such as {show_time(max(number, 1) * period)}"
                ".",
                parameter=what,
                given=ms,
                needed=period,
            )
        if number < least:
            raise ParameterError(
                f"{what} of {self.who} is {show_time(ms)}, {number} samples, but must be at least "
                f"{least}, {show_time(least * period)}.",
                parameter=what,
                given=ms,
                needed=least * period,
            )
        if number > self.samples:
            raise ParameterError(
                f"{what} of {self.who} is {show_time(ms)}, longer than the signal of "
                f"{show_time(self.samples * period)}: take a shorter one, or record longer.",
                parameter=what,
                given=ms,
                needed=self.samples * period,
            )
        return number

    # ------------------------------------------------------------ values
    def plain(self, value: Any, what: str) -> float:
        """A value in the signal's unit; plain numbers are in it already."""
        if not isinstance(value, u.Quantity):
            return float(value)
        unit = unit_named(self.units)
        if unit is None:
            raise UnitError(
                f"{what} of {self.who} is {brief(value)}, but the unit of the signal, "
                f"[{self.units}], is not known: give a number in [{self.units}].",
                given=value.unit,
                needed=self.units,
            )
        return float(strip(value, unit, f"{what} of {self.who}"))


def recorded(signal: Any, who: str, dim: str = "time") -> Recorded:
    """The signal with its axes in order; ParameterError for what is no recorded variable."""
    if not isinstance(signal, xr.DataArray):
        raise ParameterError(
            f"{who} takes a recorded variable, as in ds['bold.bold'], but got {brief(signal)}.",
            parameter="signal",
        )
    dims = [str(d) for d in signal.dims]
    times = [d for d in dims if d == dim or (dim == "time" and d.startswith("time_"))]
    others = [d for d in dims if d not in times]
    if len(times) != 1 or not others:
        raise ParameterError(
            f"{who} needs dimensions (..., {dim}, unit), but the signal has ({', '.join(dims)}).",
            parameter="dim",
            given=tuple(dims),
        )
    if not signal.size or signal.dtype.kind not in "buif":
        raise ParameterError(
            f"{who} needs real numbers, but the signal has shape {signal.shape} of {signal.dtype}.",
            parameter="signal",
            given=signal.shape,
        )
    return Recorded(signal.transpose(..., times[0], others[-1]), times[0], others[-1], who)


def with_dimension(array: Any, dim: str, who: str, made_by: str) -> xr.DataArray:
    """``array`` if it has the dimension that another measure gives; ParameterError otherwise."""
    if isinstance(array, xr.DataArray) and dim in array.dims:
        return array
    dims = [str(d) for d in array.dims] if isinstance(array, xr.DataArray) else []
    got = f"dimensions ({', '.join(dims)})" if dims else brief(array)
    raise ParameterError(
        f"{who} takes what {made_by} returns, with a dimension '{dim}', but got {got}.",
        parameter=dim,
        given=tuple(dims),
    )


def time_coordinate(dim: str, values: Any) -> xr.Variable:
    """Times in ms."""
    return xr.Variable((dim,), np.asarray(values, float), dict(TIME_ATTRS))


def squared(units: str) -> str:
    """The square of a unit as it is written down."""
    if units == "1":
        return units
    return f"{units}^2" if units.isalpha() else f"({units})^2"
