"""Wilson-Cowan variants with fewer parameters, no saturation, or another gain."""

from __future__ import annotations

from typing import Any

import brainunit as u
import jax.numpy as jnp

from braingraph.component import parameter
from braingraph.nodes.wilson_cowan import Sigmoidal, WilsonCowanBase
from braingraph.units import Quantity


class WilsonCowanNoSaturationStep(Sigmoidal):
    """Wilson-Cowan populations whose rates do not saturate.

    ::

        tau_E rE' = -rE + F_E(c_EE rE + c_EI rI + rE_inp)
        tau_I rI' = -rI + F_I(c_IE rE + c_II rI + rI_inp)

    with F_X as in :class:`WilsonCowanStep`, which this is for ``r = 0``.

    Parameters
    ----------
    tau_E, tau_I, c_EE, c_EI, c_IE, c_II, a_E, a_I, theta_E, theta_I : inherited
        As in :class:`WilsonCowanStep`, with the same defaults.

    States ``rE``, ``rI`` (start at 0.1) and inputs ``rE_inp``, ``rI_inp``: dimensionless, shape
    ``(unit,)``.

    Errors
    ------
    ParameterError
        ``tau_E`` or ``tau_I`` is not positive.

    Source: Wilson & Cowan 1972, Biophys J 12:1, eqs. 11-12 with the refractory term left out, as
    in Pinto, Brumberg, Simons & Ermentrout 1996, J Comput Neurosci 3:247. Deviations: signed
    weights, and F(0) = 0, as in :class:`WilsonCowanStep`.

    >>> from braingraph import nodes
    >>> nodes.WilsonCowanNoSaturationStep(76, c_EE=10.0)
    WilsonCowanNoSaturationStep(76, c_EE=10)
    """


class WilsonCowanSymmetricStep(WilsonCowanBase):
    """Wilson-Cowan populations with one time constant and one gain for both.

    ::

        tau rE' = -rE + (1 - r rE) F(c_EE rE + c_EI rI + rE_inp)
        tau rI' = -rI + (1 - r rI) F(c_IE rE + c_II rI + rI_inp)
        F(x) = 1 / (1 + exp(-a (x - theta))) - 1 / (1 + exp(a theta))

    This is :class:`WilsonCowanStep` with tau_E = tau_I, a_E = a_I and theta_E = theta_I.

    Parameters
    ----------
    tau : time, default 10 ms
        Time constant.
    c_EE, c_EI, c_IE, c_II : 1, default 12, -4, 13, -11
        Weights onto the first index from the second; inhibition is negative.
    a : 1, default 1.1
        Slope of the gain.
    theta : 1, default 3.4
        Where the gain is steepest.
    r : 1, default 1.0
        Refractory share: 0 removes the saturation.

    States ``rE``, ``rI`` (start at 0.1) and inputs ``rE_inp``, ``rI_inp``: dimensionless, shape
    ``(unit,)``.

    Errors
    ------
    ParameterError
        ``tau`` is not positive.

    Source: Wilson & Cowan 1972, Biophys J 12:1, eqs. 11-12 and 15; that both populations share
    their parameters, and the defaults, midway between those of :class:`WilsonCowanStep`, are
    brainmass's. Deviations: as in :class:`WilsonCowanStep`; tau is 10 ms, not 1 ms.

    >>> from braingraph import nodes
    >>> nodes.WilsonCowanSymmetricStep(76, theta=3.0)
    WilsonCowanSymmetricStep(76, theta=3)
    """

    tau: Quantity = parameter(10.0 * u.ms, positive=True)
    c_EE: float = 12.0
    c_EI: float = -4.0
    c_IE: float = 13.0
    c_II: float = -11.0
    a: float = 1.1
    theta: float = 3.4
    r: float = 1.0


