"""Reducers: functions of one simulation that run beside it."""

from __future__ import annotations

from typing import Any

import brainunit as u
import numpy as np
import pytest
import xarray as xr
from sweeps import LABELS, MONITORS, MS, SIM, TIME, Escaping, alike
from test_errors import refused

import braingraph as bg
from braingraph.analysis import functional_connectivity

QUIET: dict[str, Any] = {"progress": False}
A = [-0.1, 0.0, 0.05]


def fc(ds: xr.Dataset) -> xr.DataArray:
    return functional_connectivity(ds["cortex.x"])


def test_reducers_see_one_simulation_and_keep_labels() -> None:
    seen = []

    def mean(ds: xr.Dataset) -> float:
        seen.append({k: float(ds[k]) for k in ("cortex.a", "seed") if k in ds.coords})
        return float(ds["cortex.x"].mean())

    ds = SIM.sweep(
        {"cortex.a": A, "seed": [7, 8]},
        TIME,
        monitors=MONITORS,
        reduce={"fc": fc, "mean": mean, "last": lambda ds: ds["slow"].values[-1] * u.mV},
        keep=["slow"],
        **QUIET,
    )
    assert set(ds.data_vars) == {"fc", "mean", "last", "slow"}
    assert ds["fc"].dims == ("cortex.a", "seed", "cortex", "cortex_2")
    assert ds["last"].dims == ("cortex.a", "seed", "last_0") and ds["last"].attrs["units"] == "mV"
    assert tuple(ds["cortex_2"].values) == LABELS and ds["fc"].attrs["units"] == "1"
    same = SIM.sweep({"cortex.a": A, "seed": [7, 8]}, TIME, monitors=MONITORS, **QUIET)
    alike(ds["slow"], same["slow"])
    np.testing.assert_allclose(ds["fc"], functional_connectivity(same["cortex.x"]), atol=1e-5)
    np.testing.assert_allclose(ds["mean"], same["cortex.x"].mean(("time", "cortex")), rtol=1e-5)
    np.testing.assert_array_equal(ds["last"], ds["slow"][..., -1, :])
    points = [{"cortex.a": a, "seed": float(s)} for a in A for s in (7, 8)]
    assert seen[0] == {}  # once before anything runs
    assert sorted(map(str, seen[1:])) == sorted(map(str, points))


def test_simulations_that_diverge_are_nan_and_no_others() -> None:
    sim = bg.Simulator(Escaping(2), dt=0.1 * MS, method="euler")
    ds = sim.sweep(
        {"a": [-0.1, 0.5, -0.2]},
        TIME,
        monitors={"x": None},
        reduce={"end": lambda ds: ds["x"][-1], "count": lambda ds: len(ds["x"])},
        keep=["x"],
        **QUIET,
    )
    finite = np.isfinite(ds["x"].values).all(-1)
    assert finite.all(1).tolist() == [True, False, True]
    begins = finite[1]
    assert begins[0] and not begins[-1] and (np.diff(begins.astype(int)) <= 0).all()
    assert np.isnan(ds["x"][1].values[~begins]).all()  # and not infinite
    assert np.isnan(ds["end"][1]).all() and ds["count"].values.tolist()[::2] == [40.0, 40.0]
    assert (ds.attrs["finished"], ds.attrs["diverged"]) == (3, 1)


@pytest.mark.parametrize("leading", [(), (4,)])
def test_functional_connectivity_is_the_correlation(leading: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(*leading, 50, 3))
    x[..., 2] = 1.0
    dims = ("a",) * len(leading) + ("time_720ms", "cortex")
    found = functional_connectivity(xr.DataArray(x, {"cortex": list(LABELS)}, dims))
    assert found.dims == (*dims[:-2], "cortex", "cortex_2")
    assert found["cortex_2"].values.tolist() == list(LABELS)
    for got, signal in zip(found.values.reshape(-1, 3, 3), x.reshape(-1, 50, 3), strict=True):
        np.testing.assert_allclose(got[:2, :2], np.corrcoef(signal[:, :2].T), rtol=1e-12)
        assert np.isnan(got[2]).all() and np.isnan(got[:, 2]).all()
    for wrong, text in ((x, "takes a recorded variable"), (xr.DataArray(x[0]), "needs dimensions")):
        with pytest.raises(bg.ParameterError, match=text):
            functional_connectivity(wrong)


def test_a_reducer_that_fails_says_where() -> None:
    def picky(ds: xr.Dataset) -> Any:
        if "cortex.a" in ds.coords and ds["cortex.a"] > 0:
            raise ValueError("no")
        return 1.0

    refused(
        lambda: SIM.sweep({"cortex.a": A}, TIME, monitors=MONITORS, reduce={"p": picky}, **QUIET),
        bg.RunError,
        r"reduce\['p'\] failed for cortex.a = 0.05: ValueError: no",
        {"name": "p"},
    )
    shapes = iter((2, 2, 3))

    def growing(ds: xr.Dataset) -> Any:
        return np.ones(next(shapes))

    refused(
        lambda: SIM.sweep({"cortex.a": A}, TIME, monitors=MONITORS, reduce={"p": growing}, **QUIET),
        bg.RunError,
        r"must return the same shape for every simulation.*p_0': 3.*p_0': 2",
        {"name": "p", "given": (3,), "needed": (2,)},
    )
