"""A slow interpreter of any graph, against which the compiler is tested.

NumPy float64, one step, one edge and one pair of units at a time; every message sample is kept.
It reads the description (``graph.models()``, ``graph.all_edges()``) and shares no code with the
compiler, the integrators or the models: equations are restated in ``oracle_models`` and
``oracle_couplings``. It follows the docstring of ``braingraph.compiler``. Where that leaves a
choice:

a. A sample at t_{n+1} is the stage (1, x_{n+1}) of step n: it sees the noise and array inputs of
   step n, the new states of ``update`` nodes, and n as the newest sample of delayed messages.
b. An output's history, where none is given, follows from its states' history, with every input
   at its default, no noise, and t = 0. Before given samples stands the oldest of them.
c. Nodes of one clock are a network of their own, with a step of P: edges among them act within
   the stage, and to their inputs' defaults is added the mean of what comes from elsewhere. They
   feed no faster node. A clock of dt is no clock of its own.
d. Delays within 1e-9 of half a step are multiples of half a step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import brainunit as u
import numpy as np
import oracle_couplings as couplings
import oracle_models as laws

Array = np.ndarray[Any, np.dtype[np.float64]]
States = dict[str, Array]  # "path.state" -> (unit,)


class LoopError(Exception):
    """Signals that need each other at one moment."""


@dataclass
class Moment:
    """The stage (c, states) of step n, on a clock whose step is dt = ``clock`` base steps."""

    n: int
    c: float
    states: States
    dt: float
    clock: int = 1
    means: Mapping[str, Array] = field(default_factory=dict)  # of inputs, on a slower clock
    seen: dict[str, Array] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)

    @property
    def t(self) -> float:
        return (self.n + self.c) * self.dt


@dataclass
class Wire:
    """One edge: its weights, its delays in steps, and all of its message samples."""

    edge: Any
    pre: Callable[[Array], Array]  # source (unit,) -> message (channel, unit)
    post: Callable[[Array, Any, Array], Array]
    weights: Array
    steps: Array
    paired: str | None
    clock: int  # of the source
    channels: int
    pair: Callable[[Array, Any], Array] | None  # what one connection carries, if no sum does
    samples: dict[int, Array] = field(default_factory=dict)


def simulate(
    graph: Any,
    dt_ms: float,
    steps: int,
    method: str = "heun",
    *,
    initial: Mapping[str, Any] | None = None,
    history: Mapping[str, Any] | None = None,
    normals: Callable[[str, str, int], Array] | None = None,
    inputs: Mapping[str, Any] | None = None,
) -> dict[str, Array]:
    """Every state, output and input of every vertex at t_1 ... t_steps: "path.signal" -> array.

    Values are in the ports' units, shape (steps, unit); nodes with a clock have a row a period.

    ``initial``: "path.state" -> array. ``history``: "path.signal" -> a value, samples (k, unit)
    one per dt, the last at t = 0, or a callable of t <= 0 in ms. ``normals(path, signal, step)``
    are the standard normals of every unit (default: zeros). ``inputs``: "path.input" -> a number,
    rows (steps, unit) held over each step, or a callable of t in ms; added to what arrives.
    """
    given = (initial or {}, history or {}, normals, inputs or {})
    return Interpreter(graph, dt_ms, method, *given).run(steps)


class Interpreter:
    """The state of one simulation."""

    def __init__(
        self,
        graph: Any,
        dt: float,
        method: str,
        initial: Mapping[str, Any],
        history: Mapping[str, Any],
        normals: Callable[[str, str, int], Array] | None,
        inputs: Mapping[str, Any],
    ) -> None:
        self.models: dict[str, Any] = graph.models()
        self.dt, self.method = dt, method
        self.history, self.normals, self.inputs = history, normals, inputs
        self.clock = {path: self._steps(model) for path, model in self.models.items()}
        self.states: States = {}  # of all clocks, now
        for path, model in self.models.items():
            for name in model._states:
                self.states[f"{path}.{name}"] = _initial(model, name, initial.get(f"{path}.{name}"))
        self.start = self.states
        self.shown: States = {}  # what slower nodes sent at their last step
        self.wires = [self._wire(edge) for edge in graph.all_edges()]

    # ------------------------------------------------------------ the description, as numbers
    def _steps(self, model: Any) -> int:
        steps = 1.0 if model.dt is None else model.dt / self.dt
        assert abs(steps - round(steps)) < 1e-9, f"{model!r} has a clock of {steps} steps"
        return round(steps)

    def _wire(self, edge: Any) -> Wire:
        source, target = self._model(edge.source), self._model(edge.target)
        out, inp = edge.source.rpartition(".")[2], edge.target.rpartition(".")[2]
        shape = (target.signal_size(inp), source.signal_size(out))
        paired = target._inputs[inp].state or inp.removesuffix("_inp")
        paired = paired if paired in target._states else None
        units = {
            "source": source.signals()[out].unit(source),
            "target": target.signals()[inp].unit(target),
            "state": target._states[paired].unit(target) if paired else u.UNITLESS,
        }
        pre, post = couplings.coupling(edge.coupling, units)
        pair = couplings.pairwise(edge.coupling, units)
        conn = edge.coupling.conn
        plain = np.eye(shape[0]) if conn is None else np.array(u.get_magnitude(conn), float)
        delay = np.zeros(()) if edge.delay is None else np.asarray(edge.delay, float)
        ratio = np.broadcast_to(delay / self.dt, shape)
        halves = np.rint(2 * ratio) / 2
        ratio = np.where(abs(ratio - halves) < 1e-9, halves, ratio)
        if edge.interpolation == "nearest":
            ratio = np.rint(ratio)
        path, clock = edge.target.rpartition(".")[0], self._clock_of(edge.source)
        slow, fast = max(clock, self.clock[path]), min(clock, self.clock[path])
        assert clock == 1 or (slow % fast == 0 and not ratio.any()), edge
        y = f"{path}.{paired}" if paired else None
        channels = len(pre(np.ones(shape[1])))
        return Wire(edge, pre, post, np.broadcast_to(plain, shape), ratio, y, clock, channels, pair)

    def _clock_of(self, port: str) -> int:
        return self.clock[port.rpartition(".")[0]]

    def _model(self, port: str) -> Any:
        return self.models[port.rpartition(".")[0]]

    def _defaults(self, path: str) -> dict[str, Array]:
        model = self.models[path]
        return {
            f"{path}.{name}": np.full(model.signal_size(name), _plain(i.default, i.unit(model)))
            for name, i in model._inputs.items()
        }

    # ------------------------------------------------------------ signals at a moment
    def value(self, at: Moment, port: str) -> Array:
        """One signal, with everything it needs, each evaluated once."""
        if port not in at.seen:
            if port in at.open:
                raise LoopError(" -> ".join([*at.open[at.open.index(port) :], port]))
            at.open.append(port)
            at.seen[port] = self._evaluate(at, port)
            at.open.pop()
        return at.seen[port]

    def _evaluate(self, at: Moment, port: str) -> Array:
        path, _, name = port.rpartition(".")
        model = self.models[path]
        kind = model.signals()[name].kind
        if kind == "state":
            return at.states[port]
        if kind == "input":
            return self._arriving(at, port)
        if kind == "noise":
            zeros = np.zeros(model.signal_size(name))
            return zeros if self.normals is None else self.normals(path, name, at.n) + zeros
        out = laws.output(model, name, *self._views(at, path))
        return np.broadcast_to(np.asarray(out, float), model.signal_size(name))

    def _views(self, at: Moment, path: str) -> tuple[laws.Pull, laws.Pull]:
        """What a node's functions read: states, and inputs with noise and time."""

        def read(name: str) -> Any:
            return self.value(at, f"{path}.{name}")

        clock = {"t": at.t, "dt": at.dt, "n": at.n, "stage": at.c}
        return laws.Pull(read), laws.Pull(lambda name: clock[name] if name in clock else read(name))

    def _arriving(self, at: Moment, port: str) -> Array:
        """An input: its default, every edge that ends there, and what the caller adds.

        Of a slower node's, what this moment's clock adds to it.
        """
        total = self._defaults(port.rpartition(".")[0])[port]
        if self._clock_of(port) > at.clock:
            total = np.zeros_like(total)
        if at.clock == 1:
            total = total + self._given(at, port)
        if port in at.means:
            total = total + at.means[port]
        for wire in self.wires:
            late = wire.clock > at.clock == self._clock_of(port)
            if wire.edge.target == port and (wire.clock == at.clock or late):
                total = total + self._delivered(at, wire)
        return total

    def _given(self, at: Moment, port: str) -> Array:
        extra = self.inputs.get(port, 0.0)
        plain = np.asarray(extra(at.t) if callable(extra) else extra, float)
        return np.asarray(plain[at.n] if plain.ndim == 2 else plain)

    def _delivered(self, at: Moment, wire: Wire) -> Array:
        """``post(sum_j conn[i, j] m_j(t - d_ij), y_i, sum_j conn[i, j])`` for every target i."""
        targets, sources = wire.weights.shape
        total = np.zeros((wire.channels, targets))
        y = self.value(at, wire.paired) if wire.paired else None
        for i in range(targets):
            for j in range(sources):
                if wire.weights[i, j] != 0:
                    heard = self._message(at, wire, wire.steps[i, j])[:, j]
                    if wire.pair:
                        heard = wire.pair(np.broadcast_to(heard, targets), y)[i]
                    total[:, i] += wire.weights[i, j] * heard
        return wire.post(total, y, wire.weights.sum(axis=1))

    # ------------------------------------------------------------ messages and delays
    def _message(self, at: Moment, wire: Wire, delay: float) -> Array:
        """The message as it was ``delay`` steps before the moment; a slower node's, as last."""
        if wire.clock > at.clock:
            source = wire.edge.source
            return wire.pre(self.shown[source] if source in self.shown else self.past(source, 0))
        if delay == 0:
            return wire.pre(self.value(at, wire.edge.source))
        p = at.n + at.c - delay
        low = int(np.floor(p))
        if p == low:
            return self._sample(at, wire, low)
        if self.method != "rk4":
            w = p - low
            return (1 - w) * self._sample(at, wire, low) + w * self._sample(at, wire, low + 1)
        first = min(low - 1, at.n - 3)
        total = np.zeros(())
        for k in range(first, first + 4):
            others = [m for m in range(first, first + 4) if m != k]
            weight = np.prod([(p - m) / (k - m) for m in others])
            total = total + weight * self._sample(at, wire, k)
        return total

    def _sample(self, at: Moment, wire: Wire, k: int) -> Array:
        """Message sample k; past the newest one, the message of the moment itself."""
        if k > 0 and k not in wire.samples:
            assert k == at.n + 1
            return wire.pre(self.value(at, wire.edge.source))
        if k not in wire.samples:
            wire.samples[k] = wire.pre(self.past(wire.edge.source, k))
        return wire.samples[k]

    def past(self, port: str, k: int) -> Array:
        """A signal at t_k <= 0."""
        model, name = self._model(port), port.rpartition(".")[2]
        given = self.history.get(port)
        if given is None:
            return self._unrecorded(port, k)
        plain = np.asarray(given(k * self.dt) if callable(given) else given, float)
        if plain.ndim == 2:
            plain = plain[max(len(plain) - 1 + k, 0)]
        return np.broadcast_to(plain, (model.signal_size(name),))

    def _unrecorded(self, port: str, k: int) -> Array:
        path, _, name = port.rpartition(".")
        model = self.models[path]
        if name in model._states:
            return self.start[port]
        states = {f"{path}.{x}": self.past(f"{path}.{x}", k) for x in model._states}
        quiet = self._defaults(path)
        quiet |= {f"{path}.{z}": np.zeros(model.signal_size(z)) for z in model._normals}
        return self.value(Moment(0, 0.0, states, self.dt, seen=quiet), port)

    # ------------------------------------------------------------ one step
    def _advance(
        self, paths: list[str], dt: float, moment: Callable[[float, States], Moment]
    ) -> States:
        """The states of ``paths`` one step of ``dt`` on."""
        x = dict(self.states)
        ruled = [path for path in paths if self.models[path]._update_rule is not None]
        flows = [path for path in paths if self.models[path]._states and path not in ruled]

        def slope(c: float, guess: States) -> States:
            at = moment(c, guess)
            out: States = {}
            for path in flows:
                rates = laws.derivative(self.models[path], *self._views(at, path))
                out |= {f"{path}.{name}": rate for name, rate in rates.items()}
            return out

        def moved(h: float, k: States) -> States:
            """x + h k within the bounds; what has no slope stays."""
            return x | {port: self._bounded(port, x[port] + h * k[port]) for port in k}

        k1 = slope(0.0, x)
        if self.method == "euler":
            new = moved(dt, k1)
        elif self.method == "heun":
            k2 = slope(1.0, moved(dt, k1))
            new = moved(dt / 2, {port: k1[port] + k2[port] for port in k1})
        elif self.method == "rk4":
            k2 = slope(0.5, moved(dt / 2, k1))
            k3 = slope(0.5, moved(dt / 2, k2))
            k4 = slope(1.0, moved(dt, k3))
            new = moved(dt / 6, {p: k1[p] + 2 * k2[p] + 2 * k3[p] + k4[p] for p in k1})
        else:
            assert self.method == "exp_euler", self.method
            own = self._own_slopes(flows, moment(0.0, x))
            new = moved(dt, {port: _phi(dt * own[port]) * k1[port] for port in k1})
        at = moment(0.0, x)
        for path in ruled:
            jumped = laws.update(self.models[path], *self._views(at, path), dt)
            new |= {f"{path}.{s}": self._bounded(f"{path}.{s}", v) for s, v in jumped.items()}
        return new

    def _own_slopes(self, flows: Iterable[str], at: Moment) -> States:
        """d f_i / d x_i of every state by a complex step, the inputs held."""
        out: States = {}
        tiny = 1e-30
        for path in flows:
            states, given = self._views(at, path)
            for name in self.models[path]._states:

                def nudged(asked: str, name: str = name, states: laws.Pull = states) -> Any:
                    return states[asked] + (tiny * 1j if asked == name else 0.0)

                rates = laws.derivative(self.models[path], laws.Pull(nudged), given)
                out[f"{path}.{name}"] = np.imag(rates[name]) / tiny
        return out

    def _bounded(self, port: str, x: Array) -> Array:
        model = self._model(port)
        state = model._states[port.rpartition(".")[2]]
        low, high = state.bounds or (None, None)
        low = -np.inf if low is None else _plain(low, state.unit(model))
        high = np.inf if high is None else _plain(high, state.unit(model))
        return np.minimum(np.maximum(x, low), high)

    # ------------------------------------------------------------ the run
    def run(self, steps: int) -> dict[str, Array]:
        rows: dict[str, list[Array]] = {}
        clocks = {m: [p for p in self.models if self.clock[p] == m] for m in self.clock.values()}
        inputs = [f"{path}.{name}" for path, m in self.models.items() for name in m._inputs]
        heard: dict[tuple[str, int], list[Array]] = {}  # inputs of slower nodes, by what feeds them
        for n in range(steps):
            for m in sorted({1, *clocks}):
                if (n + 1) % m:
                    continue
                means = self._gathered(heard, m)
                end = self._step(rows, clocks.get(m, []), (n + 1) // m - 1, m, means)
                for wire in self.wires:
                    if wire.clock == m == 1:
                        wire.samples[n + 1] = wire.pre(self.value(end, wire.edge.source))
                    elif wire.clock == m:
                        self.shown[wire.edge.source] = self.value(end, wire.edge.source)
                for port in inputs:
                    if self._clock_of(port) > m:
                        heard.setdefault((port, m), []).append(self.value(end, port))
        return {port: np.array(values) for port, values in rows.items()}

    def _gathered(self, heard: Mapping[tuple[str, int], list[Array]], m: int) -> dict[str, Array]:
        """What the inputs of nodes of clock ``m`` got from each faster clock in the interval."""
        out: dict[str, Array] = {}
        for (port, faster), values in heard.items():
            if self._clock_of(port) == m:
                last = self._model(port)._inputs[port.rpartition(".")[2]].over == "last"
                mean = values[-1] if last else np.mean(values[-(m // faster) :], axis=0)
                out[port] = out.get(port, 0.0) + mean
        return out

    def _step(
        self,
        rows: dict[str, list[Array]],
        paths: list[str],
        n: int,
        clock: int,
        means: Mapping[str, Array],
    ) -> Moment:
        """Step n of all nodes of one clock, and its sample."""
        dt = clock * self.dt

        def moment(c: float, states: States) -> Moment:
            return Moment(n, c, states, dt, clock, means)

        self.states = self._advance(paths, dt, moment)
        end = moment(1.0, self.states)
        for path in paths:
            self._record(rows, end, path)
        return end

    def _record(self, rows: dict[str, list[Array]], at: Moment, path: str) -> None:
        model = self.models[path]
        for name in [*model._states, *model._outputs, *model._inputs]:
            rows.setdefault(f"{path}.{name}", []).append(self.value(at, f"{path}.{name}"))


# ---------------------------------------------------------------- small parts
def _plain(value: Any, unit: Any) -> Any:
    """The numbers of ``value`` in ``unit``; plain numbers are in it already."""
    return value.to_decimal(unit) if isinstance(value, u.Quantity) else value


def _initial(model: Any, name: str, given: Any) -> Array:
    init = model._inits[name] if given is None else given
    if hasattr(init, "draw"):
        raise ValueError(f"init_{name} is drawn from the run's seed: give it in initial=")
    shape, size = model.signal_shape(name), model.signal_size(name)
    if callable(init):
        init = init(shape)
    plain = np.asarray(_plain(init, model._states[name].unit(model)), float)
    if plain.ndim and plain.shape == (size,):
        return plain.copy()
    return np.broadcast_to(plain, shape).ravel().copy()


def _phi(z: Array) -> Array:
    """(e^z - 1) / z, and 1 at z = 0."""
    return np.where(z == 0, 1.0, np.expm1(z) / np.where(z == 0, 1.0, z))
