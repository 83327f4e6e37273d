"""Every mistake braingraph reports: one tree, one class a kind, with fields for programs.

A message says where (the path), what came, what was needed, and the fix as code.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any


class BraingraphError(Exception):
    """Root of the tree. Keyword arguments become fields: ``error.path``, ``error.given``, ..."""

    def __init__(self, message: str, **fields: Any) -> None:
        super().__init__(message)
        self.fields = fields
        for name, value in fields.items():
            setattr(self, name, value)


class GraphError(BraingraphError):
    """The description of the network is wrong."""


class PortError(GraphError, AttributeError):
    """No such node, port or path (an AttributeError too, so that ``hasattr`` works)."""


class ParameterError(GraphError, TypeError):
    """No such parameter, or a value it cannot take."""


class UnitError(GraphError):
    """A quantity has the wrong unit, or has none where one is needed."""


class ShapeError(GraphError):
    """An array does not fit the units it is meant for."""


class DelayError(GraphError):
    """A delay is negative, not a number, or not a time."""


class WeightError(GraphError):
    """A connection weight is not a finite number."""


class ModelError(GraphError):
    """A component class, or what its functions return, does not keep its contract."""


class AlgebraicLoopError(GraphError):
    """Signals need each other within one step. ``loop`` lists them in order."""


class ClockError(GraphError):
    """Time steps, sampling intervals or durations that do not divide one another."""


class RunError(BraingraphError):
    """The simulation could not start or go on."""


class DivergenceError(RunError):
    """A signal stopped being finite. Fields: ``path``, ``time``, ``units``, ``dataset``."""


class StoreError(RunError):
    """The output store cannot be created, written or read."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`` Did you mean 'rE'?`` for the nearest known name, or nothing."""
    known = list(known)
    same = [k for k in known if k.casefold() == name.casefold()]
    near = same or difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f" Did you mean '{near[0]}'?" if near else ""


def together(findings: Sequence[GraphError]) -> GraphError:
    """One error for everything a compile pass found, each finding on its line."""
    if len(findings) == 1:
        return findings[0]
    lines = [f"{len(findings)} problems in this graph:"]
    lines += [f"  {k}. {type(e).__name__}: {e}" for k, e in enumerate(findings, 1)]
    return GraphError("\n".join(lines), findings=tuple(findings))
