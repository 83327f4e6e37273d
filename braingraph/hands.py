"""Who writes the chunks of a run: threads of this process, or the workers of a Dask cluster.

1. ``write`` is back when all that it was given is on disk: the order of a store's appends and
   commits does not depend on who writes.
2. On a cluster a block goes straight to a worker, which writes it if that very store is within
   its reach. It is kept here until then: what is lost with a worker is sent again.
3. A few blocks more than the workers have threads are under way: memory stays bounded, here and
   there.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import zarr
from dask.base import compute
from dask.delayed import delayed

from braingraph import cluster, hierarchy
from braingraph.errors import StoreError
from braingraph.lanes import Put
from braingraph.places import Place

#: How often a block is sent again that was lost with its worker.
RETRIES = 3
# Dask's functions have no types.
_compute: Any = compute
_delayed: Any = delayed


class Hands(Protocol):
    """Write blocks to their places."""

    def write(self, puts: Iterable[Iterator[Put]]) -> None: ...

    def close(self) -> None: ...


class Threads:
    """A pool of this process: each block is a task of Dask's threaded scheduler."""

    def __init__(self, count: int) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="braingraph-write")

    def write(self, puts: Iterable[Iterator[Put]]) -> None:
        tasks = [
            _delayed(put, pure=False, traverse=False)()
            for put in itertools.chain.from_iterable(puts)
        ]
        _compute(*tasks, scheduler="threads", pool=self._pool, optimize_graph=False)

    def close(self) -> None:
        self._pool.shutdown()


class Workers:
    """The workers of a ``distributed.Client``.

    ``writer`` is who writes the store now (``hierarchy.begin_writing``): a worker that finds
    another, or none, does not see this store.
    """

    def __init__(self, client: Any, place: Place, writer: str) -> None:
        self._client, self._place, self._writer = client, place, writer
        for worker, sees in client.run(_sees, place, writer).items():
            if not sees:
                raise self._blind(worker)

    def write(self, puts: Iterable[Iterator[Put]]) -> None:
        flying = _Flying(self._client, self._writer)
        try:
            for put in itertools.chain.from_iterable(puts):
                while len(flying.sent) >= max(4, 2 * cluster.parallel(self._client)):
                    self._settle(flying)
                flying.send(put, 0)
            while flying.sent:
                self._settle(flying)
        finally:
            flying.cancel()

    def close(self) -> None:
        """The cluster is the caller's."""

    def _settle(self, flying: _Flying) -> None:
        """Wait for one block; send it again if it was lost."""
        put, times, sees, error = flying.next()
        if error is None and not sees:
            raise self._blind("One of them")
        if error is not None:
            if not cluster.was_lost(error) or times >= RETRIES:
                raise error
            flying.send(put, times + 1)

    def _blind(self, worker: str) -> StoreError:
        return StoreError(
            f"Workers of the cluster do not see the store {self._place!r} ({worker}): pass an "
            "address, as in store='s3://bucket/run.zarr', or the path of a folder that all "
            "machines share; or leave out client=.",
            path=str(self._place),
        )


class _Flying:
    """The blocks under way."""

    def __init__(self, client: Any, writer: str) -> None:
        import distributed

        as_completed: Any = distributed.as_completed

        self.client, self.writer = client, writer
        self.sent: dict[str, tuple[Any, Put, int]] = {}
        self.done: Any = as_completed(loop=client.loop)

    def send(self, put: Put, times: int) -> None:
        for again in range(RETRIES + 1):
            try:
                block = self.client.scatter(put.block, direct=True, hash=False)
                break
            except OSError:  # that worker has just gone
                if again == RETRIES:
                    raise
        future = self.client.submit(
            _put, put.array, put.region, block, self.writer, pure=False, key=f"{block.key}-put"
        )
        self.sent[future.key] = (future, put, times)
        self.done.add(future)

    def next(self) -> tuple[Put, int, bool, BaseException | None]:
        """One that is over: what it was, how often it was sent again, whether it was written."""
        future = next(self.done)
        _, put, times = self.sent.pop(future.key)
        written, error = cluster.ended(future)
        return put, times, bool(written), error

    def cancel(self) -> None:
        if self.sent:
            self.client.cancel([future for future, _, _ in self.sent.values()])


def _sees(place: Place, writer: str) -> bool:
    """Whether that very store is within reach here."""
    try:
        return hierarchy.writer_of(place.open()) == writer
    except FileNotFoundError:
        return False


def _put(array: zarr.Array[Any], region: Any, block: Any, writer: str) -> bool:
    """Write a block if that very store is within reach here; whether it was."""
    try:
        if hierarchy.writer_of(array) != writer:
            return False
    except FileNotFoundError:
        return False
    Put(array, region, block)()
    return True
