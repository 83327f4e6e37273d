"""What made a dataset: recorded with it, and used to know a program again."""

from __future__ import annotations

import datetime
import platform
import socket
import sys
from importlib import metadata
from typing import TYPE_CHECKING, Any

import jax

from braingraph.compiler.plan import Program

if TYPE_CHECKING:
    from braingraph.graph import Graph
    from braingraph.simulator import Simulator

PACKAGES = ("braingraph-sim", "jax", "jaxlib", "brainunit", "zarr", "dask", "numpy", "xarray")


def attributes(sim: Simulator, graph: Graph, program: Program) -> dict[str, Any]:
    """Step, method, seed, versions and machine, as JSON."""
    return {
        "dt": sim.dt,
        "dt_units": "ms",
        "method": sim.method,
        "seed": sim.seed,
        "block": program.blocks.length,
        "graph": str(graph),
        "versions": {name: _version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "host": socket.gethostname(),
        "backend": jax.default_backend(),
        "devices": [d.device_kind for d in jax.devices()],
        "x64": precision() == "float64",
        "command": sys.argv,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def precision() -> str:
    """The type of a run's numbers."""
    return str(jax.numpy.result_type(float).name)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
