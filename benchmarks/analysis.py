"""A store larger than memory should hold, analysed: time to open, time and peak memory.

    python -m benchmarks.analysis --gigabytes 8 --folder analysis.bench

makes a store of noise with the library's own writer (2000 samples a time from one generator), and
opens and analyses it in a fresh process: what is printed is that process's own peak. The store is
removed afterwards, unless it was there before or ``--keep`` is given.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.memory import high_water, resident

PERIOD = 1.0  # ms
NAME = "cortex.x"
MEASURES = ("fc", "spectrum", "synchrony", "events", "bold")


def make(path: Path, gigabytes: float, units: int) -> int:
    """A store of so many 10^9 bytes of float32; returns the number of samples."""
    from braingraph.records import Recording
    from braingraph.store import Writer

    samples, rows = round(gigabytes * 1e9 / (4 * units)), max(1, (8 << 20) // (4 * units))
    labels = tuple(f"r{k}" for k in range(units))
    recording = Recording(NAME, PERIOD, samples, "1", "cortex", units, labels)
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((rows, units), np.float32)
    with Writer(path, [recording], {"made": "noise"}) as writer:
        for begin in range(0, samples, rows):
            # New noise for every block would take longer than writing it: one unit is drawn anew,
            # and the others take turns and signs.
            noise = np.roll(noise, 1, axis=1) * np.float32(1 - 2 * (begin // rows % 2))
            noise[:, 0] = rng.standard_normal(rows, np.float32)
            end = min(begin + rows, samples)
            writer.append({NAME: noise[: end - begin]}, step=end)
    return samples


def measured(signal: Any, measure: str) -> Any:
    """What is computed; small, whatever the signal."""
    import brainunit as u

    import braingraph as bg

    if measure == "fc":
        return bg.analysis.functional_connectivity(signal).compute()
    if measure == "spectrum":
        return bg.analysis.power_spectrum(signal, 2 * u.second).compute()
    if measure == "synchrony":
        return bg.analysis.synchrony(signal).compute()
    if measure == "events":
        return bg.analysis.events(signal, 4.0)
    return bg.analysis.bold(signal, 1 * u.second).compute()


def analyse(path: Path, measure: str) -> None:
    """Open and analyse in this process, and print what it took."""
    import braingraph as bg

    begun = time.perf_counter()
    signal = bg.open(path)[NAME]
    opened, before = time.perf_counter() - begun, resident()
    begun = time.perf_counter()
    result = measured(signal, measure)
    took = time.perf_counter() - begun
    size = signal.nbytes / 1e9
    print(
        f"{measure:9} {size:.2f} GB opened in {opened:.3f} s, {took:.1f} s ({size / took:.2f} "
        f"GB/s), result {result.nbytes / 1e6:.2f} MB; MB before and at the peak:"
    )
    print(before, high_water())


def report(path: Path, measure: str) -> tuple[float, float]:
    """The same in a fresh process: MB before the analysis, and at its peak."""
    command = [sys.executable, "-m", "benchmarks.analysis", "--analyse", str(path), measure]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    print(done.stdout, end="")
    before, peak = done.stdout.split()[-2:]
    return float(before), float(peak)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=4.0)
    parser.add_argument("--units", type=int, default=1000)
    parser.add_argument("--folder", type=Path, default=Path("analysis.bench"))
    parser.add_argument("--measures", nargs="+", choices=MEASURES, default=["fc"])
    parser.add_argument("--keep", action="store_true", help="leave the store where it is")
    parser.add_argument("--analyse", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.analyse:
        analyse(Path(given.analyse[0]), given.analyse[1])
        return
    path = given.folder / f"noise_{given.gigabytes:g}GB_{given.units}.zarr"
    found = path.exists()
    if not found:
        given.folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(given.folder).free / 1e9
        if free < 1.1 * given.gigabytes:
            parser.error(f"{given.folder} has {free:.1f} GB left, too few: fewer --gigabytes")
        begun = time.perf_counter()
        make(path, given.gigabytes, given.units)
        print(f"made {path} in {time.perf_counter() - begun:.1f} s")
    for measure in given.measures:
        report(path, measure)
    if not (found or given.keep):
        shutil.rmtree(path)


if __name__ == "__main__":
    main()
