"""What a class body declares: parameters, states, inputs, outputs, and the values of signals."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self, overload

import brainunit as u
import jax

from braingraph.errors import ModelError, did_you_mean
from braingraph.ports import Port
from braingraph.units import ONE, Unit, strip, unit_of

if TYPE_CHECKING:
    from braingraph.parameters import Component

UnitLike = Unit | str | Callable[[Any], Unit] | None
SizeLike = Callable[[Any], int] | None
OVER = ("mean", "last")


# ---------------------------------------------------------------- values of signals
@jax.tree_util.register_pytree_node_class
class Signals(Mapping[str, Any]):
    """Named values, read as attributes: ``s.rE``. Keeps its order; a pytree.

    >>> Signals({"rE": 0.1, "rI": 0.2}).rI
    0.2
    """

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


# ---------------------------------------------------------------- parameters
@dataclass(frozen=True)
class ParameterSpec:
    """One parameter of a class: its default, its unit, and how it is stacked."""

    name: str
    default: Any
    unit: Unit | None  # None: any unit, kept as given
    free: bool = False  # its shape is its own; it does not broadcast to the units
    positive: bool = False
    doc: str = ""


@dataclass(frozen=True)
class Declared:
    """What :func:`parameter` leaves in a class body, until the class is defined."""

    default: Any
    unit: Unit | None
    any_unit: bool
    free: bool
    positive: bool
    doc: str


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
    return Declared(default, unit, any_unit, free, positive, doc)


def spec(name: str, default: Any) -> ParameterSpec:
    """The specification of a parameter from what the class body gives as its default."""
    if not isinstance(default, Declared):
        return ParameterSpec(name, default, unit_of(default))
    d = default
    unit = d.unit if d.unit is not None else unit_of(d.default)
    return ParameterSpec(name, d.default, None if d.any_unit else unit, d.free, d.positive, d.doc)


# ---------------------------------------------------------------- signals
class Signal:
    """A declared signal. On a model in a graph it is read as a :class:`Port`.

    ``size``: how many values it has, a function of the model, when not one a unit. A vertex with
    such a signal is computed as one: its units are not divided between devices.
    """

    kind: ClassVar[str] = ""

    def __init__(self, unit: UnitLike, doc: str, size: SizeLike = None) -> None:
        self._unit, self.doc, self.name, self.size = unit, doc, "", size

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
            raise AttributeError(self.name)  # Node.__getattr__ says what to do
        return Port(model._graph, model._path, self.name)

    def unit(self, model: Component) -> Unit:
        """The unit on the wire: fixed, that of a named parameter, or computed from the model."""
        if self._unit is None:
            return ONE
        if isinstance(self._unit, u.Unit):
            return self._unit
        if isinstance(self._unit, str):
            return unit_of(getattr(model, self._unit))
        return self._unit(model)


class State(Signal):
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
        size: SizeLike = None,
        doc: str = "",
    ) -> None:
        super().__init__(unit_of(init) if unit is None else unit, doc, size)
        self.init, self.bounds = init, self._plain(bounds)

    def _plain(self, bounds: Any) -> tuple[float | None, float | None] | None:
        """Bounds as plain numbers in the state's unit."""
        if bounds is None:
            return None
        if not isinstance(bounds, tuple) or len(bounds) != 2:
            raise ModelError(f"bounds must be (low, high), either may be None, but are {bounds!r}.")
        unit = self._unit if isinstance(self._unit, u.Unit) else ONE
        low, high = (
            None if b is None else float(strip(b, unit, "a bound") if unit_of(b) != ONE else b)
            for b in bounds
        )
        if low is not None and high is not None and not low < high:
            raise ModelError(f"bounds must be (low, high), but {low:g} is not below {high:g}.")
        return low, high


class Input(Signal):
    """A port where edges end. Each step it starts at ``default`` and adds up what arrives.

    ``state`` names the state that couplings such as the diffusive one compare the source with;
    by default the one the input is named for (``x_inp`` -> ``x``). ``over`` says what a node with
    a clock of its own gets of the interval since its last step: its ``"mean"``, or the ``"last"``
    sample.
    """

    kind = "input"

    def __init__(
        self,
        default: Any = 0.0,
        *,
        unit: UnitLike = None,
        state: str | None = None,
        over: str = "mean",
        size: SizeLike = None,
        doc: str = "",
    ) -> None:
        super().__init__(unit_of(default) if unit is None else unit, doc, size)
        if over not in OVER:
            raise ModelError(
                f"Input(over={over!r}): it must be 'mean' or 'last'.{did_you_mean(str(over), OVER)}"
            )
        self.default, self.state, self.over = default, state, over


class StandardNormal(Signal):
    """A fresh standard normal number for every unit and step, read as ``i.<name>``."""

    kind = "noise"

    def __init__(self, *, size: SizeLike = None, doc: str = "") -> None:
        super().__init__(None, doc, size)


def _size_of(axes: Callable[[Any], Sequence[Any]]) -> SizeLike:
    def size(model: Any) -> int:
        lengths = (model.size if axis == "unit" else len(axis[1]) for axis in axes(model))
        return math.prod(lengths)

    return size


class Output(Signal):
    """A derived signal: decorates a method ``(self, s, i)``.

    ``axes``: a function of the model that lays its values, flat inside, out in what is recorded:
    for each axis ``"unit"``, or a name and its coordinates. Their lengths give its size; without
    any it is a single number::

        @Output(axes=lambda m: ("unit", ("frequency", m.frequencies)))

    The method stays callable on a model that stands in no graph, so other methods may use it::

        @Output(unit=u.mV)
        def eeg(self, s, i):
            return s.E - s.I
    """

    kind = "output"

    def __init__(
        self,
        unit: UnitLike = None,
        *,
        size: SizeLike = None,
        axes: Callable[[Any], Sequence[Any]] | None = None,
        doc: str = "",
    ) -> None:
        super().__init__(unit, doc, size if axes is None else _size_of(axes))
        self.axes = axes
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
