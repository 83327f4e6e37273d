"""Wilson-Cowan variants in which inhibition divides."""

from __future__ import annotations

import math
from typing import Any

from braingraph.component import Size, parameter
from braingraph.nodes.checks import within
from braingraph.nodes.wilson_cowan import WilsonCowanStep


class _Divisive(WilsonCowanStep):
    """What both variants share: their weights, and the divisor of a population."""

    c_EE = 6.0
    c_EI = -6.5
    c_IE = 2.0
    c_II = -5.5
    sigma_E: float = parameter(1.0, positive=True)
    sigma_I: float = parameter(1.0, positive=True)

    def __init__(self, in_size: Size, *, dt: Any = None, **given: Any) -> None:
        super().__init__(in_size, dt=dt, **given)
        for p in self.populations:
            why = f"inhibition is negative here too, and divides by sigma_{p} - c_{p}I rI."
            within(self, f"c_{p}I", -math.inf, 0.0, why)

    def recurrent(self, p: str, s: Any) -> Any:
        return self.of("c", p + "E") * s.rE

    def divisor(self, p: str, s: Any) -> Any:
        """What inhibition divides by: 1 where there is none."""
        return self.of("sigma", p) - self.of("c", p + "I") * s.rI


class WilsonCowanDivisiveStep(_Divisive):
    """Wilson-Cowan populations whose inhibition divides what excitation brings about.

    ::

        tau_E rE' = -rE + (1 - r rE) F_E(c_EE rE + rE_inp) / (sigma_E - c_EI rI)
        tau_I rI' = -rI + (1 - r rI) F_I(c_IE rE + rI_inp) / (sigma_I - c_II rI)

    with F_X as in :class:`WilsonCowanStep`, which this is where c_EI = c_II = 0 and sigma = 1.

    Parameters
    ----------
    c_EE, c_IE : 1, default 6.0, 2.0
        Excitatory weights onto the first index, inside the gain.
    c_EI, c_II : 1, default -6.5, -5.5
        Inhibitory weights onto the first index, negative as everywhere in the family: what
        they add to the divisor is positive.
    sigma_E, sigma_I : 1, default 1.0
        Divisors without inhibition.
    tau_E, tau_I, a_E, a_I, theta_E, theta_I, r : inherited
        As in :class:`WilsonCowanStep`, with the same defaults.

    States ``rE``, ``rI`` (start at 0.1) and inputs ``rE_inp``, ``rI_inp``: dimensionless, shape
    ``(unit,)``.

    Errors
    ------
    ParameterError
        ``tau_E``, ``tau_I``, ``sigma_E`` or ``sigma_I`` is not positive, or ``c_EI`` or ``c_II``
        is positive.

    Source: Carandini & Heeger 2012, Nat Rev Neurosci 13:51 (divisive normalisation), in the model
    of Wilson & Cowan 1972; form and weights are brainmass's, whose ``wEI`` = 6.5 is -``c_EI``.
    Deviations: as in :class:`WilsonCowanStep`; the time constants are 10 ms, not 1 ms.

    >>> from braingraph import nodes
    >>> nodes.WilsonCowanDivisiveStep(76, sigma_E=0.5)
    WilsonCowanDivisiveStep(76, sigma_E=0.5)
    """

    def activation(self, p: str, s: Any, i: Any) -> Any:
        return super().activation(p, s, i) / self.divisor(p, s)


class WilsonCowanDivisiveInputStep(_Divisive):
    """Wilson-Cowan populations whose inhibition divides their recurrent excitation.

    ::

        tau_E rE' = -rE + (1 - r rE) F_E(c_EE rE / (sigma_E - c_EI rI) + rE_inp)
        tau_I rI' = -rI + (1 - r rI) F_I(c_IE rE / (sigma_I - c_II rI) + rI_inp)

    with F_X as in :class:`WilsonCowanStep`, which this is where c_EI = c_II = 0 and sigma = 1.
    Inputs from outside the node are not divided.

    Parameters
    ----------
    c_EE, c_IE : 1, default 6.0, 2.0
        Excitatory weights onto the first index.
    c_EI, c_II : 1, default -6.5, -5.5
        Inhibitory weights onto the first index, negative as everywhere in the family: what
        they add to the divisor is positive.
    sigma_E, sigma_I : 1, default 1.0
        Divisors without inhibition.
    tau_E, tau_I, a_E, a_I, theta_E, theta_I, r : inherited
        As in :class:`WilsonCowanStep`, with the same defaults.

    States ``rE``, ``rI`` (start at 0.1) and inputs ``rE_inp``, ``rI_inp``: dimensionless, shape
    ``(unit,)``.

    Errors
    ------
    ParameterError
        ``tau_E``, ``tau_I``, ``sigma_E`` or ``sigma_I`` is not positive, or ``c_EI`` or ``c_II``
        is positive.

    Source: Carandini & Heeger 2012, Nat Rev Neurosci 13:51, and Wilson & Cowan 1972. Form, weights
    and deviations: as in :class:`WilsonCowanDivisiveStep`.

    >>> from braingraph import nodes
    >>> nodes.WilsonCowanDivisiveInputStep(76, c_EI=-4.0)
    WilsonCowanDivisiveInputStep(76, c_EI=-4)
    """

    def recurrent(self, p: str, s: Any) -> Any:
        return super().recurrent(p, s) / self.divisor(p, s)
