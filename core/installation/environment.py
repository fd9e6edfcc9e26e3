"""The check of settings that are unsafe in production, before the first record is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core import telemetry
from core.errors import FieldError, Invalid
from core.settings import environment_name, get_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.settings import Settings

log = telemetry.get_logger(__name__)


def check_environment() -> None:
    """Reject unsafe settings where ``IIT_ENVIRONMENT`` is ``production``, and log the environment.

    Raises:
        Invalid: settings are unsafe; names each.
    """
    settings = get_settings()
    problems = list(unsafe(settings)) if settings.environment == "production" else []
    if problems:
        names = ", ".join(problem.field for problem in problems)
        detail = f"IIT_ENVIRONMENT is production, and these settings are not safe there: {names}"
        raise Invalid(detail, remedy="correct them, or set IIT_ENVIRONMENT to development", errors=problems)
    log.info("environment", environment=settings.environment)
    if not settings.public_url:
        log.warning("messages to channels have no link, as this setting is empty", setting="IIT_PUBLIC_URL")


def unsafe(settings: Settings) -> Iterator[FieldError]:
    """The settings that are not safe in production."""
    if settings.database_url is None and not settings.services_fsync:
        problem = "the embedded servers do not wait for the disk: a power cut destroys the database"
        yield FieldError(environment_name("services_fsync"), problem, "set it to true")
    if settings.log_level == "debug":
        yield FieldError(environment_name("log_level"), "debug lines say too much", "set it to info")
    if settings.master_key is None:
        problem = "the master key lies in the state folder, beside the data that it protects"
        remedy = "set it to the content of master.key, keep a copy elsewhere, and remove the file"
        yield FieldError(environment_name("master_key"), problem, remedy)
    elif len(set(settings.master_key.get_secret_value().rstrip("="))) < 8:  # noqa: PLR2004 - random keys have over 20
        problem = "the master key is not random"
        yield FieldError(environment_name("master_key"), problem, "make one with: openssl rand -base64 32")
