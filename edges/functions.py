"""Couplings as plain functions of arrays: what every target receives, at one moment.

For a model of your own, a check on paper, or an analysis; in a graph use the classes, whose
``pre`` and ``post`` do the work here too. Everything may be a quantity, a NumPy array or a traced
JAX array, and is differentiable.
"""

from __future__ import annotations

from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from braingraph.component import Coupling
from braingraph.edges.additive import AdditiveCoupling
from braingraph.edges.diffusive import DiffusiveCoupling
from braingraph.edges.hyperbolic_tangent import HyperbolicTangentCoupling
from braingraph.edges.sigmoidal import SigmoidalCoupling, SigmoidalJansenRitCoupling
from braingraph.errors import ShapeError
from braingraph.sparse import Sparse, is_sparse, made_sparse
from braingraph.units import attach, magnitude, unit_of


def received(coupling: Coupling, x: Any, y: Any = None) -> Any:
    """What the targets receive through a coupling: one of this package, or of your own.

    Parameters
    ----------
    coupling : Coupling
        Its weights are a matrix (target, source), dense or sparse.
    x : array (source,) or (target, source)
        Values of the sources; as a matrix, what each target sees of each source, as with delays.
    y : array (target,), default None
        Values of the targets, where the coupling reads them.

    Returns
    -------
    array (target,)

    Errors
    ------
    ShapeError
        Weights that are no matrix, or values that do not fit them.

    >>> from braingraph import edges
    >>> coupling = edges.LaplacianCoupling([[0, 2], [1, 0]], normalize="rw")
    >>> print(edges.received(coupling, [0.5, 0.25], [0.5, 0.25]))
    [-0.25  0.25]
    """
    conn, unit, x = _matrix(coupling.conn), unit_of(coupling.conn), _array(x)
    y = None if y is None else _array(y)
    _check_shapes(conn, x, y)
    if coupling.pairwise:
        return _one_by_one(coupling, conn, unit, x, y)
    channels = coupling.pre(x)
    many = isinstance(channels, tuple)
    sums = [_summed(conn, unit, c) for c in (channels if many else (channels,))]
    w = _summed(conn, unit, np.ones(conn.shape[1]))
    return coupling.post(tuple(sums) if many else sums[0], y, w)


def additive_coupling(x: Any, conn: Any, k: Any = 1.0, b: Any = None) -> Any:
    """k sum_j conn_ij x_j + b: :class:`AdditiveCoupling` as a function; see :func:`received`.

    >>> from braingraph import edges
    >>> print(edges.additive_coupling([0.5, 0.25], [[0, 2], [1, 0]], k=2.0, b=1.0))
    [2. 2.]
    """
    return received(_made(AdditiveCoupling, conn, k=k, b=b), x)


def diffusive_coupling(x: Any, y: Any, conn: Any, k: Any = 1.0) -> Any:
    """k sum_j conn_ij (x_j - y_i): :class:`DiffusiveCoupling` as a function; see :func:`received`.

    >>> from braingraph import edges
    >>> print(edges.diffusive_coupling([0.5, 0.25], [0.5, 0.25], [[0, 2], [1, 0]]))
    [-0.5   0.25]
    """
    return received(_made(DiffusiveCoupling, conn, k=k), x, y)


def sigmoidal_coupling(
    x: Any,
    conn: Any,
    k: Any = 1.0,
    a: Any = 1.0,
    b: Any = None,
    slope: Any = 1.0,
    midpoint: Any = 0.0,
) -> Any:
    """k / (1 + exp(-slope (a sum_j conn_ij x_j + b - midpoint))): :class:`SigmoidalCoupling`.

    >>> from braingraph import edges
    >>> print(edges.sigmoidal_coupling([0.5, 0.25], [[0, 2], [1, 0]], k=4.0, midpoint=0.5))
    [2. 2.]
    """
    return received(
        _made(SigmoidalCoupling, conn, k=k, a=a, b=b, slope=slope, midpoint=midpoint), x
    )


def hyperbolic_tangent_coupling(x: Any, conn: Any, k: Any = 0.5, scale: Any = 2.0) -> Any:
    """k tanh(scale sum_j conn_ij x_j): :class:`HyperbolicTangentCoupling`.

    >>> from braingraph import edges
    >>> print(edges.hyperbolic_tangent_coupling([0.0, 20.0], [[0, 2], [1, 0]]))
    [0.5 0. ]
    """
    return received(_made(HyperbolicTangentCoupling, conn, k=k, scale=scale), x)


