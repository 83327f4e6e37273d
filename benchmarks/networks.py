"""The networks every contestant of a case integrates, in plain NumPy.

All of them: Hopf oscillators below their bifurcation (a = -0.02 / ms, w = 0.0628 rad / ms, 10 Hz),
additive coupling of x with k = 0.05, independent white noise of 0.01 / sqrt(ms) on x and y, Heun
with dt = 0.1 ms, x recorded every 1 ms, starting at x = 0.1, y = 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import brainunit as u
import numpy as np
import numpy.typing as npt
from scipy import sparse

import braingraph as bg
from braingraph import edges, nodes

DT = 0.1  # ms
A, W, K, SIGMA = -0.02, 0.0628, 0.05, 0.01
X0, Y0 = 0.1, 0.0
EVERY = 10  # steps between samples


@dataclass(frozen=True)
class Network:
    """Weights and delays, both (target, source).

    ``delay`` is in steps, None: there is none. Where a weight is zero, the delay means nothing.
    """

    weights: npt.NDArray[np.float64]
    delay: npt.NDArray[np.int32] | None

    @property
    def size(self) -> int:
        return len(self.weights)

    @property
    def edges(self) -> int:
        return int(np.count_nonzero(self.weights))

    def without_delays(self) -> Network:
        return replace(self, delay=None)

    def longer_than(self, steps: int) -> Network:
        """Only the edges whose delay is longer than so many steps."""
        assert self.delay is not None
        return replace(self, weights=np.where(self.delay > steps, self.weights, 0.0))


@dataclass(frozen=True)
class SparseNetwork:
    """The same for many units: weights and delays at the connections only."""

    weights: sparse.csr_array
    delay: sparse.csr_array

    @property
    def size(self) -> int:
        return int(self.weights.shape[0])

    @property
    def edges(self) -> int:
        return int(self.weights.nnz)


def dense(n: int, seed: int = 7) -> Network:
    """All to all but oneself, rows summing to 1, delays 1 to 15 ms (10 to 150 mm at 10 mm/ms)."""
    rng = np.random.default_rng(seed + n)
    weights = rng.uniform(0, 1, (n, n))
    np.fill_diagonal(weights, 0)
    distances = np.triu(rng.uniform(10, 150, (n, n)), 1)
    return _network(weights, distances + distances.T, speed=10.0)


def scattered(n: int, per_unit: int = 100, seed: int = 7) -> SparseNetwork:
    """``per_unit`` connections a unit, anywhere; rows summing to 1, delays 1 to 15 ms."""
    rng = np.random.default_rng(seed + n)
    count = n * per_unit
    drawn = np.zeros(0, np.int64)
    while len(drawn) < count:
        drawn = np.union1d(drawn, rng.integers(0, n * n, count + count // 20))
        drawn = drawn[drawn // n != drawn % n]
    drawn = np.sort(rng.permutation(drawn)[:count])
    target, source = (k.astype(np.int32) for k in np.divmod(drawn, n))
    weights = rng.uniform(0, 1, count)
    weights /= np.bincount(target, weights, n)[target]
    delay = np.rint(rng.uniform(10, 150, count))
    start = np.concatenate([[0], np.cumsum(np.bincount(target, minlength=n))])
    rows = (source, start.astype(np.int32))
    return SparseNetwork(
        sparse.csr_array((weights, *rows), (n, n)), sparse.csr_array((delay, *rows), (n, n))
    )


def tvb(name: str) -> Network:
    """A connectome of The Virtual Brain, rows summing to 1, at 5 mm/ms."""
    found = bg.load_connectome(name).without_self_connections()
    return _network(found.weights, found.lengths.to_decimal(u.mm), speed=5.0)


def _network(
    weights: npt.NDArray[np.float64], lengths: npt.NDArray[np.float64], speed: float
) -> Network:
    sums = weights.sum(axis=1, keepdims=True)
    weights = weights / np.where(sums > 0, sums, 1)
    return Network(weights, np.rint(lengths / speed / DT).astype(np.int32))


def simulator(network: Network | SparseNetwork, mesh: Any = None) -> bg.Simulator:
    """The same network through braingraph's public interface."""
    n = network.size
    g = bg.Graph()
    cortex = g.add_node("cortex", nodes.HopfStep(n, a=A, w=W, init_x=X0, init_y=Y0))
    coupling = edges.AdditiveCoupling(conn=network.weights, k=K)
    delay: Any = None if network.delay is None else network.delay * DT * u.ms
    g.add_edge(cortex.x, cortex.x_inp, coupling, delay=delay)
    for axis in ("x", "y"):
        noise = g.add_node(f"noise_{axis}", nodes.WhiteNoise(n, sigma=SIGMA))
        g.add_edge(noise, f"cortex.{axis}_inp")
    return bg.Simulator(g, dt=DT * u.ms, method="heun", mesh=mesh)
