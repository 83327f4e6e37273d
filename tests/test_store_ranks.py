"""Several processes write one store: it reads like one process's, also when one was killed."""

from __future__ import annotations

import errno
import json
import math
import os
import signal
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import given
from hypothesis import strategies as st
from ranks import in_threads, mine, network, processes, split
from recordings import numbers, part, recording, small_chunks

from braingraph import store
from braingraph.errors import StoreError
from braingraph.hierarchy import chunks_of, marker
from braingraph.records import to_dataset
from braingraph.store import Writer, open_run
from braingraph.team import Split, Team, owned

HALVES = Split(((slice(0, 2),), (slice(2, 3),)), (1,))


def markers(path: Path, world: int) -> list[dict[str, Any]]:
    root = zarr.open_group(str(path), mode="r", use_consolidated=False)
    return [root[marker(rank)].attrs.asdict() for rank in range(world)]


def committed(path: Path, rank: int) -> int:
    return int(json.loads((path / marker(rank) / "zarr.json").read_text())["attributes"]["step"])


# What is written together.


@pytest.mark.parametrize("world", [2, 3])
def test_processes_write_what_one_would(world: int, tmp_path: Path) -> None:
    with processes(world, tmp_path, seed=1, finish=True) as members:
        for member in members:
            member.join(60)
        assert [member.exitcode for member in members] == [0] * world
    recordings, _ = network(world)
    alone = to_dataset(recordings, numbers(recordings), {"status": "complete"})
    xr.testing.assert_identical(open_run(tmp_path / "run.zarr").compute(), alone)
    plain = xr.open_zarr(tmp_path / "run.zarr", group="monitors/cortex.x")
    np.testing.assert_array_equal(plain["data"], alone["cortex.x"])
    assert {its["step"] for its in markers(tmp_path / "run.zarr", world)} == {60}


def replicas(*regions: tuple[slice, slice] | None, grain: tuple[int, int]) -> Split:
    return Split(regions, grain)


@pytest.mark.parametrize(
    "shares",
    [
        split(7, 3, 1),  # 3, 3, 1
        split(3, 3, 2),  # the last process has nothing
        split(7, 1, 4),
        replicas((slice(0, 3), slice(0, 7)), (slice(3, 4), slice(0, 7)), grain=(3, 7)),
        replicas(
            (slice(0, 2), slice(0, 4)), (slice(0, 2), slice(4, 7)), None,
            (slice(2, 4), slice(0, 4)), (slice(2, 4), slice(4, 7)), grain=(2, 4),
        ),
    ],
)  # fmt: skip
def test_any_split_gives_the_same_store(shares: Split, tmp_path: Path) -> None:
    region = next(filter(None, shares.regions))
    batch = (("replica", range(4)),) if len(region) == 2 else ()
    units = max(r[-1].stop for r in shares.regions if r is not None)
    rs = [recording(samples=9, units=units, batch=batch), recording("mean", 9, node="m", units=1)]
    arrays, splits = numbers(rs), {"cortex.x": shares}

    def act(team: Team) -> None:
        writer = Writer(tmp_path / "r", rs, commit_every=1, team=team, splits=splits)
        with writer:
            for k in range(0, 9, 2):
                writer.append(mine(splits, team.rank, part(arrays, k, k + 2)), step=k)

    with small_chunks():
        assert in_threads(len(shares.regions), act) == [None] * len(shares.regions)
    stored = open_run(tmp_path / "r").compute()
    xr.testing.assert_identical(stored, to_dataset(rs, arrays, {"status": "complete"}))


# What is shown of a run that goes on, or did not.


