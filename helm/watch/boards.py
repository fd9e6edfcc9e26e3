"""What the dashboards show."""

from __future__ import annotations

from typing import Final

from helm.watch.dashboards import Dashboard, Panel, budget_left, of, quantile, rate

_TENANT: Final = 'tenant=~"$tenant"'
_NO_PROBES: Final = 'route!~"/health.*|.*/stream"'
_FAILED: Final = 'status=~"5.."'
_OPEN: Final = 'state="open"'
_CALLS: Final = 'kind="api_calls"'
_SPENT: Final = 'kind="cost"'
_INVOICED: Final = 'kind="invoiced"'

SERVICE: Final = Dashboard(
    "iit-service",
    "IIT: service",
    (
        budget_left(),
        (
            Panel("Requests", ((rate("iit_http_requests_total", _NO_PROBES, "status"), "{{status}}"),), "reqps"),
            Panel(
                "Time of requests",
                tuple(
                    (quantile(share, "iit_http_request_seconds", _NO_PROBES), f"{share:.0%}")
                    for share in (0.5, 0.95, 0.99)
                ),
                "s",
            ),
        ),
        (
            Panel(
                "Slowest routes",
                (
                    (
                        f"topk(10, {quantile(0.95, 'iit_http_request_seconds', _NO_PROBES, 'method, route')})",
                        "{{method}} {{route}}",
                    ),
                ),
                "s",
                about="95 of 100 requests are answered within this time.",
            ),
            Panel(
                "Routes that fail",
                (
                    (
                        f"topk(10, {rate('iit_http_requests_total', _FAILED, 'method, route')})",
                        "{{method}} {{route}}",
                    ),
                ),
                "reqps",
            ),
        ),
        (
            Panel("Rejected: overloaded", ((rate("iit_http_shed_total"), "rejected"),), "reqps"),
            Panel("Unexpected errors", ((rate("iit_errors_total", by="outcome"), "{{outcome}}"),), "cps"),
            Panel("Sign-ins", ((rate("iit_sign_ins_total", by="outcome"), "{{outcome}}"),), "cps"),
        ),
        (
            Panel(
                "Stopped calls",
                ((f"sum by (dependency) ({of('iit_breakers', _OPEN)})", "{{dependency}}"),),
                about="Processes whose breaker of a dependency is open.",
            ),
            Panel(
                "Time of calls",
                ((quantile(0.95, "iit_dependency_seconds", by="dependency"), "{{dependency}}"),),
                "s",
            ),
            Panel(
                "Answers without a dependency", ((rate("iit_fallbacks_total", by="fallback"), "{{fallback}}"),), "cps"
            ),
        ),
    ),
)

TENANTS: Final = Dashboard(
    "iit-tenants",
    "IIT: partners",
    (
        (
            Panel(
                "People scored",
                ((rate("iit_usage_total", f'kind="patients_scored",{_TENANT}', "tenant"), "{{tenant}}"),),
                "cps",
            ),
            Panel(
                "Rows imported",
                ((rate("iit_usage_total", f'kind="import_rows",{_TENANT}', "tenant"), "{{tenant}}"),),
                "cps",
            ),
        ),
        (
            Panel(
                "Use in a day",
                ((f"sum by (kind) (increase({of('iit_usage_total', _TENANT)}[1d]))", "{{kind}}"),),
                kind="bargauge",
            ),
            Panel(
                "Partners that use most in a day",
                (
                    (
                        f"topk(10, sum by (tenant) (increase({of('iit_usage_total', _CALLS)}[1d])))",
                        "{{tenant}}",
                    ),
                ),
                kind="bargauge",
                about="By calls of the API.",
            ),
        ),
        (
            Panel("Imports", ((rate("iit_imports_total", by="outcome"), "{{outcome}}"),), "cps"),
            Panel("Attempts recorded", ((rate("iit_attempts_total", by="outcome"), "{{outcome}}"),), "cps"),
        ),
    ),
    tenant=True,
)

JOBS: Final = Dashboard(
    "iit-jobs",
    "IIT: jobs",
    (
        (
            Panel(
                "Oldest due job",
                ((f"max by (database) ({of('iit_job_oldest_seconds')})", "{{database}}"),),
                "s",
                "stat",
                red=900,
            ),
            Panel(
                "Dead letters", ((f"max by (database) ({of('iit_dead_letters')})", "{{database}}"),), kind="stat", red=1
            ),
            Panel(
                "Oldest event",
                ((f"max by (database) ({of('iit_outbox_oldest_seconds')})", "{{database}}"),),
                "s",
                "stat",
                red=300,
            ),
        ),
        (
            Panel(
                "Jobs that wait and run",
                (
                    (
                        f"sum by (kind, state) (max by (database, kind, state) ({of('iit_jobs_present')}))",
                        "{{kind}} {{state}}",
                    ),
                ),
            ),
            Panel("Tries", ((rate("iit_jobs_total", by="outcome"), "{{outcome}}"),), "cps"),
        ),
        (
            Panel("Time of jobs", ((quantile(0.95, "iit_job_seconds", by="kind"), "{{kind}}"),), "s"),
            Panel("Schedules", ((rate("iit_schedules_total", by="kind, outcome"), "{{kind}} {{outcome}}"),), "cps"),
        ),
        (
            Panel("Webhooks", ((rate("iit_webhook_deliveries_total", by="outcome"), "{{outcome}}"),), "cps"),
            Panel(
                "Calls of plugins",
                ((rate("iit_plugin_calls_total", by="plugin, outcome"), "{{plugin}} {{outcome}}"),),
                "cps",
            ),
            Panel(
                "Events that wait",
                ((f"max by (database) ({of('iit_outbox_waiting')})", "{{database}}"),),
            ),
        ),
    ),
)

