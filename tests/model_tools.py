"""What the tests of models share: plain numbers into a model's functions, and out again."""

from collections.abc import Callable, Mapping
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from braingraph import nodes
from braingraph.component import Node, Signals
from braingraph.units import ONE, attach, strip

Array = np.ndarray[Any, np.dtype[Any]]
Field = Callable[[Any], Any]
MS = 1.0 * u.ms
WC_UNIT = {"tau_E": MS, "tau_I": MS}
VOLTAGES = {"v_rest": -65 * u.mV, "v_th": -50 * u.mV}


def signals(model: Node, values: Mapping[str, Any], declared: Mapping[str, Any]) -> Signals:
    return Signals({k: attach(jnp.asarray(values[k]), declared[k].unit(model)) for k in declared})


def field(model: Node, **inputs: Any) -> Field:
    """The derivative as a function of stacked plain states, in [state unit] / ms."""
    given = {k: inputs.pop(k, 0.0) for k in model._inputs}
    assert not inputs, f"{model} has no inputs {list(inputs)}"

    def f(x: Any) -> Any:
        states = dict(zip(model._states, x, strict=True))
        out = model.derivative(
            signals(model, states, model._states), signals(model, given, model._inputs)
        )
        assert set(out) == set(model._states)
        units = {k: state.unit(model) for k, state in model._states.items()}
        return jnp.stack(
            [
                strip(out[k], unit / u.ms, k) if isinstance(out[k], u.Quantity) else out[k]
                for k, unit in units.items()
            ]
        )

    return f


def output(model: Node, name: str, x: Any, unit: Any = ONE, **inputs: Any) -> Any:
    """One output at stacked plain states, plain in ``unit``."""
    given = {k: inputs.get(k, 0.0) for k in model._inputs}
    states = dict(zip(model._states, x, strict=True))
    function = model._outputs[name].function
    assert function is not None
    value = function(
        model, signals(model, states, model._states), signals(model, given, model._inputs)
    )
    return np.asarray(strip(value, unit, name))


def eigenvalues(f: Field, x: Any) -> Array:
    """Of the Jacobian at x, rightmost first."""
    values = np.linalg.eigvals(np.asarray(jax.jacfwd(f)(jnp.asarray(x, float))))
    return values[np.lexsort((-values.imag, -values.real))]


def newton(f: Field, x: Any, steps: int = 6) -> Array:
    """The fixed point next to x."""
    x = jnp.asarray(x, float)
    for _ in range(steps):
        x = x - jnp.linalg.solve(jax.jacfwd(f)(x), f(x))
    return np.asarray(x)


def rk4(f: Field, x: Any, dt: float, steps: int) -> Array:
    """The trajectory (step, state), the start left out."""

    def step(x: Any, _: Any) -> tuple[Any, Any]:
        a = f(x)
        b = f(x + dt / 2 * a)
        c = f(x + dt / 2 * b)
        x = x + dt / 6 * (a + 2 * b + 2 * c + f(x + dt * c))
        return x, x

    start = jnp.asarray(x, float)
    return np.asarray(jax.jit(lambda x: jax.lax.scan(step, x, None, length=steps)[1])(start))


def period(signal: Array, dt: float) -> float:
    """Mean time between upward crossings of the middle of the range."""
    y = signal - (signal.max() + signal.min()) / 2
    k = np.flatnonzero((y[:-1] < 0) & (y[1:] >= 0))
    assert len(k) > 2, "no oscillation"
    times = (k - y[k] / (y[k + 1] - y[k])) * dt
    return float(np.diff(times).mean())


def coupled(model: nodes.KuramotoNetwork, theta: Any, external: float = 0.0) -> Any:
    """The derivative of the phases, coupling inside included, per ms."""
    (edge,) = model.internal_edges()
    conn = np.broadcast_to(edge.coupling.conn, (model.size, model.size))
    sums = tuple(conn @ channel for channel in edge.coupling.pre(theta))
    inside = edge.coupling.post(sums, theta, conn.sum(1))
    return field(model, theta_inp=inside + external)(theta[None])[0]
