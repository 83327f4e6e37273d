"""Sums of sources passed through a sigmoid, and sums of what a sigmoid makes of the sources."""

from __future__ import annotations

from typing import Any

import brainunit as u

from braingraph.component import Coupling, parameter
from braingraph.nodes.transfer import logistic, potential_to_rate
from braingraph.units import ONE, Quantity, Unit, as_code, attach, magnitude, show, strip, unit_of


class SigmoidalCoupling(Coupling):
    """A sigmoid of the weighted sum of the sources: it saturates after the sum.

    ::

        k / (1 + exp(-slope (a sum_j conn_ij x_j + b - midpoint)))

    Parameters
    ----------
    conn : array or sparse matrix (target, source), scalar, or None
        Weights; a scalar is all to all, None one to one.
    k : the target's unit, default 1.0
        Highest value, one or one per target, as are all parameters below.
    a : any unit, default 1.0
        Gain before the sigmoid.
    b : unit of a times the sum, default None
        Offset before the sigmoid; None adds nothing.
    slope : 1 / unit of a times the sum, default 1.0
        Four times the steepness at the midpoint, for k = 1.
    midpoint : unit of a times the sum, default 0.0
        Where the sigmoid is halfway.

    Errors
    ------
    UnitError
        ``b`` or ``midpoint`` is not in the unit of the sum, or ``slope`` does not take it away.

    Source: the post-sum sigmoid of the reference page and of tvboptim. TVB's ``Sigmoidal`` has
    other parameters: :class:`TVBSigmoidalCoupling`.

    >>> import brainunit as u
    >>> from braingraph import edges
    >>> coupling = edges.SigmoidalCoupling(0.2, k=5 * u.Hz, slope=0.56 / u.mV, midpoint=6 * u.mV)
    >>> print(coupling.post(6.0 * u.mV, None, None))
    2.5 Hz
    """

    k: Any = parameter(1.0, any_unit=True)
    a: Any = parameter(1.0, any_unit=True)
    b: Any = parameter(None, any_unit=True)
    slope: Any = parameter(1.0, any_unit=True)
    midpoint: Any = parameter(0.0, any_unit=True)

    def post(self, s: Any, y: Any, w: Any) -> Any:
        drive = self.a * s
        if self.b is not None:
            drive = drive + alike(self.b, "b", drive)
        drive = drive - alike(self.midpoint, "midpoint", drive)
        return self.k * logistic(inside(self.slope, drive, "slope"))


class TVBSigmoidalCoupling(Coupling):
    """The sigmoid of the weighted sum of the sources, as TVB parametrises it.

    ::

        cmin + (cmax - cmin) / (1 + exp(-a (sum_j conn_ij x_j - midpoint) / sigma))

    A :class:`SigmoidalCoupling` with k = cmax - cmin and slope = a / sigma, and cmin added. With
    the defaults it is nearly linear up to sums of about 100, of slope 1/460.

    Parameters
    ----------
    conn : array or sparse matrix (target, source), scalar, or None
        Weights; a scalar is all to all, None one to one.
    cmin, cmax : the target's unit, default -1.0, 1.0
        Lowest and highest value, one or one per target, as are all parameters below.
    midpoint : the sum's unit, default 0.0
        Where the sigmoid is halfway.
    a : dimensionless, default 1.0
        Steepness. a = pi / sqrt(3) gives the logistic distribution of standard deviation sigma.
    sigma : the sum's unit, default 230.0
        Width.

    Errors
    ------
    UnitError
        ``midpoint`` or ``sigma`` is not in the unit of the sum, or ``cmin`` and ``cmax`` differ.

    Source: TVB's ``Sigmoidal`` (Sanz-Leon et al. 2015, NeuroImage 111:385), its names and
    defaults.

    >>> from braingraph import edges
    >>> coupling = edges.TVBSigmoidalCoupling([[0, 2], [1, 0]], sigma=10.0)
    >>> print(coupling.post(0.0, None, None))
    0.0
    """

    cmin: Any = parameter(-1.0, any_unit=True)
    cmax: Any = parameter(1.0, any_unit=True)
    midpoint: Any = parameter(0.0, any_unit=True)
    a: float = 1.0
    sigma: Any = parameter(230.0, any_unit=True, positive=True)

    def post(self, s: Any, y: Any, w: Any) -> Any:
        x = scaled(s - alike(self.midpoint, "midpoint", s), self.sigma)
        span = alike(self.cmax, "cmax", self.cmin) - self.cmin
        return self.cmin + span * logistic(self.a * x)


class SigmoidalJansenRitCoupling(Coupling):
    """The weighted sum of the sources' firing rates, each read from its potential.

    ::

        k sum_j conn_ij (cmin + (cmax - cmin) / (1 + exp(r (midpoint - x_j))))

    Connects ``eeg`` [mV] of one :class:`braingraph.nodes.JansenRitStep` to ``E_inp`` [Hz] of
    another.

    Parameters
    ----------
    conn : array or sparse matrix (target, source), scalar, or None
        Weights; a scalar is all to all, None one to one.
    k : any unit, default 1.0
        Gain, one or one per target.
    cmin, cmax : rate, default 0 Hz, 5 Hz
        Lowest and highest rate.
    midpoint : potential, default 6 mV
        Where the rate is halfway.
    r : 1 / potential, default 0.56 / mV
        Steepness.

    Errors
    ------
    ShapeError
        One of the last four is not one number: they act on the sources, before the sum.

    Source: Jansen & Rit 1995, Biol Cybern 73:357, eq. 2; TVB's ``SigmoidalJansenRit``, where
    cmax = 0.005 per ms, and x = y1 - y2 is taken inside the coupling.

    >>> import brainunit as u
    >>> from braingraph import edges
    >>> print(edges.SigmoidalJansenRitCoupling(0.1).pre(6.0 * u.mV))
    2.5 Hz
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


# ---------------------------------------------------------------- units of arguments
def alike(value: Any, name: str, other: Any) -> Any:
    """A parameter in the unit of what it is compared with; UnitError, with the fix, otherwise."""
    unit = unit_of(other)
    return attach(strip(value, unit, name, _example(name, unit)), unit)


def inside(gain: Any, x: Any, name: str) -> Any:
    """``gain * x``, the argument of a sigmoid, as a plain array.

    UnitError otherwise, with the unit that the gain called ``name`` needs.
    """
    # The inverse of one unit has a readable name; what brainunit makes of a quotient has not.
    fix = f"give {name} in another unit, {_example(name, unit_of(x) ** -1)}"
    return strip(gain * x, ONE, "the argument of the sigmoid", fix)


def scaled(x: Any, width: Any, name: str = "sigma") -> Any:
    """``x / width`` as a plain array; UnitError, with the fix, unless they have one unit."""
    return magnitude(x) / magnitude(alike(width, name, x))


def _example(name: str, unit: Unit) -> str:
    code = as_code(unit)
    return f"as in {name}=1.0{code}." if code is not None else f"in {show(unit)}."
