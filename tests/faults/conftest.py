"""Workers in processes of their own, which tests kill."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.faults import job_worker  # registers the kinds


@pytest.fixture
def start(own_services):
    """``start()`` starts a worker; all are killed when the test ends."""
    started = []

    def begin(**environment):
        settings = {"IIT_JOBS_POLL_SECONDS": "0.1", "IIT_JOBS_GRACE_SECONDS": "10", "IIT_JOBS_THREADS": "2"}
        process = subprocess.Popen(
            [sys.executable, job_worker.__file__], env={**os.environ, **settings, **environment}, stdout=subprocess.PIPE
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()
