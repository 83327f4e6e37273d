"""Models: populations, noise sources and stimuli."""

from braingraph.nodes.hopf import HopfStep, StuartLandauStep, XY_Oscillator
from braingraph.nodes.jansen_rit import JansenRitStep
from braingraph.nodes.kuramoto import KuramotoNetwork
from braingraph.nodes.linear import LinearStep
from braingraph.nodes.montbrio import MontbrioPazoRoxinStep
from braingraph.nodes.noise import GaussianNoise, OUProcess, WhiteNoise
from braingraph.nodes.stimulus import (
    ArrayStimulus,
    ConstantStimulus,
    FunctionStimulus,
    PulseTrain,
)
from braingraph.nodes.wilson_cowan import WilsonCowanBase, WilsonCowanStep
from braingraph.nodes.wong_wang import WongWangExcInhStep

__all__ = [
    "ArrayStimulus",
    "ConstantStimulus",
    "FunctionStimulus",
    "GaussianNoise",
    "HopfStep",
    "JansenRitStep",
    "KuramotoNetwork",
    "LinearStep",
    "MontbrioPazoRoxinStep",
    "OUProcess",
    "PulseTrain",
    "StuartLandauStep",
    "WhiteNoise",
    "WilsonCowanBase",
    "WilsonCowanStep",
    "WongWangExcInhStep",
    "XY_Oscillator",
]
