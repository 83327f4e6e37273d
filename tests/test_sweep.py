"""Sweeps: every simulation is its own run, wherever and with whomever it ran."""

from __future__ import annotations

import itertools
import math
import pickle
import re
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import brainunit as u
import jax
import numpy as np
import pytest
import xarray as xr
from dask.system import CPU_COUNT
from hypothesis import given, settings
from hypothesis import strategies as st
from sweeps import (
    LABELS,
    LENGTHS,
    MONITORS,
    MS,
    RING,
    SIM,
    TIME,
    alike,
    counted,
    equals_its_runs,
    network,
)
from test_errors import ids, refused

import braingraph as bg
from braingraph import axes, batches, nodes, progress

QUIET: dict[str, Any] = {"progress": False}
SPEEDS = np.array([2.0, 5.0]) * u.mm / MS
DELAYS = [LENGTHS / v for v in SPEEDS]
A, K = [-0.1, 0.0, 0.05], [0.2, 0.4]


@pytest.fixture(scope="module", autouse=True)
def two_batches_at_a_time() -> Iterator[None]:
    """As on one CPU of two cores; here there are several devices."""
    with patch.object(batches, "parallel", lambda: 2):
        yield


PARALLEL = batches.parallel


@pytest.fixture(scope="module")
def swept() -> xr.Dataset:
    """Seeds outside, delays (which batches may not mix) in the middle, a gain inside."""
    return SIM.sweep(
        {
            "seed": range(7, 10),
            "speed": bg.paired({"long.delay": DELAYS}, labels=SPEEDS),
            "cortex.a": A,
        },
        TIME,
        monitors=MONITORS,
        batch_size=2,
        **QUIET,
    )


def every_point() -> list[Any]:
    return [
        (
            {"seed": i, "speed": j, "cortex.a": k},
            {"long.delay": DELAYS[j], "cortex.a": A[k]},
            7 + i,
        )
        for i, j, k in itertools.product(range(3), range(2), range(3))
    ]


# ---------------------------------------------------------------- the law
def test_every_simulation_is_its_own_run(swept: xr.Dataset) -> None:
    equals_its_runs(swept, every_point())
    firsts = swept["cortex.x"].isel(time=-1, cortex=0).values
    assert len(np.unique(firsts)) == firsts.size  # so none stands in another's place


def test_axes_are_dimensions_with_units_in_the_order_given(swept: xr.Dataset) -> None:
    assert swept["cortex.x"].dims == ("seed", "speed", "cortex.a", "time", "cortex")
    assert swept["slow"].dims == ("seed", "speed", "cortex.a", "time_2ms", "cortex")
    assert swept["seed"].values.tolist() == [7, 8, 9] and swept["seed"].attrs == {}
    assert swept["speed"].values.tolist() == [2.0, 5.0]
    assert swept["speed"].attrs["units"] == str(u.mm / MS)
    assert swept["cortex.a"].values.tolist() == A and swept["cortex.a"].attrs == {"units": "1"}
    assert tuple(swept["cortex"].values) == LABELS
    counts = ("simulations", "finished", "diverged", "status", "duration")
    assert [swept.attrs[name] for name in counts] == [18, 18, 0, "complete", 4.0]


@pytest.mark.parametrize("size", [1, 4, 18])
def test_the_size_of_batches_does_not_matter(swept: xr.Dataset, size: int) -> None:
    """To an ulp; bit for bit where the sizes agree, wherever a batch begins."""
    again = SIM.sweep(
        {
            "seed": range(7, 10),
            "speed": bg.paired({"long.delay": DELAYS}, labels=SPEEDS),
            "cortex.a": A,
        },
        TIME,
        monitors=MONITORS,
        batch_size=size,
        **QUIET,
    )
    for name in ("cortex.x", "slow"):
        alike(again[name], swept[name])
    xr.testing.assert_identical(xr.Dataset(coords=again.coords), xr.Dataset(coords=swept.coords))


