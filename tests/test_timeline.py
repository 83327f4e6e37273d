"""Times that are a rule: selected as a list of them would be."""

from __future__ import annotations

import tracemalloc
from typing import Any
from unittest.mock import patch

import brainunit as u
import dask.array as da
import numpy as np
import pytest
import xarray as xr

from braingraph import timeline
from braingraph.analysis import power_spectrum
from braingraph.records import Recording, to_dataset


def datasets(samples: int = 50) -> tuple[xr.Dataset, xr.Dataset]:
    """The same recording with its times as a rule and as a list."""
    r = Recording("cortex.x", 0.7, samples, "1", "cortex", 2, start=3.0)
    arrays = {"cortex.x": np.random.default_rng(0).random(r.shape).astype(np.float32)}
    with patch.object(timeline, "MANY", 10):
        rule = to_dataset([r], arrays, {})
    return rule, to_dataset([r], arrays, {})


SELECTIONS: dict[str, dict[str, Any]] = {
    "a slice": {"time": slice(5.0, 20.0)},
    "ends that are times": {"time": slice(3.0 + 0.7 * 4, 3.0 + 0.7 * 9)},
    "open ends": {"time": slice(None, 12.0)},
    "from the left": {"time": slice(30.0, None)},
    "beyond": {"time": slice(-10.0, 1e6)},
    "nothing": {"time": slice(3.71, 3.72)},
    "a time": {"time": 3.0 + 0.7 * 5},
    "times": {"time": [3.0 + 0.7, 3.0 + 0.7 * 31]},
    "the nearest": {"time": 10.0, "method": "nearest"},
    "the nearest of several": {"time": [9.9, 20.1], "method": "nearest"},
}


@pytest.mark.parametrize("case", SELECTIONS)
def test_a_rule_is_selected_as_a_list_is(case: str) -> None:
    rule, listed = datasets()
    assert isinstance(rule.xindexes["time"], timeline.Timeline)
    want = SELECTIONS[case]
    if case in ("a time", "times"):  # a list wants them to the last bit
        want = {**want, "method": "nearest"}
    got = rule.sel(SELECTIONS[case]) if "method" not in SELECTIONS[case] else rule.sel(**want)
    expected = listed.sel(**want)
    np.testing.assert_array_equal(got["cortex.x"], expected["cortex.x"])
    np.testing.assert_allclose(got["time"], expected["time"], rtol=1e-12)


def test_what_is_cut_and_computed_stays_right() -> None:
    rule, listed = datasets()
    np.testing.assert_allclose(rule["time"], listed["time"], rtol=1e-12)
    assert rule["time"].attrs == listed["time"].attrs
    part = rule["cortex.x"][5:-3].sel(time=slice(10.0, 20.0))
    assert isinstance(part.xindexes["time"], timeline.Timeline)
    np.testing.assert_array_equal(part, listed["cortex.x"][5:-3].sel(time=slice(10.0, 20.0)))
    np.testing.assert_array_equal(rule["cortex.x"].mean("time"), listed["cortex.x"].mean("time"))
    got, want = (power_spectrum(ds["cortex.x"], 7.0 * u.ms) for ds in (rule, listed))
    np.testing.assert_allclose(got, want, rtol=1e-6)
    with pytest.raises(KeyError, match="no sample at 10.1"):
        rule.sel(time=10.1)
    xr.testing.assert_allclose(rule.load(), listed)


def test_the_times_of_ten_million_samples_take_no_memory() -> None:
    r = Recording("cortex.x", 0.1, 10_000_000, "1", "cortex", 90)
    lazy = da.zeros(r.shape, dtype=r.dtype, chunks=(1_000_000, 90))
    tracemalloc.start()
    ds = to_dataset([r], {"cortex.x": lazy}, {})
    hour = ds["cortex.x"].sel(time=slice(100_000.0, 200_000.0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e6 and hour.shape == (1_000_001, 90)
    assert float(hour["time"][-1]) == pytest.approx(200_000.0)
