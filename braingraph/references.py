"""Functions and classes by name, so that another process finds them, and digests of their code."""

from __future__ import annotations

import sys
import types
from importlib import import_module
from typing import Any

import brainunit as u
import numpy as np

from braingraph.declarations import Signal
from braingraph.fingerprint import fingerprint

#: Libraries whose code is known by its name; their versions are recorded with a run.
_LIBRARIES = frozenset(
    "braingraph brainunit saiunit jax jaxlib numpy scipy builtins math operator functools".split()
)
_CODE = (types.FunctionType, Signal, property, staticmethod, classmethod)
_CONSTANTS = (bool, int, float, str, tuple, u.Quantity)


def find(reference: str) -> Any:
    """What ``"module:name"`` stands for; raises whatever goes wrong."""
    module, _, name = reference.partition(":")
    found: Any = sys.modules[module] if module == "__main__" else import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def name_of(value: Any) -> str:
    """``"module:name"``, whether it can be found there or not."""
    named = value if hasattr(value, "__qualname__") else type(value)
    if isinstance(value, np.ufunc):  # they do not say where they are from
        return f"numpy:{value.__name__}"
    return f"{named.__module__}:{named.__qualname__}"


def reference(value: Any) -> str | None:
    """``"module:name"`` where exactly this value is found, or None."""
    name = name_of(value)
    if "<" in name:
        return None
    try:
        return name if find(name) is value else None
    except Exception:  # importing runs the code of others
        return None


def code_of(value: Any, name: str) -> str | None:
    """A digest of the code of a function, class or other value; None for what a library has."""
    if name.partition(":")[0].partition(".")[0] in _LIBRARIES:
        return None
    try:
        return fingerprint(_written(value) if isinstance(value, type) else value)
    except (ValueError, TypeError, AttributeError, RecursionError):  # values of any kind
        return fingerprint(name)


def _written(kind: type) -> list[Any]:
    """What a class and its bases define, but for those of libraries and for parameters."""
    own = [c for c in kind.__mro__ if c.__module__.partition(".")[0] not in _LIBRARIES]
    known = getattr(kind, "_specs", {})
    return [
        (name, getattr(value, "fget", getattr(value, "__func__", value)))
        for c in own
        for name, value in vars(c).items()
        if isinstance(value, _CODE)
        or (isinstance(value, _CONSTANTS) and name not in known and not name.startswith("__"))
    ]
