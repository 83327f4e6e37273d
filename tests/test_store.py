"""The store: what goes in comes out, while it runs and after a crash."""

import itertools
import math
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import ABC, CASES, numbers, part, recording, small_chunks, write

from braingraph import lanes
from braingraph.errors import StoreError
from braingraph.hierarchy import chunks_of
from braingraph.records import Recording, to_dataset
from braingraph.store import Writer, open_run


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


@pytest.mark.parametrize("recordings", CASES.values(), ids=CASES)
def test_a_store_reads_like_memory(recordings: list[Recording], tmp_path: Path) -> None:
    arrays = numbers(recordings)
    write(tmp_path / "run.zarr", recordings, arrays)
    stored = open_run(tmp_path / "run.zarr")
    assert all(variable.chunks is not None for variable in stored.data_vars.values())
    memory = to_dataset(recordings, arrays, {"seed": 0, "status": "complete"})
    xr.testing.assert_identical(stored.compute(), memory)
    for r in recordings:
        np.testing.assert_array_equal(memory[r.name].values, arrays[r.name])
        assert stored[r.name].dtype == memory[r.name].dtype == r.dtype


@pytest.mark.parametrize("recordings", CASES.values(), ids=CASES)
def test_plain_xarray_reads_a_store(recordings: list[Recording], tmp_path: Path) -> None:
    arrays = numbers(recordings)
    write(tmp_path / "run.zarr", recordings, arrays)
    tree = xr.open_datatree(tmp_path / "run.zarr", engine="zarr")
    for r in recordings:
        inside: Any = tree[f"monitors/{r.name}"]
        np.testing.assert_array_equal(inside["data"].values, arrays[r.name])
        np.testing.assert_array_equal(inside["time"].values, r.times(0, r.samples))
        assert inside["data"].dims == r.dims
        if r.labels is not None:
            assert inside[r.node].values.tolist() == list(r.labels)
    tree.close()


# Chunks.


@pytest.mark.parametrize(
    ("samples", "units", "batch", "chunk"),
    [
        (10**7, 90, (), (8192, 90)),
        (10**7, 1000, (), (4096, 250)),
        (10**6, 10_000, (), (1024, 1000)),
        (400, 90, (), (400, 90)),
        (400, 90, (1000,), (91, 128, 90)),
        (10**5, 300, (8, 4), (1, 2, 1024, 300)),
        (0, 1, (), (1, 1)),
    ],
)
def test_chunks(samples: int, units: int, batch: tuple[int, ...], chunk: tuple[int, ...]) -> None:
    dims = tuple((f"b{k}", range(n)) for k, n in enumerate(batch))
    assert chunks_of(recording(samples=samples, units=units, batch=dims)) == chunk


@given(
    st.integers(1, 10**8), st.integers(1, 50_000), st.lists(st.integers(1, 99), max_size=2)
)  # fmt: skip
def test_chunks_are_of_a_good_size(samples: int, units: int, batch: list[int]) -> None:
    dims = tuple((f"b{k}", range(n)) for k, n in enumerate(batch))
    r = recording(samples=samples, units=units, batch=dims)
    chunk = chunks_of(r)
    assert all(1 <= c <= size for c, size in zip(chunk, r.shape, strict=True))
    assert math.prod(chunk) * 4 <= 4 << 20
    unfinished = math.prod(r.shape) // samples * chunk[-2] * 4
    assert unfinished <= 64 << 20 or chunk[-2] == 1


# Appending.


