"""Runs that are cut short and go on: at any instant, to the bit."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import brainunit as u
import jax
import numpy as np
import pytest
import xarray as xr
import zarr
from interrupted import DURATION, MONITORS, complete, cut, many_commits, network, prefix

import braingraph as bg
from braingraph import checkpoint, hierarchy, lanes, session
from braingraph.errors import StoreError
from braingraph.interrupt import Stop
from braingraph.places import at
from braingraph.progress import Progress

ADVANCE = session.Session.advance


@pytest.fixture(scope="module")
def sim() -> bg.Simulator:
    return bg.Simulator(network(), dt=0.1 * u.ms, seed=4)


@pytest.fixture(scope="module")
def whole(sim: bg.Simulator) -> xr.Dataset:
    return sim.run(DURATION, monitors=MONITORS, batch_size=2, progress=False)


# ---------------------------------------------------------------- kill -9, at any instant
class Camera:
    """Copies the store as a process killed at that instant would leave it."""

    def __init__(self, path: Path, shots: Path) -> None:
        self.path, self.shots, self.lock = path, shots, threading.RLock()
        self.taken: list[Path] = []
        self.events: dict[str, int] = {}

    def at(self, event: str, when: Callable[[int], bool]) -> None:
        with self.lock:
            count = self.events[event] = self.events.get(event, 0) + 1
            if when(count) and self.path.exists():
                shot = self.shots / f"{len(self.taken):03}-{event}-{count}"
                shutil.copytree(self.path, shot)
                self.taken.append(shot)

    @contextmanager
    def watching(self, rng: np.random.Generator) -> Iterator[None]:
        """Files come into being by one ``os.replace`` each: nothing moves while it copies."""
        replace = os.replace
        some = set(rng.choice(np.arange(5, 400), 32, replace=False).tolist())
        save, put, attrs = checkpoint.Checkpoints.save, lanes.Put.__call__, hierarchy.marker_attrs

        def replaced(source: Any, target: Any) -> None:
            with self.lock:
                if str(self.path) in str(target):
                    self.at("torn", lambda k: k in some)  # written beside it, not yet in its place
                replace(source, target)

        def saved(slots: Any, *given: Any) -> bool:
            self.at("before-checkpoint", lambda k: k in (2, 7))
            done = save(slots, *given)
            self.at("before-marker", lambda k: k in (2, 3, 9))
            return done

        def wrote(one: Any) -> None:
            put(one)
            self.at("data", lambda k: k in (1, 40))

        def marked(*given: Any) -> dict[str, Any]:
            self.at("marker", lambda k: k in (3, 4))
            return attrs(*given)

        with ExitStack() as stack:
            stack.enter_context(patch.object(os, "replace", replaced))
            stack.enter_context(patch.object(checkpoint.Checkpoints, "save", saved))
            stack.enter_context(patch.object(lanes.Put, "__call__", wrote))
            stack.enter_context(patch.object(hierarchy, "marker_attrs", marked))
            yield


def test_a_run_killed_at_any_instant_goes_on_to_the_bit(
    sim: bg.Simulator, whole: xr.Dataset, tmp_path: Path
) -> None:
    camera = Camera(tmp_path / "run.zarr", tmp_path / "shots")
    with many_commits(), camera.watching(np.random.default_rng(1)):
        sim.run(DURATION, monitors=MONITORS, batch_size=2, store=camera.path, progress=False)
    complete(camera.path, whole)
    kinds = {shot.name.split("-", 1)[1].rsplit("-", 1)[0] for shot in camera.taken}
    assert kinds == {"torn", "before-checkpoint", "before-marker", "data", "marker"}
    opened = resumed_from = 0
    for shot in camera.taken:
        attrs = at(shot).attributes()
        if attrs is None or not attrs["ready"]:
            with pytest.raises(StoreError):
                bg.open(shot)
            continue
        opened += 1
        before = prefix(shot, whole)
        with many_commits() if opened % 4 == 0 else ExitStack():
            sim.resume(shot, progress=False)
        complete(shot, whole)
        resumed_from += before["cortex.x"] > 0
        assert not list(shot.rglob("*.partial"))
    assert opened >= 25 and resumed_from >= 15


# ---------------------------------------------------------------- who goes on, and how it ends
def test_ctrl_c_keeps_everything_and_goes_on(
    sim: bg.Simulator, whole: xr.Dataset, tmp_path: Path
) -> None:
    path = tmp_path / "run.zarr"
    cut(sim, path, 12.0)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert bg.open(path).attrs["status"] == "interrupted"
    assert prefix(path, whole)["cortex.x"] >= 24  # nothing of what was computed is missing
    state = sim.state
    assert state is not None and state.step >= 120
    ds = sim.resume(path, progress=False)
    complete(path, whole)
    assert len(ds.attrs["resumed"]) == 1
    xr.testing.assert_equal(sim.resume(path, progress=False), ds)  # nothing is left to do


def test_sigterm_ends_with_its_status(sim: bg.Simulator, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as error, Stop("run.zarr") as stop:
        signal.raise_signal(signal.SIGTERM)
        assert stop.asked
        stop.end(1000.0)
    assert error.value.code == 143
    with pytest.raises(KeyboardInterrupt), Stop("run.zarr") as stop:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)  # the second one does not wait


def test_a_signal_with_the_last_chunk_is_heard_after_the_run(
    sim: bg.Simulator, whole: xr.Dataset, tmp_path: Path
) -> None:
    path, finish = tmp_path / "run.zarr", Progress.finish

    def late(*given: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        finish(*given)

    asked: dict[str, Any] = {"monitors": MONITORS, "batch_size": 2, "progress": False}
    with patch.object(Progress, "finish", late), pytest.raises(KeyboardInterrupt):
        sim.run(DURATION, store=path, **asked)
    complete(path, whole)


@pytest.mark.parametrize("devices", [2, 8])
def test_other_devices_go_on(
    sim: bg.Simulator, whole: xr.Dataset, tmp_path: Path, devices: int
) -> None:
    path = tmp_path / "run.zarr"
    cut(sim, path, 12.0)
    mesh = jax.make_mesh((devices,), ("unit",), devices=jax.devices()[:devices])
    other = bg.Simulator(network(), dt=0.1 * u.ms, seed=4, mesh=mesh)
    other.resume(path, progress=False)
    ds = bg.open(path).load()
    for name, data in ds.data_vars.items():
        # delays shorter than a block round otherwise on other devices, see test_sharding.py
        np.testing.assert_allclose(np.asarray(data), np.asarray(whole[name]), atol=2e-6)


def test_a_run_in_pieces_is_rerun_whole(
    sim: bg.Simulator, whole: xr.Dataset, tmp_path: Path
) -> None:
    start = {"cortex.x": np.linspace(-1, 1, 9)}
    past = {"cortex.x": 0.3}
    given: dict[str, Any] = {"initial": start, "history": past, "params": {"cortex.a": 0.2}}
    given["inputs"] = {"cortex.y_inp": 0.1}
    kept: dict[str, Any] = {"monitors": MONITORS, "batch_size": 2, "progress": False}
    want = sim.run(DURATION, **kept, **given)
    path = tmp_path / "run.zarr"
    cut(sim, path, 12.0, **given)
    with pytest.raises(StoreError, match="was given inputs= for cortex.y_inp") as error:
        sim.resume(path, progress=False)
    assert error.value.fields["differs"] == ("inputs", "params")
    sim.resume(path, inputs=given["inputs"], params=given["params"], progress=False)
    complete(path, want)
    again = bg.rerun(path, progress=False)
    xr.testing.assert_equal(again, want)
    bg.rerun(path, tmp_path / "again.zarr", progress=False)
    complete(tmp_path / "again.zarr", want)


# ---------------------------------------------------------------- what cannot go on
def test_another_graph_cannot_go_on(sim: bg.Simulator, tmp_path: Path) -> None:
    path = tmp_path / "run.zarr"
    cut(sim, path, 12.0)
    other = {"a": (network(w=0.9), {}), "dt": (network(), {"dt": 0.05 * u.ms})}
    other |= {"seed": (network(), {"seed": 5}), "method": (network(), {"method": "euler"})}
    wanted = {"a": "graph", "dt": "dt", "seed": "seed", "method": "method"}
    for name, (graph, changed) in other.items():
        another = bg.Simulator(graph, **{"dt": 0.1 * u.ms, "seed": 4, **changed})
        with pytest.raises(StoreError) as error:
            another.resume(path, progress=False)
        assert error.value.fields["differs"] == (wanted[name],)
    with pytest.raises(StoreError) as error:
        sim.resume(path, monitors={"cortex.x": 1 * u.ms}, progress=False)
    assert "monitor" in error.value.fields["differs"][0]
    with pytest.raises(StoreError, match="nothing at"):
        sim.resume(tmp_path / "none.zarr")


def test_a_broken_checkpoint_falls_back_on_the_one_before(
    sim: bg.Simulator, whole: xr.Dataset, tmp_path: Path
) -> None:
    path = tmp_path / "run.zarr"
    cut(sim, path, 12.0)
    slots = checkpoint.Checkpoints(zarr.open_group(path))
    newest, before, start = slots.usable(
        {"cortex.x": 10**6, "power": 99, "bold.bold": 99, "slow.x": 99}
    )
    assert newest.step > before.step > start.step == 0
    for slot, from_ in ((newest, before.step), (before, 0)):
        (chunk,) = (path / f"_run/checkpoint/{slot.slot}/data/c").rglob("0")
        chunk.write_bytes(chunk.read_bytes()[:-20])
        copy = tmp_path / f"{slot.slot}.zarr"
        shutil.copytree(path, copy)
        with patch.object(session.Session, "advance", autospec=True, side_effect=ADVANCE) as went:
            sim.resume(copy, progress=False)
        assert went.call_args.kwargs["k"] == from_
        complete(copy, whole)
    shutil.rmtree(path / "_run/checkpoint")
    before_ = prefix(path, whole)
    with pytest.raises(StoreError, match="no checkpoint that can be read"):
        sim.resume(path, progress=False)
    assert prefix(path, whole) == before_  # nothing is lost


def test_two_runs_do_not_write_one_store(sim: bg.Simulator, tmp_path: Path) -> None:
    path = tmp_path / "run.zarr"
    chunks = session.Session._rows
    count = 0

    def taken_over(self: Any, *given: Any) -> Any:
        nonlocal count
        count += 1
        if count == 8:
            hierarchy.begin_writing(zarr.open_group(path))
        return chunks(self, *given)

    with many_commits(), patch.object(session.Session, "_rows", taken_over):
        with pytest.raises(StoreError, match="another run has taken it over"):
            sim.run(DURATION, monitors=MONITORS, batch_size=2, store=path, progress=False)


def test_other_versions_are_told(sim: bg.Simulator, whole: xr.Dataset, tmp_path: Path) -> None:
    path = tmp_path / "run.zarr"
    cut(sim, path, 12.0)
    root = zarr.open_group(path)
    about: Any = root.attrs["provenance"]
    root.attrs["provenance"] = {**about, "versions": {**about["versions"], "jax": "0.1"}}
    with pytest.warns(UserWarning, match="versions.*0.1.*numbers may round otherwise"):
        sim.resume(path, progress=False)
    complete(path, whole)
