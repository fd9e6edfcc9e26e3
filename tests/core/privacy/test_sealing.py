"""Sealed secrets open for their tenant, purpose and thing alone."""

from uuid import uuid4

import pytest

from core.database import tenant_session
from core.privacy.errors import CannotDecrypt
from core.privacy.sealing import seal, unseal


def test_a_secret_opens_for_its_tenant_purpose_and_thing_alone(two_tenants):
    ours, theirs = two_tenants
    thing = uuid4()
    with tenant_session(ours, actor="test:1") as session:
        sealed = seal(session, "link", thing, "/password/secret")
        assert "secret" not in sealed
        assert unseal(session, "link", thing, sealed) == "/password/secret"
        for purpose, other in (("link", uuid4()), ("other", thing)):
            with pytest.raises(CannotDecrypt):
                unseal(session, purpose, other, sealed)
        for broken in (sealed[:-4], f"9.{sealed}", "", "x.y"):
            with pytest.raises(CannotDecrypt):
                unseal(session, "link", thing, broken)
    with tenant_session(theirs, actor="test:1") as session, pytest.raises(CannotDecrypt):
        unseal(session, "link", thing, sealed)
