"""Diffusion along a graph: its Laplacian as a matrix, and as a coupling."""

from __future__ import annotations

from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from braingraph.component import parameter
from braingraph.edges.diffusive import DiffusiveCoupling
from braingraph.errors import ParameterError, ShapeError, WeightError, did_you_mean
from braingraph.parameters import numbers
from braingraph.sparse import Sparse, is_sparse, made_sparse
from braingraph.units import ONE, attach, brief, magnitude, unit_of

NORMALIZATIONS = (None, "rw", "sym")


def laplacian_connectivity(
    W: Any,  # noqa: N803 (the papers')
    normalize: str | None = None,
    return_diag: bool = False,
) -> Any:
    """The Laplacian of a graph as weights: x' = L x flows from high to low.

    With D the diagonal matrix of the row sums of W::

        None:  W - D
        "rw":  D^-1 W - 1
        "sym": D^-1/2 W D^-1/2 - 1

    Its eigenvalues are zero or below (for weights that are symmetric and not negative), so
    it is the negative of what graph theory calls the Laplacian. With None and "rw" rows add up to
    zero. A unit that hears nothing has a row of zeros; with "sym" it is not
    heard either.

    Parameters
    ----------
    W : array or sparse matrix (target, source), any unit
        Weights. A JAX array may be traced: the result is differentiable.
    normalize : {None, "rw", "sym"}, default None
        None keeps the unit of W; "rw" (random walk) and "sym" are dimensionless.
    return_diag : bool, default False
        Return (L, degrees) instead: also the row sums, (target,), in the unit of W.

    Returns
    -------
    array (target, source), or scipy's ``csr_array`` where W is sparse: its entries and the
    diagonal, never the whole matrix. As weights of an :class:`AdditiveCoupling` with a delay its
    diagonal is delayed too (Olfati-Saber & Murray 2004, theorem 10); a
    :class:`LaplacianCoupling` compares with the present state.

    Errors
    ------
    ShapeError
        W is not square.
    ParameterError
        No such normalisation.
    WeightError
        A weight is not finite, or the weights of a row to be normalised add up to zero or less.

    Source: Chung 1997, Spectral Graph Theory, ch. 1, with the opposite sign. For an isolated unit
    she has a row of zeros too; the reference page's package divides by 1e-12 there, and has -1 on
    the diagonal.

    >>> from braingraph import edges
    >>> print(edges.laplacian_connectivity([[0, 2], [1, 0]]))
    [[-2.  2.]
     [ 1. -1.]]
    """
    _check_name(normalize, "laplacian_connectivity")
    unit, plain = unit_of(W), _weights(W)
    if plain.ndim != 2 or plain.shape[0] != plain.shape[1]:
        raise ShapeError(
            f"laplacian_connectivity needs weights of one population, (unit, unit), but W has "
            f"shape {plain.shape}.",
            given=plain.shape,
            needed=(plain.shape[0],) * 2 if plain.ndim else ("unit", "unit"),
        )
    degrees = _degrees(plain)
    if normalize is not None:
        _check_degrees(plain, degrees, "W", normalize)
        plain, unit = _normalized(plain, degrees, normalize), ONE
    own = degrees if normalize is None else _linked(degrees)
    matrix = _less_diagonal(plain, own)
    out = attach(matrix, unit)
    return (out, attach(degrees, unit_of(W))) if return_diag else out


