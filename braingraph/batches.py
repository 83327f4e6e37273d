"""Which simulations of a sweep advance together, and what they need of memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr
from dask.system import CPU_COUNT
from dask.utils import parse_bytes

from braingraph.axes import Space
from braingraph.compiler.explain import show_bytes
from braingraph.errors import ParameterError, RunError
from braingraph.records import Recording

#: More at a time are no faster on a CPU.
MOST = 32
MOST_ON_ACCELERATOR = 1024
#: Of the memory that is free when a sweep begins.
SHARE = 0.5

Numbers = np.ndarray[Any, np.dtype[np.intp]]


@dataclass(frozen=True, eq=False)
class Batch:
    """Simulations that advance together, and all that is known of each."""

    number: int
    simulations: Numbers  # numbers in the order of the sweep's dimensions
    size: int  # how many the program is compiled for: the last one fills it up
    points: Sequence[Mapping[str, Any]]
    seeds: Sequence[int]
    coordinates: Sequence[Mapping[str, xr.Variable]]

    def __len__(self) -> int:
        return len(self.simulations)


@dataclass(frozen=True, eq=False)
class Cut:
    """A batch before its points are looked up: equal sizes share a compilation."""

    simulations: Numbers
    size: int


def batch(space: Space, number: int, cut: Cut) -> Batch:
    """A batch with its points, seeds and coordinates."""
    points, seeds = zip(*map(space.point, cut.simulations), strict=True)
    coordinates = [space.coordinates(k) for k in cut.simulations]
    return Batch(number, cut.simulations, cut.size, points, seeds, coordinates)


def cut(groups: Sequence[Numbers], most: int, parallel: int) -> list[Cut]:
    """Batches of at most ``most``, none across two groups.

    Where there are fewer groups than may run in parallel, each is shared out evenly.

    >>> groups = [np.arange(5), np.arange(5, 10)]
    >>> [c.simulations.tolist() for c in cut(groups, 3, 1)]
    [[0, 1, 2], [3, 4], [5, 6, 7], [8, 9]]
    """
    out = []
    for group in groups:
        pieces = math.ceil(len(group) / most)
        if len(groups) < parallel:
            pieces = min(len(group), math.ceil(pieces / parallel) * parallel)
        size = math.ceil(len(group) / pieces)
        out += [Cut(group[k : k + size], size) for k in range(0, len(group), size)]
    return out


# ---------------------------------------------------------------- memory
def fitting(needs: Callable[[int], int], most: int, budget: int, parallel: int) -> tuple[int, int]:
    """The size of a batch, and how many at a time, that stay within a budget of bytes.

    ``needs``: bytes by size. Sizes are halved until it fits, then the number at a time.
    """
    size = most
    while parallel * needs(size) > budget:
        if size == parallel == 1:
            raise RunError(
                f"one simulation needs about {show_bytes(needs(1))}, but may take "
                f"{show_bytes(budget)}: record less often, as in monitors={{'cortex.x': 10 * "
                "u.ms}, or allow more with memory=.",
                needed=needs(1),
                given=budget,
            )
        size, parallel = (size // 2, parallel) if size > 1 else (1, parallel // 2)
    return size, parallel


def sample_bytes(recordings: Sequence[Recording]) -> int:
    """Bytes of everything recorded of one simulation."""
    return sum(r.samples * r.units * np.dtype(r.dtype).itemsize for r in recordings)


def budget(memory: Any, held: int = 0) -> int:
    """Bytes for all batches at a time; by default half of what is free on the device.

    ``held``: bytes of main memory that are spoken for.
    """
    if memory is None:
        return int(SHARE * (_on_device() or available() - held))
    return parsed(memory)


def parsed(memory: Any) -> int:
    """``memory=`` in bytes: a number, or text such as ``"4 GB"``."""
    try:
        count = parse_bytes(memory)
    except (ValueError, TypeError, AttributeError):
        count = 0
    if count < 1:
        raise ParameterError(
            f"memory= is {memory!r}, but must be a number of bytes or text such as '4 GB'.",
            parameter="memory",
        )
    return int(count)


def _on_device() -> int | None:
    stats = jax.local_devices()[0].memory_stats()
    if not stats or "bytes_limit" not in stats:
        return None
    return int(stats["bytes_limit"]) - int(stats.get("bytes_in_use", 0))


def available() -> int:
    """Bytes of main memory that are free: the machine's, within what this container may use."""
    free = [_of_machine()]
    group = Path("/sys/fs/cgroup")
    try:
        limit = int((group / "memory.max").read_text())  # "max" where there is none
        stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        used = int((group / "memory.current").read_text()) - int(stat["inactive_file"])
        free.append(limit - used)
    except (OSError, ValueError, KeyError):
        pass
    return max(0, min(free))


def _of_machine() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:  # not Linux
        return 4 << 30
    found = next(line for line in lines if line.startswith("MemAvailable"))
    return int(found.split()[1]) * 1024


def parallel() -> int:
    """Batches at a time here: one a core, where a CPU is the only device."""
    alone = jax.default_backend() == "cpu" and jax.local_device_count() == 1
    return int(CPU_COUNT) if alone else 1


def most() -> int:
    return MOST if jax.default_backend() == "cpu" else MOST_ON_ACCELERATOR
