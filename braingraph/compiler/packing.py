"""Weights and delays -> what a block reads: rows of sources, window starts, weights of taps.

Once per parameters, on NumPy, or traced where they may change. See transport.py for rings,
windows and taps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from braingraph.compiler.delays import delay_range
from braingraph.compiler.plan import Bundle, Message, Part

Array = Any
#: Sources of a wide row that are read and summed together. They ascend along a row, so one chunk
#: of all rows reads one region of the ring; and sums over few are compiled to better code.
#: Measured, a window of 8: 2000 regions 14 ns whole, 3.5 in chunks; 20 000 units 15 and 8.
CHUNK, MOST_CHUNKS = 20, 128
WIDE = 64  # sources from which chunks pay where the ring fits the cache
FAR = 1 << 18  # samples in a ring from which it does not


# ---------------------------------------------------------------- weights of the taps
def lagrange(t: Array, count: int, xp: Any) -> list[Array]:
    """Weights of nodes 0 ... count - 1 for the value at t."""
    out = []
    for a in range(count):
        w = xp.ones_like(t)
        for b in range(count):
            if b != a:
                w = w * (t - b) / (a - b)
        out.append(w)
    return out


@dataclass(frozen=True)
class Taps:
    """How window sums make the value at a stage: for each stage c, (weight set, tap) pairs.

    ``sets`` are weights per connection (or None for all ones); ``mix[c]`` lists
    ``(set, tap, factor)``; stage 1 reads column b + 1 of stage 0, so only 0 and 1/2 are listed.
    """

    sets: tuple[Array | None, ...]
    grid: tuple[tuple[int, int, float], ...]
    half: tuple[tuple[int, int, float], ...]
    tail: int
    lead: int


def taps(phi: Array, aligned: bool, cubic: bool, xp: Any) -> Taps:
    """The taps for fractional parts ``phi`` of the delays (per connection)."""
    if not cubic:
        if aligned:
            return Taps((None,), ((0, 0, 1.0),), (), 1, 0)
        return Taps((1 - phi, phi), ((0, 0, 1.0), (1, 1, 1.0)), (), 2, 0)
    middle = (-1 / 16, 9 / 16, 9 / 16, -1 / 16)
    if aligned:
        half = tuple((0, q, middle[q]) for q in range(4))
        return Taps((None,), ((0, 1, 1.0),), half, 4, 1)
    whole = lagrange(2 - phi, 4, xp)[::-1]  # nodes oldest first; tap 0 is the newest
    near = lagrange(1.5 - phi, 4, xp)[::-1]  # phi <= 1/2: taps 0-3
    far = lagrange(2.5 - phi, 4, xp)[::-1]  # phi > 1/2: taps 1-4
    zero = xp.zeros_like(phi)
    sides = [xp.where(phi <= 0.5, a, b) for a, b in zip([*near, zero], [zero, *far], strict=True)]
    grid = tuple((q, q, 1.0) for q in range(4))
    half = tuple((4 + q, q, 1.0) for q in range(5))
    return Taps((*whole, *sides), grid, half, 5, 1)


# ---------------------------------------------------------------- rows of sources
@dataclass(frozen=True)
class Bucket:
    """Rows with similar numbers of sources, padded to the longest."""

    rows: np.ndarray  # (r,)
    slots: np.ndarray  # (r, width) into the entries; -1: padding

    def chunked(self, far: bool) -> np.ndarray:
        """The slots of wide rows as (chunk, r, width of a chunk), others as they are.

        Chunks follow from the width alone, so that a row adds up alike among any other rows.
        """
        rows, width = self.slots.shape
        if width <= (CHUNK if far else WIDE):
            return self.slots
        chunks = min(-(-width // CHUNK), MOST_CHUNKS)
        each = -(-width // chunks)
        slots = np.pad(self.slots, ((0, 0), (0, chunks * each - width)), constant_values=-1)
        return np.ascontiguousarray(slots.reshape(rows, chunks, each).swapaxes(0, 1))


def buckets(row: np.ndarray, rows: int) -> tuple[Bucket, ...]:
    """Rows sorted by how many sources they have, cut where that saves padding.

    When most rows have no source, those are left out.
    """
    degree = np.bincount(row, minlength=rows)
    ranked = np.argsort(degree, kind="stable")
    empty = int((degree == 0).sum())
    if 2 * empty > rows:
        ranked = ranked[empty:]
    first = np.concatenate([[0], np.cumsum(degree)])
    cuts = _cuts(degree[ranked])
    out = []
    for start, stop in zip(cuts[:-1], cuts[1:], strict=True):
        chosen = np.sort(ranked[start:stop])
        column = np.arange(max(1, int(degree[chosen].max())), dtype=np.int32)
        place = first[chosen, None].astype(np.int32) + column
        out.append(Bucket(chosen, np.where(column < degree[chosen, None], place, np.int32(-1))))
    return tuple(out)


def _cuts(degrees: np.ndarray) -> list[int]:
    """Where to cut sorted degrees into runs: padding against a cost per run.

    Four runs at most, unless a few rows with very many sources take more.
    """
    n, entries = len(degrees), int(degrees.sum())
    tail = (n - (1 << k) for k in range(n.bit_length()))
    marks = sorted({0, n, *(int(round(n * f)) for f in np.linspace(0, 1, 17)), *tail})
    for most in (4, 8, 16):
        spent, cuts = _cheapest(degrees, marks, most, max(200.0, entries / 50))
        if spent < 2 * entries:
            break
    return cuts


def _cheapest(
    degrees: np.ndarray, marks: list[int], most: int, cost: float
) -> tuple[float, list[int]]:
    """The least cost of at most so many runs between marks, and their ends."""
    n = len(degrees)
    best: dict[int, tuple[float, list[int]]] = {0: (0.0, [0])}
    for _ in range(most):
        found = dict(best)
        for start, (spent, path) in best.items():
            for stop in (m for m in marks if m > start):
                total = spent + (stop - start) * max(1, degrees[stop - 1]) + cost
                if stop not in found or total < found[stop][0]:
                    found[stop] = (total, [*path, stop])
        best = found
    return best[n]


# ---------------------------------------------------------------- packing (once per parameters)
def entry_values(bundle: Bundle, part: Part, per_edge: Sequence[Array], xp: Any) -> Array:
    """One value per connection, picked from per-edge matrices (or scalars)."""
    flat = [xp.reshape(v, (-1,)) for v in per_edge]
    if len(flat) == 1 and flat[0].shape[0] > 1:
        return flat[0][part.entries.at]
    sizes = np.array([f.shape[0] for f in flat])
    start = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    at = np.where(sizes[part.entries.edge] == 1, 0, part.entries.at)
    joined = flat[0] if len(flat) == 1 else xp.concatenate(flat)
    return joined[start[part.entries.edge] + at]


def steps_of(bundle: Bundle, part: Part, delays: Sequence[Array] | None, dt: float, xp: Any) -> Any:
    """Whole steps and fraction of every connection's delay; NaN fractions out of range."""
    if delays is None:
        whole = np.floor(part.entries.delay)
        return whole.astype(np.int32), part.entries.delay - whole
    steps = entry_values(bundle, part, [d / dt for d in delays], xp)
    nearest = np.array([e.interpolation == "nearest" for e in bundle.edges])[part.entries.edge]
    steps = xp.where(nearest, xp.round(steps), steps)
    low, high = delay_range(part.entries, True)
    low, high = np.floor(low), np.ceil(high)
    inside = (steps >= low) & (steps <= high)
    whole = xp.clip(xp.floor(steps), low, high)
    return whole.astype(np.int32), xp.where(inside, steps - whole, xp.nan)


