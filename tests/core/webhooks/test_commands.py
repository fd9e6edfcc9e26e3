"""``iit webhooks``."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from standardwebhooks import Webhook

from core.jobs.worker import drain
from core.webhooks.commands import webhooks


@pytest.fixture
def run(tenant):
    """``run("list")`` runs ``iit webhooks list SLUG`` with further arguments; gives its output."""

    def run_(command, *arguments):
        result = CliRunner().invoke(webhooks, [command, tenant.slug, *arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    return run_


def test_an_operator_adds_an_endpoint_tries_it_and_removes_it(tenant, run, receiver):
    created = json.loads(run("add", receiver.url, "--event", "risk.scored", "--json"))
    run("example", created["id"], "risk.scored")
    drain(tenant)
    (delivery,) = json.loads(run("deliveries", created["id"], "--json"))["deliveries"]
    assert (delivery["state"], delivery["answer"], delivery["attempts"]) == ("delivered", 200, 1)
    run("resend", delivery["id"])
    run("replay", created["id"], "--since", "2020-01-01T00:00:00")
    drain(tenant)
    rotated = json.loads(run("rotate", created["id"], "--json"))
    assert rotated["secret"] != created["secret"]
    run("enable", created["id"])
    listed = run("list", "--json")
    assert [row["id"] for row in json.loads(listed)["endpoints"]] == [created["id"]]
    assert created["secret"] not in listed
    assert rotated["secret"] not in listed
    assert all(Webhook(created["secret"]).verify(body, headers) for _, headers, body in receiver.requests)
    run("remove", created["id"])
    assert json.loads(run("list", "--json")) == {"endpoints": []}
