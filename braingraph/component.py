"""What a vertex or an edge is made of: parameters, states, inputs and outputs in a class body.

A class body is the model's card::

    class Relaxation(Node):
        tau: Quantity = 10.0 * u.ms      # annotated: a parameter, in the unit of its default
        x = State(0.1)                   # not annotated: a signal
        x_inp = Input()

        def derivative(self, s, i):      # quantities inside; returns exactly the states
            return {"x": (i.x_inp - s.x) / self.tau}

The class is checked once, when it is defined. Instances never change: ``model.replace(tau=...)``
gives another one, and a graph holds copies.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self, overload

import brainunit as u
import jax
import numpy as np

from braingraph.errors import (
    GraphError,
    ModelError,
    ParameterError,
    ShapeError,
    WeightError,
    did_you_mean,
)
from braingraph.ports import Port
from braingraph.units import ONE, TIME, Unit, dimensionless, milliseconds, show, strip, unit_of

Size = int | tuple[int, ...]
UnitLike = Unit | str | Callable[[Any], Unit] | None


# ---------------------------------------------------------------- values of signals
@jax.tree_util.register_pytree_node_class
class Signals(Mapping[str, Any]):
    """Named values, read as attributes: ``s.rE``. Keeps its order; a pytree."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return self._values[name]
        except KeyError:
            raise ModelError(
                f"there is no signal {name!r} here.{did_you_mean(name, self._values)} "
                f"There are: {', '.join(self._values)}."
            ) from None

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Signals({', '.join(f'{k}={v!r}' for k, v in self._values.items())})"

    def tree_flatten(self) -> tuple[tuple[Any, ...], tuple[str, ...]]:
        return tuple(self._values.values()), tuple(self._values)

    @classmethod
    def tree_unflatten(cls, names: tuple[str, ...], values: tuple[Any, ...]) -> Signals:
        return cls(dict(zip(names, values, strict=True)))


# ---------------------------------------------------------------- declarations
@dataclass(frozen=True)
class ParameterSpec:
    """One parameter of a class: its default, its unit, and how it is stacked."""

    name: str
    default: Any
    unit: Unit | None  # None: any unit, kept as given
    free: bool = False  # its shape is its own; it does not broadcast to the units
    positive: bool = False
    doc: str = ""


class _Parameter:
    def __init__(
        self, default: Any, unit: Unit | None, any_unit: bool, free: bool, positive: bool, doc: str
    ) -> None:
        self.default, self.any_unit, self.free = default, any_unit, free
        self.unit, self.positive, self.doc = unit, positive, doc


def parameter(
    default: Any = None,
    *,
    unit: Unit | None = None,
    any_unit: bool = False,
    free: bool = False,
    positive: bool = False,
    doc: str = "",
) -> Any:
    """A parameter that needs more than a default.

    ``unit``: its unit when the default is ``None``; ``any_unit``: takes every unit (a gain);
    ``free``: an array whose shape is its own (a matrix, a time series) rather than one value a
    unit; ``positive``: zero and negative values are refused.
    """
    return _Parameter(default, unit, any_unit, free, positive, doc)


class _Signal:
    """A declared signal. On a model in a graph it is read as a :class:`Port`."""

    kind: ClassVar[str] = ""

    def __init__(self, unit: UnitLike, doc: str) -> None:
        self._unit, self.doc, self.name = unit, doc, ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, model: None, owner: type) -> Self: ...
    @overload
    def __get__(self, model: Any, owner: type) -> Port: ...
    def __get__(self, model: Any, owner: type) -> Self | Port:
        if model is None:
            return self
        if model._graph is None:
            raise GraphError(
                f"{type(model).__name__}.{self.name} has no place yet: add the model to a graph "
                f"first, as in c = g.add_node('c', {type(model).__name__}(...))."
            )
        return Port(model._graph, model._path, self.name)

    def unit(self, model: Component) -> Unit:
        """The unit on the wire: fixed, that of a named parameter, or computed from the model."""
        if self._unit is None:
            return ONE
        if isinstance(self._unit, Unit):
            return self._unit
        if isinstance(self._unit, str):
            return unit_of(getattr(model, self._unit))
        return self._unit(model)


