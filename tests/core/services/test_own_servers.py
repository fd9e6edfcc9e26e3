"""The platform on servers that somebody else runs, prepared as the documentation says and in no other way."""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from core.services import programs
from core.services.account import server_account
from core.services.postgres import Postgres
from core.services.valkey import Valkey
from core.settings import CHECKOUT
from core.settings.model import MASTER_KEY_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.core.services.conftest import Place

PAGE = CHECKOUT / "docs" / "how-to" / "run-on-your-own-servers.md"
PASSWORD = "of-the-operator"


@pytest.fixture
def prepared(place: Place) -> Iterator[dict[str, str]]:
    """The environment of a platform on servers that the page's SQL has prepared."""
    place.folder.mkdir(mode=0o711)
    home = place.folder / "home"
    home.mkdir(mode=0o700)
    who = server_account(place.folder / "none")
    who.own(home)
    carried = programs.reachable(who, home)
    database, queue = Postgres(home, who, place.messages.append), Valkey(home, who, place.messages.append)
    database.create(carried, PASSWORD, fsync=False)
    port = database.start(carried, 0, fsync=False)
    redis_port = queue.start(carried, 0, PASSWORD)
    statements = re.findall(r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    address = ["-h", "127.0.0.1", "-p", str(port), "-U", "postgres"]
    subprocess.run(
        [str(carried.bin / "psql"), "-v", "ON_ERROR_STOP=1", "-q", *address],
        input="".join(statements).replace("'...'", f"'{PASSWORD}'"),
        env={"PGPASSWORD": PASSWORD},
        text=True,
        check=True,
    )
    try:
        yield {
            "DATABASE_URL": f"postgresql://iit_app:{PASSWORD}@127.0.0.1:{port}/iit",
            "DATABASE_OWNER_URL": f"postgresql://iit_owner:{PASSWORD}@127.0.0.1:{port}/iit",
            "REDIS_URL": f"redis://:{PASSWORD}@127.0.0.1:{redis_port}/0",
            "IIT_MASTER_KEY": base64.b64encode(secrets.token_bytes(MASTER_KEY_BYTES)).decode(),
            "IIT_STATE_DIR": str(place.folder / "never-made"),
        }
    finally:
        queue.stop(redis_port, PASSWORD)
        database.stop(carried)


def test_servers_prepared_as_the_page_says_carry_the_platform(prepared: dict[str, str]) -> None:
    def iit(*words: str) -> str:
        command = [sys.executable, "-m", "core.cli", *words]
        return subprocess.run(
            command, cwd=CHECKOUT, env=os.environ | prepared, stdout=subprocess.PIPE, text=True, check=True
        ).stdout

    services = json.loads(iit("services", "status", "--json"))["services"]
    assert [(service["mode"], service["running"]) for service in services] == [("external", True)] * 2
    iit("migrate")
    tenant = json.loads(iit("tenant", "create", "own-servers", "--json"))
    assert [tenant["slug"] for tenant in json.loads(iit("tenant", "list", "--json"))["tenants"]] == ["own-servers"]
    with psycopg.connect(prepared["DATABASE_URL"]) as link, pytest.raises(psycopg.errors.InsufficientPrivilege):
        link.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(tenant["schema"], "patients")))
    assert not Path(prepared["IIT_STATE_DIR"]).exists()


def test_rights_of_everybody_are_told_until_the_printed_sql_has_closed_them(prepared: dict[str, str]) -> None:
    def iit(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "core.cli", "database", "rights", *words]
        return subprocess.run(
            command, cwd=CHECKOUT, env=os.environ | prepared, capture_output=True, text=True, check=False
        )

    before = iit("--json")
    assert before.returncode == 3
    assert len(json.loads(before.stdout)["databases"][0]["open"]) == 5
    printed = iit("--sql", "--keep", "iit_owner")
    address = prepared["DATABASE_OWNER_URL"].replace("iit_owner", "postgres")
    with psycopg.connect(address, autocommit=True) as link:
        for _ in range(2):  # it can be run again
            link.execute(printed.stdout.encode())
    after = iit("--json")
    assert (after.returncode, json.loads(after.stdout)["databases"][0]["open"]) == (0, [])
