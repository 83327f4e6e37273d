"""Where a run starts: initial states, keys, and the history that delays read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from braingraph import evaluate
from braingraph.compiler import noise
from braingraph.compiler.lower import Array, Carry, Engine
from braingraph.compiler.plan import Flat, Group, Message, Slot
from braingraph.compiler.values import row_length
from braingraph.component import Coupling
from braingraph.errors import (
    ClockError,
    ParameterError,
    PortError,
    RunError,
    ShapeError,
    did_you_mean,
)
from braingraph.units import TIME, attach, magnitude, show_time, strip


@dataclass(frozen=True)
class State:
    """Everything a run needs to go on: ``sim.state``. Arrays by path, the batch trailing."""

    step: int
    states: Mapping[str, Array]  # "cortex.x" -> (unit, *batch)
    histories: Mapping[str, Array]  # message -> (channel, unit, sample, *batch), newest last
    means: Mapping[str, Array]  # of slow nodes: what an interval has gathered, what they showed


def initial_states(engine: Engine, flat: Flat, seed: int) -> dict[str, Array]:
    """Every state's initial value by path, (unit, *batch), as ``flat``'s vertices have it."""
    out: dict[str, Array] = {}
    for g in engine.program.groups:
        for path in g.paths:
            model = flat.vertices[path]
            for name in model._states:
                out[f"{path}.{name}"] = _initial(engine, model, name, f"{path}.{name}", seed)
    return out


def _initial(engine: Engine, model: Any, name: str, path: str, seed: int) -> Array:
    init, unit = model._inits[name], model._states[name].unit(model)
    shape = model.signal_shape(name)
    if hasattr(init, "draw"):
        k0, k1 = noise.word_pair(seed, path, engine.batch)
        drawn = np.asarray(init.draw(model, k0, k1, (model.signal_size(name),), unit=unit))
        return np.moveaxis(drawn, 0, -1) if engine.batch else drawn
    if callable(init):
        init = init(shape)
    plain = np.asarray(strip(init, unit, f"{path} at the start"), float)
    try:
        flat = np.broadcast_to(plain, shape).reshape(-1)
    except ValueError:
        raise ShapeError(
            f"{path} starts with shape {plain.shape}, which does not broadcast to the units "
            f"{shape}.",
            path=path,
            given=plain.shape,
            needed=shape,
        ) from None
    return np.broadcast_to(flat.reshape(-1, *[1] * len(engine.batch)), (len(flat), *engine.batch))


def snapshot(engine: Engine, carry: Carry) -> State:
    """What a finished chunk leaves, addressed by path."""
    program = engine.program
    states: dict[str, Array] = {}
    means: dict[str, Array] = {}
    for g in program.groups:
        values = {**carry["x"], **carry["slow"]}.get(g.number, {})
        for name, value in values.items():
            states |= {f"{p}.{name}": np.array(value[g.values(p, name)]) for p in g.paths}
    for where, fast in (("partial", True), ("slow_partial", False)):
        links = [link for link in engine.links if (link.source == 1) == fast]
        gathered = carry[where][len(carry[where]) - len(links) :]
        for link, value in zip(links, gathered, strict=True):
            g = program.groups[link.slot[0]]
            means |= {link.address(p): np.array(value[g.values(p, link.slot[1])]) for p in g.paths}
    for (number, name), value in carry["held"].items():
        g = program.groups[number]
        means |= {held_name(p, name): np.array(value[g.values(p, name)]) for p in g.paths}
    histories = {}
    for m in program.messages:
        recent = np.moveaxis(np.array(carry["recent"][m.number]), 1, 2) if m.recent else None
        if m.number in carry["rings"]:
            ring = np.array(carry["rings"][m.number])
            newest = int(carry["p"][m.number]) + m.length - int(carry["spill"])
            oldest = newest - m.length + int(carry["spill"])
            recent = ring[:, :, oldest:newest]
        histories[message_name(engine, m)] = recent
    return State(int(carry["n"]), states, histories, means)


def message_name(engine: Engine, m: Message) -> str:
    """A message's address: its source ports, and its coupling unless that passes them as is."""
    group = engine.program.groups[m.source[0]]
    plain = type(m.coupling).pre is Coupling.pre
    via = "" if plain else f" by {engine.program.bundles[m.bundles[0]].title}"
    return f"{'+'.join(group.paths)}.{m.source[1]}{via}"


def held_name(path: str, signal: str) -> str:
    """Where a state keeps what a slow node showed last."""
    return f"{path}.{signal} held"


