"""The faces of the pages of guidelines: questions, documents, sources and open questions."""

from __future__ import annotations

from typing import Final

from tests.browser.face import ADMIN, DATA, MANAGER, OFFICER, VIEWER, Face, click, send

_NEW: Final = f"{DATA}@new-partner"
_ANSWERED: Final = "What do our guidelines say for someone who came back after 4 months?"

KNOWLEDGE_FACES: Final = (
    Face("guidelines", "GET /guidelines", OFFICER),
    Face("guidelines-data-team", "GET /guidelines", DATA),
    Face("guidelines-empty", "GET /guidelines", f"{OFFICER}@new-partner"),
    Face("guidelines-empty-data-team", "GET /guidelines", _NEW),
    Face("guidelines-not-allowed", "GET /guidelines", VIEWER),
    Face("guidelines-answer", "POST /guidelines", OFFICER, "/guidelines", send("Ask", question=_ANSWERED)),
    Face(
        "guidelines-table", "POST /guidelines", OFFICER, "/guidelines",
        send("Ask", question="What does a viral load of 400 copies mean?"),
    ),
    Face(
        "guidelines-none", "POST /guidelines", OFFICER, "/guidelines",
        send("Ask", question="What diet should a person with diabetes follow?"),
    ),
    Face("guidelines-wrong", "POST /guidelines", OFFICER, "/guidelines", send("Ask", question="--")),
    Face("guidelines-patient", "POST /guidelines", MANAGER, "/today?list=to_trace", click("Client", "comes back")),
    Face("guideline", "GET /guidelines/documents/{document_id}", OFFICER),
    Face("guideline-unreadable", "GET /guidelines/documents/{document_id}", DATA, "/guidelines/documents/{scan_id}"),
    Face("guidelines-documents", "GET /guidelines/documents", DATA),
    Face("guidelines-documents-older", "GET /guidelines/documents", DATA, "/guidelines/documents?older=yes"),
    Face("guidelines-documents-empty", "GET /guidelines/documents", _NEW),
    Face("guidelines-upload", "GET /guidelines/upload", DATA),
    Face("guidelines-upload-wrong", "POST /guidelines/upload", DATA, "/guidelines/upload", send("Add it")),
    Face("guidelines-sources", "GET /guidelines/sources", ADMIN),
    Face("guidelines-sources-empty", "GET /guidelines/sources", _NEW),
    Face("guidelines-questions", "GET /guidelines/questions", DATA),
    Face("guidelines-questions-empty", "GET /guidelines/questions", _NEW),
)  # fmt: skip
"""Every page of guidelines in its faces."""
