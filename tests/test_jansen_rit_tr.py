"""Jansen-Rit columns on a connectome, read out per repetition time."""

from __future__ import annotations

from typing import Any

import brainunit as u
import numpy as np
import pytest
from compare import agree
from model_tools import MS
from physiology import SC

import braingraph as bg
from braingraph import nodes

pytestmark = pytest.mark.usefixtures("x64")

GAINS: dict[str, Any] = {"g_l": 2.0, "g_f": 60 * u.Hz / u.mV, "g_b": 3.0}
START: dict[str, Any] = {"init_E": [3, 9, 6] * u.mV, "init_M": [0.02, 0.1, 0.05] * u.mV}
P = {"column.p": 220 * u.Hz}


def run(model: bg.Graph, duration: float = 40.0, **monitors: Any) -> Any:
    given = {"monitors": ["column.eeg"], **monitors}
    return bg.Simulator(model, dt=0.1 * u.ms).run(duration * MS, inputs=P, progress=False, **given)


def test_the_graph_is_what_its_equations_say() -> None:
    log_gains = {"w_ll": 0.3 * SC, "w_ff": -0.2 * SC, "w_bb": 0.1}
    delay = np.array([[0, 1.0, 2.25], [1.3, 0, 0], [2.0, 0, 0]]) * u.ms
    model = nodes.JansenRitTR(3, sc=SC, delay=delay, tr=0.7 * u.ms, **GAINS, **log_gains, **START)
    agree(model, steps=42)


def test_weights_are_scaled_and_the_lateral_ones_symmetric() -> None:
    log_gains = {"w_ll": 0.3 * SC, "w_ff": -0.2 * SC}
    model = nodes.JansenRitTR(3, sc=SC, **log_gains)
    bare = SC - np.diag(np.diag(SC))
    lateral, forward = np.exp(0.3 * SC) * bare, np.exp(-0.2 * SC) * bare
    lateral = (lateral + lateral.T) / 2
    for name, weights, sign in (
        ("lateral", lateral, 1),
        ("forward", forward, 1),
        ("back", bare, -1),
    ):
        conn = sign * model[f"{name}.conn"]
        off = conn - np.diag(np.diag(conn))
        np.testing.assert_allclose(off, weights / np.linalg.norm(weights), rtol=1e-14)
        np.testing.assert_allclose(conn.sum(1), 0, atol=1e-15)


def test_columns_alike_do_not_feel_one_another() -> None:
    """A Laplacian of equal potentials is 0, and unconnected columns are plain ones."""
    plain = bg.Graph()
    plain.add_node("column", nodes.JansenRitStep(3, init_E=3 * u.mV))
    alone = run(plain)["column.eeg"]
    together = run(nodes.JansenRitTR(3, sc=SC, init_E=3 * u.mV, **GAINS))["column.eeg"]
    np.testing.assert_allclose(together, alone, rtol=1e-9, atol=1e-9)
    apart = run(nodes.JansenRitTR(3, sc=0.0, delay=2 * MS, init_E=3 * u.mV, **GAINS))["column.eeg"]
    np.testing.assert_allclose(apart, alone, rtol=1e-13)


def test_unlike_columns_pull_one_another() -> None:
    given = {**GAINS, **START}
    apart = run(nodes.JansenRitTR(3, sc=0.0, **given))["column.eeg"]
    for pathway in ("g_l", "g_f", "g_b"):
        off = {k: 0.0 * v for k, v in GAINS.items() if k != pathway}
        one = run(nodes.JansenRitTR(3, sc=SC, **{**given, **off}))["column.eeg"]
        assert float(abs(one - apart).max()) > 1e-2, pathway


@pytest.mark.parametrize("tr", [0.3, 0.7, 1.2, 2.3, 4.1])
def test_a_sample_is_the_mean_over_a_repetition_time(tr: float) -> None:
    model = nodes.JansenRitTR(3, sc=SC, delay=2.5 * u.ms, tr=tr * u.ms, **GAINS, **START)
    steps = round(tr / 0.1)
    ds = run(model, 8 * tr, monitors=["column.eeg", "tr.eeg"])
    time = ds["tr.eeg"].dims[0]
    np.testing.assert_allclose(ds[time], tr * np.arange(1, 9), rtol=1e-12)
    wanted = ds["column.eeg"].values.reshape(8, steps, 3).mean(1)
    np.testing.assert_allclose(ds["tr.eeg"], wanted, rtol=1e-12)


def test_the_repetition_time_does_not_touch_the_columns() -> None:
    fast, slow = (
        run(nodes.JansenRitTR(3, sc=SC, delay=3 * MS, tr=tr * u.ms, **GAINS, **START))
        for tr in (0.5, 4.0)
    )
    np.testing.assert_array_equal(fast["column.eeg"], slow["column.eeg"])


def test_a_repetition_time_between_two_steps_is_refused() -> None:
    model = nodes.JansenRitTR(3, sc=SC, tr=0.25 * u.ms)
    with pytest.raises(bg.ClockError, match="the clock of 'tr' is 0.25 ms"):
        bg.Simulator(model, dt=0.1 * u.ms).run(1 * u.ms, monitors=["tr.eeg"], progress=False)
