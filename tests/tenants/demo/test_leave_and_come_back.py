"""A partner that leaves and comes back on another installation, under another master key, works the same list."""

import json
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from core.settings import master_key
from core.tenancy.archive import sealing
from tenants.demo.demo import quarter_before, run_partner
from tenants.demo.partners import simulated_partners
from tenants.demo.steps import step

CAPACITY = "20"


def lists(slug, as_of):
    return step("worklist", slug, "--as-of", as_of, "--capacity", CAPACITY).answer


def people(answer):
    """Who is on a list, whenever it was issued."""
    return [{name: value for name, value in one.items() if name != "worklist_id"} for one in answer["people"]]


@pytest.fixture(scope="module")
def left(database, tmp_path_factory):
    """A partner that was imported, scored, listed, exported, deleted and purged here: what it was like."""
    folder = tmp_path_factory.mktemp("partner")
    sealing.generate(folder / "their.key", folder / "their.pub")
    partner = replace(simulated_partners(folder, people=180)[0], slug="demo-leaver")  # demo-north is a test's beside us
    result = run_partner(partner)
    as_of = result.answers["score"]["as_of"]
    work = lists(partner.slug, as_of)
    exported = step(
        "tenant", "export", partner.slug, "--to", str(folder / "a.age"), "--recipient", str(folder / "their.pub")
    ).answer
    step("tenant", "delete", partner.slug, "--confirm", partner.slug, "--grace-days", "0")
    step("tenant", "purge", partner.slug)
    return {
        "partner": partner,
        "folder": folder,
        "as_of": as_of,
        "lists": work,
        "exported": exported,
        "key": master_key(),
        "indicators": result.answers["indicators"],
    }


@pytest.fixture(scope="module")
def back(left, own_services):
    """The same partner, restored on servers of its own."""
    assert master_key() != left["key"]
    folder = left["folder"]
    return step("tenant", "import-archive", str(folder / "a.age"), "--identity", str(folder / "their.key")).answer


def test_counts_and_checksums_are_those_that_were_exported(left, back):
    assert back["same"] is True
    assert back["found"] == left["exported"]["contents"]
    assert back["found"]["patients"]["rows"] > 100


def test_the_list_of_the_same_day_is_the_same(left, back):
    now = lists(left["partner"].slug, left["as_of"])
    for kind in ("at_risk", "to_trace"):
        assert now[kind]["people"] == left["lists"][kind]["people"]
        assert now[kind]["people"], "a list of nobody would prove nothing"
    shown = now["at_risk"]["people"][0]
    assert {"patient_id", "rank", "score", "reasons"} <= set(shown)


def test_the_same_files_imported_again_change_nothing(left, back):
    partner = left["partner"]
    paths = [str(path) for path in partner.delivery.paths]
    answer = step("import", partner.slug, *paths, *partner.delivery.options).answer
    counts = answer["counts"]
    assert sum(counted.get("unchanged", 0) for counted in counts.values()) > 1000
    for table, counted in counts.items():
        assert counted.get("inserted", 0) == counted.get("updated", 0) == 0, table


def test_scoring_again_and_the_indicators_say_the_same(left, back):
    partner = left["partner"]
    step("score", partner.slug, "--as-of", left["as_of"])
    now = lists(partner.slug, left["as_of"])
    assert people(now["at_risk"]) == people(left["lists"]["at_risk"])
    period = quarter_before(date.fromisoformat(left["as_of"]))
    assert step("indicators", partner.slug, "--period", period).answer["rows"] == left["indicators"]["rows"]


def test_the_archive_is_whole_wherever_it_is_carried(left, back, tmp_path):
    carried = Path(shutil.copy(left["folder"] / "a.age", tmp_path))
    verdict = step("tenant", "verify-archive", str(carried), "--identity", str(left["folder"] / "their.key")).answer
    assert json.dumps(verdict["contents"]) == json.dumps(back["contents"])
