"""Is the process alive, and can it do its work: /healthz and /readyz, which need no credential and tell no secrets."""

import time
from collections.abc import Callable
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from core.database import platform_session
from core.errors import AppError, FieldError, Unavailable
from core.errors.problem import responses
from core.services import ensure
from core.telemetry import get_logger

REDIS_SECONDS = 2.0

router = APIRouter(tags=["health"])
log = get_logger(__name__)


class Alive(BaseModel):
    """The process answers."""

    model_config = ConfigDict(json_schema_extra={"example": {"status": "alive"}})

    status: Literal["alive"] = "alive"


class Check(BaseModel):
    """One thing that is needed."""

    name: str
    duration_ms: float = Field(description="How long the check took, in milliseconds.")


class Ready(BaseModel):
    """Everything that is needed answers."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"status": "ready", "checks": [{"name": "postgresql", "duration_ms": 1.2}]}}
    )

    status: Literal["ready"] = "ready"
    checks: list[Check]


class NotReadyError(Exception):
    """A check failed; the message is for everybody to read."""


def check_postgresql() -> None:
    """The database answers.

    Raises:
        NotReadyError: it does not.
    """
    try:
        with platform_session() as session:
            session.execute(text("SELECT 1"))
    except AppError as error:
        raise NotReadyError(error.detail) from error


def check_redis() -> None:
    """Redis or Valkey answers.

    Raises:
        NotReadyError: it does not.
    """
    try:
        with Redis.from_url(
            ensure().redis_url, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS
        ) as client:
            client.ping()
    except (RedisError, OSError) as error:
        message = "Redis does not answer"
        raise NotReadyError(message) from error


def check_migrations() -> None:
    """The schemas ``platform`` and ``node`` are at the version that this code was written for, or at a newer one.

    Newer is ready: migrations only add what the next release needs, so that this one goes on meanwhile.

    Raises:
        NotReadyError: they are not.
    """
    from core.database.upgrade import head

    try:
        with platform_session() as session:
            found = session.execute(
                text(
                    "SELECT (SELECT version_num FROM platform.alembic_version),"
                    " (SELECT version_num FROM node.alembic_version)"
                )
            ).one()
    except ProgrammingError as error:
        message = "the database's version cannot be read"
        raise NotReadyError(message) from error
    except AppError as error:
        raise NotReadyError(error.detail) from error
    behind = [tree for tree, version in zip(("platform", "node"), found, strict=True) if (version or "") < head(tree)]
    if behind:
        message = f"the database is not at the version of the code: {', '.join(behind)}"
        raise NotReadyError(message)


CHECKS: dict[str, tuple[Callable[[], None], str]] = {
    "postgresql": (check_postgresql, "See that it runs, and that DATABASE_URL is right."),
    "redis": (check_redis, "See that it runs, and that REDIS_URL is right."),
    "migrations": (check_migrations, "Run `iit migrate`."),
}


@router.get("/healthz", operation_id="healthz", summary="Is the process alive")
def healthz() -> Alive:
    """Answers as long as the process does. Restart it when this fails."""
    return Alive()


@router.get("/readyz", operation_id="readyz", summary="Can it do its work", responses=responses(Unavailable))
def readyz() -> Ready:
    """Asks everything that is needed. Send no traffic while this answers 503."""
    done: list[Check] = []
    failed: list[FieldError] = []
    for name, (check, remedy) in CHECKS.items():
        began = time.perf_counter()
        try:
            check()
            done.append(Check(name=name, duration_ms=round((time.perf_counter() - began) * 1000, 2)))
        except NotReadyError as error:
            log.warning("not ready", check=name, reason=str(error))
            failed.append(FieldError(name, str(error), remedy))
    if failed:
        detail = f"not ready: {', '.join(error.field for error in failed)}"
        raise Unavailable(detail, errors=failed, retry_after=5)
    return Ready(checks=done)
