"""What arrives, passed on."""

from __future__ import annotations

from typing import Any

from braingraph.component import Input, Node, Output

CATEGORY = "building block"


class Relay(Node):
    """A place where edges meet: it passes on the sum of what arrives, in the same step.

    ::

        out = inp

    Input ``inp`` and output ``out``: dimensionless, shape ``(unit,)``. There are no parameters
    and no states.

    Source: ours.

    >>> import braingraph as bg
    >>> from braingraph import nodes
    >>> g = bg.Graph()
    >>> meeting = g.add_node("meeting", nodes.Relay(2))
    >>> for name in ("left", "right"):
    ...     side = g.add_node(name, nodes.LinearStep(2))
    ...     _ = g.add_edge(side.x, meeting)
    >>> sorted(edge.source for edge in g.edges.values() if edge.target == "meeting.inp")
    ['left.x', 'right.x']
    """

    inp = Input()

    @Output()
    def out(self, s: Any, i: Any) -> Any:
        """The sum of what arrives."""
        return i.inp
