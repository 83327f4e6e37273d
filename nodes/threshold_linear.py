"""Threshold-linear rates."""

from __future__ import annotations

from typing import Any

import brainunit as u

from braingraph.component import Input, Node, State, parameter
from braingraph.units import Quantity

CATEGORY = "phenomenological"


class ThresholdLinearStep(Node):
    """Excitatory and inhibitory rates that follow the part of their currents above zero.

    ::

        tau_E rE' = -rE + beta_E max(rE_inp, 0)
        tau_I rI' = -rI + beta_I max(rI_inp, 0)

    The populations do not hear each other inside: recurrent currents are edges, as in the example,
    whose weights are those of the paper.

    Parameters
    ----------
    tau_E, tau_I : time, default 20 ms, 10 ms
        Time constants.
    beta_E, beta_I : rate / current, default 0.066 Hz / pA, 0.351 Hz / pA
        Slopes of the f-I curves.

    States ``rE``, ``rI`` [Hz], shape ``(unit,)``, start at 0 and never are negative. Inputs
    ``rE_inp``, ``rI_inp`` [pA], shape ``(unit,)``: all currents onto the population.

    Errors
    ------
    ParameterError
        ``tau_E`` or ``tau_I`` is not positive.

    Source: Chaudhuri, Knoblauch, Gariel, Kennedy & Wang 2015, Neuron 88:419, the local circuit of
    its Experimental Procedures. Deviation: states carry the names of the Wilson-Cowan family.

    >>> import brainunit as u
    >>> import braingraph as bg
    >>> from braingraph import edges, nodes
    >>> g = bg.Graph()
    >>> area = g.add_node("area", nodes.ThresholdLinearStep(1))
    >>> weights = {("rE", "rE"): 24.3, ("rE", "rI"): -19.7, ("rI", "rE"): 12.2, ("rI", "rI"): -12.5}
    >>> for (target, source), w in weights.items():
    ...     recurrent = edges.AdditiveCoupling(k=w * u.pA / u.Hz)
    ...     _ = g.add_edge(f"area.{source}", f"area.{target}_inp", recurrent)
    >>> background = {"area.rE_inp": 500 * u.pA, "area.rI_inp": 200 * u.pA}
    >>> ds = bg.Simulator(g, dt=0.5 * u.ms).run(500 * u.ms, inputs=background)
    >>> print(f"{float(ds['area.rE'][-1, 0]):.2f} Hz, {float(ds['area.rI'][-1, 0]):.2f} Hz")
    37.37 Hz, 42.74 Hz
    """

    tau_E: Quantity = parameter(20.0 * u.ms, positive=True)
    tau_I: Quantity = parameter(10.0 * u.ms, positive=True)
    beta_E: Quantity = 0.066 * u.Hz / u.pA
    beta_I: Quantity = 0.351 * u.Hz / u.pA

    # Bounded, for a step longer than tau would overshoot zero.
    rE = State(0.0 * u.Hz, bounds=(0.0, None))
    rI = State(0.0 * u.Hz, bounds=(0.0, None))
    rE_inp = Input(0.0 * u.pA)
    rI_inp = Input(0.0 * u.pA)

    def derivative(self, s: Any, i: Any) -> dict[str, Any]:
        nothing = 0.0 * u.pA
        return {
            "rE": (self.beta_E * u.math.maximum(i.rE_inp, nothing) - s.rE) / self.tau_E,
            "rI": (self.beta_I * u.math.maximum(i.rI_inp, nothing) - s.rI) / self.tau_I,
        }
