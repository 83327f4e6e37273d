"""Between brainunit quantities (outside, and inside models) and plain arrays (on wires)."""

from __future__ import annotations

from typing import Any

import brainunit as u
import numpy as np

from braingraph.errors import UnitError

Unit = u.Unit
Quantity = u.Quantity
ONE: Unit = u.UNITLESS
#: Time on wires, in stores and in models without units is in milliseconds.
TIME: Unit = u.ms


def unit_of(value: Any) -> Unit:
    """The unit of a quantity; plain numbers and arrays are dimensionless."""
    if isinstance(value, Unit):
        return value
    return u.get_unit(value) if isinstance(value, Quantity) else ONE


def same_dimension(a: Unit, b: Unit) -> bool:
    return bool(a.has_same_dim(b))


def dimensionless(unit: Unit) -> bool:
    return bool(unit.has_same_dim(ONE))


def show(unit: Unit) -> str:
    """``[mV]``, ``[1]``, ``[mV / ms]``."""
    return "[1]" if unit == ONE else f"[{unit}]"


def strip(value: Any, unit: Unit, what: str, fix: str = "") -> Any:
    """The plain array of ``value`` in ``unit``; UnitError when the dimensions differ."""
    given = unit_of(value)
    if not same_dimension(given, unit):
        raise UnitError(
            f"{what} is in {show(given)}, but must be in {show(unit)}{': ' + fix if fix else '.'}",
            given=given,
            needed=unit,
        )
    return value.to_decimal(unit) if isinstance(value, Quantity) else value


def attach(value: Any, unit: Unit) -> Any:
    """A quantity for use inside a model; dimensionless signals stay plain arrays."""
    return value if unit == ONE else Quantity(value, unit=unit)


def milliseconds(value: Any, what: str, fix: str = "") -> float:
    """A scalar time as a float in ms. Plain numbers are refused: time always carries a unit."""
    given = unit_of(value)
    if not same_dimension(given, TIME):
        raise UnitError(
            f"{what} is {value!r} in {show(given)}, but must be a time"
            f"{': ' + fix if fix else ', as in 0.1 * u.ms.'}",
            given=given,
            needed=TIME,
        )
    return float(np.asarray(value.to_decimal(TIME)))


def show_time(ms: float) -> str:
    """A time for people: ``0.1 ms``, ``10 ms``, ``0.72 s``, ``5 min``."""
    if ms >= 60_000 and ms % 6_000 == 0:
        return f"{ms / 60_000:g} min"
    return f"{ms / 1000:g} s" if ms >= 500 else f"{ms:g} ms"
