"""The FitzHugh-Nagumo family: a cubic fast variable, and a slow linear recovery."""

from __future__ import annotations

from typing import Any

import brainunit as u

from braingraph.component import Input, Node, State, parameter
from braingraph.errors import ModelError
from braingraph.random import Uniform
from braingraph.units import Quantity

CATEGORY = "phenomenological"


class FitzHughNagumoBase(Node):
    """Base of the family: a fast variable and its recovery.

    ::

        v' = f(v, w) + inp                 per ms
        w' = g(v, w) / tau + w_inp         per ms

    Subclasses declare ``flow(self, v, w)``, which returns (f, g).

    Parameters
    ----------
    tau : time, default 12.5 ms
        Time constant of the recovery.

    States ``v``, ``w`` (start at random in [0, 0.05)) and inputs ``inp`` (onto v), ``w_inp``:
    dimensionless, shape ``(unit,)``.

    Errors
    ------
    ParameterError
        ``tau`` is not positive.
    ModelError
        A class without ``flow`` is added to a graph: this base itself, for instance.

    Source: FitzHugh 1961, Biophys J 1:445, as its members state it.
    """

    tau: Quantity = parameter(12.5 * u.ms, positive=True)

    v = State(Uniform(0.0, 0.05))
    w = State(Uniform(0.0, 0.05))
    inp = Input(state="v")
    w_inp = Input()

    def flow(self, v: Any, w: Any) -> tuple[Any, Any]:
        """The right-hand sides without inputs and tau."""
        raise ModelError(
            f"{type(self).__name__} declares no flow(v, w): use one of its subclasses, as "
            "nodes.FitzHughNagumoStep."
        )

    def derivative(self, s: Any, i: Any) -> dict[str, Any]:
        fast, slow = self.flow(s.v, s.w)
        return {"v": (fast + i.inp) / u.ms, "w": slow / self.tau + i.w_inp / u.ms}


class FitzHughNagumoStep(FitzHughNagumoBase):
    """The FitzHugh-Nagumo neuron: excitable at rest, spiking under a constant input.

    ::

        v'     = v - v^3 / 3 - w + inp                  per ms
        tau w' = v + a - b w + tau w_inp

    With the defaults it rests at (-1.1994, -0.6243), and answers a kick of v beyond about 0.56
    with a spike; for inp between 0.331 and 1.419 the rest is unstable, and it spikes for ever (at
    0.5 every 39.5 ms).

    Parameters
    ----------
    a, b : 1, default 0.7, 0.8
        Where and how steeply the recovery's nullcline lies.
    tau : time, default 12.5 ms
        Time constant of the recovery.

    States ``v`` (membrane potential) and ``w`` (recovery), start at random in [0, 0.05); inputs
    ``inp`` (current onto v) and ``w_inp`` (added to w'), per ms: dimensionless, shape ``(unit,)``.

    Errors
    ------
    ParameterError
        ``tau`` is not positive.

    Source: FitzHugh 1961, Biophys J 1:445, eqs. 1-3; Nagumo, Arimoto & Yoshizawa 1962, Proc IRE
    50:2061. Deviations: v = -x, w = y and inp = -z of the paper, whose time is divided by c, so
    that tau = c^2. That is 9 there; 12.5 is the usual value since.

    >>> import brainunit as u
    >>> import braingraph as bg
    >>> from braingraph import nodes
    >>> neuron = nodes.FitzHughNagumoStep(1, tau=12.5 * u.ms, a=0.7, b=0.8)
    >>> ds = bg.Simulator(neuron, dt=0.1 * u.ms).run(400 * u.ms, inputs={"inp": 0.5})
    >>> above = ds.v.values[:, 0] > 1
    >>> print((above[1:] & ~above[:-1]).sum(), "spikes")
    11 spikes
    """

    a: float = 0.7
    b: float = 0.8

    def flow(self, v: Any, w: Any) -> tuple[Any, Any]:
        return v - v * v * v / 3 - w, v + self.a - self.b * w


class FitzHughNagumoCubicStep(FitzHughNagumoBase):
    """The FitzHugh-Nagumo equations with a general cubic, as whole-brain studies use them.

    ::

        v'     = -alpha v^3 + beta v^2 + gamma v - w + inp                  per ms
        tau w' = v - delta - epsilon w + tau w_inp

    With the defaults it rests for small inp, oscillates between 0.726 and 1.332, where its rest is
    unstable (at 1 every 30.5 ms), and rests again beyond.

    Parameters
    ----------
    alpha, beta, gamma : 1 / ms, default 3.0, 4.0, -1.5
        The cubic.
    delta, epsilon : 1, default 0.0, 0.5
        Where and how steeply the recovery's nullcline lies.
    tau : time, default 20 ms
        Time constant of the recovery.

    States ``v`` (activity) and ``w`` (recovery), start at random in [0, 0.05); inputs ``inp``
    (onto v) and ``w_inp`` (added to w'), per ms: dimensionless, shape ``(unit,)``.

    Errors
    ------
    ParameterError
        ``tau`` is not positive.

    Source: Kostova, Ravindran & Schonbek 2004, Int J Bifurcation Chaos 14:913; the cubic's
    coefficients as in neurolib's ``FHNModel``, where v, w and inp are x, y and the external input.

    >>> import brainunit as u
    >>> from braingraph import nodes
    >>> model = nodes.FitzHughNagumoCubicStep(1, init_v=0.3, init_w=0.1)
    >>> state, out = model.update(model.init_state(), inp=0.5, dt=0.1 * u.ms, method="euler")
    >>> print(f"{float(state.v[0]):.4f}")  # 0.3 + 0.1 * 0.229
    0.3229
    """

    alpha: float = 3.0
    beta: float = 4.0
    gamma: float = -1.5
    delta: float = 0.0
    epsilon: float = 0.5
    tau: Quantity = parameter(20.0 * u.ms, positive=True)

    def flow(self, v: Any, w: Any) -> tuple[Any, Any]:
        cubic = v * (self.gamma + v * (self.beta - self.alpha * v))
        return cubic - w, v - self.delta - self.epsilon * w
