"""Each alert is delivered once, whoever is killed while channels are notified."""

from __future__ import annotations

import os
import secrets

from core.tenancy import create_tenant
from tests.faults.alert_storm.storm import storm

ALERTS = 20


def test_each_alert_is_delivered_once_though_workers_are_killed(own_services):
    tenant = create_tenant("alerts", "Alerts").ref
    seed = int(os.environ.get("STORM_SEED", secrets.randbelow(10**6)))
    report = storm(tenant, alerts=ALERTS, pause=(0.2, 1.0), seed=seed)
    assert report.problems == [], report
    assert report.opened == ALERTS
    assert 0 <= report.arrived <= report.unknown
