"""The Larter-Breakspear column: a conductance-based mean field."""

from __future__ import annotations

from typing import Any

from braingraph.component import Input, Node, Output, Size, State, parameter
from braingraph.nodes.checks import within
from braingraph.nodes.transfer import potential_to_rate

CATEGORY = "physiological"


class LarterBreakspearStep(Node):
    """A cortical column with calcium, potassium, sodium and leak channels, after Morris and Lecar.

    ::

        V' = t_scale (- (gCa + (1 - C) rNMDA aee QV + C rNMDA aee V_inp) m_Ca (V - VCa)
                      - gK W (V - VK) - gL (V - VL)
                      - (gNa m_Na + (1 - C) aee QV + C aee V_inp) (V - VNa)
                      - aie Z QZ + ane Iext)
        W' = t_scale phi (m_K - W) / tau_K
        Z' = t_scale b (ani Iext + aei V QV)                                    per ms
        m_ion = m(V; T_ion, d_ion),  QV = QV_max m(V; VT, d_V),  QZ = QZ_max m(Z; ZT, d_Z)
        m(x; T, d) = (1 + tanh((x - T) / d)) / 2

    With the defaults, and no input, V rests for d_V below 0.5153 (Hopf) and oscillates above: in
    a small cycle first, in bursts from about 0.54 on. Chaos is elsewhere: at gCa = 1, aee = 0.36
    and d_V = d_Z = 0.65 the largest Lyapunov exponent is 0.0089 per ms. Start near the origin:
    from (0.1, 0.1, 0.1) and with d_V up to 0.53 Z grows without end.

    Parameters
    ----------
    gCa, gK, gL, gNa : 1, default 1.1, 2.0, 0.5, 6.7
        Conductances of calcium, potassium, leak and sodium.
    VCa, VK, VL, VNa : 1, default 1.0, -0.7, -0.5, 0.53
        Their reversal potentials.
    TCa, TK, TNa : 1, default -0.01, 0.0, 0.3
        Potentials at which half of the channels are open.
    d_Ca, d_K, d_Na : 1, default 0.15, 0.3, 0.15
        How far these are spread.
    phi : 1, default 0.7
        Temperature factor of potassium.
    tau_K : ms, default 1.0
        Time constant of potassium.
    VT, ZT : 1, default 0.0, 0.0
        Mean firing thresholds of pyramidal cells and interneurons.
    d_V, d_Z : 1, default 0.65, 0.7
        How far these are spread.
    QV_max, QZ_max : 1, default 1.0, 1.0
        Largest firing rates of pyramidal cells and interneurons.
    aee, aei, aie : 1, default 0.4, 2.0, 2.0
        Synaptic strengths, excitatory to excitatory, excitatory to inhibitory, and back.
    ane, ani : 1, default 1.0, 0.4
        Strengths of the unspecific input onto pyramidal cells and interneurons.
    Iext : 1, default 0.3
        The unspecific, subcortical input.
    b : 1 / ms, default 0.1
        Rate of the interneurons.
    C : 1, default 0.1
        Share of excitation that comes from other columns, from 0 to 1.
    rNMDA : 1, default 0.25
        Ratio of NMDA to AMPA receptors.
    t_scale : 1, default 1.0
        Scale of time.

    States, dimensionless, shape ``(unit,)``, start at 0: ``V``, the potential of pyramidal cells;
    ``W``, open potassium channels; ``Z``, the potential of interneurons.

    Input ``V_inp``, dimensionless: what other columns send, a weighted mean of their ``QV``.
    Outputs ``QV``, ``QZ``, dimensionless: the firing rates of pyramidal cells and interneurons.

    Errors
    ------
    ParameterError
        ``tau_K`` or a spread is not positive, or ``C`` is not within 0 and 1.

    Source: Breakspear, Terry & Friston 2003, Network 14:703, after Larter, Speelman & Worth 1999,
    Chaos 9:795; right-hand side and defaults as TVB's ``LarterBreakspear``. Deviation: there V
    itself goes to other columns, through a tanh in the coupling; here the rate ``QV`` is an
    output, which an additive coupling takes.

    >>> import brainunit as u
    >>> import braingraph as bg
    >>> from braingraph import nodes
    >>> sim = bg.Simulator(nodes.LarterBreakspearStep(1, d_V=0.57), dt=0.1 * u.ms)
    >>> ds = sim.run(500 * u.ms, monitors=["V"], transient=100 * u.ms)
    >>> print(f"{float(ds.V.min()):.1f} to {float(ds.V.max()):.1f}")
    -0.5 to 0.3
    """

    gCa: float = 1.1
    gK: float = 2.0
    gL: float = 0.5
    gNa: float = 6.7
    VCa: float = 1.0
    VK: float = -0.7
    VL: float = -0.5
    VNa: float = 0.53
    TCa: float = -0.01
    TK: float = 0.0
    TNa: float = 0.3
    d_Ca: float = parameter(0.15, positive=True)
    d_K: float = parameter(0.3, positive=True)
    d_Na: float = parameter(0.15, positive=True)
    phi: float = 0.7
    tau_K: float = parameter(1.0, positive=True)
    VT: float = 0.0
    ZT: float = 0.0
    d_V: float = parameter(0.65, positive=True)
    d_Z: float = parameter(0.7, positive=True)
    QV_max: float = 1.0
    QZ_max: float = 1.0
    aee: float = 0.4
    aei: float = 2.0
    aie: float = 2.0
    ane: float = 1.0
    ani: float = 0.4
    Iext: float = 0.3
    b: float = 0.1
    C: float = 0.1
    rNMDA: float = 0.25
    t_scale: float = 1.0

    V = State(0.0)
    W = State(0.0)
    Z = State(0.0)
    V_inp = Input()

    def __init__(self, in_size: Size, *, dt: Any = None, **given: Any) -> None:
        super().__init__(in_size, dt=dt, **given)
        within(self, "C", 0.0, 1.0)

    @Output()
    def QV(self, s: Any, i: Any) -> Any:
        """The firing rate of pyramidal cells."""
        return _share(s.V, self.VT, self.d_V, self.QV_max)

    @Output()
    def QZ(self, s: Any, i: Any) -> Any:
        """The firing rate of interneurons."""
        return _share(s.Z, self.ZT, self.d_Z, self.QZ_max)

    def derivative(self, s: Any, i: Any) -> dict[str, Any]:
        QV = _share(s.V, self.VT, self.d_V, self.QV_max)
        QZ = _share(s.Z, self.ZT, self.d_Z, self.QZ_max)
        excitation = self.aee * ((1.0 - self.C) * QV + self.C * i.V_inp)
        open_Ca = _share(s.V, self.TCa, self.d_Ca)
        open_Na = _share(s.V, self.TNa, self.d_Na)
        open_K = _share(s.V, self.TK, self.d_K)
        currents = (
            (self.gCa + self.rNMDA * excitation) * open_Ca * (s.V - self.VCa)
            + self.gK * s.W * (s.V - self.VK)
            + self.gL * (s.V - self.VL)
            + (self.gNa * open_Na + excitation) * (s.V - self.VNa)
        )
        return {
            "V": self.t_scale * (self.ane * self.Iext - self.aie * s.Z * QZ - currents),
            "W": self.t_scale * self.phi * (open_K - s.W) / self.tau_K,
            "Z": self.t_scale * self.b * (self.ani * self.Iext + self.aei * s.V * QV),
        }


def _share(x: Any, middle: Any, spread: Any, most: Any = 1.0) -> Any:
    """most (1 + tanh((x - middle) / spread)) / 2."""
    return potential_to_rate(x, middle, 2.0 / spread, 0.0, most)
