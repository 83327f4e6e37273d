"""Lead fields: what sensors see of the activity of regions, as EEG, MEG and depth electrodes do."""

from __future__ import annotations

from typing import Any, ClassVar

import brainunit as u
import numpy as np

from braingraph.component import Input, Output, Size, StandardNormal, parameter
from braingraph.errors import ParameterError, ShapeError, UnitError
from braingraph.observers.sensors import SensorArray, applied
from braingraph.parameters import numbers
from braingraph.units import ONE, Unit, attach, dimensionless, show, strip, unit_of

DIPOLE: Unit = u.nA * u.meter
CURRENT: Unit = u.nA
#: How far a covariance may be from symmetric, and its eigenvalues below 0, relative to the largest:
#: what is left of one that was computed in float32.
ROUNDING = 1e-6


class _LeadField(SensorArray):
    """What lead fields share: the sum over regions, and the noise of the sensors."""

    #: What a source is in, and (None: what the gain makes of it) what a sensor reads.
    source_unit: ClassVar[Unit] = DIPOLE
    sensor_unit: ClassVar[Unit | None] = None

    gain: Any = parameter(None, free=True, any_unit=True)
    scale: Any = parameter(1.0, any_unit=True)
    noise: Any = parameter(None, free=True, any_unit=True)

    x = Input(unit=lambda model: model._taken())
    xi = StandardNormal(size=lambda model: model.sensors)

    def __init__(
        self, in_size: Size, *, dt: Any = None, noise_cov: Any = None, **given: Any
    ) -> None:
        super().__init__(in_size, dt=dt, **given)
        if noise_cov is not None:
            if self.noise is not None:
                raise ParameterError(
                    f"{type(self).__name__} takes noise or noise_cov, not both: leave one out.",
                    parameter="noise_cov",
                )
            self.__dict__["noise"] = self._root(noise_cov)
        elif self.noise is None:
            self.__dict__["_normals"] = {}
        else:
            self.__dict__["noise"] = self._spread(self.noise)

    def _source(self) -> Unit:
        """The unit of scale times x."""
        return self.source_unit

    def _taken(self) -> Unit:
        """The unit of x."""
        source, scale = self._source(), unit_of(self.scale)
        unit = source if scale == ONE else source / scale
        return ONE if dimensionless(unit) else unit

    def _read(self) -> Unit:
        """The unit of what the sensors read."""
        if self.sensor_unit is None:
            return unit_of(self.gain) * self._source()
        return self.sensor_unit

    def _spread(self, noise: Any) -> Any:
        """``noise`` in the unit of the sensors, once it is a deviation or a root."""
        where, unit = f"{type(self).__name__}.noise", self._read()
        plain = numbers(strip(noise, unit, where), where, parameter="noise")
        sensors = self.sensors
        if plain.shape not in ((), (sensors,), (sensors, sensors)):
            raise ShapeError(
                f"{where} has shape {plain.shape}, but must be one standard deviation, one for "
                f"each of the {sensors} sensors, or a root of their covariance, "
                f"({sensors}, {sensors}).",
                given=plain.shape,
                needed=(sensors,),
            )
        if plain.ndim < 2 and (plain < 0).any():
            raise ParameterError(
                f"{where} is a standard deviation and must not be negative, but holds "
                f"{plain.min():g}.",
                parameter="noise",
            )
        return attach(plain, unit)

    def _root(self, noise_cov: Any) -> Any:
        where, unit = f"{type(self).__name__}.noise_cov", self._read()
        fix = f"the square of what the sensors read, {show(unit)}."
        plain = numbers(strip(noise_cov, unit * unit, where, fix), where, parameter="noise_cov")
        needed = (self.sensors, self.sensors)
        if plain.shape != needed:
            raise ShapeError(
                f"{where} has shape {plain.shape}, but must be {needed}: (sensor, sensor).",
                given=plain.shape,
                needed=needed,
            )
        return attach(_symmetric_root(plain, where), unit)

    def measured(self, s: Any, i: Any) -> Any:
        """What the sensors read, (sensor,)."""
        y = applied(self.gain, self.scale * i.x)
        if self.noise is None:
            return y
        return y + (applied(self.noise, i.xi) if self.noise.ndim == 2 else self.noise * i.xi)


