"""Routes of documents and their sources."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, File, Form, Query, Response, UploadFile

from core import blobs
from core.access import TenantDb, TenantScope, require
from core.errors import Conflict, NotFound
from core.errors.problem import responses
from core.identity import Principal
from core.jobs.schemas import AcceptedJob
from core.web.days import IsoDay
from core.web.location import set_job_location, set_location
from core.web.paging import Page, PageRequest, long_pages
from core.web.streams import StreamedResponse, file_blocks
from core.web.uploads import UploadRoute, upload_limit
from tenants.knowledge import repository, service, sources
from tenants.knowledge.schemas import KnowledgeDocumentOut, KnowledgePassageOut, KnowledgeSourceOut
from tenants.knowledge.service import Draft

router = APIRouter(prefix="/knowledge", tags=["knowledge"], route_class=UploadRoute)

KnowledgeRead = Annotated[Principal, Depends(require("knowledge.read", confined=True, by_patient=True))]
KnowledgeWrite = Annotated[Principal, Depends(require("knowledge.write"))]
Ordered = Annotated[PageRequest, Depends(long_pages({"created_at": datetime}, "-created_at"))]
State = Annotated[
    Literal["waiting", "searchable", "unreadable"] | None, Query(description="Only documents of this state.")
]


@router.post(
    "/documents",
    operation_id="create_knowledge_document",
    summary="Add a document, or its next version",
    status_code=202,
    max_body_size=upload_limit(),
)
def create_knowledge_document(
    _: KnowledgeWrite,
    scope: TenantScope,
    response: Response,
    file: Annotated[UploadFile, File(description="PDF, Word (.docx), HTML, Markdown or text, up to 64 MB.")],
    name: Annotated[str, Form(description="Versions of a document share it. Default: the name of the file.")] = "",
    title: Annotated[str, Form(description="For quotes. Default: the first heading.")] = "",
    language: Annotated[str, Form(description="ISO 639, such as `en`. Default: detected.")] = "",
    url: Annotated[str, Form(description="Its address for readers.")] = "",
    valid_from: Annotated[
        IsoDay | None, Form(description="The first day on which it applies. The former version answers until then.")
    ] = None,
) -> KnowledgeDocumentOut:
    """Store the document encrypted, and enqueue its reading. A document of the same name gets its next version."""
    draft = Draft(
        service.named(name, file.filename), " ".join(title.split()), language.strip().lower(), url.strip(), valid_from
    )
    row = service.receive(scope.tenant, scope.session, file.file, draft, source="api")
    set_location(response, f"/v1/knowledge/documents/{row.uuid}")
    return KnowledgeDocumentOut.of(row)


@router.get("/documents", operation_id="list_knowledge_documents", summary="List documents, newest first unless sorted")
def list_knowledge_documents(
    _: KnowledgeRead,
    db: TenantDb,
    paging: Ordered,
    state: State = None,
    superseded: Annotated[bool, Query(description="Also versions that were superseded.")] = False,  # noqa: FBT002
) -> Page[KnowledgeDocumentOut]:
    """Return the current documents, and those that wait or cannot be read."""
    part = repository.page(db, paging, state=state, superseded=superseded)
    return Page.of([KnowledgeDocumentOut.of(row) for row in part.rows], paging, part.total, part.last)


@router.get(
    "/documents/{document_id}",
    operation_id="get_knowledge_document",
    summary="Get a document",
    responses=responses(NotFound),
)
def get_knowledge_document(_: KnowledgeRead, db: TenantDb, document_id: UUID) -> KnowledgeDocumentOut:
    """Return a version of a document, and whether it can be searched."""
    return KnowledgeDocumentOut.of(service.get(db, document_id))


@router.get(
    "/documents/{document_id}/passages",
    operation_id="list_knowledge_passages",
    summary="List the passages of a document",
    responses=responses(NotFound),
)
def list_knowledge_passages(_: KnowledgeRead, db: TenantDb, document_id: UUID) -> list[KnowledgePassageOut]:
    """Return the passages in their order. A document that was not read has none."""
    service.get(db, document_id)
    return [KnowledgePassageOut.of(row) for row in repository.passages(db, document_id)]


@router.get(
    "/documents/{document_id}/file",
    operation_id="download_knowledge_document",
    summary="Download the file of a document",
    response_class=StreamedResponse,
    responses={
        200: {
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
            "description": "The file.",
        },
        **responses(NotFound),
    },
)
def download_knowledge_document(_: KnowledgeRead, scope: TenantScope, document_id: UUID) -> StreamedResponse:
    """Return the file as it was uploaded or fetched."""
    with scope.session(readonly=True) as session:
        row = service.get(session, document_id)
        key, version = row.blob_key, row.version
    if key is None:
        detail = "the file of this document was not stored"
        raise NotFound(detail)
    file = blobs.open(scope.tenant, key)
    # Never inline: a page of the web from a stranger must not run as one of ours.
    headers = {"Content-Disposition": f'attachment; filename="document-{document_id}-{version}"'}
    blocks = scope.while_valid(file_blocks(file))
    return StreamedResponse(blocks, media_type="application/octet-stream", headers=headers)


@router.delete(
    "/documents/{document_id}",
    operation_id="delete_knowledge_document",
    summary="Delete a document with all its versions",
    status_code=204,
    responses=responses(NotFound, Conflict),
)
def delete_knowledge_document(_: KnowledgeWrite, db: TenantDb, document_id: UUID) -> None:
    """Delete the versions, their passages and files. A document that a source still has is not deleted (409)."""
    service.forget(db, document_id, source="api")


@router.get("/sources", operation_id="list_knowledge_sources", summary="List the sources of documents")
def list_knowledge_sources(_: KnowledgeRead, db: TenantDb) -> list[KnowledgeSourceOut]:
    """Return one source for each instance of a plugin, oldest first, then what the operator shares."""
    return [KnowledgeSourceOut.of(state) for state in sources.list_sources(db)]


@router.post(
    "/sources/{source_id}/fetch",
    operation_id="fetch_knowledge_source",
    summary="Fetch the documents of a source now",
    status_code=202,
    responses=responses(NotFound, Conflict),
)
def fetch_knowledge_source(_: KnowledgeWrite, db: TenantDb, source_id: UUID, response: Response) -> AcceptedJob:
    """Enqueue a fetch. While one waits or runs, it is that one. Only new and changed documents are read."""
    job_id = sources.request_fetch(db, source_id, source="api")
    set_job_location(response, job_id)
    return AcceptedJob(job_id=job_id)
