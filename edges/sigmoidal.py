"""Sums of sources passed through a sigmoid."""

from __future__ import annotations

from typing import Any

import brainunit as u

from braingraph.component import Coupling, parameter
from braingraph.nodes.transfer import potential_to_rate
from braingraph.units import Quantity


class SigmoidalJansenRitCoupling(Coupling):
    """The weighted sum of the sources' firing rates, each read from its potential.

    ::

        k sum_j conn_ij (cmin + (cmax - cmin) / (1 + exp(r (midpoint - x_j))))

    Connects ``eeg`` [mV] of one :class:`braingraph.nodes.JansenRitStep` to ``E_inp`` [Hz] of
    another.

    Parameters
    ----------
    conn : array (target, source), scalar, or None
        Weights; a scalar is all to all, None one to one.
    k : any unit, default 1.0
        Gain, one or one per target.
    cmin, cmax : rate, default 0 Hz, 5 Hz
        Lowest and highest rate.
    midpoint : potential, default 6 mV
        Where the rate is halfway.
    r : 1 / potential, default 0.56 / mV
        Steepness.

    Source: Jansen & Rit 1995, Biol Cybern 73:357, eq. 2; TVB's ``SigmoidalJansenRit``, where
    cmax = 0.005 per ms, and x = y1 - y2 is taken inside the coupling.
    """

    k: Any = parameter(1.0, any_unit=True)
    cmin: Quantity = 0.0 * u.Hz
    cmax: Quantity = 5.0 * u.Hz
    midpoint: Quantity = 6.0 * u.mV
    r: Quantity = 0.56 / u.mV

    def pre(self, x: Any) -> Any:
        return potential_to_rate(x, self.midpoint, self.r, self.cmin, self.cmax)

    def post(self, s: Any, y: Any, w: Any) -> Any:
        return self.k * s
