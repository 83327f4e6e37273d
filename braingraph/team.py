"""The processes of one run: how they agree, and who writes what. Knows nothing of JAX.

1. All processes run the same program. What one of them must tell the others goes through
   ``exchange``, which all call in the same order, and which returns when all have.
2. What can fail on one process alone (making a store, finishing it) is done ``together``: it
   succeeds everywhere, or every process raises.
3. Every sample of a monitor has one writer, and no chunk has two.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from braingraph.errors import StoreError
from braingraph.records import Recording

#: A part of a monitor: a slice of every axis but time, (*batch, unit).
Region = tuple[slice, ...]
#: Chunks narrower than this along an axis cost more than bringing the samples together.
_NARROW = 8


class Team:
    """A run's processes as one of them sees them. By itself: a single process."""

    rank = 0
    world = 1
    members: Sequence[int] = (0,)  #: JAX's number of every rank's process

    def exchange(self, name: str, text: str) -> list[str]:
        """Every process says ``text``; all hear what all said, in the order of their ranks."""
        return [text]

    def reached(self, time: float) -> None:
        """The run has come to ``time``, in ms: said when it ends before its end."""

    def agreed(self, number: int) -> int:
        """What process 0 says, on every process; 0 if any of them says 0."""
        said = [int(text) for text in self.exchange("agreed", str(number))]
        return said[0] if all(said) else 0

    def together(self, name: str, path: str, act: Callable[[], str]) -> list[str]:
        """Every process acts; what they said, or StoreError on all of them if one failed."""
        failure, said = None, ""
        try:
            said = act()
        except StoreError as error:
            failure, said = error, str(error)
        answers = self.exchange(name, json.dumps([failure is None, said]))
        if failure is not None:
            raise failure
        heard = [json.loads(answer) for answer in answers]
        for rank, (succeeded, said) in enumerate(heard):
            if not succeeded:
                raise StoreError(
                    f"On process {rank} of {self.world}: {said}", path=path, process=rank
                )
        return [said for _, said in heard]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        return None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(process {self.rank} of {self.world})"


@dataclass(frozen=True)
class Split:
    """Who writes which part of a monitor.

    Parameters
    ----------
    regions : tuple of Region or None
        By rank; None for a process that writes nothing of it.
    grain : tuple of int
        What one device has along each of these axes. Chunks divide it, so that another number of
        processes over the same devices writes no chunk twice either.
    """

    regions: tuple[Region | None, ...]
    grain: tuple[int, ...]

    @classmethod
    def whole(cls, recording: Recording, world: int) -> Self:
        """All of it by process 0."""
        sizes = _sizes(recording)
        everything = tuple(slice(0, size) for size in sizes)
        return cls((everything, *(None,) * (world - 1)), tuple(max(1, size) for size in sizes))

    def check(self, recording: Recording, world: int) -> None:
        """StoreError unless every unit of every replica has one writer, in whole grains."""
        sizes = _sizes(recording)
        cells = [math.ceil(size / grain) for size, grain in zip(sizes, self.grain, strict=True)]
        writers = np.zeros(cells, int)
        fits = len(self.regions) == world
        for region in filter(None, self.regions):
            place = []
            for part, size, grain in zip(region, sizes, self.grain, strict=True):
                fits &= part.start % grain == 0 and (part.stop % grain == 0 or part.stop == size)
                place.append(slice(part.start // grain, math.ceil(part.stop / grain)))
            writers[tuple(place)] += 1
        if not fits or (writers != 1).any():
            raise StoreError(
                f"The monitor {recording.name!r}, of shape {sizes} without time, cannot be written "
                f"by {world} processes as {self.regions}: every unit needs one writer, whose part "
                f"begins and ends at multiples of {self.grain}.",
                path=recording.name,
                given=self.regions,
            )


def _sizes(recording: Recording) -> tuple[int, ...]:
    return (*recording.shape[:-2], recording.shape[-1])


def owned(
    held: Sequence[tuple[np.ndarray, ...] | None], sizes: Sequence[int], grain: Sequence[int]
) -> Split | None:
    """The split in which every process writes what it holds; None where no chunks would fit.

    ``held[rank]`` are the indices along every axis that a process holds: their product is its
    part. Where these are no runs, or begin so close to each other that chunks would be narrow,
    the monitor has to be brought together first.
    """
    regions: list[Region | None] = []
    for indices in held:
        if indices is None or not all(len(axis) for axis in indices):
            regions.append(None)
            continue
        if any((np.diff(axis) != 1).any() for axis in indices):
            return None
        regions.append(tuple(slice(int(axis[0]), int(axis[-1]) + 1) for axis in indices))
    present = [region for region in regions if region is not None]
    commons = []
    for k, size in enumerate(sizes):
        cuts = {cut for region in present for cut in (region[k].start, region[k].stop)} - {size}
        common = math.gcd(grain[k], *cuts)
        if common < min(_NARROW, grain[k], size):
            return None
        commons.append(common)
    return Split(tuple(regions), tuple(commons))
