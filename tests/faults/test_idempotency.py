"""A write with a key has one effect, wherever the server is killed, and however many send it at once.

Against a server in a process of its own (``api_server``), on a PostgreSQL of its own.
"""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from core.tenancy import create_tenant
from tests import zygote

KEY, FAULT, REPLAYED = "Idempotency-Key", "X-Fault", "idempotency-replayed"
MOST_STEPS = 120
TWINS = 50


@pytest.fixture(scope="module")
def partner(own_services):
    return create_tenant("keyed", "Keyed")


@pytest.fixture(scope="module")
def client(own_services, partner):
    server = zygote.start(Path(__file__).parent / "api_server.py", stdout=subprocess.PIPE, text=True)
    try:
        port = int(server.stdout.readline())
        headers = {"Authorization": f"Bearer {partner.api_key}", "Connection": "close"}
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as opened:
            yield opened
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


def named(client, path, name):
    items = client.get(path, params={"page_size": 500}).json()["items"]
    return [row for row in items if row["name"] == name]


def facility(name):
    return "/v1/facilities", {"json": {"datim_id": name, "name": name}}


def facilities(client, name):
    return named(client, "/v1/facilities", name)


def api_key(name):
    return "/v1/keys", {"json": {"name": name, "permissions": ["facilities.read"]}}


def api_keys(client, name):
    return named(client, "/v1/keys", name)


def role(name):
    return "/v1/roles", {"json": {"name": name.lower(), "meaning": "Counts.", "permissions": ["facilities.read"]}}


def roles(client, name):
    return [row for row in client.get("/v1/roles").json()["items"] if row["name"] == name.lower()]


def upload(name):
    return "/v1/imports", {"files": {"files": (f"{name}.csv", f"name\n{name}\n".encode())}}


def imports(client, name):
    rows = client.get("/v1/imports", params={"page_size": 500}).json()["items"]
    return [row for row in rows if name in str(row)]


def person(name):
    return "/v1/people", {"json": {"email": f"{name}@example.org".lower(), "name": name, "roles": ["data_officer"]}}


def people(client, name):
    return named(client, "/v1/people", name)


WRITES = [(facility, facilities), (api_key, api_keys), (role, roles), (upload, imports), (person, people)]


def sent(client, write, **headers):
    """Send a write; None if the server was killed."""
    path, options = write
    try:
        return client.post(path, headers=headers, **options)
    except httpx.TransportError:
        return None


def until_answered(client, write, key):
    """Send it as a caller does: again after 409, until PostgreSQL has noticed that the server died."""
    for _ in range(500):
        answer = sent(client, write, **{KEY: key})
        if answer is not None and answer.status_code != 409:
            return answer
    pytest.fail("the write is under way for ever")


@pytest.mark.parametrize(("write", "effects"), WRITES, ids=lambda item: item.__name__)
def test_a_kill_at_any_step_leaves_one_effect(client, write, effects):
    for number in count(1):
        assert number < MOST_STEPS
        name, key = f"N{uuid4().hex[:10]}", str(uuid4())
        answer = sent(client, write(name), **{KEY: key, FAULT: str(number)})
        again = until_answered(client, write(name), key)
        assert again.is_success, again.text
        assert len(effects(client, name)) == 1, number
        third = until_answered(client, write(name), key)
        assert (third.status_code, third.content, third.headers[REPLAYED]) == (again.status_code, again.content, "true")
        if answer is not None:  # the fault lies behind the last step
            assert (again.content, again.headers[REPLAYED]) == (answer.content, "true")
            break
    assert number > 3


@pytest.mark.parametrize(("write", "effects"), WRITES, ids=lambda item: item.__name__)
def test_fifty_twins_have_one_effect(client, write, effects):
    name, key = f"N{uuid4().hex[:10]}", str(uuid4())
    with ThreadPoolExecutor(TWINS) as pool:
        answers = list(pool.map(lambda _: sent(client, write(name), **{KEY: key}), range(TWINS)))
    done = [answer for answer in answers if answer.is_success]
    assert len({answer.content for answer in done}) == 1
    assert sum(REPLAYED not in answer.headers for answer in done) == 1
    assert {answer.status_code for answer in answers} - {done[0].status_code} <= {409}
    assert all("retry-after" in answer.headers for answer in answers if answer.status_code == 409)
    assert len(effects(client, name)) == 1


def test_two_tenants_with_one_key_never_meet(client):
    other = create_tenant(f"other-{uuid4().hex[:6]}", "Other")
    key, write = str(uuid4()), facility("Shared00001")
    first = sent(client, write, **{KEY: key})
    second = sent(client, write, **{KEY: key, "Authorization": f"Bearer {other.api_key}"})
    assert (first.status_code, second.status_code) == (201, 201)
    assert REPLAYED not in second.headers
    assert first.json()["id"] != second.json()["id"]
