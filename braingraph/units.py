"""Between brainunit quantities (outside, and inside models) and plain arrays (on wires)."""

from __future__ import annotations

from typing import Any, TypeAlias

import brainunit as u
import numpy as np

from braingraph.errors import ParameterError, UnitError

Unit: TypeAlias = u.Unit
Quantity: TypeAlias = u.Quantity
ONE: Unit = u.UNITLESS
#: brainunit's names of units that print as one letter.
_WORDS = {
    **{"s": "second", "m": "meter", "A": "amp", "V": "volt", "S": "siemens", "T": "tesla"},
    **{"uV": "uvolt", "pT": "ptesla", "fT": "ftesla"},
}
#: Time on wires, in stores and in models without units is in milliseconds.
TIME: Unit = u.ms


def unit_of(value: Any) -> Unit:
    """The unit of a quantity; plain numbers and arrays are dimensionless."""
    if isinstance(value, u.Unit):
        return value
    return u.get_unit(value) if isinstance(value, u.Quantity) else ONE


def magnitude(value: Any) -> Any:
    """The number or array in the value's own unit."""
    return value.mantissa if isinstance(value, u.Quantity) else value


def same_dimension(a: Unit, b: Unit) -> bool:
    return bool(a.has_same_dim(b))


def dimensionless(unit: Unit) -> bool:
    return bool(unit.has_same_dim(ONE))


def show(unit: Unit) -> str:
    """``[mV]``, ``[1]``, ``[mV / ms]``."""
    return "[1]" if unit == ONE else f"[{unit}]"


def as_code(unit: Unit) -> str | None:
    """What to write after a number: ``" * u.mV / u.ms"``; None where brainunit has no name."""
    above, _, below = str(unit).partition(" / ")
    pieces = []
    for sign, names in (("*", above), ("/", below.strip("()"))):
        for name in names.split(" * ") if names else ():
            base, _, power = name.partition("^")
            base = _WORDS.get(base, base)
            if base == "1":
                continue
            if not hasattr(u, base):
                return None
            pieces.append(f" {sign} u.{base}" + (f"**{power}" if power else ""))
    return "".join(pieces)


def unit_named(text: str) -> Unit | None:
    """The unit that is written so, as in ``"mV / ms"``; None where brainunit has no such name."""
    above, _, below = text.partition(" / ")
    unit = ONE
    for sign, names in ((1, above), (-1, below.strip("()"))):
        for name in names.split(" * ") if names else ():
            base, _, power = name.partition("^")
            if base == "1":
                continue
            found = getattr(u, _WORDS.get(base, base), None)
            if not isinstance(found, u.Unit) or not power.strip("-").isdecimal() and power:
                return None
            unit = unit * found ** (sign * int(power or 1))
    return unit


def strip(value: Any, unit: Unit, what: str, fix: str = "") -> Any:
    """The plain array of ``value`` in ``unit``; UnitError when the dimensions differ."""
    given = unit_of(value)
    if not same_dimension(given, unit):
        raise UnitError(
            f"{what} is in {show(given)}, but must be in {show(unit)}{': ' + fix if fix else '.'}",
            given=given,
            needed=unit,
        )
    return value.to_decimal(unit) if isinstance(value, u.Quantity) else value


def attach(value: Any, unit: Unit) -> Any:
    """A quantity for use inside a model; dimensionless signals stay plain arrays."""
    return value if unit == ONE else Quantity(value, unit=unit)


def milliseconds(value: Any, what: str, fix: str = "") -> float:
    """One time as a float in ms. Plain numbers are refused: time always carries a unit."""
    given = unit_of(value)
    if not same_dimension(given, TIME):
        number = f"{value:g}" if isinstance(value, (int, float)) else "0.1"
        raise UnitError(
            f"{what} is {brief(value)} in {show(given)}, but must be a time"
            f"{': ' + fix if fix else f', as in {number} * u.ms.'}",
            given=given,
            needed=TIME,
        )
    plain = np.asarray(value.to_decimal(TIME))
    if plain.ndim or not np.isfinite(plain):
        raise ParameterError(
            f"{what} must be one finite time, as in 0.1 * u.ms, but is {brief(value)}.",
            parameter=what,
        )
    return float(plain)


def show_time(ms: float) -> str:
    """A time for people: ``0.1 ms``, ``10 ms``, ``0.72 s``, ``5 min``."""
    if ms >= 60_000 and ms % 6_000 == 0:
        return f"{ms / 60_000:g} min"
    return f"{ms / 1000:g} s" if ms >= 500 else f"{ms:g} ms"


def mismatch(error: Exception) -> str:
    """What brainunit says of units that do not fit, without the values: ``mV != 1``."""
    text = " ".join(str(error).split())
    return text.rpartition("do not match: ")[2].rstrip(".") or text


def brief(value: Any) -> str:
    """A value as a message quotes it: arrays by their shape, the rest in at most 60 characters."""
    plain = value.mantissa if isinstance(value, u.Quantity) else value
    if np.ndim(plain) if hasattr(plain, "dtype") else False:
        text = f"an array of shape {np.shape(plain)}"
    elif isinstance(value, u.Quantity):
        text = f"{float(plain):g} {show(unit_of(value))}"
    else:
        text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
