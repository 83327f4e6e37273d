"""The base of nodes and couplings: parameters, checked when the class is defined and when given."""

from __future__ import annotations

import inspect
from abc import ABCMeta
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

import brainunit as u
import numpy as np

from braingraph.declarations import ParameterSpec, Signal, spec
from braingraph.errors import (
    GraphError,
    ModelError,
    ParameterError,
    ShapeError,
    WeightError,
    did_you_mean,
)
from braingraph.ports import address
from braingraph.sparse import is_sparse
from braingraph.units import ONE, as_code, brief, show, strip, unit_of


def is_static(value: Any) -> bool:
    """Values that shape the program instead of flowing through it."""
    return value is None or isinstance(value, (bool, str, tuple)) or callable(value)


class ModelType(ABCMeta):
    """Makes ``print(HopfStep)`` show the model's card."""  # an ABCMeta, to mix with ABCs

    def __str__(cls) -> str:
        from braingraph.card import card

        return card(cls)


class Component(metaclass=ModelType):
    """Base of :class:`Node` and :class:`Coupling`: parameters that never change once given."""

    _specs: ClassVar[dict[str, ParameterSpec]] = {}
    _reserved: ClassVar[frozenset[str]] = frozenset()
    _graph: Any = None
    _path: str = ""
    __hash__ = object.__hash__

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        specs = dict(cls._specs)
        annotated = inspect.get_annotations(cls)
        for name, annotation in annotated.items():
            if str(annotation).startswith(("ClassVar", "typing.ClassVar")) or name[0] == "_":
                continue
            cls._check_parameter(name)
            specs[name] = spec(name, cls.__dict__[name])
            setattr(cls, name, specs[name].default)
        for name, value in list(cls.__dict__.items()):  # a subclass may just change a default
            if name in specs and name not in annotated:
                if isinstance(value, Signal) or callable(value):
                    raise ModelError(
                        f"{cls.__name__}.{name} is a parameter of its base and a signal at once."
                    )
                specs[name] = spec(name, value)
        cls._specs = specs

    @classmethod
    def _check_parameter(cls, name: str) -> None:
        where = f"{cls.__name__}.{name}"
        if name not in cls.__dict__:
            raise ModelError(f"{where} needs a default: {name}: ... = value.")
        if name in cls._reserved or name.startswith("init_"):
            raise ModelError(f"{where}: '{name}' is a reserved name.")
        inherited = [vars(base).get(name) for base in cls.__mro__[1:]]
        if any(isinstance(value, Signal) for value in (cls.__dict__[name], *inherited)):
            raise ModelError(
                f"{where} is a parameter and a signal at once: what is annotated is a parameter, "
                "so leave out the annotation, or rename it."
            )

    def _set_parameters(self, given: Mapping[str, Any], shape: tuple[int, ...] | None) -> None:
        for name, declared in self._specs.items():
            value = given.get(name, declared.default)
            self.__dict__[name] = self._checked(declared, value, shape)

    def _checked(self, declared: ParameterSpec, value: Any, shape: tuple[int, ...] | None) -> Any:
        name = declared.name
        where = f"{type(self).__name__}.{name}"
        if is_static(declared.default) and (declared.default is not None or is_static(value)):
            return _checked_static(declared, value, where)
        if declared.unit is not None:
            value = strip(value, declared.unit, where, _example(declared))
        unit = declared.unit if declared.unit is not None else unit_of(value)
        infinite = WeightError if name == "conn" else ParameterError
        plain = numbers(value, where, infinite, parameter=name)
        if declared.positive and (plain <= 0).any():
            raise ParameterError(
                f"{where} must be positive, but its least value is {plain.min():g}.",
                parameter=name,
            )
        if shape is not None and not declared.free:
            _check_broadcasts(plain, shape, where)
        plain.setflags(write=False)
        return plain if unit == ONE else u.Quantity(plain, unit=unit)

    def _refuse_unknown(self, given: Mapping[str, Any], known: Iterable[str]) -> None:
        known = list(known)
        for name in given:
            if name in known:
                continue
            constant = getattr(type(self), name, None)
            fix = f"Annotate it in the class to make it one: {name}: ... = value. "
            raise ParameterError(
                f"{type(self).__name__} has no parameter '{name}'.{did_you_mean(name, known)} "
                f"{'' if constant is None or callable(constant) else fix}"
                f"It has: {', '.join(known) or 'none'}.",
                parameter=name,
            )

    def __setattr__(self, name: str, value: Any) -> None:
        raise ParameterError(
            f"{type(self).__name__} does not change once made. {self._advice(name, value)}",
            parameter=name,
        )

    def _advice(self, name: str, value: Any) -> str:
        """What to do instead of assigning an attribute."""
        if name in self._specs:
            return f"For another value use model.replace({name}=...), or params= of a run."
        return (
            f"It has no parameter '{name}' either.{did_you_mean(name, self._specs)} "
            f"It has: {', '.join(self._specs) or 'none'}."
        )

    # -- what the compiler needs
    @property
    def path(self) -> str:
        """The dotted path in its graph, or '' before it was added to one."""
        return address(self._graph, self._path)

    def arrays(self) -> dict[str, Any]:
        """The parameters that are numbers, as given: quantities or plain arrays."""
        return {k: self.__dict__[k] for k in self._specs if not is_static(self.__dict__[k])}

    def static(self) -> dict[str, Any]:
        """The parameters that are not numbers."""
        return {k: self.__dict__[k] for k in self._specs if is_static(self.__dict__[k])}

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

    def _given(self) -> list[str]:
        """The parameters that differ from their defaults, for ``repr``."""
        return [
            f"{k}={short(self.__dict__[k])}"
            for k, declared in self._specs.items()
            if not _same(self.__dict__[k], declared.default)
        ]


