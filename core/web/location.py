"""``Location``: where the thing is that a request has made (201), or that will be made or tells of it (202)."""

from http import HTTPStatus
from typing import Any

from fastapi import Response

STATUSES = frozenset({HTTPStatus.CREATED, HTTPStatus.ACCEPTED})
"""Answers that carry the header; a test asks every operation that gives one of them."""

HEADER: dict[str, Any] = {
    "Location": {"description": "Path of what was made, or of the job that makes it.", "schema": {"type": "string"}}
}


def set_location(response: Response, path: str) -> None:
    """Send the path of what was made: ``/v1/visits/019c2291-b3a0-7768-a5f9-23774462ebfc``."""
    response.headers["Location"] = path


def set_job_location(response: Response, job_id: object) -> None:
    """Send the path of the job that does the work."""
    set_location(response, f"/v1/jobs/{job_id}")
