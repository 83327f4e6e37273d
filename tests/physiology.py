"""Tables of the physiological models: right-hand sides, heterogeneous nodes, mistakes.

``test_models.py`` and ``test_oracle_models.py`` hold the models and the oracle's laws to them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import brainunit as u
import numpy as np
from model_tools import MS, VOLTAGES, WC_UNIT

import braingraph as bg
from braingraph import nodes
from braingraph.component import Node
from braingraph.errors import (
    DelayError,
    GraphError,
    ModelError,
    ParameterError,
    ShapeError,
    UnitError,
)

#: With these the variants of brainmass that took wEI and wIE the other way round are themselves.
FLIPPED: dict[str, Any] = dict(WC_UNIT, c_EI=-13.0, c_IE=4.0)
WC_AT: tuple[dict[str, float], list[float]] = ({"rE_inp": 1.1, "rI_inp": 0.6}, [0.3, 0.15])
SC = np.array([[5.0, 2.0, 1.0], [2.0, 0.0, 0.0], [0.5, 0.0, 0.0]])
EPILEPTOR: dict[str, Any] = {"Kvf": 0.5, "Kf": 0.3, "Ks": 0.2}
RESTING, SEIZING = [-1.2, -8, 3.3, -0.7, 0.1, -0.05], [0.4, -3, -0.3, -0.1, 0.3, 0.05]


@dataclass(frozen=True)
class Point:
    """A state and inputs, and the right-hand side there, per ms (TVB 2.10 or brainmass 0.1.1).

    ``outputs`` are known by other means.
    """

    model: Node
    inputs: dict[str, float]
    state: list[float]
    rates: list[float]
    outputs: dict[str, float] = field(default_factory=dict)


POINTS: list[Point] = [
    Point(nodes.WilsonCowanNoSaturationStep(1, **WC_UNIT), *WC_AT, [0.4927841297, 0.0725028731]),
    Point(nodes.WilsonCowanSymmetricStep(1, tau=MS), *WC_AT, [0.1622225689, 0.1304980189]),
    Point(nodes.WilsonCowanSimplifiedStep(1, **WC_UNIT), *WC_AT, [-0.1759256509, -0.1165627290]),
    Point(nodes.WilsonCowanLinearStep(1, **WC_UNIT), *WC_AT, [0.6065, 0.506625]),
    Point(  # the rectifier, on paper
        nodes.WilsonCowanLinearStep(1, **WC_UNIT),
        {"rE_inp": -1.0, "rI_inp": -0.1},
        [0.3, 0.15],
        [-0.3, -0.15 + 0.85 * 0.0725],
    ),
    Point(nodes.WilsonCowanDivisiveStep(1, **WC_UNIT), *WC_AT, [-0.1240625924, -0.1316782076]),
    Point(nodes.WilsonCowanDivisiveInputStep(1, **WC_UNIT), *WC_AT, [-0.1277618903, -0.1276251265]),
    Point(
        nodes.WilsonCowanDelayedStep(1, **WC_UNIT),  # its edges bring 12 rE - 4 rI, 13 rE - 11 rI
        {"rE_inp": 1.1 + 3.0, "rI_inp": 0.6 + 2.25},
        [0.3, 0.15],
        [0.2549488908, 0.0391274421],
    ),
    Point(
        nodes.WilsonCowanAdaptiveStep(1, **FLIPPED),
        WC_AT[0],
        [0.3, 0.15, 0.05, 0.02],
        [0.0055267075, -0.1479209193, -0.0002, -0.0001],
    ),
    Point(
        nodes.WilsonCowanThreePopulationStep(1, **FLIPPED, tau_M=2 * u.ms),
        {**WC_AT[0], "rM_inp": 0.3},
        [0.3, 0.15, 0.2],
        [0.1741661955, -0.1391347480, -0.0260588855],
    ),
    Point(  # with 30 digits
        nodes.WongWangStep(1),
        {"coherence": 0.3, "I1_inp": 0.01, "I2_inp": -0.02},
        [0.2, 0.1],
        [0.00154114975872313, -0.000322654045753587],
        {"r1": 6.905518250240118, "r2": 1.174113285225192, "decision": 0.0},
    ),
    Point(  # on paper
        nodes.WongWangStep(1, transfer="threshold_linear"),
        {"coherence": 0.3},
        [0.2, 0.1],
        [0.00949046344, 0.00563083091],
        {"decision": 1.0},
    ),
    Point(
        nodes.ReducedWongWangStep(1),
        {"S_inp": 0.3},
        [0.2],
        [0.00478939418901187],
        {"H": 13.2398482625036},
    ),
    Point(
        nodes.ReducedWongWangStep(1, w=0.9, I_o=0.3 * u.nA),
        {"S_inp": 0.1, "n_S": 0.5},
        [0.4],
        [0.49967903950569388],
    ),
    Point(  # the current that takes the place of the network: 0.2609 nA * 0.3
        nodes.ReducedWongWangStep(1, G=0.5),
        {"S_inp": 0.3, "I_inp": 0.2609 * 0.15},
        [0.2],
        [0.00478939418901187],
    ),
    Point(
        nodes.MontbrioPazoRoxinAdaptiveStep(1, J=21.2132),
        {},
        [0.3, -0.5, 0.7, -0.2],
        [0.3366197723675814, 6.025695603901958, -0.02, 0.27],
        {"rate": 300.0},
    ),
    Point(
        nodes.MontbrioPazoRoxinAdaptiveStep(1, J=21.2132, **VOLTAGES),
        {"I_ext": 0.6},  # 10 Mohm * 0.6 nA / 15 mV = 0.4
        [0.3, -0.5, 0.7, -0.2],
        [0.3366197723675814, 6.425695603901958, -0.02, 0.27],
        {"V": -65.0},
    ),
    Point(  # twice as slow: tau alone scales time
        nodes.MontbrioPazoRoxinAdaptiveStep(1, J=21.2132, tau=2 * MS, tau_A=20 * u.ms),
        {},
        [0.3, -0.5, 0.7, -0.2],
        [0.1683098861837907, 3.012847801950979, -0.01, 0.135],
    ),
    Point(
        nodes.CoombesByrneStep(1),
        {"v_inp": 0.4},
        [0.3, -0.5],
        [-0.264433452639291, -1.53693668236733],
    ),
    Point(
        nodes.CoombesByrneStep(1),
        {"r_inp": 1.0},
        [0.3, -0.5],
        [0.735566547360709, -1.93693668236733],
    ),
    Point(
        nodes.CoombesByrne4DStep(1),
        {"v_inp": 0.4},
        [0.3, -0.5, 0.2, 0.1],
        [-0.200845056908105, 17.861735603902, 0.095, 0.515353906273091],
    ),
    Point(
        nodes.LarterBreakspearStep(1),
        {"V_inp": 0.3},
        [0.1, 0.2, -0.1],
        [0.8919116018742, 0.322529458136072, 0.023526437598149],
    ),
    Point(
        nodes.EpileptorStep(1, **EPILEPTOR),
        {"x1_inp": 0.2, "x2_inp": 0.1},
        RESTING,
        [-2.052, 1.8, -0.000581, -0.017, -0.01, -0.0007],
        {"lfp": 0.5},
    ),
    Point(
        nodes.EpileptorStep(1, **EPILEPTOR, modification=1.0),
        {"x1_inp": 0.2, "x2_inp": 0.1, "n1": 1.0, "n2": -2.0},
        SEIZING,
        [5.9776, 3.2, 0.000608870435695214, -0.679, 0.06, -0.0001],
    ),
    Point(  # halfway between the two forms of h
        nodes.EpileptorStep(1, **EPILEPTOR, modification=0.5),
        {"x1_inp": 0.2, "x2_inp": 0.1},
        SEIZING,
        [4.9776, 3.2, (0.000608870435695214 + 0.0029190076545) / 2, 1.321, 0.06, -0.0001],
    ),
    Point(
        nodes.Epileptor2DStep(1, Kvf=0.5, Ks=0.2),
        {"x1_inp": 0.2},
        [-1.2, 3.3],
        [-0.252, -0.000581],
    ),
    Point(
        nodes.Epileptor2DStep(1, Kvf=0.5, Ks=0.2),
        {"x1_inp": 0.2, "n1": 1.0},
        [0.4, -0.3],
        [9.1376, 0.0029190076545],
    ),
    Point(
        nodes.Epileptor2DStep(1, Kvf=0.5, Ks=0.2, modification=1.0),
        {"x1_inp": 0.2},
        [0.4, -0.3],
        [8.1376, 0.000608870435695214],
    ),
    Point(
        nodes.ZerlautAdaptationFirstOrderStep(1),
        {},
        [5.0, 10.0, 50.0, 2.0],
        [0.04789704089063762, 0.4825079196129981, 0.2880155182929878, -2.0],
    ),
    Point(
        nodes.ZerlautAdaptationFirstOrderStep(1),
        {"nu_inp": 3.0, "nu_e_inp": -1.0, "nu_i_inp": -1.0},
        [5.0, 10.0, 50.0, 2.0],
        [1.2780091240734684, 2.5877465603970948, 0.33429502459579863, -2.0],
    ),
    Point(
        nodes.ZerlautAdaptationFirstOrderStep(1, a_i=1 * u.nS, b_i=5 * u.pA),
        {"nu_inp": 2.3},
        [5.0, 10.0, 50.0, 2.0],
        [1.5137765340270041, 2.9052534254636799, 0.34039521663108130, 16.442905782393620],
    ),
    Point(  # the outside falls silent below 0
        nodes.ZerlautAdaptationFirstOrderStep(1),
        {"nu_inp": -9.0},
        [5.0, 10.0, 50.0, 2.0],
        [0.04789704089063762, 0.4825079196129981, 0.2880155182929878, -2.0],
    ),
    Point(
        nodes.ZerlautAdaptationFirstOrderStep(1),
        {"nu_e_inp": 1.0, "nu_i_inp": 3.0},
        [20.0, 30.0, 120.0, 0.0],
        [2.0232039065617, 5.7368944274306, 1.114056842482205, 0.0],
    ),
]

_MEMORY = nodes.WongWangStep(1, mu0=0 * u.Hz)
#: A fixed point at these inputs, and whether it is stable.
FIXED: list[tuple[Node, dict[str, float], list[float], bool]] = [
    (nodes.WilsonCowanNoSaturationStep(1, **WC_UNIT), {}, [0, 0], True),
    (nodes.WilsonCowanNoSaturationStep(1, **WC_UNIT), {}, [0.14072008, 0.046228545], False),
    (nodes.WilsonCowanNoSaturationStep(1, **WC_UNIT), {}, [0.96569235, 0.69494138], True),
    (nodes.WilsonCowanSymmetricStep(1, tau=MS), {}, [0, 0], True),
    (nodes.WilsonCowanLinearStep(1), {"rE_inp": 0.5}, [0.441513982, 0.208853543], True),
    (
        nodes.WilsonCowanDivisiveStep(1, **WC_UNIT),
        {"rE_inp": 3.0, "rI_inp": 3.0},
        [0.297617783, 0.166368125],
        True,
    ),
    (
        nodes.WilsonCowanDivisiveInputStep(1, **WC_UNIT),
        {"rE_inp": 3.0, "rI_inp": 3.0},
        [0.436810450, 0.247814315],
        True,
    ),
    (
        nodes.WilsonCowanAdaptiveStep(1, **FLIPPED),
        {"rE_inp": 1.0},
        [0.486903960, 0.048961756, 0.048690396, 0.003916940],
        True,
    ),
    (
        nodes.WilsonCowanThreePopulationStep(1, **FLIPPED, tau_M=2 * u.ms),
        {"rE_inp": 1.0},
        [0.490440150, 0.080381038, 0.391871820],
        True,
    ),
    (_MEMORY, {}, [0.1026512, 0.1026512], True),
    (_MEMORY, {}, [0.5669872, 0.0318914], True),
    (_MEMORY, {}, [0.0318914, 0.5669872], True),
    (_MEMORY, {}, [0.3138449, 0.0557853], False),
    (_MEMORY, {}, [0.0557853, 0.3138449], False),
    (nodes.WongWangStep(1), {"coherence": 1.0}, [0.7092805, 0.0239637], True),
    (nodes.ReducedWongWangStep(1), {}, [0.098018453], True),
    (nodes.ReducedWongWangStep(1, w=0.9, I_o=0.3 * u.nA), {}, [0.034355057], True),
    (nodes.CoombesByrneStep(1), {}, [0.184725544, -0.571408970], True),
    (nodes.LarterBreakspearStep(1, d_V=0.5), {}, [-0.18652619, 0.22382597, 0.10444689], True),
    (nodes.Epileptor2DStep(1, x0=-2.4), {}, [-1.62319712, 3.10721150], True),
    (
        nodes.ZerlautAdaptationFirstOrderStep(1),
        {"nu_inp": 1.0},
        [0.378099, 2.860495, 35.110334, 0],
        True,
    ),
    (
        nodes.ZerlautAdaptationFirstOrderStep(1),
        {"nu_inp": 4.0},
        [2.045294, 13.669796, 97.851669, 0],
        True,
    ),
]

#: Nodes whose units differ.
MODELS: list[Node] = [
    nodes.WilsonCowanNoSaturationStep(3, c_EE=[10.0, 11.0, 12.0]),
    nodes.WilsonCowanSymmetricStep(3, tau=[5.0, 10.0, 20.0] * u.ms, a=[1.0, 1.1, 1.2]),
    nodes.WilsonCowanSimplifiedStep(3, c_inh=[-12.0, -11.0, -10.0]),
    nodes.WilsonCowanLinearStep(3, c_EI=[-0.3, -0.2, 0.1]),
    nodes.WilsonCowanDivisiveStep(3, sigma_E=[0.5, 1.0, 2.0]),
    nodes.WilsonCowanDivisiveInputStep(3, c_EI=[-6.5, -5.0, 0.0]),
    nodes.WilsonCowanDelayedStep(3, tau_E=[5.0, 10.0, 20.0] * u.ms),
    nodes.WilsonCowanAdaptiveStep(3, b_E=[0.1, 0.5, 1.0], tau_aI=[50.0, 80.0, 90.0] * u.ms),
    nodes.WilsonCowanThreePopulationStep(3, c_EM=[0.0, 2.0, 4.0]),
    nodes.WongWangStep(3, mu0=[0.0, 20.0, 30.0] * u.Hz),
    nodes.ReducedWongWangStep(3, w=[0.6, 0.8, 0.9]),
    nodes.MontbrioPazoRoxinAdaptiveStep(3, alpha=[0.0, 5.0, 10.0]),
    nodes.CoombesByrneStep(3, k=[0.0, 1.0, 2.0]),
    nodes.CoombesByrne4DStep(3, alpha=[0.5, 1.0, 2.0]),
    nodes.LarterBreakspearStep(3, d_V=[0.5, 0.57, 0.65]),
    nodes.EpileptorStep(3, x0=[-1.6, -2.0, -2.4], **EPILEPTOR),
    nodes.Epileptor2DStep(3, x0=[-1.6, -2.0, -2.4], Ks=-0.2),
    nodes.ZerlautAdaptationFirstOrderStep(3, b_e=[0.0, 20.0, 60.0] * u.pA),
]

Mistake = tuple[Callable[[], Any], type[GraphError], str]


def added(model: Node) -> Callable[[], Any]:
    return lambda: bg.Graph().add_node("a", model)


MISTAKES: list[Mistake] = [
    (lambda: nodes.WilsonCowanStep(1, tau_E=0 * u.ms), ParameterError, "Step.tau_E must be posit"),
    (lambda: nodes.WilsonCowanStep(1, wEE=12.0), ParameterError, "no parameter 'wEE'.*'c_EE'"),
    (lambda: nodes.WilsonCowanNoSaturationStep(1, r=0.5), ParameterError, "no parameter 'r'"),
    (lambda: nodes.WilsonCowanSymmetricStep(1, tau_E=MS), ParameterError, "'tau_E'.*'tau'"),
    (lambda: nodes.WilsonCowanSymmetricStep(1, tau=-MS), ParameterError, "tau must be positive"),
    (lambda: nodes.WilsonCowanSimplifiedStep(1, c_EI=-1.0), ParameterError, "parameter 'c_EI'"),
    (lambda: nodes.WilsonCowanLinearStep(1, a_E=1.2), ParameterError, "no parameter 'a_E'"),
    (
        lambda: nodes.WilsonCowanDivisiveStep(2, c_EI=[-1.0, 2.5]),
        ParameterError,
        "c_EI must be at most 0, but holds 2.5: inhibition is negative here too, and divides by "
        "sigma_E - c_EI rI",
    ),
    (lambda: nodes.WilsonCowanDivisiveInputStep(1, c_II=1.0), ParameterError, "c_II.*at most 0"),
    (lambda: nodes.WilsonCowanDivisiveStep(1, sigma_I=0.0), ParameterError, "sigma_I must be pos"),
    (
        lambda: nodes.WilsonCowanDelayedStep(2, delay_EI=[1.0, -2.0] * u.ms),
        DelayError,
        "DelayedStep.delay_EI must not be negative, but its least value is -2 ms",
    ),
    (lambda: nodes.WilsonCowanDelayedStep(1, delay_II=1.5), UnitError, r"delay_II.*\[1\].*\[ms\]"),
    (lambda: nodes.WilsonCowanDelayedStep(2, c_IE=[1, 2, 3]), ShapeError, r"c_IE has shape \(3,"),
    (
        lambda: nodes.WilsonCowanDelayedStep(1).update({"rE": 0.1, "rI": 0.1}, dt=MS),
        ModelError,
        "need its past.*run it in a Simulator",
    ),
    (lambda: nodes.WilsonCowanAdaptiveStep(1, tau_aE=0 * u.ms), ParameterError, "tau_aE must be"),
    (lambda: nodes.WilsonCowanThreePopulationStep(1, tau_M=2.0), UnitError, r"tau_M=20 \* u.ms"),
    (added(nodes.WilsonCowanThreePopBase(2)), ModelError, "'a'.*c_EM.*ThreePopulationStep"),
    (added(nodes.WilsonCowanBase(2)), ModelError, "no parameter c_EE.*nodes.WilsonCowanStep"),
    (lambda: nodes.JansenRitStep(1, be=0 * u.Hz), ParameterError, "be must be positive"),
    (lambda: nodes.JansenRitTR(3, sc=SC[:2, :2]), ShapeError, r"sc has shape \(2, 2\).*\(3, 3\)"),
    (lambda: nodes.JansenRitTR(3, sc=SC, w_bb=[1.0]), ShapeError, r"w_bb has shape \(1,\)"),
    (lambda: nodes.JansenRitTR(3, sc=SC, w_ll=np.inf), ParameterError, "w_ll is not finite"),
    (lambda: nodes.JansenRitTR(3, sc=SC, delay=10.0), UnitError, r"TR.delay is in \[1\].*\[ms\]"),
    (lambda: nodes.JansenRitTR(3, sc=SC, delay=-MS), DelayError, "column.M -> column.M_inp is -1"),
    (lambda: nodes.JansenRitTR(3, sc=SC, tr=1.0), UnitError, "JansenRitTR.tr is 1.0.*be a time"),
    (lambda: nodes.JansenRitTR(3, sc=SC, g_f=50.0), UnitError, r"gain in \[Hz / mV\]"),
    (lambda: nodes.JansenRitTR(3, sc=SC, c=135), ParameterError, "no parameter 'c'.*mean 'C'"),
    (lambda: nodes.WongWangStep(1, a=270 * u.Hz), UnitError, r"a is in \[Hz\].*\[Hz / nA\]"),
    (lambda: nodes.WongWangStep(1, d=0 * u.ms), ParameterError, "d must be positive"),
    (lambda: nodes.WongWangStep(1, transfer="curved"), ParameterError, "Did you mean 'curve'"),
    (lambda: nodes.WongWangStep(1, transfer=3), ParameterError, "transfer must be a str"),
    (lambda: nodes.ReducedWongWangStep(1, I_o=0.33), UnitError, r"I_o=0.33 \* u.nA"),
    (lambda: nodes.ReducedWongWangStep(1, tau_S=-MS), ParameterError, "tau_S must be positive"),
    (lambda: nodes.WongWangExcInhStep(1, lambda_=0.1), ParameterError, "mean 'lamda'"),
    (lambda: nodes.MontbrioPazoRoxinStep(1, Delta=0.0), ParameterError, "Delta must be positive"),
    (lambda: nodes.MontbrioPazoRoxinAdaptiveStep(1, Delta=-1.0), ParameterError, "Delta must be"),
    (lambda: nodes.MontbrioPazoRoxinAdaptiveStep(1, tau_A=0 * MS), ParameterError, "tau_A must be"),
    (
        lambda: nodes.MontbrioPazoRoxinAdaptiveStep(1, v_rest=-65 * u.mV),
        ParameterError,
        "AdaptiveStep needs v_rest and v_th together",
    ),
    (lambda: nodes.CoombesByrneStep(1, Delta=0.0), ParameterError, "Delta must be positive"),
    (lambda: nodes.CoombesByrneStep(1, alpha=1.0), ParameterError, "no parameter 'alpha'"),
    (lambda: nodes.CoombesByrne4DStep(1, alpha=0.0), ParameterError, "alpha must be positive"),
    (lambda: nodes.LarterBreakspearStep(1, d_V=0.0), ParameterError, "d_V must be positive"),
    (
        lambda: nodes.LarterBreakspearStep(2, C=[0.5, 1.5]),
        ParameterError,
        "C must be at least 0",
    ),
    (lambda: nodes.LarterBreakspearStep(1, C=-0.5), ParameterError, "but holds -0.5"),
    (lambda: nodes.LarterBreakspearStep(1, t_scale=MS), UnitError, r"t_scale is in \[ms\].*\[1\]"),
    (lambda: nodes.EpileptorStep(1, X0=-1.6), ParameterError, "no parameter 'X0'.*'x0'"),
    (lambda: nodes.EpileptorStep(1, tau=0.0), ParameterError, "tau must be positive"),
    (lambda: nodes.EpileptorStep(2, x0=[1, 2, 3]), ShapeError, r"x0 has shape \(3,\)"),
    (lambda: nodes.EpileptorStep(1, modification=2.0), ParameterError, "at most 1, but holds 2"),
    (lambda: nodes.Epileptor2DStep(1, modification=-1.0), ParameterError, "modification must be"),
    (lambda: nodes.Epileptor2DStep(1, bb=2.0), ParameterError, "no parameter 'bb'"),
    (lambda: nodes.ZerlautAdaptationFirstOrderStep(1, g=1.2), ParameterError, "g must be at least"),
    (
        lambda: nodes.ZerlautAdaptationFirstOrderStep(1, P_e=(1.0, 2.0)),
        ParameterError,
        "P_e must be ten coefficients in mV, but has 2",
    ),
    (
        lambda: nodes.ZerlautAdaptationFirstOrderStep(1, E_L_e=-65.0),
        UnitError,
        r"E_L_e=-65 \* u.mV",
    ),
    (
        lambda: nodes.ZerlautAdaptationFirstOrderStep(1, C_m=0 * u.pF),
        ParameterError,
        "C_m must be positive",
    ),
]
