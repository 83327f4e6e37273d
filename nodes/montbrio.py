"""The exact mean field of quadratic integrate-and-fire neurons."""

from __future__ import annotations

import math
from typing import Any

import brainunit as u

from braingraph.component import Input, Node, Output, Size, State, parameter
from braingraph.errors import ParameterError
from braingraph.nodes.transfer import second_order
from braingraph.random import Uniform
from braingraph.units import Quantity

CATEGORY = "physiological"


class MontbrioPazoRoxinStep(Node):
    """The exact mean field of all-to-all quadratic integrate-and-fire neurons.

    ::

        tau r' = Delta / pi + 2 r v + r_inp
        tau v' = v^2 + eta + J r - (pi r)^2 + v_inp + R I_ext / (v_th - v_rest)

    r is the rate in units of 1 / tau, and v the mean potential in units of v_th - v_rest, about
    their midpoint; both are dimensionless, so that only ``tau`` sets the time scale.

    Parameters
    ----------
    tau : time, default 1 ms
        Membrane time constant.
    Delta : 1, default 1.0
        Half width of the Lorentzian distribution of excitabilities.
    eta : 1, default -5.0
        Its centre; of a neuron tau V' = (V - v_rest)(V - v_th) / (v_th - v_rest) it holds the
        -1/4 of the square's completion too.
    J : 1, default 15.0
        Synaptic weight.
    v_rest, v_th : potential, default None
        Rest and threshold. Give both or neither.
    R : resistance, default 10 Mohm
        Membrane resistance; turns ``I_ext`` into a potential.

    States, dimensionless, shape ``(unit,)``, start at random in [0, 0.05): ``r`` (never below
    0), ``v``.

    Inputs: ``r_inp``, ``v_inp``, dimensionless; ``I_ext`` [nA].
    Outputs: ``rate`` [Hz], r / tau; ``V`` [mV], (v_rest + v_th) / 2 + (v_th - v_rest) v.
    ``I_ext`` and ``V`` exist only when ``v_rest`` and ``v_th`` are given: without a potential
    there is nothing to measure them in, and wiring them is a PortError.

    Errors
    ------
    ParameterError
        ``tau`` or ``Delta`` is not positive, only one of ``v_rest`` and ``v_th`` is given, or
        v_th is not above v_rest.

    Source: Montbrio, Pazo & Roxin 2015, Phys Rev X 5:021028, eq. 12 (there tau = 1; with tau as
    in Devalle, Roxin & Montbrio 2017, PLoS Comput Biol 13:e1005881, where the rate is r / tau).
    ``R`` is ours: the paper has dimensionless currents.

    >>> import brainunit as u
    >>> import braingraph as bg
    >>> from braingraph import nodes
    >>> model = nodes.MontbrioPazoRoxinStep(2, tau=10 * u.ms, init_r=[0.05, 1.5], init_v=[-2, 0])
    >>> ds = bg.Simulator(model, dt=0.1 * u.ms).run(400 * u.ms, monitors=["rate"])
    >>> [f"{float(rate):.1f} Hz" for rate in ds.rate[-1]]  # two stable states
    ['8.1 Hz', '103.1 Hz']
    """

    tau: Quantity = parameter(1.0 * u.ms, positive=True)
    Delta: float = parameter(1.0, positive=True)
    eta: float = -5.0
    J: float = 15.0
    v_rest: Quantity | None = parameter(None, unit=u.mV)
    v_th: Quantity | None = parameter(None, unit=u.mV)
    R: Quantity = 10.0 * u.Mohm

    r = State(Uniform(0.0, 0.05), bounds=(0.0, None))
    v = State(Uniform(0.0, 0.05))
    r_inp = Input()
    v_inp = Input()
    I_ext = Input(0.0 * u.nA)

    def __init__(self, in_size: Size, *, dt: Any = None, **given: Any) -> None:
        super().__init__(in_size, dt=dt, **given)
        name = type(self).__name__
        if (self.v_rest is None) != (self.v_th is None):
            missing = "v_rest" if self.v_rest is None else "v_th"
            raise ParameterError(
                f"{name} needs v_rest and v_th together, but {missing} is missing: give both, as "
                "in v_rest=-65 * u.mV, v_th=-50 * u.mV, or neither.",
                parameter=missing,
            )
        if self.v_rest is None:
            self.__dict__["_inputs"] = {k: v for k, v in self._inputs.items() if k != "I_ext"}
            self.__dict__["_outputs"] = {k: v for k, v in self._outputs.items() if k != "V"}
        elif bool(u.math.any(self._span() <= 0 * u.mV)):
            raise ParameterError(
                f"{name}: v_th must be above v_rest, but they are {self.v_th} and {self.v_rest}.",
                parameter="v_th",
            )

    def _span(self) -> Any:
        assert self.v_rest is not None and self.v_th is not None
        return self.v_th - self.v_rest

    @Output(unit=u.Hz)
    def rate(self, s: Any, i: Any) -> Any:
        """The firing rate of a neuron of the population."""
        return s.r / self.tau

    @Output(unit=u.mV)
    def V(self, s: Any, i: Any) -> Any:
        """The mean membrane potential."""
        assert self.v_rest is not None and self.v_th is not None
        return (self.v_rest + self.v_th) / 2 + self._span() * s.v

    def drive(self, s: Any, i: Any) -> Any:
        """All that acts on the potential from outside the neurons."""
        drive = self.eta + self.J * s.r + i.v_inp
        return drive if self.v_rest is None else drive + self.R * i.I_ext / self._span()

    def derivative(self, s: Any, i: Any) -> dict[str, Any]:
        return {
            "r": (self.Delta / math.pi + 2 * s.r * s.v + i.r_inp) / self.tau,
            "v": (s.v * s.v + self.drive(s, i) - (math.pi * s.r) ** 2) / self.tau,
        }


