"""A digest of what was asked for, to know it again in another process."""

from __future__ import annotations

import hashlib
import types
from collections.abc import Callable, Mapping, Sequence, Set
from functools import partial
from numbers import Real
from typing import Any

import brainunit as u
import numpy as np

from braingraph.declarations import Signal
from braingraph.graph import Graph
from braingraph.parameters import Component
from braingraph.units import magnitude, unit_of

#: Attributes that say where a component stands, or what it is for, not what it does.
_PASSED_OVER = ("_graph", "_path", "doc")
#: The framework's own base classes, whose code is no part of a model.
_BASES = ("braingraph.parameters", "braingraph.node", "braingraph.coupling")


def fingerprint(value: Any) -> str:
    """A hexadecimal digest: equal for equal values, in every process.

    Numbers count by value; arrays and quantities by type, unit, shape and bytes; models by class,
    the code of the class and their parameters; functions by their code, defaults and what they
    close over; other objects by class and attributes. Code differs between versions of Python.

    >>> import numpy as np
    >>> fingerprint({"k": np.arange(3)}) == fingerprint({"k": np.arange(3)})
    True
    >>> fingerprint(lambda m: m.cortex.x) == fingerprint(lambda m: m.cortex.y)
    False
    """
    digest = hashlib.blake2b(digest_size=16)
    _add(digest.update, value, ())
    return digest.hexdigest()


def _add(update: Callable[[bytes], None], value: Any, above: tuple[int, ...]) -> None:
    """Feed one value. ``above``: ids of the objects around it, so that cycles end."""
    if id(value) in above:
        update(f"cycle {len(above) - above.index(id(value))}".encode())
        return
    head, parts = _parts(value)
    update(repr(head).encode())
    for part in parts:
        if isinstance(part, memoryview):
            update(part.tobytes())
        else:
            _add(update, part, (*above, id(value)))


def _parts(value: Any) -> tuple[tuple[Any, ...], Sequence[Any]]:
    """What a value is in words, and what it is made of."""
    if value is None or isinstance(value, (str, bytes, complex)):
        return (type(value).__name__, value), ()
    if isinstance(value, u.Unit):
        return ("unit", str(value)), ()
    if hasattr(value, "tocoo"):  # scipy's, in any format
        coo = value.tocoo()
        return ("sparse", tuple(coo.shape)), (coo.row, coo.col, coo.data)
    if isinstance(value, (Real, np.generic, u.Quantity)) or hasattr(value, "__array__"):
        return _numbers(value)
    if isinstance(value, Mapping):
        return ("mapping", len(value)), [part for item in value.items() for part in item]
    if isinstance(value, Set):
        return ("set", sorted(map(fingerprint, value))), ()
    if isinstance(value, Sequence):
        return ("sequence", len(value)), value
    if isinstance(value, Graph):
        return ("graph",), (value.nodes, value.edges)
    return _code(value) or _object(value)


def _numbers(value: Any) -> tuple[tuple[Any, ...], Sequence[Any]]:
    unit, plain = str(unit_of(value)), np.asarray(magnitude(value))
    if plain.dtype == object:
        return ("array", unit, plain.shape), plain.ravel().tolist()
    if plain.ndim == 0:
        number = plain.item()
        whole = isinstance(number, Real) and number == number // 1
        return ("number", unit, int(number) if whole else number), ()
    return ("array", unit, plain.dtype.str, plain.shape), [memoryview(plain.tobytes())]


def _code(value: Any) -> tuple[tuple[Any, ...], Sequence[Any]] | None:
    """Functions, classes and modules; None for anything else."""
    if isinstance(value, types.FunctionType):
        code, cells = value.__code__, value.__closure__ or ()
        held = [*code.co_consts, value.__defaults__, value.__kwdefaults__]
        held = [part for part in held if part is None or part is not value.__doc__]
        return _about(code), [*held, *(cell.cell_contents for cell in cells)]
    if isinstance(value, types.CodeType):
        return _about(value), value.co_consts
    if isinstance(value, types.MethodType):
        return ("method",), (value.__func__, value.__self__)
    if isinstance(value, partial):
        return ("partial",), (value.func, value.args, value.keywords)
    if isinstance(value, (type, types.ModuleType, types.BuiltinFunctionType)):
        return (type(value).__name__, _name(value)), ()
    return None


def _about(code: types.CodeType) -> tuple[Any, ...]:
    return ("function", code.co_code, code.co_names, code.co_varnames, code.co_freevars)


def _object(value: Any) -> tuple[tuple[Any, ...], Sequence[Any]]:
    kind = type(value)
    names = getattr(value, "__dict__", None)
    if names is None:
        names = [k for c in kind.__mro__ for k in getattr(c, "__slots__", ())]
    held = {k: getattr(value, k) for k in names if k not in _PASSED_OVER and hasattr(value, k)}
    return ("object", _name(kind), "" if held else repr(value)), (held, *_written(kind))


def _written(kind: type) -> list[Any]:
    """What the classes of a model themselves define: functions and signals."""
    if not issubclass(kind, Component):
        return []
    own = [c for c in kind.__mro__ if issubclass(c, Component) and c.__module__ not in _BASES]
    wanted = (types.FunctionType, Signal)
    return [(name, v) for c in own for name, v in vars(c).items() if isinstance(v, wanted)]


def _name(value: Any) -> str:
    return str(getattr(value, "__qualname__", getattr(value, "__name__", "")))
