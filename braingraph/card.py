"""The printed card of a model class: what its docstring says and what its body declares.

``print(nodes.HopfStep)`` shows one. Sentence, equations, meanings and source come from the
docstring; names, units, defaults and initial values from the class itself.
"""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from braingraph.component import Coupling, Input, Node, Observer, Signal, State
from braingraph.parameters import is_static, short
from braingraph.units import ONE, magnitude, show, unit_of

WIDTH = 100


# ---------------------------------------------------------------- what a docstring says
@dataclass(frozen=True)
class Item:
    """An entry of a section: ``tau_E, tau_I : time, default 10 ms`` and the lines below it."""

    kind: str
    meaning: str


@dataclass(frozen=True)
class Said:
    """A docstring, taken apart."""

    sentence: str = ""
    equations: str = ""
    source: str = ""
    parameters: dict[str, Item] = field(default_factory=dict)
    signals: dict[str, Item] = field(default_factory=dict)


def said(cls: type) -> Said:
    """What the class's own docstring says."""
    return _said(cls.__dict__.get("__doc__") or "")


@cache
def _said(doc: str) -> Said:
    lines = inspect.cleandoc(doc).split("\n")
    rulers = [k for k, line in enumerate(lines) if k and re.fullmatch(r"-{3,}", line)]
    start = rulers[0] - 1 if rulers else len(lines)
    items = {
        lines[k - 1]: _items(lines[k + 1 : end - 1])
        for k, end in pairwise([*rulers, len(lines) + 1])
    }
    paragraphs = re.split(r"\n\s*\n", "\n".join(lines))
    source = next((p for p in paragraphs if re.match(r"Source[^:\n]*:", p)), "")
    return Said(
        plain(paragraphs[0]),
        "\n\n".join(_literal(lines[:start])),
        plain(source.partition(":")[2]),
        items.get("Parameters", {}),
        items.get("Signals", {}),
    )


def _literal(lines: list[str]) -> Iterator[str]:
    """The indented blocks that follow ``::``."""
    k = 0
    while k < len(lines):
        k += 1
        if not lines[k - 1].endswith("::"):
            continue
        end = k
        while end < len(lines) and (not lines[end] or lines[end].startswith(" ")):
            end += 1
        yield textwrap.dedent("\n".join(lines[k:end])).strip("\n")
        k = end


def _items(lines: list[str]) -> dict[str, Item]:
    """The entries of a section by name; it ends where prose begins."""
    out: dict[str, Item] = {}
    for k, line in enumerate(lines):
        head = re.fullmatch(r"([\w.*]+(?:, [\w.*]+)*)(?: : (.*))?", line)
        if not head:
            if line and not line.startswith(" "):
                break
            continue
        below = []
        for following in lines[k + 1 :]:
            if not following.startswith(" "):
                break
            below.append(following)
        kind = re.split(r",? ?\b(?:default|optional)\b", plain(head[2] or ""))[0]
        item = Item(kind.strip(), plain("\n".join(below)))
        out |= {name.lstrip("*"): item for name in head[1].split(", ")}
    return out


def plain(text: str) -> str:
    """One line without markup."""
    text = re.sub(r":\w+:`~?(?:[\w.]*\.)?(\w+)`", r"\1", text)
    return " ".join(text.replace("``", "").split())


# ---------------------------------------------------------------- what a class is
def category(cls: type) -> str:
    """What kind of model the class is.

    Couplings and observers are known by their base. A module says it of its other classes, and
    of all that build on them, with ``CATEGORY = ...``. Where none does it is read off the class:
    sources have no inputs, and of them noise draws random numbers, and a stimulus has no state.
    """
    if issubclass(cls, Coupling):
        return "coupling"
    if issubclass(cls, Observer):
        return "observer"
    for base in cls.__mro__:
        given = getattr(sys.modules.get(base.__module__), "CATEGORY", None)
        if given is not None:
            return str(given)
    if not issubclass(cls, Node):
        return "network"
    if cls._normals and not cls._inputs:
        return "noise"
    return "stimulus" if cls._outputs and not cls._inputs | cls._states else "population"


def source(cls: type) -> str:
    """Where the model comes from, and how it departs: its own source, or that of its base."""
    return next((text for base in cls.__mro__ if (text := said(base).source)), "")


def signals(cls: type) -> dict[str, str]:
    """The kind (``"state"``, ``"input"``, ``"output"``) of every signal by name.

    Those of a graph are the paths its docstring names.
    """
    if issubclass(cls, Node):
        declared = {**cls._states, **cls._inputs, **cls._outputs}
        return {name: signal.kind for name, signal in declared.items()}
    return {name: item.kind.partition(",")[0] for name, item in said(cls).signals.items()}


# ---------------------------------------------------------------- the card
Line = tuple[str, str, str]
#: How a parameter begins that is no number with a unit.
NO_UNITS = ("array", "bool", "callable", "int", "sequence", "str")


