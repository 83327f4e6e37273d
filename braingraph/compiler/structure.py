"""When two programs compile to the same code: then other values need no compilation."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from braingraph.doctor import kind

if TYPE_CHECKING:
    from braingraph.compiler.plan import Program


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
        e = b.entries
        for array in (b.row_target, b.row_edge, e.row, e.source, e.edge, e.at, e.delay):
            digest.update(np.ascontiguousarray(array).data)
        add([(p.transport, p.layout, p.uniform, p.aligned, len(p.entries)) for p in b.parts])
    add(program.order)
    return digest.hexdigest()
