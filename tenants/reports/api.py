"""Routes of the exports."""

from collections.abc import Generator
from datetime import date
from itertools import chain
from tempfile import TemporaryFile
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from core.access import TenantDb, TenantScope, require
from core.access.scope import Scope
from core.database import TenantSession
from core.errors import Forbidden
from core.idempotency import REPEATABLE
from core.identity import Principal
from core.web.days import IsoDay
from core.web.streams import StreamedResponse, file_blocks
from core.web.tables import MEDIA_TYPES
from tenants.cohort.calendar import period_of
from tenants.cohort.so_far import covered_part
from tenants.imports.formats.radet_lamisplus import HEADINGS
from tenants.reports import service
from tenants.reports.dhis2 import Dhis2Mapping

router = APIRouter(prefix="/reports", tags=["reports"])

ReportsRead = Annotated[Principal, Depends(require("reports.read", confined=True))]
ReportsIdentify = Annotated[Principal, Depends(require("reports.identify", confined=True))]
PatientsRead = Annotated[Principal, Depends(require("patients.read", confined=True))]
CohortRead = Annotated[Principal, Depends(require("cohort.read", confined=True))]
AsOf = Annotated[
    IsoDay | None, Query(description="The day, with what was known then. Default: today.", examples=["2026-09-30"])
]
Facility = Annotated[str | None, Query(description="DATIM id. Default: all facilities.", max_length=100)]
PeriodText = Annotated[
    str | None, Query(description="2026Q3, FY26Q4, 2026-08, 2026 or FY26.", examples=["2026Q3"], max_length=20)
]

_EXAMPLES = {
    "csv": "as_of,facility,facility_name,patient_id\n"
    "2026-09-30,hZ7mJp5xUQq,Central clinic,019c2291-cf3f-785d-a6a1-d6a148c200f3\n",
    "ndjson": '{"as_of":"2026-09-30","facility":"hZ7mJp5xUQq","status":"active"}\n',
}


_INDICATORS = (
    "start,end,as_of,facility,sex,age,indicator,count,provisional,complete_through,definition\n"
    "2026-07-01,2026-09-30,2026-09-30,hZ7mJp5xUQq,F,25-29,TX_CURR,41,false,2026-10-02,"
    "PEPFAR MER terms; IIT from day 29 past the expected contact\n"
)


def _files(*forms: str, csv: str = _EXAMPLES["csv"]) -> dict[int | str, dict[str, Any]]:
    examples = _EXAMPLES | {"csv": csv}
    content: dict[str, Any] = {
        MEDIA_TYPES[form].partition(";")[0]: {
            "schema": {"type": "string", **({"format": "binary"} if form == "xlsx" else {})},
            **({"example": examples[form]} if form in examples else {}),
        }
        for form in forms
    }
    return {200: {"description": "The file.", "content": content}}


@router.get(
    "/line-list", operation_id="get_line_list", summary="Get every patient on a day, one row each",
    responses=_files("csv", "xlsx", "ndjson"), response_class=StreamedResponse,
)  # fmt: skip
def get_line_list(
    principal: ReportsRead,
    _: PatientsRead,
    scope: TenantScope,
    as_of: AsOf = None,
    facility: Facility = None,
    format: Annotated[Literal["csv", "xlsx", "ndjson"], Query(description="File format.")] = "csv",  # noqa: A002 - the query's name
    identifiers: Annotated[  # noqa: FBT002 - a query parameter
        bool, Query(description="Include programme identifier and hospital number; needs reports.identify.")
    ] = False,
) -> StreamedResponse:
    """Return every patient with what was known on that day. The audit records each read before the row is sent."""
    if identifiers and "reports.identify" not in principal.permissions:
        detail = "identifiers=true needs the permission reports.identify"
        raise Forbidden(detail)
    return _list(scope, service.LINE_LIST, as_of, facility, format, identifiers=identifiers)


@router.get(
    "/radet", operation_id="get_radet", summary="Get every patient on a day, in the format of the LAMIS+ RADET",
    responses=_files("csv", "xlsx", csv=",".join(HEADINGS) + "\n"), response_class=StreamedResponse,
)  # fmt: skip
def get_radet(
    _: ReportsIdentify,
    __: PatientsRead,
    scope: TenantScope,
    as_of: AsOf = None,
    facility: Facility = None,
    format: Annotated[Literal["csv", "xlsx"], Query(description="File format.")] = "xlsx",  # noqa: A002 - the query's name
) -> StreamedResponse:
    """Return the list with programme identifiers, as a RADET has them. The audit records each read of a patient."""
    return _list(scope, service.RADET, as_of, facility, format, identifiers=True)


