"""Every block of the reference page runs, and shows what the page's text claims of it."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

PAGE: dict[str, Any] = runpy.run_path(
    str(Path(__file__).resolve().parent.parent / "examples" / "reference_page.py")
)
Range = tuple[float, float]


def near(value: float, tolerance: float) -> Range:
    return value - tolerance, value + tolerance


#: For every block what it measures, and between which values that must lie.
CLAIMS: dict[str, dict[str, Range]] = {
    "common_api_pattern": {
        "replicas": (32, 32),
        "excitatory rate": (1e-3, 0.1),
        "largest difference": (0.0, 1e-6),
    },
    "hopf_oscillator": {"radius at a = 0.1": near(0.1**0.5, 1e-3), "at a = -0.1": (0.0, 1e-5)},
    "fitzhugh_nagumo": {  # 39.5 ms from spike to spike
        "spikes without input": (0, 0),
        "after a pulse": (1, 1),
        "under 0.5": (10, 11),
    },
    "wilson_cowan": {
        "std of the noise": near(0.3, 0.03),
        "of rE": (0.02, 0.06),
        "of rI": (0.02, 0.06),
        "mean correlation of regions": near(0.0, 0.1),
    },
    "jansen_rit": {  # Grimbert & Faugeras 2006: alpha between the Hopf points at 89.8 and 315.7 Hz
        "Hz": (8.0, 12.0),
        "lowest mV": near(6.06, 0.05),
        "highest mV": near(9.07, 0.05),
    },
    "jansen_rit_tr": {
        "samples": (20, 20),
        "mean mV": (6.0, 9.1),
        "off the mean over a repetition": (0.0, 1e-3),
    },
    "montbrio_pazo_roxin": {  # the low roots of pi^2 r^4 - J r^3 - eta r^2 = 1 / (4 pi^2) over tau
        "Hz at 0 nA": near(8.1134, 0.01),
        "mV at 0 nA": near(-57.5 - 15 * 1.96162, 0.02),
        "Hz at 2 nA": near(10.839, 0.01),  # eta = -5 + 20 mV / 15 mV
        "mV at 2 nA": (-85.0, -70.0),
    },
    "coombes_byrne": {
        "r": near(0.184726, 1e-4),
        "v": near(-0.571409, 1e-4),
        "difference at k = 0": (0.0, 1e-6),
    },
    "larter_breakspear": {
        "range of V at d_V = 0.5": (0.0, 1e-4),
        "0.53": near(0.0864, 5e-3),
        "0.57": near(0.887, 0.02),
    },
    "epileptor": {
        "LFP range at x0 = -1.6": near(3.84, 0.2),
        "at x0 = -2.4": (0.0, 0.1),
        "z from": near(2.855, 0.03),
        "to": near(4.141, 0.03),
    },
    "generic_2d_oscillator": {
        "period in ms": near(931.74, 2.0),
        "V at rest": near(-1.618034, 1e-3),
    },
    "wong_wang_exc_inh": {
        "S_e": near(0.164757, 1e-4),
        "Hz at J_i = 0.9": (3.5, 5.0),
        "at 1": near(3.0773, 1e-3),
        "at 1.1": (2.0, 2.8),
    },
    "lorenz": {
        "x at 5 ms": near(-6.51211, 1e-2),
        "apart until 5 ms": (1e-6, 1e-3),
        "until 25 ms": (5.0, 50.0),
    },
    "linear_node": {"decay in 0.5 ms": near(0.00673795, 1e-7), "x at 20 ms": (0.0, 1e-30)},
    "noise": {"mean radius": near(0.5, 0.05), "std": (0.05, 0.15)},
    "multi_region_network": {
        "order at k = 0": (0.0, 0.2),
        "order at k = 0.06": (0.4, 0.75),
        "order at k = 0.1": (0.8, 1.0),
    },
}


def test_every_block_has_its_claims() -> None:
    assert [block.__name__ for block in PAGE["BLOCKS"]] == list(CLAIMS)


@pytest.mark.parametrize("name", CLAIMS)
def test_a_block_shows_what_the_page_says(name: str) -> None:
    measured = PAGE[name]()
    assert list(measured) == list(CLAIMS[name])
    wrong = {
        what: value
        for what, value in measured.items()
        if not CLAIMS[name][what][0] <= value <= CLAIMS[name][what][1]
    }
    assert wrong == {}


def test_the_page_prints_what_it_measures(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PAGE["main"].__globals__, "BLOCKS", (PAGE["linear_node"],))
    PAGE["main"]()
    heading, numbers = capsys.readouterr().out.splitlines()
    assert heading.startswith("Linear node: ")
    assert numbers == "    decay in 0.5 ms 0.006738, x at 20 ms 0"
