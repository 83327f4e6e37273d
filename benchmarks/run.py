"""``make bench``: braingraph beside hand-written JAX and C, on the same networks, in one run.

Contestants of a case take turns, so that whatever else the machine does hits them alike; a time
is the median over the turns. ``python -m benchmarks.run --quick --case A`` for a first look.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import brainunit as u
import jax
import numpy as np

import braingraph as bg
from benchmarks import memory, references
from benchmarks.c_reference import CReference
from benchmarks.networks import (
    DT,
    EVERY,
    A,
    Network,
    SparseNetwork,
    dense,
    scattered,
    simulator,
    tvb,
)

Result = Any  # x, an array (..., sample, unit)


@dataclass
class Contestant:
    """One way to do a case's work. ``make`` builds what is then called again and again."""

    name: str
    make: Callable[[], Callable[[], Result]]
    compilations: Callable[[], int] | None = None
    edges: int | None = None
    call: Callable[[], Result] | None = None
    seconds: list[float] = field(default_factory=list)
    first: float = 0.0
    compiled_again: int | None = None
    spread: float = 0.0


@dataclass(frozen=True)
class Case:
    """``per_run``: simulations in one call; ``memory``: what a fresh process is asked to run."""

    title: str
    steps: int
    contestants: Callable[[int, CReference | None], list[Contestant]]
    memory: str
    per_run: int = 1
    turns: int = 7
    less: Case | None = None  # what stands for it with --quick; default: a tenth of the steps


# ---------------------------------------------------------------- contestants
def ours(
    network: Network | SparseNetwork,
    steps: int,
    name: str = "braingraph",
    replicas: int | None = None,
) -> Contestant:
    sims: list[Any] = []

    def make() -> Callable[[], Result]:
        sims.append(simulator(network))
        monitors = {"cortex.x": EVERY * DT * u.ms}

        def call() -> Result:
            run = sims[0].run(
                steps * DT * u.ms, monitors=monitors, batch_size=replicas, progress=False
            )
            return run["cortex.x"].values

        return call

    return Contestant(name, make, lambda: int(sims[0].compilations()), network.edges)


def by_hand(name: str, run: Callable[[jax.Array], jax.Array], *, fast: bool = False) -> Contestant:
    def make() -> Callable[[], Result]:
        compiled = references.compiled(run, fast_fusion=fast)
        return lambda: np.asarray(compiled(jax.random.key(0)))

    return Contestant(name, make)


def in_c(
    c: CReference | None, name: str, function: str, network: Network, steps: int
) -> list[Contestant]:
    if c is None:
        return []
    return [Contestant(name, lambda: partial(c.run, function, network, steps))]


def delayed(network: Network, steps: int, c: CReference | None, *, block: bool) -> list[Contestant]:
    run = references.delayed(network, steps)
    out = [
        ours(network, steps),
        by_hand("JAX, ring and gather", run),
        by_hand("JAX, the same, fast fusion", run, fast=True),
        *in_c(c, "C, step by step", "by_step", network, steps),
    ]
    return out + (in_c(c, "C, blocked", "by_block", network, steps) if block else [])


def undelayed(steps: int, c: CReference | None) -> list[Contestant]:
    network = dense(90).without_delays()
    frozen = references.instantaneous(network, steps, per_stage=False)
    staged = references.instantaneous(network, steps, per_stage=True)
    return [
        ours(network, steps),
        by_hand("JAX, coupling once a step", frozen),
        by_hand("JAX, coupling at each stage", staged),
        *in_c(c, "C, coupling once a step", "undelayed", network, steps),
    ]


def demo(steps: int, c: CReference | None) -> list[Contestant]:
    all_to_all = ours(dense(76), steps, "braingraph, 76 all to all")
    return [*delayed(tvb("tvb76"), steps, c, block=True), all_to_all]


def short_edges(steps: int, c: CReference | None) -> list[Contestant]:
    network = tvb("tvb192")
    without = network.longer_than(0)
    name = f"braingraph, without {network.edges - without.edges} edges of length 0"
    return [*delayed(network, steps, c, block=False), ours(without, steps, name)]


