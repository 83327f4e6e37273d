"""Stored arrays as lazy ones: samples of a run, and rows of a sweep along its axes."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import zarr
from dask.array import from_array

from braingraph.batches import Numbers
from braingraph.errors import StoreError
from braingraph.places import reason

_from_array: Any = from_array  # Dask's functions have no types


def prefix(array: zarr.Array[Any], samples: int) -> Any:
    """The first samples of an array (..., time, unit), in the chunks that it has on disk."""
    chunks = array.chunks
    whole = _from_array(_Checked(array), chunks=chunks, name=False, fancy=False, asarray=False)
    return whole[..., :samples, :]


def read(array: zarr.Array[Any], where: tuple[slice, ...]) -> np.ndarray[Any, Any]:
    """A part of a stored array.

    Errors
    ------
    StoreError
        A chunk is cut short or changed (field ``file``); or the array is not there: without this,
        what a machine cannot reach would read as what was never written.
    """
    try:
        values = np.asarray(array[where])
    except Exception as error:  # whatever the codecs, the disk or the service say
        raise _damaged(array, where, error) from error
    if values.size and values.dtype.kind in "fc" and np.isnan(values.flat[0]):
        _check_there(array)
    return values


def _damaged(array: zarr.Array[Any], where: tuple[slice, ...], error: Exception) -> StoreError:
    name = f"{array.store_path}"
    for chunk in _chunks(array, where):
        try:
            array[
                tuple(slice(k * c, (k + 1) * c) for k, c in zip(chunk, array.chunks, strict=True))
            ]
        except Exception as own:  # this is the one
            name, error = f"{name}/c/{'/'.join(map(str, chunk))}", own
            break
    return StoreError(
        f"{name!r} cannot be read: {reason(error)}. If it was cut short or changed, only its own "
        "samples are lost: take it from a copy, or leave them out.",
        path=str(array.store_path),
        file=name,
    )


def _chunks(array: zarr.Array[Any], where: tuple[slice, ...]) -> Iterator[tuple[int, ...]]:
    """The chunks that a part touches."""
    spans = []
    for part, size, chunk in zip(where, array.shape, array.chunks, strict=True):
        start, stop, _ = part.indices(size)
        spans.append(range(start // chunk, -(-stop // chunk)))
    return itertools.product(*spans)


def _check_there(array: zarr.Array[Any]) -> None:
    try:
        zarr.open_array(array.store, path=array.path, mode="r", zarr_format=3)
    except FileNotFoundError as error:
        raise StoreError(
            f"There is no array {str(array.store_path)!r} on {socket.gethostname()} (any more): "
            "the store was moved or replaced, or this machine does not share its folder.",
            path=str(array.store_path),
        ) from error


class _Checked:
    """An array whose parts are read with ``read``: what Dask cuts its chunks from."""

    def __init__(self, array: zarr.Array[Any]) -> None:
        self.array, self.shape, self.dtype = array, array.shape, array.dtype
        self.ndim = len(self.shape)

    def __getitem__(self, index: tuple[Any, ...]) -> np.ndarray[Any, Any]:
        wanted, then = _forward(index, self.shape)
        found: np.ndarray[Any, Any] = read(self.array, tuple(wanted))[tuple(then)]
        return found


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
        part, then = _forward(index[cut:], self.shape[cut:])
        wanted, place = np.unique(rows, return_inverse=True)
        out = np.full((len(wanted), *(s.stop - s.start for s in part)), np.nan, self.dtype)
        breaks = np.flatnonzero(np.diff(wanted) > 1) + 1
        for at in np.split(np.arange(len(wanted)), breaks):  # one read for neighbouring rows
            there = slice(int(wanted[at[0]]), int(wanted[at[-1]]) + 1)
            out[at] = read(self.array, (there, *part))
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
