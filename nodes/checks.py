"""Where a model's parameters may lie, and in which units."""

from __future__ import annotations

import math
from typing import Any

import brainunit as u
import numpy as np

from braingraph.component import Node
from braingraph.errors import ParameterError
from braingraph.units import ONE, attach, brief, magnitude, strip


def within(model: Node, name: str, low: float, high: float, why: str = "") -> None:
    """ParameterError, with the worst value, unless a plain parameter lies in [low, high]."""
    values = np.asarray(getattr(model, name))
    worst = values.min() if values.min() < low else values.max()
    if low <= worst <= high:
        return
    ends = [f"at least {low:g}"] * (low > -math.inf) + [f"at most {high:g}"] * (high < math.inf)
    raise ParameterError(
        f"{type(model).__name__}.{name} must be {' and '.join(ends)}, but holds {worst:g}"
        f"{f': {why}' if why else '.'}",
        parameter=name,
    )


def in_unit(model: Node, name: str, unit: Any, why: str) -> None:
    """Put a parameter of any unit into ``unit``, or raise UnitError; zero needs no unit."""
    value = getattr(model, name)
    if isinstance(value, u.Quantity) or np.any(value != 0):
        value = strip(value, unit, f"{type(model).__name__}.{name}", why)
    model.__dict__[name] = attach(value, unit)


def one_of(unit: Any, where: str) -> Any:
    """1 in a unit that is given as one, or as 1 of it."""
    if isinstance(unit, u.Unit):
        return 1.0 if unit == ONE else u.Quantity(1.0, unit=unit)
    plain = magnitude(unit)
    if not isinstance(plain, (int, float, np.ndarray)) or np.ndim(plain) or plain != 1:
        raise ParameterError(
            f"{where} must be a unit, as in unit=u.mV, but is {brief(unit)}. To scale a signal "
            "give the edge a gain.",
            parameter="unit",
        )
    return unit
