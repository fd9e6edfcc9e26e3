"""The mapping: a small YAML file that maps a partner's files to records.

``docs/reference/mapping.md`` describes every key.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from core.errors import FieldError, Invalid, phrase
from tenants.imports.fields import FIELDS
from tenants.imports.formats.options import FhirOptions, NdrOptions, NmrsOptions
from tenants.imports.mapping_problems import mapping_problems
from tenants.imports.yamltext import load
from tenants.records.care_fields import FacilityDetails
from tenants.records.field_spec import read_as

Scalar = str | int | float | bool | date | None
Unit = Literal["days", "weeks", "months", "log10"]
_UNITS: dict[str, tuple[str, ...]] = {"days": ("days", "weeks", "months"), "number": ("log10",)}
DEFAULT_MISSING = ("", "NA", "N/A", "NULL", "None", "NaN", "nan", "null", "#N/A")
DEFAULT_DATES = ("iso", "dd-Mon-yyyy")


def cell_text(value: Scalar) -> str:
    """A scalar of the mapping as the text of a cell: ``1``, ``true``, ``2015-06-08``; empty for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


class Part(BaseModel):
    """The base of all parts of a mapping: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Condition(Part):
    """A test on one column, beyond equality."""

    present: bool | None = None
    none_of: list[Scalar] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.present is None) == (self.none_of is None):
            message = phrase("give either 'present' or 'none_of'")
            raise ValueError(message)
        return self


Conditions = dict[str, Condition | list[Scalar] | Scalar]


def _short(value: object) -> object:
    return {"column": value} if isinstance(value, str) else value


def check_date_formats(formats: Sequence[str]) -> None:
    """Reject date formats if two of them read the same text as different days, because such a date would be a guess.

    Raises:
        ValueError: two of them do, or one is not a date format.
    """
    readings: dict[str, date] = {}
    for form in formats:
        if form in ("iso", "dd-Mon-yyyy", "excel"):
            continue
        for month, day in ((3, 4), (4, 3)):
            sample = date(2024, month, day)
            text = sample.strftime(form)
            if readings.setdefault(text, sample) != sample:
                message = phrase(
                    "{form!r} and another form read one text as different days: name one of them only", form=form
                )
                raise ValueError(message)


class Column(Part):
    """The source of a field's value. A bare text is short for ``{column: text}``."""

    column: str | None = None
    constant: Scalar = None
    age: str | None = None
    at: str | None = None
    values: dict[str, Scalar] = Field(default_factory=dict)
    unit: Unit | None = None
    formats: list[str] | None = None
    whole_number: bool = False

    @field_validator("formats")
    @classmethod
    def _check_forms(cls, forms: list[str] | None) -> list[str] | None:
        check_date_formats(forms or ())
        return forms

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        sources = [self.column is not None, self.constant is not None, self.age is not None]
        if sum(sources) != 1:
            message = phrase("give exactly one of 'column', 'constant' and 'age' (with 'at')")
            raise ValueError(message)
        if (self.age is None) != (self.at is None):
            message = phrase(
                "'age' and 'at' go together: the age in years, and the column of the date at which it held"
            )
            raise ValueError(message)
        return self

    def columns(self) -> list[str]:
        """The columns of the file that it reads."""
        return [name for name in (self.column, self.age, self.at) if name is not None]


ColumnOrName = Annotated[Column, BeforeValidator(_short)]


class _FacilityPart(Part):
    datim_id: ColumnOrName
    name: ColumnOrName | None = None


class FacilityColumns(FacilityDetails, _FacilityPart):
    """The columns that give the facility of a row."""

    def parts(self) -> dict[str, Column]:
        """Field -> its column, for the columns that are given."""
        return {name: column for name in FIELDS["facilities"] if isinstance(column := getattr(self, name), Column)}


read_as(FacilityColumns, lambda _spec: ColumnOrName)


class Join(Part):
    """Columns of another file, joined by key, and usable as ``alias.column``."""

    file: str
    match: dict[str, str] = Field(min_length=1, max_length=4)
    optional: bool = False


