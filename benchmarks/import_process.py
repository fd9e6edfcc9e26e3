"""The process that ``bench_import`` starts. It runs one import and measures its costs.

Arguments: the tenant, the folder of its files.
"""

from __future__ import annotations

import resource
import sys
import time
from collections import defaultdict
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import orjson

from benchmarks.bench_import import MAPPING
from benchmarks.measure import memory_of, own_peak_mb
from core import events
from core.database import TenantSession, tenant_session
from core.tenancy import get_tenant
from tenants.imports import service
from tenants.imports.mapping import parse_mapping
from tenants.imports.reading.sources import from_paths
from tenants.imports.runner import Runner
from tenants.imports.service import GivenFile, Order


def main() -> int:
    """Import, and print as JSON the seconds by step and of later rooms' listeners, the CPU, and the peak of memory."""
    tenant, folder = get_tenant(sys.argv[1]), Path(sys.argv[2])
    steps: dict[str, float] = defaultdict(float)
    last = [time.perf_counter()]
    others = _timed_listeners()

    def open_session() -> AbstractContextManager[TenantSession]:
        return tenant_session(tenant, actor="cli:benchmark")

    reading = [0]

    def report(_done: int, _total: int | None, note: str) -> None:
        reading[0] = max(reading[0], _childrens_peak())
        passed = time.perf_counter()
        steps[note.split(" of ", maxsplit=1)[0]] += passed - last[0]
        last[0] = passed

    sources = from_paths([folder / "patients.csv", folder / "pickups.csv"])
    began = last[0] = time.perf_counter()
    cpu = _cpu()
    order = Order([GivenFile(item.name, item.size, item.digest()) for item in sources], parse_mapping(MAPPING))
    with open_session() as session:
        uuid = service.begin(session, order)[0].uuid
    Runner(open_session, uuid, sources, report).run()
    report(0, None, "ending and clearing")
    figures: dict[str, Any] = {
        "seconds": time.perf_counter() - began,
        "cpu": _cpu() - cpu,
        "others": others[0],
        "steps": steps | {"(of it statuses)": others[0]},
        "peak_mb": own_peak_mb() + reading[0] / 2**20,
    }
    with open_session() as session:
        row = service.get(session, uuid)
        if row.state != "done" or row.rows_rejected:
            sys.stderr.write(f"the import is {row.state}, {row.rows_rejected} rows rejected\n")
            return 1
    sys.stdout.buffer.write(orjson.dumps(figures))
    return 0


def _cpu() -> float:
    """Return the processor seconds of this process and of its children that have ended."""
    mine, theirs = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return mine.ru_utime + mine.ru_stime + theirs.ru_utime + theirs.ru_stime


def _childrens_peak() -> int:
    """Return the peak bytes of this process's children together.

    A child that starts and ends between two readings is omitted.
    """
    peak = 0
    for children in Path("/proc/self/task").glob("*/children"):
        for pid in children.read_text(encoding="ascii").split():
            with suppress(FileNotFoundError, RuntimeError):
                peak += memory_of(int(pid), "VmHWM")
    return peak


def _timed_listeners() -> list[float]:
    """Begin to measure the time of later rooms' listeners.

    Return a list with one number, which grows with their seconds.
    """
    spent = [0.0]
    listeners = events.listeners

    def timed(event: str) -> tuple[Any, ...]:
        def wrap(listener: Any) -> Any:  # noqa: ANN401 - a function of a session and a payload
            def called(session: TenantSession, payload: Any) -> None:  # noqa: ANN401 - as events have it
                began = time.perf_counter()
                listener(session, payload)
                spent[0] += time.perf_counter() - began

            return called

        return tuple(map(wrap, listeners(event)))

    events.listeners = timed  # type: ignore[assignment]
    return spent


if __name__ == "__main__":
    sys.exit(main())
