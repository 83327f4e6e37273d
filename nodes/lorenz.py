"""The Lorenz flow."""

from __future__ import annotations

from typing import Any

from braingraph.component import Input, Node, State

CATEGORY = "phenomenological"


class LorenzStep(Node):
    """The Lorenz equations: the classic chaotic flow.

    ::

        x' = sigma (y - x)     + x_inp
        y' = x (rho - z) - y   + y_inp
        z' = x y - beta z      + z_inp        per ms

    With the defaults chaotic (largest Lyapunov exponent 0.906 per ms), about the fixed points
    (+-sqrt(beta (rho - 1)), +-sqrt(beta (rho - 1)), rho - 1). Take dt = 0.01 ms; at 1 ms it
    diverges. Runs that differ by rounding part after about 20 ms in float32, 40 ms in float64.

    Parameters
    ----------
    sigma : 1 / ms, default 10.0
        Prandtl number.
    rho : 1, default 28.0
        Rayleigh number over its critical value.
    beta : 1 / ms, default 8 / 3
        Aspect ratio of the convection rolls.

    States ``x``, ``y``, ``z`` (start at 1) and inputs ``x_inp``, ``y_inp``, ``z_inp``:
    dimensionless, shape ``(unit,)``.

    Source: Lorenz 1963, J Atmos Sci 20:130, eqs. 25-27 (r and b there). The paper's time is
    without unit; here 1 is 1 ms.

    >>> import brainunit as u
    >>> import braingraph as bg
    >>> from braingraph import nodes
    >>> sim = bg.Simulator(nodes.LorenzStep(1), dt=0.01 * u.ms, method="rk4")
    >>> ds = sim.run(1 * u.ms)
    >>> print(", ".join(f"{float(ds[k][-1, 0]):.2f}" for k in "xyz"))
    -9.38, -8.36, 29.36
    """

    sigma: float = 10.0
    rho: float = 28.0
    beta: float = 8.0 / 3.0

    x = State(1.0)
    y = State(1.0)
    z = State(1.0)
    x_inp = Input()
    y_inp = Input()
    z_inp = Input()

    def derivative(self, s: Any, i: Any) -> dict[str, Any]:
        return {
            "x": self.sigma * (s.y - s.x) + i.x_inp,
            "y": s.x * (self.rho - s.z) - s.y + i.y_inp,
            "z": s.x * s.y - self.beta * s.z + i.z_inp,
        }
