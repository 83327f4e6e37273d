"""Where a store is: a local folder, an address, a Zarr store, an icechunk repository, an archive.

1. ``at`` makes a Place of what a user gives as ``store=``; everything else knows Places only.
2. A Place knows the few things that Zarr itself does not do alike everywhere: what stands at the
   top, taking it all away, what a killed process left, how errors read. It knows no layout.
3. What a Place does with the outside is done within ``trouble``, which makes one StoreError of it.
4. Only an icechunk repository shows what is written at ``commit``, all of it at once. Elsewhere
   every key is replaced in one move, and ``commit`` does nothing.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import zarr
from zarr.abc.store import Store
from zarr.core.sync import sync
from zarr.storage import LocalStore, MemoryStore, ZipStore

from braingraph.errors import StoreError
from braingraph.units import brief

#: Written by a process that was killed, or by a file manager.
_LEFTOVERS = (".partial", ".DS_Store")
#: What to install for addresses of a kind.
_EXTRAS = {
    "s3": "braingraph-sim[s3]",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
}


#: Options unless others are given. s3fs would ask for the size of every key before it reads it.
_USUAL: dict[str, dict[str, Any]] = {"s3": {"max_concurrency": 1}}


class Place:
    """Where a store is, or will be. ``str`` is its name, ``repr`` what stands for it in code."""

    #: Whether another process finds the same store there.
    shared = True
    #: Whether its name leads there from a shell.
    spelled = True
    #: Whether what is there can be written again.
    writable = True
    #: What goes wrong with it.
    faults: tuple[type[Exception], ...] = (Exception,)

    def __init__(self, name: str) -> None:
        self.name = name

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return repr(self.name)

    def __deepcopy__(self, memo: Any) -> Self:
        """Datasets carry it: a copy of one is of the same store."""
        return self

    def store(self, mode: str) -> Any:
        """What Zarr opens."""
        raise NotImplementedError

    def open(self, mode: str = "r") -> zarr.Group:
        """The root, as it is: consolidated metadata may be older."""
        store: Any = self.store(mode)
        how: Any = mode
        return zarr.open_group(store, mode=how, zarr_format=3, use_consolidated=False)

    def create(self, attributes: dict[str, Any]) -> zarr.Group:
        """The root of a hierarchy that is not there yet."""
        return zarr.create_group(self.store("a"), zarr_format=3, attributes=attributes)

    def attributes(self) -> dict[str, Any] | None:
        """Those of the root; None where there is no Zarr group."""
        try:
            with trouble(self, "read"):
                return self.open().attrs.asdict()
        except (KeyError, TypeError, ValueError):
            return None
        except StoreError as error:
            if isinstance(error.__cause__, (FileNotFoundError, ValueError, KeyError, TypeError)):
                return None
            raise

    def names(self) -> set[str]:
        """What stands at the top, but for leftovers."""
        store = self.store("r")
        return {name.split("/")[0] for name in sync(_listed(store)) if name}

    def exists(self) -> bool:
        """Whether anything is there."""
        return bool(self.names())

    def clean(self) -> None:
        """Remove what a process that was killed left half written."""

    def remove(self) -> None:
        """Take away all that is there."""
        store = self.store("r+")
        # The root goes last: without it nobody would know whose the rest is.
        for name in sorted(self.names() - {"zarr.json"}):
            sync(store.delete_dir(name))
        sync(store.delete("zarr.json"))

    def size(self) -> tuple[int, int]:
        """Bytes, and how many objects they are in."""
        store = self.store("r")
        return sync(store.getsize_prefix("")), len(sync(_keys(store)))

    def commit(self, message: str) -> None:
        """Everything written until now can be seen."""

    def close(self) -> None:
        """No more is written."""

    def reason(self, error: BaseException | None) -> str:
        """What went wrong, with the fix where there is a usual one."""
        return reason(error)

    def absolute(self) -> Place:
        """The same place for a process with another working folder."""
        return self


async def _listed(store: Store) -> list[str]:
    return [name async for name in store.list_dir("")]


async def _keys(store: Store) -> list[str]:
    return [key async for key in store.list()]


class Folder(Place):
    """A local folder."""

    faults: tuple[type[Exception], ...] = (OSError,)

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser()
        super().__init__(str(self.path))

    def __fspath__(self) -> str:
        return self.name

    def store(self, mode: str) -> Any:
        return self.name

    def names(self) -> set[str]:
        if not os.path.lexists(self.path):
            return set()
        if not self.path.is_dir():
            raise StoreError(
                f"{self!r} is a file, but a store is a folder: choose another path.",
                path=self.name,
            )
        return {p.name for p in self.path.iterdir() if not p.name.endswith(_LEFTOVERS)}

    def exists(self) -> bool:
        return self.path.exists()

    def clean(self) -> None:
        for leftover in self.path.rglob("*.partial"):
            leftover.unlink(missing_ok=True)

    def remove(self) -> None:
        folder = self.path.resolve()
        shutil.rmtree(folder)
        folder.mkdir()  # or a link to it would lead nowhere

    def size(self) -> tuple[int, int]:
        files = [f.stat().st_size for f in self.path.rglob("*") if f.is_file()]
        return sum(files), len(files)

    def absolute(self) -> Folder:
        return Folder(self.path.absolute())


class Archive(Folder):
    """A zip file: only read. ``archive`` makes one."""

    writable = False
    faults = (Exception,)

    def store(self, mode: str) -> Any:
        if mode == "r":
            return sync(ZipStore.open(self.path, mode="r"))
        raise StoreError(
            f"{self!r} is a zip archive, which cannot be written piece by piece: run into a "
            "folder, as in store='run.zarr', and then bg.archive('run.zarr', 'run.zip').",
            path=self.name,
        )

    def names(self) -> set[str]:
        return Place.names(self) if self.path.exists() else set()

    def clean(self) -> None:
        """Nothing is ever half written."""

    def size(self) -> tuple[int, int]:
        return self.path.stat().st_size, 1

    def remove(self) -> None:
        self.path.unlink()

    def absolute(self) -> Archive:
        return Archive(self.path.absolute())


class Address(Place):
    """A URL that fsspec knows, with the options of its file system."""

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        super().__init__(url)
        self.options = options
        self.protocol = url.partition("://")[0].rpartition("::")[2]
        self.shared = self.spelled = self.protocol != "memory"
        self._check()

    def _check(self) -> None:
        from fsspec import get_filesystem_class

        if self.name.endswith(".zip"):
            raise StoreError(
                f"{self!r} is a zip archive elsewhere: copy it to a local file first.",
                path=self.name,
            )
        try:
            get_filesystem_class(self.protocol)
        except ImportError as error:
            needed = _EXTRAS.get(self.protocol, "what it says")
            raise StoreError(
                f"{self!r} cannot be reached: {error}: pip install '{needed}'.", path=self.name
            ) from error
        except ValueError as error:
            raise StoreError(
                f"{self!r} is neither a path nor an address that fsspec knows: {error}. Give "
                "'run.zarr', 's3://bucket/run.zarr', or a Zarr store.",
                path=self.name,
            ) from error

    def store(self, mode: str) -> Any:
        from zarr.storage import FsspecStore

        # Listings that fsspec remembers do not show what others have written since.
        options = {"use_listings_cache": False, **_USUAL.get(self.protocol, {}), **self.options}
        return FsspecStore.from_url(self.name, storage_options=options, read_only=mode == "r")

    def reason(self, error: BaseException | None) -> str:
        found = reason(error, permission="no permission, so check the credentials")
        return found if isinstance(error, StoreError) else f"{found}{self._hint(error)}"

    def _hint(self, error: BaseException | None) -> str:
        if isinstance(error, PermissionError) or self.protocol == "memory":
            return ""
        return f" (address, credentials, options: bg.place({self.name!r}, endpoint_url=...))"


class Held(Place):
    """A Zarr store that the caller made, such as a MemoryStore or obstore's ObjectStore."""

    spelled = False

    def __init__(self, store: Store) -> None:
        super().__init__(f"{type(store).__name__} {store}")
        self._store = store
        self.writable = store.supports_deletes and not store.read_only
        # Pickled, a MemoryStore is another one, and an icechunk session refuses.
        self.shared = not isinstance(store, MemoryStore) and not _is_icechunk(store)

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def store(self, mode: str) -> Any:
        return self._store


