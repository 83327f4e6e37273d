"""Noise with a power-law spectrum in time: S(f) ~ f^-beta over a band of frequencies.

A source adds up independent stationary processes of variance 1, whose corner frequencies f_k lie
in geometric progression from f_low to f_high, with weights c_k^2 ~ f_k^(1 - beta). Where the
progression ends, the first and the last weight stand for all that would follow, so that the law
holds up to the ends. One-sided, with x = f / f_k:

* Spectra that fall are made of Ornstein-Uhlenbeck processes, S_k = 2 / (pi f_k) / (1 + x^2).
* Spectra that rise are made of damped oscillators, S_k = 4 / (pi f_k) x^2 / (1 + x^2)^2.

The first are emitted as they are at each step. Of the second a step emits the mean: what they
feed then adds up the same noise at any dt, and their power beyond 1 / (2 dt) is not folded onto
low frequencies, which have so little. All are stepped exactly, whatever dt is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import brainunit as u
import jax.numpy as jnp
import numpy as np

from braingraph.component import Output, Size, StandardNormal, State, parameter
from braingraph.errors import ParameterError
from braingraph.nodes.checks import within
from braingraph.nodes.noise import Noise, relaxation
from braingraph.random import Normal
from braingraph.units import TIME, Quantity

CATEGORY = "noise"


def _turns(frequency: Any, dt: Any) -> Any:
    """2 pi frequency dt."""
    return 2 * math.pi * dt.to_decimal(TIME) * frequency.to_decimal(TIME**-1)


class BandNoise(Noise):
    """What the colours share: a band, the processes' frequencies and weights, and the sum.

    A subclass has numbered states, slowest first, and says what each process emits.
    """

    _processes: ClassVar[int]
    _rise: ClassVar[int] = 0  # a process has S ~ f^rise below its corner, and f^-2 above
    f_low: Quantity = parameter(0.02 * u.Hz, positive=True)
    f_high: Quantity = parameter(200.0 * u.Hz, positive=True)

    def __init__(self, in_size: Size, *, dt: Any = None, **given: Any) -> None:
        super().__init__(in_size, dt=dt, **given)
        low, high = (np.asarray(f.to_decimal(u.Hz)) for f in (self.f_low, self.f_high))
        if np.any(low >= high):
            raise ParameterError(
                f"{type(self).__name__}.f_low must be below f_high, but is {low.max():g} Hz, and "
                f"f_high {high.min():g} Hz.",
                parameter="f_low",
            )

    def _exponent(self) -> Any:  # the beta of S(f) ~ f^-beta
        return 1.0

    def _values(self, s: Any, dt: Any) -> list[Any]:  # what the processes emit at a step
        raise NotImplementedError

    @Output(unit="sigma")
    def out(self, s: Any, i: Any) -> Any:
        values = zip(self._weights(), self._values(s, i.dt), strict=True)
        return self.mean + self.sigma * sum(weight * value for weight, value in values)

    def _spacing(self) -> Any:
        """The logarithm of the ratio of two neighbouring frequencies."""
        return u.math.log(self.f_high / self.f_low) / (self._processes - 1)

    def _steps(self, dt: Any) -> list[Any]:
        """dt in the time constants 1 / (2 pi f_k)."""
        last, spacing = self._processes - 1, self._spacing()
        fastest = _turns(self.f_high, dt)
        return [fastest * jnp.exp((k - last) * spacing) for k in range(last + 1)]

    def _weights(self) -> list[Any]:
        last, spacing, beta = self._processes - 1, self._spacing(), self._exponent()
        # Below its corner a process has S ~ f_k^(-beta - rise), above it f_k^(2 - beta); so the
        # last one is worth sum_j exp(-j spacing (beta + rise)) = 1 / above of those beyond it.
        above = -jnp.expm1(-spacing * (beta + self._rise))
        below = -jnp.expm1(-spacing * (2 - beta))
        powers = [
            jnp.exp((k - last) * spacing * (1 - beta))
            * (1.0 if k == last else above)
            * (1.0 if k == 0 else below)
            for k in range(last + 1)
        ]
        total = sum(powers)
        return [jnp.sqrt(power / total) for power in powers]


class _FallingNoise(BandNoise):
    """A sum of Ornstein-Uhlenbeck processes."""

    _processes = 7
    x_1, x_2, x_3, x_4, x_5, x_6, x_7 = (State(Normal()) for _ in range(7))
    xi_1, xi_2, xi_3, xi_4, xi_5, xi_6, xi_7 = (StandardNormal() for _ in range(7))

    def _values(self, s: Any, dt: Any) -> list[Any]:
        return [s[f"x_{k + 1}"] for k in range(self._processes)]

    def update(self, s: Any, i: Any, dt: Any) -> Mapping[str, Any]:
        coefficients = enumerate(map(relaxation, self._steps(dt)), 1)
        return {f"x_{k}": a * s[f"x_{k}"] + b * i[f"xi_{k}"] for k, (a, b) in coefficients}


class ColoredNoise(_FallingNoise):
    """Noise whose power falls with a power of the frequency: S(f) ~ f^-beta.

    Equation (k = 1 ... 7, f_k from f_low to f_high in geometric progression)::

        out = mean + sigma sum_k c_k x_k,   c_k^2 ~ f_k^(1 - beta),   sum_k c_k^2 = 1
        dx_k = -x_k / tau_k dt + sqrt(2 / tau_k) dW_k,   tau_k = 1 / (2 pi f_k)

    beta is positive where low frequencies have more power: 0 is white, 1 pink, 2 brown. (Spectra
    that rise are :class:`BlueNoise` and :class:`VioletNoise`.) The spectrum is that power of f
    from 3 f_low to f_high / 3, within 1 % where beta is 1, 6 % where it is 0 or 2 or where
    f_high / f_low is not 10^4 but 10^6; below f_low it is flat, above f_high it falls as f^-2.
    It is stationary from t = 0 on, independent
    in every unit and replica, and stepped exactly, so that its law is the same at any dt.

    Parameters
    ----------
    in_size : int or tuple of int
    sigma : any unit, default 1.0
        The stationary standard deviation.
    mean : unit of sigma, default 0
        What the noise is added to.
    f_low, f_high : frequency, default 0.02 Hz and 200 Hz
        The ends of the band.
    beta : number from 0 to 2, default 1.0
        The exponent.

    Signals
    -------
    out : output, unit of sigma, (unit,)
        What it feeds sees it held over the step.
    x_1, x_2, x_3, x_4, x_5, x_6, x_7 : state, 1, (unit,)
        The processes, slowest first. They start as standard normals.

    Errors
    ------
    UnitError
        ``mean`` is not in the unit of sigma.
    ParameterError
        ``beta`` is not between 0 and 2, or f_low not below f_high.

    Source: relaxations that add up to 1 / f: Bernamont, Ann. Phys. (Paris) 7:71 (1937); exact
    step: Gillespie, Phys. Rev. E 54:2084 (1996). Deviation: brainmass colours the order of the
    units, and leaves time white.

    >>> import brainunit as u
    >>> from braingraph.nodes.colored_noise import ColoredNoise
    >>> ColoredNoise(76, sigma=0.1 * u.nA, beta=1.3)
    ColoredNoise(76, sigma=0.1 [nA], mean=0 [nA], beta=1.3)
    """

    beta: float = 1.0

    def __init__(self, in_size: Size, *, dt: Any = None, **given: Any) -> None:
        super().__init__(in_size, dt=dt, **given)
        within(
            self, "beta", 0, 2, "S(f) ~ f^-beta falls. Take BlueNoise for f, VioletNoise for f^2."
        )

    def _exponent(self) -> Any:
        return self.beta


class PinkNoise(_FallingNoise):
    """Noise with S(f) ~ 1 / f from f_low to f_high: every octave has the same power.

    Equation: that of :class:`ColoredNoise` with beta = 1. Its spectrum, one-sided, is about
    ``0.8 sigma^2 / (f log(f_high / f_low))``.

    Parameters
    ----------
    in_size : int or tuple of int
    sigma : any unit, default 1.0
        The stationary standard deviation.
    mean : unit of sigma, default 0
        What the noise is added to.
    f_low, f_high : frequency, default 0.02 Hz and 200 Hz
        The ends of the band.

    Signals
    -------
    out : output, unit of sigma, (unit,)
        What it feeds sees it held over the step.
    x_1, x_2, x_3, x_4, x_5, x_6, x_7 : state, 1, (unit,)
        The processes, slowest first. They start as standard normals.

    Errors
    ------
    UnitError
        ``mean`` is not in the unit of sigma.
    ParameterError
        f_low is not below f_high.

    Source: Bernamont, Ann. Phys. (Paris) 7:71 (1937). Deviation: as for :class:`ColoredNoise`.

    >>> import brainunit as u
    >>> from braingraph.nodes.colored_noise import PinkNoise
    >>> PinkNoise(76, sigma=0.1 * u.nA, f_low=0.01 * u.Hz)
    PinkNoise(76, sigma=0.1 [nA], mean=0 [nA], f_low=0.01 [Hz])
    """


class _Oscillator(NamedTuple):
    """One step of z / tau and v, from themselves and two shocks, of a = dt / tau.

    Their drift is exp(M a), their shocks have the covariance 1 - exp(M a) exp(M a)^T. The mean
    over a step needs the shock to z in advance: e is drawn a step ahead, as a state.
    """

    a: Any
    decay: Any
    pull: Any  # of z on its own mean velocity: 1 - (1 + a) exp(-a)
    z_shock: Any
    shared: Any  # the part of v's shock that is z's
    v_shock: Any

    @classmethod
    def of(cls, a: Any) -> _Oscillator:
        decay = jnp.exp(-a)
        zz = _beyond(3, 2 * a)
        vv = zz + 4 * a * decay**2
        z_shock = jnp.sqrt(zz)
        shared = 2 * (a * decay) ** 2 / z_shock
        return cls(a, decay, _beyond(2, a), z_shock, shared, jnp.sqrt(vv - shared**2))

    def mean(self, z: Any, v: Any, e: Any) -> Any:
        """The mean of v over the step: z's way divided by dt."""
        return (self.a * self.decay * v - self.pull * z + self.z_shock * e) / self.a

    def next(self, z: Any, v: Any, e: Any, xi: Any) -> tuple[Any, Any]:
        drift = self.decay * ((1 - self.a) * v - self.a * z)
        return z + self.a * self.mean(z, v, e), drift + self.shared * e + self.v_shock * xi


