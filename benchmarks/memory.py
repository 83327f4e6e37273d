"""Peak memory of one run in a process of its own: ``python -m benchmarks.memory CASE STEPS``.

With ``--sweep 256`` of a sweep of so many simulations, beside what the sweep thought it would need.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import brainunit as u

from benchmarks.networks import (
    DT,
    EVERY,
    Network,
    SparseNetwork,
    dense,
    scattered,
    simulator,
    tvb,
)


def network(name: str) -> Network | SparseNetwork:
    """``"dense90"``, ``"undelayed90"``, ``"scattered20000"``, or a connectome: ``"tvb76"``."""
    if name.startswith("scattered"):
        return scattered(int(name.removeprefix("scattered")))
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


def sweep(name: str, steps: int, simulations: int, batch_size: int | None) -> tuple[float, float]:
    """MB that a sweep adds to this process at most, and MB that it thought it would.

    A sweep of the same batches and few steps comes first, so that compiling is left out.
    """
    sim = simulator(network(name))
    axes = {"seed": range(simulations)}
    asked: dict[str, Any] = {"monitors": {"cortex.x": EVERY * DT * u.ms}, "progress": False}
    with tempfile.TemporaryDirectory() as folder:
        for k, duration in enumerate((min(steps, 2 * EVERY), steps)):
            before = resident()
            ds = sim.sweep(
                axes, duration * DT * u.ms, store=f"{folder}/{k}", batch_size=batch_size, **asked
            )
    return high_water() - before, ds.attrs["memory"] / 1e6


def peak(name: str, steps: int, stream: bool = False, **counts: int) -> float:
    """Peak resident memory, in MB, of a fresh Python that does this one run.

    ``counts``: ``replicas=`` of a run, or simulations of a ``sweep=``.
    """
    command = [sys.executable, "-m", "benchmarks.memory", name, str(steps)]
    command += ["--stream"] if stream else []
    command += [word for key, count in counts.items() for word in (f"--{key}", str(count))]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("steps", type=int)
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--replicas", type=int)
    parser.add_argument("--sweep", type=int, metavar="SIMULATIONS")
    parser.add_argument("--batch-size", type=int, help="of a sweep")
    given = parser.parse_args()
    if given.sweep:
        added, thought = sweep(given.name, given.steps, given.sweep, given.batch_size)
        print(f"added {added:.0f} MB, estimated {thought:.0f} MB ({added / thought:.2f}); peak MB:")
    else:
        run(given.name, given.steps, stream=given.stream, replicas=given.replicas)
    print(high_water())


def resident() -> float:
    """What this process has in memory now, in MB; its peak, where the system does not say."""
    status = Path("/proc/self/status")
    if not status.exists():
        return high_water()
    line = next(k for k in status.read_text().splitlines() if k.startswith("VmRSS"))
    return float(line.split()[1]) / 1e3


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
