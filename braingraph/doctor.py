"""What is wrong with a model or an edge, found where the user typed it, by tracing it once."""

from __future__ import annotations

from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp

from braingraph import evaluate
from braingraph.component import Component, Coupling, Node
from braingraph.errors import ModelError, PortError, ShapeError, UnitError
from braingraph.units import ONE, Unit, as_code, attach, mismatch, show, unit_of


def check_node(graph: Any, model: Node, name: str) -> None:
    """Trace every function of a model: exactly its states, the right units and shapes."""
    key = (*kind(model), model.in_size)
    if key in graph._checked:  # measured: a trace costs 5 ms, a lookup 20 us
        return
    model = abstract(model).with_values(_path=name)
    states = {k: _value(model.signal_size(k)) for k in model._states}
    inputs = {k: _value(model.signal_size(k)) for k in (*model._inputs, *model._normals)}

    def everything(states: dict[str, Any], inputs: dict[str, Any], t: Any, n: Any) -> None:
        clock = evaluate.Clock(t, 0.1, n)
        if model._update_rule is not None:
            evaluate.update(model, states, inputs, clock)
        elif model._states:
            evaluate.derivative(model, states, inputs, clock)
        for output in model._outputs:
            evaluate.output(model, output, states, inputs, clock)

    step = jax.ShapeDtypeStruct((), jnp.int32)  # type: ignore[no-untyped-call]
    try:
        jax.eval_shape(everything, states, inputs, _value(), step)
    except jax.errors.JAXTypeError as error:
        raise ModelError(
            f"'{name}' ({type(model).__name__}): its functions are traced, so they cannot branch "
            "on values or hand them to NumPy: use jnp.where(condition, a, b) and jax.numpy. "
            f"({str(error).splitlines()[0]})",
            path=name,
        ) from error
    except ModelError as error:
        if "path" in error.fields:
            raise
        title = f"'{name}' ({type(model).__name__})"
        raise ModelError(f"{title}: {error}", path=name, **error.fields) from None
    graph._checked.add(key)


def check_edge(graph: Any, edge: Any) -> None:
    """Trace a coupling once per kind of edge: units, and whether it needs the target's state."""
    source, out = graph.resolve(edge.source)
    target, into = graph.resolve(edge.target)
    coupling: Coupling = edge.coupling
    _check_sent(edge, out.unit(source))
    paired = pair(target, into.name)
    y_unit = target._states[paired].unit(target) if paired else out.unit(source)
    key = (kind(coupling), out.unit(source), type(target), into.name, into.unit(target), y_unit)
    if key in graph._checked:  # measured: 2 ms per edge without, so it is done per kind
        return
    where = f"the edge {edge.where}"

    def deliver(x: Any, values: dict[str, Any], w: Any) -> Any:
        y = attach(values.get("y"), y_unit)
        channels, units = evaluate.message(coupling, x, out.unit(source))
        return evaluate.delivered(coupling, channels, units, y, w, into.unit(target), where)

    one = jnp.ones(1)
    try:
        needs = evaluate.depends_on(lambda v: deliver(one, v, one), {"y": one})
    except evaluate.DeliveredUnitError as error:
        given, needed = error.fields["given"], error.fields["needed"]
        raise UnitError(
            f"{where} carries {show(given)} out of {type(coupling).__name__}, but {edge.target} "
            f"takes {show(needed)}. {_gain(coupling, needed, given)}",
            **edge.ends,
            given=given,
            needed=needed,
        ) from None
    except UnitError as error:
        raise UnitError(f"{where}: {error}", **{**error.fields, **edge.ends}) from None
    except u.UnitMismatchError as error:
        raise UnitError(
            f"{where}: the units inside {type(coupling).__name__} do not fit: {mismatch(error)}.",
            **edge.ends,
        ) from None
    if needs and paired is None:
        raise PortError(
            f"{type(coupling).__name__} compares its source with a state of the target, but "
            f"{edge.target} is paired with none: declare it as Input(state=...).",
            path=edge.target,
        )
    graph._checked.add(key)


def _check_sent(edge: Any, unit: Unit) -> None:
    """What acts on the source, before the sum, cannot differ between targets."""
    coupling = edge.coupling
    many = [k for k, v in coupling.arrays().items() if k != "conn" and v.ndim and v.size > 1]
    for name in many:
        if name in used_by_pre(coupling, unit):
            raise ShapeError(
                f"{name} of {edge.where} acts on the source, before the sum, so it must be one "
                f"number, but has shape {coupling.arrays()[name].shape}.",
                given=coupling.arrays()[name].shape,
                needed=(),
                **edge.ends,
            )


def used_by_pre(coupling: Coupling, unit: Unit) -> frozenset[str]:
    """The parameters that ``pre`` reads, off its jaxpr."""
    arrays = {k: v for k, v in coupling.arrays().items() if k != "conn"}
    plain = {k: jnp.asarray(u.get_magnitude(v), float) for k, v in arrays.items()}

    def sent(values: dict[str, Any]) -> Any:
        filled = {k: attach(v, unit_of(arrays[k])) for k, v in values.items()}
        return evaluate.message(coupling.with_values(**filled), jnp.ones(1), unit)[0]

    return frozenset(k for _, k in evaluate.depends_on(sent, plain)) if plain else frozenset()


def pair(target: Node, port: str) -> str | None:
    """The state an input is paired with: as declared, or the one it is named for."""
    declared = target._inputs[port].state
    if declared is not None:
        return declared
    stem = port.removesuffix("_inp")
    return stem if stem in target._states else None


def kind(component: Component) -> tuple[Any, ...]:
    """Type, static fields and units: what decides the program of a component."""
    units = tuple((k, unit_of(v)) for k, v in component.arrays().items())
    return (type(component), tuple(component.static().items()), units)


def abstract(model: Node) -> Node:
    """The model with one plain value a unit in every parameter, its units flattened."""
    values = {}
    for name, value in model.arrays().items():
        unit = unit_of(value)
        plain = jnp.asarray(value.to_decimal(unit) if hasattr(value, "to_decimal") else value)
        if not model._specs[name].free:
            plain = jnp.broadcast_to(plain, model.in_size).reshape(-1)
        values[name] = attach(plain, unit)
    return model.with_values(in_size=(model.size,), **values)


def _value(*shape: int) -> Any:
    return jax.ShapeDtypeStruct(shape, jnp.result_type(float))  # type: ignore[no-untyped-call]


def _gain(coupling: Coupling, needed: Unit, given: Unit) -> str:
    """``Give the coupling a gain in [Hz / mV], as in k=1.0 * u.Hz / u.mV.``"""
    # Put together from names: brainunit prints derived units unreadably.
    below = f"({given})" if " " in str(given) else str(given)
    unit = show(needed) if given == ONE else f"[{'1' if needed == ONE else needed} / {below}]"
    above, under = as_code(needed), as_code(given)
    code = ""
    if above is not None and under is not None and under.count("u.") <= 1:
        turned = under.replace("* u.", "/ u.") if "* u." in under else under.replace("/ u.", "* u.")
        code = f"k=1.0{above}{turned}"
    if type(coupling) is Coupling:
        return f"Give it a gain in {unit}, as in edges.AdditiveCoupling({code or 'k=...'})."
    if "k" not in coupling._specs:
        return f"Give its parameters units that make this {show(needed)}."
    if unit_of(coupling.arrays()["k"]) != ONE:
        return f"Multiply its gain k by a number in {unit}."
    return f"Give the coupling a gain in {unit}{f', as in {code}' if code else ''}."