class LeadFieldModel(_LeadField):
    """Sensors that add up the sources of all regions, each with a gain of its own.

    ::

        signal = gain (scale x) + A xi_n,        xi_n standard normal, A A^T the noise's covariance

    The noise is white in time: every step of the observer draws new normals ``xi``, and ``noise``
    is the standard deviation of one such sample, whatever the clock (``dt=``) is. So give that of
    the sampling rate you record; the mean of k samples has 1 / sqrt(k) of it.

    Parameters
    ----------
    in_size : int or tuple of int
        Regions.
    gain : any unit, (sensor, region)
        What one unit of a source makes a sensor read. Sources are in nA m when it has a unit, such
        as ``u.uvolt / (u.nA * u.meter)``; a gain without one keeps the unit of ``scale``.
    scale : any unit, default 1.0
        The source that one unit of x is, one or one per region: ``10 * u.nA * u.meter / u.mV``
        takes x in mV, ``10 * u.nA * u.meter`` takes x without unit, 1.0 takes sources.
    noise : unit of signal, default None
        Standard deviation of a sample of the sensors' noise, one or one per sensor; or a root A
        of its covariance A A^T, (sensor, sensor). None: no noise. ``noise_cov=`` takes the
        covariance itself, (sensor, sensor), in its stead, and makes its symmetric root of it; it
        may be singular.
    dt : time, default None
        A clock of its own.

    Signals
    -------
    x : input, unit of a source / unit of scale, (region,)
    signal : output, unit of gain * unit of a source, (sensor,)

    Errors
    ------
    ParameterError
        No gain; both forms of noise; a negative deviation; a covariance that is not symmetric, or
        has a negative eigenvalue.
    ShapeError
        ``gain`` is not (sensor, region): [target, source], as all weights here. The noise is of
        another number of sensors.
    UnitError
        The noise is not in the unit of the signal.

    Source: Nunez & Srinivasan 2006, Electric Fields of the Brain. Deviations: brainmass takes
    (region, sensor), and its noise has the covariance of the transposed root.

    >>> import brainunit as u
    >>> from braingraph.observers import LeadFieldModel
    >>> LeadFieldModel(2, gain=[[1.0, 2.0], [0.5, 0.0], [0.0, 1.0]], scale=3.0 * u.mV)
    LeadFieldModel(2, gain=array(3, 2), scale=3 [mV])
    """

    def _source(self) -> Unit:
        plain = unit_of(self.gain) == ONE
        return unit_of(self.scale) if plain else self.source_unit

    @Output(unit=lambda model: model._read(), size=lambda model: model.sensors)
    def signal(self, s: Any, i: Any) -> Any:
        """What the sensors read."""
        return self.measured(s, i)


class EEGLeadFieldModel(_LeadField):
    """The potential at electrodes on the scalp, of a dipole in every region.

    ::

        eeg = gain (scale x) + A xi_n

    with noise, clock and errors as in :class:`LeadFieldModel`.

    Parameters
    ----------
    in_size : int or tuple of int
        Regions.
    gain : V / (A m), (sensor, region)
        Such as :func:`eeg_sphere_gain` or a boundary element model gives. Kept in uV / (nA m).
    scale : dipole moment / unit of x, default 1.0
        The dipole that one unit of x is, one or one per region. 1.0: x is the moment, in nA m.
    noise : potential, default None
        Standard deviation of a sample, one or one per sensor, or a root of the covariance;
        ``noise_cov=`` takes the covariance, (sensor, sensor).
    dt : time, default None
        A clock of its own.

    Signals
    -------
    x : input, nA m / unit of scale, (region,)
    eeg : output, uV, (sensor,)
        Against the reference of the gain.

    Source: that of :class:`LeadFieldModel`.

    >>> import brainunit as u
    >>> import braingraph as bg
    >>> from braingraph import nodes, observers
    >>> gain = [[0.3, 0.1], [-0.2, 0.4], [-0.1, -0.5]] * u.uvolt / (u.nA * u.meter)
    >>> g = bg.Graph()
    >>> columns = g.add_node("columns", nodes.JansenRitStep(2))
    >>> scalp = observers.EEGLeadFieldModel(2, gain=gain, scale=10 * u.nA * u.meter / u.mV)
    >>> scalp = g.add_node("scalp", scalp)
    >>> _ = g.add_edge(columns.eeg, scalp.x)
    >>> ds = bg.Simulator(g, dt=0.5 * u.ms).run(1 * u.second, monitors=["scalp.eeg"])
    >>> ds["scalp.eeg"].shape, ds["scalp.eeg"].attrs["units"]
    ((2000, 3), 'uV')
    """

    sensor_unit = u.uvolt

    gain: Any = parameter(None, free=True, unit=u.uvolt / DIPOLE)

    @Output(unit=u.uvolt, size=lambda model: model.sensors)
    def eeg(self, s: Any, i: Any) -> Any:
        """The potential at the electrodes."""
        return self.measured(s, i)


