"""What a run gives back: samples, labels, replicas, overrides, continuations, stores."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import brainunit as u
import numpy as np
import pytest
import xarray as xr
from test_errors import Growing

import braingraph as bg
from braingraph import edges, nodes, observers, progress, random, session
from braingraph.component import Node

MS = u.ms
DT = 0.1 * u.ms
RING = np.array([[0, 1, 0], [0, 0, 2], [1, 0, 0]])
LABELS = ["left", "right", "middle"]


def resting() -> bg.Graph:
    """Noisy oscillators with delays, their haemodynamics, and a column in millivolts."""
    g = bg.Graph()
    cortex = g.add_node("cortex", nodes.HopfStep(3, a=-0.02), labels=LABELS)
    drive = g.add_node("drive", nodes.WhiteNoise(3, sigma=0.02))
    bold = g.add_node("bold", observers.BOLDSignal(3, dt=1 * MS))
    g.add_node("column", nodes.JansenRitStep(2))
    g.add_edge(cortex.x, cortex.x_inp, edges.DiffusiveCoupling(RING, k=0.5), delay=0.7 * MS)
    g.add_edge(drive, cortex.x_inp)
    g.add_edge(cortex.x, bold)
    return g


def ring(a: float = 0.1, k: float = 0.5, conn: Any = RING, delay: float = 0.3) -> bg.Graph:
    """Oscillators with delays, and nothing else."""
    g = bg.Graph()
    cortex = g.add_node("cortex", nodes.HopfStep(3, a=a, init_x=0.5), labels=LABELS)
    coupling = edges.DiffusiveCoupling(conn=conn, k=k)
    g.add_edge(cortex.x, cortex.x_inp, coupling, delay=delay * MS, name="long")
    return g


GRAPH, NET = resting(), ring()
SIM = bg.Simulator(GRAPH, dt=DT, seed=4)
LIGHT = bg.Simulator(NET, dt=DT)
MONITORS = {
    "cortex.x": None,
    "cortex.y": 0.5 * MS,
    "mean": bg.Record("cortex.y", every=0.5 * MS, reduce="mean"),
    "y": "cortex.y",
    "column.eeg": 1 * MS,
    "bold": None,
    "power": lambda m: m.cortex.x**2 + m.cortex.y**2,
    "difference": lambda m: m.column.eeg() - m.column.E,
}


def values(ds: xr.Dataset, name: str) -> Any:
    return np.asarray(ds[name])


@pytest.fixture(scope="module")
def recorded() -> xr.Dataset:
    return SIM.run(6 * MS, monitors=MONITORS)


def same(a: xr.Dataset, b: xr.Dataset) -> None:
    xr.testing.assert_identical(a.drop_attrs(), b.drop_attrs())


# ---------------------------------------------------------------- what is recorded
def test_data_are_laid_out_by_node_and_time(recorded: xr.Dataset) -> None:
    assert {str(k): v.dims for k, v in recorded.data_vars.items()} == {
        "cortex.x": ("time", "cortex"),
        "cortex.y": ("time_0.5ms", "cortex"),
        "mean": ("time_0.5ms", "cortex"),
        "y": ("time", "cortex"),
        "column.eeg": ("time_1ms", "column"),
        "bold.bold": ("time_1ms", "bold"),
        "power": ("time", "cortex"),
        "difference": ("time", "column"),
    }
    assert list(recorded.cortex.values) == LABELS and "column" not in recorded.coords
    units = {str(k): v.attrs["units"] for k, v in recorded.data_vars.items()}
    assert units.pop("column.eeg") == units.pop("difference") == "mV"
    assert set(units.values()) == {"1"}
    assert recorded["mean"].attrs["reduce"] == "mean"
    assert recorded.time.attrs["units"] == "ms"
    assert recorded.attrs["dt"] == 0.1 and recorded.attrs["method"] == "heun"


def test_sample_k_stands_at_the_end_of_its_interval(recorded: xr.Dataset) -> None:
    np.testing.assert_allclose(recorded.time, 0.1 * np.arange(1, 61), rtol=1e-12)
    np.testing.assert_allclose(recorded["time_0.5ms"], 0.5 * np.arange(1, 13), rtol=1e-12)
    y = values(recorded, "y")
    np.testing.assert_array_equal(values(recorded, "cortex.y"), y[4::5])
    means = y.reshape(12, 5, 3).mean(1)
    np.testing.assert_allclose(values(recorded, "mean"), means, rtol=1e-5)
    assert np.ptp(y) > 1e-3


def test_callables_compute_from_signals_with_units(recorded: xr.Dataset) -> None:
    x, y = values(recorded, "cortex.x"), values(recorded, "y")
    np.testing.assert_allclose(values(recorded, "power"), x**2 + y**2, rtol=1e-5)
    assert recorded["power"].coords["cortex"].values[1] == "right"
    eeg = values(recorded, "column.eeg")
    assert np.all(values(recorded, "difference")[9::10] <= 0) and np.ptp(eeg) > 0


def test_every_form_of_monitors_records_the_same(recorded: xr.Dataset) -> None:
    before = SIM.compilations()
    x = values(recorded, "cortex.x")
    forms: list[tuple[Any, str]] = [
        ("cortex.x", "cortex.x"),
        (["cortex.x"], "cortex.x"),
        (("cortex.x",), "cortex.x"),
        ({"cortex.x": None}, "cortex.x"),
        ({"cortex.x": DT}, "cortex.x"),
        ({"v": "cortex.x"}, "v"),
        (GRAPH["cortex"].x, "cortex.x"),
        ([GRAPH["cortex"].x], "cortex.x"),
        ({GRAPH["cortex"].x: DT}, "cortex.x"),
        ([bg.Record("cortex.x", every=DT)], "cortex.x"),
        ({"v": bg.Record(GRAPH["cortex"].x)}, "v"),
    ]
    for form, name in forms:
        ds = SIM.run(6 * MS, monitors=form)
        assert list(ds.data_vars) == [name], form
        np.testing.assert_array_equal(values(ds, name), x)
    assert SIM.compilations() == before + 2  # one beginning and one chunk for all forms


def test_all_states_are_recorded_unless_told_otherwise() -> None:
    assert list(LIGHT.run(2 * MS).data_vars) == ["cortex.x", "cortex.y"]
    alone = bg.Simulator(nodes.LinearStep(2), dt=DT).run(0.2 * MS)
    assert list(alone.data_vars) == ["x"] and alone["x"].dims == ("time", "unit")


def test_a_transient_is_left_out() -> None:
    monitors = {"cortex.x": None, "cortex.y": 0.5 * MS}
    whole = LIGHT.run(6 * MS, monitors=monitors)
    ds = LIGHT.run(6 * MS, monitors=monitors, transient=2.5 * MS)
    np.testing.assert_array_equal(values(ds, "cortex.x"), values(whole, "cortex.x")[25:])
    np.testing.assert_array_equal(values(ds, "cortex.y"), values(whole, "cortex.y")[5:])
    np.testing.assert_allclose(ds.time, 2.5 + 0.1 * np.arange(1, 36), rtol=1e-12)
    np.testing.assert_allclose(ds["time_0.5ms"], 2.5 + 0.5 * np.arange(1, 8), rtol=1e-12)


def test_two_names_for_units_of_one_group_are_two_things() -> None:
    g = bg.Graph()
    for k in (1, 2):
        g.add_node(f"r{k}", nodes.LinearStep(1, init_x=float(k)))
    sim = bg.Simulator(g, dt=DT)
    for k in (1, 2):
        ds = sim.run(0.2 * MS, monitors={"v": f"r{k}.x"})
        np.testing.assert_allclose(values(ds, "v")[:, 0], [0.5 * k, 0.25 * k], rtol=1e-6)
        assert ds["v"].dims == ("time", f"r{k}")


# ---------------------------------------------------------------- a single node
def test_single_nodes_run_as_on_the_page_the_user_started_from() -> None:
    ds = bg.Simulator(nodes.LinearStep(in_size=1, gamma=-10.0), dt=0.1 * u.ms).run(
        20.0 * u.ms, monitors=["x"]
    )
    assert ds["x"].dims == ("time", "unit") and ds["x"].shape == (200, 1)
    np.testing.assert_allclose(ds["x"][:9, 0], 0.01 * 0.5 ** np.arange(1, 10), rtol=1e-5)
    rww = nodes.WongWangExcInhStep(in_size=1, J_i=1.0)
    ds = bg.Simulator(rww, dt=0.1 * u.ms).run(
        30.0 * u.ms, monitors={"S_e": "S_e", "rate_e": lambda m: m.H_e()}
    )
    assert ds["rate_e"].attrs["units"] == "Hz" and list(ds.data_vars) == ["S_e", "rate_e"]
    assert float(ds["rate_e"][-1, 0]) > 1


def test_a_single_node_is_driven_by_its_own_names() -> None:
    sim = bg.Simulator(nodes.JansenRitStep(1), dt=0.1 * u.ms)
    monitors = {"lfp": lambda m: m.eeg(), "z": "E"}
    ds = sim.run(5 * MS, inputs={"p": 220 * u.Hz}, monitors=monitors)
    assert list(ds.data_vars) == ["lfp", "z"] and ds["lfp"].attrs["units"] == "mV"
    count = sim.compilations()
    still = sim.run(5 * MS, inputs={"p": 0 * u.Hz}, monitors=monitors)
    assert sim.compilations() == count  # another value compiles nothing
    assert float(ds["z"][-1, 0]) > 10 * float(still["z"][-1, 0]) > 0
    g = bg.Graph()
    column = g.add_node("column", nodes.JansenRitStep(1))
    g.add_edge(g.add_node("p", nodes.ConstantStimulus(1, value=220 * u.Hz)), column.p)
    built = bg.Simulator(g, dt=0.1 * u.ms).run(5 * MS, monitors=["column.eeg"])
    np.testing.assert_array_equal(values(ds, "lfp"), values(built, "column.eeg"))


MODELS: list[tuple[Node, dict[str, Any], str]] = [
    (nodes.HopfStep((2, 2), a=0.3), {"y_inp": 0.2}, "exp_euler"),
    (nodes.JansenRitStep(2), {"p": 220 * u.Hz}, "heun"),
    (nodes.KuramotoNetwork(3, K=0.4, omega=[0.1, 0.2, 0.3], conn=RING), {}, "rk4"),
    (nodes.OUProcess(3, sigma=2.0 * u.nA), {}, "euler"),
]


@pytest.mark.parametrize("model, inputs, method", MODELS, ids=lambda v: getattr(v, "size", None))
def test_a_step_by_hand_is_a_step_of_a_simulator(
    model: Node, inputs: dict[str, Any], method: str
) -> None:
    sim = bg.Simulator(model, dt=DT, method=method, seed=5)
    names = [*model._states, *model._outputs]
    ds = sim.run(0.2 * MS, inputs=inputs, monitors=names)
    state, units = model.init_state(seed=5), np.arange(model.size, dtype=np.uint32)
    for n in range(2):
        keys = {k: random.key(5, random.path_words(f"node.{k}")) for k in model._normals}
        noise = {k: random.normals(*key, n, 1, units, np.float32)[0] for k, key in keys.items()}
        state, out = model.update(state, dt=DT, method=method, **inputs, **noise)
        for name in names:
            got = np.asarray(u.get_magnitude(out[name])).reshape(-1)
            np.testing.assert_allclose(got, ds[name][n], rtol=2e-6, atol=1e-6)
        assert out[name].shape == model.in_size


def test_a_batch_by_hand_is_its_members() -> None:
    model = nodes.KuramotoNetwork(3, K=0.4, conn=RING)
    batch = model.init_state(batch_size=2, seed=1)
    assert batch.theta.shape == (2, 3) and np.ptp(batch.theta, 0).min() > 0
    np.testing.assert_array_equal(batch.theta[0], model.init_state(seed=1).theta)
    after, out = model.update(batch, dt=DT, theta_inp=np.array([[0.1], [0.3]]))
    for k, drive in enumerate((0.1, 0.3)):
        alone, shown = model.update({"theta": batch.theta[k]}, dt=DT, theta_inp=drive)
        np.testing.assert_allclose(after.theta[k], alone.theta, rtol=1e-6)
        np.testing.assert_allclose(out.phase[k], shown.phase, rtol=1e-6)


# ---------------------------------------------------------------- replicas
def test_replicas_have_noise_of_their_own(recorded: xr.Dataset) -> None:
    ds = SIM.run(6 * MS, monitors=["cortex.x"], batch_size=3)
    assert ds["cortex.x"].dims == ("replica", "time", "cortex") and ds["cortex.x"].shape[0] == 3
    assert list(ds.replica.values) == [0, 1, 2] and list(ds.cortex.values) == LABELS
    x = values(ds, "cortex.x")
    np.testing.assert_allclose(x[0], values(recorded, "cortex.x"), rtol=1e-4, atol=1e-6)
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(x[a] - x[b]).max() > 1e-3


# ---------------------------------------------------------------- overrides
def summing() -> bg.Simulator:
    """x' = x_inp: Euler's sums are the inputs' sums."""
    g = bg.Graph()
    g.add_node("cortex", nodes.LinearStep(2, gamma=0.0, init_x=0.0))
    return bg.Simulator(g, dt=1 * MS, method="euler")


