"""Values as JSON and back: numbers, quantities, arrays, functions by name, small objects.

::

    null, true, 1, 0.5, "text", [...]        themselves
    {"tuple": [...]}, {"map": {...}}         tuples; dicts with text as keys
    {"dtype": "float32", "values": [...]}    a few numbers that are no plain float
    {"array": name, "dims": [...]}           more of them: an array beside the JSON
    {"value": ..., "unit": "mV"}             a quantity; without "value" the unit itself
    {"sparse": [n, m], "values": ..., "target": ..., "source": ...}
    {"function": "module:name"}              what is found there again, functions and classes
    {"partial": function, "args": [...], "keywords": {...}}
    {"object": "module:Class", "fields": {...}}     dataclasses, named tuples, components
    {"source": code, "name": "module:<lambda>"}     what cannot be found again

What is not of a library also has ``"code"``, a digest of its code. ``sources`` holds the text to
read behind such digests.
"""

from __future__ import annotations

import inspect
import math
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

import brainunit as u
import numpy as np

from braingraph.errors import GraphError, together
from braingraph.node import Node
from braingraph.parameters import Component
from braingraph.references import code_of, find, name_of, reference
from braingraph.sparse import Sparse, is_sparse, made_sparse
from braingraph.units import Unit, brief, magnitude, unit_of

#: So many numbers still stand in the JSON.
FEW = 8


# ---------------------------------------------------------------- units
def unit_json(unit: Unit) -> Any:
    """A unit as its text, with its parts where the text alone gives another one back."""
    text = str(unit)
    try:
        if _parts(u.parse_unit(text)) == _parts(unit):
            return text
    except ValueError:  # a name that is not known
        pass
    dim, *rest, shown = _parts(unit)
    return {"text": text, "dimension": dim, "parts": [*rest, shown]}


def unit_from(json: Any) -> Unit:
    """The unit that :func:`unit_json` wrote."""
    if isinstance(json, str):
        return u.parse_unit(json)
    scale, factor, name, shown_as, full, shown = json["parts"]
    return u.Unit(
        u.get_or_create_dimension(json["dimension"]),
        scale=scale,
        factor=factor,
        name=name,
        dispname=shown_as,
        is_fullname=full,
        display_parts=shown and [tuple(part) for part in shown],
    )


def unit_key(unit: Unit) -> list[Any]:
    """Equal for equal units, whatever they are called."""
    dim, scale, factor, *_ = _parts(unit)
    return [dim, float(scale), float(factor)]


def _parts(unit: Unit) -> list[Any]:
    """Dimension, scale, factor, and how it is called: what a unit pickles as."""
    dim, scale, _, factor, name, shown_as, full, shown = unit.__reduce__()[1]
    shown = shown and [[long, short, float(power)] for long, short, power in shown]
    (powers,) = dim.__reduce__()[1]
    return [np.asarray(powers, float).tolist(), scale, factor, name, shown_as, full, shown]


