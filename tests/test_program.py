"""Compiled programs against the interpreter of ``oracle.py``: transports, models, random graphs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import brainunit as u
import numpy as np
import oracle
import pytest
from compare import agree, difference

import braingraph as bg
from braingraph import edges, nodes, observers
from braingraph.compiler import compile_graph

Array = np.ndarray[Any, np.dtype[Any]]
METHODS = ("euler", "heun", "rk4", "exp_euler")
DT = 0.1  # ms
N = 5
BLOCK = 8

pytestmark = pytest.mark.usefixtures("x64")


def values(seed: int, *shape: int, low: float = 0.1, high: float = 1.0) -> Array:
    """Numbers between low and high, the same at every call."""
    return np.random.default_rng(seed).uniform(low, high, shape)


# ---------------------------------------------------------------- every way a connection travels
class Way(NamedTuple):
    """One part of an edge, as it must come out of the compiler."""

    transport: str
    layout: str
    uniform: bool
    aligned: bool


class Case(NamedTuple):
    """Weights and delays (in steps) of one edge, and its parts in order."""

    conn: Any
    steps: Any
    ways: tuple[Way, ...]


#: Rows that hear nothing, two sources and three: padding and buckets.
SPARSE = values(1, N, N) * np.array(
    [[0, 1, 1, 0, 0], [0, 0, 0, 0, 0], [1, 0, 1, 1, 0], [0, 0, 0, 1, 1], [0, 0, 1, 0, 1]]
)
#: Fewer targets than sources, and targets that hear some sources in a row.
DENSE, SLICE = values(2, N - 1, N), np.eye(3, N, 1) * values(3, 3, 1)
WEIGHTS = {"mean": 0.2, "one": None, "slice": SLICE, "dense": DENSE, "padded": SPARSE}
LAYOUT = {"slice": "one"}


def same(kind: str, transport: str, steps: float) -> Case:
    """One delay for the whole edge. Sums read step by step have one layout only."""
    layout = "padded" if transport == "step" else LAYOUT.get(kind, kind)
    whole = float(steps).is_integer()
    return Case(WEIGHTS[kind], steps, (Way(transport, layout, True, whole),))


def ragged(kind: str, transport: str, low: float, high: float, whole: bool) -> Case:
    """Delays of their own for every connection."""
    steps = values(4, *(np.shape(WEIGHTS[kind]) or (N, N)), low=low, high=high)
    steps = np.rint(steps) if whole else steps
    return Case(WEIGHTS[kind], steps, (Way(transport, "padded", False, whole),))


CASES = {
    **{f"now_{kind}": same(kind, "now", 0.0) for kind in WEIGHTS},
    "step_mean": same("mean", "step", 3.0),
    "step_one": same("one", "step", 2.6),
    "step_dense": same("dense", "step", 0.4),
    "step_ragged_one": ragged("one", "step", 1, 7, True),
    "step_ragged_dense": ragged("dense", "step", 0.05, 7, False),
    "step_ragged_padded": ragged("padded", "step", 0.05, 0.95, False),
    **{f"block_{kind}": same(kind, "block", 12.0) for kind in WEIGHTS},
    **{f"block_{kind}_fractional": same(kind, "block", 10.7) for kind in WEIGHTS},
    "block_half": same("dense", "block", 9.5),  # where the cubic changes its window
    "block_ragged_mean": ragged("mean", "block", 9, 20, False),
    "block_ragged_dense": ragged("dense", "block", 9, 20, True),
    "block_ragged_padded": ragged("padded", "block", 9, 20, False),
    "three_ways": Case(
        DENSE,
        np.resize([0, 0.3, 2, 3.7, 9, 11.2, 17.5], DENSE.shape),
        (
            Way("now", "padded", True, True),
            Way("step", "padded", False, False),
            Way("block", "padded", False, False),
        ),
    ),
    "mostly_late": Case(
        DENSE,
        np.resize([11.3, 11.3, 0, 11.3], DENSE.shape),
        (Way("now", "padded", True, True), Way("block", "dense", True, False)),
    ),
    "mostly_now": Case(
        0.3,
        np.resize([0, 0, 5], (N, N)),
        (Way("now", "dense", True, True), Way("step", "padded", True, True)),
    ),
}


def network() -> bg.Graph:
    """Noisy oscillators, heard by one population per case; the first of these acts back."""
    g = bg.Graph()
    osc = g.add_node(
        "osc", nodes.HopfStep(N, a=0.1, w=0.4, init_x=values(5, N), init_y=values(6, N))
    )
    g.add_edge(g.add_node("noise", nodes.WhiteNoise(N, sigma=0.2)), osc.x_inp)
    for number, (name, case) in enumerate(CASES.items()):
        rows = (np.shape(case.conn) or (N, N))[0]
        ear = g.add_node(name, nodes.LinearStep(rows, gamma=-0.3, init_x=values(7, rows)))
        # a gain of its own keeps each edge a bundle of its own
        coupling = edges.AdditiveCoupling(conn=case.conn, k=0.3 + 0.01 * number)
        g.add_edge(osc.x, ear.x_inp, coupling, delay=case.steps * DT * u.ms, name=f"to_{name}")
    g.add_edge("now_mean.x", osc.y_inp, edges.AdditiveCoupling(conn=-0.1, k=0.5), name="back")
    return g


@pytest.fixture
def blocks_of_8(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cost model left out, so that a delay decides by itself how it travels."""
    forced = partial(compile_graph, block=BLOCK)
    monkeypatch.setattr("braingraph.simulator.compile_graph", forced)


