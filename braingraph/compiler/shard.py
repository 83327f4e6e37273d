"""Units and rows -> devices: who computes what, and what has to travel.

1. Every device computes some units of a group, and the rows of every bundle that end at them.
   Units that hear each other within a step, one to one, stand on one device (a region's noise,
   populations and haemodynamics), so only connections between regions travel.
2. A group is *whole*, computed by every device, where it cannot be cut (its outputs mix units) or
   where cutting would cost more than it saves (sources without inputs that reach other devices
   within a step; groups with fewer units than devices).
3. Every device holds the past of every delayed source, in the order of the undivided program.
   So weights, places and sums are those of one device, whatever the number of devices.
4. Shares are equal: padded with copies of a group's first unit, which nothing reads. They have 8
   places at least.

With one device all groups are whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from braingraph.compiler import packing
from braingraph.compiler.delays import within_step
from braingraph.compiler.group import indivisible
from braingraph.compiler.plan import Bundle, Entries, Group, Part, Program

#: Places of a device, at least. Loops over fewer than 6 units are compiled without vectors, and
#: round otherwise (on 4 devices: 16 and 20 units an ulp apart from one device, 27 the same).
LEAST = 8
#: Clusters of units are only joined further while the largest stays below this share of a device.
_SHARE = 0.5
Plans = dict[tuple[int, int], tuple[packing.Bucket, ...]]


@dataclass(frozen=True)
class Share:
    """What one device computes of the bundles: local rows, their entries and row buckets."""

    bundles: tuple[Bundle, ...]
    plans: Plans


@dataclass(frozen=True)
class Placement:
    """Which device computes what.

    ``units[group]`` and ``rows[bundle]`` are (device, place) -> number, -1 where a place is empty;
    None where every device computes all. ``local`` names the parts, (bundle, part), whose sources
    are places on the row's own device rather than numbers of the whole group.
    """

    devices: int
    units: tuple[np.ndarray | None, ...]
    rows: tuple[np.ndarray | None, ...]
    local: frozenset[tuple[int, int]]
    shares: tuple[Share, ...]

    def size(self, group: Group) -> int:
        """Units of a group on each device."""
        units = self.units[group.number]
        return group.size if units is None else units.shape[1]

    def row_count(self, bundle: Bundle) -> int:
        rows = self.rows[bundle.number]
        return bundle.rows if rows is None else rows.shape[1]

    def sources(self, program: Program, bundle: Bundle, part: int) -> int:
        """How many sources a part's places count: those here, or all."""
        group = program.groups[bundle.source[0]]
        if (bundle.number, part) in self.local:
            return self.size(group)
        return group.model.signal_size(bundle.source[1])

    def order(self, bundle: Bundle, part: int) -> np.ndarray:
        """(device, row) -> place among the rows of a part's buckets; the place after: none."""
        out = []
        for share in self.shares:
            plan = share.plans[bundle.number, part]
            found = np.concatenate([b.rows for b in plan])
            order = np.full(self.row_count(bundle), len(found))
            real = found >= 0
            order[found[real]] = np.flatnonzero(real)
            out.append(order)
        return np.stack(out)

    def span(self, group: Group, start: int, stop: int) -> np.ndarray:
        """Units start ... stop of a divided group: (device, place) -> number, -1: padding."""
        units = self.units[group.number]
        assert units is not None
        if (start, stop) == (0, group.size):
            return units
        mine = [row[(row >= start) & (row < stop)] for row in units]
        return _table(mine)

    def places(self, group: Group, numbers: np.ndarray) -> np.ndarray:
        """Where units, (device, place) -> number, stand on their device; padding at place 0."""
        units = self.units[group.number]
        assert units is not None
        at = np.zeros((self.devices, group.size), int)
        for d, row in enumerate(units):
            at[d, row[row >= 0]] = np.flatnonzero(row >= 0)
        return np.where(numbers >= 0, at[np.arange(self.devices)[:, None], numbers], 0)

    def undone(self, group: Group) -> np.ndarray:
        """Unit number -> its place when the devices' shares stand one after another."""
        units = self.units[group.number]
        assert units is not None
        flat = units.reshape(-1)
        out = np.empty(group.size, int)
        out[flat[flat >= 0]] = np.flatnonzero(flat >= 0)
        return out


