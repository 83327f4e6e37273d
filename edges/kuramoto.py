"""Sine coupling of phases."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from braingraph.component import Coupling, parameter
from braingraph.units import ONE, strip


class KuramotoCoupling(Coupling):
    """The weighted sum of the sines of phase differences.

    ::

        k sum_j conn_ij sin(theta_j - theta_i - alpha)

    theta_i is the state the target port is paired with, now, also where theta_j is delayed. The
    sine of the difference is sin(theta_j) cos(theta_i + alpha) - cos(theta_j) sin(theta_i +
    alpha), so two sums per target are enough.

    Parameters
    ----------
    conn : array or sparse matrix (target, source), scalar, or None
        Weights; a scalar is all to all, None one to one. Not divided by the number of units.
    k : any unit, default 1.0
        Gain, one or one per target.
    alpha : rad, default 0.0
        Phase lag, one or one per target.

    Errors
    ------
    UnitError
        A phase has a unit.
    PortError
        The target port is paired with no state.

    Source: Sakaguchi & Kuramoto 1986, Prog Theor Phys 76:576, eq. 1. TVB's ``Kuramoto`` is
    documented to divide by the number of nodes, and in effect does not.

    >>> from braingraph import edges
    >>> edges.KuramotoCoupling([[0, 2], [1, 0]], k=0.5, alpha=0.1)
    KuramotoCoupling(conn=array(2, 2), k=0.5, alpha=0.1)
    """

    k: Any = parameter(1.0, any_unit=True)
    alpha: float = 0.0

    def pre(self, x: Any) -> Any:
        theta = _phase(x)
        return jnp.sin(theta), jnp.cos(theta)

    def post(self, s: Any, y: Any, w: Any) -> Any:
        sines, cosines = s
        own = _phase(y) + self.alpha
        return self.k * (sines * jnp.cos(own) - cosines * jnp.sin(own))


def _phase(x: Any) -> Any:
    return strip(x, ONE, "a phase", "phases are plain numbers, in radians.")
