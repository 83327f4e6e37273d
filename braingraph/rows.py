"""Rows of a stored array, seen lazily as the axes of a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import zarr
from dask.array import from_array

from braingraph.batches import Numbers

_from_array: Any = from_array  # Dask's functions have no types


def lazy(array: zarr.Array[Any], rows: Numbers, status: Any) -> Any:
    """An array (row, ...) as (*axes, ...), in chunks that follow those on disk."""
    chunks = (*_axis_chunks(rows, array.chunks[0]), *array.chunks[1:])
    return _from_array(_Rows(array, rows, status > 0), chunks=chunks, name=False, fancy=False)


def _axis_chunks(rows: Numbers, room: int) -> tuple[int, ...]:
    """How many of each axis make up about ``room`` neighbouring rows."""
    apart = [
        np.abs(np.diff(rows, axis=k)).mean() if n > 1 else 0.0 for k, n in enumerate(rows.shape)
    ]
    sizes = [1] * rows.ndim
    for k in sorted(range(rows.ndim), key=lambda k: (apart[k], -k)):
        sizes[k] = max(1, min(rows.shape[k], room))
        room = room // rows.shape[k] if sizes[k] == rows.shape[k] else 1
    return tuple(sizes)


class _Rows:
    """An array (row, ...) seen as (*axes, ...): what Dask cuts its chunks from."""

    def __init__(self, array: zarr.Array[Any], rows: Numbers, done: Any) -> None:
        self.array, self.rows, self.done = array, rows, done
        self.shape = (*rows.shape, *array.shape[1:])
        self.ndim, self.dtype = len(self.shape), array.dtype

    def __getitem__(self, index: tuple[Any, ...]) -> np.ndarray[Any, Any]:
        cut = self.rows.ndim
        rows = self.rows[index[:cut]]
        read, then = _forward(index[cut:], self.shape[cut:])
        wanted, place = np.unique(rows, return_inverse=True)
        out = np.full((len(wanted), *(s.stop - s.start for s in read)), np.nan, self.dtype)
        breaks = np.flatnonzero(np.diff(wanted) > 1) + 1
        for at in np.split(np.arange(len(wanted)), breaks):  # one read for neighbouring rows
            there = slice(int(wanted[at[0]]), int(wanted[at[-1]]) + 1)
            out[at] = self.array[(there, *read)]
        out[~self.done[wanted]] = np.nan
        found: np.ndarray[Any, Any] = out[(place.reshape(rows.shape), *then)]
        return found


def _forward(index: Sequence[Any], shape: Sequence[int]) -> tuple[list[slice], list[Any]]:
    """An index in two parts: what Zarr reads, forward and whole, and what NumPy makes of it."""
    read: list[slice] = []
    then: list[Any] = []
    for item, size in zip(index, shape, strict=True):
        if not isinstance(item, slice):
            read.append(slice(int(item), int(item) + 1))
            then.append(0)
            continue
        start, stop, step = item.indices(size)
        count = len(range(start, stop, step))
        last = start + (count - 1) * step
        low = min(start, last) if count else 0
        read.append(slice(low, max(start, last) + 1 if count else 0))
        then.append(slice(None, None, step))
    return read, then
