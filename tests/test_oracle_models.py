"""The oracle's models and couplings against published numbers, closed forms and scipy."""

from __future__ import annotations

import math
from typing import Any

import brainunit as u
import numpy as np
import oracle
import oracle_models as laws
import physiology
import pytest
from scipy.integrate import solve_ivp

from braingraph.component import Coupling
from braingraph.edges import (
    AdditiveCoupling,
    DiffusiveCoupling,
    KuramotoCoupling,
    SigmoidalJansenRitCoupling,
)
from braingraph.graph import Graph
from braingraph.nodes import (
    ArrayStimulus,
    ChirpStimulus,
    ConstantStimulus,
    FitzHughNagumoCubicStep,
    FitzHughNagumoStep,
    FunctionStimulus,
    Generic2dOscillatorStep,
    HopfStep,
    HORNSeqLayer,
    HORNStep,
    JansenRitStep,
    KuramotoNetwork,
    LinearStep,
    LorenzStep,
    MontbrioPazoRoxinStep,
    OUProcess,
    PulseTrain,
    RampStimulus,
    SineStimulus,
    StuartLandauStep,
    ThresholdLinearStep,
    VanDerPolStep,
    WilsonCowanStep,
    WongWangExcInhStep,
)
from braingraph.observers import BOLDSignal

Array = oracle.Array


# ---------------------------------------------------------------- right-hand sides
# Published reference values, computed with TVB 2.11 and brainmass 0.1.1.
RHS = {
    "hopf": (
        HopfStep(1),
        {"x": 0.3, "y": -0.2, "x_inp": 0.05, "y_inp": -0.02},
        {"x": 0.126, "y": 0.016},
    ),
    "stuart_landau": (
        StuartLandauStep(1),
        {"x": 0.3, "y": -0.2, "x_inp": 0.05, "y_inp": -0.02},
        {"x": 0.126, "y": 0.016},
    ),
    "van_der_pol": (
        VanDerPolStep(1, mu=1.5),
        {"x": 0.3, "y": -0.2, "x_inp": 0.05, "y_inp": -0.02},
        {"x": 0.7865, "y": 0.18},
    ),
    "fitzhugh_nagumo": (  # on paper
        FitzHughNagumoStep(1),
        {"v": 0.3, "w": 0.1, "inp": 0.5, "w_inp": 0.01},
        {"v": 0.691, "w": 0.0836},
    ),
    "fitzhugh_nagumo_cubic": (
        FitzHughNagumoCubicStep(1),
        {"v": 0.3, "w": 0.1, "inp": 0.5, "w_inp": 0.01},
        {"v": 0.229, "w": 0.0225},
    ),
    "generic_2d": (
        Generic2dOscillatorStep(1),
        {"V": 0.7, "W": -1.1, "V_inp": 0.3, "n_V": 0.0, "n_W": 0.0},
        {"V": 0.00654, "W": -0.158},
    ),
    "lorenz": (
        LorenzStep(1),
        {"x": 1.2, "y": -0.7, "z": 3.0, "x_inp": 0.1, "y_inp": 0.0, "z_inp": 0.0},
        {"x": -18.9, "y": 30.7, "z": -8.84},
    ),
    "threshold_linear": (  # on paper
        ThresholdLinearStep(1),
        {"rE": 10.0, "rI": 10.0, "rE_inp": 100.0, "rI_inp": -100.0},
        {"rE": -0.17, "rI": -1.0},
    ),
    "linear": (LinearStep(1), {"x": 0.4, "x_inp": 0.1}, {"x": -3.9}),
    "wilson_cowan": (
        WilsonCowanStep(1, tau_E=1 * u.ms, tau_I=1 * u.ms),
        {"rE": 0.3, "rI": 0.15, "rE_inp": 1.1, "rI_inp": 0.6},
        {"rE": 0.2549488908, "rI": 0.0391274421},
    ),
    "wong_wang": (
        WongWangExcInhStep(1),
        {"S_e": 0.2, "S_i": 0.1, "S_e_inp": 0.3, "n_e": 0.0, "n_i": 0.0},
        {"S_e": 0.00213728996, "S_i": -0.00955558046},
    ),
    "wong_wang at rest": (
        WongWangExcInhStep(1),
        {"S_e": 0.16475721, "S_i": 0.03921845, "S_e_inp": 0.0, "n_e": 0.0, "n_i": 0.0},
        {"S_e": 0.0, "S_i": 0.0, "H_e": 3.0773, "H_i": 3.9218},
    ),
    "montbrio": (
        MontbrioPazoRoxinStep(1),
        {"r": 0.1, "v": -1.5, "r_inp": 0.0, "v_inp": 0.4},
        {"r": 0.0183098862, "v": -0.9486960440, "rate": 100.0},
    ),
    "montbrio in mV": (  # 2 nA * 10 Mohm / 15 mV = 4/3
        MontbrioPazoRoxinStep(1, tau=10 * u.ms, v_rest=-65 * u.mV, v_th=-50 * u.mV),
        {"r": 0.1, "v": -1.5, "r_inp": 0.0, "v_inp": 0.4 - 4 / 3, "I_ext": 2.0},
        {"r": 0.00183098862, "v": -0.09486960440, "rate": 10.0, "V": -80.0},
    ),
    "jansen_rit": (
        JansenRitStep(1),
        {"M": 0.1, "E": 9.0, "I": 6.0, "Mv": 1.0, "Ev": 20.0, "Iv": -10.0}
        | {"M_inp": 0.5, "p": 100.0, "E_inp": 20.0, "I_inp": 0.2},
        {"M": 1e-3, "E": 0.02, "I": -0.01, "eeg": 3.0}
        | {"Mv": -0.878548819, "Ev": 117.907157438, "Iv": 23.972479656},
    ),
    "bold at rest": (
        BOLDSignal(1),
        {"x": 0.0, "f": 1.0, "v": 1.0, "q": 1.0, "z": 0.0},
        {"x": 0.0, "f": 0.0, "v": 0.0, "q": 0.0, "bold": 0.0},
    ),
    "bold at z = 0.1": (
        BOLDSignal(1),
        {"x": 0.0, "f": 1.2439024390, "v": 1.0723378173, "q": 0.8956423060, "z": 0.1},
        {"x": 0.0, "f": 0.0, "v": 0.0, "q": 0.0, "bold": 0.0108640223},
    ),
}


