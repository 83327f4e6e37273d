"""Couplings: how what stands on a source port acts on a target port."""

from braingraph.edges.additive import AdditiveCoupling
from braingraph.edges.diffusive import DiffusiveCoupling
from braingraph.edges.kuramoto import KuramotoCoupling
from braingraph.edges.sigmoidal import SigmoidalJansenRitCoupling

__all__ = [
    "AdditiveCoupling",
    "DiffusiveCoupling",
    "KuramotoCoupling",
    "SigmoidalJansenRitCoupling",
]
