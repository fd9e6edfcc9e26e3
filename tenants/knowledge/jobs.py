"""The jobs of documents: read one, fetch those of a source, embed all by another model, delete stored files."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from core import blobs
from core.jobs import Retry, job
from tenants.knowledge.ingestion import ingest, job_ended
from tenants.knowledge.reembedding import EMBED_JOB, embed_all
from tenants.knowledge.service import DISCARD_JOB, READ_JOB
from tenants.knowledge.sources import FETCH_JOB, fetch_and_record

if TYPE_CHECKING:
    from core.jobs import JobContext


@job(READ_JOB, retry=Retry(5), time_limit=timedelta(hours=1), at_once=2, on_end=job_ended)
def read(context: JobContext, payload: dict[str, Any]) -> None:
    """Read the document in the payload, and make it searchable."""
    ingest(context, UUID(payload["document_id"]))


@job(FETCH_JOB, time_limit=timedelta(hours=1), at_once=2)
def fetch(context: JobContext, payload: dict[str, Any]) -> None:
    """Fetch the documents of the source in the payload that are new or changed, and enqueue their reading."""
    fetch_and_record(context, UUID(payload["source_id"]))


@job(EMBED_JOB, retry=Retry(5), at_once=1)
def embed(context: JobContext, _payload: dict[str, Any]) -> None:
    """Embed every passage by the model that the settings name."""
    embed_all(context)


@job(DISCARD_JOB)
def discard(context: JobContext, payload: dict[str, Any]) -> None:
    """Delete the stored files in the payload."""
    for key in payload["blobs"]:
        blobs.delete(context.tenant, key)
    with context.session() as session:
        context.finish(session)
