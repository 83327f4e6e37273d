"""Wong-Wang mean fields: decisions, and the models of resting-state networks made from them."""

from __future__ import annotations

from typing import Any

import brainunit as u
import jax.numpy as jnp

from braingraph.component import Input, Node, Output, Size, State, parameter
from braingraph.errors import ParameterError, did_you_mean
from braingraph.nodes.transfer import current_to_rate
from braingraph.units import Quantity, attach

CATEGORY = "physiological"

TRANSFERS = ("curve", "threshold_linear")


class WongWangStep(Node):
    """Two populations of neurons that compete to decide between two choices.

    ::

        S1' = -S1 / tau_S + (1 - S1) gamma H(x1)
        S2' = -S2 / tau_S + (1 - S2) gamma H(x2)
        x1  = JN11 S1 - JN12 S2 + I0 + J_A_ext mu0 (1 + coherence) + I1_inp
        x2  = JN22 S2 - JN21 S1 + I0 + J_A_ext mu0 (1 - coherence) + I2_inp
        H(x) = (a x - b) / (1 - exp(-d (a x - b)))

    With the defaults it decides: one rate goes above 15 Hz, the other to nearly 0. Without a
    stimulus, mu0 = 0, it rests, or remembers the decision; competition begins at mu0 = 10.68 Hz,
    and from a coherence of 0.685 on the wrong choice is no attractor.

    Parameters
    ----------
    tau_S : time, default 100 ms
        Decay time of NMDA gating.
    gamma : 1, default 0.641
        How fast a rate opens it.
    a, b, d : rate / current, rate, time, default 270 Hz / nA, 108 Hz, 0.154 s
        Gain, threshold and curvature of the f-I curve H.
    JN11, JN22 : current, default 0.2609 nA
        Recurrent excitation.
    JN12, JN21 : current, default 0.0497 nA
        Inhibition of the first index by the second; subtracted.
    J_A_ext : current / rate, default 5.2e-4 nA / Hz
        Synaptic coupling of the stimulus.
    mu0 : rate, default 30 Hz
        Strength of the stimulus: 0 Hz is none.
    I0 : current, default 0.3255 nA
        Background.
    threshold : rate, default 15 Hz
        Rate at which a choice counts as made.
    transfer : "curve" or "threshold_linear", default "curve"
        The f-I curve: H, or max(a (x - theta), 0).
    theta : current, default 0.31 nA
        Threshold of the threshold-linear curve.

    States ``S1``, ``S2``: open NMDA channels, dimensionless, shape ``(unit,)``, within [0, 1],
    start at 0.1.

    Inputs, shape ``(unit,)``: ``coherence`` (dimensionless, -1 to 1), how clearly the stimulus
    speaks for the first choice; ``I1_inp``, ``I2_inp`` [nA], for noise and networks. The paper's
    noise is ``OUProcess(sigma=0.0141 * u.nA, tau=2 * u.ms)``: its 0.02 nA is sqrt(2) times the
    standard deviation.

    Outputs: ``r1``, ``r2`` [Hz], the firing rates; ``decision``, 1 or -1 where the rate of the
    first or the second population is above ``threshold`` and the greater one, else 0.

    Errors
    ------
    ParameterError
        ``tau_S``, ``a`` or ``d`` is not positive, or there is no such ``transfer``.

    Source: Wong & Wang 2006, J Neurosci 26:1314, appendix (the reduced model without recurrent
    AMPA). Deviations: noise is an input, not part of the model; the threshold-linear curve is
    brainmass's, and does not decide with the other defaults.

    >>> import brainunit as u
    >>> import braingraph as bg
    >>> from braingraph import nodes
    >>> sim = bg.Simulator(nodes.WongWangStep(2), dt=0.5 * u.ms)
    >>> seen = {"coherence": lambda t: u.math.asarray([0.3, -0.3])}
    >>> ds = sim.run(1 * u.second, monitors=["decision"], inputs=seen)
    >>> ds.decision[-1].values.tolist()
    [1.0, -1.0]
    """

    tau_S: Quantity = parameter(100.0 * u.ms, positive=True)
    gamma: float = 0.641
    a: Quantity = parameter(270.0 * u.Hz / u.nA, positive=True)
    b: Quantity = 108.0 * u.Hz
    d: Quantity = parameter(0.154 * u.second, positive=True)
    JN11: Quantity = 0.2609 * u.nA
    JN12: Quantity = 0.0497 * u.nA
    JN21: Quantity = 0.0497 * u.nA
    JN22: Quantity = 0.2609 * u.nA
    J_A_ext: Quantity = 5.2e-4 * u.nA / u.Hz
    mu0: Quantity = 30.0 * u.Hz
    I0: Quantity = 0.3255 * u.nA
    threshold: Quantity = 15.0 * u.Hz
    transfer: str = "curve"
    theta: Quantity = 0.31 * u.nA

    S1 = State(0.1, bounds=(0.0, 1.0))
    S2 = State(0.1, bounds=(0.0, 1.0))
    coherence = Input()
    I1_inp = Input(0.0 * u.nA, state="S1")
    I2_inp = Input(0.0 * u.nA, state="S2")

    def __init__(self, in_size: Size, *, dt: Any = None, **given: Any) -> None:
        super().__init__(in_size, dt=dt, **given)
        if self.transfer not in TRANSFERS:
            raise ParameterError(
                f"WongWangStep.transfer is {self.transfer!r}, but must be one of "
                f"{', '.join(map(repr, TRANSFERS))}.{did_you_mean(self.transfer, TRANSFERS)}",
                parameter="transfer",
            )

    def _rate(self, x: Any) -> Any:
        if self.transfer == "curve":
            return current_to_rate(x, self.a, self.b, self.d)
        return u.math.maximum(self.a * (x - self.theta), 0.0 * u.Hz)

    def _rates(self, s: Any, i: Any) -> tuple[Any, Any]:
        stimulus = self.J_A_ext * self.mu0
        x1 = self.JN11 * s.S1 - self.JN12 * s.S2 + stimulus * (1.0 + i.coherence) + i.I1_inp
        x2 = self.JN22 * s.S2 - self.JN21 * s.S1 + stimulus * (1.0 - i.coherence) + i.I2_inp
        return self._rate(x1 + self.I0), self._rate(x2 + self.I0)

    @Output(unit=u.Hz)
    def r1(self, s: Any, i: Any) -> Any:
        """The firing rate of the first population."""
        return self._rates(s, i)[0]

    @Output(unit=u.Hz)
    def r2(self, s: Any, i: Any) -> Any:
        """The firing rate of the second population."""
        return self._rates(s, i)[1]

    @Output()
    def decision(self, s: Any, i: Any) -> Any:
        """1: the first choice; -1: the second; 0: none yet."""
        first, second = self._rates(s, i)
        made = u.math.maximum(first, second) > self.threshold
        return jnp.where(made, jnp.where(first > second, 1.0, -1.0), 0.0)

    def derivative(self, s: Any, i: Any) -> dict[str, Any]:
        first, second = self._rates(s, i)
        return {
            "S1": -s.S1 / self.tau_S + (1.0 - s.S1) * self.gamma * first,
            "S2": -s.S2 / self.tau_S + (1.0 - s.S2) * self.gamma * second,
        }


