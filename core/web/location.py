"""``Location``: the path of the thing that a request created (201), or of the job that creates it (202)."""

from http import HTTPStatus
from typing import Any

from fastapi import Response

STATUSES = frozenset({HTTPStatus.CREATED, HTTPStatus.ACCEPTED})
"""Statuses that need the header; a test checks every operation that answers one of them."""

HEADER: dict[str, Any] = {
    "Location": {"description": "Path of the new thing, or of the job that creates it.", "schema": {"type": "string"}}
}


def set_location(response: Response, path: str) -> None:
    """Send the path of the new thing: ``/v1/visits/019c2291-b3a0-7768-a5f9-23774462ebfc``."""
    response.headers["Location"] = path


def set_job_location(response: Response, job_id: object) -> None:
    """Send the path of the job that does the work."""
    set_location(response, f"/v1/jobs/{job_id}")
