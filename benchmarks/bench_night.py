"""Benchmark of a whole night's scoring, compared with the sum of its bare parts.

A night computes units and features, predicts, calibrates, gives reasons within capacity, and saves.
``IIT_BENCH_SCALE=full`` takes 10,000, 100,000 and a million patients with 20 contacts each; ``IIT_BENCH_NIGHT`` names
other sizes, separated by commas. The bare parts are measured up to 100,000 patients. Every size is also compared with
the size before it; 1.00 means that the time grew in proportion to the patients.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks import night_bare
from benchmarks.measure import Ratio
from benchmarks.night_cohort import ACTOR, CONTACTS, END, give_model, make, train_sample
from core.database import tenant_session

if TYPE_CHECKING:
    from core.database import TenantRef

_SIZES: Final = {"small": "2000,5000", "full": "10000,100000,1000000"}
_MOST_BARE: Final = 100_000
_GOAL_PATIENTS: Final = 100_000
_MOST_SECONDS: Final = 120
_MOST_MB: Final = 1_000
_ROUNDS: Final = {10_000: 3, 100_000: 2}


def run() -> Iterator[Ratio]:
    """Compare on new tenants."""
    wanted = os.environ.get("IIT_BENCH_NIGHT") or _SIZES[os.environ.get("IIT_BENCH_SCALE", "small")]
    source, version = train_sample()
    smaller: tuple[int, float] | None = None
    for patients in sorted(int(size) for size in wanted.split(",")):
        tenant = make(patients)
        give_model(source, version, tenant)
        rounds = next((count for most, count in _ROUNDS.items() if patients <= most), 1)
        ours, bare, peak = [], [], 0
        _warm(tenant, patients)
        for _ in range(rounds):
            _forget(tenant)
            seconds, used = _ours(tenant)
            ours.append(seconds)
            peak = max(peak, used)
            if patients <= _MOST_BARE:
                _forget(tenant)
                bare.append(_bare(tenant))
        name, goal = f"a night of {patients:,} patients, {patients * CONTACTS:,} contacts", patients == _GOAL_PATIENTS
        if bare:
            yield Ratio(f"{name}, over its bare parts", median(ours), median(bare), target=1 / 0.7 if goal else None)
        if goal:
            yield Ratio(f"{name}, over {_MOST_SECONDS} s", median(ours), _MOST_SECONDS, target=1)
        yield Ratio(f"its memory at the peak, over {_MOST_MB:,} MB", peak, _MOST_MB, unit="MB", target=1)
        if smaller is not None:
            times = patients / smaller[0]
            yield Ratio(f"{name}, over {times:g} times the night of {smaller[0]:,}", median(ours), times * smaller[1])
        smaller = (patients, median(ours))


def _warm(tenant: TenantRef, patients: int) -> None:
    """Load the same pages into memory for both."""
    if patients <= _MOST_BARE:
        with tenant_session(tenant, actor=ACTOR) as session:
            night_bare.read(session)


def _forget(tenant: TenantRef) -> None:
    with tenant_session(tenant, actor=ACTOR) as session, session.cursor() as cursor:
        cursor.execute("DELETE FROM predictions")
        cursor.execute("DELETE FROM score_runs")


def _ours(tenant: TenantRef) -> tuple[float, int]:
    """Return the seconds and the peak megabytes of one run in its own process."""
    command = [sys.executable, "-m", "benchmarks.night_process", tenant.slug]
    figures = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)  # noqa: S603 - ours
    return float(figures["seconds"]), int(figures["peak_mb"])


def _bare(tenant: TenantRef) -> float:
    from core import blobs, plugins
    from plugins.boosting.library import lightgbm
    from tenants.cohort.service import cohort_settings
    from tenants.risk import serving

    with tenant_session(tenant, actor=ACTOR) as session:
        row, rules = serving.preferred(session), cohort_settings(session)
    assert row is not None  # noqa: S101 - given a moment ago
    assert row.blob_key is not None  # noqa: S101
    began = time.perf_counter()
    model = serving.load(tenant, row)
    artifact = plugins.unpack(blobs.get(tenant, row.blob_key, sha256=row.blob_sha256))
    library = lightgbm().Booster(model_str=artifact.files["trees.txt"].decode())
    with tenant_session(tenant, actor=ACTOR) as session:
        night_bare.night(session, END, model, library, rules)
    return time.perf_counter() - began
