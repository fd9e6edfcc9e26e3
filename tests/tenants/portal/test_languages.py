"""Common mistakes on pages, in French and Portuguese: no page answers with the English text of a service."""

from __future__ import annotations

import ast
import html
import re
from datetime import date
from string import Formatter
from uuid import uuid4

import pytest

from core.clock import now
from core.database import platform_session, tenant_session
from core.identity.people import links, members, sessions
from core.identity.people.sign_in import sign_in
from core.preferences.registry import texts_of_settings
from core.web import gather_texts
from core.web.error_texts import texts_of_errors
from core.web.stored_texts import TEXT_PLACES
from core.web.texts import gettext, reading_in, sources
from tenants.imports.models import Import, ImportFile, ImportRejection
from tenants.imports.staging.meanings import MEANINGS
from tenants.quality import catalog
from tenants.quality import repository as quality
from tenants.quality.models import QualityReport
from tests.keyed import KeyedClient

PASSWORD = "seven green bicycles in the rain"
MARKS = {"marked", "marked_forms", "phrase", "counted_phrase"}
SHORTEST = 14
"""Shorter texts may be words of the page by chance."""


@pytest.fixture(scope="module")
def english():
    """The texts of errors and settings that differ in another language."""
    texts = {*texts_of_errors(gather_texts.ROOT), *texts_of_settings(), *texts_of_records()}
    with reading_in("fr"):
        return {text for text in texts if len(text) >= SHORTEST and gettext(text) != text} | parts_of_templates()


