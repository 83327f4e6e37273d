"""What a store says of its run besides the samples: what was asked for, and the graph as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from braingraph.describe import Description, describe, describe_records, digest
from braingraph.graph import Graph
from braingraph.provenance import precision

if TYPE_CHECKING:
    from braingraph.session import Session


@dataclass(frozen=True)
class About:
    """``asked``: JSON, all that decides a run's numbers besides its graph."""

    asked: Mapping[str, Any]
    graph: Description


def described(
    session: Session,
    graph: Graph,
    records: Mapping[str, Any],
    inputs: Mapping[Any, Any],
    params: Mapping[Any, Any],
) -> About:
    """What a run's store keeps of it; ``graph`` has the run's inputs and parameters."""
    sim, about = session.sim, describe(graph)
    asked = {
        "steps": session.total,
        "first": session.first,
        "skip": session.skip,
        "batch": session.batch,
        "dt": sim.dt,
        "method": sim.method,
        "seed": sim.seed,
        "dtype": precision(),
        "block": session.compiled.program.blocks.length,
        "single": sim.single,
        "monitors": describe_records(records),
        "graph": digest(about),
        "inputs": [str(path) for path in inputs],
        "params": [str(path) for path in params],
    }
    return About(asked, about)
