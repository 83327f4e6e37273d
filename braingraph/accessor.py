"""``ds.braingraph``: what made a dataset that was opened from a store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import xarray as xr

from braingraph.errors import StoreError
from braingraph.graph import Graph
from braingraph.node import Node
from braingraph.places import Place, at
from braingraph.resume import Past
from braingraph.simulator import Simulator


@xr.register_dataset_accessor("braingraph")  # type: ignore[no-untyped-call]
class Accessor:
    """What made a dataset that ``bg.open`` or ``sim.run(store=...)`` gave."""

    def __init__(self, dataset: xr.Dataset) -> None:
        self._dataset = dataset

    @property
    def path(self) -> Place:
        """The store; StoreError for a dataset that comes from none."""
        encoding = self._dataset.encoding
        source = encoding.get("place", encoding.get("source"))
        if source is None:
            raise StoreError(
                "this dataset does not know its store: ask the one that bg.open returned, before "
                "anything was selected or computed from it."
            )
        return at(source)

    def graph(self, given: Mapping[str, Any] | None = None) -> Graph | Node:
        """The graph that was run, with its inputs and parameters; a single node as such.

        ``given``: functions that no module holds, by the path they stand at; the store has only
        their text.
        """
        return Past.read(self.path).graph(given)

    def simulator(self, given: Mapping[str, Any] | None = None) -> Simulator:
        """A simulator of that graph, with the run's dt, method and seed."""
        return Past.read(self.path).simulator(given)

    @property
    def digest(self) -> str:
        """The content hash of the graph: equal for two runs of one graph."""
        return str(Past.read(self.path).asked["graph"])