def texts_of_records():
    """The texts that the rooms of imports and quality mark for translation, such as problems, notes and measures."""
    for folder in ("imports", "quality"):
        for path in (gather_texts.ROOT / "tenants" / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MARKS:
                    yield from (one.value for one in node.args if isinstance(one, ast.Constant))


def parts_of_templates():
    """The longest literal part of each template of these rooms."""
    known = {text for one in sources("fr") for text in ([one] if isinstance(one, str) else one)}
    templates = [text for text in texts_of_records() if "{" in str(text) and text in known]
    parts = {max((literal for literal, *_ in Formatter().parse(text)), key=len).strip(" :;,") for text in templates}
    return {part for part in parts if len(part) >= SHORTEST}


def filled_in(template):
    """A text as the database keeps it: a template with a number, or a text of the catalogue, at each place."""
    if ("'" in template and "{unit: " in template) or "{datim_id" in template:
        return template  # an example of a mapping
    parts = Formatter().parse(template)
    return "".join(
        f"{literal}{'' if name is None else 'a PDF' if name in TEXT_PLACES else '1,200'}" for literal, name, *_ in parts
    )


@pytest.fixture(params=["fr", "pt"])
def reader(request, application, module_tenant, english):
    """A browser in a language: ``reader(role)``, None for nobody; ``wrong(answer)`` fails on English."""

    def begin(role=None):
        headers = {"Accept-Language": request.param, "Origin": "http://localhost"}
        client = KeyedClient(application, base_url="http://localhost", headers=headers, follow_redirects=False)
        if role is not None:
            email = f"{uuid4().hex[:10]}@example.org"
            grant = members.Grant([role])
            client.person = members.add_member(module_tenant, email, "Person", grant, actor="test:1")
            with platform_session() as session:
                members.accept(session, client.person, module_tenant.id)
                begun = sessions.begin(session, client.person, module_tenant.id, signed_in_by="password")
            client.cookies.set("iit_session", begun.secret)
            client.token = re.search(r'name="csrf_token" value="([^"]*)"', client.get("/me").text)[1]
        return client

    def check(answer, status=422):
        assert answer.status_code == status, answer.text
        assert f'<html lang="{request.param}">' in answer.text
        shown = html.unescape(re.sub(r"<[^>]*>", " ", answer.text)).lower()
        assert [text for text in english if text.lower() in shown] == []

    begin.check = check
    return begin


def test_signing_in_links_and_the_second_factor(reader, module_tenant):
    visitor = reader()
    email = f"{uuid4().hex[:10]}@example.org"
    for _ in range(5):
        reader.check(visitor.post("/sign-in", data={"email": email, "password": "x"}), 401)
    reader.check(visitor.post("/sign-in", data={"email": email, "password": "x"}), 429)
    reader.check(visitor.post("/sign-in", data={"email": email}))
    reader.check(visitor.post("/sign-in", data={"email": email, "partner": "yes"}), 403)
    reader.check(visitor.get("/password/unknown"), 404)
    person = members.add_member(module_tenant, email, "Ann Ade", members.Grant(["viewer"]), actor="test:1")
    link = links.create_link(person, links.INVITATION, actor="test:1", tenant_id=module_tenant.id)
    visitor.get(link.path)
    for password in ("short", "x" * 300, "password1234567"):
        reader.check(visitor.post("/password", data={"password": password}))
    assert visitor.post("/password", data={"password": PASSWORD}).status_code == 303
    visitor.cookies.set("iit_session", sign_in(email, PASSWORD, address="192.0.2.1").secret)
    token = re.search(r'name="csrf_token" value="([^"]*)"', visitor.get("/me").text)[1]
    reader.check(visitor.post("/me/second-factor", data={"csrf_token": token, "password": "x"}))
    reader.check(visitor.post("/me/second-factor/codes", data={"csrf_token": token, "password": PASSWORD}), 409)
    reader.check(visitor.get("/admin"), 403)


def test_people_roles_and_files_of_people(reader):
    admin = reader("partner_admin")
    form = {"csrf_token": admin.token}
    reader.check(admin.post("/admin/people/new", data=form))
    reader.check(admin.post("/admin/people/new", data={**form, "email": "a@example.org", "name": "A", "roles": "x"}))
    reader.check(admin.post("/admin/people/new", data={**form, "email": "a@b.example", "name": "A", "language": "xx"}))
    reader.check(admin.post(f"/admin/people/{admin.person}/reset-second-factor", data=form), 403)
    reader.check(admin.post("/admin/roles/new", data=form))
    reader.check(admin.post("/admin/roles/new", data={**form, "role_name": "viewer", "meaning": "M"}), 409)
    reader.check(admin.post("/admin/keys/new", data=form))
    for content in ("", "email,name\n", "email,email,name,roles\n", "email,name,roles,phone\n", "email,name,roles\n"):
        row = f"{content}nobody,,nobody\nnobody,,\n"
        reader.check(admin.post("/admin/people/file", data={**form, "content": row if "," in content else content}))


def test_single_sign_on_and_settings(reader):
    admin = reader("partner_admin")
    form = {"csrf_token": admin.token}
    reader.check(admin.post("/admin/sso", data=form))
    reader.check(admin.post("/admin/sso", data={**form, "issuer": "http://x", "client_id": "c", "default_role": "x"}))
    reader.check(admin.post("/admin/sso/domains", data={**form, "domain": "no domain"}))
    reader.check(admin.post("/admin/sso/test", data=form), 404)
    for group in ("alerts", "cohort", "facilities", "reports", "retention", "risk", "sign_in"):
        reader.check(admin.get(f"/admin/settings/{group}"), 200)
    reader.check(admin.get("/admin/settings"), 200)
    version = re.search(r'name="version" value="([^"]*)"', admin.get("/admin/settings/risk").text)[1]
    wrong = {**form, "version": html.unescape(version), "set.capacity_share": "7"}
    reader.check(admin.post("/admin/settings/risk", data=wrong))


def test_uploads(reader):
    officer = reader("data_officer")
    address = f"/data/upload?csrf_token={officer.token}"
    reader.check(officer.post(address, files={"other": ("a", b"")}))
    for name, data in (
        ("a.csv", b""),
        ("a.bin", bytes(range(256)) * 8),
        ("~$a.xlsx", b"x"),
        ("a.csv.gz", b"\x1f\x8bx"),
    ):
        answer = officer.post(address, files={"files": (name, data)})
        if answer.status_code != 303:
            reader.check(answer)


@pytest.fixture(scope="module")
def made_import(module_tenant):
    """An import whose report has each problem, remedy and note that imports make, as the database keeps them."""
    texts = sorted({*texts_of_records()} | {*texts_of_errors(gather_texts.ROOT)}, key=lambda text: (len(text), text))
    filled = [filled_in(text) for text in texts]
    notes = [form.format(count="1,200") for _, form in MEANINGS.values()]
    with tenant_session(module_tenant, actor="test:1") as session:
        row = Import(
            state="done",
            format="csv",
            source="csv",
            mapping={},
            data_date=date(2026, 5, 31),
            content_hash="x",
            requested_by="test:1",
            rows_read=90,
            rows_rejected=80,
            notes=[
                *notes,
                "data date 2026-05-31 taken from the latest row; give the day of the export if it was later",
            ],
            failure=[{"field": "patient", "problem": "the identifier is missing", "remedy": "fill it in"}],
            finished_at=now(),
        )
        session.add(row)
        session.flush()
        session.add(ImportFile(import_uuid=row.uuid, number=0, name="a.csv", size=1, sha256="x"))
        for line, text in enumerate(filled, start=2):
            rejection = {"field": "row", "problem": text, "remedy": "correct one of the two dates"}
            session.add(ImportRejection(import_uuid=row.uuid, file=0, line=line, **rejection))
        report = QualityReport(run_uuid=uuid4(), definitions="1", score=50, data_date=date(2026, 5, 31))
        quality.store(session, [(report, {measure.name: (1, 2) for measure in catalog.MEASURES})])
        return row.uuid


def test_the_report_of_an_import_and_the_quality_of_the_records(reader, made_import):
    officer = reader("data_officer")
    for address in (f"/data/imports/{made_import}", "/data", "/data/imports", "/data/quality", "/data/upload"):
        reader.check(officer.get(address), 200)


def test_the_file_of_rejected_rows(reader, made_import, english):
    officer = reader("data_officer")
    answer = officer.get(f"/data/imports/{made_import}/rejections.csv")
    assert answer.status_code == 200
    shown = answer.text.lower()
    assert [text for text in english if text.lower() in shown] == []
    assert not shown.startswith("file,")
