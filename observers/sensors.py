"""What observers with a matrix (sensor, region) share."""

from __future__ import annotations

from typing import Any, ClassVar

import brainunit as u
import numpy as np

from braingraph.component import Observer, Size
from braingraph.errors import ParameterError, ShapeError


class SensorArray(Observer):
    """Base of observers that look through a matrix (sensor, region), one of their parameters."""

    #: Its name.
    _matrix: ClassVar[str] = "gain"

    def __init__(self, in_size: Size, *, dt: Any = None, **given: Any) -> None:
        super().__init__(in_size, dt=dt, **given)
        where, value = f"{type(self).__name__}.{self._matrix}", getattr(self, self._matrix)
        if value is None:
            raise ParameterError(
                f"{type(self).__name__} needs its {self._matrix}, (sensor, region): pass "
                f"{self._matrix}=.",
                parameter=self._matrix,
            )
        shape = np.shape(u.get_magnitude(value))
        if len(shape) != 2 or shape[1] != self.size or not shape[0]:
            fits = len(shape) == 2 and shape[0] == self.size and shape[1] > 0
            raise ShapeError(
                f"{where} has shape {shape}, but must be (sensor, {self.size}): [sensor, region]."
                f"{f' The transpose fits: pass {self._matrix}.T.' if fits else ''}",
                given=shape,
                needed=("sensor", self.size),
            )

    @property
    def sensors(self) -> int:
        """The number of sensors."""
        return int(getattr(self, self._matrix).shape[0])


def applied(rows: Any, x: Any) -> Any:
    """The product with a matrix, at full precision on every device."""
    return u.math.matmul(rows, x, precision="highest")