class Beginning:
    """Builds the carry of a run's first chunk; ``carry`` is pure and may be traced."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def carry(
        self,
        packed: Any,
        x: Any,
        past: Mapping[str, Array],
        kept: Mapping[str, Array],
        means: Mapping[str, Array],
        step: Any,
    ) -> Carry:
        """From states by group and the past: samples of signals, or the messages of a state."""
        engine, program = self.engine, self.engine.program
        rings: dict[int, Array] = {}
        recent: dict[int, Array] = {}
        p: dict[int, Array] = {}
        for m in program.messages:
            name = message_name(engine, m)
            if name in kept:
                history = _resized(kept[name], max(m.length, m.recent))
            else:
                history = self._history(m, packed, x, past)
            rings |= self.ring(m, history[:, :, history.shape[2] - m.length :])
            p |= {m.number: jnp.int32(0)} if self._by_block(m) else {}
            recent |= self.recent(m, history)
        inner, outer = self._partials(means)
        fast = {g.number for g in engine.fast}
        return {
            "k": jnp.int32(0),
            "n": jnp.asarray(step, jnp.int32),
            "x": {k: v for k, v in x.items() if k in fast},
            "slow": {k: v for k, v in x.items() if k not in fast},
            "rings": rings,
            "recent": recent,
            "p": p,
            "spill": jnp.int32(0),
            "partial": inner,
            "slow_partial": outer,
            "held": self._held(packed, x, means),
        }

    def _held(self, packed: Any, x: Any, means: Mapping[str, Array]) -> dict[Slot, Array]:
        """What slower nodes show to faster ones: as it was, or as their initial states have it."""
        out = {}
        for number, name in self.engine.program.held:
            g = self.engine.program.groups[number]
            kept = [means[key] for p in g.paths if (key := held_name(p, name)) in means]
            known = len(kept) == len(g.paths)
            value = (
                jnp.concatenate(kept) if known else self._signal((number, name), packed, x, {}, 1)
            )
            out[number, name] = value.astype(self.engine.dtype)
        return out

    def _partials(self, means: Mapping[str, Array]) -> tuple[list[Array], list[Array]]:
        """What unfinished intervals have gathered: nothing yet, but for slow nodes' inputs."""
        engine = self.engine
        inner: list[Array] = []
        outer: list[Array] = []
        for s in engine.samplers:
            (inner if s.clock == 1 else outer).append(jnp.zeros(self._shape(s), engine.dtype))
        for link in engine.links:
            g, name = engine.program.groups[link.slot[0]], link.slot[1]
            zero = jnp.zeros((g.length(name), *engine.batch), engine.dtype)
            pieces = [means.get(link.address(p), zero[g.values(p, name)]) for p in g.paths]
            gathered = jnp.concatenate(pieces).astype(engine.dtype)
            (inner if link.source == 1 else outer).append(gathered)
        return inner, outer

    def _shape(self, sampler: Any) -> tuple[int, ...]:
        def get(slot: Slot) -> Array:
            model = self.engine.program.groups[slot[0]].model
            return jnp.zeros((model.signal_size(slot[1]), *self.engine.batch), self.engine.dtype)

        return tuple(jax.eval_shape(lambda: sampler.read(get)).shape)

    def _by_block(self, m: Message) -> bool:
        return any(
            part.transport == "block"
            for b in m.bundles
            for part in self.engine.program.bundles[b].parts
        )

    def ring(self, m: Message, history: Array) -> dict[int, Array]:
        """Both copies of the ring, its newest sample in the last column of each."""
        if not self._by_block(m):
            return {}
        room = row_length(m) - 2 * m.length
        spare = jnp.zeros((*history.shape[:2], room, *history.shape[3:]), history.dtype)
        return {m.number: jnp.concatenate([history, history, spare], 2)}

    def recent(self, m: Message, history: Array) -> dict[int, Array]:
        if not m.recent:
            return {}
        newest = history[:, :, history.shape[2] - m.recent :]
        return {m.number: jnp.moveaxis(newest, 2, 1)}

    def _history(self, m: Message, packed: Any, x: Any, past: Mapping[str, Array]) -> Array:
        """A message's samples up to t = 0: (channel, source, length, *batch), newest last."""
        engine = self.engine
        bundle = engine.program.bundles[m.bundles[0]]
        samples = max(m.length, m.recent)
        signal = self._signal(m.source, packed, x, past, samples)
        channels = jnp.stack(engine.channels(bundle, signal, packed))
        if signal.ndim == 1 + len(engine.batch):  # constant
            return jnp.broadcast_to(
                channels[:, :, None], (*channels.shape[:2], samples, *channels.shape[2:])
            )
        return jnp.moveaxis(channels, 1, 2)

    def _signal(
        self, slot: Slot, packed: Any, x: Any, past: Mapping[str, Array], samples: int
    ) -> Array:
        """A signal's past: (unit, *batch) when constant, else (sample, unit, *batch).

        Outputs follow from the states' past, with inputs at their defaults and no noise.
        """
        engine = self.engine
        group = engine.program.groups[slot[0]]
        if slot[1] in group.model._states or self._given(group, slot[1], past):
            return self._known(group, slot[1], x, past, samples)
        states = {k: self._known(group, k, x, past, samples) for k in group.model._states}
        moving = any(v.ndim > 1 + len(engine.batch) for v in states.values())
        inputs = {
            k: jnp.full(
                (group.model.signal_size(k), *engine.batch),
                magnitude(getattr(v, "default", 0.0)),
                engine.dtype,
            )
            for k, v in {**group.model._inputs, **group.model._normals}.items()
        }
        clock = evaluate.Clock(jnp.zeros((), engine.dtype), engine.program.dt, jnp.int32(0))

        def output(s: dict[str, Array]) -> Array:
            return engine.call(
                group,
                packed,
                lambda model, s, i: evaluate.output(model, slot[1], s, i, clock),
                s,
                inputs,
            )

        if not moving:
            return output(states)
        full = {
            k: v if v.ndim > 1 + len(engine.batch) else jnp.broadcast_to(v, (samples, *v.shape))
            for k, v in states.items()
        }
        return jax.vmap(output)(full)

    def _given(self, group: Group, name: str, past: Mapping[str, Array]) -> bool:
        return any(f"{path}.{name}" in past for path in group.paths)

    def _known(
        self, group: Group, name: str, x: Any, past: Mapping[str, Array], samples: int
    ) -> Array:
        now = x[group.number][name] if name in group.model._states else None
        if not self._given(group, name, past):
            return now
        pieces = []
        for path in group.paths:
            key = f"{path}.{name}"
            if key in past:
                pieces.append(past[key][-samples:])
            elif now is None:
                raise ParameterError(
                    f"history gives {name} of some of {', '.join(group.paths)}, but not '{key}': "
                    "give it for all of them.",
                    path=key,
                )
            else:
                mine = now[group.values(path, name)]
                pieces.append(jnp.broadcast_to(mine, (samples, *mine.shape)))
        return jnp.concatenate(pieces, 1)


