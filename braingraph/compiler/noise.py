"""Noise inside the program: the keys of every draw of a step, and the draws.

What a draw is, is said in ``braingraph.random``: a function of seed, path, replica, step and unit.
Here is only how many are drawn at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


def apart(group: Group, devices: int) -> bool:
    """Whether each vertex of a group draws by itself, with one key for all its units.

    Measured for 384 normals: 4.4 ns each with one key, 11 with one for every unit, whose
    loops XLA cuts between threads from about 300 on. Divided groups of several vertices have a
    key for every unit.
    """
    return len(group.paths) == 1 or (devices == 1 and len(group.paths) <= 8)


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
            if apart(g, devices):
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
            if mine is not None and not apart(g, 2)
            else pairs
            for name, pairs in given[g.number].items()
        }
    return out


def draw(
    here: Here,
    keys: Keys,
    first: Array,
    steps: int,
    groups: Sequence[Group],
    each_replica: Callable[..., Any],
    dtype: Any,
) -> dict[Slot, Array]:
    """The standard normals of consecutive steps, for every group: (step, unit, *batch)."""
    out: dict[Slot, Array] = {}
    for g in groups:
        pieces: list[Any] = [np.arange(n, dtype=np.uint32) for n in g.sizes]
        if not apart(g, here.placement.devices):
            pieces = [np.concatenate(pieces)]
        if here.divided(g):
            pieces = [jnp.asarray(pieces[0])[here.units(g)]]
        for name in g.model._normals:
            drawn = []
            for units, key in zip(pieces, keys[g.number][name], strict=True):

                def normals(k0: Array, k1: Array, units: Any = units) -> Array:
                    return random.normals(k0, k1, first, steps, units, dtype)

                # alone, it is one vectorised loop, computed once for all that read it
                drawn.append(transport.alone(each_replica(normals, *key)))
            out[(g.number, name)] = jnp.concatenate(drawn, 1) if drawn[1:] else drawn[0]
    return out
