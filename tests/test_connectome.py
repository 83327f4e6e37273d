"""Connectomes: the packaged sets, TVB's files in all their forms, checks, and what one does."""

import bz2
import sys
import zipfile
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import brainunit as u
import numpy as np
import pytest

from braingraph.connectome import Connectome, load_connectome
from braingraph.errors import (
    BraingraphError,
    DelayError,
    GraphError,
    ParameterError,
    PortError,
    ShapeError,
    UnitError,
    WeightError,
)

# A chain a -> b -> c: the row is the target. Distinct lengths show any transposition.
WEIGHTS = np.array([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 4.0, 1.0]])
LENGTHS = np.array([[0.0, 11.0, 12.0], [21.0, 0.0, 22.0], [31.0, 32.0, 0.0]])
LABELS = ("a", "b", "c")


def chain(**changes: Any) -> Connectome:
    fields: dict[str, Any] = {"weights": WEIGHTS, "lengths": LENGTHS * u.mm, "labels": LABELS}
    return Connectome(**{**fields, **changes})


def table(array: np.ndarray[Any, Any]) -> str:
    return "\n".join(" ".join(f"{x:.7e}" for x in row) for row in np.atleast_2d(array)) + "\n"


FILES = {
    "weights.txt": table(WEIGHTS),
    "tract_lengths.txt": table(LENGTHS),
    "centres.txt": "a 1 2 3\nb 4 5 6 None\nc 7 8 9\n\n",
    "cortical.txt": "1 \n1\n0\n",
    "hemispheres.txt": "0\n1\n1\n",
    "areas.txt": "10\n20\n30\n",
    "average_orientations.txt": "1 0 0\n0 1 0\n0 0 1\n",
    "info.txt": "anything",
}


def as_folder(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / "set"


def as_zip(folder: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(folder / "set.zip", "w") as archive:
        for name, text in files.items():
            archive.writestr(name, bz2.compress(text.encode()) if name.endswith("bz2") else text)
    return folder / "set.zip"


def renamed(change: Callable[[str], str]) -> dict[str, str]:
    return {change(name): text for name, text in FILES.items()}


@pytest.mark.parametrize(
    ("name", "regions", "edges", "own", "first", "shortest", "longest"),
    [
        ("tvb66", 66, 1316, 61, "rBSTS", 7.0, 238.0),
        ("tvb68", 68, 1176, 68, "r_lateralorbitofrontal", 8.0425329, 252.90276),
        ("tvb76", 76, 1494, 66, "rA1", 4.9332755, 138.45425),
        ("tvb96", 96, 3860, 79, "RM-TCpol_R", 6.3184686, 150.10497),
        ("tvb192", 192, 3466, 66, "lAD", 0.0, 140.90184),
    ],
)
def test_packaged_sets(
    name: str, regions: int, edges: int, own: int, first: str, shortest: float, longest: float
) -> None:
    sc = load_connectome(name)
    assert (sc.name, sc.regions, sc.edges) == (name, regions, edges)
    assert np.count_nonzero(np.diag(sc.weights)) == own
    assert (len(sc.labels), sc.labels[0]) == (regions, first)
    used = sc.lengths.to_decimal(u.mm)[(sc.weights != 0) & ~np.eye(regions, dtype=bool)]
    assert (used.min(), used.max()) == pytest.approx((shortest, longest), abs=1e-4)
    assert sc.centres is not None and sc.centres.shape == (regions, 3)
    assert f"{regions} regions, {edges} edges, {own} self-connections" in repr(sc)


def test_rows_are_targets_as_in_the_file() -> None:
    # TVB's simulator sums weights[i, j] * x_j over j; tvb76 is not symmetric, so that a transpose
    # would show.
    file = resources.files("tvb_data").joinpath("connectivity", "connectivity_76.zip")
    with file.open("rb") as stream, zipfile.ZipFile(stream) as archive:
        written = np.loadtxt(archive.open("weights.txt"))
    assert not np.array_equal(written, written.T)
    np.testing.assert_array_equal(load_connectome("tvb76").weights, written)


@pytest.mark.parametrize(
    ("pack", "files"),
    [
        pytest.param(as_zip, FILES, id="zip"),
        pytest.param(as_folder, FILES, id="folder"),
        pytest.param(as_zip, renamed(lambda n: f"deep/er/{n}"), id="nested zip"),
        pytest.param(as_folder, renamed(lambda n: f"deep/{n}"), id="nested folder"),
        pytest.param(as_zip, renamed(lambda n: f"{n}.bz2"), id="bz2"),
        pytest.param(as_zip, renamed(lambda n: n.replace("centre", "center")), id="centers"),
        pytest.param(as_zip, {**renamed(lambda n: f"__MACOSX/{n}"), **FILES}, id="macOS"),
        pytest.param(
            as_zip,
            {n: t.replace(" ", ",").replace(",\n", "\n") for n, t in FILES.items()},
            id="commas",
        ),
    ],
)
def test_files(
    tmp_path: Path, pack: Callable[[Path, dict[str, str]], Path], files: dict[str, str]
) -> None:
    sc = load_connectome(pack(tmp_path, files))
    assert sc.name == "set"
    np.testing.assert_array_equal(sc.weights, WEIGHTS)
    np.testing.assert_array_equal(sc.lengths.to_decimal(u.mm), LENGTHS)
    assert sc.labels == LABELS
    assert sc.centres is not None and sc.cortical is not None and sc.hemispheres is not None
    assert sc.areas is not None and sc.orientations is not None
    assert sc.centres.to_decimal(u.mm).tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert sc.cortical.tolist() == [True, True, False]
    assert sc.hemispheres.tolist() == [False, True, True]
    assert sc.areas.to_decimal(u.mm**2).tolist() == [10, 20, 30]
    np.testing.assert_array_equal(sc.orientations, np.eye(3))


def test_only_weights_and_lengths_are_needed(tmp_path: Path) -> None:
    files = {n: FILES[n] for n in ("weights.txt", "tract_lengths.txt")}
    sc = load_connectome(str(as_zip(tmp_path, files)))
    assert sc.labels == ("0", "1", "2")
    assert (sc.centres, sc.cortical, sc.areas, sc.orientations, sc.hemispheres) == (None,) * 5


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"tract_lengths.txt": None}, GraphError, "has no tract_lengths.txt"),
        ({"weights.txt": " \n"}, GraphError, "has no weights.txt, or an empty one"),
        ({"weights.txt": "1 2\n3\n"}, GraphError, "weights of .* are not a table of numbers"),
        ({"weights.txt": "1 x\n3 4\n"}, GraphError, "weights of .* are not a table of numbers"),
        ({"again/weights.txt": "1"}, GraphError, "more than one file of weights"),
        ({"weights.txt": None, "weights.txt.bz2": "no"}, GraphError, "'weights.txt.bz2'"),
        ({"centres.txt": "a 1 2 3\nb 4 5 6\n"}, ShapeError, "2 labels, but the weights are"),
        ({"cortical.txt": "1\n0\n"}, ShapeError, r"cortical have shape \(2,\)"),
        ({"cortical.txt": "1\n0\n7\n"}, ShapeError, "cortical must be 0 or 1"),
    ],
)
def test_bad_files(
    tmp_path: Path, change: dict[str, str | None], error: type[BraingraphError], says: str
) -> None:
    files = {n: t for n, t in {**FILES, **change}.items() if t is not None}
    with pytest.raises(error, match=says):
        load_connectome(as_folder(tmp_path, files))


