"""What a run records: ``monitors=`` in all its forms -> recordings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from braingraph.compiler.check import whole_steps
from braingraph.compiler.plan import Program, Slot
from braingraph.compiler.sampling import Sampler, Units
from braingraph.component import Node, Output
from braingraph.errors import (
    ClockError,
    GraphError,
    ParameterError,
    PortError,
    UnitError,
    did_you_mean,
)
from braingraph.graph import Graph
from braingraph.node import no_port
from braingraph.paths import ALONE, full_path, signal_path
from braingraph.ports import Port
from braingraph.units import Unit, attach, brief, milliseconds, mismatch, unit_of

Get = Callable[[Slot], Any]
Read = Callable[[Get], Any]
_FORMS = (
    "monitors=['cortex.x'], {'cortex.x': 10 * u.ms}, {'name': 'cortex.x'}, "
    "{'name': lambda m: m.cortex.x} or {'name': bg.Record(...)}"
)


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
        if not (isinstance(self.path, (str, Port)) or callable(self.path)):
            raise ParameterError(
                f"a monitor is a path, a port or a callable, but is {brief(self.path)}: {_FORMS}.",
                parameter="monitors",
            )
        if self.every is not None:
            every = milliseconds(self.every, f"the interval of monitor {self._name()}")
            if every <= 0:
                raise ClockError(
                    f"the interval of monitor {self._name()} must be positive, but is {every:g} "
                    "ms.",
                    given=every,
                )

    def _name(self) -> str:
        return "<callable>" if callable(self.path) else f"'{self.path}'"


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
    axes: tuple[tuple[str, Any], ...] | None = None  # what it is laid out along, if not units

    def sampler(self, transient: int) -> Sampler:
        """Its sampler; intervals are counted from the end of the transient."""
        phase = -(transient // self.clock) % self.period
        return Sampler(self.slots, self.read, self.period, self.mean, phase, self.clock)

    def interval(self, dt: float) -> float:
        """Its sampling interval in ms."""
        return self.period * self.clock * dt


# ---------------------------------------------------------------- what is asked for
def requested(monitors: Any, graph: Graph, single: bool) -> dict[str, Record]:
    """``monitors=`` as named records, whatever its form. Names are paths unless given."""
    if monitors is None:
        monitors = [
            name if single else f"{path}.{name}"
            for path, model in graph.models().items()
            for name in model._states
        ]
    if isinstance(monitors, (str, Port, Record)) or callable(monitors):
        monitors = [monitors]
    if not isinstance(monitors, (Mapping, list, tuple)):
        raise ParameterError(
            f"monitors= is {brief(monitors)}, but must be like {_FORMS}.", parameter="monitors"
        )
    if not monitors:
        raise ParameterError(
            f"there is nothing to record: name a monitor, as in {_FORMS}.", parameter="monitors"
        )
    if isinstance(monitors, Mapping):
        pairs = [(key, _record(key, value)) for key, value in monitors.items()]
    else:
        records = [item if isinstance(item, Record) else Record(item) for item in monitors]
        pairs = [(_nameable(record.path), record) for record in records]
    out: dict[str, Record] = {}
    for key, record in pairs:
        name, full = _placed(key, record, graph, single)
        if out.setdefault(name, full) != full:
            raise ParameterError(
                f"two monitors are called '{name}': give them names, as in {{'a': bg.Record(...), "
                "'b': bg.Record(...)}.",
                parameter="monitors",
            )
    return out


def _nameable(path: Any) -> Any:
    if callable(path):
        raise ParameterError(
            "a callable monitor needs a name: monitors={'lfp': lambda m: m.lfp()}.",
            parameter="monitors",
        )
    return path


def _record(key: Any, value: Any) -> Record:
    if isinstance(value, Record):
        return value
    if value is None:
        return Record(key)
    if isinstance(value, u.Quantity):
        return Record(key, value)
    if isinstance(value, Real):
        raise UnitError(
            f"the interval of monitor '{key}' is {brief(value)}, but must be a time: "
            f"{value} * u.ms."
        )
    return Record(value)


def _placed(key: Any, record: Record, graph: Graph, single: bool) -> tuple[str, Record]:
    """A monitor's name, and its record with a full path."""
    if callable(record.path):
        return str(key), record
    path = _signal(record.path, graph, single)
    if key is record.path and not (single and path == f"{ALONE}.{key}"):
        key = path  # named by its path
    return str(key), Record(path, record.every, record.reduce)


