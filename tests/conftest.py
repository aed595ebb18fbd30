"""For all tests: one thread a process where several run side by side, and a cache of their own."""

import os

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything imports torch

import pytest


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory):
    """What runs leave in the user's cache stays out of the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