@pytest.mark.usefixtures("blocks_of_8")
@pytest.mark.parametrize("method", METHODS)
def test_every_transport_and_layout(method: str) -> None:
    graph = network()
    program = compile_graph(graph, DT, method, block=BLOCK)
    found = {b.edges[0].name: b.parts for b in program.bundles if len(b.edges) == 1}
    for name, case in CASES.items():
        came = tuple(Way(p.transport, p.layout, p.uniform, p.aligned) for p in found[f"to_{name}"])
        assert came == case.ways, name
    heard = ["osc.x", *(f"{name}.x_inp" for name in CASES)]
    agree(graph, dt=DT, method=method, steps=44, monitors=heard)  # the ring has 40 samples


# ---------------------------------------------------------------- models, noise, stimuli, observers
MS, HZ, MV = 1.0 * u.ms, 1.0 * u.Hz, 1.0 * u.mV
RING = np.roll(np.eye(3), 1, 1) * values(8, 3, 3, low=0.5)
ALL = values(9, 3, 3) - 0.3
RAGGED = values(10, 3, 3, low=0.2, high=1.6) * u.ms
Ports = Callable[..., Any]


def three(seed: int, low: float = 0.1, high: float = 1.0) -> Array:
    return values(seed, 3, low=low, high=high)


def hopf(g: bg.Graph) -> None:
    a = g.add_node("a", nodes.HopfStep(3, a=three(11), w=0.4, init_x=three(12), init_y=0.1))
    g.add_edge(a.x, a.x_inp, edges.DiffusiveCoupling(conn=ALL, k=0.4), delay=RAGGED)
    g.add_edge(a.y, a.y_inp, edges.DiffusiveCoupling(conn=RING, k=three(13)))
    g.add_edge(g.add_node("noise", nodes.WhiteNoise(3, sigma=0.2, mean=0.1)), a.y_inp)


def stuart_landau(g: bg.Graph) -> None:
    a = g.add_node("a", nodes.StuartLandauStep((3, 1), init_x=three(14)[:, None], init_y=0.3))
    slow = nodes.OUProcess(3, sigma=three(15), tau=2 * u.ms, mean=0.2, init_x=three(16))
    ou = g.add_node("ou", slow)
    g.add_edge(ou.x, a.x_inp, edges.AdditiveCoupling(conn=RING, k=0.5), delay=0.33 * u.ms)
    g.add_edge(a.x, a.y_inp, edges.AdditiveCoupling(conn=0.2, b=three(17)), delay=1.2 * u.ms)