def test_what_all_writers_have_committed_is_shown(tmp_path: Path) -> None:
    rs = [recording(samples=20), recording("mean", 10, node="m", units=1, period=20.0)]
    arrays, path = numbers(rs), tmp_path / "run.zarr"

    def act(team: Team) -> None:
        splits = {"cortex.x": HALVES}
        writer = Writer(path, rs, commit_every=100, team=team, splits=splits)
        shown = []
        for at, *samples in ((0, 4, 3), (1, 2, 2), (1, 7, 4), (0, 9, 9), (1, 20, 10), (0, 20, 10)):
            if team.rank == at:  # the others wait: one is ahead, then the other
                done = [writer._appended[r.name] for r in rs]
                new = {
                    r.name: arrays[r.name][low:high]
                    for r, low, high in zip(rs, done, samples, strict=True)
                }
                writer.append(mine(splits, team.rank, new), step=samples[0])
                writer.flush()
            team.exchange("turn", "")
            ds = open_run(path)
            shown.append((ds.sizes["time"], ds.sizes["time_20ms"]))
            np.testing.assert_array_equal(ds["cortex.x"], arrays["cortex.x"][: shown[-1][0]])
            team.exchange("looked", "")
        assert shown == [(0, 3), (2, 3), (4, 3), (7, 9), (9, 9), (20, 10)]
        writer.close()

    assert in_threads(2, act) == [None, None]


@pytest.mark.parametrize("seed", range(8))
def test_a_killed_process_leaves_an_exact_prefix(seed: int, tmp_path: Path) -> None:
    random = np.random.default_rng(seed)
    world = 2 + seed % 2
    victim, seen, delay = int(random.integers(world)), 5 * seed, random.uniform(0.0, 0.02)
    path = tmp_path / "run.zarr"
    with processes(world, tmp_path, seed, finish=False) as members:
        while not (tmp_path / f"begun-{victim}").exists() or committed(path, victim) < seen:
            assert members[victim].is_alive()
            time.sleep(0.001)
        time.sleep(delay)
        pid = members[victim].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        members[victim].join(30)
        assert members[victim].exitcode == -signal.SIGKILL
        for rank in set(range(world)) - {victim}:
            members[rank].join(60)
            assert members[rank].exitcode == 0
    said = markers(path, world)
    ds = open_run(path)
    recordings, splits = network(world)
    arrays = numbers(recordings)
    lengths = {r.name: r.samples for r in recordings}
    for its in said:
        lengths |= {name: min(n, lengths[name]) for name, n in its["samples"].items()}
    times = min(lengths["cortex.x"], lengths["mean"])  # they share the axis of time
    wanted = {"cortex.x": times, "mean": times, "bold.bold": lengths["bold.bold"]}
    assert {name: array.shape[0] for name, array in ds.items()} == wanted
    for name, n in wanted.items():
        np.testing.assert_array_equal(ds[name], arrays[name][:n])
    # The survivors wrote all they had: what is missing is the killed process's.
    steps = [its["step"] for its in said]
    assert all(step == 60 for rank, step in enumerate(steps) if rank != victim)
    assert 60 > lengths["cortex.x"] == said[victim]["samples"]["cortex.x"] == steps[victim] >= seen
    assert ds.attrs["status"] == ("running" if victim == 0 else "failed")


# What goes wrong on one process is known to all.


@pytest.mark.parametrize("victim", [0, 1])
def test_a_disk_that_is_full_for_one(victim: int, tmp_path: Path) -> None:
    r = recording(samples=40)
    full = zarr.storage.LocalStore.set

    async def failing(self: Any, key: str, value: Any) -> None:
        if f"data/c/1/{victim}" in key:
            raise OSError(errno.ENOSPC, "simulated")
        await full(self, key, value)

    def act(team: Team) -> None:
        splits = {"cortex.x": Split(((slice(0, 2),), (slice(2, 3),)), (2,))}
        writer = Writer(tmp_path / "run.zarr", [r], commit_every=1, team=team, splits=splits)
        writer.append(mine(splits, team.rank, part(numbers([r]), 0, 16)), step=16)
        writer.flush()
        writer.append(mine(splits, team.rank, part(numbers([r]), 16, 40)), step=40)
        writer.close()

    with small_chunks(), patch.object(zarr.storage.LocalStore, "set", failing):
        errors = in_threads(2, act)
    assert all(isinstance(error, StoreError) for error in errors)
    assert all("the disk is full" in str(error) for error in errors)
    assert errors[victim].fields["step"] == 16
    assert errors[1 - victim].fields["process"] == victim
    ds = open_run(tmp_path / "run.zarr")
    assert (ds.attrs["status"], ds.sizes["time"]) == ("failed", 16)
    np.testing.assert_array_equal(ds["cortex.x"], numbers([r])["cortex.x"][:16])