def _is_icechunk(store: Store) -> bool:
    return type(store).__module__.partition(".")[0] == "icechunk"


def at(store: Any) -> Place:
    """The place that ``store=`` names.

    Errors
    ------
    StoreError
        It is neither a path, an address, a Zarr store nor an icechunk repository; or what reaches
        an address is not installed.
    """
    if isinstance(store, Place):
        return store
    if isinstance(store, (str, os.PathLike)):
        text = str(os.fspath(store))
        if text.startswith("file://"):
            return at(text.removeprefix("file://"))
        if "://" in text:
            return Address(text, {})
        zipped = text.endswith(".zip") and not Path(text).expanduser().is_dir()
        return Archive(text) if zipped else Folder(text)
    if isinstance(store, LocalStore):
        return Folder(store.root)
    if isinstance(store, ZipStore):
        return Archive(store.path)
    if isinstance(store, Store):
        return Held(store)
    if hasattr(store, "writable_session"):
        from braingraph.repository import Repository

        return Repository(store)
    raise StoreError(
        "store= must be a path ('run.zarr'), an address ('s3://bucket/run.zarr'), a Zarr store or "
        f"an icechunk repository, but is {brief(store)}.",
        path=brief(store),
    )


def place(url: Any, **options: Any) -> Place:
    """A place for ``store=`` and ``bg.open``: an address with the options of its file system.

    Parameters
    ----------
    url : str, path, Zarr store or icechunk repository
    **options
        What fsspec's file system for it takes: for ``s3://`` ``endpoint_url``, ``key``,
        ``secret``, ``anon``. Without them its own settings count, such as ``AWS_ENDPOINT_URL``
        in the environment. For a repository: ``branch``.

    Errors
    ------
    StoreError
        No such kind of address, what it needs is not installed, or options for what takes none.

    Examples
    --------
    >>> import braingraph as bg
    >>> bg.place("memory://brains/rest.zarr", use_listings_cache=False)
    'memory://brains/rest.zarr'
    """
    found = at(url)
    if not options:
        return found
    if isinstance(found, Address):
        return Address(found.name, options)
    if set(options) == {"branch"} and hasattr(found, "on"):
        branch: Place = found.on(options["branch"])
        return branch
    raise StoreError(
        f"{found!r} takes no options, but got {', '.join(options)}: they are for addresses such "
        "as 's3://bucket/run.zarr'.",
        path=str(found),
    )


