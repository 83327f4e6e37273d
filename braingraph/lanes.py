"""From samples to chunks: each monitor's way to disk, for one process.

A chunk is written whole or, at a commit, as far as it is known, and written again when more is
known: always by the same process, and always with all that it held before.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import zarr

from braingraph.records import Recording
from braingraph.rows import read
from braingraph.team import Region


class Put:
    """Writes one block to its place. Not a dataclass, or Dask would look inside."""

    __slots__ = ("array", "block", "region")

    def __init__(self, array: zarr.Array[Any], region: tuple[slice, ...], block: Any) -> None:
        self.array, self.region, self.block = array, region, block

    def __call__(self) -> None:
        self.array[self.region] = self.block


class Lane:
    """One monitor's way to disk: rows come in pieces of any length, whole chunks go out.

    ``region`` is what this process writes of every axis but time; it begins and ends at chunks.
    A run that goes on has ``taken`` samples already, and ``there`` of them or more on disk: those
    stay until they are written again.
    """

    def __init__(
        self,
        recording: Recording,
        array: zarr.Array[Any],
        region: Region,
        taken: int = 0,
        there: int = 0,
    ) -> None:
        self.recording, self.array, self.region = recording, array, region
        self.taken = self.saved = taken
        self.there = there
        self._rows: Any = None
        extent = array.chunks[-2]
        if taken % extent and taken < recording.samples:
            self._rows = self._on_disk(taken // extent * extent)

    def _on_disk(self, begin: int) -> Any:
        """The row of chunks that begins with this sample, as it is."""
        size = min(self.array.chunks[-2], self.recording.samples - begin)
        where = (*self.region[:-1], slice(begin, begin + size), self.region[-1])
        return np.array(read(self.array, where))

    @property
    def sizes(self) -> tuple[int, ...]:
        """What a piece has along every axis but time."""
        return tuple(part.stop - part.start for part in self.region)

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether an array of this shape holds samples for this lane."""
        return len(shape) == len(self.sizes) + 1 and (*shape[:-2], shape[-1]) == self.sizes

    def take(self, piece: Any) -> Iterator[Put]:
        """Accept the next samples; give the writes of the chunks that are whole now."""
        extent, done = self.array.chunks[-2], 0
        while done < piece.shape[-2]:
            begin = self.taken // extent * extent
            offset = self.taken - begin
            size = min(extent, self.recording.samples - begin)
            now = piece[..., done : done + size - offset, :]
            done += now.shape[-2]
            self.taken += now.shape[-2]
            if now.shape[-2] < size:
                if self._rows is None:
                    shape = (*piece.shape[:-2], size, piece.shape[-1])
                    self._rows = (
                        self._on_disk(begin)
                        if begin < self.there
                        else np.full(shape, self.array.fill_value, self.array.dtype)
                    )
                self._rows[..., offset : offset + now.shape[-2], :] = now
                now = self._rows
            if self.taken - begin == size:
                self._rows, self.saved = None, self.taken
                yield from self._cut(begin, now)

    def rest(self) -> Iterator[Put]:
        """The writes of the unfinished chunks, if they hold anything new."""
        if self._rows is not None and self.saved < self.taken:
            self.saved = self.taken
            extent = self.array.chunks[-2]
            yield from self._cut(self.taken // extent * extent, self._rows)

    def _cut(self, begin: int, block: Any) -> Iterator[Put]:
        *batch, units = (part.start for part in self.region)
        corner = (*batch, begin, units)
        grid = [
            [slice(low, min(low + chunk, size)) for low in range(0, size, chunk)]
            for size, chunk in zip(block.shape, self.array.chunks, strict=True)
        ]
        for piece in itertools.product(*grid):
            where = zip(piece, corner, strict=True)
            region = tuple(slice(part.start + at, part.stop + at) for part, at in where)
            yield Put(self.array, region, block[piece])
