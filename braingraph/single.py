"""A node by itself, stepped by hand: pure functions of its state."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp


from braingraph import evaluate, random
from braingraph.component import Node, Signals
from braingraph.doctor import abstract
from braingraph.errors import ParameterError, did_you_mean
from braingraph.integrate import METHODS
from braingraph.units import attach, milliseconds, strip


def init_state(model: Node, batch_size: int | None, seed: int) -> Signals:
    """The initial states: ``in_size``, or ``(batch, *in_size)``, as quantities."""
    dtype = jnp.result_type(float)
    out = {}
    for name, state in model._states.items():
        init, unit = model._inits[name], state.unit(model)
        if hasattr(init, "draw"):
            words = random.path_words(f"{model.path}.{name}")
            drawn = [
                init.draw(model, *random.key(seed, words, r), (model.size,))
                for r in range(batch_size or 1)
            ]
            value = jnp.stack(drawn) if batch_size is not None else drawn[0]
            value = value.reshape(*value.shape[:-1], *model.in_size)
        else:
            plain = init(model.in_size) if callable(init) else init
            value = jnp.asarray(strip(plain, unit, f"init_{name}"), dtype)
            batch = () if batch_size is None else (batch_size,)
            value = jnp.broadcast_to(value, (*batch, *model.in_size))
        out[name] = attach(value.astype(dtype), unit)
    return Signals(out)


def update(
    model: Node, state: Signals, *, dt: Any, method: str = "heun", **inputs: Any
) -> tuple[Signals, Signals]:
    """One step of a node alone; inputs are held over it."""
    if method not in METHODS:
        raise ParameterError(
            f"there is no method {method!r}.{did_you_mean(method, METHODS)}", parameter="method"
        )
    known = {**model._inputs, **model._normals}
    for name in inputs:
        if name not in known:
            raise ParameterError(
                f"{type(model).__name__} has no input {name!r}.{did_you_mean(name, known)} "
                f"It has: {', '.join(known) or 'none'}.",
                parameter=name,
            )
    width = milliseconds(dt, "dt")
    x = {
        k: jnp.asarray(strip(v, model._states[k].unit(model), f"state '{k}'"))
        for k, v in state.items()
    }
    batch = next(iter(x.values())).shape[: -len(model.in_size)] if x else ()
    shape = (*batch, *model.in_size)
    x = {k: v.reshape(*batch, model.size) for k, v in x.items()}
    held = {}
    for name, port in known.items():
        value = inputs.get(name, getattr(port, "default", 0.0))
        plain = jnp.asarray(strip(value, port.unit(model), f"input '{name}'"), jnp.result_type(float))
        held[name] = jnp.broadcast_to(plain, shape).reshape(*batch, model.size)
    alone = abstract(model)
    clock = evaluate.Clock(jnp.zeros(()), width, jnp.int32(0))
    new = _advanced(alone, x, held, clock, method)
    outputs = {}
    for name in model._outputs:
        value = evaluate.output(alone, name, new, held, clock) if not batch else jnp.stack(
            [
                evaluate.output(
                    alone, name, {k: v[b] for k, v in new.items()},
                    {k: v[b] for k, v in held.items()}, clock,
                )
                for b in range(batch[0])
            ]
        )
        outputs[name] = attach(value, model._outputs[name].unit(model))
    states = {
        k: attach(v.reshape(shape), model._states[k].unit(model)) for k, v in new.items()
    }
    return Signals(states), Signals({**states, **outputs})


def _advanced(
    model: Node, x: dict[str, Any], held: dict[str, Any], clock: evaluate.Clock, method: str
) -> dict[str, Any]:
    def bound(values: dict[str, Any]) -> dict[str, Any]:
        limits = {k: model._states[k].bounds for k in values}
        return {k: jnp.clip(v, *(limits[k] or (None, None))) for k, v in values.items()}

    if model._update_rule is not None:
        return bound(evaluate.update(model, x, held, clock))
    if not x:
        return {}
    new: dict[str, Any] = METHODS[method](_Alone(model, held, clock), x, clock.dt, bound)
    return new


class _Alone:
    """The vector field of one node with its inputs held."""

    def __init__(self, model: Node, held: dict[str, Any], clock: evaluate.Clock) -> None:
        self.model, self.held, self.clock = model, held, clock

    def __call__(self, x: dict[str, Any], stage: float) -> dict[str, Any]:
        return evaluate.derivative(self.model, x, self.held, self.clock)

    def with_diagonal(self, x: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        import jax

        def own(name: str) -> Any:
            def one(value: Any) -> Any:
                return self({**x, name: value}, 0.0)[name]

            return jax.jvp(one, (x[name],), (jnp.ones_like(x[name]),))[1]

        return self(x, 0.0), {name: own(name) for name in x}