def _beyond(m: int, y: Any) -> Any:
    """1 - exp(-y) sum_{j < m} y^j / j!, to the last digits also for small y."""
    small = jnp.minimum(y, 0.5)
    series: Any = 1.0  # of the terms from y^m / m! on, by Horner's rule
    for j in range(m + 12, m, -1):
        series = 1.0 + small / j * series
    near = jnp.exp(-small) * small**m / math.factorial(m) * series
    far = 1 - jnp.exp(-y) * sum(y**j / math.factorial(j) for j in range(m))
    return jnp.where(y < 0.5, near, far)


class BlueNoise(BandNoise):
    """Noise with S(f) ~ f from f_low to f_high: the derivative of pink noise.

    Equation (k = 1 ... 5, f_k from f_low to f_high in geometric progression)::

        out_n = mean + sigma sum_k c_k (z_k(t_n + dt) - z_k(t_n)) / dt
        dz_k = v_k dt,   dv_k = -(2 v_k + z_k / tau_k) / tau_k dt + 2 / sqrt(tau_k) dW_k
        tau_k = 1 / (2 pi f_k),   c_k^2 ~ f_k^2,   sum_k c_k^2 = 1

    The spectrum is that power of f from 3 f_low to f_high / 3, within 7 %; below f_low it falls
    as f^2, above f_high as f^-2. It is stationary from t = 0 on, independent in every unit and
    replica, and stepped exactly: at any dt it is the same process, averaged over the steps.

    Parameters
    ----------
    in_size : int or tuple of int
    sigma : any unit, default 1.0
        The standard deviation of the process. Its mean over a step varies less, as most of the
        power is near f_high: 96 % at dt = 0.02 / f_high, 82 % at 0.1 / f_high.
    mean : unit of sigma, default 0
        What the noise is added to.
    f_low, f_high : frequency, default 0.2 Hz and 200 Hz
        The ends of the band.

    Signals
    -------
    out : output, unit of sigma, (unit,)
        The mean over the step that begins.
    z_1, z_2, z_3, z_4, z_5 : state, 1, (unit,)
        The integrals of v, divided by tau; slowest first. All states start as standard normals.
    v_1, v_2, v_3, v_4, v_5 : state, 1, (unit,)
        The processes.
    e_1, e_2, e_3, e_4, e_5 : state, 1, (unit,)
        The shocks to z in the step that begins.

    Errors
    ------
    UnitError
        ``mean`` is not in the unit of sigma.
    ParameterError
        f_low is not below f_high.

    Source: the oscillator in noise, and its exact step: Chandrasekhar, Rev. Mod. Phys. 15:1
    (1943), section II.3; sums of relaxations: Bernamont, Ann. Phys. (Paris) 7:71 (1937).
    Deviation: brainmass makes the spectrum f^2, along the units.

    >>> from braingraph.nodes.colored_noise import BlueNoise
    >>> BlueNoise(76, sigma=0.1)
    BlueNoise(76, sigma=0.1)
    """

    _processes, _rise = 5, 2
    f_low = parameter(0.2 * u.Hz, positive=True)
    z_1, z_2, z_3, z_4, z_5 = (State(Normal()) for _ in range(5))
    v_1, v_2, v_3, v_4, v_5 = (State(Normal()) for _ in range(5))
    e_1, e_2, e_3, e_4, e_5 = (State(Normal()) for _ in range(5))
    xi_1, xi_2, xi_3, xi_4, xi_5 = (StandardNormal() for _ in range(5))
    zeta_1, zeta_2, zeta_3, zeta_4, zeta_5 = (StandardNormal() for _ in range(5))

    def _exponent(self) -> Any:
        return -1.0

    def _values(self, s: Any, dt: Any) -> list[Any]:
        return [
            _Oscillator.of(a).mean(s[f"z_{k}"], s[f"v_{k}"], s[f"e_{k}"])
            for k, a in enumerate(self._steps(dt), 1)
        ]

    def update(self, s: Any, i: Any, dt: Any) -> Mapping[str, Any]:
        new = {}
        for k, a in enumerate(self._steps(dt), 1):
            z, v, e = s[f"z_{k}"], s[f"v_{k}"], s[f"e_{k}"]
            new[f"z_{k}"], new[f"v_{k}"] = _Oscillator.of(a).next(z, v, e, i[f"xi_{k}"])
            new[f"e_{k}"] = i[f"zeta_{k}"]
        return new


