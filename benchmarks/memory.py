"""Peak memory of one run in a process of its own: ``python -m benchmarks.memory CASE STEPS``."""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import brainunit as u

from benchmarks.networks import DT, EVERY, Network, dense, simulator, tvb


def network(name: str) -> Network:
    """``"dense90"``, ``"undelayed90"``, or a connectome such as ``"tvb76"``."""
    if name.startswith("dense"):
        return dense(int(name.removeprefix("dense")))
    if name.startswith("undelayed"):
        return dense(int(name.removeprefix("undelayed"))).without_delays()
    return tvb(name)


def run(name: str, steps: int, *, stream: bool, replicas: int | None = None) -> None:
    """One run; streamed runs keep every step, on disk."""
    sim = simulator(network(name))
    every: Any = (1 if stream else EVERY) * DT * u.ms
    with tempfile.TemporaryDirectory() as folder:
        sim.run(
            steps * DT * u.ms,
            monitors={"cortex.x": every},
            store=Path(folder) / "run.zarr" if stream else None,
            batch_size=replicas,
            progress=False,
        )


def peak(name: str, steps: int, *, stream: bool = False, replicas: int | None = None) -> float:
    """Peak resident memory, in MB, of a fresh Python that does this one run."""
    command = [sys.executable, "-m", "benchmarks.memory", name, str(steps)]
    command += ["--stream"] if stream else []
    command += ["--replicas", str(replicas)] if replicas else []
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("steps", type=int)
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--replicas", type=int)
    given = parser.parse_args()
    run(given.name, given.steps, stream=given.stream, replicas=given.replicas)
    print(high_water())


def high_water() -> float:
    """This process's peak, in MB. Linux's ru_maxrss would start at that of the parent."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(k for k in status.read_text().splitlines() if k.startswith("VmHWM"))
        return float(line.split()[1]) / 1e3
    scale = 1e6 if sys.platform == "darwin" else 1e3  # macOS counts bytes, others kB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


if __name__ == "__main__":
    main()
