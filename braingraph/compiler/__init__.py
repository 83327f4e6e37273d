"""From a graph to a program: the passes in order.

What a program computes, said once. ``dt`` is the step, ``t_n = n dt``, ``x_n`` every state at
``t_n``. A *stage* of an integrator is a pair (c, x): the states x it guesses for ``t_n + c dt``,
with c = 0 for Euler, 0 and 1 for Heun, 0, 1/2, 1/2, 1 for RK4.

1. **Signals at a stage.** Inputs start at their default, then receive every edge that ends there,
   generation by generation: outputs and messages are functions of the stage's states and inputs.
   Coupling is therefore part of the vector field.
2. **Messages.** Edge e carries ``m_j = pre(source_j)``. It delivers
   ``post(sum_j conn[i, j] m_j(t_n + c dt - d_ij), y_i, sum_j conn[i, j])`` with ``y_i`` the
   target's paired state at the stage.
3. **Delayed messages** are samples ``m_k`` taken at the end of each step: at ``t_k``, from
   the states ``x_k`` (for k <= 0 from the history). Between samples they are interpolated at
   ``p = n + c - d/dt``, in steps:

   * ``d = 0``: the stage's own message. Delays within a millionth of whole or half steps are such.
   * Euler, Heun (and exponential Euler): linearly between floor(p) and floor(p) + 1. Past the
     newest sample (n < p, when 0 < d < dt and c = 1): between sample n and the stage's own
     message, weights 1 - (p - n) and p - n.
   * RK4: by the cubic through samples floor(p) - 1 ... floor(p) + 2, moved back as a whole until
     its newest is n. A p that is a whole number <= n is that sample.
   * ``interpolation="nearest"`` first rounds d to whole steps (halves to even).
4. **Held over the step**: noise (a standard normal xi_n for every unit and step n), array
   stimuli, and the states of nodes that declare ``update``. Those nodes are stepped once, from
   the signals of the stage (0, x_n).
5. **Bounds** of a state are applied to every stage's guess and to the new state.
6. **A sample of a monitor at t_{n+1}** is the stage (1, x_{n+1}) of step n: it shows the states
   x_{n+1}, messages at t_{n+1} with n as the newest sample, and what step n held. ``mean``
   averages the samples of the interval.
7. **A node with a clock of its own** (period P = m dt) is stepped once every m steps, after all
   faster nodes, and sampled at multiples of P. Nodes of one clock are a network of their own, whose
   edges act within its stages. What reaches an input from faster nodes is held over its step: for
   each faster clock (P is a multiple of it) the mean over the interval of what its nodes send, or
   with ``Input(over="last")`` the last sample. What a faster node hears of it is its last sample
   (at the start: of its initial state, with its inputs at their defaults), held from t_n on.
8. **History.** Before t = 0 a state has its initial value, or what ``history=`` gives (before the
   oldest sample given, that one). Outputs follow from the states' history, with inputs at their
   defaults, no noise, and t = 0.

Nothing here mentions groups, blocks, chunks or devices. Results do not depend on groups and chunks
at all; on blocks only where sums of other shapes add up in another order, by an ulp of the signal;
and on devices only where what is summed within a step is fused otherwise, by an ulp a step (delays
of a block or more: not at all).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import jax.numpy as jnp
import networkx as nx

from braingraph import evaluate
from braingraph.compiler.check import check, whole_steps
from braingraph.compiler.delays import block_length, messages, with_parts
from braingraph.compiler.flatten import flatten
from braingraph.compiler.group import bundle, check_slow_targets, group
from braingraph.compiler.plan import Flat, Program
from braingraph.compiler.schedule import Feedthrough, depths, order
from braingraph.component import Observer
from braingraph.graph import Graph


def compile_graph(
    graph: Graph,
    dt: float,
    method: str,
    *,
    observed: Iterable[str] | None = None,
    live: bool = False,
    block: int | None = None,
    apart: frozenset[str] = frozenset(),
) -> Program:
    """The passes in order.

    ``observed``: vertices that are monitored (None: all are kept). ``apart``: parameters that may
    differ between replicas, so that edges which have them share no rows.
    """
    flat = flatten(graph)
    check(flat, dt)
    flat, pruned = prune(flat, observed)
    every = {p: whole_steps(m.dt, dt, p) if m.dt else 1 for p, m in flat.vertices.items()}
    passes = Feedthrough()
    groups = group(flat, every, depths(flat, dt, passes, every))
    bundles = bundle(flat, groups, dt, live, apart)
    check_slow_targets(groups, bundles)
    frame = math.gcd(0, *(groups[b.source[0]].every for b in bundles if b.held(groups)))
    blocks = block_length(bundles, method, live, block, frame)
    bundles = with_parts(bundles, groups, blocks, method, live)
    channels = {b.number: _channels(b, groups) for b in bundles}
    rings = messages(bundles, channels, blocks, method, live)
    sequence, needs = order(groups, bundles, passes)
    return Program(flat, dt, method, groups, bundles, rings, blocks, sequence, needs, pruned, live)


def prune(flat: Flat, observed: Iterable[str] | None) -> tuple[Flat, tuple[str, ...]]:
    """Leave out observers that nothing recorded depends on."""
    if observed is None:
        return flat, ()
    reach = nx.DiGraph()
    reach.add_nodes_from(flat.vertices)
    reach.add_edges_from(
        (e.source.rpartition(".")[0], e.target.rpartition(".")[0]) for e in flat.edges
    )
    kept = set(observed)
    for path in list(kept):
        kept |= nx.ancestors(reach, path)
    pruned = tuple(p for p, m in flat.vertices.items() if isinstance(m, Observer) and p not in kept)
    vertices = {p: m for p, m in flat.vertices.items() if p not in pruned}
    edges = tuple(e for e in flat.edges if e.target.rpartition(".")[0] in vertices)
    return Flat(vertices, edges), pruned


def _channels(b: Any, groups: Any) -> int:
    model = groups[b.source[0]].model
    unit = model.signals()[b.source[1]].unit(model)
    return len(evaluate.message(b.coupling, jnp.ones(1), unit)[0])
