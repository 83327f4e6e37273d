"""Harmonic oscillator networks: the step of the paper, its closed forms, layers, training."""

from functools import cache
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import braingraph as bg
from braingraph import nodes
from braingraph.component import Node

Array = np.ndarray[Any, np.dtype[Any]]
W, G = 2 * np.pi / 28, 0.01  # the paper's frequency and damping


def test_one_step_is_that_of_the_reference(x64: None) -> None:
    model: Node = nodes.HORNStep(1, v=0.5, init_x=0.2, init_y=-0.1)
    state, out = model.update(model.init_state(), inp=0.7, dt=0.1 * u.ms)
    assert float(state.x[0]) == pytest.approx(0.1901849045, abs=1e-10)
    assert float(state.y[0]) == pytest.approx(-0.0981509554, abs=1e-10)
    assert set(out) == {"x", "y", "out"}


# ---------------------------------------------------------------- one oscillator, in closed form
def single(dt: float, span: float, **given: Any) -> Array:
    """x and y, one row each, of an undriven oscillator from (1, 0)."""
    model = nodes.HORNStep(1, init_x=1.0, **given)
    ds = bg.Simulator(model, dt=dt * u.ms).run(span * u.ms, progress=False)
    return np.stack([ds.x.values[:, 0], ds.y.values[:, 0]])


@pytest.mark.parametrize("h", [0.1, 1.0])
def test_an_undriven_oscillator_is_a_linear_map(x64: None, h: float) -> None:
    """Its eigenvalues have modulus sqrt(1 - 2 gamma h): x_n = r^n (cos n phi + c sin n phi)."""
    x, _ = single(h, 200 * h)
    r = np.sqrt(1 - 2 * G * h)
    phi = np.arccos((2 - 2 * G * h - (W * h) ** 2) / (2 * r))
    c = (1 - (W * h) ** 2 - r * np.cos(phi)) / (r * np.sin(phi))
    n = np.arange(1, 201)
    np.testing.assert_allclose(x, r**n * (np.cos(n * phi) + c * np.sin(n * phi)), atol=1e-12)


def test_without_damping_the_step_keeps_its_energy(x64: None) -> None:
    """Symplectic Euler conserves y^2 + omega^2 x^2 - h omega^2 x y exactly."""
    x, y = single(1.0, 3000.0, gamma=0.0)
    kept = y**2 + W**2 * x**2 - W**2 * x * y
    np.testing.assert_allclose(kept, kept[0], rtol=1e-11)


def test_the_step_approaches_the_damped_oscillation_with_order_one(x64: None) -> None:
    free = np.sqrt(W**2 - G**2)
    exact = np.exp(-G * 40) * (np.cos(free * 40) + G / free * np.sin(free * 40))
    wrong = [abs(single(h, 40.0)[0, -1] - exact) for h in (0.1, 0.05, 0.025)]
    assert wrong[-1] < 0.003
    np.testing.assert_allclose(np.log2(np.array(wrong[:-1]) / wrong[1:]), 1, atol=0.05)


def test_a_constant_input_moves_the_rest(x64: None) -> None:
    ds = bg.Simulator(nodes.HORNStep(2, alpha=[0.04, 0.3]), dt=1 * u.ms).run(
        3 * u.second, inputs={"inp": 0.8}, progress=False
    )
    np.testing.assert_allclose(ds.x[-1], np.array([0.04, 0.3]) * np.tanh(0.8) / W**2, rtol=1e-9)


# ---------------------------------------------------------------- layers
def reference(net: dict[str, Any], s: Array) -> tuple[list[Array], Array]:
    """The equations of Effenberger et al. 2025 in loops, h = 1: positions by layer, and readout."""
    h: Array = s
    layers = []
    for layer in net["layers"]:
        n = len(layer["b_hh"])
        x, y, past, rows = np.zeros(n), np.zeros(n), [], []
        for row in h:
            past.append(y)
            late = past[-1 - layer["delay"]] if len(past) > layer["delay"] else np.zeros(n)
            rec = layer["W_hh"] @ late + layer["b_hh"] + layer["v"] * x
            ext = layer["W_ih"] @ row + layer["b_ih"]
            pull = layer["alpha"] * np.tanh(rec / np.sqrt(n) + ext) - 2 * G * y - W**2 * x
            y = y + pull
            x = x + y
            rows.append(x)
        h = np.array(rows)
        layers.append(h)
    return layers, h @ net["W_ho"].T + net["b_ho"]


SEQUENCE = np.random.default_rng(0).normal(size=(30, 2))


@pytest.mark.parametrize("delay", [0, 3])
def test_a_network_is_the_recurrence_of_the_paper(x64: None, delay: int) -> None:
    """With every weight and bias its own, and layers that hear each other within the step."""
    rng = np.random.default_rng(1)
    given = {"alpha": 0.3, "v": 0.7, "delay": delay * u.ms if delay else None}
    graph = nodes.HORNSeqNetwork(2, [5, 4], 3, seed=2, **given)
    biases = {"to_layer1.b": 5, "layer1.b_hh": 5, "to_layer2.b": 4, "layer2.b_hh": 4}
    params: dict[str, Any] = {k: rng.normal(size=n) for k, n in biases.items()}
    params["to_readout.b"] = rng.normal(size=3)
    layers = [
        {
            "W_hh": graph[f"layer{k}.W_hh"],
            "b_hh": params[f"layer{k}.b_hh"],
            "W_ih": graph[f"to_layer{k}.conn"],
            "b_ih": params[f"to_layer{k}.b"],
            "delay": delay,
            "alpha": 0.3,
            "v": 0.7,
        }
        for k in (1, 2)
    ]
    net = {"layers": layers, "W_ho": graph["to_readout.conn"], "b_ho": params["to_readout.b"]}
    ds = bg.Simulator(graph, dt=1 * u.ms).run(
        30 * u.ms,
        monitors=["layer1.x", "layer2.x", "readout.out"],
        inputs={"input.inp": SEQUENCE},
        params=params,
        progress=False,
    )
    (first, second), readout = reference(net, SEQUENCE)
    assert np.abs(second).max() > 0.1
    for name, want in (("layer1.x", first), ("layer2.x", second), ("readout.out", readout)):
        np.testing.assert_allclose(ds[name], want, atol=1e-12, err_msg=name)


