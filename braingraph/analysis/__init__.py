"""Measures of recorded signals: functions of labelled arrays that keep their labels.

All take a recorded variable, such as ``bg.open("rest.zarr")["cortex.x"]``: a DataArray with
dimensions (..., time, unit) and time in ms. Leading dimensions, as of a sweep, are kept. What lies
in a store stays there: results are lazy, and computing them reads the signal piece by piece.
"""

from braingraph.analysis import plots
from braingraph.analysis.compare import fc_correlation, fc_rmse, fcd_ks
from braingraph.analysis.connectivity import functional_connectivity, upper_triangle
from braingraph.analysis.crossings import event_rate, events
from braingraph.analysis.dynamics import fc_dynamics, fcd_distribution, windowed_connectivity
from braingraph.analysis.haemodynamics import bold
from braingraph.analysis.spectra import band_power, peak_frequency, power_spectrum
from braingraph.analysis.synchrony import metastability, order_parameter, phase, synchrony

__all__ = [
    "band_power",
    "bold",
    "event_rate",
    "events",
    "fc_correlation",
    "fc_dynamics",
    "fc_rmse",
    "fcd_distribution",
    "fcd_ks",
    "functional_connectivity",
    "metastability",
    "order_parameter",
    "peak_frequency",
    "phase",
    "plots",
    "power_spectrum",
    "synchrony",
    "upper_triangle",
    "windowed_connectivity",
]
