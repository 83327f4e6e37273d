"""Band-pass filters that run with the simulation."""

from __future__ import annotations

from typing import Any, NamedTuple

import brainunit as u
import jax.numpy as jnp
import numpy as np

from braingraph.component import Output, Size, State, parameter
from braingraph.errors import ParameterError, ShapeError
from braingraph.observers.average import Passing
from braingraph.observers.filters import Matrix, mixed, stepped
from braingraph.units import ONE, attach, magnitude, show_time, strip, unit_of

SHAPING = ("low", "high", "order")


class Band(NamedTuple):
    """The edges in Hz, None where there is none, and the order."""

    low: float | None
    high: float | None
    order: float


class BandPass(Passing):
    """A Butterworth filter: what of a signal lies between two frequencies.

    ::

        H(s) = 1 / product over k of (p(s) - p_k),      p_k = exp(i pi (2 k + n - 1) / (2 n))
        p(s) = (s^2 + w_low w_high) / (s (w_high - w_low)),      k = 1, ..., n

    with p = s / w_high where only ``high`` is given, a low-pass, and p = w_low / s where only
    ``low`` is, a high-pass; made discrete by the bilinear transform, whose gain is exactly
    1 / sqrt(2) at the edges. It runs on a clock of its own, 1 ms unless ``dt`` is given: its input
    is averaged over each step.

    It hears nothing of the future, so it delays what it lets through: in the middle of a narrow
    band by 1 / (pi (high - low) sin(pi / (2 n))). States of nodes on its own clock it hears one
    step later. Filter recorded data forwards and backwards where phases matter.

    Parameters
    ----------
    in_size : int or tuple of int
    low, high : frequency, default None
        The edges, where the power is halved.
    order : int, default 2
        n. A band-pass has n poles at either edge.
    unit : unit, default 1
        Of the signal, as in ``unit=u.mV``.
    dt : time, default 1 ms
        The interval between its samples.

    Signals
    -------
    inp : input, unit, (unit,)
    memory : state, unit, (rows * unit,)
        Of the filter. Its first row is the last value let through.
    out : output, unit, (unit,)

    Errors
    ------
    ParameterError
        No edge; an edge that is not positive, or above half the sampling rate; low not below
        high; an order that is not whole; ``unit`` is none.
    UnitError
        An edge that is no frequency.

    Source: Butterworth 1930, Wireless Engineer 7:536; bilinear transform: Oppenheim & Schafer,
    Discrete-Time Signal Processing (2010), chapter 7, as ``scipy.signal.butter`` has it.

    >>> import brainunit as u
    >>> from braingraph.observers import BandPass
    >>> alpha = BandPass(76, low=8 * u.Hz, high=12 * u.Hz, unit=u.mV)
    >>> alpha.gain([1.0, 8.0, 10.0] * u.Hz).round(3).tolist()
    [0.002, 0.707, 1.0]
    """

    default_dt = 1.0 * u.ms

    # they shape the program: each other value is another one
    low: Any = parameter(None, unit=u.Hz, positive=True, free=True)
    high: Any = parameter(None, unit=u.Hz, positive=True, free=True)
    order: float = parameter(2.0, free=True)

    memory = State(0.0, unit="unit", size=lambda model: (1 + 2 * model.sections) * model.size)

    def __init__(self, in_size: Size, *, dt: Any = None, unit: Any = ONE, **given: Any) -> None:
        start = given.get("init_memory", 0.0)
        if not callable(start) and np.all(magnitude(start) == 0):  # zero needs no unit
            given["init_memory"] = 0.0 * (
                unit if isinstance(unit, u.Quantity) else attach(1.0, unit_of(unit))
            )
        super().__init__(in_size, dt=dt, unit=unit, **given)
        for name in SHAPING:
            shape = np.shape(magnitude(getattr(self, name)))
            if shape:
                raise ShapeError(
                    f"BandPass.{name} must be one number for all units, but has shape {shape}.",
                    given=shape,
                    needed=(),
                )
        assert self.dt is not None  # it has a default
        _check(self._band(), self.dt)

    def arrays(self) -> dict[str, Any]:
        return {k: v for k, v in super().arrays().items() if k not in SHAPING}

    def static(self) -> dict[str, Any]:
        return {**super().static(), **self._band()._asdict()}

    def _band(self) -> Band:
        low, high = (
            None if f is None else float(f.to_decimal(u.Hz)) for f in (self.low, self.high)
        )
        return Band(low, high, float(self.order))

    @property
    def sections(self) -> int:
        """How many filters of second order stand in a row."""
        both = self.low is not None and self.high is not None
        return int(self.order) if both else (int(self.order) + 1) // 2

    def gain(self, frequency: Any) -> Matrix:
        """How much of a sine of a frequency gets through, as sampled by the filter's clock."""
        from scipy.signal import sosfreqz

        assert self.dt is not None
        f = np.asarray(strip(frequency, u.Hz, "frequency", "as in 10.0 * u.Hz."), float)
        _, response = sosfreqz(_design(self._band(), self.dt), f.ravel(), fs=1000.0 / self.dt)
        gain: Matrix = np.abs(response).reshape(f.shape)
        return gain

    @Output(unit="unit")
    def out(self, s: Any, i: Any) -> Any:
        """What gets through."""
        return s.memory.reshape((1 + 2 * self.sections, -1))[0]

    def update(self, s: Any, i: Any, dt: Any) -> dict[str, Any]:
        unit = unit_of(self.unit)
        rows, x = 1 + 2 * self.sections, strip(i.inp, unit, "inp")
        memory = strip(s.memory, unit, "memory").reshape(rows, -1)[1:]
        M, G, C, D = _system(_design(self._band(), dt.to_decimal(u.ms)))
        through = mixed(C, memory) + D * x
        new = jnp.concatenate([through[None], stepped(memory, M, G, x)])
        return {"memory": attach(new.reshape(-1), unit)}