def _signal(given: Any, graph: Graph, single: bool) -> str:
    """The path of a signal; a node with one output, or one state, stands for it."""
    path = str(given) if single and given == ALONE else full_path(graph, given, single)
    if path in graph:
        found = graph[path]
        if isinstance(found, Graph):
            raise PortError(f"monitor '{path}' is a graph: name a signal of its nodes.", path=path)
        if isinstance(found, Node):
            ports = list(found._outputs) or list(found._states)
            if len(ports) == 1:
                return f"{path}.{ports[0]}"
            menu = ", ".join(f"'{path}.{name}'" for name in (*found._states, *found._outputs))
            raise PortError(
                f"monitor '{path}' is a node: name one of its signals, {menu}.", path=path
            )
    return signal_path(graph, given, single)


# ---------------------------------------------------------------- against a program
def resolve(program: Program, records: Mapping[str, Record], single: bool) -> tuple[Monitor, ...]:
    """Records -> monitors that read the program's groups."""
    found = tuple(_resolve(program, name, record, single) for name, record in records.items())
    dims = {"time", "replica", *(m.node for m in found)}
    dims |= {dim for m in found for dim, _ in m.axes or ()}
    for monitor in found:
        if monitor.name in dims:
            raise ParameterError(
                f"a monitor cannot be called '{monitor.name}': that is a dimension of the data. "
                f"Take another name, such as '{monitor.name}.out'.",
                parameter="monitors",
            )
    return found


def _resolve(program: Program, name: str, record: Record, single: bool) -> Monitor:
    axes: tuple[tuple[str, Any], ...] | None = None
    if callable(record.path):
        computed = _probe(program, record.path, name, single)
        read: Units | Computed = computed
        unit, units, paths = computed.unit, computed.units, computed.paths
    else:
        path, _, signal = str(record.path).rpartition(".")
        read, paths = _units(program, path, signal), (path,)
        model = program.flat.vertices[path]
        unit, units = model.signals()[signal].unit(model), model.signal_size(signal)
        axes = _axes(model, signal, "unit" if single else path)
    clocks = {program.group_of(p).every for p in paths}
    if len(clocks) > 1:
        raise ClockError(
            f"monitor '{name}' reads nodes with different clocks ({', '.join(paths)}): record them "
            "apart."
        )
    clock = clocks.pop()
    period = 1
    if record.every is not None:
        what = f"the interval of monitor '{name}'"
        period = whole_steps(milliseconds(record.every, what), clock * program.dt, what)
    model = program.flat.vertices[paths[0]]
    one = len(paths) == 1 and units == model.extent and axes is None
    node = ("unit" if single else paths[0]) if one else f"{name}.unit"
    labels = model.labels if one and len(model.labels or ()) == units else None
    mean = record.reduce == "mean"
    return Monitor(name, read, read.slots, period, clock, mean, unit, node, units, labels, axes)


def _axes(model: Node, signal: str, node: str) -> tuple[tuple[str, Any], ...] | None:
    """The dimensions of an output that declares them: names, and coordinates or a size."""
    declared = getattr(model.signals()[signal], "axes", None)
    if declared is None:
        return None
    out: list[tuple[str, Any]] = []
    for axis in declared(model):
        if axis != "unit":
            out.append((axis[0], axis[1]))
            continue
        count = sum(dim == node or dim.startswith(f"{node}_") for dim, _ in out)
        labelled = len(model.labels or ()) == model.size
        along = model.labels if labelled else model.size
        out.append((f"{node}_{count + 1}" if count else node, along))
    return tuple(out)


def _units(program: Program, path: str, signal: str) -> Units:
    group, model = program.group_of(path), program.flat.vertices[path]
    span, slot = group.span(path), (group.number, signal)
    if span == slice(0, group.size) or model.signals()[signal].size is not None:
        return Units(slot)  # signals of a size of their own stand alone
    return Units(slot, span.start, span.stop)