@pytest.mark.parametrize("case", RHS)
def test_right_hand_sides(case: str) -> None:
    model, at, expected = RHS[case]
    pull = laws.Pull(lambda name: np.array([at[name]]))
    found: dict[str, Any] = laws.derivative(model, pull, pull)
    assert set(found) == set(model._states)
    found |= {name: laws.output(model, name, pull, pull) for name in model._outputs}
    for name, value in expected.items():
        digits = 1e-4 if name in ("H_e", "H_i") else 1e-9  # those that were published
        assert found[name] == pytest.approx(value, abs=digits), name


@pytest.mark.parametrize("point", physiology.POINTS, ids=lambda p: type(p.model).__name__)
def test_right_hand_sides_of_physiological_models(point: physiology.Point) -> None:
    model = point.model
    rest = dict.fromkeys(model._inputs, 0.0)
    at = rest | point.inputs | dict(zip(model._states, point.state, strict=True))
    pull = laws.Pull(lambda name: np.array([at[name]]))
    found = laws.derivative(model, pull, pull)
    expected = dict(zip(model._states, point.rates, strict=True))
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-9, abs=6e-11), name
    for name, value in point.outputs.items():
        assert laws.output(model, name, pull, pull) == pytest.approx(value, rel=1e-9), name


def test_horn_step() -> None:
    g = Graph()
    g.add_node("one", HORNStep(1, v=0.5))
    # with one unit the recurrent input is divided by 1, so that a layer is a single oscillator
    g.add_node("layer", HORNSeqLayer(1, W_hh=0.3, b_hh=0.1, v=0.5))
    start = {
        f"{path}.{k}": [v] for path in ("one", "layer") for k, v in {"x": 0.2, "y": -0.1}.items()
    }
    inputs = {"one.inp": 0.7, "layer.inp": 0.7 - 0.3 * -0.1 - 0.1}
    found = oracle.simulate(g, 0.1, 1, initial=start, inputs=inputs)
    for path in ("one", "layer"):
        assert found[f"{path}.x"][0, 0] == pytest.approx(0.1901849045, abs=1e-10)
        assert found[f"{path}.y"][0, 0] == pytest.approx(-0.0981509554, abs=1e-10)


def test_kuramoto_step() -> None:
    weights = np.array([[0, 1, 2], [0.5, 0, 1], [1, 0.3, 0]])
    g = Graph()
    g.add_node("osc", KuramotoNetwork(3, omega=0.2, K=0.7, alpha=0.1, conn=weights))
    found = oracle.simulate(
        g, 0.1, 1, "euler", initial={"osc.theta": [0.1, 1.0, 2.5]}, inputs={"osc.theta_inp": 0.05}
    )
    expected = (0.1765378854, 1.0381766655, 2.5040386347)
    np.testing.assert_allclose(found["osc.theta"][0], expected, atol=1e-10)
    np.testing.assert_allclose(found["osc.phase"], found["osc.theta"] % (2 * np.pi), atol=1e-15)


