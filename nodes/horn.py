"""Harmonic oscillator recurrent networks: the oscillator, a layer, a network of layers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import brainunit as u
import numpy as np

from braingraph.component import (
    Coupling,
    Input,
    InternalEdge,
    Node,
    Output,
    State,
    parameter,
)
from braingraph.edges.additive import AdditiveCoupling
from braingraph.errors import ParameterError
from braingraph.graph import Graph
from braingraph.nodes.recurrent import RecurrentNode
from braingraph.nodes.relay import Relay
from braingraph.units import Quantity

CATEGORY = "phenomenological"


class HORNStep(Node):
    """Damped harmonic oscillators, driven through a tanh.

    ::

        x'' + 2 gamma x' + omega^2 x = alpha tanh(inp + v x)        per ms^2

    stepped by the symplectic Euler method of the paper, with h = dt / (1 ms) and y = x'::

        y <- y + h (alpha tanh(inp + v x) - omega^2 x - 2 gamma y)
        x <- x + h y

    of which the second takes the new y. The integrator of the simulation does not matter.

    Parameters
    ----------
    alpha : 1 / ms^2, default 0.04
        Excitability.
    omega : rad / ms, default 2 pi / 28
        Natural frequency.
    gamma : 1 / ms, default 0.01
        Damping.
    v : 1, default 0.0
        Feedback of the own position.

    States, dimensionless, shape ``(unit,)``, start at 0: ``x`` (position) and ``y`` (velocity, per
    ms). Input ``inp``, dimensionless: everything inside the tanh but v x. Output ``out``: the
    position at the end of the step, for nodes that go on with it within the step, as the next
    layer does; record ``x``.

    Source: Effenberger, Carvalho, Dubinin & Singer 2025, PNAS 122:e2412830122, where h = 1. This
    is the network of one unit; more of them are :class:`HORNSeqLayer`.

    >>> import brainunit as u
    >>> import braingraph as bg
    >>> from braingraph import nodes
    >>> sim = bg.Simulator(nodes.HORNStep(1, alpha=0.3, gamma=0.0), dt=0.1 * u.ms)
    >>> ds = sim.run(140 * u.ms, inputs={"inp": lambda t: u.math.where(t < 1 * u.ms, 1.0, 0.0)})
    >>> x = ds.x.values[:, 0]
    >>> print(((x[:-1] < 0) & (x[1:] >= 0)).sum(), "periods of 28 ms begin")
    4 periods of 28 ms begin
    """

    alpha: float = 0.04
    omega: float = 2 * math.pi / 28
    gamma: float = 0.01
    v: float = 0.0

    x = State(0.0)
    y = State(0.0)
    inp = Input(state="x")

    def drive(self, s: Any, i: Any) -> Any:
        """The argument of the tanh."""
        return i.inp + self.v * s.x

    def advance(self, s: Any, i: Any) -> tuple[Any, Any]:
        """Position and velocity at the end of the step."""
        h = i.dt.to_decimal(u.ms)
        force = self.alpha * u.math.tanh(self.drive(s, i)) - self.omega * self.omega * s.x
        y = s.y + h * (force - 2.0 * self.gamma * s.y)
        return s.x + h * y, y

    @Output()
    def out(self, s: Any, i: Any) -> Any:
        """The position at the end of the step."""
        return self.advance(s, i)[0]

    def update(self, s: Any, i: Any, dt: Any) -> dict[str, Any]:
        x, y = self.advance(s, i)
        return {"x": x, "y": y}


class HORNRecurrence(Coupling):
    """What the oscillators of a layer hear of themselves.

    ::

        k (sum_j conn_ij y_j + b + v x_i)

    x is the state the target port is paired with.

    Parameters
    ----------
    conn : array (target, source), scalar, or None
        Weights; a scalar is all to all, None one to one.
    k : 1, default 1.0
        Gain.
    b, v : 1, default 0.0
        Bias, and feedback of the own position, one or one per target.

    Source: that of :class:`HORNSeqLayer`.
    """

    k: float = 1.0
    b: float = 0.0
    v: float = 0.0

    def post(self, s: Any, y: Any, w: Any) -> Any:
        return self.k * (s + self.b + self.v * y)


class HORNSeqLayer(HORNStep, RecurrentNode):
    """A layer of n harmonic oscillators that hear one another's velocities.

    ::

        x'' + 2 gamma x' + omega^2 x = alpha tanh(rec + inp)        per ms^2
        rec = (W_hh y(t - delay) + b_hh + v x) / sqrt(n)

    stepped as :class:`HORNStep` is. What the paper calls the input W_ih s + b_ih is an edge that
    ends at ``inp``: ``edges.AdditiveCoupling(conn=W_ih, b=b_ih)``.

    Parameters
    ----------
    alpha, omega, gamma, v : default 0.04, 2 pi / 28, 0.01, 0.0
        Those of :class:`HORNStep`.
    W_hh : array (target, source), default None
        Recurrent weights; None: no connections.
    b_hh : 1, default 0.0
        Recurrent bias.
    delay : time, default None
        Of the recurrent connections: one, or one per connection, (target, source).

    ``W_hh``, ``b_hh`` and ``v`` belong to the edge inside, and are addressed as the node's:
    ``"layer.W_hh"``.

    States ``x`` and ``y``, input ``inp`` and output ``out``: those of :class:`HORNStep`.

    Errors
    ------
    ShapeError
        ``W_hh`` or ``delay`` is not (n, n).

    Source: Effenberger, Carvalho, Dubinin & Singer 2025, PNAS 122:e2412830122. Deviations: the
    input's weights are those of an edge; dt need not be 1 ms.

    >>> import braingraph as bg
    >>> from braingraph import nodes
    >>> g = bg.Graph()
    >>> layer = g.add_node("layer", nodes.HORNSeqLayer(2, W_hh=[[0.0, 1.0], [-1.0, 0.0]]))
    >>> print(g)
    Graph: 1 node (2 units), 1 edge
    └─ layer  HORNSeqLayer x 2  x, y [1]  <- inp: layer.y (HORNRecurrence, 2 weights)
    """

    W_hh: Any = parameter(None, free=True, unit=u.UNITLESS)
    b_hh: float = 0.0
    delay: Quantity | None = parameter(None, free=True, unit=u.ms)

    inside: ClassVar[Mapping[str, str]] = {"conn": "W_hh", "b": "b_hh", "v": "v"}

    def drive(self, s: Any, i: Any) -> Any:
        return i.inp  # v x comes with the rest of the recurrent input

    def recurrence(self) -> InternalEdge:
        coupling = HORNRecurrence(
            conn=0.0 if self.W_hh is None else self.weights("W_hh"),
            k=1 / math.sqrt(self.size),
            b=self.per_target("b_hh"),
            v=self.per_target("v"),
        )
        return InternalEdge("recurrent", "y", "inp", coupling, self.delay, self.inside)


class HORNSeqNetwork(Graph):
    """Layers of harmonic oscillators between an input and a readout.

    ::

        layer_1 hears W_ih s + b_ih, layer_l the positions of layer_(l-1) likewise
        readout = W_ho x_L + b_ho

    A graph: ``input`` (a :class:`Relay`) -> ``layer1`` -> ... -> ``readout`` (a :class:`Relay`),
    with the edges ``to_layer1``, ..., ``to_readout``. Drive it through ``"input.inp"``, one row a
    step, and read ``"readout.out"``. Within a step every layer goes on with what the layer below
    has just reached, as in the paper.

    Parameters
    ----------
    n_input, n_output : int
        Features of a row of the input, and of the readout.
    n_hidden : int or sequence of int
        Oscillators of each layer.
    seed : int, default 0
        Of the weights, which are drawn from a normal distribution of variance 2 / (number of
        sources); biases are 0.
    alpha, omega, gamma, v, delay
        Those of :class:`HORNSeqLayer`, for all layers.

    Signals
    -------
    layer1.x, layer1.y : state, 1, (unit,)
        Positions and velocities of the first layer; those of layer2, ... likewise.
    input.inp : input, 1, (feature,)
        One row a step.
    readout.out : output, 1, (feature,)
        Of the same step.

    Weights stand at ``"to_layer1.conn"``, ``"layer1.W_hh"``, ``"to_readout.conn"``, and so on,
    biases at ``"to_layer1.b"``, ``"layer1.b_hh"``, ``"to_readout.b"``; ``sim.as_function`` makes
    the run a differentiable function of them.

    Errors
    ------
    ParameterError
        ``n_hidden`` names no layer.
    ShapeError
        A number of units is not positive.

    Source: Effenberger, Carvalho, Dubinin & Singer 2025, PNAS 122:e2412830122. Deviation: the
    readout stands at every step, not only at the last.

    >>> import brainunit as u
    >>> import numpy as np
    >>> import braingraph as bg
    >>> from braingraph import nodes
    >>> net = nodes.HORNSeqNetwork(1, [16, 8], 3)
    >>> pulse = np.zeros((20, 1))
    >>> pulse[0] = 1.0
    >>> ds = bg.Simulator(net, dt=1 * u.ms).run(
    ...     20 * u.ms, monitors=["readout.out"], inputs={"input.inp": pulse}
    ... )
    >>> ds["readout.out"].shape
    (20, 3)
    """

    def __init__(
        self,
        n_input: int,
        n_hidden: int | Sequence[int],
        n_output: int,
        *,
        delay: Any = None,
        seed: int = 0,
        **given: Any,
    ) -> None:
        super().__init__()
        hidden = [n_hidden] if isinstance(n_hidden, (int, np.integer)) else list(n_hidden)
        if not hidden:
            raise ParameterError(
                "HORNSeqNetwork: n_hidden names no layer: give the oscillators of each, as in "
                "[32, 16].",
                parameter="n_hidden",
            )
        rng = np.random.default_rng(seed)
        below: Any = self.add_node("input", Relay(n_input))
        for number, n in enumerate(hidden, 1):
            layer = HORNSeqLayer(n, **given)
            layer = layer.replace(W_hh=_drawn(rng, n, n), b_hh=np.zeros(n), delay=delay)
            above = self.add_node(f"layer{number}", layer)
            self._connect(rng, below, "out", above)
            below = above
        self._connect(rng, below, "x", self.add_node("readout", Relay(n_output)))

    def _connect(self, rng: np.random.Generator, below: Any, port: str, above: Any) -> None:
        weights = _drawn(rng, above.size, below.size)
        coupling = AdditiveCoupling(conn=weights, b=np.zeros(above.size))
        source, target = f"{below._path}.{port}", f"{above._path}.inp"
        self.add_edge(source, target, coupling, name=f"to_{above._path}")


def _drawn(rng: np.random.Generator, targets: int, sources: int) -> np.ndarray:
    return rng.normal(0.0, math.sqrt(2 / sources), (targets, sources))
