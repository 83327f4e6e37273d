"""Lead fields: what sensors read, their noise, and their place in a chain of vertices."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compare import agree

import braingraph as bg
from braingraph import edges, nodes, observers
from braingraph.observers import (
    EEGLeadFieldModel,
    LeadFieldModel,
    LeadfieldReadout,
    MEGLeadFieldModel,
    SEEGLeadFieldModel,
)

ROOT = Path(__file__).resolve().parent.parent
Array = np.ndarray[Any, np.dtype[Any]]
MOMENT = u.nA * u.meter
EEG_GAIN = u.uvolt / MOMENT
MEG_GAIN = u.ftesla / MOMENT
GAIN: Array = np.random.default_rng(0).normal(size=(3, 4))
COVARIANCE: Array = np.array([[2, 0.8, 0.1], [0.8, 1, -0.3], [0.1, -0.3, 0.5]])


def read(model: bg.Observer, x: Any) -> Any:
    """The only output for an input, as a quantity, without a graph."""
    _, out = model.update(model.init_state(), x=x, dt=1 * u.ms)
    (value,) = out.values()
    return value


# ---------------------------------------------------------------- what sensors read
MODELS: dict[str, tuple[Callable[..., Any], Any, Any, str]] = {
    "eeg": (EEGLeadFieldModel, EEG_GAIN, 1.0 * u.uvolt, "eeg"),
    "eeg in SI": (EEGLeadFieldModel, u.volt / (u.amp * u.meter), 1e-3 * u.uvolt, "eeg"),
    "meg": (MEGLeadFieldModel, MEG_GAIN, 1.0 * u.ftesla, "meg"),
    "meg in SI": (MEGLeadFieldModel, u.tesla / (u.amp * u.meter), 1e6 * u.ftesla, "meg"),
    "dipoles": (SEEGLeadFieldModel, EEG_GAIN, 1.0 * u.uvolt, "seeg"),
    "currents": (SEEGLeadFieldModel, u.uvolt / u.nA, 1.0 * u.uvolt, "seeg"),
    "any": (LeadFieldModel, u.mV / MOMENT, 1.0 * u.mV, "signal"),
    "plain": (LeadFieldModel, 1.0, 1.0, "signal"),
}


@pytest.mark.parametrize("name", MODELS)
def test_sensors_read_the_gain_times_the_sources(x64: None, name: str) -> None:
    make, gain_unit, unit, output = MODELS[name]
    model = make(4, gain=GAIN * gain_unit)
    assert list(model._outputs) == [output] and model.sensors == 3
    q = np.array([0.5, -1.0, 2.0, 0.25])
    source = model.signals()["x"].unit(model)
    value = read(model, q * source)
    assert u.get_unit(value) == u.get_unit(unit)
    np.testing.assert_allclose(u.get_magnitude(value), GAIN @ q * u.get_magnitude(unit), rtol=1e-13)


def test_lead_fields_are_linear(x64: None) -> None:
    model = EEGLeadFieldModel(4, gain=GAIN * EEG_GAIN, scale=[1, 2, 3, 4] * MOMENT)
    one, two = np.random.default_rng(1).normal(size=(2, 4))
    together = read(model, 3 * one - 2 * two).mantissa
    apart = 3 * read(model, one).mantissa - 2 * read(model, two).mantissa
    np.testing.assert_allclose(together, apart, rtol=1e-12)
    columns = np.stack([read(model, e).mantissa for e in np.eye(4)], axis=1)
    np.testing.assert_allclose(columns, GAIN * [1, 2, 3, 4], rtol=1e-13)


@pytest.mark.parametrize(
    "scale, unit, moment",
    [
        (3.0, MOMENT, 3.0),
        (10 * MOMENT, u.UNITLESS, 10.0),
        (2 * u.nA * u.mm, u.UNITLESS, 2e-3),
        (10 * MOMENT / u.mV, u.mV, 10.0),
        (5 * u.uA * u.mm / u.mV, u.mV, 5.0),
        (5 * u.pA * u.meter / u.Hz, u.Hz, 5e-3),
    ],
    ids=str,
)
def test_the_scale_says_what_x_is(x64: None, scale: Any, unit: Any, moment: float) -> None:
    model = EEGLeadFieldModel(4, gain=GAIN * EEG_GAIN, scale=scale)
    taken = model.signals()["x"].unit(model)
    assert taken.has_same_dim(unit)
    one = np.ones(4) if unit == u.UNITLESS else np.ones(4) * unit
    np.testing.assert_allclose(read(model, one).mantissa, GAIN.sum(1) * moment, rtol=1e-12)


def test_a_gain_in_closed_form_goes_straight_in(x64: None) -> None:
    where = ([[0, 0, 90], [90, 0, 0]] * u.mm, [[0, 0, 60]] * u.mm, [[0, 0, 1]])
    model = EEGLeadFieldModel(1, gain=observers.eeg_sphere_gain(*where, radius=90 * u.mm))
    up = read(model, [10.0] * MOMENT)
    want = 10e-9 / (4 * np.pi * 0.33) * (2 / 0.03**2 + 2 / (0.09 * (0.09 - 0.06 + 0.03)))
    assert up[0].to_decimal(u.volt) == pytest.approx(want, rel=1e-9)


def test_regions_may_be_arranged() -> None:
    flat = EEGLeadFieldModel(4, gain=GAIN * EEG_GAIN, scale=[1, 2, 3, 4] * MOMENT)
    square = EEGLeadFieldModel((2, 2), gain=GAIN * EEG_GAIN, scale=[[1, 2], [3, 4]] * MOMENT)
    x = np.arange(4.0)
    np.testing.assert_array_equal(read(square, x.reshape(2, 2)).mantissa, read(flat, x).mantissa)


# ---------------------------------------------------------------- the average reference
READ: dict[str, tuple[dict[str, Any], list[float]]] = {
    "l1": ({}, [0.95555556, -1.87777778, 0.62222222]),  # published
    "none": ({"normalize": False, "demean": False}, [9.9, 1.9, 2.9]),
    "l2": ({"normalize": "l2", "demean": False}, [4.37213595, 0.53245553, 4.14264069]),
    "mean": ({"normalize": False}, [9.9 - 5, 1.9 - 5, 2.9 - 5]),
}
LM = np.array([[1, 2], [3, -1], [0.5, 0.5]])


@pytest.mark.parametrize("case", READ)
def test_a_readout_normalises_and_references(x64: None, case: str) -> None:
    given, want = READ[case]
    found = read(LeadfieldReadout(2, lm=LM, y0=0.1, cy0=2.0, **given), [1.0, 2.0])
    np.testing.assert_allclose(found, want, atol=6e-8)


def test_a_readout_takes_the_units_of_its_parameters(x64: None) -> None:
    model = LeadfieldReadout(2, lm=LM * u.ohm, y0=0.1 * u.uvolt, cy0=[2, 2, 2] * u.uvolt / u.mV)
    found = read(model, [1.0, 2.0] * u.mV)
    assert found.unit == u.uvolt
    np.testing.assert_allclose(found.mantissa, READ["l1"][1], atol=6e-8)
    raw = model.replace(normalize=False, cy0=1.0)
    assert raw.signals()["x"].unit(raw).has_same_dim(u.nA)
    assert model.replace(normalize=True).normalize == model.normalize == "l1"


# ---------------------------------------------------------------- noise
SAMPLES = 400_000


@cache
def noisy() -> dict[str, Array]:
    """400 000 samples of sensors without a signal, of every form of noise."""
    g = bg.Graph()
    silent = {"gain": np.zeros((3, 1)) * EEG_GAIN}
    forms: dict[str, dict[str, Any]] = {
        "covariance": {"noise_cov": COVARIANCE * u.uvolt**2},
        "root": {"noise": np.linalg.cholesky(COVARIANCE) * 1e-3 * u.mV},
        "slow": {"noise_cov": COVARIANCE * u.uvolt**2, "dt": 4 * u.ms},
        "each": {"noise": [1.0, 2.0, 0.0] * u.uvolt},
        "singular": {"noise_cov": np.ones((3, 3)) * u.uvolt**2},
    }
    for name, noise in forms.items():
        g.add_node(name, EEGLeadFieldModel(1, **silent, **noise))
    sim = bg.Simulator(g, dt=1 * u.ms, method="euler", seed=5)
    ds = sim.run(SAMPLES * u.ms, monitors=[f"{name}.eeg" for name in forms], progress=False)
    return {name: np.asarray(ds[f"{name}.eeg"], float) for name in forms}


@pytest.mark.parametrize("form", ["covariance", "root", "slow"])
def test_sensor_noise_has_the_covariance_that_was_asked_for(form: str) -> None:
    """And not that of the transposed root, which is (2.32, 0.853, 0.326) on the diagonal."""
    samples = noisy()[form]
    assert len(samples) == (SAMPLES // 4 if form == "slow" else SAMPLES)
    np.testing.assert_allclose(np.cov(samples.T), COVARIANCE, atol=0.03)
    np.testing.assert_allclose(samples.mean(0), 0, atol=0.02)


def test_sensor_noise_is_white() -> None:
    x = noisy()["covariance"]
    later = x[1:].T @ x[:-1] / len(x)
    np.testing.assert_allclose(later, 0, atol=0.02)
    assert np.abs(np.corrcoef(x.T, noisy()["root"].T)[:3, 3:]).max() < 0.02  # another vertex


def test_every_sensor_may_have_its_own_deviation() -> None:
    want = np.diag([1.0, 4.0, 0.0])
    np.testing.assert_allclose(np.cov(noisy()["each"].T), want, atol=0.05)


def test_a_singular_covariance_makes_sensors_that_move_together() -> None:
    x = noisy()["singular"]
    np.testing.assert_allclose(x[:, 1:], x[:, :1] * [1, 1], atol=1e-5)
    assert x.std() == pytest.approx(1, abs=0.01)


def test_a_root_is_the_symmetric_one() -> None:
    model = LeadFieldModel(4, gain=GAIN, noise_cov=COVARIANCE)
    np.testing.assert_allclose(model.noise @ model.noise, COVARIANCE, atol=1e-14)
    np.testing.assert_allclose(model.noise, model.noise.T, atol=1e-14)
    same = model.replace(scale=2.0)
    np.testing.assert_array_equal(same.noise, model.noise)
    assert "noise=array(3, 3)" in repr(model)
    assert not LeadFieldModel(4, gain=GAIN)._normals  # nothing is drawn for quiet sensors


# ---------------------------------------------------------------- chains of vertices
def chain() -> bg.Graph:
    """Oscillators -> lead fields, at two clocks -> further observers."""
    g = bg.Graph()
    hopf = g.add_node(
        "hopf", nodes.HopfStep(4, a=0.1, w=0.3, init_x=[0.1, 0.3, -0.2, 0.4], init_y=0.1)
    )
    mass = nodes.JansenRitStep((2, 2), init_M=0.1 * u.mV, init_E=[[9, 8], [7, 6]] * u.mV)
    mass = g.add_node("mass", mass)
    rng = np.random.default_rng(7)
    scalp = EEGLeadFieldModel(
        4, gain=GAIN * EEG_GAIN, scale=[1, 2, 3, 4] * MOMENT, noise_cov=COVARIANCE * u.uvolt**2
    )
    scalp = g.add_node("scalp", scalp, labels=["Fz", "Cz", "Pz"])
    coils = MEGLeadFieldModel(
        (2, 2),
        gain=rng.normal(size=(5, 4)) * u.ptesla / MOMENT,
        scale=0.2 * u.uA * u.mm / u.mV,
        noise=[1, 2, 3, 4, 5] * u.ftesla,
        dt=0.3 * u.ms,
    )
    coils = g.add_node("coils", coils)
    depth = SEEGLeadFieldModel(
        4, gain=rng.normal(size=(2, 4)) * u.kohm, scale=3 * u.uA, noise=0.1 * u.mV
    )
    depth = g.add_node("depth", depth)
    plain = g.add_node("plain", LeadFieldModel(4, gain=GAIN[:1], scale=0.5 * u.mV))
    montage = LeadfieldReadout(
        3, lm=[[1, -1, 0], [0, 1, -1]], y0=[0.5, -0.5] * u.uvolt, normalize="l2", demean=False
    )
    montage = g.add_node("montage", montage)
    average = g.add_node("average", LeadfieldReadout(4, lm=GAIN, cy0=[1, 2, 3], y0=0.1))
    bold = g.add_node("bold", observers.BOLDSignal(3, dt=0.1 * u.ms))
    for target in (scalp.x, depth.x, plain.x, average.x):
        g.add_edge(hopf.x, target)
    g.add_edge(
        hopf.y, depth.x, edges.AdditiveCoupling(conn=rng.normal(size=(4, 4))), delay=0.25 * u.ms
    )
    g.add_edge(mass.eeg, coils.x)
    g.add_edge(scalp.eeg, montage.x)
    g.add_edge(scalp.eeg, bold.z, edges.AdditiveCoupling(k=0.01 / u.uvolt), delay=0.4 * u.ms)
    return g


def test_chains_compute_what_the_interpreter_does(x64: None) -> None:
    agree(chain(), steps=45)


def test_replicas_have_noise_of_their_own_and_sensors_their_labels() -> None:
    sim = bg.Simulator(chain(), dt=0.1 * u.ms, seed=2)
    monitors = ["scalp.eeg", "coils.meg", "montage.eeg", "plain.signal"]
    ds = sim.run(6 * u.ms, monitors=monitors, batch_size=3, progress=False)
    assert ds["scalp.eeg"].dims == ("replica", "time", "scalp")
    assert ds["scalp.eeg"].shape == (3, 60, 3) and ds["coils.meg"].shape == (3, 20, 5)
    assert list(ds["scalp.eeg"].coords["scalp"].values) == ["Fz", "Cz", "Pz"]
    assert ds["scalp.eeg"].attrs["units"] == "uV" and ds["coils.meg"].attrs["units"] == "fT"
    eeg = ds["scalp.eeg"].values
    assert np.std(eeg - eeg.mean(0), axis=(0, 1)).min() > 0.3  # only noise differs
    quiet = ds["plain.signal"].values
    np.testing.assert_allclose(quiet, np.broadcast_to(quiet[:1], quiet.shape), rtol=1e-5)


def test_observers_do_not_feed_back() -> None:
    g = chain()
    g.add_edge(
        "plain.signal", "hopf.x_inp", edges.AdditiveCoupling(conn=np.ones((4, 1)), k=1 / u.mV)
    )
    with pytest.raises(bg.GraphError, match="'plain' is an observer and may not feed"):
        bg.Simulator(g, dt=0.1 * u.ms)


def test_gains_noise_and_readouts_have_gradients(x64: None) -> None:
    g = bg.Graph()
    drive = g.add_node("drive", nodes.ConstantStimulus(2, value=[1.0, 2.0]))
    scalp = EEGLeadFieldModel(2, gain=GAIN[:, :2] * EEG_GAIN, scale=2 * MOMENT, noise=0.5 * u.uvolt)
    g.add_edge(drive, g.add_node("scalp", scalp).x)
    readout = g.add_node("readout", LeadfieldReadout(2, lm=LM))
    g.add_edge(drive, readout.x)
    sim = bg.Simulator(g, dt=1 * u.ms)
    fn, params = sim.as_function(2 * u.ms, monitors=["scalp.eeg", "readout.eeg"])

    def total(values: dict[str, Any]) -> Any:
        out = fn({**params, **values})
        return jnp.sum(out["scalp.eeg"]) + jnp.sum(out["readout.eeg"] ** 2)

    names = ("scalp.gain", "scalp.scale", "scalp.noise", "readout.lm")
    slopes = jax.grad(total)({name: params[name] for name in names})
    x = np.array([1.0, 2.0])
    slopes = {name: u.get_magnitude(slope) for name, slope in slopes.items()}
    np.testing.assert_allclose(slopes["scalp.gain"], 2 * 2 * np.tile(x, (3, 1)), rtol=1e-12)
    np.testing.assert_allclose(slopes["scalp.scale"], 2 * (GAIN[:, :2] @ x).sum(), rtol=1e-12)
    quiet = total({"scalp.noise": 0 * params["scalp.noise"]})
    assert float(slopes["scalp.noise"]) == pytest.approx(float(total({}) - quiet) / 0.5, rel=1e-9)
    nudge = np.zeros((3, 2))
    nudge[1, 0] = 1e-6
    up, down = (total({"readout.lm": params["readout.lm"] + s * nudge}) for s in (1, -1))
    assert float(slopes["readout.lm"][1, 0]) == pytest.approx(float(up - down) / 2e-6, rel=1e-6)


# ---------------------------------------------------------------- the example
def test_the_example_finds_alpha_at_the_back_of_the_head(tmp_path: Path) -> None:
    main = runpy.run_path(str(ROOT / "examples" / "eeg.py"))["main"]
    figure = tmp_path / "figure.png"
    numbers = main(1.5, str(figure))
    assert numbers["back over front"] > 4
    assert 5 < numbers["uV"] < 100 and 50 < numbers["fT"] < 2000
    assert figure.read_bytes().startswith(b"\x89PNG")
