"""What the passes hand to each other: frozen descriptions, arrays by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from braingraph.component import Coupling, Node
from braingraph.graph import Edge
from braingraph.units import Unit

#: A signal of a group: (group number, signal name).
Slot = tuple[int, str]


@dataclass(frozen=True)
class Flat:
    """The hierarchy unfolded: vertices and edges with dotted paths, in canonical order."""

    vertices: dict[str, Node]
    edges: tuple[Edge, ...]


@dataclass(frozen=True)
class Group:
    """Vertices of one kind as one vertex: their units side by side, in path order."""

    number: int
    model: Node  # stands for all: parameters are filled in by ``values``
    paths: tuple[str, ...]
    sizes: tuple[int, ...]
    every: int  # steps per step of its own clock

    @property
    def size(self) -> int:
        return sum(self.sizes)

    @property
    def title(self) -> str:
        names = ", ".join(self.paths[:3]) + (", ..." if len(self.paths) > 3 else "")
        return f"{type(self.model).__name__} x {self.size} ({names})"

    def span(self, path: str) -> slice:
        """Where a vertex's units stand in the group."""
        k = self.paths.index(path)
        start = sum(self.sizes[:k])
        return slice(start, start + self.sizes[k])

    def length(self, signal: str) -> int:
        """How many values a signal has."""
        return self.model.signal_size(signal)

    def values(self, path: str, signal: str) -> slice:
        """Where a vertex's values of a signal stand in the group's."""
        alone = self.model.signals()[signal].size is not None
        return slice(0, self.length(signal)) if alone else self.span(path)


@dataclass(frozen=True)
class Entries:
    """Connections one by one: which row hears which source, through which edge's weight."""

    row: np.ndarray  # into the bundle's rows
    source: np.ndarray  # into the source group's units
    edge: np.ndarray  # into the bundle's edges
    at: np.ndarray  # flat position in that edge's conn and delay matrices
    delay: np.ndarray  # in steps, as compiled

    def __len__(self) -> int:
        return len(self.row)

    def __getitem__(self, chosen: Any) -> Entries:
        return Entries(
            self.row[chosen],
            self.source[chosen],
            self.edge[chosen],
            self.at[chosen],
            self.delay[chosen],
        )


@dataclass(frozen=True)
class Part:
    """Entries of a bundle that travel the same way.

    ``transport``: ``"now"`` (no delay), ``"step"`` (read step by step, shorter than a block) or
    ``"block"`` (read once per block). ``layout``: ``"mean"`` (one weight, all to all),
    ``"one"`` (every row hears one source, the next row the next), ``"dense"`` (a matrix) or
    ``"padded"`` (rows of sources).
    """

    transport: str
    layout: str
    entries: Entries
    uniform: bool = False  # block transport: every entry has the same delay
    aligned: bool = False  # every delay is a whole number of steps

    @property
    def span(self) -> slice:
        """The sources from the first to the last that is heard."""
        return slice(int(self.entries.source.min()), int(self.entries.source.max()) + 1)


@dataclass(frozen=True)
class Bundle:
    """Edges of one kind between two groups' ports: rows of weighted sums, then ``post``."""

    number: int
    coupling: Coupling
    edges: tuple[Edge, ...]
    source: Slot
    target: Slot
    paired: str | None  # the target group's state that ``post`` sees
    row_target: np.ndarray  # (row,) unit of the target group
    row_edge: np.ndarray  # (row,) edge whose parameters ``post`` uses
    entries: Entries
    parts: tuple[Part, ...] = ()
    alike: bool = False  # one weight, all to all, without delay: the entries are those of one row

    @property
    def connections(self) -> int:
        """How many there are; of one row, where all rows are alike, so many times."""
        return len(self.entries) * (self.rows if self.alike else 1)

    @property
    def rows(self) -> int:
        return len(self.row_target)

    def held(self, groups: tuple[Group, ...]) -> bool:
        """Whether it comes from a slower node, whose last sample stands until its next."""
        return groups[self.source[0]].every > groups[self.target[0]].every

    @property
    def title(self) -> str:
        e = self.edges[0]
        many = f" and {len(self.edges) - 1} more" if len(self.edges) > 1 else ""
        return f"{e.source} -> {e.target}{many} by {type(self.coupling).__name__}"


@dataclass(frozen=True)
class Message:
    """What travels with a delay: ``pre`` of one source port, kept in a ring of samples."""

    number: int
    coupling: Coupling
    source: Slot
    channels: int
    bundles: tuple[int, ...]
    reach: int  # steps: the oldest sample a block reads
    length: int  # samples in the ring
    recent: int  # samples kept at hand for step-by-step reading


@dataclass(frozen=True)
class Blocks:
    """How many steps advance together, and why."""

    length: int
    why: str
    shortest: float  # steps: the shortest delay that is read by block


@dataclass(frozen=True)
class Op:
    """One entry of the schedule: evaluate an output, or deliver a bundle."""

    kind: str  # "output" or "bundle"
    slot: Slot  # the output, or the input that the bundle fills
    bundle: int = -1


@dataclass(frozen=True)
class Program:
    """The whole plan. ``print(program)`` shows it as a tree."""

    flat: Flat
    dt: float
    method: str
    groups: tuple[Group, ...]
    bundles: tuple[Bundle, ...]
    messages: tuple[Message, ...]
    blocks: Blocks
    order: tuple[Op, ...]  # everything that can be evaluated at a stage, in a valid order
    needs: Mapping[Op, frozenset[Slot]]  # what an output or a bundle reads at the same stage
    pruned: tuple[str, ...] = ()  # vertices that influence nothing observed
    live: bool = False  # parameters (delays too) may change after compilation
    units: Mapping[str, Unit] = field(default_factory=dict)

    def group_of(self, path: str) -> Group:
        for group in self.groups:
            if path in group.paths:
                return group
        raise KeyError(path)

    @cached_property
    def held(self) -> tuple[Slot, ...]:
        """What slower nodes show to faster ones, faster clocks first."""
        found = {b.source for b in self.bundles if b.held(self.groups)}
        return tuple(sorted(found, key=lambda slot: (self.groups[slot[0]].every, slot)))

    @cached_property
    def structure(self) -> str:
        """A digest of all that decides the compiled code."""
        from braingraph.compiler.structure import structure

        return structure(self)

    def __str__(self) -> str:
        from braingraph.compiler.explain import program_tree

        return program_tree(self).text()