def check_writable(where: Place) -> None:
    """StoreError for what is only read."""
    if isinstance(where, Archive):
        where.store("a")
    if not where.writable:
        raise StoreError(
            f"{where!r} cannot be written piece by piece: it is only read, or keeps what was once "
            "written. Run into another store.",
            path=str(where),
        )


# ---------------------------------------------------------------- what goes wrong
@contextmanager
def trouble(where: Place, done: str) -> Iterator[None]:
    """Turns what the operating system, or a service, says into a StoreError with the fix."""
    try:
        yield
    except StoreError:
        raise
    except where.faults as error:
        raise StoreError(
            f"The store {where!r} could not be {done}: {where.reason(error)}.", path=str(where)
        ) from error


_PERMISSION = "no permission, so choose a folder that is yours"
_REASONS = (
    ((errno.ENOSPC, errno.EDQUOT), "the disk is full, so free some space or use another disk"),
    ((errno.ENOTDIR, errno.EEXIST), "a file stands where a folder is needed: choose another path"),
)


def reason(error: BaseException | None, permission: str = _PERMISSION) -> str:
    """What went wrong, with the fix where there is a usual one."""
    if isinstance(error, StoreError):
        return str(error)
    for numbers, text in (*_REASONS, ((errno.EACCES, errno.EPERM, errno.EROFS), permission)):
        if isinstance(error, OSError) and error.errno in numbers:
            return f"{text} ({error})"
    if isinstance(error, PermissionError):
        return f"{permission} ({error})"
    # Some libraries append pages of what they were doing.
    said = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {said}"
