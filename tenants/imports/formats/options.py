"""The options of a mapping for formats of records systems: codes, types of identifiers, and the meaning of answers.

``docs/reference/formats`` shows every default with its source.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

State = Literal["died", "transferred_out", "transferred_in", "stopped"]
VisitType = Literal["clinical", "pharmacy", "laboratory"]


def _texts(value: object) -> object:
    """One code or several, as texts: a concept's number, its name, a code of a terminology."""
    items = value if isinstance(value, list) else [value]
    return [str(item) if isinstance(item, int) and not isinstance(item, bool) else item for item in items]


Codes = Annotated[list[str], BeforeValidator(_texts)]


class Options(BaseModel):
    """A block of a mapping. An unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


ANSWERS: dict[str, str] = {
    "good": "good",
    "fair": "fair",
    "poor": "poor",
    "165288": "fair",
    "165289": "poor",
    "pregnant": "pregnant",
    "breastfeeding": "breastfeeding",
    "not pregnant": "none",
    "none": "none",
    "1204": "1",
    "1205": "2",
    "1206": "3",
    "1207": "4",
    "1220": "1",
    "1221": "2",
    "1222": "3",
    "1223": "4",
    "stage 1": "1",
    "stage 2": "2",
    "stage 3": "3",
    "stage 4": "4",
    "who stage 1 adult": "1",
    "who stage 2 adult": "2",
    "who stage 3 adult": "3",
    "who stage 4 adult": "4",
}
"""Answers to coded questions, by concept or by words -> the value of the platform's variable."""

OUTCOMES: dict[str, State] = {
    "159492": "transferred_out",
    "transferred out": "transferred_out",
    "165889": "died",
    "dead": "died",
    "died": "died",
    "death": "died",
    "discontinued care": "stopped",
}

LINES: dict[str, str] = {
    "164506": "Adult first line",
    "164513": "Adult second line",
    "165702": "Adult third line",
    "164507": "Child first line",
    "164514": "Child second line",
    "165703": "Child third line",
}


class NmrsConcepts(Options):
    """Questions of NMRS forms, by concept id or by the name that ``variableName`` gives."""

    art_start: Codes = ["159599", "ART Start Date", "Date Antiretroviral Treatment Started"]
    next_appointment: Codes = ["5096", "Next Appointment Date", "Return Visit Date"]
    days_supplied: Codes = ["159368", "Medication duration"]
    regimen_line: Codes = ["165708", "Current Regimen Line", "Regimen Line"]
    regimen: Codes = ["164506", "164513", "165702", "164507", "164514", "165703", "Regimen", "Current Regimen"]
    dsd_model: Codes = ["DSD Model"]
    care_terminated: Codes = ["165586", "Care Terminated", "Patient Care Terminated"]
    termination_reason: Codes = ["165470", "Reason for Termination"]
    termination_date: Codes = ["165469", "Date of Termination"]
    discontinued_reason: Codes = ["165916", "Reason for Discontinuation"]
    transferred_in_date: Codes = ["160534", "Transfer in Date"]


NMRS_VARIABLES: dict[str, list[str]] = {
    "viral_load": ["856", "1305", "Viral Load", "HIV Viral Load", "Viral Load Qualitative"],
    "cd4": ["5497", "CD4 Count", "CD4"],
    "weight": ["5089", "Weight", "Weight (kg)"],
    "height": ["5090", "Height", "Height (cm)"],
    "who_stage": ["5356", "WHO Stage", "Current WHO HIV Stage"],
    "arv_adherence": ["165290", "ARV Adherence", "Adherence"],
    "pregnancy": ["165050", "Pregnancy Status", "Pregnancy"],
}


class NmrsOptions(Options):
    """The block ``nmrs``."""

    concepts: NmrsConcepts = Field(default_factory=NmrsConcepts)
    variables: dict[str, Codes] = Field(default_factory=lambda: dict(NMRS_VARIABLES))
    answers: dict[str, str | int | None] = Field(default_factory=dict)
    outcomes: dict[str, State | None] = Field(default_factory=dict)
    regimen_lines: dict[str, str] = Field(default_factory=dict)
    pharmacy: Codes = ["13", "Pharmacy", "Pharmacy Order Form"]
    laboratory: Codes = ["11", "Laboratory", "Laboratory Order and Result Form"]
    visit_types: dict[str, VisitType] = Field(default_factory=dict)
    pepfar_id: Codes = ["4", "PEPFAR ID"]
    hospital_number: Codes = ["5", "Hospital ID"]
    phone: Codes = ["8", "Telephone Number"]
    other_observations: Literal["leave", "keep"] = "leave"


def _ciel(*concepts: int) -> list[str]:
    """The codes of a concept on FHIR servers of OpenMRS: its CIEL number, and the UUID (36 characters) from it."""
    return [code for concept in concepts for code in (str(concept), str(concept).ljust(36, "A"))]


class FhirCodes(Options):
    """Codes of Observations in any code system; ``system|code`` narrows a code."""

    art_start: Codes = _ciel(159599)
    next_appointment: Codes = _ciel(5096)
    transferred_in_date: Codes = _ciel(160534)
    termination_reason: Codes = _ciel(165470)


UNDETECTED_ANSWERS = [*_ciel(1302), "260415000", "la11883-8"]
"""Answers to a question about the viral load that mean "not detected": CIEL, SNOMED CT, LOINC."""

FHIR_VARIABLES: dict[str, list[str]] = {
    "viral_load": [*_ciel(856, 1305), "20447-9", "25836-8"],
    "cd4": [*_ciel(5497), "24467-3"],
    "weight": [*_ciel(5089), "29463-7"],
    "height": [*_ciel(5090), "8302-2"],
    "who_stage": _ciel(5356),
    "arv_adherence": _ciel(165290),
    "pregnancy": _ciel(165050),
}


class FhirOptions(Options):
    """The block ``fhir``."""

    codes: FhirCodes = Field(default_factory=FhirCodes)
    variables: dict[str, Codes] = Field(default_factory=lambda: dict(FHIR_VARIABLES))
    answers: dict[str, str | int | None] = Field(default_factory=dict)
    outcomes: dict[str, State | None] = Field(default_factory=dict)
    pepfar_id: Codes = ["PEPFAR ID", "Patient Unique ID", "OpenMRS ID"]
    hospital_number: Codes = ["Hospital ID", "Hospital Number"]
    facility_identifier: Codes = ["DATIM", "DATIM ID"]
    facilities: dict[str, str] = Field(default_factory=dict)
    pharmacy: Codes = ["Pharmacy"]
    laboratory: Codes = ["Laboratory", "Lab"]
    antiretrovirals: Codes = []
    stamps: bool = True
    other_observations: Literal["leave", "keep"] = "leave"


NDR_ADHERENCE: dict[str, str | None] = {"G": "good", "F": "fair", "P": "poor"}


class NdrOptions(Options):
    """The block ``ndr``."""

    viral_load: Codes = ["80", "Viral Load", "HIV Viral Load"]
    cd4: Codes = ["11", "CD4", "CD4 Count"]
    adherence: dict[str, str | None] = Field(default_factory=lambda: dict(NDR_ADHERENCE))
    antiretroviral: Codes = ["ART", "ARV"]
    pepfar_id: Codes = ["PI", "PEPFAR", "PEPFARID"]
    redacted: Codes = ["REDACTED"]
