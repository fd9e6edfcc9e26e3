"""Every 201 and 202 names the address of what was created in ``Location``."""

import pytest

from core.web.location import STATUSES
from tests.isolation.routes import all_cases


@pytest.fixture(scope="module")
def declared(application):
    return {
        (method.upper(), path): operation["responses"]
        for path, methods in application.openapi()["paths"].items()
        for method, operation in methods.items()
    }


@pytest.mark.parametrize("case", [one for one in all_cases() if one.method != "GET"], ids=str)
def test_what_was_made_is_where_location_says(case, world, declared):
    successes = [answer for status, answer in declared[case.method, case.path].items() if int(status) in STATUSES]
    if not successes:
        return
    assert "Location" in successes[0]["headers"]
    answer = case.ask(world.owner, case.prepare(world))
    assert answer.status_code in STATUSES
    assert answer.headers["location"].startswith("/v1/")
    assert world.owner.get(answer.headers["location"]).status_code == 200