# ---------------------------------------------------------------- values
def numbers(
    value: Any, where: str, infinite: type[GraphError] = ParameterError, **fields: Any
) -> np.ndarray:
    """A finite array of floats, a copy; ParameterError (``infinite`` for NaN, inf) otherwise."""
    plain = _plain(value)
    if plain is None or plain.dtype.kind not in "fiub":
        fix = ": pass its weights, as in sc.weights." if hasattr(value, "weights") else "."
        raise ParameterError(f"{where} must be numbers, but is {brief(value)}{fix}", **fields)
    plain = plain.astype(float)
    if np.isfinite(plain).all():
        return plain
    bad = tuple(int(k) for k in np.argwhere(~np.isfinite(plain))[0])
    raise not_finite(where, bad, plain[bad], infinite, **fields)


def not_finite(
    where: str, at: tuple[int, ...], value: float, kind: type[GraphError], **fields: Any
) -> GraphError:
    """What is wrong with an entry that is NaN or infinite."""
    fix = (
        "mend the entry, or set it to 0 where there is no connection."
        if kind is WeightError
        else f"it is {value}, but must be a number."
    )
    return kind(f"{where} is not finite{f' at {at}' if at else ''}: {fix}", at=at, **fields)


def _plain(value: Any) -> np.ndarray | None:
    if value is None or isinstance(value, (str, bool)) or callable(value):
        return None
    try:
        return np.asarray(u.get_magnitude(value))
    except (TypeError, ValueError):  # lists of unequal lengths, and the like
        return None


def _checked_static(declared: ParameterSpec, value: Any, where: str) -> Any:
    default = declared.default
    if default is None or type(value) is type(default) or (callable(value) and callable(default)):
        return value
    raise ParameterError(
        f"{where} must be a {type(default).__name__}, as its default {default!r} is, but is "
        f"{brief(value)}.",
        parameter=declared.name,
    )


def _check_broadcasts(plain: np.ndarray, shape: tuple[int, ...], where: str) -> None:
    try:
        np.broadcast_to(plain, shape)
    except ValueError:
        raise ShapeError(
            f"{where} has shape {plain.shape}, which does not broadcast to the units {shape}: give "
            "one number, or one per unit.",
            given=plain.shape,
            needed=shape,
        ) from None


# ---------------------------------------------------------------- prints
def signature(first: str, *groups: Mapping[str, Any]) -> inspect.Signature:
    """A constructor's signature: ``first``, then keywords with their defaults."""
    kinds = inspect.Parameter
    keywords = {name: default for group in groups for name, default in group.items()}
    keywords.pop(first, None)
    return inspect.Signature(
        [
            kinds(first, kinds.POSITIONAL_OR_KEYWORD),
            *(kinds(k, kinds.KEYWORD_ONLY, default=v) for k, v in keywords.items()),
        ]
    )


def _example(declared: ParameterSpec) -> str:
    """``as in tau=10.0 * u.ms.``, where the unit is one that reads as code."""
    if declared.default is None or is_static(declared.default):
        return ""
    unit = as_code(declared.unit)
    if unit is None:
        return ""
    number = f"{np.asarray(u.get_magnitude(declared.default)).ravel()[0]:g}"
    return f"as in {declared.name}={number}{unit}."


def _same(a: Any, b: Any) -> bool:
    try:
        same = np.array_equal(u.get_magnitude(a), u.get_magnitude(b))
        return bool(unit_of(a) == unit_of(b)) and same
    except (TypeError, ValueError):
        return a is b


def short(value: Any) -> str:
    """A parameter on one line: big arrays by their shape."""
    if is_static(value):
        return repr(value)
    unit, plain = unit_of(value), u.get_magnitude(value)
    if is_sparse(plain):
        text = repr(plain)
    else:
        plain = np.asarray(plain)
        text = f"{plain.item():g}" if plain.ndim == 0 else f"array{plain.shape}"
    return text if unit == ONE else f"{text} {show(unit)}"
