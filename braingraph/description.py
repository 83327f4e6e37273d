"""The data that describe a graph, and whether two of them are the same."""

from __future__ import annotations

import hashlib
import json as text
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from braingraph.literals import unit_from, unit_key
from braingraph.references import code_of, find

#: The layout; see describe.py.
SCHEMA = "braingraph-graph/1"
#: What is under these keys has names of the user's for keys.
_BY_NAME = ("parameters", "initial", "fields", "keywords", "map")
Json = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Description:
    """A graph as JSON, and the arrays that the JSON refers to by name."""

    json: Mapping[str, Any]
    arrays: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        inside = list(owners(self.json))
        nodes = sum("in_size" in item for _, item in inside)
        edges = len(inside) - nodes
        return f"Description({nodes} nodes, {edges} edges, {len(self.arrays)} arrays)"


def owners(json: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Json]]:
    """Every node and edge with its path."""
    for item in (*json["nodes"], *json["edges"]):
        path = f"{prefix}{item['name']}"
        if "graph" in item:
            yield from owners(item["graph"], f"{path}.")
        else:
            yield path, item


def forms(json: Any, by_name: bool = False) -> Iterator[Mapping[str, Any]]:
    """Every mapping inside whose keys are ours, not names of the user's."""
    if isinstance(json, list):
        for item in json:
            yield from forms(item)
    elif isinstance(json, Mapping):
        if not by_name:
            yield json
        for key, item in json.items():
            yield from forms(item, not by_name and key in _BY_NAME)


# ---------------------------------------------------------------- the same or not
def digest(description: Description) -> str:
    """A hexadecimal SHA-256 of what a graph is: the same for the same, in every process.

    The order in which nodes and edges were added does not count, nor what subclasses of Graph
    are called. Numbers count by value and type, units by what they are, classes and functions of
    libraries by name, those of users by name and code, which differs between versions of Python.
    Labels count: they change no number, but which region it belongs to.
    """
    hashes: dict[str, str] = {}
    whole = _canonical(description.json, description.arrays, hashes)
    line = text.dumps(whole, sort_keys=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(line.encode()).hexdigest()


def _canonical(
    json: Any, arrays: Mapping[str, Any], hashes: dict[str, str], by_name: bool = False
) -> Any:
    """JSON with arrays by their content, in an order that no history decides."""
    if isinstance(json, list):
        return [_canonical(item, arrays, hashes) for item in json]
    if isinstance(json, float):
        return int(json) if json.is_integer() else json
    if not isinstance(json, Mapping):
        return json
    if not by_name and "array" in json:
        name = json["array"]
        if name not in hashes:
            hashes[name] = _hash(arrays[name])
        return {"array": hashes[name]}
    out = {
        key: _canonical(item, arrays, hashes, not by_name and key in _BY_NAME)
        for key, item in json.items()
    }
    if not by_name and "unit" in json:
        out["unit"] = unit_key(unit_from(json["unit"]))
    if not by_name and "nodes" in json:
        listed = {key: sorted(out[key], key=lambda i: str(i["name"])) for key in ("nodes", "edges")}
        return listed  # whatever the class, and what else there is at the top
    if not by_name and set(json) == {"source", "name"}:
        del out["name"]
    return out


def _hash(array: Any) -> str:
    plain = np.asarray(array)
    if plain.dtype.kind in "OUT":  # labels
        content = text.dumps([str(item) for item in plain.tolist()]).encode()
        return hashlib.sha256(content).hexdigest()
    head = f"{plain.dtype.name} {plain.shape} ".encode()
    whole = hashlib.sha256(head)
    whole.update(np.ascontiguousarray(plain).data)
    return whole.hexdigest()


def changed(description: Mapping[str, Any]) -> list[str]:
    """The names of users' classes and functions whose code is not what was described.

    ``description``: the JSON of a graph or of records. Also where another version of Python
    compiled it; what cannot be imported is not among them.
    """
    return sorted({name for name, code in _coded(description) if not _has(name, code)})


def _coded(json: Any) -> Iterator[tuple[str, str]]:
    for form in forms(json):
        if isinstance(form.get("code"), str):
            names = (form[key] for key in ("class", "function", "object") if key in form)
            yield from ((name, form["code"]) for name in names)


def _has(name: str, code: str) -> bool:
    try:
        return code_of(find(name), name) == code
    except Exception:  # importing runs the code of others
        return True
