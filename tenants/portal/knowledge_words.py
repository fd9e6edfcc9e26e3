"""Texts of the pages of guidelines: states, languages, questions to begin with, and passages in parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from core.web.texts import gettext as _
from core.web.texts import marked, ngettext, shown_date, shown_number
from tenants.portal.message_words import language_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

STATES: Final[dict[str, tuple[str, str]]] = {
    "waiting": (marked("Being read"), ""),
    "searchable": (marked("In use"), "low"),
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

EXAMPLES: Final = (
    marked("What do we do when someone comes back after 4 months?"),
    marked("When is the viral load test repeated?"),
    marked("Who may get refills for several months?"),
)
"""Questions for who has none yet."""

MONTH_DAYS: Final = 30.44
INTERRUPTED_AFTER: Final = 28
"""Days after the expected contact from which treatment counts as interrupted."""
UNSUPPRESSED: Final = 1000
DETECTABLE: Final = 50
"""Copies per mL from which a result is unsuppressed, and from which it is not undetectable."""
ADULT: Final = 20
"""Years from which a person is no adolescent."""
MOST_SUGGESTIONS: Final = 4


@dataclass(frozen=True, slots=True)
class Facts:
    """What questions about a patient may say: nothing by which anybody would recognise the person.

    Attributes:
        status: on the day, as in ``patient_words.STATUSES``.
        days_late: days since the expected contact.
        viral_load: the newest result, in copies per mL.
        age: in years.
        regimen: of the newest refill.
    """

    status: str | None = None
    days_late: int | None = None
    viral_load: float | None = None
    age: int | None = None
    regimen: str | None = None


def suggestions(facts: Facts) -> list[str]:
    """Return questions that the guidelines may answer for a person, the most pressing first."""
    texts = [_lateness(facts.days_late or 0), _viral_load(facts.viral_load), _refills(facts)]
    if facts.age is not None and facts.age < ADULT:
        texts.append(_("How often do children and adolescents have a viral load test?"))
    if facts.regimen:
        texts.append(_("What do we watch for in people on {regimen}?").format(regimen=facts.regimen))
    return [text for text in texts if text][:MOST_SUGGESTIONS]


def _lateness(days: int) -> str:
    if days <= 0:
        return ""
    if days <= INTERRUPTED_AFTER:
        return ngettext(
            "What do we do when someone is {count} day late?",
            "What do we do when someone is {count} days late?",
            days,
        )
    return ngettext(
        "What do we do when someone comes back after {count} month?",
        "What do we do when someone comes back after {count} months?",
        max(round(days / MONTH_DAYS), 1),
    )


def _viral_load(copies: float | None) -> str:
    if copies is None or copies < DETECTABLE:
        return ""
    if copies < UNSUPPRESSED:
        return _("What do we do about a viral load of 50 to 999 copies?")
    return _("What do we do after an unsuppressed viral load?")


def _refills(facts: Facts) -> str:
    steady = facts.status == "active" and not facts.days_late and (facts.viral_load or 0) < UNSUPPRESSED
    return _("Who may get refills for several months?") if steady else ""


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


@dataclass(frozen=True, slots=True)
class Part:
    """A paragraph, a list or a table of a passage.

    Attributes:
        lines: each in pieces, of which some are marked; none for a table.
        head: the column headings of a table.
        rows: of a table.
    """

    kind: Literal["text", "list", "table"]
    lines: Sequence[Sequence[tuple[str, bool]]] = ()
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


def parts(text: str, sentences: Sequence[str] = ()) -> list[Part]:
    r"""Return the parts of a passage's text, in which ``sentences`` are marked.

    >>> [part.kind for part in parts("Two words.\n- one\n- two\n| a | b |\n| --- | --- |\n| c | d |")]
    ['text', 'list', 'table']
    >>> parts("Rest. Call the person. Then wait.", ["Call the person."])[0].lines
    [[('Rest. ', False), ('Call the person.', True), (' Then wait.', False)]]
    """
    found: list[Part] = []
    lines = text.split("\n")
    while lines:
        kind = _kind(lines[0])
        count = next((place for place, line in enumerate(lines) if _kind(line) != kind), len(lines))
        block, lines = lines[:count], lines[count:]
        if kind == "table":
            head, *rows = [_cells(line) for line in block if not line.startswith("| ---")]
            found.append(Part("table", head=head, rows=rows))
        elif kind == "list":
            found.append(Part("list", [_pieces(line.removeprefix("- "), sentences) for line in block]))
        else:
            found += [Part("text", [_pieces(line, sentences)]) for line in block if line.strip()]
    return found


def _kind(line: str) -> Literal["text", "list", "table"]:
    if line.startswith("| "):
        return "table"
    return "list" if line.startswith("- ") else "text"


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _pieces(line: str, sentences: Sequence[str]) -> list[tuple[str, bool]]:
    pieces = [(line, False)]
    for sentence in filter(None, sentences):
        pieces = [
            part
            for piece, is_marked in pieces
            for part in ([(piece, True)] if is_marked else _split(piece, sentence.removeprefix("- ")))
        ]
    return pieces


def _split(piece: str, sentence: str) -> list[tuple[str, bool]]:
    before, found, after = piece.partition(sentence)
    return [part for part in ((before, False), (found, True), (after, False)) if part[0]]
