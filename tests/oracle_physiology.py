"""The laws of the physiological models, in plain NumPy, restated from their papers.

As ``oracle_models`` reads them: ``(p, s, i)`` -> rates per ms, in the units that ``PARTS`` lists.
"""

from __future__ import annotations

from typing import Any

import brainunit as u
import numpy as np
from scipy.special import erfc


# ---------------------------------------------------------------- Wilson-Cowan
def sigmoid(x: Any, a: Any, theta: Any) -> Any:
    """Wilson & Cowan 1972, eq. 15."""
    return 1 / (1 + np.exp(-a * (x - theta))) - 1 / (1 + np.exp(a * theta))


def pair(p: Any, s: Any, to_E: Any, to_I: Any) -> dict[str, Any]:
    """Wilson & Cowan 1972, eqs. 11-12, for rates that are drawn to these values."""
    tau_E, tau_I = (p.tau, p.tau) if hasattr(p, "tau") else (p.tau_E, p.tau_I)
    r = getattr(p, "r", 0.0)  # the variant without saturation has none
    return {
        "rE": (-s.rE + (1 - r * s.rE) * to_E) / tau_E,
        "rI": (-s.rI + (1 - r * s.rI) * to_I) / tau_I,
    }


def two_sigmoids(p: Any, s: Any, x_E: Any, x_I: Any) -> dict[str, Any]:
    return pair(p, s, sigmoid(x_E, p.a_E, p.theta_E), sigmoid(x_I, p.a_I, p.theta_I))


def received(p: Any, s: Any, i: Any) -> tuple[Any, Any]:
    """With signed weights onto X from Y."""
    return (
        p.c_EE * s.rE + p.c_EI * s.rI + i.rE_inp,
        p.c_IE * s.rE + p.c_II * s.rI + i.rI_inp,
    )


def wilson_cowan(p: Any, s: Any, i: Any) -> dict[str, Any]:
    return two_sigmoids(p, s, *received(p, s, i))


def wilson_cowan_symmetric(p: Any, s: Any, i: Any) -> dict[str, Any]:
    x_E, x_I = received(p, s, i)
    return pair(p, s, sigmoid(x_E, p.a, p.theta), sigmoid(x_I, p.a, p.theta))


def wilson_cowan_simplified(p: Any, s: Any, i: Any) -> dict[str, Any]:
    both = p.c_exc * s.rE + p.c_inh * s.rI
    return two_sigmoids(p, s, both + i.rE_inp, both + i.rI_inp)


def wilson_cowan_linear(p: Any, s: Any, i: Any) -> dict[str, Any]:
    x_E, x_I = received(p, s, i)
    return pair(p, s, x_E * (x_E > 0), x_I * (x_I > 0))


def wilson_cowan_divisive(p: Any, s: Any, i: Any) -> dict[str, Any]:
    """Inhibition divides what is excited."""
    to_E = sigmoid(p.c_EE * s.rE + i.rE_inp, p.a_E, p.theta_E) / (p.sigma_E - p.c_EI * s.rI)
    to_I = sigmoid(p.c_IE * s.rE + i.rI_inp, p.a_I, p.theta_I) / (p.sigma_I - p.c_II * s.rI)
    return pair(p, s, to_E, to_I)


def wilson_cowan_divisive_input(p: Any, s: Any, i: Any) -> dict[str, Any]:
    """Inhibition divides recurrent excitation."""
    x_E = p.c_EE * s.rE / (p.sigma_E - p.c_EI * s.rI) + i.rE_inp
    x_I = p.c_IE * s.rE / (p.sigma_I - p.c_II * s.rI) + i.rI_inp
    return two_sigmoids(p, s, x_E, x_I)


def wilson_cowan_delayed(p: Any, s: Any, i: Any) -> dict[str, Any]:
    """Edges of their own bring what the populations send each other."""
    return two_sigmoids(p, s, i.rE_inp, i.rI_inp)


