"""Nodes with clocks of their own in a row, and signals with sizes of their own."""

from pathlib import Path
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import oracle_models
import pytest
import xarray as xr
from compare import agree, every_signal, library

import braingraph as bg
from braingraph import edges, nodes, observers
from braingraph.errors import ClockError, ModelError, ShapeError

DT = 0.1
GAIN = np.array([[0.5, -0.2, 0.1], [0.3, 0.4, -0.6], [1.0, 0.0, 0.2], [0.2, 0.2, 0.2]])


def rows(model: Any) -> int:
    return int(np.shape(model.gain)[0])


class Mixture(bg.Observer):
    """Leaky sums of mixtures of its units, with noise: a lead field that remembers."""

    gain: Any = bg.parameter(None, free=True)
    leak: Any = 0.1
    x = bg.Input(0.2)
    z = bg.StandardNormal(size=rows)
    memory = bg.State(0.3, size=rows)

    def derivative(self, s: Any, i: Any) -> dict[str, Any]:
        return {"memory": self.gain @ i.x + 0.05 * i.z - self.leak[0] * s.memory}

    @bg.Output(size=rows)
    def out(self, s: Any, i: Any) -> Any:
        return 2 * s.memory + self.gain @ i.x


class Keeper(bg.Observer):
    """Adds up the last sample of every interval."""

    x = bg.Input(over="last")
    x_mean = bg.Input(0.5)
    total = bg.State(0.0)

    def update(self, s: Any, i: Any, dt: Any) -> dict[str, Any]:
        return {"total": s.total + i.x + 10 * i.x_mean}


oracle_models.LAWS["Mixture"] = oracle_models.Law(
    lambda p, s, i: {"memory": p.gain @ i.x + 0.05 * i.z - p.leak[0] * s.memory},
    outputs={"out": lambda p, s, i: 2 * s.memory + p.gain @ i.x},
)
oracle_models.LAWS["Keeper"] = oracle_models.Law(
    jump=lambda p, s, i, dt: {"total": s.total + i.x + 10 * i.x_mean}
)


def chain() -> bg.Graph:
    """0.1 -> 0.3 -> 0.6 -> 1.8 ms, and from the fast nodes to each of them."""
    g = bg.Graph()
    start = np.array([0.1, -0.2, 0.3])
    fast = g.add_node("fast", nodes.HopfStep(3, a=0.2, w=0.9, init_x=start, init_y=0.1))
    drive = g.add_node("drive", nodes.WhiteNoise(3, sigma=0.2))
    g.add_edge(drive, fast.x_inp)
    mixed = g.add_node("mixed", Mixture(3, gain=GAIN, dt=0.3 * u.ms))
    late = g.add_node("late", Mixture(4, gain=GAIN[:, [0, 1, 2, 0]], leak=0.3, dt=0.6 * u.ms))
    keeper = g.add_node("keeper", Keeper(4, dt=1.8 * u.ms))
    g.add_edge(fast.x, mixed.x)
    g.add_edge(mixed.out, late.x, edges.AdditiveCoupling(k=0.4))
    g.add_edge(fast.y, late.x, edges.AdditiveCoupling(conn=GAIN, k=0.1))
    g.add_edge(late.memory, keeper.x)
    g.add_edge(mixed.memory, keeper.x)
    g.add_edge(fast.x, keeper.x, edges.AdditiveCoupling(conn=GAIN))
    g.add_edge(late.out, keeper.x_mean)
    g.add_edge(fast.y, keeper.x_mean, edges.AdditiveCoupling(conn=GAIN))
    return g


@pytest.mark.parametrize("method", ["heun", "rk4"])
def test_clocks_in_a_row_are_those_of_the_oracle(method: str, x64: None) -> None:
    agree(chain(), dt=DT, steps=60, method=method)


