"""Nodes with a clock of their own: stepped between the blocks of the fast ones, or after a chunk.

A chunk's blocks gather what slower nodes hear (links), interval by interval. If no faster node
hears of them, all their steps of the chunk follow its last block. Otherwise blocks divide their
period, and they are stepped as soon as a block has ended an interval: the next one sees the new
values, held.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jax import lax

from braingraph.compiler import sampling
from braingraph.compiler.lower import Array, Carry, Moment
from braingraph.compiler.plan import Group, Slot
from braingraph.compiler.sampling import Link, Sampler
from braingraph.units import magnitude

if TYPE_CHECKING:
    from braingraph.compiler.advance import Advance


@dataclass(frozen=True)
class Slow:
    """The nodes with clocks of their own during one chunk; ``state`` is what they change."""

    advance: Advance
    packed: Any
    keys: Any
    start: Carry  # of the chunk

    def state(self) -> Carry:
        """Their states, what is held of them, and a buffer for each sampler of ``outer``."""
        rows = [self.advance.capacity // s.clock + 1 for s in self.advance.outer]
        buffers = [
            jnp.zeros((s.rows(n, 1), *part.shape), part.dtype).at[0].set(part)
            for s, n, part in zip(self.advance.outer, rows, self.start["slow_partial"], strict=True)
        ]
        return {"slow": self.start["slow"], "held": self.start["held"], "outer": buffers}

    def _first(self, clock: int) -> Array:
        """The clock's step that the chunk begins in."""
        return self.start["n"] // clock

    def _base(self, j: int) -> Array:
        """That step as a sampler counts: monitors from the run's start, links from t = 0."""
        clock, n, k = self.advance.outer[j].clock, self.start["n"], self.start["k"]
        monitor = j < len(self.advance.outer) - len(self.advance.slow_links)
        return n // clock - (n - k) // clock if monitor else n // clock

    def until(self, state: Carry, heard: list[Array], n: Array, end: Array, steps: int) -> Carry:
        """Step them through the intervals that end after n and up to ``end``.

        Faster clocks first. ``heard``: what was gathered for fast links; ``steps``: end - n, at
        most.
        """
        for clock, groups in self.advance.engine.slow.items():
            low, high = n // clock - self._first(clock), end // clock - self._first(clock)

            def body(row: Array, state: Carry, clock: int = clock, groups: Any = groups) -> Carry:
                return self._step(state, heard, row, clock, groups)

            if self.advance.unrolled:
                # a run may begin within an interval, and so finish one more than its length holds
                def turn(
                    state: Carry, k: Array, low: Array = low, high: Array = high, body: Any = body
                ) -> tuple[Carry, None]:
                    return kept(low + k < high, body(low + k, state), state), None

                state, _ = lax.scan(turn, state, jnp.arange(steps // clock + 1))
            else:
                state = lax.fori_loop(low, high, body, state)
        return state

    def _step(
        self, state: Carry, heard: list[Array], row: Array, clock: int, groups: tuple[Group, ...]
    ) -> Carry:
        """One step of the nodes of a clock: that of interval ``row``, counted from the chunk's."""
        advance, engine = self.advance, self.advance.engine
        n, dt = self._first(clock) + row, advance.program.dt * clock
        held = {s: v[0] for s, v in engine.draw(self.keys, n, 1, groups).items()}
        held |= self._held(state, clock)
        for link, rows in self._links(state, heard):
            if link.clock == clock:
                before = held.get(link.slot)
                if before is None:
                    port = advance.program.groups[link.slot[0]].model._inputs[link.slot[1]]
                    before = magnitude(port.default)
                held[link.slot] = before + rows[row]

        def at(stage: float) -> Moment:
            return Moment(self.packed, held, {}, {}, stage, n, dt)

        mine = [(j, s) for j, s in enumerate(advance.outer) if s.clock == clock]
        shown = [slot for slot in state["held"] if advance.program.groups[slot[0]].every == clock]
        own = {g.number: state["slow"][g.number] for g in groups if g.model._states}
        x = engine.step(own, at, groups, clock)
        wanted = tuple(dict.fromkeys([*shown, *(slot for _, s in mine for slot in s.slots)]))
        found = engine.signals(x, at(1.0), wanted, clock)
        buffers = list(state["outer"])
        for j, s in mine:
            base = self._base(j)
            origin, value = sampling.first_row(s, base), self._seen(s, found)
            buffers[j] = sampling.add(s, buffers[j], origin, value[None], base + row, jnp.int32(1))
        return {
            "slow": {**state["slow"], **x},
            "held": {**state["held"], **{slot: found[slot] for slot in shown}},
            "outer": buffers,
        }

    def _held(self, state: Carry, clock: int) -> dict[Slot, Array]:
        """What the nodes of a clock hear of slower ones."""
        groups = self.advance.program.groups
        return {s: v for s, v in state["held"].items() if groups[s[0]].every > clock}

    def _links(self, state: Carry, heard: list[Array]) -> list[tuple[Link, Array]]:
        """What was gathered for each interval, (row, value, *batch)."""
        advance = self.advance
        slow = state["outer"][len(advance.outer) - len(advance.slow_links) :]
        return [
            *zip(advance.fast_links, heard, strict=True),
            *zip(advance.slow_links, slow, strict=True),
        ]

    def samples(self, state: Carry, end: Array) -> list[tuple[Array, Array]]:
        """For every sampler of ``outer``, its rows and how many are final at step ``end``."""
        out = []
        for j, (s, rows) in enumerate(zip(self.advance.outer, state["outer"], strict=True)):
            base = self._base(j)
            now = base + end // s.clock - self._first(s.clock)
            out.append((rows, sampling.first_row(s, now) - sampling.first_row(s, base)))
        return out

    def _seen(self, sampler: Sampler, found: Mapping[Slot, Array]) -> Array:
        """A sampler's value; the rare step of a slow node may wait for the other devices."""
        here, groups = self.advance.here, self.advance.program.groups
        if not self.advance.mixes(sampler):
            value: Array = self.advance._seen(sampler, found)
            return value
        signals = here.exchange(
            [found[slot] for slot in sampler.slots], [groups[slot[0]] for slot in sampler.slots]
        )
        return sampler.read(dict(zip(sampler.slots, signals, strict=True)).__getitem__)


def kept(active: Array, new: Any, old: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(active, a, b), new, old)