def test_neither_name_nor_file(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match="called 'tvb67'. Did you mean 'tvb.*Names: tvb66, tvb68"):
        load_connectome("tvb67")
    text = tmp_path / "weights.txt"
    text.write_text("1 2\n3 4\n")
    with pytest.raises(GraphError, match="is not a zip file"):
        load_connectome(text)


def test_without_the_data_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tvb_data", None)
    with pytest.raises(GraphError) as caught:
        load_connectome("tvb76")
    assert 'pip install "braingraph-sim[data]"' in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"weights": WEIGHTS[:2]}, ShapeError, r"shape \(2, 3\), but must be \(region, region\)"),
        ({"weights": np.zeros((0, 0))}, ShapeError, r"shape \(0, 0\)"),
        ({"weights": WEIGHTS * np.nan}, WeightError, r"9 of the 9 weights .* first at \(0, 0\)"),
        ({"lengths": LENGTHS}, UnitError, r"lengths is in \[1\], but must be in \[mm\]"),
        ({"lengths": LENGTHS * u.ms}, UnitError, r"\[ms\], but must be in \[mm\]"),
        ({"lengths": LENGTHS[:2] * u.mm}, ShapeError, r"lengths have shape \(2, 3\)"),
        ({"lengths": -LENGTHS * u.mm}, DelayError, r"6 of the 9 .* -11 mm at \(0, 1\)"),
        ({"lengths": (LENGTHS + np.inf) * u.mm}, DelayError, "9 of the 9 .* not finite"),
        ({"labels": LABELS[:2]}, ShapeError, r"2 labels, but the weights are \(3, 3\): give 3"),
        ({"centres": LENGTHS[:, :2] * u.mm}, ShapeError, r"shape \(3, 2\), but must be \(3, 3\)"),
        ({"centres": LENGTHS}, UnitError, r"centres is in \[1\]"),
        ({"areas": [1, 2, 3] * u.mm}, UnitError, r"areas is in \[mm\]"),
        ({"orientations": [1, 2, 3]}, ShapeError, "orientations"),
        ({"hemispheres": [0, 1, 2]}, ShapeError, "hemispheres must be 0 or 1"),
    ],
)
def test_checks(changes: dict[str, Any], error: type[BraingraphError], says: str) -> None:
    with pytest.raises(error, match=says):
        chain(**changes)


