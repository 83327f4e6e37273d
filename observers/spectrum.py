"""The power spectrum of a run, while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import brainunit as u
import jax.numpy as jnp
import numpy as np

from braingraph.component import Input, Output, Size, State, parameter
from braingraph.errors import ClockError, ParameterError
from braingraph.nodes.checks import one_of
from braingraph.observers.moments import Reducer
from braingraph.parameters import short
from braingraph.units import ONE, TIME, Quantity, attach, brief, magnitude, show_time, unit_of

OVERLAPS = (0.0, 0.5, 0.75)
#: Samples of a segment that float32 still counts one by one, twice over.
MOST = 1 << 23


class PowerSpectrum(Reducer):
    """Welch's power spectral density of every unit, without keeping its past.

    Of segments of L = segment / dt samples, each beginning (1 - overlap) L after the one before::

        X_m(f) = sum_n w_n (x_mn - mean_n x_mn) exp(-2 pi i f n dt)
        psd(f) = 2 dt mean_m |X_m(f)|^2 / sum_n w_n^2,        w_n = (1 - cos(2 pi n / L)) / 2

    (at 0 and at the Nyquist frequency without the 2).

    It is ``scipy.signal.welch(x, 1 / dt, "hann", L, overlap * L)`` of the samples so far, as far as
    their segments have ended. No segment is stored: the 1 / (1 - overlap) that run at a time add up
    their Fourier sums sample by sample. With n units and k frequencies the memory is
    n k (1 + 2 / (1 - overlap)) numbers, however long the run, and a step takes 5 ns for each on one
    core: 0.15 ms for 76 units and 101 frequencies. ``up_to`` and a larger ``dt`` save both. In
    float32, 1e6 samples about means of 0, 10 and 1000 gave scipy's spectrum within 1e-5.

    One step of the observer is one sample: the mean of x over the interval that ends with it, which
    takes off what is faster than its clock. On the simulation's own step, x at its beginning.

    Parameters
    ----------
    in_size : int or tuple of int
    dt : time
        The sampling interval, a multiple of the simulation's step. It must be given.
    segment : time, default 2 s
        The length of a segment, a multiple of dt (of 2 dt or 4 dt with overlaps of 0.5 or 0.75).
        Frequencies are 1 / segment apart.
    overlap : {0, 0.5, 0.75}, default 0.5
        The part of a segment that the next one takes again.
    up_to : rate, default None
        The highest frequency; None: the Nyquist frequency, 1 / (2 dt).
    unit : unit, default 1
        Of x, as in ``unit=u.mV``.
    start : time, default 0 ms
        Steps that begin before it do not count: the transient. It is rounded to whole steps.

    Signals
    -------
    x : input, unit, (unit,)
    psd : output, unit^2 / Hz, (unit, frequency)
        One-sided; NaN before the first segment has ended.
    segments : state, 1, (1,)
        How many have ended.
    power : state, 1, (unit frequency,)
        The mean of |X|^2 over them, a number in the unit of x squared.
    sums : state, 1, (2 running unit frequency,)
        The Fourier sums, real and imaginary parts, of the segments that run.
    first : state, 1, (running unit,)
        Their first samples, which are taken off: in float32 a large mean costs no digits.
    total : state, 1, (running unit,)
        The sums of their samples, less the first one.
    position : state, 1, (1,)
        The samples so far; when they reach 2 L, counted on from L.
    turn : state, 1, (frequency,)
        f n dt modulo 1, in steps of 1 / L.

    ``frequencies`` are the frequencies, a quantity. ``segment``, ``overlap`` and ``up_to`` shape
    the program, so :meth:`braingraph.Simulator.as_function` does not offer them.

    Errors
    ------
    ParameterError
        No ``dt``; an overlap that is none of the three, or that does not divide the segment; an
        ``up_to`` above the Nyquist frequency; ``unit`` is no unit; ``start`` is negative.
    ClockError
        ``segment`` is no multiple of ``dt``, or shorter than 4 dt.
    UnitError
        What is connected to x is not in ``unit``; a segment or start that is no time.

    Source: Welch 1967, IEEE Trans Audio Electroacoust 15:70, with a Hann window and each segment
    less its mean, as in scipy. Frequencies above ``up_to`` are left out.

    >>> import brainunit as u
    >>> import braingraph as bg
    >>> from braingraph import nodes, observers
    >>> g = bg.Graph()
    >>> x = g.add_node("x", nodes.HopfStep(1, a=0.5, w=0.25, init_x=0.7))  # 40 Hz
    >>> psd = g.add_node("psd", observers.PowerSpectrum(
    ...     1, dt=2 * u.ms, segment=1 * u.second, up_to=100 * u.Hz, start=0.1 * u.second))
    >>> _ = g.add_edge(x.x, psd.x)
    >>> ds = bg.Simulator(g, dt=0.1 * u.ms).run(2 * u.second, monitors={"psd.psd": 2 * u.second})
    >>> float(ds["psd.psd"].isel(time=-1, psd=0).idxmax("psd.frequency"))
    40.0
    """

    unit: Any = parameter(1.0, any_unit=True)
    segment: Quantity = parameter(2.0 * u.second, free=True, positive=True)
    overlap: float = parameter(0.5, free=True)
    up_to: Quantity | None = parameter(None, unit=u.Hz, free=True, positive=True)

    x = Input(unit="unit")
    segments = State(size=lambda model: 1)
    power = State(size=lambda model: model.size * model._shape[2])
    sums = State(size=lambda model: 2 * model._shape[0] * model.size * model._shape[2])
    total = State(size=lambda model: model._shape[0] * model.size)
    first = State(size=lambda model: model._shape[0] * model.size)
    position = State(size=lambda model: 1)
    turn = State(size=lambda model: model._shape[2])

    #: Segments that run at a time, samples of each, and frequencies.
    _shape: tuple[int, int, int]

    def __init__(self, in_size: Size, *, dt: Any = None, unit: Any = ONE, **given: Any) -> None:
        where = f"{type(self).__name__}.unit"
        super().__init__(in_size, dt=dt, unit=one_of(unit, where), **given)

    def _set_parameters(self, given: Mapping[str, Any], shape: tuple[int, ...] | None) -> None:
        super()._set_parameters(given, shape)
        if self.dt is None:
            raise ParameterError(
                "PowerSpectrum needs the interval of its samples: pass dt=, a multiple of the "
                "simulation's step, as in dt=1 * u.ms.",
                parameter="dt",
            )
        running = self._running()
        samples = self._samples(running)
        self.__dict__["_shape"] = (running, samples, self._bins(samples))  # sizes states, so first

    def _running(self) -> int:
        overlap = np.asarray(self.overlap)
        if overlap.ndim or float(overlap) not in OVERLAPS:
            raise ParameterError(
                f"PowerSpectrum.overlap is {short(self.overlap)}, but must be one of "
                f"{', '.join(f'{o:g}' for o in OVERLAPS)}.",
                parameter="overlap",
            )
        return round(1 / (1 - float(overlap)))

    def _samples(self, running: int) -> int:
        length, dt = self._one("segment", TIME), float(self.dt or 0)
        samples = round(length / dt)
        fits = abs(length / dt - samples) <= 1e-6 * samples
        if fits and 4 <= samples <= MOST and samples % running == 0:
            return samples
        step = running * dt
        low = max(int(length / step), -(-4 // running))
        raise ClockError(
            f"PowerSpectrum.segment is {show_time(length)}, but must be a multiple of "
            f"{f'{running} dt = ' if running > 1 else 'dt = '}{show_time(step)} from "
            f"{show_time(-(-4 // running) * step)} to {show_time(MOST // running * step)}: take "
            f"{show_time(min(low, MOST // running) * step)}.",
            given=length,
            dt=dt,
        )

    def _bins(self, samples: int) -> int:
        if self.up_to is None:
            return samples // 2 + 1
        dt = float(self.dt or 0)
        highest = self._one("up_to", u.kHz) * dt * samples  # in steps of 1 / segment
        if highest > samples / 2 * (1 + 1e-9):
            raise ParameterError(
                f"PowerSpectrum.up_to is {brief(self.up_to)}, but samples every {show_time(dt)} "
                f"reach {500 / dt:g} Hz only: take less, or a smaller dt.",
                parameter="up_to",
            )
        return int(highest * (1 + 1e-9)) + 1

    def _one(self, name: str, unit: Any) -> float:
        plain = np.asarray(getattr(self, name).to_decimal(unit))
        if plain.ndim:
            raise ParameterError(
                f"PowerSpectrum.{name} has shape {plain.shape}, but must be one for all units.",
                parameter=name,
            )
        return float(plain)

    def arrays(self) -> dict[str, Any]:
        """The parameters that flow through the program."""
        return {k: v for k, v in super().arrays().items() if k not in _SHAPING}

    def static(self) -> dict[str, Any]:
        """The parameters that shape the program, ``shape`` for what three of them make."""
        return {**{k: v for k, v in super().static().items() if k != "up_to"}, "shape": self._shape}

    @property
    def frequencies(self) -> Quantity:
        """The frequencies [Hz]."""
        _, samples, bins = self._shape
        return attach(np.arange(bins) * (1000 / (samples * float(self.dt or 0))), u.Hz)

    def _along(self) -> str:
        """The dimension of frequencies, which two spectra of one run do not share."""
        return f"{self.path}.frequency" if self.path else "frequency"

    @Output(
        unit=lambda model: unit_of(model.unit) ** 2 / u.Hz,
        axes=lambda model: ("unit", (model._along(), model.frequencies)),
    )
    def psd(self, s: Any, i: Any) -> Any:
        """The power spectral density of the segments that have ended."""
        _, samples, bins = self._shape
        sides = np.where(2 * np.arange(bins) % samples == 0, 1.0, 2.0)
        seconds = float(self.dt or 0) / 1000
        scale = sides * seconds / (_hann(samples) ** 2).sum()
        density = (s.power.reshape(self.size, bins) * scale).reshape(-1)
        return attach(jnp.where(s.segments > 0, density, jnp.nan), unit_of(self.unit) ** 2 / u.Hz)

    def update(self, s: Any, i: Any, dt: Any) -> dict[str, Any]:
        running, samples, bins = self._shape
        counted = self.counts(i)
        begin = np.arange(running) * (samples // running)
        at = s.position.astype(jnp.int32) - begin  # in each running segment; below 0: not begun
        begun, at = counted & (at >= 0), at % samples
        opens, ends = begun & (at == 0), begun & (at == samples - 1)

        x = magnitude(i.x)
        first = jnp.where(opens[:, None], x, s.first.reshape(running, self.size))
        y = jnp.where(begun[:, None], x - first, 0.0)
        total = jnp.where(opens[:, None], 0.0, s.total.reshape(running, self.size)) + y
        wave = _circle(samples)[:, s.turn.astype(jnp.int32)]  # (cos and -sin, frequency)
        windowed = jnp.asarray(_hann(samples), y.dtype)[at][:, None] * y
        sums = s.sums.reshape(running, 2, self.size, bins)
        sums = jnp.where(opens[:, None, None, None], 0.0, sums)
        sums = sums + windowed[:, None, :, None] * wave[:, None, :]

        last = jnp.argmax(ends)  # at most one ends
        mean = (total[last] / samples)[:, None]
        parts = sums[last] - mean * _of_mean(running, samples, bins)[last][:, None, :]
        segments = s.segments + ends.any()
        power = s.power.reshape(self.size, bins)
        share = jnp.where(ends.any(), 1 / jnp.maximum(segments, 1), 0.0)
        power = power + share * ((parts**2).sum(0) - power)

        turn, position = s.turn + np.arange(bins), s.position + 1
        turn = jnp.where(turn >= samples, turn - samples, turn)
        position = jnp.where(position == 2 * samples, samples, position)
        return {
            "segments": segments,
            "power": power.reshape(-1),
            "sums": sums.reshape(-1),
            "total": total.reshape(-1),
            "first": first.reshape(-1),
            "position": jnp.where(counted, position, s.position),
            "turn": jnp.where(counted, turn, s.turn),
        }


_SHAPING = frozenset({"segment", "overlap", "up_to"})


# ---------------------------------------------------------------- tables, computed in float64
def _hann(samples: int) -> Any:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(samples) / samples)


def _circle(samples: int) -> Any:
    """exp(-2 pi i m / L), by real and imaginary part: all the angles there are."""
    angle = 2 * np.pi * np.arange(samples) / samples
    return jnp.asarray(np.stack([np.cos(angle), -np.sin(angle)]), jnp.result_type(float))


def _of_mean(running: int, samples: int, bins: int) -> Any:
    """What a constant 1 adds to the sums of each running segment: (running, part, frequency).

    Angles are counted from the first sample of all, so a later segment's are turned.
    """
    k = np.arange(bins)
    turned = np.exp(-2j * np.pi * np.outer(np.arange(running), k) / running)
    window = np.where(k == 0, samples / 2, np.where(k == 1, -samples / 4, 0.0))
    both = turned * window
    return jnp.asarray(np.stack([both.real, both.imag], 1), jnp.result_type(float))
