"""A store many times what its analysis holds: memory, measured in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def added(folder: Path, gigabytes: float) -> float:
    """MB that the connectivity of a store of 250 units adds to a fresh process at its peak."""
    command = [sys.executable, "-m", "benchmarks.analysis", "--units", "250"]
    command += ["--gigabytes", str(gigabytes), "--folder", str(folder), "--measures", "fc"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    before, peak = done.stdout.split()[-2:]
    return float(peak) - float(before)


@pytest.mark.slow
def test_connectivity_of_a_store_takes_the_memory_of_a_few_blocks(tmp_path: Path) -> None:
    """Three times the data, the same memory: measured 96 and 104 MB for 200 and 600."""
    small, large = added(tmp_path, 0.2), added(tmp_path, 0.6)
    assert large < 250 and large - small < 60, (small, large)
    assert list(tmp_path.iterdir()) == []  # the benchmark leaves nothing behind
