"""A thread that does jobs one after another, while the main thread goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

_Job = Callable[[], None]


class Background:
    """Does jobs in order. After an error it does none any more, so that nobody waits for it.

    Parameters
    ----------
    name : str
        Of the thread.
    depth : int
        How many jobs that were handed over may be in flight.
    """

    def __init__(self, name: str, depth: int) -> None:
        self.error: BaseException | None = None  #: the first one
        self._slots = threading.BoundedSemaphore(depth)
        self._jobs: SimpleQueue[tuple[_Job, _Job] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def hand_over(self, job: _Job) -> None:
        """Add a job that holds memory: back at once, or when fewer than ``depth`` are in flight."""
        self._slots.acquire()
        self._jobs.put((job, self._slots.release))

    def add(self, job: _Job) -> threading.Event:
        """Add a job that holds none; the event says that it was done, or left out."""
        done = threading.Event()
        self._jobs.put((job, done.set))
        return done

    def finish(self) -> None:
        """Back when all is done and the thread has ended."""
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (item := self._jobs.get()) is not None:
            job, after = item
            try:
                if self.error is None:
                    job()
            except BaseException as error:  # whatever it is, the main thread must hear of it
                self.error = error
            after()
            # Waiting for the next job, it must not keep this one's arrays alive.
            del item, job
