"""Days and instants are taken in ISO form alone, wherever the API takes one."""

from datetime import date

import pytest
from fastapi._compat import ModelField
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter, ValidationError

from core.access.require import api_routes
from core.errors import Invalid
from core.web.days import IsoDay, IsoInstant, check_order

NUMBERS = [20261101, "20261101", "1793491200", 1793491200.0, "-1", "2026"]
FOREIGN_DIGITS = "\u0662\u0660\u0662\u0666-11-01"


@pytest.mark.parametrize("value", [*NUMBERS, "2026-11-01T00:00:00Z", "2026-1-1", FOREIGN_DIGITS, None, True])
def test_a_day_is_nothing_else(value):
    with pytest.raises(ValidationError):
        TypeAdapter(IsoDay).validate_python(value)
    assert TypeAdapter(IsoDay).validate_python("2026-11-01") == date(2026, 11, 1)


@pytest.mark.parametrize("value", [*NUMBERS, "2026-11-01", "2026-11-01T10:00:00", "20261101T100000Z", None, True])
def test_an_instant_is_nothing_else(value):
    with pytest.raises(ValidationError):
        TypeAdapter(IsoInstant).validate_python(value)
    assert TypeAdapter(IsoInstant).validate_python("2026-11-01T10:00:00+01:00").hour == 10


def test_the_audit_since_a_number_is_rejected(toy_api):
    answer = toy_api.get("/v1/audit", params={"since": "20261101"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["remedy"] == "Send a time as YYYY-MM-DDThh:mm:ssZ."


def formats(schema, definitions):
    """The formats that a value may have."""
    if "$ref" in schema:
        return set()
    options = [schema, *schema.get("anyOf", ()), *schema.get("allOf", ())]
    return {option["format"] for option in options if "format" in option}


def models(annotation, seen):
    """The models of a body, and of those within it."""
    for inner in (annotation, *getattr(annotation, "__args__", ())):
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            if inner not in seen:
                seen.add(inner)
                for field in inner.model_fields.values():
                    models(field.annotation, seen)
        elif inner is not annotation:
            models(inner, seen)
    return seen


def takes_numbers(field):
    adapter = TypeAdapter(field)
    if not formats(adapter.json_schema(), {}) & {"date", "date-time"}:
        return False
    for number in NUMBERS:
        try:
            adapter.validate_python(number)
        except ValidationError:
            continue
        return True
    return False


def parameters(route: APIRoute) -> list[ModelField]:
    fields, pending = [], [route.dependant]
    while pending:
        dependant = pending.pop()
        pending += dependant.dependencies
        fields += [*dependant.query_params, *dependant.header_params, *dependant.body_params]
    return fields


def test_no_parameter_and_no_field_of_a_body_takes_a_number_for_a_day(application):
    loose, seen = [], set()
    for route in api_routes(application):
        for field in parameters(route):
            annotation = field.field_info.annotation
            bodies = models(annotation, set())
            seen |= bodies
            if not bodies and takes_numbers(field.field_info.rebuild_annotation()):
                loose.append(f"{route.path} {field.name}")
    for model in seen:
        for name, info in model.model_fields.items():
            if not models(info.annotation, set()) and takes_numbers(info.rebuild_annotation()):
                loose.append(f"{model.__name__}.{name}")
    assert loose == []


@pytest.mark.parametrize("day", ["1899-12-31", "2200-01-01"])
def test_a_day_and_an_instant_are_within_the_years_of_all_dates(day):
    for kind, value in ((IsoDay, day), (IsoInstant, f"{day}T12:00:00Z")):
        with pytest.raises(ValidationError, match="1900 to 2199"):
            TypeAdapter(kind).validate_python(value)


def test_a_range_may_be_open_or_one_day_long_and_may_not_end_before_it_starts():
    for low, high in ((None, None), (1, None), (None, 1), (1, 1), (1, 2)):
        check_order("age_min", low, "age_max", high)
    with pytest.raises(Invalid) as error:
        check_order("age_min", 2, "age_max", 1)
    assert [problem.field for problem in error.value.errors] == ["age_max"]
