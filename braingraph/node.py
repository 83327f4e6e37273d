"""Vertices: ``in_size`` units of one model."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self

import numpy as np

from braingraph.declarations import Input, Output, Signal, Signals, StandardNormal, State
from braingraph.errors import ModelError, PortError, ShapeError, did_you_mean
from braingraph.parameters import Component, numbers, signature
from braingraph.units import TIME, brief, milliseconds, show, strip

if TYPE_CHECKING:
    from braingraph.coupling import InternalEdge

Size = int | tuple[int, ...]
_KINDS: dict[str, type[Signal]] = {
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
    ``i.dt``, ``i.n`` (the step) and ``i.stage`` (0 to 1, where in it). Values are quantities where
    the port has a unit, arrays of shape ``(unit,)`` where it has none; a derivative without unit is
    per millisecond.

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
        cls.__signature__ = signature(  # type: ignore[attr-defined]
            "in_size",
            {name: declared.default for name, declared in cls._specs.items()},
            {f"init_{name}": state.init for name, state in cls._states.items()},
            {"dt": cls.default_dt},
        )

    def __init__(self, in_size: Size, *, dt: Any = None, **given: Any) -> None:
        inits = {f"init_{name}": state for name, state in self._states.items()}
        self._refuse_unknown(given, [*self._specs, *inits])
        dt = self.default_dt if dt is None else dt
        set_ = self.__dict__
        set_["in_size"] = shape = _units(in_size, type(self).__name__)
        set_["dt"] = None if dt is None else milliseconds(dt, f"{type(self).__name__}.dt")
        set_["labels"] = None
        self._set_parameters(given, shape)
        set_["_inits"] = {
            name: given.get(f"init_{name}", state.init) for name, state in self._states.items()
        }
        for name, init in self._inits.items():
            _check_init(self, name, init)

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

    def signals(self) -> dict[str, Signal]:
        """Every declared signal by name: states, outputs, inputs, normals."""
        return {**self._states, **self._outputs, **self._inputs, **self._normals}

    def signal_shape(self, name: str) -> tuple[int, ...]:
        """The shape of a signal's values: that of the units, unless it has a size of its own."""
        size = self.signals()[name].size
        return self.in_size if size is None else (int(size(self)),)

    def signal_size(self, name: str) -> int:
        """How many values the signal has."""
        return math.prod(self.signal_shape(name))

    @property
    def extent(self) -> int:
        """How many values a sample of it has: the units, or what all its signals have instead.

        The states and outputs of a lead field are all of the size of the sensors.
        """
        sizes = {self.signal_size(k) for k in (*self._states, *self._outputs)}
        laid_out = any(output.axes for output in self._outputs.values())
        return sizes.pop() if len(sizes) == 1 and not laid_out else self.size

    def internal_edges(self) -> list[InternalEdge]:
        """Edges a composite node brings along, from and to itself. None by default."""
        return []

    def derivative(self, s: Any, i: Any) -> Mapping[str, Any]:
        raise ModelError(
            f"{type(self).__name__} declares neither derivative(self, s, i) nor "
            "update(self, s, i, dt).",
            path=self.path,
        )

    def init_state(self, batch_size: int | None = None, *, seed: int = 0) -> Signals:
        """The initial states: ``in_size``, or ``(batch, *in_size)``, as quantities.

        They are those of a run with the same seed.
        """
        from braingraph.single import init_state

        return init_state(self, batch_size, seed)

    def update(self, *args: Any, **kwargs: Any) -> Any:
        """``state, out = model.update(state, dt=0.1 * u.ms, **inputs)``: one step, by itself.

        ``method`` is the integrator (default ``"heun"``); ``out`` holds the new states and the
        outputs. Noise signals (``StandardNormal``) are inputs here, zero unless given.

        >>> import brainunit as u
        >>> from braingraph import nodes
        >>> model = nodes.WilsonCowanStep(2)
        >>> state, out = model.update(model.init_state(), rE_inp=0.1, dt=0.1 * u.ms)
        >>> state.rE.shape
        (2,)
        """
        from braingraph.single import update

        return update(self, *args, **kwargs)

    if not TYPE_CHECKING:  # or type checkers would take every misspelling

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_"):
                raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
            declared = inspect.getattr_static(type(self), name, None)
            if isinstance(declared, Signal):  # its descriptor refused
                raise PortError(
                    f"{type(self).__name__}.{name} has no place yet: add the model to a graph "
                    f"first, as in c = g.add_node('c', {type(self).__name__}(...)), and use "
                    f"c.{name}."
                )
            if declared is not None:  # a property failed: let it say why
                return object.__getattribute__(self, name)
            no_port(self, name)

    def _advice(self, name: str, value: Any) -> str:
        if isinstance(value, Node):
            port = next(iter(self._inputs), "x_inp")
            return (
                "Noise and stimuli are nodes of their own: "
                f"g.add_edge(g.add_node('{name}', {type(value).__name__}(...)), model.{port})."
            )
        if name in self._states:
            return f"For another initial value use model.replace(init_{name}=...)."
        if name in self._inputs:
            return f"An input is driven by an edge, or by inputs={{'{name}': ...}} of a run."
        return super()._advice(name, value)

    def __repr__(self) -> str:
        size = self.in_size[0] if len(self.in_size) == 1 else self.in_size
        at = f" at '{self.path}'" if self._path else ""
        return f"{type(self).__name__}({', '.join([str(size), *self._given()])}){at}"