@settings(max_examples=25, deadline=None)
@given(data=st.data(), commit_every=st.integers(1, 5), depth=st.integers(1, 3))
def test_pieces_of_any_size_give_the_same_store(
    data: st.DataObject, commit_every: int, depth: int
) -> None:
    rs = [
        recording(samples=53, units=5, batch=(("replica", range(3)),)),
        recording("bold.bold", 7, period=70.0, node="bold", labels=ABC),
    ]
    arrays = numbers(rs)
    cuts = {r.name: sorted(data.draw(st.lists(st.integers(0, r.samples), max_size=9))) for r in rs}
    with (
        small_chunks(),
        tempfile.TemporaryDirectory() as folder,
    ):
        path = f"{folder}/run.zarr"
        with Writer(path, rs, depth=depth, commit_every=commit_every) as writer:
            marks = [[(n, k) for k in (*cuts[n], arrays[n].shape[-2])] for n in cuts]
            done = dict.fromkeys(cuts, 0)
            for step, group in enumerate(itertools.zip_longest(*marks)):
                piece = {n: arrays[n][..., done[n] : k, :] for n, k in filter(None, group)}
                done.update(dict(filter(None, group)))
                writer.append(piece, step=step)
        assert chunks_of(rs[0])[-2] < 53
        xr.testing.assert_identical(
            open_run(path).compute(), to_dataset(rs, arrays, {"status": "complete"})
        )


def test_jax_arrays_and_reused_buffers(tmp_path: Path) -> None:
    rs = [recording(), recording("y")]
    arrays = numbers(rs)
    buffer = np.empty((4, 3), np.float32)
    with Writer(tmp_path / "run.zarr", rs) as writer:
        for k in range(3):
            piece = part(arrays, 4 * k, 4 * k + 4)
            buffer[:] = piece["y"]
            writer.append({"cortex.x": jnp.asarray(piece["cortex.x"]), "y": buffer}, step=k)
        buffer[:] = -1
    for name, array in arrays.items():
        np.testing.assert_array_equal(open_run(tmp_path / "run.zarr")[name], array)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_at_most_depth_appends_are_in_flight(depth: int, tmp_path: Path) -> None:
    gate = threading.Event()
    into = lanes.Lane.take

    def slow(lane: Any, piece: Any) -> Any:
        gate.wait()
        return into(lane, piece)

    r = recording(samples=8)
    handed: list[int] = []

    def feed(writer: Writer) -> None:
        for k in range(8):
            writer.append({r.name: np.zeros((1, 3), np.float32)}, step=k)
            handed.append(k)

    with patch.object(lanes.Lane, "take", slow), Writer(tmp_path / "r", [r], depth=depth) as w:
        feeder = threading.Thread(target=feed, args=(w,))
        feeder.start()
        try:
            wait_until(lambda: len(handed) >= depth)
            time.sleep(0.05)
            assert len(handed) == depth
        finally:
            gate.set()
            feeder.join()
    assert len(handed) == 8


def test_an_append_does_not_wait_for_the_disk(tmp_path: Path) -> None:
    gate = threading.Event()
    r = recording()
    with patch.object(lanes.Put, "__call__", lambda put: gate.wait()):
        writer = Writer(tmp_path / "run.zarr", [r])
        writer.append(numbers([r]), step=1)  # would hang here
        gate.set()
        writer.close()


def shows(path: Path, samples: int) -> bool:
    return open_run(path).sizes["time"] == samples


# Looking at a run: while it goes on, after it stopped early, and after a crash.


def test_a_running_store_shows_what_is_committed(tmp_path: Path) -> None:
    path = tmp_path / "run.zarr"
    rs = [recording(samples=40), recording("bold.bold", 4, period=100.0, node="bold")]
    arrays = numbers(rs)
    with small_chunks(), Writer(path, rs, {"seed": 7}, commit_every=1000) as writer:
        assert open_run(path).sizes["time"] == 0
        for k, seen in enumerate((1, 2, 2, 4, 4)):  # commits come at 1, 2 and 4 appends
            writer.append({"cortex.x": arrays["cortex.x"][k : k + 1]}, step=k)
            wait_until(partial(shows, path, seen))
        writer.append({"bold.bold": arrays["bold.bold"][:3]}, step=9)
        writer.append({"cortex.x": arrays["cortex.x"][5:29]}, step=9)
        writer.flush()
        early = open_run(path)
        assert early.attrs == {"seed": 7, "status": "running"}
        assert early.sizes == {"time": 29, "cortex": 3, "time_100ms": 3, "bold": 3}
        writer.append({"cortex.x": arrays["cortex.x"][29:]}, step=10)
        writer.append({"bold.bold": arrays["bold.bold"][3:]}, step=10)
        writer.flush()
        # What an earlier look promised has not moved, although its last chunk was replaced.
        np.testing.assert_array_equal(early["cortex.x"], arrays["cortex.x"][:29])
        assert open_run(path).sizes["time"] == 40
        assert open_run(path).attrs["status"] == "running"
    assert open_run(path).attrs["status"] == "complete"


