"""What electrodes and magnetometers see of a brain: the alpha rhythm over the back of the head.

Jansen-Rit columns on the 76-region connectome of The Virtual Brain, those at the back driven into
their alpha rhythm; a dipole in every region, a sphere for a head, 19 electrodes of the 10-20 system
and a magnetometer above each.

    python examples/eeg.py               eight seconds of biological time
    python examples/eeg.py --seconds 60
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import brainunit as u
import numpy as np
from matplotlib.figure import Figure

import braingraph as bg
from braingraph import edges, nodes, observers

#: Degrees from the vertex, and from the nose to the left; even numbers are the same on the right.
LEFT = {
    "Fp1": (90, 18), "F7": (90, 54), "T7": (90, 90), "P7": (90, 126), "O1": (90, 162),
    "F3": (60, 39), "C3": (45, 90), "P3": (60, 141),
}  # fmt: skip
MIDDLE = {"Fz": (45, 0), "Cz": (0, 0), "Pz": (45, 180)}
RIGHT = {f"{k[:-1]}{int(k[-1]) + 1}": (down, -round_) for k, (down, round_) in LEFT.items()}
ELECTRODES = {**LEFT, **MIDDLE, **RIGHT}
CENTRE = [5.0, 0.0, 0.0] * u.mm  # of the head, in the frame of the connectome: nose, left, up
SCALP, HELMET = 95 * u.mm, 115 * u.mm
#: Moment of an area whose columns are at 1 mV: dipoles of a folded region mostly cancel.
MOMENT = 0.002 * u.nA * u.meter / u.mV / u.mm**2


def directions() -> np.ndarray:
    """Where the sensors are, seen from the centre of the head."""
    down, round_ = np.deg2rad(list(ELECTRODES.values())).T
    return np.stack([np.sin(down) * np.cos(round_), np.sin(down) * np.sin(round_), np.cos(down)], 1)


def gains(connectome: bg.Connectome) -> tuple[Any, Any]:
    """Of electrodes and magnetometers, for dipoles along the mean normals of the regions."""
    assert connectome.centres is not None and connectome.orientations is not None
    normals = connectome.orientations
    normals = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    out = directions()
    where = {"sources": connectome.centres, "orientations": normals, "centre": CENTRE}
    electric = observers.eeg_sphere_gain(out * SCALP + CENTRE, radius=SCALP, **where)
    return electric, observers.meg_sphere_gain(out * HELMET + CENTRE, out, **where)


def measured_brain(connectome: bg.Connectome) -> bg.Graph:
    """The columns, what drives them, and the two observers."""
    assert connectome.centres is not None and connectome.areas is not None
    g, n = bg.Graph(), connectome.regions
    columns = g.add_node("columns", nodes.JansenRitStep(n), labels=connectome.labels)
    back = connectome.centres[:, 0] < -25 * u.mm
    drive = g.add_node("drive", nodes.ConstantStimulus(n, value=np.where(back, 200, 90) * u.Hz))
    noise = g.add_node("noise", nodes.OUProcess(n, sigma=30 * u.Hz, tau=10 * u.ms))
    g.add_edge(drive, columns.p)
    g.add_edge(noise, columns.p)
    coupling = edges.SigmoidalJansenRitCoupling(conn=connectome.weights, k=10.0)
    delay = connectome.lengths / (5 * u.mm / u.ms)
    g.add_edge(columns.eeg, columns.E_inp, coupling, delay=delay, name="long_range")

    electric, magnetic = gains(connectome)
    shared = {"scale": MOMENT * connectome.areas, "dt": 2 * u.ms}
    eeg = observers.EEGLeadFieldModel(n, gain=electric, noise=0.5 * u.uvolt, **shared)
    meg = observers.MEGLeadFieldModel(n, gain=magnetic, noise=20 * u.ftesla, **shared)
    g.add_edge(columns.eeg, g.add_node("eeg", eeg, labels=list(ELECTRODES)).x)
    g.add_edge(columns.eeg, g.add_node("meg", meg, labels=list(ELECTRODES)).x)
    return g


def alpha(signal: Any) -> np.ndarray:
    """The power between 8 and 13 Hz of every sensor."""
    values = signal.values - signal.values.mean(axis=0)
    milliseconds = signal["time"].values
    frequency = np.fft.rfftfreq(len(values), (milliseconds[1] - milliseconds[0]) / 1000)
    density = np.abs(np.fft.rfft(values * np.hanning(len(values))[:, None], axis=0)) ** 2
    power: np.ndarray = density[(frequency > 8) & (frequency < 13)].sum(axis=0)
    return power


def draw(run: Any, path: Path) -> None:
    """A stretch of EEG, and maps of the alpha rhythm of both."""
    figure = Figure(figsize=(11, 5.5), layout="constrained")
    axes = figure.subplot_mosaic([["eeg", "electric"], ["eeg", "magnetic"]], width_ratios=[2, 1])
    eeg = run["eeg.eeg"][:1000]
    seconds = eeg["time"].values / 1000
    eeg = eeg - eeg.mean("time")
    apart = 5 * float(eeg.std())
    shown = ["Fp1", "F3", "Fz", "C3", "Cz", "T7", "P3", "Pz", "P7", "O1", "O2"]
    for k, name in enumerate(shown):
        trace = eeg.sel(eeg=name).values
        axes["eeg"].plot(seconds, trace - k * apart, lw=0.8, color="tab:blue")
    axes["eeg"].set(title="EEG", xlabel="time (s)", ylabel=f"{apart:.0f} uV apart")
    axes["eeg"].set_yticks(-apart * np.arange(len(shown)), shown)

    down, round_ = np.deg2rad(list(ELECTRODES.values())).T
    x, y = -down * np.sin(round_), down * np.cos(round_)
    for name, signal in (("electric", run["eeg.eeg"]), ("magnetic", run["meg.meg"])):
        level = np.sqrt(alpha(signal))
        dots = axes[name].scatter(x, y, c=level / level.max(), s=220, cmap="viridis", vmin=0)
        for label, a, b in zip(ELECTRODES, x, y, strict=True):
            axes[name].text(a, b - 0.28, label, fontsize=6, ha="center")
        axes[name].set(title=f"{name} alpha, nose up", aspect="equal")
        axes[name].axis("off")
        axes[name].margins(0.1)
        figure.colorbar(dots, ax=axes[name], label="amplitude")
    figure.savefig(path, dpi=130)


def main(seconds: float = 8.0, figure: str = "eeg.png") -> dict[str, float]:
    """The whole job; returns the numbers it prints."""
    connectome = bg.load_connectome("tvb76").without_self_connections().normalised("rows")
    graph = measured_brain(connectome)
    print(graph)
    run = bg.Simulator(graph, dt=0.5 * u.ms, seed=1).run(
        seconds * u.second, transient=1 * u.second, monitors=["eeg.eeg", "meg.meg"]
    )
    power = dict(zip(ELECTRODES, alpha(run["eeg.eeg"]), strict=True))
    back, front = (np.mean([power[k] for k in names]) for names in (("O1", "O2"), ("Fp1", "Fp2")))
    numbers = {
        "uV": float(run["eeg.eeg"].std("time").max()),
        "fT": float(run["meg.meg"].std("time").max()),
        "back over front": float(back / front),
    }
    draw(run, Path(figure))
    print(f"EEG up to {numbers['uV']:.1f} uV, MEG up to {numbers['fT']:.0f} fT (rms of a sensor)")
    print(f"Alpha power at the back over that at the front: {numbers['back over front']:.1f}")
    print(f"Figure: {figure}")
    return numbers


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8.0, help="biological time (default 8)")
    parser.add_argument("--figure", default="eeg.png")
    given = parser.parse_args()
    main(given.seconds, given.figure)
