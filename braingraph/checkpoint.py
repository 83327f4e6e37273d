"""Checkpoints: all that a run needs to go on, kept in its store.

1. A checkpoint is the carry of the undivided program after so many steps. It says nothing of
   devices or processes, so a run may go on with other ones.
2. There are two slots, ``_run/checkpoint/0`` and ``1``, and ``start`` for where the run began:
   all arrays of the carry as one run of bytes with a checksum, and attributes that say which
   arrays, of which step, and how many samples of every monitor came before it. A slot that is
   being written says it is empty.
3. A checkpoint counts when all its samples are committed. The one that counts and is newest is
   never overwritten: process 0, which writes them, rather leaves one out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec

from braingraph.errors import StoreError
from braingraph.hierarchy import array_in, committed, group_in

START, SLOTS = "start", ("0", "1")
#: Bytes of a piece on disk.
_PIECE = 16 << 20


@dataclass(frozen=True)
class Checkpoint:
    """A slot that counts."""

    slot: str
    step: int  # of the run
    samples: Mapping[str, int]


class Checkpoints:
    """The slots of one store, as they were when first looked at and as they are written here."""

    def __init__(self, root: zarr.Group) -> None:
        self._root = root
        # One process writes them, so nothing is read again: a look at a bucket takes its time.
        self._groups: dict[str, zarr.Group] = {}
        self._arrays: dict[str, zarr.Array[Any]] = {}

    def begin(self, carry: Any) -> None:
        """Keep where the run begins."""
        self._write(START, carry, 0, {})

    def save(self, carry: Any, step: int, samples: Mapping[str, int]) -> bool:
        """Write a checkpoint, unless the latest one waits for other processes to commit."""
        whole, usable = self._whole(), self.usable(committed(self._root))
        if whole[:1] != usable[:1]:
            return False
        self._write(SLOTS[usable[0].slot == SLOTS[0]], carry, step, samples)
        return True

    def _write(self, slot: str, carry: Any, step: int, samples: Mapping[str, int]) -> None:
        leaves = [(name, np.asarray(leaf)) for name, leaf in _named(carry)]
        raw = np.concatenate(
            [np.ascontiguousarray(v).reshape(-1).view(np.uint8) for _, v in leaves]
        )
        group, array = self._slot(slot, len(raw))
        group.attrs.put({"step": -1})
        array[:] = raw
        table = [[name, v.dtype.str, list(v.shape)] for name, v in leaves]
        group.attrs.put({"step": step, "samples": dict(samples), "leaves": table})

    def _group(self, slot: str) -> zarr.Group | None:
        if slot not in self._groups:
            try:
                self._groups[slot] = group_in(self._root, f"_run/checkpoint/{slot}")
            except KeyError:
                return None
        return self._groups[slot]

    def _slot(self, slot: str, size: int) -> tuple[zarr.Group, zarr.Array[Any]]:
        """A slot with room for so many bytes."""
        group = self._group(slot)
        # There may be a group alone, where a process was killed between the two.
        if group is not None and slot not in self._arrays and "data" in group:
            self._arrays[slot] = array_in(group, "data")
        if group is not None and slot in self._arrays and self._arrays[slot].shape == (size,):
            return group, self._arrays[slot]
        group = self._root.require_group(f"_run/checkpoint/{slot}")
        array = group.create_array(
            "data",
            shape=(size,),
            chunks=(min(size, _PIECE),),
            dtype="uint8",
            # numbers of four bytes or eight: bits of one weight stand together
            compressors=[
                BloscCodec(typesize=4, cname="lz4", clevel=5, shuffle="bitshuffle"),
                Crc32cCodec(),
            ],
            dimension_names=("byte",),
            overwrite=True,
        )
        self._groups[slot], self._arrays[slot] = group, array
        return group, array

    def usable(self, valid: Mapping[str, int]) -> list[Checkpoint]:
        """The checkpoints all of whose samples are valid, the latest first."""
        return [
            c
            for c in self._whole()
            if all(valid.get(name, 0) >= n for name, n in c.samples.items())
        ]

    def _whole(self) -> list[Checkpoint]:
        """What was written to its end, the latest first."""
        found = []
        for slot in (*SLOTS, START):
            group = self._group(slot)
            attrs: Any = {} if group is None else group.attrs.asdict()
            if attrs.get("step", -1) >= 0:
                found.append(Checkpoint(slot, attrs["step"], attrs["samples"]))
        return sorted(found, key=lambda c: -c.step)

    def load(self, checkpoint: Checkpoint) -> dict[str, np.ndarray]:
        """The arrays of a checkpoint by name."""
        group = group_in(self._root, f"_run/checkpoint/{checkpoint.slot}")
        raw = np.asarray(array_in(group, "data")[:])
        out, at = {}, 0
        leaves: Any = group.attrs["leaves"]
        for name, dtype, shape in leaves:
            size = np.dtype(dtype).itemsize * math.prod(shape)
            out[name] = raw[at : at + size].view(dtype).reshape(shape)
            at += size
        return out


def _named(carry: Any) -> list[tuple[str, Any]]:
    found, _ = jax.tree_util.tree_flatten_with_path(carry)
    return [(jax.tree_util.keystr(path), leaf) for path, leaf in found]


def restored(like: Any, arrays: Mapping[str, np.ndarray], path: str) -> Any:
    """A carry with the structure of ``like`` from the arrays of a checkpoint."""
    names = _named(like)
    differing = [
        name
        for name, leaf in names
        if name not in arrays
        or arrays[name].shape != leaf.shape
        or arrays[name].dtype != leaf.dtype
    ]
    if differing or len(names) != len(arrays):
        first = differing[0] if differing else "what it holds"
        raise StoreError(
            f"The checkpoint of {path!r} does not fit this graph: {first} differs. Resume with the "
            "graph, dt, method and precision of the run.",
            path=path,
            differs=tuple(differing),
        )
    leaves = [arrays[name] for name, _ in names]
    return jax.tree_util.tree_unflatten(jax.tree_util.tree_structure(like), leaves)
