"""Raises alerts, kills workers at random while they notify two channels, and counts what the vendors received."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from core.database import node_session, tenant_session
from core.events import publish
from core.plugins import instances
from core.plugins.instances import InstanceIn
from core.tenancy import settings as tenant_settings
from tenants.alerts.settings import AlertSettings
from tests.vendors.pagerduty import PagerDuty
from tests.vendors.slack import Slack

if TYPE_CHECKING:
    from core.database import TenantRef

PROCESSES = Path(__file__).with_name("processes.py")
VICTIMS = ("worker", "other worker", "relay")
WORKERS = VICTIMS[:2]
THREADS = 4
"""Of a worker: each sends one message at a time, so a kill interrupts at most so many."""
KEY = re.compile(r"iit-[0-9a-f-]{36}")
PATIENCE = 900.0
"""Seconds within which every message has ended."""
_STATES = text(
    "SELECT p.plugin, d.state, count(*) FROM alert_deliveries d JOIN plugin_instances p ON p.id = d.channel_id"
    " WHERE d.act = 'trigger' GROUP BY 1, 2"
)


@dataclass(frozen=True, slots=True)
class Report:
    """What a storm of alerts did and found.

    Attributes:
        alerts: raised.
        kills: by victim.
        opened: incidents at the receiver that recognizes a repetition, and the requests that they took.
        shown: messages at the receiver that recognizes none.
        unknown: messages there of which nobody knows whether they arrived; they are not sent again.
        arrived: of these, those that the receiver shows.
        problems: broken promises, a sentence each.
    """

    seed: int
    seconds: float
    alerts: int
    kills: dict[str, int]
    opened: int
    requests: int
    shown: int
    unknown: int
    arrived: int
    problems: list[str]


def storm(tenant: TenantRef, *, alerts: int, pause: tuple[float, float], seed: int) -> Report:
    """Raise alerts, and kill a worker or the relay after each pause until every message has ended.

    Args:
        tenant: whose alerts, on servers of its own.
        alerts: how many.
        pause: shortest and longest seconds between kills.
        seed: of victims and pauses; not of the moments, which depend on the machine.
    """
    chance, began = random.Random(seed), time.monotonic()  # noqa: S311 - no secret
    kills = dict.fromkeys(VICTIMS, 0)
    with PagerDuty() as pager, Slack() as chat, tempfile.TemporaryDirectory(prefix="iit-alert-storm-") as name:
        _set_up(tenant, {"pagerduty": pager, "slack": chat})
        for number in range(alerts):
            with tenant_session(tenant, actor="test:1") as session:
                publish(session, "models.drift", {"subject": f"cause {number}", "value": 1, "ended": False})
        processes = _start(Path(name))
        try:
            while _waiting(tenant, alerts):
                assert time.monotonic() < began + PATIENCE, "messages wait for ever"
                time.sleep(chance.uniform(*pause))
                _let_time_pass(tenant)
                victim = chance.choice(VICTIMS)
                with suppress(ProcessLookupError, FileNotFoundError):
                    os.kill(int((Path(name) / victim).read_text()), signal.SIGKILL)
                    kills[victim] += 1
        finally:
            processes.terminate()
            processes.wait()
        return _report(tenant, pager, chat, alerts=alerts, kills=kills, seed=seed, seconds=time.monotonic() - began)


def figures(report: Report) -> list[tuple[str, str]]:
    """Return names and values, the verdict last."""
    kills = ", ".join(f"{name} {count}" for name, count in report.kills.items())
    return [
        ("alerts, each for two channels", f"{report.alerts:,}"),
        ("kills", f"{sum(report.kills.values())} ({kills})"),
        (
            "incidents at PagerDuty, which recognizes a repetition",
            f"{report.opened:,}, by {report.requests:,} requests",
        ),
        ("messages in Slack, which recognizes none", f"{report.shown:,}, each once"),
        (
            "deliveries to Slack that a kill interrupted: unknown, and not sent again",
            f"{report.unknown:,}, of which {report.arrived:,} arrived; at most {_most_unknown(report.kills):,} can be",
        ),
        ("duration, and seed", f"{report.seconds:.0f} s, {report.seed}"),
        ("promises broken", str(len(report.problems))),
    ]


def _most_unknown(kills: dict[str, int]) -> int:
    return THREADS * sum(kills[name] for name in WORKERS)


def _set_up(tenant: TenantRef, vendors: dict[str, Any]) -> None:
    with tenant_session(tenant, actor="test:1") as session:
        tenant_settings.put(session, AlertSettings(quiet_hours=False))
        for plugin, vendor in vendors.items():
            draft = InstanceIn(plugin, vendor.settings)
            instances.add_instance(session, "alert-channel", plugin, draft, source="cli")


def _start(folder: Path) -> subprocess.Popen[bytes]:
    settings = {
        "IIT_JOBS_POLL_SECONDS": "0.1",
        "IIT_JOBS_THREADS": str(THREADS),
        "IIT_JOBS_RESEND_AFTER": "2",
        "TEST_LEASE_SECONDS": "2",
        "TEST_INTERRUPTIONS": "1000",
        "TEST_ISOLATING": "0",
    }
    processes = subprocess.Popen([sys.executable, PROCESSES, folder], env={**os.environ, **settings})
    end = time.monotonic() + PATIENCE
    while not all((folder / name).exists() for name in VICTIMS):
        assert time.monotonic() < end, "the workers do not start"
        time.sleep(0.05)
    return processes


def _states(tenant: TenantRef) -> dict[tuple[str, str], int]:
    with tenant_session(tenant, actor="test:1") as session:
        return {(plugin, state): count for plugin, state, count in session.execute(_STATES)}


def _waiting(tenant: TenantRef, alerts: int) -> bool:
    ended = {key: count for key, count in _states(tenant).items() if key[1] not in ("waiting", "sending")}
    return sum(ended.values()) < 2 * alerts


def _let_time_pass(tenant: TenantRef) -> None:
    """End the pauses before further tries, which grow to hours."""
    with tenant_session(tenant, actor="test:1") as session:
        session.execute(text("UPDATE alert_deliveries SET due_at = now() WHERE state = 'waiting' AND due_at > now()"))
    with node_session(tenant.database) as session:
        session.execute(text("UPDATE node.jobs SET run_after = now() WHERE state = 'queued' AND run_after > now()"))


def _report(tenant: TenantRef, pager: PagerDuty, chat: Slack, **facts: Any) -> Report:
    states, alerts = _states(tenant), facts["alerts"]
    shown = Counter(KEY.findall(json.dumps(each))[0] for each in chat.messages)
    unknown = states.get(("slack", "unknown"), 0)
    lost = states.get(("slack", "sent"), 0) - len(shown)
    checks = {
        "an incident is missing, or was opened twice": set(pager.triggers.values()) == {1}
        and len(pager.triggers) == alerts,
        "a delivery to PagerDuty did not end as sent": states.get(("pagerduty", "sent")) == alerts,
        "a message came to Slack twice": set(shown.values()) <= {1},
        "a delivery to Slack ended otherwise than sent or unknown": states.get(("slack", "sent"), 0) + unknown
        == alerts,
        "a message is called sent that Slack does not have": lost <= 0,
        "more deliveries are unknown than killed workers had threads": unknown <= _most_unknown(facts["kills"]),
        "nothing was killed": sum(facts["kills"].values()) > 0,
    }
    problems = [problem for problem, holds in checks.items() if not holds]
    if problems:
        problems.append(f"states: {states}")
    return Report(
        opened=len(pager.triggers),
        requests=len(pager.calls),
        shown=len(shown),
        unknown=unknown,
        arrived=len(shown) - states.get(("slack", "sent"), 0),
        problems=problems,
        **facts,
    )
