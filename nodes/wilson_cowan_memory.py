"""Wilson-Cowan variants that feel their own past: delays, and adaptation."""

from __future__ import annotations

from typing import Any

import brainunit as u
import numpy as np

from braingraph.component import InternalEdge, Size, State, parameter
from braingraph.edges.additive import AdditiveCoupling
from braingraph.errors import DelayError
from braingraph.nodes.wilson_cowan import WilsonCowanStep
from braingraph.units import TIME, Quantity, attach, strip


class WilsonCowanDelayedStep(WilsonCowanStep):
    """Wilson-Cowan populations that hear each other with a delay.

    ::

        tau_E rE' = -rE + (1 - r rE) F_E(c_EE rE(t - delay_EE) + c_EI rI(t - delay_EI) + rE_inp)
        tau_I rI' = -rI + (1 - r rI) F_I(c_IE rE(t - delay_IE) + c_II rI(t - delay_II) + rI_inp)

    with F_X as in :class:`WilsonCowanStep`, which this is where all delays are 0.

    Parameters
    ----------
    delay_EE, delay_IE : time, default 2 ms
        Delays from the excitatory population, onto the first index.
    delay_EI, delay_II : time, default 1.5 ms
        Delays from the inhibitory population, onto the first index.
    tau_E, tau_I, c_EE, c_EI, c_IE, c_II, a_E, a_I, theta_E, theta_I, r : inherited
        As in :class:`WilsonCowanStep`, with the same defaults.

    The four connections are edges inside the node, so that delays keep the order of the method
    and need not be multiples of the step. What came before t = 0 is ``run(history=...)``, by
    default the initial state.

    States ``rE``, ``rI`` (start at 0.1) and inputs ``rE_inp``, ``rI_inp``: dimensionless, shape
    ``(unit,)``. The inputs hold what the populations send each other too.

    Errors
    ------
    ParameterError
        ``tau_E`` or ``tau_I`` is not positive.
    DelayError
        A delay is negative.
    ModelError
        ``update`` is called on the node by itself: one state is not enough to go on from.

    Source: Coombes & Laing 2009, Phil Trans R Soc A 367:1117 (delays), and Wilson & Cowan 1972,
    eqs. 11-12 and 15 (the rest). Deviations: as in :class:`WilsonCowanStep`; a delay for each
    connection, not two, with the defaults of brainmass.

    >>> import brainunit as u
    >>> import braingraph as bg
    >>> from braingraph import nodes
    >>> model = nodes.WilsonCowanDelayedStep(1, delay_EI=3.3 * u.ms)
    >>> ds = bg.Simulator(model, dt=0.5 * u.ms).run(20 * u.ms, monitors=["rE"])
    >>> print(f"{float(ds.rE[-1, 0]):.4f}")
    0.0360
    """

    delay_EE: Quantity = 2.0 * u.ms
    delay_EI: Quantity = 1.5 * u.ms
    delay_IE: Quantity = 2.0 * u.ms
    delay_II: Quantity = 1.5 * u.ms

    _edges: list[InternalEdge]

    def __init__(self, in_size: Size, *, dt: Any = None, **given: Any) -> None:
        super().__init__(in_size, dt=dt, **given)
        pairs = [p + q for p in self.populations for q in self.populations]
        self.__dict__["_edges"] = [self._connection(*pair) for pair in pairs]

    def _connection(self, p: str, q: str) -> InternalEdge:
        """The edge onto ``p`` from ``q``; its parameters are addressed as the node's."""
        names = {"k": f"c_{p}{q}", "delay": f"delay_{p}{q}"}
        given = strip(getattr(self, names["delay"]), TIME, names["delay"])
        if bool(np.any(given < 0)):
            raise DelayError(
                f"{type(self).__name__}.{names['delay']} must not be negative, but its least "
                f"value is {np.min(given):g} ms.",
                value=float(np.min(given)),
            )
        delay = self._side_by_side(given)
        if delay.ndim:  # one a unit: between other units there is no connection
            delay = np.diag(delay)
        return InternalEdge(
            f"{p}{q}",
            f"r{q}",
            f"r{p}_inp",
            AdditiveCoupling(k=self._side_by_side(getattr(self, names["k"]))),
            delay=attach(delay, TIME) if np.any(delay) else None,
            rename=names,
        )

    def _side_by_side(self, value: Any) -> Any:
        """One number, or one a unit in a row."""
        return value if np.ndim(value) == 0 else np.broadcast_to(value, self.in_size).reshape(-1)

    def arrays(self) -> dict[str, Any]:
        """The parameters of the units; those of the edges live in :meth:`internal_edges`."""
        return {k: v for k, v in super().arrays().items() if not k.startswith(("c_", "delay_"))}

    def internal_edges(self) -> list[InternalEdge]:
        return self._edges

    def recurrent(self, p: str, s: Any) -> Any:
        return 0.0  # the edges inside bring it to the inputs


class WilsonCowanAdaptiveStep(WilsonCowanStep):
    """Wilson-Cowan populations that adapt to their own activity.

    ::

        tau_E  rE' = -rE + (1 - r rE) F_E(c_EE rE + c_EI rI + rE_inp - aE)
        tau_I  rI' = -rI + (1 - r rI) F_I(c_IE rE + c_II rI + rI_inp - aI)
        tau_aE aE' = -aE + b_E rE
        tau_aI aI' = -aI + b_I rI

    with F_X as in :class:`WilsonCowanStep`, which this is where b_E = b_I = 0.

    Parameters
    ----------
    tau_aE, tau_aI : time, default 100 ms, 80 ms
        Time constants of adaptation.
    b_E, b_I : 1, default 0.1, 0.08
        Strengths of adaptation.
    tau_E, tau_I, c_EE, c_EI, c_IE, c_II, a_E, a_I, theta_E, theta_I, r : inherited
        As in :class:`WilsonCowanStep`, with the same defaults.

    States ``rE``, ``rI`` (start at 0.1), ``aE``, ``aI`` (start at 0) and inputs ``rE_inp``,
    ``rI_inp``: dimensionless, shape ``(unit,)``.

    Errors
    ------
    ParameterError
        A time constant is not positive.

    Source: Benda & Herz 2003, Neural Comput 15:2523 (adaptation: subtracted from the drive,
    linear in the rate), in the model of Wilson & Cowan 1972; strengths and time constants are
    brainmass's. Deviations: as in :class:`WilsonCowanStep`; as tau_E and tau_I are 10 ms, not
    1 ms, adaptation is 10 times slower than the rates, not 100 times.

    >>> from braingraph import nodes
    >>> nodes.WilsonCowanAdaptiveStep(76, b_E=1.5)
    WilsonCowanAdaptiveStep(76, b_E=1.5)
    """

    tau_aE: Quantity = parameter(100.0 * u.ms, positive=True)
    tau_aI: Quantity = parameter(80.0 * u.ms, positive=True)
    b_E: float = 0.1
    b_I: float = 0.08

    aE = State(0.0)
    aI = State(0.0)

    def drive(self, p: str, s: Any, i: Any) -> Any:
        return super().drive(p, s, i) - s[f"a{p}"]

    def derivative(self, s: Any, i: Any) -> dict[str, Any]:
        adaptation = {
            f"a{p}": (self.of("b", p) * s[f"r{p}"] - s[f"a{p}"]) / getattr(self, f"tau_a{p}")
            for p in self.populations
        }
        return super().derivative(s, i) | adaptation