class WilsonCowanSimplifiedStep(WilsonCowanBase):
    """Wilson-Cowan populations that both receive the same recurrent input.

    ::

        tau_E rE' = -rE + (1 - r rE) F_E(c_exc rE + c_inh rI + rE_inp)
        tau_I rI' = -rI + (1 - r rI) F_I(c_exc rE + c_inh rI + rI_inp)

    with F_X as in :class:`WilsonCowanStep`, which this is for c_EE = c_IE and c_EI = c_II.

    Parameters
    ----------
    tau_E, tau_I : time, default 10 ms
        Time constants.
    c_exc, c_inh : 1, default 8, -12
        Weights from the excitatory and the inhibitory population; inhibition is negative.
    a_E, a_I : 1, default 1.2, 1.0
        Slopes of the gains.
    theta_E, theta_I : 1, default 2.8, 4.0
        Where the gains are steepest.
    r : 1, default 1.0
        Refractory share: 0 removes the saturation.

    States ``rE``, ``rI`` (start at 0.1) and inputs ``rE_inp``, ``rI_inp``: dimensionless, shape
    ``(unit,)``.

    Errors
    ------
    ParameterError
        ``tau_E`` or ``tau_I`` is not positive.

    Source: Wilson & Cowan 1972, Biophys J 12:1, eqs. 11-12 and 15; the two weights are
    brainmass's (``w_exc`` = 8 and ``w_inh`` = 12 there, subtracted). Deviations: as in
    :class:`WilsonCowanStep`; the time constants are 10 ms, not 1 ms.

    >>> from braingraph import nodes
    >>> nodes.WilsonCowanSimplifiedStep(76, c_inh=-10.0)
    WilsonCowanSimplifiedStep(76, c_inh=-10)
    """

    tau_E: Quantity = parameter(10.0 * u.ms, positive=True)
    tau_I: Quantity = parameter(10.0 * u.ms, positive=True)
    c_exc: float = 8.0
    c_inh: float = -12.0
    a_E: float = 1.2
    a_I: float = 1.0
    theta_E: float = 2.8
    theta_I: float = 4.0
    r: float = 1.0

    def recurrent(self, p: str, s: Any) -> Any:
        return self.c_exc * s.rE + self.c_inh * s.rI


class WilsonCowanLinearStep(WilsonCowanBase):
    """Wilson-Cowan populations with a threshold-linear gain.

    ::

        tau_E rE' = -rE + (1 - r rE) max(c_EE rE + c_EI rI + rE_inp, 0)
        tau_I rI' = -rI + (1 - r rI) max(c_IE rE + c_II rI + rI_inp, 0)

    Parameters
    ----------
    tau_E, tau_I : time, default 10 ms
        Time constants.
    c_EE, c_EI, c_IE, c_II : 1, default 0.8, -0.3, 1.0, -0.85
        Weights onto the first index from the second; inhibition is negative.
    r : 1, default 1.0
        Refractory share: 0 removes the saturation.

    States ``rE``, ``rI`` (start at 0.1) and inputs ``rE_inp``, ``rI_inp``: dimensionless, shape
    ``(unit,)``.

    Errors
    ------
    ParameterError
        ``tau_E`` or ``tau_I`` is not positive.

    Source: Dayan & Abbott 2001, Theoretical Neuroscience, section 7.2 (the gain) and Wilson &
    Cowan 1972, eqs. 11-12 (the rest); weights of brainmass, signed. For weak positive drives it
    is :class:`WilsonCowanStep` with a = 4 and theta = 0, to third order in the drive. Deviation:
    the time constants are 10 ms, not 1 ms.

    >>> from braingraph import nodes
    >>> nodes.WilsonCowanLinearStep(76, r=0.0)
    WilsonCowanLinearStep(76, r=0)
    """

    tau_E: Quantity = parameter(10.0 * u.ms, positive=True)
    tau_I: Quantity = parameter(10.0 * u.ms, positive=True)
    c_EE: float = 0.8
    c_EI: float = -0.3
    c_IE: float = 1.0
    c_II: float = -0.85
    r: float = 1.0

    def gain(self, p: str, x: Any) -> Any:
        return jnp.maximum(x, 0.0)
