"""Passages by what they mean: the vectors nearest to a question's, read by llama-index's ``PGVectorStore``."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

from core.database import library_session
from tenants.knowledge.models import DIMENSIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Select
    from sqlalchemy.orm import Session

    from core.database import TenantSession
    from tenants.knowledge.scope import Scope

NEIGHBOURS: Final = 400
"""How many neighbours HNSW keeps while it searches (hnsw.ef_search): more find more, and take longer.

Among a million passages, 100 missed one in six of the ten nearest."""

_asking: ContextVar[TenantSession] = ContextVar("the tenant's transaction")


def by_meaning(session: TenantSession, vector: Sequence[float], scope: Scope, limit: int) -> list[tuple[str, float]]:
    """Return the ids of the passages nearest to a vector, best first, with their cosine similarity."""
    from llama_index.core.vector_stores import VectorStoreQuery

    session.set_local(**{"hnsw.ef_search": str(max(NEIGHBOURS, limit)), "hnsw.iterative_scan": "strict_order"})
    query = VectorStoreQuery(query_embedding=list(vector), similarity_top_k=limit)
    with _in_transaction_of(session):
        # Its own filters would put values into the text of the query: only bound ones are used.
        nearest = _store().query(query, scope=scope)
    return [(node.node_id, score) for node, score in zip(nearest.nodes or [], nearest.similarities or [], strict=True)]


def _own_session() -> Session:
    """A savepoint of the tenant's transaction. The store of all tenants names the schema ``public``."""
    return library_session(_asking.get(), schema_of_library="public")


@contextmanager
def _in_transaction_of(session: TenantSession) -> Iterator[None]:
    token = _asking.set(session)
    try:
        yield
    finally:
        _asking.reset(token)


@cache
def _store() -> Any:  # noqa: ANN401 - its class is made when llama-index has been imported, which takes seconds
    """The store of all tenants: it has no connection and no schema of its own."""
    from llama_index.vector_stores.postgres import PGVectorStore

    class TenantPassages(PGVectorStore):
        """Reads in the transaction of the tenant that asks, whose search path leads to its table."""

        def _connect(self) -> None:
            self._session = _own_session  # type: ignore[assignment]  # called as a maker of sessions is

    make: Any = TenantPassages  # its parameters are wider than its type says
    return make(
        table_name="passages",
        schema_name="public",
        embed_dim=DIMENSIONS,
        perform_setup=False,
        use_jsonb=True,
        cache_ok=True,
        customize_query_fn=_within,
    )


def _within(statement: Select[Any], _table: object, *, scope: Scope) -> Select[Any]:
    condition = scope.condition.replace("p.", "data_passages.")
    for name in scope.values:
        condition = condition.replace(f"%({name})s", f":{name}")
    values = {name: value for name, value in scope.values.items() if f":{name}" in condition}
    return statement.where(text(condition).bindparams(**values))
