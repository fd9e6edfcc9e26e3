"""Forwards the waiting events of all tenants, and waits within its transaction to be killed."""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from core.database import node_session, psycopg_connection
from core.jobs import deliveries
from tests.faults import noting

if __name__ == "__main__":
    noting.install()
    with node_session() as session:
        number = len(deliveries.forward(psycopg_connection(session), None, 100))
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        time.sleep(600)
