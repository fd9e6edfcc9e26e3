"""Benchmark of scoring and explaining one patient online, compared with the library's predict and explain of one row.

Ours is what ``GET /v1/risk`` of a patient does behind HTTP. It takes the model from this process's memory and the
patient's facts, as known on the day, from the database. It computes features, probability, calibration and reasons in
words, and commits the audit row.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from statistics import quantiles
from typing import TYPE_CHECKING, Final

import numpy as np

from benchmarks.measure import Ratio
from benchmarks.night_cohort import ACTOR, END, give_model, make, train_sample
from core.database import tenant_session

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from core.database import TenantRef

_SIZES: Final = {"small": (2_000, 200), "full": (100_000, 1_000)}


def run() -> Iterator[Ratio]:
    """Compare on a new tenant with one scoring: our call and the library's, in turns."""
    from core import blobs, plugins
    from plugins.boosting.library import lightgbm
    from tenants.risk import explain, scoring, serving
    from tenants.risk.input_list import FEATURES

    patients, calls = _SIZES[os.environ.get("IIT_BENCH_SCALE", "small")]
    source, version = train_sample()
    tenant = make(patients)
    give_model(source, version, tenant)

    def opener() -> object:
        return tenant_session(tenant, actor=ACTOR)

    scoring.score(tenant, opener, END)  # type: ignore[arg-type]  # a context manager of a session
    with tenant_session(tenant, actor=ACTOR) as session:
        row = serving.preferred(session)
    assert row is not None  # noqa: S101 - given a moment ago
    assert row.blob_key is not None  # noqa: S101
    artifact = plugins.unpack(blobs.get(tenant, row.blob_key, sha256=row.blob_sha256))
    library = lightgbm().Booster(model_str=artifact.files["trees.txt"].decode())
    one = np.zeros((1, len(FEATURES)))
    people = iter(_people(tenant, calls + 20))

    def ours() -> None:
        patient = next(people)
        explain.explain(tenant, opener, str(patient), END, by=(ACTOR, "bench"))  # type: ignore[arg-type]

    def bare() -> None:
        library.predict(one, num_threads=1)
        library.predict(one, pred_contrib=True, num_threads=1)

    took = _timed({"ours": ours, "bare": bare}, calls)
    for share, name in ((50, "p50"), (99, "p99")):
        ours_at, bare_at = (quantiles(took[kind], n=100)[share - 1] for kind in ("ours", "bare"))
        yield Ratio(f"a patient scored and explained, {name}, over the library's own call", ours_at, bare_at)


def _timed(ways: dict[str, Callable[[], None]], calls: int) -> dict[str, list[float]]:
    for way in ways.values():
        for _ in range(20):
            way()
    took: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(calls):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            took[name].append(time.perf_counter() - began)
    return took


def _people(tenant: TenantRef, count: int) -> list[UUID]:
    """Return ``count`` people at risk, spread over all of them."""
    with tenant_session(tenant, actor=ACTOR) as session, session.cursor() as cursor:
        cursor.execute(
            "SELECT patient_uuid FROM predictions WHERE kind = 'at_risk' ORDER BY md5(patient_uuid::text) LIMIT %s",
            (count,),
        )
        return [row[0] for row in cursor.fetchall()]
