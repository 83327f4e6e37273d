"""Where a run's samples go: memory, or a store. Either way they leave the device chunk by chunk."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, NoReturn, Protocol, Self

import numpy as np
import xarray as xr

from braingraph.errors import DivergenceError, RunError
from braingraph.records import Recording, to_dataset
from braingraph.store import Writer, open_run


class Rows:
    """Finished rows of a buffer on the device, as an array (*batch, time, unit) when read.

    Reading waits for the device and copies, so it is left to whoever needs the values: for a
    store that is its background thread.
    """

    def __init__(self, buffer: Any, low: int, high: int) -> None:
        self.buffer, self.low, self.high = buffer, low, high
        self.shape = (*buffer.shape[2:], high - low, buffer.shape[1])
        self.dtype = np.dtype(buffer.dtype)

    def copy_to_host_async(self) -> None:
        self.buffer.copy_to_host_async()

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        rows = np.asarray(self.buffer)[self.low : self.high]
        return np.array(np.moveaxis(rows, (0, 1), (-2, -1)), dtype=dtype, copy=True)


class Sink(Protocol):
    """Takes the finished samples of each chunk, in order."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def take(self, rows: Mapping[str, Rows], step: int) -> None:
        """Samples of a chunk that ended at ``step``."""

    def fail(self, error: DivergenceError) -> NoReturn:
        """Keep what came before, attach it to the error as ``dataset``, and raise it."""

    def dataset(self) -> xr.Dataset:
        """Everything taken, labelled."""


class Memory:
    """Collects samples in arrays made for the whole run."""

    def __init__(self, recordings: list[Recording], attrs: Mapping[str, Any]) -> None:
        self.recordings, self.attrs = recordings, attrs
        try:
            self.arrays = {r.name: np.empty(r.shape, r.dtype) for r in recordings}
        except (MemoryError, ValueError):  # ValueError: more than NumPy can address
            size = sum(float(np.prod(r.shape, dtype=float)) * 4 for r in recordings)
            raise RunError(
                f"what is recorded takes {size / 1e9:.3g} GB, more than there is memory: stream it "
                "to disk with store='run.zarr', or record less often: {'cortex.x': 10 * u.ms}."
            ) from None
        self.taken = dict.fromkeys(self.arrays, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def take(self, rows: Mapping[str, Rows], step: int) -> None:
        for name, new in rows.items():
            start = self.taken[name]
            self.taken[name] = stop = start + new.shape[-2]
            self.arrays[name][..., start:stop, :] = np.asarray(new)

    def fail(self, error: DivergenceError) -> NoReturn:
        error.dataset = error.fields["dataset"] = self.dataset()  # type: ignore[attr-defined]
        raise error

    def dataset(self) -> xr.Dataset:
        arrays = {name: a[..., : self.taken[name], :] for name, a in self.arrays.items()}
        return to_dataset(self.recordings, arrays, self.attrs)


class Stream:
    """Streams samples to a Zarr store while the next chunk computes."""

    def __init__(
        self, recordings: list[Recording], attrs: Mapping[str, Any], path: Any, overwrite: bool
    ) -> None:
        self.writer = Writer(path, recordings, attrs, overwrite=overwrite)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.writer.__exit__(kind, error, trace)

    def take(self, rows: Mapping[str, Rows], step: int) -> None:
        self.writer.append(rows, step=step)

    def fail(self, error: DivergenceError) -> NoReturn:
        self.writer.abort("failed")
        error.dataset = error.fields["dataset"] = self.dataset()  # type: ignore[attr-defined]
        raise error

    def dataset(self) -> xr.Dataset:
        return open_run(self.writer.path)
