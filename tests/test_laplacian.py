"""Laplacians as matrices, as couplings, and with weights that are given later."""

from collections.abc import Callable
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import sparse
from scipy.linalg import expm

import braingraph as bg
from braingraph import edges, nodes
from braingraph.component import Coupling
from braingraph.errors import ParameterError

Array = np.ndarray[Any, np.dtype[Any]]
DT = 0.1  # ms

pytestmark = pytest.mark.usefixtures("x64")


def values(seed: int, *shape: int) -> Array:
    """Numbers between 0.1 and 1, the same at every call."""
    return np.random.default_rng(seed).uniform(0.1, 1.0, shape)


# ---------------------------------------------------------------- Laplacians as matrices
PAW = np.zeros((4, 4))
for i, j in ((0, 1), (1, 2), (1, 3), (2, 3)):
    PAW[i, j] = PAW[j, i] = 1.0
#: Directed and weighted; unit 3 hears nothing, unit 2 is not heard.
DIRECTED = np.array([[0, 2, 0, 0.5], [1, 0.3, 0, 0], [0.2, 0.4, 0, 3], [0, 0, 0, 0]])
NORMALIZE = (None, "rw", "sym")


def by_definition(weights: Array, normalize: str | None) -> Array:
    """The Laplacian, entry by entry."""
    n, degree = len(weights), weights.sum(1)
    out = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            if weights[i, j] != 0 and normalize == "rw":
                out[i, j] = weights[i, j] / degree[i]
            elif weights[i, j] != 0 and normalize == "sym":
                both = degree[i] * degree[j]
                out[i, j] = weights[i, j] / np.sqrt(both) if both > 0 else 0.0
            else:
                out[i, j] = weights[i, j]
        if degree[i] > 0:
            out[i, i] -= degree[i] if normalize is None else 1.0
    return out


def test_the_paw_has_its_eigenvalues() -> None:
    laplacian = edges.laplacian_connectivity(PAW)
    np.testing.assert_allclose(np.linalg.eigvalsh(-laplacian), [0, 1, 3, 4], atol=1e-12)
    for normalize in ("rw", "sym"):  # those of the normalised Laplacian lie in [0, 2]
        found = np.linalg.eigvals(-edges.laplacian_connectivity(PAW, normalize)).real
        assert abs(found.min()) < 1e-12 and 1 < found.max() < 2


@pytest.mark.parametrize("normalize", NORMALIZE)
@pytest.mark.parametrize("weights", [PAW, DIRECTED, values(1, 3, 3), PAW > 0], ids=str)
def test_laplacian_matrices(weights: Array, normalize: str | None) -> None:
    expected = by_definition(np.asarray(weights, float), normalize)
    degrees = weights.sum(1)
    if normalize != "sym":
        np.testing.assert_allclose(expected.sum(1), 0, atol=1e-15)
    dense, of_dense = edges.laplacian_connectivity(weights, normalize, return_diag=True)
    assert isinstance(dense, np.ndarray)
    matrix = sparse.coo_matrix(np.asarray(weights, float))
    thin, of_thin = edges.laplacian_connectivity(matrix, normalize, return_diag=True)
    assert sparse.issparse(thin) and thin.nnz <= matrix.nnz + len(degrees)
    jitted = jax.jit(lambda w: edges.laplacian_connectivity(w, normalize, return_diag=True))
    traced, of_traced = jitted(np.asarray(weights, float))
    for found in (dense, thin.toarray(), traced):
        np.testing.assert_allclose(found, expected, atol=1e-15)
    for found in (of_dense, of_thin, of_traced):
        np.testing.assert_allclose(found, degrees, atol=1e-15)


def test_laplacians_keep_the_unit_of_the_weights() -> None:
    found, degrees = edges.laplacian_connectivity(DIRECTED * u.nA, return_diag=True)
    np.testing.assert_array_equal(found.to_decimal(u.nA), edges.laplacian_connectivity(DIRECTED))
    np.testing.assert_array_equal(degrees.to_decimal(u.nA), DIRECTED.sum(1))
    scaled = edges.laplacian_connectivity(DIRECTED * u.nA, "sym")
    np.testing.assert_array_equal(scaled, edges.laplacian_connectivity(DIRECTED, "sym"))


@pytest.mark.parametrize("normalize", NORMALIZE)
def test_gradients_of_laplacians_are_finite_where_nothing_is_heard(normalize: str | None) -> None:
    slope = jax.grad(lambda w: (edges.laplacian_connectivity(w, normalize) ** 2).sum())(DIRECTED)
    assert np.isfinite(slope).all() and abs(slope).max() > 0.1


HEATED = np.array([4.0, 0.0, 1.0, -1.0])