def card(cls: type) -> str:
    """The class on a page: sentence, equations, parameters, signals and source.

    >>> import brainunit as u
    >>> from braingraph.component import Input, Node, State
    >>> class Leak(Node):
    ...     tau: u.Quantity = 20.0 * u.ms
    ...     v = State(-70.0 * u.mV)
    ...     v_inp = Input(0.0 * u.mV)
    >>> print(Leak)
    Leak (population)
    <BLANKLINE>
    Parameters
        tau  20 [ms]
    <BLANKLINE>
    States
        v  [mV]  starts at -70
    <BLANKLINE>
    Inputs
        v_inp  [mV]
    """
    own = said(cls)
    parts = [f"{cls.__name__} ({category(cls)})" + (f"\n{own.sentence}" if own.sentence else "")]
    if own.equations:
        parts.append(textwrap.indent(own.equations, "    "))
    sections = {"Parameters": [*_parameters(cls)]}
    for kind in ("state", "input", "output"):
        names = [name for name, its in signals(cls).items() if its == kind]
        sections[f"{kind.title()}s"] = [_signal(cls, name) for name in names]
    parts += [f"{title}\n{_table(lines)}" for title, lines in sections.items() if lines]
    if source(cls):
        parts.append("Source\n" + _wrapped(source(cls), "    ", "    "))
    return "\n\n".join(parts)


def _parameters(cls: type) -> Iterator[Line]:
    """Name, default with its unit, and meaning; a mark where it is that of the line above."""
    above = ""
    for name, default, unit, fits_anything in _given(cls):
        item = about(cls, name)
        kind = "" if item.kind in ("inherited", "dimensionless") else item.kind
        meaning = item.meaning
        text = "" if default is inspect.Parameter.empty else _value(default)
        if unit not in (None, ONE):
            text = f"{text} {show(unit)}"
        elif is_static(default) or fits_anything or kind.startswith(NO_UNITS):
            meaning = ": ".join(part for part in (kind, meaning) if part not in ("", "1"))
        else:
            text = f"{text} [{kind or ('any unit' if unit is None else 1)}]"
        yield name, text, '"' if meaning and meaning == above else meaning
        above = meaning


def _given(cls: type) -> Iterator[tuple[str, Any, Any, bool]]:
    """Name, default, unit and whether it takes any array, of every argument."""
    if not hasattr(cls, "_specs"):  # a graph's are those of its function
        for name, argument in list(inspect.signature(cls).parameters.items()):
            if argument.kind is not argument.VAR_KEYWORD:
                default = argument.default
                missing = default is inspect.Parameter.empty
                yield name, default, None if missing else unit_of(default), missing
        return
    for name, spec in cls._specs.items():
        yield name, spec.default, spec.unit, spec.free
    clock = getattr(cls, "default_dt", None)
    if clock is not None:
        yield "dt", clock, unit_of(clock), False


def about(cls: type, name: str) -> Item:
    """What the docstrings of the class and its bases say of a parameter, the nearest first."""
    found = [item for base in cls.__mro__ if (item := said(base).parameters.get(name))]
    own = [item for item in found if item.kind not in ("", "inherited")]
    return next(iter(own or found), Item("", ""))


def _signal(cls: type, name: str) -> Line:
    """Name, unit, and where it starts or what it is."""
    found = (item for base in cls.__mro__ if (item := said(base).signals.get(name)))
    item = next(found, Item("", ""))
    _, told, *_ = *item.kind.split(", "), "", ""
    if not issubclass(cls, Node):
        return name, f"[{told or 1}]", item.meaning
    signal: Any = {**cls._states, **cls._inputs, **cls._outputs}[name]
    meaning = item.meaning or plain(signal.doc.split("\n\n")[0])
    start = "" if meaning.startswith("Starts") else _start(signal)
    return name, _unit(signal, told), "; ".join(part for part in (start, meaning) if part)


def _unit(signal: Signal, told: str) -> str:
    """The unit, as far as the class decides it."""
    unit = signal._unit
    if isinstance(unit, str):
        return f"[unit of {unit}]"
    if callable(unit):
        return f"[{told or 'set by the parameters'}]"
    return show(ONE if unit is None else unit)


def _start(signal: Signal) -> str:
    """Where a state starts and what bounds it; what an input is when nothing arrives."""
    if isinstance(signal, State):
        bounds = "" if signal.bounds is None else _bounds(*signal.bounds)
        return f"starts at {_value(signal.init)}{bounds}"
    if isinstance(signal, Input) and np.any(magnitude(signal.default) != 0):
        return f"{_value(signal.default)} where nothing arrives"
    return ""


def _value(value: Any) -> str:
    """Without its unit."""
    if is_dataclass(value):  # a distribution
        given = (getattr(value, part.name) for part in fields(value))
        told = (part if isinstance(part, str) else _value(part) for part in given)
        return f"{type(value).__name__}({', '.join(told)})"
    if callable(value):
        return getattr(value, "__name__", type(value).__name__)
    if isinstance(value, tuple) and len(repr(value)) > 30:
        return f"{len(value)} values"
    return short(magnitude(value))


def _bounds(low: float | None, high: float | None) -> str:
    if high is None:
        return f", at least {low:g}"
    return f", at most {high:g}" if low is None else f", within [{low:g}, {high:g}]"


def _table(lines: Iterable[Line]) -> str:
    lines = list(lines)
    first, second = (max(len(line[k]) for line in lines) for k in (0, 1))
    out = []
    for name, value, meaning in lines:
        start = f"    {name:{first}}  {value:{second}}  "
        out.append(_wrapped(meaning, start, " " * len(start)))
    return "\n".join(out)


def _wrapped(text: str, start: str, under: str) -> str:
    width = max(WIDTH, len(under) + 40)
    return textwrap.fill(text, width, initial_indent=start, subsequent_indent=under).rstrip() or (
        start.rstrip()
    )
