"""One router with all routes of the room ``records``."""

from fastapi import APIRouter

from tenants.records import api_care, api_encounters, api_facilities, api_observations, api_patients, api_visits

router = APIRouter()
for room in (api_patients, api_visits, api_encounters, api_observations, api_care, api_facilities):
    router.include_router(room.router)
