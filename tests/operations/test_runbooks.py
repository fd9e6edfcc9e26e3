"""Every runbook is walked: a fault first, then the commands of the page, then a check that the state is well."""

import doctest
import re
import shlex
from datetime import timedelta

import pytest
from redis import Redis

from core.cli.main import run
from core.database import tenant_session
from core.jobs import Retry, enqueue, job, operations, pauses
from core.jobs.worker import drain
from core.services import stop
from core.settings import CHECKOUT
from core.tenancy import create_tenant, describe_tenant

RUNBOOKS = CHECKOUT / "docs" / "operations" / "runbooks"
BLOCK = re.compile(r"<!-- walked -->\n```console\n(.*?)```", re.DOTALL)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
LOOKS = frozenset(
    {
        "api-down",
        "api-overloaded",
        "bad-release",
        "billing-differs",
        "disk-full",
        "error-budget",
        "lists-late",
        "replica-lag",
        "restore-all",
        "schedules-missed",
    }
)
"""Pages whose commands run on a healthy installation: no fault is caused first."""
NOT_WELL = {"iit services status", "iit status"}
"""Commands that end with 1 when they see the fault."""
broken = {"now": True}


@job("testing.runbook", retry=Retry(1, first=timedelta(0)))
def fails_while_broken(_context, _payload):
    """Fail as long as the test says so."""
    if broken["now"]:
        raise ValueError("broken")


def commands(name):
    """The commands of a page with the output that it shows."""
    pairs = []
    for block in BLOCK.findall((RUNBOOKS / f"{name}.md").read_text(encoding="utf-8")):
        for line in block.splitlines():
            if line.startswith("$ "):
                pairs.append((line[2:], []))
            else:
                pairs[-1][1].append(line)
    return pairs


@pytest.fixture(scope="module")
def partner(own_services):
    return create_tenant("runbooks", "Partner")


@pytest.fixture
def walk(partner, capsys, tmp_path):
    """Runs the commands of a page: each ends well and shows what the page shows."""
    places = {"TENANT": partner.ref.slug, "FILE": str(tmp_path / "file.iitbackup")}

    def go(page, **more):
        listed = commands(page)
        assert listed, f"{page} has no commands to walk"
        for command, shown in listed:
            words = [(places | more).get(word, word) for word in shlex.split(command)[1:]]
            code = run(words)
            output = capsys.readouterr()
            assert code in ((0, 1) if command in NOT_WELL else (0,)), f"$ {command}\n{output.out}{output.err}"
            assert doctest.OutputChecker().check_output("\n".join(shown) + "\n", output.out, FLAGS), command

    return go


def dead_job(partner):
    broken["now"] = True
    with tenant_session(partner.ref, actor="test:1") as session:
        job_id = enqueue(session, "testing.runbook", {})
    drain(partner.ref)
    assert operations.show(job_id)["state"] == "dead"
    return job_id


@pytest.mark.parametrize("page", sorted(LOOKS))
def test_the_commands_of_a_page_run(walk, page):
    walk(page)


def test_dead_letters(partner, walk):
    job_id = dead_job(partner)
    broken["now"] = False
    walk("dead-letters", JOB_ID=str(job_id))
    drain(partner.ref)
    assert operations.show(job_id)["state"] == "done"


def test_poison_job(partner, walk):
    dead_job(partner)
    walk("poison-job")
    assert not pauses.list_pauses()


def test_poison_tenant(partner, walk):
    walk("poison-tenant")
    assert describe_tenant(partner.ref.slug).state == "active"


def test_queue_old(partner, walk, capsys):
    assert run(["jobs", "pause", "--tenant", partner.ref.slug, "--reason", "test"]) == 0
    assert pauses.list_pauses()
    walk("queue-old")
    assert not pauses.list_pauses()


def test_vendor_down(walk, capsys):
    assert run(["breaker", "open", "mail_server", "--reason", "test"]) == 0
    walk("vendor-down")
    capsys.readouterr()
    run(["breaker", "list"])
    assert "test" not in capsys.readouterr().out


def test_leaked_key(partner, walk, capsys):
    assert run(["key", "create", partner.ref.slug, "--name", "leaked", "--permission", "alerts.read"]) == 0
    capsys.readouterr()
    run(["key", "list", partner.ref.slug])
    prefix = next(line.split()[0] for line in capsys.readouterr().out.splitlines() if "leaked" in line)
    walk("leaked-key", KEY_NAME=prefix)
    run(["key", "list", partner.ref.slug])
    assert "revoked" in capsys.readouterr().out


def test_breach(walk, tmp_path):
    walk("breach")
    assert (tmp_path / "file.iitbackup").exists()


def test_backup_failed(walk, partner, tmp_path):
    assert run(["backup", partner.ref.slug, "--to", str(tmp_path / "absent" / "folder" / "file")]) != 0
    walk("backup-failed")
    assert (tmp_path / "file.iitbackup").exists()


def test_restore_tenant(partner, walk, tmp_path):
    assert run(["tenant", "backup", partner.ref.slug, "--to", str(tmp_path / "file.iitbackup")]) == 0
    walk("restore-tenant")


def test_database_down(partner, walk):
    stop()
    walk("database-down")
    assert run(["services", "status"]) == 0
    assert describe_tenant(partner.ref.slug).state == "active"


def test_redis_lost(own_services, walk):
    Redis.from_url(own_services.redis_url).shutdown(nosave=True)
    assert run(["services", "status"]) == 1
    walk("redis-lost")
    assert run(["services", "status"]) == 0


def test_every_runbook_is_walked():
    walked = LOOKS | set(re.findall(r'walk\("([a-z-]+)"', (CHECKOUT / "tests/operations/test_runbooks.py").read_text()))
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == walked
