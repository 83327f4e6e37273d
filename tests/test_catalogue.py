"""``bg.list_models()`` and the printed cards: complete, and true to the classes."""

from __future__ import annotations

import abc
import inspect
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import brainunit as u
import numpy as np
import pytest

import braingraph as bg
from braingraph import card, edges, nodes, observers
from braingraph.card import category, said, signals, source
from braingraph.catalogue import CATEGORIES, in_short
from braingraph.errors import ParameterError

MODELS = bg.list_models()
EXPORTED = [
    model
    for folder in (nodes, edges, observers)
    for name in folder.__all__
    if isinstance(model := getattr(folder, name), type)
    and issubclass(model, (bg.Node, bg.Coupling, bg.Graph))
]
NETWORKS: dict[type, bg.Graph] = {
    nodes.JansenRitTR: nodes.JansenRitTR(2, sc=np.ones((2, 2))),
    nodes.HORNSeqNetwork: nodes.HORNSeqNetwork(1, 2, 1),
}


# ---------------------------------------------------------------- the list
def test_every_exported_model_is_listed_once() -> None:
    assert sorted(e.name for e in MODELS) == sorted(m.__name__ for m in EXPORTED)
    assert len(MODELS) == len(EXPORTED) > 50


@pytest.mark.parametrize("model", EXPORTED, ids=lambda m: m.__name__)
def test_every_model_has_a_category_a_source_and_signals(model: type) -> None:
    entry = MODELS[model.__name__]
    assert entry.model is model
    assert entry.category in CATEGORIES, "give its module a CATEGORY"
    assert len(in_short(entry.source)) > 3, "its docstring needs a paragraph 'Source: ...'"
    populations = CATEGORIES[:3]
    assert bool(entry.states) or entry.category not in populations
    assert bool(entry.inputs) or entry.category not in (*populations, "observer")
    assert bool(entry.states + entry.outputs) or model in (
        nodes.RecurrentNode,
        *(m for m in EXPORTED if issubclass(m, bg.Coupling)),
    )


@pytest.mark.parametrize("model", EXPORTED, ids=lambda m: m.__name__)
def test_docstrings_name_parameters_and_signals_that_exist(model: Any) -> None:
    own = said(model)
    if model in NETWORKS:
        network = NETWORKS[model]
        for path, kind in signals(model).items():
            assert network.resolve(path)[1].kind == kind
        known = {*inspect.signature(model).parameters, *nodes.HORNSeqLayer._specs}
    else:
        kinds = signals(model)
        told = {name: item.kind.partition(",")[0] for name, item in own.signals.items()}
        assert told == {name: kinds[name] for name in told}
        known = {*model._specs, *(f"init_{name}" for name in kinds), "in_size", "dt"}
    assert set(own.parameters) <= known


@pytest.mark.parametrize("model", EXPORTED, ids=lambda m: m.__name__)
def test_every_card_holds_the_whole_class(model: Any) -> None:
    page = str(model)
    words = page.replace("\n", " ").split()
    assert page.startswith(f"{model.__name__} ({category(model)})\n{said(model).sentence}\n")
    for name in (*getattr(model, "_specs", ()), *signals(model)):
        assert name in words
    for name in getattr(model, "_specs", ()):
        assert card.about(model, name).meaning, f"say what {name} means"
    assert source(model).split()[-1] in page
    assert not any(mark in page for mark in ("``", ":class:", ":func:", ">>>", "Errors"))
    assert max(map(len, page.split("\n"))) <= 110


