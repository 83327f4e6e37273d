"""Covariance and functional connectivity of a run, against the whole trajectory."""

from __future__ import annotations

from typing import Any

import brainunit as u
import numpy as np
import oracle
import oracle_reducers  # noqa: F401 (it registers its laws)
import pytest
from compare import drawn, every_signal, library
from test_errors import Case, ids, refused

import braingraph as bg
from braingraph import compiled, edges, nodes, observers
from braingraph.analysis import functional_connectivity

DT, N = 0.1, 3
MEAN = np.array([0.0, 10.0, -1000.0])
QUIET: dict[str, Any] = {"progress": False}


def watched() -> bg.Graph:
    """Noise in mV and a BOLD signal, seen on the simulation's step and on slower clocks."""
    g = bg.Graph()
    start = [0.5, -0.5, 0.2] * u.mV
    sigma = [1.0, 2.0, 0.5] * u.mV
    x = g.add_node("x", nodes.OUProcess(N, sigma=sigma, tau=1 * u.ms, init_x=start))
    bold = g.add_node("bold", observers.BOLDSignal(N, dt=0.2 * u.ms))
    mix = [[1.0, 0.3, 0.0], [0.2, 1.0, 0.0], [0.5, -0.5, 1.0]] / u.mV
    g.add_edge(x.x, bold.z, edges.AdditiveCoupling(conn=mix))
    sees: list[tuple[str, Any, Any]] = [
        ("late", observers.Covariance(N, unit=u.mV, start=1.24 * u.ms), x.x),
        ("slow", observers.Covariance(N, unit=u.mV, dt=0.4 * u.ms, start=1.2 * u.ms), x.x),
        ("fc", observers.FunctionalConnectivity(N, dt=0.4 * u.ms, start=0.8 * u.ms), bold.bold),
    ]
    for name, model, source in sees:
        g.add_edge(source, g.add_node(name, model).x)
    return g


SEEN = ["late.cov", "slow.cov", "slow.mean", "fc.fc"]


def test_at_every_moment_they_are_those_of_the_trajectory_and_of_the_oracle(x64: None) -> None:
    """Every replica's, of the samples so far, from the first that counts."""
    g = watched()
    monitors: dict[str, Any] = {
        **dict.fromkeys(every_signal(g)),
        "x4": bg.Record("x.x", every=0.4 * u.ms, reduce="mean"),
        "bold4": bg.Record("bold.bold", every=0.4 * u.ms, reduce="mean"),
    }
    ds = bg.Simulator(g, dt=DT * u.ms, seed=3).run(
        12 * u.ms, monitors=monitors, batch_size=2, **QUIET
    )
    for replica in range(2):
        one = {str(k): np.asarray(v[replica]) for k, v in ds.data_vars.items()}
        for k in range(4, 30):  # sample k of a slow clock stands at (k + 1) 0.4 ms
            fine = 4 * (k + 1)  # without a clock, x at the beginning of each step
            x = one["x.x"][11 : fine - 1]
            np.testing.assert_allclose(one["late.cov"][fine - 1], np.cov(x.T), rtol=1e-10)
            x4, bold = one["x4"][3 : k + 1], one["bold4"][2 : k + 1]
            np.testing.assert_allclose(one["slow.mean"][k], x4.mean(0), rtol=1e-10)
            np.testing.assert_allclose(one["slow.cov"][k], np.cov(x4.T), rtol=1e-10)
            np.testing.assert_allclose(one["fc.fc"][k], np.corrcoef(bold.T), rtol=1e-10)
    want = oracle.simulate(g, DT, 40, "heun", normals=drawn(g, 3, replica))
    for name, value in want.items():
        flat = one[name][: len(value)].reshape(len(value), -1)
        np.testing.assert_allclose(flat, value, rtol=1e-10, atol=1e-10, err_msg=name)
    assert np.isnan(one["late.cov"][12]).all() and np.isfinite(one["late.cov"][13]).all()
    whole = functional_connectivity(ds["bold4"].isel({"time_0.4ms": slice(2, None)}), "time_0.4ms")
    np.testing.assert_allclose(ds["fc.fc"][:, -1], whole, rtol=1e-10)
    assert not np.allclose(*ds["fc.fc"][:, -1])


