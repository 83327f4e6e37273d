"""Wilson-Cowan with a third population."""

from __future__ import annotations

from typing import ClassVar

import brainunit as u

from braingraph.component import Input, State, parameter
from braingraph.nodes.wilson_cowan import WilsonCowanStep
from braingraph.units import Quantity


class WilsonCowanThreePopBase(WilsonCowanStep):
    """Base of variants with a third population M beside E and I: its rate and its input.

    A subclass declares what :class:`WilsonCowanStep` has for E and I: ``tau_M``, ``a_M``,
    ``theta_M``, and the weights onto M and from M.

    Parameters
    ----------
    tau_E, tau_I, c_EE, c_EI, c_IE, c_II, a_E, a_I, theta_E, theta_I, r : inherited
        As in :class:`WilsonCowanStep`, with the same defaults.

    States ``rE``, ``rI``, ``rM`` (start at 0.1) and inputs ``rE_inp``, ``rI_inp``, ``rM_inp``:
    dimensionless, shape ``(unit,)``.

    Errors
    ------
    ModelError
        A class without the parameters of M is added to a graph: this base itself, for instance.

    >>> import braingraph as bg
    >>> from braingraph import nodes
    >>> bg.Graph().add_node("a", nodes.WilsonCowanThreePopBase(3))
    Traceback (most recent call last):
        ...
    braingraph.errors.ModelError: 'a' (WilsonCowanThreePopBase): WilsonCowanThreePopBase declares
    no parameter c_EM: use one of its subclasses, as nodes.WilsonCowanThreePopulationStep.
    """

    populations: ClassVar[tuple[str, ...]] = ("E", "I", "M")
    concrete: ClassVar[str] = "WilsonCowanThreePopulationStep"

    rM = State(0.1)
    rM_inp = Input()


class WilsonCowanThreePopulationStep(WilsonCowanThreePopBase):
    """Wilson-Cowan populations E and I with a third one, M, that modulates them.

    ::

        tau_E rE' = -rE + (1 - r rE) F_E(c_EE rE + c_EI rI + c_EM rM + rE_inp)
        tau_I rI' = -rI + (1 - r rI) F_I(c_IE rE + c_II rI + c_IM rM + rI_inp)
        tau_M rM' = -rM + (1 - r rM) F_M(c_ME rE + c_MI rI + c_MM rM + rM_inp)

    with F_X as in :class:`WilsonCowanStep`, which E and I are where c_EM = c_IM = 0.

    Parameters
    ----------
    tau_M : time, default 20 ms
        Time constant of M.
    c_EM, c_IM : 1, default 4.0, 2.0
        Weights from M onto E and I.
    c_ME, c_MI, c_MM : 1, default 8.0, -6.0, 2.0
        Weights onto M from E, I and itself.
    a_M, theta_M : 1, default 1.0, 3.5
        Slope of the gain of M, and where it is steepest.
    tau_E, tau_I, c_EE, c_EI, c_IE, c_II, a_E, a_I, theta_E, theta_I, r : inherited
        As in :class:`WilsonCowanStep`, with the same defaults.

    States ``rE``, ``rI``, ``rM`` (start at 0.1) and inputs ``rE_inp``, ``rI_inp``, ``rM_inp``:
    dimensionless, shape ``(unit,)``.

    Errors
    ------
    ParameterError
        A time constant is not positive.

    Source: Wilson & Cowan 1972, eqs. 11-12 and 15, for each population; M and its defaults are
    brainmass's. Deviations: as in :class:`WilsonCowanStep`; all time constants are 10 times those
    of brainmass, as tau_E and tau_I are.

    >>> from braingraph import nodes
    >>> nodes.WilsonCowanThreePopulationStep(76, c_EM=1.0)
    WilsonCowanThreePopulationStep(76, c_EM=1)
    """

    tau_M: Quantity = parameter(20.0 * u.ms, positive=True)
    c_EM: float = 4.0
    c_IM: float = 2.0
    c_ME: float = 8.0
    c_MI: float = -6.0
    c_MM: float = 2.0
    a_M: float = 1.0
    theta_M: float = 3.5
