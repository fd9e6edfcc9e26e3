"""A worker runs the jobs of every data database, also of one that is added while it runs."""

import threading

import pytest

from core.database.upgrade import migrate
from core.jobs import attendance
from core.jobs.worker import working
from core.services.manager import add_database
from tests.core.tenancy.move.conftest import rows


@pytest.fixture
def patience(monkeypatch):
    monkeypatch.setattr(attendance, "LOOK_SECONDS", 0.2)


def test_jobs_of_a_database_that_was_added_meanwhile_are_run(east, make, ask, patience):
    there = make(database=east).ref
    done = {name: threading.Event() for name in ("east", "north")}
    with working(2, grace_seconds=5):
        first = ask(there, lambda _context, _payload: done["east"].set())
        assert done["east"].wait(60)
        add_database("north")
        migrate()
        new = make(database="north").ref
        second = ask(new, lambda _context, _payload: done["north"].set())
        assert done["north"].wait(60)
    assert rows(there, "SELECT id, state FROM node.jobs") == [(first, "done")]
    assert rows(new, "SELECT id, state FROM node.jobs") == [(second, "done")]
