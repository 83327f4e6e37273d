"""Planar oscillators in (x, y): the shared base, the Hopf normal form, Stuart-Landau."""

from __future__ import annotations

from typing import Any

from braingraph.component import Input, Node, State
from braingraph.errors import ModelError
from braingraph.random import Uniform


class XY_Oscillator(Node):
    """Base of planar oscillators: two states, and inputs that are added to their derivatives.

    ::

        x' = f(x, y) + x_inp
        y' = g(x, y) + y_inp        per ms

    Subclasses declare ``flow(self, x, y)``, which returns (f, g).

    States ``x``, ``y`` and inputs ``x_inp``, ``y_inp``: dimensionless, shape ``(unit,)``. The
    states start at random in [0, 0.05), off the fixed point at the origin, which they would
    never leave.
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
        How fast large amplitudes saturate.

    States ``x``, ``y`` and inputs ``x_inp``, ``y_inp``: see :class:`XY_Oscillator`.

    Source: Deco, Kringelbach, Jirsa & Ritter 2017, Sci Rep 7:3095; with beta = 1 TVB's
    ``SupHopf``. Deviation: the defaults of a and w are those of a clear 32 Hz oscillation, not
    the paper's, which are fitted per region.
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
    """

    a: float = 0.25
    w: float = 0.2

    def flow(self, x: Any, y: Any) -> tuple[Any, Any]:
        return _normal_form(x, y, self.a - (x * x + y * y), self.w)


def _normal_form(x: Any, y: Any, growth: Any, w: Any) -> tuple[Any, Any]:
    return growth * x - w * y, growth * y + w * x
