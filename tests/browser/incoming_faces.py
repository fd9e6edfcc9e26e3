"""The faces of sources of records and of messages of unknown phones, and all faces together."""

from __future__ import annotations

from typing import Final

from tests.browser.billing_faces import BILLING_FACES
from tests.browser.faces import ADMIN, DATA, FACES, Face, send
from tests.browser.knowledge_faces import KNOWLEDGE_FACES
from tests.browser.plugin_faces import PLUGIN_FACES

INCOMING_FACES: Final = (
    Face("data-sources", "GET /data/sources", f"{DATA}@demo-south"),
    Face("data-sources-empty", "GET /data/sources", f"{DATA}@new-partner"),
    Face("data-source", "GET /data/sources/{source_id}", f"{DATA}@demo-south"),
    Face("data-source-wrong", "POST /data/sources/{source_id}", f"{DATA}@demo-south", act=send("Save", cron="daily")),
    Face("message-patient", "GET /messages/{unmatched_id}/patient", ADMIN),
    Face(
        "message-patient-none",
        "POST /messages/{unmatched_id}/patient",
        ADMIN,
        "/messages/{unmatched_id}/patient",
        send("Search", text="Nobody"),
    ),
)
ALL_FACES: Final = (*FACES, *BILLING_FACES, *INCOMING_FACES, *KNOWLEDGE_FACES, *PLUGIN_FACES)