def matrix(part: Part, shape: tuple[int, int], weights: Array, xp: Any) -> Array:
    """Weights as a dense (row, source) matrix; parallel connections add up."""
    if xp is np:
        out = np.zeros(shape, weights.dtype)
        np.add.at(out, (part.entries.row, part.entries.source), weights)
        return out
    return xp.zeros(shape, weights.dtype).at[part.entries.row, part.entries.source].add(weights)


def columns(part: Part, shape: tuple[int, int], weights: Array, xp: Any) -> Array:
    """Weights as a (source, row) matrix, its rows padded to whole vectors of 16.

    Measured, 90 by 90: 0.39 us for values @ columns, 0.52 for matrix @ values.
    """
    dense = matrix(part, shape, weights, xp).T
    return xp.pad(dense, ((0, 0), (0, -shape[0] % 16)))


def padded(values: Array, slots: np.ndarray, fill: Any, xp: Any) -> Array:
    """Per-connection values laid out as a bucket's (width, row), as ``gathered`` reads them."""
    return placed(values, slots.T, fill, xp)


def placed(values: Array, slots: np.ndarray, fill: Any, xp: Any) -> Array:
    """Per-connection values, put where the slots say."""
    if not len(values):  # a device without such connections
        return xp.full(slots.shape, fill)
    return xp.where(slots >= 0, values[np.maximum(slots, 0)], fill)


