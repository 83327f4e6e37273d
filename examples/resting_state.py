"""Resting state of 76 regions: simulate, stream to disk, open lazily, compare with the wiring.

Hopf oscillators just below their bifurcation, at 10 Hz, driven by noise, coupled through the
76-region connectome of The Virtual Brain with the delays of its tract lengths; BOLD on top.

    python examples/resting_state.py              five minutes of biological time
    python examples/resting_state.py --minutes 1  a shorter look
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import brainunit as u
import numpy as np
from matplotlib.figure import Figure

import braingraph as bg
from braingraph import edges, nodes, observers

SPEED = 5 * u.mm / u.ms


def resting_state(connectome: bg.Connectome) -> bg.Graph:
    """The network: a cortex, its noise, and what a scanner would see of it."""
    n = connectome.regions
    wiring = connectome.normalised("rows")
    g = bg.Graph()
    cortex = g.add_node("cortex", nodes.HopfStep(n, a=-0.005, w=0.0628), labels=wiring.labels)
    g.add_edge(
        cortex.x,
        cortex.x_inp,
        edges.DiffusiveCoupling(conn=wiring.weights, k=0.3),
        delay=wiring.lengths / SPEED,
        name="long_range",
    )
    for axis in ("x", "y"):
        noise = g.add_node(f"noise_{axis}", nodes.WhiteNoise(n, sigma=0.02))
        g.add_edge(noise, f"cortex.{axis}_inp")
    bold = g.add_node("bold", observers.BOLDSignal(n), labels=wiring.labels)
    g.add_edge(cortex.x, bold.z)
    return g


def likeness(functional: Any, structural: Any) -> float:
    """How well the pairs of regions that are wired are the ones that correlate."""
    pairs = np.triu_indices(len(structural), 1)
    symmetric = (structural + structural.T) / 2
    return float(np.corrcoef(functional[pairs], symmetric[pairs])[0, 1])


def draw(connectome: bg.Connectome, run: Any, fc: Any, path: Path) -> None:
    """The connectome, a stretch of signal, the BOLD signal, and the correlations."""
    figure = Figure(figsize=(11, 8), layout="constrained")
    (wires, waves), (scan, links) = figure.subplots(2, 2)
    image = wires.imshow(connectome.weights, cmap="viridis")
    wires.set(title="Connectome", xlabel="source region", ylabel="target region")
    figure.colorbar(image, ax=wires, label="weight")

    stretch = run["cortex.x"][:200, ::13].load()
    apart = 6 * float(stretch.std())
    for k, region in enumerate(stretch["cortex"].values):
        waves.plot(stretch["time"] / 1000, stretch[:, k] + k * apart, lw=0.8, color="tab:blue")
        waves.text(stretch["time"][0] / 1000, (k + 0.35) * apart, region, fontsize=7)
    waves.set(title="Cortex, 2 s of six regions", xlabel="time (s)", yticks=[])

    bold = run["bold.bold"].load() * 100
    seconds = bold[bold.dims[0]].values / 1000
    most = float(np.abs(bold).max())
    image = scan.imshow(
        bold.T,
        aspect="auto",
        cmap="RdBu_r",
        vmin=-most,
        vmax=most,
        extent=(seconds[0], seconds[-1], bold.shape[1], 0),
        interpolation="none",
    )
    scan.set(title="BOLD", xlabel="time (s)", ylabel="region")
    figure.colorbar(image, ax=scan, label="signal change (%)")

    others = np.where(np.eye(len(fc), dtype=bool), np.nan, fc)
    most = float(np.nanmax(np.abs(others)))
    image = links.imshow(others, cmap="RdBu_r", vmin=-most, vmax=most)
    links.set(title="Functional connectivity of BOLD", xlabel="region", ylabel="region")
    figure.colorbar(image, ax=links, label="correlation")
    figure.savefig(path, dpi=130)


def main(
    minutes: float = 5.0, store: str = "rest.zarr", figure: str = "resting_state.png"
) -> dict[str, float]:
    """The whole job; returns the numbers it prints."""
    connectome = bg.load_connectome("tvb76").without_self_connections()
    graph = resting_state(connectome)
    print(connectome, graph, sep="\n", end="\n\n")

    seconds = round(60 * minutes)
    settle = max(1, seconds // 15)  # the balloon needs some 20 s to forget its start
    begun = time.perf_counter()
    bg.Simulator(graph, dt=0.1 * u.ms, method="heun", seed=0).run(
        seconds * u.second,
        transient=settle * u.second,
        monitors={"cortex.x": 10 * u.ms, "bold.bold": 0.72 * u.second},
        store=store,
        overwrite=True,
    )
    took = time.perf_counter() - begun
    print(f"{seconds} s of {connectome.regions} regions in {took:.1f} s, streamed to {store}")

    run = bg.open(store)  # lazy: what follows reads the store piece by piece, through Dask
    fast = bg.analysis.functional_connectivity(run["cortex.x"]).values
    slow = bg.analysis.functional_connectivity(run["bold.bold"]).values
    numbers = {
        "samples": run["cortex.x"].shape[0],
        "volumes": run["bold.bold"].shape[0],
        "structure and signal": likeness(fast, connectome.weights),
        "structure and BOLD": likeness(slow, connectome.weights),
    }
    draw(connectome, run, slow, Path(figure))
    print(f"{numbers['samples']} samples of the signal, {numbers['volumes']} volumes of BOLD")
    print("Correlation of functional with structural connectivity:")
    print(f"  signal {numbers['structure and signal']:.2f}")
    print(f"  BOLD   {numbers['structure and BOLD']:.2f}")
    print(f"Figure: {figure}")
    return numbers


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5.0, help="biological time (default 5)")
    parser.add_argument("--store", default="rest.zarr", help="where to stream to")
    parser.add_argument("--figure", default="resting_state.png")
    given = parser.parse_args()
    main(given.minutes, given.store, given.figure)
