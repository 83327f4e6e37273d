"""Couplings: their values, their symmetries, their units and their mistakes."""

from collections.abc import Callable
from typing import Any

import brainunit as u
import jax.numpy as jnp
import numpy as np
import pytest

from braingraph import edges, nodes
from braingraph.component import Coupling
from braingraph.errors import GraphError, ParameterError, UnitError, WeightError
from braingraph.graph import Graph
from braingraph.units import ONE, strip

Array = np.ndarray[Any, np.dtype[Any]]
PER_MS = 1 / u.ms
W = np.array([[0, 0.2, 0.5], [1, 0, 0], [0.3, 0.7, 0]])
X = np.array([0.5, -1.0, 2.0])


def deliver(coupling: Coupling, x: Any, y: Any, unit: Any = ONE) -> Array:
    """pre, weighted sum and post, in NumPy. ``x`` is what each target sees of each source."""
    conn = np.asarray(coupling.conn)
    channels = coupling.pre(x)
    many = isinstance(channels, tuple)
    sums = tuple((conn * c).sum(-1) for c in (channels if many else (channels,)))
    value = coupling.post(sums if many else sums[0], y, conn.sum(-1))
    return np.asarray(strip(value, unit, "delivered"))


def test_two_units_with_delays_receive_what_the_reference_gives(x64: None) -> None:
    x = np.array([[0.1, 0.5], [0.3, 0.2]])  # (target, source)
    conn, y = np.array([[0, 2], [1, 0]]), np.array([0.4, 0.6])
    table: list[tuple[Coupling, Any, Any, list[float]]] = [
        (edges.DiffusiveCoupling(conn, k=0.5), x, ONE, [0.1, -0.15]),
        (edges.AdditiveCoupling(conn, k=0.5, b=0.1), x, ONE, [0.6, 0.25]),
        (edges.AdditiveCoupling(conn, k=[0.5, 1.0]), x, ONE, [0.5, 0.3]),
        (
            edges.SigmoidalJansenRitCoupling(conn),
            10 * x * u.mV,
            PER_MS.unit,
            [0.00363547, 0.00078548],
        ),
    ]
    for coupling, source, unit, expected in table:
        np.testing.assert_allclose(deliver(coupling, source, y, unit), expected, atol=5e-9)


def test_three_units_receive_what_the_reference_gives(x64: None) -> None:
    np.testing.assert_allclose(
        deliver(edges.DiffusiveCoupling(W), X, X), [0.45, 1.5, -2.55], atol=1e-12
    )
    np.testing.assert_allclose(
        deliver(edges.AdditiveCoupling(W), X, X), [0.8, 0.5, -0.55], atol=1e-12
    )


@pytest.mark.parametrize(
    "potential, rates", [(6, [1.75, 2.5, 2.5]), (600, [3.5, 5, 5]), (-600, [0, 0, 0])]
)
def test_jansen_rit_coupling_is_halfway_at_its_midpoint(
    x64: None, potential: float, rates: list[float]
) -> None:
    coupling = edges.SigmoidalJansenRitCoupling(W)
    x = np.full(3, potential) * u.mV
    np.testing.assert_allclose(deliver(coupling, x, X, u.Hz), rates, atol=1e-9)
    raised = coupling.replace(cmin=1 * u.Hz)
    expected = np.asarray(rates) * 0.8 + W.sum(1)
    np.testing.assert_allclose(deliver(raised, x, X, u.Hz), expected, atol=1e-9)


@pytest.mark.parametrize("alpha", [0.0, 0.4, np.array([0.1, -0.2, 3.0])])
def test_kuramoto_coupling_is_the_sine_of_the_difference(x64: None, alpha: Any) -> None:
    theta = np.array([0.3, 4.0, -9.0])
    k = np.array([1.0, -2.0, 0.5])
    lag = theta[None, :] - theta[:, None] - np.reshape(alpha, (-1, 1))
    coupling = edges.KuramotoCoupling(W, k=k, alpha=alpha)
    np.testing.assert_allclose(
        deliver(coupling, theta, theta), k * (W * np.sin(lag)).sum(1), atol=1e-14
    )


COUPLINGS: list[Coupling] = [
    edges.AdditiveCoupling(W, k=[0.5, 1.0, -2.0]),
    edges.DiffusiveCoupling(W, k=0.7),
    edges.KuramotoCoupling(W, k=2.0, alpha=0.3),
    edges.SigmoidalJansenRitCoupling(W, k=3.0),
]


@pytest.mark.parametrize("coupling", COUPLINGS, ids=lambda c: type(c).__name__)
def test_post_is_linear_in_sums_and_weights_together(x64: None, coupling: Coupling) -> None:
    """So bundles may be split, and parts of a sum delivered apart."""
    rng = np.random.default_rng(5)
    channels = 2 if isinstance(coupling, edges.KuramotoCoupling) else 1
    y = rng.normal(size=3)

    def post(s: Array, w: Array) -> Any:
        return coupling.post(tuple(s) if channels > 1 else s[0], y, w)

    s, w = rng.normal(size=(2, channels, 3)), rng.normal(size=(2, 3))
    a, b = 1.7, -0.6
    parts = a * post(s[0], w[0]) + b * post(s[1], w[1])
    np.testing.assert_allclose(post(a * s[0] + b * s[1], a * w[0] + b * w[1]), parts, atol=1e-13)


