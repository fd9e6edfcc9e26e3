"""Examples of an import in the OpenAPI document: the same import while it waits, when it is done, and afterwards."""

from typing import Any, Final

_IDENTITY: Final[dict[str, Any]] = {
    "id": "019c2292-11f5-7d3a-8a51-54c2b7f0e1a4",
    "format": "csv",
    "source": "csv:art-cohort",
    "strict": False,
    "files": ["visits.csv.gz"],
    "failure": [],
    "error": None,
    "created_at": "2026-02-03T08:15:00Z",
    "job_id": "019c2292-11f9-71c2-9d0e-0b6f5f6f2c33",
}

PENDING: Final[dict[str, Any]] = {
    **_IDENTITY,
    "state": "pending",
    "step": "",
    "data_date": None,
    "rows_read": 0,
    "rows_accepted": 0,
    "rows_in_part": 0,
    "rows_rejected": 0,
    "rows_waiting": 0,
    "rows_released": 0,
    "rows_left_out": 0,
    "rows_repeated": 0,
    "people": 0,
    "counts": {},
    "problems": [],
    "waiting": [],
    "held_facilities": [],
    "notes": [],
    "started_at": None,
    "finished_at": None,
    "seconds": None,
}

DONE: Final[dict[str, Any]] = {
    **PENDING,
    "state": "done",
    "data_date": "2026-01-31",
    "rows_read": 70_000,
    "rows_accepted": 69_946,
    "rows_rejected": 30,
    "rows_waiting": 24,
    "rows_left_out": 2,
    "people": 4_120,
    "counts": {
        "patients": {"inserted": 4_120, "updated": 0, "unchanged": 0, "superseded": 0, "still_voided": 0},
        "visits": {"inserted": 69_946, "updated": 0, "unchanged": 0, "superseded": 0, "still_voided": 0},
    },
    "problems": [
        {
            "file": "visits.csv.gz",
            "field": "visit_date",
            "problem": "the date lies after the data date",
            "remedy": "correct the date, or the data date of the import (2026-01-31)",
            "count": 30,
            "row_accepted": False,
        }
    ],
    "waiting": [
        {
            "field": "Patient Id",
            "problem": "no import has named a patient with this identifier yet",
            "remedy": "import the list that names the patient (a RADET, a line list); or correct the identifier",
            "rows": 24,
            "people": 3,
        }
    ],
    "held_facilities": [],
    "notes": ["2 facilities were added"],
    "started_at": "2026-02-03T08:15:02Z",
    "finished_at": "2026-02-03T08:15:44Z",
    "seconds": 42.0,
}

CANCELLED: Final[dict[str, Any]] = {**PENDING, "state": "cancelled", "finished_at": "2026-02-03T08:15:01Z"}

UNDOING: Final[dict[str, Any]] = {**DONE, "state": "undoing", "job_id": "019c2293-5c1e-7b60-8f3d-6a2d8f5f7710"}
