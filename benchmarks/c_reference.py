"""c_reference.c, compiled with gcc into a temporary folder and called through ctypes."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.networks import DT, EVERY, SIGMA, X0, Y0, A, K, Network, W

#: -ffast-math lets gcc vectorise sums, logarithms and sines: without it C loses by a factor.
FLAGS = ("-O3", "-march=native", "-ffast-math", "-shared", "-fPIC")
SHORTEST = 10  # steps: BLOCK in the C file


class _Model(ctypes.Structure):
    _fields_ = [(name, ctypes.c_float) for name in ("a", "w", "k", "sigma", "dt", "x0", "y0")]


class CReference:
    """The compiled functions. ``CReference.available()`` says whether there is a gcc."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        library = Path(self._folder.name) / "c_reference.so"
        source = Path(__file__).with_suffix(".c")
        subprocess.run(["gcc", *FLAGS, str(source), "-o", str(library), "-lm"], check=True)
        self._library = ctypes.CDLL(str(library))

    @staticmethod
    def available() -> bool:
        return shutil.which("gcc") is not None

    def run(
        self, function: str, network: Network, steps: int, seed: int = 1
    ) -> npt.NDArray[np.float32]:
        """x, (sample, unit), by ``"by_step"``, ``"by_block"`` or ``"undelayed"``."""
        n = network.size
        weights = np.ascontiguousarray(network.weights, np.float32)
        delay = np.zeros((n, n), np.int32) if network.delay is None else network.delay
        # An absent edge may have any delay; by_block reads it all the same, times zero.
        delay = np.ascontiguousarray(np.where(weights != 0, delay, SHORTEST), np.int32)
        if function == "by_block" and delay.min() < SHORTEST:
            raise ValueError(f"by_block needs delays of at least {SHORTEST} steps")
        out = np.empty((steps // EVERY, n), np.float32)
        model = _Model(A, W, K, SIGMA, DT, X0, Y0)
        pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in (weights, delay, out)]
        getattr(self._library, function)(
            ctypes.byref(model),
            ctypes.c_int(n),
            ctypes.c_long(steps),
            *pointers[:2],
            ctypes.c_int(EVERY),
            pointers[2],
            ctypes.c_uint64(seed),
        )
        return out
