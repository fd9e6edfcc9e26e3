"""Templates of messages: covert texts by purpose and language, in versions that never change."""

from __future__ import annotations

import string
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from sqlmodel import col, select

from core import audit
from core.clock import now, today
from core.database import lock_own
from core.errors import Conflict, FieldError, Invalid, NotFound
from core.tenancy import settings as tenant_settings
from core.web.cursors import Sort
from core.web.keyset import Slice, read_slice
from core.web.texts import gettext as _
from tenants.messages.covert import telling_words
from tenants.messages.models import MessageTemplate
from tenants.messages.schemas import TemplateOut, TemplatePreview
from tenants.messages.segments import size_of
from tenants.messages.settings import MessageSettings
from tenants.records.models import Facility

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from core.database import TenantSession
    from core.web.paging import PageRequest
    from tenants.messages.schemas import TemplatePost

NEWEST_FIRST: Final = Sort("created_at", descending=True)
VARIABLES: Final = ("date", "code_word", "phone")
EXAMPLES: Final[Mapping[str, str]] = {
    "en": "{code_word}: see you on {date}. Reply 1 if you come, 2 if we should call you. STOP ends these messages.",
    "fr": "{code_word} : à bientôt, le {date}. Répondez 1 si vous venez, 2 si nous devons vous appeler. STOP pour "
    "ne plus rien recevoir.",
    "pt": "{code_word}: esperamos por si em {date}. Responda 1 se vem, 2 se devemos ligar. PARE para não receber mais.",
    "sw": "{code_word}: tutaonana tarehe {date}. Jibu 1 kama utakuja, 2 tukupigie simu. Tuma ACHA kuacha ujumbe.",
    "ha": "{code_word}: sai mun hadu ranar {date}. Amsa 1 idan za ka zo, 2 mu kira ka. Aika TSAYA don daina sakonni.",
}
"""Reminders to begin with, by language."""


def preview(session: TenantSession, body: str) -> TemplatePreview:
    """Return a text with example values, its size, and why it cannot be saved."""
    settings = tenant_settings.get(session, MessageSettings)
    problems = problems_of(session, settings, body)
    text = rendered(body, values_of(settings, today(session.tenant.time_zone) + timedelta(days=2)))
    size = size_of(text)
    return TemplatePreview(
        text=text, segments=size.segments, unicode=size.unicode, others=size.others, problems=problems
    )


def problems_of(session: TenantSession, settings: MessageSettings, body: str) -> list[str]:
    """Return why a text cannot be a template, in the reader's language; empty if it can."""
    try:
        named = {name for _text, name, _spec, _conversion in string.Formatter().parse(body) if name is not None}
    except ValueError:
        return [_("A brace has no partner. Write variables as {date}.")]
    problems = []
    unknown = sorted(named - set(VARIABLES))
    if unknown:
        names = ", ".join(f"{{{name}}}" for name in unknown)
        problems.append(
            _("There is no variable {names}. Use {{date}}, {{code_word}} and {{phone}}.").format(names=names)
        )
        return problems
    telling = telling_words(body.translate(_NO_BRACES), _clinics(session))
    if telling:
        problems.append(
            _("Somebody who reads it would learn too much from: {words}. Choose other words.").format(
                words=", ".join(telling)
            )
        )
    problems += [
        _("The settings of messages have no {name} yet. Set it first, or leave {{{name}}} out.").format(name=name)
        for name in ("code_word", "phone")
        if name in named and not getattr(settings, name)
    ]
    segments = size_of(rendered(body, values_of(settings, date(2026, 1, 1)))).segments
    if segments > settings.most_segments:
        problems.append(
            _("It has {count} parts; at most {most} are permitted. Shorten it.").format(
                count=segments, most=settings.most_segments
            )
        )
    return problems