class File(Part):
    """One file of the set, identified by name."""

    name: str
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    encoding: Literal["utf-8", "utf-8-sig", "cp1252", "utf-16"] | None = None
    sheet: str | None = Field(default=None, min_length=1, max_length=100)
    optional: bool = False
    where: Conditions = Field(default_factory=dict)
    join: Join | None = None


class DataDate(Part):
    """The data date from a column: of the one row that ``where`` selects, or the latest of all."""

    file: str
    column: str
    where: Conditions = Field(default_factory=dict)
    latest: bool = False


class Record(Part):
    """A record that one row of a file becomes."""

    into: Literal[
        "facilities",
        "patients",
        "patient_states",
        "visits",
        "encounters",
        "observations",
        "dispensations",
        "appointments",
    ]
    file: str
    when: Conditions = Field(default_factory=dict)
    patient: ColumnOrName | None = None
    key: list[str] | None = Field(default=None, min_length=1)
    facility: FacilityColumns | None = None
    stamp: ColumnOrName | None = None
    seen_on: ColumnOrName | None = None
    columns: dict[str, ColumnOrName] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        fields = FIELDS[self.into]
        for name in self.columns:
            if name not in fields:
                message = phrase(
                    "{into} have no field {name!r}; they have: {listed}",
                    into=self.into,
                    name=name,
                    listed=", ".join(fields),
                )
                raise ValueError(message)
        for name, spec in fields.items():
            if spec.required and name not in self.columns:
                message = phrase("{into} need the field {name!r} under 'columns'", into=self.into, name=name)
                raise ValueError(message)
        for name, column in self.columns.items():
            if column.age is not None and name != "birthdate":
                message = phrase("{name!r} cannot be read from an age: 'age' and 'at' are for the birthdate", name=name)
                raise ValueError(message)
            if column.unit is not None and column.unit not in _UNITS.get(fields[name].type, ()):
                message = phrase(
                    "{name!r} takes no unit {unit!r}: days_supplied takes days, weeks, months; numbers log10",
                    name=name,
                    unit=column.unit,
                )
                raise ValueError(message)
        if (self.into == "facilities") == (self.patient is not None):
            message = phrase("'patient' names the column of the patient's identifier: needed for all but facilities")
            raise ValueError(message)
        if self.seen_on is not None and self.into != "patients":
            message = phrase("'seen_on' is for patients read from rows that are events")
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _says_whose_state(self) -> Self:
        # Without a condition every row would be a death (or the like), since the day may be empty.
        if self.into == "patient_states" and self.columns["state"].constant is not None and not self.when:
            message = phrase("'when' says which rows have this state: needed where 'state' is a constant")
            raise ValueError(message)
        return self

    def all_columns(self) -> list[str]:
        """Every column of the file that the record reads, in any order."""
        specs = [*self.columns.values(), *(self.facility.parts().values() if self.facility else ())]
        specs += [spec for spec in (self.patient, self.stamp, self.seen_on) if spec is not None]
        return [name for spec in specs for name in spec.columns()] + [*self.when, *(self.key or ())]


class Refill(Part):
    """For LAMIS+ lists: the unit of the refill period, if the numbers do not show it."""

    unit: Literal["days", "months"]


