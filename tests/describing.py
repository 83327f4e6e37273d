"""Graphs to describe, and what must come back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import brainunit as u
import jax.numpy as jnp
import numpy as np
from scipy import sparse

import braingraph as bg
from braingraph import edges, nodes, observers
from braingraph.component import Node
from braingraph.describe import Description, describe, digest, rebuild
from braingraph.fingerprint import fingerprint

MANY = 40


def through_json(description: Description) -> Description:
    """What another program would read: plain JSON, and the arrays."""
    written = json.dumps(description.json, allow_nan=False)
    return Description(json.loads(written), dict(description.arrays))


def back(graph: bg.Graph, **given: Any) -> bg.Graph:
    """The graph after a round trip, once it is the same in every way."""
    description = describe(graph)
    again = rebuild(through_json(description), given)
    assert fingerprint(again) == fingerprint(graph)
    assert digest(describe(again)) == digest(description)
    return again


def alone(model: Any, **options: Any) -> bg.Graph:
    g = bg.Graph()
    g.add_node("a", model, **options)
    return g


# ---------------------------------------------------------------- functions and values of users
def sine(t: Any) -> Any:
    return 2 * u.nA * u.math.sin(0.06 * t / u.ms)


def halved(x: Any, *more: Any, k: Any = 2.0) -> Any:
    return x / k


def difference(x: Any, y: Any) -> Any:
    return jnp.tanh(x - y)


def shaped(weights: Any, t: Any) -> Any:
    return jnp.asarray(weights) * u.math.sin(0.06 * t / u.ms)


class Pair(NamedTuple):
    low: float
    high: float


@dataclass(frozen=True)
class Ramp:
    """Initial values of the user's own."""

    slope: float = 0.5
    where: tuple[float, ...] = ()

    def __call__(self, shape: tuple[int, ...]) -> Any:
        return self.slope * np.arange(float(shape[0]))


class Chosen(Node):
    """Takes parameters of every kind."""

    a: float = 1.0
    mode: Any = bg.parameter(("fast", 1.5, None))
    f: Any = bg.parameter(None)
    w: Any = bg.parameter(None, free=True, any_unit=True)
    values: Any = bg.parameter(None, free=True)  # named as a form of a description is
    array: str = "text"

    x = bg.State(0.1)

    def derivative(self, s: Any, i: Any) -> Mapping[str, Any]:
        return {"x": -self.a * s.x}


# ---------------------------------------------------------------- a graph of everything
WEIGHTS = np.random.default_rng(2).random((MANY, MANY)) * (1 - np.eye(MANY))
FEW = sparse.random_array((MANY, MANY), density=0.1, rng=np.random.default_rng(3))


def column() -> bg.Graph:
    g = bg.Graph()
    e = g.add_node("e", nodes.WilsonCowanStep(2, tau_E=[8.0, 9.0] * u.ms), labels=("a", "b"))
    g.add_edge(e.rE, e.rI_inp, edges.AdditiveCoupling(k=0.1), delay=0.35 * u.ms)
    return g


def whole() -> bg.Graph:
    """Nested, sparse, labelled, delayed; a clock of its own; parallel and named edges."""
    g = bg.Graph()
    names = [f"région {k}" for k in range(MANY)]
    cortex = g.add_node("cortex", nodes.HopfStep(MANY, a=-0.02, init_x=0.3), labels=names)
    g.add_node("left", column())
    g.add_node("right", column())
    g.add_node("net", nodes.JansenRitTR(2, sc=np.ones((2, 2)), delay=3 * u.ms))
    bold = g.add_node("bold", observers.BOLDSignal(MANY))
    noise = g.add_node("noise", nodes.WhiteNoise(MANY, sigma=0.02))
    g.add_edge(
        cortex.x,
        cortex.x_inp,
        edges.DiffusiveCoupling(conn=WEIGHTS, k=np.linspace(0.1, 0.2, MANY)),
        delay=WEIGHTS * 3 * u.ms,
        name="long",
    )
    g.add_edge(cortex.x, cortex.x_inp, edges.AdditiveCoupling(conn=FEW, k=0.1), delay=FEW * u.ms)
    g.add_edge(cortex.x, cortex.x_inp, delay=0.25 * u.ms, interpolation="nearest")
    g.add_edge(cortex.y, cortex.y_inp, edges.AdditiveCoupling(conn=0.001))
    g.add_edge(noise, cortex.x_inp)
    g.add_edge(cortex.x, bold.z)
    g.add_edge("left.e.rE", "right.e.rE_inp", edges.AdditiveCoupling(conn=[[0.1, 0.2], [0.3, 0.4]]))
    return g
