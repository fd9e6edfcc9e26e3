"""Bodies and answers of the API for facilities and patients. Tables are never used as bodies."""

from datetime import date, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from core.web.days import IsoDay, IsoInstant
from tenants.records.care_fields import FacilityDetails, PatientDetails
from tenants.records.field_spec import FieldType, read_as
from tenants.records.names import words_of
from tenants.records.storable import storable_text

Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$"),
    AfterValidator(storable_text),
]
"""One line of text without control characters."""

Identifier = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$"),
    AfterValidator(storable_text),
]
PhoneNumber = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^\+?[0-9][0-9 ()./-]{5,24}$")]
_STRICT: dict[FieldType, Any] = {
    "text": Line,
    "code": Line,
    "date": IsoDay,
    "datetime": IsoInstant,
    "integer": Annotated[int, Field(ge=1, le=2**31 - 1)],
    "number": Annotated[float, Field(allow_inf_nan=False)],
    "boolean": bool,
}
"""The strict type of a field in a body. For partners' files, ``imports.plausibility`` has the rules instead."""

SHORTEST_PHONE = 6
"""Number of digits of the shortest phone number."""


def with_enough_digits(phone: str | None) -> str | None:
    """Return the phone if it has enough digits.

    Raises:
        ValueError: it has too few digits.
    """
    if phone is not None and sum(character.isdigit() for character in phone) < SHORTEST_PHONE:
        message = f"needs at least {SHORTEST_PHONE} digits"
        raise ValueError(message)
    return phone


SHORTEST_NAME = 2
"""Letters of the shortest word that a search by name takes."""


class Body(BaseModel):
    """A request's body. It rejects unknown fields, so that no misspelt field is lost silently."""

    model_config = ConfigDict(extra="forbid")


class DeclaredBody(Body):
    """A body with fields that are declared in ``care_fields``: each may be left out."""

    @classmethod
    def __pydantic_init_subclass__(cls, **more: Any) -> None:  # noqa: ANN401 - as Pydantic has it
        """Make the declared fields strict: no conversion between types."""
        super().__pydantic_init_subclass__(**more)
        read_as(cls, lambda spec: _STRICT[spec.type])


class Versions(BaseModel):
    """The fields that every answer about a versioned row has."""

    id: UUID = Field(description="Identifier of the record; the same in every version.")
    version_id: UUID = Field(description="This version; the ETag.")
    facility: str = Field(description="DATIM id of the facility.", examples=["hZ7mJp5xUQq"])
    source: str = Field(description="Where it came from: an import's source, or `api`.", examples=["api"])
    known_from: datetime = Field(description="From when the source knew this.")
    known_to: datetime | None = Field(description="Until when; empty in the present version.", examples=[None])
    known_assumed: bool = Field(
        description="`known_from` was taken from the date of the event, since the source gave none.",
        examples=[False],
    )
    data_date: date = Field(description="The date to which the data ran that last showed this.")
    changed_by: str = Field(
        description="Who wrote this version.", examples=["api_key:019c2253-7220-70a7-a610-b4172b5ebaa0"]
    )


class _FacilityHead(BaseModel):
    id: UUID = Field(description="Identifier of the facility.")
    version_id: UUID = Field(description="Changes with every write; the ETag.")
    datim_id: str = Field(examples=["hZ7mJp5xUQq"], description="DATIM id of the facility.")
    name: str = Field(description="Name of the facility.", examples=["Central clinic"])