def test_what_is_read_has_units_labels_and_two_dimensions() -> None:
    g = bg.Graph()
    x = g.add_node("x", nodes.OUProcess(2, sigma=1 * u.mV))
    cov = g.add_node("cov", observers.Covariance(2, unit=u.mV), labels=["left", "right"])
    fc = g.add_node("fc", observers.FunctionalConnectivity((2, 1), unit=u.mV, start=0.2 * u.ms))
    g.add_edge(x, cov.x)
    g.add_edge(x, fc.x)
    ds = bg.Simulator(g, dt=DT * u.ms).run(
        1 * u.ms, monitors={"cov.cov": 0.5 * u.ms, "cov.mean": None, "fc.fc": 1 * u.ms}, **QUIET
    )
    assert ds["cov.cov"].dims == ("time_0.5ms", "cov", "cov_2")
    assert ds["cov.cov"].attrs["units"] == "mV^2" and ds["cov.mean"].attrs["units"] == "mV"
    assert list(ds["cov_2"].values) == ["left", "right"]
    assert ds["cov.mean"].dims == ("time", "cov")
    assert ds["fc.fc"].shape == (1, 2, 2) and ds["fc.fc"].attrs["units"] == "1"


# ---------------------------------------------------------------- equivalences
def test_pieces_and_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = library(watched(), DT, 88, "heun", monitors=SEEN)
    monkeypatch.setattr(compiled, "CHUNK_STEPS", 8)
    sim = bg.Simulator(watched(), dt=DT * u.ms, seed=3)
    first = sim.run(4.8 * u.ms, monitors=SEEN, **QUIET)
    second = sim.run(4.0 * u.ms, monitors=SEEN, initial=sim.state, **QUIET)
    assert all(made.capacity < 44 for made in sim._compiled.values())  # several chunks
    for name, value in whole.items():
        pieces = np.concatenate([np.asarray(first[name]), np.asarray(second[name])])
        np.testing.assert_array_equal(pieces, value, err_msg=name)


def test_nothing_grows_with_the_run() -> None:
    g = bg.Graph()
    x = g.add_node("x", nodes.OUProcess(N))
    g.add_edge(x, g.add_node("cov", observers.Covariance(N)).x)
    sim = bg.Simulator(g, dt=DT * u.ms)
    sizes = []
    for steps in (10, 1000):
        sim.run(steps * DT * u.ms, monitors={"cov.cov": steps * DT * u.ms}, **QUIET)
        assert sim.state is not None
        states = {k: v for k, v in sim.state.states.items() if k.startswith("cov.")}
        sizes.append(sum(v.size for v in states.values()))
        assert states["cov.count"] == steps
    assert sizes == [2 * N**2 + 2 * N + 2] * 2


# ---------------------------------------------------------------- numbers
def test_float32_keeps_its_digits_about_a_large_mean() -> None:
    g = bg.Graph()
    x = g.add_node("x", nodes.OUProcess(N, sigma=1.0, tau=0.2 * u.ms, mean=MEAN))
    cov = g.add_node("cov", observers.Covariance(N, start=DT * u.ms))
    fc = g.add_node("fc", observers.FunctionalConnectivity(N, start=DT * u.ms))
    g.add_edge(x, cov.x)
    g.add_edge(x, fc.x)
    steps = 100_000
    end = steps * DT * u.ms
    monitors = {"x.x": None, "cov.cov": end, "cov.mean": end, "fc.fc": end}
    ds = bg.Simulator(g, dt=DT * u.ms, seed=1).run(end, monitors=monitors, **QUIET)
    samples = np.asarray(ds["x.x"])[:-1]
    assert samples.dtype == np.float32
    want = np.cov(samples.T.astype(float))
    np.testing.assert_allclose(ds["cov.cov"][-1], want, atol=3e-7)
    last = np.spacing(np.abs(MEAN.astype(np.float32)))
    assert (np.abs(ds["cov.mean"][-1] - samples.mean(0, dtype=float)) <= last + 1e-7).all()
    np.testing.assert_allclose(ds["fc.fc"][-1], np.corrcoef(samples.T.astype(float)), atol=3e-7)
    plain = samples.T @ samples / steps - np.outer(samples.mean(0), samples.mean(0))
    assert np.abs(plain - want).max() > 1e-2  # what compensation and Welford are for