def test_replicas_devices_and_pieces_change_nothing() -> None:
    g = chain()
    seen = [p for p in every_signal(g) if p.split(".")[0] in ("mixed", "late", "keeper")]
    whole = library(g, DT, 90, "heun", monitors=seen, batch_size=2)
    alone = library(g, DT, 90, "heun", monitors=seen)
    assert whole["late.out"].shape == (2, 15, 4)
    assert alone["keeper.total"].shape == (5, 4)
    for name, value in alone.items():
        np.testing.assert_allclose(whole[name][0], value, rtol=2e-5, atol=1e-6)
        assert np.abs(whole[name][1] - value).max() > 1e-3  # noise of its own

    sim = bg.Simulator(g, dt=DT * u.ms, seed=3)
    first = sim.run(4.1 * u.ms, monitors=seen, progress=False)  # within every interval
    second = sim.run(4.9 * u.ms, monitors=seen, initial=sim.state, progress=False)
    for name, value in alone.items():
        pieces = np.concatenate([np.asarray(first[name]), np.asarray(second[name])])
        # a mean that was cut adds up in another order
        np.testing.assert_allclose(pieces, value, rtol=1e-6, atol=1e-7)

    mesh = jax.make_mesh((2,), ("unit",))
    split = bg.Simulator(g, dt=DT * u.ms, seed=3, mesh=mesh).run(
        9 * u.ms, monitors=seen, progress=False
    )
    for name, value in alone.items():
        np.testing.assert_allclose(np.asarray(split[name]), value, rtol=1e-5, atol=1e-6)


def test_a_node_whose_signals_share_a_size_has_that_extent() -> None:
    g = bg.Graph()
    names = ["Fp1", "Fp2", "Cz", "Oz"]
    out = g.add_node("mixed", Mixture(3, gain=GAIN), labels=names)
    assert (out.size, out.extent) == (3, 4)
    g.add_edge(g.add_node("x", nodes.LinearStep(3, gamma=-0.1)).x, out.x)
    ds = bg.Simulator(g, dt=DT * u.ms).run(
        1 * u.ms, monitors=["mixed.out", "mixed.memory"], progress=False
    )
    assert ds["mixed.out"].dims == ("time", "mixed")
    assert list(ds["mixed"].values) == names
    with pytest.raises(ShapeError) as error:
        g.add_node("wrong", Mixture(3, gain=GAIN), labels=["a", "b"])
    assert error.value.fields["needed"] == 4


def test_clocks_that_do_not_fit_are_refused() -> None:
    g = bg.Graph()
    a = g.add_node("a", Mixture(3, gain=GAIN, dt=0.4 * u.ms))
    b = g.add_node("b", Mixture(4, gain=GAIN[:, [0, 1, 2, 0]], dt=0.6 * u.ms))
    g.add_edge(a.out, b.x)
    with pytest.raises(ClockError, match=r"'b' runs at 0\.6 ms, which is no multiple of the 0\.4"):
        bg.Simulator(g, dt=DT * u.ms).run(1.2 * u.ms, progress=False)
    g = bg.Graph()
    a = g.add_node("a", Mixture(3, gain=GAIN, dt=0.4 * u.ms))
    b = g.add_node("b", Mixture(4, gain=GAIN[:, [0, 1, 2, 0]], dt=0.8 * u.ms))
    g.add_edge(a.out, b.x, delay=0.4 * u.ms)
    with pytest.raises(ClockError, match="takes no delay"):
        bg.Simulator(g, dt=DT * u.ms).run(1.6 * u.ms, progress=False)


def test_an_unknown_reading_of_the_interval_is_refused() -> None:
    with pytest.raises(ModelError, match="must be 'mean' or 'last'"):
        bg.Input(over="lst")


class Products(bg.Observer):
    """Sums of the products of every two units, and of each with sines of three frequencies."""

    x = bg.Input()
    sums = bg.State(0.0, size=lambda m: m.size**2)

    @bg.Output(axes=lambda m: ("unit", "unit"))
    def products(self, s: Any, i: Any) -> Any:
        return s.sums

    @bg.Output(axes=lambda m: ("unit", ("frequency", [1, 2, 5] * u.Hz)))
    def sines(self, s: Any, i: Any) -> Any:
        return jnp.outer(i.x, jnp.array([1.0, 2.0, 5.0])).reshape(-1)

    @bg.Output(axes=lambda m: ())
    def mean(self, s: Any, i: Any) -> Any:
        return i.x.mean()

    def update(self, s: Any, i: Any, dt: Any) -> dict[str, Any]:
        return {"sums": s.sums + jnp.outer(i.x, i.x).reshape(-1)}


