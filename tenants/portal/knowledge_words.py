"""Texts of the pages of guidelines: states, languages, questions to begin with, and passages in parts."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final, Literal

from core.plugins.instances import USABLE
from core.web.problem_texts import shown_sentence
from core.web.texts import gettext as _
from core.web.texts import marked, ngettext, shown_date, shown_number, shown_time
from tenants.imports.fetching import reasons as fetch_reasons
from tenants.knowledge.reading.reasons import problem_of, remedy_of
from tenants.knowledge.repository import SHARED
from tenants.portal.message_words import language_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date
    from zoneinfo import ZoneInfo

    from tenants.knowledge.models import KnowledgeDocument
    from tenants.knowledge.models_questions import KnowledgeQuestion
    from tenants.knowledge.sources import SourceState

STATES: Final[dict[str, tuple[str, str]]] = {
    "waiting": (marked("Being read"), ""),
    "searchable": (marked("Searchable"), "low"),
    "unreadable": (marked("Cannot be read"), "high"),
}
"""Word and shape of each state of a document."""

OLDER: Final = marked("Replaced"), ""
"""Word and shape of a document with a newer version, or that is no longer at its source."""

OPINIONS: Final[dict[str, str]] = {
    "useful": marked("It helped"),
    "missing": marked("Something is missing"),
    "wrong": marked("It is wrong"),
}
"""What a reader may say of an answer, the most frequent first."""

ASKED: Final[dict[str, tuple[str, str]]] = {
    "unanswered": (marked("No answer"), "high"),
    "wrong": (marked("Answer is wrong"), "high"),
    "missing": (marked("Answer lacks something"), "medium"),
}
"""Why a question waits for the data team: word and shape."""

DONE: Final[dict[str, str]] = {
    "added": marked("The guideline is stored. A worker reads it now, and then it answers."),
    "removed": marked("The guideline is removed."),
    "fetch": marked("A worker fetches what is new at the source."),
    "opinion": marked("Thank you. The data team sees it."),
    "settled": marked("The question is settled."),
}
"""What was just done."""

_WAYS: Final = {
    "/guidelines": marked("Ask"),
    "/guidelines/documents": marked("Documents"),
    "/guidelines/sources": marked("Sources"),
    "/guidelines/questions": marked("Open questions"),
}
"""The pages between which the data team goes."""

EXAMPLES: Final = (
    marked("What do we do when someone comes back after 4 months?"),
    marked("When is the viral load test repeated?"),
    marked("Who may get refills for several months?"),
)
"""Questions for who has none yet."""


def done(code: str) -> str:
    """Return what was just done, in words; empty for an unknown code."""
    return _(DONE[code]) if code in DONE else ""


def ways(current: str) -> list[tuple[str, str, bool]]:
    """Return the ways between the pages of the data team: address, text, and whether it is ``current``."""
    return [(address, _(text), address == current) for address, text in _WAYS.items()]


def state_of(document: KnowledgeDocument, *, older: bool) -> tuple[str, str]:
    """Return the word and shape of a document's state; ``older``: it is no longer in use."""
    word, shape = OLDER if older else STATES[document.state]
    return _(word), shape


def failure_of(document: KnowledgeDocument) -> str:
    """Return why a document cannot be read, and what to do; empty if it can be."""
    return " ".join(
        filter(None, (shown_sentence(problem_of(document.failure)), shown_sentence(remedy_of(document.failure))))
    )


def source_name(source: SourceState) -> str:
    """Return the name of a source."""
    return _("Shared by the operator") if source.id == SHARED else source.name


def source_state(source: SourceState) -> tuple[str, str]:
    """Return the word and shape of how a source does."""
    if source.state == "disabled":
        return _("Disabled"), ""
    if source.state == "needs-secrets":
        return _("Needs its secrets"), "medium"
    if source.state not in USABLE:
        return _("Plugin is missing"), "high"
    if source.problem:
        return _("Fails"), "high"
    if source.id != SHARED and source.last_success_at is None:
        return _("Not fetched yet"), ""
    return _("Works"), "low"


def source_problem(source: SourceState) -> str:
    """Return what was wrong with the last fetch, and what to do; empty if nothing."""
    texts = fetch_reasons.problem_of(source.problem), fetch_reasons.remedy_of(source.problem)
    return " ".join(filter(None, map(shown_sentence, texts)))


def source_facts(source: SourceState, zone: ZoneInfo) -> list[tuple[str, str]]:
    """Return what a source brought, and when it was fetched, which is not recorded of the operator's."""
    times = [(_("Last new one"), source.last_added_at)]
    if source.id != SHARED:
        times.append((_("Last fetched"), source.last_success_at))
    shown = [(name, shown_time(moment, zone) if moment else _("none yet")) for name, moment in times]
    return [(_("Guidelines"), _source_counts(source)), *shown]