# ---------------------------------------------------------------- couplings, on paper
CONNECTIONS: dict[str, tuple[Coupling, list[float]]] = {
    "matrix": (AdditiveCoupling(conn=[[0, 2, 0], [0, 0, 3], [4, 0, 0]]), [20, 300, 4]),
    "transposed": (AdditiveCoupling(conn=[[0, 0, 4], [2, 0, 0], [0, 3, 0]]), [400, 2, 30]),
    "all to all, itself included": (AdditiveCoupling(conn=2.0), [222, 222, 222]),
    "one to one": (AdditiveCoupling(k=[1.0, 2.0, 3.0], b=0.5), [1.5, 20.5, 300.5]),
    "plain": (Coupling(), [1, 10, 100]),
    "plain weights": (Coupling(conn=[[0, 2, 0], [0, 0, 3], [4, 0, 0]]), [20, 300, 4]),
    "diffusive": (
        DiffusiveCoupling(conn=[[0, 2, 0], [0, 0, 3], [4, 1, 0]], k=0.5),
        [0.5 * 2 * 9, 0.5 * 3 * 90, 0.5 * (4 * -99 - 90)],
    ),
    "phases": (
        KuramotoCoupling(conn=[[0, 2, 0], [0, 0, 3], [4, 0, 0]], k=0.5, alpha=0.1),
        [math.sin(8.9), 1.5 * math.sin(89.9), 2 * math.sin(-99.1)],
    ),
}


@pytest.mark.parametrize("case", CONNECTIONS)
def test_what_is_delivered(case: str) -> None:
    coupling, expected = CONNECTIONS[case]
    g = Graph()
    g.add_node("n", LinearStep(3, gamma=0.0, init_x=[1.0, 10.0, 100.0]))
    g.add_node("m", LinearStep(3, gamma=0.0, init_x=0.0))
    itself = isinstance(coupling, (DiffusiveCoupling, KuramotoCoupling))
    target = "n" if itself else "m"
    g.add_edge("n.x", f"{target}.x_inp", coupling)
    found = oracle.simulate(g, 0.1, 1, "euler")
    moved = found[f"{target}.x"][0] - (np.array([1.0, 10.0, 100.0]) if itself else 0.0)
    np.testing.assert_allclose(moved, 0.1 * np.array(expected), rtol=1e-12)


def test_units_on_the_way() -> None:
    g = Graph()
    g.add_node("jr", JansenRitStep(1, init_E=9 * u.mV, init_I=6 * u.mV))
    g.add_node("qif", MontbrioPazoRoxinStep(1, init_r=0.1, init_v=-1.5))
    g.add_edge("jr.eeg", "qif.v_inp", AdditiveCoupling(k=2.0 / u.volt))
    g.add_edge("qif.rate", "jr.p", AdditiveCoupling(conn=3.0, b=0.004 / u.ms))
    at_start = oracle.simulate(g, 1e-9, 1, "euler")
    assert at_start["jr.eeg"][0, 0] == pytest.approx(3.0, rel=1e-6)
    assert at_start["qif.v_inp"][0, 0] == pytest.approx(0.006, rel=1e-6)
    assert at_start["jr.p"][0, 0] == pytest.approx(304.0, rel=1e-6)


def test_scipy_and_jansen_rit_coupling() -> None:
    g = Graph()
    g.add_node("jr", JansenRitStep(2))
    g.add_edge("jr.eeg", "jr.E_inp", SigmoidalJansenRitCoupling(conn=[[0, 1], [0.5, 0]], k=10.0))

    def field(t: float, z: Array) -> Array:  # in seconds
        M, E, I, Mv, Ev, Iv = z.reshape(6, 2)  # noqa: E741

        def S(v: Array) -> Array:
            return np.asarray(5 / (1 + np.exp(0.56 * (6 - v))))

        network = 10 * np.array([S(E - I)[1], 0.5 * S(E - I)[0]])
        out = [Mv, Ev, Iv, 325 * S(E - I) - 200 * Mv - 1e4 * M]
        out.append(325 * (150 + network + 108 * S(135 * M)) - 200 * Ev - 1e4 * E)
        out.append(1100 * 33.75 * S(33.75 * M) - 100 * Iv - 2500 * I)
        return np.concatenate(out)

    exact = solve_ivp(field, (0, 0.02), np.zeros(12), rtol=1e-11, atol=1e-11).y[:, -1]
    found = oracle.simulate(g, 0.2, 100, "rk4", inputs={"jr.p": 150.0})
    states = np.concatenate([found[f"jr.{name}"][-1] for name in ("M", "E", "I", "Mv", "Ev", "Iv")])
    np.testing.assert_allclose(states, exact, rtol=2e-6)


