"""Publishes an event and is killed before its commit or after it: ``TENANT SUBJECT WAIT FOLDER before|after``."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from core.database import tenant_session
from core.events.outbox import publish_after_commit
from core.tenancy import get_tenant
from tests.faults import noting

if __name__ == "__main__":
    noting.install()
    slug, subject, place, folder, when = sys.argv[1:]
    with tenant_session(get_tenant(slug), actor="test:publisher") as session:
        publish_after_commit(session, noting.EVENT, subject=subject, payload={"wait": place, "folder": folder})
        if when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