SUMS = summing()
ROWS = np.arange(8.0).reshape(4, 2)


@pytest.mark.parametrize(
    "given, rows",
    [
        (0.5, np.full((4, 2), 0.5)),
        (np.float32(0.25), np.full((4, 2), 0.25)),
        (ROWS, ROWS),
        (ROWS[:, :1], np.repeat(ROWS[:, :1], 2, 1)),
        (lambda t: 2.0 * t / u.ms, np.repeat([[0.0], [2.0], [4.0], [6.0]], 2, 1)),
        (lambda t: np.array([1.0, 3.0]), np.tile([1.0, 3.0], (4, 1))),
    ],
    ids=["number", "numpy", "array", "column", "callable", "callable of units"],
)
def test_inputs_drive_a_port(given: Any, rows: Any) -> None:
    ds = SUMS.run(4 * MS, inputs={"cortex.x_inp": given})
    np.testing.assert_allclose(values(ds, "cortex.x"), np.cumsum(rows, 0), rtol=1e-6)


def test_other_values_of_inputs_compile_nothing() -> None:
    for given in (0.5, ROWS):
        SUMS.run(4 * MS, inputs={"cortex.x_inp": given})
        count = SUMS.compilations()
        ds = SUMS.run(4 * MS, inputs={"cortex.x_inp": np.multiply(given, 3)})
        rows = np.broadcast_to(np.multiply(given, 3), (4, 2))
        np.testing.assert_allclose(values(ds, "cortex.x"), np.cumsum(rows, 0), rtol=1e-6)
        assert SUMS.compilations() == count


