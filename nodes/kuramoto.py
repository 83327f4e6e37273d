"""Kuramoto phase oscillators, coupled inside one node."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from braingraph.component import (
    Input,
    InternalEdge,
    Node,
    Output,
    Size,
    State,
    parameter,
)
from braingraph.edges.kuramoto import KuramotoCoupling
from braingraph.errors import ShapeError
from braingraph.random import Uniform


class KuramotoNetwork(Node):
    """Phase oscillators with sine coupling among the units of the node.

    ::

        theta_i' = omega_i + (K_i / n) sum_j conn_ij sin(theta_j - theta_i - alpha_i) + theta_inp_i

    per ms, with n the number of units, or 1 when ``normalize_by_n`` is False. Without ``conn``
    all weights are 1 and the sum is a mean field: its cost grows as n, not n^2. Sparse or
    delayed coupling between nodes is :class:`braingraph.edges.KuramotoCoupling`.

    Parameters
    ----------
    omega : rad / ms, default 0.0
        Natural frequencies.
    K : rad / ms, default 0.0
        Coupling strength, one or one per target.
    alpha : rad, default 0.0
        Phase lag, one or one per target.
    conn : array (target, source), default None
        Weights; the diagonal counts as given.
    normalize_by_n : bool, default True
        Divide the weights by the number of units.

    ``K``, ``alpha`` and ``conn`` belong to the coupling inside, and are addressed as the node's:
    ``"osc.K"``. At the address ``"osc.conn"`` stand the weights after the division.

    State ``theta`` [rad, dimensionless], shape ``(unit,)``: never wrapped; starts at random in
    [0, 2 pi). Input ``theta_inp``: added to the derivative, per ms. Output ``phase``: theta in
    [0, 2 pi).

    Errors
    ------
    ShapeError
        ``conn`` is not (n, n).

    Source: Kuramoto 1984, Chemical Oscillations, Waves, and Turbulence; the phase lag:
    Sakaguchi & Kuramoto 1986, Prog Theor Phys 76:576, eq. 1. As there, the sum without ``conn``
    holds j = i, which adds -K sin(alpha) / n; give ``conn`` with a zero diagonal to leave it out.
    """

    omega: float = 0.0
    K: float = 0.0
    alpha: float = 0.0
    conn: Any = parameter(None, free=True)
    normalize_by_n: bool = True

    theta = State(Uniform(0.0, 2 * math.pi))
    theta_inp = Input()

    _of_coupling: ClassVar[tuple[str, ...]] = ("K", "alpha", "conn")
    _edge: InternalEdge

    def __init__(self, in_size: Size, *, dt: Any = None, **given: Any) -> None:
        super().__init__(in_size, dt=dt, **given)
        shape, n = np.shape(self.conn), self.size
        if self.conn is not None and shape not in ((), (n, n)):
            raise ShapeError(
                f"{type(self).__name__}.conn has shape {shape}, but must be {(n, n)}: "
                "[target, source].",
                given=shape,
                needed=(n, n),
            )
        weights = 1.0 if self.conn is None else self.conn
        coupling = KuramotoCoupling(
            conn=weights / n if self.normalize_by_n else weights,
            k=self._per_target(self.K),
            alpha=self._per_target(self.alpha),
        )
        names = {"k": "K", "alpha": "alpha", "conn": "conn"}
        self.__dict__["_edge"] = InternalEdge(
            "coupling", "theta", "theta_inp", coupling, rename=names
        )

    def _per_target(self, value: Any) -> Any:
        return value if np.ndim(value) == 0 else np.broadcast_to(value, self.in_size).reshape(-1)

    def arrays(self) -> dict[str, Any]:
        """The parameters of the units; those of the coupling live in :meth:`internal_edges`."""
        return {k: v for k, v in super().arrays().items() if k not in self._of_coupling}

    def internal_edges(self) -> list[InternalEdge]:
        return [self._edge]

    @Output()
    def phase(self, s: Any, i: Any) -> Any:
        """theta, wrapped to [0, 2 pi)."""
        wrapped = jnp.mod(s.theta, 2 * math.pi)
        # A tiny negative angle is rounded up to 2 pi itself.
        return jnp.where(wrapped < 2 * math.pi, wrapped, 0.0)

    def derivative(self, s: Any, i: Any) -> dict[str, Any]:
        return {"theta": self.omega + i.theta_inp}
