"""Runs whose chunks the workers of a Dask cluster write: workers may die, samples may not."""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import brainunit as u
import numpy as np
import pytest
import xarray as xr
from clusters import two_workers
from interrupted import DURATION, MONITORS, complete, cut, network, prefix
from recordings import numbers, part, recording, small_chunks

import braingraph as bg
from braingraph import hands
from braingraph.errors import ParameterError, StoreError
from braingraph.store import Writer, open_run

R = recording(samples=300)
ARRAYS = numbers([R])


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with two_workers() as found:
        yield found


def feed(writer: Writer, begin: int = 0, size: int = 25) -> None:
    for k in range(begin, R.samples, size):
        writer.append(part(ARRAYS, k, k + size), step=k + size)


def test_a_run_through_a_cluster_is_the_same(
    client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sim = bg.Simulator(network(), dt=0.1 * u.ms, seed=4)
    whole: xr.Dataset = sim.run(DURATION, monitors=MONITORS, batch_size=2, progress=False)
    monkeypatch.chdir(tmp_path)  # where the workers are not
    cut(sim, "run.zarr", 12.0, client=client)
    assert prefix("run.zarr", whole)["cortex.x"] >= 24
    sim.resume("run.zarr", client=client, progress=False)
    complete("run.zarr", whole)
    with pytest.raises(ParameterError, match="there is no store="):
        sim.run(DURATION, client=client, progress=False)


@pytest.mark.parametrize("through", [["", "s"], ["s"]])
def test_a_killed_worker_loses_nothing(client: Any, through: list[str], tmp_path: Path) -> None:
    """It dies with blocks that it has, and, in the second case, before they are sent to it."""
    send, count, killed = hands._Flying.send, iter(range(10**6)), list[int]()

    def killing(flying: Any, put: Any, times: int) -> None:
        def kill() -> None:
            if at == 40 and not killed:
                killed.append(next(iter(client.run(os.getpid).values())))
                os.kill(killed[0], signal.SIGKILL)

        at = next(count)
        if "" not in through:
            kill()
        send(flying, put, times)
        kill()

    with small_chunks(), patch.object(hands._Flying, "send", killing):
        with Writer(tmp_path / "run.zarr", [R], client=client) as writer:
            feed(writer)
    assert killed and killed[0] not in client.run(os.getpid).values()
    np.testing.assert_array_equal(open_run(tmp_path / "run.zarr")[R.name], ARRAYS[R.name])


def test_few_blocks_are_under_way(client: Any, tmp_path: Path) -> None:
    send, most = hands._Flying.send, [0]

    def counting(flying: Any, put: Any, times: int) -> None:
        send(flying, put, times)
        most.append(len(flying.sent))

    with small_chunks(), patch.object(hands._Flying, "send", counting):
        with Writer(tmp_path / "run.zarr", [R], client=client) as writer:
            feed(writer, size=150)
    assert len(most) > 30 and max(most) == 4
    assert not client.futures  # nothing is left on the workers


def test_a_slow_cluster_holds_the_run_back(client: Any, tmp_path: Path) -> None:
    gate, write, handed = threading.Event(), hands.Workers.write, list[int]()

    def slow(workers: Any, puts: Any) -> None:
        gate.wait()
        write(workers, puts)

    def go() -> None:
        for k in range(8):
            writer.append(part(ARRAYS, k, k + 1), step=k)
            handed.append(k)

    with patch.object(hands.Workers, "write", slow):
        with Writer(tmp_path / "run.zarr", [R], client=client, depth=2) as writer:
            feeder = threading.Thread(target=go)
            feeder.start()
            feeder.join(0.3)
            assert len(handed) == 2
            gate.set()
            feeder.join()
    assert open_run(tmp_path / "run.zarr").sizes["time"] == 8


@pytest.mark.parametrize("late", [False, True])
def test_workers_that_do_not_see_the_store(client: Any, late: bool, tmp_path: Path) -> None:
    """At once; or one that came later finds nothing there, and makes nothing there."""
    path = tmp_path / "run.zarr"
    elsewhere: Any = lambda *given: False  # noqa: E731  (a function would be imported there)
    with pytest.raises(StoreError, match="Workers of the cluster do not see the store") as error:
        with patch.object(hands, "_put" if late else "_sees", elsewhere):
            with Writer(path, [R], client=client) as writer:
                feed(writer)
    assert str(path) in str(error.value) and "leave out client=" in str(error.value)
    ds = open_run(path)
    assert (ds.attrs["status"], ds.sizes["time"]) == ("failed", 0)


def test_a_worker_makes_no_store_of_its_own(tmp_path: Path) -> None:
    with Writer(tmp_path / "run.zarr", [R]) as writer:
        array, name = writer._lanes[R.name].array, writer._writer
        block = np.zeros((1, 3), np.float32)
        where = (slice(0, 1), slice(0, 3))
        assert hands._sees(writer.path, name) and not hands._sees(writer.path, "another")
        assert hands._put(array, where, block, name)
        assert not hands._put(array, where, block, "another")
        (tmp_path / "run.zarr").rename(tmp_path / "away")
        assert not hands._sees(writer.path, name) and not hands._put(array, where, block, name)
        assert [p.name for p in tmp_path.iterdir()] == ["away"]
        (tmp_path / "away").rename(tmp_path / "run.zarr")


def test_what_workers_cannot_write(client: Any, tmp_path: Path) -> None:
    number, path = errno.ENOSPC, tmp_path / "run.zarr"

    def full(*given: Any) -> Any:
        raise OSError(number, "simulated")

    full.__module__ = "__main__"  # travels by value
    writer = Writer(path, [R], client=client)
    writer.append(part(ARRAYS, 0, 30), step=30)
    writer.flush()
    with patch.object(hands, "_put", full):
        writer.append(part(ARRAYS, 30, 60), step=60)
        with pytest.raises(StoreError, match="the disk is full, .*up to step 30, is kept"):
            writer.close()
    np.testing.assert_array_equal(open_run(path)[R.name], ARRAYS[R.name][:30])


@pytest.mark.parametrize("store", ["memory://brains/run.zarr", None])
def test_stores_of_one_process(client: Any, store: Any) -> None:
    import zarr

    with pytest.raises(StoreError, match="is seen by one process only"):
        Writer(store or zarr.storage.MemoryStore(), [R], client=client)


def test_what_is_no_client(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="must be a dask.distributed.Client, but is 7"):
        Writer(tmp_path / "run.zarr", [R], client=7)
    assert not list(tmp_path.iterdir())
