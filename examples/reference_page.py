"""The model reference, block by block: every example of brainmass's page of neural mass models.

Each function is one code block of that page as a graph of braingraph, named by its heading, and
returns what the page says of it, measured.

    python examples/reference_page.py             one line a block, about half a minute
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import Any

import brainunit as u
import jax
import numpy as np

import braingraph as bg
from braingraph import edges, nodes

Numbers = dict[str, float]


def common_api_pattern() -> Numbers:
    """Common API Pattern: a node stepped by hand does what a simulation does."""
    model = nodes.WilsonCowanStep(10, tau_E=10.0 * u.ms, tau_I=20.0 * u.ms)

    def step(state: Any, _: Any) -> tuple[Any, Any]:
        state, out = model.update(state, rE_inp=0.1, rI_inp=0.05, dt=0.1 * u.ms)
        return state, out.rE  # the state is handed on, not kept in the model

    state, by_hand = jax.lax.scan(step, model.init_state(), length=1000)
    batch = model.init_state(batch_size=32)

    ds = bg.Simulator(model, dt=0.1 * u.ms).run(100 * u.ms, inputs={"rE_inp": 0.1, "rI_inp": 0.05})
    return {
        "replicas": batch.rE.shape[0],
        "excitatory rate": float(state.rE[0]),
        "largest difference": float(np.abs(ds.rE.values - by_hand).max()),
    }


# ---------------------------------------------------------------- phenomenological models
def hopf_oscillator() -> Numbers:
    """Hopf Oscillator: a fixed point below a = 0, oscillations of radius sqrt(a) above."""
    hopf = nodes.HopfStep(5, w=0.1, a=0.1)
    sim = bg.Simulator(hopf, dt=0.2 * u.ms)

    def radius(a: float) -> float:
        ds = sim.run(200 * u.ms, transient=100 * u.ms, params={"a": a})
        return float(np.hypot(ds.x, ds.y).mean())

    return {"radius at a = 0.1": radius(0.1), "at a = -0.1": radius(-0.1)}


def fitzhugh_nagumo() -> Numbers:
    """FitzHugh-Nagumo: rests, spikes once after a pulse, and for ever under a constant input."""
    at_rest = {"init_v": -1.1994, "init_w": -0.6243}
    fhn = nodes.FitzHughNagumoStep(3, tau=12.5 * u.ms, a=0.7, b=0.8, **at_rest)
    g = bg.Graph()
    cells = g.add_node("cells", fhn)
    pulse = g.add_node(
        "pulse", nodes.PulseTrain(1, amplitude=0.5, onset=50 * u.ms, duration=5 * u.ms)
    )
    g.add_edge(pulse.out, cells.inp, edges.AdditiveCoupling(conn=[[0.0], [1.0], [0.0]]))

    constant = np.array([0.0, 0.0, 0.5])
    ds = bg.Simulator(g, dt=0.1 * u.ms).run(400 * u.ms, inputs={"cells.inp": lambda t: constant})
    above = ds["cells.v"].values > 1
    nothing, one, many = map(int, (above[1:] & ~above[:-1]).sum(0))
    return {"spikes without input": nothing, "after a pulse": one, "under 0.5": many}


# ---------------------------------------------------------------- physiological models
def wilson_cowan() -> Numbers:
    """Wilson-Cowan Model: coloured noise moves the rates of both populations, region by region."""
    g = bg.Graph()
    wc = g.add_node(
        "wc",
        nodes.WilsonCowanStep(
            (10,), tau_E=10.0 * u.ms, tau_I=20.0 * u.ms, c_EE=12.0, c_EI=-4.0, c_IE=12.0, c_II=-3.0
        ),
    )
    for name, port in (("noise_E", wc.rE_inp), ("noise_I", wc.rI_inp)):
        # The rates have no unit, so what is added to their drives has none either.
        noise = g.add_node(name, nodes.OUProcess((10,), sigma=0.3, tau=20.0 * u.ms))
        g.add_edge(noise, port)

    drive = {"wc.rE_inp": 0.5, "wc.rI_inp": 0.2}
    ds = bg.Simulator(g, dt=0.1 * u.ms).run(2 * u.second, inputs=drive, transient=200 * u.ms)
    between = np.corrcoef(ds["wc.rE"].values.T)[np.triu_indices(10, 1)]
    return {
        "std of the noise": float(ds["noise_E.x"].std()),
        "of rE": float(ds["wc.rE"].std("time").mean()),
        "of rI": float(ds["wc.rI"].std("time").mean()),
        "mean correlation of regions": float(between.mean()),
    }


def jansen_rit() -> Numbers:
    """Jansen-Rit Model: an EEG in the alpha band."""
    jr = nodes.JansenRitStep(1)
    sim = bg.Simulator(jr, dt=1 * u.ms, method="rk4")
    ds = sim.run(5 * u.second, monitors=["eeg"], inputs={"p": 220.0 * u.Hz}, transient=3 * u.second)
    eeg = ds.eeg.values[:, 0]
    power = np.abs(np.fft.rfft(eeg - eeg.mean())) ** 2
    peak = np.fft.rfftfreq(len(eeg), 1e-3)[power.argmax()]
    return {"Hz": float(peak), "lowest mV": float(eeg.min()), "highest mV": float(eeg.max())}


def jansen_rit_tr() -> Numbers:
    """JansenRitTR: one sample of the column's potential per repetition time."""
    ring = np.roll(np.eye(4), 1, axis=1)
    net = nodes.JansenRitTR(4, sc=ring + ring.T, delay=10 * u.ms, tr=100 * u.ms)
    sim = bg.Simulator(net, dt=1 * u.ms, method="rk4")
    ds = sim.run(2 * u.second, monitors=["tr.eeg", "column.eeg"], inputs={"column.p": 220.0 * u.Hz})
    means = ds["column.eeg"].values.reshape(20, 100, 4).mean(1)
    return {
        "samples": len(ds["tr.eeg"]),
        "mean mV": float(ds["tr.eeg"][5:].mean()),
        "off the mean over a repetition": float(np.abs(ds["tr.eeg"].values - means)[1:].max()),
    }


