"""The exact mean field of quadratic integrate-and-fire neurons."""

from __future__ import annotations

import math
from typing import Any

import brainunit as u

from braingraph.component import Input, Node, Output, Size, State, parameter
from braingraph.errors import ParameterError
from braingraph.random import Uniform
from braingraph.units import Quantity


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
        Only one of ``v_rest`` and ``v_th`` is given, or v_th is not above v_rest.

    Source: Montbrio, Pazo & Roxin 2015, Phys Rev X 5:021028, eq. 12 (there tau = 1; with tau as
    in Devalle, Roxin & Montbrio 2017, PLoS Comput Biol 13:e1005881, where the rate is r / tau).
    ``R`` is ours: the paper has dimensionless currents.
    """

    tau: Quantity = parameter(1.0 * u.ms, positive=True)
    Delta: float = 1.0
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

    def derivative(self, s: Any, i: Any) -> dict[str, Any]:
        drive = self.eta + self.J * s.r + i.v_inp
        if self.v_rest is not None:
            drive = drive + self.R * i.I_ext / self._span()
        return {
            "r": (self.Delta / math.pi + 2 * s.r * s.v + i.r_inp) / self.tau,
            "v": (s.v * s.v + drive - (math.pi * s.r) ** 2) / self.tau,
        }
