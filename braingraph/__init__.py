"""braingraph: dataflow graphs of brain populations, compiled to one JAX scan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import braingraph.accessor  # noqa: F401  (ds.braingraph)
from braingraph import analysis, edges, nodes, observers
from braingraph.archive import archive
from braingraph.axes import paired
from braingraph.component import (
    Coupling,
    Input,
    InternalEdge,
    Node,
    Observer,
    Output,
    Signals,
    StandardNormal,
    State,
    parameter,
)
from braingraph.connectome import Connectome, load_connectome
from braingraph.errors import (
    AlgebraicLoopError,
    BraingraphError,
    ClockError,
    DelayError,
    DivergenceError,
    GraphError,
    ModelError,
    ParameterError,
    PortError,
    RunError,
    ShapeError,
    StoreError,
    UnitError,
    WeightError,
)
from braingraph.graph import Graph
from braingraph.monitors import Record
from braingraph.places import place
from braingraph.ports import Port
from braingraph.random import Normal, Uniform
from braingraph.resume import rerun
from braingraph.simulator import Simulator
from braingraph.store import open_run as open

if TYPE_CHECKING:
    from braingraph.catalogue import Catalogue

__all__ = [
    "AlgebraicLoopError",
    "BraingraphError",
    "ClockError",
    "Connectome",
    "Coupling",
    "DelayError",
    "DivergenceError",
    "Graph",
    "GraphError",
    "Input",
    "InternalEdge",
    "ModelError",
    "Node",
    "Normal",
    "Observer",
    "Output",
    "ParameterError",
    "Port",
    "PortError",
    "Record",
    "RunError",
    "ShapeError",
    "Signals",
    "Simulator",
    "StandardNormal",
    "State",
    "StoreError",
    "Uniform",
    "UnitError",
    "WeightError",
    "analysis",
    "archive",
    "edges",
    "list_models",
    "load_connectome",
    "nodes",
    "observers",
    "open",
    "paired",
    "parameter",
    "place",
    "rerun",
]


def list_models(category: str | None = None) -> Catalogue:
    """Every model of the library: name, category, states, inputs, outputs and source.

    A table that prints itself; iterate over it, or take an entry by name. What it says is read
    off the classes and their docstrings. ``print(nodes.HopfStep)`` shows the card of one class.

    Parameters
    ----------
    category : str, optional
        Only the models of this category.

    Errors
    ------
    ParameterError
        There is no such category, or no model of the name asked for.

    >>> import braingraph as bg
    >>> noise = bg.list_models(category="noise")
    >>> noise["OUProcess"].states, noise["WhiteNoise"].outputs
    (('x',), ('out',))
    >>> bg.list_models()["JansenRitStep"].inputs
    ('p', 'M_inp', 'E_inp', 'I_inp')
    """
    from braingraph.catalogue import catalogue

    models = catalogue((nodes, edges, observers))
    return models if category is None else models.of(category)
