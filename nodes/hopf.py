"""The Hopf normal form, and Stuart-Landau."""

from __future__ import annotations

from typing import Any

from braingraph.nodes.planar import XY_Oscillator

CATEGORY = "phenomenological"


class HopfStep(XY_Oscillator):
    """The normal form of a supercritical Hopf bifurcation.

    ::

        x' = (a - beta (x^2 + y^2)) x - w y + x_inp
        y' = (a - beta (x^2 + y^2)) y + w x + y_inp        per ms

    For a > 0: a stable circle of radius sqrt(a / beta) and period 2 pi / w. For a < 0: a focus.

    Parameters
    ----------
    a : 1 / ms, default 0.25
        Distance from the bifurcation: oscillations for a > 0.
    w : rad / ms, default 0.2
        Angular frequency (31.8 Hz).
    beta : 1 / ms, default 1.0
        How fast large amplitudes saturate; they grow without end when it is not positive.

    States ``x``, ``y`` and inputs ``x_inp``, ``y_inp``: see :class:`XY_Oscillator`.

    Source: Deco, Kringelbach, Jirsa & Ritter 2017, Sci Rep 7:3095; with beta = 1 TVB's
    ``SupHopf``. Deviation: the defaults of a and w are those of a clear 32 Hz oscillation, not
    the paper's, which are fitted per region.

    >>> import brainunit as u
    >>> import braingraph as bg
    >>> from braingraph import nodes
    >>> ds = bg.Simulator(nodes.HopfStep(1, a=0.25), dt=0.1 * u.ms).run(100 * u.ms)
    >>> print(f"radius {float((ds.x**2 + ds.y**2)[-1, 0]) ** 0.5:.3f}")
    radius 0.500
    """

    a: float = 0.25
    w: float = 0.2
    beta: float = 1.0

    def flow(self, x: Any, y: Any) -> tuple[Any, Any]:
        return _normal_form(x, y, self.a - self.beta * (x * x + y * y), self.w)


class StuartLandauStep(XY_Oscillator):
    """The Stuart-Landau oscillator z' = (a + i w) z - |z|^2 z, with z = x + i y.

    ::

        x' = (a - x^2 - y^2) x - w y + x_inp
        y' = (a - x^2 - y^2) y + w x + y_inp        per ms

    Parameters
    ----------
    a : 1 / ms, default 0.25
        Growth rate at the origin: oscillations of radius sqrt(a) for a > 0.
    w : rad / ms, default 0.2
        Angular frequency.

    States ``x``, ``y`` and inputs ``x_inp``, ``y_inp``: see :class:`XY_Oscillator`.

    Source: Landau 1944; Stuart 1960, J Fluid Mech 9:353. The same as :class:`HopfStep` with
    beta = 1.

    >>> import brainunit as u
    >>> from braingraph import nodes
    >>> model = nodes.StuartLandauStep(1, a=0.25, init_x=0.5, init_y=0.0)  # on the circle
    >>> state, out = model.update(model.init_state(), dt=0.1 * u.ms, method="rk4")
    >>> print(f"{float(state.x[0]):.4f}, {float(state.y[0]):.4f}")  # 0.02 rad further
    0.4999, 0.0100
    """

    a: float = 0.25
    w: float = 0.2

    def flow(self, x: Any, y: Any) -> tuple[Any, Any]:
        return _normal_form(x, y, self.a - (x * x + y * y), self.w)


def _normal_form(x: Any, y: Any, growth: Any, w: Any) -> tuple[Any, Any]:
    return growth * x - w * y, growth * y + w * x
