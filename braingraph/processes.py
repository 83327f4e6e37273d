"""Several processes, one run: how they agree, and what becomes of the others when one is lost.

JAX starts them (``jax.distributed.initialize`` in the user's script) and connects them: what they
tell each other here goes through the key-value store and the barriers of its coordination service,
which process 0 runs. Measured with jax 0.10.2 and kill -9, what the others notice by themselves:

=========================  ===========================================================
killed                     noticed
=========================  ===========================================================
a process, CPU (gloo)      collectives fail within 30 ms, where they wait for it; then
                           JAX waits for it at exit, for heartbeat_timeout_seconds
a process that only hangs  nothing, until JAX's heartbeats end the others (abort, from
or is out of reach         C++): after heartbeat_timeout_seconds, by default 100
process 0                  JAX ends the others (abort) within 0.2 s
fails, but lives           nothing: they wait in the next collective for ever
=========================  ===========================================================

So, on top of that:

1. An error that says that a connection is gone becomes one ``RunError`` that names who is lost:
   whoever does not answer a call. The interpreter then ends without waiting for the lost one.
2. Who fails alone leaves a note. The others look for notes every second; who does not come out of
   its collective in 10 s says so and ends.
3. What JAX ends from C++ can say nothing any more: its last words are kept by a small process
   beside it, which prints them when it is gone.
4. Only JAX notices a process that hangs. For the others to stop within a minute, give
   ``jax.distributed.initialize(heartbeat_timeout_seconds=30)``.
"""

from __future__ import annotations

import atexit
import os
import re
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Self, TypeGuard

import jax

from braingraph.errors import DivergenceError, RunError
from braingraph.interrupt import Interrupted, Terminated
from braingraph.team import Team
from braingraph.units import show_time

#: Seconds between looks at what the others have noted.
POLL = 1.0
#: Seconds for a collective to fail by itself, once it is known that it must.
GRACE = 10.0
#: Seconds to wait at the end for those who are still there: process 0 takes the service with it.
LINGER, LINGER_FIRST = 3.0, 15.0
#: Seconds to wait for the others while a store is made or finished.
PATIENCE = 600.0
#: What errors say when a connection, and not the program, is at fault.
_CONNECTION = re.compile(
    "gloo|nccl|rccl|connection|socket|barrier|heartbeat|coordination|unavailable", re.IGNORECASE
)


def together(devices: Iterable[Any], store: Any = None) -> Team:
    """The processes that these devices belong to, as the context of one run.

    Parameters
    ----------
    devices : iterable of jax.Device
        Of the run's mesh. Where all are this process's own, there is nothing to agree on.
    store : path, optional
        Where the run is written: named when it ends early.

    Raises
    ------
    RunError
        JAX's processes are not connected. On leaving the context: another process was lost.
        Fields: ``lost`` (ranks), ``reason`` (if it said one), ``rank``, ``world``, ``time`` in ms,
        ``path``.
    """
    members = sorted({device.process_index for device in devices})
    if len(members) < 2:
        return Team()
    # JAX offers its coordination service nowhere else.
    from jax._src.distributed import global_state

    if global_state.client is None:
        raise RunError(
            f"the mesh has devices of {len(members)} processes, but they are not connected: call "
            "jax.distributed.initialize(heartbeat_timeout_seconds=30) first in every one of them."
        )
    return Processes(global_state.client, members, store)


