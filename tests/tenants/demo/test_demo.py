"""``iit demo``: the main job end to end on a small simulation, its summary, and its refusals."""

from __future__ import annotations

import io
import json
from datetime import date
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from rich.console import Console

from tenants.cohort.indicators import IN_TERMS, OUT_TERMS
from tenants.demo.commands import demo
from tenants.demo.demo import quarter_before, run_partner
from tenants.demo.partner_run import PartnerRun
from tenants.demo.partners import own_partner, simulated_partners
from tenants.demo.summary import show

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def runs(database: object, tmp_path_factory: pytest.TempPathFactory) -> list[PartnerRun]:
    """The main job for both simulated partners, too small for a model to be fitted."""
    assert database is not object
    folder = tmp_path_factory.mktemp("demo")
    return [run_partner(partner) for partner in simulated_partners(folder, people=180)]


def test_both_partners_come_from_files_to_two_lists(runs: list[PartnerRun]) -> None:
    for one in runs:
        answer = one.to_json()
        assert answer["import"]["rows_read"] == answer["import"]["rows_accepted"] + answer["import"]["rows_refused"]
        assert answer["scored"]["at_risk"] > 0
        assert answer["lists"]["at_risk"]["listed"] > 0
        assert answer["lists"]["to_trace"]["listed"] > 0
        at_risk, to_trace = (
            {person["patient_id"] for person in one.answers["worklist"][kind]["people"]}
            for kind in ("at_risk", "to_trace")
        )
        assert not at_risk & to_trace


def test_the_rows_broken_on_purpose_are_refused_or_taken_in_part_and_no_others(runs: list[PartnerRun]) -> None:
    imports = [one.answers["import"] for one in runs]
    assert [(one["rows_refused"], one["rows_in_part"]) for one in imports] == [(2, 1), (1, 1)]


def test_the_same_files_again_change_nothing(runs: list[PartnerRun]) -> None:
    for one in runs:
        for counts in one.to_json()["import_again"].values():
            if "inserted" in counts:
                assert counts["inserted"] == counts["updated"] == 0


def test_too_few_people_are_served_by_the_naive_rule_and_told_so(runs: list[PartnerRun]) -> None:
    for one in runs:
        assert one.answers["train"]["too_young"]
        assert one.answers["score"]["model_version"].startswith("naive")


def test_the_flows_of_the_quarter_reconcile(runs: list[PartnerRun]) -> None:
    for one in runs:
        counts = one.answers["indicators"]["rows"][0]["counts"]
        came, left = (sum(counts[name] for name in terms) for terms in (IN_TERMS, OUT_TERMS))
        assert counts["TX_CURR"] == counts["TX_CURR_start"] + came - left


def test_the_summary_says_that_it_is_simulated_and_shows_lists_and_reasons(runs: list[PartnerRun]) -> None:
    out = io.StringIO()
    show(runs, Console(file=out, width=120))
    shown = out.getvalue()
    for part in ("(simulated)", "At risk", "To be traced", "Refused rows", "TX_CURR", "Why "):
        assert part in shown


def test_own_files_are_not_called_simulated(tmp_path: Path) -> None:
    partner = own_partner(tmp_path, None, date(2026, 1, 1))
    assert not partner.simulated
    assert partner.slug != own_partner(tmp_path / "other", None, None).slug
    assert partner.options == ("--data-date", "2026-01-01")


def test_a_mapping_without_data_is_a_wrong_call(tmp_path: Path) -> None:
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text("format: csv\n", encoding="utf-8")
    answer = CliRunner().invoke(demo, ["--mapping", str(mapping), "--no-serve"])
    assert answer.exit_code == 2
    assert "--data" in answer.stderr


def test_the_summary_is_json_all_through(runs: list[PartnerRun]) -> None:
    assert json.loads(json.dumps([one.to_json() for one in runs]))[0]["simulated"] is True


@pytest.mark.parametrize(
    ("day", "quarter"),
    [
        (date(2026, 9, 30), "2026Q3"),
        (date(2026, 9, 29), "2026Q2"),
        (date(2026, 12, 31), "2026Q4"),
        (date(2026, 2, 14), "2025Q4"),
        (date(2026, 4, 1), "2026Q1"),
    ],
)
def test_the_quarter_shown_is_the_last_that_is_over(day: date, quarter: str) -> None:
    assert quarter_before(day) == quarter
