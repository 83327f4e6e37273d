"""Networks driven by noise sources and stimuli, compiled and interpreted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import brainunit as u
import pytest
from compare import agree
from test_program import ALL, DT, RING, three, values

import braingraph as bg
from braingraph import edges, nodes

pytestmark = pytest.mark.usefixtures("x64")


def started(model: Any, seed: int) -> Any:
    """The model with states of its own: the interpreter draws none."""
    start = {f"init_{name}": values(seed + k, 3) for k, name in enumerate(model._states)}
    return model.replace(**start)


def colours(g: bg.Graph) -> None:
    """Bands wide enough that a step of 0.1 ms is long for the fastest process."""
    band = {"f_low": 20 * u.Hz, "f_high": three(200, 1e3, 4e3) * u.Hz}
    a = g.add_node("a", nodes.HopfStep(3, a=0.1, w=0.4, init_x=three(201), init_y=0.1))
    wander = nodes.BrownianNoise(3, sigma=three(202) * u.mV / u.second**0.5, init_x=0.2 * u.mV)
    brown = g.add_node("brown", wander)
    models = {
        "some": nodes.ColoredNoise(
            3, beta=three(203, 0.3, 1.8), sigma=three(204) * u.nA, mean=-20 * u.pA, **band
        ),
        "blue": nodes.BlueNoise(3, **band),
        "violet": nodes.VioletNoise(3, sigma=0.4, mean=0.1, f_high=three(205, 1, 4) * u.kHz),
    }
    for k, (name, model) in enumerate(models.items()):
        g.add_node(name, started(model, 210 + 20 * k))
    g.add_edge(brown.x, a.y_inp, edges.AdditiveCoupling(conn=ALL, k=0.5 / u.mV))
    g.add_edge("some", a.x_inp, edges.AdditiveCoupling(conn=RING, k=2 / u.nA), delay=0.33 * u.ms)
    g.add_edge("blue", a.y_inp)
    g.add_edge("violet", a.x_inp, delay=0.5 * u.ms)


def waves(g: bg.Graph) -> None:
    """Each of them in a window of its own, within the step and delayed."""
    a = g.add_node("a", nodes.HopfStep(3, a=0.1, w=0.4, init_x=three(220), init_y=0.1))
    window = {"onset": 0.3 * u.ms, "duration": [2.0, 3.04, 9.0] * u.ms}
    level = {"amplitude": three(221) * u.nA, "offset": 0.1 * u.nA}
    models = {
        "sine": nodes.SineStimulus(3, frequency=three(222, 0.2, 1) * u.kHz, phase=three(223)),
        "tone": nodes.SineStimulus(3, frequency=300 * u.Hz, **window, **level),
        "chirp": nodes.ChirpStimulus(3, f1=three(224, 0.5, 1) * u.kHz, **window),
        "sweep": nodes.ChirpStimulus(
            3, f0=three(225, 0.5, 1) * u.kHz, f1=90 * u.Hz, sweep="exponential", **window
        ),
        "ramp": nodes.RampStimulus(3, start=three(226), end=three(227, 2, 3), **window),
    }
    for name, model in models.items():
        g.add_node(name, model)
    g.add_edge("sine", a.x_inp)
    g.add_edge("tone", a.y_inp, edges.AdditiveCoupling(conn=RING, k=2 / u.nA), delay=0.33 * u.ms)
    g.add_edge("chirp", a.y_inp, edges.AdditiveCoupling(conn=ALL))
    g.add_edge("sweep", a.x_inp, edges.AdditiveCoupling(k=0.5))
    g.add_edge("ramp", a.x_inp, edges.AdditiveCoupling(k=0.1))


NETWORKS: dict[str, tuple[Callable[[bg.Graph], None], str]] = {
    "colours": (colours, "heun"),
    "waves": (waves, "rk4"),
}


@pytest.mark.parametrize("case", NETWORKS)
def test_every_source(case: str) -> None:
    """Of what is emitted and of the target: states of their own are many and compile slowly."""
    build, method = NETWORKS[case]
    g = bg.Graph()
    build(g)
    heard = [f"{path}.{'x' if 'x' in m._states else 'out'}" for path, m in g.models().items()]
    agree(g, dt=DT, steps=40, method=method, monitors=heard)
