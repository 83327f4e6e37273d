"""Calling a model's functions: plain arrays in, quantities inside, plain arrays out.

The one place where units are attached to what stands on wires and taken off what comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import brainunit as u
import jax
import jax.extend
import jax.numpy as jnp

from braingraph.component import Coupling, Node, Output, Signals
from braingraph.errors import GraphError, ModelError, UnitError, did_you_mean
from braingraph.units import (
    ONE,
    TIME,
    Unit,
    attach,
    dimensionless,
    mismatch,
    same_dimension,
    show,
    unit_of,
)

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Clock:
    """When a function is called: time and step length in ms, the step's number, where in it."""

    t: Any
    dt: Any
    n: Any
    stage: float = 0.0  # 0 to 1: t = (n + stage) dt, which float32 forgets in a long run


def state_signals(model: Node, states: Values) -> Signals:
    """The states with their units, as a model's functions see them."""
    return Signals({k: attach(v, model._states[k].unit(model)) for k, v in states.items()})


def input_signals(model: Node, inputs: Values, clock: Clock) -> Signals:
    """The inputs and standard normals with their units, and the clock."""
    declared = model.signals()
    named = {k: attach(v, declared[k].unit(model)) for k, v in inputs.items()}
    named |= {"t": attach(clock.t, TIME), "dt": attach(clock.dt, TIME), "n": clock.n}
    named["stage"] = clock.stage
    return Signals(named)


def derivative(model: Node, states: Values, inputs: Values, clock: Clock) -> dict[str, Any]:
    """d(state)/dt in [state unit] / ms, each of its state's shape."""
    out = _call(
        model, model.derivative, state_signals(model, states), input_signals(model, inputs, clock)
    )
    return _states(model, out, "derivative", states, per=TIME)


def update(model: Node, states: Values, inputs: Values, clock: Clock) -> dict[str, Any]:
    """The states one step on, by the model's own rule."""
    assert model._update_rule is not None
    s, i = state_signals(model, states), input_signals(model, inputs, clock)
    out = _call(model, model._update_rule.__get__(model), s, i, i.dt)
    return _states(model, out, "update", states, per=None)


def output(model: Node, name: str, states: Values, inputs: Values, clock: Clock) -> Any:
    """One output in its unit, of shape ``(unit,)`` (or its own size)."""
    declared = model._outputs[name]
    assert isinstance(declared, Output) and declared.function is not None
    s, i = state_signals(model, states), input_signals(model, inputs, clock)
    value = _call(model, declared.function.__get__(model), s, i)
    plain = _plain(value, declared.unit(model), f"output '{name}'", model)
    size = model.signal_size(name)
    if jnp.shape(plain) not in ((), (1,), (size,)):
        raise ModelError(
            f"{_name(model)}: the output '{name}' has shape {jnp.shape(plain)}, but must have "
            f"{(size,)}.",
            path=model.path,
        )
    return jnp.broadcast_to(plain, (size,))


def summed(coupling: Coupling, sums: tuple[Any, ...], units: tuple[Unit, ...]) -> Any:
    """What ``post`` gets first: channels with their units, and that of the weights in them."""
    conn = ONE if coupling.pairwise else unit_of(coupling.conn)
    s = tuple(attach(c, conn * q) for c, q in zip(sums, units, strict=True))
    return s if len(s) > 1 else s[0]


class DeliveredUnitError(UnitError):
    """A coupling's result does not have the target's unit."""


def message(coupling: Coupling, x: Any, unit: Unit) -> tuple[tuple[Any, ...], tuple[Unit, ...]]:
    """``pre`` of a source: its channels as plain arrays, and their units."""
    out = coupling.pre(attach(x, unit))
    channels = out if isinstance(out, tuple) else (out,)
    units = tuple(unit_of(c) for c in channels)
    plain = (
        c.to_decimal(q) if isinstance(c, u.Quantity) else c
        for c, q in zip(channels, units, strict=True)
    )
    return tuple(plain), units


def delivered(
    coupling: Coupling,
    sums: tuple[Any, ...],
    units: tuple[Unit, ...],
    y: Any,
    w: Any,
    into: Unit,
    where: str,
) -> Any:
    """``post`` of the summed channels, plain, in the target's unit."""
    value = coupling.post(summed(coupling, sums, units), y, attach(w, unit_of(coupling.conn)))
    if not same_dimension(unit_of(value), into):
        raise DeliveredUnitError(
            f"{where} carries {show(unit_of(value))} out of {type(coupling).__name__}, but its "
            f"target takes {show(into)}: give the coupling a gain that turns one into the other.",
            given=unit_of(value),
            needed=into,
        )
    return value.to_decimal(into) if isinstance(value, u.Quantity) else value


