"""How far a run is, and when it will be done, on standard error."""

from __future__ import annotations

import sys
import time

from braingraph.units import show_time

QUIET = 1.0  # seconds before anything is shown: short runs stay silent
REDRAW, RELINE = 0.2, 5.0  # seconds between updates on a terminal; in a log


class Progress:
    """A line that redraws itself on a terminal; a line every few seconds elsewhere."""

    def __init__(self, total: float, shown: bool) -> None:
        self.total, self.shown = total, shown
        self.begun = self.last = time.monotonic()
        self.offset, self.paced = 0.0, self.begun  # where and when the pace is counted from
        self.drawn = False
        self.terminal = sys.stderr.isatty()

    def update(self, done: float) -> None:
        """``done`` ms of ``total`` are simulated."""
        now = time.monotonic()
        if self.offset == 0.0:  # the first chunk's time, mostly compiling, says nothing of the rest
            self.offset, self.paced = done, now
            return
        wait = REDRAW if self.terminal else RELINE
        if not self.shown or now - self.begun < QUIET or now - self.last < wait:
            return
        self.last = now
        self._write(self._line(done, now))

    def finish(self, done: float | None = None) -> None:
        """Close the line with the time taken, if one was begun."""
        if self.drawn:
            self._write(self._line(self.total if done is None else done, time.monotonic()))
            if self.terminal:
                sys.stderr.write("\n")

    def _line(self, done: float, now: float) -> str:
        pace, state = self._pace(done, now)
        return (
            f"{show_time(round(done))} of {show_time(self.total)} ({done / self.total:.0%}), "
            f"{pace / 1000:.3g} x real time, {state}"
        )

    def _pace(self, done: float, now: float) -> tuple[float, str]:
        """Units (ms of the model) per second, and the time left or taken."""
        pace = (done - self.offset) / max(now - self.paced, 1e-9)
        if done < self.total:
            return pace, f"{_clock((self.total - done) / max(pace, 1e-9))} left"
        return pace, f"done in {_clock(now - self.begun)}"

    def _write(self, line: str) -> None:
        self.drawn = True
        sys.stderr.write(f"\r\x1b[K{line}" if self.terminal else f"{line}\n")
        sys.stderr.flush()


class Count(Progress):
    """How many simulations of a sweep are done, and the time left."""

    def _line(self, done: float, now: float) -> str:
        share, state = done / self.total, self._pace(done, now)[1]
        return f"{done:.0f} of {self.total:.0f} simulations ({share:.0%}), {state}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
