"""Ten thousand spiking neurons and their exact mean field, through a step of input.

Quadratic integrate-and-fire neurons, all to all, hear one stimulus together with the two equations
that describe their number going to infinity (Montbrio, Pazo & Roxin 2015, Phys Rev X 5:021028). The
step moves both from the lower of two stable states to the upper, where they stay.

    python examples/qif_population.py             10 000 neurons, a quarter of a minute
"""

from __future__ import annotations

import argparse
from typing import Any

import brainunit as u
import jax.numpy as jnp
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

import braingraph as bg
from braingraph import edges, nodes

TAU = 10.0 * u.ms
DELTA, ETA, J = 1.0, -5.0, 15.0
STEP, ONSET, DURATION, END = 3.0, 200, 200, 600  # input; times in ms
HERTZ = 100.0  # of a rate of 1 / tau
#: Where rates are compared: at rest, on the plateau of the step, and in what it leaves behind.
WINDOWS = {"before": (100, 200), "during": (250, 400), "after": (450, 600)}


class QIFNeurons(bg.Node):
    """Quadratic integrate-and-fire neurons that spike at infinity and go on from minus infinity.

    ::

        tau v' = v^2 + eta + v_inp

    solved exactly over a step with constant input: with I = eta + v_inp and h = dt / tau ::

        v <- (v c + I s) / (c - v s),   c = cos(sqrt(I) h),   s = sin(sqrt(I) h) / sqrt(I)

    and cosh and sinh where I < 0. The denominator turns negative in the step of a spike.

    Parameters
    ----------
    tau : time, default 10 ms
        Membrane time constant.
    eta : 1, default -5.0
        Excitability, one per neuron; steps must be shorter than pi tau / sqrt(eta).

    Signals
    -------
    v : state, 1, (unit,)
        Membrane potential.
    fired : state, 1, (unit,)
        1 in the step of a spike.
    v_inp : input, 1, (unit,)
    rate : output, Hz, (unit,)
        Spikes as a rate: 1 / dt in the step of a spike.

    Source: Ermentrout & Kopell 1986, SIAM J Appl Math 46:233; the step is the solution of the
    Riccati equation.
    """

    tau: u.Quantity = bg.parameter(10.0 * u.ms, positive=True)
    eta: float = -5.0

    v = bg.State(-2.0)
    fired = bg.State(0.0)
    v_inp = bg.Input()

    @bg.Output(unit=u.Hz)
    def rate(self, s: Any, i: Any) -> Any:
        """Spikes as a rate: 1 / dt in the step of a spike."""
        return s.fired / i.dt

    def update(self, s: Any, i: Any, dt: Any) -> dict[str, Any]:
        drive = self.eta + i.v_inp
        root = jnp.sqrt(jnp.abs(drive)) + 1e-6
        angle = root * (dt / self.tau)
        c = jnp.where(drive > 0, jnp.cos(angle), jnp.cosh(angle))
        sine = jnp.where(drive > 0, jnp.sin(angle), jnp.sinh(angle)) / root
        below = c - s.v * sine
        below = jnp.where(below == 0, 1e-20, below)
        return {"v": (s.v * c + drive * sine) / below, "fired": jnp.where(below < 0, 1.0, 0.0)}


def lorentzian(n: int) -> np.ndarray:
    """``n`` equally likely values of a Lorentzian of centre 0 and half width 1."""
    return np.tan(np.pi * ((np.arange(n) + 0.5) / n - 0.5))


def neurons_and_mean_field(n: int) -> bg.Graph:
    """The neurons, their mean field, and the stimulus of both."""
    spread = lorentzian(n)
    order = np.random.default_rng(0).permutation(n)
    rest = np.array([0.0811, -1.9616])  # r and v of the lower state: where both begin
    start = rest[1] + np.pi * rest[0] * spread[order]

    g = bg.Graph()
    cells = g.add_node("cells", QIFNeurons(n, tau=TAU, eta=ETA + DELTA * spread, init_v=start))
    field = nodes.MontbrioPazoRoxinStep(
        1, tau=TAU, Delta=DELTA, eta=ETA, J=J, init_r=rest[0], init_v=rest[1]
    )
    field = g.add_node("field", field)
    pulse = nodes.PulseTrain(1, amplitude=STEP, onset=ONSET * u.ms, duration=DURATION * u.ms)
    stimulus = g.add_node("stimulus", pulse)
    for target in (cells.v_inp, field.v_inp):
        g.add_edge(stimulus.out, target, edges.AdditiveCoupling(conn=1.0))
    # All hear the mean of all, J r, with r the rate in 1 / tau: collected once, handed to each.
    mean = g.add_node("mean", nodes.Relay(1))
    g.add_edge(cells.rate, mean, edges.AdditiveCoupling(conn=np.full((1, n), 1 / n), k=TAU))
    g.add_edge(mean, cells.v_inp, edges.AdditiveCoupling(conn=1.0, k=J))
    return g


def simulate(n: int, dt: float) -> xr.Dataset:
    """Rates of both, as means over 1 ms, and every spike of a hundred neurons."""
    sim = bg.Simulator(neurons_and_mean_field(n), dt=dt * u.ms)
    return sim.run(
        END * u.ms,
        monitors={
            "neurons": bg.Record("mean.out", every=1 * u.ms, reduce="mean"),
            "mean field": bg.Record("field.r", every=1 * u.ms, reduce="mean"),
            "spikes": lambda m: m.cells.fired[:: max(n // 100, 1)],
        },
    )


def draw(ds: xr.Dataset, path: str) -> None:
    """Both rates, and the spikes of a hundred neurons from the least to the most excitable."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True)
    fired = ds["spikes"].values
    step, neuron = np.nonzero(fired)
    top.plot(step * END / len(fired), neuron, "k.", ms=1)
    top.set(ylabel="neuron", title="Quadratic integrate-and-fire neurons and their mean field")
    for name, style in (("neurons", "-"), ("mean field", "k--")):
        bottom.plot(np.arange(END), ds[name].values[:, 0] * HERTZ, style, lw=1, label=name)
    bottom.axvspan(ONSET, ONSET + DURATION, color="0.9", label=f"input {STEP:g}")
    bottom.set(xlabel="time (ms)", ylabel="rate (Hz)")
    bottom.legend()
    figure.savefig(path, dpi=130)


def main(
    n: int = 10_000, dt: float = 0.1, figure: str = "qif_population.png"
) -> dict[str, tuple[float, float]]:
    """Simulate, draw, and return the rates of both in Hz: before, during and after the step."""
    ds = simulate(n, dt)
    rates = {}
    print(f"{n} neurons (Hz)  mean field (Hz)")
    for name, (start, end) in WINDOWS.items():
        neurons, field = (
            float(ds[of].values[start:end].mean()) * HERTZ for of in ("neurons", "mean field")
        )
        rates[name] = neurons, field
        print(f"{name:8} {neurons:10.2f} {field:17.2f}   {neurons / field - 1:+.1%}")
    draw(ds, figure)
    print(f"figure: {figure}")
    return rates


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--neurons", type=int, default=10_000)
    parser.add_argument("--dt", type=float, default=0.1, help="in ms")
    parser.add_argument("--figure", default="qif_population.png")
    given = parser.parse_args()
    main(given.neurons, given.dt, given.figure)
