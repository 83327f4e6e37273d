"""Right-hand sides, outputs, laws and mistakes of the models.

Right-hand sides were computed by other people's code, or with 30 digits.
"""

from collections.abc import Callable
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import physiology
import pytest
from model_tools import MS, VOLTAGES, WC_UNIT, coupled, eigenvalues, field, output

from braingraph import nodes, observers
from braingraph.component import Node
from braingraph.errors import (
    GraphError,
    ModelError,
    ParameterError,
    PortError,
    ShapeError,
    UnitError,
    WeightError,
)
from braingraph.graph import Graph

MPR = nodes.MontbrioPazoRoxinStep(1)


# ---------------------------------------------------------------- right-hand sides
RHS: list[tuple[Node, dict[str, float], list[float], list[float]]] = [
    (nodes.HopfStep(1), {"x_inp": 0.05, "y_inp": -0.02}, [0.3, -0.2], [0.126, 0.016]),
    (nodes.StuartLandauStep(1), {"x_inp": 0.05, "y_inp": -0.02}, [0.3, -0.2], [0.126, 0.016]),
    (
        nodes.VanDerPolStep(1, mu=1.5),
        {"x_inp": 0.05, "y_inp": -0.02},
        [0.3, -0.2],
        [0.7865, 0.18],
    ),
    (nodes.FitzHughNagumoStep(1), {"inp": 0.5, "w_inp": 0.01}, [0.3, 0.1], [0.691, 0.0836]),
    (nodes.FitzHughNagumoCubicStep(1), {"inp": 0.5, "w_inp": 0.01}, [0.3, 0.1], [0.229, 0.0225]),
    (nodes.Generic2dOscillatorStep(1), {"V_inp": 0.3}, [0.7, -1.1], [0.00654, -0.158]),
    (
        nodes.Generic2dOscillatorStep(1),
        {"V_inp": 0.3, "n_V": 0.5, "n_W": -0.25},
        [0.7, -1.1],
        [0.50654, -0.408],
    ),
    (nodes.LorenzStep(1), {"x_inp": 0.1}, [1.2, -0.7, 3.0], [-18.9, 30.7, -8.84]),
    (nodes.LorenzStep(1), {"y_inp": 0.1, "z_inp": 1.0}, [1.2, -0.7, 3.0], [-19.0, 30.8, -7.84]),
    (nodes.ThresholdLinearStep(1), {"rE_inp": 100.0, "rI_inp": -100.0}, [10.0, 10.0], [-0.17, -1]),
    (nodes.ThresholdLinearStep(1), {"rE_inp": -1.0, "rI_inp": 20.0}, [4.0, 1.0], [-0.2, 0.602]),
    (nodes.LinearStep(1), {"x_inp": 0.1}, [0.4], [-3.9]),
    (
        nodes.WilsonCowanStep(1, **WC_UNIT),
        {"rE_inp": 1.1, "rI_inp": 0.6},
        [0.3, 0.15],
        [0.2549488908, 0.0391274421],
    ),
    (
        nodes.WilsonCowanStep(1),
        {"rE_inp": 1.1, "rI_inp": 0.6},
        [0.3, 0.15],
        [0.02549488908, 0.00391274421],
    ),
    (
        nodes.WongWangExcInhStep(1),
        {"S_e_inp": 0.3},
        [0.2, 0.1],
        [0.00213728996, -0.00955558046],
    ),
    (
        nodes.WongWangExcInhStep(1),
        {"S_e_inp": 0.3, "n_e": 0.5, "n_i": -0.25},
        [0.2, 0.1],
        [0.50213728996, -0.25955558046],
    ),
    (
        nodes.MontbrioPazoRoxinStep(1),
        {"v_inp": 0.4},
        [0.1, -1.5],
        [0.0183098862, -0.9486960440],
    ),
    (
        nodes.MontbrioPazoRoxinStep(1, tau=10 * u.ms),
        {"v_inp": 0.4, "r_inp": 1.0},
        [0.1, -1.5],
        [0.10183098862, -0.0948696044],
    ),
    (
        nodes.MontbrioPazoRoxinStep(1, R=3 * u.Mohm, **VOLTAGES),
        {"I_ext": 2.0},  # 3 Mohm * 2 nA / 15 mV = 0.4
        [0.1, -1.5],
        [0.0183098862, -0.9486960440],
    ),
    (
        nodes.JansenRitStep(1),
        {"M_inp": 0.5, "E_inp": 100.0, "p": 20.0, "I_inp": 0.2},
        [0.1, 9.0, 6.0, 1.0, 20.0, -10.0],
        [1e-3, 20e-3, -10e-3, -0.878548819, 117.907157438, 23.972479656],
    ),
    (
        observers.BOLDSignal(1),
        {"z": 0.5},
        [0.2, 1.5, 1.1, 0.9],  # computed with 30 digits, in seconds
        [0.165e-3, 0.2e-3, 0.1561713600705e-3, -0.0353169669858e-3],
    ),
    *((p.model, p.inputs, p.state, p.rates) for p in physiology.POINTS),
]


