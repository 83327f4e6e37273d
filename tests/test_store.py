"""The store: what goes in comes out, while it runs, after a crash, and when things go wrong."""

import errno
import itertools
import math
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import brainunit as u
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from braingraph import hierarchy, store
from braingraph.errors import BraingraphError, RunError, StoreError
from braingraph.hierarchy import SCHEMA, chunks_of
from braingraph.records import Recording, to_dataset
from braingraph.store import Writer, open_run

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


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


# What a dataset looks like: in memory, and the same in a store.

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


def test_names_units_and_coordinates() -> None:
    recordings = [
        recording(labels=ABC, start=100.0, batch=(("cortex.a", np.array([0.1, 0.2]) * u.mV),)),
        recording("bold.bold", 1, period=720.0, node="bold", unit="1", reduce="mean"),
    ]
    ds = to_dataset(recordings, numbers(recordings), {})
    x = ds["cortex.x"]
    assert x.dims == ("cortex.a", "time", "cortex")
    assert x.attrs == {"units": "mV", "long_name": "cortex.x", "reduce": "sample"}
    assert ds["bold.bold"].attrs["reduce"] == "mean"
    assert x["time"].values.tolist() == [100.0 + 10.0 * (k + 1) for k in range(12)]
    assert ds["time_720ms"].values.tolist() == [720.0]
    assert ds["time"].attrs["units"] == ds["time_720ms"].attrs["units"] == "ms"
    assert ds["cortex.a"].values.tolist() == [0.1, 0.2]
    assert ds["cortex.a"].attrs["units"] == "mV"
    assert x.sel({"cortex": "b", "time": 110.0, "cortex.a": 0.2}).item() == 38.0
    assert "bold" not in ds.coords


@pytest.mark.parametrize(
    ("clocks", "dims"),
    [
        ([(10, 0)], ["time"]),
        ([(10, 0), (10, 0)], ["time", "time"]),
        ([(720, 0), (10, 0)], ["time_720ms", "time"]),
        ([(720, 0), (0.1, 0), (2.5, 0), (720, 0)], ["time_720ms", "time", "time_2.5ms"] * 2),
        ([(0.1 * 7200, 0), (720, 0)], ["time", "time"]),
        ([(10, 0), (10, 50)], ["time", "time_10ms_from_50ms"]),
        ([(5, 0), (10, 0), (10, 50)], ["time", "time_10ms", "time_10ms_from_50ms"]),
    ],
)
def test_time_dimensions(clocks: list[tuple[float, float]], dims: list[str]) -> None:
    rs = [recording(f"r{k}", 2, period=p, start=s) for k, (p, s) in enumerate(clocks)]
    ds = to_dataset(rs, numbers(rs), {})
    assert [ds[r.name].dims[0] for r in rs] == dims[: len(rs)]


def test_monitors_that_share_a_time_are_cut_to_the_fewest_samples() -> None:
    rs = [recording("x"), recording("y"), recording("z", period=20.0)]
    arrays = numbers(rs)
    arrays["x"] = arrays["x"][:5]
    ds = to_dataset(rs, arrays, {})
    assert ds.sizes == {"time": 5, "cortex": 3, "time_20ms": 12}


def test_attributes_become_plain() -> None:
    attrs: dict[Any, Any] = {
        "a": np.float32(0.5), "b": np.arange(2), "c": (1, None), 3: {"d": 0.1 * u.ms},
        "e": math.inf, "f": Path("x"), "g": True,
    }  # fmt: skip
    wanted = {"a": 0.5, "b": [0, 1], "c": [1, None], "3": {"d": str(0.1 * u.ms)}}
    ds = to_dataset([recording()], numbers([recording()]), attrs)
    assert ds.attrs == {**wanted, "e": "inf", "f": "x", "g": True}


def test_a_dataset_can_be_saved_without_warnings(tmp_path: Path) -> None:
    rs = CASES["two periods"]
    ds = to_dataset(rs, numbers(rs), {"seed": 0})
    ds.to_zarr(tmp_path / "copy.zarr", consolidated=False)
    xr.testing.assert_equal(xr.open_zarr(tmp_path / "copy.zarr", consolidated=False).compute(), ds)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: recording("a/b"), "cannot be called 'a/b'"),
        (lambda: recording(""), "cannot be called ''"),
        (lambda: recording(".."), "cannot be called '..'"),
        (lambda: recording("__x"), "cannot be called '__x'"),
        (lambda: recording(node="time"), "dimension called 'time'"),
        (lambda: recording(node="data"), "dimension called 'data'"),
        (lambda: recording(batch=(("cortex", [1]),)), "dimension called 'cortex'"),
        (lambda: recording(batch=(("r", []),)), "'r' of the monitor 'cortex.x' needs one"),
        (lambda: recording(batch=(("r", np.ones((2, 2))),)), r"array of shape \(2, 2\)"),
        (lambda: recording(labels=("a",)), "has 1 labels for 3 units"),
        (lambda: recording(period=0.0), "not 0.0 ms, 12 and 3"),
        (lambda: recording(samples=-1), "not 10.0 ms, -1 and 3"),
    ],
)
def test_recordings_are_checked(make: Callable[[], Recording], says: str) -> None:
    with pytest.raises(RunError, match=says):
        make()


