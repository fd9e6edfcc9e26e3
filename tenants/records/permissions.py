"""Permissions of this room, as types for the signatures of its routes."""

from typing import Annotated

from fastapi import Depends, Query

from core.access import Caller, caller, require
from core.identity import Principal
from tenants.records.schemas import Reason

FacilitiesRead = Annotated[Principal, Depends(require("facilities.read"))]
FacilitiesWrite = Annotated[Principal, Depends(require("facilities.write"))]
PatientsRead = Annotated[Principal, Depends(require("patients.read"))]
PatientsReader = Annotated[Caller, Depends(caller("patients.read"))]
PatientsWrite = Annotated[Principal, Depends(require("patients.write"))]
VisitsRead = Annotated[Principal, Depends(require("visits.read"))]
VisitsWrite = Annotated[Principal, Depends(require("visits.write"))]
EncountersRead = Annotated[Principal, Depends(require("encounters.read"))]
EncountersWrite = Annotated[Principal, Depends(require("encounters.write"))]
ObservationsRead = Annotated[Principal, Depends(require("observations.read"))]
ObservationsWrite = Annotated[Principal, Depends(require("observations.write"))]
StatisticsRead = Annotated[Principal, Depends(require("records.statistics"))]

VoidReason = Annotated[
    Reason,
    Query(description="Why it is voided. Name no person.", examples=["entered twice"]),
]
"""A void says why; it is kept with the row."""