def test_the_diagonal_is_one_and_a_unit_at_rest_has_no_correlation() -> None:
    g = bg.Graph()
    x = g.add_node("x", nodes.HopfStep(3, a=0.5, w=[0.3, 0.7, 0.0], init_x=[0.3, 0.1, 0.0]))
    g.add_edge(x.x, g.add_node("fc", observers.FunctionalConnectivity(3)).x)
    fc = bg.Simulator(g, dt=DT * u.ms).run(30 * u.ms, monitors=["fc.fc"], **QUIET)["fc.fc"].values
    assert np.isnan(fc[0]).all()  # one sample
    np.testing.assert_array_equal(np.diagonal(fc[10:, :2, :2], 0, 1, 2), 1.0)
    np.testing.assert_array_equal(fc, fc.swapaxes(1, 2))
    assert (np.abs(fc[10:, 0, 1]) < 1).all()
    assert np.isnan(fc[:, 2]).all() and np.isnan(fc[:, :, 2]).all()


# ---------------------------------------------------------------- mistakes
def connected(unit: Any) -> None:
    g = bg.Graph()
    x = g.add_node("x", nodes.OUProcess(2, sigma=1 * u.mV))
    g.add_edge(x, g.add_node("cov", observers.Covariance(2, unit=unit)).x)


Cov, Fc = observers.Covariance, observers.FunctionalConnectivity
MISTAKES: list[Case] = [
    ("no unit", lambda: connected(u.UNITLESS), bg.UnitError, r"carries \[mV\]", {"given": u.mV}),
    (
        "not a unit",
        lambda: Cov(2, unit="mV"),
        bg.ParameterError,
        "Covariance.unit must be a unit, as in unit=u.mV, but is 'mV'",
        {"parameter": "unit"},
    ),
    (
        "several of a unit",
        lambda: Fc(2, unit=3 * u.mV),
        bg.ParameterError,
        r"FunctionalConnectivity.unit must be a unit, as in unit=u.mV, but is 3 \[mV\]",
        {"parameter": "unit"},
    ),
    (
        "a start that is no time",
        lambda: Cov(2, start=5.0),
        bg.UnitError,
        r"Covariance.start is in \[1\], but must be in \[ms\]",
        {"given": u.UNITLESS},
    ),
    (
        "a start before the run",
        lambda: Cov(2, start=-1 * u.ms),
        bg.ParameterError,
        "Covariance.start is -1 ms, but must not be negative",
        {"parameter": "start"},
    ),
    (
        "a start for each unit",
        lambda: Fc(2, start=[1, 2] * u.ms),
        bg.ShapeError,
        r"start has shape \(2,\), but must be one time",
        {"given": (2,), "needed": ()},
    ),
    (
        "a misspelt parameter",
        lambda: Cov(2, strat=1 * u.ms),
        bg.ParameterError,
        "no parameter 'strat'. Did you mean 'start'",
        {"parameter": "strat"},
    ),
]


@pytest.mark.parametrize("case", MISTAKES, ids=ids(MISTAKES))
def test_mistakes_are_refused(case: Case) -> None:
    refused(*case[1:])


def test_another_unit_goes_with_everything() -> None:
    cov = Cov(2, unit=u.mV, start=1 * u.ms).replace(start=2 * u.ms)
    assert repr(cov) == "Covariance(2, start=2 [ms], unit=1 [mV])"
    assert repr(cov.replace(unit=u.UNITLESS)) == "Covariance(2, start=2 [ms])"