class State(_Signal):
    """A state variable.

    ``init``: the initial value: a number or quantity (whose unit is the state's), an array, a
    callable of the shape, or :class:`braingraph.random.Uniform` / ``Normal`` (drawn from the
    run's seed and the node's path). ``bounds``: (low, high), either may be None; the state is
    clipped to them after every stage and step.
    """

    kind = "state"

    def __init__(
        self,
        init: Any = 0.0,
        *,
        unit: UnitLike = None,
        bounds: tuple[float | None, float | None] | None = None,
        doc: str = "",
    ) -> None:
        super().__init__(unit_of(init) if unit is None else unit, doc)
        self.init, self.bounds = init, bounds


class Input(_Signal):
    """A port where edges end. Each step it starts at ``default`` and adds up what arrives.

    ``state`` names the state that couplings such as the diffusive one compare the source with;
    by default the one the input is named for (``x_inp`` -> ``x``).
    """

    kind = "input"

    def __init__(
        self,
        default: Any = 0.0,
        *,
        unit: UnitLike = None,
        state: str | None = None,
        doc: str = "",
    ) -> None:
        super().__init__(unit_of(default) if unit is None else unit, doc)
        self.default, self.state = default, state


class StandardNormal(_Signal):
    """A fresh standard normal number for every unit and step, read as ``i.<name>``."""

    kind = "noise"

    def __init__(self, doc: str = "") -> None:
        super().__init__(None, doc)


class Output(_Signal):
    """A derived signal: decorates a method ``(self, s, i)``. ``size`` when not one value a unit.

    The method stays callable on a model that stands in no graph, so other methods may use it::

        @Output(unit=u.mV)
        def eeg(self, s, i):
            return s.E - s.I
    """

    kind = "output"

    def __init__(
        self, unit: UnitLike = None, *, size: Callable[[Any], int] | None = None, doc: str = ""
    ) -> None:
        super().__init__(unit, doc)
        self.size = size
        self.function: Callable[..., Any] | None = None

    def __call__(self, function: Callable[..., Any]) -> Output:
        self.function = function
        self.doc = self.doc or inspect.getdoc(function) or ""
        return self

    def __get__(self, model: Any, owner: type) -> Any:
        if model is None:
            return self
        if model._graph is None:
            assert self.function is not None
            return self.function.__get__(model, owner)
        return Port(model._graph, model._path, self.name)


# ---------------------------------------------------------------- components
_RESERVED = {"in_size", "dt", "size", "path", "labels", "update", "derivative", "edges"}


def _is_static(value: Any) -> bool:
    """Values that shape the program instead of flowing through it."""
    return value is None or isinstance(value, (bool, str, tuple)) or callable(value)


