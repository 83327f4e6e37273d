"""Descriptions: which are the same, what they cannot give back, and how they stand in a store."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import brainunit as u
import jax
import numpy as np
import pytest
import xarray as xr
import zarr
from describing import WEIGHTS, Chosen, alone, halved, through_json, whole
from sweeps import LABELS, RING, network

import braingraph as bg
from braingraph import edges, nodes
from braingraph.describe import (
    changed,
    describe,
    describe_records,
    digest,
    load,
    rebuild,
    rebuild_records,
    save,
)
from braingraph.errors import GraphError, StoreError
from braingraph.fingerprint import fingerprint


# ---------------------------------------------------------------- the same or not
def ring(**changes: Any) -> bg.Graph:
    """Two populations and three edges; ``changes`` name what differs."""
    given: dict[str, Any] = {
        **{"a": -0.02, "tau": 8 * u.ms, "conn": RING, "delay": 1 * u.ms, "labels": LABELS},
        **{"init": 0.3, "name": "long", "interpolation": "linear", "dt": None, "k": 0.5},
        **changes,
    }
    g = bg.Graph()
    populations = [
        ("cortex", nodes.HopfStep(3, a=given["a"], init_x=given["init"], dt=given["dt"])),
        ("rate", nodes.WilsonCowanStep(3, tau_E=given["tau"])),
    ]
    for name, model in reversed(populations) if changes.get("reversed") else populations:
        g.add_node(name, model, labels=given["labels"] if name == "cortex" else None)
    coupling = edges.AdditiveCoupling(conn=given["conn"], k=given["k"])
    late = {"delay": given["delay"], "interpolation": given["interpolation"]}
    connections: list[Any] = [
        ("cortex.x", "cortex.x_inp", coupling, {**late, "name": given["name"]}),
        ("rate.rE", "rate.rI_inp", edges.AdditiveCoupling(k=0.1), {}),
        ("cortex.y", "cortex.y_inp", None, {}),
    ]
    for source, target, how, more in (
        reversed(connections) if changes.get("reversed") else connections
    ):
        g.add_edge(source, target, how, **more)
    return g


SAME: list[dict[str, Any]] = [
    {"reversed": True},
    {"tau": 0.008 * u.second},  # kept in the unit of the default
    {"init": np.float64(0.3)},
    {"conn": RING.astype(np.float32)},
    {"delay": 1000 * u.us},
]
OTHER: list[dict[str, Any]] = [
    {"a": -0.03},
    {"a": np.full(3, -0.02)},
    {"tau": 8.5 * u.ms},
    {"conn": RING + 1e-9},
    {"conn": RING.T},
    {"conn": RING * u.mV, "k": 0.5 / u.mV},
    {"conn": RING * u.volt, "k": 0.5 / u.volt},
    {"delay": None},
    {"delay": 1.5 * u.ms},
    {"delay": np.full((3, 3), 1.0) * u.ms},
    {"labels": LABELS[::-1]},
    {"labels": None},
    {"init": 0.31},
    {"init": bg.Uniform(0.2, 0.3)},
    {"init": halved},
    {"init": lambda shape: np.zeros(shape)},
    {"init": lambda shape: np.ones(shape)},
    {"init": partial(halved, k=3.0)},
    {"init": partial(halved, k=4.0)},
    {"name": "short"},
    {"interpolation": "nearest"},
    {"dt": 0.2 * u.ms},
    {"k": [0.5, 0.5, 0.6]},
]


@pytest.mark.parametrize("change", SAME, ids=lambda c: next(iter(c)))
def test_the_same_graph_has_the_same_digest(change: dict[str, Any]) -> None:
    assert digest(describe(ring(**change))) == digest(describe(ring()))


def test_other_graphs_have_other_digests() -> None:
    found = {digest(describe(ring(**change))) for change in [{}, *OTHER]}
    assert len(found) == len(OTHER) + 1 and all(len(d) == 64 for d in found)


def test_another_process_finds_the_same_digest() -> None:
    code = (
        "from sweeps import network; from braingraph.describe import describe, digest;"
        "print(digest(describe(network())))"
    )
    path = ":".join([str(Path(__file__).parent), *sys.path])
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONHASHSEED": "7", "PYTHONPATH": path},
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert found.stdout.strip() == digest(describe(network()))


def test_classes_of_the_library_count_by_name_and_those_of_users_by_code() -> None:
    library, own = describe(network()).json, describe(alone(Chosen(3, f=halved))).json
    assert "code" not in json.dumps(library) and library["sources"] == {}
    (item,) = own["nodes"]
    assert "class Chosen(Node)" in own["sources"][item["code"]]
    assert item["parameters"]["f"]["code"] in own["sources"]
    assert changed(own) == []
    item["code"] = item["parameters"]["f"]["code"] = "0" * 32  # as if edited since
    names = [f"{Chosen.__module__}:{name}" for name in ("Chosen", "halved")]
    assert changed(own) == sorted(names)


def made_class(body: str, constant: int) -> Any:
    names: dict[str, Any] = {"bg": bg, "__name__": "made"}
    source = (
        f"class Made(bg.Node):\n    rate = {constant}\n    x = bg.State(0.1)\n"
        f"    @property\n    def twice(self):\n        return {constant}\n"
        f"    def derivative(self, s, i):\n        return {{'x': {body}}}\n"
    )
    exec(source, names)
    return names["Made"](2)


def test_code_of_users_changes_the_digest() -> None:
    cases = [("-s.x", 1), ("-2 * s.x", 1), ("-s.x", 2)]
    assert len({digest(describe(alone(made_class(*case)))) for case in cases}) == 3
    assert len({digest(describe(alone(made_class(*cases[0])))) for _ in range(2)}) == 1


# ---------------------------------------------------------------- what cannot come back
def test_a_function_without_a_name_is_kept_as_text_and_asked_for() -> None:
    rate = 0.06
    f = lambda t: 2 * u.nA * u.math.sin(rate * t / u.ms)  # noqa: E731
    inner = alone(nodes.FunctionStimulus(2, f=f))
    g = bg.Graph()
    g.add_node("left", inner)
    description = through_json(describe(g))
    with pytest.raises(GraphError, match=r"'left\.a\.f' cannot be rebuilt") as caught:
        rebuild(description)
    assert caught.value.fields["path"] == "left.a.f"
    assert "given={'left.a.f': ...}" in str(caught.value)
    assert "u.math.sin(rate * t / u.ms)" in str(caught.value)
    assert fingerprint(rebuild(description, {"left.a.f": f})) == fingerprint(g)


def test_a_class_that_cannot_be_imported_is_asked_for_once() -> None:
    class Local(nodes.HopfStep):
        b: float = 1.0

    g = bg.Graph()
    for name in ("p", "q"):
        g.add_node(name, Local(2, b=3.0))
    description = through_json(describe(g))
    name = f"{__name__}:{Local.__qualname__}"
    with pytest.raises(GraphError, match="'p' cannot be rebuilt") as caught:
        rebuild(description)
    assert caught.value.fields == {"path": "p", "name": name}
    assert f"given={{{name!r}: Local}}" in str(caught.value) and "module" in str(caught.value)
    assert fingerprint(rebuild(description, {name: Local})) == fingerprint(g)


BROKEN: list[tuple[Callable[[Any], None], str, str]] = [
    (lambda item: item.update({"class": "nowhere:Hopf"}), "nowhere:Hopf", "is not found"),
    (lambda item: item.update({"class": "__main__:Gone"}), "__main__:Gone", "can be imported"),
    (
        lambda item: item.update({"class": "braingraph.edges.additive:AdditiveCoupling"}),
        "braingraph.edges.additive:AdditiveCoupling",
        "is no Node any more",
    ),
    (
        lambda item: item["parameters"].update(zeta=1.0),
        "braingraph.nodes.hopf:HopfStep",
        "has no parameter 'zeta'",
    ),
    (
        lambda item: item["parameters"].update(a={"value": 1.0, "unit": "mV"}),
        "braingraph.nodes.hopf:HopfStep",
        r"must be in \[1\]",
    ),
]


@pytest.mark.parametrize(("spoil", "name", "said"), BROKEN)
def test_what_has_changed_since_is_named(
    spoil: Callable[[Any], None], name: str, said: str
) -> None:
    description = through_json(describe(network()))
    spoil(description.json["nodes"][0])
    with pytest.raises(GraphError, match=said) as caught:
        rebuild(description)
    assert caught.value.fields == {"path": "cortex", "name": name}
    assert f"given={{{name!r}" in str(caught.value)


def test_a_port_that_is_gone_is_named() -> None:
    description = through_json(describe(network()))
    for item in description.json["edges"]:
        item["target"] = item["target"].replace("x_inp", "gone")
    with pytest.raises(GraphError, match="gone"):
        rebuild(description)


def test_all_that_is_missing_is_said_together() -> None:
    description = through_json(describe(alone(nodes.FunctionStimulus(2, f=lambda t: t / u.ms))))
    description.json["nodes"][0]["class"] = "nowhere:Stimulus"
    with pytest.raises(GraphError, match="2 problems") as caught:
        rebuild(description)
    assert [e.fields["path"] for e in caught.value.fields["findings"]] == ["a.f", "a"]


def test_nothing_that_a_graph_can_hold_stops_its_description() -> None:
    values = (object(), {1, 2}, {"k": {3: 4}}, 1j, np.array(["u"]), b"bytes", jax.random.key(0))
    odd = partial(halved, *values)
    description = describe(alone(Chosen(2, f=odd)))
    json.dumps(description.json, allow_nan=False)
    with pytest.raises(GraphError, match=r"^'a\.f' cannot be rebuilt"):
        rebuild(description)
    found: Any = rebuild(description, {"a.f": odd}).nodes["a"]
    assert found.f is odd


# ---------------------------------------------------------------- monitors
def test_what_was_recorded_comes_back() -> None:
    records = {
        "cortex.x": bg.Record("cortex.x"),
        "slow": bg.Record("cortex.y", every=0.72 * u.second, reduce="mean"),
        "half": bg.Record(halved, every=np.float32(0.1) * u.ms),
        "third": bg.Record(partial(halved, k=np.array([3.0, np.nan, *range(20)]))),
    }
    written = json.loads(json.dumps(describe_records(records), allow_nan=False))
    again = rebuild_records(written)
    assert list(again) == list(records)
    assert fingerprint(again) == fingerprint(records)


def test_a_monitor_without_a_name_to_import_is_asked_for() -> None:
    f = lambda m: m.cortex.x**2  # noqa: E731
    written = describe_records({"square": bg.Record(f, every=1 * u.ms)})
    with pytest.raises(GraphError, match="m.cortex.x") as caught:
        rebuild_records(written)
    assert caught.value.fields["path"] == "square"
    again = rebuild_records(written, {"square": f})
    assert fingerprint(again) == fingerprint({"square": bg.Record(f, every=1 * u.ms)})


# ---------------------------------------------------------------- in a store
def test_a_store_holds_it_and_other_programs_read_it(tmp_path: Path) -> None:
    graph, path = whole(), tmp_path / "run.zarr"
    description = describe(graph)
    save(zarr.create_group(str(path)).create_group("graph"), description)
    group = zarr.open_group(str(path), mode="r")["graph"]
    assert isinstance(group, zarr.Group)
    again = load(group)
    assert digest(again) == digest(description) == group.attrs["digest"]
    assert fingerprint(rebuild(again)) == fingerprint(graph)

    with xr.open_zarr(str(path), group="graph/edges/long", consolidated=False) as long:
        assert long["conn"].dims == long["delay"].dims == ("target", "source")
        assert long["delay"].attrs["units"] == "ms"
        found = float(long["conn"].sel(target="région 3", source="région 1"))
        assert found == WEIGHTS[3, 1]
    with xr.open_zarr(str(path), group="graph/nodes/cortex", consolidated=False) as cortex:
        assert list(cortex["labels"].values[:2]) == ["région 0", "région 1"]
    with xr.open_datatree(str(path), engine="zarr", consolidated=False) as tree:
        assert "graph/edges/long" in {node.path.strip("/") for node in tree.subtree}


def test_a_group_that_holds_no_graph_is_refused() -> None:
    group = zarr.create_group(zarr.storage.MemoryStore())
    with pytest.raises(StoreError, match="holds no graph") as caught:
        load(group)
    assert caught.value.fields["needed"] == "braingraph-graph/1"
