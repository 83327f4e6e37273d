"""What a sweep varies: axes of values, and the simulations that are their product."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import brainunit as u
import numpy as np
import xarray as xr

from braingraph.coupling import Coupling
from braingraph.errors import GraphError, ParameterError
from braingraph.fingerprint import fingerprint
from braingraph.graph import Graph
from braingraph.node import Node
from braingraph.overrides import with_parameters
from braingraph.parameters import is_static
from braingraph.paths import full_path
from braingraph.units import ONE, attach, brief, magnitude, same_dimension, unit_of

SEED = "seed"
#: The dimension of a paired axis that has no name of its own.
POINT = "point"
_FORMS = (
    "{'cortex.a': values, 'seed': range(10)}, {'draws': bg.paired({...}), ...} or bg.paired({...})"
)

Point = dict[str, Any]  #: values by full path


@dataclass(frozen=True, eq=False)
class Paired:
    """Values that go together; made by :func:`paired`."""

    values: Mapping[str, list[Any]]
    labels: list[Any] | None

    def __len__(self) -> int:
        return len(next(iter(self.values.values())))


def paired(values: Mapping[Any, Any], *, labels: Any = None) -> Paired:
    """Values of a sweep that go together, along one dimension instead of a product.

    Parameters
    ----------
    values : dict
        Values by path (or ``"seed"``), all of one length.
    labels : sequence or quantity, optional
        What the members are called: the coordinate of the dimension. Default: 0, 1, 2, ...

    In a sweep's dictionary the key names the dimension; alone, it is called ``"point"``. Every
    path whose values are single numbers or words becomes a coordinate along it.

    Errors
    ------
    ParameterError
        Nothing given, or unequal lengths.

    Examples
    --------
    >>> import brainunit as u, numpy as np
    >>> draws = paired({"cortex.a": [0.1, 0.2], "cortex.tau": [8.0, 9.0] * u.ms})
    >>> len(draws)
    2

    One speed for all delays, with the speed as the coordinate:

    >>> lengths, speeds = np.array([[0, 30], [60, 0]]) * u.mm, np.array([3, 5, 10]) * u.mm / u.ms
    >>> speed = paired({"long_range.delay": [lengths / v for v in speeds]}, labels=speeds)
    >>> len(speed)
    3
    """
    if not isinstance(values, Mapping) or not values:
        raise ParameterError(
            f"paired() takes values by path, as in bg.paired({{'cortex.a': [0.1, 0.2]}}), but got "
            f"{brief(values)}.",
            parameter="paired",
        )
    lists = {key: entries(value, f"'{key}'") for key, value in values.items()}
    names = None if labels is None else entries(labels, "labels")
    lengths = {key: len(value) for key, value in lists.items()}
    lengths |= {} if names is None else {"labels": len(names)}
    if len(set(lengths.values())) > 1:
        raise ParameterError(
            "paired values must be of one length, but "
            f"{', '.join(f'{key!s} has {n}' for key, n in lengths.items())}.",
            parameter="paired",
            lengths=lengths,
        )
    return Paired(lists, names)


@dataclass(frozen=True, eq=False)
class Axis:
    """One dimension of a sweep: values by full path, and what stands along it."""

    name: str
    values: Mapping[str, list[Any]]
    coordinate: xr.Variable
    others: Mapping[str, xr.Variable]  # more coordinates along it

    def __len__(self) -> int:
        return len(next(iter(self.values.values())))


@dataclass(frozen=True, eq=False)
class Space:
    """The simulations of a sweep, numbered in the order of its dimensions."""

    axes: tuple[Axis, ...]
    fixed: Point  # the same in all of them
    seed: int  # where no axis varies it
    splitting: tuple[str, ...]  # paths whose values must be equal within a batch

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(len(axis) for axis in self.axes)

    @property
    def size(self) -> int:
        return prod(self.shape)

    def point(self, number: int) -> tuple[Point, int]:
        """The parameters and the seed of one simulation."""
        point = dict(self.fixed)
        for k, axis in zip(np.unravel_index(number, self.shape), self.axes, strict=True):
            point |= {path: values[k] for path, values in axis.values.items()}
        return point, int(point.pop(SEED, self.seed))

    def varied(self) -> frozenset[str]:
        """Paths of which a batch may hold several values."""
        paths = {path for axis in self.axes for path in axis.values}
        return frozenset(paths - {SEED} - set(self.splitting))

    def coordinates(self, number: int | None = None) -> dict[str, xr.Variable]:
        """What stands along the axes; for one simulation, its values."""
        at = np.unravel_index(number or 0, self.shape)
        return {
            name: variable if number is None else variable[int(k)]
            for k, axis in zip(at, self.axes, strict=True)
            for name, variable in ((axis.name, axis.coordinate), *axis.others.items())
        }

    def groups(self) -> list[np.ndarray[Any, Any]]:
        """Numbers of the simulations that may share a batch, groups in order of appearance."""
        codes = [_codes(axis, self.splitting) for axis in self.axes]
        kinds = [int(code.max()) + 1 for code in codes]
        grid = np.meshgrid(*codes, indexing="ij")
        group = np.ravel_multi_index([g.ravel() for g in grid], kinds)
        _, first, group = np.unique(group, return_index=True, return_inverse=True)
        rank = np.argsort(np.argsort(first))[group]
        order = np.argsort(rank, kind="stable")
        return np.split(order, np.flatnonzero(np.diff(rank[order])) + 1)


def _codes(axis: Axis, splitting: Sequence[str]) -> np.ndarray[Any, Any]:
    """A number for every member of an axis, equal where all splitting values are."""
    paths = [path for path in axis.values if path in splitting]
    known: dict[Any, int] = {}
    codes = []
    for k in range(len(axis) if paths else 0):
        key = tuple(fingerprint(axis.values[path][k]) for path in paths)
        codes.append(known.setdefault(key, len(known)))
    return np.array(codes) if paths else np.zeros(len(axis), int)


# ---------------------------------------------------------------- what is given
def space(graph: Graph, given: Any, fixed: Any, single: bool, seed: int) -> Space:
    """``sweep``'s first argument and its ``params=``, checked against the graph."""
    given = {POINT: given} if isinstance(given, Paired) else given
    if not isinstance(given, Mapping) or not given:
        raise ParameterError(
            f"a sweep takes values by path, as in {_FORMS}, but got {brief(given)}.",
            parameter="sweep",
        )
    axes = tuple(_axis(graph, key, value, single) for key, value in given.items())
    base = {full_path(graph, key, single): value for key, value in (fixed or {}).items()}
    _check_once([base, *(axis.values for axis in axes)], single)
    _check_names(axes)
    for axis in axes:
        _check_values(graph, axis, base, single)
    with_parameters(graph, base, single)
    splitting = tuple(
        path
        for axis in axes
        for path, values in axis.values.items()
        if _splits(graph, path, values)
    )
    return Space(axes, base, seed, splitting)


