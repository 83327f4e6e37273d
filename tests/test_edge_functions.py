"""Couplings as functions of arrays: the same as the classes, traced, sparse and with units."""

import math
from collections.abc import Callable
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from edge_tools import Array, Bounded, W, X, deliver, one_by_one
from scipy.sparse import csr_array

from braingraph import edges
from braingraph.component import Coupling
from braingraph.errors import ShapeError
from braingraph.units import ONE, strip

V = np.array([[0.5, -1.0, 2.0], [0.1, 0.3, 0.2], [1.5, 0.4, -0.6]])  # as each target sees them
FUNCTIONS: dict[str, tuple[Callable[[Any, Any], Any], Coupling, Any]] = {
    "additive": (
        lambda x, w: edges.additive_coupling(x, w, k=[1.0, 2.0, 3.0], b=0.2),
        edges.AdditiveCoupling(W, k=[1.0, 2.0, 3.0], b=0.2),
        ONE,
    ),
    "diffusive": (
        lambda x, w: edges.diffusive_coupling(x, X, w, k=0.3),
        edges.DiffusiveCoupling(W, k=0.3),
        ONE,
    ),
    "sigmoidal": (
        lambda x, w: edges.sigmoidal_coupling(x, w, 3.0, 2.0, 0.2, [1.0, 2.0, 3.0], 0.3),
        edges.SigmoidalCoupling(W, k=3.0, a=2.0, b=0.2, slope=[1.0, 2.0, 3.0], midpoint=0.3),
        ONE,
    ),
    "tanh": (
        lambda x, w: edges.hyperbolic_tangent_coupling(x, w, scale=0.7),
        edges.HyperbolicTangentCoupling(W, scale=0.7),
        ONE,
    ),
    "jansen_rit": (
        lambda x, w: edges.sigmoidal_jansen_rit_coupling(5 * x * u.mV, w, k=2.0),
        edges.SigmoidalJansenRitCoupling(W, k=2.0),
        u.Hz,
    ),
    "kuramoto": (
        lambda x, w: edges.received(edges.KuramotoCoupling(w, alpha=[0.1, 0.2, 0.3]), x, X),
        edges.KuramotoCoupling(W, alpha=[0.1, 0.2, 0.3]),
        ONE,
    ),
}


@pytest.mark.parametrize("case", FUNCTIONS)
@pytest.mark.parametrize("x", [X, V], ids=["of sources", "of pairs"])
def test_functions_are_the_couplings(x64: None, case: str, x: Array) -> None:
    function, coupling, unit = FUNCTIONS[case]
    seen = 5 * x * u.mV if unit == u.Hz else x
    expected = deliver(coupling, seen, X, unit)
    for weights in (W, jnp.asarray(W), csr_array(W)):
        found = np.asarray(strip(function(x, weights), unit, "found"))
        np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_functions_of_units_and_pairs(x64: None) -> None:
    pulled = edges.received(Bounded(W * u.nA, k=[1.0, 2.0, 3.0], width=0.5), X, X)
    terms = one_by_one(lambda x, y: math.tanh((x - y) / 0.5))
    np.testing.assert_allclose(strip(pulled, u.pA, "pulled"), 1e3 * np.array([1, 2, 3]) * terms)
    seen = edges.received(Bounded(csr_array(W)), V, X)
    expected = (W * np.tanh(V - X[:, None])).sum(1)
    np.testing.assert_allclose(seen, expected, rtol=1e-13)


def test_functions_can_be_differentiated(x64: None) -> None:
    def total(k: Any, conn: Any) -> Any:
        pulled = edges.received(
            edges.PairwiseCoupling(f=lambda x, y: x * y).with_values(conn=conn), X, X
        )
        return (edges.diffusive_coupling(X, X, conn, k) ** 2).sum() + pulled.sum()

    by_k, by_conn = jax.jit(jax.grad(total, (0, 1)))(0.5, W)
    net = deliver(edges.DiffusiveCoupling(W), X, X)
    assert by_k == pytest.approx(2 * 0.5 * (net**2).sum())
    expected = 2 * 0.25 * net[:, None] * (X[None, :] - X[:, None]) + np.outer(X, X)
    np.testing.assert_allclose(by_conn, expected, rtol=1e-12)


@pytest.mark.parametrize(
    "x, y, conn, text",
    [
        (X[:2], X, W, r"x has shape \(2,\), but must be \(3,\)"),
        (X, X[:2], W, r"y has shape \(2,\), but must be \(3,\)"),
        (V.T[:2], X, W[:2], r"y has shape \(3,\), but must be \(2,\)"),
        (X, X, 1.0, r"weights have shape \(\), but must be a matrix"),
    ],
)
def test_functions_refuse_shapes_that_do_not_fit(x: Any, y: Any, conn: Any, text: str) -> None:
    with pytest.raises(ShapeError, match=text):
        edges.diffusive_coupling(x, y, conn)
