"""The mean field of adaptive exponential integrate-and-fire neurons."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import brainunit as u
from jax.scipy.special import erfc

from braingraph.component import Input, Node, Output, Size, State, parameter
from braingraph.errors import ParameterError
from braingraph.nodes.checks import within
from braingraph.nodes.transfer import argument
from braingraph.units import Quantity

CATEGORY = "physiological"

#: Transmitter that is released without spikes; it keeps the fluctuations above 0 at rest.
SPONTANEOUS = 1e-3 * u.Hz


class Fluctuations(NamedTuple):
    """What a bombardment makes of the membrane potential."""

    mean: Any
    spread: Any
    time: Any


class ZerlautAdaptationFirstOrderStep(Node):
    """Excitatory (regular-spiking) and inhibitory (fast-spiking) adaptive exponential neurons.

    ::

        T nu_e' = F_e - nu_e
        T nu_i' = F_i - nu_i
        W_x'    = -W_x / tau_w_x + b_x nu_x + a_x (mu_V - E_L_x) / tau_w_x       for x = e, i
        F_x     = erfc((V_thr - mu_V) / (sqrt(2) sigma_V)) / (2 tau_V)
        V_thr   = P_x . (1, V, S, N, V^2, S^2, N^2, V S, V N, S N)
        V       = (mu_V + 60 mV) / 10 mV,  S = (sigma_V - 4 mV) / 6 mV,  N = tau_V g_L / C_m - 0.5

    mu_V, sigma_V and tau_V are mean, standard deviation and correlation time of the membrane
    potential of neurons x, which f_e excitatory and f_i inhibitory spikes reach in a second::

        f_e     = (nu_e + nu_0) (1 - g) p_connect_e N_tot + K_ext_e max(nu_inp + nu_x_inp, 0)
        f_i     = (nu_i + nu_0) g p_connect_i N_tot
        mu_G    = g_L + Q_e tau_e f_e + Q_i tau_i f_i,   tau_m = C_m / mu_G
        mu_V    = (Q_e tau_e f_e E_e + Q_i tau_i f_i E_i + g_L E_L_x - W_x) / mu_G
        U_y     = Q_y tau_y (E_y - mu_V) / mu_G                                  for y = e, i
        sigma_V = sqrt(sum_y f_y U_y^2 / (2 (tau_m + tau_y)))
        tau_V   = sum_y f_y U_y^2 / sum_y (f_y U_y^2 / (tau_m + tau_y))

    with nu_0 = 0.001 Hz. Where adaptation is weak, a second stable state stands near 193 Hz, far
    beyond the rates to which the thresholds were fitted: start below.

    Parameters
    ----------
    T : time, default 20 ms
        Time in which a population takes up a rate.
    g_L, C_m : conductance, capacitance, default 10 nS, 200 pF
        Leak and capacitance of all neurons.
    E_L_e, E_L_i : potential, default -65 mV
        Leak reversal potentials.
    E_e, E_i : potential, default 0 mV, -80 mV
        Reversal potentials of the synapses.
    Q_e, Q_i : conductance, default 1.5 nS, 5 nS
        Conductances that a spike opens.
    tau_e, tau_i : time, default 5 ms
        Their decay times.
    a_e, a_i : conductance, default 4 nS, 0 nS
        Adaptation to the potential.
    b_e, b_i : current, default 60 pA, 0 pA
        Adaptation to each spike.
    tau_w_e, tau_w_i : time, default 500 ms, 1 ms
        Time constants of adaptation.
    N_tot : 1, default 10000
        Neurons in the column.
    g : 1, default 0.2
        Share of inhibitory neurons.
    p_connect_e, p_connect_i : 1, default 0.05
        Probabilities of a connection from an excitatory and an inhibitory neuron.
    K_ext_e : 1, default 400
        Excitatory synapses from outside, per neuron.
    P_e, P_i : ten potentials in mV
        Coefficients of the effective thresholds, fitted to single neurons.

    States, shape ``(unit,)``: ``nu_e``, ``nu_i`` [Hz] (start at 1 Hz, never below 0), the firing
    rates of a neuron; ``W_e``, ``W_i`` [pA] (start at 0), the adaptation currents.

    Inputs [Hz], shape ``(unit,)``: ``nu_inp``, the rate of a neuron outside, which excites both
    populations; ``nu_e_inp`` and ``nu_i_inp``, which excite one. A rate below 0 counts as 0.

    Outputs ``mu_e``, ``mu_i`` [mV]: mean membrane potentials.

    Errors
    ------
    ParameterError
        A time, a conductance, the capacitance or ``N_tot`` is not positive, a share or a
        probability is not within 0 and 1, or ``P_e`` or ``P_i`` are not ten numbers.

    Source: di Volo, Romagnoni, Capone & Destexhe 2019, Neural Comput 31:653 (eqs. 4-11 of bioRxiv
    352393), after Zerlaut, Chemla, Chavane & Destexhe 2018, J Comput Neurosci 44:45; to first
    order: rates without their covariances. Right-hand side and defaults as TVB's
    ``ZerlautAdaptationFirstOrder``. Deviations from TVB: rates in Hz; no inhibition from outside
    (K_ext_i = 0 there); its noise is a vertex, such as ``OUProcess`` into ``nu_inp``.

    >>> import brainunit as u
    >>> import braingraph as bg
    >>> from braingraph import nodes
    >>> sim = bg.Simulator(nodes.ZerlautAdaptationFirstOrderStep(1), dt=0.5 * u.ms)
    >>> ds = sim.run(6 * u.second, monitors=["nu_e", "nu_i"], inputs={"nu_inp": 4 * u.Hz})
    >>> print(", ".join(f"{float(ds[k][-1, 0]):.2f} Hz" for k in ds))
    2.05 Hz, 13.67 Hz
    """

    T: Quantity = parameter(20.0 * u.ms, positive=True)
    g_L: Quantity = parameter(10.0 * u.nS, positive=True)
    C_m: Quantity = parameter(200.0 * u.pF, positive=True)
    E_L_e: Quantity = -65.0 * u.mV
    E_L_i: Quantity = -65.0 * u.mV
    E_e: Quantity = 0.0 * u.mV
    E_i: Quantity = -80.0 * u.mV
    Q_e: Quantity = parameter(1.5 * u.nS, positive=True)
    Q_i: Quantity = parameter(5.0 * u.nS, positive=True)
    tau_e: Quantity = parameter(5.0 * u.ms, positive=True)
    tau_i: Quantity = parameter(5.0 * u.ms, positive=True)
    a_e: Quantity = 4.0 * u.nS
    a_i: Quantity = 0.0 * u.nS
    b_e: Quantity = 60.0 * u.pA
    b_i: Quantity = 0.0 * u.pA
    tau_w_e: Quantity = parameter(500.0 * u.ms, positive=True)
    tau_w_i: Quantity = parameter(1.0 * u.ms, positive=True)
    N_tot: float = parameter(10000.0, positive=True)
    g: float = 0.2
    p_connect_e: float = 0.05
    p_connect_i: float = 0.05
    K_ext_e: float = 400.0
    P_e: tuple[float, ...] = (
        -49.83106,
        5.063550882777035,
        -23.470121807314552,
        2.2951513725067503,
        -0.4105302652029825,
        10.547051343547399,
        -36.59252821136933,
        7.437487505797858,
        1.265064721846073,
        -40.72161294490446,
    )
    P_i: tuple[float, ...] = (
        -51.49122024209484,
        4.003689190271077,
        -8.352013668528155,
        0.2414237992765705,
        -0.5070645080016026,
        1.4345394104282397,
        -14.686689498949967,
        4.502706285435741,
        2.8472190352532454,
        -15.357804594594548,
    )

    nu_e = State(1.0 * u.Hz, bounds=(0.0, None))
    nu_i = State(1.0 * u.Hz, bounds=(0.0, None))
    W_e = State(0.0 * u.pA)
    W_i = State(0.0 * u.pA)
    nu_inp = Input(0.0 * u.Hz, state="nu_e")
    nu_e_inp = Input(0.0 * u.Hz)
    nu_i_inp = Input(0.0 * u.Hz)

    def __init__(self, in_size: Size, *, dt: Any = None, **given: Any) -> None:
        super().__init__(in_size, dt=dt, **given)
        for name in ("g", "p_connect_e", "p_connect_i"):
            within(self, name, 0.0, 1.0)
        for name in ("P_e", "P_i"):
            if len(getattr(self, name)) != 10:
                raise ParameterError(
                    f"{type(self).__name__}.{name} must be ten coefficients in mV, but has "
                    f"{len(getattr(self, name))}.",
                    parameter=name,
                )

    def _potential(self, x: str, s: Any, i: Any) -> Fluctuations:
        """The membrane potential of the neurons of population ``x``, "e" or "i"."""
        outside = u.math.maximum(i.nu_inp + i[f"nu_{x}_inp"], 0.0 * u.Hz)
        spikes_e = (s.nu_e + SPONTANEOUS) * (1.0 - self.g) * self.p_connect_e * self.N_tot
        spikes_e = spikes_e + outside * self.K_ext_e
        spikes_i = (s.nu_i + SPONTANEOUS) * self.g * self.p_connect_i * self.N_tot
        G_e = argument(self.tau_e * spikes_e) * self.Q_e
        G_i = argument(self.tau_i * spikes_i) * self.Q_i
        mu_G = self.g_L + G_e + G_i
        leak = self.g_L * getattr(self, f"E_L_{x}") - s[f"W_{x}"]
        mean = (G_e * self.E_e + G_i * self.E_i + leak) / mu_G
        tau_m = self.C_m / mu_G
        power_e = spikes_e * (self.Q_e / mu_G * self.tau_e * (self.E_e - mean)) ** 2
        power_i = spikes_i * (self.Q_i / mu_G * self.tau_i * (self.E_i - mean)) ** 2
        variance = power_e / (tau_m + self.tau_e) + power_i / (tau_m + self.tau_i)
        return Fluctuations(mean, u.math.sqrt(variance / 2), (power_e + power_i) / variance)

    def _rate(self, x: str, V: Fluctuations) -> Any:
        """How often neurons of population ``x`` spike."""
        v = argument((V.mean + 60.0 * u.mV) / (10.0 * u.mV))
        w = argument((V.spread - 4.0 * u.mV) / (6.0 * u.mV))
        n = argument(V.time * self.g_L / self.C_m) - 0.5
        terms = (1.0, v, w, n, v * v, w * w, n * n, v * w, v * n, w * n)
        threshold = sum(p * term for p, term in zip(getattr(self, f"P_{x}"), terms, strict=True))
        distance = argument((threshold * u.mV - V.mean) / V.spread)
        return erfc(distance / math.sqrt(2.0)) / (2.0 * V.time)

    @Output(unit=u.mV)
    def mu_e(self, s: Any, i: Any) -> Any:
        """The mean membrane potential of excitatory neurons."""
        return self._potential("e", s, i).mean

    @Output(unit=u.mV)
    def mu_i(self, s: Any, i: Any) -> Any:
        """The mean membrane potential of inhibitory neurons."""
        return self._potential("i", s, i).mean

    def derivative(self, s: Any, i: Any) -> dict[str, Any]:
        out = {}
        for x in ("e", "i"):
            V, nu, W = self._potential(x, s, i), s[f"nu_{x}"], s[f"W_{x}"]
            a, b, E_L, tau_w = (getattr(self, f"{k}_{x}") for k in ("a", "b", "E_L", "tau_w"))
            out[f"nu_{x}"] = (self._rate(x, V) - nu) / self.T
            out[f"W_{x}"] = (a * (V.mean - E_L) - W) / tau_w + b * nu
        return out
