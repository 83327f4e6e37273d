"""A program -> functions of arrays: signals at a stage, and a step.

Arrays are ``(unit,)`` or, with replicas, ``(unit, replica)``: the batch is innermost so that
windows of history stay contiguous. With several devices the units of divided groups are those of
one device (here.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from braingraph import evaluate
from braingraph.compiler import noise, transport
from braingraph.compiler.delays import within_step
from braingraph.compiler.group import indivisible
from braingraph.compiler.here import Here
from braingraph.compiler.plan import Bundle, Group, Op, Program, Slot
from braingraph.compiler.sampling import Link, Sampler
from braingraph.compiler.shard import Placement, place
from braingraph.compiler.values import filled, message_of
from braingraph.component import Node
from braingraph.integrate import METHODS
from braingraph.units import attach, magnitude, unit_of

Array = Any
States = dict[int, dict[str, Array]]
Carry = dict[str, Any]


@dataclass(frozen=True)
class Moment:
    """Everything a stage may read besides its own states."""

    packed: Any
    held: Mapping[Slot, Array]  # normals of the step, what slow nodes got, and what they show
    sums: Mapping[int, list[Array]]  # block-read sums of a bundle's channels at this stage
    recent: Mapping[int, Array]  # recent samples of a message: (channel, sample, source)
    stage: float
    n: Array
    dt: float


class Engine:
    """Lowers one program. Methods are pure; the class only holds what is static.

    ``batch`` counts the replicas of one device.
    """

    def __init__(
        self,
        program: Program,
        samplers: tuple[Sampler, ...],
        batch: int | None,
        placement: Placement | None = None,
    ) -> None:
        self.program, self.samplers = program, samplers
        self.placement = placement or place(program)
        self.here = Here(program, self.placement)
        self.batch = () if batch is None else (batch,)
        self.block_steps = program.blocks.length
        self.dtype = jnp.result_type(float)
        self.channel_units = [self._channel_units(b) for b in program.bundles]

    # ------------------------------------------------------------ static plans
    @cached_property
    def fast(self) -> tuple[Group, ...]:
        return tuple(g for g in self.program.groups if g.every == 1)

    @cached_property
    def slow(self) -> dict[int, tuple[Group, ...]]:
        """Groups with a clock of their own, by their steps per step."""
        clocks = sorted({g.every for g in self.program.groups} - {1})
        return {m: tuple(g for g in self.program.groups if g.every == m) for m in clocks}

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """What slower nodes hear, by their own clock and then that of what they hear."""
        groups = self.program.groups
        found = {
            Link(b.target, groups[b.target[0]].every, groups[b.source[0]].every, over == "mean")
            for b in self.program.bundles
            for over in [groups[b.target[0]].model._inputs[b.target[1]].over]
            if groups[b.target[0]].every > groups[b.source[0]].every
        }
        return tuple(sorted(found, key=lambda link: (link.clock, link.source, link.slot)))

    def rows(self, bundle: Bundle, part: int) -> transport.Rows:
        """Where a part's rows stand on this device."""
        layout = bundle.parts[part].layout
        return transport.Rows(
            self.placement.row_count(bundle),
            self.placement.shares[0].plans.get((bundle.number, part), ()),
            self.here.order(bundle, part) if layout == "padded" else None,
            self.here.partners(bundle, part) if layout == "one" else 0,
        )

    def ops_for(self, targets: tuple[Slot, ...], at: int) -> tuple[Op, ...]:
        """The scheduled operations of one clock that targets need, in order."""
        wanted, chosen = set(targets), []
        for op in reversed(self.program.order):
            if op.slot in wanted and self._belongs(op, at):
                chosen.append(op)
                wanted |= self.program.needs[op]
        return tuple(reversed(chosen))

    def _belongs(self, op: Op, at: int) -> bool:
        """Whether it is evaluated at a clock: its source's, or its target's where it is held."""
        groups = self.program.groups
        if op.kind == "output":
            return groups[op.slot[0]].every == at
        bundle = self.program.bundles[op.bundle]
        end = bundle.target if bundle.held(groups) else bundle.source
        return groups[end[0]].every == at

    def inputs_of(self, groups: tuple[Group, ...]) -> tuple[Slot, ...]:
        return tuple((g.number, port) for g in groups for port in g.model._inputs)

    def sources_of(self, bundles: tuple[int, ...]) -> tuple[Slot, ...]:
        return tuple(self.program.bundles[b].source for b in bundles)

    @cached_property
    def sampled(self) -> tuple[Slot, ...]:
        """Slots to evaluate at the end of every step: monitors, messages, inputs of slow nodes."""
        fast = {g.number for g in self.fast}
        found = [s for sampler in self.samplers for s in sampler.slots if s[0] in fast]
        found += [m.source for m in self.program.messages]
        found += [link.slot for link in self.links if link.source == 1]
        return tuple(dict.fromkeys(found))

    def _channel_units(self, bundle: Bundle) -> tuple[Any, ...]:
        group = self.program.groups[bundle.source[0]]
        unit = group.model.signals()[bundle.source[1]].unit(group.model)
        return evaluate.message(bundle.coupling, np.ones(1), unit)[1]

    # ------------------------------------------------------------ models with their parameters
    def call(self, group: Group, packed: Any, function: Callable[..., Any], *arguments: Any) -> Any:
        """``function(model, *arguments)`` of (unit,) arrays, for every replica."""
        values = packed["groups"][group.number]
        size = self.here.size(group)
        if not self.batch:
            return function(_with(group.model, values, size), *arguments)
        alike = {k: v.ndim < 2 or group.model._specs[k].free for k, v in values.items()}
        if not jax.tree.leaves(arguments) and all(alike.values()):  # a stimulus: the same for all
            return jax.tree.map(
                lambda v: jnp.broadcast_to(v[..., None], (*v.shape, *self.batch)),
                function(_with(group.model, values, size), *arguments),
            )
        if indivisible(group.model):
            axes = {k: None if same else -1 for k, same in alike.items()}

            def one(values: dict[str, Array], *arguments: Any) -> Any:
                return function(_with(group.model, values, size), *arguments)

            return jax.vmap(one, (axes, *[-1] * len(arguments)), -1)(values, *arguments)
        # a model acts unit by unit: the replicas of all units are one long row of units
        shape = (size, *self.batch)
        row = {
            k: jnp.broadcast_to(v.reshape(*v.shape, *(1,) * (2 - v.ndim)), shape).reshape(-1)
            for k, v in values.items()
        }
        flat = jax.tree.map(lambda v: v.reshape(-1), arguments)
        out = function(_with(group.model, row, size * self.batch[0]), *flat)
        return jax.tree.map(lambda v: v.reshape(shape), out)

    # ------------------------------------------------------------ signals at a stage
    def signals(
        self, x: States, moment: Moment, targets: tuple[Slot, ...], at: int = 1
    ) -> dict[Slot, Array]:
        """Inputs and outputs at a stage, generation by generation.

        Of an input of a slower node: what those with this clock add to it.
        """
        found: dict[Slot, Array] = {}
        for op in self.ops_for(targets, at):
            if op.kind == "output":
                found[op.slot] = self._output(op.slot, x, found, moment)
            else:
                total = found.get(op.slot)
                if total is None:
                    total = self._start(op.slot, moment, at)
                found[op.slot] = self._deliver(op.bundle, x, found, moment, total)
        for slot in targets:
            if slot not in found:
                group = self.program.groups[slot[0]]
                if slot[1] in group.model._states:
                    found[slot] = x[slot[0]][slot[1]]
                elif slot in moment.held and slot[1] in group.model._normals:
                    found[slot] = moment.held[slot]
                else:
                    found[slot] = self._start(slot, moment, at)
        return found

    def _start(self, slot: Slot, moment: Moment, at: int | None = None) -> Array:
        """An input before edges: its default, and what a slow node got from faster ones."""
        if slot in moment.held:
            return moment.held[slot]
        group = self.program.groups[slot[0]]
        later = at is not None and group.every > at
        default = 0.0 if later else magnitude(group.model._inputs[slot[1]].default)
        return jnp.full((self.here.length(group, slot[1]), *self.batch), default, self.dtype)

    def _arguments(
        self, group: Group, found: Mapping[Slot, Array], moment: Moment
    ) -> dict[str, Array]:
        inputs = {}
        for name in (*group.model._inputs, *group.model._normals):
            slot = (group.number, name)
            inputs[name] = found[slot] if slot in found else self._start(slot, moment)
        return inputs

    def _clock_of(self, moment: Moment) -> evaluate.Clock:
        t = (moment.n.astype(self.dtype) + moment.stage) * moment.dt
        return evaluate.Clock(t, moment.dt, moment.n, moment.stage)

    def _output(self, slot: Slot, x: States, found: Mapping[Slot, Array], moment: Moment) -> Array:
        group = self.program.groups[slot[0]]
        clock = self._clock_of(moment)
        # inputs the output does not read may not be filled yet: any value does
        return self.call(
            group,
            moment.packed,
            lambda model, s, i: evaluate.output(model, slot[1], s, i, clock),
            x.get(group.number, {}),
            self._arguments(group, found, moment),
        )

    def _value(self, slot: Slot, x: States, found: Mapping[Slot, Array]) -> Array:
        return found[slot] if slot in found else x[slot[0]][slot[1]]

    def channels(self, bundle: Bundle, source: Array, packed: Any) -> tuple[Array, ...]:
        """The messages of a bundle's source, one array per channel."""
        coupling = filled(bundle.coupling, packed["bundles"][bundle.number]["parameters"])
        group = self.program.groups[bundle.source[0]]
        unit = group.model.signals()[bundle.source[1]].unit(group.model)
        return evaluate.message(coupling, source, unit)[0]

    def _deliver(
        self, number: int, x: States, found: dict[Slot, Array], moment: Moment, total: Array
    ) -> Array:
        bundle = self.program.bundles[number]
        packed = moment.packed["bundles"][number]
        sums = self._sums(bundle, x, found, moment)
        group = self.program.groups[bundle.target[0]]
        targets = self.here.targets(bundle)
        y = None
        if bundle.paired is not None and group.number in x:  # not when it has a slower clock
            y = x[group.number][bundle.paired]
            y = y if targets is None else y[targets]
            y = attach(y, group.model._states[bundle.paired].unit(group.model))
        parameters = {
            k: transport.rowwise(v, sums[0]) if jnp.ndim(v) else v
            for k, v in packed["parameters"].items()
        }
        value = evaluate.delivered(
            filled(bundle.coupling, parameters),
            tuple(sums),
            self.channel_units[number],
            y,
            transport.rowwise(packed["w"], sums[0]),
            group.model._inputs[bundle.target[1]].unit(group.model),
            bundle.title,
        )
        if targets is None:
            return total + value
        return total.at[targets].add(value, mode="drop")

    def _sums(
        self, bundle: Bundle, x: States, found: dict[Slot, Array], moment: Moment
    ) -> list[Array]:
        """The weighted sums of every channel, over all the ways its connections travel."""
        count = len(self.channel_units[bundle.number])
        totals: list[Any] = list(moment.sums.get(bundle.number, [None] * count))
        for k, part in enumerate(bundle.parts):
            if part.transport == "block":
                continue
            mine, rows = moment.packed["parts"][bundle.number][k], self.rows(bundle, k)
            newest = None
            if within_step(part.entries):
                newest = self._newest(bundle, k, x, found, moment)
            for c in range(count):
                if part.transport == "now":
                    assert newest is not None
                    value = transport.sum_now(part, mine, newest[c], rows)
                else:
                    recent = moment.recent[message_of(self.program, bundle).number][c]
                    own = newest[c] if newest else None
                    value = transport.sum_step(mine, moment.stage, recent, own, rows)
                totals[c] = value if totals[c] is None else totals[c] + value
        zero = jnp.zeros((self.placement.row_count(bundle), *self.batch), self.dtype)
        return [zero if t is None else t for t in totals]

    def _newest(
        self, bundle: Bundle, part: int, x: States, found: dict[Slot, Array], moment: Moment
    ) -> tuple[Array, ...]:
        """The stage's own messages: of this device's units where they suffice, or of all."""
        held = bundle.held(self.program.groups)
        value = moment.held[bundle.source] if held else self._value(bundle.source, x, found)
        group = self.program.groups[bundle.source[0]]
        if (bundle.number, part) not in self.placement.local and self.here.divided(group):
            key = (bundle.source[0], f"{bundle.source[1]} of all devices")
            if key not in found:
                found[key] = self.here.whole(value, group)
            value = found[key]
        return self.channels(bundle, value, moment.packed)

    # ------------------------------------------------------------ one step
    def step(
        self, x: States, at: Callable[[float], Moment], groups: tuple[Group, ...], clock: int = 1
    ) -> States:
        """All groups of one clock, one step on."""
        moving = tuple(g for g in groups if g.model._states and g.model._update_rule is None)
        ruled = tuple(g for g in groups if g.model._update_rule is not None)
        field = _Field(self, x, at, moving, clock)
        new = dict(x)
        if moving:
            mine = {g.number: x[g.number] for g in moving}
            dt = at(0.0).dt
            new |= METHODS[self.program.method](field, mine, dt, self._bound)
        if ruled:
            moment = at(0.0)
            found = self.signals(x, moment, self.inputs_of(ruled), clock)
            clock_ = self._clock_of(moment)
            for g in ruled:
                new[g.number] = self.call(
                    g,
                    moment.packed,
                    lambda model, s, i: evaluate.update(model, s, i, clock_),
                    x[g.number],
                    self._arguments(g, found, moment),
                )
            new |= self._bound({g.number: new[g.number] for g in ruled})
        return new

    def _bound(self, x: States) -> States:
        out: States = {}
        for number, states in x.items():
            declared = self.program.groups[number].model._states
            out[number] = {
                k: jnp.clip(v, *(declared[k].bounds or (None, None))) for k, v in states.items()
            }
        return out

    def draw(
        self, rows: Any, first: Array, steps: int, groups: tuple[Group, ...]
    ) -> dict[Slot, Array]:
        """The standard normals of consecutive steps, for every group: (step, unit, *batch)."""
        return noise.draw(rows, first, steps, groups, self.batch, self.dtype)


