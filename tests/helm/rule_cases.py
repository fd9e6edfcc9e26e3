"""For each alert: series under which it must be active, and the same installation on a good day.

Values are in promtool's notation: ``0+10x60`` begins at 0 and grows by 10 a minute, 60 times.
"""

from __future__ import annotations

from dataclasses import dataclass

NAMESPACE = 'namespace="iit"'


@dataclass(frozen=True, slots=True)
class Case:
    """One test of an alert.

    Attributes:
        series: of the bad day, by name and labels.
        at: when it must be active.
        labels: of the alert, without its name and severity.
        good: of the good day; no series at all if None.
    """

    series: dict[str, str]
    at: str
    labels: dict[str, str]
    good: dict[str, str] | None = None


def s(metric: str, **labels: str) -> str:
    """A series of the installation."""
    inner = ",".join([NAMESPACE, *(f'{name}="{value}"' for name, value in labels.items())])
    return f"{metric}{{{inner}}}"


OWN = {"namespace": "iit"}
REQUESTS = {"method": "GET", "route": "/v1/patients"}


def requests(bad: int, good: int, minutes: int) -> dict[str, str]:
    """Requests a minute that fail and that do not."""
    return {
        s("iit_http_requests_total", status="500", **REQUESTS): f"0+{bad}x{minutes}",
        s("iit_http_requests_total", status="200", **REQUESTS): f"0+{good}x{minutes}",
    }


CASES: dict[str, Case] = {
    "IitNoApi": Case({s("up"): "1x60"}, "10m", {}, requests(0, 10, 60)),
    "IitRequestsShed": Case({s("iit_http_shed_total"): "0+5x60"}, "20m", OWN, {s("iit_http_shed_total"): "5x60"}),
    "IitNoWorker": Case(
        {s("up"): "1x60"}, "10m", {}, {s("iit_jobs_present", database="main", kind="x", state="due"): "1x60"}
    ),
    "IitQueueOld": Case(
        {s("iit_job_oldest_seconds", database="main", kind="risk.night"): "1000x60"},
        "10m",
        {**OWN, "database": "main"},
        {s("iit_job_oldest_seconds", database="main", kind="risk.night"): "800x60"},
    ),
    "IitListsLate": Case(
        {s("iit_nights_total", outcome="late"): "0x10 1x50", s("iit_nights_total", outcome="on_time"): "0+1x60"},
        "15m",
        OWN,
        {s("iit_nights_total", outcome="late"): "0x60", s("iit_nights_total", outcome="on_time"): "0+1x60"},
    ),
    "IitSchedulesMissed": Case(
        {s("iit_schedules_total", kind="risk.night", outcome="missed"): "0x10 1x50"},
        "15m",
        {**OWN, "kind": "risk.night"},
        {s("iit_schedules_total", kind="risk.night", outcome="ran"): "0x10 1x50"},
    ),
    "IitDatabaseWaits": Case(
        {
            s("iit_pool_wait_seconds_bucket", database="main", le="1.0"): "0x60",
            s("iit_pool_wait_seconds_bucket", database="main", le="2.5"): "0+60x60",
            s("iit_pool_wait_seconds_bucket", database="main", le="+Inf"): "0+60x60",
        },
        "20m",
        {**OWN, "database": "main"},
        {
            s("iit_pool_wait_seconds_bucket", database="main", le="1.0"): "0+60x60",
            s("iit_pool_wait_seconds_bucket", database="main", le="2.5"): "0+60x60",
            s("iit_pool_wait_seconds_bucket", database="main", le="+Inf"): "0+60x60",
        },
    ),
    "IitReplicaBehind": Case(
        {s("iit_replica_lag_seconds"): "90x60"}, "15m", OWN, {s("iit_replica_lag_seconds"): "20x60"}
    ),
    "IitRedisLost": Case(
        {s("iit_breakers", dependency="redis_jobs", state="open"): "2x60"},
        "10m",
        OWN,
        {
            s("iit_breakers", dependency="redis_jobs", state="open"): "0x60",
            s("iit_breakers", dependency="mail_server", state="open"): "2x60",
        },
    ),
    "IitVendorDown": Case(
        {s("iit_breakers", dependency="stripe", state="open"): "1x60"},
        "10m",
        {**OWN, "dependency": "stripe"},
        {
            s("iit_breakers", dependency="stripe", state="closed"): "1x60",
            s("iit_breakers", dependency="redis_jobs", state="open"): "1x60",
        },
    ),
    "IitDeadLetters": Case(
        {s("iit_dead_letters", database="main"): "3x60"},
        "15m",
        {**OWN, "database": "main"},
        {s("iit_dead_letters", database="main"): "0x60"},
    ),
    "IitWorkersDie": Case(
        {s("kube_pod_container_status_restarts_total", container="worker", pod="w-1"): "0+1x60"},
        "20m",
        OWN,
        {s("kube_pod_container_status_restarts_total", container="worker", pod="w-1"): "4x60"},
    ),
    "IitOutboxOld": Case(
        {s("iit_outbox_oldest_seconds", database="main"): "400x60"},
        "10m",
        {**OWN, "database": "main"},
        {s("iit_outbox_oldest_seconds", database="main"): "100x60"},
    ),
    "IitErrorsUnexpected": Case(
        {s("iit_errors_total", outcome="stored"): "0+1x90"},
        "61m",
        OWN,
        {s("iit_errors_total", outcome="stored"): "12x90"},
    ),
    "IitSignInsFail": Case(
        {s("iit_sign_ins_total", outcome="wrong_password"): "0+20x60"},
        "20m",
        OWN,
        {s("iit_sign_ins_total", outcome="signed_in"): "0+200x60"},
    ),
    "IitBillingDiffers": Case(
        {s("iit_billing_differences_total", kind="amount", state="escalated"): "0x10 1x50"},
        "15m",
        OWN,
        {s("iit_billing_differences_total", kind="amount", state="mended"): "0x10 1x50"},
    ),
    "IitBackupFailed": Case(
        {s("kube_job_status_failed", job_name="iit-backup-29340000"): "1x60"},
        "10m",
        {**OWN, "job_name": "iit-backup-29340000"},
        {
            s("kube_job_status_failed", job_name="iit-backup-29340000"): "0x60",
            s("kube_job_status_failed", job_name="another"): "1x60",
        },
    ),
    "IitDiskFull": Case(
        {
            s("kubelet_volume_stats_available_bytes", persistentvolumeclaim="files"): "5x60",
            s("kubelet_volume_stats_capacity_bytes", persistentvolumeclaim="files"): "100x60",
        },
        "15m",
        {**OWN, "persistentvolumeclaim": "files"},
        {
            s("kubelet_volume_stats_available_bytes", persistentvolumeclaim="files"): "50x60",
            s("kubelet_volume_stats_capacity_bytes", persistentvolumeclaim="files"): "100x60",
        },
    ),
}
"""Alert -> its case. The alerts of budgets have tests of their own: they depend on one another's windows."""