def _resized(history: Array, samples: int) -> Array:
    """The newest samples; before the oldest known one, that one."""
    missing = samples - history.shape[2]
    if missing <= 0:
        return history[:, :, -missing:]
    first = jnp.broadcast_to(history[:, :, :1], (*history.shape[:2], missing, *history.shape[3:]))
    return jnp.concatenate([first, history], 2)


def sample_history(
    engine: Engine, history: Mapping[str, Any] | None, dt: float
) -> dict[str, np.ndarray]:
    """``history=`` as samples per signal: (sample, unit, *batch), oldest first, ending at t = 0."""
    out = {}
    program = engine.program
    samples = max((max(m.length, m.recent) for m in program.messages), default=1)
    known = {
        f"{path}.{name}": (model, name)
        for path, model in program.flat.vertices.items()
        for name in (*model._states, *model._outputs)
    }
    for path, given in (history or {}).items():
        if path not in known:
            raise PortError(
                f"history= names '{path}', which is no state or output.{did_you_mean(path, known)}",
                path=path,
            )
        model, name = known[path]
        unit, size = model.signals()[name].unit(model), model.signal_size(name)
        if callable(given):
            times = [(k + 1 - samples) * dt for k in range(samples)]
            rows = [strip_time(given, t, unit, path) for t in times]
            plain = np.stack([np.broadcast_to(r, (size,)) for r in rows])
        else:
            plain = np.asarray(strip(given, unit, f"history of {path}"), float)
            if plain.ndim < 2 and plain.shape in ((), (size,)):
                plain = np.broadcast_to(plain, (samples, size))
            elif plain.ndim != 2 or plain.shape[1] != size:
                raise ShapeError(
                    f"history of {path} has shape {plain.shape}, but must be one value, ({size},), "
                    f"or (samples, {size}) one step apart, ending at t = 0.",
                    path=path,
                    given=plain.shape,
                )
            elif len(plain) < samples:  # before what is given, its oldest sample
                first = np.broadcast_to(plain[:1], (samples - len(plain), size))
                plain = np.concatenate([first, plain])
        batch = (1,) * len(engine.batch)
        out[path] = np.broadcast_to(
            plain.reshape(*plain.shape, *batch), (*plain.shape, *engine.batch)
        )
    return out


