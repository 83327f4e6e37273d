"""Runs a graph in the library and in the oracle, and compares every signal of every vertex."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import brainunit as u
import numpy as np
import oracle

import braingraph as bg
from braingraph import random


def every_signal(graph: bg.Graph) -> list[str]:
    """The paths of all states, outputs and inputs."""
    return [
        f"{path}.{name}"
        for path, model in graph.models().items()
        for name, signal in model.signals().items()
        if signal.kind != "noise"
    ]


def drawn(graph: bg.Graph, seed: int, replica: int = 0) -> Any:
    """The standard normals that the library draws, as the oracle asks for them."""

    def normals(path: str, signal: str, step: int) -> np.ndarray:
        k0, k1 = random.key(seed, random.path_words(f"{path}.{signal}"), replica)
        units = np.arange(graph.models()[path].signal_size(signal), dtype=np.uint32)
        drawn: np.ndarray = np.asarray(random.normals(k0, k1, step, 1, units, np.float64))[0]
        return drawn

    return normals


def library(
    graph: bg.Graph, dt: float, steps: int, method: str, seed: int = 3, **given: Any
) -> dict[str, np.ndarray]:
    """The library's samples of every signal (or ``monitors``), one a step of its node."""
    sim = bg.Simulator(graph, dt=dt * u.ms, method=method, seed=seed)
    given = {"monitors": every_signal(graph), **given}
    ds = sim.run(steps * dt * u.ms, progress=False, **given)
    return {str(name): np.asarray(ds[name]) for name in ds.data_vars}


def difference(got: Mapping[str, np.ndarray], want: Mapping[str, np.ndarray]) -> dict[str, float]:
    """The largest difference per signal, relative to the signal's size where that exceeds 1."""
    assert set(got) <= set(want)
    out = {}
    for name, value in got.items():
        assert value.shape == want[name].shape, (name, value.shape, want[name].shape)
        size = max(1.0, float(np.abs(want[name]).max(initial=0.0)))
        out[name] = float(np.abs(value - want[name]).max(initial=0.0)) / size
    return out


def agree(
    graph: bg.Graph,
    *,
    dt: float = 0.1,
    steps: int = 60,
    method: str = "heun",
    tolerance: float = 1e-10,
    seed: int = 3,
    oracle_given: Mapping[str, Any] | None = None,
    **given: Any,
) -> None:
    """Assert that library and oracle agree on every signal at every step."""
    got = library(graph, dt, steps, method, seed, **given)
    want = oracle.simulate(
        graph, dt, steps, method, normals=drawn(graph, seed), **(oracle_given or {})
    )
    worst = difference(got, want)
    assert max(worst.values()) < tolerance, {k: v for k, v in worst.items() if v >= tolerance}
    moved = [np.ptp(v) for k, v in want.items() if not k.endswith("_inp")]
    assert max(moved) > 1e-6, "nothing moved: the comparison shows nothing"
