"""A network of Jansen-Rit columns read once per repetition time of a scanner."""

from __future__ import annotations

from typing import Any

import brainunit as u
import numpy as np

from braingraph.component import Input, Observer, Output, Size
from braingraph.edges.additive import AdditiveCoupling
from braingraph.edges.laplacian import laplacian_connectivity
from braingraph.errors import ShapeError
from braingraph.graph import Graph
from braingraph.nodes.jansen_rit import JansenRitStep
from braingraph.parameters import numbers
from braingraph.units import TIME, attach, milliseconds, strip

CATEGORY = "physiological"


class MeanPotential(Observer):
    """A potential, averaged over the steps of the observer's own clock.

    ::

        eeg = mean of eeg_inp over the last dt

    Input ``eeg_inp`` and output ``eeg`` [mV], shape ``(unit,)``. There are no parameters but
    ``dt``, and no states.

    Source: ours; without ``dt`` it passes the potential on.

    >>> import brainunit as u
    >>> from braingraph.nodes.jansen_rit_tr import MeanPotential
    >>> MeanPotential(76, dt=1 * u.ms)
    MeanPotential(76)
    """

    eeg_inp = Input(0.0 * u.mV)

    @Output(unit=u.mV)
    def eeg(self, s: Any, i: Any) -> Any:
        """The mean potential."""
        return i.eeg_inp


class JansenRitTR(Graph):
    """Jansen-Rit columns coupled by three delayed Laplacians, read out once per repetition time.

    A graph of two vertices, ``column`` (:class:`JansenRitStep`, at the simulation's step) and
    ``tr`` (its potential, averaged over each repetition time), and three edges::

        lateral:  M_inp_i =   g_l sum_j w_l_ij (M_j(t - d_ij) - M_i(t))
        forward:  E_inp_i =   g_f sum_j w_f_ij (eeg_j(t - d_ij) - eeg_i(t))
        back:     I_inp_i = - g_b sum_j w_b_ij (eeg_j(t - d_ij) - eeg_i(t))
        w_x = exp(w_xx) sc / |exp(w_xx) sc|,  for w_l of the symmetric part of exp(w_ll) sc

    with |.| the Frobenius norm. Everything is addressed by path: ``"column.C"``, the input
    ``"column.p"``, ``"lateral.k"`` (g_l), ``"forward.conn"``, ``"back.delay"``, ``"tr.eeg"``.

    Parameters
    ----------
    in_size : int or tuple of int
        The columns.
    sc : array (target, source)
        Structural connectivity; its diagonal does not count.
    delay : time, one or (target, source), default None
        Conduction delays d_ij.
    tr : time, default 1 ms
        Repetition time; a multiple of the step.
    g_l, g_b : 1, default 1.0
        Gains of the lateral and back pathways, one or one per target.
    g_f : rate / potential, default 1 Hz / mV
        Gain of the forward pathway, one or one per target.
    w_ll, w_ff, w_bb : array (target, source), default 0.0
        Logarithms of the pathways' gains on each connection.
    **column
        Parameters and initial values of :class:`JansenRitStep`.

    Signals
    -------
    column.M, column.E, column.I : state, mV, (unit,)
        Those of :class:`JansenRitStep`; like ``column.eeg`` they can be recorded at any interval.
    column.p : input, Hz, (unit,)
        The rate of external afferents.
    tr.eeg : output, mV, (unit,)
        The mean of the potential E - I: one sample per repetition time.

    Errors
    ------
    ShapeError
        ``sc``, a ``w`` or ``delay`` is not (n, n).
    ParameterError
        A number is not finite, or a column's parameter is unknown or wrong.
    UnitError
        ``delay`` or ``tr`` is no time, or a gain has another unit.
    DelayError
        A delay is negative.

    Source: Momi, Wang & Griffiths 2023, eLife 12:e83232 (columns coupled by the Laplacian of the
    connectome), with the three pathways of WhoBPyT and of brainmass's ``JansenRitTR``.
    Deviations from the latter: the delay is a time, not a number of steps that counts repetition
    times; the long-range input is part of the vector field, not frozen over a repetition time;
    both terms of a Laplacian are of one signal; ``w_ll`` is made symmetric, as there intended;
    the sample is the mean over the repetition time, not its last value (for that record
    ``column.eeg`` every ``tr``); the gain k of the stimulus is that of the edge that brings it.

    >>> import brainunit as u
    >>> import braingraph as bg
    >>> from braingraph import nodes
    >>> sc = [[0, 2, 1], [2, 0, 0], [1, 0, 0]]
    >>> model = nodes.JansenRitTR(3, sc=sc, delay=7 * u.ms, tr=2.5 * u.ms, g_f=50 * u.Hz / u.mV)
    >>> sim = bg.Simulator(model, dt=0.5 * u.ms)
    >>> ds = sim.run(100 * u.ms, monitors=["tr.eeg"], inputs={"column.p": 220 * u.Hz})
    >>> ds["tr.eeg"].shape
    (40, 3)
    """

    def __init__(
        self,
        in_size: Size,
        *,
        sc: Any,
        delay: Any = None,
        tr: Any = 1.0 * u.ms,
        g_l: Any = 1.0,
        g_f: Any = 1.0 * u.Hz / u.mV,
        g_b: Any = 1.0,
        w_ll: Any = 0.0,
        w_ff: Any = 0.0,
        w_bb: Any = 0.0,
        **column: Any,
    ) -> None:
        super().__init__()
        milliseconds(tr, "JansenRitTR.tr")
        columns = self.add_node("column", JansenRitStep(in_size, **column))
        n = columns.size
        sc = _matrix("sc", sc, n)
        lateral, forward, back = (
            np.exp(_matrix(name, w, n)) * np.where(np.eye(n, dtype=bool), 0.0, sc)
            for name, w in (("w_ll", w_ll), ("w_ff", w_ff), ("w_bb", w_bb))
        )
        lateral = (lateral + lateral.T) / 2
        late = _late(delay, n)
        for name, source, target, conn, k in (
            ("lateral", "M", "M_inp", _laplacian(lateral), g_l),
            ("forward", "eeg", "E_inp", _laplacian(forward), g_f),
            ("back", "eeg", "I_inp", -_laplacian(back), g_b),
        ):
            coupling = AdditiveCoupling(conn=conn, k=k)
            self.add_edge(f"column.{source}", f"column.{target}", coupling, delay=late, name=name)
        self.add_edge(columns.eeg, self.add_node("tr", MeanPotential(in_size, dt=tr)))


def _matrix(name: str, value: Any, n: int) -> np.ndarray:
    """Finite numbers of shape (n, n), from these or one."""
    plain = numbers(value, f"JansenRitTR.{name}", parameter=name)
    if plain.shape not in ((), (n, n)):
        raise ShapeError(
            f"JansenRitTR.{name} has shape {plain.shape}, but must be {(n, n)}: [target, source].",
            given=plain.shape,
            needed=(n, n),
        )
    return np.broadcast_to(plain, (n, n))


def _laplacian(weights: np.ndarray) -> np.ndarray:
    """Of the weights over their norm: sum_j W_ij (x_j - x_i) is its product with x."""
    norm = np.linalg.norm(weights)
    laplacian: np.ndarray = laplacian_connectivity(weights / norm if norm > 0 else weights)
    return laplacian


def _late(delay: Any, n: int) -> Any:
    """The delays between columns; a column hears itself at once."""
    if delay is None:
        return None
    given = _matrix("delay", strip(delay, TIME, "JansenRitTR.delay", "as in 10 * u.ms."), n)
    return attach(np.where(np.eye(n, dtype=bool), 0.0, given), TIME)
