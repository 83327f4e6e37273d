"""Haemodynamic kernels against published numbers, and their convolution against a slow one."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import brainunit as u
import jax
import numpy as np
import pytest
from compare import agree
from scipy.integrate import quad

import braingraph as bg
from braingraph import edges, nodes, observers
from braingraph.errors import ClockError, GraphError, ParameterError, ShapeError, UnitError
from braingraph.observers import (
    ArrayKernel,
    DoubleExponential,
    FirstOrderVolterra,
    Gamma,
    HRFBold,
    MixtureOfGammas,
)
from braingraph.observers.kernels import HRFKernel

Array = np.ndarray[Any, np.dtype[Any]]
SAMPLES: Array = np.array([0.0, 0.3, 1.0, 0.6, -0.2])
KERNELS: dict[str, HRFKernel] = {
    "volterra": FirstOrderVolterra(),
    "gamma": Gamma(),
    "double": DoubleExponential(),
    "mixture": MixtureOfGammas(),
    "array": ArrayKernel(samples=SAMPLES, every=20 * u.ms),
}
#: Integrals from 0, in seconds, in closed form.
PEAK = 0.0831225596  # of the double exponential before it is scaled
INTEGRALS = {
    "volterra": 0.4 / 3,
    "gamma": 0.1 * 1.08 * math.exp(2) * 2 / 2**2,
    "double": 0.1 * 0.21600951 / PEAK,
    "mixture": 0.6,
    "array": float(SAMPLES.sum()) * 0.02,
}


def at(kernel: HRFKernel, t: Any) -> Array:
    return kernel.values(np.asarray(t) * u.second)


# ---------------------------------------------------------------- the functions
#: Peak: time and value; then other known points.
SHAPES: dict[str, tuple[float, float, dict[float, float]]] = {
    "volterra": (0.8017375, 0.127729106, {0.0: 0.0, 1.0: 0.121987, 3.0: -0.032998, 5.0: 0.008367}),
    "gamma": (2.16, 0.1, {0.0: 0.0}),
    "double": (5.94250, 0.1, {0.0: 0.0}),
    "mixture": (4.94865, 0.17414320, {5.0: 0.17409367, 13.18103: -0.03706441, 1.0: 0.003066}),
}


@pytest.mark.parametrize("name", SHAPES)
def test_kernels_have_their_published_shape(name: str) -> None:
    kernel, (peak, height, points) = KERNELS[name], SHAPES[name]
    t = np.linspace(0, 40, 400_001)
    h = at(kernel, t)
    assert t[h.argmax()] == pytest.approx(peak, abs=1e-4)
    assert h.max() == pytest.approx(height, rel=1e-6)
    np.testing.assert_allclose(at(kernel, list(points)), list(points.values()), atol=1e-6)
    area = quad(lambda t: float(at(kernel, t)), 0, 120, limit=1000)[0]
    assert area == pytest.approx(INTEGRALS[name], rel=1e-6)
    assert not at(kernel, [-1e-9, -3.0]).any()


#: TVB and brainmass scale these two by the largest sample, here of t = 0, 1, 3, 5, 10 s.
SAMPLED = {
    "gamma": [0, 0.070796, 0.1, 0.043596, 0.001702],
    "double": [0, -0.061786, -0.022741, 0.1, -0.001159],
}


@pytest.mark.parametrize("name", SAMPLED)
def test_scaled_kernels_are_those_of_tvb_but_for_the_scale(name: str) -> None:
    h = at(KERNELS[name], [0, 1, 3, 5, 10])
    np.testing.assert_allclose(0.1 * h / h.max(), SAMPLED[name], atol=1e-6)
    assert h.max() < 0.0999  # the peak lies between samples


def test_volterra_is_the_formula() -> None:
    omega = math.sqrt(1 / 0.4 - 1 / (4 * 0.8**2))
    assert omega == pytest.approx(1.452368755)
    assert math.atan(2 * 0.8 * omega) / omega == pytest.approx(SHAPES["volterra"][0])


def test_kernels_of_other_constants_keep_their_laws() -> None:
    assert at(Gamma(n=1, tau=2 * u.second, a=0.3), [0.0, 2.0]) == pytest.approx([0.3, 0.3 / math.e])
    slow = Gamma(n=5, tau=0.5 * u.second, a=2.0)
    assert at(slow, 2.0) == pytest.approx(2.0)
    twice = DoubleExponential(amp_1=0.3, amp_2=0.3)
    np.testing.assert_allclose(at(twice, [1, 7]), at(KERNELS["double"], [1, 7]), rtol=1e-12)
    undershoot = MixtureOfGammas(a_1=13, a_2=6, c=0.0, l=2 / u.second)
    assert at(undershoot, 6.0) == pytest.approx(12**12 * math.exp(-12) / math.factorial(12))


def test_kernels_are_values() -> None:
    assert Gamma(tau=1080 * u.ms) == Gamma() != Gamma(n=4) != MixtureOfGammas()
    assert len({Gamma(), Gamma(a=0.1), Gamma(a=0.2)}) == 2
    assert Gamma(n=4).replace(a=0.5) == Gamma(n=4, a=0.5)
    assert repr(Gamma(n=4)) == "Gamma(n=4)"
    assert (
        repr(HRFBold(3, kernel=Gamma(n=4), V_0=0.04)) == "HRFBold(3, kernel=Gamma(n=4), V_0=0.04)"
    )
    assert KERNELS["mixture"].order == 13
    assert "MixtureOfGammas (kernel)" in str(MixtureOfGammas)


# ---------------------------------------------------------------- online
STEP = 0.02
STEPS = 10_000


@cache
def activity() -> Array:
    """(time, unit): constant 2, an impulse of area 1, and noise."""
    z = np.zeros((STEPS, 3))
    z[:, 0] = 2.0
    z[0, 1] = 1 / STEP
    z[:1500, 2] = np.random.default_rng(1).normal(size=1500)
    return z


@pytest.fixture(scope="module")
def online() -> dict[str, Array]:
    """The convolution of the activity with every kernel, (time, unit), in one run."""
    with jax.enable_x64(True):
        g = bg.Graph()
        z = g.add_node("z", nodes.ArrayStimulus(3, values=activity()))
        for name, kernel in KERNELS.items():
            plain = HRFBold(3, kernel=kernel, k_1=1.0, V_0=1.0, baseline=0.0, dt=STEP * u.second)
            g.add_edge(z, g.add_node(name, plain))
        paths = {f"{name}.bold": STEP * u.second for name in KERNELS}
        sim = bg.Simulator(g, dt=STEP * u.second)
        ds = sim.run(STEPS * STEP * u.second, monitors=paths, progress=False)
        return {name: np.asarray(ds[f"{name}.bold"]) for name in KERNELS}


def integrals(kernel: HRFKernel, step: float, count: int) -> Array:
    """Of a kernel over consecutive steps, by Gauss-Legendre."""
    nodes_, weights = np.polynomial.legendre.leggauss(6)
    t = step * (np.arange(count)[:, None] + (nodes_ + 1) / 2)
    return np.asarray(step / 2 * (at(kernel, t) @ weights))


@pytest.mark.parametrize("name", KERNELS)
def test_constant_activity_reaches_the_integral(online: dict[str, Array], name: str) -> None:
    assert online[name][-1, 0] == pytest.approx(2 * INTEGRALS[name], rel=1e-8)


@pytest.mark.parametrize("name", KERNELS)
def test_an_impulse_gives_the_kernel(online: dict[str, Array], name: str) -> None:
    middle = STEP * (np.arange(1000) + 0.5)
    h = at(KERNELS[name], middle)
    # it lasts a step: what comes is the kernel's mean over one, h in its middle + h'' step^2 / 24
    np.testing.assert_allclose(online[name][:1000, 1], h, atol=1e-4 * abs(h).max())


@pytest.mark.parametrize("name", KERNELS)
def test_the_filter_is_the_convolution(online: dict[str, Array], name: str) -> None:
    weights = integrals(KERNELS[name], STEP, 3000)
    for unit in (1, 2):
        slow = np.convolve(activity()[:3000, unit], weights)[:3000]
        np.testing.assert_allclose(online[name][:3000, unit], slow, atol=1e-11)


# ---------------------------------------------------------------- the step does not matter
def test_another_clock_changes_what_second_order_does(x64: None) -> None:
    """In brainmass constant activity gives 3.62, 1.75, 0.63 on grids of 4, 8, 20 ms."""
    g = bg.Graph()
    wave = nodes.FunctionStimulus(1, f=lambda t: 1 + u.math.sin(t.to_decimal(u.second) * 2))
    z = g.add_node("z", wave)
    paths = {}
    for name in ("volterra", "mixture"):
        for dt in (40, 80, 160):
            bold = g.add_node(f"{name}{dt}", HRFBold(1, kernel=KERNELS[name], dt=dt * u.ms))
            g.add_edge(z, bold)
            paths[f"{name}{dt}.bold"] = 160 * u.ms
    ds = bg.Simulator(g, dt=20 * u.ms).run(32 * u.second, monitors=paths, progress=False)
    for name in ("volterra", "mixture"):
        fine, middle, coarse = (np.asarray(ds[f"{name}{dt}.bold"]) for dt in (40, 80, 160))
        assert np.abs(coarse - fine).max() < 0.02 * np.ptp(fine)
        assert 3.7 < np.abs(coarse - middle).max() / np.abs(middle - fine).max() < 4.3


def test_the_readout_is_that_of_tvb_for_volterra_only() -> None:
    model: Any
    for kernel, rest in ((FirstOrderVolterra(), -0.112), (MixtureOfGammas(), 0.0)):
        model = HRFBold(2, kernel=kernel)
        state, out = model.update(model.init_state(), z=0.0, dt=4 * u.ms)
        np.testing.assert_allclose(out.bold, rest, rtol=1e-6)
    model = HRFBold(1, k_1=3.0, V_0=0.5, baseline=0.25, kernel=Gamma())
    state = model.init_state()
    for _ in range(3):
        state, out = model.update(state, z=1.0, dt=20 * u.second)
    assert float(out.bold[0]) == pytest.approx(1.5 * (INTEGRALS["gamma"] - 0.25), rel=1e-4)


# ---------------------------------------------------------------- in a graph
OSCILLATIONS: dict[str, Any] = {
    "tau_1": 5 * u.ms,
    "tau_2": 8 * u.ms,
    "f_1": 60 * u.Hz,
    "f_2": 150 * u.Hz,
    "amp_2": 0.2,
}


QUICK: dict[str, HRFKernel] = {
    "mixture": MixtureOfGammas(l=1 / u.ms),
    "volterra": FirstOrderVolterra(tau_s=8 * u.ms, tau_f=0.2 * u.ms),
    "gamma": Gamma(tau=2 * u.ms, n=4),
    "double": DoubleExponential(**OSCILLATIONS),
    "array": ArrayKernel(samples=SAMPLES, every=0.8 * u.ms),
}


def chain(*kernels: str) -> bg.Graph:
    """Hopf -> mean of 0.4 ms -> kernels -> samples each 1.6 ms, with noise."""
    g = bg.Graph()
    start = np.array([0.1, -0.2, 0.3])
    fast = g.add_node("fast", nodes.HopfStep(3, a=0.2, w=0.9, init_x=start, init_y=0.1))
    g.add_edge(g.add_node("drive", nodes.WhiteNoise(3, sigma=0.2)), fast.x_inp)
    mean = g.add_node("mean", observers.TemporalAverage(3, dt=0.4 * u.ms))
    g.add_edge(fast.x, mean)
    for name in kernels:
        dt = None if name == "array" else 0.4 * u.ms
        bold = g.add_node(name, HRFBold(3, kernel=QUICK[name], dt=dt))
        g.add_edge(mean.out, bold.z, edges.AdditiveCoupling(k=100.0))
        kept = g.add_node(f"{name}_kept", observers.SubSample(3, dt=1.6 * u.ms))
        g.add_edge(bold.bold, kept)
    return g


def test_chains_are_those_of_the_oracle(x64: None) -> None:
    agree(chain(*QUICK), dt=0.1, steps=96)


def test_replicas_devices_and_pieces_change_nothing() -> None:
    g = chain("mixture")
    seen = ["mixture.bold", "mixture_kept.out"]
    given: dict[str, Any] = {"monitors": seen, "progress": False}
    sim = bg.Simulator(g, dt=0.1 * u.ms, seed=3)
    whole = sim.run(16 * u.ms, **given)
    twice = sim.run(16 * u.ms, batch_size=2, **given)
    sim.run(7.3 * u.ms, **given)  # within an interval
    second = sim.run(8.7 * u.ms, initial=sim.state, **given)
    mesh = jax.make_mesh((2,), ("unit",))
    split = bg.Simulator(g, dt=0.1 * u.ms, seed=3, mesh=mesh).run(16 * u.ms, **given)
    for name in seen:
        value, batch, rest = (np.asarray(ds[name]) for ds in (whole, twice, second))
        near: dict[str, Any] = {"rtol": 2e-5, "atol": 1e-6}
        np.testing.assert_allclose(batch[0], value, **near)
        assert np.abs(batch[1] - value).max() > 1e-5  # noise of its own
        np.testing.assert_allclose(rest, value[-len(rest) :], **near)
        np.testing.assert_allclose(np.asarray(split[name]), value, **near)


# ---------------------------------------------------------------- mistakes
WRONG: dict[str, tuple[Callable[[], Any], type[GraphError], str, dict[str, Any]]] = {
    "no kernel": (
        lambda: HRFBold(2, kernel=Gamma),
        ParameterError,
        r"as in kernel=Gamma\(\)",
        {"parameter": "kernel"},
    ),
    "clock": (
        lambda: HRFBold(2, kernel=KERNELS["array"], dt=4 * u.ms),
        ClockError,
        "a sample every 20 ms: leave dt out",
        {"given": 4.0, "needed": 20.0},
    ),
    "unit of a kernel": (
        lambda: Gamma(tau=1.08),
        UnitError,
        r"as in tau=1\.08 \* u\.second",
        {"given": u.UNITLESS},
    ),
    "unit of t": (lambda: Gamma().values(3.0), UnitError, "must be in .s.", {"given": u.UNITLESS}),
    "name": (lambda: Gamma(m=3), ParameterError, "has no parameter 'm'", {"parameter": "m"}),
    "n": (lambda: Gamma(n=2.5), ParameterError, "whole number", {"parameter": "n"}),
    "shape": (lambda: MixtureOfGammas(a_2=0), ParameterError, "whole", {"parameter": "a_2"}),
    "sign": (lambda: Gamma(tau=-1 * u.second), ParameterError, "positive", {"parameter": "tau"}),
    "several": (lambda: Gamma(a=[0.1, 0.2]), ShapeError, "one number", {"given": (2,)}),
    "overdamped": (
        lambda: FirstOrderVolterra(tau_f=2.6 * u.second),
        ParameterError,
        r"must be below 4 tau_s\^2 / s, 2\.56 s",
        {"parameter": "tau_f"},
    ),
    "no amplitude": (
        lambda: DoubleExponential(amp_1=0.0, amp_2=0.0),
        ParameterError,
        "nothing to scale",
        {"parameter": "amp_1"},
    ),
    "no samples": (
        lambda: ArrayKernel(every=1 * u.ms),
        ParameterError,
        "needs its samples",
        {"parameter": "samples"},
    ),
    "no interval": (
        lambda: ArrayKernel(samples=[1.0]),
        ParameterError,
        "time between them",
        {"parameter": "every"},
    ),
    "a table": (
        lambda: ArrayKernel(samples=[[1.0]], every=1 * u.ms),
        ShapeError,
        "a row of numbers",
        {"given": (1, 1)},
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_mistakes_are_named(case: str) -> None:
    make, kind, message, fields = WRONG[case]
    with pytest.raises(kind, match=message) as error:
        make()
    assert {name: error.value.fields[name] for name in fields} == fields


def test_kernels_do_not_change() -> None:
    with pytest.raises(ParameterError, match="does not change once made"):
        setattr(KERNELS["gamma"], "a", 0.2)  # noqa: B010
