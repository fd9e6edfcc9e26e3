"""Recording and alert rules of Prometheus, out of the objectives and the list of alerts below.

Each alert names a page of docs/operations/runbooks, which a test walks. ``@runbooks@`` stands for the address of that
folder; the chart puts in ``metrics.rules.runbooks``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from helm.watch.objectives import OBJECTIVES, WINDOW, Objective

BURNS: Final = (("page", 14.4, "1h", "5m"), ("page", 6.0, "6h", "30m"), ("ticket", 1.0, "3d", "6h"))
"""Severity, how many times too fast the budget burns, and the two windows that must both show it (SRE Workbook)."""
_SHORT: Final = frozenset({"5m", "30m"})


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert.

    Attributes:
        name: of the alert.
        expr: PromQL.
        summary: one line for who is woken; a template of Prometheus.
        runbook: the page that says what to do, without its ending.
        severity: ``page`` wakes somebody, ``ticket`` can wait for the morning.
        wait: how long the expression must hold, such as ``5m``.
    """

    name: str
    expr: str
    summary: str
    runbook: str
    severity: str = "ticket"
    wait: str = ""

    def rule(self) -> dict[str, Any]:
        """Return the alert as Prometheus reads it."""
        return {
            "alert": self.name,
            "expr": self.expr,
            **({"for": self.wait} if self.wait else {}),
            "labels": {"severity": self.severity},
            "annotations": {"summary": self.summary, "runbook_url": f"@runbooks@/{self.runbook}.md"},
        }


ALERTS: Final = (
    Alert(
        "IitNoApi",
        "absent(iit_http_requests_total)",
        "No API server reports: people cannot sign in",
        "api-down",
        "page",
        "5m",
    ),
    Alert(
        "IitRequestsShed",
        "sum by (namespace) (rate(iit_http_shed_total[5m])) > 0",
        "The API rejects requests because it is overloaded",
        "api-overloaded",
        "page",
        "5m",
    ),
    Alert(
        "IitNoWorker",
        "absent(iit_jobs_present)",
        "No worker reports its queue: jobs and schedules wait",
        "queue-old",
        "page",
        "5m",
    ),
    Alert(
        "IitQueueOld",
        "max by (namespace, database) (iit_job_oldest_seconds) > 900",
        "A job of {{ $labels.database }} has been due for {{ $value | humanizeDuration }}",
        "queue-old",
        "page",
        "5m",
    ),
    Alert(
        "IitListsLate",
        'sum by (namespace) (increase(iit_nights_total{outcome=~"late|failed"}[1h])) > 0',
        "Partners' lists of today were not ready in time",
        "lists-late",
        "page",
    ),
    Alert(
        "IitSchedulesMissed",
        'sum by (namespace, kind) (increase(iit_schedules_total{outcome=~"missed|failed"}[1h])) > 0',
        "{{ $labels.kind }} did not run when it was due",
        "schedules-missed",
    ),
    Alert(
        "IitDatabaseWaits",
        "histogram_quantile(0.95, sum by (namespace, database, le) (rate(iit_pool_wait_seconds_bucket[5m]))) > 1",
        "Transactions wait {{ $value | humanizeDuration }} for a connection to {{ $labels.database }}",
        "database-down",
        "page",
        "5m",
    ),
    Alert(
        "IitReplicaBehind",
        "max by (namespace) (iit_replica_lag_seconds) > 60",
        "The read replica is {{ $value | humanizeDuration }} behind",
        "replica-lag",
        wait="10m",
    ),
    Alert(
        "IitRedisLost",
        'sum by (namespace) (iit_breakers{dependency=~"redis_.*",state="open"}) > 0',
        "Redis does not answer: jobs wait for the relay's polling, caches and live pages are off",
        "redis-lost",
        "page",
        "5m",
    ),
    Alert(
        "IitVendorDown",
        'sum by (namespace, dependency) (iit_breakers{dependency!~"redis_.*",state="open"}) > 0',
        "Calls to {{ $labels.dependency }} are stopped",
        "vendor-down",
        wait="5m",
    ),
    Alert(
        "IitDeadLetters",
        "max by (namespace, database) (iit_dead_letters) > 0",
        "{{ $value }} jobs failed for good in {{ $labels.database }}",
        "dead-letters",
        wait="10m",
    ),
    Alert(
        "IitWorkersDie",
        'sum by (namespace) (increase(kube_pod_container_status_restarts_total{container="worker"}[15m])) > 3',
        "Workers began anew {{ $value }} times in 15 minutes: a job may kill them",
        "poison-job",
        "page",
    ),
    Alert(
        "IitOutboxOld",
        "max by (namespace, database) (iit_outbox_oldest_seconds) > 300",
        "Events of {{ $labels.database }} have waited {{ $value | humanizeDuration }} for the relay",
        "queue-old",
        wait="5m",
    ),
    Alert(
        "IitErrorsUnexpected",
        "sum by (namespace) (increase(iit_errors_total[1h])) > 10",
        "{{ $value }} unexpected errors in an hour",
        "bad-release",
    ),
    Alert(
        "IitSignInsFail",
        'sum by (namespace) (increase(iit_sign_ins_total{outcome!="signed_in"}[15m])) > 200',
        "{{ $value }} sign-ins failed in 15 minutes",
        "leaked-key",
    ),
    Alert(
        "IitBillingDiffers",
        'sum by (namespace) (increase(iit_billing_differences_total{state="escalated"}[1h])) > 0',
        "The payment provider and our ledger differ: a person must decide",
        "billing-differs",
    ),
    Alert(
        "IitBackupFailed",
        'max by (namespace, job_name) (kube_job_status_failed{job_name=~".*-backup-[0-9]+"}) > 0',
        "The backup {{ $labels.job_name }} failed: at least one tenant has no new file",
        "backup-failed",
        "page",
    ),
    Alert(
        "IitDiskFull",
        "min by (namespace, persistentvolumeclaim) (kubelet_volume_stats_available_bytes"
        " / kubelet_volume_stats_capacity_bytes) < 0.1",
        "{{ $labels.persistentvolumeclaim }} has {{ $value | humanizePercentage }} left",
        "disk-full",
        "page",
        "10m",
    ),
)
"""The alerts on causes and on what no objective covers; those on objectives follow from ``OBJECTIVES``."""


