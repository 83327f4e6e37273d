"""Connectomes: who is wired to whom, how strongly, and over what distance.

Orientation, once and for all: ``weights[i, j]`` and ``lengths[i, j]`` belong to the connection
from region j to region i, (target, source). The Virtual Brain has the same convention (its
simulator pairs row i with the history of column j and sums over j), so its files are read as they
stand, never transposed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import brainunit as u
import numpy as np
import numpy.typing as npt

from braingraph import tvb
from braingraph.errors import (
    DelayError,
    ParameterError,
    PortError,
    ShapeError,
    WeightError,
    did_you_mean,
)
from braingraph.units import Quantity, strip

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Mode = Literal["max", "rows", "spectral", "log1p"]


@dataclass(frozen=True, eq=False, repr=False)
class Connectome:
    """Weights, tract lengths and names of the regions of a brain.

    Parameters
    ----------
    weights : (region, region)
        Connection strengths ``[target, source]``, in the arbitrary unit of the data set. The
        diagonal holds self-connections, if the data set has any.
    lengths : (region, region), a length
        Tract lengths ``[target, source]``; kept in mm. A delay is ``lengths / speed``.
    labels : region
        One name for each region.
    centres : (region, 3), a length, default None
        Positions x, y, z; kept in mm.
    cortical : (region,) of bool, default None
        True for cortical regions, False for subcortical ones.
    areas : (region,), an area, default None
        Kept in mm^2.
    orientations : (region, 3), default None
        Mean directions of the surface normals.
    hemispheres : (region,) of bool, default None
        True for the right hemisphere (TVB's convention).
    name : str, default "connectome"
        What the printed form calls it.

    Raises
    ------
    ShapeError
        The weights are not square, or another array does not fit the regions.
    WeightError, DelayError
        A weight is not finite; a length is negative or not finite.
    UnitError
        Lengths or centres are not lengths, or areas not areas.

    Examples
    --------
    >>> import brainunit as u
    >>> pair = Connectome([[0, 2], [1, 0]], [[0, 30], [30, 0]] * u.mm, ["left", "right"])
    >>> pair
    Connectome('connectome', 2 regions, 2 edges, 0 self-connections, edge lengths 30 to 30 mm)
    >>> float(pair.weights[0, 1])  # from right to left
    2.0
    """

    weights: Floats
    lengths: Quantity
    labels: tuple[str, ...]
    centres: Quantity | None = None
    cortical: Bools | None = None
    areas: Quantity | None = None
    orientations: Floats | None = None
    hemispheres: Bools | None = None
    name: str = "connectome"

    def __post_init__(self) -> None:
        weights = _frozen(self.weights, "weights")
        if weights.ndim != 2 or weights.shape[0] != weights.shape[1] or not weights.size:
            raise ShapeError(
                f"The weights have shape {weights.shape}, but must be (region, region): "
                "a square matrix [target, source].",
                path="weights",
                given=weights.shape,
            )
        n = len(weights)
        if bad := int(np.sum(~np.isfinite(weights))):
            raise WeightError(
                f"{bad} of the {n * n} weights are not finite, first at "
                f"{_first(~np.isfinite(weights))}. If they mean 'no connection', "
                "pass np.nan_to_num(weights).",
                path="weights",
            )
        labels = tuple(str(label) for label in self.labels)
        if len(labels) != n:
            raise ShapeError(
                f"There are {len(labels)} labels, but the weights are {weights.shape}: "
                f"give {n} labels.",
                path="labels",
                given=len(labels),
                needed=n,
            )
        values: dict[str, Any] = {"weights": weights, "labels": labels}
        values["lengths"] = Quantity(self._checked_lengths(n), unit=u.mm)
        for field, shape, unit in (("centres", (n, 3), u.mm), ("areas", (n,), u.mm**2)):
            if (given := getattr(self, field)) is not None:
                numbers = _frozen(strip(given, unit, f"the array of {field}"), field, shape)
                values[field] = Quantity(numbers, unit=unit)
        if self.orientations is not None:
            values["orientations"] = _frozen(self.orientations, "orientations", (n, 3))
        for field in ("cortical", "hemispheres"):
            if (given := getattr(self, field)) is not None:
                values[field] = _flags(given, field, n)
        for field, value in values.items():
            object.__setattr__(self, field, value)

    def _checked_lengths(self, n: int) -> Floats:
        fix = "multiply them by their unit, as in lengths * u.mm."
        lengths = _frozen(strip(self.lengths, u.mm, "lengths", fix), "lengths", (n, n))
        bad = ~(np.isfinite(lengths) & (lengths >= 0))
        if np.any(bad):
            worst = float(lengths[_first(bad)])
            raise DelayError(
                f"{int(bad.sum())} of the {n * n} tract lengths are negative or not finite, first "
                f"{worst:g} mm at {_first(bad)}, but a length must be at least 0 mm. Where there "
                "is no connection, use 0.",
                path="lengths",
                given=worst,
            )
        return lengths

    def __repr__(self) -> str:
        """One line: regions, edges and the range of their lengths."""
        own = int(np.count_nonzero(np.diag(self.weights)))
        text = f"{self.regions} regions, {self.edges} edges, {own} self-connections"
        used = self.lengths.to_decimal(u.mm)[self._between()]
        if used.size:
            text += f", edge lengths {used.min():.3g} to {used.max():.3g} mm"
        return f"Connectome({self.name!r}, {text})"

    @property
    def regions(self) -> int:
        """How many regions there are."""
        return len(self.weights)

    @property
    def edges(self) -> int:
        """How many weights between two different regions are not zero."""
        return int(np.count_nonzero(self._between()))

    def _between(self) -> Bools:
        between: Bools = np.logical_and(self.weights != 0, ~np.eye(self.regions, dtype=bool))
        return between

    def normalised(self, mode: Mode = "max") -> Connectome:
        """The same connectome with rescaled weights.

        ``"max"`` divides by the largest absolute weight; ``"rows"`` divides each row by its sum
        of absolute weights, so that every region receives a total of 1 (or of 0, when nothing
        arrives); ``"spectral"`` divides by the spectral radius, so that linear coupling is
        stable below strength 1; ``"log1p"`` takes log(1 + w), for streamline counts.

        >>> import brainunit as u
        >>> pair = Connectome([[0, 2], [1, 0]], [[0, 30], [30, 0]] * u.mm, ["left", "right"])
        >>> pair.normalised("rows").weights.tolist()
        [[0.0, 1.0], [1.0, 0.0]]
        """
        if mode not in _NORMALISERS:
            menu = ", ".join(repr(known) for known in _NORMALISERS)
            raise ParameterError(
                f"There is no way to normalise called {mode!r}."
                f"{did_you_mean(str(mode), _NORMALISERS)} Choose one of: {menu}.",
                path="mode",
                given=mode,
            )
        return replace(self, weights=_NORMALISERS[mode](self.weights))

    def without_self_connections(self) -> Connectome:
        """The same connectome with a zero diagonal.

        66 of tvb76's regions have a self-connection, of length 0: an additive coupling feeds it
        back at once, a diffusive one cancels it.
        """
        return replace(self, weights=np.where(np.eye(self.regions, dtype=bool), 0, self.weights))

    def select(self, regions: Sequence[str] | Sequence[int] | npt.NDArray[Any]) -> Connectome:
        """Some of the regions, in the order given: labels, indices, or a mask of booleans.

        Raises PortError for an unknown or ambiguous label and ShapeError for an index or a mask
        that does not fit.
        """
        index = self._index(regions)
        square = np.ix_(index, index)
        cut: dict[str, Any] = {
            field: None if value is None else value[index]
            for field in ("centres", "cortical", "areas", "orientations", "hemispheres")
            for value in [getattr(self, field)]
        }
        cut["lengths"] = self.lengths[square]
        cut["labels"] = tuple(self.labels[k] for k in index)
        return replace(self, weights=self.weights[square], **cut)

    def _index(self, regions: Sequence[Any] | npt.NDArray[Any]) -> npt.NDArray[np.intp]:
        chosen = np.asarray(regions)
        if chosen.dtype.kind in "UOT":
            return np.array([self._find(str(label)) for label in chosen], dtype=np.intp)
        if chosen.dtype == bool and chosen.shape == (self.regions,):
            return np.flatnonzero(chosen)
        if chosen.dtype.kind in "iu" and chosen.ndim == 1:
            if chosen.size and (-self.regions <= chosen.min()) and (chosen.max() < self.regions):
                return chosen.astype(np.intp)
        raise ShapeError(
            f"The regions to select are {regions!r}, but must be labels, whole numbers below "
            f"{self.regions}, or {self.regions} booleans.",
            path="regions",
            given=regions,
        )

    def _find(self, label: str) -> int:
        found = [k for k, known in enumerate(self.labels) if known == label]
        if len(found) == 1:
            return found[0]
        if found:
            raise PortError(
                f"{self.name} has {len(found)} regions called {label!r}: select by index, one of "
                f"{found}.",
                path=label,
            )
        raise PortError(
            f"{self.name} has no region {label!r}.{did_you_mean(label, self.labels)} "
            f"Its {self.regions} regions are in .labels.",
            path=label,
        )


def _by_rows(weights: Floats) -> Floats:
    total = np.abs(weights).sum(axis=1, keepdims=True)
    return weights / np.where(total > 0, total, 1.0)


def _log1p(weights: Floats) -> Floats:
    if np.any(weights < 0):
        raise WeightError("'log1p' needs weights of at least 0: this connectome has negative ones.")
    return np.log1p(weights)


def _over(weights: Floats, size: float) -> Floats:
    return weights / size if size > 0 else weights


_NORMALISERS: dict[str, Callable[[Floats], Floats]] = {
    "max": lambda w: _over(w, float(np.abs(w).max())),
    "rows": _by_rows,
    "spectral": lambda w: _over(w, float(np.abs(np.linalg.eigvals(w)).max())),
    "log1p": _log1p,
}


def load_connectome(name_or_path: str | Path) -> Connectome:
    """A connectome of The Virtual Brain by name, or from a zip or folder in its format.

    Parameters
    ----------
    name_or_path : str or Path
        "tvb66", "tvb68", "tvb76", "tvb96" or "tvb192" (from the ``tvb-data`` package), or the
        path of a zip or folder with ``weights.txt``, ``tract_lengths.txt`` (mm), and maybe
        ``centres.txt`` or ``centers.txt`` (label x y z, mm), ``cortical.txt``,
        ``hemispheres.txt``, ``areas.txt`` (mm^2) and ``average_orientations.txt``. Files may be
        compressed (``.txt.bz2``) and lie in a folder within. Without centres the labels are
        "0", "1", ... A name wins over a folder of the same name: write ``"./tvb76"`` for that.

    Raises
    ------
    GraphError
        No such name or path, a file is missing or unreadable, or ``tvb-data`` is not installed.
    ShapeError, WeightError, DelayError
        The numbers in it do not make a connectome (see Connectome).

    Notes
    -----
    Source: the file format and the data sets are TVB's (Sanz Leon et al. 2013, Front.
    Neuroinform. 7:10). Deviations: none in the numbers; self-connections, which all these
    sets have on the diagonal, are kept.

    Examples
    --------
    >>> load_connectome("tvb76")
    Connectome('tvb76', 76 regions, 1494 edges, 66 self-connections, edge lengths 4.93 to 138 mm)
    """
    return Connectome(**tvb.read(name_or_path))


def _frozen(value: Any, field: str, shape: tuple[int, ...] | None = None) -> Floats:
    """A private float64 copy of ``value`` that cannot be written to."""
    array = np.array(value, dtype=np.float64)
    if shape is not None and array.shape != shape:
        raise ShapeError(
            f"The {field} have shape {array.shape}, but must be {shape}: one row for each region.",
            path=field,
            given=array.shape,
            needed=shape,
        )
    array.setflags(write=False)
    return array


def _flags(value: Any, field: str, n: int) -> Bools:
    array = _frozen(value, field, (n,))
    if not np.isin(array, (0, 1)).all():
        raise ShapeError(f"The {field} must be 0 or 1 for each region.", path=field)
    flags = array.astype(bool)
    flags.setflags(write=False)
    return flags


def _first(bad: Bools) -> tuple[int, ...]:
    return tuple(int(k) for k in np.argwhere(bad)[0])