def test_inputs_add_to_edges_and_take_ports() -> None:
    x = values(LIGHT.run(2 * MS), "cortex.x")
    pushed = LIGHT.run(2 * MS, inputs={NET["cortex"].x_inp: 0.1}, monitors=["cortex.x"])
    np.testing.assert_allclose(values(pushed, "cortex.x")[0] - x[0], 0.01, rtol=0.1)
    np.testing.assert_array_equal(values(LIGHT.run(2 * MS), "cortex.x"), x)


def test_parameters_of_a_run_are_those_of_a_rebuilt_graph() -> None:
    before = LIGHT.run(2 * MS)
    count = LIGHT.compilations()
    params = {"cortex.a": 0.2, "long.k": 0.2, "long.conn": 3 * RING}
    ds = LIGHT.run(2 * MS, params=params)
    assert LIGHT.compilations() == count
    same(ds, bg.Simulator(ring(0.2, 0.2, 3 * RING), dt=DT).run(2 * MS))
    assert np.abs(values(ds, "cortex.x") - values(before, "cortex.x")).max() > 1e-3
    same(before, LIGHT.run(2 * MS))
    assert NET["cortex.a"] == 0.1 and LIGHT.graph["long.k"] == 0.5


def test_delays_and_initial_values_are_parameters_too() -> None:
    late = LIGHT.run(2 * MS, params={"long.delay": 0.7 * MS})
    same(late, bg.Simulator(ring(delay=0.7), dt=DT).run(2 * MS))
    ds = SUMS.run(2 * MS, params={"cortex.init_x": [1.0, 2.0]})
    np.testing.assert_array_equal(values(ds, "cortex.x"), [[1, 2], [1, 2]])


