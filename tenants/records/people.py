"""Computes the versions of a person from all statements about the person, attribute by attribute, without a database.

The result depends only on the set of statements, which are ordered by data date, stamp, precedence of the kind, and
digest. README.md of this folder has the rules in sentences.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from tenants.records.care_fields import PatientDetails
from tenants.records.field_spec import specs
from tenants.records.personal import FIELDS, digest_of

ATTRIBUTES = (*FIELDS, "sex", "birthdate", *specs(PatientDetails))
"""The attributes of statements. ``birthdate_estimated`` belongs to ``birthdate``."""

_EARLIEST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class PersonRun:
    """The parts of a run that decide the order of its statements, and its lag."""

    number: int
    import_uuid: UUID | None
    kind: str
    data_date: date
    precedence: int
    digest: str
    lag_days: int | None


@dataclass(frozen=True, slots=True)
class Assertion:
    """A statement of one run, or of a user (``by_hand``): then ``stamp`` is its time.

    Attributes:
        columns: the columns of ``patient_statements``.
        attributes: the attributes that it states, among ``ATTRIBUTES``.
    """

    run: PersonRun
    stamp: datetime | None
    columns: Mapping[str, Any]
    attributes: frozenset[str]
    fallback: frozenset[str] = frozenset()
    by_hand: bool = False

    def place(self) -> tuple[object, ...]:
        """The sort key among the assertions about a person."""
        run = self.run
        stamp = self.stamp
        order = (stamp is not None, stamp or _EARLIEST, run.precedence, run.digest, run.number)
        return (run.data_date, self.by_hand, *order)


@dataclass(frozen=True, slots=True)
class ListOfPeople:
    """A full list: it names all people of a facility from ``covers_from`` to its data date."""

    number: int
    kind: str
    data_date: date
    covers_from: date


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The input of ``fold`` besides the statements.

    Attributes:
        start_of_day: returns the first instant of a day in the tenant's time zone.
        first_fact: the day of the person's earliest fact.
        first_known: the earliest day on which a fact was known.
        lists: full lists of the person's source at the facility.
        gaps: runs in which a row of the person was rejected.
    """

    start_of_day: Callable[[date], datetime]
    first_fact: date | None = None
    first_known: date | None = None
    lists: Sequence[ListOfPeople] = ()
    gaps: frozenset[int] = frozenset()


@dataclass(slots=True)
class PersonVersion:
    """One version of a person; ``cause`` is the assertion that began it."""

    known_from: datetime
    known_to: datetime | None
    assumed: bool
    voided: bool
    data_date: date
    cause: Assertion
    content: dict[str, Any]
    identity: tuple[object, ...] = ()


@dataclass(slots=True)
class _Line:
    """The values of one attribute over time: since when, a key that identifies the value, and its assertion."""

    changes: list[tuple[datetime, object, Assertion | None]] = field(default_factory=list)

    def at(self, instant: datetime) -> tuple[object, Assertion | None]:
        latest: tuple[object, Assertion | None] = (None, None)
        for since, key, assertion in self.changes:
            if since > instant:
                break
            latest = (key, assertion)
        return latest


def fold(assertions: Sequence[Assertion], world: World) -> list[PersonVersion]:
    """The versions of a person, oldest first; none if there are no statements."""
    ordered = _until_voided_by_hand(sorted(assertions, key=Assertion.place))
    if not ordered:
        return []
    beginning, assumed = _beginning(ordered, world)
    instants = _instants(ordered, world)
    lines = {name: _lines(name, ordered, instants, beginning) for name in ATTRIBUTES}
    voids = _voids(ordered, instants, beginning)
    points = {beginning, *(since for since, _, _ in voids.changes)}
    points |= {since for pair in lines.values() for line in pair for since, _, _ in line.changes}
    versions: list[PersonVersion] = []
    for point in sorted(points):
        cause = max(
            (pair for pair in zip(instants, ordered, strict=True) if pair[0] <= point),
            key=lambda pair: (pair[0], pair[1].place()),
            default=(point, ordered[0]),
        )[1]
        version = _version(point, lines, voids, cause)
        if versions and versions[-1].identity == version.identity:
            continue
        if versions:
            versions[-1].known_to = point
        versions.append(version)
    versions[0].assumed = assumed
    for version in versions:
        until = version.known_to
        days = [one.run.data_date for at, one in zip(instants, ordered, strict=True) if until is None or at < until]
        version.data_date = max(days, default=version.cause.run.data_date)
    return versions