@router.get(
    "/indicators", operation_id="get_indicator_tables", summary="Get MER indicators of a period as tables",
    responses=_files("csv", "xlsx", csv=_INDICATORS), response_class=Response,
)  # fmt: skip
def get_indicator_tables(
    _: ReportsRead,
    __: CohortRead,
    scope: TenantScope,
    period: PeriodText = None,
    start: Annotated[IsoDay | None, Query(description="First day, instead of a period.")] = None,
    end: Annotated[IsoDay | None, Query(description="Last day, instead of a period.")] = None,
    by: Annotated[
        str, Query(description="Dimensions, comma-separated: facility, sex, age, time_on_art.", max_length=100)
    ] = service.DEFAULT_BY,
    format: Annotated[Literal["csv", "xlsx"], Query(description="File format.")] = "csv",  # noqa: A002 - the query's name
) -> Response:
    """Return one count per row (CSV), or one sheet per indicator (xlsx), as known now; `as_of` says until which day."""
    reporting_period = period_of(period, start, end)

    def read(db: TenantSession) -> Response:
        name = f"mer-{reporting_period.start}-{covered_part(db, reporting_period).end}"
        if format == "csv":
            lines = service.mer_csv(db, reporting_period, by)
            return Response(lines, media_type=MEDIA_TYPES["csv"], headers=disposition(name, "csv"))
        file = TemporaryFile()  # noqa: SIM115 - closed when it has been sent
        service.mer_workbook(db, reporting_period, by, file)
        return _stream(file_blocks(file), name)

    return scope.read(read)


class DataValueSetPost(BaseModel):
    """A period, with a mapping of its counts."""

    model_config = ConfigDict(extra="forbid")

    period: str = Field(
        description="A month, quarter or year: 2026-08, 2026Q3, FY26Q4, 2026, FY26.", examples=["2026Q3"]
    )
    facility: str | None = Field(
        default=None, description="DATIM id of one facility. Default: all facilities.", examples=["hZ7mJp5xUQq"]
    )
    mapping: Dhis2Mapping = Field(description="Where each count goes: its data element and organisation unit.")


class DataValueSet(BaseModel):
    """The body of DHIS2's ``POST /api/dataValueSets``."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "dataSet": "qzVASYuaIey",
                "period": "2026Q3",
                "dataValues": [
                    {"dataElement": "Hyvw9VnZ2ch", "period": "2026Q3", "orgUnit": "hZ7mJp5xUQq", "value": "412"}
                ],
            }
        }
    )

    dataSet: str | None = Field(default=None, description="The data set.")  # noqa: N815 - DHIS2's name
    completeDate: date | None = Field(default=None, description="Day on which the set was complete.")  # noqa: N815
    orgUnit: str | None = Field(default=None, description="The organisation unit, in a set of one unit.")  # noqa: N815
    period: str = Field(description="The period, as DHIS2 writes it.")
    dataValues: list[dict[str, str]] = Field(description="One value per data element and organisation unit.")  # noqa: N815


@router.post(
    "/data-value-sets", operation_id="make_data_value_set", summary="Make a DHIS2 data value set of MER indicators",
    response_model_exclude_none=True, dependencies=[REPEATABLE],
)  # fmt: skip
def make_data_value_set(_: ReportsRead, __: CohortRead, db: TenantDb, body: DataValueSetPost) -> DataValueSet:
    """Build the set of a period that the records cover to its end. Nothing is sent to DHIS2.

    A count without a place in the mapping is an error that names it.
    """
    return DataValueSet.model_validate(service.data_value_set(db, period_of(body.period), body.mapping, body.facility))


def _list(
    scope: Scope, report: str, as_of: date | None, facility: str | None, form: str, *, identifiers: bool
) -> StreamedResponse:
    with scope.session() as session:
        export = service.export_of(session, report, as_of=as_of, facility=facility, identifiers=identifiers)
    if form == "xlsx":
        file = TemporaryFile()  # noqa: SIM115 - closed when it has been sent
        service.list_workbook(scope.session, export, file)
        return _stream(scope.while_valid(file_blocks(file)), export.name)
    lines = service.list_lines(scope.session, export, form)
    first = next(lines)  # an unreadable record becomes an error answer, not a broken stream
    return StreamedResponse(
        scope.while_valid(chain((first,), lines)), media_type=MEDIA_TYPES[form], headers=disposition(export.name, form)
    )


def _stream(blocks: Generator[bytes], name: str) -> StreamedResponse:
    return StreamedResponse(blocks, media_type=MEDIA_TYPES["xlsx"], headers=disposition(name, "xlsx"))


def disposition(name: str, form: str) -> dict[str, str]:
    """The header that names a file."""
    plain = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in name)
    return {"Content-Disposition": f'attachment; filename="{plain}.{form}"'}
