"""``braingraph``: what a store holds, going on with a run, the models, and plans."""

from __future__ import annotations

import argparse
import runpy
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from braingraph import hierarchy, places
from braingraph.compiler.explain import show_bytes
from braingraph.errors import BraingraphError, StoreError
from braingraph.show import Tree, plural
from braingraph.units import show_time

_EXAMPLES = {
    "info": "examples:\n  braingraph info rest.zarr\n  braingraph info s3://bucket/rest.zarr",
    "resume": "examples:\n  braingraph resume rest.zarr\n"
    "  srun --signal=TERM@60 braingraph resume rest.zarr  # stops cleanly a minute early",
    "models": "examples:\n  braingraph models\n  braingraph models --category noise\n"
    "  braingraph models HopfStep",
    "explain": "examples:\n  braingraph explain rest.zarr\n  braingraph explain my_network.py",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status is 0, or 1 with one message on standard error."""
    given = _parser().parse_args(arguments)
    try:
        given.act(given)
    except BraingraphError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as stopped:
        print(str(stopped) or "interrupted", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="braingraph", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(name: str, act: Any, about: str) -> argparse.ArgumentParser:
        found = commands.add_parser(
            name,
            help=about,
            description=about,
            epilog=_EXAMPLES[name],
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        found.set_defaults(act=act)
        return found

    info = command("info", _info, "what a store holds, how long and how large it is, and its state")
    info.add_argument("store")
    resume = command("resume", _resume, "go on with a run that was cut short, to the bit")
    resume.add_argument("store")
    resume.add_argument("--quiet", action="store_true", help="show no progress")
    models = command("models", _models, "the models, or the card of one")
    models.add_argument("name", nargs="?", help="a class: its card")
    models.add_argument("--category", help="only these, such as noise or observer")
    explain = command("explain", _explain, "the plan of a store's run, or of a script's first run")
    explain.add_argument("what", metavar="script-or-store")
    return parser


# ---------------------------------------------------------------- commands
def _info(given: argparse.Namespace) -> None:
    from braingraph.sweep_store import is_sweep, open_sweep

    place = places.at(given.store)
    print(open_sweep(place) if is_sweep(place) else about(place).text())


def about(store: Any) -> Tree:
    """A run's store in a few lines: graph, time, monitors, size, who made it."""
    from braingraph.resume import Past

    past = Past.read(store)
    asked, made = past.asked, past.provenance
    samples = hierarchy.committed(past.root)
    rows, done = [], 0.0
    for name, count in samples.items():
        group = hierarchy.group_in(past.root, f"monitors/{name}")
        r = hierarchy.recording_of(group, name)
        data = hierarchy.array_in(group, "data")
        size = count * (data.size // max(r.samples, 1)) * data.dtype.itemsize
        done = max(done, r.start + count * r.period)
        rows.append(
            Tree(
                (
                    name,
                    f"[{r.unit}]",
                    f"{count} of {r.samples} samples",
                    f"every {show_time(r.period)}",
                    " x ".join(f"{n} {d}" for d, n in zip(r.dims, r.shape, strict=True)),
                    show_bytes(size),
                )
            )
        )
    whole = (asked["first"] + asked["steps"]) * asked["dt"]
    with places.trouble(past.path, "read"):
        size, count = past.path.size()
    versions = made["versions"]
    lines = [
        Tree(("graph", str(made["graph"]).splitlines()[0])),
        Tree(("time", f"{show_time(done)} of {show_time(whole)}, dt = {show_time(asked['dt'])}")),
        Tree(("method", f"{asked['method']}, seed {asked['seed']}, {asked['dtype']}")),
        Tree(("monitors",), tuple(rows)),
        Tree(("on disk", f"{show_bytes(size)} in {plural(count, 'file')}")),
        Tree(("made", f"{made['created']} on {made['host']}, jax {versions['jax']}")),
    ]
    if past.status != "complete":
        ago = show_time(1000.0 * round(max(time.time() - hierarchy.last_commit(past.root), 0)))
        lines.append(Tree(("committed", f"last {ago} ago")))
        still = "if nothing writes it any more: " if past.status == "running" else ""
        how = f"braingraph resume {past.path}" if past.path.spelled else "sim.resume(...)"
        lines.append(Tree(("to go on", f"{still}{how}")))
    return Tree((f"{past.path}: a run, {past.status}",), tuple(lines))


def _resume(given: argparse.Namespace) -> None:
    from braingraph.resume import Past, resume

    past = Past.read(given.store)
    if past.status == "complete":
        print(f"{past.path!r} is complete: nothing is left to do.")
        return
    resume(past.simulator(), given.store, None, None, None, not given.quiet)
    print(f"{past.path!r} is complete.")


def _models(given: argparse.Namespace) -> None:
    from braingraph import list_models

    listed = list_models(category=given.category)
    print(listed[given.name].model if given.name else listed)


def _explain(given: argparse.Namespace) -> None:
    script = Path(given.what)
    if not script.is_file() or script.suffix == ".zip":
        from braingraph import units
        from braingraph.resume import Past

        past = Past.read(given.what)
        duration = units.attach(past.asked["steps"] * past.asked["dt"], units.TIME)
        print(past.simulator().explain(past.records(), duration, past.asked["batch"]))
        return
    print(explained(script))


def explained(script: Path) -> str:
    """The plan of the first run (or sweep) that a script asks for; the script ends there."""
    from braingraph.simulator import Simulator

    found: list[str] = []

    class Found(BaseException):
        pass

    def run(sim: Simulator, duration: Any, **options: Any) -> None:
        chosen = {k: options[k] for k in ("monitors", "batch_size") if k in options}
        found.append(sim.explain(duration=duration, **chosen))
        raise Found

    def sweep(sim: Simulator, axes: Any, duration: Any, **options: Any) -> None:
        run(sim, duration, **{k: v for k, v in options.items() if k == "monitors"})

    folder = str(script.resolve().parent)
    with (
        _instead(Simulator, run=run, sweep=sweep),
        _instead(sys, argv=[str(script)], path=[folder, *sys.path]),
    ):
        try:
            runpy.run_path(str(script), run_name="__main__")
        except Found:
            return found[0]
    raise StoreError(
        f"{str(script)!r} ran to its end without Simulator.run or .sweep: it has no plan to show.",
        path=str(script),
    )


@contextmanager
def _instead(owner: Any, **others: Any) -> Iterator[None]:
    """Attributes replaced for a while."""
    before = {name: getattr(owner, name) for name in others}
    try:
        for name, other in others.items():
            setattr(owner, name, other)
        yield
    finally:
        for name, own in before.items():
            setattr(owner, name, own)


if __name__ == "__main__":
    sys.exit(main())
