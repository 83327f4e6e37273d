"""A sweep on a Dask cluster: batches are tasks, retried when a worker dies.

1. What all batches need is a task of its own, so a worker that is lost takes nothing with it that
   cannot be made again, and every worker compiles once.
2. A worker that finds the store (the one with that ``run_id``) writes its batch itself, and hands
   back only how it went; any other hands back the arrays, and the caller writes. So it does
   not matter whether workers share a file system.
3. While arrays come back, only a few batches more than there are threads are under way: what
   waits to be written stays bounded.
4. A batch that was lost with its worker is asked for again, ``retries`` times; any other error
   ends the sweep at once. Nothing is doubled: a batch has its own place.
"""

from __future__ import annotations

import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from braingraph.batches import Batch, available, parsed
from braingraph.errors import ParameterError, RunError
from braingraph.places import Place
from braingraph.sweep_store import Outcome, write
from braingraph.units import brief

if TYPE_CHECKING:
    from braingraph.sweep import Sink
    from braingraph.work import Work

#: Of a worker's memory, for all its threads together; the rest is Dask's and the interpreter's.
_SHARE = 0.5


def parallel(client: Any) -> int:
    """Threads of all workers that are there now; at least one."""
    if not hasattr(client, "submit") or not hasattr(client, "nthreads"):
        raise ParameterError(
            f"client= must be a dask.distributed.Client, but is {brief(client)}.",
            parameter="client",
        )
    return max(1, int(sum(client.nthreads().values())))


def budget(client: Any, memory: Any) -> int:
    """Bytes for one batch: ``memory=`` is a worker's; its threads share it."""
    workers = client.scheduler_info()["workers"].values()  # some of them: they are alike
    threads = max((w["nthreads"] for w in workers), default=1)
    if memory is not None:
        return parsed(memory) // threads
    limits = [w["memory_limit"] for w in workers if w["memory_limit"]]
    return int(_SHARE * min(limits, default=available())) // threads


def run(
    client: Any,
    work: Work,
    numbers: Sequence[int],
    batch: Callable[[int], Batch],
    sink: Sink,
    retries: int,
) -> Iterator[int]:
    """Run batches on the cluster; yields how many simulations each has finished."""
    tasks = _Tasks(client, work, batch, sink.address)
    waiting, lost = deque(numbers), Counter[int]()
    try:
        while waiting or tasks.flying:
            while waiting and len(tasks.flying) < tasks.limit():
                tasks.send(waiting.popleft())
            number, result, error = tasks.next()
            if error is not None:
                lost[number] += 1
                if not was_lost(error):
                    raise error
                if lost[number] > retries:
                    raise RunError(
                        f"a batch of {len(batch(number))} simulations was lost {lost[number]} "
                        f"times, each time with its worker ({type(error).__name__}): allow more "
                        "memory per worker, or take a smaller batch_size=.",
                        retries=retries,
                    ) from error
                waiting.appendleft(number)
                continue
            mine = batch(number)
            if result is not None:
                sink.put(mine, result)
            yield len(mine)
    finally:
        tasks.cancel()


class _Tasks:
    """The batches under way on a cluster."""

    def __init__(
        self,
        client: Any,
        work: Work,
        batch: Callable[[int], Batch],
        address: tuple[Place, str] | None,
    ) -> None:
        import distributed

        as_completed: Any = distributed.as_completed  # which has no types

        self.client, self.batch, self.address = client, batch, address
        self.name = f"sweep-{uuid.uuid4().hex}"
        self.sent = 0
        self.shared = False  # workers write: nothing but a few words comes back
        self.flying: dict[str, tuple[int, Any]] = {}
        self.done: Any = as_completed(loop=client.loop)
        self.blob = _dumped(work)
        self.work: Any = None

    def limit(self) -> int:
        threads = sum(self.client.nthreads().values())
        return len(self.flying) + 1 if self.shared else max(4, 2 * threads)

    def send(self, number: int) -> None:
        if self.work is None or self.work.status in ("error", "cancelled", "lost"):
            self.work = self.client.submit(_loaded, self.blob, key=f"{self.name}-work-{self.sent}")
        key = f"{self.name}-{number}-{self.sent}"
        blob = _dumped(self.batch(number))
        future = self.client.submit(_task, self.work, blob, self.address, key=key)
        self.sent += 1
        self.flying[key] = (number, future)
        self.done.add(future)

    def next(self) -> tuple[int, Outcome | None, BaseException | None]:
        """The next batch that is over: its result (None: it is in the store), or its error."""
        future = next(self.done)
        number, _ = self.flying.pop(future.key)
        result, error = ended(future)
        if error is None:
            self.shared = result is None
        return number, result, error

    def cancel(self) -> None:
        self.client.cancel([future for _, future in self.flying.values()])
        self.work = None


def ended(future: Any) -> tuple[Any, BaseException | None]:
    """What a task that is over gave, or its error."""
    if future.status == "finished":
        try:
            return future.result(), None
        except Exception as error:  # lost between its end and being fetched
            return None, error
    if future.status == "error":
        return None, future.exception()
    return None, Lost(f"the task is {future.status}")


class Lost(Exception):
    """A task that the scheduler no longer knows."""


def was_lost(error: BaseException) -> bool:
    """Whether an error tells of a worker or a connection, not of the simulation."""
    from concurrent.futures import CancelledError

    from distributed import KilledWorker

    # OSError: connections that break, files that cannot be reached for a moment.
    return isinstance(error, (Lost, KilledWorker, CancelledError, OSError, TimeoutError))


def _task(work: Work, blob: bytes, address: tuple[Place, str] | None) -> Outcome | None:
    batch: Batch = _loaded(blob)
    outcome = work(batch)
    written = address is not None and write(*address, batch, outcome)
    return None if written else outcome


def _dumped(value: Any) -> bytes:
    from distributed.protocol import pickle  # which takes lambdas too, but has no types

    dumps: Any = pickle.dumps
    blob: bytes = dumps(value)
    return blob


def _loaded(blob: bytes) -> Any:
    from distributed.protocol import pickle

    loads: Any = pickle.loads
    return loads(blob)
