"""A graph as data, and back: what a store keeps so that a run can be read and repeated.

::

    graph       {"schema", "sources", "class", "nodes": [...], "edges": [...]}
    node        {"name", "class", "in_size", "dt": ms, "labels", "parameters", "initial"}
    or          {"name", "graph": {"class", "nodes", "edges"}}
    edge        {"name", "source", "target", "class", "parameters", "delay", "interpolation"}

Paths are relative to the graph they stand in. Values are written as in literals.py; what is more
than a few numbers stands in arrays beside the JSON: ``nodes/<path>/<parameter>``, ``.../labels``,
``edges/<path>/conn`` (target, source), ``.../delay`` [ms]; of sparse ones the entries, with
``conn.target`` and ``conn.source``.

Rebuilding imports the modules that a description names: do it with stores you trust.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from braingraph.connections import Edge, checked
from braingraph.coupling import Coupling
from braingraph.description import SCHEMA, Description, Json, changed, digest, owners
from braingraph.errors import GraphError
from braingraph.graph import Graph
from braingraph.graph_store import load, save
from braingraph.literals import FEW, Decoder, Encoder
from braingraph.monitors import Record
from braingraph.node import Node
from braingraph.parameters import Component
from braingraph.references import name_of
from braingraph.units import TIME, attach, magnitude, unit_of

__all__ = [
    "Description",
    "changed",
    "describe",
    "describe_records",
    "digest",
    "load",
    "rebuild",
    "rebuild_records",
    "save",
]


# ---------------------------------------------------------------- graph -> data
def describe(graph: Graph) -> Description:
    """Everything a graph holds, as data: the same graph gives the same, in every process.

    Functions and classes are kept by name where they can be imported, and else as text to read
    and a digest of their code.

    >>> import brainunit as u
    >>> import braingraph as bg
    >>> from braingraph import nodes
    >>> g = bg.Graph()
    >>> _ = g.add_node("cortex", nodes.HopfStep(2, a=-0.02))
    >>> description = describe(g)
    >>> description.json["nodes"][0]["parameters"]["a"]
    -0.02
    >>> print(rebuild(description))
    Graph: 1 node (2 units), 0 edges
    └─ cortex  HopfStep x 2  x, y [1]
    """
    encoder = Encoder()
    inside = _graph(graph, "", encoder)
    return Description({"schema": SCHEMA, **inside, "sources": encoder.sources}, encoder.arrays)


def _graph(graph: Graph, prefix: str, encoder: Encoder) -> Json:
    nodes: list[Json] = []
    for name, child in graph.nodes.items():
        if isinstance(child, Graph):
            nodes.append({"name": name, "graph": _graph(child, f"{prefix}{name}.", encoder)})
        else:
            nodes.append({"name": name, **_node(child, f"nodes/{prefix}{name}", encoder)})
    edges = [_edge(edge, prefix, encoder) for edge in graph.edges.values()]
    return {"class": name_of(type(graph)), "nodes": nodes, "edges": edges}


def _component(component: Component, owner: str, own: tuple[int, ...], encoder: Encoder) -> Json:
    """Class and parameters; one value for each of ``own`` goes along ``unit``."""
    name = name_of(type(component))
    parameters = {}
    for key in component._specs:
        value = component.__dict__[key]
        dims: tuple[str, ...] = ("target", "source") if key == "conn" else ()
        if len(own) == 1 and getattr(magnitude(value), "shape", ()) == own:
            dims = ("target" if isinstance(component, Coupling) else "unit",)
        parameters[key] = encoder.value(value, f"{owner}/{_aside(key)}", dims)
    return {"class": name, **encoder.code(type(component), name), "parameters": parameters}


def _aside(name: str) -> str:
    """A parameter's array; one called like a dimension would hide that."""
    return f"{name}_" if name in ("unit", "target", "source", "label") else name


def _node(model: Node, owner: str, encoder: Encoder) -> Json:
    json = _component(model, owner, model.in_size, encoder)
    initial = {}
    for key, init in model._inits.items():
        shape = getattr(magnitude(init), "shape", ())
        dims = ("unit",) if shape == model.in_size == (model.size,) else ()
        initial[key] = encoder.value(init, f"{owner}/init_{key}", dims)
    labels: Any = model.labels
    if labels is not None:
        along = "unit" if len(labels) == model.size and len(model.in_size) == 1 else "label"
        labels = _labels(labels, f"{owner}/labels", along, encoder)
    sizes = {"in_size": list(model.in_size), "dt": model.dt, "labels": labels}
    return {**json, **sizes, "initial": initial}


def _labels(labels: tuple[str, ...], name: str, along: str, encoder: Encoder) -> Any:
    if len(labels) <= FEW:
        return list(labels)
    return encoder.array(np.array(labels, object), name, (along,))


def _edge(edge: Edge, prefix: str, encoder: Encoder) -> Json:
    # Names of edges that were given none hold signs that no file should be called.
    safe = edge.name.replace("->", "--").replace("#", "-")
    owner = f"edges/{prefix}{safe}"
    targets = np.shape(magnitude(edge.coupling.conn))[:1]
    delay = None if edge.delay is None else attach(edge.delay, TIME)
    return {
        "name": edge.name,
        "source": edge.source,
        "target": edge.target,
        **_component(edge.coupling, owner, targets, encoder),
        "delay": encoder.value(delay, f"{owner}/delay", ("target", "source")),
        "interpolation": edge.interpolation,
    }


