"""Haemodynamic response functions: what the BOLD signal does after an impulse of activity.

Each is the answer of a linear system with constant coefficients, so that
:class:`braingraph.observers.HRFBold` convolves with it online, with a few numbers a unit. A kernel
is a function of time, ``kernel(t)``, dimensionless; convolutions integrate over seconds.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import brainunit as u
import jax.numpy as jnp
import numpy as np

from braingraph.component import parameter
from braingraph.errors import ParameterError, ShapeError
from braingraph.observers.filters import Matrix, Value, held, mixed, stepped, whole
from braingraph.units import Quantity, strip

CATEGORY = "kernel"
SECOND = u.second


class HRFKernel(Value):
    """Base of kernels. Subclasses give ``response`` and, by ``system``, the filter behind it."""

    #: k_1, V_0 and baseline of the signal, where :class:`HRFBold` is given none.
    readout: ClassVar[tuple[float, float, float]] = (1.0, 1.0, 0.0)

    @property
    def order(self) -> int:
        """How many numbers a unit the filter remembers."""
        return len(self.system()[0])

    def system(self) -> tuple[Matrix, Matrix, Matrix]:
        """A, B and C of ``x' = A x + B z``, ``y = C x``, per second."""
        raise NotImplementedError

    def response(self, t: Matrix) -> Matrix:
        """The kernel at times t >= 0 in seconds."""
        raise NotImplementedError

    def values(self, t: Any) -> Matrix:
        """The kernel at times t: 0 before 0. For plots, as in ``plot(t, kernel.values(t))``."""
        seconds = np.asarray(strip(t, SECOND, "t", "as in 5.0 * u.second."), float)
        return np.where(seconds < 0, 0.0, self.response(np.maximum(seconds, 0.0)))

    def __call__(self, t: Any) -> Matrix:
        return self.values(t)

    # -- what HRFBold does with it
    def advance(self, memory: Any, z: Any, dt: float) -> Any:
        """The memory, (row, unit), one step of dt seconds on."""
        A, B, _ = self.system()
        return stepped(memory, *held(A, B, dt), z)

    def read(self, memory: Any) -> Any:
        """The convolution, (unit,)."""
        return mixed(self.system()[2], memory)


class FirstOrderVolterra(HRFKernel):
    """The first Volterra kernel of the flow: a damped oscillation with its peak at 0.8 s.

    ::

        h(t) = exp(-t / (2 tau_s)) sin(omega t) / (3 omega s)
        omega^2 = 1 / (tau_f s) - 1 / (4 tau_s^2),        s = 1 second

    Its integral is tau_f / 3, and its peak is at atan(2 tau_s omega) / omega.

    Parameters
    ----------
    tau_s : time, default 0.8 s
        Decay of the vasodilatory signal.
    tau_f : time, default 0.4 s
        Feedback of the flow. As in the paper it is a time only because the flow follows its
        signal within 1 s.

    Errors
    ------
    ParameterError
        ``tau_f`` so long that nothing oscillates: omega^2 would not be positive.

    Source: Friston, Mechelli, Turner & Price 2000, NeuroImage 12:466, as TVB's
    ``FirstOrderVolterra`` has it. With it :class:`HRFBold` reads 5.6 * 0.02 (y - 1), as TVB does.

    >>> import brainunit as u
    >>> from braingraph.observers import FirstOrderVolterra
    >>> FirstOrderVolterra().values([0.0, 0.8, 1.0] * u.second).round(4).tolist()
    [0.0, 0.1277, 0.122]
    """

    readout = (5.6, 0.02, 1.0)

    tau_s: Quantity = parameter(0.8 * SECOND, positive=True)
    tau_f: Quantity = parameter(0.4 * SECOND, positive=True)

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        rate, square = self._rate_and_square()
        if square <= 0:
            raise ParameterError(
                f"FirstOrderVolterra.tau_f is {1 / (square + rate**2):g} s, but must be below "
                f"4 tau_s^2 / s, {1 / rate**2:g} s, or nothing oscillates.",
                parameter="tau_f",
            )

    def _rate_and_square(self) -> tuple[float, float]:
        """1 / (2 tau_s) and omega^2, in seconds."""
        rate = 0.5 / _number(self.tau_s, SECOND)
        return rate, 1.0 / _number(self.tau_f, SECOND) - rate**2

    def response(self, t: Matrix) -> Matrix:
        rate, square = self._rate_and_square()
        omega = math.sqrt(square)
        return np.exp(-rate * t) * np.sin(omega * t) / (3 * omega)

    def system(self) -> tuple[Matrix, Matrix, Matrix]:
        rate, square = self._rate_and_square()
        omega = math.sqrt(square)
        A, B = _oscillators((rate, omega))
        return A, B, np.array([0.0, 1 / (3 * omega)])


