"""Fingerprints: equal for what is equal, in every process; different for what is not."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import brainunit as u
import numpy as np
import pytest
from scipy import sparse
from sweeps import RING, network

import braingraph as bg
from braingraph import nodes
from braingraph.fingerprint import fingerprint


def double(x: float) -> float:
    """Twice."""
    return 2 * x


def triple(x: float) -> float:
    """Twice."""
    return 3 * x


def scaled(k: float) -> Any:
    return lambda x: k * x


class Holder:
    def __init__(self, k: float) -> None:
        self.k = k

    def method(self) -> float:
        return self.k


def model(**changes: Any) -> Any:
    return nodes.HopfStep(3, **changes)


SAME: list[tuple[Any, Any]] = [
    (1, np.int64(1)),
    (0.5, np.float32(0.5)),
    ([1, 2], (1, 2)),
    (range(3), [0, 1, 2]),
    ({3, 1, 2}, {2, 3, 1}),
    (1 * u.ms, 1.0 * u.ms),
    (scaled(2), scaled(2)),
    (partial(double, 1), partial(double, 1)),
    (Holder(1).method, Holder(1).method),
    (model(a=0.1), model(a=0.1)),
    (network(), network().bound(None, "")),
    (float("nan"), float("nan")),
    (sparse.csr_array(RING), sparse.csc_array(RING).tocsr()),
]
OTHER: list[tuple[Any, Any]] = [
    (1, 1.5),
    (1, "1"),
    ([1, 2], [2, 1]),
    ([[1], 2], [1, [2]]),
    (np.arange(4), np.arange(4).reshape(2, 2)),
    (np.zeros(2), np.zeros(2, np.float32)),
    (sparse.csr_array(RING), sparse.csr_array(2 * RING)),
    (np.zeros(2) * u.ms, np.zeros(2) * u.second),
    (1 * u.ms, 1),
    (double, triple),
    (scaled(2), scaled(3)),
    (partial(double, 1), partial(double, 2)),
    (Holder(1).method, Holder(2).method),
    (Holder, double),
    (model(a=0.1), model(a=0.2)),
    (model(init_x=0.1), model(init_x=0.2)),
    (model(), nodes.HopfStep(4)),
    (network(), network().bound(None, "").nodes),
    (bg.Record("cortex.x"), bg.Record("cortex.x", every=1 * u.ms)),
]


@pytest.mark.parametrize(("a", "b"), SAME)
def test_what_is_equal_has_one_fingerprint(a: Any, b: Any) -> None:
    assert fingerprint(a) == fingerprint(b)


@pytest.mark.parametrize(("a", "b"), OTHER)
def test_what_differs_has_two(a: Any, b: Any) -> None:
    assert fingerprint(a) != fingerprint(b)


def test_a_graph_counts_with_all_it_holds() -> None:
    def changed(**edge: Any) -> bg.Graph:
        g = network()
        g.add_edge("cortex.x", "cortex.y_inp", bg.edges.AdditiveCoupling(conn=RING), **edge)
        return g

    graphs = [network(), changed(), changed(delay=1 * u.ms), changed(name="again")]
    assert len({fingerprint(g) for g in graphs}) == 4


def test_a_model_counts_with_its_code_but_not_its_documentation() -> None:
    def class_(body: str, doc: str = "") -> Any:
        names: dict[str, Any] = {"bg": bg}
        source = "class M(bg.Node):\n    x = bg.State(0.1)\n    def derivative(self, s, i):\n"
        exec(f"{source}        '''{doc}'''\n        return {{'x': {body}}}\n", names)
        return names["M"](2)

    same, other = class_("-s.x", "Decays."), class_("-2 * s.x")
    assert fingerprint(class_("-s.x")) == fingerprint(same) != fingerprint(other)


def test_another_process_finds_the_same() -> None:
    code = (
        "from sweeps import network; from braingraph.fingerprint import fingerprint;"
        "print(fingerprint([network(), {'b', 'a'}, lambda ds: ds['x'] in {'u', 'v'}]))"
    )
    here = Path(__file__).parent
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=here,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1 and len(found.pop()) == 33


def test_what_holds_itself_ends() -> None:
    loop: dict[str, Any] = {"k": 1}
    loop["self"] = loop
    assert fingerprint(loop) != fingerprint({"k": 1, "self": {"k": 1}})
