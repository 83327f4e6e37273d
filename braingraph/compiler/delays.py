"""Delays -> how each connection travels, ring sizes, and the length of a block.

A connection with a delay of K whole steps needs nothing newer than K steps ago, so B <= K steps
can be advanced together, its sums for all of them gathered once as contiguous windows of history.
Connections shorter than a block are read step by step; a cost model weighs the two.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from braingraph.compiler.plan import Blocks, Bundle, Entries, Group, Message, Part
from braingraph.component import Coupling
from braingraph.units import magnitude

#: Windows are gathered in multiples of 8 samples: measured on a CPU with AVX-512, a window of 16
#: costs 0.27 ns per sample and connection, of 8 0.32, but of 10 or 11 0.6 and of 15 0.84.
VECTOR = 8
#: Block lengths worth trying. Longer ones gain nothing: a window of 32 costs 0.4 ns.
LENGTHS = (1, 2, 3, 4, 5, 6, 7, 8, 16)
#: Costs, measured on the same machine: per connection and sample of a window (shorter windows
#: spread the reading of places and weights over fewer samples); per connection read step by step,
#: and per step as soon as there is one; per block.
WINDOW_NS, SHORT_WINDOW_NS = 0.28, 0.36
STEP_NS, STEP_FIXED_NS, BLOCK_FIXED_NS = 4.0, 1300.0, 4000.0
FREE_LENGTH = 32  # steps per block where no delay limits them
#: Sums over more sources than this share of all go through a matrix.
DENSE_SHARE = 0.5
#: How far a live delay may move from its compiled value, as a factor.
MARGIN = 0.1


def block_length(
    bundles: tuple[Bundle, ...], method: str, live: bool, forced: int | None, frame: int = 0
) -> Blocks:
    """The number of steps that costs least per step, and the reason in words.

    ``frame``: steps of which blocks have to be a divisor, as slower nodes that faster ones hear
    are stepped between blocks; 0 for none.
    """
    delays = [delay_range(b.entries, live)[0] for b in bundles]
    steps = np.concatenate([np.zeros(0), *delays])
    steps = np.floor(steps[steps > 0]) - (1 if method == "rk4" else 0)
    steps = np.maximum(steps, 0)
    if forced is not None:
        forced = math.gcd(forced, frame)
        return Blocks(forced, "as asked", float(forced))
    framed = f"; slower nodes that feed faster ones step every {frame}" if frame else ""
    if not len(steps):
        free = max(k for k in range(1, FREE_LENGTH + 1) if frame % k == 0)
        return Blocks(free, f"no delays: the length is free{framed}", math.inf)
    shortest, count = int(steps.min()), len(steps)
    costs = {}
    for length in LENGTHS:
        if frame % length:
            continue
        by_step = int((steps < length).sum())
        if by_step == count and length > 1:
            continue
        window = VECTOR * math.ceil(length / VECTOR) / length
        window *= SHORT_WINDOW_NS if length <= VECTOR else WINDOW_NS
        costs[length] = (
            window * (count - by_step)
            + (STEP_NS * by_step + STEP_FIXED_NS if by_step else 0.0)
            + BLOCK_FIXED_NS / length
        )
    best = min(costs, key=lambda length: costs[length])
    by_step = int((steps < best).sum())
    why = f"the shortest delay allows {max(shortest, 1)}"
    if by_step:
        why += f"; {by_step} of {count} delayed connections are shorter and are read step by step"
    elif best < shortest and not frame:
        why += "; windows of a multiple of 8 are cheapest"
    why += framed
    return Blocks(best, why, float(steps[steps >= best].min()) if by_step < count else math.inf)


def delay_range(entries: Entries, live: bool) -> tuple[np.ndarray, np.ndarray]:
    """The least and greatest delay, in steps, that each connection may come to have.

    A live delay of a step or more stays so: the order of evaluation rests on it.
    """
    margin = MARGIN if live else 0.0
    low = np.maximum(entries.delay * (1 - margin), np.minimum(entries.delay, 1.0))
    return np.where(entries.delay < 1, entries.delay * (1 - margin), low), entries.delay * (
        1 + margin
    )


def within_step(entries: Entries) -> bool:
    """Whether any connection carries something within the step, at its later stages."""
    return bool((entries.delay < 1).any())


def parts(
    bundle: Bundle, groups: tuple[Group, ...], blocks: Blocks, method: str, live: bool
) -> tuple[Part, ...]:
    """A bundle's connections by the way they travel."""
    entries = bundle.entries
    low, _ = delay_range(entries, live)
    ahead = 1 if method == "rk4" else 0
    now = entries.delay == 0
    block = ~now & (np.floor(low) - ahead >= blocks.length)
    sources = groups[bundle.source[0]].model.signal_size(bundle.source[1])
    out = []
    for transport, chosen in (("now", now), ("step", ~now & ~block), ("block", block)):
        some = entries if chosen.all() else entries[chosen]
        if not len(some):
            continue
        moves = live and transport != "now"
        out.append(
            Part(
                transport,
                _layout(bundle, some, sources, transport, moves),
                some,
                uniform=not moves and bool((some.delay == some.delay[0]).all()),
                aligned=not moves and bool((some.delay == np.rint(some.delay)).all()),
            )
        )
    return tuple(out)