# ---------------------------------------------------------------- values -> JSON
class Encoder:
    """Turns values into JSON; ``arrays`` and ``sources`` collect what stands beside it.

    ``inline``: all arrays stand in the JSON.
    """

    def __init__(self, inline: bool = False) -> None:
        self.arrays: dict[str, np.ndarray[Any, Any]] = {}
        self.sources: dict[str, str] = {}
        self._inline = inline
        self._seen: dict[int, tuple[Any, dict[str, Any]]] = {}  # arrays that are held twice
        self._codes: dict[int, str | None] = {}

    def value(self, value: Any, name: str, dims: tuple[str, ...] = ()) -> Any:
        """``name``: of an array, should it be one; ``dims``: of its axes, where they are known."""
        if value is None or type(value) in (bool, int, str):
            return value
        if isinstance(value, u.Unit):
            return {"unit": unit_json(value)}
        if isinstance(value, u.Quantity):
            plain = self.value(magnitude(value), name, dims)
            return {"value": plain, "unit": unit_json(unit_of(value))}
        if is_sparse(value):
            return self._sparse(made_sparse(value, name, name), name)
        if isinstance(value, (float, np.generic)) or hasattr(value, "__array__"):
            return self._numbers(value, name, dims)
        if type(value) is list:
            return self._list(value, name)
        if type(value) is tuple:
            return {"tuple": self._items(value, name)}
        if type(value) is dict and all(type(key) is str for key in value):
            return {"map": self._map(value, name)}
        return self._object(value, name)

    def _items(self, values: Any, name: str) -> list[Any]:
        return [self.value(item, f"{name}.{k}") for k, item in enumerate(values)]

    def _map(self, values: Mapping[str, Any], name: str) -> dict[str, Any]:
        return {key: self.value(item, f"{name}.{key}") for key, item in values.items()}

    # -- numbers
    def _numbers(self, value: Any, name: str, dims: tuple[str, ...]) -> Any:
        try:
            plain = np.asarray(value)
        except TypeError:  # JAX's keys, and what is traced
            return self._lost(value)
        if plain.dtype.kind not in "biuf":
            return self._lost(value)
        if plain.ndim == 0 and plain.dtype == float and np.isfinite(plain):
            return float(plain)
        if plain.size <= FEW or self._inline:
            json = {"dtype": plain.dtype.name, "values": _listed(plain.tolist())}
            return json if plain.size else {**json, "shape": list(plain.shape)}
        return self.array(plain, name, dims)

    def array(self, plain: np.ndarray[Any, Any], name: str, dims: tuple[str, ...] = ()) -> Any:
        """An array beside the JSON; one that was seen before is not held again."""
        if id(plain) in self._seen:
            return self._seen[id(plain)][1]
        dims = dims if len(dims) == plain.ndim else tuple(f"{name}_{k}" for k in range(plain.ndim))
        dims = tuple(dim.rpartition("/")[2] for dim in dims)
        self.arrays[name] = np.array(plain) if plain.flags.writeable else plain
        json = {"array": name, "dims": list(dims)}
        self._seen[id(plain)] = plain, json
        return json

    def _sparse(self, value: Sparse, name: str) -> dict[str, Any]:
        dims = (f"{name}.entry",)
        target = self._numbers(value.target, f"{name}.target", dims)
        source = self._numbers(value.source, f"{name}.source", dims)
        along = tuple(target.get("dims", dims))  # those of the matrix that has the same pairs
        values = self._numbers(value.values, name, along)
        return {"sparse": list(value.shape), "values": values, "target": target, "source": source}

    def _list(self, value: list[Any], name: str) -> Any:
        if len(value) > FEW and not self._inline:
            try:
                plain = np.asarray(value)
            except ValueError:  # lists of unequal lengths
                plain = np.asarray(None)
            if plain.dtype in (np.float64, np.int64, np.bool_):
                return {"list": self.array(plain, name)}
        return self._items(value, name)

    # -- functions and objects
    def _object(self, value: Any, name: str) -> Any:
        held = _fields(value)
        kind = reference(type(value))
        if held is not None and kind is not None:
            held = self._map(held, name)
            return {"object": kind, **self.code(type(value), kind), "fields": held}
        if type(value) is partial:
            return {
                "partial": self.value(value.func, name),
                "args": self._items(value.args, name),
                "keywords": self._map(value.keywords, name),
            }
        found = reference(value) if callable(value) else None
        if found is None:
            return self._lost(value)
        return {"function": found, **self.code(value, found)}

    def _lost(self, value: Any) -> dict[str, Any]:
        code = code_of(value, "") or ""
        self._keep(value, code)
        return {"source": code, "name": name_of(value)}

    def code(self, value: Any, name: str) -> dict[str, Any]:
        """``{"code": digest}`` for what is not of a library; its text goes to ``sources``."""
        if id(value) not in self._codes:  # not by name: local classes may share theirs
            self._codes[id(value)] = code_of(value, name)
        code = self._codes[id(value)]
        if code is None:
            return {}
        self._keep(value, code)
        return {"code": code}

    def _keep(self, value: Any, code: str) -> None:
        if code not in self.sources:
            try:
                self.sources[code] = textwrap.dedent(inspect.getsource(value))
            except (OSError, TypeError):  # typed at a prompt, or no function
                self.sources[code] = ""


def _listed(values: Any) -> Any:
    """Nested lists without NaN and infinities, which JSON does not have: as text."""
    if isinstance(values, list):
        return [_listed(item) for item in values]
    return values if not isinstance(values, float) or math.isfinite(values) else str(values)


def _fields(value: Any) -> dict[str, Any] | None:
    """What a value is made again from, by keyword; None for what is no plain record."""
    if isinstance(value, Component) and not isinstance(value, Node):
        return {name: value.__dict__[name] for name in value._specs}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return dict(value._asdict())
    if not is_dataclass(value) or isinstance(value, type):
        return None
    names = [field.name for field in fields(value) if field.init]
    whole = set(names) >= set(getattr(value, "__dict__", names))
    return {name: getattr(value, name) for name in names} if whole else None


