"""The Wilson-Cowan family.

Every member relaxes its rates to what its drives excite::

    tau_p r_p' = -r_p + saturation(p) * gain(p, drive(p))        for each population p

and says only what is its own: its parameters, and the hook that differs (``recurrent``,
``drive``, ``gain``, ``saturation``, ``time_constant``, or ``activation`` for all of the
right-hand side but -r_p).

Weights are signed, and ``c_XY`` acts onto X from Y, in every member: inhibition is negative. So
every member is :class:`WilsonCowanStep` again once what is its own is switched off.
"""

from __future__ import annotations

from typing import Any, ClassVar

import brainunit as u

from braingraph.component import Input, Node, State, parameter
from braingraph.errors import ModelError
from braingraph.nodes.transfer import logistic_from_zero
from braingraph.units import Quantity

CATEGORY = "physiological"


class WilsonCowanBase(Node):
    """Base of the family: the rates, their inputs, and the equation with its hooks.

    A population ``p`` has the state ``r<p>``, the input ``r<p>_inp`` and, unless a hook says
    otherwise, the parameters ``tau_<p>``, ``a_<p>`` and ``theta_<p>`` (or ``tau``, ``a`` and
    ``theta`` where the populations share them). A parameter ``r`` makes rates saturate.

    States ``rE``, ``rI`` (start at 0.1) and inputs ``rE_inp``, ``rI_inp``: dimensionless, shape
    ``(unit,)``.

    Errors
    ------
    ModelError
        A class without the parameters is added to a graph: this base itself, for instance.

    Source: Wilson & Cowan 1972, Biophys J 12:1, eqs. 11-12, as its members state them.

    >>> from braingraph import nodes
    >>> class Halved(nodes.WilsonCowanStep):
    ...     def gain(self, p, x):
    ...         return 0.5 * super().gain(p, x)
    >>> Halved(3, c_EE=16.0)
    Halved(3, c_EE=16)
    """

    populations: ClassVar[tuple[str, ...]] = ("E", "I")
    #: A member that lacks no parameter, for the message about those that do.
    concrete: ClassVar[str] = "WilsonCowanStep"

    rE = State(0.1)
    rI = State(0.1)
    rE_inp = Input()
    rI_inp = Input()

    def of(self, parameter: str, p: str) -> Any:
        """A parameter of population ``p``: ``of("tau", "E")`` is ``tau_E``, or else ``tau``."""
        for name in (f"{parameter}_{p}", parameter):
            if name in self._specs:
                return getattr(self, name)
        raise ModelError(
            f"{type(self).__name__} declares no parameter {parameter}_{p}: use one of its "
            f"subclasses, as nodes.{self.concrete}."
        )

    def recurrent(self, p: str, s: Any) -> Any:
        """What ``p`` receives from the populations of its own node: sum_q c_pq r_q."""
        return sum(self.of("c", p + q) * s[f"r{q}"] for q in self.populations)

    def drive(self, p: str, s: Any, i: Any) -> Any:
        """The argument of the gain."""
        return self.recurrent(p, s) + i[f"r{p}_inp"]

    def gain(self, p: str, x: Any) -> Any:
        """The activity that a drive excites."""
        return logistic_from_zero(x, self.of("a", p), self.of("theta", p))

    def saturation(self, p: str, rate: Any) -> Any:
        """The share of the population that can be excited: 1 in a model without ``r``."""
        return 1.0 - self.of("r", p) * rate if "r" in self._specs else 1.0

    def time_constant(self, p: str) -> Any:
        return self.of("tau", p)

    def activation(self, p: str, s: Any, i: Any) -> Any:
        """What the rate of ``p`` relaxes to."""
        return self.saturation(p, s[f"r{p}"]) * self.gain(p, self.drive(p, s, i))

    def derivative(self, s: Any, i: Any) -> dict[str, Any]:
        return {
            f"r{p}": (self.activation(p, s, i) - s[f"r{p}"]) / self.time_constant(p)
            for p in self.populations
        }


class Sigmoidal(WilsonCowanBase):
    """What the members with two sigmoids and four weights share: their parameters."""

    tau_E: Quantity = parameter(10.0 * u.ms, positive=True)
    tau_I: Quantity = parameter(10.0 * u.ms, positive=True)
    c_EE: float = 12.0
    c_EI: float = -4.0
    c_IE: float = 13.0
    c_II: float = -11.0
    a_E: float = 1.2
    a_I: float = 1.0
    theta_E: float = 2.8
    theta_I: float = 4.0


class WilsonCowanStep(Sigmoidal):
    """Interacting excitatory and inhibitory populations with refractory saturation.

    ::

        tau_E rE' = -rE + (1 - r rE) F_E(c_EE rE + c_EI rI + rE_inp)
        tau_I rI' = -rI + (1 - r rI) F_I(c_IE rE + c_II rI + rI_inp)
        F_X(x) = 1 / (1 + exp(-a_X (x - theta_X))) - 1 / (1 + exp(a_X theta_X))

    Parameters
    ----------
    tau_E, tau_I : time, default 10 ms
        Time constants.
    c_EE, c_EI, c_IE, c_II : 1, default 12, -4, 13, -11
        Weights onto the first index from the second; inhibition is negative.
    a_E, a_I : 1, default 1.2, 1.0
        Slopes of the gains.
    theta_E, theta_I : 1, default 2.8, 4.0
        Where the gains are steepest.
    r : 1, default 1.0
        Refractory share: 0 removes the saturation.

    States ``rE``, ``rI`` (start at 0.1) and inputs ``rE_inp``, ``rI_inp``: dimensionless, shape
    ``(unit,)``.

    Errors
    ------
    ParameterError
        ``tau_E`` or ``tau_I`` is not positive.

    Source: Wilson & Cowan 1972, Biophys J 12:1, eqs. 11-12 and 15, parameters of Fig. 4.
    Deviations: weights are signed (the paper's c2 = 4 and c4 = 11 are ``c_EI = -4`` and
    ``c_II = -11``); the saturation is 1 - r rate, not the paper's k - r rate with
    k = 1 - 1 / (1 + exp(a theta)) (0.994 for the set of Fig. 11, whose period is 4.996 tau there
    and 5.003 tau here); states start off 0.

    >>> import brainunit as u
    >>> import braingraph as bg
    >>> from braingraph import nodes
    >>> sim = bg.Simulator(nodes.WilsonCowanStep(1, init_rE=[0.6]), dt=0.5 * u.ms)
    >>> ds = sim.run(1 * u.second, monitors=["rE", "rI"])  # the upper of two stable states
    >>> print(f"{float(ds.rE[-1, 0]):.4f}, {float(ds.rI[-1, 0]):.4f}")
    0.4625, 0.2434
    """

    r: float = 1.0
