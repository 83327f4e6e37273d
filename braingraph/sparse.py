"""Weights and delays at some pairs of units only: the one form they have inside.

Everything here takes time and memory for the entries, never for all pairs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from braingraph.errors import ParameterError
from braingraph.units import attach, brief, magnitude, unit_of


@dataclass(frozen=True, eq=False, repr=False)
class Sparse:
    """A matrix of numbers by its entries, row after row: (target, source) ascending, none twice.

    ``values[k]`` stands at ``[target[k], source[k]]``. Pairs without an entry have no connection,
    or no delay. For scipy: ``scipy.sparse.coo_array((s.values, (s.target, s.source)), s.shape)``.
    """

    shape: tuple[int, int]
    target: np.ndarray  # (entry,) int32
    source: np.ndarray  # (entry,) int32
    values: np.ndarray  # (entry,) float64

    ndim = 2

    def __post_init__(self) -> None:
        for array in (self.target, self.source, self.values):
            array.setflags(write=False)

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        return f"Sparse({self.shape}, {len(self)} entries)"

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.values.dtype

    def _numbered(self, target: np.ndarray, source: np.ndarray) -> np.ndarray:
        """Pairs as numbers that ascend with them."""
        numbers: np.ndarray = target.astype(np.int64) * self.shape[1] + source
        return numbers

    def stands_like(self, other: Sparse) -> bool:
        """Whether the entries are at the same pairs."""
        return (self.target is other.target and self.source is other.source) or (
            self.shape == other.shape
            and np.array_equal(self.target, other.target)
            and np.array_equal(self.source, other.source)
        )

    def at(self, target: np.ndarray, source: np.ndarray) -> np.ndarray:
        """The values at these pairs, which ascend; 0 where there is no entry."""
        if target is self.target and source is self.source:
            return self.values
        if not len(self):
            return np.zeros(len(target))
        wanted, known = self._numbered(target, source), self._numbered(self.target, self.source)
        place = np.minimum(np.searchsorted(known, wanted), len(self) - 1)
        return np.where(known[place] == wanted, self.values[place], 0.0)

    def with_values(self, values: Any) -> Sparse:
        """Other numbers at the same pairs."""
        return replace(self, values=np.array(values, float))

    def filled(self, given: Any) -> Any:
        """One number per entry as such a matrix, with its unit; anything else as it is."""
        plain = magnitude(given)
        if is_sparse(plain) or np.shape(plain) != (len(self),):
            return given
        return attach(self.with_values(plain), unit_of(given))

    def todense(self) -> np.ndarray:
        """The whole matrix, zeros included."""
        out = np.zeros(self.shape)
        out[self.target, self.source] = self.values
        return out


def is_sparse(value: Any) -> bool:
    """A sparse matrix (scipy's, or one of ours), alone or in a quantity."""
    plain = magnitude(value)
    return isinstance(plain, Sparse) or hasattr(plain, "tocoo")


def made_sparse(given: Any, where: str, parameter: str) -> Sparse:
    """The one form of a sparse matrix: entries for one pair add up, as in scipy, zeros go."""
    if isinstance(given, Sparse):
        return given
    coo = given.tocoo()
    values = np.asarray(coo.data)
    if values.dtype.kind not in "fiub" or len(coo.shape) != 2:
        raise ParameterError(
            f"{where} must be a matrix of numbers, (target, source), but is {brief(given)}.",
            parameter=parameter,
        )
    shape = (int(coo.shape[0]), int(coo.shape[1]))
    target, source = np.asarray(coo.row, np.int32), np.asarray(coo.col, np.int32)
    keys = target.astype(np.int64) * shape[1] + source
    values = values.astype(float)
    if len(keys) and not (keys[1:] > keys[:-1]).all():
        order = np.argsort(keys, kind="stable")
        keys, values = keys[order], values[order]
        first = np.concatenate([[True], keys[1:] > keys[:-1]])
        values = np.bincount(np.cumsum(first) - 1, values)  # one after another, as they came
        target, source = (axis[order][first] for axis in (target, source))
    else:
        target, source = target.copy(), source.copy()  # what the user may change later
    if not values.all():
        kept = values != 0
        target, source, values = target[kept], source[kept], values[kept]
    return Sparse(shape, target, source, values)