class Gamma(HRFKernel):
    """A gamma density scaled to the height of its peak, which is at (n - 1) tau.

    ::

        h(t) = a (t / ((n - 1) tau))^(n - 1) exp(n - 1 - t / tau)

    Parameters
    ----------
    tau : time, default 1.08 s
        Of each of the n filters in a row.
    n : 1, default 3
        How many, a whole number.
    a : 1, default 0.1
        The height of the peak.

    Errors
    ------
    ParameterError
        ``n`` is not whole, or ``tau`` not positive.

    Source: Boynton, Engel, Glover & Heeger 1996, J Neurosci 16:4207, eq. 3. Deviation: TVB scales
    by the largest of its samples, which depends on how densely they are taken.

    >>> import brainunit as u
    >>> from braingraph.observers import Gamma
    >>> Gamma().values([2.16, 5.0] * u.second).round(4).tolist()
    [0.1, 0.0386]
    """

    tau: Quantity = parameter(1.08 * SECOND, positive=True)
    n: float = 3.0
    a: float = 0.1

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        whole(self, "n")

    def _peak(self) -> float:
        """The density's greatest value, times tau."""
        m = int(self.n) - 1
        return float(m**m) * math.exp(-m) / math.factorial(m)

    def response(self, t: Matrix) -> Matrix:
        return float(self.a) / self._peak() * _gamma(t / _number(self.tau, SECOND), int(self.n))

    def system(self) -> tuple[Matrix, Matrix, Matrix]:
        n, tau = int(self.n), _number(self.tau, SECOND)
        C = np.zeros(n)
        C[-1] = float(self.a) / self._peak() * tau
        return *_chain(n, 1 / tau), C


class DoubleExponential(HRFKernel):
    """Two damped oscillations, one taken from the other, scaled to the height of the peak.

    ::

        h(t) = a g(t) / max g
        g(t) = amp_1 exp(-t / tau_1) sin(2 pi f_1 t) - amp_2 exp(-t / tau_2) sin(2 pi f_2 t)

    With these constants it first dips, has its peak at 5.94 s, and rings for half a minute.

    Parameters
    ----------
    tau_1, tau_2 : time, default 7.22 and 7.4 s
        Decay of the oscillations.
    f_1, f_2 : frequency, default 0.03 and 0.12 Hz
        Their frequencies.
    amp_1, amp_2 : 1, default 0.1
        Their amplitudes, of which only the ratio matters.
    a : 1, default 0.1
        The height of the peak.

    Errors
    ------
    ParameterError
        A time or frequency that is not positive, or both amplitudes 0.

    Source: Polonsky, Blake, Braun & Heeger 2000, Nat Neurosci 3:1153, as TVB's
    ``DoubleExponential`` has it. Deviation: the peak is that of the function, not of samples.

    >>> import brainunit as u
    >>> from braingraph.observers import DoubleExponential
    >>> DoubleExponential().values([1.0, 5.9425] * u.second).round(4).tolist()
    [-0.0523, 0.1]
    """

    tau_1: Quantity = parameter(7.22 * SECOND, positive=True)
    tau_2: Quantity = parameter(7.4 * SECOND, positive=True)
    f_1: Quantity = parameter(0.03 * u.Hz, positive=True)
    f_2: Quantity = parameter(0.12 * u.Hz, positive=True)
    amp_1: float = 0.1
    amp_2: float = 0.1
    a: float = 0.1

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        if not self.amp_1 and not self.amp_2:
            raise ParameterError(
                "DoubleExponential.amp_1 and amp_2 are both 0: there is nothing to scale.",
                parameter="amp_1",
            )

    def _parts(self) -> list[tuple[float, float, float]]:
        """Decay rate, angular frequency and amplitude of each, in seconds."""
        times, frequencies = (self.tau_1, self.tau_2), (self.f_1, self.f_2)
        return [
            (1 / _number(tau, SECOND), 2 * math.pi * _number(f, u.Hz), float(amplitude))
            for tau, f, amplitude in zip(times, frequencies, (self.amp_1, -self.amp_2), strict=True)
        ]

    def _raw(self, t: Any) -> Any:
        return sum(k * np.exp(-rate * t) * np.sin(omega * t) for rate, omega, k in self._parts())

    def _peak(self) -> float:
        from scipy.optimize import minimize_scalar

        rates, omegas, _ = zip(*self._parts(), strict=True)
        step = 0.01 / max(*rates, *omegas)
        end = 2 * math.pi / min(omegas) + 5 / min(rates)
        t = step * float(np.argmax(self._raw(step * np.arange(math.ceil(end / step)))))
        inside = (max(t - step, 0.0), t + step)
        found = minimize_scalar(
            lambda t: -self._raw(t),
            bounds=inside,
            method="bounded",
            options={"xatol": 1e-6 * step},
        )
        return float(-found.fun)

    def response(self, t: Matrix) -> Matrix:
        return np.asarray(float(self.a) / self._peak() * self._raw(t))

    def system(self) -> tuple[Matrix, Matrix, Matrix]:
        parts, scale = self._parts(), float(self.a) / self._peak()
        A, B = _oscillators(*[(rate, omega) for rate, omega, _ in parts])
        return A, B, scale * np.ravel([(0.0, k) for _, _, k in parts])


