"""One run: chunks of one jitted scan, in memory or streamed to a store.

With U(k) the computation of chunk k and W(k) its writing: U(k) precedes W(k) and U(k + 1), and
W(k) precedes W(k + 1). So W(k - 1) may run beside U(k), with two chunks held at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from braingraph.checkpoint import restored
from braingraph.compiled import Compiled
from braingraph.compiler import begin
from braingraph.compiler.plan import Program
from braingraph.compiler.sampling import Sampler
from braingraph.divergence import locate
from braingraph.errors import ParameterError
from braingraph.interrupt import Stop
from braingraph.monitors import Monitor
from braingraph.progress import Progress
from braingraph.records import Recording
from braingraph.sinks import Rows, Sink
from braingraph.team import Split, Team

if TYPE_CHECKING:
    from braingraph.simulator import Simulator

#: Wall seconds a chunk should take: often enough for progress and commits, rare enough to be free.
CHUNK_SECONDS = 0.5
FIRST_STEPS = 2000


@dataclass(frozen=True)
class Plan:
    """What a run needs: its program, and code compiled for one of the same structure."""

    program: Program
    monitors: tuple[Monitor, ...]
    compiled: Compiled
    values: dict[str, Any]
    base: dict[str, Any] | None = None  # values that have the same weights and delays


class Session:
    """One run: from its first carry to its last."""

    def __init__(
        self,
        sim: Simulator,
        plan: Plan,
        first: int,
        total: int,
        skip: int,
        batch: int | None,
        seed: Any = None,
    ) -> None:
        self.sim, self.plan, self.compiled, self.monitors = sim, plan, plan.compiled, plan.monitors
        self.first, self.total, self.skip, self.batch = first, total, skip, batch
        self.splits: dict[str, Split] = {}
        self.dt, self.seed = sim.dt, sim.seed if seed is None else seed
        self.samplers = plan.compiled.samplers
        self.recordings = [
            self._recording(m, s) for m, s in zip(self.monitors, self.samplers, strict=True)
        ]

    def _recording(self, m: Monitor, sampler: Sampler) -> Recording:
        skipped = self.skipped(sampler)
        samples = self.finished(sampler, self.total) - skipped
        # clocks of slow nodes count from t = 0, also in a run that goes on within an interval
        steps = self.first // m.clock + skipped * sampler.period - sampler.phase
        if samples < 1:
            raise ParameterError(
                f"monitor '{m.name}' has an interval of {m.interval(self.dt):g} ms, longer than "
                f"the {(self.total - self.skip) * self.dt:g} ms that are recorded.",
                parameter="monitors",
            )
        return Recording(
            m.name,
            m.interval(self.dt),
            samples,
            str(m.unit) if str(m.unit) else "1",
            m.node,
            m.units,
            m.labels,
            (("replica", np.arange(self.batch)),) if self.batch is not None else (),
            steps * m.clock * self.dt,
            "mean" if m.mean else "sample",
            np.dtype(self.compiled.engine.dtype).name,
            m.axes,
        )

    def finished(self, sampler: Sampler, steps: int) -> int:
        """How many of a sampler's intervals have ended after so many steps of the run."""
        since = (self.first + steps) // sampler.clock - self.first // sampler.clock
        return (since + sampler.phase) // sampler.period

    def skipped(self, sampler: Sampler) -> int:
        return self.finished(sampler, self.skip)

    def split(self, team: Team) -> dict[str, Split]:
        """Who writes what; from now on the rows of these monitors are this process's own."""
        if team.world > 1 and (devices := self.compiled.devices) is not None:
            found = zip(self.monitors, self.samplers, strict=True)
            splits = {m.name: devices.split(s, team.members) for m, s in found}
            self.splits = {name: split for name, split in splits.items() if split is not None}
        return self.splits

    def begun(self, initial: Any, history: Any) -> tuple[Any, Any, Any]:
        """What the first chunk takes: carry, parameters, keys."""
        compiled, values = self.compiled, self.plan.values
        packed = compiled.parameters(values, self.plan.base)
        keys = compiled.keys(self.seed)
        carry = compiled.start(packed, values, self.plan.program.flat, self.seed, initial, history)
        return carry, packed, keys

    def continued(self, arrays: dict[str, np.ndarray], path: str) -> tuple[Any, Any, Any]:
        """What the next chunk takes, from the arrays of a checkpoint."""
        compiled, values = self.compiled, self.plan.values
        packed = compiled.parameters(values, self.plan.base)
        like = compiled.first_carry(values, self.plan.program.flat, self.seed)
        carry = compiled.dealt(restored(like, arrays, path))
        return carry, packed, compiled.keys(self.seed)

    def advance(
        self,
        sink: Sink,
        begun: tuple[Any, Any, Any],
        progress: bool,
        stops: bool = True,
        team: Team | None = None,
        k: int = 0,
        stop: Stop | None = None,
    ) -> None:
        """Chunk after chunk from step ``k``; each is handed over while the next one computes.

        ``begun``: what the first one takes. ``stops``: an error ends the run where a state is not
        finite, and the simulator keeps the last state. ``stop``: asked after every chunk.
        """
        compiled, B = self.compiled, self.compiled.program.blocks.length
        carry, packed, keys = begun
        team, stop = team or Team(), stop or Stop()
        bar = Progress(self.total * self.dt, progress)
        chunk = min(compiled.capacity, B * -(-FIRST_STEPS // B))
        if not k:
            sink.begin(self._state(carry))
        while k < self.total and chunk:
            begun_at = time.monotonic()
            steps = min(chunk, self.total - k)
            before = carry
            carry, out, finite = compiled.chunk(before, packed, keys, self.total, -(-steps // B))
            if stops and not bool(finite):
                error = locate(self, before, packed, keys, k, steps)
                last = error.fields["steps"] - 1
                sink.take(self._rows(out, k, last), last, None)
                sink.fail(error)
            sink.take(self._rows(out, k, k + steps), k + steps, self._state(carry))
            k += steps
            bar.update(k * self.dt)
            team.reached(k * self.dt)
            wanted = steps * CHUNK_SECONDS / max(time.monotonic() - begun_at, 1e-6)
            chunk = min(compiled.capacity, B * max(1, round(min(wanted, 8 * chunk) / B)))
            # every process computes the same blocks, and stops where one has to
            chunk = team.agreed(0 if stop.asked else chunk)
        bar.finish(k * self.dt)
        if stops:
            self.sim.state = begin.snapshot(compiled.whole, compiled.on_host(carry))
        else:
            self.finite = self._finite(compiled.on_host(carry))
        if k < self.total:
            sink.stop(self._state(carry))
            stop.end(k * self.dt)

    def _finite(self, carry: Any) -> np.ndarray:
        """Which replicas' states are all finite."""
        groups = [*carry["x"].values(), *carry["slow"].values()]
        values = [np.asarray(v) for states in groups for v in states.values()]
        found = [np.isfinite(v).all(0) for v in values]
        return np.all(found, axis=0) if found else np.ones(self.batch or (), bool)

    def _state(self, carry: Any) -> Callable[[], Any]:
        return lambda: self.compiled.on_host(carry)

    def warm(self, initial: Any, history: Any) -> None:
        """Compile, if that has not happened yet, by a chunk of no blocks."""
        if not self.compiled.compilations():
            self.compiled.chunk(*self.begun(initial, history), 0, 0)

    def _rows(self, out: Any, start: int, stop: int) -> dict[str, Rows]:
        """What a chunk finished, as views that wait for the device only when read."""
        rows = {}
        for monitor, sampler, (buffer, _) in zip(self.monitors, self.samplers, out, strict=True):
            origin, skipped = self.finished(sampler, start), self.skipped(sampler)
            low = max(origin, skipped) - origin
            high = self.finished(sampler, stop) - origin
            if high > low:
                rows[monitor.name] = Rows(
                    buffer, low, high, self.compiled.gathered(sampler, monitor.name in self.splits)
                )
        return rows