def montbrio_pazo_roxin() -> Numbers:
    """Montbrio-Pazo-Roxin Model: firing rate and potential of spiking neurons, driven in nA."""
    qif = nodes.MontbrioPazoRoxinStep(5, tau=10.0 * u.ms, v_rest=-65.0 * u.mV, v_th=-50.0 * u.mV)
    sim = bg.Simulator(qif, dt=0.1 * u.ms)
    numbers = {}
    for current in (0.0, 2.0):
        ds = sim.run(400 * u.ms, monitors=["rate", "V"], inputs={"I_ext": current * u.nA})
        numbers[f"Hz at {current:g} nA"] = float(ds.rate[-1].mean())
        numbers[f"mV at {current:g} nA"] = float(ds.V[-1].mean())
    return numbers


# ---------------------------------------------------------------- complex mean-field models
def coombes_byrne() -> Numbers:
    """Coombes-Byrne: conductance synapses; without them the Montbrio-Pazo-Roxin model, J = 0."""
    given = {"Delta": 1.0, "eta": 2.0, "init_r": 0.1, "init_v": 0.0}
    cb = nodes.CoombesByrneStep(1, k=1.0, v_syn=-4.0, **given)
    sim = bg.Simulator(cb, dt=0.1 * u.ms)
    out = sim.run(40.0 * u.ms, monitors=["r", "v"])
    without = sim.run(40.0 * u.ms, monitors=["r", "v"], params={"k": 0.0})

    mpr = nodes.MontbrioPazoRoxinStep(1, J=0.0, **given)
    exact = bg.Simulator(mpr, dt=0.1 * u.ms).run(40.0 * u.ms, monitors=["r", "v"])
    return {
        "r": float(out.r[-1, 0]),
        "v": float(out.v[-1, 0]),
        "difference at k = 0": float(np.abs(without.r.values - exact.r.values).max()),
    }


def larter_breakspear() -> Numbers:
    """Larter-Breakspear: d_V selects a fixed point, small oscillations, or a large limit cycle."""
    # Chaos needs other constants as well: gCa=1.0, aee=0.36, d_V=d_Z=0.65.
    lb = nodes.LarterBreakspearStep(3, d_V=[0.5, 0.53, 0.57])
    sim = bg.Simulator(lb, dt=0.1 * u.ms)
    out = sim.run(3000.0 * u.ms, monitors=["V"], transient=2000.0 * u.ms)
    fixed, small, cycle = map(float, np.ptp(out.V.values, axis=0))
    return {"range of V at d_V = 0.5": fixed, "0.53": small, "0.57": cycle}


def epileptor() -> Numbers:
    """Epileptor: an epileptogenic node seizes, a healthy one does not."""
    epi = nodes.EpileptorStep(2, x0=[-1.6, -2.4])
    out = bg.Simulator(epi, dt=0.1 * u.ms).run(
        6000.0 * u.ms, transient=2000.0 * u.ms, monitors={"lfp": lambda m: m.lfp(), "z": "z"}
    )
    ill, healthy = map(float, np.ptp(out.lfp.values, axis=0))
    return {
        "LFP range at x0 = -1.6": ill,
        "at x0 = -2.4": healthy,
        "z from": float(out.z[:, 0].min()),
        "to": float(out.z[:, 0].max()),
    }


