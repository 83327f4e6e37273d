"""Stores elsewhere: in memory, in a bucket, in a repository, in an archive; the same to the bit."""

from __future__ import annotations

import itertools
import pickle
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import brainunit as u
import numpy as np
import pytest
import xarray as xr
import zarr
from interrupted import DURATION, MONITORS, complete, cut, network, prefix
from recordings import numbers, part, recording, write
from sweeps import MONITORS as SWEPT
from sweeps import SIM, TIME

import braingraph as bg
from braingraph import cli, places, session
from braingraph.errors import StoreError
from braingraph.store import Writer, open_run

for _package in ("boto3", "icechunk", "moto.server", "obstore", "s3fs"):
    pytest.importorskip(_package, reason=f"{_package} is missing: pip install -e '.[places]'")

import boto3  # noqa: E402
import icechunk  # noqa: E402
import obstore  # noqa: E402
from moto.server import ThreadedMotoServer  # noqa: E402

BUCKET = "brains"


@pytest.fixture(scope="module")
def sim() -> bg.Simulator:
    return bg.Simulator(network(), dt=0.1 * u.ms, seed=4)


@pytest.fixture(scope="module")
def whole(sim: bg.Simulator) -> xr.Dataset:
    return sim.run(DURATION, monitors=MONITORS, batch_size=2, progress=False)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A bucket on this machine."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with pytest.MonkeyPatch.context() as env:
        env.setenv("AWS_ACCESS_KEY_ID", "someone")
        env.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        env.setenv("AWS_DEFAULT_REGION", "us-east-1")
        server.start()
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        boto3.client("s3", endpoint_url=url).create_bucket(Bucket=BUCKET)
        try:
            yield url
        finally:
            server.stop()


names = (f"run{k}.zarr" for k in itertools.count())


def in_memory(endpoint: str) -> Any:
    return f"memory://{BUCKET}/{next(names)}"


def in_a_bucket(endpoint: str) -> Any:
    return bg.place(f"s3://{BUCKET}/{next(names)}", endpoint_url=endpoint)


def in_a_bucket_by_obstore(endpoint: str) -> Any:
    options: Any = {"client_options": {"allow_http": True}}
    found = obstore.store.S3Store(BUCKET, prefix=next(names), endpoint=endpoint, **options)
    return zarr.storage.ObjectStore(found)


def a_memory_store(endpoint: str) -> Any:
    return zarr.storage.MemoryStore()


def a_repository(endpoint: str) -> Any:
    return icechunk.Repository.create(icechunk.in_memory_storage())


def a_session_of_a_repository(endpoint: str) -> Any:
    return a_repository(endpoint).writable_session("main").store


EVERYWHERE = pytest.mark.parametrize(
    "make",
    [
        in_memory,
        in_a_bucket,
        in_a_bucket_by_obstore,
        a_memory_store,
        a_repository,
        a_session_of_a_repository,
    ],
)


# ---------------------------------------------------------------- the same to the bit
@EVERYWHERE
def test_a_run_is_cut_short_seen_and_resumed(
    make: Callable[[str], Any], endpoint: str, sim: bg.Simulator, whole: xr.Dataset
) -> None:
    where = make(endpoint)
    seen: list[int] = []
    rows, count = session.Session._rows, itertools.count()

    def looking(self: Any, *given: Any) -> Any:
        if next(count) % 4 == 2:
            seen.append(prefix(where, whole)["cortex.x"])  # never more than is true
        return rows(self, *given)

    with patch.object(session.Session, "_rows", looking):
        cut(sim, where, 12.0)
    assert seen == sorted(seen) and len(seen) > 1
    assert bg.open(where).attrs["status"] == "interrupted"
    assert prefix(where, whole)["cortex.x"] >= 24
    other = bg.Simulator(network(), dt=0.1 * u.ms, seed=5)
    with pytest.raises(StoreError, match="seed was 4, but is 5"):
        other.resume(where, progress=False)
    ds = sim.resume(where, progress=False)
    complete(where, whole)
    copied = ds.copy(deep=True)
    assert copied.braingraph.digest == bg.open(where).braingraph.digest
    with pytest.raises(StoreError, match="already .status: complete.*overwrite=True"):
        sim.run(DURATION, monitors=MONITORS, batch_size=2, store=where, progress=False)
    xr.testing.assert_equal(bg.rerun(where, progress=False), whole)


def test_a_sweep_elsewhere(endpoint: str) -> None:
    axes: dict[str, Any] = {"cortex.a": [-0.1, 0.05], "seed": range(2)}
    what: dict[str, Any] = {"monitors": SWEPT, "progress": False, "batch_size": 2}
    wanted = SIM.sweep(axes, TIME, **what)
    for make in (in_memory, in_a_bucket, a_memory_store):
        where = make(endpoint)
        given = SIM.sweep(axes, TIME, store=where, **what)
        assert given.attrs["status"] == "complete"
        for ds in (given, bg.open(where)):
            for name in wanted.data_vars:
                np.testing.assert_array_equal(ds[name], wanted[name])
    with pytest.raises(StoreError, match="cannot take a sweep"):
        SIM.sweep(axes, TIME, store=a_repository(endpoint), **what)


