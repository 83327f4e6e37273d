"""Several processes, one run: the numbers of one process, and a clear end when one is lost."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import brainunit as u
import jax
import numpy as np
import pytest
import spmd
import xarray as xr
import zarr

import braingraph as bg
from braingraph import processes
from braingraph.errors import RunError
from braingraph.team import Team

HERE = Path(__file__).resolve().parent
MINUTE = 60.0
Job = list[subprocess.Popen[str]]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def job(*arguments: str, script: Path = HERE / "spmd.py") -> Iterator[Job]:
    """Two processes of two virtual devices, connected as srun would; none is left behind."""
    shared = {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        "JAX_COORDINATOR_PORT": str(free_port()),
        "SLURM_JOB_ID": "1",
        "SLURM_STEP_NODELIST": "127.0.0.1",
        "SLURM_NTASKS": "2",
    }
    started = []
    try:
        for rank in ("0", "1"):
            own = {"SLURM_PROCID": rank, "SLURM_LOCALID": rank}
            started.append(
                subprocess.Popen(
                    [sys.executable, "-u", str(script), *arguments],
                    env={**os.environ, **shared, **own},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


def wait_until(true: Callable[[], bool], members: Job) -> None:
    deadline = time.monotonic() + 2 * MINUTE
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        assert all(m.poll() is None for m in members), [m.communicate() for m in members]
        time.sleep(0.02)


def stored(path: Path) -> xr.Dataset | None:
    try:
        return bg.open(path)
    except bg.StoreError:
        return None


def has_samples(path: Path) -> bool:
    ds = stored(path)
    return ds is not None and ds["cortex.x"].size > 0


@pytest.fixture(scope="module")
def alone() -> Any:
    """What one process on one device computes."""
    return spmd.simulate(None)["cortex.x"]


def check_prefix(path: Path, alone: Any) -> xr.Dataset:
    """What is shown of a store is what one process computes, up to some time."""
    ds = bg.open(path).load()
    assert ds["cortex.x"].size > 0
    np.testing.assert_array_equal(ds["cortex.x"], alone[: len(ds["cortex.x"])])
    return ds


def check_whole(path: Path, alone: Any) -> None:
    ds = check_prefix(path, alone)
    assert len(ds["time"]) == len(alone) and ds.attrs["status"] == "complete"


def test_the_example_computes_what_one_process_does(tmp_path: Path) -> None:
    path, folder = tmp_path / "rest.zarr", HERE.parent / "examples" / "cluster"
    options = ["--regions", "23", "--seconds", "0.5", "--store", str(path)]
    with subprocess.Popen(
        ["sh", str(folder / "local.sh"), *options],
        env={**os.environ, "PYTHON": sys.executable, "JAX_COORDINATOR_PORT": str(free_port())},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as shell:
        try:
            out, err = shell.communicate(timeout=2 * MINUTE)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
    assert shell.returncode == 0, err
    assert "23 regions on 4 devices, 2 processes" in out
    ds = bg.open(path).load()
    example = runpy.run_path(str(folder / "large_network.py"))
    sim = bg.Simulator(example["resting_state"](23), dt=0.1 * u.ms, seed=0)
    alone = sim.run(0.5 * u.second, monitors=example["MONITORS"], progress=False)
    xr.testing.assert_equal(ds, alone)
    assert ds.attrs["status"] == "complete"
    for monitor in ("cortex.x", "bold.bold"):  # each device's regions in a chunk of their own
        assert zarr.open_array(path / f"monitors/{monitor}/data").chunks[-1] == 6


@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_process_ends_the_others(victim: int, alone: Any, tmp_path: Path) -> None:
    path = tmp_path / "run.zarr"
    with job(str(path), "30") as members:
        wait_until(lambda: has_samples(path), members)
        members[victim].kill()
        begun = time.monotonic()
        _, said = members[1 - victim].communicate(timeout=MINUTE)
        assert time.monotonic() - begun < MINUTE
        assert members[1 - victim].returncode not in (0, None)
    assert f"What was committed is readable: bg.open({str(path)!r})" in said
    named = rf"RunError: process {victim} of 2 stopped, or lost its connection, near t = [\d.]+ m?s"
    if victim == 1:
        assert re.search(named, said)
    else:  # without process 0 JAX may end the other before Python hears of it
        by_jax = r"^braingraph: process 1 of 2 ended near t = [\d.]+ m?s, before its run was done"
        assert re.search(named, said) or re.search(by_jax, said, re.MULTILINE)
    ds = check_prefix(path, alone)
    assert ds.attrs["status"] == ("running" if victim == 0 else "failed")
    shutil.copytree(path, tmp_path / "copy.zarr")
    spmd.simulator(None).resume(tmp_path / "copy.zarr", progress=False)  # one process, one device
    check_whole(tmp_path / "copy.zarr", alone)
    if victim == 1:  # and the same two again, of which one is asked to end, as by a scheduler
        with job(str(path), "30", "resume") as members:
            count = len(ds["time"])
            wait_until(lambda: len(bg.open(path)["time"]) > count, members)
            members[1].terminate()
            heard = [member.communicate(timeout=MINUTE)[1] for member in members]
            assert members[1].returncode == 143 and "braingraph resume" in heard[1]
            assert members[0].returncode != 0 and "braingraph resume" in heard[0]
        assert check_prefix(path, alone).attrs["status"] == "interrupted"
        with job(str(path), "30", "resume") as members:
            heard = [member.communicate(timeout=2 * MINUTE)[1] for member in members]
            assert [member.returncode for member in members] == [0, 0], heard
        check_whole(path, alone)


def test_a_process_that_hangs_ends_the_others(alone: Any, tmp_path: Path) -> None:
    path = tmp_path / "run.zarr"
    with job(str(path), "10") as members:
        wait_until(lambda: has_samples(path), members)
        members[1].send_signal(signal.SIGSTOP)
        begun = time.monotonic()
        _, said = members[0].communicate(timeout=MINUTE)
        assert time.monotonic() - begun < MINUTE
        assert members[0].returncode not in (0, None)
    [last] = [line for line in said.splitlines() if line.startswith("braingraph:")]
    assert "process 0 of 2 ended near t = " in last and "bg.open(" in last
    check_prefix(path, alone)


def test_a_process_that_fails_says_why_to_all(alone: Any, tmp_path: Path) -> None:
    path = tmp_path / "run.zarr"
    with job(str(path), "30", "1") as members:
        said = [member.communicate(timeout=2 * MINUTE)[1] for member in members]
        assert [member.returncode for member in members] == [1, 1]
    assert re.search("StoreError: The store .* could not be written: the disk is full", said[1])
    assert re.search(
        r"(RunError|braingraph): process 1 of 2 failed \(StoreError: .*the disk is full", said[0]
    )
    check_prefix(path, alone)


# What needs no other process.


def test_devices_of_one_process_are_no_team() -> None:
    team = processes.together(jax.devices())
    assert type(team) is Team and (team.rank, team.world) == (0, 1)
    assert team.exchange("any", "text") == ["text"] and team.agreed(7) == 7
    with team:
        team.reached(3.0)


class Device:
    def __init__(self, process_index: int) -> None:
        self.process_index = process_index


def test_processes_have_to_be_connected() -> None:
    with pytest.raises(RunError, match="of 2 processes, but they are not connected: call jax.dist"):
        processes.together([Device(0), Device(1)])


LAST_WORDS = """
import sys
from braingraph.processes import _LastWords
words = _LastWords()
words.keep("nothing yet")
words.keep("gone\\nfor good")
if sys.argv[1] == "drop":
    words.drop()
print("said", flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize(("end", "left"), [("kill", "gone for good\n"), ("drop", "")])
def test_last_words_outlive_a_process(end: str, left: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LAST_WORDS, end],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "said\n"
        process.kill()
        assert process.stderr.read() == left


JaxRuntimeError: Any = jax.errors.JaxRuntimeError


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (JaxRuntimeError("UNKNOWN: Gloo AllGather failed: Connection closed by peer"), True),
        (JaxRuntimeError("INTERNAL: NCCL operation ncclGroupEnd() failed"), True),
        (JaxRuntimeError("UNAVAILABLE: Failed to send RPC to coordination service"), True),
        (JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes"), False),
        (ConnectionError("a connection of the user's own"), False),
        (KeyboardInterrupt(), False),
    ],
)
def test_what_counts_as_a_lost_connection(error: BaseException, lost: bool) -> None:
    assert processes._connection_lost(error) == lost
    outer = bg.StoreError("could not be written")
    outer.__cause__ = error
    assert processes._connection_lost(outer) == lost
