"""The run as a pure function: equal to ``run``, and its gradients equal to central differences."""

from collections.abc import Mapping
from functools import cache, cached_property
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import braingraph as bg
from braingraph import edges, nodes
from braingraph.errors import ParameterError, UnitError

Array = np.ndarray[Any, np.dtype[Any]]
DT, SPAN = 0.1, 2.0  # ms
WATCHED = ("cortex.x", "column.rE", "phases.theta")
#: No weight at one place, no delay at another, one delay below a step; none at a kink of the
#: interpolation (whole steps; for cubics also halves), where it has no derivative.
CONN = np.array([[0.3, 0.7, 0.2], [0.5, 0.0, 0.4], [0.6, 0.1, 0.8]])
DELAYS = np.array([[0.513, 0.837, 0.0], [0.037, 0.4, 0.621], [0.784, 0.661, 0.529]])


def network(method: str) -> bg.Graph:
    """Noise, and delays as a matrix and as a scalar. Not all for all methods: compiling costs."""
    g = bg.Graph()
    a, start = np.array([0.9, 0.6, 0.8]), [0.8, -0.3, 0.1]
    model = nodes.HopfStep(3, a=a, w=1.7, init_x=start, init_y=0.2)
    cortex = g.add_node("cortex", model)
    g.add_edge(g.add_node("drive", nodes.WhiteNoise(3, sigma=0.3)), cortex.x_inp)
    back = edges.DiffusiveCoupling(conn=CONN.T, k=-0.4)
    g.add_edge(cortex.x, cortex.x_inp, back, delay=0.637 * u.ms, name="back")
    if method != "exp_euler":
        far = edges.DiffusiveCoupling(conn=CONN, k=0.9)
        g.add_edge(cortex.x, cortex.x_inp, far, delay=DELAYS * u.ms, name="far")
    if method == "heun":
        column = g.add_node("column", nodes.WilsonCowanStep(2, tau_E=2 * u.ms, tau_I=3 * u.ms))
        down = edges.AdditiveCoupling(conn=CONN[:2], k=2.0)
        g.add_edge(cortex.x, column.rE_inp, down, delay=0.42 * u.ms, name="down")
    if method == "exp_euler":  # no slope of its own: 0 / 0 in the method's formula
        phases = nodes.KuramotoNetwork(2, omega=[1.0, 2.0], K=1.5, init_theta=[0.3, 2.0])
        g.add_node("phases", phases)
    return g


