"""Which signal stopped being finite first, where and when.

Steps carry no checks. A chunk reports whether its last states are finite; if not, it is computed
again from where it began, to ever closer ends, by the program that is compiled already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from braingraph.errors import DivergenceError

if TYPE_CHECKING:
    from braingraph.session import Session


def locate(
    session: Session, before: Any, packed: Any, keys: Any, start: int, steps: int
) -> DivergenceError:
    """The error for a chunk of ``steps`` steps from step ``start`` that ends in NaN or inf."""
    compiled = session.compiled
    length = compiled.program.blocks.length

    def after(count: int) -> tuple[Any, bool]:
        carry, _, finite = compiled.chunk(before, packed, keys, start + count, -(-count // length))
        return carry, bool(finite)

    low, high = 0, steps  # finite after low steps, not after high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if after(middle)[1] else (low, middle)
    last = after(low)[0] if low else before
    time = (session.first + start + high) * session.dt
    return _describe(session, after(high)[0], last, time, start + high)


def _describe(session: Session, carry: Any, last: Any, time: float, steps: int) -> DivergenceError:
    """The first state, in path order, that is not finite, and what it was one step before."""
    engine, on_host = session.compiled.whole, session.compiled.on_host
    now, before = ({**c["x"], **c["slow"]} for c in map(on_host, (carry, last)))
    for group in engine.program.groups:
        for name, value in now.get(group.number, {}).items():
            for path in group.paths:
                values = np.asarray(value[group.values(path, name)])
                bad = ~np.isfinite(values)
                if not bad.any():
                    continue
                unit, *replica = (int(k) for k in np.argwhere(bad)[0])
                units = tuple(int(k) for k in np.flatnonzero(bad.reshape(len(values), -1).any(1)))
                old = np.asarray(before[group.number][name][group.values(path, name)])
                size = float(np.abs(old[bad]).max())
                labels = engine.program.flat.vertices[path].labels
                label = f" ('{labels[unit]}')" if labels and unit < len(labels) else ""
                label += f" of replica {replica[0]}" if replica else ""
                signal = name if session.sim.single else f"{path}.{name}"
                return DivergenceError(
                    f"{signal} is not finite at t = {time:.12g} ms: {len(units)} of {len(values)} "
                    f"units, first unit {unit}{label}. The last finite value was {size:.3g}. "
                    f"Try a smaller dt (now {session.dt:g} ms).",
                    path=signal,
                    time=time,
                    units=units,
                    last=size,
                    steps=steps,
                    dataset=None,
                )
    raise AssertionError(f"no state is to blame: {jax.tree.map(np.shape, carry['x'])}")
