"""Processes, or threads in their place, that write one store together."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
from recordings import numbers, recording, small_chunks

from braingraph.records import Recording
from braingraph.store import Writer
from braingraph.team import Region, Split, Team

# A server that has imported the library: a process is there in milliseconds.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["braingraph.store"])


class Threads(Team):
    """Ranks in the threads of one process."""

    def __init__(self, rank: int, world: int, said: dict[Any, str], wait: threading.Barrier):
        self.rank, self.world, self.said, self.wait = rank, world, said, wait
        self.calls = 0

    def exchange(self, name: str, text: str) -> list[str]:
        self.calls += 1
        self.said[self.calls, self.rank] = text
        self.wait.wait(30)
        return [self.said[self.calls, rank] for rank in range(self.world)]


def in_threads(world: int, act: Callable[[Team], Any]) -> list[Any]:
    """What ``act`` returned or raised, by rank."""
    said: dict[Any, str] = {}
    wait = threading.Barrier(world)

    def one(rank: int) -> Any:
        try:
            return act(Threads(rank, world, said, wait))
        except Exception as error:
            return error

    with ThreadPoolExecutor(world) as pool:
        return list(pool.map(one, range(world)))


class Folder(Team):
    """Ranks that tell each other through files."""

    def __init__(self, rank: int, world: int, folder: Path) -> None:
        self.rank, self.world, self.folder = rank, world, folder
        self.calls = 0

    def exchange(self, name: str, text: str) -> list[str]:
        self.calls += 1
        paths = [self.folder / f"{self.calls}-{name}-{rank}" for rank in range(self.world)]
        mine = paths[self.rank]
        mine.with_suffix(".new").write_text(text)
        mine.with_suffix(".new").rename(mine)
        deadline = time.monotonic() + 60
        while not all(path.exists() for path in paths):
            assert time.monotonic() < deadline
            time.sleep(0.002)
        return [path.read_text() for path in paths]


def split(units: int, world: int, devices: int) -> Split:
    """Units dealt to the devices of the processes in equal runs, the last ones short or empty."""
    width = -(-units // (world * devices))
    edges = [min(units, rank * devices * width) for rank in range(world + 1)]
    regions: list[Region | None] = [
        (slice(low, high),) if high > low else None
        for low, high in zip(edges, edges[1:], strict=False)
    ]
    return Split(tuple(regions), (width,))


def network(world: int, samples: int = 60) -> tuple[list[Recording], dict[str, Split]]:
    """A monitor of 11 units, one with a clock of its own, and one that process 0 writes."""
    recordings = [
        recording(samples=samples, units=11),
        recording("bold.bold", samples // 4, period=40.0, node="bold", units=5),
        recording("mean", samples, node="all", units=1),
    ]
    return recordings, {"cortex.x": split(11, world, 2), "bold.bold": split(5, world, 1)}


def mine(splits: dict[str, Split], rank: int, arrays: dict[str, Any]) -> dict[str, Any]:
    """What a rank appends: its part, or what it has no part in as it is."""
    out = {}
    for name, array in arrays.items():
        region = splits[name].regions[rank] if name in splits else None
        out[name] = array if region is None else array[(*region[:-1], slice(None), region[-1])]
    return out


def work(rank: int, world: int, folder: Path, seed: int, finish: bool) -> None:
    """Append everything at a pace of its own; leave alone, or with the others."""
    # Locks of this process (Blosc has one) then leave nothing behind when it is killed.
    multiprocessing.set_start_method("fork", force=True)
    recordings, splits = network(world)
    arrays = numbers(recordings)
    pace = np.random.default_rng([seed, rank])
    with small_chunks():
        team = Folder(rank, world, folder)
        writer = Writer(
            folder / "run.zarr", recordings, {}, commit_every=4, team=team, splits=splits
        )
    (folder / f"begun-{rank}").touch()
    for k in range(60):
        new = {
            r.name: arrays[r.name][k * r.samples // 60 : (k + 1) * r.samples // 60]
            for r in recordings
        }
        writer.append(mine(splits, rank, new), step=k + 1)
        time.sleep(pace.uniform(0.005, 0.015) * (1 + rank % 2))
    if finish:
        writer.close()
    else:
        writer.__exit__(RuntimeError, RuntimeError("a process is lost"), None)


@contextmanager
def processes(world: int, folder: Path, seed: int, finish: bool) -> Iterator[list[BaseProcess]]:
    """Ranks at work; none is left behind."""
    members: list[BaseProcess] = [
        SERVER.Process(target=work, args=(rank, world, folder, seed, finish))
        for rank in range(world)
    ]
    try:
        for member in members:
            member.start()
        yield members
    finally:
        for member in members:
            if member.is_alive() and member.pid is not None:
                os.kill(member.pid, signal.SIGKILL)
            member.join(30)
