"""Couplings: their values, their symmetries, their units and their mistakes."""

import math
from collections.abc import Callable
from typing import Any

import brainunit as u
import jax.numpy as jnp
import numpy as np
import pytest
from edge_tools import Array, Bounded, W, X, deliver, one_by_one
from scipy.sparse import csr_array

from braingraph import edges, nodes
from braingraph.component import Coupling
from braingraph.errors import (
    GraphError,
    ModelError,
    ParameterError,
    ShapeError,
    UnitError,
    WeightError,
)
from braingraph.graph import Graph
from braingraph.units import ONE, strip

PER_MS = 1 / u.ms


def test_two_units_with_delays_receive_what_the_reference_gives(x64: None) -> None:
    x = np.array([[0.1, 0.5], [0.3, 0.2]])  # (target, source)
    conn, y = np.array([[0, 2], [1, 0]]), np.array([0.4, 0.6])
    table: list[tuple[Coupling, Any, Any, list[float]]] = [
        (edges.DiffusiveCoupling(conn, k=0.5), x, ONE, [0.1, -0.15]),
        (edges.AdditiveCoupling(conn, k=0.5, b=0.1), x, ONE, [0.6, 0.25]),
        (edges.AdditiveCoupling(conn, k=[0.5, 1.0]), x, ONE, [0.5, 0.3]),
        (edges.SigmoidalCoupling(conn, slope=2, midpoint=0.5), x, ONE, [0.73105858, 0.40131234]),
        (edges.HyperbolicTangentCoupling(conn), x, ONE, [0.48201379, 0.26852478]),
        (
            edges.SigmoidalJansenRitCoupling(conn),
            10 * x * u.mV,
            PER_MS.unit,
            [0.00363547, 0.00078548],
        ),
    ]
    for coupling, source, unit, expected in table:
        np.testing.assert_allclose(deliver(coupling, source, y, unit), expected, atol=5e-9)


NET = (0.8, 0.5, -0.55)  # the weighted sums of W and X


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


VALUES: dict[str, tuple[Coupling, list[float]]] = {
    "diffusive": (edges.DiffusiveCoupling(W), [0.45, 1.5, -2.55]),
    "additive": (edges.AdditiveCoupling(W), list(NET)),
    "sigmoidal": (
        edges.SigmoidalCoupling(W, k=3.0, a=2.0, b=0.2, slope=[1.5, -1.0, 4.0], midpoint=0.3),
        [
            3 * sigmoid(slope * (2 * s + 0.2 - 0.3))
            for slope, s in zip((1.5, -1.0, 4.0), NET, strict=True)
        ],
    ),
    "sigmoidal, as it comes": (edges.SigmoidalCoupling(W), [sigmoid(s) for s in NET]),
    "tvb sigmoidal": (
        edges.TVBSigmoidalCoupling(W, cmin=-0.5, cmax=2.0, midpoint=0.1, a=3.0, sigma=0.7),
        [-0.5 + 2.5 / (1 + math.exp(-3 * (s - 0.1) / 0.7)) for s in NET],
    ),
    "tvb sigmoidal, as it comes": (
        edges.TVBSigmoidalCoupling(W),
        [-1 + 2 / (1 + math.exp(-s / 230)) for s in NET],
    ),
    "tanh": (edges.HyperbolicTangentCoupling(W), [0.5 * math.tanh(2 * s) for s in NET]),
    "tvb tanh": (
        edges.TVBHyperbolicTangentCoupling(W, a=[2.0, 1.0, -1.0], b=1.5, midpoint=0.2, sigma=0.4),
        [
            a * s
            for a, s in zip(
                (2.0, 1.0, -1.0),
                one_by_one(lambda x, y: 1 + math.tanh((1.5 * x - 0.2) / 0.4)),
                strict=True,
            )
        ],
    ),
    "tvb tanh, as it comes": (
        edges.TVBHyperbolicTangentCoupling(W),
        one_by_one(lambda x, y: 1 + math.tanh(x)),
    ),
    "presigmoidal": (
        edges.PreSigmoidalCoupling(W, H=2.0, Q=0.3, G=1.2, P=0.8, theta=-0.1),
        one_by_one(lambda x, y: 2 * (0.3 + math.tanh(1.2 * (0.8 * x + 0.1)))),
    ),
    "presigmoidal, as it comes": (
        edges.PreSigmoidalCoupling(W),
        one_by_one(lambda x, y: 0.5 * (1 + math.tanh(60 * (x - 0.5)))),
    ),
    "laplacian": (edges.LaplacianCoupling(W, k=0.5), [0.225, 0.75, -1.275]),
    "random walk": (
        edges.LaplacianCoupling(W, k=0.5, normalize="rw"),
        [0.5 * (0.8 / 0.7 - 0.5), 0.5 * 1.5, 0.5 * (-0.55 - 2.0)],
    ),
    "symmetric": (  # degrees 0.7, 1, 1
        edges.LaplacianCoupling(W, normalize="sym"),
        [
            (-0.2 + 1.0) / math.sqrt(0.7) - 0.5,
            0.5 / math.sqrt(0.7) + 1.0,
            0.15 / math.sqrt(0.7) - 0.7 - 2.0,
        ],
    ),
}