def wilson_cowan_adaptive(p: Any, s: Any, i: Any) -> dict[str, Any]:
    x_E, x_I = received(p, s, i)
    adaptation = {
        "aE": (-s.aE + p.b_E * s.rE) / p.tau_aE,
        "aI": (-s.aI + p.b_I * s.rI) / p.tau_aI,
    }
    return two_sigmoids(p, s, x_E - s.aE, x_I - s.aI) | adaptation


def wilson_cowan_three(p: Any, s: Any, i: Any) -> dict[str, Any]:
    x_E, x_I = received(p, s, i)
    x_M = p.c_ME * s.rE + p.c_MI * s.rI + p.c_MM * s.rM + i.rM_inp
    to_M = sigmoid(x_M, p.a_M, p.theta_M)
    others = two_sigmoids(p, s, x_E + p.c_EM * s.rM, x_I + p.c_IM * s.rM)
    return others | {"rM": (-s.rM + (1 - p.r * s.rM) * to_M) / p.tau_M}


# ---------------------------------------------------------------- Jansen-Rit
def jansen_rit(p: Any, s: Any, i: Any) -> dict[str, Any]:
    """Jansen & Rit 1995, eq. 6, in mV and Hz; divided by 1000 for time in ms."""

    def rate(v: Any) -> Any:
        return p.s_max / (1 + np.exp(p.r * (p.v0 - v)))

    from_M = rate(s.E - s.I + i.M_inp)
    from_E = i.p + i.E_inp + p.C * p.a2 * rate(p.C * p.a1 * s.M)
    from_I = p.C * p.a4 * rate(p.C * p.a3 * s.M + i.I_inp)
    return {
        "M": s.Mv / 1000,
        "E": s.Ev / 1000,
        "I": s.Iv / 1000,
        "Mv": (p.Ae * p.be * from_M - 2 * p.be * s.Mv - p.be**2 * s.M) / 1000,
        "Ev": (p.Ae * p.be * from_E - 2 * p.be * s.Ev - p.be**2 * s.E) / 1000,
        "Iv": (p.Ai * p.bi * from_I - 2 * p.bi * s.Iv - p.bi**2 * s.I) / 1000,
    }


# ---------------------------------------------------------------- quadratic integrate-and-fire
def montbrio(p: Any, s: Any, i: Any) -> dict[str, Any]:
    """Montbrio, Pazo & Roxin 2015, eq. 12, with r in 1 / tau. I_ext R [nA Mohm] is in mV."""
    extra = 0.0 if p.v_rest is None else i.I_ext * p.R / (p.v_th - p.v_rest)
    return {
        "r": (p.Delta / np.pi + 2 * s.r * s.v + i.r_inp) / p.tau,
        "v": (s.v**2 + p.eta + p.J * s.r + i.v_inp + extra - np.pi**2 * s.r**2) / p.tau,
    }


def montbrio_adaptive(p: Any, s: Any, i: Any) -> dict[str, Any]:
    """Gast, Schmidt & Knoesche 2020: (1 + tau_A d/dt)^2 A = alpha r, taken from the drive."""
    free = montbrio(p, s, i)
    return {
        "r": free["r"],
        "v": free["v"] - s.A / p.tau,
        "A": s.B / p.tau_A,
        "B": (p.alpha * s.r - s.A - 2 * s.B) / p.tau_A,
    }


def coombes_byrne(p: Any, s: Any, i: Any) -> dict[str, Any]:
    """Coombes & Byrne 2019, with the conductance at rest, k pi r."""
    g = p.k * np.pi * s.r
    return {
        "r": p.Delta / np.pi + (2 * s.v - g) * s.r + i.r_inp,
        "v": p.eta + s.v**2 - np.pi**2 * s.r**2 - g * (s.v - p.v_syn) + i.v_inp,
    }


def coombes_byrne_4d(p: Any, s: Any, i: Any) -> dict[str, Any]:
    return {
        "r": p.Delta / np.pi + (2 * s.v - s.g) * s.r + i.r_inp,
        "v": p.eta + s.v**2 - np.pi**2 * s.r**2 - s.g * (s.v - p.v_syn) + i.v_inp,
        "g": p.alpha * s.q,
        "q": p.alpha * (p.k * np.pi * s.r - s.g - 2 * s.q),
    }


