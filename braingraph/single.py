"""A node by itself, stepped by hand: pure functions of its state."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp

from braingraph import evaluate, random
from braingraph.component import InternalEdge, Node, Signals
from braingraph.doctor import abstract, pair
from braingraph.errors import ModelError, ParameterError, ShapeError, did_you_mean
from braingraph.integrate import METHODS
from braingraph.paths import ALONE
from braingraph.units import attach, magnitude, milliseconds, strip

Values = dict[str, Any]


def init_state(model: Node, batch_size: int | None, seed: int) -> Signals:
    """The initial states: ``in_size``, or ``(batch, *in_size)``, as quantities."""
    dtype = jnp.result_type(float)
    batch = () if batch_size is None else (batch_size,)
    out = {}
    for name, state in model._states.items():
        init, unit, shape = model._inits[name], state.unit(model), model.signal_shape(name)
        if hasattr(init, "draw"):
            # A simulator of a single node draws for this path.
            words = random.path_words(f"{model.path or ALONE}.{name}")
            drawn = [
                init.draw(model, *random.key(seed, words, r), (math.prod(shape),), unit=unit)
                for r in range(batch_size or 1)
            ]
            value = jnp.stack(drawn).reshape(*batch, *shape)
        else:
            plain = init(shape) if callable(init) else init
            value = jnp.asarray(strip(plain, unit, f"init_{name}"), dtype)
            value = jnp.broadcast_to(value, (*batch, *shape))
        out[name] = attach(value.astype(dtype), unit)
    return Signals(out)


def update(
    model: Node, state: Any = None, *, dt: Any = None, method: str = "heun", **inputs: Any
) -> tuple[Signals, Signals]:
    """One step of a node alone; inputs are held over it."""
    if dt is None or not isinstance(state, Mapping):
        raise ParameterError(
            "update is a pure function of the state: state = model.init_state(), and then "
            "state, out = model.update(state, dt=0.1 * u.ms).",
            parameter="dt" if isinstance(state, Mapping) else "state",
        )
    if method not in METHODS:
        raise ParameterError(
            f"there is no method {method!r}.{did_you_mean(str(method), METHODS)} "
            f"There are: {', '.join(METHODS)}.",
            parameter="method",
        )
    known = {**model._inputs, **model._normals}
    _refuse_unknown(model, "input", inputs, known)
    _refuse_unknown(model, "state", state, model._states)
    missing = [name for name in model._states if name not in state]
    if missing:
        raise ParameterError(
            f"the state of {type(model).__name__} lacks {', '.join(missing)}: begin with "
            "state = model.init_state().",
            parameter=missing[0],
        )
    x = {k: jnp.asarray(strip(state[k], s.unit(model), k)) for k, s in model._states.items()}
    batch = next((v.shape[: v.ndim - len(model.signal_shape(k))] for k, v in x.items()), ())
    x = {k: _flat(model, k, v, batch) for k, v in x.items()}
    held = {}
    for name, port in known.items():
        if name in inputs:
            value = strip(inputs[name], port.unit(model), name)
        else:
            value = magnitude(getattr(port, "default", 0.0))
        held[name] = _flat(model, name, jnp.asarray(value, jnp.result_type(float)), batch)
    function: Any = _Step(abstract(model), milliseconds(dt, "dt"), method)
    for _ in batch:
        function = jax.vmap(function)
    new, outputs = function(x, held)

    def shown(name: str, value: Any) -> Any:
        value = value.reshape(*batch, *model.signal_shape(name))
        return attach(value, model.signals()[name].unit(model))

    states = {k: shown(k, v) for k, v in new.items()}
    return Signals(states), Signals(states | {k: shown(k, v) for k, v in outputs.items()})


def _flat(model: Node, name: str, value: Any, batch: tuple[int, ...]) -> Any:
    """A signal's values side by side, for every replica."""
    shape = model.signal_shape(name)
    try:
        spread = jnp.broadcast_to(value, (*batch, *shape))
    except ValueError:
        raise ShapeError(
            f"{name} has shape {value.shape}, which does not broadcast to the units "
            f"{shape}{f' of {batch} replicas' if batch else ''}.",
            given=value.shape,
            needed=(*batch, *shape),
        ) from None
    return spread.reshape(*batch, math.prod(shape))