class LaplacianCoupling(DiffusiveCoupling):
    """Diffusion from the sources to the target, along the Laplacian of the weights.

    ::

        None:  k sum_j conn_ij (x_j - y_i)
        "rw":  k (sum_j conn_ij x_j / D_i - y_i)
        "sym": k (sum_j conn_ij x_j / sqrt(D_i D_j) - y_i),    D_i = sum_j conn_ij

    y is the state the target port is paired with, now, also where x_j is delayed, as in
    :class:`DiffusiveCoupling`, which None is. So without delays this is k times the matrix of
    :func:`laplacian_connectivity` applied to x. Units that hear nothing receive 0; with "sym" they
    are not heard either. The degrees D are those of this edge's weights alone.

    Parameters
    ----------
    conn : array or sparse matrix (target, source), scalar, or None
        Weights; a scalar is all to all, None one to one. "sym" is for edges from a population to
        itself: with a matrix it must be square.
    k : any unit, default 1.0
        Gain, one or one per target.
    normalize : {None, "rw", "sym"}, default None
        How the weights are divided by the degrees. With "rw" and "sym" their unit cancels.
    degree : array (target,), default None
        Degrees of weights that are normalised already. "sym" fills it in: see below.

    With "sym" the weights of a matrix are normalised when the coupling is made, since a target
    does not know its sources' degrees: ``coupling.conn`` holds conn_ij / sqrt(D_i D_j), and
    ``coupling.degree`` holds D. Weights given later, by ``replace(conn=W)``, ``params=`` of a run
    or a sweep, are normalised in the same way. In ``as_function`` alone, ``"edge.conn"`` stands
    for the normalised weights, and gradients are with respect to these; for gradients with
    respect to W, normalise it by :func:`laplacian_connectivity` inside your function. With None
    and "rw", ``"edge.conn"`` is W everywhere, and gradients include the degrees.

    Errors
    ------
    ParameterError
        No such normalisation, or ``degree`` without "sym".
    ShapeError
        "sym" of a matrix that is not square.
    WeightError
        The weights of a row to be normalised add up to zero or less.

    Source: Chung 1997, Spectral Graph Theory, ch. 1; "rw" is the consensus of Olfati-Saber &
    Murray 2004, IEEE TAC 49:1520, with normalised weights.

    >>> from braingraph import edges
    >>> coupling = edges.LaplacianCoupling([[0, 4], [1, 0]], normalize="sym")
    >>> print(coupling.conn.tolist(), coupling.degree.tolist())
    [[0.0, 2.0], [0.5, 0.0]] [4.0, 1.0]
    """

    normalize: Any = parameter(None)
    degree: Any = parameter(None)

    def __init__(self, conn: Any = None, **given: Any) -> None:
        super().__init__(conn, **given)
        where = type(self).__name__
        _check_name(self.normalize, where)
        if self.degree is not None and self.normalize != "sym":
            raise ParameterError(
                f"{where}.degree belongs to weights that are normalised already, with "
                f'normalize="sym": leave it out with normalize={self.normalize!r}.',
                parameter="degree",
            )
        plain = magnitude(self.conn)
        if self.normalize is None or self.degree is not None or plain is None:
            return
        if plain.ndim != 2:
            _check_degrees(plain, plain, f"{where}.conn", self.normalize)
            return
        degrees = _degrees(plain)
        _check_degrees(plain, degrees, f"{where}.conn", self.normalize)
        if self.normalize == "sym":
            self._normalize(plain, degrees)

    def _normalize(self, plain: Any, degrees: Any) -> None:
        if plain.shape[0] != plain.shape[1]:
            raise ShapeError(
                f'{type(self).__name__}(normalize="sym") needs the weights of one population to '
                f'itself, (unit, unit), but conn has shape {plain.shape}: use normalize="rw".',
                given=plain.shape,
                needed=(plain.shape[0],) * 2,
            )
        scaled = _normalized(plain, degrees, "sym")
        for array in (degrees, scaled):
            if isinstance(array, np.ndarray):
                array.setflags(write=False)
        self.__dict__.update(conn=scaled, degree=degrees)

    def replace(self, **changes: Any) -> Self:
        """A copy with other parameters, checked as when it was made.

        Other weights are normalised as those at first were.
        """
        if self.degree is not None and "degree" not in changes:
            if "conn" in changes:
                changes["degree"] = None
            elif changes.get("normalize", "sym") != "sym":
                raise ParameterError(
                    'the weights are normalised by normalize="sym" already: for another '
                    "normalisation give them again, as in replace(normalize="
                    f"{changes['normalize']!r}, conn=W).",
                    parameter="normalize",
                )
        return super().replace(**changes)

    def post(self, s: Any, y: Any, w: Any) -> Any:
        if self.normalize is None:
            return super().post(s, y, w)
        if self.degree is not None:
            return self.k * (s - _linked(self.degree) * y)
        # Rows without weights divide by 1 instead of 0, so that gradients stay finite too.
        plain = jnp.asarray(magnitude(w))
        heard = jnp.where(plain != 0, 1.0, 0.0)
        safe = attach(jnp.where(plain != 0, plain, 1.0), unit_of(w))
        return self.k * heard * (s / safe - y)