class ReducedWongWangStep(Node):
    """Excitatory (NMDA) gating of a brain region, with inhibition taken into the parameters.

    ::

        S' = -S / tau_S + (1 - S) gamma H(x) + n_S
        x  = w J_N S + G J_N S_inp + I_o + I_inp
        H(x) = (a x - b) / (1 - exp(-d (a x - b)))

    Parameters
    ----------
    tau_S : time, default 100 ms
        Decay time of NMDA gating.
    gamma : 1, default 0.641
        How fast a rate opens it.
    a, b, d : rate / current, rate, time, default 270 Hz / nA, 108 Hz, 0.154 s
        Gain, threshold and curvature of the f-I curve H.
    w : 1, default 0.6
        Local recurrent excitation.
    J_N : current, default 0.2609 nA
        Synaptic coupling.
    G : 1, default 1.0
        Global coupling.
    I_o : current, default 0.33 nA
        Background.

    State ``S``: open NMDA channels, dimensionless, shape ``(unit,)``, within [0, 1], starts at
    0.001.

    Inputs, shape ``(unit,)``: ``S_inp``, dimensionless, the weighted sum of other nodes' S;
    ``I_inp`` [nA], a current; ``n_S``, dimensionless, added to the derivative per ms, for noise.

    Output ``H`` [Hz]: the firing rate, inputs included.

    Errors
    ------
    ParameterError
        ``tau_S``, ``a`` or ``d`` is not positive.

    Source: Deco, Ponce-Alvarez, Mantini, Romani, Hagmann & Corbetta 2013, J Neurosci 33:11239,
    with w = 0.9 and I_o = 0.3 nA there. Right-hand side, bounds and the defaults of w and I_o as
    TVB's ``ReducedWongWang``, where G is the gain of the coupling.

    >>> import brainunit as u
    >>> import braingraph as bg
    >>> from braingraph import nodes
    >>> sim = bg.Simulator(nodes.ReducedWongWangStep(1), dt=1 * u.ms)
    >>> ds = sim.run(10 * u.second, monitors=["S", "H"])
    >>> print(f"{float(ds.S[-1, 0]):.4f}, {float(ds.H[-1, 0]):.3f} Hz")
    0.0980, 1.695 Hz
    """

    tau_S: Quantity = parameter(100.0 * u.ms, positive=True)
    gamma: float = 0.641
    a: Quantity = parameter(270.0 * u.Hz / u.nA, positive=True)
    b: Quantity = 108.0 * u.Hz
    d: Quantity = parameter(0.154 * u.second, positive=True)
    w: float = 0.6
    J_N: Quantity = 0.2609 * u.nA
    G: float = 1.0
    I_o: Quantity = 0.33 * u.nA

    S = State(0.001, bounds=(0.0, 1.0))
    S_inp = Input()
    I_inp = Input(0.0 * u.nA, state="S")
    n_S = Input(state="S")

    @Output(unit=u.Hz)
    def H(self, s: Any, i: Any) -> Any:
        """The firing rate."""
        x = self.J_N * (self.w * s.S + self.G * i.S_inp) + self.I_o + i.I_inp
        return current_to_rate(x, self.a, self.b, self.d)

    def derivative(self, s: Any, i: Any) -> dict[str, Any]:
        opening = (1.0 - s.S) * self.gamma * self.H(s, i)
        return {"S": opening - s.S / self.tau_S + i.n_S / u.ms}


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

    >>> import brainunit as u
    >>> import braingraph as bg
    >>> from braingraph import nodes
    >>> sim = bg.Simulator(nodes.WongWangExcInhStep(1), dt=1 * u.ms)
    >>> ds = sim.run(3 * u.second, monitors=["H_e", "H_i"])
    >>> print(", ".join(f"{float(ds[k][-1, 0]):.2f} Hz" for k in ds))
    3.08 Hz, 3.92 Hz
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
