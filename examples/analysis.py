"""A recording on disk, analysed without loading it: states, rhythms, synchrony, BOLD, seizures.

A noisy network of Hopf oscillators on the 76-region connectome of The Virtual Brain is streamed to
a store, opened lazily and measured; beside it, an epileptic node whose seizures are found and
counted.

    python examples/analysis.py                half a minute of biological time
    python examples/analysis.py --seconds 120 --store analysis.zarr
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import brainunit as u
from matplotlib.figure import Figure

import braingraph as bg
from braingraph import analysis, edges, nodes
from braingraph.analysis import plots


def network(connectome: bg.Connectome) -> bg.Graph:
    """Oscillators at 10 Hz below their bifurcation, coupled with the delays of their tracts."""
    n = connectome.regions
    g = bg.Graph()
    cortex = g.add_node("cortex", nodes.HopfStep(n, a=-0.005, w=0.0628), labels=connectome.labels)
    noise = g.add_node("noise", nodes.WhiteNoise(n, sigma=0.02))
    long_range = edges.DiffusiveCoupling(conn=connectome.weights, k=0.1)
    delay = connectome.lengths / (5 * u.mm / u.ms)
    g.add_edge(cortex.x, cortex.x_inp, long_range, delay=delay, name="long_range")
    g.add_edge(noise, cortex.x_inp)
    return g


def seizures() -> tuple[Any, Any]:
    """The local field potential of three nodes, more and less epileptic, and its seizures."""
    model = nodes.EpileptorStep(3, x0=[-1.6, -1.8, -2.4])
    ds = bg.Simulator(model, dt=0.1 * u.ms).run(
        12 * u.second, monitors={"lfp": bg.Record(lambda m: m.lfp(), every=1 * u.ms)}
    )
    lfp = -ds["lfp"]  # its spikes point down
    table = analysis.events(lfp, 0.5, bridge=500 * u.ms, shortest=200 * u.ms)
    return lfp, table


def main(
    seconds: float = 30.0, store: str | None = None, figure: str = "analysis.png"
) -> dict[str, float]:
    """The whole job; returns the numbers it prints."""
    connectome = bg.load_connectome("tvb76").without_self_connections().normalised("rows")
    with tempfile.TemporaryDirectory() as folder:
        path = store or f"{folder}/analysis.zarr"
        sim = bg.Simulator(network(connectome), dt=0.1 * u.ms, seed=0)
        monitors = {
            "cortex.x": 5 * u.ms,
            "cortex.y": 5 * u.ms,
            "activity": bg.Record("cortex.x", every=10 * u.ms, reduce="mean"),
        }
        duration = (2 + seconds) * u.second
        sim.run(duration, transient=2 * u.second, monitors=monitors, store=path, overwrite=True)

        ds = bg.open(path)  # lazy, and so is all that follows, until it is drawn
        x = ds["cortex.x"]
        fc = analysis.functional_connectivity(x).load()
        fcd = analysis.fc_dynamics(x, 2 * u.second, 0.5 * u.second).load()
        power = analysis.power_spectrum(x, 1 * u.second).load()
        phases = analysis.phase(x, margin=2 * u.second)
        bold = analysis.bold(ds["activity"], 0.72 * u.second).load()
        lfp, table = seizures()
        wiring = fc.copy(data=(connectome.weights + connectome.weights.T) / 2)
        numbers = {
            "rhythm": float(analysis.peak_frequency(power).median()),
            "synchrony": float(analysis.synchrony(phases)),
            "metastability": float(analysis.metastability(phases)),
            "structure and function": float(analysis.fc_correlation(fc, wiring)),
            "volumes": bold.shape[0],
            "seizures": int(table["count"][0]),
            "of the healthy node": int(table["count"][-1]),
        }
        sheet = Figure(figsize=(13, 10), layout="constrained")
        axes = sheet.subplots(3, 3)
        plots.timeseries(x[:400, :8], axes[0, 0])
        plots.connectivity(fc, axes[0, 1])
        plots.fcd(fcd, axes[0, 2])
        plots.spectrum(power, axes[1, 0])
        plots.phase_portrait(x[:400, :2], ds["cortex.y"][:400, :2], axes[1, 1])
        plots.timeseries(analysis.order_parameter(phases)[:2000], axes[1, 2])
        plots.timeseries(bold[:, :8], axes[2, 0])
        plots.timeseries(lfp, axes[2, 1])
        plots.raster(table, axes[2, 2])
        sheet.savefig(Path(figure), dpi=110)
    print(*(f"{name}: {value:.3g}" for name, value in numbers.items()), sep="\n")
    print(f"Figure: {figure}")
    return numbers


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30.0, help="biological time (default 30)")
    parser.add_argument("--store", help="keep the recording here")
    parser.add_argument("--figure", default="analysis.png")
    given = parser.parse_args()
    main(given.seconds, given.store, given.figure)