def _check(band: Band, dt: float) -> None:
    if band.low is None and band.high is None:
        raise ParameterError(
            "BandPass needs an edge: low=, high=, or both, as in low=8.0 * u.Hz, high=12.0 * u.Hz.",
            parameter="low",
        )
    half = 500.0 / dt
    for name in ("low", "high"):
        edge = getattr(band, name)
        if edge is not None and edge >= half:
            raise ParameterError(
                f"BandPass.{name} is {edge:g} Hz, but must be below {half:g} Hz, half the rate of "
                f"a sample every {show_time(dt)}: give a shorter dt=.",
                parameter=name,
            )
    if band.low is not None and band.high is not None and band.low >= band.high:
        raise ParameterError(
            f"BandPass.low, {band.low:g} Hz, must be below high, {band.high:g} Hz.",
            parameter="low",
        )
    if band.order < 1 or band.order % 1:
        raise ParameterError(
            f"BandPass.order must be a whole number, 1 or more, but is {band.order:g}.",
            parameter="order",
        )


def _design(band: Band, dt: float) -> Matrix:
    """The filter's sections, (section, 6): b0, b1, b2, 1, a1, a2."""
    from scipy.signal import butter

    kind = "lowpass" if band.low is None else "highpass" if band.high is None else "bandpass"
    edges = [edge for edge in (band.low, band.high) if edge is not None]
    sections: Matrix = butter(
        int(band.order), edges if len(edges) > 1 else edges[0], kind, output="sos", fs=1000.0 / dt
    )
    return sections


def _system(sections: Matrix) -> tuple[Matrix, Matrix, Matrix, float]:
    """``memory + M memory + G u`` and ``y = C memory + D u`` of sections in a row.

    Each is written for the increment d = z - 1, its denominator as d^2 + c d + k^2::

        d x = k v,        d v = k (u - x) - c v

    In float32 the usual form, whose coefficients are nearly 2 and 1 where a filter is slow, is off
    by 27 % for a band of 0.01 to 0.1 Hz every 1 ms; this one by 1e-5.
    """
    n = 2 * len(sections)
    M, G, C, D = np.zeros((n, n)), np.zeros(n), np.zeros(n), 1.0
    for row, (b0, b1, b2, _, a1, a2) in enumerate(sections):
        c = 2.0 + a1
        square = c + (a2 - 1.0)
        k = np.sqrt(square)
        at = slice(2 * row, 2 * row + 2)
        own = np.array([[0.0, k], [-k, -c]])
        take = np.array([0.0, k])
        b_d = 2.0 * b0 + b1 - b0 * c
        give = np.array([((b0 + b1) + b2) / square - b0, b_d / k])
        M[at] = np.outer(take, C)  # what the sections before let through
        M[at, at] = own
        G[at] = take * D
        C = b0 * C
        C[at] = give
        D = b0 * D
    return M, G, C, float(D)