class Component:
    """Base of :class:`Node` and :class:`Coupling`: parameters, checked when given."""

    _specs: ClassVar[dict[str, ParameterSpec]] = {}
    _graph: Any = None
    _path: str = ""
    __hash__ = object.__hash__

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        specs = dict(cls._specs)
        for name, annotation in inspect.get_annotations(cls).items():
            if str(annotation).startswith(("ClassVar", "typing.ClassVar")) or name[0] == "_":
                continue
            if name not in cls.__dict__:
                raise ModelError(f"{cls.__name__}.{name} needs a default: {name}: ... = value.")
            if name in _RESERVED or name.startswith("init_"):
                raise ModelError(f"{cls.__name__}: {name!r} is a reserved name.")
            specs[name] = _spec(name, cls.__dict__[name])
            setattr(cls, name, specs[name].default)
        for name, value in list(cls.__dict__.items()):  # a subclass may just change a default
            if name in specs and name not in inspect.get_annotations(cls):
                if isinstance(value, _Signal) or callable(value):
                    raise ModelError(f"{cls.__name__}.{name} is a parameter and a signal at once.")
                specs[name] = _spec(name, value)
        cls._specs = specs

    def _set_parameters(self, given: Mapping[str, Any], shape: tuple[int, ...] | None) -> None:
        for name, spec in self._specs.items():
            value = given.get(name, spec.default)
            self.__dict__[name] = self._checked(spec, value, shape)

    def _checked(self, spec: ParameterSpec, value: Any, shape: tuple[int, ...] | None) -> Any:
        where = f"{type(self).__name__}.{spec.name}"
        if _is_static(spec.default) and (spec.default is not None or _is_static(value)):
            if spec.default is not None and type(value) is not type(spec.default):
                if not (callable(value) and callable(spec.default)):
                    raise ParameterError(
                        f"{where} must be a {type(spec.default).__name__}, as its default "
                        f"{spec.default!r} is, but is {value!r}.",
                        parameter=spec.name,
                    )
            return value
        if value is None or isinstance(value, (str, bool)) or callable(value):
            raise ParameterError(
                f"{where} must be numbers, but is {value!r}.", parameter=spec.name
            )
        if spec.unit is not None:
            value = strip(value, spec.unit, where, _example(spec))
        unit = spec.unit if spec.unit is not None else unit_of(value)
        plain = np.asarray(u.get_magnitude(value))
        if plain.dtype.kind not in "fiub":
            raise ParameterError(f"{where} must be numbers, but is {value!r}.", parameter=spec.name)
        plain = plain.astype(float)
        if not np.isfinite(plain).all():
            bad = np.argwhere(~np.isfinite(np.atleast_1d(plain)))[0]
            kind = WeightError if spec.name == "conn" else ParameterError
            raise kind(
                f"{where} is not finite at {tuple(int(k) for k in bad)}: mend the entry, or set it "
                "to 0 where there is no connection.",
                parameter=spec.name,
            )
        if spec.positive and (plain <= 0).any():
            raise ParameterError(
                f"{where} must be positive, but its least value is {plain.min():g}.",
                parameter=spec.name,
            )
        if shape is not None and not spec.free:
            try:
                np.broadcast_to(plain, shape)
            except ValueError:
                raise ShapeError(
                    f"{where} has shape {plain.shape}, which does not broadcast to the units "
                    f"{shape}: give one number, or one per unit.",
                    given=plain.shape,
                    needed=shape,
                ) from None
        plain.setflags(write=False)
        return plain if unit == ONE else u.Quantity(plain, unit=unit)

    def _refuse_unknown(self, given: Mapping[str, Any], known: Mapping[str, Any]) -> None:
        for name in given:
            if name not in known:
                raise ParameterError(
                    f"{type(self).__name__} has no parameter {name!r}."
                    f"{did_you_mean(name, known)} It has: {', '.join(known) or 'none'}.",
                    parameter=name,
                )

    def __setattr__(self, name: str, value: Any) -> None:
        raise ParameterError(
            f"{type(self).__name__} does not change once made. For another value use "
            f"model.replace({name}=...); noise and stimuli are nodes with an edge of their own."
        )

    # -- what the compiler needs
    @property
    def path(self) -> str:
        """The dotted path in its graph, or '' before it was added to one."""
        return self._path

    def arrays(self) -> dict[str, Any]:
        """The parameters that are numbers, as given: quantities or plain arrays."""
        return {k: self.__dict__[k] for k in self._specs if not _is_static(self.__dict__[k])}

    def static(self) -> dict[str, Any]:
        """The parameters that are not numbers."""
        return {k: self.__dict__[k] for k in self._specs if _is_static(self.__dict__[k])}

    def with_values(self, **values: Any) -> Self:
        """A copy that stands in no graph, with these attributes unchecked (for tracing)."""
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__)
        copy.__dict__.update(values)
        copy.__dict__["_graph"] = None
        return copy

    def bound(self, graph: Any, path: str) -> Self:
        """The copy that stands in ``graph`` at ``path``."""
        copy = self.with_values()
        copy.__dict__.update(_graph=graph, _path=path)
        return copy