def test_weights_have_the_spread_that_keeps_signals_alive() -> None:
    a, b = (nodes.HORNSeqNetwork(300, 200, 10, seed=seed) for seed in (0, 1))
    for path, sources in (("to_layer1.conn", 300), ("layer1.W_hh", 200), ("to_readout.conn", 200)):
        assert np.std(a[path]) == pytest.approx(np.sqrt(2 / sources), rel=0.05)
        assert not np.array_equal(a[path], b[path])
        np.testing.assert_array_equal(a[path], nodes.HORNSeqNetwork(300, 200, 10)[path])


def test_a_layer_without_weights_is_single_oscillators(x64: None) -> None:
    """But for v, of which the paper gives a layer of n the n-th root."""
    g = bg.Graph()
    g.add_node("layer", nodes.HORNSeqLayer(4, v=0.8, alpha=0.3))
    g.add_node("each", nodes.HORNStep(4, v=0.4, alpha=0.3))
    drive = {"layer.inp": SEQUENCE[:, :1], "each.inp": SEQUENCE[:, :1]}
    ds = bg.Simulator(g, dt=1 * u.ms).run(30 * u.ms, inputs=drive, progress=False)
    np.testing.assert_allclose(ds["layer.x"], ds["each.x"], atol=1e-13)


def test_replicas_run_side_by_side() -> None:
    g = bg.Graph()
    layer = g.add_node("layer", nodes.HORNSeqLayer(3, W_hh=np.ones((3, 3)), alpha=0.3))
    g.add_edge(g.add_node("noise", nodes.WhiteNoise(3, sigma=0.5)), layer.inp)
    ds = bg.Simulator(g, dt=1 * u.ms).run(20 * u.ms, batch_size=2, progress=False)
    x = ds["layer.x"].values
    assert x.shape == (2, 20, 3) and not np.allclose(x[0], x[1])


def test_a_network_needs_a_layer() -> None:
    with pytest.raises(bg.ParameterError, match=r"n_hidden names no layer.*\[32, 16\]"):
        nodes.HORNSeqNetwork(1, [], 1)
    with pytest.raises(bg.ShapeError, match="HORNSeqLayer: in_size is 0"):
        nodes.HORNSeqNetwork(1, [4, 0], 1)
    with pytest.raises(bg.ParameterError, match="no parameter 'omgea'.*mean 'omega'"):
        nodes.HORNSeqNetwork(1, 4, 1, omgea=0.2)


# ---------------------------------------------------------------- training
STEPS = 24


@cache
def trainable() -> tuple[Any, dict[str, Any], Any]:
    """The readout after a sequence as a function of weights and sequence; parameters; sequences.

    Two classes of tones, of 8 and 14 ms, with random phases.
    """
    g = bg.Graph()
    tone = g.add_node("tone", nodes.ArrayStimulus(1, values=np.ones((STEPS, 1))))
    g.add_node("net", nodes.HORNSeqNetwork(1, 8, 1, alpha=0.2))
    g.add_edge(tone, "net.input.inp")
    fn, params = bg.Simulator(g, dt=1 * u.ms).as_function(
        STEPS * u.ms, monitors=["net.readout.out"]
    )
    phase = np.random.default_rng(3).uniform(0, 2 * np.pi, 16)
    period = np.repeat([8.0, 14.0], 8)
    t = np.arange(STEPS)
    tones = np.sin(2 * np.pi * t / period[:, None] + phase[:, None])[:, :, None]

    def last(weights: dict[str, Any], values: Any) -> Any:
        return fn({**weights, "tone.values": values})["net.readout.out"][-1, 0]

    return last, params, jnp.asarray(tones)


def loss(weights: dict[str, Any], tones: Any) -> Any:
    last, _, _ = trainable()
    answers = jax.vmap(lambda values: last(weights, values))(tones)
    return jnp.mean((answers - jnp.repeat(jnp.array([1.0, -1.0]), 8)) ** 2)


WEIGHTS = (
    "net.to_layer1.conn",
    "net.to_layer1.b",
    "net.layer1.W_hh",
    "net.layer1.b_hh",
    "net.to_readout.conn",
    "net.to_readout.b",
)


def test_a_network_learns_to_tell_tones_apart() -> None:
    _, params, tones = trainable()
    missing = set(WEIGHTS) - set(params)
    assert not missing, params.keys()
    weights = {k: params[k] for k in WEIGHTS}
    slope = jax.jit(jax.value_and_grad(loss))
    losses, speed = [], {k: jnp.zeros_like(v) for k, v in weights.items()}
    for _ in range(80):  # gradient descent with momentum
        value, gradient = slope(weights, tones)
        losses.append(float(value))
        assert all(np.abs(g).max() > 0 for g in gradient.values())
        speed = {k: 0.9 * speed[k] - 0.01 * gradient[k] for k in weights}
        weights = {k: weights[k] + speed[k] for k in weights}
    assert losses[-1] < 0.1 * losses[0] and losses[-1] < 0.1
