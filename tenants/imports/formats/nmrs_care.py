"""Combine the observations of an NMRS encounter into facts: a pick-up, a visit, an outcome."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from tenants.imports.facts import DispensationFact, PatientStateFact, Rejection, VisitFact
from tenants.imports.formats.drugs import is_antiretroviral
from tenants.imports.formats.records import Labels, fold, is_true, moment, text
from tenants.imports.reading import values
from tenants.imports.reading.plans import SEPARATOR
from tenants.imports.reading.values import BadValueError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from tenants.imports.facts import Fact
    from tenants.imports.formats.nmrs_encounter import Answer, Encounter
    from tenants.imports.formats.nmrs_terms import NmrsTerms

    _T = TypeVar("_T")

_PICKUP = ("days_supplied", "regimen", "regimen_line")
_OUTCOME = ("termination_reason", "discontinued_reason")


class Care:
    """Turns encounters into facts, and collects facts about the person.

    Attributes:
        art_start: the earliest start of treatment in any of them.
        transferred_in: whether one of them says that the person came from elsewhere.
    """

    def __init__(self, terms: NmrsTerms, patient: str, facility: str, rejections: list[Rejection]) -> None:
        self._terms, self._patient, self._facility, self._bad = terms, patient, facility, rejections
        self.art_start: date | None = None
        self.transferred_in = False

    def of(self, encounter: Encounter) -> list[Fact]:
        """The facts of one encounter besides itself and its measurements."""
        facts: list[Fact] = []
        following = self._latest_day(encounter, "next_appointment")
        pickup = bool(encounter.kinds & self._terms.pharmacy) or any(name in encounter.answers for name in _PICKUP)
        if pickup:
            facts.append(self._pickup(encounter, following))
        elif "next_appointment" in encounter.answers and not encounter.kinds & self._terms.laboratory:
            facts.append(
                VisitFact(
                    key=SEPARATOR.join((encounter.key, "visit")),
                    patient=self._patient,
                    facility=self._facility,
                    labels=self._labels(encounter, "next_appointment"),
                    known_at=encounter.stamp,
                    voided=encounter.voided or not self._live(encounter, "next_appointment"),
                    date_started=encounter.when.date(),
                    next_appointment=following,
                )
            )
        started = [day for item in self._live(encounter, "art_start") if (day := self._day(item)) is not None]
        if started and not encounter.voided:
            self.art_start = min(filter(None, (self.art_start, *started)))
        facts += self._transfer_in(encounter)
        facts += self._outcomes(encounter)
        return facts

    def _pickup(self, encounter: Encounter, following: date | None) -> DispensationFact:
        answers = [item for name in _PICKUP for item in encounter.answers.get(name, [])]
        all_voided = bool(answers) and all(item.voided for item in answers)
        durations = self._live(encounter, "days_supplied")
        supplies = [days for item in durations if (days := self._read(item, _days)) is not None]
        regimens, drugs = self._live(encounter, "regimen"), self._texts(encounter, "regimen")
        lines = self._texts(encounter, "regimen_line")
        # The regimen's question names the line if there is no line.
        lines += [line for item in regimens if item.concept and (line := self._terms.lines.get(fold(item.concept)))]
        return DispensationFact(
            key=SEPARATOR.join((encounter.key, "pickup")),
            patient=self._patient,
            facility=self._facility,
            labels=self._labels(encounter, "days_supplied"),
            known_at=encounter.stamp,
            voided=encounter.voided or all_voided,
            date_dispensed=encounter.when.date(),
            # Of several durations on one form, one may be of drugs for TB: the longest would keep the person on supply
            # too long.
            days_supplied=min(supplies, default=None),
            regimen=next(iter(drugs), None),
            regimen_line=next(iter(lines), None),
            next_appointment=following,
            dsd_model=next(iter(self._texts(encounter, "dsd_model")), None),
            antiretroviral=is_antiretroviral(" + ".join(drugs), next(iter(lines), None)),
            supply_unread=bool(durations) and not supplies,
        )

    def _transfer_in(self, encounter: Encounter) -> list[Fact]:
        answers = encounter.answers.get("transferred_in_date", [])
        facts: list[Fact] = []
        for item in (
            answers[:1] if all(item.voided for item in answers) else self._live(encounter, "transferred_in_date")[:1]
        ):
            day = self._day(item)
            if day is None:
                continue
            self.transferred_in = self.transferred_in or not (item.voided or encounter.voided)
            facts.append(self._state(encounter, "transferred_in", day, item, voided=item.voided or encounter.voided))
        return facts

    def _outcomes(self, encounter: Encounter) -> list[Fact]:
        """Death, transfer out or stop, unless the form says that care has not ended."""
        answers = self._live(encounter, "care_terminated")
        if answers and not any(self._says_yes(item) for item in answers):
            return []
        day = self._latest_day(encounter, "termination_date") or encounter.when.date()
        facts: dict[str, Fact] = {}
        for question in _OUTCOME:
            for item in encounter.answers.get(question, []):
                answer_text = self._read(item, text)
                answer = fold(answer_text) if answer_text is not None else ""
                state = self._terms.outcomes.get(answer, "stopped" if question == "discontinued_reason" else None)
                is_voided = item.voided or encounter.voided
                if state is not None and (state not in facts or not is_voided):
                    facts[state] = self._state(encounter, state, day, item, voided=is_voided)
        return list(facts.values())

    def _state(self, encounter: Encounter, state: str, day: date, item: Answer, *, voided: bool) -> PatientStateFact:
        return PatientStateFact(
            key=SEPARATOR.join((encounter.key, state)),
            patient=self._patient,
            facility=self._facility,
            labels=item.place.labels({"start_date": item.name}),
            known_at=encounter.stamp,
            voided=voided,
            state=state,
            start_date=day,
        )

    def _labels(self, encounter: Encounter, question: str) -> Labels:
        """Return the labels of an encounter's fields. A field from its observations has their list as its place."""
        names = {
            "date_dispensed": "encounterDatetime",
            "date_started": "encounterDatetime",
            "stamp": "dateChanged",
            question: "obs",
        }
        return encounter.place.labels(names)

    @staticmethod
    def _live(encounter: Encounter, question: str) -> list[Answer]:
        answers = encounter.answers.get(question, [])
        return answers if encounter.voided else [item for item in answers if not item.voided]

    def _texts(self, encounter: Encounter, question: str) -> list[str]:
        live = self._live(encounter, question)
        texts = [answer for item in live if (answer := self._read(item, text)) is not None]
        if question != "regimen_line":
            return texts
        return [self._terms.lines.get(fold(answer)) or answer for answer in texts]

    def _latest_day(self, encounter: Encounter, question: str) -> date | None:
        days = [day for item in self._live(encounter, question) if (day := self._day(item)) is not None]
        return max(days, default=None)

    def _day(self, item: Answer) -> date | None:
        return self._read(item, lambda value: moment(value, self._terms.values).date())

    def _says_yes(self, item: Answer) -> bool:
        # 1066 is "no" in the dictionary that NMRS uses.
        return is_true(item.value) and str(item.value).strip() != "1066"

    def _read(self, item: Answer, convert: Callable[[Any], _T]) -> _T | None:
        try:
            return convert(item.value)
        except BadValueError as bad:
            if not item.voided:
                rejection = Rejection(item.place.place(item.name), bad.problem, bad.remedy)
                if rejection not in self._bad:
                    self._bad.append(rejection)
            return None


def _days(value: object) -> int:
    return values.days(value, "days")