def test_the_list_prints_filters_and_is_read_by_name() -> None:
    noise = bg.list_models(category="noise")
    assert {e.category for e in noise} == {"noise"}
    assert nodes.OUProcess in noise and "HopfStep" not in noise
    lines = str(noise).split("\n")
    assert lines[0] == f"{len(noise)} models" and lines[1] == "└─ noise"
    ou = next(line for line in lines if "OUProcess" in line)
    assert ou.split() == ["├─", "OUProcess", "x", *"Uhlenbeck & Ornstein 1930".split()]
    assert (repr(noise), noise.categories) == (f"Catalogue({len(noise)} models)", ("noise",))
    assert "<b>OUProcess</b>" in noise._repr_html_()
    assert MODELS.categories == CATEGORIES[:2] + tuple(c for c in CATEGORIES[2:] if c in COUNTED)
    assert MODELS["JansenRitTR"].inputs == ("column.p",)
    [pink] = [line for line in str(MODELS).split("\n") if "PinkNoise" in line]
    assert ", ..., " in pink and f"({len(MODELS['PinkNoise'].states)})" in pink


COUNTED = {e.category for e in MODELS}


def test_columns_align_across_categories() -> None:
    lines = str(MODELS).split("\n")
    hopf, jansen = (next(k for k in lines if f" {n} " in k) for n in ("HopfStep", "JansenRitStep"))
    assert hopf.index("<- ") == jansen.index("<- ")
    assert hopf.index("Deco et al. 2017") == jansen.index("Jansen & Rit 1995")


