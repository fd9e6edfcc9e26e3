"""Effects that show how often they happened, and places at which a process waits to be killed."""

from __future__ import annotations

import time
from pathlib import Path

from psycopg.types.json import Jsonb


def effect(session, name):
    """Something that shows twice if it is done twice."""
    with session.cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_events (actor, action, subject_type, detail) VALUES (%s, 'test:job:act', 'test', %s)",
            (session.actor, Jsonb({"effect": name})),
        )


def wait_here_once(folder, place):
    """Say that this place is reached, and stay until killed; a later try passes."""
    mark = Path(folder) / place
    if mark.exists():
        return
    mark.touch()
    go_on = Path(folder) / "go on"
    while not go_on.exists():
        time.sleep(0.02)
