"""Couplings on paper: three units, their weights, and what they receive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from braingraph import edges
from braingraph.component import Coupling
from braingraph.units import ONE, strip

Array = np.ndarray[Any, np.dtype[Any]]
W = np.array([[0, 0.2, 0.5], [1, 0, 0], [0.3, 0.7, 0]])
X = np.array([0.5, -1.0, 2.0])


def deliver(coupling: Coupling, x: Any, y: Any, unit: Any = ONE) -> Array:
    """pre, weighted sum and post, in NumPy. ``x`` is what each target sees of each source."""
    conn = np.asarray(coupling.conn)
    channels = coupling.pre(x)
    many = isinstance(channels, tuple)
    sums = tuple((conn * c).sum(-1) for c in (channels if many else (channels,)))
    value = coupling.post(sums if many else sums[0], y, conn.sum(-1))
    return np.asarray(strip(value, unit, "delivered"))


def one_by_one(term: Callable[[float, float], float]) -> list[float]:
    """sum_j W_ij term(x_j, x_i) of every target i."""
    return [sum(W[i, j] * term(X[j], X[i]) for j in range(3)) for i in range(3)]


class Bounded(edges.PairwiseCoupling):
    """A difference that saturates, with a parameter of its own."""

    width: float = 1.0

    def pair(self, x: Any, y: Any) -> Any:
        return jnp.tanh((x - y) / self.width)
