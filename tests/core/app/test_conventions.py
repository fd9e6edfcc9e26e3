"""What every route does with a request that it does not know in full."""

from typing import get_args
from uuid import uuid4

import pytest
from fastapi.routing import APIRoute
from pydantic import BaseModel

from core.access.require import CallerRequirement, NoKeyRule, OperatorRequirement, access_rules, api_routes, is_public
from core.app.conventions import query_names
from core.web.pages import PageRoute


def problems(answer):
    assert answer.status_code == 422, answer.text
    return [(error["field"], error["remedy"]) for error in answer.json()["errors"]]


class TestUnknownQueryParameters:
    def test_the_nearest_known_name_is_said(self, toy_api):
        assert problems(toy_api.get("/v1/toy/pages", params={"page_sise": 2})) == [
            ("query.page_sise", "Send page_size, or leave it out.")
        ]

    def test_where_none_is_near_all_are_said(self, toy_api):
        assert problems(toy_api.get("/v1/toy/pages", params={"colour": 2})) == [
            ("query.colour", "Leave it out. Known: page, page_size.")
        ]

    def test_a_text_that_is_no_name_is_not_repeated(self, toy_api):
        answer = toy_api.get("/v1/toy/pages", params={"Musa Bello 0803": 2})
        assert [field for field, _ in problems(answer)] == ["query"]
        assert "Musa" not in answer.text

    def test_who_has_no_key_learns_nothing(self, toy_app, client_for):
        assert client_for(toy_app, None).get("/v1/toy/pages", params={"colour": 2}).status_code == 401

    def test_who_may_not_call_it_learns_nothing(self, toy_app, client_for, tenant):
        from core.identity.keys import create_key

        key = create_key(tenant, name="none", permissions=()).plaintext
        assert client_for(toy_app, key).get("/v1/toy/pages", params={"colour": 2}).status_code == 403


class TestUnknownBodyFields:
    @pytest.mark.parametrize(
        ("body", "field", "remedy"),
        [
            ({"name": "xx", "birth_date": ""}, "body.birth_date", "Send birthdate, or leave it out."),
            (
                {"name": "xx", "notes": [{"reeson": ""}]},
                "body.notes.0.reeson",
                "Send reason, or leave it out.",
            ),
            ({"name": "xx", "0803 Musa": ""}, "body", "Leave it out. Known: birthdate, name, notes."),
        ],
    )
    def test_the_nearest_known_name_is_said(self, toy_api, body, field, remedy):
        assert problems(toy_api.post("/v1/toy/body", json=body)) == [(field, remedy)]

    def test_a_form_has_no_unknown_fields(self, toy_api):
        answer = toy_api.post("/v1/toy/upload", files={"file": b"x"}, data={"fil": "x"})
        assert problems(answer) == [("body.fil", "Send file, or leave it out.")]


def test_a_body_in_another_encoding_is_not_json(toy_api):
    for body in (b'{"name": "\xff"}', b'{"name": '):
        answer = toy_api.post("/v1/toy/body", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 400
        (error,) = answer.json()["errors"]
        assert error == {"field": "body", "problem": "is not valid JSON", "remedy": "Send one JSON document in UTF-8."}


def test_every_operation_rejects_an_unknown_parameter(application, api):
    for route in api_routes(application):
        if is_public(route):
            continue  # providers add parameters that nobody announces
        if any(isinstance(rule, (NoKeyRule, OperatorRequirement)) for rule in access_rules(route)):
            continue  # it rejects a key before it looks at anything else
        parts = [str(uuid4()) if part.startswith("{") else part for part in str(route.path).split("/")]
        for method in route.methods:
            answer = api.request(method, "/".join(parts), params={"surplus": "x"}, headers={"If-Match": "*"})
            assert answer.status_code == 422, f"{method} {route.path}: {answer.status_code}"
            assert "query.surplus" in {error["field"] for error in answer.json()["errors"]}, f"{method} {route.path}"


def test_no_route_checks_a_body_before_the_permission(application):
    late = {
        route.path
        for route in api_routes(application)
        if route.dependant.body_params and any(isinstance(rule, CallerRequirement) for rule in access_rules(route))
    }
    assert late == set()


def models(kind):
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
        for field in kind.model_fields.values():
            yield from models(field.annotation)
    else:
        for argument in get_args(kind):
            yield from models(argument)


def test_every_body_forbids_unknown_fields(application):
    loose = {
        f"{route.path}: {model.__name__}"
        for route in application.routes
        if isinstance(route, APIRoute) and not isinstance(route, PageRoute) and route.body_field is not None
        for field in route.dependant.body_params
        for model in models(field.field_info.annotation)
        if model.model_config.get("extra") != "forbid"
    }
    assert sorted(loose) == []


def test_a_route_declares_its_parameters(toy_app):
    assert {
        route.path: query_names(route) for route in toy_app.routes if getattr(route, "path", "") == "/v1/toy/pages"
    } == {"/v1/toy/pages": {"page", "page_size"}}


def test_every_answer_with_a_page_has_links(application):
    document = application.openapi()
    paged = {
        name: schema["properties"]
        for name, schema in document["components"]["schemas"].items()
        if {"page", "page_size"} <= schema.get("properties", {}).keys()
    }
    assert len(paged) > 10
    assert [name for name, fields in paged.items() if not {"next", "previous"} <= fields.keys()] == []


def test_a_page_that_sql_makes_has_links_too(api):
    assert {"next", "previous"} <= api.get("/v1/patients", params={"page_size": 1}).json().keys()
