"""Ctrl-C and SIGTERM as a request: the run ends after the chunk it is in, with all it has made."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType
from typing import Any, NoReturn, Self

from braingraph.places import at
from braingraph.units import show_time


class Interrupted(KeyboardInterrupt):
    """A run that was asked to end has ended, on every process, and can go on."""


class Terminated(SystemExit):
    """The same, after SIGTERM: the process ends with its status."""


class Stop:
    """Whether a run has been asked to end.

    Used as a context, in the main thread, it takes the signals that would end the process, unless
    something else handles them already, or there is no store (``path``) to go on from. A second
    signal ends it at once, as ever; one that came with a run's last chunk does after the run.
    """

    def __init__(self, path: Any = None) -> None:
        self.path = None if path is None else at(path)
        self._signal: int | None = None
        self._before: dict[int, Any] = {}

    @property
    def asked(self) -> bool:
        return self._signal is not None

    def __enter__(self) -> Self:
        main = threading.current_thread() is threading.main_thread()
        if main and self.path is not None:
            usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
            for number, handler in usual.items():
                if signal.getsignal(number) == handler:
                    self._before[number] = signal.signal(number, self._heard)
        return self

    def __exit__(self, *failure: object) -> None:
        self._restore()
        if self._signal is not None and failure[0] is None:
            signal.raise_signal(self._signal)

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _heard(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            self._restore()
            signal.raise_signal(number)
        self._signal = number

    def end(self, time: float) -> NoReturn:
        """Say where the run stands and how it goes on: Interrupted, or Terminated with 143."""
        text = (
            f"Stopped at t = {show_time(time)}; all until then is in {self.path!r}. To go on: "
            f"sim.resume({self.path!r})"
        )
        if self.path is not None and self.path.spelled:
            text += f", or from a shell: braingraph resume {self.path}"
        if self._signal in (None, signal.SIGINT):  # None: another process was asked
            raise Interrupted(text)
        print(text, file=sys.stderr, flush=True)
        raise Terminated(128 + int(self._signal or 0))
