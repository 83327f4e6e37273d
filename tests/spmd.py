"""A run of several processes, as a script: ``python spmd.py STORE HEARTBEAT [FULL | resume]``.

Connected as under SLURM, by variables of the environment. ``FULL``: the rank for which the disk
is full after its first commit. ``resume``: go on with the run in the store.
"""

from __future__ import annotations

import errno
import sys
from typing import Any
from unittest.mock import patch

import brainunit as u
import jax
import numpy as np
import zarr
from jax.sharding import Mesh

import braingraph as bg
from braingraph import edges, nodes


def network() -> bg.Graph:
    """Unlike regions with noise and delays; 23 do not divide by anything."""
    rng = np.random.default_rng(3)
    n = 23
    g = bg.Graph()
    cortex = g.add_node("cortex", nodes.HopfStep(n, a=rng.uniform(-0.1, 0.1, n), w=0.25))
    noise = g.add_node("noise", nodes.WhiteNoise(n, sigma=0.02))
    coupling = edges.DiffusiveCoupling(conn=rng.random((n, n)), k=0.02)
    g.add_edge(cortex.x, cortex.x_inp, coupling, delay=rng.uniform(10, 20, (n, n)) * u.ms)
    g.add_edge(noise, cortex.x_inp)
    return g


def simulator(mesh: Mesh | None) -> bg.Simulator:
    return bg.Simulator(network(), dt=0.1 * u.ms, seed=5, mesh=mesh)


def simulate(mesh: Mesh | None, **options: Any) -> Any:
    monitors = {"cortex.x": 1 * u.ms}
    return simulator(mesh).run(10 * u.second, monitors=monitors, progress=False, **options)


def main(store: str, heartbeat: str, full: str = "") -> None:
    jax.distributed.initialize(heartbeat_timeout_seconds=int(heartbeat))
    write, marks = zarr.storage.LocalStore.set, list[str]()

    async def failing(self: Any, key: str, value: Any) -> None:
        if "data/c" in key and marks:
            raise OSError(errno.ENOSPC, "simulated")
        await write(self, key, value)
        if "commit/" in key:
            marks.append(key)

    mesh = Mesh(np.array(jax.devices()), ("unit",))
    if full == "resume":
        simulator(mesh).resume(store, progress=False)
        return
    mine = full == str(jax.process_index())
    with patch.object(zarr.storage.LocalStore, "set", failing if mine else write):
        simulate(mesh, store=store)


if __name__ == "__main__":
    main(*sys.argv[1:])
