"""What tests of runs that are cut short share: a network, an end within it, and what must hold."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import brainunit as u
import numpy as np
import pytest
import xarray as xr

import braingraph as bg
from braingraph import edges, hierarchy, nodes, observers, session, store

DURATION = 28 * u.ms
MONITORS = {
    "cortex.x": 0.5 * u.ms,
    "power": bg.Record("cortex.y", every=3 * u.ms, reduce="mean"),
    "bold.bold": 2 * u.ms,
    "slow.x": 1.4 * u.ms,
}


def network(**changes: Any) -> bg.Graph:
    """Delays within and beyond a block, noise, slow nodes: everything that a state holds."""
    n, rng = 9, np.random.default_rng(5)
    g = bg.Graph()
    cortex = g.add_node("cortex", nodes.HopfStep(n, **{"a": 0.1, "w": 0.8, **changes}))
    drive = g.add_node("drive", nodes.WhiteNoise(n, sigma=0.2))
    g.add_node("slow", nodes.OUProcess(n, tau=3 * u.ms, dt=1.4 * u.ms))
    bold = g.add_node("bold", observers.BOLDSignal(n, dt=1 * u.ms, epsilon=50 / u.second**2))
    delays = rng.uniform(0.35, 2.5, (n, n)) * u.ms
    wires = edges.DiffusiveCoupling(conn=rng.random((n, n)), k=0.05)
    g.add_edge(cortex.x, cortex.x_inp, wires, delay=delays, name="wires")
    g.add_edge(drive, cortex.y_inp)
    g.add_edge(cortex.x, bold.z)
    return g


@contextmanager
def many_commits() -> Iterator[None]:
    """A chunk is a block, a chunk on disk a few samples, and every second append a commit."""
    init = store.Writer.__init__

    def often(self: Any, *given: Any, **options: Any) -> None:
        init(self, *given, **{**options, "commit_every": 2})

    with (
        patch.object(session, "CHUNK_SECONDS", 1e-9),
        patch.object(session, "FIRST_STEPS", 8),
        patch.object(store.Writer, "__init__", often),
        patch.multiple(hierarchy, CHUNK_BYTES=1600),
    ):
        yield


def prefix(path: Any, whole: xr.Dataset) -> dict[str, int]:
    """What is committed equals the uninterrupted run; how many samples of each monitor."""
    ds = bg.open(path).load()
    for name, data in ds.data_vars.items():
        given = np.asarray(data)
        np.testing.assert_array_equal(given, np.asarray(whole[name])[:, : given.shape[1]])
    return {str(name): data.shape[1] for name, data in ds.data_vars.items()}


def complete(path: Any, whole: xr.Dataset) -> None:
    assert bg.open(path).attrs["status"] == "complete"
    assert prefix(path, whole) == {str(k): v.shape[1] for k, v in whole.data_vars.items()}


def cut(sim: bg.Simulator, path: Any, at: float, **given: Any) -> None:
    """A run that is asked to end once it has come to ``at`` ms."""
    reached = session.Session._rows

    def rows(self: Any, out: Any, start: int, stop: int) -> Any:
        if stop * self.dt >= at:
            signal.raise_signal(signal.SIGINT)
        return reached(self, out, start, stop)

    given = {"monitors": MONITORS, "batch_size": 2, **given}
    with many_commits(), patch.object(session.Session, "_rows", rows):
        with pytest.raises(KeyboardInterrupt, match="To go on: sim.resume"):
            sim.run(DURATION, store=path, progress=False, **given)
