"""Wong-Wang mean fields: the two-population model of resting-state networks."""

from __future__ import annotations

from typing import Any

import brainunit as u

from braingraph.component import Input, Node, Output, State
from braingraph.nodes.transfer import current_to_rate
from braingraph.units import attach


class WongWangExcInhStep(Node):
    """Excitatory (NMDA) and inhibitory (GABA) gating of a brain region.

    ::

        S_e' = -S_e / tau_e + (1 - S_e) gamma_e H_e + n_e
        S_i' = -S_i / tau_i + gamma_i H_i + n_i                         per ms
        H_e = H(x_e; a_e, b_e, d_e),  H_i = H(x_i; a_i, b_i, d_i)       Hz
        x_e = w_p J_N S_e - J_i S_i + W_e I_o + G J_N S_e_inp + I_ext   nA
        x_i = J_N S_e - S_i + W_i I_o + lamda G J_N S_e_inp             nA
        H(x; a, b, d) = (a x - b) / (1 - exp(-d (a x - b)))

    Numbers are plain, in the units of the paper: ms, Hz, nA.

    Parameters
    ----------
    a_e, b_e, d_e : Hz / nA, Hz, s, default 310, 125, 0.16
        Gain function of the excitatory population.
    a_i, b_i, d_i : Hz / nA, Hz, s, default 615, 177, 0.087
        Gain function of the inhibitory population.
    gamma_e, gamma_i : 1 / (ms Hz), default 0.641e-3, 1e-3
        Kinetic parameters.
    tau_e, tau_i : ms, default 100, 10
        Decay times of NMDA and GABA.
    w_p : 1, default 1.4
        Weight of local excitatory recurrence.
    J_N : nA, default 0.15
        Excitatory synaptic coupling.
    J_i : nA, default 1.0
        Local feedback inhibition.
    W_e, W_i : 1, default 1.0, 0.7
        Shares of the background current.
    I_o, I_ext : nA, default 0.382, 0.0
        Background current, and an external one onto the excitatory population.
    G : 1, default 2.0
        Global coupling.
    lamda : 1, default 0.0
        Share of the network's input that reaches the inhibitory population (feedforward
        inhibition).

    States ``S_e``, ``S_i``: open channels, dimensionless, shape ``(unit,)``, within [0, 1], start
    at 0.001.

    Inputs, dimensionless, shape ``(unit,)``: ``S_e_inp``, the weighted sum of other nodes' S_e;
    ``n_e``, ``n_i`` (per ms), added to the derivatives, for noise.

    Outputs ``H_e``, ``H_i`` [Hz]: firing rates, network input included.

    Source: Deco, Ponce-Alvarez, Hagmann, Romani, Mantini & Corbetta 2014, J Neurosci 34:7886
    (dynamic mean field). Right-hand side and bounds as TVB's ``ReducedWongWangExcInh``, whose
    a_e = 310 and a_i = 615 are per nC.
    """

    a_e: float = 310.0
    b_e: float = 125.0
    d_e: float = 0.16
    gamma_e: float = 0.641e-3
    tau_e: float = 100.0
    w_p: float = 1.4
    W_e: float = 1.0
    a_i: float = 615.0
    b_i: float = 177.0
    d_i: float = 0.087
    gamma_i: float = 1e-3
    tau_i: float = 10.0
    W_i: float = 0.7
    J_N: float = 0.15
    J_i: float = 1.0
    I_o: float = 0.382
    I_ext: float = 0.0
    G: float = 2.0
    lamda: float = 0.0

    S_e = State(0.001, bounds=(0.0, 1.0))
    S_i = State(0.001, bounds=(0.0, 1.0))
    S_e_inp = Input()
    n_e = Input(state="S_e")
    n_i = Input(state="S_i")

    def _rates(self, s: Any, i: Any) -> tuple[Any, Any]:
        network = self.G * self.J_N * i.S_e_inp
        local = self.J_N * s.S_e
        x_e = self.w_p * local - self.J_i * s.S_i + self.W_e * self.I_o + network + self.I_ext
        x_i = local - s.S_i + self.W_i * self.I_o + self.lamda * network
        return (
            current_to_rate(x_e, self.a_e, self.b_e, self.d_e),
            current_to_rate(x_i, self.a_i, self.b_i, self.d_i),
        )

    @Output(unit=u.Hz)
    def H_e(self, s: Any, i: Any) -> Any:
        """The firing rate of the excitatory population."""
        return attach(self._rates(s, i)[0], u.Hz)

    @Output(unit=u.Hz)
    def H_i(self, s: Any, i: Any) -> Any:
        """The firing rate of the inhibitory population."""
        return attach(self._rates(s, i)[1], u.Hz)

    def derivative(self, s: Any, i: Any) -> dict[str, Any]:
        rate_e, rate_i = self._rates(s, i)
        return {
            "S_e": -s.S_e / self.tau_e + (1.0 - s.S_e) * self.gamma_e * rate_e + i.n_e,
            "S_i": -s.S_i / self.tau_i + self.gamma_i * rate_i + i.n_i,
        }
