"""``python -m benchmarks.scaling``: one network on 1, 2, 4, ... devices.

Strong scaling: one network, more devices. Weak scaling: as many units and connections for every
device. Bytes are counted from the plan (``braingraph.compiler.traffic``, which a test holds against
the compiled program); times are medians. On a machine with a single device that is a CPU, virtual
devices share its cores: then only the bytes mean something, and times say what dividing costs.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

VIRTUAL = "--xla_force_host_platform_device_count="


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="One network on 1, 2, 4, ... devices.")
    parser.add_argument("--devices", type=int, default=8, help="the most devices (default 8)")
    parser.add_argument("--units", type=int, default=2000, help="of the network (default 2000)")
    parser.add_argument("--degree", type=int, default=100, help="connections of a unit (100)")
    parser.add_argument("--steps", type=int, default=2000, help="timed (default 2000)")
    parser.add_argument("--turns", type=int, default=5, help="runs a time is the median of (5)")
    parser.add_argument("--quick", action="store_true", help="a tenth of it all")
    given = parser.parse_args(arguments)
    if VIRTUAL not in os.environ.get("XLA_FLAGS", ""):
        _restart_with(given.devices)
    if given.quick:
        given.units, given.steps, given.turns = given.units // 10, given.steps // 10, 3

    import jax

    from benchmarks.run import machine

    count = min(given.devices, jax.device_count())
    counts = [1 << k for k in range(count.bit_length()) if 1 << k <= count]
    print(f"Hopf units, {given.degree} connections each, delays 1-15 ms, Heun, dt 0.1 ms, noise.")
    print(f"Medians of {given.turns} runs of {given.steps} steps. {machine()}\n")
    print(table("Strong scaling", [(n, given.units) for n in counts], given))
    print(table("Weak scaling", [(n, given.units * n // counts[-1]) for n in counts], given))


def _restart_with(devices: int) -> None:
    """Virtual devices must be asked for before JAX is imported; an accelerator ignores them."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} {VIRTUAL}{devices}"
    module = [sys.executable, "-m", "benchmarks.scaling", *sys.argv[1:]]
    os.execve(sys.executable, module, {**os.environ, "XLA_FLAGS": flags})


HEAD = ("devices", "units", "us/step", "speed-up", "efficiency", "kB sent/block", "MB sent/s")


def table(title: str, cases: list[tuple[int, int]], given: argparse.Namespace) -> str:
    """One line a case. Speed-up: connections a second, relative to one device."""
    lines = [title, "  ".join(cell.rjust(13) for cell in HEAD)]
    first = 0.0
    for devices, units in cases:
        seconds, per_block, per_second = measured(devices, units, given)
        rate = units * given.degree / seconds
        first = first or rate
        cells = (
            f"{devices}",
            f"{units}",
            f"{1e6 * seconds:.1f}",
            f"{rate / first:.2f}",
            f"{rate / first / devices:.0%}",
            f"{per_block / 1e3:.3g}" if devices > 1 else "0",
            f"{per_second / 1e6:.3g}" if devices > 1 else "0",
        )
        lines.append("  ".join(cell.rjust(13) for cell in cells))
    return "\n".join(lines) + "\n"


def measured(devices: int, units: int, given: argparse.Namespace) -> tuple[float, float, float]:
    """Seconds a step, and bytes that each device sends: a block, and per simulated second."""
    import brainunit as u
    import jax
    import numpy as np

    from benchmarks.networks import DT, EVERY, scattered, simulator
    from braingraph.compiler.traffic import traffic

    mesh = jax.sharding.Mesh(np.array(jax.devices()[:devices]), ("unit",))
    sim = simulator(scattered(units, given.degree), mesh=mesh)
    monitors = {"cortex.x": EVERY * DT * u.ms}
    times = []
    for _ in range(given.turns + 1):
        begun = time.perf_counter()
        sim.run(given.steps * DT * u.ms, monitors=monitors, progress=False)
        times.append(time.perf_counter() - begun)
    (compiled,) = sim._compiled.values()
    told = traffic(compiled.advance)
    return float(np.median(times[1:])) / given.steps, told.per_block, told.per_second


if __name__ == "__main__":
    main()
