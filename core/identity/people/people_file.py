"""Files of people to add: every row is checked before anything is written; people who are members stay as they are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy import text

from core.database import platform_session, tenant_session
from core.errors import FieldError, Forbidden, Invalid, phrase
from core.identity.facilities import ACTOR, directory
from core.identity.people.account_rows import checked_language
from core.identity.people.members import Grant
from core.identity.people.names import normal_email, normal_name
from core.identity.roles import PROGRAM
from core.identity.tenant_roles.service import list_roles
from core.web.short_csv import read_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from core.database import TenantRef

COLUMNS: Final = {
    "email": "email",
    "e-mail": "email",
    "name": "name",
    "role": "roles",
    "roles": "roles",
    "facility": "facilities",
    "facilities": "facilities",
    "state": "states",
    "states": "states",
    "language": "language",
    "assigned only": "assigned_only",
    "assigned_only": "assigned_only",
}
"""Heading of a column -> what it holds."""

NEEDED: Final = ("email", "name", "roles")
MOST_ROWS: Final = 1000
LONGEST: Final = 500_000
"""Characters of a file."""

RowState = Literal["new", "present", "wrong"]
NEW: Final = "new"
PRESENT: Final = "present"
WRONG: Final = "wrong"
YES_OR_NO: Final = {"yes": True, "no": False, "": False}
_SEVERAL: Final = re.compile(r"[;,|\n]")
_PRESENT: Final = text(
    "SELECT p.email, p.state, p.operator_role, m.person_id, m.roles, m.facility_ids, m.states, m.assigned_only"
    " FROM platform.people p"
    " LEFT JOIN platform.memberships m ON m.person_id = p.id AND m.tenant_id = :tenant WHERE p.email = ANY(:emails)"
)


@dataclass(slots=True)
class PersonRow:
    """One row of a file.

    Attributes:
        line: the line of the file where the row ends, from 1.
        language: of pages and letters of a new account; None for the tenant's.
        state: ``new``, ``present`` (a member with just these roles and reach), or ``wrong``.
        problems: what is wrong, by column.
    """

    line: int
    email: str
    name: str
    grant: Grant
    language: str | None = None
    state: RowState = NEW
    problems: list[FieldError] = field(default_factory=list)

    def reject(self, column: str, problem: str, remedy: str) -> None:
        """Mark the row as wrong."""
        self.state = WRONG
        self.problems.append(FieldError(column, problem, remedy))


def decoded(data: bytes) -> str:
    """Return the text of a file: UTF-8, else as old spreadsheets write it."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def check_file(tenant: TenantRef, content: str, allow: Callable[[Grant], None] | None = None) -> list[PersonRow]:
    """Return the rows of a file with what is wrong with each. Nothing is written.

    Args:
        tenant: whom the people shall join.
        content: of the file: a header, then one person a line. Several roles, facilities (DATIM ids) or states are
            separated by semicolons; no facility and no state means all. The column ``assigned_only`` may be absent.
        allow: raises ``Forbidden`` if who adds the people may not give a grant; None if they may give every one.

    Raises:
        Invalid: the file is too long, or a column is missing, unknown or there twice (422).
    """
    rows = list(_rows(content))
    places = _places(tenant, rows)
    _check_facts(rows)
    _check_grants(tenant, rows, places, allow)
    _compare(tenant, rows, places)
    return rows


def _rows(content: str) -> Iterator[PersonRow]:
    too_many = phrase("has more than {most:,} people", most=MOST_ROWS)
    lines = read_lines(content, _unreadable, longest=LONGEST, most=MOST_ROWS, too_many=too_many)
    columns = _columns(next(lines)[1])
    for line, cells in lines:
        yield _row(line, dict(zip(columns, cells, strict=False)))


def _columns(head: list[str]) -> list[str]:
    names = [COLUMNS.get(cell.strip().lower(), "") for cell in head]
    unknown = [place for place, name in enumerate(names, 1) if not name]
    if unknown:
        remedy = phrase("Use {names}.", names=", ".join(sorted(set(COLUMNS.values()))))
        raise _unreadable(phrase("has an unknown heading in column {number}", number=unknown[0]), remedy)
    twice = [name for name, count in Counter(names).items() if count > 1]
    missing = [name for name in NEEDED if name not in names]
    if twice or missing:
        problem = (
            phrase("has the column {name} twice", name=twice[0])
            if twice
            else phrase("has no column {name}", name=missing[0])
        )
        raise _unreadable(problem, "Begin the file with: email,name,roles,facilities,states")
    return names


