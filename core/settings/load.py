"""Reads the settings and the master key; generates the key for embedded servers."""

import base64
import os
import secrets
from functools import cache
from pathlib import Path

from pydantic import ValidationError
from pydantic_settings import SettingsError

from core.errors import FieldError, Invalid, Unavailable
from core.settings.model import CHECKOUT, MASTER_KEY_BYTES, Settings, decode_master_key, environment_name

FILE_VARIABLE = "IIT_SETTINGS_FILE"
"""Variable that names the settings file; the default is ``settings.env`` of the checkout. The environment wins over the
file."""


@cache
def get_settings() -> Settings:
    """Return the settings of this process. ``get_settings.cache_clear()`` makes the next call read them again.

    Raises:
        Invalid: a key is unknown or a value is wrong; the error names each key, and repeats no value.
    """
    named = os.environ.get(FILE_VARIABLE)
    file = Path(named) if named else CHECKOUT / "settings.env"
    if named and not file.exists():
        detail = f"{FILE_VARIABLE} names {file}, which does not exist"
        raise Invalid(detail, remedy=f"create it from settings.example.env, or unset {FILE_VARIABLE}")
    try:
        return Settings(_env_file=file)
    except ValidationError as error:
        raise _explained(error) from None
    except SettingsError:
        problem = FieldError(environment_name("data_databases"), "is not JSON", "see settings.example.env")
        raise Invalid(f"the settings cannot be used: {problem.field}", errors=[problem]) from None


def _explained(error: ValidationError) -> Invalid:
    """Turn Pydantic's error into an error for operators, without the values, which may be secrets."""
    problems = []
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        field = str(problem["loc"][0]) if problem["loc"] else ""
        name = environment_name(field) if field in Settings.model_fields else field.upper()
        known = problem["type"] != "extra_forbidden"
        what = problem["msg"].removeprefix("Value error, ") if known else "is not a setting"
        problems.append(FieldError(name, what, "see settings.example.env"))
    names = ", ".join(problem.field for problem in problems)
    return Invalid(f"the settings cannot be used: {names}", remedy="see settings.example.env", errors=problems)


def master_key() -> bytes:
    """Return the 32 bytes that wrap every tenant's key.

    They come from ``IIT_MASTER_KEY``. Embedded servers can use ``master.key`` in the state folder instead, which is
    created (0600) on first use. An external database outlives this machine's folder, so it needs ``IIT_MASTER_KEY``.

    Raises:
        Invalid: ``DATABASE_URL`` is set and ``IIT_MASTER_KEY`` is not, or the file contains no key.
        Unavailable: the key's file can be neither read nor created.
    """
    settings = get_settings()
    if settings.master_key is not None:
        return decode_master_key(settings.master_key.get_secret_value())
    if settings.database_url is not None:
        detail = "IIT_MASTER_KEY is not set, and DATABASE_URL is"
        remedy = "set IIT_MASTER_KEY to 32 random bytes in base64 (openssl rand -base64 32), and keep a copy elsewhere"
        raise Invalid(detail, remedy=remedy)
    file = settings.state_dir / "master.key"
    try:
        if not file.exists():
            _create_once(file, base64.b64encode(secrets.token_bytes(MASTER_KEY_BYTES)) + b"\n")
        return decode_master_key(file.read_text(encoding="ascii"))
    except ValueError as error:
        raise Invalid(f"{file} {error}", remedy="restore the file: without it, encrypted columns are lost") from None
    except OSError as error:
        detail = f"the master key's file {file} can be neither read nor made: {error.strerror}"
        raise Unavailable(detail, remedy="run as the owner of that folder, or set IIT_STATE_DIR") from error


def make_private(folder: Path) -> None:
    """Create a private folder if it does not exist.

    If root creates it, other accounts may enter but not list it: servers and plugins reach their own folders in it.

    Raises:
        OSError: the folder cannot be created.
    """
    folder.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)


def _create_once(file: Path, content: bytes) -> None:
    """Write a new private file in one step. Leave a file that another process has just created."""
    make_private(file.parent)
    draft = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(draft, file)
        except FileExistsError:
            return
    finally:
        draft.unlink(missing_ok=True)
