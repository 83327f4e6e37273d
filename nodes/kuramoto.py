"""Kuramoto phase oscillators, coupled inside one node."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import jax.numpy as jnp

from braingraph.component import Input, InternalEdge, Output, State, parameter
from braingraph.edges.kuramoto import KuramotoCoupling
from braingraph.nodes.recurrent import RecurrentNode
from braingraph.random import Uniform

CATEGORY = "phenomenological"


class KuramotoNetwork(RecurrentNode):
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

    >>> import brainunit as u
    >>> import braingraph as bg
    >>> from braingraph import nodes
    >>> pair = nodes.KuramotoNetwork(2, omega=[1.3, 0.7], K=1.0)
    >>> ds = bg.Simulator(pair, dt=0.1 * u.ms).run(50 * u.ms)
    >>> last = ds.theta[-1]
    >>> print(f"locked {float(last[0] - last[1]):.4f} rad apart")  # asin(0.6): Adler
    locked 0.6435 rad apart
    """

    omega: float = 0.0
    K: float = 0.0
    alpha: float = 0.0
    conn: Any = parameter(None, free=True)
    normalize_by_n: bool = True

    theta = State(Uniform(0.0, 2 * math.pi))
    theta_inp = Input()

    inside: ClassVar[Mapping[str, str]] = {"k": "K", "alpha": "alpha", "conn": "conn"}

    def recurrence(self) -> InternalEdge:
        weights = 1.0 if self.conn is None else self.weights("conn")
        coupling = KuramotoCoupling(
            conn=weights / self.size if self.normalize_by_n else weights,
            k=self.per_target("K"),
            alpha=self.per_target("alpha"),
        )
        return InternalEdge("coupling", "theta", "theta_inp", coupling, rename=self.inside)

    @Output()
    def phase(self, s: Any, i: Any) -> Any:
        """theta, wrapped to [0, 2 pi)."""
        wrapped = jnp.mod(s.theta, 2 * math.pi)
        # A tiny negative angle is rounded up to 2 pi itself.
        return jnp.where(wrapped < 2 * math.pi, wrapped, 0.0)

    def derivative(self, s: Any, i: Any) -> dict[str, Any]:
        return {"theta": self.omega + i.theta_inp}
