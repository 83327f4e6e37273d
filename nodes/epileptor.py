"""The Epileptor: seizures that start and end by themselves, with six variables and with two."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from braingraph.component import Input, Node, Output, Size, State, parameter
from braingraph.nodes.checks import within
from braingraph.nodes.transfer import potential_to_rate

CATEGORY = "physiological"


class EpileptorBase(Node):
    """Base of the models: the parameters of the first population, and the slow permittivity.

    Subclasses declare the states, in the order of the papers, among them ``x1`` and ``z``, and
    the inputs ``x1_inp`` and ``n1``.
    """

    x0: float = -1.6
    a: float = 1.0
    b: float = 3.0
    c: float = 1.0
    d: float = 5.0
    r: float = parameter(0.00035, positive=True)
    Iext: float = 3.1
    slope: float = 0.0
    Kvf: float = 0.0
    Ks: float = 0.0
    tt: float = parameter(1.0, positive=True)
    modification: float = 0.0

    def __init__(self, in_size: Size, *, dt: Any = None, **given: Any) -> None:
        super().__init__(in_size, dt=dt, **given)
        within(self, "modification", 0.0, 1.0)

    def first(self, s: Any, i: Any, y1: Any, x2: Any) -> Any:
        """x1' of the first population, the noise left out, at ``y1`` and ``x2``."""
        below = s.x1 * (self.b - self.a * s.x1)
        above = self.slope - x2 + 0.6 * (s.z - 4.0) ** 2
        f1 = jnp.where(s.x1 < 0.0, below, above) * s.x1
        return self.tt * (y1 + f1 - s.z + self.Iext + self.Kvf * i.x1_inp)

    def permittivity(self, s: Any, i: Any) -> Any:
        """z'."""
        linear = 4.0 * (s.x1 - self.x0) - jnp.where(s.z < 0.0, 0.1 * s.z**7, 0.0)
        sigmoid = self.x0 + potential_to_rate(s.x1, -0.5, 10.0, 0.0, 3.0)
        h = linear + self.modification * (sigmoid - linear)
        return self.tt * self.r * (h - s.z + self.Ks * i.x1_inp)


class EpileptorStep(EpileptorBase):
    """The Epileptor: fast discharges and spike-and-wave events, switched by a slow variable.

    ::

        x1' = tt (y1 - z + Iext + f1 x1 + Kvf x1_inp) + n1
        y1' = tt (c - d x1^2 - y1)
        z'  = tt r (h - z + Ks x1_inp)
        x2' = tt (-y2 + x2 - x2^3 + Iext2 + bb g - 0.3 (z - 3.5) + Kf x2_inp) + n2
        y2' = tt (-y2 + aa (x2 + 0.25) [x2 >= -0.25]) / tau
        g'  = -0.01 tt (g - 0.1 x1)                                                   per ms
        f1  = -a x1^2 + b x1                  where x1 < 0
              slope - x2 + 0.6 (z - 4)^2      where x1 >= 0
        h   = 4 (x1 - x0) - 0.1 z^7 [z < 0]                 at modification 0
              x0 + 3 / (1 + exp(-10 (x1 + 0.5)))            at modification 1

    With the other defaults, and no input, seizures recur where x0 is above -2.062; a node with a
    lower x0 is silent by itself. Take dt <= 0.05 ms, or RK4: Heun at 0.1 ms is 4 % off the
    period of the seizures.

    Parameters
    ----------
    x0 : 1, default -1.6
        Epileptogenicity.
    a, b, c, d : 1, default 1.0, 3.0, 1.0, 5.0
        Coefficients of the first population.
    r : 1 / ms, default 0.00035
        Rate of the permittivity.
    Iext, Iext2 : 1, default 3.1, 0.45
        Currents into the first and the second population.
    slope : 1, default 0.0
        Linear part of f1 for x1 >= 0.
    tau : ms, default 10.0
        Time constant of y2.
    aa, bb : 1, default 6.0, 2.0
        Steepness of y2, and weight of g in the second population.
    Kvf, Kf, Ks : 1, default 0.0
        Gains of the inputs: fast to the first and the second population, slow to the
        permittivity.
    tt : 1, default 1.0
        Scale of time.
    modification : 1, default 0.0
        How far h is sigmoidal instead of linear, from 0 to 1.

    States, dimensionless, shape ``(unit,)``: ``x1``, ``y1`` (start at -1.5, -10), fast
    discharges; ``z`` (3.5), the permittivity; ``x2``, ``y2`` (-1, 0), spikes and waves; ``g``
    (0), x1 low-pass filtered.

    Inputs, dimensionless, shape ``(unit,)``: ``x1_inp`` and ``x2_inp``, what other nodes send, a
    diffusive coupling of their x1 and x2 in the papers, which acts only where the gains are not
    0; ``n1`` and ``n2``, added to the derivatives of x1 and x2, for noise and stimuli.

    Output ``lfp``, dimensionless: x2 - x1, the local field potential.

    Errors
    ------
    ParameterError
        ``r``, ``tau`` or ``tt`` is not positive, or ``modification`` is not within 0 and 1.

    Source: Jirsa, Stacey, Quilichini, Ivanov & Bernard 2014, Brain 137:2210 (equations and
    parameters); the sigmoidal h and the couplings: Proix, Bartolomei, Chauvel, Bernard & Jirsa
    2014, J Neurosci 34:15009. Right-hand side and defaults as TVB's ``Epileptor``. Deviations:
    g is the filter itself, which the paper writes as an integral, and bb = 2 holds its factor;
    values of ``modification`` between 0 and 1 mix both forms of h.

    >>> import brainunit as u
    >>> import braingraph as bg
    >>> from braingraph import nodes
    >>> sim = bg.Simulator(nodes.EpileptorStep(2, x0=[-1.6, -2.4]), dt=0.05 * u.ms)
    >>> ds = sim.run(3 * u.second, monitors={"lfp": 1 * u.ms}, transient=1 * u.second)
    >>> [f"{float(x):.1f}" for x in ds.lfp.max("time") - ds.lfp.min("time")]  # a seizure, and none
    ['3.8', '0.0']
    """

    Iext2: float = 0.45
    tau: float = parameter(10.0, positive=True)
    aa: float = 6.0
    bb: float = 2.0
    Kf: float = 0.0

    x1 = State(-1.5)
    y1 = State(-10.0)
    z = State(3.5)
    x2 = State(-1.0)
    y2 = State(0.0)
    g = State(0.0)
    x1_inp = Input()
    x2_inp = Input()
    n1 = Input(state="x1")
    n2 = Input(state="x2")

    @Output()
    def lfp(self, s: Any, i: Any) -> Any:
        """The local field potential."""
        return s.x2 - s.x1

    def derivative(self, s: Any, i: Any) -> dict[str, Any]:
        entry = jnp.where(s.x2 >= -0.25, self.aa * (s.x2 + 0.25), 0.0)
        second = s.x2 - s.x2**3 - s.y2 + self.Iext2 + self.bb * s.g - 0.3 * (s.z - 3.5)
        return {
            "x1": self.first(s, i, s.y1, s.x2) + i.n1,
            "y1": self.tt * (self.c - self.d * s.x1**2 - s.y1),
            "z": self.permittivity(s, i),
            "x2": self.tt * (second + self.Kf * i.x2_inp) + i.n2,
            "y2": self.tt * (entry - s.y2) / self.tau,
            "g": 0.01 * self.tt * (0.1 * s.x1 - s.g),
        }


