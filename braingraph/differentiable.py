"""A run as a pure function of its parameters: for gradients, vmap and fitting."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from braingraph.compiled import Compiled
from braingraph.compiler import compile_graph, noise
from braingraph.compiler.advance import Advance
from braingraph.compiler.values import collect, pack, pack_parts
from braingraph.errors import ParameterError, ShapeError, did_you_mean
from braingraph.monitors import requested, resolve
from braingraph.units import Unit, attach, strip

if TYPE_CHECKING:
    from braingraph.simulator import Simulator

Function = Callable[[Mapping[str, Any]], dict[str, Any]]


def as_function(
    sim: Simulator,
    duration: Any,
    monitors: Any,
    batch: int | None,
    initial: Any,
    history: Mapping[str, Any] | None,
) -> tuple[Function, dict[str, Any]]:
    """``fn(params) -> {monitor: (*batch, time, unit)}`` and the parameters' present values.

    The whole run is one scan of fixed length, so reverse-mode differentiation works; delays are
    read as they are given, within the range the blocks were planned for.
    """
    total = sim._steps(duration, "duration")
    records = requested(monitors, sim.graph, sim.single)
    program = compile_graph(sim.graph, sim.dt, sim.method, live=True)
    found = resolve(program, records, sim.single)
    samplers = tuple(m.sampler(0) for m in found)
    blocks = -(-total // program.blocks.length)
    compiled = Compiled(program, samplers, batch, blocks * program.blocks.length)
    engine = compiled.engine
    advance = Advance(engine, total, unrolled=True)
    values, units = collect(program)
    keys = noise.keys(program, sim.seed, engine.batch)
    initial, history = sim._given(initial, "initial"), sim._given(history, "history")
    params = {path: attach(jnp.asarray(v, engine.dtype), units[path]) for path, v in values.items()}
    start = compiled.beginning_of(program.flat, sim.seed, initial, history)

    def fn(params: Mapping[str, Any]) -> dict[str, Any]:
        plain = dict(values)
        for given, value in params.items():
            path = sim._named(given)
            plain[path] = _plain(path, value, values, units)
        what = (program, plain, engine.dtype, True, engine.placement)
        packed = {**pack(*what), "parts": pack_parts(*what)}
        _, out, _ = advance.run(start(packed), packed, keys, np.int32(total), blocks)
        results = {}
        for monitor, (buffer, _) in zip(found, out, strict=True):
            count = total // (monitor.period * monitor.clock)
            results[monitor.name] = jnp.moveaxis(buffer[:count], (0, 1), (-2, -1))
        return results

    return fn, params


def _plain(path: str, value: Any, values: Mapping[str, Any], units: Mapping[str, Unit]) -> Any:
    """A parameter's plain array, in its unit and of a shape like that it was compiled with."""
    if path not in units:
        raise ParameterError(
            f"there is no parameter '{path}'.{did_you_mean(path, units)}", parameter=path
        )
    plain = strip(value, units[path], path) if hasattr(value, "to_decimal") else value
    given, needed = jnp.shape(plain), jnp.shape(values[path])
    if given not in ((), needed):
        raise ShapeError(
            f"'{path}' has shape {given}, but was compiled with {needed}: give that, or a number.",
            path=path,
            given=given,
            needed=needed,
        )
    return jnp.broadcast_to(plain, needed)
