"""Small recordings, and the numbers to go in them, for the tests of datasets and stores."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import brainunit as u
import numpy as np

from braingraph import hierarchy
from braingraph.records import Recording
from braingraph.store import Writer

Arrays = dict[str, np.ndarray[Any, Any]]
ABC = ("a", "b", "c")


def recording(name: str = "cortex.x", samples: int = 12, **changes: Any) -> Recording:
    fields = {"period": 10.0, "unit": "mV", "node": "cortex", "units": 3}
    return Recording(name, samples=samples, **{**fields, **changes})


def numbers(recordings: list[Recording]) -> Arrays:
    """Values that tell every sample of every monitor apart."""
    arrays = {}
    for k, r in enumerate(recordings):
        values = np.arange(math.prod(r.shape)).reshape(r.shape) + 1 + 1000 * k
        arrays[r.name] = values.astype(r.dtype)
    return arrays


def part(arrays: Arrays, begin: int, end: int) -> Arrays:
    return {name: array[..., begin:end, :] for name, array in arrays.items()}


def write(path: Path, recordings: list[Recording], arrays: Arrays, **options: Any) -> None:
    with Writer(path, recordings, {"seed": 0}, **options) as writer:
        writer.append(arrays, step=1)


@contextmanager
def small_chunks() -> Iterator[None]:
    """Chunks of at most 40 numbers, 2 units wide, so that small runs have many."""
    with patch.multiple(hierarchy, CHUNK_BYTES=160, _WIDTH=2, _TIMES=5):
        yield


CASES: dict[str, list[Recording]] = {
    "one": [recording()],
    "labels": [recording(labels=ABC, start=500.0, reduce="mean")],
    "one node twice": [recording(labels=ABC), recording("cortex.y", unit="1", labels=ABC)],
    "two periods": [
        recording("bold.bold", 3, period=720.0, node="bold"),
        recording(labels=ABC),
        recording("slow", 3, period=720.0, dtype="float64"),
    ],
    "batch": [
        recording(batch=(("replica", range(4)), ("cortex.a", np.array([0.1, 0.2]) * u.mV))),
        recording("m", 2, period=60.0, batch=(("replica", range(4)),), node="left.e", units=1),
    ],
    "batch of words": [recording(batch=(("condition", ["rest", "task"]),))],
    "whole numbers": [recording(dtype="int32"), recording("spikes", dtype="bool", node="n")],
    "no samples": [recording(samples=0)],
}