def synchrony(p: Any, s: Any, i: Any) -> Any:
    """|Z| with Z = (1 - W*) / (1 + W*), W = pi r + i v: Montbrio, Pazo & Roxin 2015."""
    W = np.pi * s.r - 1j * s.v
    return abs((1 - W) / (1 + W))


# ---------------------------------------------------------------- Wong-Wang
def curve(x: Any, a: Any, b: Any, d: Any) -> Any:
    """(a x - b) / (1 - exp(-d (a x - b))): Abbott & Chance 2005."""
    z = d * (a * x - b)
    near = abs(z) < 1e-4
    safe = np.where(near, 1.0, z)
    return np.where(near, 1 + z / 2 + z**2 / 12, safe / -np.expm1(-safe)) / d


def deco(p: Any, s: Any, i: Any) -> tuple[Any, Any]:
    """Firing rates of Deco et al. 2014, eqs. 5-8, in Hz."""
    net = p.G * p.J_N * i.S_e_inp
    x_e = p.W_e * p.I_o + p.w_p * p.J_N * s.S_e + net - p.J_i * s.S_i + p.I_ext
    x_i = p.W_i * p.I_o + p.J_N * s.S_e - s.S_i + p.lamda * net
    return curve(x_e, p.a_e, p.b_e, p.d_e), curve(x_i, p.a_i, p.b_i, p.d_i)


def wong_wang_exc_inh(p: Any, s: Any, i: Any) -> dict[str, Any]:
    H_e, H_i = deco(p, s, i)
    return {
        "S_e": -s.S_e / p.tau_e + (1 - s.S_e) * p.gamma_e * H_e + i.n_e,
        "S_i": -s.S_i / p.tau_i + p.gamma_i * H_i + i.n_i,
    }


def choices(p: Any, s: Any, i: Any) -> tuple[Any, Any]:
    """Firing rates of Wong & Wang 2006, appendix, in Hz, from currents in nA."""
    eye = p.J_A_ext * p.mu0
    x1 = p.JN11 * s.S1 - p.JN12 * s.S2 + p.I0 + eye * (1 + i.coherence) + i.I1_inp
    x2 = p.JN22 * s.S2 - p.JN21 * s.S1 + p.I0 + eye * (1 - i.coherence) + i.I2_inp
    if p.transfer == "threshold_linear":
        return p.a * (x1 - p.theta) * (x1 > p.theta), p.a * (x2 - p.theta) * (x2 > p.theta)
    return curve(x1, p.a, p.b, p.d), curve(x2, p.a, p.b, p.d)


def wong_wang(p: Any, s: Any, i: Any) -> dict[str, Any]:
    r1, r2 = choices(p, s, i)
    return {
        "S1": (-s.S1 / p.tau_S + (1 - s.S1) * p.gamma * r1) / 1000,
        "S2": (-s.S2 / p.tau_S + (1 - s.S2) * p.gamma * r2) / 1000,
    }


def decision(p: Any, s: Any, i: Any) -> Any:
    r1, r2 = choices(p, s, i)
    return np.sign(r1 - r2) * (np.maximum(r1, r2) > p.threshold)


def reduced_rate(p: Any, s: Any, i: Any) -> Any:
    """Deco et al. 2013, in Hz."""
    x = p.w * p.J_N * s.S + p.G * p.J_N * i.S_inp + p.I_o + i.I_inp
    return curve(x, p.a, p.b, p.d)


def reduced_wong_wang(p: Any, s: Any, i: Any) -> dict[str, Any]:
    opening = (1 - s.S) * p.gamma * reduced_rate(p, s, i)
    return {"S": (opening - s.S / p.tau_S) / 1000 + i.n_S}


# ---------------------------------------------------------------- Larter-Breakspear, Epileptor
def opened(x: Any, middle: Any, spread: Any) -> Any:
    return (1 + np.tanh((x - middle) / spread)) / 2


