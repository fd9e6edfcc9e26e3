"""The process of one suspect job: ``python -m core.jobs.isolated JOB DATABASE TOKEN PARENT``."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING
from uuid import UUID

from core.processes import die_with_parent

if TYPE_CHECKING:
    from types import FrameType


def main(arguments: list[str]) -> int:
    """Run the job once; return 0 when its try has ended, whatever the outcome."""
    job_id, database, token, parent = arguments
    die_with_parent(int(parent))
    from core import telemetry
    from core.database import DatabaseUnavailable
    from core.error_groups.tracking import tracked
    from core.feature_registry import load_jobs
    from core.jobs.isolation import NO_DATABASE
    from core.jobs.runner import Runner
    from core.metering.seconds import seconds_recorded
    from core.tracing import traced

    telemetry.configure_from_settings()
    load_jobs()
    runner = Runner()

    def stop(_number: int, _frame: FrameType | None) -> None:
        runner.stopping.set()

    signal.signal(signal.SIGTERM, stop)
    try:
        with tracked("worker"), traced("worker"), seconds_recorded():
            runner.run(UUID(job_id), database, token=UUID(token))
    except DatabaseUnavailable:
        return NO_DATABASE
    finally:
        runner.close()
    return 0 if runner.settled else NO_DATABASE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
