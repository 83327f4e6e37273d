"""Gains of dipoles in closed form: EEG and MEG of a sphere, and electrodes in tissue.

Positions are quantities of length, ``(number, 3)``, in one frame for sensors and sources. Every
function returns a gain ``(sensor, source)`` that goes straight into the lead fields of
:mod:`braingraph.observers.leadfield`; ``orientations=None`` gives the three components of each
dipole, ``(sensor, 3 source)``, all along x first, then y, then z, as
:func:`braingraph.observers.compress_vertex_leadfield` takes them.
"""

from __future__ import annotations

from typing import Any

import brainunit as u
import numpy as np

from braingraph.errors import ParameterError
from braingraph.observers.geometry import (
    directions,
    geometry,
    length,
    on_sphere,
    positive,
    within,
)
from braingraph.units import Quantity, Unit

#: T m / A.
VACUUM_PERMEABILITY = 4e-7 * np.pi
PER_DIPOLE = u.volt / (u.amp * u.meter)
PER_CURRENT = u.volt / u.amp
FIELD_PER_DIPOLE = u.tesla / (u.amp * u.meter)
CONDUCTIVITY = u.siemens / u.meter


def eeg_sphere_gain(
    electrodes: Any,
    sources: Any,
    orientations: Any = None,
    *,
    radius: Any,
    conductivity: Any = 0.33 * CONDUCTIVITY,
    centre: Any = None,
) -> Quantity:
    """The potential of dipoles in a homogeneous sphere, at electrodes on its surface.

    ::

        V = q . [2 d / |d|^3 + (r + R d / |d|) / (R (R^2 - r . r0 + R |d|))] / (4 pi sigma)
        d = r - r0

    for a dipole q at r0 and an electrode at r, |r| = R, from the centre: the gradient, with respect
    to r0, of Neumann's function of the ball. Its mean over the sphere is 0: that is the reference.

    Parameters
    ----------
    electrodes : length, (sensor, 3)
        On the sphere, to a thousandth of its radius.
    sources : length, (source, 3)
        Within it.
    orientations : (source, 3), default None
        Unit vectors; None: all three components.
    radius : length
    conductivity : default 0.33 S / m
    centre : length, (3,), default the origin

    Returns
    -------
    gain : V / (A m), (sensor, source)

    Errors
    ------
    ParameterError
        An electrode off the sphere, a source not within it, an orientation that is no unit vector.
    ShapeError
        Positions that are not (number, 3), or orientations of another number of sources.
    UnitError
        Positions that are no lengths, or a conductivity that is none.

    Source: Brody, Terry & Ideker 1973, IEEE Trans Biomed Eng 20:141, and the Legendre series of
    Nunez & Srinivasan 2006, Electric Fields of the Brain, whose sum this is. Written so that it is
    finite for a dipole at the centre.

    >>> import brainunit as u
    >>> from braingraph.observers import eeg_sphere_gain
    >>> gain = eeg_sphere_gain(  # a dipole at the centre: 3 cos(angle) / (4 pi sigma R^2)
    ...     [[0, 0, 90], [90, 0, 0]] * u.mm, [[0, 0, 0]] * u.mm, [[0, 0, 1]], radius=90 * u.mm
    ... )
    >>> print(gain.to_decimal(u.uvolt / (u.nA * u.meter)).round(4).tolist())
    [[0.0893], [0.0]]
    """
    r, r0, along = geometry(electrodes, "electrodes", sources, orientations, centre)
    R = positive(radius, u.meter, "radius")
    sigma = positive(conductivity, CONDUCTIVITY, "conductivity")
    on_sphere(r, R)
    within(r0, R, "the sphere")
    d = r[:, None] - r0
    distance = length(d)
    below = R * (R * R - (r @ r0.T)[..., None] + R * distance)
    field = 2 * d / distance**3 + (r[:, None] + R * d / distance) / below
    return _gain(field / (4 * np.pi * sigma), along, PER_DIPOLE)


def meg_sphere_gain(
    sensors: Any,
    normals: Any,
    sources: Any,
    orientations: Any = None,
    *,
    centre: Any = None,
) -> Quantity:
    """The magnetic field of dipoles in a spherical conductor, along the normals of its sensors.

    ::

        B = mu0 / (4 pi F^2) (F q x r0 - ((q x r0) . r) grad F)
        F = a (a r + r^2 - r0 . r),        a = |r - r0|, r = |r|
        grad F = (a^2 / r + a_vec . r / a + 2 a + 2 r) r - (a + 2 r + a_vec . r / a) r0

    for a dipole q at r0 and a sensor at r, from the centre. The conductivity does not matter,
    radial dipoles are silent, and the sign is that of the component along the normal.

    Parameters
    ----------
    sensors : length, (sensor, 3)
        Outside of the sphere through the outermost source.
    normals : (sensor, 3)
        Unit vectors: the component of the field that each sensor measures.
    sources : length, (source, 3)
    orientations : (source, 3), default None
        Unit vectors; None: all three components.
    centre : length, (3,), default the origin

    Returns
    -------
    gain : T / (A m), (sensor, source)

    Errors
    ------
    ParameterError
        A source as far out as a sensor, a normal or an orientation that is no unit vector.
    ShapeError
        Positions that are not (number, 3), or vectors of another number.
    UnitError
        Positions that are no lengths.

    Source: Sarvas 1987, Phys Med Biol 32:11, eq. 25. TVB has the vector a where the paper has its
    norm, so that radial dipoles are seen, and drops the sign.

    >>> import brainunit as u
    >>> from braingraph.observers import meg_sphere_gain
    >>> up = [[0, 0, 1]]
    >>> where = ([[30, 20, 110]] * u.mm, up, [[0, 0, 70], [0, 0, 70]] * u.mm)
    >>> gain = meg_sphere_gain(*where, [[1, 0, 0], [0, 0, 1]])  # tangential, radial
    >>> print((10 * u.nA * u.meter * gain).to_decimal(u.ftesla).round(2).tolist())
    [[82.47, 0.0]]
    """
    r, r0, along = geometry(sensors, "sensors", sources, orientations, centre)
    n = directions(normals, "normals", r)
    R = np.linalg.norm(r, axis=1)
    within(r0, float(R.min()), "the sphere through the innermost sensor")
    d = r[:, None] - r0
    a = length(d)
    slope = np.einsum("msk,mk->ms", d, r)[..., None] / a
    inner = (r @ r0.T)[..., None]
    radius = R[:, None, None]
    F = a * (a * radius + radius**2 - inner)
    to_r = np.einsum("mk,mk->m", r, n)[:, None, None]
    to_r0 = (n @ r0.T)[..., None]
    gradient = (a * a / radius + slope + 2 * a + 2 * radius) * to_r
    gradient = gradient - (a + 2 * radius + slope) * to_r0
    # (q x r0) . n = q . (r0 x n), and so for r
    field = (np.cross(r0, n[:, None]) - np.cross(r0, r[:, None]) * gradient / F) / F
    field = VACUUM_PERMEABILITY / (4 * np.pi) * field
    return _gain(field, along, FIELD_PER_DIPOLE)


