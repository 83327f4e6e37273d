"""The times of very long recordings: a rule, not a list."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from xarray.indexes import RangeIndex

#: Samples from which times are not written down: 55 million would take 2.8 s and 1.2 GB to open.
MANY = 1 << 20
#: How near a label must come to a time, in steps.
_NEAR = 1e-6


class Timeline(RangeIndex):
    """Evenly spaced times that take no memory and are selected as any others are.

    >>> import xarray as xr
    >>> times = Timeline.arange(0.1, 1.05, 0.1, dim="time")
    >>> ds = xr.Dataset(coords=xr.Coordinates.from_xindex(times))
    >>> ds.sel(time=slice(0.25, 0.6))["time"].values.round(3).tolist()
    [0.3, 0.4, 0.5, 0.6]
    """

    def isel(self, indexers: Mapping[Any, Any]) -> Any:
        found = super().isel(indexers)
        return type(self)(found.transform) if isinstance(found, RangeIndex) else found

    def sel(self, labels: dict[Any, Any], method: Any = None, tolerance: Any = None) -> Any:
        label = labels[self.dim]
        if isinstance(label, slice) and label.step is None:
            low = 0 if label.start is None else math.ceil(self._place(label.start) - _NEAR)
            high = (
                self.size if label.stop is None else math.floor(self._place(label.stop) + _NEAR) + 1
            )
            low = min(max(low, 0), self.size)
            ends = [self.start + self.step * k for k in (low, min(max(high, low), self.size))]
            return super().sel({self.dim: slice(*ends)}, method="nearest")
        if method is None:
            values = label.values if isinstance(label, (xr.Variable, xr.DataArray)) else label
            places = self._place(np.asarray(values, float))
            wrong = (abs(places - np.rint(places)) > _NEAR) | (places < -_NEAR)
            if np.any(wrong | (places > self.size - 1 + _NEAR)):
                raise KeyError(f"no sample at {label!r}; take the nearest with method='nearest'")
        return super().sel(labels, method="nearest", tolerance=tolerance)

    def _place(self, time: Any) -> Any:
        """Where a time stands, in steps from the first."""
        return (time - self.start) / self.step


def timeline(start: float, period: float, samples: int, dim: str, attrs: Any) -> xr.Coordinates:
    """The coordinate ``dim`` of samples at start + period, start + 2 period, ..."""
    first = start + period
    index = Timeline.arange(first, first + (samples - 0.5) * period, period, dim=dim)
    coordinates = xr.Coordinates.from_xindex(index)
    coordinates[dim].attrs.update(attrs)
    return coordinates
