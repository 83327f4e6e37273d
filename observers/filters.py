"""What observers that filter share: values that describe a filter, and a step of a linear system.

A linear system with constant coefficients remembers each unit's past in a few numbers,
``memory``, (row, unit)::

    memory' = A memory + B u,        y = C memory

so that a convolution needs no past of its own.
"""

from __future__ import annotations

import inspect
from typing import Any, Self

import numpy as np

from braingraph.errors import ParameterError, ShapeError
from braingraph.observers.sensors import applied
from braingraph.parameters import Component
from braingraph.units import magnitude, unit_of

Matrix = np.ndarray[Any, np.dtype[np.float64]]


class Value(Component):
    """Parameters under one name: one number each, equal when they are, never changed."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        keyword = inspect.Parameter.KEYWORD_ONLY
        cls.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [inspect.Parameter(k, keyword, default=s.default) for k, s in cls._specs.items()]
        )

    def __init__(self, **given: Any) -> None:
        self._refuse_unknown(given, self._specs)
        self._set_parameters(given, None)
        for name, declared in self._specs.items():
            shape = np.shape(magnitude(getattr(self, name)))
            if shape and not declared.free:
                raise ShapeError(
                    f"{type(self).__name__}.{name} must be one number, but has shape {shape}.",
                    given=shape,
                    needed=(),
                )

    def replace(self, **changes: Any) -> Self:
        """A copy with other parameters, checked as when it was made."""
        return type(self)(**{**{k: self.__dict__[k] for k in self._specs}, **changes})

    def _key(self) -> tuple[Any, ...]:
        values = [(k, self.__dict__[k]) for k in self._specs]
        plain = [(k, str(unit_of(v)), np.asarray(magnitude(v), float)) for k, v in values]
        return (type(self), *((k, unit, v.shape, v.tobytes()) for k, unit, v in plain))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Value) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._given())})"


def whole(value: Value, *names: str) -> None:
    """ParameterError unless these parameters are whole numbers, 1 or more."""
    for name in names:
        number = float(getattr(value, name))
        if number < 1 or number % 1:
            raise ParameterError(
                f"{type(value).__name__}.{name} must be a whole number, 1 or more, but is "
                f"{number:g}.",
                parameter=name,
            )


def held(A: Matrix, B: Matrix, dt: float) -> tuple[Matrix, Matrix]:
    """M and G of ``memory + M memory + G u``: one step of dt, exact while u does not change.

    As an increment it keeps its digits in float32 however short the step; as exp(A dt), which is
    close to 1, it would lose those of the slowest decay.
    """
    from scipy.linalg import expm

    n = len(A)
    both = np.zeros((2 * n, 2 * n))
    both[:n, :n], both[:n, n:] = A * dt, np.eye(n) * dt
    lasting: Matrix = expm(both)[:n, n:]  # the integral of exp(A t) over the step
    return A @ lasting, lasting @ B


def stepped(memory: Any, M: Matrix, G: Matrix, u: Any) -> Any:
    """``memory + M memory + G u`` for (row, unit) and (unit,)."""
    return memory + mixed(M, memory) + G.astype(memory.dtype)[:, None] * u


def mixed(rows: Matrix, memory: Any) -> Any:
    """The product of constants with memory, at full precision."""
    return applied(rows.astype(memory.dtype), memory)
