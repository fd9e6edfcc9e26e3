"""Texts of the pages of data: states of imports, kinds of records, dimensions of quality, fields of two records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from core.web.stored_texts import shown_stored
from core.web.texts import gettext as _
from core.web.texts import marked, marked_forms, ngettext, shown_date, shown_number, shown_share
from tenants.portal.words import SEXES, counted
from tenants.risk.identities import full_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from tenants.imports.report import Summary
    from tenants.quality.candidates import Candidate, Side
    from tenants.quality.service import MeasureResult
    from tenants.records.schemas import PatientOut

STATES: Final[dict[str, tuple[str, str]]] = {
    "pending": (marked("Waiting"), ""),
    "reading": (marked("Reading the files"), ""),
    "checking": (marked("Checking the rows"), ""),
    "applying": (marked("Writing the records"), ""),
    "done": (marked("Imported"), "low"),
    "failed": (marked("Not imported"), "high"),
    "cancelled": (marked("Cancelled"), ""),
    "undoing": (marked("Being undone"), ""),
    "undone": (marked("Undone"), ""),
    "stalled": (marked("Interrupted"), "medium"),
}
"""Word and shape of each state of an import."""

WORKING: Final = frozenset({"pending", "reading", "checking", "applying", "undoing"})
ENDED: Final = frozenset({"done", "undone"})
"""The states after which the records are changed, and today's list can be made again."""
CANCELLABLE: Final = frozenset({"pending", "reading", "checking"})

KINDS: Final[dict[str, str]] = {
    "facilities": marked("Facilities"),
    "patients": marked("Patients"),
    "patient_states": marked("Deaths, transfers, stops"),
    "visits": marked("Visits"),
    "encounters": marked("Encounters"),
    "observations": marked("Tests and measurements"),
    "dispensations": marked("Refills"),
    "appointments": marked("Appointments"),
    "snapshots": marked("Rows of the list itself"),
}
DIMENSIONS: Final[dict[str, str]] = {
    "completeness": marked("Complete"),
    "timeliness": marked("On time"),
    "plausibility": marked("Plausible"),
    "consistency": marked("Consistent"),
    "uniqueness": marked("Recorded once"),
}
CARE: Final[dict[str, str]] = {
    "consecutive": marked("All contacts of one come before the other's."),
    "overlapping": marked("Contacts alternate between two facilities."),
    "together": marked("Contacts alternate at one facility."),
    "unknown": marked("One of the two has no contacts."),
}
DATES: Final[dict[str, str]] = {
    "": marked("Detect"),
    "day-first": marked("The day: 31/12/2026"),
    "month-first": marked("The month: 12/31/2026"),
}
DECISIONS: Final[dict[str, str]] = {
    "pending": marked("To decide"),
    "merged": marked("One person"),
    "refused": marked("Two people"),
}
"""The states of pairs that a page lists."""

PLACES: Final[dict[str, str]] = {
    "entry": marked("entry"),
    "file": marked("file"),
    "line": marked("line"),
    "row": marked("row"),
}
"""Places of problems that are no headings."""
SEVERAL_FILES: Final = marked_forms("{count} file", "{count} files")
"""What stands for the file where a problem is in several."""

OLD_DAYS, STALE_DAYS = 31, 92


def state(name: str) -> str:
    """The word of a state of an import."""
    return _(STATES[name][0])


def shape(name: str) -> str:
    """The shape of a state of an import."""
    return STATES[name][1]


def age(day: date | None, today: date) -> tuple[str, str]:
    """The age of data of a day, in words, with the shape of a badge."""
    if day is None:
        return _("no data yet"), "high"
    days = (today - day).days
    if days <= 0:
        return _("up to today"), "low"
    level = "low" if days <= OLD_DAYS else "medium" if days <= STALE_DAYS else "high"
    return _("{days} old").format(days=counted(days)), level


def count_rows(summary: Summary) -> list[dict[str, str]]:
    """The numbers of records that the import wrote, a row for each kind of record."""
    return [
        {
            "kind": _(KINDS[kind]),
            "new": shown_number(counts.get("inserted", 0)),
            "changed": shown_number(counts.get("updated", 0)),
            "same": shown_number(counts.get("unchanged", 0) + counts.get("superseded", 0)),
        }
        for kind, counts in summary.counts.items()
        if kind in KINDS and any(counts.get(name) for name in ("inserted", "updated", "unchanged", "superseded"))
    ]