def _spec(name: str, default: Any) -> ParameterSpec:
    if isinstance(default, _Parameter):
        unit = default.unit if default.unit is not None else unit_of(default.default)
        return ParameterSpec(
            name,
            default.default,
            None if default.any_unit else unit,
            default.free,
            default.positive,
            default.doc,
        )
    return ParameterSpec(name, default, unit_of(default))


# ---------------------------------------------------------------- checks and prints
def _check_class(cls: type[Node]) -> None:
    signals = {**cls._states, **cls._outputs, **cls._inputs, **cls._normals}
    for name in signals:
        if name in _RESERVED or name in {"t", "n"} or name.startswith("init_"):
            raise ModelError(f"{cls.__name__}: {name!r} is a reserved name.")
        if name in cls._specs:
            raise ModelError(f"{cls.__name__}.{name} is a parameter and a signal at once.")
    for name, port in cls._inputs.items():
        if port.state is not None and port.state not in cls._states:
            raise ModelError(
                f"{cls.__name__}.{name} is paired with the state {port.state!r}, which does not "
                f"exist.{did_you_mean(port.state, cls._states)}"
            )
    for name, output in cls._outputs.items():
        if output.function is None:
            raise ModelError(f"{cls.__name__}.{name}: Output() decorates a method (self, s, i).")
    has_derivative = cls.derivative is not Node.derivative
    if has_derivative and cls._update_rule is not None:
        raise ModelError(f"{cls.__name__} declares both derivative and update: keep one.")


def _check_init(model: Node, name: str, init: Any, shape: tuple[int, ...]) -> None:
    if callable(init) or hasattr(init, "draw"):
        return
    where = f"{type(model).__name__}.init_{name}"
    value = np.asarray(strip(init, model._states[name].unit(model), where))
    try:
        np.broadcast_to(value, shape)
    except ValueError:
        raise ShapeError(
            f"{where} has shape {value.shape}, which does not broadcast to the units {shape}.",
            given=value.shape,
            needed=shape,
        ) from None


def _signature(cls: type[Component]) -> inspect.Signature:
    first = "in_size" if issubclass(cls, Node) else "conn"
    kinds = inspect.Parameter
    parameters = [kinds(first, kinds.POSITIONAL_OR_KEYWORD)]
    parameters += [
        kinds(name, kinds.KEYWORD_ONLY, default=spec.default)
        for name, spec in cls._specs.items()
        if name != first
    ]
    if issubclass(cls, Node):
        parameters += [
            kinds(f"init_{name}", kinds.KEYWORD_ONLY, default=state.init)
            for name, state in cls._states.items()
        ]
        parameters.append(kinds("dt", kinds.KEYWORD_ONLY, default=cls.default_dt))
    return inspect.Signature(parameters)


def _example(spec: ParameterSpec) -> str:
    """``as in tau=10.0 * u.ms.``, where the unit is one that reads as code."""
    if spec.default is None or _is_static(spec.default):
        return ""
    unit = str(spec.unit)
    number = f"{np.asarray(u.get_magnitude(spec.default)).ravel()[0]:g}"
    if spec.unit == ONE:
        return f"as in {spec.name}={number}."
    if unit.isidentifier():
        return f"as in {spec.name}={number} * u.{unit}."
    per = unit.removeprefix("1 / ")
    return f"as in {spec.name}={number} / u.{per}." if per.isidentifier() else ""


def _same(a: Any, b: Any) -> bool:
    try:
        return bool(unit_of(a) == unit_of(b) and np.array_equal(u.get_magnitude(a), u.get_magnitude(b)))
    except (TypeError, ValueError):
        return a is b