def _refuse_unknown(model: Node, kind: str, given: Iterable[str], known: Iterable[str]) -> None:
    known = list(known)
    for name in given:
        if name not in known:
            raise ParameterError(
                f"{type(model).__name__} has no {kind} '{name}'.{did_you_mean(name, known)} "
                f"It has: {', '.join(known) or 'none'}.",
                parameter=name,
            )


@dataclass(frozen=True)
class _Step:
    """One step of a model whose arrays are ``(unit,)``, without replicas."""

    model: Node
    dt: float
    method: str

    def __call__(self, x: Values, held: Values) -> tuple[Values, Values]:
        clock = evaluate.Clock(jnp.zeros(()), self.dt, jnp.int32(0))
        field = _Alone(self.model, held, clock)
        if self.model._update_rule is not None:
            new = self.bound(evaluate.update(self.model, x, field.inputs(x), clock))
        elif x:
            new = METHODS[self.method](field, x, self.dt, self.bound)
        else:
            new = {}
        inputs = field.inputs(new)
        return new, {
            name: evaluate.output(self.model, name, new, inputs, clock)
            for name in self.model._outputs
            if name in self.model.signals()
        }

    def bound(self, values: Values) -> Values:
        limits = {k: self.model._states[k].bounds for k in values}
        return {k: jnp.clip(v, *(limits[k] or (None, None))) for k, v in values.items()}


class _Alone:
    """The vector field of one node with its inputs held."""

    def __init__(self, model: Node, held: Values, clock: evaluate.Clock) -> None:
        self.model, self.held, self.clock = model, held, clock

    def __call__(self, x: Values, stage: float) -> Values:
        return evaluate.derivative(self.model, x, self.inputs(x), self.clock)

    def inputs(self, x: Values) -> Values:
        """What is held, and what the edges inside a composite node bring."""
        out = dict(self.held)
        for edge in self.model.internal_edges():
            out[edge.target] = out[edge.target] + self._delivered(edge, x)
        return out

    def _delivered(self, edge: InternalEdge, x: Values) -> Any:
        model, coupling = self.model, edge.coupling
        if edge.delay is not None or edge.source not in x or coupling.pairwise:
            raise ModelError(
                f"{type(model).__name__} has edges inside that need its past, its outputs, or all "
                "pairs of units: run it in a Simulator.",
                path=model.path,
            )
        signals = model.signals()
        source, target = signals[edge.source], signals[edge.target]
        channels, units = evaluate.message(coupling, x[edge.source], source.unit(model))
        conn = None if coupling.conn is None else jnp.asarray(u.get_magnitude(coupling.conn))
        if conn is None:
            sums, w = channels, jnp.ones(model.size)
        else:
            matrix = jnp.broadcast_to(conn, (model.size, model.size))
            sums, w = tuple(matrix @ c for c in channels), matrix.sum(1)
        paired = pair(model, edge.target)
        y = None if paired is None else attach(x[paired], signals[paired].unit(model))
        where = f"{edge.source} -> {edge.target}"
        return evaluate.delivered(coupling, sums, units, y, w, target.unit(model), where)

    def with_diagonal(self, x: Values) -> tuple[Values, Values]:
        inputs = self.inputs(x)

        def own(name: str) -> Any:
            def one(value: Any) -> Any:
                changed = {**x, name: value}
                return evaluate.derivative(self.model, changed, inputs, self.clock)[name]

            return jax.jvp(one, (x[name],), (jnp.ones_like(x[name]),))[1]

        return self(x, 0.0), {name: own(name) for name in x}