class Processes(Team):
    """A team that talks through JAX's coordination service, and ends with its first loss."""

    def __init__(self, client: Any, members: Sequence[int], store: Any) -> None:
        self.rank, self.world = members.index(jax.process_index()), len(members)
        self._client, self.members = client, members
        self._store = None if store is None else str(store)
        name = f"braingraph/{zlib.crc32(str(members).encode()):08x}"
        # Counted by the service itself: every run has keys of its own.
        self._key = f"{name}/{client.key_value_increment(f'{name}/runs/{self.rank}', 1)}"
        self._calls, self._said = 0, ""
        self._time = 0.0
        self._over = threading.Event()

    def exchange(self, name: str, text: str) -> list[str]:
        before, self._said = self._said, f"{self._key}/{self._calls}-{name}"
        self._calls += 1
        self._client.key_value_set(f"{self._said}/{self.rank}", text)
        if self.rank == 0:
            for other in range(1, self.world):
                self._wait(f"{self._said}/{other}")
            if before:  # all have come here, so all have read what was said before
                self._client.key_value_delete(before)
            self._client.key_value_set(f"{self._said}/all", "")
        else:
            self._wait(f"{self._said}/all")
        said = self._read(self._said)
        return [said[str(rank)] for rank in range(self.world)]

    def _wait(self, key: str) -> None:
        """Until it is there; RunError when somebody has failed. (No barrier can be left early.)"""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self._client.blocking_key_value_get(key, round(1000 * POLL))
                return
            except jax.errors.JaxRuntimeError as error:
                if "DEADLINE_EXCEEDED" not in str(error):
                    raise
            if self._notes() or time.monotonic() > deadline:
                raise self._loss()

    def reached(self, time: float) -> None:
        self._time = time
        self._words.keep(
            f"braingraph: process {self.rank} of {self.world} ended near t = "
            f"{show_time(round(time))}, before its run was done: it was killed, or JAX ended it "
            f"because another process was lost (what JAX said stands above). {self._rest()}"
        )

    def __enter__(self) -> Self:
        self._words = _LastWords()
        self.reached(0.0)
        self._watcher = threading.Thread(target=self._watch, name="braingraph-watch", daemon=True)
        self._watcher.start()
        return self

    def __exit__(self, *failure: Any) -> None:
        error: BaseException | None = failure[1]
        self._over.set()
        self._watcher.join()
        if error is None or isinstance(error, (DivergenceError, Interrupted, Terminated)):
            # all processes find it
            self._words.drop()
        elif _connection_lost(error) or _is_loss(error):
            loss = error if _is_loss(error) else self._loss()
            self._words.keep(f"braingraph: {loss}")  # until it has been shown
            atexit.register(self._leave, loss)
            if loss is not error:
                raise loss from error
        else:
            self._words.drop()
            with suppress(jax.errors.JaxRuntimeError):
                self._note(f"failed/{self.rank}", f"{type(error).__name__}: {error}")
            atexit.register(self._leave)

    # ------------------------------------------------------------ notes for the others
    def _note(self, name: str, text: str = "") -> None:
        self._client.key_value_set(f"{self._key}/notes/{name}", text, allow_overwrite=True)

    def _notes(self) -> dict[str, str]:
        return self._read(f"{self._key}/notes")

    def _read(self, folder: str) -> dict[str, str]:
        found = self._client.key_value_dir_get(f"{folder}/")
        return {key.removeprefix(f"{folder}/"): text for key, text in found}

    def _watch(self) -> None:
        """Answers calls; ends the process when it waits in vain for one that is gone."""
        due = None
        while not self._over.wait(POLL):
            with suppress(jax.errors.JaxRuntimeError):  # without the service JAX ends us anyway
                if due is None and self._notes():
                    self._note(f"here/{self.rank}")
                    due = time.monotonic() + GRACE
            if due is not None and time.monotonic() > due:
                loss = self._loss()
                if not self._over.is_set():
                    print(f"braingraph: {loss}", file=sys.stderr)
                    self._leave(loss)
                    os._exit(1)

    # ------------------------------------------------------------ after a loss
    def _loss(self) -> RunError:
        lost, why = self._missing()
        who = " and ".join(f"process {rank}" for rank in lost) or "a process"
        what = f"{who} of {self.world} stopped, or lost its connection,"
        if why:
            what = f"{who} of {self.world} failed ({why})"
        return RunError(
            f"{what} near t = {show_time(round(self._time))}: this run cannot go on. "
            f"{self._rest()}",
            lost=lost,
            reason=why,
            rank=self.rank,
            world=self.world,
            time=self._time,
            path=self._store,
        )

    def _rest(self) -> str:
        if self._store is None:
            return "Nothing was stored: with store='run.zarr' what is committed stays."
        return f"What was committed is readable: bg.open({self._store!r})."

    def _missing(self) -> tuple[tuple[int, ...], str]:
        """Who failed, with the reason; else who does not answer a call."""
        others = set(range(self.world)) - {self.rank}
        with suppress(jax.errors.JaxRuntimeError):
            self._note(f"here/{self.rank}")
            self._note("call")
            for _ in range(4):
                notes = self._notes()
                for rank in sorted(others):
                    if why := notes.get(f"failed/{rank}"):
                        return (rank,), why
                if self.world == 2:
                    return tuple(others), ""
                here = {rank for rank in others if f"here/{rank}" in notes}
                if here == others:
                    break
                time.sleep(POLL)
            return tuple(sorted(others - here)), ""
        return (0,), ""  # there is no service without process 0

    def _leave(self, loss: RunError | None = None) -> None:
        """At exit: wait for those who are there; without JAX's own wait if one is gone for good."""
        sys.stdout.flush()
        sys.stderr.flush()
        self._words.drop()  # whoever raised has said it by now
        gone = () if loss is None or loss.fields["reason"] else loss.fields["lost"]
        there = [m for rank, m in enumerate(self.members) if rank not in gone]
        with suppress(jax.errors.JaxRuntimeError):
            linger = LINGER if self.rank else LINGER_FIRST
            self._client.wait_at_barrier(f"{self._key}/leave", round(1000 * linger), there)
            if len(there) == self.world:
                return
        os._exit(1)


def _is_loss(error: BaseException) -> TypeGuard[RunError]:
    return isinstance(error, RunError) and "lost" in error.fields


def _connection_lost(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, jax.errors.JaxRuntimeError) and _CONNECTION.search(str(error)):
            return True
        error = error.__cause__
    return False


class _LastWords:
    """A line that is printed by another process if this one ends, however it does."""

    _CODE = "import sys\nfor line in sys.stdin: last = line\nsys.stderr.write(last.lstrip())"

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-ISc", self._CODE],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is not for it
        )
        assert self._process.stdin is not None
        self._pipe = self._process.stdin
        os.set_blocking(self._pipe.fileno(), False)

    def keep(self, words: str) -> None:
        """Instead of those before."""
        with suppress(OSError, ValueError):
            os.write(self._pipe.fileno(), f"{' '.join(words.split())}\n".encode())

    def drop(self) -> None:
        """Nothing is left to say."""
        self.keep("")
        self._pipe.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