@pytest.mark.parametrize("coupling", COUPLINGS, ids=lambda c: type(c).__name__)
def test_renaming_the_units_renames_what_they_receive(x64: None, coupling: Coupling) -> None:
    order = np.array([2, 0, 1])
    unit = u.Hz if isinstance(coupling, edges.SigmoidalJansenRitCoupling) else ONE
    x = X * u.mV if unit == u.Hz else X
    gain = np.asarray(coupling.arrays()["k"])
    moved = coupling.replace(
        conn=np.asarray(coupling.conn)[np.ix_(order, order)],
        k=gain[order] if gain.ndim else gain,
    )
    np.testing.assert_allclose(
        deliver(moved, x[order], X[order], unit), deliver(coupling, x, X, unit)[order], atol=1e-13
    )
    assert not deliver(coupling.replace(conn=np.zeros((3, 3))), x, X, unit).any()


@pytest.mark.parametrize("coupling", [edges.DiffusiveCoupling(W), edges.KuramotoCoupling(W)])
def test_equal_units_exchange_nothing(x64: None, coupling: Coupling) -> None:
    np.testing.assert_allclose(deliver(coupling, np.full(3, 0.7), np.full(3, 0.7)), 0, atol=1e-15)


def test_no_offset_adds_nothing() -> None:
    """Without b the sum goes through untouched in unit and value."""
    plain = edges.AdditiveCoupling(W, k=2.0)
    s = jnp.ones(3) * u.mV
    assert strip(plain.post(s, None, W.sum(1)), u.mV, "sum") == pytest.approx(2.0)
    with pytest.raises(u.UnitMismatchError):
        plain.replace(b=1.0).post(s, None, W.sum(1))
    lifted = plain.replace(b=1.0 * u.mV).post(s, None, W.sum(1))
    assert strip(lifted, u.mV, "sum") == pytest.approx(3.0)


# ---------------------------------------------------------------- in a graph
def two_columns() -> tuple[Graph, nodes.JansenRitStep, nodes.JansenRitStep]:
    g = Graph()
    return g, g.add_node("a", nodes.JansenRitStep(3)), g.add_node("b", nodes.JansenRitStep(3))


@pytest.mark.parametrize(
    "source, target, coupling",
    [
        ("a.eeg", "b.E_inp", edges.SigmoidalJansenRitCoupling(W)),
        ("a.eeg", "b.E_inp", edges.AdditiveCoupling(W, k=2 * u.Hz / u.mV)),
        ("a.eeg", "b.M_inp", edges.AdditiveCoupling(W)),
        ("a.M", "b.M_inp", edges.DiffusiveCoupling(W, k=0.1)),
        ("a.E", "b.E_inp", edges.DiffusiveCoupling(W, k=1 * u.Hz / u.mV)),
    ],
)
def test_units_that_fit_are_taken(source: str, target: str, coupling: Coupling) -> None:
    g, _, _ = two_columns()
    assert g.add_edge(source, target, coupling).path == f"{source}->{target}"


@pytest.mark.parametrize(
    "source, target, coupling, text",
    [
        ("a.eeg", "b.E_inp", edges.AdditiveCoupling(W), "gain"),
        ("a.eeg", "b.M_inp", edges.KuramotoCoupling(W, k=1 * u.mV), r"a phase is in \[mV\]"),
        ("a.M", "b.I_inp", edges.AdditiveCoupling(W, b=1.0), "do not fit"),
        ("a.Mv", "b.M_inp", edges.DiffusiveCoupling(W), "do not fit"),
    ],
)
def test_units_that_do_not_fit_are_refused(
    source: str, target: str, coupling: Coupling, text: str
) -> None:
    g, _, _ = two_columns()
    with pytest.raises(UnitError, match=text):
        g.add_edge(source, target, coupling)


MISTAKES: list[tuple[Callable[[], Coupling], type[GraphError], str]] = [
    (lambda: edges.DiffusiveCoupling(W, kk=2.0), ParameterError, "no parameter 'kk'.*mean 'k'"),
    (lambda: edges.KuramotoCoupling(W, alpa=0.1), ParameterError, "mean 'alpha'"),
    (lambda: edges.AdditiveCoupling([[1, np.nan]]), WeightError, r"not finite at \(0, 1\)"),
    (lambda: edges.AdditiveCoupling(W, k=np.inf), ParameterError, "k is not finite"),
    (lambda: edges.KuramotoCoupling(W, alpha=1 * u.ms), UnitError, r"alpha is in \[ms\]"),
    (lambda: edges.SigmoidalJansenRitCoupling(W, cmax=5.0), UnitError, r"\[1\].*\[Hz\]"),
    (lambda: edges.SigmoidalJansenRitCoupling(W, midpoint=6 * u.Hz), UnitError, r"\[mV\]"),
]


@pytest.mark.parametrize("make, error, text", MISTAKES, ids=[case[2] for case in MISTAKES])
def test_a_mistake_is_named(
    make: Callable[[], Coupling], error: type[GraphError], text: str
) -> None:
    with pytest.raises(error, match=text):
        make()