def wilson_cowan(g: bg.Graph) -> None:
    a = g.add_node("a", nodes.WilsonCowanStep(3, tau_E=3 * u.ms, init_rE=three(18, 0, 0.3)))
    b = g.add_node("b", nodes.WilsonCowanStep(2, a_E=[1.0, 1.4], init_rI=[0.3, 0.2]))
    g.add_edge(a.rE, b.rI_inp, edges.AdditiveCoupling(conn=values(19, 2, 3), k=2.0), delay=MS)
    back = edges.DiffusiveCoupling(conn=values(20, 3, 2), k=three(40))  # b is in a's group
    g.add_edge(b.rE, a.rE_inp, back, delay=0.45 * u.ms)
    tone = nodes.FunctionStimulus(3, f=lambda t: u.math.sin(2.0 * t / u.ms), gain=three(21))
    g.add_edge(g.add_node("tone", tone), a.rE_inp, delay=0.25 * u.ms)
    rows = nodes.ArrayStimulus(2, values=values(22, 7, 2), gain=0.5, after="repeat")
    g.add_edge(g.add_node("rows", rows), b.rE_inp, edges.AdditiveCoupling(k=[1.0, -1.0]))


def jansen_rit(g: bg.Graph) -> None:
    start = {"init_E": three(23) * 10 * u.mV, "init_M": 0.1 * u.mV}
    a = g.add_node("a", nodes.JansenRitStep(3, C=three(24, 120, 150), **start))
    far = edges.SigmoidalJansenRitCoupling(conn=ALL, k=three(25, 10, 30), cmin=0.1 * u.Hz)
    g.add_edge(a.eeg, a.E_inp, far, delay=RAGGED)
    g.add_edge(a.eeg, a.M_inp, edges.DiffusiveCoupling(conn=RING * MV / u.volt * 300))
    noise = nodes.WhiteNoise(3, sigma=20 * u.Hz * u.ms**0.5, mean=220 * u.Hz)
    g.add_edge(g.add_node("noise", noise), a.p)
    pulses = nodes.PulseTrain(
        3,
        amplitude=three(26) * MV,
        onset=0.2 * u.ms,
        duration=0.3 * u.ms,
        period=1.1 * u.ms,
        count=3,
    )
    g.add_edge(g.add_node("pulses", pulses), a.I_inp)


def montbrio(g: bg.Graph) -> None:
    model = nodes.MontbrioPazoRoxinStep(
        3, tau=4 * u.ms, init_r=three(27), init_v=-1.0, v_rest=-65 * u.mV, v_th=-50 * u.mV
    )
    a = g.add_node("a", model)
    g.add_edge(a.rate, a.v_inp, edges.AdditiveCoupling(conn=ALL, k=0.02 / HZ), delay=RAGGED)
    g.add_edge(a.V, a.r_inp, edges.AdditiveCoupling(conn=RING, k=0.02 / MV), delay=0.1 * u.ms)
    pulse = nodes.PulseTrain(3, amplitude=2 * u.nA, onset=0.55 * u.ms, duration=1 * u.ms)
    g.add_edge(g.add_node("pulse", pulse), a.I_ext)
    g.add_edge(g.add_node("noise", nodes.WhiteNoise(3, sigma=3.0)), a.r_inp)  # meets r >= 0


def wong_wang(g: bg.Graph) -> None:
    start = {"init_S_e": three(28), "init_S_i": three(29, 0.8, 1.0)}  # meets S <= 1
    a = g.add_node("a", nodes.WongWangExcInhStep(3, lamda=0.3, tau_e=10.0, **start))
    b = g.add_node("b", nodes.WongWangExcInhStep(2, init_S_e=[0.2, 0.4]))
    g.add_edge(a.S_e, a.S_e_inp, edges.AdditiveCoupling(conn=ALL, k=0.3), delay=RAGGED)
    # an output that passes its input on, into the input of another such output
    g.add_edge(a.H_e, b.S_e_inp, edges.AdditiveCoupling(conn=values(30, 2, 3), k=0.01 / HZ))
    g.add_edge(b.H_i, a.n_i, edges.AdditiveCoupling(conn=values(31, 3, 2), k=1e-3 / HZ), delay=MS)
    noise = g.add_node("noise", nodes.WhiteNoise(3, sigma=0.3))
    g.add_edge(noise, a.n_e)
    g.add_edge(noise, a.n_i, edges.AdditiveCoupling(conn=RING), delay=0.3 * u.ms)
    g.add_edge(g.add_node("bias", nodes.ConstantStimulus(2, value=[0.1, 0.2])), b.S_e_inp)