@pytest.mark.parametrize(
    ("recordings", "says"),
    [
        ([], "nothing to record"),
        ([recording(), recording()], "Two monitors are called 'cortex.x'"),
        ([recording("cortex")], "called like the dimension 'cortex'.*'cortex.out'"),
        ([recording(), recording("y", units=2)], "'y' has a dimension 'cortex' that differs"),
        ([recording(labels=ABC), recording("y", labels="xyz")], "'y' has a dimension 'cortex'"),
        (
            [recording(batch=(("r", [1, 2]),)), recording("y", batch=(("r", [1, 3]),))],
            "'y' has a dimension 'r' that differs",
        ),
        ([recording(), recording("y", node="r", batch=(("cortex", ABC),))], "or meaning"),
        ([recording(), recording("y", period=720.0, node="time_720ms")], "'time_720ms'"),
    ],
)
def test_recordings_that_contradict_each_other(
    recordings: list[Recording], says: str, tmp_path: Path
) -> None:
    with pytest.raises(RunError, match=says):
        to_dataset(recordings, numbers(recordings), {})
    with pytest.raises(RunError, match=says):
        Writer(tmp_path / "run.zarr", recordings)
    assert not (tmp_path / "run.zarr").exists()


@pytest.mark.parametrize("shape", [(12, 4), (13, 3), (12,), (1, 12, 3), None])
def test_arrays_that_do_not_fit(shape: tuple[int, ...] | None) -> None:
    arrays = {} if shape is None else {"cortex.x": np.zeros(shape)}
    with pytest.raises(RunError, match=r"must have \(12, 3\): \('time', 'cortex'\)"):
        to_dataset([recording()], arrays, {})


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


@pytest.fixture
def small_chunks() -> Iterator[None]:
    """Chunks of at most 40 numbers, so that small runs have many."""
    with patch.multiple(hierarchy, _CHUNK_BYTES=160, _WIDTH=2, _TIMES=5):
        yield


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
        patch.multiple(hierarchy, _CHUNK_BYTES=160, _WIDTH=2, _TIMES=5),
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
    into = store._Lane.take

    def slow(lane: Any, piece: Any) -> Any:
        gate.wait()
        return into(lane, piece)

    r = recording(samples=8)
    handed: list[int] = []

    def feed(writer: Writer) -> None:
        for k in range(8):
            writer.append({r.name: np.zeros((1, 3), np.float32)}, step=k)
            handed.append(k)

    with patch.object(store._Lane, "take", slow), Writer(tmp_path / "r", [r], depth=depth) as w:
        feeder = threading.Thread(target=feed, args=(w,))
        feeder.start()
        wait_until(lambda: len(handed) == depth)
        time.sleep(0.05)
        assert len(handed) == depth
        gate.set()
        feeder.join()
    assert len(handed) == 8


def test_an_append_does_not_wait_for_the_disk(tmp_path: Path) -> None:
    gate = threading.Event()
    r = recording()
    with patch.object(store._Put, "__call__", lambda put: gate.wait()):
        writer = Writer(tmp_path / "run.zarr", [r])
        writer.append(numbers([r]), step=1)  # would hang here
        gate.set()
        writer.close()


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"cortex.y": np.zeros((1, 3))}, "no monitor 'cortex.y'. Did you mean 'cortex.x'"),
        ({"cortex.x": np.zeros((1, 4))}, r"shape \(1, 4\), but must have \('n', 3\)"),
        ({"cortex.x": np.zeros(3)}, r"shape \(3,\)"),
        ({"cortex.x": np.zeros((1, 1, 3))}, r"shape \(1, 1, 3\)"),
        ({"cortex.x": np.zeros((9, 3))}, "n at most 8, what is left of 12"),
        ({"cortex.x": np.zeros((1, 3), complex)}, "are complex128, but must be float32"),
    ],
)
def test_appends_that_do_not_fit(arrays: Arrays, says: str, tmp_path: Path) -> None:
    r = recording()
    whole = numbers([r])
    with Writer(tmp_path / "run.zarr", [r]) as writer:
        writer.append(part(whole, 0, 4), step=4)
        with pytest.raises(StoreError, match=says) as caught:
            writer.append(arrays, step=5)
        assert caught.value.fields["path"] == str(tmp_path / "run.zarr")
        with pytest.raises(StoreError, match="step 3 comes after step 4"):
            writer.append({}, step=3)
        writer.append(part(whole, 4, 12), step=12)  # a refused append changes nothing
    with pytest.raises(StoreError, match="it is closed"):
        writer.append({}, step=13)
    np.testing.assert_array_equal(open_run(tmp_path / "run.zarr")[r.name], whole[r.name])


