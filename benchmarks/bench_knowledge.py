"""Benchmark of retrieval: a question by words and meaning, and the recall of HNSW against an exact search.

Up to 10,000 passages are sentences of the demo's guidelines in new order, embedded by MiniLM. The vectors of more are
generated: groups of near ones, as passages about one subject are. With ``--scale full`` there are a million of them,
whose index takes about half an hour on two processors; ``IIT_BENCH_PASSAGES=10000,200000`` asks for other sizes.
"""

from __future__ import annotations

import os
import secrets
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

from benchmarks.measure import Ratio, settled

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from core.database import TenantRef, TenantSession

    Vectors = npt.NDArray[np.float32]

ACTOR = "cli:benchmark"
GUIDELINES = Path(__file__).resolve().parents[1] / "tenants/demo/guidelines/en"
SIZES = {"small": (2_000,), "full": (10_000, 1_000_000)}
QUESTIONS = 100
NEAREST = 10
GROUPS = 500
SPREAD = 0.6
"""How far the vectors of a group lie from its middle, as a share of a vector's length."""

WORDS = 40
VOCABULARY = 20_000
EMBEDDED = 10_000
"""The most passages that are embedded."""
SENTENCES = 3
"""Of an embedded passage."""

Texts = list[str]


def run() -> Iterator[Ratio]:
    """Show the latency of a question at each size, and how many of the nearest are missed."""
    import numpy as np

    random = np.random.default_rng(7)
    sizes = SIZES[os.environ.get("IIT_BENCH_SCALE", "small")]
    if wanted := os.environ.get("IIT_BENCH_PASSAGES"):
        sizes = tuple(map(int, wanted.split(",")))
    for size in sizes:
        passages: Passages = Embedded(random) if size <= EMBEDDED else Generated(random)
        tenant = _tenant_with(size, passages)
        texts, vectors = passages.questions()
        yield from _latency(tenant, size, passages.model, texts, vectors)
        yield _missed(tenant, size, vectors)


class Passages(Protocol):
    """Passages, and questions to them."""

    @property
    def model(self) -> str: ...

    def some(self, count: int) -> tuple[Texts, Vectors]: ...

    def questions(self) -> tuple[Texts, Vectors]: ...


class Generated:
    """Words without meaning, and vectors in groups of near ones."""

    model = "generated"

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        self._middles = _unit(random.standard_normal((GROUPS, 384), dtype="float32"))

    def some(self, count: int) -> tuple[Texts, Vectors]:
        words = self._random.zipf(1.3, (count, WORDS)) % VOCABULARY
        return [" ".join(f"w{n}" for n in row) for row in words], self._near(count)

    def questions(self) -> tuple[Texts, Vectors]:
        return ["w7 w450 w12000"] * QUESTIONS, self._near(QUESTIONS)

    def _near(self, count: int) -> Vectors:
        noise = _unit(self._random.standard_normal((count, 384), dtype="float32"))
        return _unit(self._middles[self._random.integers(0, len(self._middles), count)] + SPREAD * noise)


class Embedded:
    """Sentences of the demo's guidelines in new order, with their vectors; single sentences are the questions."""

    model = "minilm"

    def __init__(self, random: np.random.Generator) -> None:
        from tenants.knowledge.quoting import spans

        self._random = random
        texts = [path.read_text(encoding="utf-8") for path in sorted(GUIDELINES.glob("*.md"))]
        self._sentences = [text[start:end] for text in texts for start, end in spans(text)]

    def some(self, count: int) -> tuple[Texts, Vectors]:
        from tenants.knowledge.embedding import embedder

        chosen = self._random.choice(self._sentences, (count, SENTENCES))
        texts = [" ".join(row) for row in chosen]
        return texts, embedder(self.model).passages(texts)

    def questions(self) -> tuple[Texts, Vectors]:
        import numpy as np

        from tenants.knowledge.embedding import embedder

        texts = list(map(str, self._random.choice(self._sentences, QUESTIONS)))
        return texts, np.array([embedder(self.model).question(text) for text in texts])