def _until_voided_by_hand(ordered: list[Assertion]) -> list[Assertion]:
    """The assertions up to a user's voiding of the record, because later ones change nothing."""
    for position, one in enumerate(ordered):
        if one.by_hand and one.columns["voided"] and one.columns["voided_by"] != "source":
            return ordered[: position + 1]
    return ordered


def _beginning(ordered: Sequence[Assertion], world: World) -> tuple[datetime, bool]:
    """The beginning of the person's first version, and whether it is assumed."""
    stamped = [one.stamp for one in ordered if one.stamp is not None]
    unstamped = [one for one in ordered if one.stamp is None]
    if not unstamped:
        return min(stamped), False
    first = unstamped[0]
    day, lag = first.run.data_date, first.run.lag_days
    start = _start(ordered)
    # A fact that became known after a list named the person shows nothing about the time before that list.
    fact_first = world.first_known is not None and world.first_known <= day
    fact, fact_known = (world.first_fact, world.first_known) if fact_first else (None, None)
    anchor = max((each for each in (start, fact) if each is not None), default=None)
    assumed = False
    if anchor is not None and lag is not None and not first.columns["voided"]:
        kinds = {one.run.kind for one in unstamped if one.run.data_date == day}
        start_known = None if start is None else start + timedelta(days=lag)
        known = max(each for each in (start_known, fact_known) if each is not None)
        since = {anchor, start or anchor}
        if known < day and not any(_lacked(world, kinds, day, each, each + timedelta(days=lag)) for each in since):
            day, assumed = known, True
    begun = world.start_of_day(day)
    if stamped and min(stamped) < begun:
        return min(stamped), False
    return begun, assumed


def _start(ordered: Sequence[Assertion]) -> date | None:
    """Return the start of ART that counts from the person's beginning: the first one that an assertion states.

    Return None if that assertion has a stamp, or if an earlier list of the same kind lacked the start.
    """
    lacking: list[tuple[str, date]] = []
    for one in ordered:
        start: date | None = one.columns["art_start_date"]
        if start is not None and "art_start_date" in one.attributes and not one.columns["voided"]:
            late = any(kind == one.run.kind and day < one.run.data_date for kind, day in lacking)
            return None if late or one.stamp is not None else start
        lacking.append((one.run.kind, one.run.data_date))
    return None


def _lacked(world: World, kinds: set[str], first_date: date, anchor: date, assumed: date) -> bool:
    """Whether an earlier full list of these kinds should have named the person, but did not."""
    return any(
        one.kind in kinds and one.data_date < first_date and one.covers_from <= anchor and assumed <= one.data_date
        for one in world.lists
        if one.number not in world.gaps
    )


def _instants(ordered: Sequence[Assertion], world: World) -> list[datetime]:
    return [one.stamp or world.start_of_day(one.run.data_date) for one in ordered]


def differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The attributes in which two rows of ``patients`` differ."""
    return [name for name in ATTRIBUTES if _key(name, before) != _key(name, after)]


def _key(name: str, columns: Mapping[str, Any]) -> object:
    """A key that is equal for equal values of an attribute; None if the attribute is empty."""
    if name in FIELDS:
        return None if columns[f"{name}_enc"] is None else digest_of(columns["personal_hash"], name)
    if name == "birthdate":
        return None if columns[name] is None else (columns[name], columns["birthdate_estimated"])
    return columns[name]


def _lines(
    name: str, ordered: Sequence[Assertion], instants: Sequence[datetime], beginning: datetime
) -> tuple[_Line, _Line]:
    """The lines of an attribute: its stated values, and the fallbacks that count if no value is stated."""
    return tuple(  # type: ignore[return-value]
        _line(name, ordered, instants, beginning, fallback=fallback) for fallback in (False, True)
    )


def _line(
    name: str, ordered: Sequence[Assertion], instants: Sequence[datetime], beginning: datetime, *, fallback: bool
) -> _Line:
    line = _Line()
    key: object = None
    ever = False
    lacking: list[tuple[str, date]] = []
    wrong: set[bytes] = set()
    for one, instant in zip(ordered, instants, strict=True):
        if one.columns["voided"]:
            continue
        if name == "phone":
            if (mark := one.columns.get("wrong_phone_bidx")) is not None:
                wrong.add(bytes(mark))
            elif _repeats_wrong(one, wrong):
                continue
        stated = name in one.attributes and (name in one.fallback) == fallback
        value = _key(name, one.columns) if stated else None
        if value is None:
            lacking.append((one.run.kind, one.run.data_date))
            if not stated or not ever or key is None:
                continue
        if value == key:
            continue
        since = instant
        if not ever and not one.by_hand and one.stamp is None:
            before = any(kind == one.run.kind and day < one.run.data_date for kind, day in lacking)
            since = instant if before else beginning
        ever, key = True, value
        last = line.changes[-1][0] if line.changes else beginning
        line.changes.append((max(since, last), value, one))
    return line


def _repeats_wrong(one: Assertion, wrong: set[bytes]) -> bool:
    """Whether a list only repeats a phone that a person has marked as wrong, or has none in its place."""
    phone = one.columns["phone_bidx"]
    return bool(wrong) and not one.by_hand and (phone is None or bytes(phone) in wrong)


def _voids(ordered: Sequence[Assertion], instants: Sequence[datetime], beginning: datetime) -> _Line:
    line = _Line()
    voided = False
    for position, (one, instant) in enumerate(zip(ordered, instants, strict=True)):
        if one.columns["voided"] == voided:
            continue
        voided = one.columns["voided"]
        last = line.changes[-1][0] if line.changes else beginning
        line.changes.append((beginning if position == 0 else max(instant, last), voided, one))
    return line


def _version(
    point: datetime, lines: Mapping[str, tuple[_Line, _Line]], voids: _Line, cause: Assertion
) -> PersonVersion:
    content: dict[str, Any] = {"datim_id": cause.columns["datim_id"], "birthdate_estimated": False}
    digests: list[bytes] = []
    keys: list[object] = []
    for name, (real, standing_in) in lines.items():
        key, source = real.at(point)
        if key is None:
            key, source = standing_in.at(point)
        keys.append(key)
        columns = source.columns if source is not None and key is not None else None
        if name in FIELDS:
            digests.append(digest_of(None if columns is None else columns["personal_hash"], name))
            for suffix in ("enc", "bidx"):
                if f"{name}_{suffix}" in cause.columns:
                    content[f"{name}_{suffix}"] = None if columns is None else columns[f"{name}_{suffix}"]
        elif name == "transferred_in":
            content[name] = bool(key)
        else:
            content[name] = None if columns is None else columns[name]
            if name == "birthdate" and columns is not None:
                content["birthdate_estimated"] = columns["birthdate_estimated"]
    content["personal_hash"] = b"".join(digests)
    voided, by = voids.at(point)
    return PersonVersion(
        known_from=point,
        known_to=None,
        assumed=False,
        voided=bool(voided),
        data_date=cause.run.data_date,
        cause=by if voided and by is not None else cause,
        content=content,
        identity=(bool(voided), *keys),
    )
