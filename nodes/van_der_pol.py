"""The Van der Pol oscillator."""

from __future__ import annotations

from typing import Any

from braingraph.component import parameter
from braingraph.nodes.planar import XY_Oscillator

CATEGORY = "phenomenological"


class VanDerPolStep(XY_Oscillator):
    """The Van der Pol oscillator x'' - mu (1 - x^2) x' + x = 0, in Lienard's plane.

    ::

        x' = mu (x - x^3 / 3 - y) + x_inp
        y' = x / mu               + y_inp        per ms

    With y = x - x^3 / 3 - x' / mu. Every mu > 0 has a stable limit cycle with x between about -2
    and 2: nearly a circle of period 2 pi for small mu, jumps between slow branches (period about
    1.61 mu) for large mu.

    Parameters
    ----------
    mu : 1 / ms, default 1.0
        Damping at the origin, negative, and at large amplitudes, positive; above 0.

    States ``x``, ``y`` and inputs ``x_inp``, ``y_inp``: see :class:`XY_Oscillator`.

    Errors
    ------
    ParameterError
        ``mu`` is not positive.

    Source: van der Pol 1926, Phil Mag 2:978; Lienard 1928. The time of the papers is without
    unit; here 1 is 1 ms.

    >>> import brainunit as u
    >>> import braingraph as bg
    >>> from braingraph import nodes
    >>> ds = bg.Simulator(nodes.VanDerPolStep(1, mu=1.0), dt=0.01 * u.ms).run(40 * u.ms)
    >>> print(f"x reaches {float(ds.x[2000:].max()):.2f}")
    x reaches 2.01
    """

    mu: float = parameter(1.0, positive=True)

    def flow(self, x: Any, y: Any) -> tuple[Any, Any]:
        return self.mu * (x - x * x * x / 3 - y), x / self.mu
