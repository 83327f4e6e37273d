"""EEG as a normalised, average-referenced lead field of regions."""

from __future__ import annotations

from typing import Any

import brainunit as u
import jax.numpy as jnp
import numpy as np

from braingraph.component import Input, Output, Size, parameter
from braingraph.errors import ParameterError, ShapeError, did_you_mean
from braingraph.observers.sensors import SensorArray, applied
from braingraph.units import ONE, Unit, dimensionless, unit_of

NORMS = ("l1", "l2", "none")


class LeadfieldReadout(SensorArray):
    """EEG from a lead field whose rows are normalised, against the average reference.

    ::

        L^_mr = lm_mr / |lm_m|,  minus its mean over sensors m
        eeg = cy0 (L^ x) - y0

    so that a sensor's distance does not matter, only its pattern.

    Parameters
    ----------
    in_size : int or tuple of int
        Regions.
    lm : any unit, (sensor, region)
        The lead field.
    y0 : any unit, default 0.0
        Offset, one or one per sensor. Its unit is that of eeg.
    cy0 : any unit, default 1.0
        Gain, one or one per sensor.
    normalize : bool or str, default True
        The norm of the rows: "l1" (True), "l2", or "none" (False), which keeps the unit of lm.
    demean : bool, default True
        The average reference.
    dt : time, default None
        A clock of its own.

    Signals
    -------
    x : input, unit of y0 / (unit of cy0 * unit of L^), (region,)
        With ``y0=0 * u.mV`` it takes mV.
    eeg : output, unit of y0, (sensor,)

    Errors
    ------
    ParameterError
        No lm; a normalize that is none of these; a row of zeros, which has no norm.
    ShapeError
        ``lm`` is not (sensor, region), or y0 or cy0 is of another number of sensors.

    Source: Momi, Wang & Griffiths 2023, eLife 12:e83232 (WhoBPyT), which fits lm.

    >>> import brainunit as u
    >>> import braingraph as bg
    >>> from braingraph.observers import LeadfieldReadout
    >>> readout = LeadfieldReadout(2, lm=[[1, 2], [3, -1], [0.5, 0.5]], y0=0.1, cy0=2.0)
    >>> _, out = readout.update(readout.init_state(), x=[1.0, 2.0], dt=1 * u.ms)
    >>> [f"{value:.4f}" for value in out.eeg]
    ['0.9556', '-1.8778', '0.6222']
    """

    _matrix = "lm"

    lm: Any = parameter(None, free=True, any_unit=True)
    y0: Any = parameter(0.0, free=True, any_unit=True)
    cy0: Any = parameter(1.0, free=True, any_unit=True)
    normalize: bool | str = "l1"
    demean: bool = True

    x = Input(unit=lambda model: model._taken())

    def __init__(
        self, in_size: Size, *, dt: Any = None, normalize: bool | str = True, **given: Any
    ) -> None:
        norm = ("none", "l1")[normalize] if isinstance(normalize, bool) else normalize
        if norm not in NORMS:
            raise ParameterError(
                f"LeadfieldReadout.normalize is {normalize!r}, but must be True, False or one of "
                f"{', '.join(NORMS)}.{did_you_mean(str(normalize), NORMS)}",
                parameter="normalize",
            )
        super().__init__(in_size, dt=dt, normalize=norm, **given)
        for name in ("y0", "cy0"):
            shape = np.shape(u.get_magnitude(getattr(self, name)))
            if shape not in ((), (self.sensors,)):
                raise ShapeError(
                    f"LeadfieldReadout.{name} has shape {shape}, but must be one number, or one "
                    f"for each of the {self.sensors} sensors.",
                    given=shape,
                    needed=(self.sensors,),
                )
        empty = ~np.any(np.asarray(u.get_magnitude(self.lm)), axis=1)
        if norm != "none" and empty.any():
            raise ParameterError(
                f"LeadfieldReadout.lm is zero in row {int(empty.argmax())}, which has no norm: "
                "leave the sensor out, or pass normalize=False.",
                parameter="lm",
            )

    def _taken(self) -> Unit:
        unit = unit_of(self.y0) / unit_of(self.cy0)
        unit = unit / unit_of(self.lm) if self.normalize == "none" else unit
        return ONE if dimensionless(unit) else unit

    @Output(unit="y0", size=lambda model: model.sensors)
    def eeg(self, s: Any, i: Any) -> Any:
        """The readout of the sensors."""
        rows = self.lm if self.normalize == "none" else u.get_magnitude(self.lm)
        if self.normalize == "l1":
            rows = rows / jnp.abs(rows).sum(axis=1, keepdims=True)
        elif self.normalize == "l2":
            rows = rows / jnp.sqrt((rows * rows).sum(axis=1, keepdims=True))
        y = applied(rows, i.x)
        return self.cy0 * (y - y.mean() if self.demean else y) - self.y0