def place(program: Program, devices: int = 1) -> Placement:
    """The pass: clusters of units, dealt to the devices in order."""
    if devices == 1:
        whole = (None,) * len(program.groups), (None,) * len(program.bundles)
        share = Share(program.bundles, _plans(program.bundles))
        return Placement(1, *whole, frozenset(), (share,))
    units = _units(program, devices)
    rows = tuple(
        None if owned is None else _rows_of(b, owned)
        for b in program.bundles
        for owned in [units[b.target[0]]]
    )
    local = frozenset(
        (b.number, k)
        for b in program.bundles
        for k, part in enumerate(b.parts)
        if _is_local(program, b, part, units)
    )
    plans = _plans(program.bundles)
    cut = Placement(devices, units, rows, local, ())
    shares = tuple(_share(program, cut, plans, d) for d in range(devices))
    return replace(cut, shares=shares)


# ---------------------------------------------------------------- units
def _units(program: Program, devices: int) -> tuple[np.ndarray | None, ...]:
    divided = [g for g in program.groups if _divides(program, g, devices)]
    start = {}
    count = 0
    for g in divided:
        start[g.number], count = count, count + g.size
    cluster = _clusters(program, start, count, devices)
    owner = np.full(count, -1)
    # the largest group is cut into equal runs; what belongs to none of its clusters goes on with
    # the next largest
    for g in sorted(divided, key=lambda g: -g.size):
        mine = slice(start[g.number], start[g.number] + g.size)
        free, first = np.unique(cluster[mine][owner[mine] < 0], return_index=True)
        device = np.full(count, -1)
        device[free[np.argsort(first)]] = np.arange(len(free)) // max(1, -(-len(free) // devices))
        owner = np.where(owner < 0, device[cluster], owner)
    table: list[np.ndarray | None] = [None] * len(program.groups)
    for g in divided:
        owned = owner[start[g.number] : start[g.number] + g.size]
        shares = [np.flatnonzero(owned == d) for d in range(devices)]
        table[g.number] = _table(shares, LEAST)
    return tuple(table)


def _divides(program: Program, group: Group, devices: int) -> bool:
    if group.size < devices or indivisible(group.model):
        return False
    heard = any(b.target[0] == group.number for b in program.bundles)
    reaches = any(
        within_step(part.entries) and not _one_to_one(part.entries)
        for b in program.bundles
        if b.source[0] == group.number
        for part in b.parts
    )
    return heard or not reaches


def _clusters(program: Program, start: dict[int, int], count: int, devices: int) -> np.ndarray:
    """Unit -> the first unit of its cluster: units that hear each other within a step."""
    label = np.arange(count)
    most = max(1.0, _SHARE * count / devices)
    for source, target in _within_step(program, start):
        joined = _joined(label, source, target)
        if np.bincount(joined).max() <= most:
            label = joined
    return label


