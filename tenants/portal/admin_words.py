"""Texts of the admin's pages: roles, and what is wrong with a form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from core.web.problem_texts import problem_text
from core.web.texts import gettext as _
from core.web.texts import marked, ngettext

if TYPE_CHECKING:
    from collections.abc import Iterable

    from core.errors import AppError
    from core.identity.people.members import Member

ROLES: Final = {
    "partner_admin": marked("Partner admin"),
    "data_officer": marked("Data officer"),
    "clinician": marked("Clinician"),
    "case_manager": marked("Case manager"),
    "tracking_officer": marked("Tracking officer"),
    "viewer": marked("Viewer"),
    "service": marked("Service"),
    "platform_admin": marked("Platform admin"),
    "platform_support": marked("Platform support"),
}

FIELDS: Final = {
    "email": marked("Write the e-mail address as name@example.org."),
    "name": marked("Write a name of at most 100 characters."),
    "roles": marked("Choose at least one role that exists."),
    "language": marked("Choose a language of the list."),
    "facilities": marked("Choose facilities that exist."),
    "states": marked("Choose states that exist."),
    "role_name": marked("Write up to 40 small letters, digits and hyphens, such as case-lead."),
    "meaning": marked("Say in one line who has the role."),
    "includes": marked("Choose roles that can be included."),
    "permissions": marked("Choose permissions that exist."),
    "key_name": marked("Say in one line what the key is for."),
    "url": marked("Begin the address with https://, without a user name, a password or a fragment."),
    "events": marked("Choose events of the list."),
    "expires_on": marked("Write a day after today as YYYY-MM-DD, or nothing."),
}
"""Name of a field -> what to write in it."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a form was rejected, as its page shows it.

    Attributes:
        text: what is wrong and what to do, if no field is to blame.
        fields: name of each wrong field, and what to write in it.
    """

    text: str = ""
    fields: tuple[tuple[str, str], ...] = ()

    @property
    def by_field(self) -> dict[str, str]:
        """The remedy for each wrong field."""
        return dict(self.fields)


def problem_of(error: AppError, names: dict[str, str] | None = None) -> Problem:
    """Return the error of a service for the form that caused it.

    Args:
        error: what the service raised.
        names: name of the form's field for fields that the service calls otherwise.
    """
    known = names or {}
    wrong = [known.get(name, name) for name in (one.field.partition(".")[0] for one in error.errors)]
    fields = [name for name in dict.fromkeys(wrong) if name in FIELDS]
    if fields:
        return Problem(fields=tuple((name, _(FIELDS[name])) for name in fields))
    return Problem(problem_text(error))


def role_name(name: str) -> str:
    """Return how pages call a role: in words if it is built in, else by its name."""
    return _(ROLES[name]) if name in ROLES else name


def role_names(names: Iterable[str]) -> str:
    """Return how pages call several roles, with commas between."""
    return ", ".join(role_name(name) for name in names)


def reach_of(member: Member) -> str:
    """Return what a person reaches, in words."""
    parts = list(member.states or ())
    if member.facilities is not None:
        count = len(member.facilities)
        parts.append(ngettext("{count} facility", "{count} facilities", count))
    if member.assigned_only:
        parts.append(_("assigned patients only"))
    return ", ".join(parts) or _("everything")