def test_a_store_that_is_there_stops_all(tmp_path: Path) -> None:
    r, path = recording(), tmp_path / "run.zarr"

    def act(team: Team, overwrite: bool = False) -> None:
        Writer(path, [r], overwrite=overwrite, team=team, splits={"cortex.x": HALVES}).close()

    assert in_threads(2, act) == [None, None]
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    first, second = in_threads(2, act)
    assert f"There is a store at {str(path)!r} already" in str(first)
    assert str(second) == f"On process 0 of 2: {first}"
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    assert in_threads(2, lambda team: act(team, overwrite=True)) == [None, None]


def test_a_folder_that_is_not_shared_stops_all(tmp_path: Path) -> None:
    def act(team: Team) -> None:
        Writer(tmp_path / f"host{team.rank}.zarr", [recording()], team=team)

    with patch.object(store, "_VISIBLE", 0.1):
        first, second = in_threads(2, act)
    assert isinstance(first, StoreError) and isinstance(second, StoreError)
    assert "is not the store that process 0 made: pass the absolute path" in str(second)
    assert str(first) == f"On process 1 of 2: {second}"


# Who writes what.


@pytest.mark.parametrize(
    "wrong",
    [
        Split(((slice(0, 3),),), (3,)),  # one region for two processes
        Split(((slice(0, 2),), None), (1,)),  # nobody has the last unit
        Split(((slice(0, 2),), (slice(1, 3),)), (1,)),  # two have one
        Split(((slice(0, 1),), (slice(1, 3),)), (2,)),  # within a grain
    ],
)
def test_every_unit_has_one_writer(wrong: Split, tmp_path: Path) -> None:
    def act(team: Team) -> None:
        Writer(tmp_path / "run.zarr", [recording()], team=team, splits={"cortex.x": wrong})

    for error in in_threads(2, act):
        assert isinstance(error, StoreError) and "every unit needs one writer" in str(error)
    assert not (tmp_path / "run.zarr").exists()


@given(
    samples=st.integers(1, 10**7),
    units=st.integers(1, 20_000),
    devices=st.integers(1, 64),
    replicas=st.integers(0, 30),
)
def test_chunks_end_where_devices_do(samples: int, units: int, devices: int, replicas: int) -> None:
    batch = (("replica", range(replicas)),) if replicas else ()
    r = recording(samples=samples, units=units, batch=batch)
    sizes = (*r.shape[:-2], units)
    grain = tuple(math.ceil(size / devices) for size in sizes)
    *cells, rows, width = chunks_of(r, grain)
    for chunk, common, size in zip((*cells, width), grain, sizes, strict=True):
        assert common % chunk == 0 or common == size
    assert math.prod(cells) * width * 4 * rows <= 4 << 20 or rows == 1
    if devices == 1:
        assert (*cells, rows, width) == chunks_of(r)


def whole(*sizes: int) -> tuple[np.ndarray, ...]:
    return tuple(np.arange(size) for size in sizes)


@pytest.mark.parametrize(
    ("held", "sizes", "grain", "wanted"),
    [
        ([whole(5), None], (5,), (5,), Split(((slice(0, 5),), None), (5,))),
        (
            [(np.arange(0, 20),), (np.arange(20, 37),)],
            (37,), (10,), Split(((slice(0, 20),), (slice(20, 37),)), (10,)),
        ),
        ([(np.arange(2),), (np.arange(2, 3),)], (3,), (1,), HALVES),
        ([(np.arange(0, 83),), (np.arange(83, 100),)], (100,), (50,), None),  # a prime
        ([(np.array([0, 2]),), (np.array([1, 3]),)], (4,), (1,), None),  # no runs
        (
            [(np.arange(2), np.arange(4)), (np.arange(2, 3), np.arange(4))],
            (3, 4), (2, 4), replicas((slice(0, 2), slice(0, 4)), (slice(2, 3), slice(0, 4)),
            grain=(2, 4)),
        ),
    ],
)  # fmt: skip
def test_what_processes_hold_they_write(
    held: Any, sizes: tuple[int, ...], grain: tuple[int, ...], wanted: Split | None
) -> None:
    found = owned(held, sizes, grain)
    assert found == wanted
    if found is not None and len(sizes) == 1:
        found.check(recording(units=sizes[0]), len(held))
