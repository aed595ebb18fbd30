"""Killed, or out of disk, at some of its writes (python -m tests.crash_points takes all): nothing is lost."""

import os

import pytest

from tests.crash_points import Job, points

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked here")


@pytest.mark.parametrize("fault", ["killed", "disk full"])
@pytest.mark.parametrize(("form", "overwrite"), [("parquet", False), ("png", True), ("webdataset", True)])
def test_the_next_run_makes_the_same_bytes(tmp_path, form, overwrite, fault):
    found = list(points(Job(form, overwrite), tmp_path, fault, step=31))
    assert found and not any(found), found
