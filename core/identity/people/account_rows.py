"""The row of a person's account: made at an invitation, and the language that its person chose."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import text
from uuid_utils.compat import uuid7

from core.clock import now
from core.database import platform_session
from core.errors import Conflict, FieldError, Invalid, phrase
from core.identity.people.names import normal_name
from core.web.texts import LANGUAGES

if TYPE_CHECKING:
    from sqlmodel import Session


def ensure_person(session: Session, email: str, name: str, actor: str) -> UUID:
    """Return the account with this address, which is created if there is none, and lock its row.

    An account that exists keeps its name.

    Raises:
        Conflict: it is deactivated, or an operator's.
    """
    session.execute(
        text(
            "INSERT INTO platform.people (id, email, name, state, created_at, created_by)"
            " VALUES (:id, :email, :name, 'active', :now, :actor) ON CONFLICT (email) DO NOTHING"
        ),
        {"id": uuid7(), "email": email, "name": name, "now": now(), "actor": actor},
    )
    row = session.execute(
        text("SELECT id, state, operator_role FROM platform.people WHERE email = :email FOR UPDATE"), {"email": email}
    ).one()
    if row.state != "active" or row.operator_role is not None:
        detail = "the account with this address cannot join a tenant"
        raise Conflict(detail, remedy="Ask the operator of the installation.")
    return UUID(str(row.id))


def name_unused(session: Session, person_id: UUID, name: str | None, language: str | None = None) -> None:
    """Give an account that nobody has used yet its name and language, in the caller's transaction.

    Call it before the first membership counts. Until then an account has the name that the first inviter gave, who may
    be of another tenant than the one that the person joins. An account in use keeps its own.
    """
    session.execute(
        text(
            "UPDATE platform.people p SET name = coalesce(:name, p.name), language = coalesce(p.language, :language)"
            " WHERE p.id = :person AND p.password_hash IS NULL AND NOT EXISTS"
            " (SELECT 1 FROM platform.memberships m WHERE m.person_id = p.id AND m.accepted_at IS NOT NULL)"
        ),
        {"person": person_id, "name": name, "language": language},
    )


def choose_name(person_id: UUID, name: str) -> str:
    """Store the name by which pages of every tenant call a person, and return it in its stored form.

    Raises:
        Invalid: it is empty or too long (422).
    """
    shown = normal_name(name)
    with platform_session() as session:
        session.execute(
            text("UPDATE platform.people SET name = :name WHERE id = :person"), {"name": shown, "person": person_id}
        )
    return shown


def checked_language(language: str | None) -> str | None:
    """Return the language if it is one of those of the pages, or none.

    Raises:
        Invalid: it is not (422).
    """
    if language is None or language in LANGUAGES:
        return language
    detail = "there is no such language"
    problem = "is not a language of the pages"
    raise Invalid(
        detail, errors=[FieldError("language", problem, phrase("Give one of {names}.", names=", ".join(LANGUAGES)))]
    )


def choose_language(person_id: UUID, language: str | None) -> None:
    """Store the language in which a person wants pages and letters, on every device; None for none of their own.

    Raises:
        Invalid: there is no such language (422).
    """
    chosen = checked_language(language)
    with platform_session() as session:
        session.execute(
            text("UPDATE platform.people SET language = :language WHERE id = :person"),
            {"language": chosen, "person": person_id},
        )
