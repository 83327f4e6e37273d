"""The weighted sum of sources."""

from __future__ import annotations

from typing import Any

from braingraph.component import Coupling, parameter


class AdditiveCoupling(Coupling):
    """The weighted sum of the sources.

    ::

        k sum_j conn_ij x_j + b

    Parameters
    ----------
    conn : array or sparse matrix (target, source), scalar, or None
        Weights; a scalar is all to all, None one to one.
    k : any unit, default 1.0
        Gain, one or one per target; turns the source's unit into the target's.
    b : the target's unit, default None
        Offset, one or one per target; None adds nothing.

    Source: TVB's ``Linear`` (there the gain ``a`` is 1/256 by default, and b is 0) and
    ``Scaling`` (the same without b).

    >>> import brainunit as u
    >>> from braingraph import edges
    >>> edges.AdditiveCoupling([[0, 2], [1, 0]], k=0.5 * u.mV)
    AdditiveCoupling(conn=array(2, 2), k=0.5 [mV])
    """

    k: Any = parameter(1.0, any_unit=True)
    b: Any = parameter(None, any_unit=True)

    def post(self, s: Any, y: Any, w: Any) -> Any:
        # Without b nothing is added, so that the sum is seen to be linear.
        return self.k * s if self.b is None else self.k * s + self.b
