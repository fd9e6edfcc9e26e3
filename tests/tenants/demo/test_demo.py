"""``iit demo``: the main job end to end on a small simulation, its summary, and its rejections."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from rich.console import Console

from core.database import tenant_session
from core.identity.people.sessions import list_sessions
from core.identity.people.sign_in import sign_in
from core.jobs import latest_job
from core.tenancy import list_tenants
from core.web.paging import PageRequest
from tenants.cohort.indicators import IN_TERMS, OUT_TERMS
from tenants.demo.commands import demo
from tenants.demo.demo import quarter_before, run_partner, score_past
from tenants.demo.loop import close_loop
from tenants.demo.message import exchange_message
from tenants.demo.partner_run import PartnerRun
from tenants.demo.partners import data_date_of, own_partner, simulated_partners
from tenants.demo.past import AT_RISK, TO_TRACE, record_past
from tenants.demo.sign_ins import ROLE_NAMES, SignIns, ensure_sign_ins
from tenants.demo.summary import show
from tenants.followup import service
from tenants.followup.schemas import AttemptFilter
from tenants.knowledge import repository
from tenants.risk.jobs import MEASURE

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
        assert answer["import"]["rows_read"] == answer["import"]["rows_accepted"] + answer["import"]["rows_rejected"]
        assert answer["scored"]["at_risk"] > 0
        assert answer["lists"]["at_risk"]["listed"] > 0
        assert answer["lists"]["to_trace"]["listed"] > 0
        at_risk, to_trace = (
            {person["patient_id"] for person in one.answers["worklist"][kind]["people"]}
            for kind in ("at_risk", "to_trace")
        )
        assert not at_risk & to_trace


def test_the_rows_broken_on_purpose_are_rejected_or_taken_in_part_and_no_others(runs: list[PartnerRun]) -> None:
    imports = [one.answers["import"] for one in runs]
    assert [(one["rows_rejected"], one["rows_in_part"]) for one in imports] == [(2, 1), (1, 1)]


def test_the_same_files_again_change_nothing(runs: list[PartnerRun]) -> None:
    for one in runs:
        for counts in one.to_json()["import_again"].values():
            if "inserted" in counts:
                assert counts["inserted"] == counts["updated"] == 0


def test_too_few_people_are_served_by_the_naive_rule_and_told_so(runs: list[PartnerRun]) -> None:
    for one in runs:
        assert one.answers["train"]["too_young"]
        assert one.answers["score"]["model_version"].startswith("naive")


def test_past_days_are_scored_and_what_became_of_them_is_measured(runs: list[PartnerRun]) -> None:
    north = runs[0]
    day = north.partner.past_days[-1]
    assert f"score_{day}" not in north.answers, "without a model there is nothing to measure"
    past = PartnerRun(replace(north.partner, past_days=(day,)))
    score_past(past)
    assert past.answers[f"score_{day}"]["as_of"] == day.isoformat()
    tenant = next(each for each in list_tenants() if each.slug == "demo-north")
    with tenant_session(tenant, actor="test:1", readonly=True) as session:
        newest = latest_job(session, MEASURE, MEASURE)
    assert newest is not None
    assert newest.state == "done"


def test_the_flows_of_the_quarter_reconcile(runs: list[PartnerRun]) -> None:
    for one in runs:
        counts = one.answers["indicators"]["rows"][0]["counts"]
        came, left = (sum(counts[name] for name in terms) for terms in (IN_TERMS, OUT_TERMS))
        assert counts["TX_CURR"] == counts["TX_CURR_start"] + came - left


def test_the_summary_says_that_it_is_simulated_and_shows_lists_and_reasons(runs: list[PartnerRun]) -> None:
    out = io.StringIO()
    show(runs, Console(file=out, width=120))
    shown = out.getvalue()
    for part in ("(simulated)", "At risk", "To be traced", "Rejected rows", "TX_CURR", "Why "):
        assert part in shown


def test_the_guidelines_can_be_asked_when_the_demo_ends(runs: list[PartnerRun]) -> None:
    tenants = {tenant.slug: tenant for tenant in list_tenants()}
    for one in runs:
        with tenant_session(tenants[one.partner.slug], actor="test:1", readonly=True) as session:
            states = [document.state for document in repository.in_use(session)]
        assert states == ["searchable"] * len(one.partner.guidelines)


def test_the_simulated_day_stays_what_it_was_at_the_first_demo(tmp_path: Path) -> None:
    first = data_date_of(tmp_path / "demo", date(2026, 5, 6))
    assert first == date(2026, 5, 6)
    assert data_date_of(tmp_path / "demo", date(2026, 5, 9)) == first


def test_the_lists_are_those_of_the_day_after_the_records(runs: list[PartnerRun]) -> None:
    for one in runs:
        assert one.answers["score"]["as_of"] == "2026-10-01"
        assert one.answers["import_before_0"]["data_date"] == "2026-09-23"


@pytest.fixture(scope="module")
def accounts_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("accounts") / "demo"


@pytest.fixture(scope="module")
def sign_ins(runs: list[PartnerRun], accounts_folder: Path) -> SignIns:
    return ensure_sign_ins(accounts_folder, [one.partner for one in runs])


def test_there_is_an_account_of_each_role_and_its_password_signs_in(sign_ins: SignIns) -> None:
    assert [account.role for account in sign_ins.accounts if account.tenant == "demo-south"] == list(ROLE_NAMES)
    assert len(sign_ins.accounts) == 2 * len(ROLE_NAMES) + 1
    for account in (sign_ins.of("demo-north", "tracking_officer"), sign_ins.accounts[-1]):
        assert sign_in(account.email, sign_ins.password, address="192.0.2.1", device="test").secret


def test_accounts_and_password_are_the_same_the_second_time_and_sessions_go_on(
    runs: list[PartnerRun], sign_ins: SignIns, accounts_folder: Path
) -> None:
    account = sign_ins.of("demo-south", "viewer")
    sign_in(account.email, sign_ins.password, address="192.0.2.1", device="test")
    assert ensure_sign_ins(accounts_folder, [one.partner for one in runs]) == sign_ins
    assert len(list_sessions(account.person_id)) == 1


def test_only_the_owner_of_the_files_may_read_the_password(sign_ins: SignIns, accounts_folder: Path) -> None:
    path = accounts_folder / "password"
    assert path.read_text(encoding="utf-8") == sign_ins.password
    assert path.stat().st_mode & 0o077 == 0


def test_people_recorded_attempts_and_those_of_today_are_off_the_list(
    runs: list[PartnerRun], sign_ins: SignIns
) -> None:
    for one in runs:
        assert record_past(one, sign_ins) > 5
        assert record_past(one, sign_ins) == 0, "a demo that runs again records nothing anew"
    tenant = next(each for each in list_tenants() if each.slug == "demo-north")
    officer = sign_ins.of("demo-north", "tracking_officer")
    with tenant_session(tenant, actor=officer.actor) as session:
        newest = PageRequest(1, 500, sort=service.NEWEST_FIRST)
        attempts = service.read_list(session, AttemptFilter(recorded_by="me"), newest).items
    assert {attempt.facility for attempt in attempts} == set(officer.facilities or ()) != set()
    assert min(attempt.day for attempt in attempts) >= date(2026, 9, 26)
    planned = {attempt.outcome for tries in (*TO_TRACE.values(), *AT_RISK.values()) for attempt in tries}
    assert {attempt.outcome for attempt in attempts} <= planned


def test_the_loop_of_last_weeks_lists_is_closed_and_shown(runs: list[PartnerRun], sign_ins: SignIns) -> None:
    for one in runs:
        close_loop(one, sign_ins)
        loop = one.to_json()["loop"]
        assert loop["simulated"]
        assert loop["list_day"] == "2026-09-24"
        assert loop["identified"] > loop["contacted"] > loop["reached"] > 0
        assert loop["reached"] >= loop["returned"] > 0
        assert loop["returned_unreached"] > 0
        assert max(alert["returned"] for alert in loop["alerts"]) > 0
        close_loop(one, sign_ins)
        assert one.answers["loop"] == loop, "a second time changes nothing"
    out = io.StringIO()
    show(runs, Console(file=out, width=120))
    for part in ("The loop, closed (simulated)", "of these came back", "Came back:"):
        assert out.getvalue().count(part) >= len(runs)


def test_an_answer_to_a_message_becomes_an_outcome_and_is_called_simulated(
    runs: list[PartnerRun], sign_ins: SignIns
) -> None:
    for one in runs:
        exchange_message(one, sign_ins)
        message = one.to_json()["message"]
        assert (message["simulated"], message["answer"], message["outcome"]) == (True, "1", "promised")
        assert "Reply 1 if you come" in message["text"]
        exchange_message(one, sign_ins)
        assert one.answers["message"] == message, "a second time changes nothing"
    out = io.StringIO()
    show(runs, Console(file=out, width=120))
    assert out.getvalue().count("simulated: nothing was sent") == len(runs)


def test_the_north_has_guidelines_that_say_that_they_are_examples(runs: list[PartnerRun]) -> None:
    north, south = runs
    assert {guideline.language for guideline in north.partner.guidelines} == {"en", "fr"}
    assert all(title.endswith(("(example)", "(exemple)")) for title in north.to_json()["guidelines"])
    assert south.to_json()["guidelines"] == []
    for guideline in north.partner.guidelines:
        first = north.answers[f"guideline_{guideline.title}"]
        assert north.add(guideline)["id"] == first["id"], "a second time adds no version"
    out = io.StringIO()
    show(runs, Console(file=out, width=120))
    assert out.getvalue().count("written for this demo") == 1


def test_own_files_are_not_called_simulated(tmp_path: Path) -> None:
    partner = own_partner(tmp_path, None, date(2026, 1, 1))
    assert not partner.simulated
    assert partner.slug != own_partner(tmp_path / "other", None, None).slug
    assert partner.delivery.options == ("--data-date", "2026-01-01")


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