def kuramoto(g: bg.Graph) -> None:
    field = nodes.KuramotoNetwork(3, omega=three(32), K=0.7, alpha=0.2, init_theta=three(33, 0, 6))
    a = g.add_node("a", field)
    some = nodes.KuramotoNetwork(
        3, omega=0.4, K=three(34), conn=ALL, normalize_by_n=False, init_theta=three(35, 0, 6)
    )
    b = g.add_node("b", some)
    g.add_edge(a.theta, b.theta_inp, edges.KuramotoCoupling(conn=RING, k=0.4), delay=RAGGED)
    lagged = edges.KuramotoCoupling(conn=0.2, alpha=three(36))
    g.add_edge(b.theta, a.theta_inp, lagged, delay=0.5 * u.ms)
    g.add_edge(g.add_node("noise", nodes.WhiteNoise(3, sigma=0.1)), a.theta_inp)


def linear_with_bold(g: bg.Graph) -> None:
    a = g.add_node("a", nodes.LinearStep(3, gamma=[-1.0, -0.5, 0.0], init_x=three(37)))
    g.add_edge(g.add_node("noise", nodes.WhiteNoise(3, sigma=0.5)), a.x_inp)
    g.add_edge(a.x, a.x_inp, edges.AdditiveCoupling(conn=RING, k=-0.5), delay=RAGGED)
    bold = g.add_node("bold", observers.BOLDSignal(3, dt=0.5 * u.ms))
    g.add_edge(a.x, bold.z, edges.AdditiveCoupling(k=1e4))
    # a second clock: noise, a model and an observer on it, in a row
    slow = g.add_node("slow", nodes.LinearStep(2, gamma=-0.4, dt=0.8 * u.ms))
    g.add_edge(g.add_node("hum", nodes.WhiteNoise(2, sigma=0.3, dt=0.8 * u.ms)), slow.x_inp)
    g.add_edge(a.x, slow.x_inp, edges.AdditiveCoupling(conn=values(38, 2, 3)), delay=0.37 * u.ms)
    late = g.add_node("late", observers.BOLDSignal(2, dt=0.8 * u.ms, k_1=2.0))
    g.add_edge(slow.x, late.z, edges.AdditiveCoupling(conn=values(39, 2, 2), k=1e4))


MODELS: dict[str, tuple[Callable[[bg.Graph], None], str]] = {
    "hopf": (hopf, "heun"),
    "stuart_landau": (stuart_landau, "heun"),
    "wilson_cowan": (wilson_cowan, "heun"),
    "wilson_cowan, rk4": (wilson_cowan, "rk4"),
    "jansen_rit": (jansen_rit, "heun"),
    "montbrio": (montbrio, "heun"),
    "montbrio, exp_euler": (montbrio, "exp_euler"),
    "wong_wang": (wong_wang, "heun"),
    "wong_wang, euler": (wong_wang, "euler"),
    "kuramoto": (kuramoto, "heun"),
    "linear_with_bold": (linear_with_bold, "heun"),
}


@pytest.mark.parametrize("case", MODELS)
def test_every_model(case: str) -> None:
    build, method = MODELS[case]
    g = bg.Graph()
    build(g)
    agree(g, dt=DT, steps=40, method=method)


# ---------------------------------------------------------------- what a run is given
def column(delay: Any = RAGGED) -> bg.Graph:
    """Oscillators that hear their past and drive a column; an observer watches."""
    g = bg.Graph()
    a = g.add_node("a", nodes.HopfStep(3, a=0.1, w=0.4, init_x=three(12), init_y=0.1))
    g.add_edge(a.x, a.x_inp, edges.DiffusiveCoupling(conn=ALL, k=0.4), delay=delay)
    jr = g.add_node("jr", nodes.JansenRitStep(3, init_E=10 * u.mV))
    g.add_edge(a.y, jr.E_inp, edges.AdditiveCoupling(k=20 * u.Hz), delay=0.35 * u.ms)
    bold = g.add_node("bold", observers.BOLDSignal(3, dt=0.5 * u.ms))
    g.add_edge(jr.eeg, bold.z, edges.AdditiveCoupling(k=1e3 / u.mV))
    return g


PAST = values(41, 9, 3)
HISTORIES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "values": ({"a.x": 0.7, "a.y": three(42)},) * 2,
    "samples": ({"a.x": PAST},) * 2,  # 0.9 ms of the 1.6 that are read
    "function": (
        {"a.x": lambda t: u.math.cos(3 * t / u.ms)},
        {"a.x": lambda t: np.cos(3 * t)},
    ),
}


