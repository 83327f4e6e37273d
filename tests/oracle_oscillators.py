"""The laws of oscillators, excitable cells and other phenomenological models, in plain NumPy.

As ``oracle_models`` reads them: ``(p, s, i)`` -> rates per ms, ``(p, s, i, dt)`` -> new states.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def hopf(p: Any, s: Any, i: Any) -> dict[str, Any]:
    """z' = (a + i w - beta |z|^2) z: Deco et al. 2017, eqs. 3-4."""
    radius = s.x**2 + s.y**2
    return {
        "x": p.a * s.x - p.beta * radius * s.x - p.w * s.y + i.x_inp,
        "y": p.a * s.y - p.beta * radius * s.y + p.w * s.x + i.y_inp,
    }


def stuart_landau(p: Any, s: Any, i: Any) -> dict[str, Any]:
    return {
        "x": (p.a - s.x**2 - s.y**2) * s.x - p.w * s.y + i.x_inp,
        "y": (p.a - s.x**2 - s.y**2) * s.y + p.w * s.x + i.y_inp,
    }


def van_der_pol(p: Any, s: Any, i: Any) -> dict[str, Any]:
    """x'' = mu (1 - x^2) x' - x, with y = x - x^3 / 3 - x' / mu."""
    return {"x": p.mu * (s.x - s.y) - p.mu * s.x**3 / 3 + i.x_inp, "y": s.x / p.mu + i.y_inp}


def fitzhugh_nagumo(p: Any, s: Any, i: Any) -> dict[str, Any]:
    """FitzHugh 1961, eqs. 1-2, with V = -x, w = y and tau = c^2."""
    return {
        "v": s.v - s.v**3 / 3 - s.w + i.inp,
        "w": (s.v + p.a - p.b * s.w) / p.tau + i.w_inp,
    }


def fitzhugh_nagumo_cubic(p: Any, s: Any, i: Any) -> dict[str, Any]:
    return {
        "v": -p.alpha * s.v**3 + p.beta * s.v**2 + p.gamma * s.v - s.w + i.inp,
        "w": (s.v - p.delta - p.epsilon * s.w) / p.tau + i.w_inp,
    }


def generic_2d(p: Any, s: Any, i: Any) -> dict[str, Any]:
    """Sanz-Leon et al. 2015; noise is added last."""
    fast = p.g * s.V + p.e * s.V**2 - p.f * s.V**3 + p.alpha * s.W + p.gamma * (p.I + i.V_inp)
    slow = p.a + p.b * s.V + p.c * s.V**2 - p.beta * s.W
    return {"V": p.d * p.tau * fast + i.n_V, "W": p.d * slow / p.tau + i.n_W}


def lorenz(p: Any, s: Any, i: Any) -> dict[str, Any]:
    """Lorenz 1963, eqs. 25-27."""
    return {
        "x": -p.sigma * s.x + p.sigma * s.y + i.x_inp,
        "y": -s.x * s.z + p.rho * s.x - s.y + i.y_inp,
        "z": s.x * s.y - p.beta * s.z + i.z_inp,
    }


def threshold_linear(p: Any, s: Any, i: Any) -> dict[str, Any]:
    """Chaudhuri et al. 2015, in Hz and pA."""
    up_E, up_I = (np.where(c > 0, c, 0.0) for c in (i.rE_inp, i.rI_inp))
    return {
        "rE": (-s.rE + p.beta_E * up_E) / p.tau_E,
        "rI": (-s.rI + p.beta_I * up_I) / p.tau_I,
    }


def horn(p: Any, s: Any, i: Any, dt: float) -> dict[str, Any]:
    """Effenberger et al. 2025; a layer gets v x with its input, from the edge inside."""
    feedback = p.v * s.x if hasattr(p, "v") else 0.0
    pull = p.alpha * np.tanh(i.inp + feedback) - 2 * p.gamma * s.y - p.omega**2 * s.x
    y = s.y + dt * pull
    return {"x": s.x + dt * y, "y": y}


def kuramoto(p: Any, s: Any, i: Any) -> dict[str, Any]:
    return {"theta": p.omega + i.theta_inp}  # the coupling is an edge of its own


def linear(p: Any, s: Any, i: Any) -> dict[str, Any]:
    return {"x": p.gamma * s.x + i.x_inp}
