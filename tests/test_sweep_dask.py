"""Sweeps on a Dask cluster: workers may die, simulations may not."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import xarray as xr
from clusters import two_workers
from sweeps import MONITORS, SIM, TIME, alike
from test_errors import refused

import braingraph as bg
from braingraph import batches, cluster, progress
from braingraph.analysis import functional_connectivity

AXES: dict[str, Any] = {"cortex.a": np.linspace(-0.1, 0.05, 5), "seed": range(3)}
HERE = os.getpid()


def fc(ds: xr.Dataset) -> xr.DataArray:
    time.sleep(0.1)  # so that a sweep lasts long enough to lose a worker
    return functional_connectivity(ds["cortex.x"])


WHAT: dict[str, Any] = {
    "monitors": MONITORS,
    "reduce": {"fc": fc},
    "keep": ["cortex.x", "slow"],
    "progress": False,
}


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with two_workers() as found:
        yield found


@pytest.fixture(scope="module")
def here() -> xr.Dataset:
    return SIM.sweep(AXES, TIME, **WHAT)


def same(ds: xr.Dataset, here: xr.Dataset) -> None:
    assert ds.attrs["finished"] == ds.attrs["simulations"] == 15
    assert ds.attrs["status"] == "complete"
    for name in here.data_vars:
        alike(ds[name], here[name])


@pytest.mark.parametrize("shared", [True, False])
def test_workers_that_see_the_store_write_it(
    client: Any, here: xr.Dataset, shared: bool, tmp_path: Path
) -> None:
    """Those that do not hand back the arrays: here because they look for another store."""
    seen: list[Any] = []
    real, init = cluster._Tasks.next, cluster._Tasks.__init__

    def following(tasks: Any) -> Any:
        seen.append(real(tasks))
        return seen[-1]

    def elsewhere(tasks: Any, client: Any, work: Any, batch: Any, address: Any) -> None:
        init(tasks, client, work, batch, address if shared else (address[0], "another"))

    with patch.multiple(cluster._Tasks, next=following, __init__=elsewhere):
        ds = SIM.sweep(AXES, TIME, client=client, store=tmp_path / "s.zarr", batch_size=4, **WHAT)
    same(ds, here)
    assert {result is None for _, result, _ in seen} == {shared}


def test_without_a_store_arrays_come_back(client: Any, here: xr.Dataset) -> None:
    ds = SIM.sweep(AXES, TIME, client=client, batch_size=3, **WHAT)
    assert ds["cortex.x"].chunks is None
    same(ds, here)
    bare = SIM.sweep(AXES, TIME, client=client, **{**WHAT, "keep": None})
    assert list(bare.data_vars) == ["fc"]


def test_an_error_of_a_simulation_is_not_retried(client: Any, tmp_path: Path) -> None:
    parent, log = HERE, str(tmp_path / "log")

    def failing(ds: xr.Dataset) -> float:
        if os.getpid() != parent:
            with open(log, "a") as file:
                file.write("x")
            raise ValueError("no")
        return 0.0

    refused(
        lambda: SIM.sweep(
            {"seed": [1]},
            TIME,
            client=client,
            batch_size=2,
            **{**WHAT, "reduce": {"f": failing}},
        ),
        bg.RunError,
        r"reduce\['f'\] failed for seed = 1: ValueError: no",
        {"name": "f", "point": "seed = 1"},
    )
    assert Path(log).read_text() in ("x", "xx")  # once for each of two workers, at most


def test_batches_fit_the_workers(client: Any) -> None:
    assert cluster.parallel(client) == 2
    limits = [w["memory_limit"] for w in client.scheduler_info()["workers"].values()]
    assert cluster.budget(client, None) == int(0.5 * min(limits))
    assert cluster.budget(client, "3 GB") == batches.parsed("3 GB")


def test_a_worker_killed_during_a_sweep_costs_nothing(
    client: Any, here: xr.Dataset, tmp_path: Path
) -> None:
    workers = client.run(os.getpid)
    update, killed = progress.Count.update, list[int]()

    def killing(bar: Any, done: float) -> None:
        update(bar, done)
        if not killed:
            killed.append(next(iter(workers.values())))
            os.kill(killed[0], signal.SIGKILL)

    with patch.object(progress.Count, "update", killing):
        ds = SIM.sweep(AXES, TIME, client=client, store=tmp_path / "s.zarr", batch_size=1, **WHAT)
    assert killed and killed[0] not in client.run(os.getpid).values()
    same(ds, here)


def test_a_batch_that_kills_its_workers_ends_the_sweep(client: Any) -> None:
    parent = HERE

    def deadly(ds: xr.Dataset) -> float:
        if os.getpid() != parent:
            os._exit(1)
        return 0.0

    refused(
        lambda: SIM.sweep(
            {"seed": [1]}, TIME, client=client, retries=1, **{**WHAT, "reduce": {"d": deadly}}
        ),
        bg.RunError,
        "a batch of 1 simulations was lost 2 times, each time with its worker .KilledWorker.",
        {"retries": 1},
    )