# ---------------------------------------------------------------- long runs
def test_stationary_spread_of_ou() -> None:
    rng = np.random.default_rng(0)
    g = Graph()
    g.add_node("ou", OUProcess(400, sigma=0.3, tau=2 * u.ms))
    draws = rng.standard_normal((60, 400))
    found = oracle.simulate(
        g, 1.0, 60, initial={"ou.x": np.zeros(400)}, normals=lambda path, signal, n: draws[n]
    )
    assert found["ou.x"][30:].std() == pytest.approx(0.3, rel=0.05)


def test_bold_settles() -> None:
    g = Graph()
    g.add_node("bold", BOLDSignal(2, dt=50 * u.ms))
    found = oracle.simulate(g, 25.0, 2400, "heun", inputs={"bold.z": np.array([0.5, 1.0])})
    assert found["bold.bold"].shape == (1200, 2)
    np.testing.assert_allclose(found["bold.bold"][-1], [0.0338749, 0.0458994], atol=1e-6)


# ---------------------------------------------------------------- stimuli, on paper
NOW = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
STIMULI: dict[str, tuple[Any, Any]] = {  # eight steps of 0.5 ms
    "constant": (ConstantStimulus(2, value=[1.0, 2.0] * u.nA), [[1, 2]] * 8),
    "one pulse": (
        PulseTrain(2, amplitude=[1.0, 2.0], onset=1 * u.ms, duration=[0.5, 1.6] * u.ms),
        [[0, 0], [0, 0], [1, 2], [0, 2], [0, 2], [0, 0], [0, 0], [0, 0]],
    ),
    "pulses": (
        PulseTrain(1, onset=0.5 * u.ms, duration=0.5 * u.ms, period=1.6 * u.ms),
        [[0], [1], [0], [0], [1], [0], [0], [1]],
    ),
    "two pulses": (
        PulseTrain(1, duration=1 * u.ms, period=1.5 * u.ms, count=2),
        [[1], [1], [0], [1], [1], [0], [0], [0]],
    ),
    "series": (ArrayStimulus(2, values=NOW, gain=2.0), [*(2 * NOW).tolist(), *[[0, 0]] * 5]),
    "series, held": (
        ArrayStimulus(2, values=[1.0, 3.0], after="hold"),
        [[1, 1], *[[3, 3]] * 7],
    ),
    "series, repeated": (
        ArrayStimulus(1, values=[1.0, 2.0, 4.0] * u.mV, after="repeat"),
        [[1], [2], [4], [1], [2], [4], [1], [2]],
    ),
    "sine": (  # a cycle takes two steps, so at their ends it stands at half cycles
        SineStimulus(2, amplitude=[1.0, 2.0], frequency=1 * u.kHz, phase=np.pi / 2, offset=3.0),
        [[3 + s, 3 + 2 * s] for s in (-1, 1) * 4],
    ),
    "sine in a window": (
        SineStimulus(1, frequency=0.5 * u.kHz, onset=1 * u.ms, duration=1.5 * u.ms),
        [[s] for s in (0, 0, 1, 0, -1, 0, 0, 0)],
    ),
    "linear chirp": (  # t^2 / 8 cycles
        ChirpStimulus(1, f0=1e-9 * u.Hz, f1=1 * u.kHz, duration=4 * u.ms),
        [[np.sin(np.pi / 16 * n**2)] for n in range(1, 9)],
    ),
    "exponential chirp": (  # 1 / log(2) (2^t - 1) cycles
        ChirpStimulus(1, f0=1 * u.kHz, f1=16 * u.kHz, duration=4 * u.ms, sweep="exponential"),
        [[np.sin(2 * np.pi * (2 ** (n / 2) - 1) / np.log(2))] for n in range(1, 9)],
    ),
    "ramp": (
        RampStimulus(1, start=1 * u.nA, end=2 * u.nA, onset=1 * u.ms, duration=2 * u.ms),
        [[x] for x in (1, 1, 1.25, 1.5, 1.75, 2, 2, 2)],
    ),
    "function": (  # at the end of the steps: 0.5, 1.0, ... ms
        FunctionStimulus(2, f=lambda t: 3 * u.nA * (t / u.ms) ** 2, gain=[1.0, -2.0]),
        [[0.75 * n**2, -1.5 * n**2] for n in range(1, 9)],
    ),
}


@pytest.mark.parametrize("case", STIMULI)
def test_stimuli(case: str) -> None:
    model, expected = STIMULI[case]
    g = Graph()
    g.add_node("drive", model)
    found = oracle.simulate(g, 0.5, 8)["drive.out"]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-9)
