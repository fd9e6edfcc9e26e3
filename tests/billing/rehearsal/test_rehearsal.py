"""A small rehearsal on the servers of the tests: the sum of lines is the ledger times the plan."""

from datetime import date

import pytest

from billing.invoices import lines
from billing.rehearsal.report import report
from billing.rehearsal.scripts import write_script
from billing.rehearsal.simulation import Simulation

START = date(2087, 1, 1)
"""Years of this module's own: series of numbers belong to a year."""


@pytest.fixture
def partners(make_tenant, ledger_complete):
    scripts = [write_script(number, START, 3, seed=7) for number in (1, 2, 3)]
    return [(make_tenant(time_zone=script.zone).ref, script) for script in scripts]


def test_lines_are_the_ledger_times_the_plan(partners):
    simulation = Simulation(partners, seed=7, chance=0.05, prefix="small")
    simulation.run(lambda _: None)
    result = report(simulation)
    assert result["problems"] == []
    assert min(result[what] for what in ("events", "invoices", "late_lines", "kills")) > 0


def test_the_oracle_finds_a_fault_of_a_cent(partners, monkeypatch):
    faulty = lines.fee_amount
    monkeypatch.setattr(lines, "fee_amount", lambda *values: faulty(*values) + faulty(values[0] * 0, *values[1:]) + 1)
    simulation = Simulation(partners[:1], seed=7, chance=0, prefix="faulty")
    simulation.run(lambda _: None)
    assert report(simulation)["differences"] > 0
