"""How sums of messages are computed: the layouts, and reading the past.

Rings. A message's ring holds sample m (taken at t_m) in column (m - 1) mod H, twice: H columns
further on stands the same sample again, so every window of the past is contiguous and a block of B
new samples is two aligned writes. H is a multiple of B. At the start of a block, with sample n0
the newest, ``p = n0 mod H`` and sample m stands in column ``p + H - 1 - (n0 - m)``.

Windows. With a delay of K + phi steps (0 <= phi < 1) the sums for the steps n0 + 1 ... n0 + B need
the B samples that end ``B - K + lead`` after n0, weighted by *taps*: tap q reads q samples further
back. A window holds B samples only; what taps reach before it was computed in the block before
and is carried as the *tail*. Euler and Heun use taps (1 - phi, phi); RK4 has lead 1, four taps for
whole steps and five for half steps (cubic Lagrange).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from braingraph.compiler.delays import VECTOR, delay_range
from braingraph.compiler.plan import Blocks, Bundle, Message, Part

Array = Any
_IN_BOUNDS = lax.GatherScatterMode.PROMISE_IN_BOUNDS
#: Sources of a wide row that are read and summed together. They ascend along a row, so one chunk
#: of all rows reads one region of the ring; and sums over few are compiled to better code.
#: Measured, a window of 8: 2000 regions 14 ns whole, 3.5 in chunks; 20 000 units 15 and 8.
CHUNK, MOST_CHUNKS = 20, 128
WIDE = 64  # sources from which chunks pay where the ring fits the cache
FAR = 1 << 18  # samples in a ring from which it does not
#: Samples gathered at a time on a CPU: few enough to stay in its cache until they are summed, many
#: enough that handing them to its threads costs little; on other devices, which want large kernels.
PIECE, LARGE_PIECE = 1 << 19, 1 << 25
#: Batches: sources added at a time, and the most sums that are made that way (4 MB).
TERMS, MOST_SCANNED = 4, 1 << 20
UNROLLED = 16  # sums over this many sources or fewer are written out


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


# ---------------------------------------------------------------- sums (inside the program)
def gathered(values: Array, places: Array, weights: Array) -> Array:
    """``sum_k weights[k, row] * values[places[k, row]]`` for flat values (place, *batch).

    Written as a chain of fused gathers: jaxlib 0.10 sends a float32 multiply and reduce to a
    library fusion that is 2 to 8 times slower on CPUs. Rows come last, so that a term of all rows
    is contiguous: measured, 2 million connections, 1.8 ns each for 4.8.
    """
    trailing = (1,) * (values.ndim - 1)

    def term(place: Array, weight: Array) -> Array:
        return weight.reshape(weight.shape + trailing) * values.at[place].get(
            mode="promise_in_bounds"
        )

    if len(places) <= UNROLLED:
        total = term(places[0], weights[0])
        for k in range(1, len(places)):
            total = total + term(places[k], weights[k])
        return total
    zero = jnp.zeros((places.shape[1], *values.shape[1:]), values.dtype)
    total, _ = lax.scan(lambda acc, pw: (acc + term(*pw), None), zero, (places, weights), unroll=8)
    return total


def alone(values: Array) -> Array:
    """Values that are computed by themselves, not fused into what reads them."""
    return lax.optimization_barrier(values)  # type: ignore[no-untyped-call]


def in_row_order(
    pieces: list[Array], plan: tuple[Bucket, ...], rows: int, order: Array | None
) -> Array:
    """Buckets' rows in the bundle's order; zeros for rows without sources.

    ``order`` says where each row stands, one past the last where it has no sources; None: as the
    plan says, all of whose rows are real.
    """
    joined = pieces[0] if len(pieces) == 1 else jnp.concatenate(pieces)
    if order is not None:
        none = jnp.zeros((1, *joined.shape[1:]), joined.dtype)
        return jnp.concatenate([joined, none])[order]
    found = np.concatenate([b.rows for b in plan])
    if len(found) < rows:
        # measured, 22 of 192 rows: 3 us a step less than gathering for all rows at each stage
        empty = jnp.zeros((rows, *joined.shape[1:]), joined.dtype)
        return empty.at[found].set(joined, unique_indices=True, mode="promise_in_bounds")
    if (found == np.arange(rows)).all():
        return joined
    return joined[np.argsort(found)]


@dataclass(frozen=True)
class Rows:
    """Where the rows of a part stand on this device, and (layout "one") whom they hear."""

    count: int
    plan: tuple[Bucket, ...] = ()
    order: Array | None = None
    partners: Array | int = 0

    def ordered(self, pieces: list[Array]) -> Array:
        return in_row_order(pieces, self.plan, self.count, self.order)

    def paired(self, values: Array) -> Array:
        """The source of every row, one to one."""
        if isinstance(self.partners, int):
            return values[self.partners : self.partners + self.count]
        return values.at[self.partners].get(mode="promise_in_bounds")


def sum_now(part: Part, packed: Any, values: Array, rows: Rows) -> Array:
    """Undelayed sums of one channel: values (source, *batch) -> (row, *batch)."""
    if part.layout == "padded":
        # computed once as a whole: fused, a stage's guess would be computed anew for every place
        # it is read from, one by one (measured: 192 regions, 22 connections, 7 us a step for 1)
        values = alone(values)
        return rows.ordered([gathered(values, b["place"], b["weights"]) for b in packed["buckets"]])
    weights = packed["weights"]
    if part.layout == "mean":
        total = weights * values[part.span].sum(0)
        return jnp.broadcast_to(total, (rows.count, *values.shape[1:]))
    if part.layout == "one":
        values = rows.paired(values)
        return values if weights is None else rowwise(weights, values) * values
    total = jnp.tensordot(weights, values, ((0,), (0,)))
    return total[: rows.count]


def rowwise(weights: Array, values: Array) -> Array:
    return weights.reshape(weights.shape + (1,) * (values.ndim - weights.ndim))


def sum_step(packed: Any, stage: float, recent: Array, newest: Array | None, rows: Rows) -> Array:
    """Sums of one channel read step by step: recent (sample, source, *batch) and the stage's own.

    ``newest`` is None when every delay is at least a step; its place is then never weighted.
    """
    samples = jnp.concatenate([recent, recent[-1:] if newest is None else newest[None]])
    flat = samples.reshape(-1, *samples.shape[2:])
    chosen = packed[str(stage)]
    total = None
    for places, weights in zip(chosen["place"], chosen["weights"], strict=True):
        pieces = [gathered(flat, p, w) for p, w in zip(places, weights, strict=True)]
        total = pieces if total is None else [a + b for a, b in zip(total, pieces, strict=True)]
    assert total is not None
    return rows.ordered(total)


def window_sums(
    part: Part, packed: Any, rows: Rows, ring: Array, shift: Array, width: int
) -> list[Array]:
    """Weighted windows of one channel, one per weight set: (row, width, *batch).

    ``ring`` is (source, column, *batch); ``shift`` moves every window by whole columns.
    """
    start, sets = packed["start"], packed["weights"]
    if part.layout == "padded":
        flat = ring.reshape(-1, *ring.shape[2:])
        whole = VECTOR * -(-width // VECTOR)
        pieces = [
            _bucket_sums(flat, s, [w[k] for w in sets], shift, whole) for k, s in enumerate(start)
        ]
        return [rows.ordered([p[k] for p in pieces])[:, :width] for k in range(len(sets))]
    at = corner(ring.ndim, 1, start + shift)
    window = lax.dynamic_slice(ring, at, (ring.shape[0], width, *ring.shape[2:]))
    if part.layout == "mean":
        total = window[part.span].sum(0)
        return [jnp.broadcast_to(w * total, (rows.count, *total.shape)) for w in sets]
    if part.layout == "one":
        window = rows.paired(window)
        return [rowwise(w, window) * window for w in sets]
    return [jnp.tensordot(w, window, 1) for w in sets]


def _bucket_sums(
    flat: Array, start: Array, sets: list[Array], shift: Array, width: int
) -> list[Array]:
    """Gather a bucket's windows and reduce them over sources, once per weight set.

    ``start`` and the sets are (row, source), or (chunk, row, source). Some rows of one chunk at a
    time (on a CPU), in a loop: as much code for many rows as for few, and nothing as large as the
    bucket is written (2000 regions: moving all windows first costs a sixth of the time).
    """
    *chunked, rows, each = start.shape
    batch = flat.shape[1:]
    if batch and _scans(flat, rows * width * math.prod(batch)):
        return _scanned_sums(flat, start + shift, sets, width)
    cpu = jax.default_backend() == "cpu"
    turns = math.prod(chunked) if cpu else 1
    sources = start.size // rows // turns  # of a row, at a time
    most = (PIECE if cpu else LARGE_PIECE) // (sources * width * math.prod(batch))
    many = _rows_at_a_time(rows, max(1, most))
    pieces = -(-rows // many)
    if turns * pieces == 1:
        return _piece_sums(flat, start + shift, sets, width)

    def cut(values: Array, chunk: Array, first: Array) -> Array:
        at = (*[chunk] * len(chunked), first, 0)
        size = (*[k // turns for k in chunked], many, each)
        piece = lax.dynamic_slice(values, at, size)
        return piece.reshape(many, each) if turns > 1 else piece

    def body(k: Array, totals: list[Array]) -> list[Array]:
        chunk, piece = k // pieces, k % pieces
        first = jnp.minimum(piece * many, rows - many)
        weights = [cut(w, chunk, first) for w in sets]
        if rows % many:  # the last piece repeats rows of the one before
            fresh = first + jnp.arange(many)[:, None] >= piece * many
            weights = [jnp.where(fresh, w, 0) for w in weights]
        sums = _piece_sums(flat, cut(start, chunk, first) + shift, weights, width)
        at = corner(2 + len(batch), 0, first)
        return [
            lax.dynamic_update_slice(total, lax.dynamic_slice(total, at, s.shape) + s, at)
            for total, s in zip(totals, sums, strict=True)
        ]

    nothing = jnp.zeros((rows, width, *batch), flat.dtype)
    return list(lax.fori_loop(0, turns * pieces, body, [nothing] * len(sets)))


def _rows_at_a_time(rows: int, most: int) -> int:
    """As many as fit; somewhat fewer where pieces then come out even."""
    if rows <= most:
        return rows
    even = (k for k in range(most, most // 2, -1) if rows % k == 0)
    return next(even, -(-rows // -(-rows // most)))


def _piece_sums(flat: Array, start: Array, sets: list[Array], width: int) -> list[Array]:
    batch = flat.shape[1:]
    numbers = lax.GatherDimensionNumbers(
        offset_dims=tuple(range(1, 2 + len(batch))),
        collapsed_slice_dims=(),
        start_index_map=(0,),
    )
    windows = lax.gather(flat, start.reshape(-1, 1), numbers, (width, *batch), mode=_IN_BOUNDS)
    windows = windows.reshape(*start.shape, width, *batch)
    axes = "crd"[-start.ndim :]
    return [jnp.einsum(f"{axes},{axes}w...->rw...", w, windows) for w in sets]


def _scans(flat: Array, sums: int) -> bool:
    """Whether a batch's sums are made source by source: on a CPU, while they stay in its cache."""
    small = sums <= MOST_SCANNED and flat.size < 1 << 31
    return small and jax.default_backend() == "cpu"


