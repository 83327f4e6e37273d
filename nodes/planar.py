"""The shared base of planar oscillators in (x, y)."""

from __future__ import annotations

from typing import Any

from braingraph.component import Input, Node, State
from braingraph.errors import ModelError
from braingraph.random import Uniform

CATEGORY = "phenomenological"


class XY_Oscillator(Node):
    """Base of planar oscillators: two states, and inputs that are added to their derivatives.

    ::

        x' = f(x, y) + x_inp
        y' = g(x, y) + y_inp        per ms

    Subclasses declare ``flow(self, x, y)``, which returns (f, g).

    States ``x``, ``y`` and inputs ``x_inp``, ``y_inp``: dimensionless, shape ``(unit,)``. The
    states start at random in [0, 0.05), off the fixed point at the origin, which they would
    never leave.

    Errors
    ------
    ModelError
        A class without ``flow`` is added to a graph: this base itself, for instance.

    Source: ours, of that name in brainmass; those of the oscillators are theirs.

    >>> import braingraph as bg
    >>> class Rotation(XY_Oscillator):
    ...     w: float = 0.2
    ...
    ...     def flow(self, x, y):
    ...         return -self.w * y, self.w * x
    >>> bg.Graph().add_node("r", Rotation(3))
    Rotation(3) at 'r'
    """

    x = State(Uniform(0.0, 0.05))
    y = State(Uniform(0.0, 0.05))
    x_inp = Input()
    y_inp = Input()

    def flow(self, x: Any, y: Any) -> tuple[Any, Any]:
        """The vector field of the isolated oscillator, per ms."""
        raise ModelError(
            f"{type(self).__name__} declares no flow(x, y): use one of its subclasses, as "
            "nodes.HopfStep."
        )

    def derivative(self, s: Any, i: Any) -> dict[str, Any]:
        dx, dy = self.flow(s.x, s.y)
        return {"x": dx + i.x_inp, "y": dy + i.y_inp}