def test_what_is_not_committed_reads_as_nan(tmp_path: Path) -> None:
    r = recording()
    with Writer(tmp_path / "run.zarr", [r]) as writer:
        writer.append(part(numbers([r]), 0, 5), step=5)
        writer.flush()
        raw = xr.open_zarr(tmp_path / "run.zarr", group="monitors/cortex.x", consolidated=False)
        assert np.isfinite(raw["data"].values).all(axis=1).tolist() == [True] * 5 + [False] * 7
        assert raw["time"].values.tolist() == r.times(0, 12).tolist()


@pytest.mark.parametrize(
    ("stop", "status"),
    [
        (None, "interrupted"),  # closed before the end
        (KeyboardInterrupt(), "interrupted"),
        (ValueError("a bug in the model"), "failed"),
    ],
)
def test_stopping_early_keeps_everything(
    stop: BaseException | None, status: str, tmp_path: Path
) -> None:
    r = recording()
    arrays = numbers([r])
    try:
        with Writer(tmp_path / "run.zarr", [r], commit_every=100) as writer:
            for k in range(7):
                writer.append(part(arrays, k, k + 1), step=k)
            if stop is not None:
                raise stop
    except (KeyboardInterrupt, ValueError) as error:
        assert error is stop
    ds = open_run(tmp_path / "run.zarr")
    assert ds.attrs["status"] == status
    np.testing.assert_array_equal(ds["cortex.x"], arrays["cortex.x"][:7])


def test_abort_says_how_it_ended(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "run.zarr", [recording()])
    with pytest.raises(StoreError, match="not 'complete'"):
        writer.abort("complete")
    writer.abort("failed")
    writer.close()  # changes nothing any more
    assert open_run(tmp_path / "run.zarr").attrs["status"] == "failed"


OTHER_PROCESS = """
import os, signal, sys
import numpy as np
from braingraph.records import Recording
from braingraph.store import Writer
r = Recording("cortex.x", 10.0, 50_000, "mV", "cortex", 40)
writer = Writer(sys.argv[1], [r], {"seed": 1}, commit_every=1_000)
def append(begin, end):
    rows = np.arange(begin, end, dtype=np.float32)[:, None] + np.zeros(40, np.float32)
    writer.append({"cortex.x": rows}, step=end)
append(0, 20_000)
writer.flush()
print("look", flush=True)
sys.stdin.readline()
append(20_000, 30_001)
writer.flush()
append(30_001, 50_000)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_another_process_writes_and_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "run.zarr"
    with subprocess.Popen(
        [sys.executable, "-c", OTHER_PROCESS, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "look\n"
        assert open_run(path).sizes["time"] == 20_000
        child.communicate("go on\n", timeout=120)
    assert child.returncode < 0
    ds = open_run(path)
    assert ds.attrs == {"seed": 1, "status": "running"}
    # The second append ends in the middle of a chunk; the third was not committed any more.
    assert ds.sizes["time"] == 30_001
    wanted = np.broadcast_to(np.arange(30_001, dtype=np.float32)[:, None], (30_001, 40))
    np.testing.assert_array_equal(ds["cortex.x"], wanted)
    assert ds["time"].values[-1] == 300_010.0
