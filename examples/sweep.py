"""Where does a brain network echo its wiring? A sweep of two parameters, reduced as it runs.

Noisy Hopf oscillators on the 76-region connectome of The Virtual Brain: for every distance to the
bifurcation (a) and every coupling strength (k), how much the correlations of the activity look like
the connectome. Only the correlations are kept, not the activity.

    python examples/sweep.py                      36 simulations of ten seconds
    python examples/sweep.py --points 12 --seconds 60 --store sweep.zarr
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
from braingraph import edges, nodes
from braingraph.analysis import functional_connectivity


def cortex_and_noise(connectome: bg.Connectome) -> bg.Graph:
    """Oscillators at 10 Hz, coupled with the delays of their tracts, each with its own noise."""
    g, n = bg.Graph(), connectome.regions
    cortex = g.add_node("cortex", nodes.HopfStep(n, w=0.0628), labels=connectome.labels)
    noise = g.add_node("noise", nodes.WhiteNoise(n, sigma=0.02))
    g.add_edge(
        cortex.x,
        cortex.x_inp,
        edges.DiffusiveCoupling(conn=connectome.weights),
        delay=connectome.lengths / (5 * u.mm / u.ms),
        name="long_range",
    )
    g.add_edge(noise, cortex.x_inp)
    return g


def draw(fit: Any, path: Path) -> None:
    """The correlation of function with structure, over both parameters."""
    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axes = figure.subplots()
    image = axes.pcolormesh(fit["long_range.k"], fit["cortex.a"] * 1000, fit, shading="nearest")
    best = fit.isel(fit.argmax(...))
    axes.plot(best["long_range.k"], best["cortex.a"] * 1000, "o", mfc="none", mec="white", ms=12)
    axes.set(
        title="Does function look like structure?",
        xlabel="coupling strength k (1/ms)",
        ylabel="distance to the bifurcation a (1/s)",
    )
    figure.colorbar(image, ax=axes, label="correlation of FC with weights")
    figure.savefig(path, dpi=130)


def main(
    points: int = 6, seconds: float = 10.0, store: str | None = None, figure: str = "sweep.png"
) -> dict[str, float]:
    """The whole job; returns the numbers it prints."""
    connectome = bg.load_connectome("tvb76").without_self_connections().normalised("rows")
    pairs = np.triu_indices(connectome.regions, 1)
    wires = ((connectome.weights + connectome.weights.T) / 2)[pairs]

    def fit(ds: Any) -> float:
        """How well the pairs of regions that are wired are the ones that correlate."""
        fc = functional_connectivity(ds["cortex.x"]).values
        return float(np.corrcoef(fc[pairs], wires)[0, 1])

    sim = bg.Simulator(cortex_and_noise(connectome), dt=0.1 * u.ms, method="heun", seed=0)
    begun = time.perf_counter()
    ds = sim.sweep(
        {
            "cortex.a": np.linspace(-0.03, -0.001, points),
            "long_range.k": np.linspace(0.0, 0.5, points),
        },
        (1 + seconds) * u.second,
        transient=1 * u.second,
        monitors={"cortex.x": 10 * u.ms},
        reduce={"fc": lambda ds: functional_connectivity(ds["cortex.x"]), "fit": fit},
        store=store,
    )
    took = time.perf_counter() - begun
    best = ds["fit"].load().isel(ds["fit"].argmax(...))
    numbers = {
        "simulations": points**2,
        "fit": float(best),
        "a": float(best["cortex.a"]),
        "k": float(best["long_range.k"]),
        "uncoupled": float(np.abs(ds["fit"].sel({"long_range.k": 0.0})).max()),
    }
    draw(ds["fit"], Path(figure))
    print(ds)
    print(f"{numbers['simulations']} simulations of {seconds:g} s in {took:.1f} s")
    print(f"Best: correlation {numbers['fit']:.2f} at a = {numbers['a']:.3f}, k = {numbers['k']:g}")
    print(f"Without coupling at most {numbers['uncoupled']:.2f}. Figure: {figure}")
    return numbers


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=6, help="values of each parameter")
    parser.add_argument("--seconds", type=float, default=10.0, help="biological time of each")
    parser.add_argument("--store", help="keep the results here, and go on where a run stopped")
    parser.add_argument("--figure", default="sweep.png")
    given = parser.parse_args()
    main(given.points, given.seconds, given.store, given.figure)