class MontbrioPazoRoxinAdaptiveStep(MontbrioPazoRoxinStep):
    """The mean field of quadratic integrate-and-fire neurons that tire of spiking.

    ::

        tau r'   = Delta / pi + 2 r v + r_inp
        tau v'   = v^2 + eta + J r - A - (pi r)^2 + v_inp + R I_ext / (v_th - v_rest)
        tau_A A' = B
        tau_A B' = alpha r - A - 2 B

    with r and v as in :class:`MontbrioPazoRoxinStep`, which this is for alpha = 0; its resting
    states are those of that model with J - alpha for J. With the other defaults it bursts for eta
    between -4.04 and -0.53, rests well below, and does one or the other for some way above.

    Parameters
    ----------
    alpha : 1, default 10.0
        Strength of adaptation.
    tau_A : time, default 10 ms
        Time constant of adaptation.
    Delta : 1, default 2.0
        Half width of the Lorentzian distribution of excitabilities.
    eta : 1, default 1.0
        Its centre.
    J : 1, default 15 sqrt(2)
        Synaptic weight.
    tau, v_rest, v_th, R : inherited
        As in :class:`MontbrioPazoRoxinStep`, with the same defaults.

    States, dimensionless, shape ``(unit,)``: ``r``, ``v`` (start at random in [0, 0.05), r never
    below 0); ``A``, the adaptation, and ``B`` = tau_A A' (start at 0).

    Inputs ``r_inp``, ``v_inp``, ``I_ext`` and outputs ``rate``, ``V``: as in
    :class:`MontbrioPazoRoxinStep`.

    Errors
    ------
    ParameterError
        ``tau_A`` is not positive, or as in :class:`MontbrioPazoRoxinStep`.

    Source: Gast, Schmidt & Knoesche 2020, Neural Comput 32:1615 (spike-frequency adaptation).
    Right-hand side and defaults as TVB's ``GastSchmidtKnosche_SF``, whose J is rounded to
    21.2132. Deviation: A follows alpha r with r in 1 / tau, as everything here, so that ``tau``
    scales time alone; there it follows the rate, which is the same at tau = 1 ms.

    >>> import brainunit as u
    >>> import braingraph as bg
    >>> from braingraph import nodes
    >>> model = nodes.MontbrioPazoRoxinAdaptiveStep(1, eta=-2.0)
    >>> sim = bg.Simulator(model, dt=0.01 * u.ms)
    >>> ds = sim.run(200 * u.ms, monitors=["r", "A"], transient=100 * u.ms)
    >>> print(f"r from {float(ds.r.min()):.1f} to {float(ds.r.max()):.1f}")
    r from 0.1 to 3.5
    """

    Delta = parameter(2.0, positive=True)
    eta = 1.0
    J = 15.0 * math.sqrt(2.0)
    alpha: float = 10.0
    tau_A: Quantity = parameter(10.0 * u.ms, positive=True)

    A = State(0.0)
    B = State(0.0)

    def drive(self, s: Any, i: Any) -> Any:
        return super().drive(s, i) - s.A

    def derivative(self, s: Any, i: Any) -> dict[str, Any]:
        velocity = s.B / self.tau_A
        bent = second_order(self.alpha * s.r, 1 / self.tau_A, s.A, velocity)
        return super().derivative(s, i) | {"A": velocity, "B": bent * self.tau_A}