@pytest.mark.parametrize("options", [{"depth": 0}, {"commit_every": 0}])
def test_options_are_checked(options: dict[str, int], tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="at least 1"):
        Writer(tmp_path / "run.zarr", [recording()], **options)  # type: ignore[arg-type]


def shows(path: Path, samples: int) -> bool:
    return open_run(path).sizes["time"] == samples


# Looking at a run: while it goes on, after it stopped early, and after a crash.


@pytest.mark.usefixtures("small_chunks")
def test_a_running_store_shows_what_is_committed(tmp_path: Path) -> None:
    path = tmp_path / "run.zarr"
    rs = [recording(samples=40), recording("bold.bold", 4, period=100.0, node="bold")]
    arrays = numbers(rs)
    with Writer(path, rs, {"seed": 7}, commit_every=1000) as writer:
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


# What can go wrong, each with the fix.


def a_file(path: Path) -> Path:
    path.write_text("mine")
    return path


def below_a_file(path: Path) -> Path:
    return a_file(path) / "run.zarr"


def a_folder_of_mine(path: Path) -> Path:
    path.mkdir()
    a_file(path / "thesis.txt")
    return path


def another_zarr(path: Path) -> Path:
    zarr.create_group(str(path), attributes={"mine": True})
    return path


def a_store(path: Path) -> Path:
    write(path, [recording()], numbers([recording()]))
    return path


def a_store_with_notes(path: Path) -> Path:
    a_file(a_store(path) / "notes.txt")
    return path


def unfinished(path: Path) -> Path:
    zarr.open_group(str(a_store(path)), use_consolidated=False).attrs["ready"] = False
    return path


def newer(path: Path) -> Path:
    zarr.open_group(str(a_store(path)), use_consolidated=False).attrs["schema"] = SCHEMA + "0"
    return path


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    ("make", "says", "replaced"),
    [
        (a_file, "is a file, but a store is a folder", False),
        (below_a_file, "a file stands where a folder is needed", False),
        (a_folder_of_mine, "it also holds 'thesis.txt'. It is never replaced", False),
        (another_zarr, "is not only a braingraph store. It is never replaced", False),
        (a_store_with_notes, "it also holds 'notes.txt'", False),
        (a_store, r"already \(status: complete\). .* overwrite=True", True),
        (unfinished, "overwrite=True", True),
        (newer, "overwrite=True", True),
    ],
)
def test_what_is_there_is_not_replaced(
    make: Callable[[Path], Path], says: str, replaced: bool, overwrite: bool, tmp_path: Path
) -> None:
    path = make(tmp_path / "run.zarr")
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    if overwrite and replaced:
        write(path, [recording("cortex.z")], numbers([recording("cortex.z")]), overwrite=True)
        assert list(open_run(path).data_vars) == ["cortex.z"]
        return
    with pytest.raises(StoreError, match=says) as caught:
        Writer(path, [recording()], overwrite=overwrite)
    assert caught.value.fields["path"] == str(path)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_an_empty_folder_will_do(tmp_path: Path) -> None:
    write(tmp_path, [recording()], numbers([recording()]))
    assert open_run(tmp_path).sizes["time"] == 12


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path, "There is nothing at .*check the path"),
        (a_file, "is not a braingraph store"),
        (a_folder_of_mine, "is not a braingraph store: give the folder"),
        (another_zarr, "is not a braingraph store"),
        (unfinished, "still being created, or its creation was cut short: .*overwrite=True"),
        (newer, "layout 'braingraph-run/10', but this version reads 'braingraph-run/1'"),
    ],
)
def test_what_cannot_be_opened(make: Callable[[Path], Path], says: str, tmp_path: Path) -> None:
    path = make(tmp_path / "run.zarr")
    with pytest.raises(StoreError, match=says) as caught:
        open_run(path)
    assert caught.value.fields["path"] == str(path)


@pytest.mark.parametrize("act", [lambda p: Writer(p, [recording()]), open_run])
def test_addresses_are_refused(act: Callable[[str], object]) -> None:
    with pytest.raises(StoreError, match="'s3://mine/run.zarr' is no local path"):
        act("s3://mine/run.zarr")