# ---------------------------------------------------------------- canonical and E-I models
def generic_2d_oscillator() -> Numbers:
    """Generic 2D oscillator: a rest and a slow limit cycle stand side by side."""
    phi = (1 + 5**0.5) / 2
    g2d = nodes.Generic2dOscillatorStep(
        2, a=1.0, b=0.0, c=-5.0, d=0.02, init_V=[0.0, 0.05 - phi], init_W=[0.0, 1 - 5 * phi**2]
    )
    sim = bg.Simulator(g2d, dt=0.1 * u.ms)
    out = sim.run(4000.0 * u.ms, transient=500.0 * u.ms, monitors=["V", "W"])  # 200 ms show neither
    cycle, rest = out.V.values.T
    up = np.flatnonzero((cycle[:-1] < 0) & (cycle[1:] >= 0))
    return {"period in ms": float(np.diff(up).mean()) * 0.1, "V at rest": float(rest[-1])}


def wong_wang_exc_inh() -> Numbers:
    """Wong-Wang excitatory-inhibitory: feedback inhibition J_i sets the balance; 3 Hz at 1."""
    rww = nodes.WongWangExcInhStep(3, J_i=[0.9, 1.0, 1.1], G=2.0)
    out = bg.Simulator(rww, dt=0.1 * u.ms).run(
        3000.0 * u.ms, monitors={"S_e": "S_e", "rate_e": lambda m: m.H_e()}
    )
    less, one, more = map(float, out.rate_e.values[-1])
    return {"S_e": float(out.S_e[-1, 1]), "Hz at J_i = 0.9": less, "at 1": one, "at 1.1": more}


def lorenz() -> Numbers:
    """Lorenz: neighbours part exponentially, so only short runs can be compared."""
    lz = nodes.LorenzStep(2, sigma=10.0, rho=28.0, init_x=[1.0, 1.0 + 1e-5])
    sim = bg.Simulator(lz, dt=0.01 * u.ms, method="rk4")
    out = sim.run(25.0 * u.ms, monitors=["x", "y", "z"])
    apart = np.abs(out.x.values[:, 1] - out.x.values[:, 0])
    return {
        "x at 5 ms": float(out.x[499, 0]),
        "apart until 5 ms": float(apart[:500].max()),
        "until 25 ms": float(apart.max()),
    }


def linear_node() -> Numbers:
    """Linear node: exponential decay, exact with the exponential Euler method."""
    lin = nodes.LinearStep(1, gamma=-10.0)
    sim = bg.Simulator(lin, dt=0.1 * u.ms, method="exp_euler")
    out = sim.run(20.0 * u.ms, monitors=["x"])
    return {"decay in 0.5 ms": float(out.x[4, 0]) / 0.01, "x at 20 ms": float(out.x[-1, 0])}


# ---------------------------------------------------------------- noise, networks
def noise() -> Numbers:
    """Adding Noise to Models: a noise is a node, and an edge says what it drives."""
    g = bg.Graph()
    model = g.add_node("model", nodes.HopfStep(10, w=0.2))
    # What adds to dx/dt is per ms, as everything in a model without units.
    source = g.add_node("noise", nodes.OUProcess(10, sigma=0.1, tau=50.0 * u.ms))
    g.add_edge(source, model.x_inp)

    ds = bg.Simulator(g, dt=0.1 * u.ms).run(500 * u.ms, transient=100 * u.ms)
    radius = np.hypot(ds["model.x"], ds["model.y"])
    return {"mean radius": float(radius.mean()), "std": float(radius.std())}


def multi_region_network() -> Numbers:
    """Multi-Region Networks: diffusive coupling brings 90 regions into step."""
    N = 90
    rng = np.random.default_rng(0)
    connectivity = rng.random((N, N)) * (rng.random((N, N)) < 0.2)
    connectivity /= connectivity.sum(1, keepdims=True)

    g = bg.Graph()
    regions = g.add_node("regions", nodes.HopfStep(N, w=rng.normal(0.3, 0.02, N)))
    coupling = edges.DiffusiveCoupling(conn=connectivity, k=0.1)
    g.add_edge(regions.x, regions.x_inp, coupling, name="long_range")

    sim = bg.Simulator(g, dt=0.5 * u.ms)
    numbers = {}
    for k in (0.0, 0.06, 0.1):
        ds = sim.run(1500 * u.ms, transient=1000 * u.ms, params={"long_range.k": k})
        phase = np.arctan2(ds["regions.y"].values, ds["regions.x"].values)
        numbers[f"order at k = {k:g}"] = float(np.abs(np.exp(1j * phase).mean(1)).mean())
    return numbers


BLOCKS: tuple[Callable[[], Numbers], ...] = (
    common_api_pattern,
    hopf_oscillator,
    fitzhugh_nagumo,
    wilson_cowan,
    jansen_rit,
    jansen_rit_tr,
    montbrio_pazo_roxin,
    coombes_byrne,
    larter_breakspear,
    epileptor,
    generic_2d_oscillator,
    wong_wang_exc_inh,
    lorenz,
    linear_node,
    noise,
    multi_region_network,
)


def main() -> None:
    """Run every block and print what it shows."""
    for block in BLOCKS:
        measured = ", ".join(f"{name} {value:.4g}" for name, value in block().items())
        print(block.__doc__)
        print(textwrap.indent(measured, "    "))


if __name__ == "__main__":
    main()
