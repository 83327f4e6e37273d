"""What made a dataset: recorded with it, and used to know a program again."""

from __future__ import annotations

import datetime
import hashlib
import platform
import socket
import sys
from importlib import metadata
from typing import TYPE_CHECKING, Any

import jax

from braingraph.compiler.plan import Program
from braingraph.doctor import kind

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
        "x64": jax.numpy.result_type(float).name == "float64",
        "command": sys.argv,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def structure(program: Program) -> str:
    """A digest of all that decides the compiled code: equal programs share one compilation."""
    digest = hashlib.sha256()

    def add(*items: Any) -> None:
        digest.update(repr(items).encode())

    add(program.dt, program.method, program.blocks.length, program.live)
    for g in program.groups:
        add(kind(g.model), g.paths, g.sizes, g.every)
        add([program.flat.vertices[p].in_size for p in g.paths])
        add(
            {
                k: getattr(v, "shape", ())
                for k, v in g.model.arrays().items()
                if g.model._specs[k].free
            }
        )
    for b in program.bundles:
        add(kind(b.coupling.with_values(conn=None)), b.source, b.target, b.paired)
        add([e.interpolation for e in b.edges], [e.coupling.conn is None for e in b.edges])
        for array in (b.row_target, b.row_edge, b.entries.row, b.entries.source, b.entries.edge):
            digest.update(array.tobytes())
        digest.update(b.entries.at.tobytes() + b.entries.delay.tobytes())
        add([(p.transport, p.layout, p.uniform, p.aligned, len(p.entries)) for p in b.parts])
    add(program.order)
    return digest.hexdigest()
