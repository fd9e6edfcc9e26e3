"""Build the person from a row, for lists that have more of a person than an identifier."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenants.imports.facts import PatientFact

if TYPE_CHECKING:
    from collections.abc import Mapping as Table
    from datetime import date

    from tenants.imports.formats.listing import Row

SEXES = {"f": "F", "female": "F", "m": "M", "male": "M"}


def person_of(
    row: Row,
    patient: str,
    facility: str | None,
    labels: Table[str, str],
    *,
    transferred_in: bool | None = None,
    derived_on: date | None = None,
    is_programme_id: bool = True,
) -> PatientFact:
    """Build the person from the columns that the list has. A field without a column stays as it is on record.

    Args:
        row: the cells.
        patient: the identifier in the source.
        facility: DATIM id; None if it is unknown.
        labels: the list's names of the fields.
        transferred_in: whether the person came from another facility.
        derived_on: the day of the row, if a person may have several rows.
        is_programme_id: whether the source's identifier is also the programme's. If not, it takes the place of
            the programme's identifier only while that is unknown.
    """
    unique = row.identifier("unique_id")
    return PatientFact(
        key=patient,
        patient=patient,
        facility=facility,
        labels=labels,
        pepfar_id=unique or patient,
        hospital_number=row.text("hospital_number"),
        given_name=row.text("given_name"),
        family_name=row.text("family_name"),
        phone=row.text("phone"),
        sex=row.code("sex", SEXES),
        birthdate=row.day("birthdate"),
        county_district=row.text("lga_of_residence"),
        art_start_date=row.day("art_start_date"),
        transferred_in=transferred_in,
        case_manager=row.text("case_manager"),
        derived_on=derived_on,
        partial=True,
        fallback=() if unique or is_programme_id else ("pepfar_id",),
    )
