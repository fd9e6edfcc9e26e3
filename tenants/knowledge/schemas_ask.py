"""Bodies and answers of the API for questions."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

if TYPE_CHECKING:
    from tenants.knowledge.answers import Answer
    from tenants.knowledge.models_questions import KnowledgeQuestion
    from tenants.knowledge.quoting import Quote
    from tenants.knowledge.retrieval import Hit

QuestionText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=500)]
QuestionNote = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
QuestionLanguage = Literal["en", "fr", "pt"]
QuestionOutcome = Literal["quoted", "written", "none"]
FeedbackVerdict = Literal["useful", "wrong", "missing"]


class QuestionPost(BaseModel):
    """A question to the guidelines."""

    model_config = ConfigDict(extra="forbid")

    question: QuestionText = Field(
        description="In your words. Names, phones and identifiers are removed before it is stored.",
        examples=["What do our guidelines say for someone who came back after 4 months?"],
    )
    language: QuestionLanguage | None = Field(
        default=None, description="Language of the question; null: by its words.", examples=["en"]
    )
    languages: list[QuestionLanguage] = Field(
        default_factory=list, max_length=3, description="Languages of the documents; empty: as the settings say."
    )
    sources: list[UUID] = Field(
        default_factory=list, max_length=20, description="Sources whose documents answer; empty: as the settings say."
    )
    patient_id: UUID | None = Field(
        default=None,
        description="Patient whom the question is about: a few facts of theirs, in coarse words, are added to it. Needs"
        " `patients.read` and `cohort.read`.",
    )
    limit: int = Field(default=3, ge=1, le=10, description="Most passages.")


class QuoteSentence(BaseModel):
    """A sentence of a passage, by its characters, from `start` up to and without `end`."""

    start: int = Field(description="First character in `text`.", examples=[0])
    end: int = Field(description="Character after the last one.", examples=[48])
    marked: bool = Field(description="Whether it is among those that answer best.")


class SourceOut(BaseModel):
    """Where a passage stands."""

    document_id: UUID = Field(description="The version of the document.")
    title: str = Field(description="Title of the document.", examples=["Returning to care after an interruption"])
    version: int = Field(description="Version of the document.", examples=[2])
    url: str = Field(description="Address of the document; empty if it has none.", examples=[""])
    section: str = Field(description="Headings above it.", examples=["Gap of more than 3 months"])
    page: int | None = Field(description="Page on which it begins; null where there are no pages.", examples=[12])
    passage: int = Field(description="Number of the passage in the document, from 1.", examples=[5])

    @classmethod
    def of(cls, passage: Hit) -> SourceOut:
        """Return the place of a passage."""
        return cls(
            document_id=passage.document_uuid,
            title=passage.title,
            version=passage.version,
            url=passage.url,
            section=passage.section,
            page=passage.page,
            passage=passage.number,
        )


class QuoteOut(BaseModel):
    """A passage, word for word."""

    number: int = Field(description="By which sentences of the answer cite it.", examples=[1])
    source: SourceOut = Field(description="Where it stands.")
    text: str = Field(description="The passage.", examples=["Restart the same regimen on the same day."])
    sentences: list[QuoteSentence] = Field(description="Its sentences, with the best ones marked.")

    @classmethod
    def of(cls, quote: Quote) -> QuoteOut:
        """Return a quote."""
        return cls(
            number=quote.number,
            source=SourceOut.of(quote.passage),
            text=quote.passage.text,
            sentences=[QuoteSentence(start=each.start, end=each.end, marked=each.marked) for each in quote.sentences],
        )


class AnswerSentence(BaseModel):
    """A sentence that was written by a language model, and checked against the passages that it cites."""

    text: str = Field(description="The sentence.", examples=["Restart treatment on the same day."])
    quotes: list[int] = Field(description="Numbers of the quotes that say it.", examples=[[1]])


class KnowledgeAnswer(BaseModel):
    """What the guidelines say, or that they do not say it."""

    id: UUID = Field(description="The stored question, for feedback.")
    outcome: QuestionOutcome = Field(
        description="quoted: passages. written: also an answer in sentences. none: not in your guidelines.",
        examples=["quoted"],
    )
    language: str = Field(description="Language of the question.", examples=["en"])
    probability: float = Field(
        description="That the passages answer it, from 0 to 1, as calibrated on test questions.", examples=[0.93]
    )
    answer: list[AnswerSentence] = Field(description="The written answer; empty if there is none.")
    quotes: list[QuoteOut] = Field(description="The passages, best first; empty if outcome is none.")
    fallback: str | None = Field(
        description="Why no answer was written where the settings ask for one.", examples=["egress_off"]
    )
    remedy: str | None = Field(
        description="What to do, if the partner's plan permits no written answers now: `fallback` is then"
        " `payment_required` or `cap_reached`.",
        examples=[None],
    )
    facts: list[str] = Field(
        description="Facts of the patient that were added.", examples=[["last contact 4 months ago"]]
    )
    nearest: list[SourceOut] = Field(description="What comes nearest where outcome is none. It is no answer.")
    documents: int = Field(description="Documents that were searched.", examples=[4])

    @classmethod
    def of(cls, answer: Answer) -> KnowledgeAnswer:
        """Return an answer as the API shows it."""
        return cls(
            id=answer.id,
            outcome=answer.outcome,
            language=answer.language,
            probability=round(answer.probability, 3),
            answer=[AnswerSentence(text=each.text, quotes=list(each.passages)) for each in answer.sentences],
            quotes=[QuoteOut.of(quote) for quote in answer.quotes],
            fallback=answer.fallback,
            remedy=None if answer.limit is None else f"{answer.limit.reason}. {answer.limit.remedy}",
            facts=list(answer.facts),
            nearest=[SourceOut.of(passage) for passage in answer.nearest],
            documents=answer.documents,
        )


class FeedbackPut(BaseModel):
    """What somebody says of an answer."""

    model_config = ConfigDict(extra="forbid")

    feedback: FeedbackVerdict = Field(
        description="useful; wrong: the passages do not answer it; missing: the guidelines should say more.",
        examples=["useful"],
    )
    note: QuestionNote | None = Field(
        default=None, description="What you would add. Names, phones and identifiers are removed.", examples=[None]
    )


class StoredQuestion(BaseModel):
    """A question that was asked, without personal data. Who asked it is not stored."""

    id: UUID = Field(description="Identifier of the question.")
    asked_at: datetime = Field(description="When it was asked.")
    question: str = Field(description="The question, redacted.", examples=["What does [name] take now?"])
    language: str = Field(description="Language of the question.", examples=["en"])
    facts: str = Field(description="Facts of the patient whom it was about; empty: about nobody.", examples=[""])
    outcome: QuestionOutcome = Field(description="What it was answered with.", examples=["none"])
    fallback: str | None = Field(description="Why no answer was written.", examples=[None])
    probability: float = Field(description="That the passages answer it.", examples=[0.12])
    feedback: FeedbackVerdict | None = Field(description="What somebody says of the answer.", examples=["missing"])
    note: str | None = Field(description="What they add.", examples=[None])
    handled_at: datetime | None = Field(description="When the data team dealt with it.")

    @classmethod
    def of(cls, row: KnowledgeQuestion) -> StoredQuestion:
        """Return a stored question as the API shows it."""
        return cls.model_validate(
            {
                "id": row.uuid,
                "question": row.text,
                **{name: getattr(row, name) for name in cls.model_fields if name not in ("id", "question")},
            }
        )
