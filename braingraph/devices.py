"""Between the host, which knows whole arrays, and the devices of a mesh, which hold shares of them.

Outside the program every array of a mesh has two leading axes, (batch, unit) of the mesh; inside
these are gone, and what is left is one device's share. So one rule covers all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from braingraph.compiler.here import BATCH, UNIT
from braingraph.compiler.noise import Keys, keys_here
from braingraph.compiler.plan import Program
from braingraph.compiler.sampling import Sampler, Units
from braingraph.compiler.shard import Placement
from braingraph.errors import ParameterError
from braingraph.team import Split, owned

AXES = (BATCH, UNIT)
#: Connections per device below which an exchange costs more than it saves: an estimate for GPUs,
#: where an exchange takes some 20 us and a connection 10 ps; not measured.
WORTHWHILE = 1 << 20
Spot = tuple[int, int]
# JAX's PartitionSpec has no types.
_spec: Any = PartitionSpec


def checked_mesh(mesh: Any) -> Mesh | None:
    """A mesh with both axes, in that order; None for a single device.

    Raises
    ------
    ParameterError
        It is no mesh, or has an axis of another name.
    """
    if mesh is None:
        return None
    if not isinstance(mesh, Mesh) or not set(mesh.axis_names) <= set(AXES):
        got = f"one with axes {mesh.axis_names}" if isinstance(mesh, Mesh) else repr(mesh)
        raise ParameterError(
            "mesh must be a jax.sharding.Mesh with axes 'unit' (units of one network), 'batch' "
            "(replicas), or both, as in jax.make_mesh((jax.device_count(),), ('unit',)), but is "
            f"{got}.",
            parameter="mesh",
        )
    sizes = [mesh.shape.get(axis, 1) for axis in AXES]
    order = sorted(mesh.axis_names, key=AXES.index)
    devices = np.transpose(mesh.devices, [mesh.axis_names.index(axis) for axis in order])
    return Mesh(devices.reshape(sizes), AXES)


def local_mesh(program: Program) -> Mesh | None:
    """All devices of a process that runs alone, where the network is large enough to gain."""
    devices = jax.local_devices()
    if len(devices) == 1 or jax.process_count() > 1 or why_alone(program, devices):
        return None
    return checked_mesh(Mesh(np.array(devices), (UNIT,)))


def why_alone(program: Program, devices: Sequence[Any]) -> str:
    """Why a network is not divided between these devices unless asked; empty: it is."""
    if devices[0].platform == "cpu":
        return "a CPU's devices share its cores"
    connections = sum(len(b.entries) for b in program.bundles)
    needed = WORTHWHILE * len(devices)
    if connections >= needed:
        return ""
    return f"{connections} connections, which gain from more only from {needed} on"


@dataclass(frozen=True)
class Leaf:
    """What an array's axes are: units in the first, by (device, place) -> number; replicas last."""

    units: np.ndarray | None = None
    replicas: bool = True


