"""Any function of a source and its target, evaluated for every connection."""

from __future__ import annotations

from typing import Any, ClassVar

import jax.numpy as jnp

from braingraph.component import Coupling, parameter
from braingraph.errors import ModelError, ParameterError
from braingraph.units import brief, magnitude


class PairwiseCoupling(Coupling):
    """The weighted sum of any function of the source and the target.

    ::

        k sum_j conn_ij f(x_j(t - d_ij), y_i(t))

    y is the state the target port is paired with, now, also where x_j is delayed. A delay between
    two samples interpolates x_j itself.

    This is the slow path: ``f`` is evaluated for every connection at every stage of every step,
    where other couplings evaluate a function for every unit. Use it for what is no function of
    the source (``pre``), summed, and then a function of the sum and the target (``post``). Much
    that looks pairwise is not: sin(x_j - y_i), which :class:`KuramotoCoupling` has as two sums,
    or any polynomial, with a channel for each power of x.

    Parameters
    ----------
    conn : array or sparse matrix (target, source), scalar, or None
        Weights; a scalar is all to all, None one to one. ``f`` is not evaluated where they are 0.
    f : callable of (x, y)
        Takes arrays of sources and targets, connection by connection (quantities where these
        have units), and returns an array of their shape, each value from its own two. It is
        traced: write it with ``u.math`` or ``jax.numpy``, without side effects. Two couplings
        with one ``f`` are compiled as one.
    k : any unit, default 1.0
        Gain, one or one per target; turns the unit of conn times f into the target's.

    For parameters inside f that have units, vary in sweeps or are differentiated, derive a class
    and define ``pair(self, x, y)`` instead of passing ``f``::

        class Bounded(PairwiseCoupling):
            width: float = 1.0

            def pair(self, x, y):
                return jnp.tanh((x - y) / self.width)

    Errors
    ------
    ParameterError
        ``f`` is missing or cannot be called, or is given to a class that defines ``pair``.
    ModelError
        ``f`` does not return one value for each connection.
    UnitError
        The units in ``f`` do not fit, or its result is not in the target's unit.

    Source: ours; the edge function of NetworkDynamics.jl (Lindner et al. 2021, Chaos 31:063133).

    >>> import jax.numpy as jnp
    >>> from braingraph import edges
    >>> nearby = edges.PairwiseCoupling(0.1, f=lambda x, y: (x - y) * jnp.exp(-((x - y) ** 2)))
    >>> print(f"{nearby.post(1.0, 0.0, 0.1):.4f}")
    0.0368
    """

    pairwise: ClassVar[bool] = True

    f: Any = parameter(None)
    k: Any = parameter(1.0, any_unit=True)

    def __init__(self, conn: Any = None, **given: Any) -> None:
        super().__init__(conn, **given)
        where, own = type(self).__name__, type(self).pair is not PairwiseCoupling.pair
        if own and self.f is not None:
            raise ParameterError(
                f"{where} has a function of its own, {where}.pair: leave out f.", parameter="f"
            )
        if not own and not callable(self.f):
            raise ParameterError(
                f"{where}.f is {brief(self.f)}, but must be a function of source and target, as in "
                "f=lambda x, y: jnp.tanh(x - y).",
                parameter="f",
            )

    def pair(self, x: Any, y: Any) -> Any:
        """What one connection of weight 1 carries, before the gain."""
        return self.f(x, y)

    def post(self, s: Any, y: Any, w: Any) -> Any:
        value = self.pair(s, y)
        given, needed = jnp.shape(magnitude(value)), jnp.shape(magnitude(s))
        # When an edge is checked there is one connection, beside parameters of all targets.
        each = [jnp.shape(magnitude(v)) for k, v in self.arrays().items() if k not in ("conn", "k")]
        if given not in (needed, jnp.broadcast_shapes(needed, *each)):
            raise ModelError(
                f"{type(self).__name__}: the function of source and target returns shape {given} "
                f"for connections of shape {needed}, but must return one value for each.",
                given=given,
                needed=needed,
            )
        return self.k * (w * value)