class FacilityOut(FacilityDetails, _FacilityHead):
    """A facility."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    source: str = Field(description="The source that wrote this row: an import's source, or `api`.", examples=["api"])
    complete_through: date | None = Field(description="The last date that the reporting volume supports.")
    data_date: date | None = Field(description="The newest date to which any import runs.")
    created_at: datetime = Field(description="When the row was created.")
    updated_at: datetime = Field(description="When the row last changed.")


class _NamedFacility(DeclaredBody):
    name: Line = Field(examples=["Central clinic"], description="Name of the facility.")


class FacilityPut(FacilityDetails, _NamedFacility):
    """The name and place of a facility on record."""


class FacilityPost(FacilityPut):
    """A new facility."""

    datim_id: Identifier = Field(description="Unique within the tenant.", examples=["hZ7mJp5xUQq"])


class _Person(DeclaredBody):
    pepfar_id: Identifier | None = Field(
        default=None, description="Programme identifier; stored encrypted.", examples=["PID-0042"]
    )
    hospital_number: Identifier | None = Field(default=None, description="Stored encrypted.", examples=["H-17"])
    given_name: Line | None = Field(default=None, description="Stored encrypted.", examples=["Givenname"])
    family_name: Line | None = Field(default=None, description="Stored encrypted.", examples=["Familyname"])
    phone: PhoneNumber | None = Field(default=None, description="Stored encrypted.", examples=["0800 000 0042"])
    sex: Literal["F", "M"] | None = Field(default=None, description="Sex on record: `F` or `M`.")
    birthdate: IsoDay | None = Field(default=None, examples=["1988-04-12"], description="Date of birth.")


class _PatientFacts(PatientDetails, _Person):
    @field_validator("phone")
    @classmethod
    def _enough_digits(cls, value: str | None) -> str | None:
        return with_enough_digits(value)

    @model_validator(mode="after")
    def _treatment_after_birth(self) -> Self:
        if self.birthdate and self.art_start_date and self.art_start_date < self.birthdate:
            message = "art_start_date is before birthdate"
            raise ValueError(message)
        return self


class PatientPost(_PatientFacts):
    """A new patient."""

    facility: Identifier = Field(description="DATIM id of the facility, which must be there.", examples=["hZ7mJp5xUQq"])
    birthdate_estimated: bool = Field(default=False, description="Whether the date of birth is an estimate.")


class PatientSearch(Body):
    """The patients to find: everything in the body must match.

    Names and identifiers are not in the URL, because URLs are logged.
    """

    name: Line | None = Field(
        default=None,
        max_length=100,
        description="Words of the name, in any order. The first 3 letters of a word are enough; misspelt ones are"
        " found too. At most 50 patients: exact matches first, then beginnings of names, then misspelt ones.",
        examples=["Amina Mus"],
    )
    pepfar_id: Identifier | None = Field(
        default=None, description="Exactly this programme identifier; letters' case is ignored.", examples=["PID-0042"]
    )
    hospital_number: Identifier | None = Field(
        default=None, description="Exactly this hospital number; letters' case is ignored.", examples=["H-17"]
    )
    phone: PhoneNumber | None = Field(
        default=None,
        description="Exactly this phone, with or without the country's code.",
        examples=["0800 000 0042"],
    )
    facility: Identifier | None = Field(
        default=None, description="Only patients of the facility with this DATIM id.", examples=["hZ7mJp5xUQq"]
    )
    as_of: IsoDay | None = Field(
        default=None,
        description="What was known at the end of this day, in the tenant's time zone. Default: now.",
        examples=["2026-03-31"],
    )

    @field_validator("name")
    @classmethod
    def _enough_letters(cls, value: str | None) -> str | None:
        if value is not None and not any(len(word) >= SHORTEST_NAME for word in words_of(value)):
            message = f"needs a word of at least {SHORTEST_NAME} letters"
            raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _names_somebody(self) -> Self:
        if self.name is None and self.pepfar_id is None and self.hospital_number is None and self.phone is None:
            message = "needs name, pepfar_id, hospital_number or phone"
            raise ValueError(message)
        return self


class PatientPatch(_PatientFacts):
    """Changes of a patient. Fields that are not sent stay; fields sent as null become empty."""

    birthdate_estimated: bool | None = Field(default=None, description="Whether the date of birth is an estimate.")
    transferred_in: bool | None = Field(  # type: ignore[assignment]  # a patch may leave out what is never empty
        default=None, description="Whether the patient came from another facility, already on treatment."
    )

    @model_validator(mode="after")
    def _no_empty_flags(self) -> Self:
        for name in ("birthdate_estimated", "transferred_in"):
            if name in self.model_fields_set and getattr(self, name) is None:
                message = f"{name} is true or false, not null"
                raise ValueError(message)
        return self


class _PersonOut(Versions):
    pepfar_id: str | None = Field(description="Programme identifier.", examples=["PID-0042"])
    hospital_number: str | None = Field(description="Hospital number.", examples=["H-17"])
    given_name: str | None = Field(description="Given name.", examples=["Givenname"])
    family_name: str | None = Field(description="Family name.", examples=["Familyname"])
    phone: str | None = Field(description="Phone number.", examples=["0800 000 0042"])
    sex: Literal["F", "M"] | None = Field(description="Sex on record: `F` or `M`.")
    birthdate: date | None = Field(description="Date of birth.", examples=["1988-04-12"])
    birthdate_estimated: bool = Field(description="Whether the date of birth is an estimate.")
    age: int | None = Field(description="Completed years, at `as_of` or today.", examples=[37])


class PatientOut(PatientDetails, _PersonOut):
    """A patient with decrypted names, phone and identifiers, for callers with the permission."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    canonical_id: UUID | None = Field(
        default=None,
        description="The patient with whom this one was merged, and for whom its facts count; null: it was not.",
        examples=[None],
    )
    unreadable: tuple[str, ...] = Field(
        default=(), description="Fields whose stored value is damaged and cannot be decrypted; they are null here."
    )