@dataclass(frozen=True)
class Devices:
    """A program's placement on a mesh. ``batch`` counts all replicas (None: there are none)."""

    mesh: Mesh
    program: Program
    placement: Placement
    batch: int | None

    @property
    def share(self) -> int | None:
        """Replicas on each device."""
        return None if self.batch is None else -(-self.batch // self.mesh.shape[BATCH])

    def compiled(self, function: Callable[..., Any], shares: int) -> Any:
        """``function`` on every device: its first arguments are shares, the others are plain."""

        def one(*arguments: Any) -> Any:
            mine = jax.tree.map(lambda v: v.reshape(v.shape[2:]), arguments[:shares])
            out = function(*mine, *arguments[shares:])
            return jax.tree.map(lambda v: v.reshape(1, 1, *v.shape), out)

        def mapped(*arguments: Any) -> Any:
            spec = (_spec(*AXES),) * shares + (_spec(),) * (len(arguments) - shares)
            return jax.shard_map(
                one, mesh=self.mesh, in_specs=spec, out_specs=_spec(*AXES), check_vma=False
            )(*arguments)

        return jax.jit(mapped)

    # ------------------------------------------------------------ onto the devices
    def spots(self) -> Iterator[tuple[Spot, jax.Device]]:
        """The places of the mesh that this process feeds."""
        for spot in self._of(jax.process_index()):
            yield spot, self.mesh.devices[spot]

    def put(self, share: Callable[[Spot], Any]) -> Any:
        """Every device's share of a tree, as global arrays."""
        found = [(share(spot), device) for spot, device in self.spots()]
        structure = jax.tree.structure(found[0][0])
        sharding = NamedSharding(self.mesh, _spec(*AXES))

        def joined(values: tuple[Any, ...]) -> jax.Array:
            pieces = [
                jax.device_put(np.asarray(v)[None, None], device)
                for v, (_, device) in zip(values, found, strict=True)
            ]
            shape = (*self.mesh.devices.shape, *np.shape(values[0]))
            return jax.make_array_from_single_device_arrays(shape, sharding, pieces)

        leaves = zip(*(jax.tree.leaves(tree) for tree, _ in found), strict=True)
        return jax.tree.unflatten(structure, map(joined, leaves))

    def cut(self, value: Any, leaf: Leaf, spot: Spot) -> Any:
        """One device's share of a whole array."""
        if leaf.units is not None:
            value = np.asarray(value)[np.maximum(leaf.units[spot[1]], 0)]
        if leaf.replicas and self.share is not None and self.batch is not None:
            # the last replica fills up uneven shares
            mine = spot[0] * self.share + np.arange(self.share)
            value = np.take(np.asarray(value), np.minimum(mine, self.batch - 1), -1)
        return value

    def deal(self, whole: Any, layout: Any) -> Any:
        """A tree of whole arrays, dealt out."""
        whole = jax.tree.map(np.asarray, whole)
        return self.put(
            lambda spot: jax.tree.map(lambda leaf, v: self.cut(v, leaf, spot), layout, whole)
        )

    def connections(self, pack: Callable[[int], Any]) -> Any:
        """Packed connections, by device of the unit axis: the same for all replicas."""
        packed = {u: pack(u) for u in sorted({spot[1] for spot, _ in self.spots()})}
        return self.put(lambda spot: packed[spot[1]])

    def parameters(self, pack: Callable[[int], Any]) -> Any:
        """Packed parameters of models and couplings, which may differ between replicas."""
        packed = {u: pack(u) for u in sorted({spot[1] for spot, _ in self.spots()})}

        def share(spot: Spot) -> Any:
            tree = packed[spot[1]]
            groups = [
                {
                    k: self.cut(v, Leaf(None, np.ndim(v) == 2 and not g.model._specs[k].free), spot)
                    for k, v in values.items()
                }
                for g, values in zip(self.program.groups, tree["groups"], strict=True)
            ]
            bundles = []
            for values in tree["bundles"]:
                own = values["parameters"]
                own = {k: self.cut(v, Leaf(None, np.ndim(v) == 2), spot) for k, v in own.items()}
                bundles.append({**values, "parameters": own})
            return {"groups": groups, "bundles": bundles}

        return self.put(share)

    def keys(self, given: Keys) -> Any:
        """Noise keys: of a device's units and replicas."""

        def share(spot: Spot) -> Any:
            units = [None if u is None else np.maximum(u[spot[1]], 0) for u in self.placement.units]
            mine = keys_here(self.program, given, units)
            return jax.tree.map(lambda k: self.cut(k, Leaf(), spot), mine)

        return self.put(share)

    def carry_layout(self, carry: Any, inner: Sequence[Sampler], outer: Sequence[Sampler]) -> Any:
        """How a carry's arrays are laid out; ``inner`` and ``outer`` as in ``Advance``."""

        def states(name: str) -> Any:
            return {
                number: {k: Leaf(self.placement.units[number]) for k in values}
                for number, values in carry[name].items()
            }

        plain, past = Leaf(replicas=False), Leaf()
        return {
            **dict.fromkeys(("k", "n", "spill"), plain),
            "x": states("x"),
            "slow": states("slow"),
            "rings": dict.fromkeys(carry["rings"], past),
            "recent": dict.fromkeys(carry["recent"], past),
            "p": dict.fromkeys(carry["p"], plain),
            "partial": [Leaf(self.columns(s)) for s in inner],
            "slow_partial": [Leaf(self.columns(s)) for s in outer],
            "held": {slot: Leaf(self.placement.units[slot[0]]) for slot in carry["held"]},
        }

    def columns(self, sampler: Sampler) -> np.ndarray | None:
        """(device, place) -> number within the sampler's own units; None: every device has all."""
        read = sampler.read
        if not isinstance(read, Units) or self.placement.units[read.slot[0]] is None:
            return None
        group = self.program.groups[read.slot[0]]
        start = read.start or 0
        span = self.placement.span(group, start, read.stop or group.size)
        return np.where(span >= 0, span - start, -1)

    # ------------------------------------------------------------ back to the host
    def whole(self, tree: Any, layout: Any) -> Any:
        """Whole arrays from all devices' shares; every process must ask for them at once."""
        return jax.tree.map(lambda leaf, v: self.join(everything(v), leaf), layout, tree)

    def join(self, shares: np.ndarray, leaf: Leaf, axis: int = 0) -> np.ndarray:
        """(batch, unit, *share) -> the whole; units stand in ``axis`` of a share."""
        if leaf.replicas and self.batch is not None:
            shares = np.concatenate(list(shares), -1)[..., : self.batch]
        else:
            shares = shares[0]
        if leaf.units is None:
            return np.asarray(shares[0])
        numbers = leaf.units.reshape(-1)
        moved = np.moveaxis(shares, axis + 1, 1)
        moved = moved.reshape(len(numbers), *moved.shape[2:])
        out = np.empty((int(numbers.max()) + 1, *moved.shape[1:]), moved.dtype)
        out[numbers[numbers >= 0]] = moved[numbers >= 0]
        return np.moveaxis(out, 0, axis)

    def held(self, sampler: Sampler, process: int) -> tuple[np.ndarray, ...] | None:
        """Which replicas (if there are any) and units of a sampler a process is to write.

        What several devices have, the first of them writes. None: nothing.
        """
        table, spots = self.columns(sampler), self._of(process)
        if table is None:
            spots = [spot for spot in spots if spot[1] == 0]
        if not spots:
            return None
        units = sorted({u for _, u in spots})
        batches = sorted({b for b, _ in spots})
        numbers = [np.arange(self._size(sampler))] if table is None else [table[u] for u in units]
        found = np.concatenate(numbers)
        found = found[found >= 0]
        if self.share is None or self.batch is None:
            return (found,)
        replicas = np.concatenate([b * self.share + np.arange(self.share) for b in batches])
        return (replicas[replicas < self.batch], found)

    def split(self, sampler: Sampler, members: Sequence[int]) -> Split | None:
        """Which of these processes writes what; None: bring it together first."""
        size, table = self._size(sampler), self.columns(sampler)
        if not size:
            return None
        places = size if table is None else int((table >= 0).sum(1).max())
        held = [self.held(sampler, member) for member in members]
        if self.share is None or self.batch is None:
            return owned(held, (size,), (places,))
        return owned(held, (self.batch, size), (self.share, places))

    def own(self, buffer: Any, sampler: Sampler) -> np.ndarray:
        """What ``held`` says of this process: (row, unit, *replica), from its own devices."""
        table = self.columns(sampler)
        shares = {
            tuple(int(k.start or 0) for k in shard.index[:2]): np.asarray(shard.data)[0, 0]
            for shard in buffer.addressable_shards
        }
        rows = []
        for b in sorted({b for b, _ in shares}):
            units = sorted({u for c, u in shares if c == b})
            if table is None:
                rows.append(shares[b, units[0]])
                continue
            rows.append(np.concatenate([shares[b, u][:, table[u] >= 0] for u in units], 1))
        if self.share is None or self.batch is None:
            return np.asarray(rows[0])
        first = min(b for b, _ in shares) * self.share
        return np.concatenate(rows, -1)[..., : self.batch - first]

    def _of(self, process: int) -> list[Spot]:
        return [
            (int(spot[0]), int(spot[1]))
            for spot, device in np.ndenumerate(self.mesh.devices)
            if device.process_index == process
        ]

    def _size(self, sampler: Sampler) -> int:
        read = sampler.read
        if isinstance(read, Units):
            group = self.program.groups[read.slot[0]]
            size = group.model.signal_size(read.slot[1])
            return size if read.start is None or read.stop is None else read.stop - read.start
        return int(getattr(read, "units", 0))


@dataclass(frozen=True)
class Gathered:
    """Turns a sampler's buffer, (batch, unit, row, place, *replica), into (row, unit, *replica).

    ``own``: of this process only, as ``Devices.held`` says.
    """

    devices: Devices
    sampler: Sampler
    own: bool = False

    def shape(self, buffer: Any) -> tuple[int, ...]:
        rows, places = buffer.shape[2:4]
        if self.own:
            held = self.devices.held(self.sampler, jax.process_index())
            *batch, units = [len(axis) for axis in held] if held else [1] * (buffer.ndim - 3)
            return (rows, units, *batch)
        table = self.devices.columns(self.sampler)
        units = places if table is None else int(table.max()) + 1
        batch = [] if self.devices.batch is None else [self.devices.batch]
        return (rows, units, *batch)

    def __call__(self, buffer: Any) -> np.ndarray:
        if self.own:
            return self.devices.own(buffer, self.sampler)
        leaf = Leaf(self.devices.columns(self.sampler))
        return self.devices.join(everything(buffer), leaf, axis=1)


def everything(array: Any) -> np.ndarray:
    """A global array on the host, wherever its shares are."""
    if array.is_fully_addressable:
        return np.asarray(array)
    return np.asarray(multihost_utils.process_allgather(array, tiled=True))