def _axis(graph: Graph, key: Any, given: Any, single: bool) -> Axis:
    name = str(key)
    if isinstance(given, Paired):
        columns, labels = given.values, given.labels
    else:
        columns, labels = {key: entries(given, f"'{name}'")}, None
    known = {str(k): _coordinate(name, values, str(k)) for k, values in columns.items()}
    coordinate = known.pop(name, None) if labels is None else _coordinate(name, labels, "")
    size = len(next(iter(columns.values())))
    if coordinate is None:
        coordinate = xr.Variable((name,), np.arange(size))
    values = {_full(graph, k, single): v for k, v in columns.items()}
    others = {k: v for k, v in known.items() if v is not None}
    return Axis(name, values, coordinate, others)


def _full(graph: Graph, key: Any, single: bool) -> str:
    return SEED if key == SEED else full_path(graph, key, single)


def entries(values: Any, what: str) -> list[Any]:
    """The members of a sequence, an array (its first axis) or a quantity; at least one."""
    unit, plain = unit_of(values), magnitude(values)
    if hasattr(plain, "__array__") and not isinstance(plain, Sequence):
        plain = np.asarray(plain)
        found = list(plain) if plain.ndim else None
    else:
        words = isinstance(plain, (str, bytes))
        found = list(plain) if isinstance(plain, Sequence) and not words else None
    if found is None:
        raise ParameterError(
            f"{what} must be a sequence of values, as in [0.1, 0.2], but is {brief(values)}.",
            parameter=what,
        )
    if not found:
        raise ParameterError(f"{what} has no values: give at least one.", parameter=what)
    return found if unit == ONE else [attach(value, unit) for value in found]


