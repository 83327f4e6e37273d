"""A store as one zip file: to keep, to send, to publish."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import xarray as xr
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync

from braingraph import hierarchy, places
from braingraph.errors import StoreError
from braingraph.places import Archive, Place
from braingraph.store import open_run
from braingraph.sweep_store import SCHEMA, is_sweep


def archive(store: Any, to: Any, *, overwrite: bool = False) -> xr.Dataset:
    """Copy a store into one zip file, which ``bg.open`` reads as it is; the dataset of the copy.

    Parameters
    ----------
    store : path, address or other place
        Of a run or a sweep that nothing writes now. It is only read.
    to : path
        The file, ``"rest.zip"``. It appears when it is whole.
    overwrite : bool
        Replace an archive that exists. Nothing but a braingraph archive is ever replaced.

    Errors
    ------
    StoreError
        No store is there, or it is being written; the file exists, or is no ``.zip``, or cannot
        be written.
    """
    source, target = places.at(store), places.at(to)
    if not isinstance(target, Archive) or isinstance(source, Archive):
        raise StoreError(
            f"{source!r} is archived into a zip file, as in "
            f"bg.archive('run.zarr', 'run.zip'), but the names are {source!r} and {target!r}.",
            path=str(target),
        )
    hierarchy.open_root(source, SCHEMA if is_sweep(source) else hierarchy.SCHEMA)
    _make_room(target, overwrite)
    part = Path(f"{target}.partial")
    try:
        with places.trouble(target, "archived"):
            found = source.store("r")
            copied = _copy(source.open().store if isinstance(found, str) else found, part)
        if copied:
            os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    if not copied:
        raise StoreError(
            f"The store {source!r} is being written: archive it when its run has ended.",
            path=str(source),
        )
    return open_run(target)


def _make_room(target: Place, overwrite: bool) -> None:
    """StoreError for a file that may not be replaced."""
    if not target.exists():
        return
    with places.trouble(target, "looked into"):
        hierarchy.check_ours(target, target.names(), overwrite)


def _copy(store: Any, part: Path) -> bool:
    """Whether nothing was written meanwhile: what is then in the file belongs together."""
    before = _progress(store)
    # Chunks are compressed already.
    with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED, allowZip64=True) as file:
        for key in sync(_keys(store)):
            if (value := _read(store, key)) is not None:
                file.writestr(key, value)
    return before == _progress(store)


async def _keys(store: Any) -> list[str]:
    return [key async for key in store.list() if not key.endswith(".partial")]


def _read(store: Any, key: str) -> bytes | None:
    value = sync(store.get(key, default_buffer_prototype()))
    return None if value is None else bytes(value.to_bytes())


def _progress(store: Any) -> dict[str, bytes | None]:
    """All that says how far the writing is: markers, slots, who writes, what batches are done."""
    keys = [key for key in sync(_keys(store)) if key.startswith("_run/") and "/data/" not in key]
    return {key: _read(store, key) for key in keys}
