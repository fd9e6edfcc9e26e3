"""``iit model watch``, ``groups`` and ``snapshot``; groups of a file are compared only where the tenant allows it."""

import json

import pytest
from click.testing import CliRunner

from core.tenancy import settings as tenant_settings
from tenants.cohort.timelines import to_date
from tenants.risk.scoring import score
from tenants.risk.settings import RiskSettings
from tenants.risk.watch_commands import model
from tests.tenants.risk.clinics import END
from tests.tenants.risk.conftest import opener, predictions

DAY = to_date(END - 80)


@pytest.fixture(scope="module")
def partner(trained):
    tenant = trained[0].ref
    score(tenant, opener(tenant), DAY)
    return tenant


def run(*arguments, code=0):
    answer = CliRunner().invoke(model, arguments)
    assert answer.exit_code == code, answer.output
    return answer.output


def test_the_watch_prints_what_it_found(partner):
    summary = json.loads(run("watch", partner.slug, "--json"))
    assert summary == {
        "compared": True, "features": [], "records": [], "scores": False, "facilities": 0, "groups": [], "parity": True,
    }  # fmt: skip
    assert "online and offline values: equal" in run("watch", partner.slug)


def test_groups_of_a_file_need_the_tenants_leave(partner, tmp_path):
    file = tmp_path / "groups.csv"
    uuids = [row[0] for row in predictions(partner, DAY, "patient_uuid")]
    file.write_text("patient_id,group\n" + "".join(f"{uuid},kp\n" for uuid in uuids[:60]))
    assert "set risk.audit_groups first" in run("groups", partner.slug, "--audit", str(file), code=2)
    with opener(partner)() as session:
        tenant_settings.put(session, RiskSettings(audit_groups=True))
    divisions = json.loads(run("groups", partner.slug, "--audit", str(file), "--json"))["divisions"]
    assert {group["label"] for group in divisions[-1]["groups"]} == {"kp", "not recorded"}
    with opener(partner)() as session, session.cursor() as cursor:
        assert cursor.execute(
            "SELECT count(*) FROM model_checks WHERE figures::text LIKE %s", ("%kp%",)
        ).fetchall() == [(0,)]
    file.write_text("patient_id,group\nnobody,kp\n")
    assert "row 2: patient_id is no UUID" in run("groups", partner.slug, "--audit", str(file), code=2)


def test_a_snapshot_is_stored(partner):
    taken = json.loads(run("snapshot", partner.slug, "--as-of", str(DAY), "--json"))
    assert (taken["as_of"], taken["patients"]) == (str(DAY), taken["lineage"]["rows"])
