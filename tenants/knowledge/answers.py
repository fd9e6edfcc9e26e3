"""Answers to questions: passages of the tenant's documents, with a written answer where its settings ask for one.

A question is never searched, embedded or answered in a transaction that waits: each step that reads or writes has a
short one of its own.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from core import telemetry
from core.access import Scope as Caller
from core.entitlements import CapReached, Decision, allowed
from core.errors import Forbidden, phrase
from core.flags import Subject, is_on
from core.tenancy import settings as tenant_settings
from tenants.knowledge import ai_tracing, costs, egress, language_model, questions, repository
from tenants.knowledge.abbreviations import written_out
from tenants.knowledge.flags import LANGUAGE_MODEL_WORDS
from tenants.knowledge.function_words import is_function_word, language_of, parts_of, word_set
from tenants.knowledge.language_model import LanguageModelFailed
from tenants.knowledge.patient_facts import read_facts, words_of_facts
from tenants.knowledge.quoting import question_vector
from tenants.knowledge.quoting import quotes as quotes_of
from tenants.knowledge.redaction import looks_personal, redacted, without_marks
from tenants.knowledge.refusing import Verdict, judge
from tenants.knowledge.retrieval import find_by
from tenants.knowledge.serving import scope_of
from tenants.knowledge.settings_answers import AnswerSettings

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from uuid import UUID

    import httpx

    from tenants.knowledge.grounding import CitedSentence
    from tenants.knowledge.questions import Outcome
    from tenants.knowledge.quoting import Quote
    from tenants.knowledge.retrieval import Hit
    from tenants.knowledge.scope import Scope

log = telemetry.get_logger(__name__)

FACTS_NEED: Final = ("patients.read", "cohort.read")
"""Permissions without which a question can be about no patient."""
_NEAREST: Final = 3
_LOOKED_AT: Final = 10
"""Passages among which the nearest one is, though words may put others before it."""

_GENERAL: Final = word_set(
    """guideline guidelines guidance recommend recommended advise situation case patient client person her him
    guide guides directives recommandations disent recommandent faire cas patiente personne cliente lui
    norma normas orientações recomendam dizem caso doente paciente pessoa utente"""
)
"""Words that say nothing of a question's subject."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question as it is asked.

    Attributes:
        text: in people's words.
        language: ISO 639; None to tell it from the words.
        languages: of the documents; empty: as the tenant's settings say.
        sources: whose documents answer; empty: as the settings say.
        patient: whom it is about; None: nobody.
        limit: the most passages.
    """

    text: str
    language: str | None = None
    languages: Sequence[str] = ()
    sources: Sequence[UUID] = ()
    patient: UUID | None = None
    limit: int = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer.

    Attributes:
        id: of the stored question.
        language: of the question.
        outcome: ``quoted``, ``written`` or ``none``: not in the guidelines.
        probability: that the passages answer the question.
        quotes: the passages, best first; empty if it is not in the guidelines.
        sentences: of the written answer, each with the numbers of its quotes.
        fallback: why no answer was written where the settings ask for one.
        limit: the decision, if the partner's plan permits no written answers now.
        facts: of the patient, in words.
        nearest: where the nearest passages stand, though they do not answer it.
        documents: how many documents were searched.
        is_final: whether a written answer may still follow.
    """

    id: UUID
    language: str
    outcome: Outcome
    probability: float
    quotes: Sequence[Quote]
    sentences: Sequence[CitedSentence] = ()
    fallback: str | None = None
    limit: Decision | None = None
    facts: Sequence[str] = ()
    nearest: Sequence[Hit] = ()
    documents: int = 0
    is_final: bool = True


@dataclass(frozen=True, slots=True)
class _Preparation:
    """What is known of a question before it is searched."""

    language: str
    scope: Scope
    policy: AnswerSettings
    facts: Sequence[str]
    redacted: str


def ask(caller: Caller, question: Question) -> Answer:
    """Return the answer to a question. No transaction may be open.

    Raises:
        Invalid: there is no such patient within reach.
        Forbidden: the question is about a patient, and the caller may not read patients.
    """
    *_, last = steps(caller, question)
    return last


def steps(caller: Caller, question: Question) -> Generator[Answer]:
    """Yield the quotes as soon as they are there, and then, where one may be written, the final answer.

    Raises:
        Invalid, Forbidden: as ``ask``, before the first answer.
    """
    prepared = _prepare(caller, question)
    answer = _quoted(caller, question, prepared)
    yield answer
    if not answer.is_final:
        yield _written(caller, prepared, answer)


def complete(caller: Caller, question: Question, stored: UUID) -> Answer:
    """Return the final answer to a question whose quotes were shown before, and which was stored then.

    The language model is asked one time: whoever asks for the final answer again gets the quotes.

    Raises:
        NotFound: no such question was stored.
        Invalid: there is no such patient within reach.
        Forbidden: as ``ask``.
    """
    prepared = _prepare(caller, question)
    with caller.session() as session:
        is_due = questions.begin_writing(session, stored, prepared.redacted)
    answer = _quoted(caller, question, prepared, stored)
    return _written(caller, prepared, answer) if is_due and not answer.is_final else replace(answer, is_final=True)


