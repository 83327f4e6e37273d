"""What devices tell each other, counted from the plan; a test holds it against the compiled text.

With D devices on the unit axis, blocks of B steps of dt, and W_m places a device for the source of
message m (its units / D, rounded up, and 8 at least), each device sends the others, per simulated
time,

    sum_m channels_m W_m replicas itemsize / dt            bytes,

once per block, in one all-gather; it hears D - 1 times as much. Messages that are read step by
step (delays shorter than a block) travel every step, and what acts within a step between units of
different devices at every stage. A monitor that is a function of several units adds the signals it
reads, once per block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from braingraph.compiler.delays import within_step
from braingraph.compiler.plan import Slot

if TYPE_CHECKING:
    from braingraph.compiler.advance import Advance


@dataclass(frozen=True)
class Traffic:
    """Bytes that one device sends: once per block, every step, and at every stage."""

    devices: int
    per_block: int
    per_step: int
    per_stage: int
    at_stages: tuple[Slot, ...]  # the signals that travel at every stage
    steps: int  # of a block
    dt: float  # ms

    @property
    def per_second(self) -> float:
        """Bytes per simulated second, without what travels at stages."""
        return (self.per_block / self.steps + self.per_step) * 1000 / self.dt


def traffic(advance: Advance) -> Traffic:
    """What one device of the unit axis sends."""
    engine, program, here = advance.engine, advance.program, advance.here
    item = np.dtype(engine.dtype).itemsize * int(np.prod(engine.batch, initial=1))

    def places(slot: Slot) -> int:
        group = program.groups[slot[0]]
        return here.size(group) if here.divided(group) else 0

    per_block = sum(
        m.channels * places(m.source) * program.blocks.length
        for m in program.messages
        if not m.recent
    )
    per_block += sum(
        places(slot) * program.blocks.length
        for sampler in advance.inner
        if advance.mixes(sampler)
        for slot in sampler.slots
    )
    per_step = sum(m.channels * places(m.source) for m in program.messages if m.recent)
    at_stages = tuple(
        dict.fromkeys(
            b.source
            for b in program.bundles
            for k, part in enumerate(b.parts)
            if part.transport != "block"
            and within_step(part.entries)
            and places(b.source)
            and (b.number, k) not in engine.placement.local
        )
    )
    return Traffic(
        engine.placement.devices,
        per_block * item,
        per_step * item,
        sum(map(places, at_stages)) * item,
        at_stages,
        program.blocks.length,
        program.dt,
    )