MISTAKES: dict[str, tuple[Callable[[], Any], str]] = {
    "category": (
        lambda: bg.list_models(category="nose"),
        "there is no category 'nose' of models. Did you mean 'noise'? There are: phenomenological,",
    ),
    "name": (
        lambda: MODELS["HopfStp"],
        "there is no model 'HopfStp' in this list. Did you mean 'HopfStep'?",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_unknown_names_offer_the_nearest(case: str) -> None:
    mistake, message = MISTAKES[case]
    with pytest.raises(ParameterError) as caught:
        mistake()
    assert str(caught.value).startswith(message)


SHORT = [
    ("Lorenz 1963, J Atmos Sci 20:130", "Lorenz 1963"),
    ("di Volo, Romagnoni & Destexhe 2019, Neural Comput", "di Volo et al. 2019"),
    ("Kloeden & Platen, Numerical Solution (1992), section 10", "Kloeden & Platen 1992"),
    ("its step: Wiener, J. Math. & Phys. (MIT) 2:131 (1923)", "Wiener 1923"),
    ("TVB's Sigmoidal (Sanz-Leon et al. 2015), with its names", "TVB's Sigmoidal"),
    ("TVB's Linear (there the gain is 1/256).", "TVB's Linear"),
    ("ours; without dt it does nothing.", "ours"),
]


@pytest.mark.parametrize("text, short", SHORT)
def test_sources_in_short(text: str, short: str) -> None:
    assert in_short(text) == short


# ---------------------------------------------------------------- the cards
HOPF = """\
HopfStep (phenomenological)
The normal form of a supercritical Hopf bifurcation.

    x' = (a - beta (x^2 + y^2)) x - w y + x_inp
    y' = (a - beta (x^2 + y^2)) y + w x + y_inp        per ms

Parameters
    a     0.25 [1 / ms]   Distance from the bifurcation: oscillations for a > 0.
    w     0.2 [rad / ms]  Angular frequency (31.8 Hz).
    beta  1 [1 / ms]      How fast large amplitudes saturate; they grow without end when it is not
                          positive.

States
    x  [1]  starts at Uniform(0, 0.05)
    y  [1]  starts at Uniform(0, 0.05)

Inputs
    x_inp  [1]
    y_inp  [1]

Source
    Deco, Kringelbach, Jirsa & Ritter 2017, Sci Rep 7:3095; with beta = 1 TVB's SupHopf. Deviation:
    the defaults of a and w are those of a clear 32 Hz oscillation, not the paper's, which are
    fitted per region."""

KURAMOTO = """\
KuramotoCoupling (coupling)
The weighted sum of the sines of phase differences.

    k sum_j conn_ij sin(theta_j - theta_i - alpha)

Parameters
    conn   None          array or sparse matrix (target, source), scalar, or None: Weights; a scalar
                         is all to all, None one to one. Not divided by the number of units.
    k      1 [any unit]  Gain, one or one per target.
    alpha  0 [rad]       Phase lag, one or one per target.

Source
    Sakaguchi & Kuramoto 1986, Prog Theor Phys 76:576, eq. 1. TVB's Kuramoto is documented to divide
    by the number of nodes, and in effect does not."""


class Leak(bg.Observer):
    """What leaks.

    Parameters
    ----------
    tau, rest : time, potential, default 5 ms, -70 mV
        Of the :class:`braingraph.Leak`.
    mode : str, default "slow"

    Signals
    -------
    out : output, unit of gain, (unit,)
    """

    default_dt = 2.0 * u.ms
    tau: u.Quantity = 5.0 * u.ms
    rest: u.Quantity = -70.0 * u.mV
    gain: Any = bg.parameter(2.0, any_unit=True)
    mode: str = "slow"

    v = bg.State(np.zeros, unit=u.mV, bounds=(None, 0.0))
    w = bg.State(0.5, unit="gain", bounds=(0.0, 1.0))
    v_inp = bg.Input(0.2 * u.mV)

    @bg.Output(unit=lambda model: model.anything)
    def out(self, s: Any, i: Any) -> Any:
        return self.gain

    def derivative(self, s: Any, i: Any) -> dict[str, Any]:
        return {"v": (i.v_inp - s.v) / self.tau, "w": -s.w / self.tau}


LEAK = """\
Leak (observer)
What leaks.

Parameters
    tau   5 [ms]        Of the Leak.
    rest  -70 [mV]      "
    gain  2 [any unit]
    mode  'slow'        str
    dt    2 [ms]        A clock of its own, a multiple of the simulation's step.

States
    v  [mV]            starts at zeros, at most 0
    w  [unit of gain]  starts at 0.5, within [0, 1]

Inputs
    v_inp  [mV]  0.2 where nothing arrives

Outputs
    out  [unit of gain]"""


class Bare(bg.Node, abc.ABC):
    x = bg.State(1.0)

    def derivative(self, s: Any, i: Any) -> dict[str, Any]:
        return {"x": -s.x}


BARE = """\
Bare (population)

States
    x  [1]  starts at 1"""

CARDS: dict[type, str] = {
    nodes.HopfStep: HOPF,
    edges.KuramotoCoupling: KURAMOTO,
    Leak: LEAK,
    Bare: BARE,
}


@pytest.mark.parametrize("model", CARDS, ids=lambda m: m.__name__)
def test_a_class_prints_its_card(model: type) -> None:
    assert str(model) == CARDS[model]


def test_what_a_base_documents_is_found() -> None:
    assert source(nodes.GaussianNoise) == source(nodes.WhiteNoise) != ""
    [r] = [k for k in str(nodes.WilsonCowanDivisiveStep).split("\n") if k.startswith("    r ")]
    assert r.endswith("Refractory share: 0 removes the saturation.")


def test_classes_are_as_they_were_but_for_str() -> None:
    assert repr(nodes.HopfStep) == "<class 'braingraph.nodes.hopf.HopfStep'>"
    assert repr(nodes.HopfStep(3, a=1.0)) == str(nodes.HopfStep(3, a=1.0)) == "HopfStep(3, a=1)"
    for thing in (nodes.HopfStep, bg.Graph, edges.AdditiveCoupling):
        assert pickle.loads(pickle.dumps(thing)) is thing
    assert repr(pickle.loads(pickle.dumps(nodes.HopfStep(3, a=1.0)))) == "HopfStep(3, a=1)"
    assert Bare(2).replace(init_x=0.5).in_size == (2,)  # a class that is an ABC too
    assert category(bg.Graph) == "network"


def test_cards_cost_no_import() -> None:
    code = "import braingraph, sys; print([m for m in sys.modules if m.endswith('.card')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]" and card.WIDTH == 100
