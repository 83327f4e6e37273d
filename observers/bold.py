"""The haemodynamic response: from neural activity to the BOLD signal."""

from __future__ import annotations

from typing import Any

import brainunit as u
import jax.numpy as jnp

from braingraph.component import Input, Observer, Output, State, parameter
from braingraph.units import Quantity

#: Flow and volume are positive; a strong negative input may drive their equations below.
FLOOR = 1e-6


class BOLDSignal(Observer):
    """The BOLD signal of neural activity: the balloon model with its vasodilatory signal.

    ::

        x' = epsilon z - kappa x - gamma (f - 1)
        f' = x
        tau v' = f - v^(1/alpha)
        tau q' = f E(f) / rho - q v^(1/alpha - 1),        E(f) = 1 - (1 - rho)^(1/f)
        bold = V_0 (k_1 (1 - q) + k_2 (1 - q / v) + k_3 (1 - v))

    At rest (z = 0) nothing moves and ``bold`` is exactly 0. It runs on a clock of its own, 10 ms
    unless ``dt`` is given: its input is averaged over each step.

    Parameters
    ----------
    kappa : rate, default 0.65 / s
        Decay of the vasodilatory signal.
    gamma : rate squared, default 0.41 / s^2
        Feedback of the flow.
    tau : time, default 0.98 s
        Mean transit time.
    alpha : 1, default 0.32
        Grubb's exponent.
    rho : 1, default 0.34
        Oxygen extraction at rest.
    V_0 : 1, default 0.02
        Blood volume at rest.
    epsilon : rate squared, default 1 / s^2
        Efficacy: what one unit of z adds to the vasodilatory signal.
    k_1, k_2, k_3 : 1, default None
        Weights of the signal; None: 7 rho, 2 and 2 rho - 0.2.

    States, shape ``(unit,)``: ``x`` [1 / s], vasodilatory signal, starts at 0; ``f``, ``v``,
    ``q``, flow, volume and deoxyhaemoglobin relative to rest, dimensionless, start at 1. f and v
    stay at or above 1e-6, which only inputs below about -gamma / epsilon reach.

    Input ``z``: neural activity, dimensionless. Output ``bold``: relative signal change,
    dimensionless.

    Source: Friston, Harrison & Penny 2003, NeuroImage 19:1273 (equations, and the means of
    their priors); signal weights: Buxton, Wong & Frank 1998. The papers print gamma in 1 / s; with
    f' = x its dimension is 1 / s^2.
    """

    default_dt = 10.0 * u.ms

    kappa: Quantity = 0.65 / u.second
    gamma: Quantity = 0.41 / u.second**2
    tau: Quantity = 0.98 * u.second
    alpha: float = parameter(0.32, positive=True)
    rho: float = parameter(0.34, positive=True)
    V_0: float = 0.02
    epsilon: Quantity = 1.0 / u.second**2
    k_1: float | None = parameter(None)
    k_2: float | None = parameter(None)
    k_3: float | None = parameter(None)

    x = State(0.0 / u.second)
    f = State(1.0, bounds=(FLOOR, None))
    v = State(1.0, bounds=(FLOOR, None))
    q = State(1.0)
    z = Input()

    @Output()
    def bold(self, s: Any, i: Any) -> Any:
        """The relative change of the signal."""
        k_1 = 7.0 * self.rho if self.k_1 is None else self.k_1
        k_2 = 2.0 if self.k_2 is None else self.k_2
        k_3 = 2.0 * self.rho - 0.2 if self.k_3 is None else self.k_3
        return self.V_0 * (k_1 * (1.0 - s.q) + k_2 * (1.0 - s.q / s.v) + k_3 * (1.0 - s.v))

    def derivative(self, s: Any, i: Any) -> dict[str, Any]:
        outflow = s.v ** (1.0 / self.alpha - 1.0)
        return {
            "x": self.epsilon * i.z - self.kappa * s.x - self.gamma * (s.f - 1.0),
            "f": s.x,
            "v": (s.f - outflow * s.v) / self.tau,
            "q": (s.f * _extraction(s.f, self.rho) - s.q * outflow) / self.tau,
        }


def _extraction(f: Any, rho: Any) -> Any:
    """E(f) / rho = (1 - (1 - rho)^(1/f)) / rho, written so that it is exactly 1 at f = 1."""
    return 1.0 - (1.0 - rho) / rho * jnp.expm1((1.0 / f - 1.0) * jnp.log1p(-rho))
