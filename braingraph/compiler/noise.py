"""Noise inside the program: the keys of every draw of a step, and the draws.

What a draw is, is said in ``braingraph.random``: a function of seed, path, replica, step and unit.
Here is only how many are drawn at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from braingraph import random
from braingraph.compiler import transport
from braingraph.compiler.here import Here
from braingraph.compiler.plan import Group, Program, Slot

Array = Any
Keys = dict[int, dict[str, Any]]


def draws_ahead() -> bool:
    """Whether to draw a block's noise at once rather than step by step; the same numbers.

    An accelerator wants few large kernels. On a CPU a large draw is cut between threads for
    too little work: measured for 180 normals a step, 1.7 us a step in blocks of 8, 0.9 alone.
    """
    return jax.default_backend() != "cpu"


def apart(group: Group, alone: bool) -> bool:
    """Whether each vertex of a group draws by itself, with one key for all its units.

    Measured for 384 normals: 4.4 ns each with one key, 11 with one for every unit, whose
    loops XLA cuts between threads from about 300 on. Replicas have keys of their own anyway: for
    2 x 90 units and 32 of them 8.5 ns apart, 3.9 as one draw. So have the units of groups of
    several vertices on several devices. ``alone``: one device, no replicas.
    """
    return len(group.paths) == 1 or (alone and len(group.paths) <= 8)


def word_pair(seed: Any, path: str, batch: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The key of one signal: one for each replica, if there are any.

    Replicas of one seed differ by their number; with a tuple of seeds each is the first of its
    own.
    """
    several = isinstance(seed, tuple)
    replica = np.arange(batch[0], dtype=np.uint32) if batch and not several else np.uint32(0)
    k0, k1 = random.key(seed, random.path_words(path), replica)
    return np.asarray(k0), np.asarray(k1)


def keys(program: Program, seed: Any, batch: tuple[int, ...], devices: int = 1) -> Keys:
    """The generator's keys for every draw of a step, each with the shape its draw wants.

    See ``apart``: a key for a whole vertex, or one for every unit of many vertices; with replicas,
    one for each of them in the last axis.
    """
    out: Keys = {}
    for g in program.groups:
        out[g.number] = {}
        for name in g.model._normals:
            words = [word_pair(seed, f"{path}.{name}", batch) for path in g.paths]
            if apart(g, devices == 1 and not batch):
                out[g.number][name] = words
                continue
            stacked = tuple(
                np.concatenate(
                    [
                        np.broadcast_to(w[k], (n, *batch))
                        for w, n in zip(words, g.sizes, strict=True)
                    ]
                )
                for k in (0, 1)
            )
            out[g.number][name] = [stacked]
    return out


def keys_here(program: Program, given: Keys, units: Sequence[np.ndarray | None]) -> Keys:
    """The keys of one device: those for every unit, of its own units."""
    out: Keys = {}
    for g in program.groups:
        mine = units[g.number]
        out[g.number] = {
            name: [tuple(k[mine] for k in pair) for pair in pairs]
            if mine is not None and not apart(g, alone=False)
            else pairs
            for name, pairs in given[g.number].items()
        }
    return out


def rows(here: Here, keys: Keys, batch: tuple[int, ...]) -> dict[Slot, list[tuple[Any, ...]]]:
    """What every draw takes, as (k0, k1, unit numbers), laid out once for all steps of a chunk.

    Replicas make it one long row: with an axis of their own inside the loop, XLA computes two
    indices for every number and does not vectorise (8.5 ns a normal for 3.9).
    """
    out = {}
    for g in here.program.groups:
        for name in g.model._normals:
            sizes = g.sizes if len(g.paths) > 1 else (g.model.signal_size(name),)
            pieces: list[Any] = [np.arange(n, dtype=np.uint32) for n in sizes]
            if not apart(g, here.placement.devices == 1 and not batch):
                pieces = [np.concatenate(pieces)]
            if here.divided(g):
                pieces = [jnp.asarray(pieces[0])[here.units(g)]]
            draws = list(zip(keys[g.number][name], pieces, strict=True))
            out[(g.number, name)] = [(*key, units) for key, units in draws]
            if batch:
                out[(g.number, name)] = [
                    tuple(
                        transport.alone(jnp.broadcast_to(v, (len(units), *batch)).reshape(-1))
                        for v in (*key, units[:, None])
                    )
                    for key, units in draws
                ]
    return out


def draw(
    rows: Mapping[Slot, list[tuple[Any, ...]]],
    first: Array,
    steps: int,
    groups: Sequence[Group],
    batch: tuple[int, ...],
    dtype: Any,
) -> dict[Slot, Array]:
    """The standard normals of consecutive steps, for every group: (step, unit, *batch)."""
    out: dict[Slot, Array] = {}
    for g in groups:
        for name in g.model._normals:
            drawn = []
            for k0, k1, units in rows[g.number, name]:
                values = random.normals(k0, k1, first, steps, units, dtype)
                # alone, it is one vectorised loop, computed once for all that read it
                drawn.append(transport.alone(values).reshape(steps, -1, *batch))
            out[(g.number, name)] = jnp.concatenate(drawn, 1) if drawn[1:] else drawn[0]
    return out
