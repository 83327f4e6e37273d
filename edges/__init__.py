"""Couplings: how what stands on a source port acts on a target port."""

from braingraph.edges.additive import AdditiveCoupling
from braingraph.edges.diffusive import DiffusiveCoupling
from braingraph.edges.functions import (
    additive_coupling,
    diffusive_coupling,
    hyperbolic_tangent_coupling,
    received,
    sigmoidal_coupling,
    sigmoidal_jansen_rit_coupling,
)
from braingraph.edges.hyperbolic_tangent import (
    HyperbolicTangentCoupling,
    PreSigmoidalCoupling,
    TVBHyperbolicTangentCoupling,
)
from braingraph.edges.kuramoto import KuramotoCoupling
from braingraph.edges.laplacian import LaplacianCoupling, laplacian_connectivity
from braingraph.edges.pairwise import PairwiseCoupling
from braingraph.edges.sigmoidal import (
    SigmoidalCoupling,
    SigmoidalJansenRitCoupling,
    TVBSigmoidalCoupling,
)

__all__ = [
    "AdditiveCoupling",
    "DiffusiveCoupling",
    "HyperbolicTangentCoupling",
    "KuramotoCoupling",
    "LaplacianCoupling",
    "PairwiseCoupling",
    "PreSigmoidalCoupling",
    "SigmoidalCoupling",
    "SigmoidalJansenRitCoupling",
    "TVBHyperbolicTangentCoupling",
    "TVBSigmoidalCoupling",
    "additive_coupling",
    "diffusive_coupling",
    "hyperbolic_tangent_coupling",
    "laplacian_connectivity",
    "received",
    "sigmoidal_coupling",
    "sigmoidal_jansen_rit_coupling",
]
