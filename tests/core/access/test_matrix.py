"""The page of roles says what the features declare."""

from core.access.matrix import FILE, page
from core.identity import declared_permissions
from core.identity.roles import ROLES


def test_the_page_is_what_the_features_declare():
    assert FILE.read_text(encoding="utf-8") == page(), "run python -m core.access.matrix"


def test_permissions_name_roles_that_exist():
    for permission in declared_permissions().values():
        for role in permission.roles:
            assert ROLES[role].operator == permission.operator, f"{permission.name} names {role}"