@pytest.mark.parametrize("case", VALUES)
def test_three_units_receive_what_the_formula_says(x64: None, case: str) -> None:
    coupling, expected = VALUES[case]
    np.testing.assert_allclose(deliver(coupling, X, X), expected, atol=1e-12)


def test_tvb_forms_are_ours_in_other_words(x64: None) -> None:
    """TVB's sigmoid: offset and gain; its tanh: two logistics; its static threshold: its tanh."""
    tvb = edges.TVBSigmoidalCoupling(W, cmin=-0.5, cmax=2.0, midpoint=0.1, a=3.0, sigma=0.7)
    ours = edges.SigmoidalCoupling(W, k=2.5, slope=3 / 0.7, midpoint=0.1)
    np.testing.assert_allclose(deliver(tvb, X, X), deliver(ours, X, X) - 0.5, atol=1e-14)
    bent = edges.TVBHyperbolicTangentCoupling(W, a=0.5, b=1.2, midpoint=0.6, sigma=0.1)
    static = edges.PreSigmoidalCoupling(W, G=10.0, P=1.2, theta=0.6)
    np.testing.assert_allclose(deliver(bent, X, X), deliver(static, X, X), atol=1e-14)


def test_a_small_tanh_keeps_its_digits() -> None:
    """1 + tanh(z) for very negative z, in float32, where tanh(z) is -1."""
    small = edges.TVBHyperbolicTangentCoupling(W).pre(jnp.float32(-20.0))
    assert float(small) == pytest.approx(2 * math.exp(-40), rel=1e-5)


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


LINEAR: list[Coupling] = [
    edges.AdditiveCoupling(W, k=[0.5, 1.0, -2.0]),
    edges.DiffusiveCoupling(W, k=0.7),
    edges.KuramotoCoupling(W, k=2.0, alpha=0.3),
    edges.SigmoidalJansenRitCoupling(W, k=3.0),
    edges.LaplacianCoupling(W, k=0.7),
    edges.TVBHyperbolicTangentCoupling(W, a=0.3, b=2.0),
    edges.PreSigmoidalCoupling(W, G=2.0, Q=0.4),
]
SATURATING: list[Coupling] = [
    edges.SigmoidalCoupling(W, slope=2.0, midpoint=0.1, b=0.2),
    edges.TVBSigmoidalCoupling(W, cmin=-3.0, sigma=0.5),
    edges.HyperbolicTangentCoupling(W),
]
NORMALIZED: list[Coupling] = [
    edges.LaplacianCoupling(W, k=2.0, normalize="rw"),
    edges.LaplacianCoupling(W, k=2.0, normalize="sym"),
]


@pytest.mark.parametrize("coupling", LINEAR, ids=lambda c: type(c).__name__)
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


@pytest.mark.parametrize(
    "coupling", [*LINEAR, *SATURATING, *NORMALIZED], ids=lambda c: type(c).__name__
)
def test_renaming_the_units_renames_what_they_receive(x64: None, coupling: Coupling) -> None:
    order = np.array([2, 0, 1])
    unit = u.Hz if isinstance(coupling, edges.SigmoidalJansenRitCoupling) else ONE
    x = X * u.mV if unit == u.Hz else X
    each = {k: v[order] for k, v in coupling.arrays().items() if k != "conn" and np.ndim(v)}
    moved = coupling.replace(conn=np.asarray(coupling.conn)[np.ix_(order, order)], **each)
    np.testing.assert_allclose(
        deliver(moved, x[order], X[order], unit), deliver(coupling, x, X, unit)[order], atol=1e-13
    )
    if coupling not in SATURATING:  # those have a value for nothing, too
        assert not deliver(coupling.replace(conn=np.zeros((3, 3))), x, X, unit).any()


