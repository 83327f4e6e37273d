"""Where a run's samples go: memory, or a store. Either way they leave the device chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn, Protocol, Self

import numpy as np
import xarray as xr

from braingraph.checkpoint import Checkpoint
from braingraph.devices import Gathered
from braingraph.errors import DivergenceError, RunError
from braingraph.records import Recording, check_together, to_dataset
from braingraph.store import Writer, open_run
from braingraph.team import Split, Team
from braingraph.written import About


class Rows:
    """Finished rows of a buffer on the device, as an array (*batch, time, unit) when read.

    Reading waits for the device and copies, so it is left to whoever needs the values: for a
    store that is its background thread.
    """

    def __init__(self, buffer: Any, low: int, high: int, gathered: Gathered | None = None) -> None:
        self.buffer, self.low, self.high = buffer, low, high
        shape = buffer.shape if gathered is None else gathered.shape(buffer)
        self.gathered = gathered
        self.shape = (*shape[2:], high - low, shape[1])
        self.dtype = np.dtype(buffer.dtype)

    def copy_to_host_async(self) -> None:
        self.buffer.copy_to_host_async()

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        buffer = self.buffer if self.gathered is None else self.gathered(self.buffer)
        rows = np.asarray(buffer)[self.low : self.high]
        return np.array(np.moveaxis(rows, (0, 1), (-2, -1)), dtype=dtype, copy=True)


State = Callable[[], Any]


class Sink(Protocol):
    """Takes the finished samples of each chunk, in order."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *failure: Any) -> None: ...

    def begin(self, state: State) -> None:
        """``state`` gives, on the host, what a run of all processes needs to go on from here."""

    def take(self, rows: Mapping[str, Rows], step: int, state: State | None) -> None:
        """Samples of a chunk that ended at ``step``."""

    def stop(self, state: State) -> None:
        """No more samples come, though the run could go on from here."""

    def fail(self, error: DivergenceError) -> NoReturn:
        """Keep what came before, attach it to the error as ``dataset``, and raise it."""

    def dataset(self) -> xr.Dataset:
        """Everything taken, labelled."""


class Memory:
    """Collects samples in arrays made for the whole run."""

    def __init__(self, recordings: list[Recording], attrs: Mapping[str, Any]) -> None:
        self.recordings, self.attrs = recordings, attrs
        check_together(recordings)
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

    def __exit__(self, *failure: Any) -> None:
        return None

    def begin(self, state: State) -> None:
        """Memory keeps no states."""

    stop = begin

    def take(self, rows: Mapping[str, Rows], step: int, state: State | None) -> None:
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
    """Streams samples to a Zarr store while the next chunk computes.

    With several processes the rows of a monitor that has a split are this process's own; all others
    are brought together at once, by all processes in the same order, and process 0 writes them.
    """

    def __init__(
        self,
        recordings: list[Recording],
        attrs: Mapping[str, Any],
        path: Any,
        overwrite: bool,
        team: Team | None = None,
        splits: Mapping[str, Split] | None = None,
        about: About | None = None,
        checkpoint: Checkpoint | None = None,
        client: Any = None,
    ) -> None:
        self.team, self.splits, self.step = team or Team(), splits or {}, 0
        self.writer = Writer(
            path,
            recordings,
            attrs,
            overwrite=overwrite,
            team=self.team,
            splits=self.splits,
            about=about,
            checkpoint=checkpoint,
            client=client,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: Any) -> None:
        self.writer.__exit__(*failure)

    def _kept(self, state: State | None) -> State | None:
        """With several processes a state is brought together at once, by all of them."""
        if self.team.world == 1 or state is None:
            return state
        whole = state()
        return lambda: whole

    def begin(self, state: State) -> None:
        kept = self._kept(state)
        assert kept is not None
        self.writer.begin(kept)

    def take(self, rows: Mapping[str, Rows], step: int, state: State | None) -> None:
        apart = self.team.world > 1
        kept = self._kept(state) if self.writer.due or not apart else None
        self.writer.append(
            {n: r if n in self.splits or not apart else np.asarray(r) for n, r in rows.items()},
            step=step,
            state=kept,
        )
        self.step = step

    def stop(self, state: State) -> None:
        self.writer.append({}, step=self.step, state=self._kept(state))
        self.writer.abort("interrupted")

    def fail(self, error: DivergenceError) -> NoReturn:
        self.writer.abort("failed")
        error.dataset = error.fields["dataset"] = self.dataset()  # type: ignore[attr-defined]
        raise error

    def dataset(self) -> xr.Dataset:
        return open_run(self.writer.path)
