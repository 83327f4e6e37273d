"""Brownian motion and the colours, beside their spectra: units, laws per unit, and mistakes."""

from typing import Any

import brainunit as u
import jax.numpy as jnp
import numpy as np
import pytest
from test_noise_nodes import ROOT_MS, ROOT_S, ou_step, run

from braingraph.component import Signals
from braingraph.errors import BraingraphError, ParameterError, UnitError
from braingraph.nodes.colored_noise import BlueNoise, ColoredNoise, PinkNoise, VioletNoise
from braingraph.nodes.noise import BrownianNoise
from braingraph.random import key, path_words

# ---------------------------------------------------------------- Brownian motion
BROWNIAN = [
    # sigma, unit of x, its standard deviation after 1 ms
    (0.3, u.UNITLESS, 0.3),
    (0.3 * u.mV / ROOT_MS, u.mV, 0.3),
    (0.3 * u.nA / ROOT_S, u.nA, 0.3 / 1e3**0.5),
]


@pytest.mark.parametrize(("sigma", "unit", "expected"), BROWNIAN)
def test_brownian_motion_spreads_with_the_root_of_time(
    sigma: Any, unit: Any, expected: float
) -> None:
    n = 4000
    node = BrownianNoise(n, sigma=sigma)
    assert node.signals()["x"].unit(node) == unit
    start = node._inits["x"].draw(node, *key(3, path_words("noise.x")), node.in_size)
    np.testing.assert_array_equal(start, np.zeros(n))
    for dt in (0.1, 0.7, 2.0):
        x = run(lambda x, xi, dt=dt: ou_step(node, x, xi, dt), jnp.zeros(n), 40)
        for row in (0, 9, 39):
            right = expected * np.sqrt((row + 1) * dt)
            assert x[row].std() / right == pytest.approx(1, abs=4 / np.sqrt(2 * n))
        steps = np.diff(x, axis=0)
        correlation = (steps[1:] * steps[:-1]).mean() / steps.var()
        assert abs(correlation) < 4 / np.sqrt(steps[1:].size)


# ---------------------------------------------------------------- colours
def test_colours_have_units_and_one_law_a_unit() -> None:
    for law in (PinkNoise, BlueNoise, ColoredNoise, VioletNoise):
        node = law(2, sigma=[1.0, 5.0] * u.nA, mean=[0, 100] * u.pA, f_high=[100, 300] * u.Hz)
        assert node.signals()["out"].unit(node) == u.nA
        states = {name: jnp.array([0.3, 0.3]) for name in node._states}
        i = Signals({"dt": 0.1 * u.ms})
        both = type(node).out.function(node, Signals(states), i).to_decimal(u.nA)
        for k, (sigma, mean, f_high) in enumerate(((1.0, 0, 100), (5.0, 100, 300))):
            one = law(1, sigma=sigma * u.nA, mean=mean * u.pA, f_high=f_high * u.Hz)
            alone = {name: value[k] for name, value in states.items()}
            right = type(one).out.function(one, Signals(alone), i).to_decimal(u.nA)
            assert float(both[k]) == pytest.approx(float(right), rel=1e-6)
    assert ColoredNoise(1, beta=1.0)._weights() == PinkNoise(1)._weights()


# ---------------------------------------------------------------- mistakes
MISTAKES: list[tuple[Any, type[BraingraphError], str]] = [
    (lambda: BrownianNoise(1, sigma=1 * u.mV / ROOT_S, init_x=1.0), UnitError, r"init_x.*\[mV\]"),
    (lambda: BrownianNoise(1, mean=1.0), ParameterError, "no parameter 'mean'"),
    (lambda: PinkNoise(2, sigma=0.3 * u.Hz, mean=1.0), UnitError, r"PinkNoise.mean.*in \[Hz\]"),
    (
        lambda: PinkNoise(2, f_low=300 * u.Hz),
        ParameterError,
        "f_low must be below f_high, but is 3",
    ),
    (lambda: BlueNoise(2, f_high=0.0 * u.Hz), ParameterError, "f_high must be positive"),
    (lambda: BlueNoise(2, f_low=1.0), UnitError, r"BlueNoise.f_low is in \[1\].*u.Hz"),
    (lambda: ColoredNoise(2, beta=-1.0), ParameterError, "at least 0 and at most 2.*BlueNoise"),
    (lambda: ColoredNoise(2, beta=[1.0, 2.5]), ParameterError, "holds 2.5"),
    (lambda: VioletNoise(2, f_low=1 * u.Hz), ParameterError, "no parameter 'f_low'"),
]


@pytest.mark.parametrize(("mistake", "error", "message"), MISTAKES)
def test_mistakes(mistake: Any, error: type[BraingraphError], message: str) -> None:
    with pytest.raises(error, match=message):
        mistake()
