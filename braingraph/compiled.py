"""A program with its jitted functions, ready to be run: the middle between plan and run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from braingraph.compiler import begin
from braingraph.compiler.advance import Advance
from braingraph.compiler.lower import Engine
from braingraph.compiler.plan import Flat, Program
from braingraph.compiler.sampling import Sampler
from braingraph.compiler.values import pack

if TYPE_CHECKING:
    from braingraph.monitors import Monitor

#: Chunks hold about this many bytes of samples: large enough that handing one over (a few ms)
#: costs little, small enough that two in flight do not matter.
CHUNK_BYTES = 8 << 20
CHUNK_STEPS = 1 << 17


def capacity(
    program: Program, monitors: Sequence[Monitor], batch: int | None, steps: int, itemsize: int
) -> int:
    """Steps of a chunk: whole blocks, bounded by the bytes of what is sampled.

    Short runs round up to a power of two, so that runs of like length share one compilation.
    """
    size = itemsize * (batch or 1)
    per_step = sum(size * m.units / (m.period * m.clock) for m in monitors)
    most = min(CHUNK_STEPS, int(CHUNK_BYTES / per_step) if per_step else CHUNK_STEPS)
    clocks = max(g.every for g in program.groups)
    block = program.blocks.length
    return block * -(-max(min(most, 1 << (steps - 1).bit_length()), clocks) // block)


class Compiled:
    """The jitted chunk of one program for one set of samplers and one batch size.

    Parameters are arguments of the compiled function, so other values need no compilation.
    """

    def __init__(
        self, program: Program, samplers: tuple[Sampler, ...], batch: int | None, capacity: int
    ) -> None:
        self.program = program
        self.engine = Engine(program, samplers, batch)
        self.beginning = begin.Beginning(self.engine)
        self.capacity = capacity
        self._packed: tuple[Mapping[str, Any], Any] | None = None
        self.advance = Advance(self.engine, self.capacity, unrolled=False)
        self._begin: Any = jax.jit(self.beginning.carry)
        self._chunk: Any = jax.jit(self.advance.run)

    def _units(self, sampler: Sampler) -> int:
        return self.beginning._shape(sampler)[0]

    def parameters(self, values: Mapping[str, Any]) -> Any:
        """Packed on the host, put on the device, and kept for the next run with these values.

        Measured for 2000 regions all to all: packing takes 0.35 s.
        """
        if self._packed is None or self._packed[0] is not values:
            packed = pack(self.program, values, self.engine.dtype, live=False)
            self._packed = (values, jax.device_put(packed))
        return self._packed[1]

    def keys(self, seed: int) -> Any:
        return jax.device_put(begin.keys(self.engine, seed))

    def start(
        self,
        packed: Any,
        flat: Flat,
        seed: int,
        initial: Any = None,
        history: Mapping[str, Any] | None = None,
    ) -> Any:
        """The carry of the first chunk."""
        return self.beginning_of(flat, seed, initial, history, self._begin)(packed)

    def beginning_of(
        self,
        flat: Flat,
        seed: int,
        initial: Any,
        history: Mapping[str, Any] | None,
        carry: Callable[..., Any] | None = None,
    ) -> Callable[[Any], Any]:
        """The first carry as a function of the packed parameters (messages depend on them)."""
        engine = self.engine
        states = begin.initial_states(engine, flat, seed)
        kept: Mapping[str, Any] = {}
        means: Mapping[str, Any] = {}
        step = 0
        if isinstance(initial, begin.State):
            begin.check_complete(engine, initial)
            states |= begin.spread(engine, initial.states)
            kept = begin.spread(engine, initial.histories, axes=3)
            means, step = begin.spread(engine, initial.means), initial.step
        elif initial is not None:
            states |= begin.given_states(engine, initial)
        past = begin.sample_history(engine, history, self.program.dt)
        x = begin.by_group(engine, states)
        given = [
            {k: jnp.asarray(v, engine.dtype) for k, v in arrays.items()}
            for arrays in (past, kept, means)
        ]
        make: Callable[..., Any] = carry or self.beginning.carry
        return lambda packed: make(packed, x, *given, step)

    def chunk(self, carry: Any, packed: Any, keys: Any, end: int, blocks: int) -> Any:
        return self._chunk(carry, packed, keys, np.int32(end), np.int32(blocks))

    def compilations(self) -> int:
        """How many programs were compiled so far."""
        return sum(int(f._cache_size()) for f in (self._begin, self._chunk))

    def memory(self) -> int:
        """Bytes on the device: parameters, state, rings and two chunks' samples."""
        engine = self.engine
        size = np.dtype(engine.dtype).itemsize
        batch = int(np.prod(engine.batch, initial=1))
        states = sum(g.size * len(g.model._states) for g in engine.program.groups)
        rings = sum(
            2 * m.length * m.channels * engine.program.groups[m.source[0]].size
            for m in engine.program.messages
        )
        samples = sum(
            2 * self._units(s) * s.rows(self.capacity // s.clock, self.program.blocks.length)
            for s in engine.samplers
        )
        weights = sum(2 * len(b.entries) for b in engine.program.bundles)
        return size * (batch * (states + rings + samples) + weights)