class Case:
    """A simulator, its run as a function, and the gradient of a loss that weighs every sample."""

    def __init__(self, method: str) -> None:
        graph = network(method)
        self.watched = [path for path in WATCHED if path in graph]
        self.sim = bg.Simulator(graph, dt=DT * u.ms, method=method, seed=5)
        fn, self.params = self.sim.as_function(SPAN * u.ms, monitors=self.watched)
        self.fn = jax.jit(fn)

    def at(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """The run with some parameters changed: traced once, as all have the same type."""
        out: dict[str, Any] = self.fn({**self.params, **jax.tree.map(_array, dict(changes))})
        return out

    def loss(self, changes: Mapping[str, Any]) -> float:
        return float(_weighed(self.at(changes)))

    @cached_property
    def gradient(self) -> dict[str, Any]:
        return dict(jax.jit(jax.grad(lambda params: _weighed(self.fn(params))))(self.params))

    def run(self, **given: Any) -> dict[str, Array]:
        ds = self.sim.run(SPAN * u.ms, monitors=self.watched, progress=False, **given)
        return {str(name): np.asarray(ds[name]) for name in ds.data_vars}


def _array(value: Any) -> Any:
    return jnp.asarray(value, float)


def _weighed(out: Mapping[str, Any]) -> Any:
    rng = np.random.default_rng(1)
    return sum((rng.normal(size=value.shape) * value).sum() for _, value in sorted(out.items()))


case = cache(Case)


def plain(value: Any) -> Array:
    return np.asarray(u.get_magnitude(value))


def moved(value: Any, step: Array) -> Any:
    """The value with plain numbers added, in its unit."""
    return value + step * u.get_unit(value) if isinstance(value, u.Quantity) else value + step


def close(got: Mapping[str, Any], want: Mapping[str, Any]) -> None:
    """Equal to a few units in the last place, carried along for 20 steps."""
    assert set(got) == set(want)
    for name, value in want.items():
        np.testing.assert_allclose(got[name], value, rtol=0, atol=1e-14, err_msg=name)


# ---------------------------------------------------------------- gradients
SHARED = ("back.k", "back.conn", "back.delay", "cortex.a", "cortex.w", "drive.sigma")
FAR = ("far.k", "far.conn", "far.delay")
GRADIENTS = {
    "heun": (*SHARED, *FAR, "column.tau_E", "column.c_EE", "down.conn", "down.delay"),
    "rk4": (*SHARED, *FAR),
    "exp_euler": (*SHARED, "phases.omega", "phases.K"),
}
CHECKED = [
    pytest.param(method, path, marks=[pytest.mark.slow] if method == "rk4" else [])
    for method, paths in GRADIENTS.items()
    for path in paths
]


@pytest.mark.parametrize(("method", "path"), CHECKED)
def test_gradients_are_central_differences(x64: None, method: str, path: str) -> None:
    c = case(method)
    value, h = c.params[path], 1e-5
    want = np.zeros(np.shape(plain(value)))
    for at in np.ndindex(want.shape):
        step = np.zeros(want.shape)
        step[at] = h
        up, down = (c.loss({path: moved(value, s)}) for s in (step, -step))
        want[at] = (up - down) / (2 * h)
    got = plain(c.gradient[path])
    assert np.abs(want).max() > 1e-3
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-8)


def test_absent_connections_have_no_gradient(x64: None) -> None:
    """Zero weights and zero delays stay zero: what is given there is not read."""
    c = case("heun")
    weights, delays = CONN.copy(), DELAYS.copy()
    weights[1, 1], delays[0, 2] = 7.0, 0.3
    assert plain(c.gradient["far.conn"])[1, 1] == 0
    assert plain(c.gradient["far.delay"])[0, 2] == plain(c.gradient["far.delay"])[1, 1] == 0
    assert c.loss({"far.conn": weights, "far.delay": delays * u.ms}) == c.loss({})


# ---------------------------------------------------------------- the function is the run
@pytest.mark.parametrize("method", GRADIENTS)
def test_the_function_equals_the_run(x64: None, method: str) -> None:
    c = case(method)
    close(c.fn(c.params), c.run())


def test_other_values_equal_a_run_with_them(x64: None) -> None:
    """Delays reach 10 % either way; some of them across whole steps."""
    c = case("heun")
    params = {
        "far.delay": 0.9 * DELAYS * u.ms,
        "back.delay": 1.1 * 0.637 * u.ms,
        "far.k": 0.4,
        "far.conn": 1.5 * CONN,
        "cortex.a": np.array([0.1, 0.2, 0.3]),
        "column.tau_E": 2.5 * u.ms,
        "drive.sigma": 0.1,
    }
    close(c.at(params), c.run(params=params))


def test_start_history_replicas_and_intervals(x64: None) -> None:
    """The other arguments mean what they mean in ``run``."""
    c = case("exp_euler")
    given: dict[str, Any] = {
        "monitors": {
            "cortex.x": 0.2 * u.ms,
            "mean": bg.Record("cortex.y", every=0.5 * u.ms, reduce="mean"),
        },
        "batch_size": 2,
        "initial": {"cortex.x": np.array([0.1, 0.2, 0.3])},
        "history": {"cortex.x": lambda t: 0.1 * u.math.cos(t / u.ms) * np.array([1.0, 2.0, 3.0])},
    }
    fn, params = c.sim.as_function(1.0 * u.ms, **given)
    out = jax.jit(fn)(params)
    ds = c.sim.run(1.0 * u.ms, progress=False, **given)
    assert out["cortex.x"].shape == (2, 5, 3) and out["mean"].shape == (2, 2, 3)
    assert np.abs(out["mean"][0] - out["mean"][1]).max() > 1e-3  # noise of their own
    close(out, {str(name): np.asarray(ds[name]) for name in ds.data_vars})


