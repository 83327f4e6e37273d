"""Sweeps: what is wrong shows before anything runs, by class and fields."""

from __future__ import annotations

from typing import Any

import brainunit as u
import numpy as np
import pytest
import xarray as xr
from sweeps import MONITORS, MS, RING, TIME, counted, network
from test_errors import ids, refused

import braingraph as bg
from braingraph.analysis import functional_connectivity

QUIET: dict[str, Any] = {"progress": False}
A = [-0.1, 0.0, 0.05]


def fc(ds: xr.Dataset) -> xr.DataArray:
    return functional_connectivity(ds["cortex.x"])


def failing(ds: xr.Dataset) -> Any:
    raise ValueError("no")


OK = {"cortex.a": A}
Case = tuple[str, Any, dict[str, Any], type[bg.BraingraphError], str, dict[str, Any]]
REFUSED: list[Case] = [
    ("form", [1, 2], {}, bg.ParameterError, "takes values by path, as in", {}),
    ("nothing", {}, {}, bg.ParameterError, "takes values by path", {}),
    ("no values", {"cortex.a": []}, {}, bg.ParameterError, "'cortex.a' has no values", {}),
    ("one value", {"cortex.a": 0.1}, {}, bg.ParameterError, "must be a sequence of values", {}),
    (
        "path",
        {"cortex.aa": A},
        {},
        bg.ParameterError,
        "no parameter 'cortex.aa'. Did you mean 'cortex.a'",
        {"path": "cortex.aa"},
    ),
    ("name", {"speed": [1, 2]}, {}, bg.ParameterError, "no parameter 'speed'", {"path": "speed"}),
    ("unit", {"cortex.a": [0.1, 2 * u.mV]}, {}, bg.UnitError, "HopfStep.a is in .mV.", {}),
    ("delay", {"long.delay": [1, 2]}, {}, bg.UnitError, "must be a time", {}),
    ("shape", {"cortex.a": [[1, 2], [3, 4]]}, {}, bg.ShapeError, "does not broadcast", {}),
    ("weights", {"long.conn": [RING, RING[:2]]}, {}, bg.ShapeError, "must be .3, 3.", {}),
    ("seed", {"seed": [1, 0.5]}, {}, bg.ParameterError, "a seed must be an integer", {}),
    (
        "twice",
        {"cortex.a": A, "draws": bg.paired({"cortex.a": A})},
        {},
        bg.ParameterError,
        "'cortex.a' is given twice",
        {"path": "cortex.a"},
    ),
    ("params", OK, {"params": {"cortex.a": 1}}, bg.ParameterError, "given twice", {}),
    ("fixed", OK, {"params": {"cortex.b": 1}}, bg.ParameterError, "no parameter 'cortex.b'", {}),
    (
        "dimension",
        {"cortex": bg.paired({"cortex.a": A})},
        {},
        bg.RunError,
        "a dimension called 'cortex': it is taken",
        {},
    ),
    ("duration", OK, {"duration": 0.05 * MS}, bg.ClockError, "multiple of", {}),
    ("monitor", OK, {"monitors": ["cortex.z"]}, bg.PortError, "no port 'z'", {}),
    ("reduce", OK, {"reduce": fc}, bg.ParameterError, "functions of one simulation's dataset", {}),
    (
        "reducer",
        OK,
        {"reduce": {"fc": failing}},
        bg.RunError,
        r"reduce\['fc'\] failed on a simulation of random numbers.*ValueError: no",
        {"name": "fc"},
    ),
    (
        "result",
        OK,
        {"reduce": {"fc": lambda ds: ds}},
        bg.RunError,
        "returns a number, an array or a DataArray",
        {},
    ),
    (
        "result's name",
        OK,
        {"reduce": {"cortex.a": fc}},
        bg.ParameterError,
        "calls a result 'cortex.a', as a coordinate",
        {},
    ),
    (
        "result's dimension",
        OK,
        {"reduce": {"r": lambda ds: xr.DataArray([1.0, 2.0], dims="cortex.a")}},
        bg.ParameterError,
        r"reduce\['r'\] returns a dimension 'cortex.a', as the sweep has",
        {},
    ),
    (
        "result's size",
        OK,
        {"reduce": {"r": lambda ds: xr.DataArray([1.0, 2.0], dims="cortex")}, "keep": ["slow"]},
        bg.RunError,
        "does not fit together",
        {},
    ),
    ("keep", OK, {"keep": ["slo"]}, bg.ParameterError, "no monitor. Did you mean 'slow'", {}),
    ("keep nothing", OK, {"keep": []}, bg.ParameterError, "nothing would be kept", {}),
    ("batch size", OK, {"batch_size": 0}, bg.ParameterError, "whole number of at least 1", {}),
    ("retries", OK, {"retries": -1}, bg.ParameterError, "whole number of at least 0", {}),
    ("memory", OK, {"memory": "much"}, bg.ParameterError, "number of bytes or text", {}),
    ("too little", OK, {"memory": 10}, bg.RunError, "one simulation needs about", {"given": 10}),
    (
        "too much",
        {"seed": range(10**5)},
        {"duration": 100 * u.second, "monitors": ["cortex.x"]},
        bg.RunError,
        "what the sweep keeps takes 1.2 TB, more than the .* of memory that are free",
        {},
    ),
    ("client", OK, {"client": 5}, bg.ParameterError, "must be a dask.distributed.Client", {}),
    (
        "inputs",
        OK,
        {"inputs": {"cortex.x_inp": np.ones((3, 3))}},
        bg.ShapeError,
        "3 rows, but the run has 40 steps",
        {},
    ),
]


@pytest.mark.parametrize("case", REFUSED, ids=ids(REFUSED))
def test_what_is_wrong_shows_before_anything_runs(case: Case) -> None:
    _, given_axes, options, error, text, fields = case
    sim = bg.Simulator(network(), dt=0.1 * MS, method="euler")
    call = {"duration": TIME, "monitors": MONITORS, **QUIET, **options}
    with counted() as seen:
        refused(lambda: sim.sweep(given_axes, **call), error, text, fields)
    assert seen == [] and sim.compilations() == 0


PAIRED = [
    ("lengths", {"a": [1, 2], "b": [1]}, {}, "of one length, but a has 2, b has 1"),
    ("labels", {"a": [1, 2]}, {"labels": [1]}, "of one length, but a has 2, labels has 1"),
    ("form", [1, 2], {}, "takes values by path"),
    ("nothing", {}, {}, "takes values by path"),
    ("no values", {"a": []}, {}, "'a' has no values"),
    ("text", {"a": "text"}, {}, "must be a sequence of values"),
]


@pytest.mark.parametrize("case", PAIRED, ids=ids(PAIRED))
def test_what_is_wrong_with_a_pair_shows_where_it_is_made(case: Any) -> None:
    _, values, options, text = case
    refused(lambda: bg.paired(values, **options), bg.ParameterError, text, {})
