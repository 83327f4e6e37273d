"""Models: populations, noise sources and stimuli."""

from braingraph.nodes.adex import ZerlautAdaptationFirstOrderStep
from braingraph.nodes.colored_noise import BlueNoise, ColoredNoise, PinkNoise, VioletNoise
from braingraph.nodes.coombes_byrne import CoombesByrne4DStep, CoombesByrneStep
from braingraph.nodes.epileptor import Epileptor2DStep, EpileptorStep
from braingraph.nodes.fitzhugh_nagumo import (
    FitzHughNagumoBase,
    FitzHughNagumoCubicStep,
    FitzHughNagumoStep,
)
from braingraph.nodes.generic2d import Generic2dOscillatorStep
from braingraph.nodes.hopf import HopfStep, StuartLandauStep
from braingraph.nodes.horn import HORNSeqLayer, HORNSeqNetwork, HORNStep
from braingraph.nodes.jansen_rit import JansenRitStep
from braingraph.nodes.jansen_rit_tr import JansenRitTR
from braingraph.nodes.kuramoto import KuramotoNetwork
from braingraph.nodes.larter_breakspear import LarterBreakspearStep
from braingraph.nodes.linear import LinearStep
from braingraph.nodes.lorenz import LorenzStep
from braingraph.nodes.montbrio import MontbrioPazoRoxinAdaptiveStep, MontbrioPazoRoxinStep
from braingraph.nodes.noise import BrownianNoise, GaussianNoise, OUProcess, WhiteNoise
from braingraph.nodes.planar import XY_Oscillator
from braingraph.nodes.recurrent import RecurrentNode
from braingraph.nodes.relay import Relay
from braingraph.nodes.stimulus import (
    ArrayStimulus,
    ConstantStimulus,
    FunctionStimulus,
    PulseTrain,
)
from braingraph.nodes.threshold_linear import ThresholdLinearStep
from braingraph.nodes.van_der_pol import VanDerPolStep
from braingraph.nodes.waveforms import ChirpStimulus, RampStimulus, SineStimulus
from braingraph.nodes.wilson_cowan import WilsonCowanBase, WilsonCowanStep
from braingraph.nodes.wilson_cowan_divisive import (
    WilsonCowanDivisiveInputStep,
    WilsonCowanDivisiveStep,
)
from braingraph.nodes.wilson_cowan_gains import (
    WilsonCowanLinearStep,
    WilsonCowanNoSaturationStep,
    WilsonCowanSimplifiedStep,
    WilsonCowanSymmetricStep,
)
from braingraph.nodes.wilson_cowan_memory import WilsonCowanAdaptiveStep, WilsonCowanDelayedStep
from braingraph.nodes.wilson_cowan_three import (
    WilsonCowanThreePopBase,
    WilsonCowanThreePopulationStep,
)
from braingraph.nodes.wong_wang import ReducedWongWangStep, WongWangExcInhStep, WongWangStep

__all__ = [
    "ArrayStimulus",
    "BlueNoise",
    "BrownianNoise",
    "ChirpStimulus",
    "ColoredNoise",
    "ConstantStimulus",
    "CoombesByrne4DStep",
    "CoombesByrneStep",
    "Epileptor2DStep",
    "EpileptorStep",
    "FitzHughNagumoBase",
    "FitzHughNagumoCubicStep",
    "FitzHughNagumoStep",
    "FunctionStimulus",
    "GaussianNoise",
    "Generic2dOscillatorStep",
    "HORNSeqLayer",
    "HORNSeqNetwork",
    "HORNStep",
    "HopfStep",
    "JansenRitStep",
    "JansenRitTR",
    "KuramotoNetwork",
    "LarterBreakspearStep",
    "LinearStep",
    "LorenzStep",
    "MontbrioPazoRoxinAdaptiveStep",
    "MontbrioPazoRoxinStep",
    "OUProcess",
    "PinkNoise",
    "PulseTrain",
    "RampStimulus",
    "RecurrentNode",
    "ReducedWongWangStep",
    "Relay",
    "SineStimulus",
    "StuartLandauStep",
    "ThresholdLinearStep",
    "VanDerPolStep",
    "VioletNoise",
    "WhiteNoise",
    "WilsonCowanAdaptiveStep",
    "WilsonCowanBase",
    "WilsonCowanDelayedStep",
    "WilsonCowanDivisiveInputStep",
    "WilsonCowanDivisiveStep",
    "WilsonCowanLinearStep",
    "WilsonCowanNoSaturationStep",
    "WilsonCowanSimplifiedStep",
    "WilsonCowanStep",
    "WilsonCowanSymmetricStep",
    "WilsonCowanThreePopBase",
    "WilsonCowanThreePopulationStep",
    "WongWangExcInhStep",
    "WongWangStep",
    "XY_Oscillator",
    "ZerlautAdaptationFirstOrderStep",
]
