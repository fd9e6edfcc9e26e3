"""Whoever serves or works is warned where a database gives everybody rights that a tenant must not have."""

import psycopg
from structlog.testing import capture_logs

from core.database.rights import closing_sql, open_rights, warn_of_open_rights
from core.services import bootstrap, state
from core.services.manager import superuser_url
from core.settings import get_settings


def test_a_database_that_was_closed_gives_no_warning(database):
    with capture_logs() as logged:
        warn_of_open_rights()
    assert logged == []
    assert open_rights("default") == ()


def test_an_open_one_is_named_with_what_to_do(database):
    address = superuser_url(state.read(get_settings().state_dir), bootstrap.DATABASE)
    with psycopg.connect(address, autocommit=True) as link:
        link.execute("GRANT EXECUTE ON FUNCTION set_config TO PUBLIC")
        try:
            with capture_logs() as logged:
                warn_of_open_rights()
        finally:
            link.execute(closing_sql("default").encode())
    (line,) = logged
    assert line["log_level"] == "warning"
    assert line["database"] == "default"
    assert "become another tenant" in line["open"][0]
    assert "iit database rights --sql" in line["what_to_do"]
    assert open_rights("default") == ()