def heat(couplings: dict[str, Coupling], steps: int, **given: Any) -> dict[str, Array]:
    """x' = what a coupling delivers, at t = 0.01 steps, under RK4."""
    g = bg.Graph()
    for name, coupling in couplings.items():
        one = g.add_node(name, nodes.LinearStep(4, gamma=0.0, init_x=HEATED))
        g.add_edge(one.x, one.x_inp, coupling, name=f"{name}_edge")
    sim = bg.Simulator(g, dt=0.01 * u.ms, method="rk4")
    ds = sim.run(steps * 0.01 * u.ms, progress=False, **given)
    return {name: ds[f"{name}.x"].values for name in couplings}


def test_heat_spreads_as_the_matrix_exponential_says() -> None:
    def kinds(name: str, weights: Any) -> dict[str, Coupling]:
        made: dict[str, Coupling] = {
            f"{name}_{n}": edges.LaplacianCoupling(weights, k=0.8, normalize=n) for n in NORMALIZE
        }
        return made

    dense = {**kinds("paw", PAW), **kinds("directed", DIRECTED)}
    thin = kinds("thin", sparse.csr_array(DIRECTED))
    additive: dict[str, Coupling] = {
        "matrix": edges.AdditiveCoupling(edges.laplacian_connectivity(DIRECTED, "sym"), k=0.8),
        "diffusive": edges.DiffusiveCoupling(DIRECTED, k=0.8),
        "whole": edges.LaplacianCoupling(PAW),
    }
    found = {k: v[-1] for k, v in heat({**dense, **thin, **additive}, 50).items()}
    for name, weights in (("paw", PAW), ("directed", DIRECTED)):
        for normalize in NORMALIZE:
            exact = expm(0.5 * 0.8 * by_definition(weights, normalize)) @ HEATED
            np.testing.assert_allclose(found[f"{name}_{normalize}"], exact, atol=1e-8)
    for normalize in NORMALIZE:
        one, other = found[f"thin_{normalize}"], found[f"directed_{normalize}"]
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-14)
    np.testing.assert_array_equal(found["directed_None"], found["diffusive"])
    np.testing.assert_allclose(found["matrix"], found["directed_sym"], atol=1e-14)
    expected = [2.662526854, 0.864664717, 0.459534375, 0.013274055]  # by expm
    np.testing.assert_allclose(found["whole"], expected, atol=1e-8)
    assert found["directed_sym"][3] == HEATED[3]  # hears nothing


def test_consensus_with_a_delay_on_both_terms_breaks_at_its_bound() -> None:
    """x' = L x(t - tau) is stable for tau < pi / (2 * 5), and keeps its mean.

    A Laplacian matrix as weights delays the target's own state too; LaplacianCoupling does not,
    and stays stable. Olfati-Saber & Murray 2004, Theorem 10.
    """
    weights = np.ones((5, 5)) - np.eye(5)
    weights[0, 2] = weights[2, 0] = 0.0
    bound, start = np.pi / 10, np.array([7.0, 1.0, 4.0, -1.0, 5.0])
    matrix = edges.AdditiveCoupling(edges.laplacian_connectivity(weights))
    g = bg.Graph()
    table: list[tuple[str, Coupling, float]] = [
        ("below", matrix, 0.93),
        ("above", matrix, 1.07),
        ("present", edges.LaplacianCoupling(weights), 1.07),
    ]
    for name, coupling, part in table:
        one = g.add_node(name, nodes.LinearStep(5, gamma=0.0, init_x=start))
        g.add_edge(one.x, one.x_inp, coupling, delay=part * bound * u.ms)
    ds = bg.Simulator(g, dt=0.01 * u.ms).run(40 * u.ms, progress=False)
    spread = {name: np.ptp(ds[f"{name}.x"].values[-100:]) for name, _, _ in table}
    assert spread["below"] < 0.1 and spread["above"] > 100 and spread["present"] < 1e-8
    for name in ("below", "above"):
        np.testing.assert_allclose(ds[f"{name}.x"].mean(name), 3.2, atol=1e-9)


# ---------------------------------------------------------------- weights given later
OTHER = PAW * values(14, 4, 4)
FORMS: dict[str, Callable[[Array], Any]] = {"dense": np.asarray, "sparse": sparse.csr_array}


def diffusions(weights: Any, k: float = 1.0) -> bg.Simulator:
    """Diffusion along one graph in three normalisations, side by side."""
    g = bg.Graph()
    for normalize in NORMALIZE:
        one = g.add_node(f"to_{normalize}", nodes.LinearStep(4, gamma=0.0, init_x=HEATED))
        coupling = edges.LaplacianCoupling(weights, k=k, normalize=normalize)
        g.add_edge(one.x, one.x_inp, coupling, delay=0.25 * u.ms, name=f"edge_{normalize}")
    return bg.Simulator(g, dt=DT * u.ms, method="euler")


def for_all(name: str, value: Any) -> dict[str, Any]:
    return {f"edge_{normalize}.{name}": value for normalize in NORMALIZE}