def _row(line: int, cells: Mapping[str, str]) -> PersonRow:
    def several(column: str) -> list[str]:
        parts = (" ".join(part.split()) for part in _SEVERAL.split(cells.get(column, "")))
        return list(dict.fromkeys(part for part in parts if part))

    only = cells.get("assigned_only", "").strip().lower()
    places = (several("facilities") or None, several("states") or None)
    grant = Grant(several("roles"), *places, assigned_only=YES_OR_NO.get(only, True))
    language = cells.get("language", "").strip().lower() or None
    row = PersonRow(line, cells.get("email", ""), cells.get("name", ""), grant, language)
    if only not in YES_OR_NO:
        row.reject("assigned_only", "is neither yes nor no", "Write yes or no; nothing means no.")
    return row


_NORMAL: Final[Mapping[str, Callable[[Any], object]]] = {
    "email": normal_email,
    "name": normal_name,
    "language": checked_language,
}
"""Column -> function that returns its stored form, or raises ``Invalid``."""


def _check_facts(rows: list[PersonRow]) -> None:
    seen: dict[str, int] = {}
    for row in rows:
        for column, normal in _NORMAL.items():
            try:
                setattr(row, column, normal(getattr(row, column)))
            except Invalid as error:
                row.reject(column, error.errors[0].problem, error.errors[0].remedy)
        if row.email in seen:
            row.reject("email", phrase("is in line {line} too", line=seen[row.email]), "Write each person one time.")
        seen.setdefault(row.email, row.line)


def _places(tenant: TenantRef, rows: list[PersonRow]) -> Mapping[str, UUID]:
    """DATIM id -> id, of those facilities in the file that exist."""
    asked = {name for row in rows for name in row.grant.facilities or ()}
    with tenant_session(tenant, actor=ACTOR, readonly=True) as session:
        return directory().ids(session, asked) if asked else {}


def _check_grants(
    tenant: TenantRef,
    rows: list[PersonRow],
    places: Mapping[str, UUID],
    allow: Callable[[Grant], None] | None,
) -> None:
    known = {role.name for role in list_roles(tenant)} - {PROGRAM}
    for row in rows:
        unknown = [name for name in row.grant.roles if name not in known]
        if unknown or not row.grant.roles:
            row.reject(
                "roles",
                "names a role that does not exist" if unknown else "names no role",
                phrase("Write one or more of {names}.", names=", ".join(sorted(known))),
            )
        elif allow is not None:
            try:
                allow(row.grant)
            except Forbidden as error:
                row.reject("roles", error.detail, error.remedy)
        if any(name not in places for name in row.grant.facilities or ()):
            row.reject("facilities", "names no facility", "Write DATIM ids of facilities, with semicolons between.")


def _compare(tenant: TenantRef, rows: list[PersonRow], places: Mapping[str, UUID]) -> None:
    values = {"tenant": tenant.id, "emails": [row.email for row in rows]}
    with platform_session() as session:
        people = {row["email"]: row for row in session.execute(_PRESENT, values).mappings()}
    for row in rows:
        person = people.get(row.email)
        if row.state == WRONG or person is None:
            continue
        if person["state"] != "active" or person["operator_role"] is not None:
            row.reject("email", "is of an account that cannot join", "Ask the operator of the installation.")
        elif person["person_id"] is not None:
            if _same(row.grant, person, places):
                row.state = PRESENT
            else:
                row.reject("email", "belongs already, with other roles or another reach", "Change the person instead.")


def _same(grant: Grant, member: Mapping[Any, Any], places: Mapping[str, UUID]) -> bool:
    facilities = None if grant.facilities is None else {places[name] for name in grant.facilities}
    states = None if grant.states is None else set(grant.states)
    return (
        set(grant.roles) == set(member["roles"])
        and facilities == (None if member["facility_ids"] is None else set(member["facility_ids"]))
        and states == (None if member["states"] is None else set(member["states"]))
        and grant.assigned_only == member["assigned_only"]
    )


def _unreadable(problem: str, remedy: str) -> Invalid:
    detail = "the file of people cannot be read"
    return Invalid(detail, remedy=remedy, errors=[FieldError("csv", problem, remedy)])