def seeg_dipole_gain(
    contacts: Any,
    sources: Any,
    orientations: Any = None,
    *,
    conductivity: Any = 0.33 * CONDUCTIVITY,
) -> Quantity:
    """The potential of dipoles at contacts inside a homogeneous conductor without bounds.

    ::

        V = q . d / (4 pi sigma |d|^3),        d = r - r0

    Parameters
    ----------
    contacts : length, (sensor, 3)
    sources : length, (source, 3)
        Not where a contact is.
    orientations : (source, 3), default None
        Unit vectors; None: all three components.
    conductivity : default 0.33 S / m

    Returns
    -------
    gain : V / (A m), (sensor, source)

    Errors
    ------
    ParameterError
        A source at a contact, or an orientation that is no unit vector.
    ShapeError, UnitError
        As :func:`eeg_sphere_gain`.

    Source: Sarvas 1987, Phys Med Biol 32:11, eq. 12; TVB's ``iEEG``, where the conductivity is 1.

    >>> import brainunit as u
    >>> from braingraph.observers import seeg_dipole_gain
    >>> gain = seeg_dipole_gain([[0, 0, 10]] * u.mm, [[0, 0, 0]] * u.mm, [[0, 0, 1]])
    >>> print(gain.to_decimal(u.uvolt / (u.nA * u.meter)).round(3).tolist())
    [[2.411]]
    """
    d, distance, along = _apart(contacts, sources, orientations)
    sigma = positive(conductivity, CONDUCTIVITY, "conductivity")
    return _gain(d / (4 * np.pi * sigma * distance**3), along, PER_DIPOLE)


def seeg_monopole_gain(
    contacts: Any, sources: Any, *, conductivity: Any = 0.33 * CONDUCTIVITY
) -> Quantity:
    """The potential of currents that leave points of a homogeneous conductor without bounds.

    ::

        V = I / (4 pi sigma |r - r0|)

    Parameters
    ----------
    contacts : length, (sensor, 3)
    sources : length, (source, 3)
        Not where a contact is.
    conductivity : default 0.33 S / m

    Returns
    -------
    gain : V / A, (sensor, source)

    Errors
    ------
    As :func:`seeg_dipole_gain`.

    Tissue has no net sources: the sum over regions means something for currents that add up to 0.

    Source: Malmivuo & Plonsey 1995, Bioelectromagnetism, chapter 8.

    >>> import brainunit as u
    >>> from braingraph.observers import seeg_monopole_gain
    >>> gain = seeg_monopole_gain([[0, 0, 10], [0, 0, 20]] * u.mm, [[0, 0, 0]] * u.mm)
    >>> print(gain.to_decimal(u.uvolt / u.nA).round(4).tolist())
    [[0.0241], [0.0121]]
    """
    _, distance, _ = _apart(contacts, sources, None)
    sigma = positive(conductivity, CONDUCTIVITY, "conductivity")
    return Quantity(1 / (4 * np.pi * sigma * distance[..., 0]), unit=PER_CURRENT)


def _apart(
    contacts: Any, sources: Any, orientations: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """From each source to each contact: (sensor, source, 3), its length, and directions."""
    r, r0, along = geometry(contacts, "contacts", sources, orientations)
    d = r[:, None] - r0
    distance = length(d)
    if not distance.all():
        sensor, source = (int(k) for k in np.argwhere(distance[..., 0] == 0)[0])
        raise ParameterError(
            f"source {source} is where contact {sensor} is: its potential there is infinite. Move "
            "one of them.",
            parameter="contacts",
        )
    return d, distance, along


def _gain(field: np.ndarray, along: np.ndarray | None, unit: Unit) -> Quantity:
    """Fields (sensor, source, 3) -> of dipoles along directions, or of all components."""
    if along is None:
        gain = np.moveaxis(field, 2, 1).reshape(len(field), -1)
    else:
        gain = np.einsum("msk,sk->ms", field, along)
    return Quantity(gain, unit=unit)
