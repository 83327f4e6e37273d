"""Spiking neurons against what is exact: their own period, and their mean field."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import brainunit as u
import numpy as np
import pytest

import braingraph as bg

EXAMPLE: dict[str, Any] = runpy.run_path(
    str(Path(__file__).resolve().parent.parent / "examples" / "qif_population.py")
)
ETA = np.array([-4.0, 0.25, 1.0, 30.0, 900.0])


@pytest.fixture(scope="module")
def alone() -> dict[float, Any]:
    """Neurons that hear nothing, stepped coarsely and finely."""
    neurons = EXAMPLE["QIFNeurons"](5, tau=10 * u.ms, eta=ETA, init_v=-1.0)
    return {
        dt: bg.Simulator(neurons, dt=dt * u.ms).run(1 * u.second, progress=False)
        for dt in (0.8, 0.1)
    }


@pytest.mark.parametrize("dt", [0.8, 0.1])
def test_a_neuron_fires_at_the_rate_of_its_exact_period(alone: dict[float, Any], dt: float) -> None:
    """pi tau / sqrt(eta) from infinity to infinity, whatever the step; at rest below 0."""
    spikes = alone[dt].fired.sum("time").values
    assert np.abs(spikes - 1000 / 10 * np.sqrt(np.maximum(ETA, 0)) / np.pi).max() <= 1
    assert alone[dt].v.values[-1, 0] == pytest.approx(-2.0, abs=1e-5)


@pytest.mark.slow
def test_ten_thousand_neurons_fire_as_their_mean_field(tmp_path: Path) -> None:
    """Before, during and after a step of input, which moves both to the upper of two states."""
    figure = tmp_path / "figure.png"
    rates = EXAMPLE["main"](figure=str(figure))
    for neurons, field in rates.values():
        assert neurons == pytest.approx(field, rel=0.03)
    # Roots of pi^2 r^4 - J r^3 - (eta + input) r^2 = 1 / (4 pi^2), in Hz at tau = 10 ms.
    exact = {"before": 8.11344, "during": 137.324, "after": 103.060}
    for name, rate in exact.items():
        assert rates[name][1] == pytest.approx(rate, rel=1e-2)  # it rings, most of all at first
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_the_excitabilities_are_lorentzian() -> None:
    values = EXAMPLE["lorentzian"](10_000)
    for x in (-3.0, -1.0, 0.0, 0.5, 20.0):
        assert np.mean(values <= x) == pytest.approx(0.5 + np.arctan(x) / np.pi, abs=1e-4)