def _joined(label: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Clusters, named by their first unit, once these pairs belong together."""
    while True:
        low = np.minimum(label[source], label[target])
        new = label.copy()
        np.minimum.at(new, label[source], low)
        np.minimum.at(new, label[target], low)
        new = new[new[label]]
        if (new == label).all():
            return label
        label = new


def _within_step(
    program: Program, start: dict[int, int]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs (source, target) of every bundle that acts within a step, one-to-one ones first."""
    found = []
    for b in program.bundles:
        if b.source[0] not in start or b.target[0] not in start:
            continue
        for part in b.parts:
            if part.transport == "block" or not within_step(part.entries):
                continue
            source = start[b.source[0]] + part.entries.source
            target = start[b.target[0]] + b.row_target[part.entries.row]
            found.append((not _one_to_one(part.entries), source, target))
    found.sort(key=lambda item: item[0])
    return ((source, target) for _, source, target in found)


def _one_to_one(entries: Entries) -> bool:
    rows, sources = np.unique(entries.row), np.unique(entries.source)
    return len(rows) == len(entries) == len(sources)


def _table(rows: list[np.ndarray], least: int = 1) -> np.ndarray:
    """Lists of different lengths as one array, padded with -1."""
    out = np.full((len(rows), max(least, *(len(r) for r in rows))), -1)
    for line, row in zip(out, rows, strict=True):
        line[: len(row)] = row
    return out


# ---------------------------------------------------------------- rows and their entries
def _rows_of(bundle: Bundle, units: np.ndarray) -> np.ndarray:
    """The rows that end at each device's units; in the units' own order where rows are units."""
    size = int(units.max()) + 1
    if bundle.rows == size and (bundle.row_target == np.arange(size)).all():
        return units
    mine = [np.flatnonzero(np.isin(bundle.row_target, row[row >= 0])) for row in units]
    return _table(mine, LEAST)


def _is_local(
    program: Program, bundle: Bundle, part: Part, units: tuple[np.ndarray | None, ...]
) -> bool:
    """Whether a part acts within the step between units of the same device only."""
    source, target = units[bundle.source[0]], units[bundle.target[0]]
    if part.transport != "now" or part.layout == "mean" or source is None or target is None:
        return False
    if (
        program.groups[bundle.source[0]].model.signal_size(bundle.source[1])
        != int(source.max()) + 1
    ):
        return False
    a, b = _owner(source), _owner(target)
    return bool((a[part.entries.source] == b[bundle.row_target[part.entries.row]]).all())


def _owner(units: np.ndarray) -> np.ndarray:
    out = np.empty(int(units.max()) + 1, int)
    for d, row in enumerate(units):
        out[row[row >= 0]] = d
    return out


def _share(program: Program, cut: Placement, plans: Plans, device: int) -> Share:
    bundles, mine = [], {}
    for b in program.bundles:
        table = cut.rows[b.number]
        rows = np.arange(b.rows) if table is None else table[device]
        here = np.full(b.rows, -1)
        here[rows[rows >= 0]] = np.flatnonzero(rows >= 0)
        parts = []
        for k, part in enumerate(b.parts):
            part = _part_here(program, cut, b, k, part, here, device)
            parts.append(part)
            if part.layout == "padded":
                mine[b.number, k] = _buckets_here(
                    plans[b.number, k], cut, b, part.entries, here, device
                )
        bundles.append(replace(b, parts=tuple(parts)))
    return Share(tuple(bundles), mine)


def _part_here(
    program: Program,
    cut: Placement,
    bundle: Bundle,
    number: int,
    part: Part,
    here: np.ndarray,
    device: int,
) -> Part:
    if bundle.alike:
        return part
    entries = part.entries[here[part.entries.row] >= 0]
    entries = replace(entries, row=here[entries.row])
    if (bundle.number, number) in cut.local:
        group = program.groups[bundle.source[0]]
        numbers = np.arange(group.size)[None].repeat(cut.devices, 0)
        entries = replace(entries, source=cut.places(group, numbers)[device][entries.source])
    entries = entries[np.argsort(entries.row, kind="stable")]
    return replace(part, entries=entries)


def _buckets_here(
    plan: tuple[packing.Bucket, ...],
    cut: Placement,
    bundle: Bundle,
    entries: Entries,
    here: np.ndarray,
    device: int,
) -> tuple[packing.Bucket, ...]:
    """The whole program's buckets, each with the rows of this device and as many on every one.

    A row keeps its width, so its sum adds up in the same order on any number of devices.
    """
    table = cut.rows[bundle.number]
    degree = np.bincount(entries.row, minlength=cut.row_count(bundle))
    first = np.concatenate([[0], np.cumsum(degree)])
    out = []
    for bucket in plan:
        width = bucket.slots.shape[1]
        if table is None:
            most = len(bucket.rows)
        else:
            most = max(int(np.isin(bucket.rows, row[row >= 0]).sum()) for row in table)
        rows = here[bucket.rows]
        rows = np.concatenate([rows[rows >= 0], np.full(max(1, most), -1)])[: max(1, most)]
        column, many = np.arange(width), np.where(rows >= 0, degree[rows], 0)
        slots = np.where(column < many[:, None], first[rows][:, None] + column, -1)
        out.append(packing.Bucket(rows, slots))
    return tuple(out)


def _plans(bundles: tuple[Bundle, ...]) -> Plans:
    return {
        (b.number, k): packing.buckets(part.entries.row, b.rows)
        for b in bundles
        for k, part in enumerate(b.parts)
        if part.layout == "padded"
    }