def problem_rows(problems: Sequence[Mapping[str, Any]], *, accepted: bool) -> list[dict[str, str]]:
    """The problems of rows that were rejected, or accepted in part: where, what, what to do, and how often."""
    return [
        {
            "problem": sentence(shown_stored(problem["problem"])),
            "remedy": sentence(shown_stored(problem["remedy"])),
            "place": " · ".join(part for part in (shown_stored(problem["file"]), _place(problem["field"])) if part),
            "count": shown_number(problem["count"]),
        }
        for problem in problems
        if problem["row_accepted"] == accepted
    ]


def dimension_facts(dimensions: Mapping[str, int]) -> list[tuple[str, str]]:
    """The dimensions of a score, each with its share."""
    return [(_(text), shown_share(dimensions[name] / 100)) for name, text in DIMENSIONS.items() if name in dimensions]


def measure_rows(measures: Sequence[MeasureResult]) -> list[dict[str, str]]:
    """Measures of quality: what, how many of how many are right, and the share."""
    return [
        {
            "about": capital(_(measure.about)),
            "right": _("{right} of {all}").format(
                right=shown_number(measure.numerator), all=shown_number(measure.denominator)
            ),
            "percent": shown_share((measure.percent or 0) / 100),
        }
        for measure in measures
    ]


def field(name: str) -> str:
    """What the form of an upload calls a field that an import failed for; another place is named as it is."""
    return {"data_date": _("Data date"), "format": _("Format")}.get(name, name)


def capital(text: str) -> str:
    """A text with a capital at its beginning."""
    return f"{text[:1].upper()}{text[1:]}"


def sentence(text: str) -> str:
    """A problem or remedy as a sentence, without marks of code."""
    plain = text.replace("`", "").strip()
    return capital(plain) + ("" if plain.endswith((".", "?", "!")) else ".")


def _place(name: str) -> str:
    """The place of a problem: a heading of the file as it is, or a word for a part of the file."""
    return _(PLACES[name]) if name in PLACES else name


def agreement(pair: Candidate) -> str:
    """The facts in which two records agree and differ, in a sentence for each."""
    parts = (", ".join(map(_, labels)) for labels in (pair.agree, pair.differ) if labels)
    return " ".join(map(sentence, parts))


def rows_of(count: int) -> str:
    """A number of rows in words."""
    return ngettext("{count} row", "{count} rows", count)


def side_rows(
    patients: Sequence[PatientOut | None], sides: Sequence[Side], clinics: Mapping[str, str]
) -> list[dict[str, str]]:
    """Two records beside each other: a row for each field, with a mark where they differ."""
    columns = [_facts(patient, side, clinics) for patient, side in zip(patients, sides, strict=True)]
    rows = []
    for name in columns[0]:
        left, right = (column[name] for column in columns)
        if left or right:
            same = left.casefold() == right.casefold()
            mark = "" if same else "medium" if left and right else "none"
            rows.append({"field": name, "left": left or "-", "right": right or "-", "mark": mark})
    return rows


def mark_text(mark: str) -> str:
    """The word of a mark; rows that are the same have none."""
    return {"medium": _("differs"), "none": _("only one")}[mark]


def _facts(patient: PatientOut | None, side: Side, clinics: Mapping[str, str]) -> dict[str, str]:
    facts = {} if patient is None else _person(patient)
    return facts | {
        _("Facility"): clinics.get(side.facility or "", side.facility or ""),
        _("First contact"): _day(side.first_contact),
        _("Last contact"): _day(side.last_contact),
    }


def _person(patient: PatientOut) -> dict[str, str]:
    return {
        _("Name"): full_name(patient.model_dump()) or "",
        _("Sex"): _(SEXES[patient.sex]) if patient.sex in SEXES else "",
        _("Date of birth"): _day(patient.birthdate),
        _("Phone"): patient.phone or "",
        _("Hospital number"): patient.hospital_number or "",
        _("Programme number"): patient.pepfar_id or "",
        _("On ART since"): _day(patient.art_start_date),
        _("Lives in"): ", ".join(
            part for part in (patient.city_village, patient.county_district, patient.state_province) if part
        ),
    }


def _day(day: date | None) -> str:
    return "" if day is None else shown_date(day)
