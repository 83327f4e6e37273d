"""Many units and wide rows: memory and code for the connections, the same sums in pieces."""

from __future__ import annotations

import itertools
import re
import tracemalloc
from collections.abc import Callable
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from compare import difference, library
from programs import lowered
from scipy import sparse

import braingraph as bg
from braingraph import edges, nodes
from braingraph.compiler import compile_graph, packing, transport
from braingraph.compiler.shard import place
from braingraph.compiler.values import collect, pack_parts

MS = u.ms


# ---------------------------------------------------------------- networks
def scattered(size: int, count: int, seed: int = 1) -> tuple[Any, Any]:
    """So many connections between anyone, and their delays of 1 to 3 ms."""
    rng = np.random.default_rng(seed)
    pairs = rng.integers(0, size, (2, count))
    values = rng.uniform(1, 3, count)
    conn = sparse.coo_array((np.full(count, 0.1), pairs), shape=(size, size)).tocsr()
    lags = conn.copy()
    lags.data = values[: lags.nnz]
    return conn, lags * MS


def large(size: int, count: int, undelayed: bool = True) -> bg.Graph:
    conn, delay = scattered(size, count)
    g = bg.Graph()
    a = g.add_node("a", nodes.HopfStep(size, a=-0.1))
    noise = g.add_node("noise", nodes.WhiteNoise(size, sigma=0.1))
    g.add_edge(noise, a.x_inp)
    g.add_edge(a.x, a.x_inp, edges.DiffusiveCoupling(conn=conn, k=0.1), delay=delay, name="e")
    if undelayed:
        g.add_edge(a.x, a.y_inp, edges.AdditiveCoupling(conn=conn, k=0.1), name="now")
    return g


# ---------------------------------------------------------------- memory and code
def peak(call: Callable[[], Any]) -> int:
    """The most bytes that NumPy and Python held while it ran."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_is_that_of_the_connections() -> None:
    """From the edge to what is compiled, and in everything that describes it."""
    size, count = 50_000, 100_000  # a byte for every pair would be 2.5 GB
    graphs: list[bg.Graph] = []
    assert peak(lambda: graphs.append(large(size, count))) < 400 * count
    (graph,) = graphs

    def described() -> None:
        entries = len(graph["e.conn"])
        assert f"{entries} weights" in str(graph) and f"{entries} weights" in graph.draw().svg
        assert f"{entries} entries" in repr(graph["e"])
        assert graph.to_networkx().number_of_edges() == 3
        assert len(graph["e"].replace(conn=np.full(entries, 0.2)).conn) == entries

    assert peak(described) < 100 * count

    def planned() -> None:
        program = compile_graph(graph, 0.1, "heun")
        assert len(program.structure) == 64 and "rows of sources" in str(program)
        packed = pack_parts(program, collect(program)[0], np.float32, False, place(program))
        arrays = [v for v in jax.tree.leaves(packed) if getattr(v, "ndim", 0)]
        assert {v.dtype for v in arrays} == {np.dtype(np.int32), np.dtype(np.float32)}
        assert sum(v.nbytes for v in arrays) < 60 * count
        for b in program.bundles:
            e = b.entries
            assert {e.row.dtype, e.source.dtype, e.edge.dtype, e.at.dtype} == {np.dtype(np.int32)}

    assert peak(planned) < 500 * count
    assert peak(lambda: compile_graph(graph, 0.1, "heun", live=True)) < 300 * count


def test_a_large_network_runs() -> None:
    """Its first steps are those of the rows that can be followed by hand."""
    size = 50_000
    graph = large(size, 2 * size)
    sim = bg.Simulator(graph, dt=0.1 * MS, method="euler")
    params = {"noise.sigma": 0.0, "a.a": 0.0, "a.w": 0.0, "a.beta": 0.0}
    start = np.sin(np.arange(size))
    initial = {"a.x": start, "a.y": 0.0}
    watched = ["a.x", "a.y"]
    ds = sim.run(0.2 * MS, monitors=watched, initial=initial, params=params, progress=False)
    conn, _ = scattered(size, 2 * size)
    weights, sums = conn @ start, np.asarray(conn.sum(axis=1)).ravel()
    np.testing.assert_allclose(ds["a.y"].values[0], 0.1 * 0.1 * weights, rtol=1e-4, atol=1e-6)
    moved = start + 0.1 * 0.1 * (weights - sums * start)
    np.testing.assert_allclose(ds["a.x"].values[0], moved, rtol=1e-4, atol=1e-6)
    assert "rows of sources" in sim.explain()


def ran(graph: bg.Graph) -> bg.Simulator:
    sim = bg.Simulator(graph, dt=0.1 * MS)
    sim.run(1 * MS, monitors={"a.x": 1 * MS}, progress=False)
    return sim


def test_what_is_compiled_does_not_grow_with_the_network() -> None:
    """As many operations; and for wide rows no slow library fusion, and no copy of the past."""
    small, large_ = (lowered(ran(large(size, 80 * size))) for size in (200, 8000))
    counts = [len(program.as_text().splitlines()) for program in (small, large_)]
    assert counts[1] < 1.3 * counts[0]
    text = small.compile().as_text()
    loops = text[: text.index("\nENTRY ")]
    assert "ynn_fusion" not in text and " dot(" in text
    ring = r"f32\[1,200,\d{2,}\]"
    assert re.search(ring, loops), "the ring is not where this test looks for it"
    assert not re.search(rf"= {ring}\S* copy\(", loops)


def test_one_unit_that_hears_all_costs_what_it_hears() -> None:
    """A few rows with very many sources do not pad all others to their width."""
    rng = np.random.default_rng(0)
    degrees = np.concatenate([rng.poisson(20, 9_990), [50_000] * 3, [9_000] * 7])
    row = np.repeat(np.arange(len(degrees), dtype=np.int32), degrees)
    plan = packing.buckets(row, len(degrees))
    assert len(plan) <= 16
    assert sum(b.slots.size for b in plan) < 2 * len(row)
    wide = max(plan, key=lambda b: b.slots.shape[1])
    assert len(wide.chunked(far=True)) <= packing.MOST_CHUNKS
    found = np.sort(np.concatenate([b.slots[b.slots >= 0] for b in plan]))
    np.testing.assert_array_equal(found, np.arange(len(row)))


# ---------------------------------------------------------------- wide rows
def test_wide_rows_add_up_alike_on_any_number_of_devices() -> None:
    """Chunks follow from a row's width, not from how many rows a device has."""
    size = 150
    graph = large(size, 100 * size, undelayed=False)
    runs = []
    for devices in (1, 2, 4):
        mesh = jax.make_mesh((devices,), ("unit",)) if devices > 1 else None
        sim = bg.Simulator(graph, dt=0.1 * MS, mesh=mesh)
        ds = sim.run(2 * MS, monitors=["a.x"], progress=False)
        runs.append(np.asarray(ds["a.x"]))
    assert np.ptp(runs[0]) > 0
    for found in runs[1:]:
        np.testing.assert_array_equal(found, runs[0])


