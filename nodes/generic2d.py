"""The generic planar oscillator."""

from __future__ import annotations

from typing import Any

from braingraph.component import Input, Node, State, parameter

CATEGORY = "phenomenological"


class Generic2dOscillatorStep(Node):
    """A planar system whose nullclines are polynomials: excitable, bistable or oscillating.

    ::

        V' = d tau (-f V^3 + e V^2 + g V + alpha W + gamma I + gamma V_inp) + n_V
        W' = (d / tau) (a + b V + c V^2 - beta W) + n_W                            per ms

    With the defaults it is excitable, with its rest, a stable focus, at (-0.18865, -0.11348).
    TVB's regimes: bistable nullclines (a=1, b=0, c=-5, d=0.02), where a node and a limit cycle of
    932 ms stand side by side; like Morris-Lecar (a=0.5, b=0.6, c=-4, d=0.02).

    Parameters
    ----------
    tau : 1, default 1.0
        How much slower W is than V; above 0.
    I : 1, default 0.0
        Constant input.
    a, b, c : 1, default -2.0, -10.0, 0.0
        Offset, linear and quadratic coefficient of W's nullcline.
    d : 1 / ms, default 0.02
        Speed of both variables.
    e, f, g : 1, default 3.0, 1.0, 0.0
        Quadratic, cubic (sign turned) and linear coefficient of V's nullcline.
    alpha, beta, gamma : 1, default 1.0, 1.0, 1.0
        Weight of W in V, relaxation of W, and weight of all input.

    States ``V`` and ``W`` (start at 0), dimensionless, shape ``(unit,)``.

    Inputs, dimensionless, shape ``(unit,)``: ``V_inp``, the network's, inside the bracket;
    ``n_V``, ``n_W`` (per ms), added to the derivatives, for noise.

    Errors
    ------
    ParameterError
        ``tau`` is not positive.

    Source: Sanz-Leon, Knock, Spiegler & Jirsa 2015, NeuroImage 111:385, the generic
    two-dimensional oscillator; TVB's ``Generic2dOscillator``. Deviation: TVB's coupling within a
    surface (``local_coupling``) is an edge here.

    >>> import brainunit as u
    >>> import braingraph as bg
    >>> from braingraph import nodes
    >>> model = nodes.Generic2dOscillatorStep(1)
    >>> ds = bg.Simulator(model, dt=1 * u.ms).run(2 * u.second, monitors=["V", "W"])
    >>> print(f"rest at ({float(ds.V[-1, 0]):.5f}, {float(ds.W[-1, 0]):.5f})")
    rest at (-0.18865, -0.11348)
    """

    tau: float = parameter(1.0, positive=True)
    I: float = 0.0  # noqa: E741  (the paper's name)
    a: float = -2.0
    b: float = -10.0
    c: float = 0.0
    d: float = 0.02
    e: float = 3.0
    f: float = 1.0
    g: float = 0.0
    alpha: float = 1.0
    beta: float = 1.0
    gamma: float = 1.0

    V = State(0.0)
    W = State(0.0)
    V_inp = Input()
    n_V = Input(state="V")
    n_W = Input(state="W")

    def derivative(self, s: Any, i: Any) -> dict[str, Any]:
        V, W = s.V, s.W
        cubic = V * (self.g + V * (self.e - self.f * V))
        quadratic = self.a + V * (self.b + self.c * V)
        drive = self.gamma * (self.I + i.V_inp)
        return {
            "V": self.d * self.tau * (cubic + self.alpha * W + drive) + i.n_V,
            "W": self.d / self.tau * (quadratic - self.beta * W) + i.n_W,
        }
