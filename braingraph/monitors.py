"""What a run records: ``monitors=`` in all its forms -> recordings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from braingraph.compiler.check import whole_steps
from braingraph.compiler.plan import Program, Slot
from braingraph.compiler.sampling import Sampler
from braingraph.component import Node, Output
from braingraph.errors import ClockError, GraphError, ParameterError, PortError, did_you_mean
from braingraph.graph import Graph
from braingraph.units import Quantity, Unit, attach, milliseconds, unit_of

Read = Callable[[Callable[[Slot], Any]], Any]


@dataclass(frozen=True)
class Record:
    """A monitor with more than a path.

    Parameters
    ----------
    path : str, port, or callable of a view
        What is recorded: ``"cortex.x"``, or ``lambda m: m.cortex.x ** 2``.
    every : quantity of time, optional
        The sampling interval; by default every step of the node.
    reduce : {"sample", "mean"}
        The value at the end of each interval, or the mean over its steps.
    """

    path: Any
    every: Any = None
    reduce: str = "sample"

    def __post_init__(self) -> None:
        if self.reduce not in ("sample", "mean"):
            raise ParameterError(
                f"Record(reduce={self.reduce!r}): it must be 'sample' or 'mean'."
                f"{did_you_mean(str(self.reduce), ('sample', 'mean'))}",
                parameter="reduce",
            )


@dataclass(frozen=True)
class Monitor:
    """One recording, resolved against a program."""

    name: str
    read: Read
    slots: tuple[Slot, ...]
    period: int  # steps of its clock
    clock: int  # simulation steps per step of the nodes it reads
    mean: bool
    unit: Unit
    node: str  # name of its unit dimension
    units: int
    labels: tuple[str, ...] | None

    def sampler(self, transient: int) -> Sampler:
        """Its sampler; intervals are counted from the end of the transient."""
        phase = -(transient // self.clock) % self.period
        return Sampler(self.slots, self.read, self.period, self.mean, phase, self.clock)

    def interval(self, dt: float) -> float:
        """Its sampling interval in ms."""
        return self.period * self.clock * dt


def requested(monitors: Any, graph: Graph, single: bool) -> dict[str, Record]:
    """``monitors=`` as named records, whatever its form. Names are paths unless given."""
    if monitors is None:
        return {
            f"{path}.{name}": Record(f"{path}.{name}")
            for path, model in graph.models().items()
            for name in model._states
        }
    if isinstance(monitors, (str, Record)) or not isinstance(monitors, (Mapping, Sequence)):
        monitors = [monitors]
    out: dict[str, Record] = {}
    if isinstance(monitors, Mapping):
        for key, value in monitors.items():
            out[str(key)] = _record(str(key), value)
    else:
        for item in monitors:
            record = item if isinstance(item, Record) else Record(item)
            if callable(record.path):
                raise ParameterError(
                    "a callable monitor needs a name: monitors={'lfp': lambda m: m.lfp()}."
                )
            out[str(record.path)] = record
    return {
        name: r if callable(r.path) else Record(_full(str(r.path), graph, single), r.every, r.reduce)
        for name, r in out.items()
    }


def _record(key: str, value: Any) -> Record:
    if isinstance(value, Record):
        return value
    if value is None:
        return Record(key)
    if isinstance(value, Quantity):
        return Record(key, value)
    if isinstance(value, (int, float)):
        raise ParameterError(
            f"the interval of monitor '{key}' is {value!r}, but must be a time: {value!r} * u.ms."
        )
    return Record(value)


def _full(path: str, graph: Graph, single: bool) -> str:
    if single and "." not in path:
        path = f"{next(iter(graph.models()))}.{path}"
    if path in graph and isinstance(graph[path], (Node, Graph)):
        model = graph[path]
        if isinstance(model, Node):
            outputs = list(model._outputs) or list(model._states)
            if len(outputs) == 1:
                return f"{path}.{outputs[0]}"
        raise PortError(f"monitor '{path}' is a node: name one of its signals.", path=path)
    graph.resolve(path)
    return path


def resolve(program: Program, records: Mapping[str, Record], single: bool) -> tuple[Monitor, ...]:
    """Records -> monitors that read the program's groups."""
    return tuple(_resolve(program, name, record, single) for name, record in records.items())