class VioletNoise(Noise):
    """Noise with S(f) ~ f^2 up to f_high: the derivative of white noise that ends there.

    Equation::

        out_n = mean + sigma (z(t_n + dt) - z(t_n)) / dt,   tau = 1 / (2 pi f_high)
        dz = v dt,   dv = -(2 v + z / tau) / tau dt + 2 / sqrt(tau) dW

    so z is white noise smoothed twice over tau, and the spectrum of v, one-sided, is
    ``8 tau x^2 / (1 + x^2)^2`` with ``x = f / f_high``. (The derivative of white noise itself has
    no variance: its power must end somewhere.) It is stationary from t = 0 on, independent in every
    unit and replica, and stepped exactly: at any dt the same process, averaged over steps.

    Parameters
    ----------
    in_size : int or tuple of int
    sigma : any unit, default 1.0
        The standard deviation of the process. Its mean over a step varies less: 96 % at
        dt = 0.02 / f_high, 82 % at 0.1 / f_high.
    mean : unit of sigma, default 0
        What the noise is added to.
    f_high : frequency, default 200 Hz
        Where the spectrum turns, to fall as f^-2.

    Signals
    -------
    out : output, unit of sigma, (unit,)
        The mean over the step that begins.
    z : state, 1, (unit,)
        The integral of v, divided by tau. All states start as standard normals.
    v : state, 1, (unit,)
        The process.
    e : state, 1, (unit,)
        The shock to z in the step that begins.

    Errors
    ------
    UnitError
        ``mean`` is not in the unit of sigma.

    Source: Chandrasekhar, Rev. Mod. Phys. 15:1 (1943), section II.3. Deviation: brainmass makes
    the spectrum f^4, along the units.

    >>> import brainunit as u
    >>> from braingraph.nodes.colored_noise import VioletNoise
    >>> VioletNoise(76, f_high=100.0 * u.Hz)
    VioletNoise(76, f_high=100 [Hz])
    """

    f_high: Quantity = parameter(200.0 * u.Hz, positive=True)
    z, v, e = (State(Normal()) for _ in range(3))
    xi, zeta = (StandardNormal() for _ in range(2))

    def _oscillator(self, dt: Any) -> _Oscillator:
        return _Oscillator.of(_turns(self.f_high, dt))

    @Output(unit="sigma")
    def out(self, s: Any, i: Any) -> Any:
        return self.mean + self.sigma * self._oscillator(i.dt).mean(s.z, s.v, s.e)

    def update(self, s: Any, i: Any, dt: Any) -> Mapping[str, Any]:
        z, v = self._oscillator(dt).next(s.z, s.v, s.e, i.xi)
        return {"z": z, "v": v, "e": i.zeta}
