"""Recorded variables made by hand, in memory and lazy, for the tests of measures."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

LABELS = ("left", "right", "middle", "back")


def recording(
    values: Any,
    period: float = 1.0,
    units: str = "mV",
    chunks: int | None = None,
    time: str = "time",
    start: float = 0.0,
) -> xr.DataArray:
    """Values (..., time, unit) as the recorder labels them; lazy with ``chunks`` samples each."""
    values = np.asarray(values)
    leading = [f"axis_{k}" for k in range(values.ndim - 2)]
    samples, many = values.shape[-2:]
    coords: dict[str, Any] = {
        time: (time, start + period * np.arange(1, samples + 1), {"units": "ms"}),
        "cortex": list(LABELS[:many]) if many <= len(LABELS) else np.arange(many),
        **{dim: 10 * np.arange(n) for dim, n in zip(leading, values.shape[:-2], strict=True)},
    }
    attrs = {"units": units, "long_name": "cortex.x", "reduce": "sample"}
    out = xr.DataArray(values, coords, (*leading, time, "cortex"), name="cortex.x", attrs=attrs)
    return lazy(out, chunks) if chunks else out


def lazy(signal: xr.DataArray, samples: int, units: int = 2) -> xr.DataArray:
    """The same in chunks of so many samples and units, one entry of each leading dimension."""
    *leading, time, unit = signal.dims
    return signal.chunk({**dict.fromkeys(leading, 1), time: samples, unit: units})


def is_lazy(result: xr.DataArray) -> bool:
    return isinstance(result.data, da.Array)


def noise(*shape: int, seed: int = 0, dtype: str = "float64") -> Any:
    """Normal numbers about 3, so that a mean that is forgotten shows."""
    return (3 + np.random.default_rng(seed).normal(size=shape)).astype(dtype)