class MixtureOfGammas(HRFKernel):
    """A gamma density for the response, from which another takes the undershoot.

    ::

        h(t) = (l t)^(a_1 - 1) exp(-l t) / Gamma(a_1) - c (l t)^(a_2 - 1) exp(-l t) / Gamma(a_2)

    With these constants its peak is at 4.95 s and its undershoot at 13.18 s; the integral is
    (1 - c) / l.

    Parameters
    ----------
    a_1, a_2 : 1, default 6 and 13
        Shapes of the response and of the undershoot, whole numbers.
    l : rate, default 1 / s
        Of both.
    c : 1, default 0.4
        Weight of the undershoot.

    Errors
    ------
    ParameterError
        A shape that is not whole, or ``l`` not positive.

    Source: Glover 1999, NeuroImage 9:416, as TVB's ``MixtureOfGammas`` has it.

    >>> import brainunit as u
    >>> from braingraph.observers import MixtureOfGammas
    >>> MixtureOfGammas().values([5.0, 13.18] * u.second).round(4).tolist()
    [0.1741, -0.0371]
    """

    a_1: float = 6.0
    a_2: float = 13.0
    l: Quantity = parameter(1.0 / SECOND, positive=True)  # noqa: E741
    c: float = 0.4

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        whole(self, "a_1", "a_2")

    def response(self, t: Matrix) -> Matrix:
        x = _number(self.l, SECOND**-1) * t
        return _gamma(x, int(self.a_1)) - float(self.c) * _gamma(x, int(self.a_2))

    def system(self) -> tuple[Matrix, Matrix, Matrix]:
        first, second, rate = int(self.a_1), int(self.a_2), _number(self.l, SECOND**-1)
        C = np.zeros(max(first, second))
        C[first - 1] += 1 / rate
        C[second - 1] -= float(self.c) / rate
        return *_chain(len(C), rate), C


class ArrayKernel(HRFKernel):
    """A kernel given by samples, such as a measured one.

    ::

        h(t) = samples_k        for k every <= t < (k + 1) every,        0 after the last

    It is convolved sample by sample, so :class:`HRFBold` then runs on the clock ``every``, keeps
    as many past values of each unit as there are samples, and multiplies all of them at each step.

    Parameters
    ----------
    samples : 1, (sample,)
        The kernel, from t = 0.
    every : time
        From one sample to the next.

    Errors
    ------
    ParameterError
        No samples, or no ``every``.
    ShapeError
        Samples that are not a row.

    Source: ours.

    >>> import brainunit as u
    >>> from braingraph.observers import ArrayKernel
    >>> kernel = ArrayKernel(samples=[0.0, 0.4, 1.0, 0.3], every=0.5 * u.second)
    >>> kernel.values([0.6, 1.0, 2.5] * u.second).tolist()
    [0.4, 1.0, 0.0]
    """

    samples: Any = parameter(None, free=True, unit=u.UNITLESS)
    every: Quantity = parameter(None, unit=SECOND, positive=True)

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        for name in ("samples", "every"):
            if getattr(self, name) is None:
                raise ParameterError(
                    "ArrayKernel needs its samples and the time between them, as in "
                    "ArrayKernel(samples=h, every=10.0 * u.ms).",
                    parameter=name,
                )
        shape = np.shape(self.samples)
        if len(shape) != 1 or not shape[0]:
            raise ShapeError(
                f"ArrayKernel.samples must be a row of numbers, but has shape {shape}.",
                given=shape,
                needed=("sample",),
            )

    @property
    def order(self) -> int:
        return len(self.samples)

    def response(self, t: Matrix) -> Matrix:
        at = np.floor(t / _number(self.every, SECOND) * (1 + 1e-12)).astype(int)
        return np.asarray(np.append(self.samples, 0.0)[np.minimum(at, self.order)])

    def advance(self, memory: Any, z: Any, dt: float) -> Any:
        return jnp.concatenate([z[None], memory[:-1]])

    def read(self, memory: Any) -> Any:
        return mixed(np.asarray(self.samples) * _number(self.every, SECOND), memory)


def _number(value: Any, unit: Any) -> float:
    return float(strip(value, unit, "a kernel's parameter"))


def _gamma(x: Matrix, n: int) -> Matrix:
    """x^(n - 1) exp(-x) / (n - 1)!"""
    return np.asarray(x ** (n - 1) * np.exp(-x) / math.factorial(n - 1))


def _chain(n: int, rate: float) -> tuple[Matrix, Matrix]:
    """n filters in a row, each ``x' = rate (what comes before - x)``: gamma densities."""
    A = rate * (np.eye(n, k=-1) - np.eye(n))
    return A, rate * np.eye(n)[0]


def _oscillators(*of: tuple[float, float]) -> tuple[Matrix, Matrix]:
    """Beside one another ``x' = -rate x - omega y + z``, ``y' = omega x - rate y``.

    After an impulse y is exp(-rate t) sin(omega t).
    """
    A = np.zeros((2 * len(of), 2 * len(of)))
    for k, (rate, omega) in enumerate(of):
        A[2 * k : 2 * k + 2, 2 * k : 2 * k + 2] = [[-rate, -omega], [omega, -rate]]
    return A, np.tile([1.0, 0.0], len(of))