def windows(objective: Objective) -> list[str]:
    """Return the windows over which an objective's errors are recorded, the shortest first."""
    every = ["5m", "30m", "1h", "6h", "3d", WINDOW]
    return every if objective.frequent else [window for window in every if window not in _SHORT]


def recorded(objective: Objective, window: str) -> str:
    """Return the name of the recording rule of an objective's errors over a window."""
    return f'iit:slo_errors:ratio_{window}{{slo="{objective.name}"}}'


def _recordings(objective: Objective) -> list[dict[str, Any]]:
    return [
        {
            "record": f"iit:slo_errors:ratio_{window}",
            "expr": objective.errors(window),
            "labels": {"slo": objective.name},
        }
        for window in windows(objective)
    ]


def _burns(objective: Objective) -> list[dict[str, Any]]:
    budget = 1 - objective.target
    rules = []
    for severity, factor, long, short in BURNS:
        if short not in windows(objective):
            continue  # rare events: one bad one in an hour would look like a fire
        bound = f"{factor * budget:.6g}"
        alert = Alert(
            f"IitBudgetBurns{'Fast' if severity == 'page' else 'Slowly'}",
            f"{recorded(objective, long)} > {bound} and {recorded(objective, short)} > {bound}",
            f"{objective.title}: at this rate the 30 days' budget lasts {30 / factor:.3g} days",
            "error-budget",
            severity,
        )
        rule = alert.rule()
        rule["labels"] |= {"slo": objective.name, "window": long}
        rules.append(rule)
    return rules


def groups() -> list[dict[str, Any]]:
    """Return the groups of rules, as a file of rules has them."""
    return [
        {"name": "iit-objectives", "rules": [r for each in OBJECTIVES for r in _recordings(each)]},
        {"name": "iit-budgets", "rules": [rule for each in OBJECTIVES for rule in _burns(each)]},
        {"name": "iit-alerts", "rules": [alert.rule() for alert in ALERTS]},
    ]


def runbooks() -> frozenset[str]:
    """Return the pages that alerts name."""
    return frozenset({"error-budget", *(alert.runbook for alert in ALERTS)})