DATABASE: Final = Dashboard(
    "iit-database",
    "IIT: databases and caches",
    (
        (
            Panel(
                "Connections",
                ((f"sum by (database, state) ({of('iit_pool_connections')})", "{{database}} {{state}}"),),
            ),
            Panel(
                "Wait for a connection",
                ((quantile(0.95, "iit_pool_wait_seconds", by="database"), "{{database}}"),),
                "s",
            ),
        ),
        (
            Panel(
                "Replica behind",
                ((f"max ({of('iit_replica_lag_seconds')})", "replica"),),
                "s",
                about="Up to 30 s are usual. Reads go to the database when it is too far behind.",
            ),
            Panel("Reads for the replica", ((rate("iit_replica_reads_total", by="outcome"), "{{outcome}}"),), "cps"),
        ),
        (
            Panel(
                "Reads of caches",
                ((rate("iit_cache_reads_total", by="cache, outcome"), "{{cache}} {{outcome}}"),),
                "cps",
            ),
            Panel("Time of computing", ((quantile(0.95, "iit_cache_compute_seconds", by="cache"), "{{cache}}"),), "s"),
        ),
    ),
)

MODELS: Final = Dashboard(
    "iit-models",
    "IIT: models and outcomes",
    (
        (
            Panel(
                "ROC-AUC of the newest month",
                ((f"max by (tenant) ({of('iit_prediction_roc_auc', _TENANT)})", "{{tenant}}"),),
                about="0.5 is chance.",
            ),
            Panel(
                "Brier score",
                ((f"max by (tenant) ({of('iit_prediction_brier', _TENANT)})", "{{tenant}}"),),
                about="The mean squared difference of risk and outcome: lower is better.",
            ),
        ),
        (
            Panel(
                "Predicted and interrupted",
                (
                    (f"max by (tenant) ({of('iit_prediction_mean_risk', _TENANT)})", "{{tenant}} predicted"),
                    (f"max by (tenant) ({of('iit_prediction_interrupted', _TENANT)})", "{{tenant}} interrupted"),
                ),
                "percentunit",
            ),
            Panel("Attempts to reach people", ((rate("iit_attempts_total", by="outcome"), "{{outcome}}"),), "cps"),
        ),
        (
            Panel("Nights", ((f"sum by (outcome) (increase({of('iit_nights_total')}[1d]))", "{{outcome}}"),)),
            Panel("Time of imports", ((quantile(0.95, "iit_import_seconds"), "95%"),), "s"),
            Panel("Time of alerts", ((quantile(0.95, "iit_alert_seconds", by="outcome"), "{{outcome}}"),), "s"),
        ),
    ),
    tenant=True,
)

BUSINESS: Final = Dashboard(
    "iit-business",
    "IIT: business",
    (
        (
            Panel(
                "Recurring revenue",
                ((f"max by (currency) ({of('iit_business_recurring')})", "{{currency}}"),),
                kind="stat",
            ),
            Panel("Partners", ((f"max by (state) ({of('iit_business_partners')})", "{{state}}"),), kind="stat"),
            Panel(
                "Overdue",
                ((f"max by (currency) ({of('iit_business_overdue')})", "{{currency}}"),),
                kind="stat",
                red=0.01,
            ),
        ),
        (
            Panel(
                "Invoiced and spent in the last month",
                ((f"max by (kind) ({of('iit_business_month_dollars')})", "{{kind}}"),),
                "currencyUSD",
            ),
            Panel(
                "Use that is billed",
                ((f"sum by (kind) (increase({of('iit_usage_total')}[1d]))", "{{kind}}"),),
                about="In a day, as the processes counted it. Invoices follow from the sealed ledger, not from here.",
            ),
        ),
        (
            Panel(
                "Uses counted twice with different values",
                ((rate("iit_usage_conflicts_total", by="kind"), "{{kind}}"),),
                "cps",
            ),
        ),
    ),
)

COST: Final = Dashboard(
    "iit-cost",
    "IIT: cost",
    (
        (
            Panel(
                "This month so far",
                ((f"sum (max by (tenant) ({of('iit_cost_dollars')}))", "all partners"),),
                "currencyUSD",
                "stat",
            ),
            Panel(
                "Of what was invoiced last month",
                (
                    (
                        " / ".join(
                            f"sum (max by (kind) ({of('iit_business_month_dollars', kind)}))"
                            for kind in (_SPENT, _INVOICED)
                        ),
                        "spent",
                    ),
                ),
                "percentunit",
                "stat",
                red=1.0,
            ),
        ),
        (
            Panel(
                "Costs of a partner this month",
                ((f"topk(15, max by (tenant) ({of('iit_cost_dollars', _TENANT)}))", "{{tenant}}"),),
                "currencyUSD",
                "bargauge",
            ),
            Panel(
                "Processor time of jobs",
                (
                    (
                        f"topk(10, sum by (kind) (rate({of('iit_job_seconds_sum')}[$__rate_interval])))",
                        "{{kind}}",
                    ),
                ),
                "s",
                about="Seconds of jobs in a second, by kind: what costs computing time.",
            ),
        ),
    ),
    tenant=True,
)

DASHBOARDS: Final = (SERVICE, TENANTS, JOBS, DATABASE, MODELS, BUSINESS, COST)
