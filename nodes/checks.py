"""Where a model's parameters may lie."""

from __future__ import annotations

import math

import numpy as np

from braingraph.component import Node
from braingraph.errors import ParameterError


def within(model: Node, name: str, low: float, high: float, why: str = "") -> None:
    """ParameterError, with the worst value, unless a plain parameter lies in [low, high]."""
    values = np.asarray(getattr(model, name))
    worst = values.min() if values.min() < low else values.max()
    if low <= worst <= high:
        return
    ends = [f"at least {low:g}"] * (low > -math.inf) + [f"at most {high:g}"] * (high < math.inf)
    raise ParameterError(
        f"{type(model).__name__}.{name} must be {' and '.join(ends)}, but holds {worst:g}"
        f"{f': {why}' if why else '.'}",
        parameter=name,
    )