def _source_counts(source: SourceState) -> str:
    counts = (
        (source.searchable, ngettext("{count} in use", "{count} in use", source.searchable)),
        (source.waiting, ngettext("{count} is being read", "{count} are being read", source.waiting)),
        (source.unreadable, ngettext("{count} cannot be read", "{count} cannot be read", source.unreadable)),
    )
    return ", ".join(text for count, text in counts if count) or _("none yet")


def asked(question: KnowledgeQuestion) -> tuple[str, str]:
    """Return why a question waits for the data team: a word and a shape."""
    word, shape = ASKED.get(question.feedback or "", ASKED["unanswered"])
    return _(word), shape


def languages(codes: Iterable[str]) -> list[tuple[str, str]]:
    """Return the languages of the documents as the options of a choice, all of them first."""
    return [("", _("All languages")), *((code, language_name(code)) for code in sorted(set(codes)))]


def place(section: str, page: int | None) -> str:
    """Return where a passage stands in its document, such as ``Gap of more than 3 months, page 4``."""
    headings = section.split(" > ")
    parts = [" / ".join(headings[1:] or headings)]
    if page is not None:
        parts.append(_("page {number}").format(number=shown_number(page)))
    return ", ".join(filter(None, parts))


def version(number: int, valid_from: date | None) -> str:
    """Return the version of a document, and the day from which it applies."""
    parts = [_("version {number}").format(number=shown_number(number))]
    if valid_from is not None:
        parts.append(_("valid from {day}").format(day=shown_date(valid_from)))
    return ", ".join(parts)


Pieces = list[tuple[str, bool]]
"""A line in pieces, of which some are marked."""


def sentence(text: str) -> str:
    """Return a sentence, an item or a row of a passage without the marks of lists and tables.

    >>> sentence("- Call first."), sentence("| below 50 | undetectable |")
    ('Call first.', 'below 50 · undetectable')
    """
    return " · ".join(filter(None, _cells(text))) if text.startswith("| ") else text.removeprefix("- ")


@dataclass(frozen=True, slots=True)
class Part:
    """A paragraph, a list or a table of a passage.

    Attributes:
        lines: paragraphs, or items of the list; none for a table.
        head: the column headings of a table.
        rows: of a table: the cells of each, and whether the row is marked.
    """

    kind: Literal["text", "list", "table"]
    lines: Sequence[Pieces] = ()
    head: Sequence[str] = ()
    rows: Sequence[tuple[Sequence[str], bool]] = ()


def parts(text: str, marks: Sequence[tuple[int, int]] = ()) -> list[Part]:
    r"""Return the parts of a passage's text.

    Args:
        text: as it was cut from the document.
        marks: places of sentences to mark, ``text[start:end]``, in their order.

    >>> [part.kind for part in parts("Two words.\n- one\n- two\n| a | b |\n| --- | --- |\n| c | d |")]
    ['text', 'list', 'table']
    >>> parts("Rest. Call the person. Then wait.", [(6, 22)])[0].lines
    [[('Rest. ', False), ('Call the person.', True), (' Then wait.', False)]]
    """
    blocks: list[Part] = []
    start = 0
    lines: list[tuple[str, int]] = []
    for line in text.split("\n"):
        lines.append((line, start))
        start += len(line) + 1
    for kind, group in groupby(lines, key=lambda each: _kind(each[0])):
        block = [(line, at) for line, at in group if line.strip()]
        if kind == "table":
            blocks.append(_table(block, marks))
        elif kind == "list":
            blocks.append(Part("list", [_pieces(line[2:], at + 2, marks) for line, at in block]))
        else:
            blocks += [Part("text", [_pieces(line, at, marks)]) for line, at in block]
    return blocks


def _kind(line: str) -> Literal["text", "list", "table"]:
    if line.startswith("| "):
        return "table"
    return "list" if line.startswith("- ") else "text"


def _table(lines: Sequence[tuple[str, int]], marks: Sequence[tuple[int, int]]) -> Part:
    head, *rows = [(_cells(line), _is_marked(line, at, marks)) for line, at in lines if not line.startswith("| ---")]
    width = max(len(cells) for cells, _marked in (head, *rows))
    wide = [([*cells, *[""] * (width - len(cells))], is_marked) for cells, is_marked in (head, *rows)]
    return Part("table", head=wide[0][0], rows=wide[1:])


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _is_marked(line: str, at: int, marks: Sequence[tuple[int, int]]) -> bool:
    return any(start < at + len(line) and at < end for start, end in marks)


def _pieces(line: str, at: int, marks: Sequence[tuple[int, int]]) -> Pieces:
    """The line in pieces; ``at`` is its place in the passage's text."""
    pieces: Pieces = []
    place = 0
    for start, end in marks:
        first, last = max(start - at, place), min(end - at, len(line))
        if first < last:
            pieces += [(line[place:first], False), (line[first:last], True)]
            place = last
    return [piece for piece in (*pieces, (line[place:], False)) if piece[0]]