def _tenant_with(size: int, passages: Passages) -> TenantRef:
    """Make a tenant with passages."""
    from core.database import owner_connection, tenant_session
    from core.tenancy import create_tenant
    from tenants.knowledge.models import KnowledgeDocument

    tenant = create_tenant(f"bench-{secrets.token_hex(4)}", "Benchmark").ref
    index = f"{tenant.schema_name}.ix_data_passages_embedding"
    with owner_connection(tenant.database) as connection:
        connection.execute(f"DROP INDEX {index}")
    with tenant_session(tenant, actor=ACTOR) as session:
        document = KnowledgeDocument(
            name="generated",
            version=1,
            title="Generated",
            language="en",
            media_type="text/plain",
            digest=b"",
            size=0,
            state="searchable",
            created_by=ACTOR,
        )
        session.add(document)
        session.flush()
        session.set_local(work_mem="256MB")
        _copy(session, str(document.uuid), size, passages)
    with owner_connection(tenant.database) as connection:  # at once, as it is built far sooner than row by row
        connection.execute("SET LOCAL maintenance_work_mem = '4GB'")
        connection.execute(
            f"CREATE INDEX ix_data_passages_embedding ON {tenant.schema_name}.data_passages"
            " USING hnsw (embedding extensions.vector_cosine_ops)"
        )
    settled()
    return tenant


def _copy(session: TenantSession, document: str, size: int, passages: Passages) -> None:
    from tenants.knowledge.indexing import COPY

    with session.cursor().copy(COPY) as copy:
        for start in range(0, size, 1_000):
            texts, vectors = passages.some(min(1_000, size - start))
            for number, (words, vector) in enumerate(zip(texts, vectors, strict=True), start + 1):
                embedding = "[" + ",".join(map("{:.5f}".format, vector.tolist())) + "]"
                facts = (passages.model, document, number, "", None, "en", words, len(words.split()))
                copy.write_row((str(uuid4()), words, "{}", embedding, *facts))


def _unit(vectors: Vectors) -> Vectors:
    import numpy as np

    unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def _latency(tenant: TenantRef, size: int, model: str, texts: Texts, questions: Vectors) -> Iterator[Ratio]:
    """Time a question by words and meaning, without its embedding, over the same neighbours by plain SQL."""
    from core.clock import today
    from core.database import tenant_session
    from tenants.knowledge.retrieval import find_by
    from tenants.knowledge.scope import Scope

    scope = Scope(model, today(tenant.time_zone))
    ours: list[float] = []
    bare: list[float] = []
    for asked, question in zip(texts, questions, strict=True):
        with tenant_session(tenant, actor=ACTOR, readonly=True) as session:
            ours.append(_spent(lambda: find_by(session, asked, question.tolist(), scope)))  # noqa: B023 - called at once
        with tenant_session(tenant, actor=ACTOR, readonly=True) as session:
            bare.append(_spent(lambda: _nearest(session, question)))  # noqa: B023 - as above
    for name, at in (("p50", 0.5), ("p99", 0.99)):
        yield Ratio(f"a question over {size:,} passages, {name}, over plain SQL", _at(ours, at), _at(bare, at))


def _missed(tenant: TenantRef, size: int, questions: Vectors) -> Ratio:
    """The share of the ten nearest that HNSW misses, over one in twenty."""
    from core.database import tenant_session
    from tenants.knowledge.by_meaning import NEIGHBOURS

    hits = 0
    for question in questions:
        with tenant_session(tenant, actor=ACTOR, readonly=True) as session:
            session.set_local(**{"hnsw.ef_search": str(NEIGHBOURS)})
            quick = _nearest(session, question)
        with tenant_session(tenant, actor=ACTOR, readonly=True) as session:
            hits += len(set(quick) & set(_nearest(session, question, exact=True)))
    missed = 1 - hits / (NEAREST * len(questions))
    return Ratio(f"nearest missed of {size:,}, over one in twenty", missed, 0.05, unit="", target=1.0)


def _nearest(session: TenantSession, question: Sequence[float] | Vectors, *, exact: bool = False) -> list[int]:
    vector = "[" + ",".join(map(str, question)) + "]"
    rows = session.cursor().execute(
        f"SELECT id FROM data_passages ORDER BY (embedding <=> %s::vector){' + 0' if exact else ''} LIMIT %s",  # noqa: S608
        (vector, NEAREST),
    )
    return [row[0] for row in rows]


def _spent(call: object) -> float:
    began = time.perf_counter()
    call()  # type: ignore[operator]  # a function without parameters
    return time.perf_counter() - began


def _at(seconds: list[float], share: float) -> float:
    return statistics.quantiles(seconds, n=100, method="inclusive")[round(share * 100) - 1]
