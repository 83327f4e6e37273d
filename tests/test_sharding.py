"""One network on many devices: the same numbers, and nothing travels that need not.

Equal to the last bit, slow nodes too, where all that couples regions is read by block: rows keep
their width and order of sums on any number of devices. What is summed within the step, and
reductions in a monitor's own function, XLA fuses (a multiply and an add into one rounding) as the
shapes suit it: there ``FEW`` bounds the difference.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import brainunit as u
import jax
import numpy as np
import pytest
from programs import lowered

import braingraph as bg
from braingraph import edges, nodes, observers
from braingraph.compiler import compile_graph
from braingraph.compiler.shard import place
from braingraph.compiler.traffic import traffic
from braingraph.devices import local_mesh, why_alone
from braingraph.errors import ParameterError

DT = 0.1 * u.ms
STEPS = 90
FEW = 1e-6  # 8 units in the last place of 1, after 90 steps
Array = np.ndarray[Any, np.dtype[Any]]


def mesh(batch: int, unit: int) -> jax.sharding.Mesh:
    devices = np.array(jax.devices()[: batch * unit]).reshape(batch, unit)
    return jax.sharding.Mesh(devices, ("batch", "unit"))


def drawn(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).uniform(0.1, 1.0, shape)


# ---------------------------------------------------------------- networks
def delayed() -> bg.Graph:
    """13 and 7 units, noisy, delayed all to all and sparsely, haemodynamics on a clock of its own.

    No size divides by 2, 4 or 8.
    """
    g = bg.Graph()
    a = g.add_node("a", nodes.HopfStep(13, a=drawn(1, 13), w=0.4, init_x=drawn(2, 13)))
    b = g.add_node("b", nodes.WilsonCowanStep(7, tau_E=3 * u.ms, init_rE=drawn(3, 7)))
    noise = g.add_node("noise", nodes.WhiteNoise(13, sigma=0.2))
    ou = g.add_node("ou", nodes.OUProcess(7, sigma=0.3, tau=2 * u.ms))
    bold = g.add_node("bold", observers.BOLDSignal(13, dt=0.7 * u.ms))
    to_a = edges.DiffusiveCoupling(conn=drawn(4, 13, 13) / 5, k=0.3)
    sparse = drawn(5, 7, 13) * (drawn(6, 7, 13) < 0.4)
    g.add_edge(a.x, a.x_inp, to_a, delay=(drawn(7, 13, 13) * 3.2 + 0.9) * u.ms)
    g.add_edge(a.x, b.rE_inp, edges.AdditiveCoupling(conn=sparse, k=0.5), delay=3 * u.ms)
    g.add_edge(b.rE, a.y_inp, edges.AdditiveCoupling(conn=0.1), delay=2.25 * u.ms)
    g.add_edge(noise, a.x_inp)
    g.add_edge(ou.x, b.rE_inp)
    g.add_edge(a.x, bold.z, edges.AdditiveCoupling(k=1e3))
    return g


def short() -> bg.Graph:
    """The same with connections shorter than a block, and some that act within the step."""
    g = delayed()
    near = edges.AdditiveCoupling(conn=drawn(8, 7, 13), k=0.2)
    g.add_edge("a.x", "b.rI_inp", near, delay=0.23 * u.ms)
    g.add_edge("b.rE", "a.x_inp", edges.AdditiveCoupling(conn=drawn(9, 13, 7), k=0.1))
    g.add_edge("a.y", "a.y_inp", edges.AdditiveCoupling(conn=0.01))
    return g


def pieces() -> bg.Graph:
    """13 vertices of one unit, each with its own noise; and a stimulus of one unit for all."""
    g = bg.Graph()
    for k in range(13):
        one = g.add_node(f"r{k}", nodes.HopfStep(1, a=float(drawn(1, 13)[k]), w=0.4, init_x=0.3))
        g.add_edge(g.add_node(f"n{k}", nodes.WhiteNoise(1, sigma=0.2)), one.x_inp)
    pulse = g.add_node("pulse", nodes.PulseTrain(1, amplitude=0.3, onset=2 * u.ms))
    for k in range(13):
        g.add_edge(f"r{k}.x", f"r{(k * 5 + 3) % 13}.x_inp", delay=(1 + 0.31 * k) * u.ms)
        g.add_edge(pulse, f"r{k}.y_inp")
    return g


NETWORKS: dict[str, tuple[Callable[[], bg.Graph], dict[str, Any]]] = {
    "delayed": (
        delayed,
        {
            "a.x": None,
            "b.rE": 0.3 * u.ms,
            "bold.bold": 1.4 * u.ms,
            "power": bg.Record(lambda m: m.a.x**2, every=0.5 * u.ms, reduce="mean"),
            "mirror": lambda m: m.a.x - m.a.x[::-1],
            "slow": bg.Record(lambda m: m.bold.f - m.bold.f[::-1]),
            "spread": lambda m: m.a.x - m.a.x.mean(),
        },
    ),
    "short": (short, {"a.x": None, "b.rI": None, "a.x_inp": 0.2 * u.ms}),
    "pieces": (pieces, {f"r{k}.x": None for k in range(13)}),
}


def recorded(name: str, mesh: Any, batch: int | None = None) -> tuple[dict[str, Array], Any]:
    build, monitors = NETWORKS[name]
    sim = bg.Simulator(build(), dt=DT, seed=3, mesh=mesh)
    ds = sim.run(STEPS * DT, monitors=monitors, batch_size=batch, progress=False)
    return {str(k): v.values for k, v in ds.data_vars.items()}, sim.state


@pytest.fixture(scope="module")
def alone() -> Callable[[str, int | None], tuple[dict[str, Array], Any]]:
    known: dict[Any, Any] = {}

    def get(name: str, batch: int | None) -> tuple[dict[str, Array], Any]:
        if (name, batch) not in known:
            known[name, batch] = recorded(name, None, batch)
        return known[name, batch]  # type: ignore[no-any-return]

    return get


@pytest.mark.parametrize(
    ("name", "shape", "batch"),
    [
        pytest.param("delayed", (1, 1), None, marks=pytest.mark.slow),
        ("delayed", (1, 2), None),
        ("delayed", (1, 4), None),
        ("delayed", (1, 8), None),
        pytest.param("delayed", (2, 1), 3, marks=pytest.mark.slow),
        ("delayed", (2, 4), 3),
        ("short", (1, 8), None),
        ("pieces", (1, 4), None),
    ],
)
def test_the_same_numbers(
    name: str, shape: tuple[int, int], batch: int | None, alone: Callable[..., Any]
) -> None:
    expected, state = alone(name, batch)
    found, end = recorded(name, mesh(*shape), batch)
    for key, value in expected.items():
        exact = name == "delayed" and key != "spread"
        np.testing.assert_allclose(found[key], value, rtol=0, atol=0 if exact else FEW, err_msg=key)
        assert np.ptp(value) > 0
    for path, value in {**state.states, **state.histories}.items():
        other = {**end.states, **end.histories}[path]
        atol = 0 if name == "delayed" else FEW
        np.testing.assert_allclose(other, value, rtol=0, atol=atol, err_msg=path)


def test_a_run_goes_on_on_other_devices() -> None:
    """A state has no trace of the devices it came from."""
    monitors = ["a.x", "bold.f"]
    whole = bg.Simulator(delayed(), dt=DT, seed=1)
    expected = whole.run(8 * u.ms, monitors=monitors, progress=False)
    first = bg.Simulator(delayed(), dt=DT, seed=1, mesh=mesh(1, 4))
    first.run(3.5 * u.ms, monitors=monitors, progress=False)
    then = bg.Simulator(delayed(), dt=DT, seed=1, mesh=mesh(1, 2))
    ds = then.run(4.5 * u.ms, monitors=monitors, initial=first.state, progress=False)
    np.testing.assert_array_equal(ds["a.x"].values, expected["a.x"].values[35:])


# ---------------------------------------------------------------- what travels
def compiled_text(graph: bg.Graph, monitors: Any, devices: int) -> tuple[str, Any]:
    sim = bg.Simulator(graph, dt=DT, mesh=mesh(1, devices))
    sim.run(STEPS * DT, monitors=monitors, progress=False)
    (compiled,) = sim._compiled.values()
    return lowered(sim).compile().as_text(), compiled


def computations(text: str) -> dict[str, str]:
    """The computations of an XLA module by name."""
    found = re.findall(r"^(?:ENTRY )?(%\S+) [^\n]*\{\n(.*?)^\}", text, re.M | re.S)
    return {name: body for name, body in found}


def gathers(text: str) -> dict[str, list[int]]:
    """Computation -> elements of the result of each of its all-gathers."""
    out: dict[str, list[int]] = {}
    for name, body in computations(text).items():
        for shape in re.findall(r"= [a-z0-9]+\[([\d,]*)\][^=\n]*? all-gather\(", body):
            out.setdefault(name, []).append(int(np.prod([int(n) for n in shape.split(",")])))
    return out


@pytest.mark.parametrize("devices", [2, 8])
def test_one_exchange_a_block_of_the_bytes_the_docs_say(devices: int) -> None:
    monitors = {"a.x": None, "power": NETWORKS["delayed"][1]["power"]}
    text, compiled = compiled_text(delayed(), monitors, devices)
    found = gathers(text)
    ((block, (elements,)),) = found.items()
    # it stands in the loop over blocks: in the computation that holds the loop over steps
    assert re.search(r" while\(", computations(text)[block])
    counted = traffic(compiled.advance)
    assert counted.per_step == counted.per_stage == 0
    assert elements * 4 == devices * counted.per_block
    # by hand: a.x is heard by a and b, b.rE by a; "power" reads a.x
    # (which every device has, when there are more devices than units of it)
    places = max(8, -(-13 // devices)) * 2 + (max(8, -(-7 // devices)) if devices <= 7 else 0)
    assert counted.per_block == places * counted.steps * 4
    assert counted.per_second == pytest.approx(places * 4 * 10_000)
    # nothing else travels but, once a chunk, whether all is finite
    assert len(re.findall(r" (all-reduce|all-to-all|collective-permute)\(", text)) == 1


def test_short_connections_travel_every_step() -> None:
    text, compiled = compiled_text(short(), {"a.x": None}, 4)
    counted = traffic(compiled.advance)
    assert counted.per_step > 0 and counted.per_stage > 0
    assert len([n for sizes in gathers(text).values() for n in sizes]) > 1
    said = bg.Simulator(short(), dt=DT, mesh=mesh(1, 4)).explain()
    assert "b.rE" in said and "travels at every stage" in said


def test_noise_and_haemodynamics_stand_with_their_region() -> None:
    program = compile_graph(delayed(), 0.1, "heun")
    cut = place(program, 4)
    unit = {program.groups[g.number].paths[0]: cut.units[g.number] for g in program.groups}
    np.testing.assert_array_equal(unit["a"], unit["noise"])
    np.testing.assert_array_equal(unit["a"], unit["bold"])
    np.testing.assert_array_equal(unit["b"], unit["ou"])
    owned = unit["a"]
    assert owned is not None and sorted(owned[owned >= 0]) == list(range(13))
    assert owned.shape == (4, 8) and (owned[:3, :4] >= 0).all()  # 4, 4, 4 and 1 of them


# ---------------------------------------------------------------- asking for it
def test_explain_says_who_computes_what() -> None:
    text = bg.Simulator(delayed(), dt=DT, mesh=mesh(1, 4)).explain()
    assert "4 devices" in text and "8 places each" in text and "a block" in text
    assert "devices" not in bg.Simulator(delayed(), dt=DT).explain()
    assert local_mesh(compile_graph(delayed(), 0.1, "heun")) is None  # a CPU is one device


def test_devices_are_taken_when_there_is_enough_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    class Device:
        platform = "gpu"

    program = compile_graph(delayed(), 0.1, "heun")
    two = [Device(), Device()]
    assert "which gain from more only from 2097152 on" in why_alone(program, two)
    monkeypatch.setattr("braingraph.devices.WORTHWHILE", 10)
    assert why_alone(program, two) == ""


@pytest.mark.parametrize(
    "wrong", [8, "unit", jax.sharding.Mesh(np.array(jax.devices()[:2]), ("x",))]
)
def test_a_mesh_is_a_mesh_of_units_and_replicas(wrong: Any) -> None:
    with pytest.raises(ParameterError, match="jax.make_mesh") as caught:
        bg.Simulator(delayed(), dt=DT, mesh=wrong)
    assert caught.value.fields["parameter"] == "mesh"


def test_replicas_are_needed_to_divide_them() -> None:
    sim = bg.Simulator(delayed(), dt=DT, mesh=mesh(2, 1))
    with pytest.raises(ParameterError, match="batch_size") as caught:
        sim.run(1 * u.ms, progress=False)
    assert caught.value.fields["parameter"] == "mesh"
    assert sim.compilations() == 0


def test_divergence_is_found_on_any_device() -> None:
    g = delayed()
    g.add_edge(g.add_node("push", nodes.ConstantStimulus(13, value=1e6)), "a.x_inp")
    found = []
    for given in (None, mesh(1, 4)):
        with pytest.raises(bg.DivergenceError) as caught:
            bg.Simulator(g, dt=DT, mesh=given).run(5 * u.ms, progress=False)
        found.append({k: v for k, v in caught.value.fields.items() if k != "dataset"})
    assert found[0] == found[1]
