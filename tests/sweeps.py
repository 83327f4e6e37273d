"""A small network to sweep, and what a sweep of it must equal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import brainunit as u
import numpy as np
import xarray as xr

import braingraph as bg
from braingraph import edges, nodes, together, work
from braingraph.component import Node

MS = u.ms
DT = 0.1 * MS
RING = np.array([[0, 1, 0], [0, 0, 2], [1, 0, 0]])
LENGTHS = np.array([[0, 3, 0], [0, 0, 5], [4, 0, 0]]) * u.mm
LABELS = ("left", "right", "middle")
TIME = 4 * MS


def network(a: float = -0.02) -> bg.Graph:
    """Noisy oscillators with delays, and a column in millivolts."""
    g = bg.Graph()
    cortex = g.add_node("cortex", nodes.HopfStep(3, a=a, init_x=0.3), labels=LABELS)
    drive = g.add_node("drive", nodes.WhiteNoise(3, sigma=0.02))
    coupling = edges.DiffusiveCoupling(conn=RING, k=0.5)
    g.add_edge(cortex.x, cortex.x_inp, coupling, delay=LENGTHS / (5 * u.mm / MS), name="long")
    g.add_edge(drive, cortex.x_inp)
    return g


SIM = bg.Simulator(network(), dt=DT, method="euler", seed=4)
MONITORS: dict[str, Any] = {"cortex.x": 0.5 * MS, "slow": bg.Record("cortex.y", every=2 * MS)}


class Escaping(Node):
    """x' = 30 a x^2: gone soon after t = 1 / (30 a x0) where a is positive."""

    a: float = 0.1
    x = bg.State(0.1)

    def derivative(self, s: Any, i: Any) -> Mapping[str, Any]:
        return {"x": 30 * self.a * s.x**2}


@contextmanager
def counted() -> Iterator[list[Any]]:
    """The (parameters, seed) of every simulation that is run here, fillers included."""
    seen: list[Any] = []
    real = together.simulate

    def simulate(*given: Any, **options: Any) -> Any:
        seen.extend(zip(given[2], given[3], strict=True))  # points, seeds
        return real(*given, **options)

    with patch.object(together, "simulate", simulate):
        yield seen


def alike(got: Any, want: Any) -> None:
    """Equal to an ulp of the signal: sums of batches of other sizes may add up otherwise."""
    got, want = np.asarray(got), np.asarray(want)
    assert got.dtype == want.dtype and got.shape == want.shape
    size = float(np.nanmax(np.abs(want), initial=0.0))
    np.testing.assert_allclose(got, want, rtol=0, atol=float(np.spacing(want.dtype.type(size))))


def equals_its_runs(
    ds: xr.Dataset, points: Any, sim: bg.Simulator = SIM, monitors: Any = MONITORS
) -> None:
    """Every simulation of a sweep is the run with its parameters and its seed.

    ``points``: (index in the dataset, parameters, seed) for the simulations to look at.
    """
    for index, params, seed in points:
        alone = work.alike(sim, seed=seed)  # a Simulator of that seed, compiled already
        run = alone.run(TIME, params=params, monitors=monitors, progress=False)
        for name, values in run.data_vars.items():
            found = ds[name].isel(index)
            alike(found, values)
            assert found.dims == values.dims
