"""Base backups of the embedded PostgreSQL and its archived WAL, which together can restore any later moment."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import Invalid, Unavailable
from core.services import faults, manager, ports, state
from core.services.account import Account, server_account
from core.services.manager import to_stderr
from core.services.postgres import SUPERUSER, Postgres
from core.services.programs import Programs, reachable
from core.services.superuser import ask
from core.settings import get_settings

if TYPE_CHECKING:
    from core.telemetry.progress import LineCallback

FACTS = "iit.json"
_SEGMENT = re.compile(r"([0-9A-F]{24})(\.gz|\.partial|\.[0-9A-F]{8}\.backup(\.gz)?)?")
_SEGMENT_BYTES = 16 * 1024 * 1024
_HOURS = 24 * 3600


@dataclass(frozen=True, slots=True)
class BaseBackup:
    """A copy of the whole server at a moment.

    Attributes:
        name: the name of its folder; sorts by time.
        began: its beginning (UTC, ISO 8601).
        ended: the earliest moment that it can be recovered to.
        first_wal: the oldest segment of WAL that it needs.
        bytes: its size.
    """

    name: str
    began: str
    ended: str
    first_wal: str
    bytes: int


@dataclass(frozen=True, slots=True)
class BackupPlace:
    """The folders of base backups and WAL, and the server and account that write them."""

    known: state.State
    account: Account
    home: Path
    programs: Programs
    folder: Path

    @property
    def bases(self) -> Path:
        """The folder of the base backups."""
        return self.folder / "base"

    @property
    def wal(self) -> Path:
        """The archive of WAL."""
        return self.folder / "wal"


def backup_folder() -> Path:
    """Return the folder of all backups. Creates it, private, if it does not exist.

    If the servers' data are outside the state folder, so are the backups: the servers' account cannot reach the state
    folder.

    Raises:
        Unavailable: it cannot be created.
    """
    settings = get_settings()
    folder = settings.backup_dir or settings.state_dir / "backups"
    if settings.backup_dir is None and settings.database_url is None:
        known = state.read(settings.state_dir)
        if known is not None and known.home:
            folder = Path(f"{known.home}-backups")
    state.prepare(folder.parent)
    state.prepare(folder)
    return folder


def backup_place(say: LineCallback = to_stderr) -> BackupPlace:
    """The running embedded server and the folders of its backups.

    Raises:
        Invalid: the database is not the embedded one.
        Unavailable: the server cannot be started, or its account cannot reach the folder.
    """
    settings = get_settings()
    if settings.database_url is not None:
        detail = "DATABASE_URL is set: base backups are made of the embedded server only"
        raise Invalid(detail, remedy="use your server's own tools, such as pg_basebackup or a managed service's")
    manager.ensure(say)
    known = state.read(settings.state_dir) or state.State()
    home = known.data_home(settings.state_dir)
    account = server_account(home)
    # A server that was reset numbers its WAL from the beginning, so each server has its own folder.
    server = ask(manager.superuser_url(known), "SELECT system_identifier FROM pg_control_system()")[0]
    place = BackupPlace(known, account, home, reachable(account, home), backup_folder() / str(server))
    state.prepare(place.folder)
    for folder in (place.bases, place.wal):
        folder.mkdir(mode=0o700, exist_ok=True)
        account.own(folder)
    if not account.reaches(place.wal, write=True):
        detail = f"the servers run as the account {account.name}, which cannot reach {place.folder}"
        raise Unavailable(detail, remedy="set IIT_BACKUP_DIR to a folder that it can reach")
    return place


def base_backup(*, keep: int = 7, say: LineCallback = to_stderr) -> tuple[BaseBackup, list[str]]:
    """Make a base backup, archive WAL from now on, and remove all but the newest ``keep`` backups.

    Returns:
        The backup, and the names of the removed ones.

    Raises:
        Invalid: the database is not the embedded one.
        Unavailable: the backup fails; older ones stay.
    """
    place = backup_place(say)
    with state.locked(place.folder, say):
        _archive(place)
        backup = _make(place)
        return backup, _thin_out(place, keep)


def base_backups(folder: Path | None = None) -> list[BaseBackup]:
    """The base backups of the present server, oldest first; ``folder`` is its ``BackupPlace.folder``."""
    if folder is None:
        known = state.read(get_settings().state_dir)
        if known is None or known.archive is None:
            return []
        folder = Path(known.archive).parent
    files = (folder / "base").glob(f"*/{FACTS}")
    backups = [BaseBackup(**json.loads(file.read_text(encoding="utf-8"))) for file in files]
    return sorted(backups, key=lambda backup: backup.name)


def _archive(place: BackupPlace) -> None:
    """Make the running server archive its WAL, and record this for its next start.

    Raises:
        Unavailable: an older version started it without the settings for archiving.
    """
    url = manager.superuser_url(place.known)
    if ask(url, "SHOW archive_mode") != ("on",):
        detail = "the embedded PostgreSQL was started by an older version, which did not prepare for archiving"
        raise Unavailable(detail, command="restart it: iit services stop, then iit services start")
    if place.known.archive == str(place.wal):
        return
    place.known.archive = str(place.wal)
    state.write(get_settings().state_dir, place.known)
    server = Postgres(place.home, place.account, to_stderr, place.known.archive)
    server.configure(place.known.postgres_port, fsync=get_settings().services_fsync)
    ask(url, "SELECT pg_reload_conf()")


def _make(place: BackupPlace) -> BaseBackup:
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    draft, secret = place.bases / f"{name}.partial", place.folder / f".{name}.pgpass"
    for left in place.bases.glob("*.partial"):
        shutil.rmtree(left)
    began = ask(manager.superuser_url(place.known), "SELECT clock_timestamp()")[0]
    try:
        secret.touch(mode=0o600)
        place.account.own(secret)
        secret.write_text(f"*:*:*:{SUPERUSER}:{place.known.superuser_password}\n", encoding="ascii")
        server = f"host={ports.LOOPBACK} port={place.known.postgres_port} user={SUPERUSER} passfile='{secret}'"
        command = [str(place.programs.bin / "pg_basebackup"), f"--dbname={server}", f"--pgdata={draft}"]
        command += ["--format=tar", "--compress=gzip:1", "--wal-method=stream", "--checkpoint=fast", "--no-password"]
        command += [] if get_settings().services_fsync else ["--no-sync"]
        _run(place, command)
        _run(place, [str(place.programs.bin / "pg_verifybackup"), "--no-parse-wal", "--quiet", str(draft)])
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    finally:
        secret.unlink(missing_ok=True)
    ended = ask(manager.superuser_url(place.known), "SELECT clock_timestamp()")[0]
    size = sum(file.stat().st_size for file in draft.iterdir())
    backup = BaseBackup(name, began.isoformat(), ended.isoformat(), _first_wal(draft), size)
    facts = draft / FACTS
    facts.write_text(json.dumps(asdict(backup)), encoding="utf-8")
    place.account.own(facts)
    draft.rename(place.bases / name)
    return backup


def _run(place: BackupPlace, command: list[str]) -> None:
    done = place.account.run(command, folder=place.bases, timeout=_HOURS)
    if done.returncode:
        raise faults.rejected("the base backup could not be made", done.stdout, place.home / "postgres.log")


def _first_wal(folder: Path) -> str:
    """The name of the first segment of WAL that a base backup needs, from its manifest."""
    ranges = json.loads((folder / "backup_manifest").read_text(encoding="utf-8"))["WAL-Ranges"][0]
    high, low = (int(part, 16) for part in ranges["Start-LSN"].split("/"))
    return f"{ranges['Timeline']:08X}{high:08X}{low // _SEGMENT_BYTES:08X}"


def _thin_out(place: BackupPlace, keep: int) -> list[str]:
    """Remove all but the newest ``keep`` base backups, and the WAL that none of them needs."""
    backups = base_backups(place.folder)
    doomed = backups[: max(0, len(backups) - max(1, keep))]
    for backup in doomed:
        shutil.rmtree(place.bases / backup.name)
    oldest = backups[len(doomed)].first_wal
    for file in os.scandir(place.wal):
        segment = _SEGMENT.fullmatch(file.name)
        if segment and segment[1][8:] < oldest[8:]:
            Path(file.path).unlink()
    return [backup.name for backup in doomed]