def test_a_repository_shows_commits_only_and_keeps_them() -> None:
    repository = a_repository("")
    r = recording(samples=8)
    arrays = numbers([r])
    with Writer(repository, [r], commit_every=2) as writer:
        writer.append(part(arrays, 0, 3), step=3)
        writer.flush()
        marker = zarr.open_group(repository.readonly_session("main").store, mode="r")
        assert marker["_run/commit/r00000"].attrs["samples"] == {r.name: 3}
        # Written, and not committed: others do not see it.
        writer._lanes[r.name].array[3:] = 7.0
        raw: Any = marker["monitors/cortex.x/data"]
        assert np.isnan(raw[3:]).all()
        writer.append(part(arrays, 3, 8), step=8)
    with pytest.raises(StoreError, match="branch side"):
        open_run(bg.place(repository, branch="side"))
    repository.create_branch("side", next(iter(repository.ancestry(branch="main"))).id)
    assert open_run(bg.place(repository, branch="side")).sizes["time"] == 8
    told = [snapshot.message for snapshot in repository.ancestry(branch="main")]
    assert told[:-1] == ["complete", "up to step 8", "up to step 3", "made"]
    np.testing.assert_array_equal(open_run(repository)[r.name], arrays[r.name])


def test_two_writers_of_a_repository() -> None:
    repository = a_repository("")
    r = recording()
    first = Writer(repository, [r])
    with pytest.raises(StoreError, match="overwrite=True"):
        Writer(repository, [r])
    with Writer(repository, [r], overwrite=True) as second:
        second.append(numbers([r]), step=1)
    first.append(numbers([r]), step=1)
    with pytest.raises(StoreError, match="ConflictError"):
        first.close()
    np.testing.assert_array_equal(open_run(repository)[r.name], numbers([r])[r.name])


# ---------------------------------------------------------------- archives
def test_an_archive_is_the_run(sim: bg.Simulator, whole: xr.Dataset, tmp_path: Path) -> None:
    path, kept = tmp_path / "run.zarr", tmp_path / "run.zip"
    ds = sim.run(DURATION, monitors=MONITORS, batch_size=2, store=path, progress=False)
    assert [p.name for p in tmp_path.iterdir()] == ["run.zarr"]
    bg.archive(path, kept)
    xr.testing.assert_identical(bg.open(kept).compute(), ds.compute())
    with pytest.raises(StoreError, match="complete.*overwrite=True"):
        bg.archive(path, kept)
    bg.archive(path, kept, overwrite=True)
    shutil.rmtree(path)
    complete(kept, whole)
    assert ds.braingraph.path.name == str(path)
    assert isinstance(bg.open(kept).braingraph.graph(), bg.Graph)
    xr.testing.assert_equal(bg.rerun(kept, progress=False), whole)
    with pytest.raises(StoreError, match="run into a folder, .* then bg.archive"):
        sim.run(DURATION, store=tmp_path / "new.zip", progress=False)
    for names_ in ((kept, tmp_path / "again.zip"), (kept, tmp_path / "folder")):
        with pytest.raises(StoreError, match="is archived into a zip file, as in"):
            bg.archive(*names_)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run.zip"]


def test_nothing_of_others_becomes_an_archive(tmp_path: Path) -> None:
    write(tmp_path / "run.zarr", [recording()], numbers([recording()]))
    mine = tmp_path / "thesis.zip"
    mine.write_bytes(b"mine")
    for overwrite in (False, True):
        with pytest.raises(StoreError, match="not a zip file"):
            bg.archive(tmp_path / "run.zarr", mine, overwrite=overwrite)
    assert mine.read_bytes() == b"mine"
    with pytest.raises(StoreError, match="There is nothing at"):
        bg.archive(tmp_path / "none.zarr", tmp_path / "a.zip")
    with pytest.raises(StoreError, match="There is nothing at"):
        bg.open(tmp_path / "none.zip")


def test_a_store_that_is_written_is_no_archive_yet(tmp_path: Path) -> None:
    r = recording()
    with Writer(tmp_path / "run.zarr", [r], commit_every=1) as writer:
        real = zipfile.ZipFile.writestr
        left = iter(range(12))

        def meanwhile(*given: Any, **options: Any) -> None:
            real(*given, **options)
            if (k := next(left, None)) is not None:
                writer.append(part(numbers([r]), k, k + 1), step=k)
                writer.flush()

        with patch.object(zipfile.ZipFile, "writestr", meanwhile):
            with pytest.raises(StoreError, match="is being written: archive it when"):
                bg.archive(tmp_path / "run.zarr", tmp_path / "run.zip")
        for k in left:
            writer.append(part(numbers([r]), k, k + 1), step=k)
    assert [p.name for p in tmp_path.iterdir()] == ["run.zarr"]
    bg.archive(tmp_path / "run.zarr", tmp_path / "run.zip")
    np.testing.assert_array_equal(open_run(tmp_path / "run.zip")[r.name], numbers([r])[r.name])


