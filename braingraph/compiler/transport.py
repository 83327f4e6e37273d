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
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from braingraph.compiler.delays import VECTOR
from braingraph.compiler.packing import Bucket
from braingraph.compiler.plan import Blocks, Message, Part

Array = Any
_IN_BOUNDS = lax.GatherScatterMode.PROMISE_IN_BOUNDS
#: Samples gathered at a time on a CPU: few enough to stay in its cache until they are summed, many
#: enough that handing them to its threads costs little; on other devices, which want large kernels.
PIECE, LARGE_PIECE = 1 << 19, 1 << 25
#: Batches: sources added at a time, and the most sums that are made that way (4 MB).
TERMS, MOST_SCANNED = 4, 1 << 20
UNROLLED = 16  # sums over this many sources or fewer are written out


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
