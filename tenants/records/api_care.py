"""Routes of the lists that the API only reads: dispensations, appointments, contacts."""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends

from core.access import TenantDb
from core.web.event_loop import on_event_loop
from core.web.paging import Page, PageRequest, long_pages
from tenants.records import service_care as service
from tenants.records.filters import CareFilter
from tenants.records.permissions import VisitsRead
from tenants.records.repository_care import APPOINTMENTS, CONTACTS, DISPENSATIONS
from tenants.records.schemas_care import AppointmentOut, ContactOut, DispensationOut

router = APIRouter()

Wanted = Annotated[CareFilter, Depends(on_event_loop(CareFilter))]
OrderedDispensations = Annotated[
    PageRequest, Depends(long_pages({"date_dispensed": date, "known_from": datetime}, "-date_dispensed"))
]
OrderedAppointments = Annotated[
    PageRequest, Depends(long_pages({"due_date": date, "known_from": datetime}, "-due_date"))
]
OrderedContacts = Annotated[
    PageRequest, Depends(long_pages({"contact_date": date, "known_from": datetime}, "-contact_date"))
]


@router.get("/dispensations", tags=["visits"], summary="List dispensations, newest first unless sorted")
def list_dispensations(
    _: VisitsRead, db: TenantDb, paging: OrderedDispensations, wanted: Wanted
) -> Page[DispensationOut]:
    """Return one page of dispensations. The audit records the read of each patient on it."""
    return service.read_list(db, DISPENSATIONS, DispensationOut, wanted, paging)


@router.get(
    "/appointments", tags=["visits"], summary="List appointments and what became of them, newest first unless sorted"
)
def list_appointments(_: VisitsRead, db: TenantDb, paging: OrderedAppointments, wanted: Wanted) -> Page[AppointmentOut]:
    """Return one page of appointments. The audit records the read of each patient on it."""
    return service.read_list(db, APPOINTMENTS, AppointmentOut, wanted, paging)


@router.get("/contacts", tags=["visits"], summary="List contacts, one per patient and day, newest first unless sorted")
def list_contacts(_: VisitsRead, db: TenantDb, paging: OrderedContacts, wanted: Wanted) -> Page[ContactOut]:
    """Return one page of contacts, which the platform derives from visits, dispensations and kept appointments.

    The audit records the read of each patient on the page.
    """
    return service.read_list(db, CONTACTS, ContactOut, wanted, paging)
