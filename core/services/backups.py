"""Base backups of the embedded PostgreSQL and the WAL that carries them on: any later moment can be restored."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from core.errors import Invalid, Unavailable
from core.services import faults, manager, ports, state
from core.services.account import Account, server_account
from core.services.manager import Say, to_stderr
from core.services.postgres import SUPERUSER, Postgres
from core.services.programs import Programs, reachable
from core.services.superuser import ask
from core.settings import get_settings

FACTS = "iit.json"
_SEGMENT = re.compile(r"([0-9A-F]{24})(\.gz|\.partial|\.[0-9A-F]{8}\.backup(\.gz)?)?")
_SEGMENT_BYTES = 16 * 1024 * 1024
_HOURS = 24 * 3600


@dataclass(frozen=True, slots=True)
class BaseBackup:
    """A copy of the whole server as of a moment.

    Attributes:
        name: of its folder; sorts by time.
        began: when it was begun (UTC, ISO 8601).
        ended: from this moment on it can be brought to any later one.
        first_wal: the oldest segment of WAL that it needs.
        bytes: its size.
    """

    name: str
    began: str
    ended: str
    first_wal: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Ground:
    """Where base backups and WAL are, and who writes them."""

    known: state.State
    account: Account
    home: Path
    programs: Programs
    folder: Path

    @property
    def bases(self) -> Path:
        """The base backups' folder."""
        return self.folder / "base"

    @property
    def wal(self) -> Path:
        """The archive of WAL."""
        return self.folder / "wal"


def backup_folder() -> Path:
    """The folder of all backups, made private where it is not there.

    Beside the servers' data where those are not in the state folder, since their account cannot reach that.

    Raises:
        Unavailable: it cannot be made.
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


def ground(say: Say = to_stderr) -> Ground:
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
    # A server that was reset numbers its WAL from the beginning: each server has a folder of its own.
    server = ask(manager.superuser_url(known), "SELECT system_identifier FROM pg_control_system()")[0]
    found = Ground(known, account, home, reachable(account, home), backup_folder() / str(server))
    state.prepare(found.folder)
    for folder in (found.bases, found.wal):
        folder.mkdir(mode=0o700, exist_ok=True)
        account.own(folder)
    if not account.reaches(found.wal, write=True):
        detail = f"the servers run as the account {account.name}, which cannot reach {found.folder}"
        raise Unavailable(detail, remedy="set IIT_BACKUP_DIR to a folder that it can reach")
    return found


def base_backup(*, keep: int = 7, say: Say = to_stderr) -> tuple[BaseBackup, list[str]]:
    """Make a base backup, let WAL be archived from now on, and remove what is older than the newest ``keep``.

    Returns:
        The backup, and the names of those that were removed.

    Raises:
        Invalid: the database is not the embedded one.
        Unavailable: it cannot be made; older ones stay.
    """
    here = ground(say)
    with state.locked(here.folder, say):
        _archive(here)
        made = _make(here)
        return made, _thin_out(here, keep)


def base_backups(folder: Path | None = None) -> list[BaseBackup]:
    """The base backups of the server that is here now, oldest first; ``folder`` is its ``Ground.folder``."""
    if folder is None:
        known = state.read(get_settings().state_dir)
        if known is None or known.archive is None:
            return []
        folder = Path(known.archive).parent
    files = (folder / "base").glob(f"*/{FACTS}")
    found = [BaseBackup(**json.loads(file.read_text(encoding="utf-8"))) for file in files]
    return sorted(found, key=lambda backup: backup.name)


def _archive(here: Ground) -> None:
    """Have the running server archive its WAL, and remember it for its next start.

    Raises:
        Unavailable: it was started by a version that did not prepare for it.
    """
    url = manager.superuser_url(here.known)
    if ask(url, "SHOW archive_mode") != ("on",):
        detail = "the embedded PostgreSQL was started by an older version, which did not prepare for archiving"
        raise Unavailable(detail, command="restart it: iit services stop, then iit services start")
    if here.known.archive == str(here.wal):
        return
    here.known.archive = str(here.wal)
    state.write(get_settings().state_dir, here.known)
    server = Postgres(here.home, here.account, to_stderr, here.known.archive)
    server.configure(here.known.postgres_port, fsync=get_settings().services_fsync)
    ask(url, "SELECT pg_reload_conf()")


def _make(here: Ground) -> BaseBackup:
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    draft, secret = here.bases / f"{name}.partial", here.folder / f".{name}.pgpass"
    for left in here.bases.glob("*.partial"):
        shutil.rmtree(left)
    began = ask(manager.superuser_url(here.known), "SELECT clock_timestamp()")[0]
    try:
        secret.touch(mode=0o600)
        here.account.own(secret)
        secret.write_text(f"*:*:*:{SUPERUSER}:{here.known.superuser_password}\n", encoding="ascii")
        server = f"host={ports.LOOPBACK} port={here.known.postgres_port} user={SUPERUSER} passfile='{secret}'"
        command = [str(here.programs.bin / "pg_basebackup"), f"--dbname={server}", f"--pgdata={draft}"]
        command += ["--format=tar", "--compress=gzip:1", "--wal-method=stream", "--checkpoint=fast", "--no-password"]
        command += [] if get_settings().services_fsync else ["--no-sync"]
        _run(here, command)
        _run(here, [str(here.programs.bin / "pg_verifybackup"), "--no-parse-wal", "--quiet", str(draft)])
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    finally:
        secret.unlink(missing_ok=True)
    ended = ask(manager.superuser_url(here.known), "SELECT clock_timestamp()")[0]
    size = sum(file.stat().st_size for file in draft.iterdir())
    made = BaseBackup(name, began.isoformat(), ended.isoformat(), _first_wal(draft), size)
    facts = draft / FACTS
    facts.write_text(json.dumps(asdict(made)), encoding="utf-8")
    here.account.own(facts)
    draft.rename(here.bases / name)
    return made


def _run(here: Ground, command: list[str]) -> None:
    done = here.account.run(command, folder=here.bases, timeout=_HOURS)
    if done.returncode:
        raise faults.refused("the base backup could not be made", done.stdout, here.home / "postgres.log")


def _first_wal(folder: Path) -> str:
    """The name of the first segment of WAL that a base backup needs, from its manifest."""
    ranges = json.loads((folder / "backup_manifest").read_text(encoding="utf-8"))["WAL-Ranges"][0]
    high, low = (int(part, 16) for part in ranges["Start-LSN"].split("/"))
    return f"{ranges['Timeline']:08X}{high:08X}{low // _SEGMENT_BYTES:08X}"


def _thin_out(here: Ground, keep: int) -> list[str]:
    """Remove base backups but the newest ``keep``, and the WAL that none of those needs."""
    found = base_backups(here.folder)
    doomed = found[: max(0, len(found) - max(1, keep))]
    for backup in doomed:
        shutil.rmtree(here.bases / backup.name)
    oldest = found[len(doomed)].first_wal
    for file in os.scandir(here.wal):
        segment = _SEGMENT.fullmatch(file.name)
        if segment and segment[1][8:] < oldest[8:]:
            Path(file.path).unlink()
    return [backup.name for backup in doomed]
