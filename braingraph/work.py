"""One batch of a sweep: its simulations, and what is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from braingraph import reducers, together
from braingraph.batches import Batch
from braingraph.records import Recording, to_dataset
from braingraph.sweep_store import Outcome
from braingraph.together import Arrays

if TYPE_CHECKING:
    from braingraph.simulator import Simulator


def alike(sim: Simulator, **changes: Any) -> Simulator:
    """A simulator with other attributes that shares what is compiled (a copy would not)."""
    out = object.__new__(type(sim))
    out.__dict__.update(sim.__dict__, **changes)
    return out


# ---------------------------------------------------------------- one batch
@dataclass(frozen=True, eq=False)
class Work:
    """All that a batch needs besides itself; it travels to other processes."""

    sim: Simulator
    duration: Any
    varied: frozenset[str]  # paths of which a batch holds several values
    options: Mapping[str, Any]  # of every run
    recordings: tuple[Recording, ...]
    kept: tuple[str, ...]  # monitors whose samples are kept
    functions: Mapping[str, reducers.Function]
    results: tuple[reducers.Result, ...]
    double: bool

    def __call__(self, batch: Batch) -> Outcome:
        """Simulate a batch, and reduce it."""
        fill = batch.size - len(batch)  # of one size, batches share a compilation
        points = [*batch.points, *[batch.points[-1]] * fill]
        seeds = [*batch.seeds, *[batch.seeds[-1]] * fill]
        with jax.enable_x64(self.double):  # which a thread or a worker does not inherit
            arrays, finite = together.simulate(
                self.sim, self.duration, points, seeds, self.varied, **self.options
            )
        arrays = {r.name: _whole(arrays[r.name][: len(batch)], r) for r in self.recordings}
        finite = finite[: len(batch)]
        for name, array in arrays.items():
            # what is recorded may be NaN where nothing diverged: correlations of too few samples
            arrays[name] = array if finite.all() else _ended(array, finite)
        kept = {name: arrays[name] for name in self.kept}
        if self.functions:
            kept |= self._reduced(batch, arrays, finite)
        return Outcome(kept, np.where(finite, 1, 2).astype(np.int8))

    def _reduced(self, batch: Batch, arrays: Arrays, finite: np.ndarray[Any, Any]) -> Arrays:
        rows: list[dict[str, np.ndarray[Any, Any]]] = []
        for k in range(len(batch)):
            if not finite[k]:
                rows.append({r.name: reducers.missing(r) for r in self.results})
                continue
            one = {name: array[k] for name, array in arrays.items()}
            data = to_dataset(self.recordings, one, {"seed": batch.seeds[k]})
            data = data.assign_coords(batch.coordinates[k])
            which = ", ".join(f"{name} = {v.values}" for name, v in batch.coordinates[k].items())
            rows.append(reducers.reduced(self.functions, self.results, data, which))
        return {r.name: np.stack([row[r.name] for row in rows]) for r in self.results}


def _whole(array: np.ndarray[Any, Any], r: Recording) -> np.ndarray[Any, Any]:
    """As many samples as were asked for: NaN after a simulation's end."""
    missing = r.samples - array.shape[1]
    if not missing:
        return array
    return np.pad(array, ((0, 0), (0, missing), (0, 0)), constant_values=np.nan)


def _ended(array: np.ndarray[Any, Any], finite: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Of simulations that diverged, NaN from the first sample on that is not finite."""
    over = np.logical_or.accumulate(~np.isfinite(array).all(2), axis=1) & ~finite[:, None]
    return np.where(over[..., None], np.nan, array).astype(array.dtype)