def test_parameters_that_a_callable_reads_are_those_of_the_run() -> None:
    monitors = {"v": lambda m: m.cortex.x + m.cortex.gamma}
    for gamma in (0.0, -0.5):
        ds = SUMS.run(1 * MS, monitors=monitors, params={"cortex.gamma": gamma})
        np.testing.assert_allclose(values(ds, "v"), gamma * np.ones((1, 2)))


def test_initial_values_of_a_run() -> None:
    ds = SUMS.run(2 * MS, initial={"cortex.x": [1.0, 2.0]}, inputs={"cortex.x_inp": 0.5})
    np.testing.assert_allclose(values(ds, "cortex.x"), [[1.5, 2.5], [2.0, 3.0]])


# ---------------------------------------------------------------- runs that follow one another
def test_a_second_run_compiles_nothing_and_repeats_the_first(recorded: xr.Dataset) -> None:
    count = SIM.compilations()
    same(recorded, SIM.run(6 * MS, monitors=MONITORS))
    assert SIM.compilations() == count


def test_a_run_goes_on_where_the_last_one_ended(recorded: xr.Dataset) -> None:
    monitors = ["cortex.x", "bold.bold"]
    first = SIM.run(3 * MS, monitors=monitors)
    assert SIM.state is not None and SIM.state.step == 30
    second = SIM.run(3 * MS, monitors=monitors, initial=SIM.state)
    assert SIM.state.step == 60
    count = SIM.compilations()
    SIM.run(3 * MS, monitors=monitors, initial=SIM.state)
    assert SIM.compilations() == count
    np.testing.assert_allclose(second.time, 3 + 0.1 * np.arange(1, 31), rtol=1e-12)
    for name in monitors:
        both = np.concatenate([values(first, name), values(second, name)])
        np.testing.assert_array_equal(both, values(recorded, name))