@pytest.fixture
def disk() -> Iterator[dict[str, Any]]:
    """A disk that fails with error ``disk["says"]`` to write files with ``disk["in"]`` in them."""
    state: dict[str, Any] = {"says": None, "in": ""}
    local = zarr.storage.LocalStore
    real = local.set

    async def failing(self: Any, key: str, value: Any) -> None:
        if state["says"] is not None and state["in"] in key:
            raise OSError(state["says"], "simulated")
        await real(self, key, value)

    with patch.object(local, "set", failing):
        yield state


FAILURES = pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, "the disk is full, so free some space"),
        (errno.EROFS, "no permission, so choose a folder"),
        (errno.EACCES, "no permission, so choose a folder"),
        (errno.EIO, "OSError: .*simulated"),
    ],
)


@FAILURES
def test_a_store_that_cannot_be_created(
    number: int, says: str, disk: dict[str, Any], tmp_path: Path
) -> None:
    disk["says"] = number
    with pytest.raises(StoreError, match=f"could not be created: {says}"):
        Writer(tmp_path / "run.zarr", [recording()])


@FAILURES
@pytest.mark.usefixtures("small_chunks")
def test_a_disk_that_fails_loses_nothing_that_was_committed(
    number: int, says: str, disk: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "run.zarr"
    r = recording(samples=100)
    arrays = numbers([r])
    writer = Writer(path, [r], commit_every=1000)
    writer.append(part(arrays, 0, 31), step=31)
    writer.flush()
    disk["says"] = number

    def go_on() -> None:
        for k in range(31, 100):
            writer.append(part(arrays, k, k + 1), step=k + 1)

    for act in (go_on, writer.flush, writer.close):
        with pytest.raises(StoreError, match=says) as caught:
            act()
        assert caught.value.fields == {"path": str(path), "step": 31}
        assert isinstance(caught.value.__cause__, OSError)
        assert "up to step 31, is kept: bg.open(" in str(caught.value)
    writer.close()  # it has said so once: closing again does nothing
    ds = open_run(path)
    np.testing.assert_array_equal(ds["cortex.x"], arrays["cortex.x"][:31])
    assert ds.attrs["status"] == "running"  # nothing could be written any more


@pytest.mark.usefixtures("small_chunks")
def test_data_goes_before_the_marker(disk: dict[str, Any], tmp_path: Path) -> None:
    r = recording(samples=100)
    writer = Writer(tmp_path / "run.zarr", [r], commit_every=1)
    writer.append(part(numbers([r]), 0, 31), step=31)
    writer.flush()
    disk.update(says=errno.ENOSPC, **{"in": "data/c"})
    writer.append(part(numbers([r]), 31, 100), step=100)
    with pytest.raises(StoreError, match="the disk is full"):
        writer.close()
    ds = open_run(tmp_path / "run.zarr")
    assert (ds.attrs["status"], ds.sizes["time"]) == ("failed", 31)


def test_a_failed_disk_that_recovers_leaves_the_status_failed(
    disk: dict[str, Any], tmp_path: Path
) -> None:
    r = recording()
    writer = Writer(tmp_path / "run.zarr", [r])
    disk["says"] = errno.ENOSPC
    writer.append(numbers([r]), step=1)
    with pytest.raises(StoreError, match="the disk is full"):
        writer.flush()
    disk["says"] = None
    with pytest.raises(StoreError, match="the disk is full"):
        writer.close()
    ds = open_run(tmp_path / "run.zarr")
    assert (ds.attrs["status"], ds.sizes["time"]) == ("failed", 0)


def test_the_first_error_is_not_hidden(disk: dict[str, Any], tmp_path: Path) -> None:
    r = recording()
    with (
        pytest.raises(ValueError, match="a bug in the model") as caught,
        Writer(tmp_path / "run.zarr", [r]) as writer,
    ):
        disk["says"] = errno.ENOSPC
        writer.append(numbers([r]), step=1)
        raise ValueError("a bug in the model")
    assert "the disk is full" in caught.value.__notes__[0]


def test_samples_that_cannot_be_computed(tmp_path: Path) -> None:
    class Broken:
        shape, dtype = (12, 3), np.dtype("float32")

        def __array__(self, dtype: object = None, copy: object = None) -> Any:
            raise FloatingPointError("the device gave up")

    with pytest.raises(BraingraphError, match="FloatingPointError: the device gave up"):
        with Writer(tmp_path / "run.zarr", [recording()]) as writer:
            writer.append({"cortex.x": Broken()}, step=1)