class Epileptor2DStep(EpileptorBase):
    """The Epileptor reduced to its first population and the permittivity.

    ::

        x1' = tt (c - d x1^2 - z + Iext + f1 x1 + Kvf x1_inp) + n1
        z'  = tt r (h - z + Ks x1_inp)                                  per ms
        f1  = -a x1^2 + b x1              where x1 < 0
              slope + 0.6 (z - 4)^2       where x1 >= 0

    with h as in :class:`EpileptorStep`, which this is with y1 at rest, c - d x1^2, and without
    the second population. It has the resting and the seizing branch and the jumps between them,
    not the discharges. Seizures recur where x0 is above -2.062.

    Parameters
    ----------
    x0, a, b, c, d, r, Iext, slope, Kvf, Ks, tt, modification : inherited
        As in :class:`EpileptorStep`, with the same defaults.

    States ``x1`` (starts at -1.5), ``z`` (starts at 3.5) and inputs ``x1_inp``, ``n1``, as in
    :class:`EpileptorStep`: dimensionless, shape ``(unit,)``.

    Errors
    ------
    ParameterError
        ``r`` or ``tt`` is not positive, or ``modification`` is not within 0 and 1.

    Source: Proix, Bartolomei, Chauvel, Bernard & Jirsa 2014, J Neurosci 34:15009; right-hand side
    and defaults as TVB's ``Epileptor2D``. Deviation: as in :class:`EpileptorStep`.

    >>> import brainunit as u
    >>> import braingraph as bg
    >>> from braingraph import nodes
    >>> sim = bg.Simulator(nodes.Epileptor2DStep(2, x0=[-1.6, -2.4]), dt=0.1 * u.ms)
    >>> ds = sim.run(8 * u.second, monitors={"x1": 10 * u.ms}, transient=2 * u.second)
    >>> [bool(x) for x in ds.x1.max("time") > 0]
    [True, False]
    """

    x1 = State(-1.5)
    z = State(3.5)
    x1_inp = Input()
    n1 = Input(state="x1")

    def derivative(self, s: Any, i: Any) -> dict[str, Any]:
        at_rest = self.c - self.d * s.x1**2
        return {
            "x1": self.first(s, i, at_rest, 0.0) + i.n1,
            "z": self.permittivity(s, i),
        }
