"""What XLA makes of a program: no slow fusions, no copies of the past, nothing per step."""

from __future__ import annotations

import re

import brainunit as u
import jax.numpy as jnp
import numpy as np
import pytest
from programs import lowered

import braingraph as bg
from braingraph import edges, nodes

UNITS = 40


def network(delayed: bool) -> bg.Graph:
    """Hopf units, all to all, with or without delays of 1 to 15 ms."""
    rng = np.random.default_rng(1)
    conn = rng.uniform(0.1, 1, (UNITS, UNITS)) / UNITS
    delay = np.rint(rng.uniform(10, 150, (UNITS, UNITS))) * 0.1 * u.ms if delayed else None
    g = bg.Graph()
    cortex = g.add_node("cortex", nodes.HopfStep(UNITS, a=-0.02, w=0.06))
    drive = g.add_node("drive", nodes.WhiteNoise(UNITS, sigma=0.01))
    g.add_edge(drive, cortex.x_inp)
    g.add_edge(cortex.x, cortex.x_inp, edges.AdditiveCoupling(conn=conn, k=0.05), delay=delay)
    return g


def compiled_text(delayed: bool) -> tuple[str, bg.Simulator]:
    """The optimised program of a chunk, as XLA prints it."""
    sim = bg.Simulator(network(delayed), dt=0.1 * u.ms)
    sim.run(20 * u.ms, monitors={"cortex.x": 1 * u.ms}, progress=False)
    return lowered(sim).compile().as_text(), sim


@pytest.fixture(scope="module")
def delayed() -> tuple[str, bg.Simulator]:
    return compiled_text(True)


def bodies(text: str) -> str:
    """Everything but the entry computation: what runs in the loops."""
    return text[: text.index("\nENTRY ")]


@pytest.mark.parametrize("delays", [True, False])
def test_no_library_fusion(delays: bool, delayed: tuple[str, bg.Simulator]) -> None:
    """jaxlib 0.10 turns a float32 multiply and reduce into a fusion 2 to 8 times slower."""
    text = delayed[0] if delays else compiled_text(False)[0]
    assert "ynn_fusion" not in text
    assert " dot(" in text  # the sums are products that XLA knows


def test_the_ring_is_never_copied_in_the_loop(delayed: tuple[str, bg.Simulator]) -> None:
    text, sim = delayed
    (compiled,) = sim._compiled.values()
    (message,) = compiled.program.messages
    columns = 2 * message.length + 8
    shape = rf"f32\[1,{UNITS},{columns}\]"
    loops = bodies(text)
    assert re.search(rf"{shape}\S* fusion\(.*dynamic-update-slice|dynamic-update-slice", loops)
    assert re.search(shape, loops), "the ring is not where this test looks for it"
    assert not re.search(rf"= {shape}\S* copy\(", loops)


def test_windows_are_gathered_once_per_block(delayed: tuple[str, bg.Simulator]) -> None:
    """One gather of windows in the block's body, and none of single samples in a step."""
    text, sim = delayed
    (compiled,) = sim._compiled.values()
    assert compiled.program.blocks.length == 8
    gathers = re.findall(r"= f32\[(\S*?)\]\S* gather\(", bodies(text))
    assert gathers and all(shape.endswith(",8") for shape in gathers), gathers


def test_parameters_are_arguments(delayed: tuple[str, bg.Simulator]) -> None:
    """No weights baked in: other values, same program."""
    text, _ = delayed
    constants = re.findall(r"f32\[([\d,]+)\]\S* constant\(", text)
    sizes = [np.prod([int(k) for k in c.split(",")]) for c in constants]
    assert max(sizes, default=0) < UNITS * UNITS


def test_explain_tells_bundles_of_one_layout_apart() -> None:
    """Two delayed edges that travel alike: each is shown with its own delays and rounding."""
    g = bg.Graph()
    a = g.add_node("a", nodes.HopfStep(3))
    conn = np.ones((3, 3)) - np.eye(3)
    steps = np.arange(10, 19).reshape(3, 3) * 0.1 * u.ms
    g.add_edge(a.x, a.x_inp, edges.AdditiveCoupling(conn=conn), delay=steps)
    g.add_edge(
        a.y, a.y_inp, edges.AdditiveCoupling(conn=conn), delay=steps, interpolation="nearest"
    )
    text = bg.Simulator(g, dt=0.1 * u.ms).explain(["a.x"])
    assert text.count("6 connections") == 2 and text.count("rounded to steps") == 1


def test_default_backend_is_untouched() -> None:
    """Importing and running changes no global setting of JAX: precision is still single."""
    assert jnp.ones(()).dtype == jnp.float32