def _resolve(program: Program, name: str, record: Record, single: bool) -> Monitor:
    if callable(record.path):
        read, slots, paths, unit, units = _probe(program, record.path, name, single)
    else:
        path, _, signal = str(record.path).rpartition(".")
        group = program.group_of(path)
        span, slot = group.span(path), (group.number, signal)
        model = program.flat.vertices[path]
        unit, units = model.signals()[signal].unit(model), model.signal_size(signal)
        if units != model.size:
            span = slice(0, units)
        whole = span == slice(0, group.size)
        read = (lambda get: get(slot)) if whole else (lambda get: get(slot)[span])
        slots, paths = (slot,), (path,)
    clocks = {program.group_of(p).every for p in paths}
    if len(clocks) > 1:
        raise ClockError(f"monitor '{name}' reads nodes with different clocks: record them apart.")
    clock = clocks.pop()
    step = clock * program.dt
    period = 1
    if record.every is not None:
        every = milliseconds(record.every, f"the interval of monitor '{name}'")
        period = whole_steps(every, step, f"the interval of monitor '{name}'")
    model = program.flat.vertices[paths[0]]
    one = len(set(paths)) == 1 and units == model.size
    node = ("unit" if single else paths[0]) if one else f"{name}.unit"
    labels = model.labels if one else None
    return Monitor(
        name, read, slots, period, clock, record.reduce == "mean", unit, node, units, labels
    )


class View:
    """What a callable monitor sees: ``m.cortex.x``, ``m.lfp()``; quantities where units are."""

    def __init__(self, program: Program, prefix: str, get: Callable[[Slot], Any]) -> None:
        self._program, self._prefix, self._get = program, prefix, get

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        path = f"{self._prefix}.{name}" if self._prefix else name
        vertices = self._program.flat.vertices
        if path in vertices or any(p.startswith(f"{path}.") for p in vertices):
            return View(self._program, path, self._get)
        if self._prefix not in vertices:
            raise PortError(f"there is no node '{path}'.{did_you_mean(path, vertices)}", path=path)
        model = vertices[self._prefix]
        signals = model.signals()
        if name in model._specs:
            return getattr(model, name)
        if name not in signals:
            raise PortError(
                f"'{self._prefix}' ({type(model).__name__}) has no signal '{name}'."
                f"{did_you_mean(name, signals)} It has: {', '.join(signals)}.",
                path=path,
            )
        group = self._program.group_of(self._prefix)
        span = group.span(self._prefix)
        if model.signal_size(name) != model.size:
            span = slice(0, model.signal_size(name))
        value = attach(self._get((group.number, name))[span], signals[name].unit(model))
        return (lambda: value) if isinstance(signals[name], Output) else value


def _probe(
    program: Program, function: Callable[[Any], Any], name: str, single: bool
) -> tuple[Read, tuple[Slot, ...], tuple[str, ...], Unit, int]:
    """Call it once on abstract values: what it reads, its unit, its size."""
    prefix = next(iter(program.flat.vertices)) if single else ""
    seen: dict[Slot, None] = {}
    units: list[Unit] = []

    def call(get: Callable[[Slot], Any]) -> Any:
        value = function(View(program, prefix, get))
        return value() if callable(value) else value

    def spy(slot: Slot) -> Any:
        seen[slot] = None
        group = program.groups[slot[0]]
        return jnp.zeros(group.model.signal_size(slot[1]) or group.size)

    def traced() -> Any:
        value = call(spy)
        units.append(unit_of(value))
        return jnp.atleast_1d(getattr(value, "mantissa", value))

    shape = jax.eval_shape(traced).shape
    if not seen or len(shape) != 1:
        raise GraphError(
            f"monitor '{name}' must return one value per unit of the signals it reads, but "
            f"returned shape {shape}."
        )

    def one(values: dict[Slot, Any]) -> Any:
        value = call(values.__getitem__)
        plain = value.to_decimal(units[0]) if isinstance(value, Quantity) else value
        return jnp.atleast_1d(plain)

    def read(get: Callable[[Slot], Any]) -> Any:
        values = {slot: get(slot) for slot in seen}
        batched = any(v.ndim > 1 for v in values.values())
        return jax.vmap(one, -1, -1)(values) if batched else one(values)

    paths = tuple(dict.fromkeys(p for slot in seen for p in program.groups[slot[0]].paths))
    return read, tuple(seen), paths, units[0], int(np.prod(shape))
