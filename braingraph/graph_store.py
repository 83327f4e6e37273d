"""A described graph in a group of a store: ``graph/``, which any reader of Zarr can read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import zarr
from zarr.codecs import BloscCodec

from braingraph.description import SCHEMA, Description, Json, digest, forms, owners
from braingraph.errors import StoreError
from braingraph.hierarchy import CHUNK_BYTES, array_in
from braingraph.literals import unit_from


def save(group: zarr.Group, description: Description) -> None:
    """Write a description into an empty group: JSON and digest as attributes, and the arrays.

    Every node and edge that has arrays is a group of its own, an xarray dataset. Where units have
    labels, they are the coordinates of weights and delays.
    """
    found = list(forms(description.json))
    dims = {form["array"]: form["dims"] for form in found if "array" in form}
    units: dict[str, Any] = {}
    for form in found:
        value = form.get("value")
        if isinstance(value, Mapping):
            value = value.get("values", value) if "sparse" in value else value
            units[value.get("array", "")] = str(unit_from(form["unit"]))
    for name, array in description.arrays.items():
        attributes = {"units": units[name]} if name in units else {}
        _write(group, name, np.asarray(array), dims[name], attributes)
    for name, labels in _coordinates(description, dims):
        _write(group, name, np.array(labels, object), [name.rpartition("/")[2]], {})
    group.attrs.update({**description.json, "digest": digest(description)})


def load(group: zarr.Group) -> Description:
    """The description in a group. Arrays are read when they are asked for.

    Errors
    ------
    StoreError
        The group holds none, or one of another version.
    """
    json: Json = group.attrs.asdict()
    json.pop("digest", None)
    if json.get("schema") != SCHEMA:
        raise StoreError(
            f"{str(group.store_path)!r} holds no graph of the layout {SCHEMA!r}, but "
            f"{json.get('schema')!r}: read it with the version of braingraph that wrote it.",
            path=str(group.store_path),
            given=json.get("schema"),
            needed=SCHEMA,
        )
    names = {form["array"] for form in forms(json) if "array" in form}
    return Description(json, _Stored(group, tuple(sorted(names))))


class _Stored(Mapping[str, Any]):
    """Arrays that stand in a group, read at every look."""

    def __init__(self, group: zarr.Group, names: tuple[str, ...]) -> None:
        self._group, self._names = group, names

    def __getitem__(self, name: str) -> Any:
        return np.asarray(array_in(self._group, name)[...])

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _write(
    group: zarr.Group, name: str, plain: np.ndarray[Any, Any], dims: Any, attributes: Json
) -> None:
    words = plain.dtype.kind in "OUT"
    row = plain.itemsize * int(np.prod(plain.shape[1:]))
    rows = max(1, min(len(plain), CHUNK_BYTES // max(row, 1)))
    kind: Any = str if words else plain.dtype
    codecs: Any = [BloscCodec(cname="zstd", clevel=1, shuffle="bitshuffle")]
    array = group.create_array(
        name,
        shape=plain.shape,
        chunks=(rows, *plain.shape[1:]),
        dtype=kind,
        compressors="auto" if words else codecs,
        dimension_names=tuple(dims),
        attributes=attributes,
    )
    array[...] = plain


def _coordinates(description: Description, dims: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Labels along the targets and sources of matrices, by the name of their array."""
    labels: dict[str, Any] = {}
    for path, item in owners(description.json):
        if item.get("labels") is not None:
            held = item["labels"]
            labels[path] = description.arrays[held["array"]] if "array" in held else held
    out: dict[str, Any] = {}
    for path, item in owners(description.json):
        outside = path.removesuffix(item["name"])
        for form in forms({key: item.get(key) for key in ("parameters", "delay")}):
            name = form.get("array", "")
            for axis, end in enumerate(dims.get(name, ())):
                if end in ("target", "source"):
                    known = labels.get(f"{outside}{item[end]}".rpartition(".")[0], ())
                    if len(known) == description.arrays[name].shape[axis]:
                        out[f"{name.rpartition('/')[0]}/{end}"] = known
    yield from out.items()
