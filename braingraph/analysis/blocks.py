"""Signals piece by piece: blocks along time, of arrays in memory and of lazy ones alike.

A block holds whole *windows*: stretches of ``length`` samples, one every ``step``. With
``overlap = length - step`` the blocks of k windows are ``k step + overlap`` samples long, so that
neighbours share ``overlap`` samples and every window lies in exactly one block. Axes are
(*leading, time, unit) throughout, so a block of results has the axes of a block of samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any

import dask.array as da
import numpy as np
from dask.array.overlap import overlap as overlapped
from dask.core import flatten

#: What a block should take. A store's chunks have 2 to 4 MB, its rows of chunks up to 64.
BLOCK_BYTES = 16 << 20
#: Partial results that are merged at a time, and so held for each level of the tree.
_FAN_IN = 4

_overlapped: Any = overlapped  # Dask's functions have no types
_reduction: Any = da.reduction
_flatten: Any = flatten


def is_lazy(data: Any) -> bool:
    """Whether the numbers are still to be read or computed."""
    return isinstance(data, da.Array)


@dataclass(frozen=True)
class Blocks:
    """A signal cut along time. ``windows``: how many each block holds."""

    data: Any  # lazy: its chunks are the blocks
    windows: tuple[int, ...]
    length: int
    step: int

    def __iter__(self) -> Iterator[Any]:
        """The blocks of an array in memory, as views."""
        begin = 0
        for count in self.windows:
            end = begin + (count - 1) * self.step + self.length
            yield self.data[..., begin:end, :]
            begin += count * self.step

    def each(self, function: Callable[[Any], Any], width: int, dtype: Any) -> Any:
        """``function(block)`` side by side: one row a window, ``width`` columns."""
        if not is_lazy(self.data):
            return np.concatenate([np.asarray(function(b), dtype) for b in self], -2)
        chunks = (*self.data.chunks[:-2], self.windows, (width,))
        meta = np.empty((0,) * self.data.ndim, dtype)
        return self.data.map_blocks(_as_type, function, dtype, chunks=chunks, meta=meta)

    def reduced(
        self,
        partial_of: Callable[[Any], Any],
        merged: Callable[[Any, Any], Any],
        finished: Callable[[Any], Any],
        rows: int,
        dtype: Any,
    ) -> Any:
        """All blocks as one result of ``rows`` rows: ``finished(merged(partial_of(block), ...))``.

        ``merged`` must not care how the blocks are grouped.
        """
        if not is_lazy(self.data):
            return np.asarray(finished(reduce(merged, map(partial_of, self))), dtype)
        return _reduction(
            self.data,
            chunk=partial(_first, partial_of),
            combine=partial(_merge, merged),
            aggregate=partial(_finish, merged, finished, dtype),
            axis=self.data.ndim - 2,
            keepdims=True,
            concatenate=False,
            output_size=rows,
            split_every=_FAN_IN,
            dtype=dtype,
            meta=np.empty((0,) * self.data.ndim, dtype),
        )


def blocks(data: Any, length: int = 1, step: int = 1, *, whole: bool = False) -> Blocks:
    """Cut into blocks of about BLOCK_BYTES; samples after the last whole window are left out.

    ``whole``: every block has all units (of lazy signals, whose chunks may divide them).
    """
    data = data if is_lazy(data) else np.asarray(data)
    overlap = max(length - step, 0)
    count = (data.shape[-2] - length) // step + 1
    data = data[..., : (count - 1) * step + length, :]
    most = _rows(data, whole)
    # a block takes what it shares from its neighbour alone, so it is no shorter than that
    each = max(most // step, math.ceil(overlap / step), 1)
    windows = tuple(min(each, count - k) for k in range(0, count, each))
    if not is_lazy(data):
        return Blocks(data, windows, length, step)
    if step == length == 1 and max(data.chunks[-2]) == most:
        windows = data.chunks[-2]  # as they are: nothing is cut or copied
    sizes = [k * step for k in windows]
    sizes[-1] = (windows[-1] - 1) * step + length
    cut = {data.ndim - 2: tuple(sizes)}
    data = data.rechunk({**cut, data.ndim - 1: -1} if whole else cut)
    if overlap and len(sizes) > 1:
        depth = {axis: (0, overlap) if axis == data.ndim - 2 else 0 for axis in range(data.ndim)}
        data = _overlapped(data, depth=depth, boundary="none")
    return Blocks(data, windows, length, step)


def _rows(data: Any, whole: bool) -> int:
    """How many samples make a block."""
    if is_lazy(data):
        widths = [max(c) for c in (*data.chunks[:-2], data.chunks[-1])]
        widths[-1] = data.shape[-1] if whole else widths[-1]
        known: int = max(data.chunks[-2])
    else:
        widths, known = [*data.shape[:-2], data.shape[-1]], data.shape[-2]
    row: int = max(math.prod(widths) * data.dtype.itemsize, 1)
    if is_lazy(data) and BLOCK_BYTES // 16 <= known * row <= 4 * BLOCK_BYTES:
        return known  # as they are stored
    return max(BLOCK_BYTES // row, 1)


def _as_type(block: Any, function: Callable[[Any], Any], dtype: Any) -> Any:
    return np.asarray(function(block), dtype)


def _first(function: Callable[[Any], Any], block: Any, axis: Any, keepdims: bool) -> Any:
    return function(block)


def _merge(merged: Callable[[Any, Any], Any], parts: Any, axis: Any, keepdims: bool) -> Any:
    return reduce(merged, _several(parts))


def _finish(
    merged: Callable[[Any, Any], Any],
    finished: Callable[[Any], Any],
    kind: Any,  # Dask would pass a dtype of its own to an argument of that name
    parts: Any,
    axis: Any,
    keepdims: bool,
) -> Any:
    return np.asarray(finished(reduce(merged, _several(parts))), kind)


def _several(parts: Any) -> Iterable[Any]:
    found: Iterable[Any] = _flatten(parts, container=list) if isinstance(parts, list) else [parts]
    return found
