"""Scores one night in a process of its own, to measure its memory alone; prints seconds, rows and the peak as JSON."""

from __future__ import annotations

import json
import sys
import time
from functools import partial


def main() -> None:
    """Score a tenant, named by its slug, as of the last day of the benchmark's cohort."""
    from benchmarks.measure import own_peak_mb
    from benchmarks.night_cohort import ACTOR, END
    from core.database import dispose, tenant_session
    from core.tenancy import get_tenant
    from tenants.risk import scoring
    from tenants.risk.explain import model_of

    tenant = get_tenant(sys.argv[1])
    opener = partial(tenant_session, tenant, actor=ACTOR)
    model_of(tenant, opener)  # a worker has long imported the library and the rooms
    began = time.perf_counter()
    done = scoring.score(tenant, opener, END)
    seconds = time.perf_counter() - began
    peak = own_peak_mb()
    dispose()
    sys.stdout.write(json.dumps({"seconds": seconds, "rows": done.at_risk + done.to_trace, "peak_mb": round(peak)}))


if __name__ == "__main__":
    main()
