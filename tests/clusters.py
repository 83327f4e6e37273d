"""A small Dask cluster on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dask
import distributed


@contextmanager
def two_workers() -> Iterator[Any]:
    """A client of two processes of one thread. The scheduler gives up at once: retries are ours."""
    make: Any = distributed.LocalCluster  # which has no types
    join: Any = distributed.Client
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        make(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as local,
        join(local) as found,
    ):
        yield found
