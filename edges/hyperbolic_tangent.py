"""Hyperbolic tangents of sums of sources, and sums of the sources' hyperbolic tangents."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from braingraph.component import Coupling, parameter
from braingraph.edges.sigmoidal import alike, inside, scaled
from braingraph.nodes.transfer import logistic


class HyperbolicTangentCoupling(Coupling):
    """The hyperbolic tangent of the weighted sum of the sources: it saturates after the sum.

    ::

        k tanh(scale sum_j conn_ij x_j)

    Parameters
    ----------
    conn : array or sparse matrix (target, source), scalar, or None
        Weights; a scalar is all to all, None one to one.
    k : the target's unit, default 0.5
        Highest value, one or one per target.
    scale : 1 / unit of the sum, default 2.0
        Gain inside, one or one per target.

    Errors
    ------
    UnitError
        ``scale`` does not take the unit of the sum away.

    Source: the reference page's. TVB's ``HyperbolicTangent`` acts on each source before the sum:
    :class:`TVBHyperbolicTangentCoupling`.

    >>> from braingraph import edges
    >>> print(f"{edges.HyperbolicTangentCoupling(0.1).post(1.0, None, None):.4f}")
    0.4820
    """

    k: Any = parameter(0.5, any_unit=True)
    scale: Any = parameter(2.0, any_unit=True)

    def post(self, s: Any, y: Any, w: Any) -> Any:
        return self.k * jnp.tanh(inside(self.scale, s, "scale"))


class TVBHyperbolicTangentCoupling(Coupling):
    """The weighted sum of the sources, each raised and bent by a hyperbolic tangent, as in TVB.

    ::

        a sum_j conn_ij (1 + tanh((b x_j - midpoint) / sigma))

    Each source saturates by itself, so the sum grows with the number of active sources; it is
    never negative for positive a and weights.

    Parameters
    ----------
    conn : array or sparse matrix (target, source), scalar, or None
        Weights; a scalar is all to all, None one to one.
    a : any unit, default 1.0
        Gain, one or one per target; what a source adds at its midpoint, half the most it can.
    b : any unit, default 1.0
        Gain of a source.
    midpoint : unit of b x, default 0.0
        Where a source is halfway.
    sigma : unit of b x, default 1.0
        Width.

    Errors
    ------
    UnitError
        ``midpoint`` or ``sigma`` is not in the unit of b times the source.
    ShapeError
        One of the last three is not one number: they act on the sources, before the sum.

    Source: TVB's ``HyperbolicTangent``, its names and defaults (there ``a`` is one number).

    >>> import brainunit as u
    >>> from braingraph import edges
    >>> coupling = edges.TVBHyperbolicTangentCoupling(0.1, midpoint=-50 * u.mV, sigma=10 * u.mV)
    >>> print(coupling.pre(-50.0 * u.mV))
    1.0
    """

    a: Any = parameter(1.0, any_unit=True)
    b: Any = parameter(1.0, any_unit=True)
    midpoint: Any = parameter(0.0, any_unit=True)
    sigma: Any = parameter(1.0, any_unit=True, positive=True)

    def pre(self, x: Any) -> Any:
        raised = self.b * x
        z = scaled(raised - alike(self.midpoint, "midpoint", raised), self.sigma)
        return 2 * logistic(2 * z)  # 1 + tanh(z), with all its digits where it is small

    def post(self, s: Any, y: Any, w: Any) -> Any:
        return self.a * s


class PreSigmoidalCoupling(Coupling):
    """The weighted sum of the sources' sigmoids, with a threshold that does not move.

    ::

        H sum_j conn_ij (Q + tanh(G (P x_j - theta)))

    Parameters
    ----------
    conn : array or sparse matrix (target, source), scalar, or None
        Weights; a scalar is all to all, None one to one.
    H : any unit, default 0.5
        Gain, one or one per target.
    Q : dimensionless, default 1.0
        What every source adds besides its sigmoid, one or one per target.
    G : 1 / unit of P x, default 60.0
        Steepness.
    P : any unit, default 1.0
        Gain of a source: the ratio of excitation to inhibition.
    theta : unit of P x, default 0.5
        Threshold.

    Errors
    ------
    UnitError
        ``theta`` is not in the unit of P times the source, or ``G`` does not take it away.
    ShapeError
        One of the last three is not one number: they act on the sources, before the sum.

    Source: TVB's ``PreSigmoidal`` with ``dynamic=False``, its names and defaults. Deviation: the
    dynamic and the global threshold, which TVB reads from a second state, are left out.

    >>> from braingraph import edges
    >>> coupling = edges.PreSigmoidalCoupling(0.1)
    >>> print(coupling.pre(0.5), coupling.post(1.0, None, 1.0))
    0.0 1.0
    """

    H: Any = parameter(0.5, any_unit=True)
    Q: float = 1.0
    G: Any = parameter(60.0, any_unit=True)
    P: Any = parameter(1.0, any_unit=True)
    theta: Any = parameter(0.5, any_unit=True)

    def pre(self, x: Any) -> Any:
        drive = self.P * x
        drive = drive - alike(self.theta, "theta", drive)
        return jnp.tanh(inside(self.G, drive, "G"))

    def post(self, s: Any, y: Any, w: Any) -> Any:
        return self.H * (s + self.Q * w)
