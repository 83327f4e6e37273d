"""What a store costs: ``python -m benchmarks.streaming [--quick]``.

Time: a run that streams beside the same run whose samples are dropped, in turns, and writing
beside raw Zarr with the same chunks. Memory: a run ten times longer.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn
from unittest.mock import patch

import brainunit as u
import numpy as np
import zarr
from zarr.codecs import BloscCodec

from benchmarks import memory
from benchmarks.networks import DT, dense, simulator
from braingraph import hierarchy
from braingraph.records import Recording
from braingraph.sinks import Memory
from braingraph.store import Writer


class Dropped(Memory):
    """A sink that waits for every sample, as all do, and keeps none."""

    def take(self, rows: Any, step: int, state: Any) -> None:
        for new in rows.values():
            np.asarray(new)

    def fail(self, error: Any) -> NoReturn:
        raise error


def median(calls: dict[str, Callable[[], object]], turns: int) -> dict[str, tuple[float, float]]:
    """Wall and CPU seconds of each call, medians over alternating turns."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for _ in range(turns):
        for name, call in calls.items():
            wall, cpu = time.perf_counter(), time.process_time()
            call()
            taken[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {
        name: (statistics.median(t[0] for t in ts), statistics.median(t[1] for t in ts))
        for name, ts in taken.items()
    }


def overhead(regions: int, seconds: float, turns: int) -> str:
    """A streamed run against one whose samples are dropped; sampled each ms."""
    sim = simulator(dense(regions))
    asked: dict[str, Any] = {"monitors": {"cortex.x": 1 * u.ms}, "progress": False}
    duration = seconds * u.second
    with tempfile.TemporaryDirectory() as folder:

        def streamed() -> None:
            sim.run(duration, store=Path(folder) / "run.zarr", overwrite=True, **asked)

        def dropped() -> None:
            with patch("braingraph.simulator.Memory", Dropped):
                sim.run(duration, **asked)

        streamed()
        dropped()
        took = median({"streamed": streamed, "dropped": dropped}, turns)
    (wall, cpu), (bare, bare_cpu) = took["streamed"], took["dropped"]
    return (
        f"{regions} regions, {seconds:g} s sampled each ms: {bare:.2f} s dropped, {wall:.2f} s "
        f"streamed ({wall / bare - 1:+.1%} wall, {cpu / bare_cpu - 1:+.1%} CPU)"
    )


def throughput(regions: int, megabytes: int, turns: int) -> str:
    """``Writer`` against Zarr itself: the same noise, chunks and codec, in appends of 4 MB."""
    rows = (4 << 20) // (4 * regions)
    samples = megabytes * (1 << 20) // (4 * regions) // rows * rows
    noise = np.random.default_rng(0).standard_normal((rows, regions)).astype(np.float32)
    r = Recording("cortex.x", 1.0, samples, "1", "cortex", regions)
    chunks = hierarchy.chunks_of(r)
    with tempfile.TemporaryDirectory() as folder:

        def by_writer() -> None:
            with Writer(f"{folder}/run.zarr", [r], overwrite=True) as writer:
                for begin in range(0, samples, rows):
                    writer.append({r.name: noise}, step=begin + rows)

        def by_zarr() -> None:
            path = f"{folder}/raw.zarr"
            shutil.rmtree(path, ignore_errors=True)
            array = zarr.create_array(
                path,
                shape=r.shape,
                chunks=chunks,
                dtype=r.dtype,
                compressors=[BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle")],
            )
            for begin in range(0, samples, chunks[0]):  # whole chunks, the best that there is
                end = min(begin + chunks[0], samples)
                array[begin:end] = np.resize(noise, (end - begin, regions))

        by_writer()
        by_zarr()
        took = median({"writer": by_writer, "zarr": by_zarr}, turns)
    size = samples * regions * 4 / 1e6
    ours, raw = (size / took[name][0] for name in ("writer", "zarr"))
    return f"{regions} units, {size:.0f} MB: {ours:.0f} MB/s, raw Zarr {raw:.0f} ({ours / raw:.2f})"


def flat(steps: int) -> str:
    """A run ten times longer, every step of 90 regions kept, must not need more memory."""
    short, long = (memory.peak("dense90", n, stream=True) for n in (steps, 10 * steps))
    size = 10 * steps * 90 * 4 / 1e6
    return (
        f"every step of 90 regions: peak {short:.0f} MB for {steps * DT / 1000:g} s, {long:.0f} MB "
        f"for {steps * DT / 100:g} s ({long - short:+.0f} MB, for {size:.0f} MB of samples)"
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter runs, 3 turns")
    quick = parser.parse_args(arguments).quick
    turns = 3 if quick else 5
    print("Streaming against dropping the samples (medians of alternating turns):")
    for regions, seconds in ((90, 20.0 if quick else 100.0), (1000, 1.0 if quick else 2.0)):
        print(f"  {overhead(regions, seconds, turns)}", flush=True)
    print("Writing against raw Zarr, with the same chunks:")
    for regions in (90, 1000):
        print(f"  {throughput(regions, 100 if quick else 400, turns)}", flush=True)
    print("Memory of longer runs:")
    print(f"  {flat(300_000 if quick else 1_000_000)}", flush=True)


if __name__ == "__main__":
    main()
