"""Recording inside the scan: one value kept, or a mean, per sampling interval.

Every sampler owns a buffer with one row per interval that a chunk touches. Blocks write into it
where they stand; a row is final once its interval has ended, so memory depends on the samples
of a chunk, never on its steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jax import lax

from braingraph.compiler.plan import Slot
from braingraph.compiler.transport import corner

Array = Any


@dataclass(frozen=True)
class Units:
    """Reads some units of one signal of a group. Equal ones share a compilation."""

    slot: Slot
    start: int | None = None
    stop: int | None = None

    @property
    def slots(self) -> tuple[Slot, ...]:
        return (self.slot,)

    def __call__(self, get: Callable[[Slot], Array]) -> Any:
        value = get(self.slot)
        return value if self.start is None else value[self.start : self.stop]


@dataclass(frozen=True)
class Sampler:
    """What one recording keeps.

    ``read`` turns the sampled slots into an array ``(unit, *batch)``: some ``Units`` of one signal,
    or any function. ``period`` and ``phase``
    count steps of its own clock (``clock`` steps of the simulation): an interval ends at every
    step k with ``(k + 1 + phase) % period == 0``, k counted from the start of the run.
    """

    slots: tuple[Slot, ...]
    read: Callable[[Callable[[Slot], Array]], Array]
    period: int
    mean: bool
    phase: int = 0
    clock: int = 1

    def rows(self, steps: int, block: int) -> int:
        """Rows of the buffer for a chunk of so many steps, with room for a block's spill."""
        return steps // self.period + 2 + block // self.period + 1


@dataclass(frozen=True)
class Link:
    """What a slower node hears at an input: of nodes whose clock takes ``source`` steps."""

    slot: Slot
    clock: int  # steps of the node's own clock
    source: int
    mean: bool

    @property
    def sampler(self) -> Sampler:
        """Gathers the input over each interval of the slower clock, counted from t = 0."""
        period = self.clock // self.source
        return Sampler((self.slot,), Units(self.slot), period, self.mean, clock=self.source)

    def address(self, path: str) -> str:
        """Where a state keeps what an unfinished interval has gathered."""
        every = f" every {self.source} steps" if self.source > 1 else ""
        return f"{path}.{self.slot[1]}{every}"


def first_row(sampler: Sampler, k: Array) -> Array:
    """The interval that step k (counted from the start of the run) falls into."""
    return (k + sampler.phase) // sampler.period


def add(
    sampler: Sampler, buffer: Array, origin: Array, values: Array, k: Array, valid: Array
) -> Array:
    """Enter a block of consecutive samples.

    ``values`` is (B, unit, *batch) for the steps k, k + 1, ...; only the first ``valid`` count.
    ``origin`` is the interval of the buffer's row 0.
    """
    steps, period = values.shape[0], sampler.period
    row = first_row(sampler, k) - origin
    into = (k + sampler.phase) % period
    at = corner(buffer.ndim, 0, row)
    if not sampler.mean:
        if period == 1:
            return lax.dynamic_update_slice(buffer, values, at)
        # steps of the block at which an interval ends; later blocks overwrite what is not final
        ends = period - 1 - into + period * jnp.arange(-(-steps // period))
        return lax.dynamic_update_slice(buffer, values[jnp.minimum(ends, steps - 1)], at)
    count = (steps - 1) // period + 2
    b = jnp.arange(steps)
    member = ((into + b) // period == jnp.arange(count)[:, None]) & (b < valid)
    weight = (member.astype(values.dtype) / period).reshape(count, steps, *(1,) * (values.ndim - 1))
    # written out: a product of matrices rounds the last units otherwise when they are fewer
    share = sum((weight[:, b] * values[b] for b in range(1, steps)), weight[:, 0] * values[0])
    rows = lax.dynamic_slice(buffer, at, (count, *buffer.shape[1:]))
    return lax.dynamic_update_slice(buffer, rows + share, at)
