"""The commands, and ``ds.braingraph``: what a store says of its run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import brainunit as u
import numpy as np
import pytest
import xarray as xr
import zarr
from interrupted import MONITORS, cut, network

import braingraph as bg
from braingraph import nodes
from braingraph.cli import main
from braingraph.errors import StoreError
from braingraph.fingerprint import fingerprint


@pytest.fixture(scope="module")
def sim() -> bg.Simulator:
    return bg.Simulator(network(), dt=0.1 * u.ms, seed=4)


def test_info_and_resume(
    sim: bg.Simulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.zarr"
    cut(sim, path, 12.0)
    assert main(["info", str(path)]) == 0
    said = capsys.readouterr().out
    lines = said.splitlines()
    assert lines[0].endswith("run.zarr: a run, interrupted")
    assert any("4 nodes" in line for line in lines)
    assert any("of 28 ms, dt = 0.1 ms" in line for line in lines)
    assert any("cortex.x" in line and "of 56 samples" in line for line in lines)
    assert f"braingraph resume {path}" in said
    assert main(["resume", str(path), "--quiet"]) == 0
    assert "is complete" in capsys.readouterr().out
    want = sim.run(28 * u.ms, monitors=MONITORS, batch_size=2, progress=False)
    xr.testing.assert_equal(bg.open(path).load(), want)
    assert main(["resume", str(path)]) == 0
    assert "nothing is left to do" in capsys.readouterr().out
    assert main(["info", str(path)]) == 0
    said = capsys.readouterr().out
    assert "a run, complete" in said and "56 of 56 samples" in said and "to go on" not in said


def test_info_of_a_sweep(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sim = bg.Simulator(nodes.HopfStep(2, w=0.3), dt=0.1 * u.ms)
    path = tmp_path / "sweep.zarr"
    sim.sweep({"a": [-0.1, 0.1]}, 1 * u.ms, monitors=["x"], store=path, progress=False)
    assert main(["info", str(path)]) == 0
    assert "(a: 2, time: 10, unit: 2)" in capsys.readouterr().out


def test_explain_of_a_store_and_of_a_script(
    sim: bg.Simulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.zarr"
    sim.run(28 * u.ms, monitors=MONITORS, batch_size=2, store=path, progress=False)
    assert main(["explain", str(path)]) == 0
    plan = capsys.readouterr().out
    assert plan.strip() == sim.explain(MONITORS, 28 * u.ms, 2).strip()
    script = tmp_path / "script.py"
    script.write_text(
        "import brainunit as u\nimport braingraph as bg\nfrom braingraph import nodes\n"
        "sim = bg.Simulator(nodes.HopfStep(3), dt=0.1 * u.ms)\n"
        "ds = sim.run(1 * u.hour, monitors={'x': 1 * u.ms}, store='never.zarr')\n"
        "raise SystemExit('it ran')\n"
    )
    run = bg.Simulator.run
    assert main(["explain", str(script)]) == 0
    said = capsys.readouterr().out
    assert "HopfStep x 3" in said and "3600000 samples" in said
    assert bg.Simulator.run is run and not Path("never.zarr").exists()
    script.write_text("x = 1\n")
    assert main(["explain", str(script)]) == 1
    assert "without Simulator.run or .sweep" in capsys.readouterr().err


def test_models(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--category", "noise"]) == 0
    listed = capsys.readouterr().out
    assert "OUProcess" in listed and "HopfStep" not in listed
    assert main(["models", "HopfStep"]) == 0
    assert "Signals" in (card := capsys.readouterr().out) or "states" in card.lower()
    assert main(["models", "HopfStp"]) == 1
    assert "Did you mean 'HopfStep'?" in capsys.readouterr().err


def test_mistakes_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("info", "resume", "explain"):
        assert main([command, str(tmp_path / "none.zarr")]) == 1
        said = capsys.readouterr().err
        assert said.startswith("StoreError: There is nothing at") and said.count("\n") == 1
    with pytest.raises(SystemExit) as error:
        main(["--help"])
    assert error.value.code == 0 and "resume" in capsys.readouterr().out


def test_a_dataset_knows_what_made_it(sim: bg.Simulator, tmp_path: Path) -> None:
    path, other = tmp_path / "run.zarr", tmp_path / "other.zarr"
    asked: dict[str, Any] = {"monitors": ["cortex.x"], "progress": False}
    ds = sim.run(1 * u.ms, store=path, **asked)
    graph = ds.braingraph.graph()
    assert fingerprint(graph) == fingerprint(sim.graph)
    again = ds.braingraph.simulator().run(1 * u.ms, **asked)
    np.testing.assert_array_equal(again["cortex.x"], ds["cortex.x"])
    changed = sim.run(1 * u.ms, store=other, params={"cortex.a": 0.3}, **asked)
    assert changed.braingraph.digest != ds.braingraph.digest == bg.open(path).braingraph.digest
    with pytest.raises(StoreError, match="does not know its store"):
        _ = again.braingraph.path
    single = bg.Simulator(nodes.HopfStep(2, a=0.3), dt=0.1 * u.ms)
    ds = single.run(1 * u.ms, monitors=["x"], store=tmp_path / "s.zarr", progress=False)
    assert isinstance(ds.braingraph.graph(), nodes.HopfStep)
    xr.testing.assert_equal(bg.rerun(tmp_path / "s.zarr", progress=False), ds.load())


def test_a_store_without_its_beginning_cannot_be_rerun(sim: bg.Simulator, tmp_path: Path) -> None:
    path = tmp_path / "run.zarr"
    sim.run(1 * u.ms, monitors=["cortex.x"], store=path, progress=False)
    del zarr.open_group(path)["_run/checkpoint/start"]
    with pytest.raises(StoreError, match="where its run began"):
        bg.rerun(path)