def _short(value: Any) -> str:
    """A parameter on one line: big arrays by their shape."""
    if _is_static(value):
        return repr(value)
    unit, plain = unit_of(value), np.asarray(u.get_magnitude(value))
    text = f"{plain.item():g}" if plain.ndim == 0 else f"array{plain.shape}"
    return text if dimensionless(unit) and unit == ONE else f"{text} {show(unit)}"


# ---------------------------------------------------------------- vertices and edges
_KINDS: dict[str, type[_Signal]] = {
    "_states": State,
    "_inputs": Input,
    "_outputs": Output,
    "_normals": StandardNormal,
}


class Node(Component):
    """A vertex: ``in_size`` units of one model.

    Subclasses declare ``derivative(self, s, i)`` (returns the time derivative of every state), or
    ``update(self, s, i, dt)`` (returns every state one step on), or neither when they have no
    states. ``s`` holds the states, ``i`` the inputs and standard normals, and ``i.t`` (time),
    ``i.dt`` and ``i.n`` (the step). Values are quantities where the port has a unit, arrays of
    shape ``(unit,)`` where it has none; a derivative without unit is per millisecond.

    Parameters
    ----------
    in_size : int or tuple of int
        The units; a tuple is their arrangement, and everything broadcasts to it.
    dt : quantity, optional
        A clock of its own, a multiple of the simulation's step.
    init_<state> : number, quantity, array, callable of shape, or a distribution
        The state's initial value.
    """

    _states: ClassVar[dict[str, State]] = {}
    _inputs: ClassVar[dict[str, Input]] = {}
    _outputs: ClassVar[dict[str, Output]] = {}
    _normals: ClassVar[dict[str, StandardNormal]] = {}
    _update_rule: ClassVar[Callable[..., Any] | None] = None
    default_dt: ClassVar[Any] = None

    if TYPE_CHECKING:
        in_size: tuple[int, ...]
        dt: float | None  #: the node's own step in ms, or None for the simulation's
        labels: tuple[str, ...] | None
        _inits: dict[str, Any]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for field, kind in _KINDS.items():
            declared = {
                name: value
                for base in reversed(cls.__mro__)
                for name, value in vars(base).items()
                if isinstance(value, kind) and isinstance(vars(cls).get(name, value), kind)
            }
            setattr(cls, field, declared)
        if "update" in cls.__dict__:  # the stepping rule; Node.update is the public call
            cls._update_rule = cls.__dict__["update"]
            delattr(cls, "update")
        _check_class(cls)
        cls.__signature__ = _signature(cls)  # type: ignore[attr-defined]

    def __init__(self, in_size: Size, *, dt: Any = None, **given: Any) -> None:
        shape = (in_size,) if isinstance(in_size, (int, np.integer)) else tuple(in_size)
        if not shape or any(int(n) != n or n < 1 for n in shape):
            raise ShapeError(
                f"{type(self).__name__}: in_size is {in_size!r}, but must be a positive number "
                "of units, or a tuple of them.",
                given=in_size,
            )
        inits = {f"init_{name}": state for name, state in self._states.items()}
        self._refuse_unknown(given, {**self._specs, **inits})
        dt = self.default_dt if dt is None else dt
        set_ = self.__dict__
        set_["in_size"] = tuple(int(n) for n in shape)
        set_["dt"] = None if dt is None else milliseconds(dt, f"{type(self).__name__}.dt")
        set_["labels"] = None
        self._set_parameters(given, shape)
        set_["_inits"] = {
            name: given.get(f"init_{name}", state.init) for name, state in self._states.items()
        }
        for name, init in self._inits.items():
            _check_init(self, name, init, shape)

    @property
    def size(self) -> int:
        """The number of units."""
        return int(np.prod(self.in_size))

    def replace(self, **changes: Any) -> Self:
        """A copy with other parameters, checked as when it was made."""
        given = {k: self.__dict__[k] for k in self._specs}
        given |= {f"init_{k}": v for k, v in self._inits.items()}
        dt = None if self.dt is None else self.dt * TIME
        return type(self)(**{"in_size": self.in_size, "dt": dt, **given, **changes})

    def signals(self) -> dict[str, _Signal]:
        """Every declared signal by name: states, outputs, inputs, normals."""
        return {**self._states, **self._outputs, **self._inputs, **self._normals}

    def signal_size(self, name: str) -> int:
        """How many values the signal has."""
        signal = self.signals()[name]
        if isinstance(signal, Output) and signal.size is not None:
            return signal.size(self)
        return self.size

    def internal_edges(self) -> list[InternalEdge]:
        """Edges a composite node brings along, from and to itself. None by default."""
        return []

    def derivative(self, s: Any, i: Any) -> Mapping[str, Any]:
        raise ModelError(f"{type(self).__name__} declares neither derivative nor update.")

    def init_state(self, batch_size: int | None = None, *, seed: int = 0) -> Signals:
        """The initial states, shaped ``(unit,)`` or ``(batch, unit)``, as quantities."""
        from braingraph.single import init_state

        return init_state(self, batch_size, seed)

    def update(self, *args: Any, **kwargs: Any) -> Any:
        """``state, out = model.update(state, dt=0.1 * u.ms, **inputs)``: one step, by itself.

        ``method`` is the integrator (default ``"heun"``); ``out`` holds the new states and the
        outputs. Noise signals (``StandardNormal``) are inputs here, zero unless given.
        """
        from braingraph.single import update

        return update(self, *args, **kwargs)

    def __repr__(self) -> str:
        given = [
            f"{k}={_short(v)}"
            for k, v in self.__dict__.items()
            if k in self._specs and not _same(v, self._specs[k].default)
        ]
        size = self.in_size[0] if len(self.in_size) == 1 else self.in_size
        at = f" at '{self._path}'" if self._path else ""
        return f"{type(self).__name__}({', '.join([str(size), *given])}){at}"


