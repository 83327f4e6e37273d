"""What can go wrong with a store, each with its fix; what was committed is never lost."""

import errno
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import zarr
from recordings import Arrays, numbers, part, recording, small_chunks, write

from braingraph.errors import BraingraphError, StoreError
from braingraph.hierarchy import SCHEMA, chunks_of
from braingraph.store import Writer, open_run


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
def test_addresses_that_nobody_knows_are_refused(act: Callable[[str], object]) -> None:
    with pytest.raises(StoreError, match="'nowhere://mine/run.zarr' is neither a path nor"):
        act("nowhere://mine/run.zarr")


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
def test_a_disk_that_fails_loses_nothing_that_was_committed(
    number: int, says: str, disk: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "run.zarr"
    r = recording(samples=100)
    arrays = numbers([r])
    with small_chunks():
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


def test_data_goes_before_the_marker(disk: dict[str, Any], tmp_path: Path) -> None:
    r = recording(samples=100)
    with small_chunks():
        assert chunks_of(r)[-2] == 16
        writer = Writer(tmp_path / "run.zarr", [r], commit_every=1)
    writer.append(part(numbers([r]), 0, 35), step=35)
    writer.flush()
    disk.update(says=errno.ENOSPC, **{"in": "data/c"})
    writer.append(part(numbers([r]), 35, 40), step=40)  # no chunk is whole: only the commit writes
    with pytest.raises(StoreError, match="the disk is full"):
        writer.close()
    ds = open_run(tmp_path / "run.zarr")
    assert (ds.attrs["status"], ds.sizes["time"]) == ("failed", 35)


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


@pytest.mark.parametrize("options", [{"depth": 0}, {"commit_every": 0}])
def test_options_are_checked(options: dict[str, int], tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="at least 1"):
        Writer(tmp_path / "run.zarr", [recording()], **options)  # type: ignore[arg-type]


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