def batch(steps: int, c: CReference | None, replicas: int = 64) -> list[Contestant]:
    network = dense(90)
    run = references.delayed(network, steps)

    def vmapped() -> Callable[[], Result]:
        compiled = jax.jit(jax.vmap(run))
        return lambda: np.asarray(compiled(jax.random.split(jax.random.key(0), replicas)))

    def one_by_one() -> Callable[[], Result]:
        compiled = references.compiled(run, fast_fusion=True)
        keys = jax.random.split(jax.random.key(0), replicas)
        return lambda: np.stack([np.asarray(compiled(key)) for key in keys])

    return [
        ours(network, steps, replicas=replicas),
        Contestant("JAX, ring and gather, vmapped", vmapped),
        Contestant("JAX, one by one, fast fusion", one_by_one),
    ]


def sweep(simulations: int, steps: int, c: CReference | None) -> list[Contestant]:
    """Other seeds and, to the program, other parameters: equal ones, so that all do one work."""
    network = dense(90)
    run = references.delayed(network, steps)
    a, seeds = np.full(simulations, A), range(simulations)
    axes = bg.paired({"cortex.a": a, "seed": seeds})
    asked: dict[str, Any] = {"monitors": {"cortex.x": EVERY * DT * u.ms}, "progress": False}
    width = max(k for k in range(1, 65) if simulations % k == 0)  # more at once is no faster
    sims: list[bg.Simulator] = []

    def swept() -> Callable[[], Result]:
        sims.append(simulator(network))
        return lambda: sims[0].sweep(axes, steps * DT * u.ms, **asked)["cortex.x"].values

    def single() -> Callable[[], Result]:
        sim = simulator(network)

        def call() -> Result:
            runs = []
            for value, seed in zip(a, seeds, strict=True):
                sim.seed = seed
                ds = sim.run(steps * DT * u.ms, params={"cortex.a": value}, **asked)
                runs.append(ds["cortex.x"].values)
            return np.stack(runs)

        return call

    def vmapped() -> Callable[[], Result]:
        compiled = jax.jit(jax.vmap(run))
        keys = jax.random.split(jax.random.key(0), (simulations // width, width))
        return lambda: np.concatenate([np.asarray(compiled(some)) for some in keys])

    return [
        Contestant("braingraph, sweep", swept, lambda: int(sims[0].compilations())),
        Contestant("braingraph, run by run", single),
        Contestant(f"JAX, ring and gather, vmapped by {width}", vmapped),
    ]


def sparse(steps: int, c: CReference | None) -> list[Contestant]:
    """A large sparse network beside a dense one: what counts is the time per connection."""
    large, small = scattered(20_000), dense(500)
    return [
        ours(large, steps, f"braingraph, {large.edges} scattered connections"),
        ours(small, steps, f"braingraph, {small.edges} of 500 regions"),
    ]


def regions(n: int, steps: int, c: CReference | None) -> list[Contestant]:
    return delayed(dense(n), steps, c, block=True)


def sweep_case(simulations: int, less: Case | None = None) -> Case:
    title = f"{simulations} simulations of A, per simulation"
    work = partial(sweep, simulations)
    return Case(title, 2000, work, "dense90", simulations, turns=3, less=less)


CASES = {
    "A": Case("90 regions, all to all, delays 1-15 ms", 100_000, partial(regions, 90), "dense90"),
    "B": Case("90 regions, all to all, no delays", 100_000, undelayed, "undelayed90"),
    "E500": Case("500 regions, delays 1-15 ms", 10_000, partial(regions, 500), "dense500"),
    "E2000": Case(
        "2000 regions, delays 1-15 ms", 2_000, partial(regions, 2000), "dense2000", turns=3
    ),
    "demo": Case("tvb76, 1494 edges, delays 1-28 ms", 100_000, demo, "tvb76"),
    "short": Case("tvb192, 3466 edges, 22 of length 0", 50_000, short_edges, "tvb192"),
    "sparse": Case(
        "20 000 units, 100 sources each, delays 1-15 ms", 1_000, sparse, "scattered20000"
    ),
    "batch": Case("64 replicas of A, per replica", 5_000, batch, "dense90", 64),
    "sweep": sweep_case(1000, less=sweep_case(128)),
}


# ---------------------------------------------------------------- measuring
def measure(contestants: Iterable[Contestant], repeats: int) -> None:
    """First calls one after another, then turns."""
    for one in (contestants := list(contestants)):
        begun = time.perf_counter()
        one.call = one.make()
        result = one.call()
        one.first = time.perf_counter() - begun
        # The first tenth is the way from the common start to the noise-driven state.
        one.spread = float(np.std(result[..., result.shape[-2] // 10 :, :]))
    compiled = [one.compilations() if one.compilations else 0 for one in contestants]
    for turn in range(repeats):
        for one in contestants:
            assert one.call is not None
            begun = time.perf_counter()
            one.call()
            one.seconds.append(time.perf_counter() - begun)
        if turn == 0:
            for one, before in zip(contestants, compiled, strict=True):
                one.compiled_again = one.compilations() - before if one.compilations else None


HEAD = ("", "us/step", "ns/edge", "x ours", "first call s", "compiled again", "peak MB", "std x")
WIDTHS = (44, 9, 7, 7, 12, 14, 8, 8)


def line(cells: Iterable[str]) -> str:
    first, *rest = (
        cell.ljust(width) if k == 0 else cell.rjust(width)
        for k, (cell, width) in enumerate(zip(cells, WIDTHS, strict=True))
    )
    return "  ".join([first, *rest]).rstrip()


def table(case: Case, contestants: list[Contestant], steps: int, peak: float) -> list[str]:
    per_step = [1e6 * float(np.median(one.seconds)) / steps / case.per_run for one in contestants]
    out = [f"{case.title} ({steps} steps)"]
    for one, value in zip(contestants, per_step, strict=True):
        again = "" if one.compiled_again is None else str(one.compiled_again)
        cells = (
            f"  {one.name}",
            f"{value:.3g}",
            f"{1e3 * value / one.edges:.3g}" if one.edges else "",
            f"{value / per_step[0]:.2f}",
            f"{one.first:.1f}",
            again,
            f"{peak:.0f}" if one is contestants[0] else "",
            f"{one.spread:.4f}",
        )
        out.append(line(cells))
    return out


def machine() -> str:
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    device = jax.devices()[0].device_kind
    cores = f"{os.cpu_count()} cores ({platform.machine()}), load {load:.1f}"
    return f"{cores}, {device}, jax {jax.__version__}"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="braingraph beside hand-written JAX and C.")
    parser.add_argument("--case", action="append", choices=CASES, help="only this one (repeatable)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the steps, 3 turns")
    parser.add_argument(
        "--turns", type=int, help="how often each contestant runs (default 7; E2000 3)"
    )
    parser.add_argument("--no-c", action="store_true", help="leave out the C references")
    given = parser.parse_args(arguments)
    c = CReference() if CReference.available() and not given.no_c else None
    if c is None:
        print("Without the C references" + ("." if given.no_c else ": there is no gcc."))
    print(f"Medians of alternating turns, float32. {machine()}")
    print("Contestants freeze the coupling over Heun's two stages unless said otherwise;")
    print(
        "braingraph reads it at each stage. 'x ours' above 1: slower than braingraph. 'first call'"
    )
    print("includes compiling; 'std x' must agree within a case, or the work differs; 'ns/edge':")
    print("per connection and step, by which 'sparse' compares two networks.\n")
    print(line(HEAD))
    for name in given.case or CASES:
        case = CASES[name]
        steps = case.steps // 10 if given.quick and case.less is None else case.steps
        case = case.less if given.quick and case.less is not None else case
        contestants = case.contestants(steps, c)
        measure(contestants, given.turns or (3 if given.quick else case.turns))
        counts = {"sweep" if name == "sweep" else "replicas": case.per_run}
        peak = memory.peak(case.memory, steps, False, **(counts if case.per_run > 1 else {}))
        print("\n".join(table(case, contestants, steps, peak)), flush=True)


if __name__ == "__main__":
    main()