# ---------------------------------------------------------------- callables
class View:
    """What a callable monitor sees: ``m.cortex.x``, ``m.lfp()``; quantities where units are."""

    def __init__(self, program: Program, prefix: str, get: Get, reads: list[Any]) -> None:
        self._program, self._prefix, self._get, self._reads = program, prefix, get, reads

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        path = f"{self._prefix}.{name}" if self._prefix else name
        vertices = self._program.flat.vertices
        if path in vertices or any(p.startswith(f"{path}.") for p in vertices):
            return View(self._program, path, self._get, self._reads)
        if self._prefix not in vertices:
            raise PortError(f"there is no node '{path}'.{did_you_mean(path, vertices)}", path=path)
        model = vertices[self._prefix]
        signals = model.signals()
        if name in model._specs:
            value = getattr(model, name)
            constant = (
                np.asarray(u.get_magnitude(value)).tobytes() if name in model.arrays() else b""
            )
            self._reads.append((path, constant))
            return value
        if name not in signals:
            no_port(model, name, self._prefix)
        units = _units(self._program, self._prefix, name)
        self._reads.append((self._prefix, units))
        value = attach(units(self._get), signals[name].unit(model))
        return (lambda: value) if isinstance(signals[name], Output) else value


@dataclass(frozen=True)
class Computed:
    """Reads what a callable makes of a view.

    Equal ones share a compilation: the same callable, which reads the same signals, and the same
    values of parameters (they are constants of the compiled code).
    """

    function: Callable[[Any], Any] = field(repr=False)
    prefix: str
    reads: tuple[Any, ...]
    units: int
    unit: Unit = field(compare=False)
    program: Program = field(repr=False, compare=False)

    @property
    def paths(self) -> tuple[str, ...]:
        """The nodes whose signals it reads."""
        return tuple(dict.fromkeys(path for path, read in self.reads if isinstance(read, Units)))

    @property
    def slots(self) -> tuple[Slot, ...]:
        return tuple(dict.fromkeys(r.slot for _, r in self.reads if isinstance(r, Units)))

    def __call__(self, get: Get) -> Any:
        values = {slot: get(slot) for slot in self.slots}
        batched = any(v.ndim > 1 for v in values.values())
        return jax.vmap(self._one, -1, -1)(values) if batched else self._one(values)

    def _one(self, values: dict[Slot, Any]) -> Any:
        value = _called(self.function, View(self.program, self.prefix, values.__getitem__, []))
        plain = value.to_decimal(self.unit) if isinstance(value, u.Quantity) else value
        return jnp.atleast_1d(plain)


def _called(function: Callable[[Any], Any], view: View) -> Any:
    value = function(view)
    return value() if callable(value) else value  # an output that was named, not called


def _probe(program: Program, function: Callable[[Any], Any], name: str, single: bool) -> Computed:
    """Call it once on abstract values: what it reads, its unit, its size."""
    prefix = ALONE if single else ""
    reads: list[Any] = []
    units: list[Unit] = []

    def get(slot: Slot) -> Any:
        return jnp.zeros(program.groups[slot[0]].model.signal_size(slot[1]))

    def traced() -> Any:
        value = _called(function, View(program, prefix, get, reads))
        units.append(unit_of(value))
        plain = value.mantissa if isinstance(value, u.Quantity) else value
        if not isinstance(plain, (jax.Array, np.ndarray, Real)):
            raise _not_per_unit(name, brief(value))
        return jnp.atleast_1d(jnp.asarray(plain))

    try:
        shape = jax.eval_shape(traced).shape
    except u.UnitMismatchError as error:
        raise UnitError(
            f"monitor '{name}': the units inside do not fit: {mismatch(error)}."
        ) from error
    found = Computed(function, prefix, tuple(dict.fromkeys(reads)), 0, units[0], program)
    if not found.slots or len(shape) != 1:
        raise _not_per_unit(name, f"shape {shape} from {len(found.slots)} signals")
    return Computed(function, prefix, found.reads, shape[0], units[0], program)


def _not_per_unit(name: str, returned: str) -> GraphError:
    return ParameterError(
        f"monitor '{name}' must return one value per unit of the signals it reads, as in "
        f"lambda m: m.cortex.x ** 2, but returned {returned}.",
        parameter="monitors",
    )
