"""The damped linear node."""

from __future__ import annotations

from typing import Any

from braingraph.component import Input, Node, State


class LinearStep(Node):
    """A damped linear node.

    ::

        x' = gamma x + x_inp        per ms

    Parameters
    ----------
    gamma : 1 / ms, default -10.0
        Relaxation rate; stable when negative.

    State ``x`` (starts at 0.01) and input ``x_inp``: dimensionless, shape ``(unit,)``.

    Source: TVB's ``Linear``.
    """

    gamma: float = -10.0
    x = State(0.01)
    x_inp = Input()

    def derivative(self, s: Any, i: Any) -> dict[str, Any]:
        return {"x": self.gamma * s.x + i.x_inp}
