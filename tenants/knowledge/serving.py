"""Which model answers, and in which passages it searches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from core.clock import today
from core.tenancy import settings as tenant_settings
from tenants.knowledge.scope import Scope
from tenants.knowledge.settings import KnowledgeSettings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from core.database import TenantSession

_EMBEDDED: Final = """
SELECT model, count(*) FROM knowledge_documents, jsonb_array_elements_text(models) AS model
WHERE state = 'searchable' AND superseded_at IS NULL GROUP BY model
"""


def wanted_model(session: TenantSession) -> str:
    """Return the model that the tenant's settings name."""
    return tenant_settings.get(session, KnowledgeSettings).model


def serving_model(session: TenantSession) -> str:
    """Return the model that answers: the wanted one, unless another one still has the passages of more documents.

    So a change of model takes effect when the last document is embedded by the new one, and no question meanwhile
    searches in a part of the documents.
    """
    return _serving(session, wanted_model(session))


def _serving(session: TenantSession, wanted: str) -> str:
    counts = dict(session.cursor().execute(_EMBEDDED).fetchall())
    return max(sorted(counts), key=lambda model: (counts[model], model == wanted), default=wanted)


def indexing_models(session: TenantSession) -> list[str]:
    """Return the models by which a new document is embedded: the one that answers, and the wanted one."""
    wanted = wanted_model(session)
    return sorted({_serving(session, wanted), wanted})


def scope_of(
    session: TenantSession, language: str, *, languages: Sequence[str] = (), sources: Sequence[UUID] = ()
) -> Scope:
    """Return the passages in which a question of the tenant is searched today.

    Args:
        session: a transaction of the tenant.
        language: of the question, ISO 639.
        languages: of the documents; empty: those of the tenant's settings.
        sources: whose documents answer; empty: those of the tenant's settings.
    """
    chosen = tenant_settings.get(session, KnowledgeSettings)
    return Scope(
        model=_serving(session, chosen.model),
        day=today(session.tenant.time_zone),
        language=language,
        languages=languages or chosen.languages,
        sources=sources or chosen.sources,
    )
