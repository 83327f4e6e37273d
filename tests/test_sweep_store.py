"""The store of a sweep: filled in any order, gone on with, readable at every moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import brainunit as u
import numpy as np
import pytest
import xarray as xr
from sweeps import LENGTHS, MONITORS, MS, RING, SIM, TIME, alike, counted, equals_its_runs, network
from test_errors import ids, refused

import braingraph as bg
from braingraph import hierarchy, sweep_store, together
from braingraph.analysis import functional_connectivity

SPEEDS = np.array([2.0, 5.0]) * u.mm / MS
DELAYS = [LENGTHS / v for v in SPEEDS]
AXES: dict[str, Any] = {
    "cortex.a": [-0.1, 0.0, 0.05],
    "speed": bg.paired({"long.delay": DELAYS, "drive.sigma": [0.01, 0.02]}, labels=SPEEDS),
    "seed": range(3),
}


def fc(ds: xr.Dataset) -> xr.DataArray:
    return functional_connectivity(ds["cortex.x"])


WHAT: dict[str, Any] = {
    "monitors": MONITORS,
    "reduce": {"fc": fc, "mean": lambda ds: float(ds["slow"].mean())},
    "keep": ["cortex.x", "slow"],
    "batch_size": 2,
    "progress": False,
}


def run(store: Any, sim: bg.Simulator = SIM, axes: Any = AXES, **changes: Any) -> xr.Dataset:
    return sim.sweep(axes, changes.pop("duration", TIME), store=store, **{**WHAT, **changes})


@pytest.fixture(scope="module")
def held() -> xr.Dataset:
    return run(None)


def whole_ones(ds: xr.Dataset) -> np.ndarray[Any, Any]:
    """Which simulations have all their samples."""
    found: np.ndarray[Any, Any] = np.isfinite(ds["cortex.x"].values).all((-2, -1))
    return found


@contextmanager
def stopping_after(count: int, error: BaseException) -> Iterator[None]:
    """One batch at a time, and an error instead of batch number ``count``."""
    real, calls = together.simulate, iter(range(10**6))

    def simulate(*args: Any, **options: Any) -> Any:
        if next(calls) == count:
            raise error
        return real(*args, **options)

    one = patch("braingraph.batches.parallel", lambda: 1)
    with patch.object(together, "simulate", simulate), one:
        yield


# ---------------------------------------------------------------- what is in it
def test_a_store_reads_like_memory(held: xr.Dataset, tmp_path: Path) -> None:
    stored = run(tmp_path / "s.zarr")
    for ds in (stored, bg.open(tmp_path / "s.zarr")):
        assert all(v.chunks is not None for v in ds.data_vars.values())
        xr.testing.assert_identical(
            ds.compute().drop_attrs(deep=False), held.drop_attrs(deep=False)
        )
        assert [ds.attrs[k] for k in ("status", "finished")] == ["complete", 18]
        assert ds.attrs["graph"] == held.attrs["graph"]


INDICES: list[Any] = [
    {"seed": 1},
    {"cortex.a": slice(None, None, -1), "time": slice(6, 1, -2)},
    {"speed": 0, "cortex": -1, "time": slice(0, 0)},
    {"cortex.a": [2, 0, 0], "seed": [1, 2]},
    {"seed": slice(1, None), "cortex.a": slice(0, 1), "time": slice(1, None, 3)},
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("sweeps") / "s.zarr"
    run(store)
    return store


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In chunks of at most 40 bytes."""
    store = tmp_path_factory.mktemp("sweeps") / "s.zarr"
    with patch.multiple(hierarchy, CHUNK_BYTES=40, _WIDTH=2):
        ds = run(store)
    assert len(ds["cortex.x"].data.chunks[-1]) > 1 and len(ds["fc"].data.chunks[0]) == 3
    return store


@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("store", ["finished", "small"])
def test_any_part_reads_like_memory(
    held: xr.Dataset, index: Any, store: str, request: pytest.FixtureRequest
) -> None:
    stored = bg.open(request.getfixturevalue(store))
    for name in ("cortex.x", "fc"):
        known = {k: v for k, v in index.items() if k in held[name].dims}
        np.testing.assert_array_equal(stored[name].isel(known), held[name].isel(known))


