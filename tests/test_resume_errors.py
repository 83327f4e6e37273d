"""What can go wrong around a run that goes on: each one clear error, and nothing is lost."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import brainunit as u
import numpy as np
import pytest
import xarray as xr
import zarr
from interrupted import DURATION, MONITORS, complete, cut, many_commits, network, prefix
from recordings import numbers, part, recording, small_chunks, write

import braingraph as bg
from braingraph.errors import StoreError
from braingraph.store import Writer, open_run


@pytest.fixture(scope="module")
def sim() -> bg.Simulator:
    return bg.Simulator(network(), dt=0.1 * u.ms, seed=4)


@pytest.fixture(scope="module")
def whole(sim: bg.Simulator) -> xr.Dataset:
    return sim.run(DURATION, monitors=MONITORS, batch_size=2, progress=False)


@contextmanager
def refusing(number: int, after: int = 0, where: str = "") -> Iterator[None]:
    """A disk that takes so many writes below ``where``, and then none."""
    real, left = zarr.storage.LocalStore.set, [after]

    async def failing(self: Any, key: str, value: Any) -> None:
        if where in key:
            left[0] -= 1
            if left[0] < 0:
                raise OSError(number, "simulated")
        await real(self, key, value)

    with patch.object(zarr.storage.LocalStore, "set", failing):
        yield


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("where", ["", "data/c", "checkpoint", "commit"])
def test_a_disk_that_is_full_for_a_while(
    where: str, sim: bg.Simulator, whole: xr.Dataset, tmp_path: Path
) -> None:
    path = tmp_path / "run.zarr"
    given: dict[str, Any] = {"monitors": MONITORS, "batch_size": 2, "progress": False}
    made = {"": 120, "data/c": 30, "checkpoint": 25, "commit": 9}
    with many_commits(), refusing(errno.ENOSPC, made[where], where):
        with pytest.raises(StoreError, match="the disk is full, so free some space") as error:
            sim.run(DURATION, store=path, **given)
    assert "is kept: bg.open(" in str(error.value)
    before = prefix(path, whole)
    assert before["cortex.x"] > 0
    with refusing(errno.ENOSPC), pytest.raises(StoreError, match="the disk is full"):
        sim.resume(path, progress=False)
    assert prefix(path, whole) == before
    sim.resume(path, progress=False)
    complete(path, whole)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_folder_that_is_only_read_cannot_go_on(
    number: int, sim: bg.Simulator, whole: xr.Dataset, tmp_path: Path
) -> None:
    path = tmp_path / "run.zarr"
    cut(sim, path, 12.0)
    before = contents(path)
    with refusing(number), pytest.raises(StoreError, match="no permission, so choose a folder"):
        sim.resume(path, progress=False)
    assert contents(path) == before
    prefix(path, whole)
    sim.resume(path, progress=False)
    complete(path, whole)


@pytest.mark.parametrize("left", [0, 5, 30, -1])
def test_a_chunk_that_was_cut_short_is_told(left: int, tmp_path: Path) -> None:
    r = recording(samples=200)
    path, arrays = tmp_path / "run.zarr", numbers([r])
    with small_chunks():
        write(path, [r], arrays)
    chunk = path / "monitors/cortex.x/data/c/3/1"
    chunk.write_bytes(chunk.read_bytes()[:left])
    ds = open_run(path)
    np.testing.assert_array_equal(ds[r.name][:48], arrays[r.name][:48])
    np.testing.assert_array_equal(ds[r.name][:, :2], arrays[r.name][:, :2])
    with pytest.raises(StoreError, match="cannot be read: .*only its own samples") as error:
        ds[r.name][40:60].compute()
    assert error.value.fields["file"] == f"file://{chunk}"


def test_a_bit_that_has_changed_is_told(tmp_path: Path) -> None:
    r = recording(samples=200)
    path = tmp_path / "run.zarr"
    write(path, [r], numbers([r]))
    (chunk,) = (p for p in (path / "monitors/cortex.x/data/c").rglob("*") if p.is_file())
    raw = bytearray(chunk.read_bytes())
    raw[len(raw) // 2] ^= 4
    chunk.write_bytes(raw)
    with pytest.raises(StoreError, match="cannot be read: ValueError: .*checksum"):
        open_run(path)[r.name].load()


def test_a_run_does_not_go_on_from_a_chunk_that_was_cut_short(
    sim: bg.Simulator, whole: xr.Dataset, tmp_path: Path
) -> None:
    path = tmp_path / "run.zarr"
    cut(sim, path, 12.0)
    taken = prefix(path, whole)["cortex.x"]
    extent = zarr.open_array(path / "monitors/cortex.x/data", mode="r").chunks[-2]
    assert taken % extent  # the run goes on within a chunk
    found = sorted((path / "monitors/cortex.x/data/c").glob(f"*/{taken // extent}/*"))
    chunk, kept = found[-1], found[-1].read_bytes()
    chunk.write_bytes(kept[:-7])
    with pytest.raises(StoreError, match="cannot be read") as error:
        sim.resume(path, progress=False)
    assert error.value.fields["file"] == f"file://{chunk}"
    chunk.write_bytes(kept)
    sim.resume(path, progress=False)
    complete(path, whole)


def test_a_store_that_was_moved_is_told(tmp_path: Path) -> None:
    """Zarr would read what is gone as what was never written."""
    r = recording(samples=200)
    write(tmp_path / "run.zarr", [r], numbers([r]))
    ds = open_run(tmp_path / "run.zarr")
    (tmp_path / "run.zarr").rename(tmp_path / "moved.zarr")
    with pytest.raises(StoreError, match="the store was moved or replaced, or this machine"):
        ds[r.name].load()
    np.testing.assert_array_equal(open_run(tmp_path / "moved.zarr")[r.name], numbers([r])[r.name])


def test_what_is_not_a_number_is_read(tmp_path: Path) -> None:
    r = recording()
    arrays = {r.name: np.full((12, 3), np.nan, np.float32)}
    write(tmp_path / "run.zarr", [r], arrays)
    np.testing.assert_array_equal(open_run(tmp_path / "run.zarr")[r.name], arrays[r.name])


def mine_beside(path: Path) -> None:
    (path / "figures").mkdir()
    (path / "figures" / "one.png").write_bytes(b"mine")


def a_link(path: Path) -> None:
    (path / "data").symlink_to(path.parent / "elsewhere")


@pytest.mark.parametrize("make", [mine_beside, a_link])
def test_overwrite_never_removes_what_is_not_ours(make: Any, tmp_path: Path) -> None:
    path, r = tmp_path / "run.zarr", recording()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "thesis.txt").write_text("mine")
    write(path, [r], numbers([r]))
    make(path)
    before = contents(tmp_path)
    with pytest.raises(StoreError, match="It is never replaced"):
        Writer(path, [r], overwrite=True)
    assert contents(tmp_path) == before


def test_overwrite_through_a_link_keeps_the_rest(tmp_path: Path) -> None:
    """The store behind the link is replaced, and nothing beside it."""
    r = recording()
    write(tmp_path / "data" / "run.zarr", [r], numbers([r]))
    (tmp_path / "data" / "thesis.txt").write_text("mine")
    (tmp_path / "run.zarr").symlink_to(tmp_path / "data" / "run.zarr")
    with Writer(tmp_path / "run.zarr", [r], overwrite=True) as writer:
        writer.append(part(numbers([r]), 0, 5), step=5)
    assert (tmp_path / "data" / "thesis.txt").read_text() == "mine"
    assert open_run(tmp_path / "run.zarr").sizes["time"] == 5
