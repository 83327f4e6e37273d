"""What is wrong with a model or an edge, found where the user typed it, by tracing it once."""

from __future__ import annotations

from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp

from braingraph import evaluate
from braingraph.component import Component, Coupling, Node
from braingraph.errors import PortError, UnitError
from braingraph.units import ONE, Unit, attach, show, unit_of


def check_node(graph: Any, model: Node, name: str) -> None:
    """Trace every function of a model: exactly its states, the right units and shapes."""
    key = (*kind(model), model.in_size)
    if key in graph._checked:  # measured: a trace costs 5 ms, a lookup 20 us
        return
    model = abstract(model).with_values(_path=name)
    states = {k: _value(model.size) for k in model._states}
    inputs = {k: _value(model.size) for k in (*model._inputs, *model._normals)}

    def everything(states: dict[str, Any], inputs: dict[str, Any], t: Any, n: Any) -> None:
        clock = evaluate.Clock(t, 0.1, n)
        if model._update_rule is not None:
            evaluate.update(model, states, inputs, clock)
        elif model._states:
            evaluate.derivative(model, states, inputs, clock)
        for output in model._outputs:
            evaluate.output(model, output, states, inputs, clock)

    jax.eval_shape(everything, states, inputs, _value(), jax.ShapeDtypeStruct((), jnp.int32))
    graph._checked.add(key)


def check_edge(graph: Any, edge: Any) -> None:
    """Trace a coupling once per kind of edge: units, and whether it needs the target's state."""
    source, out = graph.resolve(edge.source)
    target, into = graph.resolve(edge.target)
    coupling: Coupling = edge.coupling
    key = (kind(coupling), type(source), out.name, out.unit(source), type(target), into.name)
    if key in graph._checked:  # measured: 2 ms per edge without, so it is done per kind
        return
    where = f"the edge {edge.source} -> {edge.target}"
    paired = pair(target, into.name)

    def deliver(x: Any, values: dict[str, Any], w: Any) -> Any:
        y = values.get("y")
        channels, units = evaluate.message(coupling, x, out.unit(source))
        y_unit = target._states[paired].unit(target) if paired else out.unit(source)
        y = attach(y, y_unit)
        return evaluate.delivered(coupling, channels, units, y, w, into.unit(target), where)

    one = jnp.ones(1)
    try:
        needs = evaluate.depends_on(lambda v: deliver(one, v, one), {"y": one})
    except evaluate.DeliveredUnitError as error:
        given, needed = error.fields["given"], error.fields["needed"]
        raise UnitError(
            f"{where} carries {show(given)} out of {type(coupling).__name__}, but {edge.target} "
            f"takes {show(needed)}. Give the coupling a gain in {_ratio(needed, given)}.",
            source=edge.source,
            target=edge.target,
            given=given,
            needed=needed,
        ) from None
    except UnitError as error:
        raise UnitError(
            f"{where}: {error}", **{**error.fields, "source": edge.source, "target": edge.target}
        ) from None
    except u.UnitMismatchError as error:
        raise UnitError(
            f"{where}: the units inside {type(coupling).__name__} do not fit: "
            f"{' '.join(str(error).split())}",
            source=edge.source,
            target=edge.target,
        ) from None
    if needs and paired is None:
        raise PortError(
            f"{type(coupling).__name__} compares its source with a state of the target, but "
            f"{edge.target} is paired with none: declare it as Input(state=...).",
            path=edge.target,
        )
    graph._checked.add(key)


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


def _value(*shape: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, jnp.result_type(float))


def _ratio(needed: Unit, given: Unit) -> str:
    """``[1 / mV]``, put together from names: brainunit prints derived units unreadably."""
    if given == ONE:
        return show(needed)
    below = f"({given})" if " " in str(given) else str(given)
    return f"[{'1' if needed == ONE else needed} / {below}]"
