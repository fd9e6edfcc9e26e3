"""The API's answers about imports."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from tenants.imports.examples import DONE
from tenants.imports.settings import Code


class ProblemCount(BaseModel):
    """A problem for which rows were rejected or cells left out, and how often it occurred."""

    file: str = Field(description="Name of the file.", examples=["visits.csv.gz"])
    field: str = Field(description="Column, as the file calls it.", examples=["visit_date"])
    problem: str = Field(examples=["the date lies after the data date"], description="What is wrong.")
    remedy: str = Field(
        examples=["correct the date, or the data date of the import (2015-06-08)"], description="What to do about it."
    )
    count: int = Field(description="Rows or cells with this problem.")
    row_accepted: bool = Field(
        description="Whether the rest of the row was accepted, without what is wrong.", examples=[False]
    )


class WaitingRows(BaseModel):
    """Rows about people whom no import of the source has named."""

    field: str = Field(description="Column of the identifier, as the file calls it.", examples=["Patient Id"])
    problem: str = Field(
        examples=["no import has named a patient with this identifier yet"], description="What is wrong."
    )
    remedy: str = Field(
        description="What releases them.",
        examples=["import the list that names the patient (a RADET, a line list); or correct the identifier"],
    )
    rows: int = Field(description="Rows that wait.")
    people: int = Field(description="Identifiers that they name.")


class ImportFailure(BaseModel):
    """The error of an import as a whole."""

    field: str = Field(
        description="File, or key of the mapping or of the order; empty for the whole.", examples=["visits.csv.gz"]
    )
    problem: str = Field(examples=["the gzip file is cut off before its end"], description="What is wrong.")
    remedy: str = Field(examples=["copy or download the file again"], description="What to do about it.")


ImportState = Literal[
    "pending", "reading", "checking", "applying", "done", "failed", "cancelled", "undoing", "undone", "stalled"
]


class HeldFacility(BaseModel):
    """A facility whose rows an import held back, because it is like a known one."""

    model_config = ConfigDict(from_attributes=True)

    code: str = Field(description="Code of the facility in the files.", examples=["hZ7mJp5xUQ9"])
    name: str = Field(description="Name of the facility in the files; empty if they have none.", examples=["Central"])
    like: str = Field(description="DATIM id of the known facility that it is like.", examples=["hZ7mJp5xUQq"])


class WaitingFacility(HeldFacility):
    """A facility that somebody has to confirm."""

    import_id: UUID = Field(description="The newest import that held it back.")


class ConfirmationPost(BaseModel):
    """The confirmation of a facility that imports hold back."""

    model_config = ConfigDict(extra="forbid")

    code: Code = Field(description="Code of the facility in the files.", examples=["hZ7mJp5xUQ9"])
    known: Code | None = Field(
        default=None,
        description="DATIM id of the known facility of which the code is another spelling; null: it is a new facility.",
        examples=["hZ7mJp5xUQq"],
    )


class ConfirmationOut(BaseModel):
    """A confirmed facility."""

    code: str = Field(description="Code of the facility in the files.", examples=["hZ7mJp5xUQ9"])
    known: str | None = Field(
        description="DATIM id of the facility for which its rows count; null: imports add it.", examples=["hZ7mJp5xUQq"]
    )


class ImportSummary(BaseModel):
    """An import: its progress and its outcome."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"example": DONE})

    id: UUID = Field(description="Identifier of the import.")
    state: ImportState = Field(
        description="How far it is, or how it ended. `stalled`: its job was given up; `failure` says what to do.",
        examples=["done"],
    )
    step: str = Field(description="What it is doing now.", examples=["reading visits.csv.gz"])
    format: str = Field(description="Format of the files; empty until it is detected.", examples=["csv"])
    source: str = Field(description="Name of the source, part of every record's key.", examples=["csv:art-cohort"])
    data_date: date | None = Field(description="Date to which the data run; null until it is known.")
    strict: bool = Field(description="Whether one rejected row means that nothing is imported.", examples=[False])
    files: list[str] = Field(description="Names of the files.", examples=[["visits.csv.gz"]])
    rows_read: int = Field(description="Rows read so far: accepted, rejected and waiting.")
    rows_accepted: int = Field(description="Rows that are in the records, or will be: all, or some of their cells.")
    rows_in_part: int = Field(description="Accepted rows of which a cell was left out; `problems` say which.")
    rows_rejected: int = Field(description="Rows that are rejected as a whole.")
    rows_waiting: int = Field(
        description="Rows about people whom no import of the source has named: kept, and in the records once one does;"
        " `waiting` says why. Read = accepted + rejected + waiting."
    )
    rows_released: int = Field(
        description="Rows of earlier imports that waited for people whom this import names, and are in the records now."
    )
    rows_left_out: int = Field(
        description="Rows that the mapping leaves out, totals and repeated headings; neither read nor rejected."
    )
    rows_repeated: int = Field(description="Accepted rows that repeat another, or that a later one replaces.")
    people: int = Field(description="People whom the accepted rows name; as records, under `counts.patients`.")
    counts: dict[str, dict[str, int]] = Field(
        description="Per kind of record: inserted, updated, unchanged, superseded, still_voided.",
        examples=[{"visits": {"inserted": 69946, "updated": 0, "unchanged": 0, "superseded": 0, "still_voided": 0}}],
    )
    problems: list[ProblemCount] = Field(description="The problems met, the most frequent first, at most 50.")
    waiting: list[WaitingRows] = Field(description="Why rows wait, and what releases them, the most rows first.")
    held_facilities: list[HeldFacility] = Field(
        description="Facilities whose rows were rejected because they are like a known one, at most 200. Confirm them "
        "with `POST /v1/imports/held-facilities`, and import the files again."
    )
    notes: list[str] = Field(
        description="Further notes of the import, one sentence each.", examples=[["2 facilities were added"]]
    )
    error: str | None = Field(description="Why it failed, or why it stalls, in one sentence.", examples=[None])
    failure: list[ImportFailure] = Field(description="What was wrong, and what to do.")
    created_at: datetime = Field(description="When the files were accepted.")
    started_at: datetime | None = Field(description="When the work began; null: it has not begun.")
    finished_at: datetime | None = Field(description="When the work ended; null: it has not ended.")
    job_id: UUID | None = Field(description="The job that runs it, for GET /v1/jobs/{job_id}.")
    seconds: float | None = Field(description="From its first step to its end.")


class FormatOut(BaseModel):
    """A format that can be imported."""

    name: str = Field(examples=["lamisplus-pharmacy"], description="Name of the format, for `format` of an import.")
    description: str = Field(description="What files it reads.", examples=["LAMIS+ pharmacy list, CSV or workbook"])
    mapping_needed: bool = Field(description="Whether an import of it needs a mapping.", examples=[False])
