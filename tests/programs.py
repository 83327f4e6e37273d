"""What a simulator compiled, as XLA sees it."""

from __future__ import annotations

from typing import Any

import numpy as np

import braingraph as bg
from braingraph.compiler.values import collect


def lowered(sim: bg.Simulator) -> Any:
    """The program of a chunk of the only thing that this simulator has run, before XLA."""
    (compiled,) = sim._compiled.values()
    values = collect(compiled.program)[0]
    packed = compiled.parameters(values)
    carry = compiled.start(packed, values, compiled.program.flat, 0)
    return compiled._chunk.lower(carry, packed, compiled.keys(0), np.int32(100), np.int32(5))
