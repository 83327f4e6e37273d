"""Fixtures for all tests."""

import os
from collections.abc import Iterator

# Eight devices of one CPU, for what runs on several; read when JAX first looks for devices.
os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
)

import jax
import pytest


@pytest.fixture
def x64() -> Iterator[None]:
    """Float64 for one test, where precision is the claim."""
    with jax.enable_x64(True):
        yield