def _quoted(caller: Caller, question: Question, prepared: _Preparation, stored: UUID | None = None) -> Answer:
    """The quotes, or that the guidelines do not say it. The question is stored, unless it is already."""
    passages, verdict, documents = _search(caller, question, prepared)
    chosen = passages[: question.limit] if verdict.answered else []
    with ai_tracing.embeddings(prepared.scope.model):
        asked = written_out(without_marks(prepared.redacted), prepared.language)
        quotes = quotes_of(asked, chosen, prepared.scope.model)
    outcome: Outcome = "quoted" if verdict.answered else "none"
    if stored is None:
        with caller.session() as session:
            stored = questions.store(
                session,
                text=prepared.redacted,
                language=prepared.language,
                facts=prepared.facts,
                outcome=outcome,
                probability=verdict.probability,
                model=prepared.scope.model,
                passages=passages[: question.limit],
            )
    return Answer(
        id=stored,
        language=prepared.language,
        outcome=outcome,
        probability=verdict.probability,
        quotes=quotes,
        facts=prepared.facts,
        nearest=passages[:_NEAREST] if not verdict.answered else (),
        documents=documents,
        is_final=not (verdict.answered and prepared.policy.style == "written"),
    )


def _prepare(caller: Caller, question: Question) -> _Preparation:
    if question.patient is not None:
        for permission in FACTS_NEED:
            if permission not in caller.principal.permissions:
                detail = phrase("the permission {permission} is needed", permission=permission)
                raise Forbidden(detail)
    language = question.language or language_of(question.text)
    with caller.session() as session:
        facts = () if question.patient is None else words_of_facts(read_facts(session, question.patient), language)
        return _Preparation(
            language=language,
            scope=scope_of(session, language, languages=question.languages, sources=question.sources),
            policy=tenant_settings.get(session, AnswerSettings),
            facts=facts,
            redacted=redacted(session, question.text, language).text,
        )


def _search(caller: Caller, question: Question, prepared: _Preparation) -> tuple[list[Hit], Verdict, int]:
    """Search with the question alone, which decides whether it is answered; and with the facts, for the order."""
    scope, plain = prepared.scope, without_marks(prepared.redacted)
    with caller.session(readonly=True) as session:
        documents = repository.count_searched(session, scope)
    if not documents:
        return [], Verdict(answered=False, probability=0.0), 0
    whole = f"{plain} ({', '.join(prepared.facts)})" if prepared.facts else plain
    texts = [written_out(text, prepared.language) for text in dict.fromkeys((plain, whole))]
    with ai_tracing.embeddings(scope.model):
        vectors = [question_vector(scope.model, text).tolist() for text in texts]
    with caller.session(readonly=True) as session:
        per_text = [
            find_by(session, text, vector, scope, limit=max(question.limit, _LOOKED_AT))
            for text, vector in zip(texts, vectors, strict=True)
        ]
        at = -1 if is_general(plain) else 0
        return per_text[-1], judge(session, texts[at], scope, per_text[at]), documents


def is_general(text: str) -> bool:
    """Return whether a question has no subject but the patient: "What do our guidelines say for her?"."""
    return all(is_function_word(part) or part in _GENERAL for part in parts_of(text))


def _written(caller: Caller, prepared: _Preparation, answer: Answer) -> Answer:
    """The final answer: written by the language model, or the quotes with the reason why it was not."""
    quotes = language_model.usable(answer.quotes)
    url = language_model.address() if is_on(LANGUAGE_MODEL_WORDS, Subject(caller.tenant)) else None
    reason = "no_language_model" if url is None else _hindrance(caller, prepared, quotes, str(answer.id), url)
    extra, limit = allowed(caller.tenant, "ai_answers"), None
    if reason is None and not extra.allowed:
        reason, limit = "cap_reached" if extra.status == CapReached.status else "payment_required", extra
    if url is None or reason is not None:
        with caller.session() as session:
            questions.note_outcome(session, answer.id, "quoted", reason)
        return replace(answer, fallback=reason, limit=limit, is_final=True)
    messages = language_model.prompt_of(prepared.redacted, prepared.facts, quotes, prepared.language)
    began = time.monotonic()
    try:
        with ai_tracing.chat(caller.tenant.slug) as span:
            written = language_model.write(
                caller.tenant.id,
                messages,
                quotes,
                prepared.scope.model,
                local=egress.must_be_local(prepared.policy, url),
            )
            span.note_use(written.use)
    except LanguageModelFailed as failure:
        with caller.session() as session:
            costs.record_time(session, time.monotonic() - began, str(answer.id), failed=True)
            questions.note_outcome(session, answer.id, "quoted", failure.reason)
        return replace(answer, fallback=failure.reason, is_final=True)
    outcome: Outcome = "quoted" if written.fault else "written"
    with caller.session() as session:
        costs.record(session, written.use, str(answer.id))
        costs.record_time(session, time.monotonic() - began, str(answer.id), failed=False)
        questions.note_outcome(session, answer.id, outcome, written.fault)
    return replace(answer, outcome=outcome, sentences=written.sentences, fallback=written.fault, is_final=True)


def _hindrance(caller: Caller, prepared: _Preparation, quotes: Sequence[Quote], key: str, url: httpx.URL) -> str | None:
    """Why the language model at an address may not be asked; what the policy blocks is counted."""
    reason = egress.blocked(prepared.policy, url)
    if reason is None and any(map(looks_personal, (prepared.redacted, *prepared.facts))):
        reason = "personal"
    with caller.session() as session:
        if reason is not None:
            egress.count_blocked(session, reason, key)
            return reason
        try:
            if not costs.has_budget(session, prepared.policy):
                return "budget_spent"
        except (OSError, ValueError) as error:
            log.warning("the price list of language models cannot be read", error=type(error).__name__)
            return "prices_not_readable"
    return None if quotes else "passages_not_usable"
