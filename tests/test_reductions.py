"""A variant with its extra switched off is the model it comes from, for any state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import brainunit as u
import jax.numpy as jnp
import numpy as np
import pytest
from model_tools import MS, WC_UNIT, Array, field

import braingraph as bg
from braingraph import nodes
from braingraph.component import Node

pytestmark = pytest.mark.usefixtures("x64")


def points(*names: str) -> dict[str, Array]:
    """Twenty random values of each state."""
    drawn = np.random.default_rng(5).uniform(0.05, 0.9, (len(names), 20))
    return dict(zip(names, drawn, strict=True))


def rates(model: Node, at: Mapping[str, Array], **inputs: float) -> dict[str, Array]:
    """The derivatives at some states; states that are not given are 0."""
    x = [np.broadcast_to(at.get(k, 0.0), (20,)) for k in model._states]
    return dict(zip(model._states, np.asarray(field(model, **inputs)(jnp.asarray(x))), strict=True))


SAME = {"c_EE": 9.0, "c_EI": -5.0, "c_IE": 12.0, "c_II": -3.0}
ALIKE = {"a_E": 1.3, "a_I": 1.3, "theta_E": 3.0, "theta_I": 3.0}
NO_INHIBITION = {**SAME, "c_EI": 0.0, "c_II": 0.0}
OFF: dict[str, tuple[Node, Node]] = {
    "no saturation": (
        nodes.WilsonCowanNoSaturationStep(1, **SAME),
        nodes.WilsonCowanStep(1, r=0.0, **SAME),
    ),
    "symmetric": (
        nodes.WilsonCowanSymmetricStep(1, tau=4 * u.ms, a=1.3, theta=3.0, r=0.7, **SAME),
        nodes.WilsonCowanStep(1, tau_E=4 * u.ms, tau_I=4 * u.ms, r=0.7, **ALIKE, **SAME),
    ),
    "simplified": (
        nodes.WilsonCowanSimplifiedStep(1, c_exc=9.0, c_inh=-5.0),
        nodes.WilsonCowanStep(1, c_EE=9.0, c_IE=9.0, c_EI=-5.0, c_II=-5.0),
    ),
    "divisive": (
        nodes.WilsonCowanDivisiveStep(1, **NO_INHIBITION),
        nodes.WilsonCowanStep(1, **NO_INHIBITION),
    ),
    "divisive input": (
        nodes.WilsonCowanDivisiveInputStep(1, **NO_INHIBITION),
        nodes.WilsonCowanStep(1, **NO_INHIBITION),
    ),
    "adaptive": (
        nodes.WilsonCowanAdaptiveStep(1, b_E=0.0, b_I=0.0, **SAME),
        nodes.WilsonCowanStep(1, **SAME),
    ),
    "three populations": (
        nodes.WilsonCowanThreePopulationStep(1, c_EM=0.0, c_IM=0.0, **SAME),
        nodes.WilsonCowanStep(1, **SAME),
    ),
    "adaptive QIF": (
        nodes.MontbrioPazoRoxinAdaptiveStep(1, alpha=0.0, Delta=1.0, eta=-5.0, J=15.0, tau=3 * MS),
        nodes.MontbrioPazoRoxinStep(1, tau=3 * MS),
    ),
    "no synapses": (
        nodes.CoombesByrneStep(1, k=0.0, Delta=0.7, eta=-2.0),
        nodes.MontbrioPazoRoxinStep(1, J=0.0, Delta=0.7, eta=-2.0),
    ),
}


@pytest.mark.parametrize("case", OFF)
def test_a_variant_with_its_extra_off_is_its_base(case: str) -> None:
    variant, base = OFF[case]
    inputs = dict(zip(base._inputs, (0.4, -0.3), strict=False))
    at = points(*base._states)
    found, wanted = rates(variant, at, **inputs), rates(base, at, **inputs)
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-13, atol=1e-15)
    others = {name: value for name, value in found.items() if name not in wanted | {"rM": 0}}
    assert not any(np.any(value) for value in others.values()), "adaptation starts by itself"


def test_what_stays_of_adaptation_without_its_cause_decays() -> None:
    model = nodes.WilsonCowanAdaptiveStep(1, b_E=0.0, b_I=0.0)
    found = rates(model, points("rE", "rI") | {"aE": np.full(20, 0.5), "aI": np.full(20, -0.3)})
    np.testing.assert_allclose(found["aE"], -0.5 / 100)
    np.testing.assert_allclose(found["aI"], 0.3 / 80)


def test_for_weak_drives_the_linear_gain_is_a_sigmoid() -> None:
    linear = nodes.WilsonCowanLinearStep(1)
    weights = {k: linear.__dict__[k] for k in ("c_EE", "c_EI", "c_IE", "c_II")}
    sigmoid = nodes.WilsonCowanStep(1, a_E=4.0, a_I=4.0, theta_E=0.0, theta_I=0.0, **weights)
    worst = []
    for weak in (0.02, 0.01):
        at = {name: weak * value for name, value in points("rE", "rI").items()}
        inputs = {"rE_inp": weak, "rI_inp": weak}
        a, b = rates(linear, at, **inputs), rates(sigmoid, at, **inputs)
        worst.append(max(abs(a[name] - b[name]).max() for name in a))
    assert worst[0] / worst[1] == pytest.approx(8, rel=0.01)


def test_delays_of_zero_are_no_delays() -> None:
    none = dict.fromkeys(("delay_EE", "delay_EI", "delay_IE", "delay_II"), 0 * u.ms)
    base = nodes.WilsonCowanStep(2, **WC_UNIT, c_EE=[12.0, 11.0], init_rE=[0.3, 0.5])
    delayed = nodes.WilsonCowanDelayedStep(
        2, **WC_UNIT, c_EE=[12.0, 11.0], init_rE=[0.3, 0.5], **none
    )
    run: dict[str, Any] = {"monitors": ["rE", "rI"], "inputs": {"rE_inp": 1.25}, "progress": False}
    a, b = (bg.Simulator(m, dt=0.05 * u.ms).run(60 * u.ms, **run) for m in (base, delayed))
    for name in ("rE", "rI"):
        np.testing.assert_allclose(b[name], a[name], atol=1e-13)
    end = float(a.rE[-1, 0]), float(a.rI[-1, 0])
    assert end == pytest.approx((0.4862555475, 0.2598079487), abs=1e-6)
    state, out = delayed.update(delayed.init_state(), dt=0.05 * u.ms, rE_inp=1.25)
    np.testing.assert_allclose(out.rE, a.rE[0], atol=1e-13)  # alone it can step without a past


def test_synapses_at_rest_are_fast_synapses() -> None:
    at = points("r", "v")
    at |= {"g": 0.8 * np.pi * at["r"]}
    given = {"k": 0.8, "eta": 1.0, "Delta": 0.4, "v_syn": -3.0}
    slow = rates(nodes.CoombesByrne4DStep(1, **given), at, v_inp=0.2)
    fast = rates(nodes.CoombesByrneStep(1, **given), at, v_inp=0.2)
    np.testing.assert_allclose(slow["r"], fast["r"], rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(slow["v"], fast["v"], rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose((slow["g"], slow["q"]), 0, atol=1e-14)


@pytest.mark.parametrize("modification", [0.0, 0.4])
def test_the_epileptor_at_rest_in_y1_is_planar(modification: float) -> None:
    at = points("x1", "z")
    at = {"x1": 3 * at["x1"] - 2, "z": 6 * at["z"] - 1}  # both signs of both
    given = {"Kvf": 0.3, "Ks": 0.2, "modification": modification, "tt": 0.7, "slope": 0.1}
    full = rates(
        nodes.EpileptorStep(1, **given), at | {"y1": 1 - 5 * at["x1"] ** 2}, x1_inp=0.4, n1=0.1
    )
    flat = rates(nodes.Epileptor2DStep(1, **given), at, x1_inp=0.4, n1=0.1)
    np.testing.assert_allclose(full["y1"], 0, atol=1e-14)
    for name in ("x1", "z"):
        np.testing.assert_allclose(full[name], flat[name], rtol=1e-12, atol=1e-14)