def strip_time(function: Callable[[Any], Any], t: float, unit: Any, path: str) -> np.ndarray:
    """A callable of time, called with a quantity; its value in the signal's unit."""
    value = function(attach(t, TIME))
    return np.asarray(strip(value, unit, f"history of {path}"), float)


def check_complete(engine: Engine, state: State) -> None:
    """A state goes on only what it came from: observers that were left out have no past.

    Where slower nodes feed faster ones, it goes on between blocks only.
    """
    block = engine.program.blocks.length
    if engine.program.held and state.step % block:
        late, every = state.step * engine.program.dt, block * engine.program.dt
        raise ClockError(
            f"initial= is a state at t = {show_time(late)}, but a graph whose slower nodes feed "
            f"faster ones goes on at a multiple of {show_time(every)} only: end a run there.",
            given=late,
            dt=every,
        )
    names = [message_name(engine, m) for m in engine.program.messages]
    missing = [path for path in initial_paths(engine) if path not in state.states]
    missing += [name for name in names if name not in state.histories]
    if missing:
        raise RunError(
            f"initial= holds nothing for {', '.join(missing[:3])}"
            f"{', ...' if len(missing) > 3 else ''}: the run that made it did not need it. Record "
            "it in that run too, or start anew with initial={...} and history={...}.",
            path=missing[0],
            missing=tuple(missing),
        )


def initial_paths(engine: Engine) -> list[str]:
    """The paths of all states of the program."""
    return [f"{p}.{k}" for g in engine.program.groups for p in g.paths for k in g.model._states]


def spread(engine: Engine, arrays: Mapping[str, Array], axes: int = 1) -> dict[str, Array]:
    """A state's arrays for this batch: one run may branch into replicas, not the reverse."""
    out = {}
    for path, value in arrays.items():
        batch = value.shape[axes:]
        if batch and batch != engine.batch:
            raise ShapeError(
                f"initial= holds {batch[0]} replicas, but this run has "
                f"{engine.batch[0] if engine.batch else 'none'}: use the same batch_size.",
                path=path,
                given=batch,
                needed=engine.batch,
            )
        if not batch and engine.batch:
            value = np.broadcast_to(value[..., None], (*value.shape, *engine.batch))
        out[path] = value
    return out


def given_states(engine: Engine, initial: Mapping[str, Any]) -> dict[str, Array]:
    """``initial={"cortex.x": value}``: values, quantities or arrays by state path."""
    known = {
        f"{path}.{name}": (model, name)
        for path, model in engine.program.flat.vertices.items()
        for name in model._states
    }
    out = {}
    for path, value in initial.items():
        if path not in known:
            raise PortError(
                f"initial= names '{path}', which is no state.{did_you_mean(path, known)}",
                path=path,
            )
        model, name = known[path]
        plain = np.asarray(
            strip(value, model._states[name].unit(model), f"initial '{path}'"), float
        )
        shape, size = model.signal_shape(name), model.signal_size(name)
        if plain.ndim == 0 or plain.shape == shape:
            plain = np.broadcast_to(plain, shape).reshape(-1)
            plain = plain.reshape(-1, *[1] * len(engine.batch))
        elif engine.batch and plain.shape == (*engine.batch, size):
            plain = plain.T
        else:
            raise ShapeError(
                f"initial '{path}' has shape {plain.shape}, but must be one value or {shape}.",
                path=path,
                given=plain.shape,
                needed=shape,
            )
        out[path] = np.broadcast_to(plain, (size, *engine.batch))
    return out


def by_group(engine: Engine, states: Mapping[str, Array]) -> dict[int, dict[str, Array]]:
    """States by path -> stacked per group, in the engine's precision."""
    return {
        g.number: {
            name: jnp.asarray(
                np.concatenate([np.asarray(states[f"{p}.{name}"]) for p in g.paths]), engine.dtype
            )
            for name in g.model._states
        }
        for g in engine.program.groups
        if g.model._states
    }
