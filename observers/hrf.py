"""The BOLD signal as a convolution of neural activity with a haemodynamic response function."""

from __future__ import annotations

from typing import Any

import brainunit as u
import numpy as np

from braingraph.component import Input, Observer, Output, Size, State, parameter
from braingraph.errors import ClockError, ParameterError
from braingraph.observers.kernels import ArrayKernel, FirstOrderVolterra, HRFKernel
from braingraph.units import brief, milliseconds, show_time


class HRFBold(Observer):
    """The BOLD signal of neural activity: its convolution with a kernel, online.

    ::

        y(t) = integral from 0 of h(t') z(t - t') dt',        in seconds
        bold = k_1 V_0 (y - baseline)

    A kernel is the answer of a linear filter, whose few memories are stepped exactly for activity
    held over the step: nothing of the past is kept, and the result depends on the step only by how
    finely z is averaged. Activity before t = 0 was 0, so the first 20 s or so are transient.

    It runs on a clock of its own, 4 ms unless ``dt`` is given: z is averaged over each step.

    Parameters
    ----------
    in_size : int or tuple of int
    kernel : kernel, default FirstOrderVolterra()
        :class:`FirstOrderVolterra`, :class:`Gamma`, :class:`DoubleExponential`,
        :class:`MixtureOfGammas`, or samples, :class:`ArrayKernel`.
    k_1, V_0, baseline : 1, default None
        Gain, blood volume at rest, and what of y is no signal. None: 5.6, 0.02 and 1 for
        FirstOrderVolterra, so that it rests at -k_1 V_0; 1, 1 and 0 for the others.
    dt : time, default 4 ms
        Its clock; that of the samples of an :class:`ArrayKernel`.

    Signals
    -------
    z : input, 1, (unit,)
        Neural activity.
    memory : state, 1, (order of the kernel * unit,)
        Of the filter: one row after another, of all units.
    bold : output, 1, (unit,)

    Errors
    ------
    ParameterError
        ``kernel`` is none.
    ClockError
        ``dt`` is not that of an :class:`ArrayKernel`.

    Source: TVB's ``Bold`` monitor (Sanz Leon, Knock, Woodman, Domide, Mersmann, McIntosh & Jirsa
    2013, Front Neuroinform 7:10); kernels: their own. Deviations: the convolution is an integral,
    where TVB and brainmass add up samples without dt, so that their signal grows as these get
    denser; like TVB, and unlike brainmass, 1 is subtracted for the Volterra kernel only.

    >>> import brainunit as u
    >>> import braingraph as bg
    >>> from braingraph import nodes, observers
    >>> g = bg.Graph()
    >>> active = g.add_node("active", nodes.ConstantStimulus(1, value=2.0))
    >>> bold = g.add_node("bold", observers.HRFBold(1, kernel=observers.MixtureOfGammas()))
    >>> _ = g.add_edge(active, bold)
    >>> ds = bg.Simulator(g, dt=1 * u.ms).run(60 * u.second, monitors={"bold.bold": 1 * u.second})
    >>> round(float(ds["bold.bold"][-1, 0]), 4)  # 2 (1 - c) / l
    1.2
    """

    default_dt = 4.0 * u.ms

    kernel: Any = FirstOrderVolterra()
    k_1: float | None = parameter(None)
    V_0: float | None = parameter(None)
    baseline: float | None = parameter(None)

    z = Input()
    memory = State(0.0, size=lambda model: model.kernel.order * model.size)

    def __init__(self, in_size: Size, *, kernel: Any = None, dt: Any = None, **given: Any) -> None:
        kernel = type(self).kernel if kernel is None else kernel
        if not isinstance(kernel, HRFKernel):
            raise ParameterError(
                f"HRFBold.kernel must be a kernel, as in kernel=Gamma(), but is {brief(kernel)}."
                f"{' Call it.' if isinstance(kernel, type) else ''}",
                parameter="kernel",
            )
        if isinstance(kernel, ArrayKernel):
            every = milliseconds(kernel.every, "every")
            if dt is not None and not np.isclose(milliseconds(dt, "HRFBold.dt"), every, 1e-9):
                raise ClockError(
                    f"HRFBold.dt is {show_time(milliseconds(dt, 'dt'))}, but its kernel has a "
                    f"sample every {show_time(every)}: leave dt out.",
                    given=milliseconds(dt, "dt"),
                    needed=every,
                )
            dt = kernel.every
        super().__init__(in_size, kernel=kernel, dt=dt, **given)

    @Output()
    def bold(self, s: Any, i: Any) -> Any:
        """The signal."""
        k_1, V_0, baseline = (
            default if given is None else given
            for given, default in zip(
                (self.k_1, self.V_0, self.baseline), self.kernel.readout, strict=True
            )
        )
        y = self.kernel.read(s.memory.reshape(self.kernel.order, -1))
        return k_1 * V_0 * (y - baseline)

    def update(self, s: Any, i: Any, dt: Any) -> dict[str, Any]:
        memory = s.memory.reshape(self.kernel.order, -1)
        return {"memory": self.kernel.advance(memory, i.z, dt.to_decimal(u.second)).reshape(-1)}
