"""An installation that older code made gets what newer code sets up, its servers running or not."""

from dataclasses import replace

import psycopg
import pytest

from core.services import ensure, state
from core.services.manager import superuser_url
from core.settings import get_settings

PUBLIC = "SELECT has_database_privilege('iit_passer_by', 'iit', 'CONNECT')"


@pytest.fixture
def older(own_services):
    """The installation as code would have left it that let every role connect."""
    folder = get_settings().state_dir
    known = state.read(folder)
    with psycopg.connect(superuser_url(known), autocommit=True) as link:
        link.execute("CREATE ROLE iit_passer_by")
        link.execute("GRANT CONNECT ON DATABASE iit TO PUBLIC")
        assert link.execute(PUBLIC).fetchone() == (True,)
        state.write(folder, replace(known, bootstrap="of older code"))
        yield link
        link.execute("DROP ROLE iit_passer_by")


def test_a_right_that_newer_code_takes_away_goes_the_next_time_it_is_asked_for(older):
    before = ensure()
    assert older.execute(PUBLIC).fetchone() == (False,)
    assert ensure() == before, "it goes on where it was"


def test_it_is_done_once(older, monkeypatch):
    from core.services import bootstrap

    ensure()
    monkeypatch.setattr(bootstrap, "bootstrap", lambda *_a, **_k: pytest.fail("done again"))
    ensure()
