"""Permissions of this room, as types for the signatures of its routes."""

from typing import Annotated, Literal

from fastapi import Depends, Query

from core.access import Caller, caller, require
from core.identity import Principal

FacilitiesRead = Annotated[Principal, Depends(require("facilities.read", confined=True, by_patient=True))]
FacilitiesWrite = Annotated[Principal, Depends(require("facilities.write"))]
PatientsRead = Annotated[Principal, Depends(require("patients.read", confined=True, by_patient=True))]
PatientsReader = Annotated[Caller, Depends(caller("patients.read", confined=True, by_patient=True))]
PatientsWrite = Annotated[Principal, Depends(require("patients.write", confined=True, by_patient=True))]
PatientsAdd = Annotated[Principal, Depends(require("patients.write", confined=True))]
"""To add patients: who reaches assigned patients only could not see whom they add."""

VisitsRead = Annotated[Principal, Depends(require("visits.read", confined=True, by_patient=True))]
VisitsWrite = Annotated[Principal, Depends(require("visits.write", confined=True, by_patient=True))]
EncountersRead = Annotated[Principal, Depends(require("encounters.read", confined=True, by_patient=True))]
EncountersWrite = Annotated[Principal, Depends(require("encounters.write", confined=True, by_patient=True))]
ObservationsRead = Annotated[Principal, Depends(require("observations.read", confined=True, by_patient=True))]
ObservationsWrite = Annotated[Principal, Depends(require("observations.write", confined=True, by_patient=True))]
StatisticsRead = Annotated[Principal, Depends(require("records.statistics", confined=True))]

VoidReason = Annotated[
    Literal["entered_twice", "entered_in_error", "wrong_patient", "patient_request", "test_record"],
    Query(description="Why it is voided.", examples=["entered_twice"]),
]
"""The reason of voiding, which is stored with the row. It is a word of a list, because addresses are logged."""
