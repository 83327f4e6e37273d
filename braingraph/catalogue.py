"""All models in one table: what ``bg.list_models()`` returns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType

from braingraph.card import category, signals, source
from braingraph.component import Coupling, Node
from braingraph.errors import ParameterError, did_you_mean
from braingraph.graph import Graph
from braingraph.show import Tree, plural

#: In the order of the table; a category that is not among them comes last.
CATEGORIES = (
    "phenomenological",
    "physiological",
    "spiking",
    "building block",
    "noise",
    "stimulus",
    "coupling",
    "observer",
)
LONGEST = 30  # characters of a list of signals in the table


@dataclass(frozen=True)
class Entry:
    """One model: its class, and what its card says in short. ``print(entry.model)`` is the card."""

    name: str
    category: str
    states: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    source: str
    model: type[Node] | type[Coupling] | type[Graph]

    @classmethod
    def of(cls, model: type) -> Entry:
        """The entry of a class."""
        kinds = signals(model)
        states, inputs, outputs = (
            tuple(name for name, its in kinds.items() if its == kind)
            for kind in ("state", "input", "output")
        )
        text = source(model)
        return cls(model.__name__, category(model), states, inputs, outputs, text, model)

    def columns(self) -> tuple[str, ...]:
        """The cells of its line."""
        inputs = "<- " + _joined(self.inputs) if self.inputs else ""
        outputs = "-> " + _joined(self.outputs) if self.outputs else ""
        return self.name, _joined(self.states), inputs, outputs, in_short(self.source)


@dataclass(frozen=True)
class Catalogue:
    """The models by category. Prints itself; ``len``, iteration, ``catalogue["HopfStep"]``."""

    entries: tuple[Entry, ...]

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __contains__(self, name: object) -> bool:
        return any(name in (entry.name, entry.model) for entry in self.entries)

    def __getitem__(self, name: str) -> Entry:
        """The entry of the model of that name."""
        found = {entry.name: entry for entry in self.entries}
        if name in found:
            return found[name]
        raise ParameterError(
            f"there is no model {name!r} in this list.{did_you_mean(str(name), found)} "
            "print(bg.list_models()) shows all.",
            parameter=name,
        )

    @property
    def categories(self) -> tuple[str, ...]:
        """Those that hold a model, in the order of the table."""
        return tuple(dict.fromkeys(entry.category for entry in self.entries))

    def of(self, category: str) -> Catalogue:
        """The models of one category."""
        if category not in self.categories:
            raise ParameterError(
                f"there is no category {category!r} of models."
                f"{did_you_mean(str(category), self.categories)} "
                f"There are: {', '.join(self.categories)}.",
                parameter="category",
            )
        return Catalogue(tuple(e for e in self.entries if e.category == category))

    def _tree(self) -> Tree:
        lines = {entry.name: entry.columns() for entry in self.entries}
        widths = [max(map(len, cells), default=0) for cells in zip(*lines.values(), strict=True)]
        last = len(widths) - 1

        def line(name: str) -> Tree:  # aligned across the categories too
            cells = enumerate(lines[name])
            return Tree(tuple(c if k == last else c.ljust(widths[k]) for k, c in cells))

        return Tree(
            (plural(len(self), "model"),),
            tuple(
                Tree((kind,), tuple(line(e.name) for e in self if e.category == kind))
                for kind in self.categories
            ),
        )

    def __str__(self) -> str:
        return self._tree().text()

    def __repr__(self) -> str:
        return f"Catalogue({plural(len(self), 'model')})"

    def _repr_html_(self) -> str:
        return self._tree().html()


def catalogue(folders: Iterable[ModuleType]) -> Catalogue:
    """Every model that the folders export."""
    exported = (getattr(folder, name) for folder in folders for name in folder.__all__)
    models = (m for m in exported if isinstance(m, type) and issubclass(m, (Node, Coupling, Graph)))
    entries = [Entry.of(model) for model in models]
    order = [*CATEGORIES, *(entry.category for entry in entries)]
    return Catalogue(tuple(sorted(entries, key=lambda e: (order.index(e.category), e.name))))


def in_short(source: str) -> str:
    """Authors and year; the first statement where it is not dated."""
    dated = re.match(r"((?:[^;()]|\([^()]*\))*?)\(?\b((?:18|19|20)\d\d)\b", source)
    if dated is None:
        return re.split(r"[.;]|,? \(", source)[0]
    text = dated[1].rpartition(": ")[2]
    many = re.match(r"([^,.&]+), [^.&(]*& ", text)
    two = re.match(r"[^,.&(]+ & [^,.&(]+", text)
    authors = f"{many[1]} et al." if many else two[0] if two else re.split("[,(]", text)[0]
    return f"{authors.strip()} {dated[2]}"


def _joined(names: tuple[str, ...]) -> str:
    """The names, or the first and the last where they are many."""
    text = ", ".join(names)
    return text if len(text) <= LONGEST else f"{names[0]}, ..., {names[-1]} ({len(names)})"
