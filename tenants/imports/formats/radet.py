"""The common part of both RADETs: a row is a person, with the last pick-up, results, and the partner's status.

Facts of a RADET have their own keys. They are stored beside the facts of a longer file of the same system (a pharmacy
list, NMRS containers), and never replace what that file says of the same day.
"""

from __future__ import annotations

from datetime import datetime, time
from typing import TYPE_CHECKING

from core.errors import phrase
from tenants.imports.facts import (
    DispensationFact,
    FacilityFact,
    ObservationFact,
    PatientStateFact,
    SnapshotFact,
    UnreadContactFact,
)
from tenants.imports.formats.drugs import is_antiretroviral
from tenants.imports.reading.plans import SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Mapping as Table
    from datetime import date

    from tenants.imports.facts import Reading
    from tenants.imports.formats.listing import Row

STATUSES = {
    "active": "active",
    "active transfer in": "active",
    "active restart": "active_restart",
    "restart": "active_restart",
    "iit": "iit",
    "inactive": "iit",
    "ltfu": "iit",
    "lost to follow up": "iit",
    "interruption in treatment": "iit",
    "stopped": "stopped",
    "stopped treatment": "stopped",
    "art stopped": "stopped",
    "discontinued care": "stopped",
    "died": "died",
    "dead": "died",
    "death": "died",
    "died (confirmed)": "died",
    "known death": "died",
    "transferred out": "transferred_out",
    "transfer out": "transferred_out",
    "art transfer out": "transferred_out",
}
"""The partner's words for a status, as LAMIS+ and NMRS write them, in lower case."""
LASTING = ("died", "transferred_out", "stopped", "invalid")


class Person:
    """Builds the facts of the person of a row.

    Args:
        row: the cells.
        reading: receives the facts.
        patient: the identifier in the source.
        facility: DATIM id.
        labels: the list's names of the fields.
    """

    def __init__(self, row: Row, reading: Reading, patient: str, facility: str, labels: Table[str, str]) -> None:
        self._row = row
        self._reading = reading
        self._patient = patient
        self._facility = facility
        self._labels = labels

    def _key(self, *parts: str) -> str:
        return SEPARATOR.join((self._patient, "radet", *parts))

    def pickup(
        self,
        day: date | None,
        days: int | None,
        regimen: str | None,
        line: str | None,
        dsd_model: str | None = None,
        *,
        following: date | None = None,
        date_fields: tuple[str, ...] = ("last_pickup",),
    ) -> None:
        """Add the last pick-up if its date is readable. A wrong refill rejects the refill, not the pick-up."""
        if day is None or self._row.broken(*date_fields):
            return
        self._reading.facts.append(
            DispensationFact(
                key=self._key(day.isoformat()),
                patient=self._patient,
                facility=self._facility,
                labels=self._labels,
                date_dispensed=day,
                days_supplied=days,
                regimen=regimen,
                regimen_line=line,
                next_appointment=following,
                dsd_model=dsd_model,
                antiretroviral=is_antiretroviral(regimen, line),
            )
        )

    def unread(self, status: str | None) -> None:
        """Add an unread contact: the list has a last pick-up whose day or supply is unknown, so absence proves nothing.

        Args:
            status: the partner's own status of the person in this row.
        """
        self._reading.facts.append(
            UnreadContactFact(
                key=self._patient,
                patient=self._patient,
                facility=self._facility,
                labels=self._labels,
                partner_status=status,
            )
        )

    def result(
        self, variable: str, value: str, sampled: str, *, reported: str | None = None, unit: str | None = None
    ) -> None:
        """Add a laboratory result, on the day of its sample, else on that of its report.

        A sample without a result is an observation without a value.
        """
        row = self._row
        result = row.result(value)
        day, on = row.day(sampled), sampled
        if day is None and reported:
            day, on = row.day(reported), reported
        if row.broken(value, sampled, *([reported] if reported else [])) or (result is None and day is None):
            return
        if day is None:
            row.reject(sampled, "the result has no date", "fill in the day of the sample")
            return
        number, sign = result if result is not None else (None, None)
        values: dict[str, object] = {"value_numeric": number, "value_text": sign, "unit": unit}
        self._observation(variable, day, values, value=value, on=on)

    def measurement(self, variable: str, value: str, on: str, *, unit: str) -> None:
        """Add a measurement with its day. Without a day it is skipped: nobody knows when it was valid."""
        number, day = self._row.number(value), self._row.day(on)
        if number is not None and day is not None:
            self._observation(variable, day, {"value_numeric": number, "unit": unit}, value=value, on=on)

    def coded(self, variable: str, code: str | None, value: str, on: str) -> None:
        """Add a coded observation, from the field ``value``, with its day."""
        day = self._row.day(on)
        if code is not None and day is not None:
            self._observation(variable, day, {"value_coded": code}, value=value, on=on)

    def _observation(self, variable: str, day: date, values: dict[str, object], *, value: str, on: str) -> None:
        heading = self._row.heading(value)
        labels = {"obs_datetime": self._row.heading(on), "value_numeric": heading, "value_coded": heading}
        self._reading.facts.append(
            ObservationFact(
                key=self._key(variable, day.isoformat()),
                patient=self._patient,
                facility=self._facility,
                labels={**self._labels, **labels},
                obs_datetime=datetime.combine(day, time(0)),
                variable_name=variable,
                **values,  # type: ignore[arg-type]
            )
        )

    def state(
        self, state: str | None, day: date | None, name: str, reason: str | None = None, *, on: str | None = None
    ) -> None:
        """Add a lasting state with its day.

        Args:
            state: died, transferred_out, stopped or invalid; any other adds nothing.
            day: the first day of the state. If the list has none, give None: then the list's own day counts.
            name: the field that reports name for the day.
            reason: the reason in the list.
            on: a field that reports name in place of ``name``.
        """
        if state not in LASTING:
            return
        # A person dies once: a corrected date is an update. Transfers and stops may happen again.
        may_repeat = state in ("transferred_out", "stopped") and day is not None
        key = self._key(state, day.isoformat()) if may_repeat and day is not None else self._key(state)
        self._reading.facts.append(
            PatientStateFact(
                key=key,
                patient=self._patient,
                facility=self._facility,
                labels={**self._labels, "start_date": self._row.heading(on or name)},
                state=state,
                start_date=day,
                reason=reason,
            )
        )

    def snapshot(
        self,
        status: str,
        day: date | None,
        previous: str | None,
        previous_day: date | None,
        pickup: date | None,
        days: int | None,
    ) -> None:
        """Add the partner's status of the person."""
        self._reading.facts.append(
            SnapshotFact(
                key=self._patient,
                patient=self._patient,
                facility=self._facility,
                labels=self._labels,
                status=status,
                status_date=day,
                previous_status=previous,
                previous_date=previous_day,
                last_pickup=pickup,
                days_supplied=days,
            )
        )