def sigmoidal_jansen_rit_coupling(
    x: Any,
    conn: Any,
    k: Any = 1.0,
    cmin: Any = 0.0 * u.Hz,
    cmax: Any = 5.0 * u.Hz,
    midpoint: Any = 6.0 * u.mV,
    r: Any = 0.56 / u.mV,
) -> Any:
    """k sum_j conn_ij S(x_j), S the sigmoid of :class:`SigmoidalJansenRitCoupling`.

    >>> import brainunit as u
    >>> from braingraph import edges
    >>> print(edges.sigmoidal_jansen_rit_coupling([6.0, 600.0] * u.mV, [[0, 2], [1, 0]]))
    [10.   2.5] Hz
    """
    given = {"k": k, "cmin": cmin, "cmax": cmax, "midpoint": midpoint, "r": r}
    return received(_made(SigmoidalJansenRitCoupling, conn, **given), x)


# ---------------------------------------------------------------- evaluation
def _made(kind: type[Coupling], conn: Any, **parameters: Any) -> Coupling:
    """A coupling of values as they come, so that they may be traced."""
    given = {name: None if v is None else _array(v) for name, v in parameters.items()}
    return kind().with_values(conn=conn, **given)


def _array(value: Any) -> Any:
    return value if isinstance(value, (u.Quantity, jax.Array)) else np.asarray(value, float)


def _matrix(conn: Any) -> Any:
    """The plain weights: in our sparse form, traced, or in NumPy."""
    plain = magnitude(conn)
    if is_sparse(plain):
        return made_sparse(plain, "conn", "conn")
    return plain if isinstance(plain, jax.Array) else np.asarray(plain, float)


def _check_shapes(conn: Any, x: Any, y: Any) -> None:
    if conn.ndim != 2:
        raise ShapeError(
            f"the weights have shape {conn.shape}, but must be a matrix, (target, source).",
            given=conn.shape,
            needed=("target", "source"),
        )
    targets, sources = conn.shape
    if x.shape not in ((sources,), (targets, sources)):
        raise ShapeError(
            f"x has shape {x.shape}, but must be {(sources,)}, (source,), or "
            f"{(targets, sources)}, (target, source), as the weights are.",
            given=x.shape,
            needed=(sources,),
        )
    if y is not None and y.shape not in ((), (targets,)):
        raise ShapeError(
            f"y has shape {y.shape}, but must be {(targets,)}, (target,), as the weights are.",
            given=y.shape,
            needed=(targets,),
        )


def _summed(conn: Any, unit: Any, message: Any) -> Any:
    """The weighted sum of a message, (target,)."""
    plain, total = magnitude(message), unit * unit_of(message)
    if not isinstance(conn, Sparse):
        return attach((conn * plain).sum(-1), total)
    seen = plain[conn.source] if plain.ndim == 1 else plain[conn.target, conn.source]
    return attach(_by_target(conn.values * seen, conn.target, conn.shape[0]), total)


def _one_by_one(coupling: Coupling, conn: Any, unit: Any, x: Any, y: Any) -> Any:
    """A pairwise coupling's function, connection by connection, and its sum."""
    if isinstance(conn, Sparse):
        target, source, weights = conn.target, conn.source, conn.values
    else:
        known = isinstance(conn, np.ndarray)  # where not, every pair is evaluated
        target, source = np.nonzero(conn if known else np.ones(conn.shape))
        weights = conn[target, source]
    each = {
        name: value[target]
        for name, value in coupling.arrays().items()
        if name != "conn" and value.ndim and value.size > 1
    }
    value = coupling.with_values(**each).post(
        x[source] if x.ndim == 1 else x[target, source],
        y[target] if y is not None and y.ndim else y,
        attach(weights, unit),
    )
    total = _by_target(magnitude(value), target, conn.shape[0])
    return attach(total, unit_of(value))


def _by_target(values: Any, target: Any, targets: int) -> Any:
    return jnp.zeros(targets, jnp.result_type(values)).at[target].add(values)
