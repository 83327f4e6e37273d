"""The files of a connectome in the format of The Virtual Brain: a zip, or a folder, of tables."""

from __future__ import annotations

import bz2
import io
import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any

import brainunit as u
import numpy as np
import numpy.typing as npt

from braingraph.errors import GraphError, did_you_mean

#: The connectomes of the ``tvb-data`` package, by name.
PACKAGED = {f"tvb{n}": f"connectivity_{n}.zip" for n in (66, 68, 76, 96, 192)}


def read(name_or_path: str | Path) -> dict[str, Any]:
    """The fields of a Connectome, by name or from a zip or folder (see ``load_connectome``)."""
    name = str(name_or_path)
    if isinstance(name_or_path, str) and name in PACKAGED:
        return _parse(_unzip(io.BytesIO(_packaged(name)), name), name)
    path = Path(name_or_path)
    if path.is_dir():
        files = {p.relative_to(path).as_posix(): p.read_bytes for p in path.rglob("*.txt*")}
        return _parse(_members(files, name), path.resolve().name)
    if not path.exists():
        raise GraphError(
            f"There is no connectome and no file called {name!r}.{did_you_mean(name, PACKAGED)} "
            f"Names: {', '.join(PACKAGED)}; or give the path of a zip or folder in TVB's format.",
            path=name,
        )
    return _parse(_unzip(io.BytesIO(path.read_bytes()), name), path.stem)


def _packaged(name: str) -> bytes:
    try:
        folder = resources.files("tvb_data")
    except ModuleNotFoundError as error:
        raise GraphError(
            f"The connectome {name!r} comes with the package tvb-data, which is not installed: "
            'pip install "braingraph-sim[data]"',
            path=name,
        ) from error
    return folder.joinpath("connectivity", PACKAGED[name]).read_bytes()


def _unzip(file: io.BytesIO, name: str) -> dict[str, str]:
    try:
        with zipfile.ZipFile(file) as archive:
            files = {i: partial(archive.read, i) for i in archive.namelist()}
            return _members(files, name)
    except zipfile.BadZipFile as error:
        raise GraphError(
            f"{name!r} is not a zip file, but must be a zip or folder with weights.txt and "
            "tract_lengths.txt.",
            path=name,
        ) from error


_FILES = {
    "weights": "weights",
    "tract_lengths": "lengths",
    "centres": "centres",
    "centers": "centres",
    "cortical": "cortical",
    "hemispheres": "hemispheres",
    "areas": "areas",
    "average_orientations": "orientations",
}


def _members(files: Mapping[str, Callable[[], bytes]], where: str) -> dict[str, str]:
    """What of a connectome the files hold: its field -> its text."""
    texts: dict[str, str] = {}
    for name, read_bytes in files.items():
        path = PurePosixPath(name)
        base, _, ending = path.name.partition(".")
        # macOS adds a shadow folder with a file of the same name for every file.
        if base not in _FILES or ending not in ("txt", "txt.bz2") or "__MACOSX" in path.parts:
            continue
        if _FILES[base] in texts:
            raise GraphError(
                f"{where!r} holds more than one file of {_FILES[base]}, the second is {name!r}: "
                "give the folder of one connectome.",
                path=where,
            )
        try:
            content = read_bytes()
            texts[_FILES[base]] = (bz2.decompress(content) if "bz2" in ending else content).decode()
        except (OSError, ValueError) as error:
            raise GraphError(f"{name!r} in {where!r} cannot be read: {error}", path=name) from error
    for needed in ("weights", "tract_lengths"):
        if not texts.get(_FILES[needed], "").strip():
            raise GraphError(
                f"{where!r} has no {needed}.txt, or an empty one. A connectome needs weights.txt "
                "and tract_lengths.txt.",
                path=where,
            )
    return texts


def _parse(texts: dict[str, str], name: str) -> dict[str, Any]:
    numbers = {f: _numbers(t, f, name) for f, t in texts.items() if f != "centres" and t.strip()}
    units = {"lengths": u.mm, "areas": u.mm**2}
    flat = ("cortical", "hemispheres", "areas")
    fields: dict[str, Any] = {
        field: (table.ravel() if field in flat else table) * units.get(field, 1)
        for field, table in numbers.items()
    }
    fields["name"] = name
    rows = [line.replace(",", " ").split() for line in texts.get("centres", "").splitlines()]
    rows = [row for row in rows if row]
    if rows:
        # Some sets have a fifth column, a comment: only the first four count.
        places = "\n".join(" ".join(row[1:4]) for row in rows)
        fields["centres"] = _numbers(places, "centres", name) * u.mm
        fields["labels"] = [row[0] for row in rows]
    else:
        fields["labels"] = [str(k) for k in range(len(fields["weights"]))]
    return fields


def _numbers(text: str, field: str, name: str) -> npt.NDArray[np.float64]:
    try:
        return np.loadtxt(io.StringIO(text.replace(",", " ")), dtype=np.float64, ndmin=2)
    except ValueError as error:
        raise GraphError(
            f"The {field} of {name!r} are not a table of numbers: {error}", path=name
        ) from error