def pack_block(
    part: Part,
    plan: tuple[Bucket, ...],
    weights: Array,
    whole: Array,
    phi: Array,
    message: Message,
    row_length: int,
    cubic: bool,
    shape: tuple[int, int],
    xp: Any,
) -> dict[str, Any]:
    """What a block-read part needs at run time: window starts and tap weights."""
    t = taps(phi, part.aligned, cubic, xp)
    sets = [weights if s is None else weights * s for s in t.sets]
    column = message.length - whole + t.lead
    if part.layout == "mean":
        return {"start": _first(column), "weights": [_first(s) for s in sets]}
    if part.layout == "one":
        return {"start": _first(column), "weights": [by_row(part, shape[0], s, xp) for s in sets]}
    if part.layout == "dense":
        return {
            "start": _first(column),
            "weights": [matrix(part, shape, s, xp) for s in sets],
        }
    base = part.entries.source.astype(np.int32) * row_length + column
    rest = np.int32(message.length - 1)  # padding reads any place inside; its weight is 0
    slots = [b.chunked(shape[1] * row_length > FAR) for b in plan]
    return {
        "start": [placed(base, s, rest, xp).astype(np.int32) for s in slots],
        "weights": [[placed(values, s, 0.0, xp) for s in slots] for values in sets],
    }


def _first(values: Array) -> Array:
    """What all connections share; a device without any reads any place inside."""
    return values[0] if len(values) else values.dtype.type(0)


def by_row(part: Part, rows: int, values: Array, xp: Any) -> Array:
    """Layout "one": the value of every row's connection, 0 at empty rows."""
    if len(values) == rows:
        return values
    out = xp.zeros(rows, values.dtype)
    if xp is np:
        out[part.entries.row] = values
        return out
    return out.at[part.entries.row].set(values)


def pack_step(
    part: Part,
    plan: tuple[Bucket, ...],
    weights: Array,
    whole: Array,
    phi: Array,
    message: Message,
    stages: tuple[float, ...],
    cubic: bool,
    sources: int,
    xp: Any,
) -> dict[str, Any]:
    """What a part read step by step needs: for each stage, places in the recent samples."""
    steps = whole + phi
    out: dict[str, Any] = {}
    for stage in stages:
        at = stage - steps  # in steps after sample n; recent samples end there
        below = xp.floor(xp.where(xp.isfinite(at), at, -1.0))
        if cubic:
            first = xp.minimum(below + 2, 0) - 3
            shares = lagrange(at - first, 4, xp)
        else:
            first, shares = below, [1 - (at - below), at - below]
        place = (message.recent - 1 + first).astype(np.int32) * sources + part.entries.source
        out[str(stage)] = {
            "place": [
                [padded(place + q * sources, b.slots, 0, xp).astype(np.int32) for b in plan]
                for q in range(len(shares))
            ],
            "weights": [[padded(weights * s, b.slots, 0.0, xp) for b in plan] for s in shares],
        }
    return out
