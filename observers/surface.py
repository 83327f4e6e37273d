"""From dipoles at the vertices of a surface to regions."""

from __future__ import annotations

from typing import Any

import brainunit as u
import numpy as np

from braingraph.errors import ShapeError
from braingraph.observers.geometry import directions, matrix
from braingraph.parameters import numbers
from braingraph.units import Quantity


def compress_vertex_leadfield(L_3V: Any, W: Any) -> Any:
    """The gain of regions from that of dipoles at the vertices of a surface: L_3V W.

    Parameters
    ----------
    L_3V : any unit, (sensor, 3 vertex)
        Gains of dipoles along x at every vertex, then along y, then along z.
    W : any unit, (3 vertex, region)
        Moment of each for one unit of its region: :func:`build_fixed_orientation_weights`.

    Returns
    -------
    gain : unit of L_3V times that of W, (sensor, region)

    Errors
    ------
    ShapeError
        The columns of L_3V are not the rows of W.

    >>> import numpy as np
    >>> from braingraph.observers import compress_vertex_leadfield
    >>> compress_vertex_leadfield(np.ones((2, 6)), np.eye(6)[:, :4]).shape
    (2, 4)
    """
    fields, weights = matrix(L_3V, "L_3V"), matrix(W, "W")
    if fields.shape[1] != weights.shape[0]:
        raise ShapeError(
            f"L_3V has shape {fields.shape} and W {weights.shape}: the columns of L_3V, three for "
            "each vertex, must be the rows of W.",
            given=fields.shape,
            needed=(fields.shape[0], weights.shape[0]),
        )
    unit = u.get_unit(L_3V) * u.get_unit(W)
    product = fields @ weights
    return product if unit == u.UNITLESS else Quantity(product, unit=unit)


def build_fixed_orientation_weights(normals: Any, parcel: Any, areas: Any = None) -> Any:
    """Weights (3 vertex, region) of dipoles along the normals of a surface.

    ::

        W[k V + v, r] = areas[v] normals[v, k] parcel[v, r],        k = x, y, z of V vertices

    Parameters
    ----------
    normals : (vertex, 3)
        Unit vectors.
    parcel : (vertex, region)
        How much of a vertex belongs to a region: 0 or 1, or a share.
    areas : any unit, (vertex,), default 1
        With an area, sources are moments per area.

    Returns
    -------
    W : unit of areas, (3 vertex, region)

    Errors
    ------
    ParameterError
        A normal that is no unit vector.
    ShapeError
        Shapes that do not fit.

    >>> from braingraph.observers import build_fixed_orientation_weights
    >>> W = build_fixed_orientation_weights([[1, 0, 0], [0, 0, 1]], [[1, 0], [0, 1]], [2.0, 3.0])
    >>> print(W.tolist())
    [[2.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 3.0]]
    """
    belongs = matrix(parcel, "parcel")
    vertices = len(belongs)
    along = directions(normals, "normals", belongs)
    unit = u.get_unit(areas) if areas is not None else u.UNITLESS
    size = numbers(u.get_magnitude(np.ones(vertices) if areas is None else areas), "areas")
    if size.shape != (vertices,):
        raise ShapeError(
            f"areas have shape {size.shape}, but must have {(vertices,)}: one a vertex.",
            given=size.shape,
            needed=(vertices,),
        )
    weights = (along.T[:, :, None] * (size[:, None] * belongs)).reshape(3 * vertices, -1)
    return weights if unit == u.UNITLESS else Quantity(weights, unit=unit)
