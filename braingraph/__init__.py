"""braingraph: dataflow graphs of brain populations, compiled to one JAX scan."""

from braingraph import analysis, edges, nodes, observers
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
from braingraph.ports import Port
from braingraph.random import Normal, Uniform
from braingraph.simulator import Simulator
from braingraph.store import open_run as open

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
    "edges",
    "load_connectome",
    "nodes",
    "observers",
    "open",
    "paired",
    "parameter",
]