def larter_breakspear(p: Any, s: Any, i: Any) -> dict[str, Any]:
    """Breakspear, Terry & Friston 2003, with tanh for the mean of many thresholds."""
    QV = p.QV_max * opened(s.V, p.VT, p.d_V)
    QZ = p.QZ_max * opened(s.Z, p.ZT, p.d_Z)
    own, far = (1 - p.C) * p.aee * QV, p.C * p.aee * i.V_inp
    calcium = (p.gCa + p.rNMDA * (own + far)) * opened(s.V, p.TCa, p.d_Ca) * (s.V - p.VCa)
    sodium = (p.gNa * opened(s.V, p.TNa, p.d_Na) + own + far) * (s.V - p.VNa)
    others = p.gK * s.W * (s.V - p.VK) + p.gL * (s.V - p.VL)
    synaptic = p.ane * p.Iext - p.aie * s.Z * QZ
    return {
        "V": p.t_scale * (synaptic - calcium - sodium - others),
        "W": p.t_scale * p.phi * (opened(s.V, p.TK, p.d_K) - s.W) / p.tau_K,
        "Z": p.t_scale * p.b * (p.ani * p.Iext + p.aei * s.V * QV),
    }


def permittivity(p: Any, s: Any, i: Any) -> Any:
    linear = 4 * (s.x1 - p.x0) - (s.z < 0) * 0.1 * s.z**7
    sigmoidal = p.x0 + 3 / (1 + np.exp(-(s.x1 + 0.5) / 0.1))
    h = (1 - p.modification) * linear + p.modification * sigmoidal
    return p.tt * p.r * (h - s.z + p.Ks * i.x1_inp)


def epileptor(p: Any, s: Any, i: Any) -> dict[str, Any]:
    """Jirsa et al. 2014, with the integral of x1 as the state g."""
    above = p.slope - s.x2 + 0.6 * (s.z - 4) ** 2
    f1 = np.where(s.x1 < 0, -p.a * s.x1**2 + p.b * s.x1, above)
    f2 = np.where(s.x2 < -0.25, 0, p.aa * (s.x2 + 0.25))
    first = s.y1 + f1 * s.x1 - s.z + p.Iext + p.Kvf * i.x1_inp
    second = s.x2 - s.x2**3 - s.y2 + p.Iext2 + p.bb * s.g - 0.3 * (s.z - 3.5) + p.Kf * i.x2_inp
    return {
        "x1": p.tt * first + i.n1,
        "y1": p.tt * (p.c - p.d * s.x1**2 - s.y1),
        "z": permittivity(p, s, i),
        "x2": p.tt * second + i.n2,
        "y2": p.tt * (f2 - s.y2) / p.tau,
        "g": -p.tt * 0.01 * (s.g - 0.1 * s.x1),
    }


def epileptor_2d(p: Any, s: Any, i: Any) -> dict[str, Any]:
    """Proix et al. 2014: -x1^3 - 2 x1^2 + 1 - z + I below 0, with the default coefficients."""
    below = -p.a * s.x1**3 + (p.b - p.d) * s.x1**2
    above = (p.slope + 0.6 * (s.z - 4) ** 2) * s.x1 - p.d * s.x1**2
    fast = p.c + np.where(s.x1 < 0, below, above) - s.z + p.Iext + p.Kvf * i.x1_inp
    return {"x1": p.tt * fast + i.n1, "z": permittivity(p, s, i)}