# ---------------------------------------------------------------- JSON -> values
class Decoder:
    """Turns JSON back into values; what cannot be found again is an error in ``findings``.

    ``given``: values for what cannot, by the path of the parameter, or by ``"module:name"``.
    """

    def __init__(
        self,
        arrays: Mapping[str, Any],
        sources: Mapping[str, str],
        given: Mapping[str, Any],
    ) -> None:
        self._arrays, self._sources, self._given = arrays, sources, given
        self.findings: list[GraphError] = []
        self._missing: set[str] = set()
        self._read: dict[str, np.ndarray[Any, Any]] = {}

    def value(self, json: Any, path: str) -> Any:
        """``path``: the address of the parameter, for ``given`` and for messages."""
        if path in self._given:
            return self._given[path]
        if isinstance(json, list):
            return [self.value(item, path) for item in json]
        if not isinstance(json, dict):
            return json
        for key, read in _READERS.items():
            if key in json:
                return read(self, json, path)
        raise GraphError(f"{path} is {brief(json)}, which is no value of a description.", path=path)

    def found(self, name: str, path: str, kind: type | None = None) -> Any:
        """What a reference stands for, or None, with a finding; ``kind``: a class like this."""
        if name in self._given:
            return self._given[name]
        try:
            value = find(name)
        except Exception as error:  # importing runs the code of others
            where = "make its module importable"
            if name.startswith("__main__") or "<" in name:
                where = "define it in a module that can be imported"
            short = name.rpartition(":")[2].rpartition(".")[2]
            fix = f"{where}, or pass it again: given={{{name!r}: {short}}}."
            self._cannot(path, name, f"{name!r} is not found ({brief(error)}): {fix}", name)
            return None
        if kind is None or (isinstance(value, type) and issubclass(value, kind)):
            return value
        needed = "class" if kind is object else kind.__name__
        fix = f"pass the one that was meant: given={{{name!r}: ...}}."
        self._cannot(path, name, f"{name!r} is no {needed} any more: {fix}", name)
        return None

    def _cannot(self, path: str, name: str, why: str, missing: str) -> None:
        if missing not in self._missing:  # one class may have many vertices
            self._missing.add(missing)
            error = GraphError(f"'{path}' cannot be rebuilt: {why}", path=path, name=name)
            self.findings.append(error)

    def check(self) -> None:
        """Raise what was found wrong so far, together."""
        if self.findings:
            raise together(self.findings)

    # -- a reader for each form, by its key
    def _array(self, json: dict[str, Any], path: str) -> Any:
        name = json["array"]
        if name not in self._read:
            plain = np.asarray(self._arrays[name])
            plain.setflags(write=False)
            self._read[name] = plain
        return self._read[name]

    def _numbers(self, json: dict[str, Any], path: str) -> Any:
        plain = np.asarray(_numbered(json["values"]), np.dtype(json["dtype"]))
        return plain.reshape(json.get("shape", plain.shape))

    def _sparse(self, json: dict[str, Any], path: str) -> Sparse:
        target, source, values = (
            self.value(json[key], path) for key in ("target", "source", "values")
        )
        n, m = json["sparse"]
        return Sparse((n, m), target, source, np.atleast_1d(values))

    def _quantity(self, json: dict[str, Any], path: str) -> Any:
        return u.Quantity(self.value(json["value"], path), unit=unit_from(json["unit"]))

    def _function(self, json: dict[str, Any], path: str) -> Any:
        return self.found(json["function"], path)

    def _partial(self, json: dict[str, Any], path: str) -> Any:
        function = self.value(json["partial"], path)
        args, keywords = self.value(json["args"], path), self._map(json["keywords"], path)
        return function and partial(function, *args, **keywords)

    def _object(self, json: dict[str, Any], path: str) -> Any:
        kind, held = self.found(json["object"], path, object), self._map(json["fields"], path)
        if kind is None:
            return None
        try:
            return kind(**held)
        except Exception as error:  # the constructors of others
            fix = "use the version of the library or module that it was described with."
            why = f"{json['object']!r} has changed since: {error} To have it again, {fix}"
            self._cannot(path, json["object"], why, path)
            return None

    def _lost(self, json: dict[str, Any], path: str) -> None:
        text = self._sources.get(json["source"], "").strip()
        shown = f" It was:\n{text}" if text else ""
        fix = f"pass it again: given={{{path!r}: ...}}."
        why = f"{json['name']} has no name to import: {fix}{shown}"
        self._cannot(path, json["name"], why, path)  # all of a parameter is passed at once

    def _map(self, json: dict[str, Any], path: str) -> dict[str, Any]:
        return {key: self.value(item, path) for key, item in json.items()}


#: In this order: a form may have the key of one further down.
_READERS: dict[str, Callable[[Decoder, Any, str], Any]] = {
    "array": Decoder._array,
    "sparse": Decoder._sparse,
    "values": Decoder._numbers,
    "value": Decoder._quantity,
    "unit": lambda decoder, json, path: unit_from(json["unit"]),
    "list": lambda decoder, json, path: decoder.value(json["list"], path).tolist(),
    "tuple": lambda decoder, json, path: tuple(decoder.value(json["tuple"], path)),
    "map": lambda decoder, json, path: decoder._map(json["map"], path),
    "function": Decoder._function,
    "partial": Decoder._partial,
    "object": Decoder._object,
    "source": Decoder._lost,
}


def _numbered(values: Any) -> Any:
    """What :func:`_listed` was made from."""
    if isinstance(values, list):
        return [_numbered(item) for item in values]
    return float(values) if isinstance(values, str) else values
