"""One set of valid files for each format, in its exact shape: the fuzz tests damage them.

Each format in ``tenants.imports.formats`` has an entry; a test fails where one lacks it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from .documents_of import DOCUMENTS_DAY, fhir_resources, ndr_messages, nmrs_containers
from .fixtures_lists import (
    MISSED_MAPPING,
    PHARMACY_DAY,
    generic_csv,
    lamisplus_radet,
    missed_appointments,
    missed_of_lamisplus,
    nmrs_radet,
    pharmacy_list,
    verification_list,
)


@dataclass(frozen=True, slots=True)
class Fixture:
    """Sound files of one format, and how they are imported.

    Attributes:
        make: writes them into a folder and returns their paths.
        mapping: YAML; empty where the format needs none.
        data_date: the date to which the data run, where neither the files nor the mapping say it.
    """

    make: Callable[[Path], list[Path]]
    mapping: str = ""
    data_date: date | None = None


def _mapping_of_csv() -> str:
    from tests.tenants.imports.conftest import MAPPING

    return MAPPING


CORPUS: dict[str, Fixture] = {
    "csv": Fixture(generic_csv, _mapping_of_csv()),
    "lamisplus-pharmacy": Fixture(pharmacy_list, data_date=PHARMACY_DAY),
    "radet-lamisplus": Fixture(lamisplus_radet, data_date=PHARMACY_DAY),
    "radet-nmrs": Fixture(nmrs_radet, data_date=PHARMACY_DAY),
    "lamisplus-verification": Fixture(verification_list, MISSED_MAPPING, PHARMACY_DAY),
    "lamisplus-missed": Fixture(missed_of_lamisplus, MISSED_MAPPING, PHARMACY_DAY),
    "missed-appointments": Fixture(missed_appointments, MISSED_MAPPING, PHARMACY_DAY),
    "nmrs-json": Fixture(nmrs_containers),
    "fhir-r4": Fixture(fhir_resources, data_date=DOCUMENTS_DAY),
    "ndr-xml": Fixture(ndr_messages),
}
