"""How recordings are laid out as one dataset, and which cannot be."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import brainunit as u
import numpy as np
import pytest
import xarray as xr
from recordings import ABC, CASES, numbers, recording

from braingraph.errors import RunError
from braingraph.records import Recording, to_dataset
from braingraph.store import Writer


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
