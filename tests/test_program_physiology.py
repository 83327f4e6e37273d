"""Networks of the physiological models, compiled and interpreted."""

from __future__ import annotations

from collections.abc import Callable

import brainunit as u
import pytest
from compare import agree
from test_program import ALL, DT, RAGGED, RING, three, values

import braingraph as bg
from braingraph import edges, nodes

pytestmark = pytest.mark.usefixtures("x64")

VARIANTS = {
    "no_saturation": nodes.WilsonCowanNoSaturationStep(3, tau_E=three(80, 2, 5) * u.ms),
    "symmetric": nodes.WilsonCowanSymmetricStep(3, tau=3 * u.ms, theta=three(81, 2, 4)),
    "simplified": nodes.WilsonCowanSimplifiedStep(3, tau_I=2 * u.ms, c_exc=three(82, 8, 12)),
    "linear": nodes.WilsonCowanLinearStep(3, tau_E=2 * u.ms, c_EI=-three(83, 0.3, 2)),
    "divisive": nodes.WilsonCowanDivisiveStep(3, tau_E=2 * u.ms, sigma_I=three(84, 0.5, 2)),
    "input": nodes.WilsonCowanDivisiveInputStep(3, tau_I=2 * u.ms, c_EI=-three(85, 1, 9)),
    "adaptive": nodes.WilsonCowanAdaptiveStep(3, tau_aE=4 * u.ms, b_E=three(86, 1, 3)),
    "three": nodes.WilsonCowanThreePopulationStep(3, tau_M=3 * u.ms, c_EM=three(87, 1, 4)),
}


def wilson_cowan(g: bg.Graph) -> None:
    """A ring of variants: each drives the next."""
    for number, (name, model) in enumerate(VARIANTS.items()):
        g.add_node(name, model.replace(init_rE=three(90 + number), init_rI=0.2))
    names = [*VARIANTS, next(iter(VARIANTS))]
    for number, (source, target) in enumerate(zip(names, names[1:], strict=False)):
        far = edges.AdditiveCoupling(conn=values(100 + number, 3, 3), k=1.5)
        g.add_edge(f"{source}.rE", f"{target}.rE_inp", far, delay=RAGGED)
        g.add_edge(f"{source}.rI", f"{target}.rI_inp", edges.AdditiveCoupling(k=0.7))
    g.add_edge("three.rM", "adaptive.rI_inp", edges.AdditiveCoupling(conn=RING))
    g.add_edge("adaptive.aE", "three.rM_inp", edges.AdditiveCoupling(conn=ALL))


def delayed(g: bg.Graph) -> None:
    """Connections of one unit to itself, of some units late, and of none."""
    a = nodes.WilsonCowanDelayedStep(
        (3, 1),
        tau_E=2 * u.ms,
        c_EE=three(110, 8, 14)[:, None],
        delay_EE=three(111, 0, 2)[:, None] * u.ms,
        delay_EI=0.35 * u.ms,
        delay_IE=[[0.0], [1.1], [0.0]] * u.ms,
        delay_II=0 * u.ms,
        init_rE=three(112)[:, None],
    )
    b = nodes.WilsonCowanDelayedStep(2, tau_I=3 * u.ms, init_rE=[0.1, 0.5], init_rI=0.3)
    for name, model in (("a", a), ("b", b)):
        g.add_node(name, model)
    g.add_edge("a.rE", "b.rE_inp", edges.AdditiveCoupling(conn=values(113, 2, 3)), delay=1.2 * u.ms)
    g.add_edge("b.rE", "a.rI_inp", edges.AdditiveCoupling(conn=values(114, 3, 2)))


def wong_wang(g: bg.Graph) -> None:
    start = {"init_S1": three(120), "init_S2": three(121, 0.8, 1.0)}
    a = g.add_node(
        "a", nodes.WongWangStep(3, tau_S=5 * u.ms, mu0=three(122, 9, 40) * u.Hz, **start)
    )
    linear = a.replace(transfer="threshold_linear", JN12=three(123) * 0.1 * u.nA)
    b = g.add_node("b", linear)
    c = g.add_node("c", nodes.ReducedWongWangStep(3, tau_S=8 * u.ms, w=three(124), init_S=0.4))
    noise = nodes.OUProcess(3, sigma=0.05 * u.nA, tau=2 * u.ms, init_x=0 * u.nA)
    g.add_edge(g.add_node("noise", noise), a.I1_inp)
    g.add_edge(a.r1, b.I2_inp, edges.AdditiveCoupling(conn=ALL, k=2e-3 * u.nA / u.Hz), delay=RAGGED)
    g.add_edge(a.decision, b.coherence, edges.AdditiveCoupling(k=0.3))
    g.add_edge(b.r2, c.S_inp, edges.AdditiveCoupling(conn=RING, k=0.01 / u.Hz), delay=0.4 * u.ms)
    g.add_edge(c.S, c.S_inp, edges.AdditiveCoupling(conn=RING), delay=RAGGED)
    g.add_edge(c.H, c.I_inp, edges.AdditiveCoupling(k=1e-3 * u.nA / u.Hz), delay=1 * u.ms)
    g.add_edge(g.add_node("hum", nodes.WhiteNoise(3, sigma=0.2)), c.n_S)