def test_wide_rows_agree_with_the_oracle(x64: None) -> None:
    """Rows so wide that they are summed in chunks, of unequal length, and one row of all."""
    size = 3 * packing.WIDE // 2
    rng = np.random.default_rng(2)
    conn = rng.uniform(0, 1, (size, size)) * (rng.random((size, size)) < 0.8) / size
    conn[0] = 1 / size
    delay = rng.uniform(1.0, 2.0, (size, size))
    start = rng.uniform(-1, 1, size)

    def graph(form: Callable[[Any], Any]) -> bg.Graph:
        g = bg.Graph()
        a = g.add_node("a", nodes.HopfStep(size, a=0.1, w=0.7, init_x=start, init_y=0.1))
        coupling = edges.AdditiveCoupling(conn=form(conn), k=0.8)
        g.add_edge(a.x, a.x_inp, coupling, delay=form(delay) * MS)
        return g

    (bundle,) = compile_graph(graph(sparse.csr_array), 0.1, "heun").bundles
    plan = packing.buckets(bundle.parts[0].entries.row, bundle.rows)
    assert plan[0].chunked(far=False).ndim == 3
    found = library(graph(sparse.csr_array), 0.1, 12, "heun", monitors=["a.x"])
    want = oracle.simulate(graph(np.asarray), 0.1, 12, "heun")
    assert max(difference(found, want).values()) < 1e-10


def test_pieces_of_a_bucket_add_up_to_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few rows are read at a time, also where the last piece repeats some."""
    monkeypatch.setattr(transport, "MOST_SCANNED", 0)  # what replicas may do instead
    rng = np.random.default_rng(4)
    start = rng.integers(0, 870, (3, 11, 5)).astype(np.int32)
    weights = [rng.normal(size=start.shape) for _ in range(2)]
    for ring in (rng.normal(size=900), rng.normal(size=(900, 2))):
        windows = ring[start[..., None] + 7 + np.arange(8)]
        for chosen, axes in ((slice(0, 3), "crd"), (0, "rd")):
            s, sets = start[chosen], [w[chosen] for w in weights]
            want = [np.einsum(f"{axes},{axes}w...->rw...", w, windows[chosen]) for w in sets]
            given = (jnp.asarray(ring), jnp.asarray(s), [jnp.asarray(w) for w in sets])
            for rows, backend in itertools.product((100, 11, 4, 1), ("cpu", "gpu")):  # at a time
                samples = rows * 5 * 8 * ring.size // 900
                monkeypatch.setattr(transport, "PIECE", samples)
                monkeypatch.setattr(transport, "LARGE_PIECE", samples * s.size // 55)
                monkeypatch.setattr(jax, "default_backend", lambda backend=backend: backend)
                found = transport._bucket_sums(*given, jnp.int32(7), 8)
                for a, b in zip(found, want, strict=True):
                    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


# ---------------------------------------------------------------- one weight between all units
def field(conn: Any, n: int) -> bg.Graph:
    g = bg.Graph()
    x = g.add_node("x", nodes.HopfStep(n, a=-0.1, w=0.4, init_x=np.linspace(-1, 1, n)))
    g.add_edge(x.x, x.x_inp, edges.DiffusiveCoupling(conn, k=0.1), name="all")
    return g


def test_one_weight_between_all_takes_the_memory_of_the_units() -> None:
    tracemalloc.start()
    sim = bg.Simulator(field(1e-4, 20_000), dt=0.1 * u.ms)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6  # the 4e8 pairs alone would be 6 GB
    assert "400000000 connections" in sim.explain()


@pytest.mark.usefixtures("x64")
def test_one_weight_between_all_is_the_matrix_of_it() -> None:
    n = 20
    asked: dict[str, Any] = {"monitors": ["x.x"], "progress": False}
    got, want = (
        bg.Simulator(field(conn, n), dt=0.1 * u.ms).run(3 * u.ms, **asked)["x.x"]
        for conn in (0.03, np.full((n, n), 0.03))
    )
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-14)
    fn, params = bg.Simulator(field(0.03, n), dt=0.1 * u.ms).as_function(3 * u.ms, monitors=["x.x"])

    def total(conn: Any) -> Any:
        return (fn({**params, "all.conn": conn})["x.x"] ** 2).sum()

    slope = (total(0.03 + 1e-6) - total(0.03 - 1e-6)) / 2e-6
    np.testing.assert_allclose(jax.grad(total)(0.03), slope, rtol=1e-7)