def test_lengths_of_any_unit_are_kept_in_mm() -> None:
    sc = chain(lengths=LENGTHS / 10 * u.cm, centres=LENGTHS / 1000 * u.meter)
    np.testing.assert_allclose(sc.lengths.to_decimal(u.mm), LENGTHS, rtol=1e-12)
    assert sc.centres is not None
    assert (sc.lengths.unit, sc.centres.unit) == (u.mm, u.mm)
    assert (sc.lengths / (5 * u.mm / u.ms)).to_decimal(u.ms)[1, 0] == pytest.approx(4.2)


def test_nobody_changes_a_connectome() -> None:
    weights = WEIGHTS.copy()
    sc = chain(weights=weights)
    weights[1, 0] = 9.0
    assert sc.weights[1, 0] == 2.0
    with pytest.raises(ValueError, match="read-only"):
        sc.weights[1, 0] = 9.0


def test_prints_in_one_line() -> None:
    assert repr(chain()) == (
        "Connectome('connectome', 3 regions, 2 edges, 1 self-connections, edge lengths 21 to 32 mm)"
    )
    assert repr(chain(weights=np.zeros((3, 3)))).endswith("0 edges, 0 self-connections)")


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        ("max", WEIGHTS / 4),
        ("rows", [[0, 0, 0], [1, 0, 0], [0, 0.8, 0.2]]),
        ("spectral", WEIGHTS),  # triangular: its eigenvalues are the diagonal, 0, 0 and 1
        ("log1p", np.log(1 + WEIGHTS)),
    ],
)
def test_normalised(mode: Any, wanted: Any) -> None:
    sc = chain()
    np.testing.assert_allclose(sc.normalised(mode).weights, wanted, rtol=1e-15)
    np.testing.assert_array_equal(sc.weights, WEIGHTS)
    assert np.isfinite(chain(weights=0 * WEIGHTS).normalised(mode).weights).all()


def test_normalised_laws_on_a_real_one() -> None:
    sc = load_connectome("tvb76")
    assert np.abs(sc.normalised("max").weights).max() == 1.0
    arriving = sc.normalised("rows").weights.sum(axis=1)
    np.testing.assert_allclose(arriving, sc.weights.any(axis=1), rtol=1e-14)
    assert np.flatnonzero(arriving == 0).tolist() == [37, 75]  # nothing arrives at these two
    eigenvalues = np.linalg.eigvals(sc.normalised("spectral").weights)
    assert np.abs(eigenvalues).max() == pytest.approx(1.0)


def test_normalised_refuses() -> None:
    with pytest.raises(ParameterError, match="'row'. Did you mean 'rows'.*'max', 'rows'"):
        chain().normalised("row")  # type: ignore[arg-type]
    with pytest.raises(WeightError, match="'log1p' needs weights of at least 0"):
        chain(weights=-WEIGHTS).normalised("log1p")


def test_without_self_connections() -> None:
    sc = load_connectome("tvb76").without_self_connections()
    assert not np.diag(sc.weights).any()
    assert sc.edges == 1494


@pytest.mark.parametrize(
    "regions", [["c", "a"], [2, 0], (2, -3), np.array([2, 0])], ids=["labels", "int", "neg", "np"]
)
def test_select(regions: Any) -> None:
    sc = chain(centres=LENGTHS * u.mm, cortical=[1, 1, 0], areas=[1, 2, 3] * u.mm**2)
    part = sc.select(regions)
    assert part.labels == ("c", "a")
    assert part.weights.tolist() == [[1, 0], [0, 0]]
    assert part.lengths.to_decimal(u.mm).tolist() == [[0, 31], [12, 0]]
    assert part.centres is not None and part.cortical is not None and part.areas is not None
    assert part.centres.to_decimal(u.mm).tolist() == [[31, 32, 0], [0, 11, 12]]
    assert part.cortical.tolist() == [False, True]
    assert part.areas.to_decimal(u.mm**2).tolist() == [3, 1]
    assert (part.orientations, part.hemispheres) == (None, None)


def test_select_by_mask() -> None:
    sc = load_connectome("tvb192")
    assert sc.cortical is not None
    cortex = sc.select(sc.cortical)
    assert cortex.regions == int(sc.cortical.sum()) < sc.regions
    assert cortex.cortical is not None and cortex.cortical.all()


@pytest.mark.parametrize(
    ("labels", "regions", "error", "says"),
    [
        (("precuneus", "b", "c"), ["precuneos"], PortError, "Did you mean 'precuneus'"),
        (("a", "a", "c"), ["a"], PortError, r"2 regions called 'a': select by index.*\[0, 1\]"),
        (LABELS, [3], ShapeError, "whole numbers below 3"),
        (LABELS, [True, False], ShapeError, "or 3 booleans"),
        (LABELS, [0.5], ShapeError, "must be labels"),
        (LABELS, [], ShapeError, "must be labels"),
    ],
)
def test_select_refuses(
    labels: tuple[str, ...], regions: Any, error: type[BraingraphError], says: str
) -> None:
    with pytest.raises(error, match=says):
        chain(labels=labels).select(regions)
