"""The laws of forward models, in plain NumPy.

As ``oracle_models`` reads them: ``(p, s, i)`` -> outputs. Lead fields in V, T, A and m.
"""

from __future__ import annotations

from typing import Any

import brainunit as u
import numpy as np
from oracle_couplings import unit as unit_of

MOMENT = u.amp * u.meter


def lead_field(p: Any, s: Any, i: Any) -> Any:
    """y_m = sum_r L_mr q_r + sum_k A_mk z_k, sensor by sensor."""
    moments = p.scale * i.x
    read = np.array([sum(a * q for a, q in zip(row, moments, strict=True)) for row in p.gain])
    if p.noise is None:
        return read
    root = p.noise if np.ndim(p.noise) == 2 else np.diag(np.broadcast_to(p.noise, len(read)))
    return read + np.array([sum(a * z for a, z in zip(row, i.xi, strict=True)) for row in root])


def readout(p: Any, s: Any, i: Any) -> Any:
    """Momi et al. 2023: rows over their norms, less the mean row."""
    norms = {"l1": np.abs(p.lm).sum(1), "l2": np.linalg.norm(p.lm, axis=1), "none": np.ones(1)}
    rows = p.lm / norms[p.normalize][:, None]
    if p.demean:
        rows = rows - rows.mean(axis=0)
    return p.cy0 * (rows @ i.x) - p.y0


def _lead_field_units(output: str, sensor: Any) -> Any:
    """Of a lead field whose sensors read ``sensor``, from what its gain and scale are in."""

    def units(model: Any) -> dict[str, Any]:
        per_current = (unit_of(model.gain) * u.amp).has_same_dim(sensor)
        source = u.amp if per_current else MOMENT
        scale = unit_of(model.scale)
        return {
            "gain": sensor / source,
            "scale": scale,
            "x": source / scale,
            **dict.fromkeys(("noise", output), sensor),
        }

    return units


def _general_units(model: Any) -> dict[str, Any]:
    gain, scale = unit_of(model.gain), unit_of(model.scale)
    source = scale if gain == u.UNITLESS else MOMENT
    units = {"gain": gain, "scale": scale, "x": source / scale}
    return units | dict.fromkeys(("noise", "signal"), gain * source)


def _readout_units(model: Any) -> dict[str, Any]:
    rows = unit_of(model.lm) if model.normalize == "none" else u.UNITLESS
    own = {name: unit_of(getattr(model, name)) for name in ("lm", "y0", "cy0")}
    return {**own, "eeg": own["y0"], "x": own["y0"] / own["cy0"] / rows}


PARTS: dict[str, dict[str, Any]] = {
    "LeadFieldModel": {"outputs": {"signal": lead_field}, "units": _general_units},
    "EEGLeadFieldModel": {
        "outputs": {"eeg": lead_field},
        "units": _lead_field_units("eeg", u.volt),
    },
    "MEGLeadFieldModel": {
        "outputs": {"meg": lead_field},
        "units": _lead_field_units("meg", u.tesla),
    },
    "SEEGLeadFieldModel": {
        "outputs": {"seeg": lead_field},
        "units": _lead_field_units("seeg", u.volt),
    },
    "LeadfieldReadout": {"outputs": {"eeg": readout}, "units": _readout_units},
}