def facility_of(row: Row, datim_id: str) -> FacilityFact:
    """The facility of a row, as far as both lists describe it."""
    return FacilityFact(
        key=datim_id,
        labels={"facilities": row.heading("datim_id")},
        name=row.text("facility_name"),
        state_province=row.text("state"),
        county_district=row.text("lga"),
    )


def is_unread(
    row: Row, pickup: date | None, days: int | None, status: str | None, following: date | None = None
) -> bool:
    """Whether the day of the last pick-up, or the end of its drugs, is unknown.

    A refill that is blank or 0 also counts as unknown if the partner's status says that the person is active.

    Args:
        row: the cells.
        pickup: the day of the last pick-up.
        days: its supply in days.
        status: the partner's own status of the person in this row.
        following: the next appointment in the row.
    """
    if pickup is None or row.broken("refill"):
        return True
    return not days and following is None and status in ("active", "active_restart")


def known_status(word: str) -> str | None:
    """The status of a word; None for an unknown word.

    LAMIS+ has several statuses for records that are not of a person on treatment (``Invalid - Duplicates``, ``Invalid -
    Nonexistent``, ``Invalid - Biometrical Naive``): all begin with the same word.
    """
    return "invalid" if word.split(maxsplit=1)[:1] == ["invalid"] else STATUSES.get(word)


def status_of(row: Row, name: str) -> str | None:
    """The partner's status; None if there is none, ``unknown`` for an unknown word, which is rejected."""
    if not row.has(name):
        return None
    status = known_status(row.word(name))
    if status is None:
        words = "Active, Active Restart, IIT, Stopped, Died, Transferred Out"
        row.reject(name, "an unknown status", phrase("write one of: {known}", known=words))
    return status or "unknown"