def test_outputs_are_laid_out_along_their_axes(tmp_path: Path) -> None:
    g = bg.Graph()
    labels = ["left", "middle", "right"]
    x = g.add_node("x", nodes.LinearStep(3, gamma=-0.1, init_x=np.array([1.0, 2.0, 3.0])))
    p = g.add_node("p", Products(3), labels=labels)
    g.add_edge(x.x, p.x)
    sim = bg.Simulator(g, dt=DT * u.ms)
    seen = ["x.x", "p.products", "p.sines", "p.sums", "p.mean"]
    ds = sim.run(1 * u.ms, monitors=seen, batch_size=2, progress=False)
    assert ds["p.products"].dims == ("replica", "time", "p", "p_2")
    assert ds["p.sines"].dims == ("replica", "time", "p", "frequency")
    assert ds["p.mean"].dims == ("replica", "time")
    np.testing.assert_allclose(ds["p.mean"], ds["x.x"].mean("x"), rtol=1e-6)
    assert ds["p.sums"].dims == ("replica", "time", "p.sums.unit")
    assert list(ds["p"].values) == list(ds["p_2"].values) == labels
    assert list(ds["frequency"].values) == [1, 2, 5] and ds["frequency"].attrs["units"] == "Hz"
    want = np.outer([1, 2, 3], [1, 2, 3])
    np.testing.assert_allclose(ds["p.products"][0, 0], want, rtol=1e-6)
    ratio = ds["p.sines"][0, -1] / ds["x.x"][0, -1].values[:, None]
    np.testing.assert_allclose(ratio, np.tile([1, 2, 5], (3, 1)), rtol=1e-6)

    sim.run(1 * u.ms, monitors=seen, batch_size=2, store=tmp_path / "p.zarr", progress=False)
    xr.testing.assert_equal(bg.open(tmp_path / "p.zarr").load(), ds)
    swept = sim.sweep({"x.gamma": [-0.1, -0.2]}, 1 * u.ms, monitors=seen, progress=False)
    assert swept["p.products"].dims == ("x.gamma", "time", "p", "p_2")
    np.testing.assert_array_equal(swept["p.products"][0], ds["p.products"][0])


# ---------------------------------------------------------------- slower nodes feed faster ones
class Gate(bg.Node):
    """A slow variable that listens to fast ones, with an output of its state and its input."""

    tau: Any = 2.0
    g = bg.State(0.4)
    g_inp = bg.Input(0.1)

    def derivative(self, s: Any, i: Any) -> dict[str, Any]:
        return {"g": (i.g_inp - s.g) / self.tau}

    @bg.Output()
    def both(self, s: Any, i: Any) -> Any:
        return s.g + 0.5 * i.g_inp


oracle_models.LAWS["Gate"] = oracle_models.Law(
    lambda p, s, i: {"g": (i.g_inp - s.g) / p.tau},
    outputs={"both": lambda p, s, i: s.g + 0.5 * i.g_inp},
)


def loop(delay: float = 1.3) -> bg.Graph:
    """Fast and slow nodes that drive each other, over two clocks and with delays."""
    g = bg.Graph()
    start = np.linspace(-0.4, 0.5, 10)
    fast = g.add_node("fast", nodes.HopfStep(10, a=0.2, w=0.9, init_x=start, init_y=0.1))
    drive = g.add_node("drive", nodes.WhiteNoise(10, sigma=0.2))
    gate = g.add_node("gate", Gate(10, dt=0.8 * u.ms))
    slower = g.add_node("slower", Gate(10, tau=5.0, dt=2.4 * u.ms))
    ring = np.roll(np.eye(10), 1, 0)
    g.add_edge(drive, fast.x_inp)
    g.add_edge(fast.x, fast.y_inp, edges.DiffusiveCoupling(conn=ring, k=0.2), delay=delay * u.ms)
    g.add_edge(fast.x, gate.g_inp)
    g.add_edge(gate.both, fast.x_inp, edges.AdditiveCoupling(conn=ring, k=-0.3))
    g.add_edge(gate.g, fast.y_inp, edges.DiffusiveCoupling(conn=ring, k=0.1))
    g.add_edge(gate.both, slower.g_inp)
    g.add_edge(slower.both, gate.g_inp, edges.AdditiveCoupling(k=0.5))
    g.add_edge(slower.g, fast.x_inp)
    return g