Node._reserved = frozenset(
    {"dt", "edges", "in_size", "labels", *(k for k in dir(Node) if not k.startswith("_"))}
)


def no_port(model: Node, name: str, path: str = "") -> NoReturn:
    """PortError for a signal that a model lacks: the nearest name, and all there are."""
    by_kind: dict[str, list[str]] = {}
    for known, declared in model.signals().items():
        if declared.kind != "noise":
            unit = show(declared.unit(model))
            by_kind.setdefault(declared.kind, []).append(f"{known} {unit}")
    menu = "; ".join(f"{kind}s: {', '.join(names)}" for kind, names in by_kind.items())
    where, kind = path or model.path, type(model).__name__
    title = f"'{where}' ({kind})" if where else kind
    others = [*model._specs, *(k for k in dir(type(model)) if not k.startswith("_"))]
    hint = (
        " That is a parameter."
        if name in model._specs
        else did_you_mean(name, [*model.signals(), *others])
    )
    raise PortError(
        f"{title} has no port '{name}'.{hint}{f' {menu[0].upper()}{menu[1:]}.' if menu else ''}",
        path=f"{where}.{name}" if where else name,
    )


def _units(in_size: Any, name: str) -> tuple[int, ...]:
    whole = (int, np.integer)
    shape = tuple(in_size) if isinstance(in_size, (tuple, list)) else (in_size,)
    if not shape or any(isinstance(n, bool) or not isinstance(n, whole) or n < 1 for n in shape):
        raise ShapeError(
            f"{name}: in_size is {brief(in_size)}, but must be a positive number of units, or a "
            "tuple of them.",
            given=in_size,
        )
    return tuple(int(n) for n in shape)


def _check_class(cls: type[Node]) -> None:
    signals = {**cls._states, **cls._outputs, **cls._inputs, **cls._normals}
    for name in signals:
        if name in cls._reserved or name in {"t", "n", "stage"} or name.startswith("init_"):
            raise ModelError(f"{cls.__name__}.{name}: '{name}' is a reserved name.")
    for name, port in cls._inputs.items():
        if port.state is not None and port.state not in cls._states:
            raise ModelError(
                f"{cls.__name__}.{name} is paired with the state '{port.state}', which does not "
                f"exist.{did_you_mean(port.state, cls._states)} "
                f"States: {', '.join(cls._states) or 'none'}."
            )
    for name, output in cls._outputs.items():
        if output.function is None:
            raise ModelError(
                f"{cls.__name__}.{name}: Output(...) decorates a method (self, s, i), as in "
                "@Output(unit=u.mV)."
            )
    has_derivative = cls.derivative is not Node.derivative
    if has_derivative and cls._update_rule is not None:
        raise ModelError(f"{cls.__name__} declares both derivative and update: keep one.")


def _check_init(model: Node, name: str, init: Any) -> None:
    if callable(init) or hasattr(init, "draw"):
        return
    where, shape = f"{type(model).__name__}.init_{name}", model.signal_shape(name)
    value = numbers(
        strip(init, model._states[name].unit(model), where), where, parameter=f"init_{name}"
    )
    try:
        np.broadcast_to(value, shape)
    except ValueError:
        raise ShapeError(
            f"{where} has shape {value.shape}, which does not broadcast to the units {shape}: give "
            "one number, or one per unit.",
            given=value.shape,
            needed=shape,
        ) from None


class Observer(Node):
    """A node that only looks: a forward model or a reducer. It may not feed back."""