@pytest.mark.parametrize("form", FORMS)
def test_weights_given_to_a_run_are_normalised(form: str) -> None:
    made, sim = FORMS[form], diffusions(FORMS[form](PAW))
    want = diffusions(made(OTHER), k=0.5).run(2 * u.ms, progress=False)
    given: list[Any] = [made(OTHER), OTHER]
    if form == "sparse":
        given.append(OTHER[PAW > 0])  # one a connection
    for weights in given:
        params = {**for_all("conn", weights), **for_all("k", 0.5)}
        ds = sim.run(2 * u.ms, progress=False, params=params)
        for name in want:
            np.testing.assert_allclose(ds[name], want[name], rtol=0, atol=1e-14)


def test_weights_of_a_sweep_are_normalised() -> None:
    both = {"edge_sym.conn": [PAW, OTHER], "edge_rw.k": [0.5, 1.0]}
    swept = diffusions(PAW).sweep(both, 1 * u.ms, progress=False)
    want = diffusions(OTHER).run(1 * u.ms, progress=False)
    for name in ("to_sym.x", "to_None.x"):
        np.testing.assert_allclose(
            swept["to_sym.x"][1, 1], want["to_sym.x"], rtol=0, atol=1e-13, err_msg=name
        )


@pytest.mark.parametrize("form", FORMS)
def test_normalised_weights_are_not_normalised_again(form: str) -> None:
    made = edges.LaplacianCoupling(FORMS[form](DIRECTED), normalize="sym")
    for again in (
        made.replace(k=2.0),
        made.replace(**made.arrays()),
        made.replace(normalize="sym"),
    ):
        np.testing.assert_array_equal(dense(again.conn), dense(made.conn))
        np.testing.assert_array_equal(again.degree, DIRECTED.sum(1))
    other = made.replace(conn=FORMS[form](OTHER.T @ OTHER))
    np.testing.assert_array_equal(other.degree, (OTHER.T @ OTHER).sum(1))
    assert made.replace(conn=DIRECTED, normalize="rw").degree is None
    with pytest.raises(ParameterError, match="normalised by normalize=.sym. already") as error:
        made.replace(normalize=None)
    assert error.value.fields["parameter"] == "normalize"


def dense(conn: Any) -> Array:
    return np.asarray(conn.todense() if hasattr(conn, "todense") else conn)


def test_gradients_by_weights_are_central_differences() -> None:
    """For sym through the normalisation, which is then the caller's."""
    weights = OTHER + OTHER.T
    sim = diffusions(weights)
    fn, params = sim.as_function(0.5 * u.ms, monitors=[f"to_{n}.x" for n in NORMALIZE])
    scaled = edges.laplacian_connectivity(weights, "sym") + np.eye(4)
    for normalize, expected in zip(NORMALIZE, (weights, weights, scaled), strict=True):
        np.testing.assert_allclose(params[f"edge_{normalize}.conn"], expected, atol=1e-15)

    def run(raw: Array) -> dict[str, Any]:
        normalised = edges.laplacian_connectivity(raw[1], "sym") + jnp.eye(4)
        given = {**params, "edge_rw.conn": raw[0], "edge_sym.conn": normalised}
        return dict(fn(given))

    def loss(raw: Array) -> Any:
        out = run(raw)
        return sum((out[name][-1] * jnp.arange(4.0)).sum() for name in sorted(out)), out

    raw = np.stack([weights, weights])
    graded = jax.jit(jax.value_and_grad(loss, has_aux=True))
    (_, out), slopes = graded(raw)
    want = sim.run(0.5 * u.ms, progress=False)
    for name in want:
        np.testing.assert_allclose(out[name], want[name], rtol=0, atol=1e-14)
    for place in ((0, 0, 1), (0, 3, 2), (1, 0, 1), (1, 3, 2)):
        step = np.zeros((2, 4, 4))
        step[place] = 1e-5
        high, low = (graded(raw + h * step)[0][0] for h in (1, -1))
        assert float(slopes[place]) == pytest.approx(float(high - low) / 2e-5, rel=1e-6)


def test_twenty_thousand_units_are_never_a_matrix() -> None:
    n = 20_000  # as a matrix 3 GB
    rng = np.random.default_rng(3)
    entries = rng.uniform(0.1, 1, 3 * n), rng.integers(0, n, (2, 3 * n))
    weights = sparse.coo_array(entries, (n, n)).tocsr()
    degrees = weights.sum(1)
    for normalize in ("rw", "sym"):
        matrix = edges.laplacian_connectivity(weights, normalize)
        assert sparse.issparse(matrix) and matrix.nnz <= 4 * n
        coupling = edges.LaplacianCoupling(weights, normalize=normalize)
        found = edges.received(coupling, degrees, degrees)
        np.testing.assert_allclose(found, matrix @ degrees, atol=1e-10)