@pytest.mark.parametrize("method", ["heun", "rk4"])
def test_what_slower_nodes_show_is_held(method: str, x64: None) -> None:
    agree(loop(), dt=DT, steps=72, method=method)


def test_slow_and_fast_in_pieces_replicas_and_on_devices() -> None:
    g = loop()
    seen = ["fast.x", "gate.both", "slower.g"]
    sim = bg.Simulator(g, dt=DT * u.ms, seed=3)
    alone = sim.run(9.6 * u.ms, monitors=seen, progress=False)
    assert "slower nodes that feed faster ones step every 8" in sim.explain()
    first = sim.run(4.8 * u.ms, monitors=seen, progress=False)
    second = sim.run(4.8 * u.ms, monitors=seen, initial=sim.state, progress=False)
    batch = sim.run(9.6 * u.ms, monitors=seen, batch_size=2, progress=False)
    mesh = jax.make_mesh((2,), ("unit",))
    split = bg.Simulator(g, dt=DT * u.ms, seed=3, mesh=mesh).run(
        9.6 * u.ms, monitors=seen, progress=False
    )
    for name in seen:
        value = np.asarray(alone[name])
        pieces = np.concatenate([np.asarray(first[name]), np.asarray(second[name])])
        np.testing.assert_array_equal(pieces, value)
        np.testing.assert_allclose(np.asarray(batch[name])[0], value, rtol=2e-5, atol=1e-6)
        np.testing.assert_allclose(np.asarray(split[name]), value, rtol=1e-5, atol=1e-6)


def test_what_is_held_has_gradients(x64: None) -> None:
    sim = bg.Simulator(loop(), dt=DT * u.ms, seed=3)
    fn, params = sim.as_function(4.8 * u.ms, monitors=["fast.x"])

    def total(tau: Any) -> Any:
        return (fn({**params, "gate.tau": tau})["fast.x"] ** 2).sum()

    ds = sim.run(4.8 * u.ms, monitors=["fast.x"], progress=False)
    np.testing.assert_allclose(total(params["gate.tau"]), (ds["fast.x"] ** 2).sum(), rtol=1e-12)
    slope = jax.grad(total)(2.0)
    step = 1e-5
    np.testing.assert_allclose(slope, (total(2 + step) - total(2 - step)) / (2 * step), rtol=1e-6)


def test_a_run_that_goes_on_begins_where_a_block_does() -> None:
    sim = bg.Simulator(loop(), dt=DT * u.ms, seed=3)
    sim.run(4.9 * u.ms, monitors=["fast.x"], progress=False)
    with pytest.raises(ClockError, match="multiple of 0.8 ms"):
        sim.run(4.8 * u.ms, initial=sim.state, progress=False)


def test_a_sweep_keeps_what_is_not_finite_by_its_nature() -> None:
    g = bg.Graph()
    x = g.add_node("x", nodes.OUProcess(3, sigma=0.5, tau=2 * u.ms))
    fc = g.add_node("fc", observers.FunctionalConnectivity(3))
    g.add_edge(x.x, fc.x)
    sim = bg.Simulator(g, dt=DT * u.ms)
    monitors = {"fc.fc": DT * u.ms}
    swept = sim.sweep({"seed": [0, 1]}, 2 * u.ms, monitors=monitors, progress=False)
    alone = sim.run(2 * u.ms, monitors=monitors, progress=False)
    assert swept.attrs["diverged"] == 0 and np.isnan(alone["fc.fc"][0]).any()
    np.testing.assert_allclose(swept["fc.fc"][0], alone["fc.fc"], rtol=1e-4, atol=1e-5)