# ---------------------------------------------------------------- what goes wrong
def test_what_stands_in_a_bucket_is_not_replaced(endpoint: str) -> None:
    files = boto3.client("s3", endpoint_url=endpoint)
    r = recording()
    where = in_a_bucket(endpoint)
    write(where, [r], numbers([r]))
    with pytest.raises(StoreError, match="already .status: complete"):
        Writer(where, [r])
    key = f"{where.name.removeprefix(f's3://{BUCKET}/')}/notes/thesis.txt"
    files.put_object(Bucket=BUCKET, Key=key, Body=b"mine")
    with pytest.raises(StoreError, match="also holds 'notes'. It is never replaced"):
        Writer(where, [r], overwrite=True)
    assert files.get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"mine"
    files.delete_object(Bucket=BUCKET, Key=key)
    other = recording("y", samples=3)
    write(where, [other], numbers([other]), overwrite=True)
    assert list(open_run(where).data_vars) == ["y"]
    left = files.list_objects_v2(Bucket=BUCKET, Prefix=key.partition("/")[0])["Contents"]
    assert not [item["Key"] for item in left if "cortex.x" in item["Key"]]


def test_a_bucket_that_is_not_there(endpoint: str) -> None:
    where = bg.place("s3://nobodys/run.zarr", endpoint_url=endpoint)
    with pytest.raises(StoreError, match="NotFound.*bucket does not exist.*bg.place") as error:
        Writer(where, [recording()])
    assert error.value.fields["path"] == "s3://nobodys/run.zarr"
    with pytest.raises(StoreError, match="There is nothing at 's3://nobodys"):
        bg.open(where)


def test_credentials_that_are_wrong(endpoint: str) -> None:
    wrong = bg.place(f"s3://{BUCKET}/run.zarr", endpoint_url=endpoint, key="no", secret="no")
    refused = PermissionError("The AWS Access Key Id you provided does not exist in our records.")
    with patch("s3fs.S3FileSystem._call_s3", side_effect=refused):
        for act in (bg.open, lambda where: Writer(where, [recording()])):
            with pytest.raises(StoreError, match="so check the credentials .The AWS Access Key"):
                act(wrong)
    assert "secret" not in f"{wrong} {wrong!r}"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (7, "must be a path .*, but is 7"),
        ("nowhere://a/run.zarr", "neither a path nor an address that fsspec knows"),
        ("s3://brains/run.zip", "is a zip archive elsewhere: copy it"),
    ],
)
def test_what_is_no_place(given: Any, says: str) -> None:
    for act in (bg.open, bg.place, lambda store: SIM.run(TIME, store=store, progress=False)):
        with pytest.raises(StoreError, match=says):
            act(given)


def test_what_is_not_installed() -> None:
    missing = ImportError("Install s3fs to access S3")
    with patch("fsspec.get_filesystem_class", side_effect=missing):
        with pytest.raises(StoreError, match=r"access S3: pip install 'braingraph-sim\[s3\]'"):
            bg.open("s3://brains/run.zarr")


def test_options_are_for_addresses(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="takes no options, but got endpoint_url"):
        bg.place(tmp_path / "run.zarr", endpoint_url="http://127.0.0.1")


def test_a_store_that_is_only_read_is_not_written() -> None:
    store = zarr.storage.MemoryStore(read_only=True)
    with pytest.raises(StoreError, match="cannot be written piece by piece"):
        Writer(store, [recording()])


def test_one_path_in_many_words(tmp_path: Path) -> None:
    r = recording()
    write(tmp_path / "run.zarr", [r], numbers([r]))
    path = tmp_path / "run.zarr"
    for same in (path, str(path), f"file://{path}", zarr.storage.LocalStore(path), places.at(path)):
        found = places.at(same)
        assert isinstance(found, places.Folder) and found.path == path
        assert str(pickle.loads(pickle.dumps(found))) == str(path)
        np.testing.assert_array_equal(open_run(same)[r.name], numbers([r])[r.name])


def test_the_command_line_reads_a_bucket(
    endpoint: str,
    sim: bg.Simulator,
    whole: xr.Dataset,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    url = f"s3://{BUCKET}/{next(names)}"
    cut(sim, url, 12.0)
    assert cli.main(["info", url]) == 0
    told = capsys.readouterr().out
    assert f"{url}: a run, interrupted" in told and f"braingraph resume {url}" in told
    assert " kB in " in told
    prefix(url, whole)