def test_vmap_equals_a_loop(x64: None) -> None:
    c = case("heun")
    k = np.array([0.2, 0.9, 1.7])
    many = jax.jit(jax.vmap(lambda k: c.fn({**c.params, "far.k": k})))(k)
    one_by_one = [c.at({"far.k": value}) for value in k]
    close(many, {name: np.stack([out[name] for out in one_by_one]) for name in c.watched})
    assert np.ptp(many["cortex.x"], axis=0).max() > 0.01


# ---------------------------------------------------------------- parameters
def test_parameters_are_the_present_values_in_their_units(x64: None) -> None:
    params = case("heun").params
    units = {"far.delay": u.ms, "down.delay": u.ms, "column.tau_E": u.ms}
    for path, unit in units.items():
        assert u.get_unit(params[path]) == unit, path
        assert u.get_unit(case("heun").gradient[path]) == unit, path
    np.testing.assert_array_equal(plain(params["far.delay"]), DELAYS)
    np.testing.assert_array_equal(params["far.conn"], CONN)
    assert params["far.k"] == 0.9 and plain(params["column.tau_E"]) == 2.0
    assert not isinstance(params["cortex.a"], u.Quantity)


def test_parameters_may_be_left_out_or_be_in_other_units(x64: None) -> None:
    c = case("heun")
    close(c.fn({"back.delay": 0.000637 * u.second, "column.tau_E": 2000 * u.us}), c.fn(c.params))
    assert c.loss({"column.tau_E": 3.0 * u.ms}) != c.loss({})


MISTAKES: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"far.kk": 1.0}, ParameterError, "Did you mean 'far.k'"),
    ({"cortex.b": 1.0}, ParameterError, "no parameter 'cortex.b'"),
    ({"cortex.x": 1.0}, ParameterError, "no parameter 'cortex.x'"),
    ({"column.tau_E": 2.0 * u.mV}, UnitError, "column.tau_E is in"),
    ({"far.k": 2.0 * u.mV}, UnitError, "far.k is in"),
]


@pytest.mark.parametrize(("params", "error", "message"), MISTAKES, ids=lambda v: str(v)[:20])
def test_mistakes(x64: None, params: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        case("heun").fn(params)


ONE_FAR = DELAYS * np.where(np.arange(9).reshape(3, 3) == 6, 1.3, 1.0)
OUT_OF_RANGE = [
    {"far.delay": 0.75 * DELAYS * u.ms},
    {"far.delay": 1.3 * DELAYS * u.ms},
    {"far.delay": ONE_FAR * u.ms},
    {"back.delay": 0.45 * u.ms},
    {"back.delay": 0.95 * u.ms},
    {"back.delay": -0.1 * u.ms},
]


@pytest.mark.parametrize("method", ["heun", "rk4"])
@pytest.mark.parametrize("params", OUT_OF_RANGE)
def test_delays_out_of_range_are_not_numbers(x64: None, params: Any, method: str) -> None:
    assert np.isnan(case(method).at(params)["cortex.x"][-1]).all()


def test_the_function_is_pure(x64: None) -> None:
    """No call leaves a trace: not in the simulator, the parameters, or another call."""
    c = case("heun")
    run, state = c.run(), c.sim.state
    given = {path: plain(value).copy() for path, value in c.params.items()}
    first = c.fn(c.params)
    c.at({"far.k": 0.1, "far.delay": 2 * DELAYS * u.ms})
    again = c.fn(c.params)
    for name in c.watched:
        np.testing.assert_array_equal(first[name], again[name])
    for path, value in given.items():
        np.testing.assert_array_equal(plain(c.params[path]), value)
    assert state is not None and c.sim.state is state
    for name, value in c.run().items():
        np.testing.assert_array_equal(value, run[name])
