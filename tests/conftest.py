"""Fixtures for all tests."""

import os
import signal
from collections.abc import Iterator

# Eight devices of one CPU, for what runs on several; read when JAX first looks for devices.
os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
)

if "PYTEST_XDIST_WORKER" in os.environ:  # where Ctrl-C is ignored, which some tests raise
    signal.signal(signal.SIGINT, signal.default_int_handler)

import jax
import pytest


@pytest.fixture
def x64() -> Iterator[None]:
    """Float64 for one test, where precision is the claim."""
    with jax.enable_x64(True):
        yield
