"""Functions of one simulation that run where it ran, so that its samples need not be kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from braingraph.errors import ParameterError, RunError
from braingraph.records import Recording, plain, to_dataset
from braingraph.units import brief, magnitude, unit_of

Function = Callable[[xr.Dataset], Any]


@dataclass(frozen=True, eq=False)
class Result:
    """What a reducer gives for one simulation: the layout of its array."""

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    coords: Mapping[str, xr.Variable]
    attrs: Mapping[str, Any]

    @property
    def sizes(self) -> dict[str, int]:
        return dict(zip(self.dims, self.shape, strict=True))

    @property
    def bytes(self) -> int:
        return int(np.prod(self.shape, dtype=float)) * np.dtype(self.dtype).itemsize


def planned(reduce: Any, recordings: Sequence[Recording]) -> tuple[Result, ...]:
    """``reduce=`` checked: every function is called once, on random numbers.

    So a mistake in it shows before anything has run, and stores know what to make room for.
    """
    if reduce is None:
        return ()
    if not isinstance(reduce, Mapping) or not reduce or not all(map(callable, reduce.values())):
        raise ParameterError(
            f"reduce= is {brief(reduce)}, but must be functions of one simulation's dataset by "
            "name, as in reduce={'fc': lambda ds: functional_connectivity(ds['bold.bold'])}.",
            parameter="reduce",
        )
    rng = np.random.default_rng(0)
    arrays = {r.name: rng.standard_normal(r.shape).astype(r.dtype) for r in recordings}
    trial = to_dataset(recordings, arrays, {})
    return tuple(_planned(str(name), function, trial) for name, function in reduce.items())


def _planned(name: str, function: Function, trial: xr.Dataset) -> Result:
    try:
        value = labelled(name, function(trial))
    except Exception as error:
        raise RunError(
            f"reduce['{name}'] failed on a simulation of random numbers, before anything ran: "
            f"{type(error).__name__}: {error}",
            name=name,
        ) from error
    coords = {str(d): value.coords[d].variable for d in value.dims if d in value.coords}
    dtype = value.dtype if value.dtype.kind in "fc" else np.dtype(float)
    dims = tuple(map(str, value.dims))
    coords = {d: xr.Variable((d,), _words(v.values), plain(v.attrs)) for d, v in coords.items()}
    return Result(name, dims, value.shape, dtype.name, coords, plain(value.attrs))


def _words(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    # Objects, not "<U": the latter has no Zarr v3 specification and warns when saved.
    return values.astype(object) if values.dtype.kind in "UT" else values


def labelled(name: str, value: Any) -> xr.DataArray:
    """What a reducer returned as an array with dimensions: its own, or ``name_0``, ``name_1``."""
    if isinstance(value, xr.DataArray):
        out = value
    elif isinstance(value, xr.Dataset):
        out = xr.DataArray(None)
    else:
        array, unit = np.asarray(magnitude(value)), str(unit_of(value))
        attrs = {"units": unit} if unit else {}
        out = xr.DataArray(array, dims=[f"{name}_{k}" for k in range(array.ndim)], attrs=attrs)
    if out.dtype.kind not in "fciub":
        raise ParameterError(
            f"a reducer returns a number, an array or a DataArray, but returned {brief(value)}: "
            "give each result a reducer of its own.",
            parameter="reduce",
        )
    return out


def reduced(
    functions: Mapping[str, Function], results: Sequence[Result], data: xr.Dataset, which: str
) -> dict[str, np.ndarray[Any, Any]]:
    """The results of one simulation. ``which``: how messages call it."""
    out = {}
    for result in results:
        try:
            value = labelled(result.name, functions[result.name](data))
        except Exception as error:
            raise RunError(
                f"reduce['{result.name}'] failed for {which}: {type(error).__name__}: {error}",
                name=result.name,
                point=which,
            ) from error
        if {str(d): n for d, n in value.sizes.items()} != result.sizes:
            raise RunError(
                f"reduce['{result.name}'] must return the same shape for every simulation, but "
                f"{which} gave {dict(value.sizes)}, where {result.sizes} came before.",
                name=result.name,
                given=value.shape,
                needed=result.shape,
            )
        out[result.name] = np.asarray(value.transpose(*result.dims).values, result.dtype)
    return out


def missing(result: Result) -> np.ndarray[Any, Any]:
    """The result of a simulation that stopped being finite."""
    return np.full(result.shape, np.nan, result.dtype)
