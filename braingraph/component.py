"""What a vertex or an edge is made of: parameters, states, inputs and outputs in a class body.

A class body is the model's card::

    class Relaxation(Node):
        tau: Quantity = 10.0 * u.ms      # annotated: a parameter, in the unit of its default
        x = State(0.1)                   # not annotated: a signal
        x_inp = Input()

        def derivative(self, s, i):      # quantities inside; returns exactly the states
            return {"x": (i.x_inp - s.x) / self.tau}

The class is checked once, when it is defined. Instances never change: ``model.replace(tau=...)``
gives another one, and a graph holds copies. Models import everything they need from here.
"""

from braingraph.coupling import Coupling, InternalEdge
from braingraph.declarations import (
    Input,
    Output,
    ParameterSpec,
    Signal,
    Signals,
    StandardNormal,
    State,
    parameter,
)
from braingraph.node import Node, Observer, Size
from braingraph.parameters import Component

_Signal = Signal

__all__ = [
    "Component",
    "Coupling",
    "Input",
    "InternalEdge",
    "Node",
    "Observer",
    "Output",
    "ParameterSpec",
    "Signal",
    "Signals",
    "Size",
    "StandardNormal",
    "State",
    "parameter",
]