PAIR: dict[str, Any] = {"cortex.a": A, "cortex.w": A, "seed": [1, 1, 2]}
#: What is swept, as values by path for each dimension.
SWEPT: list[tuple[str, list[dict[str, Any]]]] = [
    ("one axis", [{"cortex.a": A}]),
    ("paired", [PAIR]),
    ("crossed", [{"cortex.a": A, "cortex.w": A}, {"seed": range(2)}]),
    ("weights", [{"long.conn": [RING, 2 * RING]}, {"long.k": K}]),
    ("per unit", [{"cortex.a": np.array([[0.1, 0.2, 0.3], [0.0, 0.0, 0.0]])}]),
    ("starts", [{"cortex.init_x": [0.1, 0.2]}, {"drive.sigma": [0.0, 0.02]}]),
    ("starts per unit", [{"cortex.init_x": [[0.1, 0.2, 0.3], 0.2]}]),
    ("scalar delays", [{"long.delay": [0.3, 0.7] * MS}]),
    ("weights among gains", [{"long.k": K, "long.conn": [RING, RING]}, {"cortex.a": A}]),
]


@pytest.mark.parametrize("case", SWEPT, ids=ids(SWEPT))
def test_whatever_a_run_takes_can_be_swept(case: Any) -> None:
    _, columns = case
    shape = tuple(len(next(iter(column.values()))) for column in columns)
    given_axes = {
        f"d{k}" if len(column) > 1 else next(iter(column)): (
            bg.paired(column) if len(column) > 1 else next(iter(column.values()))
        )
        for k, column in enumerate(columns)
    }
    with counted() as seen:
        ds = SIM.sweep(given_axes, TIME, monitors=MONITORS, batch_size=3, **QUIET)
    assert ds["cortex.x"].shape[: len(shape)] == shape
    points = []
    for index in itertools.product(*map(range, shape)):
        at = zip(index, columns, strict=True)
        params = {path: values[k] for k, column in at for path, values in column.items()}
        where = dict(zip(given_axes, index, strict=True))
        points.append((where, params, params.pop("seed", 4)))
    equals_its_runs(ds, points)
    assert len(seen) >= len(points)


def test_a_single_node_and_options_of_a_run() -> None:
    sim = bg.Simulator(nodes.HopfStep(2, w=0.2), dt=0.1 * MS, method="euler")
    given: dict[str, Any] = {
        "monitors": {"x": 1 * MS},
        "transient": 1 * MS,
        "inputs": {"x_inp": 0.3},
        "initial": {"y": 0.4},
    }
    ds = sim.sweep({"a": [-0.1, 0.2]}, TIME, params={"w": 0.1}, **given, **QUIET)
    assert ds["x"].dims == ("a", "time", "unit")
    run = sim.run(TIME, params={"a": 0.2, "w": 0.1}, **given)
    alike(ds["x"].sel(a=0.2), run["x"])
    np.testing.assert_array_equal(ds["time"], run["time"])


def test_double_precision_holds_in_threads(x64: None) -> None:
    ds = SIM.sweep({"cortex.a": A[:2]}, TIME, monitors=MONITORS, batch_size=1, **QUIET)
    assert ds["cortex.x"].dtype == np.float64
    equals_its_runs(ds, [({"cortex.a": 1}, {"cortex.a": A[1]}, 4)])


def test_a_sweep_leaves_the_simulator_as_it_was() -> None:
    sim = bg.Simulator(network(), dt=0.1 * MS, method="euler")
    sim.sweep({"seed": [3]}, TIME, monitors=MONITORS, **QUIET)
    assert sim.state is None and sim.seed == 0
    back = pickle.loads(pickle.dumps(sim))
    assert back.compilations() == 0 < sim.compilations()
    one, two = (s.run(TIME, monitors=MONITORS, progress=False)["cortex.x"] for s in (sim, back))
    np.testing.assert_array_equal(one, two)


