"""A room's settings are kept per tenant, as one row per model, over the model's defaults."""

from typing import ClassVar

import pytest
from pydantic import BaseModel, Field
from sqlalchemy import text

from core.database import tenant_session
from core.errors import Invalid
from core.tenancy import settings


class Grace(BaseModel):
    settings_key: ClassVar[str] = "test_grace"
    days: int = Field(default=28, ge=0)
    note: str = ""


class Rules(BaseModel):
    settings_key: ClassVar[str] = "test_rules"
    grace: Grace = Grace()
    limit: int = 5


class Nameless(BaseModel):
    days: int = 1


def test_what_was_never_put_has_the_models_defaults(session):
    assert settings.get(session, Grace) == Grace()


def test_what_was_put_last_is_what_is_got_and_who_put_it_is_kept(session):
    settings.put(session, Grace(days=7))
    settings.put(session, Grace(days=0, note="appointments"))
    assert settings.get(session, Grace) == Grace(days=0, note="appointments")
    row = session.execute(text("SELECT count(*), max(updated_by) FROM tenant_settings")).one()
    assert tuple(row) == (1, session.actor)


def test_only_what_was_set_is_stored_so_that_other_defaults_can_follow_a_release(session):
    settings.put(session, Rules(grace=Grace(days=28)))
    assert session.execute(text("SELECT value FROM tenant_settings")).scalar() == {"grace": {"days": 28}}
    assert settings.get(session, Rules).grace.days == 28


def test_one_tenants_settings_are_not_anothers(two_tenants):
    first, second = two_tenants
    with tenant_session(first, actor="test:1") as session:
        settings.put(session, Grace(days=3))
    with tenant_session(second, actor="test:1") as session:
        assert settings.get(session, Grace).days == 28


def test_a_stored_value_that_no_longer_fits_is_named(session):
    session.execute(text("INSERT INTO tenant_settings VALUES ('test_grace', '{\"days\": -1}', now(), 'test:1')"))
    with pytest.raises(Invalid) as error:
        settings.get(session, Grace)
    assert [field.field for field in error.value.errors] == ["days"]


def test_a_model_without_a_key_is_rejected(session):
    with pytest.raises(TypeError, match="settings_key"):
        settings.get(session, Nameless)
