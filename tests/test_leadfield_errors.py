"""What lead fields and readouts refuse, and what they say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import brainunit as u
import numpy as np
import pytest
from test_leadfield import COVARIANCE, EEG_GAIN, GAIN, LM, MEG_GAIN, MOMENT

import braingraph as bg
from braingraph import nodes
from braingraph.observers import (
    EEGLeadFieldModel,
    LeadfieldReadout,
    MEGLeadFieldModel,
    SEEGLeadFieldModel,
)


def eeg(**given: Any) -> Any:
    return EEGLeadFieldModel(4, **{"gain": GAIN * EEG_GAIN, **given})


def wired(source: Any, port: str) -> Any:
    g = bg.Graph()
    g.add_node("a", source)
    return g.add_edge(f"a.{port}", g.add_node("scalp", eeg()).x)


MISTAKES: list[tuple[Callable[[], Any], type[bg.GraphError], str, dict[str, Any]]] = [
    (
        lambda: eeg(gain=None),
        bg.ParameterError,
        r"EEGLeadFieldModel needs its gain, \(sensor, region\)",
        {"parameter": "gain"},
    ),
    (
        lambda: eeg(gain=GAIN.T * EEG_GAIN),
        bg.ShapeError,
        r"gain has shape \(4, 3\), but must be \(sensor, 4\).*The transpose fits: pass gain.T",
        {"given": (4, 3), "needed": ("sensor", 4)},
    ),
    (
        lambda: eeg(gain=GAIN[0] * EEG_GAIN),
        bg.ShapeError,
        r"gain has shape \(4,\), but must be \(sensor, 4\): \[sensor, region\]\.$",
        {"given": (4,)},
    ),
    (
        lambda: eeg(gain=GAIN * MEG_GAIN),
        bg.UnitError,
        r"gain is in \[fT / \(m \* nA\)\], but must be in \[uV / \(m \* nA\)\]",
        {"given": MEG_GAIN, "needed": EEG_GAIN},
    ),
    (
        lambda: MEGLeadFieldModel(4, gain=GAIN),
        bg.UnitError,
        r"MEGLeadFieldModel.gain is in \[1\], but must be in \[fT / \(m \* nA\)\]",
        {"given": u.UNITLESS, "needed": MEG_GAIN},
    ),
    (
        lambda: SEEGLeadFieldModel(4, gain=GAIN * u.mV),
        bg.UnitError,
        r"SEEGLeadFieldModel.gain is in \[mV\].*\[V / \(m \* A\)\], for dipoles",
        {"given": u.mV},
    ),
    (
        lambda: eeg(gain=GAIN * np.nan * EEG_GAIN),
        bg.ParameterError,
        r"gain is not finite at \(0, 0\)",
        {"parameter": "gain"},
    ),
    (
        lambda: eeg(scale=[1, 2] * MOMENT),
        bg.ShapeError,
        r"scale has shape \(2,\)",
        {"given": (2,), "needed": (4,)},
    ),
    (
        lambda: eeg(noise=0.1),
        bg.UnitError,
        r"noise is in \[1\], but must be in \[uV\]",
        {"given": u.UNITLESS, "needed": u.uvolt},
    ),
    (
        lambda: eeg(noise=[1, 2] * u.uvolt),
        bg.ShapeError,
        r"noise has shape \(2,\).*each of the 3 sensors.*\(3, 3\)",
        {"given": (2,)},
    ),
    (
        lambda: eeg(noise=-1 * u.uvolt),
        bg.ParameterError,
        "must not be negative, but holds -1",
        {"parameter": "noise"},
    ),
    (
        lambda: eeg(noise=1 * u.uvolt, noise_cov=COVARIANCE * u.uvolt**2),
        bg.ParameterError,
        "noise or noise_cov, not both",
        {"parameter": "noise_cov"},
    ),
    (
        lambda: eeg(noise_cov=COVARIANCE * u.uvolt),
        bg.UnitError,
        r"noise_cov is in \[uV\], but must be in \[uV\^2\]: the square",
        {"given": u.uvolt, "needed": u.uvolt**2},
    ),
    (
        lambda: eeg(noise_cov=COVARIANCE[:2] * u.uvolt**2),
        bg.ShapeError,
        r"noise_cov has shape \(2, 3\), but must be \(3, 3\)",
        {"given": (2, 3), "needed": (3, 3)},
    ),
    (
        lambda: eeg(noise_cov=np.tril(COVARIANCE) * u.uvolt**2),
        bg.ParameterError,
        "noise_cov is not symmetric",
        {"parameter": "noise_cov"},
    ),
    (
        lambda: eeg(noise_cov=(COVARIANCE - np.eye(3)) * u.uvolt**2),
        bg.ParameterError,
        "noise_cov has the negative eigenvalue -0.78",
        {"parameter": "noise_cov"},
    ),
    (
        lambda: eeg(leadfield=GAIN),
        bg.ParameterError,
        "no parameter 'leadfield'.*It has: gain, scale, noise",
        {"parameter": "leadfield"},
    ),
    (
        lambda: wired(nodes.HopfStep(4), "x"),
        bg.UnitError,
        r"carries \[1\].*scalp.x takes \[m \* nA\]",
        {"given": u.UNITLESS, "needed": MOMENT},
    ),
    (
        lambda: wired(nodes.JansenRitStep(4), "eeg"),
        bg.UnitError,
        r"carries \[mV\].*scalp.x takes \[m \* nA\]",
        {"given": u.mV, "needed": MOMENT},
    ),
    (
        lambda: LeadfieldReadout(2),
        bg.ParameterError,
        r"LeadfieldReadout needs its lm",
        {"parameter": "lm"},
    ),
    (
        lambda: LeadfieldReadout(2, lm=LM.T),
        bg.ShapeError,
        "pass lm.T",
        {"given": (2, 3), "needed": ("sensor", 2)},
    ),
    (
        lambda: LeadfieldReadout(2, lm=LM, normalize="L1"),
        bg.ParameterError,
        "normalize is 'L1'.*Did you mean 'l1'",
        {"parameter": "normalize"},
    ),
    (
        lambda: LeadfieldReadout(2, lm=LM, cy0=[1.0, 2.0]),
        bg.ShapeError,
        r"cy0 has shape \(2,\).*each of the 3 sensors",
        {"given": (2,), "needed": (3,)},
    ),
    (
        lambda: LeadfieldReadout(2, lm=[[1, 2], [0, 0]]),
        bg.ParameterError,
        "lm is zero in row 1.*normalize=False",
        {"parameter": "lm"},
    ),
]


@pytest.mark.parametrize("make, error, text, fields", MISTAKES, ids=[c[2] for c in MISTAKES])
def test_a_mistake_is_named(
    make: Callable[[], Any], error: type[bg.GraphError], text: str, fields: dict[str, Any]
) -> None:
    with pytest.raises(error, match=text) as caught:
        make()
    assert {k: caught.value.fields[k] for k in fields} == fields