def _coordinate(dim: str, values: list[Any], path: str) -> xr.Variable | None:
    """Values as a coordinate, if every one is a number or a word."""
    if all(isinstance(v, str) for v in values):
        return xr.Variable((dim,), np.array(values, dtype=object))
    first, plain = unit_of(values[0]), values
    if any(isinstance(v, u.Quantity) for v in values):  # asking each for its unit takes 0.1 ms
        if not all(same_dimension(unit_of(v), first) for v in values):
            return None
        plain = [v.to_decimal(first) if isinstance(v, u.Quantity) else v for v in values]
    try:
        if np.ndim(plain[0]):
            return None
        array = np.array(plain)
    except (TypeError, ValueError):  # numbers among arrays
        return None
    if array.ndim != 1 or array.dtype.kind not in "fiub":
        return None
    bare = path in ("", SEED) and first == ONE
    return xr.Variable((dim,), array, {} if bare else {"units": str(first) or "1"})


# ---------------------------------------------------------------- checks
def _check_once(columns: Sequence[Mapping[str, Any]], single: bool) -> None:
    seen: set[str] = set()
    for path in (path for column in columns for path in column):
        if path in seen:
            raise ParameterError(
                f"'{path}' is given twice: vary it along one axis only, and leave it out of "
                "params=.",
                parameter=path,
                path=path,
            )
        seen.add(path)


def _check_names(axes: Sequence[Axis]) -> None:
    names = [name for axis in axes for name in (axis.name, *axis.others)]
    for name in names:
        if names.count(name) > 1:
            raise ParameterError(
                f"two coordinates of the sweep are called '{name}': name the paired axis "
                f"otherwise, as in {{'draws': bg.paired({{...}})}}.",
                parameter=name,
            )


def _check_values(graph: Graph, axis: Axis, base: Point, single: bool) -> None:
    """Every value as a run would check it, so that none fails hours later."""
    for k in range(len(axis)):
        point = {path: values[k] for path, values in axis.values.items()}
        if SEED in point:
            _check_seed(point.pop(SEED))
        if not point:
            continue
        try:
            with_parameters(graph, {**base, **point}, single)
        except GraphError as error:
            error.add_note(f"This is member {k} of the axis '{axis.name}'.")
            raise


def _check_seed(seed: Any) -> None:
    try:
        if not -(2**63) <= operator.index(seed) < 2**64:
            raise TypeError
    except TypeError:
        raise ParameterError(
            f"a seed must be an integer of up to 64 bits, as in 'seed': range(10), but is "
            f"{brief(seed)}.",
            parameter=SEED,
        ) from None


def _splits(graph: Graph, path: str, values: list[Any]) -> bool:
    """Whether simulations of one batch must agree in it: all but numbers, one or one a unit."""
    if path == SEED:
        return False
    owner, _, name = path.rpartition(".")
    component = graph[owner]
    assert isinstance(component, (Node, Coupling))
    declared = component._specs.get(name)
    if declared is None or declared.free:  # an initial value, a delay; weights, a series
        return True
    if any(is_static(value) for value in (component.__dict__[name], *values)):
        return True
    # initial values drawn between bounds that are parameters follow them
    starts = getattr(component, "_inits", {}).values()
    drawn = [vars(init).values() for init in starts if hasattr(init, "draw")]
    if any(isinstance(v, str) and v == name for values in drawn for v in values):
        return True
    return declared.unit is None and len({str(unit_of(value)) for value in values}) > 1