# ---------------------------------------------------------------- data -> graph
def rebuild(description: Description, given: Mapping[str, Any] | None = None) -> Graph:
    """The graph that was described: it simulates to the same bits.

    Subclasses of Graph become plain graphs of what they contain.

    Parameters
    ----------
    given : mapping, default {}
        What cannot be imported: functions by the path of their parameter, as in
        ``{"drive.f": f}``, and classes by name, as in ``{"__main__:MyNode": MyNode}``.

    Errors
    ------
    GraphError
        Something cannot be imported or does not take its parameters any more, all findings
        together. Fields: ``path``, ``name``.
    """
    decoder = Decoder(description.arrays, description.json["sources"], given or {})
    found: dict[str, Any] = {}
    for path, item in owners(description.json):
        read = {k: decoder.value(v, f"{path}.{k}") for k, v in item["parameters"].items()}
        if "in_size" in item:
            inits = item["initial"].items()
            read |= {f"init_{k}": decoder.value(v, f"{path}.init_{k}") for k, v in inits}
        kind = decoder.found(item["class"], path, Node if "in_size" in item else Coupling)
        found[path] = kind, read
    decoder.check()
    items = owners(description.json)
    made = {path: _made(path, item, found[path], decoder) for path, item in items}
    decoder.check()
    return _rebuilt(description.json, "", made, decoder)


def _made(path: str, item: Json, found: tuple[Any, Json], decoder: Decoder) -> Any:
    """A node or coupling, from its class and what it was made with."""
    kind, read = found
    try:
        if "in_size" not in item:
            made: Component = kind(**read)
        else:
            dt = None if item["dt"] is None else item["dt"] * TIME
            made = kind(tuple(item["in_size"]), dt=dt, **read)
        return _exact(made, {k: v for k, v in read.items() if k in item["parameters"]})
    except Exception as error:  # the constructors of others
        decoder.findings.append(_changed_since(path, item["class"], error))
        return None


def _changed_since(path: str, name: str, error: Exception) -> GraphError:
    return GraphError(
        f"'{path}' cannot be rebuilt: {name!r} has changed since it was described: {error} To have "
        "it again, use the version of the library or module that it was described with, or pass "
        f"such a class: given={{{name!r}: ...}}.",
        path=path,
        name=name,
    )


def _exact(made: Component, read: Mapping[str, Any]) -> Component:
    """With the parameters as they were: constructors may normalise again, and round."""
    off = {}
    for name, value in read.items():
        now, was = magnitude(made.__dict__[name]), magnitude(value)
        if not isinstance(now, np.ndarray) or np.array_equal(now, was):
            continue
        if np.shape(was) != now.shape or not np.allclose(now, was, 1e-9, 0):
            raise GraphError(f"it makes something else of {name} now.", parameter=name)
        off[name] = attach(np.asarray(was), unit_of(value))
    return made.with_values(**off) if off else made


def _rebuilt(json: Mapping[str, Any], prefix: str, made: Json, decoder: Decoder) -> Graph:
    graph = Graph()
    for item in json["nodes"]:
        name, path = item["name"], f"{prefix}{item['name']}"
        if "graph" in item:
            graph.add_node(name, _rebuilt(item["graph"], f"{path}.", made, decoder))
            continue
        labels = item["labels"]
        if isinstance(labels, dict):
            labels = decoder.value(labels, f"{path}.labels")
        try:
            graph.add_node(name, made[path], labels=labels)
        except GraphError as error:
            raise _changed_since(path, item["class"], error) from error
    for item in json["edges"]:
        path = f"{prefix}{item['name']}"
        ends = item["name"], item["source"], item["target"]
        edge = Edge(*ends, made[path], None, item["interpolation"])
        delay = decoder.value(item["delay"], f"{path}.delay")
        try:
            edge = checked(graph, edge, delay)
        except GraphError as error:
            raise _changed_since(path, item["class"], error) from error
        # Not add_edge: it takes no name that it would make itself.
        graph._place(replace(edge, coupling=edge.coupling.bound(graph, edge.name)))
    return graph


# ---------------------------------------------------------------- what a run was asked for
def describe_records(records: Mapping[str, Record]) -> Json:
    """Monitors as JSON: their paths, intervals and reductions; callables as in a graph."""
    encoder = Encoder(inline=True)
    listed = [
        {
            "name": name,
            "path": encoder.value(r.path if callable(r.path) else str(r.path), name),
            "every": encoder.value(r.every, name),
            "reduce": r.reduce,
        }
        for name, r in records.items()
    ]
    return {"records": listed, "sources": encoder.sources}


def rebuild_records(
    json: Mapping[str, Any], given: Mapping[str, Any] | None = None
) -> dict[str, Record]:
    """The monitors that were described, by name, to be passed as ``monitors=``.

    ``given``: callables that cannot be imported, by the monitor's name. GraphError where one is
    missing.
    """
    decoder = Decoder({}, json["sources"], given or {})
    paths = {item["name"]: decoder.value(item["path"], item["name"]) for item in json["records"]}
    decoder.check()
    every = Decoder({}, {}, {})  # what is given stands for callables only
    return {
        item["name"]: Record(
            paths[item["name"]], every.value(item["every"], item["name"]), item["reduce"]
        )
        for item in json["records"]
    }