def test_plain_xarray_reads_a_store(held: xr.Dataset, finished: Path) -> None:
    tree = xr.open_datatree(finished, engine="zarr")
    rows: Any = tree["_run"]["row"].values
    data: Any = tree["monitors/cortex.x"]["data"]
    np.testing.assert_array_equal(data[rows].values.ravel(), held["cortex.x"].values.ravel())
    tree.close()


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("limit", [1, 700, 4 << 20])
def test_no_file_is_written_by_two_batches(size: int, limit: int, tmp_path: Path) -> None:
    """Threads and machines may then write at once."""
    root = tmp_path / "s.zarr"
    real, before, touched = sweep_store.write, dict[Path, int](), list[set[Path]]()

    def files() -> dict[Path, int]:
        return {p: p.stat().st_ino for p in root.rglob("*") if p.is_file()}

    def write(*args: Any) -> bool:
        before.update(files())
        done = real(*args)
        touched.append({p for p, inode in files().items() if before.get(p) != inode})
        return done

    with (
        patch.object(sweep_store, "write", write),
        patch.object(hierarchy, "CHUNK_BYTES", limit),
        patch("braingraph.batches.parallel", lambda: 1),
    ):
        run(root, batch_size=size)
    everything = [path for paths in touched for path in paths]
    assert len(touched) >= 18 / size and all(len(paths) > 4 for paths in touched)
    assert len(everything) == len(set(everything))


# ---------------------------------------------------------------- going on
@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("power")])
def test_the_same_call_does_only_what_is_missing(
    held: xr.Dataset, error: BaseException, tmp_path: Path
) -> None:
    store = tmp_path / "s.zarr"
    with stopping_after(3, error), pytest.raises(type(error)) as caught:
        run(store)
    status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
    assert f"is in {store}: the same call goes on from there" in caught.value.__notes__[-1]
    part = bg.open(store)
    there = whole_ones(part)
    assert part.attrs["status"] == status
    assert part.attrs["finished"] == there.sum() == 6
    np.testing.assert_array_equal(part["cortex.x"].values[there], held["cortex.x"].values[there])
    assert np.isnan(part["fc"].values[~there]).all() and np.isfinite(part["fc"].values[there]).all()
    with counted() as seen:
        whole = run(store, batch_size=7)  # the store keeps the batches it was made with
    missing = {(p["cortex.a"], s) for p, s in seen}
    assert len(seen) == 14  # 12, and two that fill up batches
    assert len(missing) <= 12 and whole.attrs["status"] == "complete"
    xr.testing.assert_identical(whole.compute().drop_attrs(deep=False), held.drop_attrs(deep=False))
    with counted() as seen:
        run(store)
    assert seen == []


def test_what_a_torn_batch_left_does_not_show(held: xr.Dataset, tmp_path: Path) -> None:
    """Data are written before the marker: until then they do not count."""
    store = tmp_path / "s.zarr"
    real = sweep_store.write

    def torn(path: Any, run_id: str, batch: Any, outcome: Any) -> bool:
        if batch.number < 2:
            return real(path, run_id, batch, outcome)
        root: Any = path.open("r+")
        first = int(root["_run/batches"][batch.number, 2])
        root["monitors/cortex.x/data"][first] = 7.0
        raise OSError("gone")

    with patch.object(sweep_store, "write", torn), pytest.raises(OSError, match="gone"):
        with patch("braingraph.batches.parallel", lambda: 1):
            run(store)
    part = bg.open(store)["cortex.x"].values
    assert np.isfinite(part).any() and not (part == 7.0).any()
    np.testing.assert_array_equal(run(store)["cortex.x"], held["cortex.x"])


def test_a_store_that_was_never_ready_is_made_anew(held: xr.Dataset, tmp_path: Path) -> None:
    store = tmp_path / "s.zarr"
    with patch.object(sweep_store, "_create_result", side_effect=OSError("full")):
        refused(lambda: run(store), bg.StoreError, "could not be created: OSError: full", {})
    refused(lambda: bg.open(store), bg.StoreError, "is still being created", {})
    np.testing.assert_array_equal(run(store)["fc"], held["fc"])


CHANGED: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("duration", {"duration": 2 * TIME}, ("duration",)),
    ("values", {"axes": {**AXES, "cortex.a": [-0.1, 0.0, 0.06]}}, ("axes",)),
    ("order", {"axes": dict(reversed(AXES.items()))}, ("axes",)),
    ("params", {"params": {"long.k": 0.1}}, ("params",)),
    ("transient", {"transient": 2 * MS}, ("transient",)),
    ("monitors", {"monitors": {**MONITORS, "slow": "cortex.y"}}, ("monitors",)),
    ("keep", {"keep": ["slow"]}, ("what is kept",)),
    ("reduce", {"reduce": {"fc": lambda ds: 1.0, "mean": lambda ds: 2.0}}, ("reduce",)),
    ("inputs", {"inputs": {"cortex.y_inp": 0.1}}, ("inputs",)),
    ("method", {"sim": bg.Simulator(network(), dt=0.1 * MS)}, ("dt, method or precision",)),
    (
        "graph and step",
        {"sim": bg.Simulator(network(a=-0.3), dt=0.05 * MS, method="euler")},
        ("graph", "dt, method or precision"),
    ),
]