def test_a_simulator_keeps_the_graph_it_was_given() -> None:
    g = bg.Graph()
    g.add_node("a", nodes.LinearStep(1))
    sim = bg.Simulator(g, dt=DT)
    g.add_node("b", nodes.LinearStep(1))
    assert list(sim.graph) == ["a"] and list(g) == ["a", "b"]
    assert repr(sim) == "Simulator(Graph(1 nodes, 0 edges), dt=0.1 ms, method='heun', seed=0)"


# ---------------------------------------------------------------- divergence
def exploding() -> bg.Simulator:
    """A node at rest, and one that outgrows float32 in its second chunk of steps."""
    g = bg.Graph()
    g.add_node("rest", nodes.LinearStep(2))
    g.add_node("cortex", Growing(3, factor=[1.0, 1.0, 1.03]), labels=LABELS)
    return bg.Simulator(g, dt=DT)


def test_a_divergence_is_found_to_the_step(tmp_path: Path) -> None:
    model: Any = Growing(1, factor=1.03)
    state, steps = model.init_state(), 0
    x, factor = np.float32(1), np.float32(1.03)
    with np.errstate(over="ignore"):
        while np.isfinite(x):
            last, x, steps = x, x * factor, steps + 1
    state, _ = model.update({"x": [last]}, dt=DT)
    assert steps > 2000 and not np.isfinite(state.x).any()
    sim = exploding()
    monitors = ["cortex.x", "rest.x"]
    for store in (None, tmp_path / "run.zarr"):
        with pytest.raises(bg.DivergenceError) as caught:
            sim.run(400 * MS, monitors=monitors, store=store)
        error = caught.value
        assert error.fields["path"] == "cortex.x" and error.fields["units"] == (2,)
        assert error.fields["time"] == pytest.approx(steps * 0.1, rel=1e-12)
        assert f"at t = {steps / 10:g} ms: 1 of 3 units, first unit 2 ('middle')" in str(error)
        kept = error.fields["dataset"]
        assert kept.sizes["time"] == steps - 1
        assert float(kept["cortex.x"][-1, 2]) == last
        assert np.isfinite(kept["cortex.x"]).all() and np.isfinite(kept["rest.x"]).all()
    stored = bg.open(tmp_path / "run.zarr")
    same(stored.load(), kept.load())
    assert stored.attrs["status"] == "failed"


# ---------------------------------------------------------------- stores
def test_a_store_holds_what_memory_would(recorded: xr.Dataset, tmp_path: Path) -> None:
    path = tmp_path / "rest.zarr"
    count = SIM.compilations()
    stored = SIM.run(6 * MS, monitors=MONITORS, store=path)
    assert SIM.compilations() == count
    assert all(v.chunks is not None for v in stored.data_vars.values())  # Dask reads when asked
    same(stored.compute(), recorded)
    same(bg.open(path).compute(), recorded)
    with pytest.raises(bg.StoreError):
        SIM.run(6 * MS, monitors=MONITORS, store=path)
    SIM.run(6 * MS, monitors=MONITORS, store=path, params={"cortex.a": 0.1}, overwrite=True)
    again = bg.open(path)
    assert float(np.abs(again["cortex.x"] - recorded["cortex.x"]).max()) > 1e-4


# ---------------------------------------------------------------- progress
def test_short_runs_are_silent(capsys: pytest.CaptureFixture[str]) -> None:
    SUMS.run(4 * MS)
    assert capsys.readouterr() == ("", "")


def test_long_runs_tell_how_far_they_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "QUIET", 0.0)
    monkeypatch.setattr(progress, "RELINE", 0.0)
    monkeypatch.setattr(session, "CHUNK_SECONDS", 1e-3)  # many chunks, whatever the machine
    SUMS.run(5000 * MS, monitors={"cortex.x": 100 * MS})
    out, err = capsys.readouterr()
    lines = err.splitlines()
    pattern = (
        r"[\d.]+ m?s of 5 s \(\d+%\), [\d.e+]+ x real time, "
        r"((\d+:\d\d|unknown time) left|done in \d+:\d\d)"
    )
    assert out == "" and lines and all(re.fullmatch(pattern, line) for line in lines), err
    shares = [int(share) for share in re.findall(r"\((\d+)%\)", err)]
    assert shares == sorted(shares) and 0 < shares[0] < 100 and shares[-1] == 100
    SUMS.run(5000 * MS, monitors={"cortex.x": 100 * MS}, progress=False)
    assert capsys.readouterr() == ("", "")
