"""The Jansen-Rit column."""

from __future__ import annotations

from typing import Any

import brainunit as u

from braingraph.component import Input, Node, Output, State, parameter
from braingraph.nodes.transfer import potential_to_rate, second_order
from braingraph.units import Quantity

CATEGORY = "physiological"


class JansenRitStep(Node):
    """A cortical column: pyramidal cells with excitatory and inhibitory interneurons.

    ::

        M'' = Ae be S(E - I + M_inp)                        - 2 be M' - be^2 M
        E'' = Ae be (p + E_inp + C a2 S(C a1 M))            - 2 be E' - be^2 E
        I'' = Ai bi C a4 S(C a3 M + I_inp)                  - 2 bi I' - bi^2 I
        S(v) = s_max / (1 + exp(r (v0 - v)))

    M is what pyramidal cells cause in the interneurons; E and I are the excitatory and inhibitory
    potentials of the pyramidal cells (y0, y1 and y2 of the paper).

    Parameters
    ----------
    Ae, Ai : potential, default 3.25 mV, 22 mV
        Largest excitatory and inhibitory postsynaptic potentials (A, B of the paper).
    be, bi : rate, default 100 Hz, 50 Hz
        Their inverse time constants (a, b of the paper).
    C : 1, default 135
        Synapses between populations; the four connections have a1 C, ..., a4 C.
    a1, a2, a3, a4 : 1, default 1, 0.8, 0.25, 0.25
        Pyramidal to excitatory, back, pyramidal to inhibitory, and back.
    s_max : rate, default 5 Hz
        Largest firing rate (2 e0 of the paper).
    v0 : potential, default 6 mV
        Where the rate is half its largest.
    r : 1 / potential, default 0.56 / mV
        Steepness of the sigmoid.

    States, shape ``(unit,)``, start at 0: ``M``, ``E``, ``I`` [mV]; ``Mv``, ``Ev``, ``Iv``
    [mV / s], their derivatives.

    Inputs: ``p`` [Hz], the rate of external afferents (the paper's p(t), 120 to 320 Hz);
    ``E_inp`` [Hz], rates that come from other nodes. Both act alike, on the excitatory potential,
    and add up; they are two so that a drive and a network stay apart. ``M_inp`` and ``I_inp``
    [mV] are added inside the sigmoids of the pyramidal and the inhibitory population.

    Output ``eeg`` [mV]: E - I, the potential of the pyramidal cells.

    Errors
    ------
    ParameterError
        ``be``, ``bi`` or ``s_max`` is not positive.

    Source: Jansen & Rit 1995, Biol Cybern 73:357, eqs. 2 and 6. TVB's ``JansenRit`` is the same
    at equal v0 (5.52 mV by default there). Deviations: states carry the names of brainmass;
    ``M_inp``, ``E_inp`` and ``I_inp`` are inputs the paper does not have.

    >>> import brainunit as u
    >>> import braingraph as bg
    >>> from braingraph import nodes
    >>> sim = bg.Simulator(nodes.JansenRitStep(1), dt=1 * u.ms, method="rk4")
    >>> ds = sim.run(4 * u.second, monitors=["eeg"], inputs={"p": 50 * u.Hz})
    >>> print(f"{float(ds.eeg[-1, 0]):.3f} mV")  # at 220 Hz it oscillates, in the alpha band
    -0.262 mV
    """

    Ae: Quantity = 3.25 * u.mV
    Ai: Quantity = 22.0 * u.mV
    be: Quantity = parameter(100.0 * u.Hz, positive=True)
    bi: Quantity = parameter(50.0 * u.Hz, positive=True)
    C: float = 135.0
    a1: float = 1.0
    a2: float = 0.8
    a3: float = 0.25
    a4: float = 0.25
    s_max: Quantity = parameter(5.0 * u.Hz, positive=True)
    v0: Quantity = 6.0 * u.mV
    r: Quantity = 0.56 / u.mV

    M = State(0.0 * u.mV)
    E = State(0.0 * u.mV)
    I = State(0.0 * u.mV)  # noqa: E741  (the paper's name)
    Mv = State(0.0 * u.mV / u.second)
    Ev = State(0.0 * u.mV / u.second)
    Iv = State(0.0 * u.mV / u.second)
    p = Input(0.0 * u.Hz)
    M_inp = Input(0.0 * u.mV)
    E_inp = Input(0.0 * u.Hz)
    I_inp = Input(0.0 * u.mV)

    def sigmoid(self, v: Any) -> Any:
        """The firing rate at a potential: S(v)."""
        return potential_to_rate(v, self.v0, self.r, 0.0 * u.Hz, self.s_max)

    @Output(unit=u.mV)
    def eeg(self, s: Any, i: Any) -> Any:
        """The potential of the pyramidal cells, E - I."""
        return s.E - s.I

    def derivative(self, s: Any, i: Any) -> dict[str, Any]:
        M_drive = self.sigmoid(s.E - s.I + i.M_inp)
        E_drive = i.p + i.E_inp + self.C * self.a2 * self.sigmoid(self.C * self.a1 * s.M)
        I_drive = self.C * self.a4 * self.sigmoid(self.C * self.a3 * s.M + i.I_inp)
        return {
            "M": s.Mv,
            "E": s.Ev,
            "I": s.Iv,
            "Mv": second_order(self.Ae / self.be * M_drive, self.be, s.M, s.Mv),
            "Ev": second_order(self.Ae / self.be * E_drive, self.be, s.E, s.Ev),
            "Iv": second_order(self.Ai / self.bi * I_drive, self.bi, s.I, s.Iv),
        }
