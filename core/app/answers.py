"""Describes answers in the OpenAPI document: what comes, and the headers that clients read and send."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

_JSON = "application/json"
_UNDESCRIBED = "Successful Response"
_WORDS = {
    HTTPStatus.CREATED: "It was created; `Location` has its path.",
    HTTPStatus.ACCEPTED: "It was accepted; `Location` has the path to follow.",
    HTTPStatus.NO_CONTENT: "It is done; the answer has no content.",
}
_ETAG: dict[str, Any] = {
    "description": "The version of the answer: for `If-None-Match` of the next read and, of a row, `If-Match`.",
    "schema": {"type": "string", "examples": ['"019c2291-b3a0-7768-a5f9-23774462ebfc"']},
}
_CACHE: dict[str, Any] = {
    "description": "Who may store the answer: `no-store`, or `private, no-cache` where it is about nobody.",
    "schema": {"type": "string", "examples": ["no-store"]},
}
_IF_NONE_MATCH: dict[str, Any] = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "ETag of an earlier answer: if nothing has changed since, the answer is 304 without content.",
    "schema": {"type": "string", "examples": ['"019c2291-b3a0-7768-a5f9-23774462ebfc"']},
}


def complete(operation: dict[str, Any], method: str, schemas: dict[str, Any], *, conditional: bool) -> None:
    """Describe the successful answers of an operation and their headers, and the versions that it takes.

    Args:
        operation: from the OpenAPI document.
        method: the HTTP method, in lower case.
        schemas: the schemas under ``#/components/schemas``.
        conditional: whether the path is one whose reads answer ``If-None-Match``.
    """
    answers = operation["responses"]
    for status, answer in answers.items():
        if status.startswith("2"):
            _describe(int(status), answer, schemas)
    for parameter in operation.get("parameters", ()):
        if parameter["name"].lower() == "if-match":
            parameter["required"] = True  # the route takes it as optional, to answer 428 instead of 422
            parameter["schema"] = {"type": "string"}
    if method == "get" and conditional and "200" in answers:
        answers["200"].setdefault("headers", {})["Cache-Control"] = _CACHE
        if _JSON in answers["200"].get("content", {}):
            answers["200"]["headers"]["ETag"] = _ETAG
            operation.setdefault("parameters", []).append(_IF_NONE_MATCH)
            words = "Nothing has changed since the answer that `If-None-Match` names."
            answers["304"] = {"description": words, "headers": {"ETag": _ETAG, "Cache-Control": _CACHE}}


def describe_schemas(schemas: dict[str, Any]) -> None:
    """Describe the schemas that FastAPI and Pydantic make: pages of a list, and forms."""
    for name, schema in schemas.items():
        if not schema.get("description"):
            page = name.startswith("Page_")
            schema["description"] = (
                "One page of a list, and the total of its rows." if page else "The fields of a form."
            )


def _describe(status: int, answer: dict[str, Any], schemas: dict[str, Any]) -> None:
    if answer.get("content", {}).get(_JSON) == {"schema": {}}:  # the operation returns nothing
        del answer["content"]
    schema = answer.get("content", {}).get(_JSON, {}).get("schema", {})
    component = schemas.get(schema.get("$ref", "").rpartition("/")[2], {})
    if answer["description"] == _UNDESCRIBED:
        answer["description"] = _WORDS.get(HTTPStatus(status)) or _first_sentence(schema, component, schemas)
    if "version_id" in component.get("properties", {}):
        answer.setdefault("headers", {})["ETag"] = _ETAG


def _first_sentence(schema: dict[str, Any], component: dict[str, Any], schemas: dict[str, Any]) -> str:
    if schema.get("type") == "array":
        item = schemas.get(schema["items"].get("$ref", "").rpartition("/")[2], {})
        return f"All of them, in a list. Each item: {_first_line(item)}"
    return _first_line(component) or "It is done."


def _first_line(schema: dict[str, Any]) -> str:
    return str(schema.get("description", "")).partition("\n")[0]