@pytest.mark.parametrize("case", CHANGED, ids=ids(CHANGED))
def test_another_sweep_is_not_mixed_in(case: Any, finished: Path) -> None:
    _, changes, differs = case
    before = sorted((p, p.stat().st_mtime_ns) for p in finished.rglob("*"))
    with counted() as seen:
        refused(
            lambda: run(finished, **changes),
            bg.StoreError,
            f"There is another sweep at .*: it differs in {', '.join(differs)}.",
            {"differs": differs, "path": str(finished)},
        )
    assert seen == []
    assert sorted((p, p.stat().st_mtime_ns) for p in finished.rglob("*")) == before


def test_the_seed_counts_only_where_no_axis_varies_it(finished: Path, tmp_path: Path) -> None:
    other = bg.Simulator(network(), dt=0.1 * MS, method="euler", seed=99)
    with counted() as seen:
        run(finished, sim=other)
    assert seen == []
    without: dict[str, Any] = {"axes": {"cortex.a": [0.1]}, "reduce": None, "keep": None}
    run(tmp_path / "s.zarr", **without)
    refused(
        lambda: run(tmp_path / "s.zarr", sim=other, **without),
        bg.StoreError,
        "it differs in seed",
        {"differs": ("seed",)},
    )


def test_another_store_is_replaced_only_on_demand(held: xr.Dataset, tmp_path: Path) -> None:
    store = tmp_path / "s.zarr"
    SIM.run(TIME, store=store, progress=False)
    refused(lambda: run(store), bg.StoreError, "There is a store at .* already", {})
    run(store, overwrite=True)
    refused(lambda: SIM.run(TIME, store=store, progress=False), bg.StoreError, "is a store at", {})
    with counted() as seen:
        again = run(store, overwrite=True)
    assert len(seen) >= 18
    np.testing.assert_array_equal(again["fc"], held["fc"])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("words")
    refused(lambda: run(tmp_path / "mine", overwrite=True), bg.StoreError, "is never replaced", {})


# ---------------------------------------------------------------- killed
SCRIPT = """
import sys
sys.path[:0] = {path!r}
import test_sweep_store as t
from braingraph import together
import time
real = together.simulate
def simulate(*args, **options):
    time.sleep(0.2)
    return real(*args, **options)
together.simulate = simulate
t.run(sys.argv[1])
"""


def test_a_killed_process_leaves_a_store_that_opens_and_goes_on(
    held: xr.Dataset, tmp_path: Path
) -> None:
    store = tmp_path / "s.zarr"
    code = SCRIPT.format(path=sys.path)
    process = subprocess.Popen([sys.executable, "-c", code, str(store)])
    deadline = time.monotonic() + 120
    finished = 0
    while finished < 4:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
        try:
            finished = bg.open(store).attrs["finished"]  # a reader while it is written
        except bg.StoreError:  # not created yet
            continue
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    part = bg.open(store)
    there = whole_ones(part)
    assert 4 <= there.sum() == part.attrs["finished"] < 18 and part.attrs["status"] == "running"
    np.testing.assert_array_equal(part["fc"].values[there], held["fc"].values[there])
    assert np.isnan(part["cortex.x"].values[~there]).all()
    with counted() as seen:
        whole = run(store)
    assert 0 < len(seen) <= 18 + 6 - there.sum()
    xr.testing.assert_identical(whole.compute().drop_attrs(deep=False), held.drop_attrs(deep=False))


def test_double_precision_and_diverged_simulations_are_kept(x64: None, tmp_path: Path) -> None:
    ds = run(tmp_path / "s.zarr", axes={"cortex.a": [-0.1, 0.2]}, reduce=None, keep=None)
    assert ds["cortex.x"].dtype == np.float64
    equals_its_runs(ds.load(), [({"cortex.a": 1}, {"cortex.a": 0.2}, 4)])
    assert RING.shape == (3, 3)
    alike(ds["cortex.x"], bg.open(tmp_path / "s.zarr")["cortex.x"])
