"""Making the file of a report: its content, read with the reach of the person who asked."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import date
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import orjson

from core.clock import today
from core.database import Reach, tenant_session
from core.errors import Conflict, FieldError, Invalid, phrase
from core.identity.people import members
from core.identity.principal import person_of_actor
from core.scratch import nameless
from core.tenancy import settings as tenant_settings
from core.web import texts
from core.web.texts import gettext as _
from tenants.cohort.calendar import period_of
from tenants.reports import pdf, service
from tenants.reports.file_schemas import LISTS
from tenants.reports.printed_list import MOST_PEOPLE, line_list_pdf
from tenants.reports.reading import count_people
from tenants.reports.settings import ReportSettings

if TYPE_CHECKING:
    from typing import BinaryIO

    from core.database import SessionOpener, TenantRef, TenantSession
    from tenants.reports.models import ReportFile

PDF_BY: Final = "facility"
"""The dimensions of tables on paper: with sex and age they would fill dozens of pages."""


def make(tenant: TenantRef, row: ReportFile) -> BinaryIO:
    """The content of a report: of the facilities that the person who asked reached then, and of none that came later.

    Raises:
        AppError: what it is about does not exist any more, or a list on paper has too many people.
    """
    reach = Reach(None if row.facility_uuids is None else frozenset(row.facility_uuids))

    def open_session() -> Any:  # noqa: ANN401 - a context manager of a session
        return tenant_session(tenant, actor=row.requested_by, reach=reach)

    with ExitStack() as stack:
        file = stack.enter_context(nameless())
        (_write_list if row.kind in LISTS else _write_tables)(tenant, open_session, row, file)
        file.seek(0)
        stack.pop_all()  # the caller closes it
    return file


def dhis2_mapping(session: TenantSession) -> Any:  # noqa: ANN401 - the mapping's model
    """The tenant's mapping of counts to DHIS2.

    Raises:
        Conflict: none is set.
    """
    mapping = tenant_settings.get(session, ReportSettings).dhis2
    if mapping is None:
        detail = "no mapping for DHIS2 is set"
        raise Conflict(detail, remedy="set reports.dhis2 in the settings")
    return mapping


def check_length(session: TenantSession, form: str, export: service.Export) -> None:
    """Check that a list on paper is no longer than a printer and the platform's memory bear.

    Raises:
        Invalid: it has more people.
    """
    if form == "pdf" and (people := count_people(session, export.request)) > MOST_PEOPLE:
        problem = phrase(
            "a list as pdf has at most {most:,} people, and this one has {people:,}", most=MOST_PEOPLE, people=people
        )
        remedy = "choose one facility, or xlsx or csv, which hold any number"
        raise Invalid(problem, remedy=remedy, errors=[FieldError("format", problem, remedy)])


def list_on(session: TenantSession, kind: str, options: dict[str, Any]) -> service.Export:
    """The export of a list today, of a schedule with these options.

    Raises:
        Invalid: the facility is unknown.
    """
    day = today(session.tenant.time_zone)
    return export_of(session, kind, {**options, "as_of": day.isoformat()})


def export_of(session: TenantSession, kind: str, options: dict[str, Any]) -> service.Export:
    """The export of a list that a report is about.

    Raises:
        Invalid: the facility is unknown.
    """
    return service.export_of(
        session,
        kind,
        as_of=date.fromisoformat(options["as_of"]),
        facility=options["facility"],
        identifiers=options["identifiers"] or kind == service.RADET,
    )


def _write_list(tenant: TenantRef, open_session: SessionOpener, row: ReportFile, file: BinaryIO) -> None:
    with open_session() as session:
        export = export_of(session, row.kind, row.options)
        check_length(session, row.format, export)
    if row.format == "xlsx":
        service.list_workbook(open_session, export, file)
    elif row.format == "csv":
        file.writelines(service.list_lines(open_session, export, row.format))
    else:
        file.write(_printed(tenant, open_session, row, export))


def _printed(tenant: TenantRef, open_session: SessionOpener, row: ReportFile, export: service.Export) -> bytes:
    rows = [line for step in service.list_rows(open_session, export) for line in step]
    language = row.options.get("language", texts.SOURCE)
    with texts.reading_in(language):
        return line_list_pdf(
            rows,
            export.request.as_of,
            identifiers=export.request.identifiers,
            asked_by=_name_of(tenant, row.requested_by),
            asked_at=row.requested_at,
            zone=ZoneInfo(tenant.time_zone),
            language=language,
        )


def _name_of(tenant: TenantRef, actor: str) -> str:
    person = person_of_actor(actor)
    if person is None:
        return _("an API key")
    return members.names_of(tenant, [person]).get(person, _("a person who has left"))


def _write_tables(_tenant: TenantRef, open_session: SessionOpener, row: ReportFile, file: BinaryIO) -> None:
    period, facility = period_of(row.options["period"]), row.options["facility"]
    with open_session() as session:
        if row.kind == "dhis2":
            file.write(orjson.dumps(service.data_value_set(session, period, dhis2_mapping(session), facility)))
        elif row.format == "csv":
            file.write(service.mer_csv(session, period, service.DEFAULT_BY, facility))
        elif row.format == "xlsx":
            service.mer_workbook(session, period, service.DEFAULT_BY, file, facility)
        else:
            report = service.mer_report(session, period, PDF_BY, facility)
    if row.kind == "mer" and row.format == "pdf":
        file.write(pdf.mer_pdf(report))