def _layout(bundle: Bundle, entries: Entries, sources: int, transport: str, moves: bool) -> str:
    rows = bundle.rows
    uniform = not moves and bool((entries.delay == entries.delay[0]).all())
    fixed = transport == "now" or (transport == "block" and uniform)
    span = int(entries.source.max()) + 1 - int(entries.source.min())
    every = bundle.alike or len(entries) == rows * span
    scalar = all(
        e.coupling.conn is not None and np.ndim(magnitude(e.coupling.conn)) == 0
        for e in bundle.edges
    )
    if fixed and every and scalar and len(bundle.edges) == 1:
        return "mean"
    if (
        fixed
        and len(entries) == rows
        and np.array_equal(entries.row, np.arange(rows))
        and (np.diff(entries.source) == 1).all()
    ):
        return "one"
    if fixed and len(entries) >= DENSE_SHARE * rows * sources and rows * sources > 16:
        return "dense"
    return "padded"


def messages(
    bundles: tuple[Bundle, ...], channels: dict[int, int], blocks: Blocks, method: str, live: bool
) -> tuple[Message, ...]:
    """What must be kept for later: one ring per source port and ``pre``."""
    families: dict[object, list[Bundle]] = {}
    for bundle in bundles:
        if any(part.transport != "now" for part in bundle.parts):
            plain = type(bundle.coupling).pre is Coupling.pre
            families.setdefault((bundle.source, -1 if plain else bundle.number), []).append(bundle)
    out = []
    extra = 2 if method == "rk4" else 1  # samples older than the delay that a cubic (line) reads
    for number, family in enumerate(families.values()):
        by_block, by_step = 0, 0
        for bundle in family:
            for part in bundle.parts:
                longest = math.ceil(delay_range(part.entries, live)[1].max()) + extra + 1
                if part.transport == "block":
                    by_block = max(by_block, longest)
                elif part.transport == "step":
                    by_step = max(by_step, longest + extra)
        b = blocks.length
        reach = max(by_block, by_step)
        out.append(
            Message(
                number,
                family[0].coupling,
                family[0].source,
                channels[family[0].number],
                tuple(f.number for f in family),
                reach,
                b * math.ceil((reach + 2 * b) / b),
                by_step,
            )
        )
    return tuple(out)


def with_parts(
    bundles: tuple[Bundle, ...], groups: tuple[Group, ...], blocks: Blocks, method: str, live: bool
) -> tuple[Bundle, ...]:
    return tuple(replace(b, parts=parts(b, groups, blocks, method, live)) for b in bundles)
