"""The examples in every module of the library run, and say what comes out."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import socket
import subprocess
import sys

import pytest

import braingraph

MODULES = [
    "braingraph",
    *(m.name for m in pkgutil.walk_packages(braingraph.__path__, "braingraph.")),
]


def test_all_modules_are_found() -> None:
    for name in ("graph", "compiler.lower", "nodes.hopf", "edges.additive", "observers.bold"):
        assert f"braingraph.{name}" in MODULES
    examples = [
        test
        for name in MODULES
        for test in doctest.DocTestFinder().find(importlib.import_module(name))
        if test.examples
    ]
    assert len(examples) > 15


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    module = importlib.import_module(name)
    result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0, f"{result.failed} of {result.attempted} examples in {name}"


def test_importing_warns_of_nothing_and_starts_no_device() -> None:
    """Several hosts join before anything is computed, so an import must compute nothing."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    code = f"import braingraph, jax; jax.distributed.initialize({address!r}, 1, 0)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
