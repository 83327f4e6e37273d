"""Resting state of a large network on many devices and hosts: every process runs this script.

Under SLURM (run.sbatch) and other launchers that JAX knows nothing needs to be said: JAX finds the
other processes by itself. On a laptop, two processes of two devices each: ./local.sh

Results do not depend on the number of devices and processes.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import brainunit as u
import jax
import numpy as np
from jax.sharding import Mesh

import braingraph as bg
from braingraph import edges, nodes, observers

SPEED = 5 * u.mm / u.ms
#: Of every synapse. Devices exchange what they sent once in the shortest delay: not every step.
SYNAPSE = 2 * u.ms
MONITORS = {"cortex.x": 10 * u.ms, "bold.bold": 0.5 * u.second}


def wiring(regions: int, density: float = 0.05) -> tuple[Any, Any]:
    """Weights and lengths (mm) between regions on a sphere: near ones are wired, and strongly."""
    rng = np.random.default_rng(0)
    place = rng.normal(size=(regions, 3))
    place *= 70 / np.linalg.norm(place, axis=1, keepdims=True)
    length = np.linalg.norm(place[:, None] - place, axis=-1)
    strength = rng.lognormal(size=length.shape) * np.exp(-length / 40)
    np.fill_diagonal(strength, 0)
    weights = np.where(strength > np.quantile(strength, 1 - density), strength, 0)
    return weights / np.maximum(weights.sum(1, keepdims=True), 1e-9), length * u.mm


def resting_state(regions: int) -> bg.Graph:
    """Hopf oscillators just below their bifurcation, with noise and BOLD."""
    weights, lengths = wiring(regions)
    g = bg.Graph()
    cortex = g.add_node("cortex", nodes.HopfStep(regions, a=-0.005, w=0.0628))
    noise = g.add_node("noise", nodes.WhiteNoise(regions, sigma=0.02))
    bold = g.add_node("bold", observers.BOLDSignal(regions))
    long_range = edges.DiffusiveCoupling(conn=weights, k=0.3)
    delay = lengths / SPEED + SYNAPSE
    g.add_edge(cortex.x, cortex.x_inp, long_range, delay=delay, name="long_range")
    g.add_edge(noise, cortex.x_inp)
    g.add_edge(cortex.x, bold.z)
    return g


def main(regions: int, seconds: float, store: str) -> None:
    # Before anything else of JAX. A process that is lost without a word is missed after 30 s.
    jax.distributed.initialize(heartbeat_timeout_seconds=30)
    mesh = Mesh(np.array(jax.devices()), ("unit",))  # the devices of all processes
    first = jax.process_index() == 0
    if first:
        print(f"{regions} regions on {jax.device_count()} devices, {jax.process_count()} processes")

    sim = bg.Simulator(resting_state(regions), dt=0.1 * u.ms, seed=0, mesh=mesh)
    begun = time.perf_counter()
    run = sim.run(
        seconds * u.second,
        monitors=MONITORS,
        store=store,  # seen by all machines; each process writes its own regions
        overwrite=True,
    )
    if first:
        print(f"{seconds:g} s in {time.perf_counter() - begun:.1f} s, written to {store}")
        print(f"standard deviation of x: {float(run['cortex.x'].std()):.6g}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--regions", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=10.0, help="biological time")
    parser.add_argument("--store", default="rest.zarr", help="on a file system that all share")
    given = parser.parse_args()
    main(given.regions, given.seconds, given.store)
