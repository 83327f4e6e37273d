"""What observers share that keep no trajectory: which samples count, and running moments."""

from __future__ import annotations

from typing import Any

import brainunit as u
import jax.numpy as jnp
import numpy as np

from braingraph.component import Observer, Size, State, parameter
from braingraph.errors import ParameterError, ShapeError
from braingraph.units import TIME, Quantity


class Reducer(Observer):
    """Base of observers that reduce a run while it runs, sample by sample.

    A sample counts from the step that ``start`` falls on. One step of the observer is one sample:
    on a clock of its own (``dt=``) what its input gets of the interval that ends with the step, so
    sample k stands at (k + 1) dt as a monitor's does; without a clock of its own the signal at the
    beginning of the step.
    """

    start: Quantity = parameter(0.0 * u.ms, free=True)

    def __init__(self, in_size: Size, *, dt: Any = None, **given: Any) -> None:
        super().__init__(in_size, dt=dt, **given)
        plain, where = self.start.to_decimal(TIME), f"{type(self).__name__}.start"
        if np.ndim(plain):
            raise ShapeError(
                f"{where} has shape {np.shape(plain)}, but must be one time for all units.",
                given=np.shape(plain),
                needed=(),
            )
        if plain < 0:
            raise ParameterError(
                f"{where} is {plain:g} ms, but must not be negative.", parameter="start"
            )

    def counts(self, i: Any) -> Any:
        """Whether this step's sample counts."""
        first = jnp.rint(self.start.to_decimal(TIME) / i.dt.to_decimal(TIME))
        return i.n >= first.astype(jnp.int32)


class Moments(Reducer):
    """Base: running mean and co-moments of some numbers a sample (:meth:`width`).

    Welford's update, with n counting the samples::

        delta = x - m,   m' = m + delta / n,   M' = M + (n - 1) / n delta delta^T

    so nothing large is subtracted from anything large. In float32 a plain sum would stop growing:
    beside each of the three stands what its roundings lost (Kahan).
    """

    count = State(size=lambda model: 1)
    count_lost = State(size=lambda model: 1)
    centre = State(size=lambda model: model.width)
    centre_lost = State(size=lambda model: model.width)
    comoment = State(size=lambda model: model.width**2)
    comoment_lost = State(size=lambda model: model.width**2)

    @property
    def width(self) -> int:
        """The numbers of a sample."""
        return self.size

    def absorbed(self, s: Any, i: Any, x: Any) -> dict[str, Any]:
        """The states once the sample ``x``, plain numbers (width,), is in them, if it counts."""
        counted = self.counts(i)
        new = compensated(s, "count", jnp.where(counted, 1.0, 0.0))
        n = jnp.maximum(new["count"], 1.0)
        # before the first sample that counts all is zero, and stays so
        delta = jnp.where(counted, (x - s.centre) + s.centre_lost, 0.0)
        products = (n - 1) / n * (delta[:, None] * delta[None, :])  # exactly symmetric
        new |= compensated(s, "centre", delta / n)
        return new | compensated(s, "comoment", products.reshape(-1))

    def mean_of(self, s: Any) -> Any:
        """The mean so far, plain numbers (width,); NaN before the first sample."""
        return jnp.where(s.count > 0, s.centre - s.centre_lost, jnp.nan)

    def comoment_of(self, s: Any) -> Any:
        """The sums of products of deviations from the mean, plain numbers (width, width)."""
        return (s.comoment - s.comoment_lost).reshape(self.width, self.width)

    def covariance_of(self, s: Any) -> Any:
        """The covariance so far, plain numbers (width, width); NaN before the second sample."""
        return jnp.where(s.count > 1, self.comoment_of(s) / jnp.maximum(s.count - 1, 1), jnp.nan)


def compensated(s: Any, name: str, term: Any) -> dict[str, Any]:
    """A state that is a sum, and what its roundings lost, with one term more (Kahan 1965)."""
    y = term - s[f"{name}_lost"]
    new = s[name] + y
    return {name: new, f"{name}_lost": (new - s[name]) - y}
