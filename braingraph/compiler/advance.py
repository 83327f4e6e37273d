"""Time: a block of steps, and a chunk of blocks.

A block does once what does not depend on its own steps: it reads every long-delayed sum for all
of them, and draws their noise. Its inner scan then does only local work and short connections.
Afterwards it writes its samples into the rings and the monitors' buffers: with several devices
this is when they exchange them, once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from braingraph.compiler import noise, packing, sampling, transport
from braingraph.compiler.clocks import Slow, kept
from braingraph.compiler.here import everywhere
from braingraph.compiler.lower import Array, Carry, Engine, Moment
from braingraph.compiler.plan import Bundle, Message, Slot
from braingraph.compiler.sampling import Sampler, Units
from braingraph.compiler.values import message_of
from braingraph.integrate import STAGES


@dataclass(frozen=True)
class Window:
    """A bundle's block-read sums: for whole steps b = 0 ... B, and half-way after each b < B."""

    grid: list[Array]  # per channel: (B + 1, row, *batch)
    half: list[Array]


class Advance:
    """Chunks of an engine's program. ``run`` is what gets compiled."""

    def __init__(
        self, engine: Engine, capacity: int, unrolled: bool, axes: tuple[str, ...] = ()
    ) -> None:
        self.engine, self.program, self.here = engine, engine.program, engine.here
        self.axes = axes  # of the mesh
        self.capacity = capacity  # steps a chunk can hold samples of
        self.unrolled = unrolled  # a scan of fixed length, which can be differentiated
        self.B = engine.block_steps
        # what the fast steps gather, and what those of slower clocks do: monitors, then links
        self.fast_links = tuple(link for link in engine.links if link.source == 1)
        self.slow_links = tuple(link for link in engine.links if link.source > 1)
        self.inner = (
            *(s for s in engine.samplers if s.clock == 1),
            *(link.sampler for link in self.fast_links),
        )
        self.outer = (
            *(s for s in engine.samplers if s.clock > 1),
            *(link.sampler for link in self.slow_links),
        )

    # ------------------------------------------------------------ a chunk
    def run(self, carry: Carry, packed: Any, keys: Any, end: Array, blocks: Any) -> Any:
        """Advance ``blocks`` blocks, but no step beyond ``end`` (counted from the run's start).

        Returns the new carry, the finished samples of every sampler with their number, and
        whether all states are finite.
        """
        keys = noise.rows(self.here, keys, self.engine.batch)
        k0, n0 = carry["k"], carry["n"]
        origins = [
            sampling.first_row(s, k) for s, k in zip(self.inner, self._bases(k0, n0), strict=True)
        ]
        buffers = [
            jnp.zeros((s.rows(self.capacity, self.B), *part.shape), part.dtype).at[0].set(part)
            for s, part in zip(self.inner, carry["partial"], strict=True)
        ]
        loop = {key: carry[key] for key in ("k", "n", "x", "rings", "recent", "p", "spill")}
        loop["tails"] = self._first_tails(carry, packed)
        slow = Slow(self, packed, keys, carry)
        many = len(self.inner) - len(self.fast_links)

        def body(state: tuple[Any, list[Array], Carry]) -> tuple[Any, list[Array], Carry]:
            before, buffers, late = state
            loop, buffers = self._block(before, buffers, packed, keys, end, origins, late["held"])
            if late["held"]:  # faster nodes hear of slower ones, which are stepped as blocks end
                late = slow.until(late, buffers[many:], before["n"], loop["n"], self.B)
            return loop, buffers, late

        state = (loop, buffers, slow.state())
        if self.unrolled:
            state, _ = lax.scan(lambda s, _: (body(s), None), state, None, length=blocks)
        else:
            state = lax.fori_loop(0, blocks, lambda _, s: body(s), state)
        loop, buffers, late = state
        bases = self._bases(loop["k"], loop["n"])
        done = [
            sampling.first_row(s, k) - o for s, k, o in zip(self.inner, bases, origins, strict=True)
        ]
        if not late["held"]:
            late = slow.until(late, buffers[many:], n0, loop["n"], self.capacity)
        outer = slow.samples(late, loop["n"])
        del loop["tails"]
        new = {
            **loop,
            "partial": [b[d] for b, d in zip(buffers, done, strict=True)],
            "slow": late["slow"],
            "held": late["held"],
            "slow_partial": [rows[count] for rows, count in outer],
        }
        inner = iter(list(zip(buffers[:many], done[:many], strict=True)))
        outer_ = iter(outer)  # its monitors come first
        out = [next(inner) if s.clock == 1 else next(outer_) for s in self.engine.samplers]
        finite = self.here.all_finite({**new["x"], **new["slow"]})
        return new, out, everywhere(finite, self.axes)

    def _bases(self, k: Array, n: Array) -> list[Array]:
        """Monitors count from the run's start, clocks of slow nodes from t = 0."""
        slow = len(self.fast_links)
        return [k] * (len(self.inner) - slow) + [n] * slow

    # ------------------------------------------------------------ a block
    def _block(
        self,
        loop: Any,
        buffers: list[Array],
        packed: Any,
        keys: Any,
        end: Array,
        origins: Any,
        held: Mapping[Slot, Array],
    ) -> tuple[Any, list[Array]]:
        engine, B = self.engine, self.B
        k, n = loop["k"], loop["n"]
        windows, tails = self._windows(loop, packed)
        ahead_of = noise.draws_ahead()
        drawn = engine.draw(keys, n, B, engine.fast) if ahead_of else {}

        def step(state: Any, given: Any) -> tuple[Any, Any]:
            x, recent, b = state
            normals, ahead = given
            if not ahead_of:
                now = engine.draw(keys, n + b, 1, engine.fast)
                normals = {slot: z[0] for slot, z in now.items()}

            def at(stage: float) -> Moment:
                sums = {j: w[stage] for j, w in ahead.items()}
                fixed = {**normals, **held}
                return Moment(packed, fixed, sums, recent, stage, n + b, self.program.dt)

            new = engine.step(x, at, engine.fast)
            active = k + b < end
            new = kept(active, new, x)
            found = engine.signals(new, at(1.0), engine.sampled)
            values = [self._seen(s, found) for s in self.inner]
            sent = self._sent(found, packed)
            shifted = {
                j: jnp.concatenate([r[:, 1:], sent[j][:, None]], 1) for j, r in recent.items()
            }
            return (new, kept(active, shifted, recent), b + 1), (values, sent)

        ahead = {j: self._per_step(w) for j, w in windows.items()}
        start = (loop["x"], loop["recent"], jnp.int32(0))
        (x, recent, _), (values, sent) = lax.scan(
            step, start, (drawn, ahead), length=B, unroll=self._unroll()
        )
        values, sent = self._exchanged(values, sent)
        valid = jnp.clip(end - k, 0, B)
        bases = self._bases(k, n)
        buffers = [
            sampling.add(s, buffer, origin, v, base, valid)
            for s, buffer, origin, v, base in zip(
                self.inner, buffers, origins, values, bases, strict=True
            )
        ]
        rings, p = dict(loop["rings"]), dict(loop["p"])
        for m in self.program.messages:
            if m.number in rings:
                samples = jnp.moveaxis(sent[m.number], 0, 2)  # (channel, source, B, *batch)
                rings[m.number] = transport.write_block(
                    rings[m.number], samples, p[m.number], self.program.blocks, m
                )
                p[m.number] = (p[m.number] + B) % m.length
        return {
            "k": k + valid,
            "n": n + valid,
            "x": x,
            "rings": rings,
            "recent": recent,
            "p": p,
            "spill": B - valid,
            "tails": tails,
        }, buffers

    def _unroll(self) -> int:
        """Steps per turn of the inner loop.

        Measured, 90 regions: 2.6 us a step for two with a dense product in each stage, 2.8 for
        one; but without such a product XLA fuses the steps and computes much twice (5.5 for 4.4).
        """
        return 1 + any(
            part.transport == "now" and part.layout == "dense"
            for bundle in self.program.bundles
            for part in bundle.parts
        )

    # ------------------------------------------------------------ what leaves a step
    def _sent(self, found: Mapping[Slot, Array], packed: Any) -> dict[int, Array]:
        """A step's messages: (channel, source, *batch); of all devices where steps read them."""
        sent = {}
        for m in self.program.messages:
            bundle = self.program.bundles[m.bundles[0]]
            sent[m.number] = jnp.stack(self.engine.channels(bundle, found[m.source], packed))
        often = [m for m in self.program.messages if m.recent]
        heard = self.here.exchange(
            [jnp.moveaxis(sent[m.number], 1, 0) for m in often],
            [self.program.groups[m.source[0]] for m in often],
        )
        return sent | {m.number: jnp.moveaxis(v, 0, 1) for m, v in zip(often, heard, strict=True)}

    def mixes(self, sampler: Sampler) -> bool:
        """Whether it reads units of several devices."""
        groups = [self.program.groups[number] for number, _ in sampler.slots]
        return not isinstance(sampler.read, Units) and any(map(self.here.divided, groups))

    def _seen(self, sampler: Sampler, found: Mapping[Slot, Array]) -> Any:
        """A sampler's value at a step: its units here, or what it reads where that mixes units."""
        if self.mixes(sampler):
            return [found[slot] for slot in sampler.slots]
        read = sampler.read
        if isinstance(read, Units) and read.start is not None:
            group = self.program.groups[read.slot[0]]
            if self.here.divided(group):
                placement = self.here.placement
                span = placement.span(group, read.start, read.stop or group.size)
                return found[read.slot][self.here.mine(placement.places(group, span))]
        return read(found.__getitem__)

    def _exchanged(self, values: list[Any], sent: dict[int, Array]) -> tuple[list[Any], Any]:
        """A block's samples, once everything is known that other devices have of it.

        Delayed messages, and the signals that mixing monitors read, in one exchange.
        """
        late = [m for m in self.program.messages if not m.recent]
        mixed = [(s, v) for s, v in zip(self.inner, values, strict=True) if self.mixes(s)]
        travel = [jnp.moveaxis(sent[m.number], 2, 0) for m in late]
        groups = [self.program.groups[m.source[0]] for m in late]
        for sampler, signals in mixed:
            travel += [jnp.moveaxis(v, 1, 0) for v in signals]
            groups += [self.program.groups[number] for number, _ in sampler.slots]
        heard = iter(self.here.exchange(travel, groups))
        sent = sent | {m.number: jnp.moveaxis(next(heard), 0, 2) for m in late}
        out = []
        for sampler, value in zip(self.inner, values, strict=True):
            if self.mixes(sampler):
                signals = {slot: jnp.moveaxis(next(heard), 0, 1) for slot in sampler.slots}
                value = jax.vmap(lambda s, read=sampler.read: read(s.__getitem__))(signals)
            out.append(value)
        return out, sent

    # ------------------------------------------------------------ reading the past
    def _block_parts(self) -> list[tuple[Bundle, int, Message]]:
        return [
            (bundle, k, message_of(self.program, bundle))
            for bundle in self.program.bundles
            for k, part in enumerate(bundle.parts)
            if part.transport == "block"
        ]

    def _taps(self, part: Any) -> packing.Taps:
        cubic = self.program.method == "rk4"
        return packing.taps(jnp.zeros(1), part.aligned, cubic, jnp)

    def _sets(
        self, bundle: Bundle, k: int, m: Message, loop: Any, packed: Any, back: int, width: int
    ) -> list[Array]:
        """Weighted windows, ``back`` columns before the block: (channel, width, row, *batch)."""
        mine = packed["parts"][bundle.number][k]
        rows = self.engine.rows(bundle, k)
        ring, shift = loop["rings"][m.number], loop["p"][m.number] - back
        per_channel = [
            transport.window_sums(bundle.parts[k], mine, rows, ring[c], shift, width)
            for c in range(m.channels)
        ]
        return [
            jnp.stack([jnp.moveaxis(sets[q], 1, 0) for sets in per_channel])
            for q in range(len(per_channel[0]))
        ]

    def _first_tails(self, carry: Carry, packed: Any) -> dict[str, list[Array]]:
        """What the taps of a chunk's first block reach before it."""
        out = {}
        for bundle, k, m in self._block_parts():
            width = self._taps(bundle.parts[k]).tail
            out[f"{bundle.number}.{k}"] = self._sets(bundle, k, m, carry, packed, width, width)
        return out

    def _windows(self, loop: Any, packed: Any) -> tuple[dict[int, Window], dict[str, list[Array]]]:
        """The sums of all block-read connections for every step of a block."""
        B = self.B
        windows: dict[int, Window] = {}
        tails = {}
        for bundle, k, m in self._block_parts():
            t = self._taps(bundle.parts[k])
            sets = self._sets(bundle, k, m, loop, packed, 0, B)
            key = f"{bundle.number}.{k}"
            # axis 1 counts steps: entry T - 1 + b belongs to step n0 + b
            whole = [
                jnp.concatenate([tail, new], 1)
                for tail, new in zip(loop["tails"][key], sets, strict=True)
            ]
            tails[key] = [w[:, B:] for w in whole]

            def mixed(
                mix: Any, first: int, count: int, whole: list[Array] = whole, tail: int = t.tail
            ) -> Array:
                terms = [
                    (f * part if f != 1.0 else part)
                    for s, q, f in mix
                    for part in [whole[s][:, tail - 1 + first - q :][:, :count]]
                ]
                total = terms[0]
                for term in terms[1:]:
                    total = total + term
                return total

            grid = mixed(t.grid, 0, B + 1)
            half = mixed(t.half, 1, B) if t.half else grid[:, :B]
            window = Window(list(grid), list(half))
            if bundle.number in windows:
                before = windows[bundle.number]
                window = Window(
                    [a + b for a, b in zip(before.grid, window.grid, strict=True)],
                    [a + b for a, b in zip(before.half, window.half, strict=True)],
                )
            windows[bundle.number] = window
        return windows, tails

    def _per_step(self, w: Window) -> dict[float, list[Array]]:
        """The sums each step of the inner scan reads, by stage."""
        stages = {*STAGES[self.program.method], 1.0}
        out = {}
        for stage in stages:
            if stage == 0.5:
                out[stage] = w.half
            else:
                out[stage] = [g[int(stage) :][: self.B] for g in w.grid]
        return out