@pytest.mark.parametrize("case", RHS, ids=lambda case: type(case[0]).__name__)
def test_the_right_hand_side_is_that_of_the_paper(x64: None, case: Any) -> None:
    model, inputs, state, expected = case  # the references print ten decimals
    np.testing.assert_allclose(field(model, **inputs)(state), expected, rtol=1e-9, atol=6e-11)


READ = [point for point in physiology.POINTS if point.outputs]


@pytest.mark.parametrize("point", READ, ids=lambda p: type(p.model).__name__)
def test_outputs_are_those_of_the_paper(x64: None, point: physiology.Point) -> None:
    for name, value in point.outputs.items():
        unit = point.model._outputs[name].unit(point.model)
        found = output(point.model, name, point.state, unit, **point.inputs)
        assert found == pytest.approx(value, rel=1e-9, abs=1e-12), name


def test_kuramoto_takes_one_step_as_the_reference_does(x64: None) -> None:
    conn = np.array([[0, 1, 2], [0.5, 0, 1], [1, 0.3, 0]])
    model = nodes.KuramotoNetwork(3, omega=0.2, K=0.7, alpha=0.1, conn=conn)
    theta = np.array([0.1, 1.0, 2.5])
    expected = [0.1765378854, 1.0381766655, 2.5040386347]
    np.testing.assert_allclose(theta + 0.1 * coupled(model, theta, 0.05), expected, atol=1e-9)


