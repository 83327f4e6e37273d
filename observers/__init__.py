"""Observers: forward models and reducers that look at a simulation and never change it."""

from braingraph.observers.average import (
    GlobalAverage,
    SpatialAverage,
    SubSample,
    TemporalAverage,
)
from braingraph.observers.bandpass import BandPass
from braingraph.observers.bold import BOLDSignal
from braingraph.observers.connectivity import Covariance, FunctionalConnectivity
from braingraph.observers.gains import (
    eeg_sphere_gain,
    meg_sphere_gain,
    seeg_dipole_gain,
    seeg_monopole_gain,
)
from braingraph.observers.hrf import HRFBold
from braingraph.observers.kernels import (
    ArrayKernel,
    DoubleExponential,
    FirstOrderVolterra,
    Gamma,
    MixtureOfGammas,
)
from braingraph.observers.leadfield import (
    EEGLeadFieldModel,
    LeadFieldModel,
    MEGLeadFieldModel,
    SEEGLeadFieldModel,
)
from braingraph.observers.order import OrderParameter, PlanarOrderParameter
from braingraph.observers.readout import LeadfieldReadout
from braingraph.observers.spectrum import PowerSpectrum
from braingraph.observers.surface import (
    build_fixed_orientation_weights,
    compress_vertex_leadfield,
)

__all__ = [
    "ArrayKernel",
    "BOLDSignal",
    "BandPass",
    "Covariance",
    "DoubleExponential",
    "EEGLeadFieldModel",
    "FirstOrderVolterra",
    "FunctionalConnectivity",
    "Gamma",
    "GlobalAverage",
    "HRFBold",
    "LeadFieldModel",
    "LeadfieldReadout",
    "MEGLeadFieldModel",
    "MixtureOfGammas",
    "OrderParameter",
    "PlanarOrderParameter",
    "PowerSpectrum",
    "SEEGLeadFieldModel",
    "SpatialAverage",
    "SubSample",
    "TemporalAverage",
    "build_fixed_orientation_weights",
    "compress_vertex_leadfield",
    "eeg_sphere_gain",
    "meg_sphere_gain",
    "seeg_dipole_gain",
    "seeg_monopole_gain",
]
