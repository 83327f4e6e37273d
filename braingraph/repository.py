"""Stores in an icechunk repository: every commit of a run is one of the repository."""

from __future__ import annotations

from typing import Any

from zarr.storage import WrapperStore

from braingraph.places import Place


class Repository(Place):
    """A branch of an icechunk repository: a snapshot a commit, for one process that writes."""

    shared = spelled = False

    def __init__(self, repository: Any, branch: str = "main") -> None:
        super().__init__(f"icechunk repository, branch {branch}")
        self._repository, self._branch = repository, branch
        self._session: Any = None
        self._writing: _Session | None = None

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def on(self, branch: str) -> Repository:
        """The same repository, another branch."""
        return Repository(self._repository, branch)

    def __getstate__(self) -> dict[str, Any]:
        """Others read it: a session that writes stays here."""
        return {**self.__dict__, "_session": None, "_writing": None}

    def store(self, mode: str) -> Any:
        if self._writing is not None:
            return self._writing
        if mode == "r":
            return self._repository.readonly_session(self._branch).store
        self._session = self._repository.writable_session(self._branch)
        self._writing = _Session(self._session.store)
        return self._writing

    def commit(self, message: str) -> None:
        if self._writing is not None and self._session.has_uncommitted_changes:
            self._session.commit(message)
            # A session ends with its commit; arrays that are open go on in the next one.
            self._session = self._repository.writable_session(self._branch)
            self._writing._store = self._session.store

    def close(self) -> None:
        self._session = self._writing = None


class _Session(WrapperStore[Any]):
    """The store of the session that writes now."""

    @property
    def supports_consolidated_metadata(self) -> bool:
        return bool(self._store.supports_consolidated_metadata)
