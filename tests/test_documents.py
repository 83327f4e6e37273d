"""What the documents show runs as shown: README.md's code, its errors, and the demo."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS: list[tuple[str, str]] = re.findall(
    r"^```(\w+)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE
)
#: Durations a reader wants and a test does not.
SHORTER = {
    "5 * u.minute": "2 * u.second",
    "10 * u.second": "2 * u.second",
    "1 * u.minute": "0.5 * u.second",
    "1 * u.second": "0.1 * u.second",
}


@pytest.fixture(scope="module")
def readme(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The names that README.md's code blocks define, run in order in an empty folder."""
    names: dict[str, Any] = {"__name__": "readme"}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("readme"))
        for language, code in BLOCKS:
            if language == "python":
                for long, short in SHORTER.items():
                    code = code.replace(long, short)
                exec(compile(code, "README.md", "exec"), names)
        names["ds"] = names["ds"].load()
    return names


def test_the_code_of_the_readme_runs(readme: dict[str, Any]) -> None:
    assert readme["ds"]["cortex.x"].shape == (2000, 76)
    assert float(readme["value"]) > 0 and float(readme["slope"]) != 0


def test_the_graph_prints_as_the_readme_says(readme: dict[str, Any]) -> None:
    [shown] = [code for language, code in BLOCKS if language == "text"]
    assert str(readme["g"]) == shown.rstrip()


def test_the_errors_are_as_the_readme_says(readme: dict[str, Any]) -> None:
    [shown] = [code for language, code in BLOCKS if language == "pycon"]
    examples = re.findall(r">>> (.*)\n(\w+\.errors\.)(\w+): (.*)\n", shown)
    assert len(examples) == shown.count(">>>")
    for code, _, kind, message in examples:
        with pytest.raises(Exception) as caught:
            exec(code, readme)
        assert (type(caught.value).__name__, str(caught.value)) == (kind, message)


def test_the_networks_of_the_readme_simulate(readme: dict[str, Any]) -> None:
    bg, u = readme["bg"], readme["u"]
    nested = bg.Graph()
    for side in ("left", "right"):
        nested.add_node(side, readme["loop"])
    coupling = readme["TanhCoupling"](conn=0.1)
    nested.add_edge("left.cortex.rE", "right.cortex.rI_inp", coupling)
    ds = bg.Simulator(nested, dt=0.1 * u.ms).run(5 * u.ms, progress=False)
    assert set(ds) == {f"{s}.{v}" for s in ("left", "right") for v in STATES}
    assert all(bool((abs(values) < 1e3).all()) for values in ds.values())


STATES = ("cortex.rE", "cortex.rI", "thalamus.v")


def test_the_demo_finds_the_wiring_in_the_signal(tmp_path: Path) -> None:
    main = runpy.run_path(str(ROOT / "examples" / "resting_state.py"))["main"]
    figure = tmp_path / "figure.png"
    numbers = main(0.25, str(tmp_path / "rest.zarr"), str(figure))
    assert (numbers["samples"], numbers["volumes"]) == (1400, 19)
    assert numbers["structure and signal"] > 0.3
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_the_sweep_finds_the_coupling_in_the_signal(tmp_path: Path) -> None:
    main = runpy.run_path(str(ROOT / "examples" / "sweep.py"))["main"]
    figure = tmp_path / "figure.png"
    numbers = main(2, 3.0, str(tmp_path / "sweep.zarr"), str(figure))
    assert numbers["simulations"] == 4 and numbers["k"] == 0.5
    assert numbers["fit"] > 0.1 > numbers["uncoupled"]
    assert figure.read_bytes().startswith(b"\x89PNG")
