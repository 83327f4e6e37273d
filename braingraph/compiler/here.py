"""Inside the program: what this device computes, and the one way to hear of the others.

Arrays of a divided group hold this device's units, ``(place, *batch)``. ``exchange`` is how they
hear of the others' (an all-gather); besides, ``everywhere`` says once a chunk whether all is well.
With one device tables are constants and nothing is exchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from braingraph.compiler.plan import Bundle, Group, Program
from braingraph.compiler.shard import Placement

Array = Any
#: The axes of a mesh: replicas, and units.
BATCH, UNIT = "batch", "unit"


class Here:
    """A placement as one device sees it."""

    def __init__(self, program: Program, placement: Placement) -> None:
        self.program, self.placement = program, placement

    def divided(self, group: Group) -> bool:
        return self.placement.units[group.number] is not None

    def size(self, group: Group) -> int:
        return self.placement.size(group)

    def length(self, group: Group, signal: str) -> int:
        """How many values of a signal are here."""
        alone = group.model.signals()[signal].size is not None
        return group.length(signal) if alone else self.size(group)

    def mine(self, table: np.ndarray) -> Array:
        """This device's line of a table (device, ...)."""
        if len(table) == 1:
            return table[0]
        return jnp.asarray(table)[lax.axis_index(UNIT)]

    # ------------------------------------------------------------ units and rows
    def units(self, group: Group) -> Array:
        """The number of every unit here within its group; of the first one at empty places."""
        units = self.placement.units[group.number]
        return np.arange(group.size) if units is None else self.mine(np.maximum(units, 0))

    def empty(self, group: Group) -> Array | None:
        """Which places hold no unit; None where all do."""
        units = self.placement.units[group.number]
        return None if units is None or units.min() >= 0 else self.mine(units < 0)

    @cached_property
    def _targets(self) -> dict[int, np.ndarray | None]:
        """Bundle -> (device, row) -> place of its target, one too many at empty rows.

        None where rows are the group's places, one by one.
        """
        out: dict[int, np.ndarray | None] = {}
        for b in self.program.bundles:
            group = self.program.groups[b.target[0]]
            rows, units = self.placement.rows[b.number], self.placement.units[group.number]
            if rows is None:
                many = group.length(b.target[1])
                whole = b.rows == many and (b.row_target == np.arange(many)).all()
                out[b.number] = None if whole else b.row_target[None]
            elif rows is units:
                out[b.number] = None
            else:
                target = np.where(rows >= 0, b.row_target[np.maximum(rows, 0)], -1)
                at = self.placement.places(group, target)
                out[b.number] = np.where(rows >= 0, at, self.size(group))
        return out

    def targets(self, bundle: Bundle) -> Array | None:
        """The place that every row ends at, out of range at empty rows; None: rows are places."""
        table = self._targets[bundle.number]
        if table is None or self.placement.rows[bundle.number] is None:
            return table if table is None else table[0]
        return self.mine(table)

    def order(self, bundle: Bundle, part: int) -> Array | None:
        """Where each row stands among its part's buckets; None: as the plan of one device says."""
        if self.placement.devices == 1:
            return None
        return self.mine(self._orders[bundle.number, part])

    @cached_property
    def _orders(self) -> dict[tuple[int, int], np.ndarray]:
        return {
            (b.number, k): self.placement.order(b, k)
            for b in self.program.bundles
            for k, part in enumerate(b.parts)
            if part.layout == "padded"
        }

    def partners(self, bundle: Bundle, part: int) -> Array:
        """Layout "one": the source of every row; an int where they follow each other from it on."""
        table = self._partners[bundle.number, part]
        runs = (table == table[0, 0] + np.arange(table.shape[1])).all()
        return int(table[0, 0]) if runs else self.mine(table)

    @cached_property
    def _partners(self) -> dict[tuple[int, int], np.ndarray]:
        out = {}
        for b in self.program.bundles:
            for k, part in enumerate(b.parts):
                if part.layout != "one":
                    continue
                table = np.zeros((self.placement.devices, self.placement.row_count(b)), int)
                for line, share in zip(table, self.placement.shares, strict=True):
                    entries = share.bundles[b.number].parts[k].entries
                    line[:] = _continued(entries.row, entries.source, len(line))
                # empty rows read any source that there is
                last = self.placement.sources(self.program, b, k) - 1
                out[b.number, k] = np.minimum(table, last)
        return out

    # ------------------------------------------------------------ the others
    def exchange(self, values: Sequence[Array], groups: Sequence[Group]) -> list[Array]:
        """Values (place, ...) of all devices, as (unit, ...) of the whole group.

        One all-gather for all of them. What every device has goes nowhere.
        """
        travel = [v for v, g in zip(values, groups, strict=True) if self.divided(g)]
        if not travel:
            return list(values)
        flat = [v.reshape(-1) for v in travel]
        sent = flat[0] if len(flat) == 1 else jnp.concatenate(flat)
        heard = lax.all_gather(sent, UNIT)
        out, at = [], 0
        for value, group in zip(values, groups, strict=True):
            if not self.divided(group):
                out.append(value)
                continue
            piece = heard[:, at : at + value.size].reshape(-1, *value.shape[1:])
            at += value.size
            where = self.placement.undone(group)
            straight = (where == np.arange(len(where))).all()
            out.append(piece[: len(where)] if straight else piece[where])
        return out

    def whole(self, value: Array, group: Group) -> Array:
        """A signal of all units of its group."""
        return self.exchange([value], [group])[0]

    def all_finite(self, states: dict[int, dict[str, Array]]) -> Array:
        """Whether all states of all devices are finite, known to every one of them."""
        found = [jnp.array(True)]
        for number, values in states.items():
            empty = self.empty(self.program.groups[number])
            for v in values.values():
                fine = jnp.isfinite(v)
                if empty is not None:
                    fine |= empty.reshape(-1, *(1,) * (v.ndim - 1))
                found.append(fine.all())
        return jnp.stack(found).all()


def _continued(rows: np.ndarray, sources: np.ndarray, count: int) -> np.ndarray:
    """Row -> source; empty rows go on counting, so that equal runs stay runs."""
    out = np.arange(count) - (rows[0] - sources[0] if len(rows) else 0)
    out[rows] = sources
    return np.asarray(np.maximum(out, 0))


def everywhere(finite: Array, axes: Sequence[str]) -> Array:
    """Whether something holds on all devices of a mesh."""
    if not axes:
        return finite
    return lax.pmin(finite.astype(jnp.int32), tuple(axes)) > 0  # type: ignore[no-untyped-call]