# ---------------------------------------------------------------- axes
def test_paired_values_stand_along_one_dimension() -> None:
    draws = {"cortex.a": [0.1, 0.2], "long.k": [1.0, 2.0], "seed": [5, 6], "long.conn": [RING] * 2}
    ds = SIM.sweep(bg.paired(draws), TIME, monitors=MONITORS, **QUIET)
    assert ds["cortex.x"].dims[0] == "point" and ds["point"].values.tolist() == [0, 1]
    for name in ("cortex.a", "long.k", "seed"):
        assert ds[name].dims == ("point",) and ds[name].values.tolist() == draws[name]
    assert "long.conn" not in ds.coords
    named = {"cortex.a": bg.paired({"cortex.a": [0.1, 0.2], "long.k": [1.0, 2.0]})}
    ds = SIM.sweep(named, TIME, monitors=MONITORS, **QUIET)
    assert ds["cortex.a"].values.tolist() == [0.1, 0.2] and ds["long.k"].dims == ("cortex.a",)


def test_values_of_other_units_are_one_coordinate() -> None:
    ds = SIM.sweep({"long.delay": [0.4 * MS, 1000 * u.us]}, TIME, monitors=MONITORS, **QUIET)
    np.testing.assert_allclose(ds["long.delay"], [0.4, 1.0])
    assert ds["long.delay"].attrs["units"] == "ms"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=5), min_size=1, max_size=3),
    st.sets(st.integers(0, 2)),
    st.integers(1, 9),
    st.integers(1, 4),
)
def test_batches_agree_in_what_they_must(
    columns: list[list[int]], splitting: set[int], most: int, parallel: int
) -> None:
    made = tuple(
        axes.Axis(f"d{k}", {f"p{k}": values}, xr.Variable((f"d{k}",), values), {})
        for k, values in enumerate(columns)
    )
    space = axes.Space(made, {}, 0, tuple(f"p{k}" for k in splitting))
    cuts = batches.cut(space.groups(), most, parallel)
    numbers = [int(n) for c in cuts for n in c.simulations]
    assert sorted(numbers) == list(range(space.size))
    keys: list[Any] = []
    for cut in cuts:
        assert 1 <= len(cut.simulations) <= cut.size <= most
        assert list(cut.simulations) == sorted(cut.simulations)
        points = [space.point(n)[0] for n in cut.simulations]
        mine = {tuple(p.get(f"p{k}") for k in sorted(splitting)) for p in points}
        assert len(mine) == 1
        keys += [*mine] if not keys or keys[-1] not in mine else []
    assert len(keys) == len(set(keys)) == len(space.groups())
    groups = space.groups()
    if len(groups) < parallel:  # then each is shared out among the parallel
        assert max(cut.size for cut in cuts) <= math.ceil(max(map(len, groups)) / parallel)


def test_batches_are_as_large_as_memory_allows() -> None:
    def needs(size: int) -> int:
        return 100 + 10 * size

    assert batches.fitting(needs, 32, 10_000, 2) == (32, 2)
    assert batches.fitting(needs, 32, 400, 2) == (8, 2)
    assert batches.fitting(needs, 32, 219, 2) == (1, 1)
    refused(
        lambda: batches.fitting(needs, 32, 109, 2),
        bg.RunError,
        "one simulation needs about 110 B, but may take 109 B",
        {"needed": 110, "given": 109},
    )
    assert batches.budget("2 kB") == 2000 and batches.budget(17) == 17
    assert 0 < batches.budget(None) <= batches.available()


# ---------------------------------------------------------------- progress
def test_progress_counts_simulations(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "QUIET", 0.0)
    monkeypatch.setattr(progress, "RELINE", 0.0)
    SIM.sweep({"seed": range(6)}, TIME, monitors=MONITORS, batch_size=2)
    lines = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"4 of 6 simulations \(67%\), \d:\d\d left", lines[0])
    assert re.fullmatch(r"6 of 6 simulations \(100%\), done in \d:\d\d", lines[-1])
    SIM.sweep({"seed": range(6)}, TIME, monitors=MONITORS, batch_size=2, **QUIET)
    assert capsys.readouterr().err == ""


def test_as_many_batches_at_a_time_as_there_are_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    for devices, number in ((1, CPU_COUNT), (2, 1)):
        monkeypatch.setattr(jax, "local_device_count", lambda devices=devices: devices)
        assert PARALLEL() == number