# ---------------------------------------------------------------- adaptive exponential neurons
def bombardment(p: Any, s: Any, i: Any, x: str) -> tuple[Any, Any, Any]:
    """di Volo et al. 2019: mean, spread and correlation time, in mV and ms, with rates in kHz."""
    outside = np.maximum(i.nu_inp + i[f"nu_{x}_inp"], 0)
    f = {
        "e": (s.nu_e + 1e-6) * (1 - p.g) * p.p_connect_e * p.N_tot + p.K_ext_e * outside,
        "i": (s.nu_i + 1e-6) * p.g * p.p_connect_i * p.N_tot,
    }
    Q, tau = {"e": p.Q_e, "i": p.Q_i}, {"e": p.tau_e, "i": p.tau_i}
    E = {"e": p.E_e, "i": p.E_i}
    G = p.g_L + sum(Q[y] * tau[y] * f[y] for y in "ei")
    currents = sum(Q[y] * tau[y] * f[y] * E[y] for y in "ei")
    mean = (currents + p.g_L * getattr(p, f"E_L_{x}") - s[f"W_{x}"]) / G
    U = {y: Q[y] / G * (E[y] - mean) for y in "ei"}
    top = sum(f[y] * (U[y] * tau[y]) ** 2 for y in "ei")
    low = sum(f[y] * (U[y] * tau[y]) ** 2 / (p.C_m / G + tau[y]) for y in "ei")
    return mean, np.sqrt(low / 2), top / low


def zerlaut(p: Any, s: Any, i: Any) -> dict[str, Any]:
    """di Volo et al. 2019, to first order."""
    out = {}
    for x, P in (("e", p.P_e), ("i", p.P_i)):
        mean, spread, time = bombardment(p, s, i, x)
        V, S, N = (mean + 60) / 10, (spread - 4) / 6, time * p.g_L / p.C_m - 0.5
        threshold = P[0] + P[1] * V + P[2] * S + P[3] * N + P[4] * V**2 + P[5] * S**2
        threshold = threshold + P[6] * N**2 + P[7] * V * S + P[8] * V * N + P[9] * S * N
        rate = erfc((threshold - mean) / np.sqrt(2) / spread) / (2 * time)
        tau_w, a, b = (getattr(p, f"{k}_{x}") for k in ("tau_w", "a", "b"))
        pulled = a * (mean - getattr(p, f"E_L_{x}"))
        out[f"nu_{x}"] = (rate - s[f"nu_{x}"]) / p.T
        out[f"W_{x}"] = (pulled - s[f"W_{x}"]) / tau_w + b * s[f"nu_{x}"]
    return out


