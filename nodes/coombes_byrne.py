"""Next-generation neural masses: conductance-coupled quadratic integrate-and-fire neurons."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp

from braingraph.component import Input, Node, Output, State, parameter
from braingraph.nodes.transfer import second_order

CATEGORY = "physiological"


class CoombesByrneBase(Node):
    """Base of the models: the mean field of the neurons at a given synaptic conductance.

    ::

        r' = Delta / pi + 2 r v - g r + r_inp
        v' = v^2 + eta - (pi r)^2 + (v_syn - v) g + v_inp        per ms

    Subclasses say what the conductance g is. States ``r`` (starts at 0.1, never below 0), ``v``
    (starts at 0) and inputs ``r_inp``, ``v_inp``: dimensionless, shape ``(unit,)``.
    """

    r = State(0.1, bounds=(0.0, None))
    v = State(0.0)
    r_inp = Input()
    v_inp = Input()

    Delta: float = parameter(1.0, positive=True)
    eta: float = 2.0
    k: float = 1.0
    v_syn: float = -4.0

    @Output()
    def synchrony(self, s: Any, i: Any) -> Any:
        """Kuramoto's order parameter of the neurons' phases: 0 asynchronous, 1 in step."""
        # |1 - W| / |1 + W| with W = pi r + i v
        a, b = math.pi * s.r, s.v
        return jnp.sqrt(((1.0 - a) ** 2 + b**2) / ((1.0 + a) ** 2 + b**2))

    def at_conductance(self, g: Any, s: Any, i: Any) -> dict[str, Any]:
        """The derivatives of r and v at conductance ``g``."""
        return {
            "r": self.Delta / math.pi + 2 * s.r * s.v - g * s.r + i.r_inp,
            "v": s.v**2 + self.eta - (math.pi * s.r) ** 2 + (self.v_syn - s.v) * g + i.v_inp,
        }


class CoombesByrneStep(CoombesByrneBase):
    """The mean field of quadratic integrate-and-fire neurons with fast conductance synapses.

    ::

        r' = Delta / pi + 2 r v - g r + r_inp
        v' = v^2 + eta - (pi r)^2 + (v_syn - v) g + v_inp        per ms
        g  = k pi r

    With k = 0 it is :class:`MontbrioPazoRoxinStep` with J = 0 and tau = 1 ms.

    Parameters
    ----------
    Delta : 1, default 1.0
        Half width of the Lorentzian distribution of excitabilities.
    eta : 1, default 2.0
        Its centre.
    k : 1, default 1.0
        Scale of the synaptic conductance.
    v_syn : 1, default -4.0
        Reversal potential of the synapses: inhibitory where it is below v.

    States, dimensionless, shape ``(unit,)``: ``r``, the rate (starts at 0.1, never below 0), and
    ``v``, the mean potential (starts at 0). Inputs, dimensionless: ``r_inp``, ``v_inp``, added
    to the derivatives.

    Output ``synchrony``, dimensionless: Kuramoto's order parameter of the neurons' phases,
    |(1 - W) / (1 + W)| with W = pi r + i v.

    Errors
    ------
    ParameterError
        ``Delta`` is not positive.

    Source: Coombes & Byrne 2019, in Nonlinear Dynamics in Computational Neuroscience (Springer),
    1-16, with synapses so fast that g follows the rate; right-hand side, defaults and bound as
    TVB's ``CoombesByrne2D``. The order parameter: Montbrio, Pazo & Roxin 2015, Phys Rev X
    5:021028. Deviation: time without unit counts in ms.

    >>> import brainunit as u
    >>> import braingraph as bg
    >>> from braingraph import nodes
    >>> sim = bg.Simulator(nodes.CoombesByrneStep(1), dt=0.05 * u.ms)
    >>> ds = sim.run(20 * u.ms, monitors=["r", "v", "synchrony"])
    >>> print(", ".join(f"{float(ds[k][-1, 0]):.4f}" for k in ds))
    0.1847, -0.5714, 0.4219
    """

    def derivative(self, s: Any, i: Any) -> dict[str, Any]:
        return self.at_conductance(self.k * math.pi * s.r, s, i)


class CoombesByrne4DStep(CoombesByrneBase):
    """The mean field of quadratic integrate-and-fire neurons with second-order synapses.

    ::

        r' = Delta / pi + 2 r v - g r + r_inp
        v' = v^2 + eta - (pi r)^2 + (v_syn - v) g + v_inp        per ms
        g' = alpha q
        q' = alpha (k pi r - g - 2 q)

    At rest, and for alpha to infinity, it is :class:`CoombesByrneStep`. With the defaults it
    oscillates with a period of 2.083 ms; take dt <= 0.01 ms, for the first volley is steep.

    Parameters
    ----------
    Delta : 1, default 0.5
        Half width of the Lorentzian distribution of excitabilities.
    eta : 1, default 20.0
        Its centre.
    k : 1, default 1.0
        Scale of the synaptic conductance.
    v_syn : 1, default -10.0
        Reversal potential of the synapses: inhibitory where it is below v.
    alpha : 1 / ms, default 0.95
        Rate of the synapses: a spike's conductance is alpha^2 t exp(-alpha t).

    States, dimensionless, shape ``(unit,)``: ``r``, the rate (starts at 0.1, never below 0),
    ``v``, the mean potential, ``g``, the conductance, and ``q`` = g' / alpha (start at 0).
    Inputs, dimensionless: ``r_inp``, ``v_inp``, added to the derivatives of r and v.

    Output ``synchrony``, dimensionless: Kuramoto's order parameter of the neurons' phases, as in
    :class:`CoombesByrneStep`.

    Errors
    ------
    ParameterError
        ``Delta`` or ``alpha`` is not positive.

    Source: Coombes & Byrne 2019, in Nonlinear Dynamics in Computational Neuroscience (Springer),
    1-16; Byrne, O'Dea, Forrester, Ross & Coombes 2020, J Neurophysiol 123:726. Right-hand side,
    defaults and bound as TVB's ``CoombesByrne``. Deviation: time without unit counts in ms.

    >>> import brainunit as u
    >>> import braingraph as bg
    >>> from braingraph import nodes
    >>> sim = bg.Simulator(nodes.CoombesByrne4DStep(1), dt=0.01 * u.ms)
    >>> ds = sim.run(80 * u.ms, monitors=["r"], transient=70 * u.ms)  # it oscillates
    >>> print(f"{float(ds.r.min()):.2f} to {float(ds.r.max()):.2f}")
    0.21 to 1.44
    """

    Delta = 0.5
    eta = 20.0
    v_syn = -10.0
    alpha: float = parameter(0.95, positive=True)

    g = State(0.0)
    q = State(0.0)

    def derivative(self, s: Any, i: Any) -> dict[str, Any]:
        velocity = self.alpha * s.q
        bent = second_order(self.k * math.pi * s.r, self.alpha, s.g, velocity)
        return self.at_conductance(s.g, s, i) | {"g": velocity, "q": bent / self.alpha}