class Mapping(Part):
    """A whole mapping. The import fills in an empty ``time_zone``."""

    format: str = "csv"
    source: str = Field(default="", max_length=60, pattern=r"^[a-z0-9][a-z0-9:._+-]*$|^$")
    data_date: date | DataDate | None = None
    assumed_lag_days: int = Field(default=0, ge=0, le=366)
    coverage: Literal["full", "changes"] | None = None
    covers_from: date | None = None
    date_formats: list[str] = Field(default_factory=lambda: list(DEFAULT_DATES), min_length=1)
    dates: Literal["day-first", "month-first", ""] = ""
    missing: list[str] = Field(default_factory=lambda: list(DEFAULT_MISSING))
    files: dict[str, File] = Field(default_factory=dict)
    facility: FacilityColumns | None = None
    records: list[Record] = Field(default_factory=list)
    refill: Refill | None = None
    known_facilities: list[str] | Literal["registered"] | None = None
    new_people: bool = False
    time_zone: str = ""
    nmrs: NmrsOptions = Field(default_factory=NmrsOptions)
    fhir: FhirOptions = Field(default_factory=FhirOptions)
    ndr: NdrOptions = Field(default_factory=NdrOptions)
    cohort: dict[str, Any] = Field(default_factory=dict)

    @field_validator("date_formats")
    @classmethod
    def _check_forms(cls, forms: list[str]) -> list[str]:
        check_date_formats(forms)
        return forms

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        if zone:
            try:
                ZoneInfo(zone)
            except (ZoneInfoNotFoundError, ValueError, OSError) as error:
                message = phrase("no time zone has this name; write one such as Africa/Lagos")
                raise ValueError(message) from error
        return zone

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        for record in self.records:
            if record.file not in self.files:
                names = ", ".join(self.files) or "empty"
                message = phrase(
                    "a record reads the file {file!r}, which is not under 'files' ({names})",
                    file=record.file,
                    names=names,
                )
                raise ValueError(message)
            if record.into == "patients" and record.facility is None and self.facility is None:
                message = phrase(
                    "patients need a facility: give 'facility' in the record, or for the whole mapping with constants"
                )
                raise ValueError(message)
        for alias, file in self.files.items():
            if file.join is None:
                continue
            if file.join.file not in self.files or file.join.file == alias:
                message = phrase(
                    "files.{alias}.join.file: {file!r} is not another file under 'files'",
                    alias=alias,
                    file=file.join.file,
                )
                raise ValueError(message)
            if self.files[file.join.file].join is not None:
                message = phrase(
                    "files.{alias}.join.file: {file!r} has a join itself; join both to the same file",
                    alias=alias,
                    file=file.join.file,
                )
                raise ValueError(message)
        if isinstance(self.data_date, DataDate) and self.data_date.file not in self.files:
            message = phrase("data_date.file: {file!r} is not under 'files'", file=self.data_date.file)
            raise ValueError(message)
        if self.facility is not None and any(spec.columns() for spec in self.facility.parts().values()):
            message = phrase(
                "the facility of the whole mapping takes constants only; name columns in the record's own 'facility'"
            )
            raise ValueError(message)
        return self


MAX_MAPPING_BYTES = 256 << 10


def parse_mapping(text: str | bytes, place: str = "") -> Mapping:
    """Read and check a mapping.

    Args:
        text: the mapping, in YAML.
        place: where the mapping is in the caller's request: ``body.mapping``; empty at the command line.

    Raises:
        Invalid: with one field error per wrong key: its path, the problem, and the remedy.
    """
    remedy = "correct the mapping; docs/reference/mapping.md describes every key"
    if len(text) > MAX_MAPPING_BYTES:
        message = "the mapping is over 256 KB"
        raise Invalid(message, remedy="give a mapping file, not a data file")
    try:
        content = load(text)
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError, TypeError, LookupError, AttributeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = (
            phrase("line {line}, column {column}", line=mark.line + 1, column=mark.column + 1)
            if mark
            else phrase("the file")
        )
        problem = getattr(error, "problem", None) or "it is not UTF-8 text, or holds values that cannot be read"
        message = phrase("the mapping is not readable YAML: {what}: {problem}", what=where, problem=problem)
        raise Invalid(
            message,
            remedy=remedy,
            errors=[FieldError(place or "mapping", phrase("{what}: {problem}", what=where, problem=problem), remedy)],
        ) from error
    if not isinstance(content, dict):
        message = "the mapping is not a YAML mapping of keys to values"
        raise Invalid(message, remedy=remedy)
    return check_mapping(content, place)


def check_mapping(content: dict[str, Any], place: str = "") -> Mapping:
    """Check a parsed mapping, such as one stored with an import; ``place`` as for ``parse_mapping``.

    Raises:
        Invalid: as for ``parse_mapping``.
    """
    try:
        return Mapping.model_validate(content)
    except ValidationError as error:
        problems = mapping_problems(Mapping, error, place)
        first = problems[0]
        message = phrase("the mapping is not valid: {field}: {problem}", field=first.field, problem=first.problem)
        raise Invalid(message, remedy=first.remedy, errors=problems) from error