# ---------------------------------------------------------------- what oracle_models takes
_PAIR = {"tau_E": u.ms, "tau_I": u.ms}
_QIF: dict[str, Any] = {
    "outputs": {
        "rate": lambda p, s, i: 1000 * s.r / p.tau,
        "V": lambda p, s, i: (p.v_rest + p.v_th) / 2 + (p.v_th - p.v_rest) * s.v,
    },
    "units": {
        **{"tau": u.ms, "tau_A": u.ms, "rate": u.Hz, "R": u.Mohm, "I_ext": u.nA},
        **dict.fromkeys(("v_rest", "v_th", "V"), u.mV),
    },
}
_COMPETING = {
    **dict.fromkeys(("JN11", "JN12", "JN21", "JN22", "I0", "theta", "I1_inp", "I2_inp"), u.nA),
    **dict.fromkeys(("b", "mu0", "threshold", "r1", "r2"), u.Hz),
    **{"a": u.Hz / u.nA, "J_A_ext": u.nA / u.Hz, "d": u.second, "tau_S": u.second},
}
_ADEX = {
    **dict.fromkeys(("T", "tau_e", "tau_i", "tau_w_e", "tau_w_i"), u.ms),
    **dict.fromkeys(("g_L", "Q_e", "Q_i", "a_e", "a_i"), u.nS),
    **dict.fromkeys(("E_L_e", "E_L_i", "E_e", "E_i", "mu_e", "mu_i"), u.mV),
    **dict.fromkeys(("b_e", "b_i", "W_e", "W_i"), u.pA),
    **dict.fromkeys(("nu_e", "nu_i", "nu_inp", "nu_e_inp", "nu_i_inp"), u.kHz),
    "C_m": u.pF,
}
#: What a Law is made of, by class.
PARTS: dict[str, dict[str, Any]] = {
    "WilsonCowanStep": {"rates": wilson_cowan, "units": _PAIR},
    "WilsonCowanNoSaturationStep": {"rates": wilson_cowan, "units": _PAIR},
    "WilsonCowanSymmetricStep": {"rates": wilson_cowan_symmetric, "units": {"tau": u.ms}},
    "WilsonCowanSimplifiedStep": {"rates": wilson_cowan_simplified, "units": _PAIR},
    "WilsonCowanLinearStep": {"rates": wilson_cowan_linear, "units": _PAIR},
    "WilsonCowanDivisiveStep": {"rates": wilson_cowan_divisive, "units": _PAIR},
    "WilsonCowanDivisiveInputStep": {"rates": wilson_cowan_divisive_input, "units": _PAIR},
    "WilsonCowanDelayedStep": {"rates": wilson_cowan_delayed, "units": _PAIR},
    "WilsonCowanAdaptiveStep": {
        "rates": wilson_cowan_adaptive,
        "units": {**_PAIR, "tau_aE": u.ms, "tau_aI": u.ms},
    },
    "WilsonCowanThreePopulationStep": {
        "rates": wilson_cowan_three,
        "units": {**_PAIR, "tau_M": u.ms},
    },
    "JansenRitStep": {
        "rates": jansen_rit,
        "outputs": {"eeg": lambda p, s, i: s.E - s.I},
        "units": {
            **dict.fromkeys(("Ae", "Ai", "v0", "M", "E", "I", "M_inp", "I_inp", "eeg"), u.mV),
            **dict.fromkeys(("Mv", "Ev", "Iv"), u.mV / u.second),
            **dict.fromkeys(("be", "bi", "s_max", "p", "E_inp"), u.Hz),
            "r": u.mV**-1,
        },
    },
    "MeanPotential": {
        "outputs": {"eeg": lambda p, s, i: i.eeg_inp},
        "units": {"eeg": u.mV, "eeg_inp": u.mV},
    },
    "MontbrioPazoRoxinStep": {"rates": montbrio, **_QIF},
    "MontbrioPazoRoxinAdaptiveStep": {"rates": montbrio_adaptive, **_QIF},
    "CoombesByrneStep": {"rates": coombes_byrne, "outputs": {"synchrony": synchrony}},
    "CoombesByrne4DStep": {"rates": coombes_byrne_4d, "outputs": {"synchrony": synchrony}},
    "WongWangExcInhStep": {
        "rates": wong_wang_exc_inh,
        "outputs": {
            "H_e": lambda p, s, i: deco(p, s, i)[0],
            "H_i": lambda p, s, i: deco(p, s, i)[1],
        },
        "units": {"H_e": u.Hz, "H_i": u.Hz},
    },
    "WongWangStep": {
        "rates": wong_wang,
        "outputs": {
            "r1": lambda p, s, i: choices(p, s, i)[0],
            "r2": lambda p, s, i: choices(p, s, i)[1],
            "decision": decision,
        },
        "units": _COMPETING,
    },
    "ReducedWongWangStep": {
        "rates": reduced_wong_wang,
        "outputs": {"H": reduced_rate},
        "units": {
            **dict.fromkeys(("J_N", "I_o", "I_inp"), u.nA),
            **{"a": u.Hz / u.nA, "b": u.Hz, "d": u.second, "tau_S": u.second, "H": u.Hz},
        },
    },
    "LarterBreakspearStep": {
        "rates": larter_breakspear,
        "outputs": {
            "QV": lambda p, s, i: p.QV_max * opened(s.V, p.VT, p.d_V),
            "QZ": lambda p, s, i: p.QZ_max * opened(s.Z, p.ZT, p.d_Z),
        },
    },
    "EpileptorStep": {"rates": epileptor, "outputs": {"lfp": lambda p, s, i: s.x2 - s.x1}},
    "Epileptor2DStep": {"rates": epileptor_2d},
    "ZerlautAdaptationFirstOrderStep": {
        "rates": zerlaut,
        "outputs": {
            "mu_e": lambda p, s, i: bombardment(p, s, i, "e")[0],
            "mu_i": lambda p, s, i: bombardment(p, s, i, "i")[0],
        },
        "units": _ADEX,
    },
}