@pytest.mark.parametrize(
    "coupling",
    [
        edges.DiffusiveCoupling(W),
        edges.KuramotoCoupling(W),
        edges.LaplacianCoupling(W),
        edges.LaplacianCoupling(W, normalize="rw"),
        edges.LaplacianCoupling(W + W.T > 0, normalize="sym"),  # as all degrees are equal
    ],
)
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


HZ, PICO = 1.0 * u.Hz, 1.0 * u.pA * u.volt
SIGMOID_IN_MV = edges.SigmoidalCoupling(W, k=5 * HZ, slope=0.56 / u.mV, midpoint=6 * u.mV)
TVB_IN_MV = edges.TVBSigmoidalCoupling(
    W, cmin=0 * HZ, cmax=5000 / u.second, midpoint=6 * u.mV, sigma=0.002 * u.volt
)


@pytest.mark.parametrize(
    "source, target, coupling",
    [
        ("a.eeg", "b.E_inp", edges.SigmoidalJansenRitCoupling(W)),
        ("a.eeg", "b.E_inp", edges.AdditiveCoupling(W, k=2 * u.Hz / u.mV)),
        ("a.eeg", "b.M_inp", edges.AdditiveCoupling(W)),
        ("a.M", "b.M_inp", edges.DiffusiveCoupling(W, k=0.1)),
        ("a.E", "b.E_inp", edges.DiffusiveCoupling(W, k=1 * u.Hz / u.mV)),
        ("a.eeg", "b.E_inp", SIGMOID_IN_MV),
        (
            "a.eeg",
            "b.E_inp",
            edges.SigmoidalCoupling(W * u.nA, k=HZ, slope=1 / PICO, midpoint=PICO),
        ),
        ("a.eeg", "b.E_inp", edges.SigmoidalCoupling(W, k=HZ, a=0.1 / u.volt, b=0.2)),
        ("a.eeg", "b.E_inp", edges.HyperbolicTangentCoupling(W, k=HZ, scale=1 / u.volt)),
        ("a.eeg", "b.E_inp", TVB_IN_MV),
        ("a.eeg", "b.E_inp", edges.TVBHyperbolicTangentCoupling(W, a=HZ, b=1 / u.mV)),
        ("a.eeg", "b.E_inp", edges.PreSigmoidalCoupling(W, H=HZ, G=1 / u.mV, theta=6 * u.mV)),
        ("a.E", "b.E_inp", edges.LaplacianCoupling(W * u.nA, k=HZ / u.mV, normalize="rw")),
        ("a.E", "b.E_inp", edges.LaplacianCoupling(W * u.nA, k=HZ / u.mV, normalize="sym")),
        ("a.E", "b.E_inp", edges.PairwiseCoupling(W, f=lambda x, y: u.math.tanh(x / y), k=HZ)),
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
        (
            "a.eeg",
            "b.E_inp",
            SIGMOID_IN_MV.replace(midpoint=0.0),
            r"midpoint is in \[1\], but must be in \[mV\]: as in midpoint=1.0 \* u.mV",
        ),
        (
            "a.eeg",
            "b.E_inp",
            SIGMOID_IN_MV.replace(slope=1.0),
            r"sigmoid is in \[mV\].*give slope in another unit, as in slope=1.0 / u.mV",
        ),
        ("a.eeg", "b.E_inp", SIGMOID_IN_MV.replace(b=1.0), r"b is in \[1\].*b=1.0 \* u.mV"),
        (
            "a.eeg",
            "b.E_inp",
            SIGMOID_IN_MV.replace(k=1.0),
            r"takes \[Hz\]. Give the coupling a gain",
        ),
        ("a.eeg", "b.E_inp", TVB_IN_MV.replace(sigma=1.0), r"sigma is in \[1\].*1.0 \* u.mV"),
        ("a.eeg", "b.E_inp", TVB_IN_MV.replace(cmax=1.0), r"cmax is in \[1\].*1.0 \* u.Hz"),
        ("a.eeg", "b.M_inp", edges.HyperbolicTangentCoupling(W), "scale=1.0 / u.mV"),
        ("a.eeg", "b.M_inp", edges.TVBHyperbolicTangentCoupling(W), r"midpoint=1.0 \* u.mV"),
        ("a.eeg", "b.M_inp", edges.PreSigmoidalCoupling(W, P=1 / u.mV, G=HZ), "give G in another"),
        ("a.eeg", "b.E_inp", edges.PairwiseCoupling(W, f=lambda x, y: x - y), "gain"),
        ("a.eeg", "b.M_inp", edges.PairwiseCoupling(W, f=lambda x, y: x + 1.0), "do not fit"),
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
    (lambda: edges.TVBSigmoidalCoupling(W, sigma=-1.0), ParameterError, "sigma must be positive"),
    (lambda: edges.TVBHyperbolicTangentCoupling(W, k=1.0), ParameterError, "has no parameter 'k'"),
    (lambda: edges.PreSigmoidalCoupling(W, dynamic=True), ParameterError, "parameter 'dynamic'"),
    (lambda: edges.PairwiseCoupling(W), ParameterError, r"f is None, but must be.*f=lambda x, y"),
    (lambda: edges.PairwiseCoupling(W, f="sin"), ParameterError, "f is 'sin', but must be"),
    (lambda: edges.PairwiseCoupling(W, f=3.0), ParameterError, "must be a function of source"),
    (lambda: Bounded(W, f=lambda x, y: x), ParameterError, "Bounded.pair: leave out f"),
    (lambda: edges.LaplacianCoupling(W, normalize="rv"), ParameterError, "'rv'.*mean 'rw'"),
    (
        lambda: edges.LaplacianCoupling(W, normalize=1.0),
        ParameterError,
        "must be one of None, 'rw'",
    ),
    (lambda: edges.LaplacianCoupling(W, degree=1.0), ParameterError, "degree belongs to weights"),
    (lambda: edges.LaplacianCoupling(W[:2], normalize="sym"), ShapeError, r"\(2, 3\): use.*rw"),
    (lambda: edges.LaplacianCoupling(-1.0, normalize="rw"), WeightError, "add up to -1"),
    (
        lambda: edges.LaplacianCoupling([[0, 1], [1, -1]], normalize="rw"),
        WeightError,
        "LaplacianCoupling.conn: the weights of target 1 add up to 0",
    ),
    (
        lambda: edges.LaplacianCoupling(csr_array([[0, 1], [-1, 0.5]]), normalize="sym"),
        WeightError,
        "target 1 add up to -0.5",
    ),
    (
        lambda: edges.LaplacianCoupling(W, normalize="sym").replace(normalize="rw"),
        ParameterError,
        r"give them again, as in replace\(normalize='rw', conn=W\)",
    ),
]


@pytest.mark.parametrize("make, error, text", MISTAKES, ids=[case[2] for case in MISTAKES])
def test_a_mistake_is_named(
    make: Callable[[], Coupling], error: type[GraphError], text: str
) -> None:
    with pytest.raises(error, match=text):
        make()


@pytest.mark.parametrize(
    "coupling, name",
    [
        (edges.TVBHyperbolicTangentCoupling(W, b=[1.0, 2.0, 3.0]), "b"),
        (edges.TVBHyperbolicTangentCoupling(W, sigma=[1.0, 2.0, 3.0]), "sigma"),
        (edges.PreSigmoidalCoupling(W, theta=[1.0, 2.0, 3.0]), "theta"),
    ],
)
def test_what_acts_before_the_sum_is_one_number(coupling: Coupling, name: str) -> None:
    g = Graph()
    one = g.add_node("one", nodes.LinearStep(3))
    with pytest.raises(ShapeError, match=f"{name} of one.x -> one.x_inp acts on the source") as e:
        g.add_edge(one.x, one.x_inp, coupling)
    assert (e.value.fields["given"], e.value.fields["needed"]) == ((3,), ())


@pytest.mark.parametrize("f", [lambda x, y: (x - y).sum(), lambda x, y: 1.0])
def test_a_function_of_pairs_returns_one_value_for_each(f: Any) -> None:
    g = Graph()
    one = g.add_node("one", nodes.LinearStep(3))
    with pytest.raises(ModelError, match="must return one value for each") as e:
        g.add_edge(one.x, one.x_inp, edges.PairwiseCoupling(W, f=f))
    assert e.value.fields["needed"] == (1,)


def test_errors_carry_fields() -> None:
    with pytest.raises(WeightError) as weights:
        edges.LaplacianCoupling([[0, 1], [-2, 0]], normalize="rw")
    assert (weights.value.fields["at"], weights.value.fields["value"]) == ((1,), -2.0)
    with pytest.raises(ParameterError) as name:
        edges.laplacian_connectivity(W, "RW")
    assert name.value.fields["parameter"] == "normalize"
    with pytest.raises(ShapeError) as shape:
        edges.laplacian_connectivity(W[:2])
    assert (shape.value.fields["given"], shape.value.fields["needed"]) == ((2, 3), (2, 2))
