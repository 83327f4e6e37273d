"""Fixtures for all tests."""

from collections.abc import Iterator

import jax
import pytest


@pytest.fixture
def x64() -> Iterator[None]:
    """Float64 for one test, where precision is the claim."""
    with jax.enable_x64(True):
        yield