def quadratic(g: bg.Graph) -> None:
    potentials = {"v_rest": -65 * u.mV, "v_th": -50 * u.mV}
    model = nodes.MontbrioPazoRoxinAdaptiveStep(3, tau=4 * u.ms, alpha=three(130, 2, 9))
    a = g.add_node("a", model.replace(init_r=three(131), init_v=-1.0, **potentials))
    b = g.add_node("b", nodes.CoombesByrneStep(3, k=three(132), init_v=three(133)))
    c = g.add_node("c", nodes.CoombesByrne4DStep(3, eta=three(134, 1, 3), init_g=0.2))
    g.add_edge(a.r, b.v_inp, edges.AdditiveCoupling(conn=ALL), delay=RAGGED)
    g.add_edge(b.synchrony, c.v_inp, edges.AdditiveCoupling(conn=RING, k=3.0))
    g.add_edge(c.r, b.r_inp, edges.AdditiveCoupling(conn=RING), delay=0.35 * u.ms)
    g.add_edge(c.g, a.v_inp, edges.AdditiveCoupling(conn=RING), delay=1.2 * u.ms)
    g.add_edge(g.add_node("noise", nodes.WhiteNoise(3, sigma=0.5)), c.r_inp)  # meets r >= 0
    pulse = nodes.PulseTrain(3, amplitude=2 * u.nA, onset=0.55 * u.ms, duration=1 * u.ms)
    g.add_edge(g.add_node("pulse", pulse), a.I_ext)


def seizing(g: bg.Graph) -> None:
    gains = {"Kvf": 0.5, "Kf": 0.3, "Ks": -0.2, "r": 0.05, "tt": 0.2}
    model = nodes.EpileptorStep(3, x0=three(140, -2.4, -1), **gains)
    a = g.add_node("a", model.replace(init_z=three(144, 2, 4)))
    b = g.add_node("b", model.replace(modification=three(141), init_x1=0.3, init_z=-0.3))
    g.add_edge(a.x1, b.x1_inp, edges.DiffusiveCoupling(conn=ALL), delay=RAGGED)
    g.add_edge(b.x2, a.x2_inp, edges.DiffusiveCoupling(conn=RING))
    noise = g.add_node("noise", nodes.WhiteNoise(3, sigma=0.3))
    for port in (a.n1, a.n2):
        g.add_edge(noise, port)


def slow_and_fast(g: bg.Graph) -> None:
    flat = nodes.Epileptor2DStep(3, x0=three(142, -2.4, -1), Kvf=0.3, Ks=0.2, r=0.05)
    a = g.add_node("a", flat.replace(init_x1=[-1.5, 0.4, -0.3], init_z=[3.5, 0.1, -0.3]))
    b = g.add_node("b", nodes.LarterBreakspearStep(3, d_V=three(143, 0.5, 0.7), C=0.4))
    g.add_edge(a.x1, a.x1_inp, edges.DiffusiveCoupling(conn=ALL), delay=0.33 * u.ms)
    g.add_edge(b.QV, b.V_inp, edges.AdditiveCoupling(conn=RING), delay=RAGGED)
    g.add_edge(a.x1, b.V_inp, edges.AdditiveCoupling(conn=0.1))
    g.add_edge(b.QZ, a.n1, edges.AdditiveCoupling(k=three(145)))


def adaptive_exponential(g: bg.Graph) -> None:
    model = nodes.ZerlautAdaptationFirstOrderStep(3, T=3 * u.ms, tau_w_e=4 * u.ms, a_i=1 * u.nS)
    a = g.add_node("a", model.replace(b_e=three(150, 1, 60) * u.pA, init_nu_e=9 * u.Hz))
    g.add_edge(a.nu_e, a.nu_inp, edges.AdditiveCoupling(conn=values(151, 3, 3)), delay=RAGGED)
    g.add_edge(a.nu_i, a.nu_e_inp, edges.AdditiveCoupling(conn=-RING), delay=0.4 * u.ms)
    onto_i = edges.AdditiveCoupling(k=0.5 * u.Hz / u.mV, b=30 * u.Hz)
    g.add_edge(a.mu_e, a.nu_i_inp, onto_i, delay=1 * u.ms)
    noise = nodes.WhiteNoise(3, sigma=4 * u.Hz * u.ms**0.5, mean=3 * u.Hz)
    g.add_edge(g.add_node("noise", noise), a.nu_inp)


NETWORKS: dict[str, tuple[Callable[[bg.Graph], None], str]] = {
    "wilson_cowan": (wilson_cowan, "heun"),
    "delayed": (delayed, "heun"),
    "delayed, rk4": (delayed, "rk4"),
    "wong_wang": (wong_wang, "heun"),
    "quadratic": (quadratic, "heun"),
    "seizing": (seizing, "heun"),
    "slow_and_fast": (slow_and_fast, "exp_euler"),
    "adaptive_exponential": (adaptive_exponential, "heun"),
}


@pytest.mark.parametrize("case", NETWORKS)
def test_every_model(case: str) -> None:
    build, method = NETWORKS[case]
    g = bg.Graph()
    build(g)
    agree(g, dt=DT, steps=40, method=method)