def depends_on(function: Callable[..., Any], *arguments: Mapping[str, Any]) -> set[tuple[int, str]]:
    """Which (argument, key) pairs a function's result needs, read off its jaxpr.

    Conservative across calls inside: an equation's results need all it takes.
    """
    leaves = [(a, k) for a, arg in enumerate(arguments) for k in arg]

    def flat(*values: Any) -> Any:
        rebuilt: list[dict[str, Any]] = [{} for _ in arguments]
        for (a, k), v in zip(leaves, values, strict=True):
            rebuilt[a][k] = v
        return function(*rebuilt)

    jaxpr = jax.make_jaxpr(flat)(*[arguments[a][k] for a, k in leaves]).jaxpr
    needs: dict[Any, frozenset[int]] = {v: frozenset([k]) for k, v in enumerate(jaxpr.invars)}
    for equation in jaxpr.eqns:
        taken = [needs.get(v, frozenset()) for v in equation.invars if _is_variable(v)]
        union = frozenset().union(*taken)
        needs |= {v: union for v in equation.outvars}
    found = [needs.get(v, frozenset()) for v in jaxpr.outvars if _is_variable(v)]
    return {leaves[k] for k in frozenset().union(*found)}


_KEEPS_LINEAR = {
    "broadcast_in_dim",
    "concatenate",
    "convert_element_type",
    "copy",
    "neg",
    "reduce_sum",
    "reshape",
    "slice",
    "squeeze",
    "transpose",
}


def is_linear(function: Callable[..., Any], *arguments: Any) -> bool:
    """Whether a function is linear in all its arguments taken together, read off its jaxpr.

    Conservative: an equation it does not know counts as not linear.
    """
    closed = jax.make_jaxpr(function)(*arguments)
    return all(_degree(closed.jaxpr, [1] * len(closed.jaxpr.invars)))


def _degree(jaxpr: Any, taken: list[int]) -> list[bool]:
    """Propagate 0 (constant), 1 (linear), 2 (anything else) through a jaxpr."""
    degree = dict(zip(jaxpr.invars, taken, strict=True))
    for equation in jaxpr.eqns:
        of = [degree.get(v, 0) if _is_variable(v) else 0 for v in equation.invars]
        name, most = equation.primitive.name, max(of, default=0)
        if most == 0 or (most == 1 and name in _KEEPS_LINEAR):
            result = most
        elif most == 1 and name in ("add", "sub", "add_any"):
            result = 1 if min(of) == 1 else 2
        elif most == 1 and name == "mul":
            result = 1 if min(of) == 0 else 2
        elif most == 1 and name == "div":
            result = 1 if of[1] == 0 else 2
        else:
            result = 2
        degree |= dict.fromkeys(equation.outvars, result)
    return [_is_variable(v) and degree.get(v, 0) == 1 for v in jaxpr.outvars]


def _is_variable(atom: Any) -> bool:
    return not isinstance(atom, jax.extend.core.Literal)


def _call(model: Node, function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except GraphError:
        raise
    except u.UnitMismatchError as error:
        raise UnitError(
            f"{_name(model)}: the units inside do not fit: {mismatch(error)}.", path=model.path
        ) from error


def _states(model: Node, out: Any, role: str, states: Values, per: Unit | None) -> dict[str, Any]:
    if not isinstance(out, Mapping):
        raise ModelError(
            f"{_name(model)}.{role} must return a dict of its states, but returned "
            f"{type(out).__name__}.",
            path=model.path,
        )
    missing, extra = [k for k in model._states if k not in out], [k for k in out if k not in states]
    if missing or extra:
        hint = did_you_mean(extra[0], model._states) if extra else ""
        raise ModelError(
            f"{_name(model)}.{role} must return exactly its states ({', '.join(model._states)}); "
            f"missing: {', '.join(missing) or 'none'}; unknown: "
            f"{', '.join(extra) or 'none'}.{hint}",
            path=model.path,
        )
    plain = {}
    for name in model._states:
        unit = model._states[name].unit(model)
        what = f"{role} of '{name}'"
        if per is not None and not (dimensionless(unit) and dimensionless(unit_of(out[name]))):
            unit = unit / per
        value = _plain(out[name], unit, what, model)
        if jnp.shape(value) not in ((), jnp.shape(states[name])):
            raise ModelError(
                f"{_name(model)}: the {what} has shape {jnp.shape(value)}, but the state has "
                f"{jnp.shape(states[name])}.",
                path=model.path,
            )
        plain[name] = jnp.broadcast_to(value, jnp.shape(states[name]))
    return plain


def _plain(value: Any, unit: Unit, what: str, model: Node) -> Any:
    given = unit_of(value)
    if not same_dimension(given, unit):
        raise UnitError(
            f"{_name(model)}: the {what} is in {show(given)}, but must be in {show(unit)}.",
            path=model.path,
            given=given,
            needed=unit,
        )
    return value.to_decimal(unit) if isinstance(value, u.Quantity) else value


def _name(model: Node) -> str:
    return f"'{model.path}' ({type(model).__name__})" if model.path else type(model).__name__