def save(session: TenantSession, body: TemplatePost) -> MessageTemplate:
    """Save a new version of a text. It replaces the version before it; the same text again adds none.

    Raises:
        Invalid: the text is not covert, too long, or has an unknown variable.
    """
    problems = problems_of(session, tenant_settings.get(session, MessageSettings), body.body)
    if problems:
        detail = "the text cannot be a template"
        raise Invalid(detail, errors=[FieldError("body.body", problem) for problem in problems])
    with session.cursor() as cursor:
        lock_own(cursor, f"messages:template:{body.purpose}:{body.language}")
    versions = list(
        session.exec(
            select(MessageTemplate)
            .where(MessageTemplate.purpose == body.purpose, MessageTemplate.language == body.language)
            .order_by(col(MessageTemplate.version).desc())
        )
    )
    for row in versions:
        if row.state == "active":
            if row.body == body.body:
                return row
            _retire(session, row)
    session.flush()
    added = MessageTemplate(
        purpose=body.purpose,
        language=body.language,
        version=versions[0].version + 1 if versions else 1,
        body=body.body,
        created_by=session.actor,
    )
    session.add(added)
    session.flush()
    facts = {"purpose": added.purpose, "language": added.language, "version": added.version}
    audit.record(session, "messages:template:save", "message_template", added.uuid, facts)
    return added


def retire(session: TenantSession, template_id: UUID) -> MessageTemplate:
    """Send a text no longer. Messages of its purpose and language wait for no other: they are cancelled.

    Raises:
        NotFound: there is none.
        Conflict: it is retired already.
    """
    row = get(session, template_id)
    if row.state != "active":
        detail = "the version is retired already"
        raise Conflict(detail)
    _retire(session, row)
    session.flush()
    audit.record(session, "messages:template:retire", "message_template", row.uuid, {"version": row.version})
    return row


def _retire(session: TenantSession, row: MessageTemplate) -> None:
    row.state, row.retired_at, row.retired_by = "retired", now(), session.actor
    session.add(row)


def get(session: TenantSession, template_id: UUID) -> MessageTemplate:
    """Return a version.

    Raises:
        NotFound: there is none.
    """
    row = session.get(MessageTemplate, template_id)
    if row is None:
        detail = "there is no such template"
        raise NotFound(detail)
    return row


def list_templates(session: TenantSession) -> Sequence[MessageTemplate]:
    """Return the active versions by purpose and language."""
    query = select(MessageTemplate).where(MessageTemplate.state == "active")
    return session.exec(query.order_by(col(MessageTemplate.purpose), col(MessageTemplate.language))).all()


def read_versions(session: TenantSession, paging: PageRequest, *, retired: bool) -> Slice[MessageTemplate]:
    """Return one page of the active versions, with ``retired`` also of all earlier ones."""
    query = select(MessageTemplate)
    if not retired:
        query = query.where(MessageTemplate.state == "active")
    columns = {"created_at": col(MessageTemplate.created_at)}
    return read_slice(session, query, paging, columns, col(MessageTemplate.uuid))


def active(session: TenantSession, purpose: str, languages: Iterable[str]) -> MessageTemplate | None:
    """Return the active text of a purpose in the first of the languages that has one."""
    rows = {row.language: row for row in list_templates(session) if row.purpose == purpose}
    return next((rows[language] for language in languages if language in rows), None)


def rendered(body: str, values: Mapping[str, str]) -> str:
    """Return a text with its values; a variable without a value stays as it is."""
    text = body
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def values_of(settings: MessageSettings, contact: date | None) -> dict[str, str]:
    """Return the values of the variables. The day has no name of a month, so that it fits every language."""
    day = "" if contact is None else f"{contact:%d/%m}"
    return {"date": day, "code_word": settings.code_word, "phone": settings.phone}


def telling(session: TenantSession, text: str, names: Iterable[str] = ()) -> list[str]:
    """Return what in a text tells, with the tenant's clinics and further names."""
    return telling_words(text, [*_clinics(session), *names])


def shown(session: TenantSession, row: MessageTemplate) -> TemplateOut:
    """A version as the API shows it."""
    settings = tenant_settings.get(session, MessageSettings)
    text = rendered(row.body, values_of(settings, date(2026, 1, 1)))
    return TemplateOut.model_validate({"id": row.uuid, "segments": size_of(text).segments, **row.model_dump()})


_NO_BRACES: Final = str.maketrans({"{": " ", "}": " "})


def _clinics(session: TenantSession) -> list[str]:
    return [name for name in session.exec(select(Facility.name)).all() if name]