class Observer(Node):
    """A node that only looks: a forward model or a reducer. It may not feed back."""


class Coupling(Component):
    """How an edge turns its source into what the target receives.

    ``s_i = sum_j conn[i, j] * pre(x_j(t - d_ij))``, then ``post(s_i, y_i, sum_j conn[i, j])``
    with ``y`` the target's paired state. ``pre`` may return a tuple of channels; ``post`` then
    gets a tuple. Both are elementwise.

    Parameters
    ----------
    conn : array (target, source), scalar, or None
        The weights. A scalar connects all to all with one weight; None connects one to one.
    """

    conn: Any = parameter(None, any_unit=True, free=True)

    def __init__(self, conn: Any = None, **given: Any) -> None:
        self._refuse_unknown(given, self._specs)
        if hasattr(conn, "todense") and not isinstance(conn, np.ndarray):
            conn = np.asarray(conn.todense())
        self._set_parameters({"conn": conn, **given}, None)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.__signature__ = _signature(cls)  # type: ignore[attr-defined]

    def replace(self, **changes: Any) -> Self:
        """A copy with other parameters, checked as when it was made."""
        return type(self)(**{**{k: self.__dict__[k] for k in self._specs}, **changes})

    def pre(self, x: Any) -> Any:
        """The message of a source; what is delayed, weighted and summed."""
        return x

    def post(self, s: Any, y: Any, w: Any) -> Any:
        """What the target receives, from the sum, its own state and its summed weights."""
        return s

    def __repr__(self) -> str:
        given = [
            f"{k}={_short(v)}"
            for k, v in self.__dict__.items()
            if k in self._specs and not _same(v, self._specs[k].default)
        ]
        return f"{type(self).__name__}({', '.join(given)})"


@dataclass(frozen=True)
class InternalEdge:
    """An edge that a composite node brings along.

    ``rename`` maps the coupling's parameters to the node's names, so that users address them as
    the node's own.
    """

    name: str
    source: str
    target: str
    coupling: Coupling
    delay: Any = None
    rename: Mapping[str, str] | None = None