def test_histories() -> None:
    g = column()
    sim = bg.Simulator(g, dt=DT * u.ms)
    plain = None
    for name, (given, told) in HISTORIES.items():
        ds = sim.run(3 * u.ms, monitors=["a.x", "a.x_inp", "jr.eeg"], history=given, progress=False)
        want = oracle.simulate(g, DT, 30, history=told)
        worst = difference({str(k): np.asarray(ds[k]) for k in ds.data_vars}, want)
        assert max(worst.values()) < 1e-10, (name, worst)
        assert plain is None or not np.allclose(plain, ds["a.x"], atol=1e-3), "no effect"
        plain = ds["a.x"].values


def test_inputs() -> None:
    rows, slow_rows = values(43, 40, 3), values(44, 40, 3)
    agree(
        column(),
        dt=DT,
        steps=40,
        inputs={
            "a.x_inp": rows,
            "a.y_inp": 0.3,
            "jr.p": lambda t: (200 + 50 * u.math.sin(t / u.ms)) * u.Hz,
            "jr.M_inp": 1.5 * u.mV,
            "bold.z": slow_rows,
        },
        oracle_given={
            "inputs": {
                "a.x_inp": rows,
                "a.y_inp": 0.3,
                "jr.p": lambda t: 200 + 50 * np.sin(t),
                "jr.M_inp": 1.5,
                "bold.z": slow_rows,
            }
        },
    )


def test_what_monitors_keep() -> None:
    g = column()
    start = {"a.x": three(45), "jr.E": 5.0 * u.mV}
    monitors = {
        "a.x": 0.3 * u.ms,
        "a.x_inp": None,
        "mean": bg.Record("a.x_inp", every=0.4 * u.ms, reduce="mean"),
        "power": lambda m: m.a.x**2 + m.a.y**2,
        "eeg": bg.Record(lambda m: 2 * m.jr.eeg(), every=0.6 * u.ms, reduce="mean"),
        "slow": bg.Record("bold.bold", every=1 * u.ms, reduce="mean"),
    }
    sim = bg.Simulator(g, dt=DT * u.ms)
    ds = sim.run(4 * u.ms, monitors=monitors, initial=start, transient=1 * u.ms, progress=False)
    told = {"a.x": start["a.x"], "jr.E": np.full(3, 5.0)}
    full = oracle.simulate(g, DT, 40, initial=told)
    after = {k: v[2 if k.startswith("bold") else 10 :] for k, v in full.items()}

    def means(x: Array, every: int) -> Array:
        whole = len(x) // every
        return np.asarray(x[: whole * every].reshape(whole, every, -1).mean(1))

    want = {
        "a.x": after["a.x"][2::3],
        "a.x_inp": after["a.x_inp"],
        "mean": means(after["a.x_inp"], 4),
        "power": after["a.x"] ** 2 + after["a.y"] ** 2,
        "eeg": means(2 * after["jr.eeg"], 6),
        "slow": means(after["bold.bold"], 2),
    }
    worst = difference({str(k): np.asarray(ds[k]) for k in ds.data_vars}, want)
    assert set(worst) == set(want) and max(worst.values()) < 1e-10, worst
    steps = {"a.x": 3, "mean": 4, "power": 1, "slow": 10}
    for name, every in steps.items():
        samples = ds[name]
        times = samples[samples.dims[0]].values
        np.testing.assert_allclose(times, 1 + DT * every * np.arange(1, len(times) + 1), rtol=1e-9)


@pytest.mark.parametrize("delay", [None, 1.2 * u.ms])
def test_a_mean_field_stays_one_beside_others_of_its_kind(delay: Any) -> None:
    """One weight between many units is one sum, also where several vertices are one group."""
    g = bg.Graph()
    for name, k in (("a", 0.3), ("b", 0.5)):
        node = g.add_node(name, nodes.LinearStep(18, gamma=-0.2, init_x=values(11, 18)))
        g.add_edge(node.x, node.x_inp, edges.DiffusiveCoupling(conn=0.1, k=k), delay=delay)
    g.add_edge("a.x", "b.x_inp", edges.DiffusiveCoupling(conn=0.2, k=0.1), delay=delay)
    program = compile_graph(g, 0.1, "heun")
    assert [part.layout for b in program.bundles for part in b.parts] == ["mean"] * 3
    agree(g, steps=30)