def _with(model: Node, values: Mapping[str, Array], size: int) -> Node:
    """A group's model with its parameters, their units back on."""
    units = {k: attach(v, unit_of(model.arrays()[k])) for k, v in values.items()}
    return model.with_values(in_size=(size,), **units)


@dataclass(frozen=True)
class _Field:
    """The vector field of the groups that have a derivative; the others' states are held."""

    engine: Engine
    start: States
    at: Callable[[float], Moment]
    groups: tuple[Group, ...]
    clock: int

    def inputs(self, x: States, stage: float) -> tuple[dict[Slot, Array], Moment]:
        moment = self.at(stage)
        targets = self.engine.inputs_of(self.groups)
        return self.engine.signals({**self.start, **x}, moment, targets, self.clock), moment

    def __call__(self, x: States, stage: float) -> States:
        found, moment = self.inputs(x, stage)
        return {g.number: self._local(g, x[g.number], found, moment) for g in self.groups}

    def _local(
        self, group: Group, states: dict[str, Array], found: Mapping[Slot, Array], moment: Moment
    ) -> dict[str, Array]:
        engine = self.engine
        clock = engine._clock_of(moment)
        slope: dict[str, Array] = engine.call(
            group,
            moment.packed,
            lambda model, s, i: evaluate.derivative(model, s, i, clock),
            states,
            engine._arguments(group, found, moment),
        )
        return slope

    def with_diagonal(self, x: States) -> tuple[States, States]:
        found, moment = self.inputs(x, 0.0)
        slope, diagonal = {}, {}
        for g in self.groups:
            slope[g.number] = self._local(g, x[g.number], found, moment)
            diagonal[g.number] = {
                name: self._own_slope(g, x[g.number], name, found, moment) for name in x[g.number]
            }
        return slope, diagonal

    def _own_slope(
        self,
        group: Group,
        states: dict[str, Array],
        name: str,
        found: Mapping[Slot, Array],
        moment: Moment,
    ) -> Array:
        def one(value: Array) -> Array:
            return self._local(group, {**states, name: value}, found, moment)[name]

        return jax.jvp(one, (states[name],), (jnp.ones_like(states[name]),))[1]