MODELS: list[Node] = [
    nodes.HopfStep(3, a=[-0.1, 0.2, 0.3], w=0.3),
    nodes.StuartLandauStep(3, w=[0.1, 0.2, 0.3]),
    nodes.VanDerPolStep(3, mu=[0.5, 1.0, 2.0]),
    nodes.FitzHughNagumoStep(3, a=[0.6, 0.7, 0.8], tau=[10.0, 12.5, 15.0] * u.ms),
    nodes.FitzHughNagumoCubicStep(3, delta=[0.0, 0.1, 0.2]),
    nodes.Generic2dOscillatorStep(3, tau=[0.5, 1.0, 2.0], I=[0.1, 0.2, 0.3]),
    nodes.LorenzStep(3, rho=[14.0, 28.0, 35.0]),
    nodes.ThresholdLinearStep(3, beta_E=[0.06, 0.07, 0.08] * u.Hz / u.pA),
    nodes.LinearStep(3, gamma=[-1.0, -2.0, -3.0]),
    nodes.WilsonCowanStep(3, c_EE=[10.0, 11.0, 12.0], tau_E=[5.0, 10.0, 20.0] * u.ms),
    nodes.WongWangExcInhStep(3, J_i=[0.9, 1.0, 1.1]),
    nodes.MontbrioPazoRoxinStep(3, eta=[-5.0, -4.0, -3.0]),
    nodes.MontbrioPazoRoxinStep(3, v_rest=[-65, -66, -67] * u.mV, v_th=-50 * u.mV),
    nodes.JansenRitStep(3, Ae=[3.0, 3.25, 3.5] * u.mV),
    nodes.KuramotoNetwork(3, omega=[0.1, 0.2, 0.3]),
    observers.BOLDSignal(3, tau=[0.9, 0.98, 1.1] * u.second),
    *physiology.MODELS,
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_units_of_a_node_do_not_see_one_another(x64: None, model: Node) -> None:
    rng = np.random.default_rng(3)
    x = rng.uniform(0.2, 0.9, (len(model._states), 3))
    inputs = {k: rng.uniform(0.1, 0.5, 3) for k in model._inputs}
    together = field(model, **inputs)(x)
    for k in range(3):
        own = {
            name: value if np.ndim(value) == 0 else value[k]
            for name, value in model.arrays().items()
        }
        alone = field(model.replace(in_size=1, **own), **{n: v[k] for n, v in inputs.items()})
        np.testing.assert_allclose(together[:, k], alone(x[:, k]), rtol=1e-14)


#: Models without a derivative.
STEPPED: list[Node] = [
    nodes.HORNStep(3),
    nodes.HORNSeqLayer(3, W_hh=np.eye(3)),
    nodes.Relay(3),
    observers.LeadFieldModel(3, gain=np.eye(2, 3), noise=1.0),
    observers.EEGLeadFieldModel(3, gain=np.eye(3) * u.uvolt / (u.nA * u.meter)),
    observers.MEGLeadFieldModel(3, gain=np.eye(4, 3) * u.ftesla / (u.nA * u.meter)),
    observers.SEEGLeadFieldModel(3, gain=np.eye(3) * u.kohm),
    observers.LeadfieldReadout(3, lm=np.eye(2, 3)),
    observers.HRFBold(3, kernel=observers.Gamma(a=0.2)),
    observers.TemporalAverage(3, unit=u.mV),
    observers.SubSample(3, dt=720 * u.ms),
    observers.GlobalAverage(3),
    observers.SpatialAverage(3, mask=[0, 1, 0]),
    observers.BandPass(3, low=8 * u.Hz, high=12 * u.Hz, unit=u.mV),
    observers.Covariance(3, unit=u.mV),
    observers.FunctionalConnectivity(3, dt=720 * u.ms, start=10 * u.second),
    observers.PowerSpectrum(3, dt=1 * u.ms, unit=u.mV),
    observers.OrderParameter(3),
    observers.PlanarOrderParameter(3, unit=u.mV),
]


@pytest.mark.parametrize("model", [*MODELS, *STEPPED], ids=lambda model: type(model).__name__)
def test_a_graph_takes_the_model_and_its_card_names_everything(model: Node) -> None:
    assert Graph().add_node("n", model).path == "n"
    card = type(model).__doc__ or ""
    shared = nodes.XY_Oscillator.__doc__ or ""
    missing = [
        name
        for name in [*type(model)._specs, *model.signals()]
        if f"``{name}``" not in card + shared and name not in _parameter_names(card)
    ]
    assert not missing


def _parameter_names(card: str) -> list[str]:
    heads = [line.partition(" : ")[0] for line in card.splitlines() if " : " in line]
    return [name.strip() for head in heads for name in head.split(",")]


# ---------------------------------------------------------------- outputs and laws
@pytest.mark.parametrize("z, bold", [(0, 0.0), (0.1, 0.0108640), (0.5, 0.0338749), (1, 0.0458994)])
def test_constant_activity_gives_the_steady_bold_signal(x64: None, z: float, bold: float) -> None:
    f = 1 + z / 0.41
    v = f**0.32
    state = np.array([0, f, v, v * (1 - 0.66 ** (1 / f)) / 0.34])
    model = observers.BOLDSignal(1)
    np.testing.assert_allclose(field(model, z=z)(state), 0, atol=1e-15)
    assert output(model, "bold", state) == pytest.approx(bold, abs=5e-8)


@pytest.mark.parametrize("alpha, rho", [(0.32, 0.34), (0.33, 0.4), (0.2, 0.8)])
def test_bold_rests_exactly_at_zero_in_float32(alpha: float, rho: float) -> None:
    model = observers.BOLDSignal(7, alpha=alpha, rho=rho)
    rest = jnp.array([[0.0], [1.0], [1.0], [1.0]]) * jnp.ones(7)
    assert not np.asarray(jax.jit(field(model))(rest)).any()
    assert not output(model, "bold", rest).any()


def test_bold_stays_finite_on_its_floor(x64: None) -> None:
    floor = observers.bold.FLOOR
    state = jnp.array([-2.0, floor, floor, 5.0])
    f = field(observers.BOLDSignal(1), z=-3.0)
    assert np.isfinite(f(state)).all() and np.isfinite(jax.jacfwd(f)(state)).all()


def test_bold_weights_may_be_given() -> None:
    model = observers.BOLDSignal(1, k_1=1.0, k_2=0.0, k_3=0.0, V_0=0.5)
    assert output(model, "bold", [0.0, 1.0, 1.0, 0.8]) == pytest.approx(0.1)


def test_wong_wang_fires_at_three_hertz_at_rest_and_hears_the_network(x64: None) -> None:
    model = nodes.WongWangExcInhStep(1)
    rest = [0.16475721, 0.03921845]
    assert output(model, "H_e", rest, u.Hz) == pytest.approx(3.0773, abs=1e-4)
    assert output(model, "H_i", rest, u.Hz) == pytest.approx(3.9218, abs=1e-4)
    assert output(model, "H_e", rest, u.Hz, S_e_inp=0.5) > 4
    assert output(model, "H_i", rest, u.Hz, S_e_inp=0.5) == pytest.approx(3.9218, abs=1e-4)
    forward = model.replace(lamda=1.0)
    assert output(forward, "H_i", rest, u.Hz, S_e_inp=0.5) > 5


def test_montbrio_scales_with_its_time_constant_and_reads_out_rates(x64: None) -> None:
    slow = nodes.MontbrioPazoRoxinStep(1, tau=10 * u.ms, **VOLTAGES)
    point = [1.030596799, -0.154429883]
    assert output(MPR, "rate", point, u.Hz) == pytest.approx(1030.596799)
    assert output(slow, "rate", point, u.Hz) == pytest.approx(103.0596799)
    assert output(slow, "V", point, u.mV) == pytest.approx(-57.5 - 15 * 0.154429883)
    assert eigenvalues(field(slow), point)[0] == pytest.approx(-0.030886 + 0.331863j, abs=1e-6)


def test_a_current_needs_a_potential_to_act_on() -> None:
    g = Graph()
    bare = g.add_node("bare", nodes.MontbrioPazoRoxinStep(1))
    with pytest.raises(PortError, match="'bare'.* has no port 'I_ext'"):
        g.add_edge(bare.rate, bare.I_ext)
    with pytest.raises(PortError, match="has no port 'V'"):
        g.add_edge(bare.V, bare.v_inp)
    full = g.add_node("full", bare.replace(**VOLTAGES))
    assert str(full.I_ext) == "full.I_ext" and "V" in full.signals()


STARTED = [nodes.HopfStep(50), nodes.StuartLandauStep(50), nodes.VanDerPolStep(50)]


@pytest.mark.parametrize("model", STARTED, ids=lambda model: type(model).__name__)
def test_oscillators_start_off_the_fixed_point_they_would_never_leave(model: Node) -> None:
    start = [init.draw(model, 1, 2, (50,)) for init in model._inits.values()]
    assert (np.abs(field(model)(start)) > 0).all()
    assert np.unique(start[0]).size == 50


@pytest.mark.parametrize("v, rate", [(6.0, 2.5), (0.0, 0.16784612)])
def test_jansen_rit_fires_as_its_sigmoid_says(x64: None, v: float, rate: float) -> None:
    def S(v: Any) -> Any:
        return nodes.JansenRitStep(1).sigmoid(v * u.mV).to_decimal(u.Hz)

    assert S(v) == pytest.approx(rate, abs=1e-8)
    assert jax.grad(S)(6.0) == pytest.approx(0.7)


def test_stuart_landau_is_hopf_with_unit_saturation(x64: None) -> None:
    x = np.random.default_rng(1).normal(size=(2, 50))
    given = {"x_inp": 0.1, "y_inp": 0.2}
    hopf = field(nodes.HopfStep(1, a=-0.3, w=0.7, beta=1.0), **given)(x)
    np.testing.assert_array_equal(field(nodes.StuartLandauStep(1, a=-0.3, w=0.7), **given)(x), hopf)


# ---------------------------------------------------------------- mistakes
MISTAKES: list[tuple[Callable[[], Any], type[GraphError], str]] = [
    (lambda: nodes.HopfStep(3, beat=1.0), ParameterError, "no parameter 'beat'.*mean 'beta'"),
    (lambda: nodes.WilsonCowanStep(3, tau_EE=MS), ParameterError, "mean 'tau_E'"),
    (lambda: nodes.KuramotoNetwork(3, k=1.0), ParameterError, "mean 'K'|It has:.*K"),
    (lambda: nodes.WilsonCowanStep(3, tau_E=10.0), UnitError, r"tau_E is in \[1\].*\[ms\]"),
    (lambda: nodes.JansenRitStep(3, v0=6 * u.second), UnitError, r"v0 is in \[s\].*\[mV\]"),
    (lambda: nodes.JansenRitStep(3, init_M=0.1), UnitError, r"init_M is in \[1\].*\[mV\]"),
    (lambda: nodes.HopfStep(3, w=6 * u.Hz), UnitError, r"w is in \[Hz\].*\[1\]"),
    (lambda: observers.BOLDSignal(3, dt=10.0), UnitError, "must be a time"),
    (lambda: nodes.WilsonCowanStep(3, c_EE=[1, 2]), ShapeError, r"\(2,\).*\(3,\)"),
    (lambda: nodes.KuramotoNetwork(3, conn=np.ones((2, 3))), ShapeError, r"must be \(3, 3\)"),
    (lambda: nodes.KuramotoNetwork(3, K=[1, 2]), ShapeError, r"\(2,\)"),
    (lambda: nodes.HopfStep(0), ShapeError, "positive number of units"),
    (lambda: nodes.HopfStep(2, a=[0, np.nan]), ParameterError, r"a is not finite at \(1,\)"),
    (lambda: nodes.KuramotoNetwork(1, conn=[[np.inf]]), WeightError, r"finite at \(0, 0\)"),
    (lambda: nodes.LinearStep(2, gamma=np.array("x")), ParameterError, "numbers"),
    (
        lambda: nodes.MontbrioPazoRoxinStep(1, v_th=-50 * u.mV),
        ParameterError,
        "v_rest is missing",
    ),
    (
        lambda: nodes.MontbrioPazoRoxinStep(1, v_th=-70 * u.mV, v_rest=-65 * u.mV),
        ParameterError,
        "above v_rest",
    ),
    (lambda: nodes.MontbrioPazoRoxinStep(1, tau=0 * u.ms), ParameterError, "positive"),
    (lambda: Graph().add_node("a", nodes.XY_Oscillator(2)), ModelError, "flow.*nodes.HopfStep"),
    (lambda: Graph().add_node("a", nodes.FitzHughNagumoBase(2)), ModelError, "flow.*HughNagumoSt"),
    (lambda: nodes.VanDerPolStep(2, mu=[1, 0]), ParameterError, "mu must be positive.*value is 0"),
    (lambda: nodes.VanDerPolStep(2, nu=1.0), ParameterError, "no parameter 'nu'.*mean 'mu'"),
    (lambda: nodes.FitzHughNagumoStep(1, tau=-1 * u.ms), ParameterError, "tau must be positive"),
    (lambda: nodes.FitzHughNagumoStep(1, tau=12.5), UnitError, r"tau=12.5 \* u.ms"),
    (lambda: nodes.FitzHughNagumoStep(1, alpha=3.0), ParameterError, "no parameter 'alpha'"),
    (lambda: nodes.FitzHughNagumoCubicStep(1, tau=0 * u.ms), ParameterError, "tau must be pos"),
    (lambda: nodes.Generic2dOscillatorStep(1, tau=0.0), ParameterError, "tau must be positive"),
    (lambda: nodes.Generic2dOscillatorStep(1, i=0.0), ParameterError, "mean 'I'"),
    (lambda: nodes.LorenzStep(2, rho=[1, 2, 3]), ShapeError, r"rho has shape \(3,\)"),
    (lambda: nodes.LorenzStep(2, dt=0.01), UnitError, "must be a time"),
    (lambda: nodes.ThresholdLinearStep(1, tau_I=0 * u.ms), ParameterError, "tau_I must be pos"),
    (lambda: nodes.ThresholdLinearStep(1, beta_E=0.066), UnitError, r"beta_E is in \[1\]"),
    (lambda: nodes.ThresholdLinearStep(1, init_rE=1.0), UnitError, r"init_rE is in \[1\].*\[Hz\]"),
    (lambda: nodes.HORNStep(1, omega=5 * u.Hz), UnitError, r"omega is in \[Hz\]"),
    (lambda: nodes.HORNSeqLayer(2, W_hh=np.eye(3)), ShapeError, r"W_hh.*\(3, 3\).*\(2, 2\): \[tar"),
    (lambda: nodes.HORNSeqLayer(2, W_hh=[[0, np.nan]] * 2), ParameterError, "W_hh is not finite"),
    (lambda: nodes.HORNSeqLayer(2, W_hh=1.0, delay=3.0), UnitError, r"delay is in \[1\].*\[ms\]"),
    (lambda: nodes.HORNSeqLayer(2, b_hh=[1, 2, 3]), ShapeError, r"b_hh has shape \(3,\)"),
    (
        lambda: Graph().add_node("a", nodes.HORNSeqLayer(2, W_hh=1.0, delay=np.ones((2, 3)) * MS)),
        ShapeError,
        r"delays of a.y -> a.inp have shape \(2, 3\)",
    ),
    (lambda: Graph().add_node("a", nodes.RecurrentNode(2)), ModelError, "declares no recurrence"),
    *physiology.MISTAKES,
]


@pytest.mark.parametrize("make, error, text", MISTAKES, ids=[case[2] for case in MISTAKES])
def test_a_mistake_is_named(make: Callable[[], Any], error: type[GraphError], text: str) -> None:
    with pytest.raises(error, match=text):
        make()
