"""The damped linear node."""

from __future__ import annotations

from typing import Any

from braingraph.component import Input, Node, State

CATEGORY = "phenomenological"


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

    >>> import brainunit as u
    >>> from braingraph import nodes
    >>> model = nodes.LinearStep(1, gamma=-10.0, init_x=1.0)
    >>> state, out = model.update(model.init_state(), dt=0.1 * u.ms, method="exp_euler")
    >>> print(f"{float(state.x[0]):.4f}")  # exp(-1): this method is exact here
    0.3679
    """

    gamma: float = -10.0
    x = State(0.01)
    x_inp = Input()

    def derivative(self, s: Any, i: Any) -> dict[str, Any]:
        return {"x": self.gamma * s.x + i.x_inp}