def _scanned_sums(flat: Array, start: Array, sets: list[Array], width: int) -> list[Array]:
    """Sums of a batch's windows, a few sources of every row at a time.

    A window of all replicas is one run of memory, read and added in one go, never stored. Measured
    for 90 regions, per step and replica: 0.5 us, where gathering first takes 1.3 to 1.6.
    """
    rows, batch = start.shape[-2], flat.shape[1:]
    replicas, line = math.prod(batch), flat.reshape(-1)
    numbers = lax.GatherDimensionNumbers(
        offset_dims=(1,), collapsed_slice_dims=(), start_index_map=(0,)
    )

    def sources(values: Array) -> Array:
        """(row, source) or (chunk, row, source) as (turn, term, row)."""
        flat = jnp.swapaxes(values, -2, -1).reshape(-1, rows)
        return jnp.pad(flat, ((0, -len(flat) % TERMS), (0, 0))).reshape(-1, TERMS, rows)

    def turn(totals: list[Array], given: tuple[Array, list[Array]]) -> tuple[list[Array], None]:
        at, weights = given
        for k in range(TERMS):
            window = lax.gather(line, at[k][:, None], numbers, (width * replicas,), mode=_IN_BOUNDS)
            totals = [t + w[k][:, None] * window for t, w in zip(totals, weights, strict=True)]
        return totals, None

    nothing = jnp.zeros((rows, width * replicas), flat.dtype)
    given = (sources(start * replicas), [sources(w) for w in sets])
    totals, _ = lax.scan(turn, [nothing] * len(sets), given)
    return [t.reshape(rows, width, *batch) for t in totals]


def write_block(ring: Array, samples: Array, p: Array, blocks: Blocks, message: Message) -> Array:
    """Put a block of new samples (channel, source, B, *batch) in both copies of the ring."""
    ring = lax.dynamic_update_slice(ring, samples, corner(ring.ndim, 2, p))
    return lax.dynamic_update_slice(ring, samples, corner(ring.ndim, 2, p + message.length))


def corner(axes: int, axis: int, at: Array) -> tuple[Array, ...]:
    """The start of a slice that is moved along one axis only; int32 in either precision."""
    where = [jnp.int32(0)] * axes
    where[axis] = jnp.asarray(at, jnp.int32)
    return tuple(where)
