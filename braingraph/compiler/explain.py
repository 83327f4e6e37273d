"""A program in words: what stands together, how it travels, in what order, and what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from braingraph.compiler.plan import Bundle, Group, Part, Program
from braingraph.compiler.traffic import traffic
from braingraph.show import Tree, plural
from braingraph.units import show_time

if TYPE_CHECKING:
    from braingraph.compiled import Compiled
    from braingraph.monitors import Monitor

LAYOUTS = {
    "mean": "one weight, all to all: a mean field",
    "one": "one to one",
    "dense": "a matrix",
    "padded": "rows of sources",
}


NOW = "no delay, at every stage"


def program_tree(program: Program) -> Tree:
    """Groups, bundles with their parts, the order of a stage, and the block."""
    groups, bundles = program.groups, program.bundles
    units = sum(g.size for g in groups)
    head = (
        f"Program: {plural(units, 'unit')} in {plural(len(groups), 'group')}, "
        f"{plural(sum(len(b.edges) for b in bundles), 'edge')} in "
        f"{plural(len(bundles), 'bundle')}, {program.method}, dt = {show_time(program.dt)}"
    )
    children = [
        Tree(("groups",), tuple(_group(g, program) for g in groups)),
        Tree(("bundles",), tuple(_bundle(b, program) for b in bundles)),
        Tree(("order", _order(program))),
        Tree(("block", f"{plural(program.blocks.length, 'step')}: {program.blocks.why}")),
    ]
    if program.pruned:
        children.append(Tree(("left out", f"{', '.join(program.pruned)}: not recorded")))
    return Tree((head,), tuple(c for c in children if c.children or len(c.columns) > 1))


def _group(g: Group, program: Program) -> Tree:
    clock = f"every {show_time(g.every * program.dt)}" if g.every > 1 else ""
    return Tree((g.title, plural(len(g.paths), "vertex").replace("vertexs", "vertices"), clock))


def _bundle(b: Bundle, program: Program) -> Tree:
    return Tree((b.title,), tuple(_part(p, b, program) for p in b.parts))


def _part(p: Part, b: Bundle, program: Program) -> Tree:
    how = {
        "now": "held since the slower one's step" if b.held(program.groups) else NOW,
        "step": "shorter than a block, read step by step",
        "block": "read once per block",
    }[p.transport]
    delays = p.entries.delay * program.dt
    if p.transport == "now":
        span = ""
    elif p.uniform:
        span = f"{delays[0]:g} ms"
    else:
        span = f"{delays.min():.4g}-{delays.max():.4g} ms"
    if p.transport != "now" and not p.aligned:
        span += ", cubic between samples" if program.method == "rk4" else ", interpolated"
    elif p.transport != "now" and any(e.interpolation == "nearest" for e in b.edges):
        span += ", rounded to steps"
    count = b.connections if b.alike else len(p.entries)
    return Tree((plural(count, "connection"), LAYOUTS[p.layout], how, span))


def _order(program: Program) -> str:
    names = []
    for op in program.order:
        group = program.groups[op.slot[0]]
        more = "+" if len(group.paths) > 1 else ""
        names.append(f"{group.paths[0]}{more}.{op.slot[1]}")
    return " | ".join(["states", *dict.fromkeys(names)])


def explain(compiled: Compiled, monitors: tuple[Monitor, ...], steps: int | None) -> str:
    """The program, what is recorded, and what it needs on the device and on disk."""
    program, engine = compiled.program, compiled.whole
    tree = program_tree(program)
    size = np.dtype(engine.dtype).itemsize * int(np.prod(engine.batch, initial=1))
    recorded = []
    total = 0
    for m in monitors:
        every = show_time(m.interval(program.dt))
        what = f"{'mean over' if m.mean else 'every'} {every}"
        samples = steps // (m.period * m.clock) if steps is not None else None
        cost = ""
        if samples is not None:
            total += samples * m.units * size
            cost = f"{plural(samples, 'sample')}, {show_bytes(samples * m.units * size)}"
        recorded.append(Tree((m.name, plural(m.units, "unit"), what, cost)))
    costs = [Tree(("on the device", f"about {show_bytes(compiled.memory())}"))]
    if steps is not None:
        costs.append(Tree(("recorded", f"{show_bytes(total)} before compression")))
    replicas = (Tree(("replicas", str(engine.batch[0]))),) if engine.batch else ()
    where: tuple[Tree, ...] = ()
    if compiled.devices is not None:
        where = (_devices(compiled),)
    elif compiled.alone:
        where = (Tree(("devices", compiled.alone)),)
    children = (*tree.children, *replicas, *where, Tree(("monitors",), tuple(recorded)), *costs)
    return Tree(tree.columns, children).text()


def _devices(compiled: Compiled) -> Tree:
    """Who computes what, and what travels."""
    assert compiled.devices is not None
    program, here = compiled.program, compiled.engine.here
    batch, unit = compiled.devices.mesh.devices.shape
    kind = compiled.devices.mesh.devices.flat[0].device_kind
    lines = [
        Tree((g.title, f"{plural(here.size(g), 'place')} each" if here.divided(g) else "on all"))
        for g in program.groups
    ]
    if unit > 1:
        t = traffic(compiled.advance)
        lines.append(
            Tree(
                (
                    "each sends",
                    f"{show_bytes(t.per_block)} a block",
                    f"{show_bytes(t.per_step)} a step",
                    f"{show_bytes(t.per_second)} per simulated second",
                )
            )
        )
        for number, name in t.at_stages:
            path = program.groups[number].paths[0]
            lines.append(Tree((f"{path}.{name}", "travels at every stage: give it a delay")))
    return Tree(
        (f"{plural(batch * unit, 'device')} ({kind}), {batch} x {unit} (batch, unit)",),
        tuple(lines),
    )


def show_bytes(count: float) -> str:
    """``12.5 MB``: powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
