"""Sparse weights and delays: the numbers of the dense network, in memory for the entries only."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import brainunit as u
import jax
import numpy as np
import oracle
import pytest
from compare import difference, drawn, library
from scipy import sparse
from test_errors import Case, ids, refused

import braingraph as bg
from braingraph import edges, nodes
from braingraph.compiler import compile_graph
from braingraph.sparse import Sparse, made_sparse
from braingraph.units import magnitude

Array = np.ndarray[Any, np.dtype[Any]]
MS = u.ms
#: The formats scipy has, each as a matrix and as an array.
FORMATS: dict[str, Callable[[Any], Any]] = {
    "csr": sparse.csr_array,
    "csc": sparse.csc_array,
    "coo": sparse.coo_array,
    "lil": sparse.lil_array,
    "dok": sparse.dok_array,
    "bsr": sparse.bsr_array,
    "csr_matrix": sparse.csr_matrix,
    "coo_matrix": sparse.coo_matrix,
}


def entries_of(given: Any) -> Sparse:
    found = magnitude(edges.AdditiveCoupling(conn=given).conn)
    assert isinstance(found, Sparse)
    return found


# ---------------------------------------------------------------- one form
MATRIX = np.array([[0.0, 2.0, 0.0, -1.0], [0.5, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_becomes_the_same_entries(name: str) -> None:
    found = entries_of(FORMATS[name](MATRIX))
    assert found.shape == (3, 4)
    assert found.target.tolist() == [0, 0, 1] and found.source.tolist() == [1, 3, 0]
    assert found.values.tolist() == [2.0, -1.0, 0.5]
    assert found.target.dtype == found.source.dtype == np.int32 and found.values.dtype == float
    np.testing.assert_array_equal(found.todense(), MATRIX)


def test_entries_for_one_pair_add_up_and_zeros_go() -> None:
    values = [0.1, 0.2, 0.3, 5.0, 1.0, -1.0, 0.0]
    target, source = [1, 1, 1, 0, 0, 0, 2], [2, 2, 2, 3, 1, 1, 2]
    given = sparse.coo_array((values, (target, source)), shape=(3, 4))
    found = entries_of(given)
    assert list(zip(found.target, found.source, strict=True)) == [(0, 3), (1, 2)]
    np.testing.assert_array_equal(found.todense(), given.toarray())  # to the last bit


def test_what_is_kept_does_not_change_with_the_matrix() -> None:
    given = sparse.csr_array(MATRIX)
    found = entries_of(given)
    given.data[:] = 7.0
    given.indices[:] = 0
    np.testing.assert_array_equal(found.todense(), MATRIX)
    with pytest.raises(ValueError, match="read-only"):
        found.values[0] = 1.0


def test_a_quantity_of_a_sparse_matrix_keeps_its_unit() -> None:
    coupling = edges.AdditiveCoupling(conn=sparse.csr_array(MATRIX) * u.nA)
    assert u.get_unit(coupling.conn) == u.nA
    assert repr(coupling) == "AdditiveCoupling(conn=Sparse((3, 4), 3 entries) [nA])"
    assert len(entries_of(coupling.conn)) == 3


def test_values_where_others_stand() -> None:
    matrix = made_sparse(sparse.csr_array(MATRIX), "", "")
    target, source = np.array([0, 0, 1, 2]), np.array([0, 3, 0, 3])
    assert matrix.at(target, source).tolist() == [0.0, -1.0, 0.5, 0.0]
    nothing = made_sparse(sparse.csr_array((3, 4)), "", "")
    assert nothing.at(target, source).tolist() == [0.0] * 4


# ---------------------------------------------------------------- the same numbers
N, M = 12, 7
RNG = np.random.default_rng(5)


def some(rows: int, columns: int, share: float) -> Array:
    return RNG.uniform(0.1, 1.0, (rows, columns)) * (RNG.random((rows, columns)) < share)


CONN, UP, DOWN = some(N, N, 0.5), some(N, M, 0.4), some(M, N, 0.4)
CONN[3] = 0  # a unit that hears nothing
#: No delay, delays below a step, between steps, whole steps, and long ones.
DELAYS = RNG.choice([0.0, 0.04, 0.33, 0.7, 1.73, 2.5, 3.0], (N, N))
FAR = RNG.uniform(1.6, 3.0, (N, M))
START = np.linspace(-0.4, 0.5, N)
Form = Callable[[Any], Any]


def network(weights: Form, delays: Form, interpolation: str = "linear") -> bg.Graph:
    """Undelayed, delayed and mixed edges by couplings that add, compare, or have two channels."""
    g = bg.Graph()
    a = g.add_node("a", nodes.HopfStep(N, a=0.1, w=0.7, init_x=START, init_y=0.1))
    b = g.add_node("b", nodes.HopfStep(M, a=-0.2, w=0.5, init_x=0.3, init_y=0.0))
    noise = g.add_node("noise", nodes.WhiteNoise(N, sigma=0.2))
    g.add_edge(noise, a.x_inp)
    mixed = edges.DiffusiveCoupling(conn=weights(CONN), k=0.2)
    g.add_edge(a.x, a.x_inp, mixed, delay=delays(DELAYS) * MS, interpolation=interpolation)
    phases = edges.KuramotoCoupling(conn=weights(UP), k=0.1, alpha=0.3)
    g.add_edge(b.x, a.y_inp, phases, delay=delays(FAR) * MS, interpolation=interpolation)
    g.add_edge(a.x, b.x_inp, edges.AdditiveCoupling(conn=weights(DOWN), k=0.3))
    later = edges.AdditiveCoupling(conn=weights(DOWN), k=-0.2)
    g.add_edge(a.y, b.y_inp, later, delay=2.04 * MS)
    own = np.diag(RNG_DIAGONAL)
    g.add_edge(a.y, a.y_inp, edges.AdditiveCoupling(k=-0.3), delay=delays(own) * MS)
    return g


RNG_DIAGONAL = np.linspace(1.65, 2.6, N)
FORMS: dict[str, tuple[Form, Form]] = {
    "sparse": (sparse.csr_array, sparse.coo_array),
    "only weights": (sparse.csc_array, np.asarray),
    "only delays": (np.asarray, sparse.csr_matrix),
}
WATCHED = ["a.x", "a.y", "b.x", "b.y"]
CASES = [("heun", "linear", form) for form in FORMS]
CASES += [("euler", "nearest", "sparse"), ("rk4", "linear", "sparse")]


@cache
def dense_run(method: str, interpolation: str) -> dict[str, Array]:
    graph = network(np.asarray, np.asarray, interpolation)
    return library(graph, 0.1, 60, method, monitors=WATCHED)


@pytest.mark.parametrize(("method", "interpolation", "form"), CASES)
def test_sparse_is_dense_to_the_bit(method: str, interpolation: str, form: str) -> None:
    graph = network(*FORMS[form], interpolation)
    ways = {p.transport for b in compile_graph(graph, 0.1, method).bundles for p in b.parts}
    assert ways == {"now", "block", *(["step"] if interpolation == "linear" else [])}
    found = library(graph, 0.1, 60, method, monitors=WATCHED)
    want = dense_run(method, interpolation)
    assert found.keys() == want.keys()
    for name, values in found.items():
        np.testing.assert_array_equal(values, want[name], err_msg=name)


def test_sparse_agrees_with_the_oracle(x64: None) -> None:
    graph = network(sparse.csr_array, sparse.csr_array)
    found = library(graph, 0.1, 60, "heun", monitors=WATCHED)
    matrices = network(np.asarray, np.asarray)
    want = oracle.simulate(matrices, 0.1, 60, "heun", normals=drawn(matrices, 3))
    assert max(difference(found, want).values()) < 1e-10
    assert np.ptp(found["a.x"]) > 0.1


# ---------------------------------------------------------------- what delays mean
def delays_in_steps(conn: Any, delay: Any) -> dict[tuple[int, int], float]:
    """By (target, source), as they are compiled for a step of 0.1 ms."""
    g = bg.Graph()
    a = g.add_node("a", nodes.HopfStep(3))
    g.add_edge(a.x, a.x_inp, edges.AdditiveCoupling(conn=conn), delay=delay)
    (bundle,) = compile_graph(g, 0.1, "heun").bundles
    e = bundle.entries
    return {(int(i), int(j)): float(d) for i, j, d in zip(e.row, e.source, e.delay, strict=True)}


W = np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
LENGTHS = np.array([[9.0, 2.0, 0.0], [3.0, 0.0, np.nan], [-1.0, 4.0, 0.0]])  # mm
WANTED = {(0, 1): 10.0, (0, 2): 0.0, (1, 0): 15.0, (2, 1): 20.0}


@pytest.mark.parametrize("weights", [sparse.csr_array, np.asarray])
@pytest.mark.parametrize("lengths", [sparse.csr_array, sparse.coo_matrix, np.asarray])
def test_a_missing_delay_is_none_and_one_without_a_weight_does_not_count(
    weights: Form, lengths: Form
) -> None:
    delay = lengths(LENGTHS) * u.mm / (2 * u.mm / MS)
    assert delays_in_steps(weights(W), delay) == WANTED


def test_one_value_per_connection_is_in_the_order_of_the_rows() -> None:
    assert delays_in_steps(sparse.coo_array(W), [1.0, 0.0, 1.5, 2.0] * MS) == WANTED


def test_delays_of_the_diagonal() -> None:
    delay = sparse.diags_array([1.0, 0.0, 0.5], format="csr") * MS
    assert delays_in_steps(None, delay) == {(0, 0): 10.0, (1, 1): 0.0, (2, 2): 5.0}


# ---------------------------------------------------------------- mistakes
def replaced(matrix: Array, at: tuple[int, int], value: float) -> Array:
    out = matrix.copy()
    out[at] = value
    return out


def wired(conn: Any, delay: Any = None) -> None:
    g = bg.Graph()
    a, b = g.add_node("a", nodes.HopfStep(3)), g.add_node("b", nodes.HopfStep(2))
    g.add_edge(a.x, b.x_inp, edges.AdditiveCoupling(conn=conn), delay=delay)


ENDS = {"source": "a.x", "target": "b.x_inp"}
GOOD = np.array([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]])
WRONG: list[tuple[str, Callable[[Form], Any], type[bg.BraingraphError], str, dict[str, Any]]] = [
    (
        "nan weight",
        lambda form: wired(form(replaced(GOOD, (1, 1), np.nan))),
        bg.errors.WeightError,
        r"AdditiveCoupling.conn is not finite at \(1, 1\): mend the entry, or set it to 0",
        {"at": (1, 1), "parameter": "conn"},
    ),
    (
        "infinite weight",
        lambda form: wired(form(replaced(GOOD, (0, 2), np.inf)) * u.UNITLESS),
        bg.errors.WeightError,
        r"not finite at \(0, 2\)",
        {"at": (0, 2)},
    ),
    (
        "negative delay",
        lambda form: wired(form(GOOD), form(replaced(GOOD, (0, 2), -2.5)) * MS),
        bg.errors.DelayError,
        r"the delay of a.x -> b.x_inp is -2.5 ms at \(0, 2\): delays must be finite and not neg",
        {"at": (0, 2), "value": -2.5, **ENDS},
    ),
    (
        "nan delay",
        lambda form: wired(form(GOOD), form(replaced(GOOD, (1, 1), np.nan)) * MS),
        bg.errors.DelayError,
        r"is nan ms at \(1, 1\)",
        {"at": (1, 1), **ENDS},
    ),
    (
        "transposed weights",
        lambda form: wired(form(GOOD.T)),
        bg.ShapeError,
        r"have shape \(3, 2\), but must be \(2, 3\).*The transpose fits: pass conn.T",
        {"given": (3, 2), "needed": (2, 3), **ENDS},
    ),
    (
        "size of the weights",
        lambda form: wired(form(np.eye(4))),
        bg.ShapeError,
        r"have shape \(4, 4\), but must be \(2, 3\): \[target, source\].$",
        {"given": (4, 4), "needed": (2, 3), **ENDS},
    ),
    (
        "transposed delays",
        lambda form: wired(form(GOOD), form(GOOD.T) * MS),
        bg.ShapeError,
        r"delays of .* have shape \(3, 2\), .*The transpose fits: pass delay.T",
        {"given": (3, 2), "needed": (2, 3), **ENDS},
    ),
    (
        "lengths",
        lambda form: wired(form(GOOD), form(GOOD) * u.mm),
        bg.UnitError,
        r"is in \[mm\], but must be a time: divide lengths by a speed",
        {"given": u.mm, **ENDS},
    ),
    (
        "delays without a unit",
        lambda form: wired(form(GOOD), form(GOOD)),
        bg.UnitError,
        r"is in \[1\], but must be a time: give it a unit, as in delay=delays \* u.ms",
        {"given": u.UNITLESS, **ENDS},
    ),
    (
        "unit of the weights",
        lambda form: wired(form(GOOD) * u.nA),
        bg.UnitError,
        r"carries \[nA\] out of AdditiveCoupling, but b.x_inp takes \[1\]",
        {"given": u.nA, "needed": u.UNITLESS, **ENDS},
    ),
]


@pytest.mark.parametrize("form", [sparse.csr_array, sparse.coo_matrix, np.asarray])
@pytest.mark.parametrize("wrong", WRONG, ids=ids(WRONG))
def test_mistakes_are_those_of_dense_weights(wrong: Any, form: Form) -> None:
    _, call, error, text, fields = wrong
    refused(lambda: call(form), error, text, fields)


REFUSED: list[Case] = [
    (
        "complex numbers",
        lambda: wired(sparse.csr_array(GOOD * 1j)),
        bg.ParameterError,
        r"AdditiveCoupling.conn must be a matrix of numbers, \(target, source\)",
        {"parameter": "conn"},
    ),
    (
        "a vector",
        lambda: wired(sparse.coo_array(np.ones(3))),
        bg.ParameterError,
        "must be a matrix of numbers",
        {"parameter": "conn"},
    ),
    (
        "too few values for the delays",
        lambda: wired(sparse.csr_array(GOOD), [1.0, 2.0] * MS),
        bg.ShapeError,
        r"have shape \(2,\), but must be a scalar or \(2, 3\)",
        {"given": (2,), "needed": (2, 3)},
    ),
    (
        "where a model has parameters",
        lambda: nodes.HopfStep(3, a=sparse.csr_array(GOOD)),
        bg.ParameterError,
        "HopfStep.a must be numbers",
        {"parameter": "a"},
    ),
]


@pytest.mark.parametrize("case", REFUSED, ids=ids(REFUSED))
def test_what_is_no_matrix_of_numbers_is_refused(case: Case) -> None:
    refused(*case[1:])


# ---------------------------------------------------------------- other values
def loop(conn: Any, delay: Any) -> bg.Graph:
    g = bg.Graph()
    start = np.linspace(-0.5, 0.6, N)
    a = g.add_node("a", nodes.HopfStep(N, a=0.1, w=0.7, init_x=start, init_y=0.2))
    g.add_edge(a.x, a.x_inp, edges.DiffusiveCoupling(conn=conn, k=0.3), delay=delay, name="e")
    return g


LAGS = RNG.uniform(0.3, 2.0, (N, N))
OTHER = some(N, N, 0.3)
OTHER_LAGS = RNG.uniform(0.5, 1.5, (N, N))


@cache
def looped() -> bg.Simulator:
    graph = loop(sparse.csr_array(CONN), sparse.csr_array(LAGS) * MS)
    return bg.Simulator(graph, dt=0.1 * MS)


def x_of(sim: bg.Simulator, **given: Any) -> Array:
    return np.asarray(sim.run(2 * MS, monitors=["a.x"], progress=False, **given)["a.x"])


def by_entry(matrix: Array, conn: Array = CONN) -> Array:
    out: Array = matrix[np.nonzero(conn)]
    return out


CHANGED: list[tuple[str, dict[str, Any], tuple[Any, Any]]] = [
    ("other weights", {"e.conn": sparse.coo_array(OTHER)}, (OTHER, LAGS)),
    ("a value per connection", {"e.conn": by_entry(2 * CONN)}, (2 * CONN, LAGS)),
    ("dense weights", {"e.conn": OTHER}, (OTHER, LAGS)),
    ("other delays", {"e.delay": sparse.csc_array(OTHER_LAGS) * MS}, (CONN, OTHER_LAGS)),
    ("a delay per connection", {"e.delay": by_entry(OTHER_LAGS) * MS}, (CONN, OTHER_LAGS)),
    (
        "both",
        {
            "e.conn": sparse.csr_array(OTHER),
            "e.delay": sparse.csr_array(OTHER_LAGS * (OTHER != 0)) * MS,
        },
        (OTHER, OTHER_LAGS),
    ),
]


@pytest.mark.parametrize("case", CHANGED, ids=[case[0] for case in CHANGED])
def test_other_weights_and_delays_of_a_run(case: tuple[str, Any, tuple[Array, Array]]) -> None:
    _, params, (conn, delay) = case
    found = x_of(looped(), params=params)
    want = x_of(bg.Simulator(loop(conn, delay * MS), dt=0.1 * MS))
    np.testing.assert_array_equal(found, want)
    backwards = dict(reversed(params.items()))
    np.testing.assert_array_equal(x_of(looped(), params=backwards), want)


def test_other_values_at_the_same_pairs_need_no_compilation() -> None:
    sim = looped()
    before = x_of(sim)
    compiled = sim.compilations()
    assert not np.array_equal(x_of(sim, params={"e.conn": by_entry(3 * CONN)}), before)
    assert sim.compilations() == compiled


def test_gradients_are_those_of_the_dense_network(x64: None) -> None:
    """Of every weight and delay; the parameters are one value per connection, row after row."""
    slopes, values = [], []
    for conn, delay in ((CONN, LAGS), (sparse.csr_array(CONN), sparse.csr_array(LAGS))):
        fn, params = bg.Simulator(loop(conn, delay * MS), dt=0.1 * MS).as_function(2 * MS)

        def loss(params: Any, fn: Any = fn) -> Any:
            return sum((value**2).sum() for value in fn(params).values())

        value, slope = jax.jit(jax.value_and_grad(loss))(params)
        values.append(float(value))
        slopes.append({k: np.asarray(magnitude(slope[k])) for k in ("e.conn", "e.delay")})
    dense, ours = slopes
    assert ours["e.conn"].shape == ours["e.delay"].shape == (np.count_nonzero(CONN),)
    assert values[0] == pytest.approx(values[1], rel=1e-13)
    for name, slope in ours.items():
        np.testing.assert_allclose(slope, by_entry(dense[name]), rtol=1e-9, atol=1e-12)
        assert np.abs(slope).max() > 1e-3


def test_fitted_values_can_be_run() -> None:
    """What ``as_function`` has as parameters, ``run(params=)`` takes."""
    sim = looped()
    fn, params = sim.as_function(2 * MS, monitors=["a.x"])
    changed = {**params, "e.conn": 1.1 * params["e.conn"], "e.delay": 1.05 * params["e.delay"]}
    found = fn(changed)["a.x"]
    given = {k: v if isinstance(v, u.Quantity) else np.asarray(v) for k, v in changed.items()}
    np.testing.assert_allclose(found, x_of(sim, params=given), rtol=1e-5, atol=1e-6)


def test_a_matrix_without_entries_connects_nothing() -> None:
    nothing = sparse.csr_array((N, N))
    found = x_of(bg.Simulator(loop(nothing, nothing * MS), dt=0.1 * MS))
    want = x_of(bg.Simulator(loop(np.zeros((N, N)), 1.0 * MS), dt=0.1 * MS))
    np.testing.assert_array_equal(found, want)
    assert np.ptp(found) > 0
