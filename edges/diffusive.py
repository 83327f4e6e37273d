"""The weighted sum of differences."""

from __future__ import annotations

from typing import Any

from braingraph.component import Coupling, parameter


class DiffusiveCoupling(Coupling):
    """The weighted sum of the differences between the sources and the target.

    ::

        k sum_j conn_ij (x_j - y_i) = k (sum_j conn_ij x_j - y_i sum_j conn_ij)

    y is the state the target port is paired with, now, also where x_j is delayed.

    Parameters
    ----------
    conn : array or sparse matrix (target, source), scalar, or None
        Weights; a scalar is all to all, None one to one.
    k : any unit, default 1.0
        Gain, one or one per target.

    Errors
    ------
    PortError
        The target port is paired with no state.

    Source: TVB's ``Difference`` (there the gain ``a`` is 0.1 by default).

    >>> from braingraph import edges
    >>> edges.DiffusiveCoupling([[0, 2], [1, 0]], k=0.1)
    DiffusiveCoupling(conn=array(2, 2), k=0.1)
    """

    k: Any = parameter(1.0, any_unit=True)

    def post(self, s: Any, y: Any, w: Any) -> Any:
        return self.k * (s - w * y)