class PatientVersionOut(PatientOut):
    """One version of a patient; the newest may be a tombstone."""

    voided: bool = Field(description="Whether this version says that the record is void.", examples=[False])
    voided_by: str | None = Field(description="Who voided the record; null: it is not void.", examples=[None])
    date_voided: datetime | None = Field(
        description="When the record was voided; null: it is not void.", examples=[None]
    )
    void_reason: str | None = Field(description="Why the record was voided; null: it is not void.", examples=[None])


TimelineKind = Literal[
    "visit",
    "encounter",
    "observation",
    "dispensation",
    "appointment",
    "state",
    "contact",
    "message",
    "delivery_report",
    "answer",
    "consent",
]


class TimelineEntry(BaseModel):
    """One event or booking in a patient's care, or a message to or from the patient."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "date": "2026-02-03",
                "kind": "dispensation",
                "id": "019c2282-2340-72fa-bad3-569c01a5ba50",
                "facility": "hZ7mJp5xUQq",
                "known_from": "2026-02-03T08:15:00Z",
                "known_assumed": False,
                "facts": {"days_supplied": 90, "regimen": "TDF/3TC/DTG", "next_appointment": "2026-05-04"},
            },
        },
    )

    date: Annotated[date, Field(description="Day on which it happened, or for which it was booked.")]
    kind: TimelineKind = Field(
        description="Kind of entry. An `answer` is a message from the patient, a `consent` a decision about messages."
    )
    id: UUID = Field(description="Identifier of the entry's row.")
    facility: str = Field(description="DATIM id of the facility.", examples=["hZ7mJp5xUQq"])
    known_from: datetime = Field(description="From when the source knew this.")
    known_assumed: bool = Field(
        description="Whether `known_from` is the date of the event, because the source gave none.",
        examples=[False],
    )
    facts: dict[str, Any] = Field(
        description="The kind's own fields; empty ones are left out."
        " `day_known: false`: the source gives no day for the state, `date` is when it was learned."
    )


class Count(BaseModel):
    """The number of rows of one kind."""

    name: str = Field(description="What is counted.", examples=["visits"])
    count: int = Field(description="How many there are.")


class FacilityCount(BaseModel):
    """The number of patients at a facility, and its data date."""

    facility: str = Field(description="DATIM id of the facility.", examples=["hZ7mJp5xUQq"])
    name: str = Field(description="Name of the facility.", examples=["Central clinic"])
    patients: int = Field(description="Number of patients.")
    data_date: date | None = Field(description="The newest day to which an import of the facility runs.")


class MonthCount(BaseModel):
    """The numbers of visits, dispensations and contacts in one month."""

    month: date = Field(description="Its first day.", examples=["2026-02-01"])
    visits: int = Field(description="Visits in the month.")
    dispensations: int = Field(description="Dispensations in the month.")
    contacts: int = Field(description="Contacts in the month.")


class StatisticsOut(BaseModel):
    """Counts of the records, without voided rows."""

    as_of: date | None = Field(description="The day that the counts describe; null: today.", examples=["2026-02-03"])
    tables: list[Count] = Field(description="Rows of each kind of record.")
    facilities: list[FacilityCount] = Field(description="Patients of each facility.")
    sexes: list[Count] = Field(description="`not recorded` where it is not.", examples=[[{"name": "F", "count": 1}]])
    age_bands: list[Count] = Field(
        description="MER age bands, in completed years at `as_of` or today.", examples=[[{"name": "35-39", "count": 1}]]
    )
    months: list[MonthCount] = Field(description="The last 24 months with anything in them, newest first.")
