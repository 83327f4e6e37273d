"""Edges: how a source acts on a target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from braingraph.declarations import ParameterSpec, Signal, parameter
from braingraph.errors import ModelError, WeightError
from braingraph.parameters import Component, not_finite, signature
from braingraph.sparse import Sparse, is_sparse, made_sparse
from braingraph.units import attach, magnitude, unit_of


class Coupling(Component):
    """How an edge turns its source into what the target receives.

    ``s_i = sum_j conn[i, j] * pre(x_j(t - d_ij))``, then ``post(s_i, y_i, sum_j conn[i, j])``
    with ``y`` the target's paired state. ``pre`` may return a tuple of channels; ``post`` then
    gets a tuple. Both are elementwise.

    A class with ``pairwise = True`` is not summed before ``post``: that is evaluated for every
    connection, with ``s`` its own message, without weight, ``y`` as before and ``w`` its weight;
    the target receives the sum over its connections.

    Parameters
    ----------
    conn : array or sparse matrix (target, source), scalar, or None
        The weights. A scalar connects all to all with one weight; None connects one to one. A
        sparse matrix is one of scipy's, in any format, or a quantity of one (``matrix * u.nA``);
        its entries for one pair add up, and zeros among them go. It is kept as its entries, row
        after row, and so is the parameter ``"edge.conn"`` of ``as_function``: one value per
        connection, ``(entries,)``.
    """

    pairwise: ClassVar[bool] = False
    conn: Any = parameter(None, any_unit=True, free=True)

    def __init__(self, conn: Any = None, **given: Any) -> None:
        self._refuse_unknown(given, self._specs)
        if hasattr(conn, "todense") and not is_sparse(conn):
            conn = np.asarray(conn.todense())
        self._set_parameters({"conn": conn, **given}, None)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, value in vars(cls).items():
            if isinstance(value, Signal):
                raise ModelError(
                    f"{cls.__name__}.{name}: a coupling has parameters only; states and ports "
                    "belong to nodes."
                )
        cls.__signature__ = signature(  # type: ignore[attr-defined]
            "conn", {name: declared.default for name, declared in cls._specs.items()}
        )

    def _checked(self, declared: ParameterSpec, value: Any, shape: tuple[int, ...] | None) -> Any:
        if declared.name != "conn" or not is_sparse(value):
            return super()._checked(declared, value, shape)
        where = f"{type(self).__name__}.conn"
        conn = made_sparse(magnitude(value), where, "conn")
        wrong = np.flatnonzero(~np.isfinite(conn.values))
        if len(wrong):
            at = (int(conn.target[wrong[0]]), int(conn.source[wrong[0]]))
            raise not_finite(where, at, conn.values[wrong[0]], WeightError, parameter="conn")
        return attach(conn, unit_of(value))

    def replace(self, **changes: Any) -> Self:
        """A copy with other parameters, checked as when it was made.

        Sparse weights may be given as one value per connection.
        """
        conn = magnitude(self.conn)
        if isinstance(conn, Sparse) and "conn" in changes:
            changes["conn"] = conn.filled(changes["conn"])
        return type(self)(**{**{k: self.__dict__[k] for k in self._specs}, **changes})

    def pre(self, x: Any) -> Any:
        """The message of a source; what is delayed, weighted and summed."""
        return x

    def post(self, s: Any, y: Any, w: Any) -> Any:
        """What the target receives, from the sum, its own state and its summed weights."""
        return s

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._given())})"


Coupling._reserved = frozenset(
    {"delay", *(k for k in dir(Coupling) if not k.startswith("_"))} - {"conn"}
)


@dataclass(frozen=True)
class InternalEdge:
    """An edge that a composite node brings along.

    ``rename`` maps the coupling's parameters to the node's names, so that users address them as
    the node's own.
    """

    name: str
    source: str
    target: str
    coupling: Coupling
    delay: Any = None
    rename: Mapping[str, str] | None = None