class MEGLeadFieldModel(_LeadField):
    """The magnetic field at sensors around the head, of a dipole in every region.

    ::

        meg = gain (scale x) + A xi_n

    with noise, clock and errors as in :class:`LeadFieldModel`.

    Parameters
    ----------
    in_size : int or tuple of int
        Regions.
    gain : T / (A m), (sensor, region)
        Such as :func:`meg_sphere_gain` gives. Kept in fT / (nA m).
    scale : dipole moment / unit of x, default 1.0
        As in :class:`EEGLeadFieldModel`.
    noise : field, default None
        As in :class:`EEGLeadFieldModel`.
    dt : time, default None
        As in :class:`EEGLeadFieldModel`.

    Signals
    -------
    x : input, nA m / unit of scale, (region,)
    meg : output, fT, (sensor,)

    Source: that of :class:`LeadFieldModel`. Deviation: brainmass scales by dipole moment over
    field, as if x were a field.

    >>> import brainunit as u
    >>> from braingraph.observers import MEGLeadFieldModel
    >>> MEGLeadFieldModel(1, gain=[[8.2], [-3.1]] * u.ftesla / (u.nA * u.meter), noise=3 * u.ftesla)
    MEGLeadFieldModel(1, gain=array(2, 1) [fT / (m * nA)], noise=3 [fT])
    """

    sensor_unit = u.ftesla

    gain: Any = parameter(None, free=True, unit=u.ftesla / DIPOLE)

    @Output(unit=u.ftesla, size=lambda model: model.sensors)
    def meg(self, s: Any, i: Any) -> Any:
        """The field at the sensors."""
        return self.measured(s, i)


class SEEGLeadFieldModel(_LeadField):
    """The potential at contacts of depth electrodes, of a dipole or a current in every region.

    ::

        seeg = gain (scale x) + A xi_n

    with noise, clock and errors as in :class:`LeadFieldModel`.

    Parameters
    ----------
    in_size : int or tuple of int
        Regions.
    gain : V / (A m) or V / A, (sensor, region)
        Such as :func:`seeg_dipole_gain` and :func:`seeg_monopole_gain` give. Sources are dipole
        moments in nA m with the first, currents in nA with the second.
    scale : unit of a source / unit of x, default 1.0
        The source that one unit of x is, one or one per region. 1.0: x is the source.
    noise : potential, default None
        As in :class:`EEGLeadFieldModel`.
    dt : time, default None
        As in :class:`EEGLeadFieldModel`.

    Signals
    -------
    x : input, nA m or nA / unit of scale, (region,)
    seeg : output, uV, (sensor,)

    Source: that of :class:`LeadFieldModel`.

    >>> import brainunit as u
    >>> from braingraph import observers
    >>> contacts, regions = [[0, 0, 5], [0, 0, 10]] * u.mm, [[0, 0, 0]] * u.mm
    >>> gain = observers.seeg_monopole_gain(contacts, regions)
    >>> observers.SEEGLeadFieldModel(1, gain=gain, scale=2.0 * u.nA)
    SEEGLeadFieldModel(1, gain=array(2, 1) [ohm], scale=2 [nA])
    """

    sensor_unit = u.uvolt

    def _source(self) -> Unit:
        given = unit_of(self.gain)
        for unit in (DIPOLE, CURRENT):
            if (given * unit).has_same_dim(u.uvolt):
                return unit
        raise UnitError(
            f"SEEGLeadFieldModel.gain is in {show(given)}, but must be in [V / (m * A)], for "
            "dipoles, or in [V / A], for currents.",
            given=given,
            needed=u.uvolt / DIPOLE,
        )

    def __init__(
        self, in_size: Size, *, dt: Any = None, noise_cov: Any = None, **given: Any
    ) -> None:
        super().__init__(in_size, dt=dt, noise_cov=noise_cov, **given)
        self._source()  # refuses other units

    @Output(unit=u.uvolt, size=lambda model: model.sensors)
    def seeg(self, s: Any, i: Any) -> Any:
        """The potential at the contacts."""
        return self.measured(s, i)


def _symmetric_root(cov: np.ndarray, where: str) -> np.ndarray:
    """The symmetric root of a covariance, which may be singular."""
    size = abs(cov).max(initial=0.0)
    if abs(cov - cov.T).max(initial=0.0) > ROUNDING * size:
        raise ParameterError(
            f"{where} is not symmetric, so it is no covariance.", parameter="noise_cov"
        )
    values, vectors = np.linalg.eigh((cov + cov.T) / 2)
    if values.min() < -ROUNDING * size:
        raise ParameterError(
            f"{where} has the negative eigenvalue {values.min():g}, so it is no covariance.",
            parameter="noise_cov",
        )
    root: np.ndarray = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return root
