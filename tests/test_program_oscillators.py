"""Networks of oscillators and other phenomenological models, compiled and interpreted."""

from __future__ import annotations

from collections.abc import Callable

import brainunit as u
import pytest
from compare import agree
from test_program import ALL, DT, RAGGED, RING, three, values

import braingraph as bg
from braingraph import edges, nodes

pytestmark = pytest.mark.usefixtures("x64")


def planar(g: bg.Graph) -> None:
    a = g.add_node("a", nodes.VanDerPolStep(3, mu=three(50, 0.5, 3), init_x=three(51), init_y=0.2))
    b = g.add_node("b", nodes.FitzHughNagumoStep(3, a=three(52), init_v=three(53), init_w=0.1))
    c = g.add_node(
        "c", nodes.FitzHughNagumoCubicStep(3, tau=5 * u.ms, init_v=0.1, init_w=three(54))
    )
    d = g.add_node("d", nodes.Generic2dOscillatorStep(3, d=0.3, tau=three(55, 0.5, 2), I=three(56)))
    g.add_edge(a.x, b.inp, edges.DiffusiveCoupling(conn=ALL, k=0.4), delay=RAGGED)
    g.add_edge(b.w, a.y_inp, edges.AdditiveCoupling(conn=RING, k=three(57)))
    g.add_edge(b.v, c.inp, edges.DiffusiveCoupling(conn=RING), delay=0.42 * u.ms)
    g.add_edge(c.v, d.V_inp, edges.DiffusiveCoupling(conn=ALL))
    g.add_edge(d.V, a.x_inp, edges.AdditiveCoupling(conn=0.2, b=0.1), delay=1.2 * u.ms)
    noise = g.add_node("noise", nodes.WhiteNoise(3, sigma=0.2))
    for port in (b.w_inp, c.w_inp, d.n_V, d.n_W):
        g.add_edge(noise, port)


def lorenz(g: bg.Graph) -> None:
    g.add_node("a", nodes.LorenzStep(3, rho=three(58, 20, 30), init_x=three(59), init_z=20.0))
    for source, target, k in (("x", "x_inp", 0.1), ("z", "y_inp", 0.2), ("y", "z_inp", -0.1)):
        g.add_edge(f"a.{source}", f"a.{target}", edges.DiffusiveCoupling(conn=ALL, k=k))


def threshold_linear(g: bg.Graph) -> None:
    start = {"init_rE": three(60) * 20 * u.Hz, "init_rI": three(61) * 20 * u.Hz}
    a = g.add_node("a", nodes.ThresholdLinearStep(3, tau_I=three(62, 3, 8) * u.ms, **start))
    onto_E = edges.AdditiveCoupling(conn=ALL, k=20 * u.pA / u.Hz, b=-100 * u.pA)
    g.add_edge(a.rE, a.rE_inp, onto_E, delay=RAGGED)
    g.add_edge(a.rI, a.rI_inp, edges.AdditiveCoupling(conn=-RING, k=three(63) * 20 * u.pA / u.Hz))
    noise = nodes.WhiteNoise(3, sigma=80 * u.pA * u.ms**0.5, mean=50 * u.pA)
    g.add_edge(g.add_node("noise", noise), a.rI_inp)


def horn(g: bg.Graph) -> None:
    drive = g.add_node("drive", nodes.WhiteNoise(2, sigma=0.5))
    relay = g.add_node("relay", nodes.Relay(2))
    below = nodes.HORNSeqLayer(3, W_hh=ALL, b_hh=three(64), v=0.4, alpha=2.0, init_x=three(65))
    above = below.replace(W_hh=RING, v=three(66), delay=RAGGED)
    a, b = g.add_node("a", below), g.add_node("b", above)
    c = g.add_node("c", nodes.HORNStep(3, v=three(67), alpha=2.0, omega=three(68)))
    g.add_edge(drive, relay)
    g.add_edge(relay, a.inp, edges.AdditiveCoupling(conn=values(69, 3, 2), b=three(70)))
    g.add_edge(a.out, b.inp, edges.AdditiveCoupling(conn=ALL, k=3.0))
    g.add_edge(b.out, c.inp)
    g.add_edge(c.x, a.inp, edges.DiffusiveCoupling(conn=RING, k=0.5), delay=0.35 * u.ms)


NETWORKS: dict[str, tuple[Callable[[bg.Graph], None], str]] = {
    "planar": (planar, "heun"),
    "lorenz": (lorenz, "rk4"),
    "threshold_linear": (threshold_linear, "exp_euler"),
    "horn": (horn, "heun"),
}


@pytest.mark.parametrize("case", NETWORKS)
def test_every_model(case: str) -> None:
    build, method = NETWORKS[case]
    g = bg.Graph()
    build(g)
    agree(g, dt=DT, steps=40, method=method)
