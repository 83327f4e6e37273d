"""The base of nodes whose units hear one another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from braingraph.component import InternalEdge, Node, Size
from braingraph.errors import ModelError, ShapeError

CATEGORY = "building block"


class RecurrentNode(Node):
    """Base of composite nodes: units, and one edge among them.

    Subclasses declare ``recurrence(self)``, which returns that edge, and list in ``inside`` which
    of their parameters are the edge's: they are addressed as the node's, but live in its coupling.
    A parameter ``delay`` is the edge's too.

    Source: ours.
    """

    #: The coupling's name of a parameter -> the node's.
    inside: ClassVar[Mapping[str, str]] = {}
    _edge: InternalEdge

    def __init__(self, in_size: Size, *, dt: Any = None, **given: Any) -> None:
        super().__init__(in_size, dt=dt, **given)
        self.__dict__["_edge"] = self.recurrence()

    def recurrence(self) -> InternalEdge:
        """The edge inside."""
        raise ModelError(f"{type(self).__name__} declares no recurrence(self).")

    def weights(self, name: str) -> Any:
        """The weights in a parameter, once they are one number or fit the units."""
        value = getattr(self, name)
        shape, needed = np.shape(value), (self.size, self.size)
        if shape not in ((), needed):
            raise ShapeError(
                f"{type(self).__name__}.{name} has shape {shape}, but must be {needed}: "
                "[target, source].",
                given=shape,
                needed=needed,
            )
        return value

    def per_target(self, name: str) -> Any:
        """A parameter as the edge takes it: one number, or one per unit side by side."""
        value = getattr(self, name)
        return value if np.ndim(value) == 0 else np.broadcast_to(value, self.in_size).reshape(-1)

    def arrays(self) -> dict[str, Any]:
        """The parameters of the units; those of the edge live in :meth:`internal_edges`."""
        of_edge = {"delay", *self.inside.values()}
        return {k: v for k, v in super().arrays().items() if k not in of_edge}

    def internal_edges(self) -> list[InternalEdge]:
        return [self._edge]
