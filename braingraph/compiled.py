"""A program with its jitted functions, ready to be run: the middle between plan and run."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from braingraph.compiler import begin, noise
from braingraph.compiler.advance import Advance
from braingraph.compiler.here import UNIT
from braingraph.compiler.lower import Engine
from braingraph.compiler.plan import Flat, Program
from braingraph.compiler.sampling import Sampler
from braingraph.compiler.shard import place
from braingraph.compiler.values import pack, pack_parts, row_length
from braingraph.devices import AXES, Devices, Gathered, why_alone

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
    """The jitted chunk of one program for one set of samplers, one batch size and one mesh.

    Parameters are arguments of the compiled function, so other values need no compilation.
    ``whole`` is the undivided program as the host sees it; ``engine`` what a device computes.
    """

    def __init__(
        self,
        program: Program,
        samplers: tuple[Sampler, ...],
        batch: int | None,
        capacity: int,
        mesh: Mesh | None = None,
    ) -> None:
        self.program, self.samplers, self.capacity = program, samplers, capacity
        self.engine = self.whole = Engine(program, samplers, batch)
        self.devices: Devices | None = None
        if mesh is not None:
            placement = place(program, mesh.shape[UNIT])
            self.devices = Devices(mesh, program, placement, batch)
            self.engine = Engine(program, samplers, self.devices.share, placement)
        self.beginning = begin.Beginning(self.whole)
        # values, their connections on the devices, and (when used as they are) the rest
        self._known: tuple[Mapping[str, Any], Any, Any] | None = None
        axes = () if mesh is None else AXES
        self.advance = Advance(self.engine, self.capacity, unrolled=False, axes=axes)
        self._compilations = 0
        self._begin: Any = jax.jit(self._counted(self.beginning.carry))
        self._chunk: Any = (
            jax.jit(self._counted(self.advance.run))
            if self.devices is None
            else self.devices.compiled(self._counted(self.advance.run), shares=3)
        )

    def _counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, which is called once whenever it is compiled.

        JAX's own count is that of a cache which all functions of a process share and fill.
        """

        @functools.wraps(function)
        def counted(*given: Any) -> Any:
            self._compilations += 1
            return function(*given)

        return counted

    def _units(self, sampler: Sampler) -> int:
        return self.beginning._shape(sampler)[0]

    def parameters(self, values: Mapping[str, Any], base: Mapping[str, Any] | None = None) -> Any:
        """Packed on the host, put on the devices, and kept for the next run with these values.

        ``base``: values that have the same weights and delays, whose connections are kept instead.
        Measured for 2000 regions all to all: packing these takes 0.35 s.
        """
        base = values if base is None else base
        known = self._known  # read once: several batches may run at a time
        if known is None or known[0] is not base:
            known = (base, self._connections(base), None)
        if values is not base:
            self._known = known
            return {**self._parameters(values), "parts": known[1]}
        own = self._parameters(base) if known[2] is None else known[2]
        self._known = (base, known[1], own)
        return {**own, "parts": known[1]}

    def _connections(self, values: Mapping[str, Any]) -> Any:
        if self.devices is None:
            return jax.device_put(self._packed(pack_parts, values))
        return self.devices.connections(lambda u: self._packed(pack_parts, values, u))

    def _parameters(self, values: Mapping[str, Any]) -> Any:
        if self.devices is None:
            return jax.device_put(self._packed(pack, values))
        return self.devices.parameters(lambda u: self._packed(pack, values, u))

    def _packed(self, how: Any, values: Mapping[str, Any], device: int = 0) -> Any:
        """One device's share, on the host."""
        placement = self.engine.placement
        return how(self.program, values, self.engine.dtype, False, placement, device)

    def keys(self, seed: Any) -> Any:
        """Noise keys of a seed, or of a tuple of seeds, one for every replica."""
        devices = self.engine.placement.devices
        keys = noise.keys(self.program, seed, self.whole.batch, devices)
        return jax.device_put(keys) if self.devices is None else self.devices.keys(keys)

    def start(
        self,
        packed: Any,
        values: Mapping[str, Any],
        flat: Flat,
        seed: Any,
        initial: Any = None,
        history: Mapping[str, Any] | None = None,
    ) -> Any:
        """The carry of the first chunk, from parameters that are packed from these values."""
        make = self.beginning_of(flat, seed, initial, history, self._begin)
        if self.devices is None:
            return make(packed)
        return self.dealt(make(self._whole(values)))

    def _whole(self, values: Mapping[str, Any]) -> Any:
        """Parameters of the undivided program, without its connections."""
        return pack(self.program, values, self.whole.dtype, False, self.whole.placement)

    def first_carry(self, values: Mapping[str, Any], flat: Flat, seed: Any) -> Any:
        """The shapes of a carry as the undivided program has it."""
        make = self.beginning_of(flat, seed, None, None)
        return jax.eval_shape(make, self._whole(values))

    def dealt(self, carry: Any) -> Any:
        """A carry of the undivided program, on the devices."""
        if self.devices is None:
            return jax.device_put(carry)
        return self.devices.deal(carry, self._layout(carry))

    def on_host(self, carry: Any) -> Any:
        """A carry as the undivided program has it."""
        return carry if self.devices is None else self.devices.whole(carry, self._layout(carry))

    def gathered(self, sampler: Sampler, own: bool = False) -> Gathered | None:
        """How a sampler's buffer becomes rows of all its units; None: it has them all."""
        if self.devices is None:
            return None
        return Gathered(self.devices, sampler, own)

    def _layout(self, carry: Any) -> Any:
        assert self.devices is not None
        return self.devices.carry_layout(carry, self.advance.inner, self.advance.outer)

    def beginning_of(
        self,
        flat: Flat,
        seed: int,
        initial: Any,
        history: Mapping[str, Any] | None,
        carry: Callable[..., Any] | None = None,
    ) -> Callable[[Any], Any]:
        """The first carry as a function of the packed parameters (messages depend on them)."""
        engine = self.whole
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
        """The new carry, the samplers' buffers, and whether all is finite (on the host)."""
        carry, out, finite = self._chunk(carry, packed, keys, np.int32(end), np.int32(blocks))
        if self.devices is not None:
            finite = finite.addressable_data(0)
        return carry, out, finite.reshape(())

    @property
    def alone(self) -> str:
        """Why it runs on one of several devices that could gain; empty: there is but one."""
        local = jax.local_devices()
        if self.devices is not None or len(local) == 1 or local[0].platform == "cpu":
            return ""
        return f"1 of {len(local)}: {why_alone(self.program, local)}"

    def compilations(self) -> int:
        """How many programs were compiled so far."""
        return self._compilations

    def memory(self) -> int:
        """Bytes on each device: parameters, and three times states, rings and a chunk's samples.

        Three times: what a chunk takes, what it gives, and what it works on. Measured, what a
        process gained over this: 0.8 to 1.1 with 16 to 256 replicas of 90 regions, 1.25 and 0.9
        with 32 and 64 of 500 (the output and the code counted too).
        """
        engine, here = self.engine, self.engine.here
        size = np.dtype(engine.dtype).itemsize
        batch = int(np.prod(engine.batch, initial=1))
        states = sum(here.length(g, k) for g in self.program.groups for k in g.model._states)
        rings = sum(
            row_length(m) * m.channels * self.program.groups[m.source[0]].size
            for m in self.program.messages
        )
        samples = sum(
            self._units(s) * s.rows(self.capacity // s.clock, self.program.blocks.length)
            for s in engine.samplers
        )
        connections = sum(
            len(part.entries) for b in engine.placement.shares[0].bundles for part in b.parts
        )
        # place and weight of each, as given and as laid out for the loop
        return size * (3 * batch * (states + rings + samples) + 4 * connections)