# ---------------------------------------------------------------- weights, dense and sparse
def _check_name(normalize: Any, where: str) -> None:
    if normalize is None or (isinstance(normalize, str) and normalize in NORMALIZATIONS):
        return
    raise ParameterError(
        f"{where}: normalize is {brief(normalize)}, but must be one of "
        f"{', '.join(map(repr, NORMALIZATIONS))}."
        f"{did_you_mean(str(normalize), NORMALIZATIONS[1:])}",
        parameter="normalize",
    )


def _weights(W: Any) -> Any:  # noqa: N803
    """The plain weights: a JAX array as it is, a sparse matrix in our form, or NumPy's floats."""
    plain = magnitude(W)
    if isinstance(plain, jax.Array):
        return plain
    if is_sparse(plain):
        return made_sparse(plain, "W", "W")
    return numbers(plain, "W", WeightError, parameter="W")


def _degrees(plain: Any) -> Any:
    """The row sums, (target,)."""
    if isinstance(plain, Sparse):
        return np.bincount(plain.target, plain.values, minlength=plain.shape[0])
    return plain.sum(1)


def _check_degrees(plain: Any, degrees: Any, where: str, normalize: str | None) -> None:
    """WeightError where a row that is not empty adds up to nothing that it can be divided by."""
    if isinstance(degrees, jax.core.Tracer):
        return
    filled: Any = np.asarray(plain.values if isinstance(plain, Sparse) else plain) != 0
    if isinstance(plain, Sparse):
        filled = np.bincount(plain.target, filled, minlength=plain.shape[0]) > 0
    elif plain.ndim == 2:
        filled = filled.any(1)
    wrong = np.flatnonzero(filled & (np.asarray(degrees) <= 0))
    if len(wrong):
        row = int(wrong[0])
        total = float(np.ravel(degrees)[row])
        raise WeightError(
            f"{where}: the weights of target {row} add up to {total:g}, and cannot be divided by "
            f"that: normalize={normalize!r} needs row sums above zero, or rows without weights.",
            at=(row,),
            value=total,
        )


def _linked(degrees: Any) -> Any:
    """1 where a unit hears something, else 0."""
    xp: Any = jnp if isinstance(degrees, jax.Array) else np
    return xp.where(degrees > 0, 1.0, 0.0)


def _normalized(plain: Any, degrees: Any, normalize: str) -> Any:
    """D^-1 W or D^-1/2 W D^-1/2, with 0 for the inverse of 0."""
    xp: Any = jnp if isinstance(degrees, jax.Array) else np
    # 1 stands in for degrees of 0, so that neither values nor gradients are infinite
    safe = xp.where(degrees > 0, degrees, 1.0)
    rows = _linked(degrees) / (safe if normalize == "rw" else xp.sqrt(safe))
    columns = xp.ones_like(rows) if normalize == "rw" else rows
    if isinstance(plain, Sparse):
        return plain.with_values(plain.values * rows[plain.target] * columns[plain.source])
    return plain * rows[:, None] * columns[None, :]


def _less_diagonal(plain: Any, own: Any) -> Any:
    """The matrix less a diagonal one."""
    if not isinstance(plain, Sparse):
        xp: Any = jnp if isinstance(plain, jax.Array) else np
        return plain - xp.diag(own)
    from scipy import sparse  # 0.1 s, and only for those who use it

    entries = sparse.coo_array((plain.values, (plain.target, plain.source)), plain.shape)
    return (entries - sparse.diags_array(own)).tocsr()
