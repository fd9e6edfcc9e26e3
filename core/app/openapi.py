"""Creates the OpenAPI document (3.1), with the problems, the permission and an example of each operation."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from core.access.require import api_routes, permissions_of
from core.app import answers, examples
from core.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    RequestTimeout,
    StorageFull,
    TooLarge,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    UnsupportedMedia,
)
from core.errors.family import AppError, Invalid
from core.errors.problem import SCHEMA, SCHEMA_NAME, responses
from core.idempotency.routes import needs_key
from core.identity import csrf
from core.identity.cookies import HOST_PREFIX
from core.identity.credentials import cookie_names
from core.web.idempotency import NAME

_WRITING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_NAMING = frozenset({"facility", "facilities"})
API = "/v1/"
_FASTAPI_OWN = ("HTTPValidationError", "ValidationError")


def document(app: FastAPI) -> dict[str, Any]:
    """Return the document of ``app``; the first call creates it, later calls return the same one."""
    if app.openapi_schema is None:
        described = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=app.description,
            routes=app.routes,
            tags=app.openapi_tags,
        )
        schemas = described.setdefault("components", {}).setdefault("schemas", {})
        schemas[SCHEMA_NAME] = SCHEMA
        for name in _FASTAPI_OWN:
            schemas.pop(name, None)
        for route in api_routes(app):
            for method in route.methods or ():
                operation = described["paths"][route.path_format].get(method.lower())
                if operation is not None:
                    if method == "POST" and needs_key(route):
                        _require_key(operation)
                    _complete(operation, str(route.path_format), method, sorted(permissions_of(route)), schemas)
        answers.describe_schemas(schemas)
        examples.complete_schemas(schemas)
        for path, methods in described["paths"].items():
            for method, operation in methods.items():
                _replace_fastapi_errors(operation)
                _describe_identifiers(operation)
                answers.complete(operation, method, schemas, conditional=path.startswith(API))
                examples.complete(operation, schemas)
        _name_cookies(described)
        _mark_files(described)
        _reject_twins(described)
        app.openapi_schema = described
    return app.openapi_schema


def _complete(
    operation: dict[str, Any], path: str, method: str, permissions: list[str], schemas: dict[str, Any]
) -> None:
    """Add the permission that the operation needs, and the problems that it may answer with."""
    operation["x-permissions"] = permissions
    if permissions:
        needed = "Needs the permission " + ", ".join(f"`{name}`" for name in permissions) + "."
        operation["description"] = f"{operation.get('description', '').rstrip()}\n\n{needed}".lstrip()
    kinds: list[type[AppError]] = [Unauthenticated, Forbidden, TooManyRequests, AppError, Unavailable, StorageFull]
    if _names_something(operation, path, schemas):
        kinds.append(NotFound)
    if method in _WRITING:
        kinds += [BadRequest, Conflict]
    if any(parameter["name"].lower() == "if-match" for parameter in operation.get("parameters", ())):
        kinds += [PreconditionFailed, PreconditionRequired]
    if operation.get("parameters") or "requestBody" in operation:
        operation["responses"].pop("422", None)
        kinds.append(Invalid)
    if "requestBody" in operation:
        kinds += [RequestTimeout, TooLarge, UnsupportedMedia]
    for status, answer in responses(*kinds).items():
        operation["responses"].setdefault(str(status), answer)


def _require_key(operation: dict[str, Any]) -> None:
    """Describe the Idempotency-Key as required. The route takes it as optional, to answer 400 instead of 422."""
    for parameter in operation.get("parameters", ()):
        if parameter["name"].lower() == NAME.lower():
            parameter["required"] = True
            parameter["schema"] = {"type": "string"}


def _replace_fastapi_errors(operation: dict[str, Any]) -> None:
    """Describe 422 as a problem document. FastAPI names its own schema, which this API never sends."""
    if any("application/json" in answer.get("content", {}) for answer in [operation["responses"].get("422", {})]):
        operation["responses"] |= {str(status): answer for status, answer in responses(Invalid).items()}


def _describe_identifiers(operation: dict[str, Any]) -> None:
    """Describe the identifiers in the path by their names: ``{report_id}`` identifies the report."""
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path" and not parameter.get("description"):
            thing, _, word = parameter["name"].rpartition("_")
            if word == "id":
                parameter["description"] = f"Identifier of the {thing.replace('_', ' ')}."


def _name_cookies(described: dict[str, Any]) -> None:
    """Describe credentials in cookies beside the others: each needs the session's token in a header."""
    schemes = described["components"].get("securitySchemes", {})
    for kind, name in cookie_names().items():
        words = f"The cookie of a browser that signed in; over HTTPS its name is `{HOST_PREFIX}{name}`."
        schemes[f"{kind}_cookie"] = {"type": "apiKey", "in": "cookie", "name": name, "description": words}
        words = "The token of the session, which every page carries. A cookie counts only with it."
        schemes["csrf_token"] = {"type": "apiKey", "in": "header", "name": csrf.HEADER, "description": words}
        for methods in described["paths"].values():
            for operation in methods.values():
                if operation.get("security"):
                    operation["security"].append({f"{kind}_cookie": [], "csrf_token": []})


def _names_something(operation: dict[str, Any], path: str, schemas: dict[str, Any]) -> bool:
    """Return whether the path, the query or the body names a thing that may not exist."""
    fields = {item["name"]: item["schema"] for item in operation.get("parameters", ()) if item["in"] == "query"}
    for content in operation.get("requestBody", {}).get("content", {}).values():
        schema = content.get("schema", {})
        fields |= schemas.get(schema.get("$ref", "").rsplit("/", 1)[-1], schema).get("properties", {})
    return "{" in path or any(name in _NAMING or _identifies(schema) for name, schema in fields.items())


def _identifies(schema: dict[str, Any]) -> bool:
    """Return whether a parameter or a field is the identifier of a record."""
    return schema.get("format") == "uuid" or any(_identifies(part) for part in schema.get("anyOf", ()))


def _reject_twins(described: dict[str, Any]) -> None:
    seen: set[str] = set()
    for path, methods in described["paths"].items():
        for operation in methods.values():
            if operation["operationId"] in seen:
                message = f"two operations are named {operation['operationId']!r}, one at {path}: rename its function"
                raise LookupError(message)
            seen.add(operation["operationId"])


def _mark_files(value: Any) -> None:  # noqa: ANN401 - any part of a JSON document
    """Write every uploaded file as ``format: binary``.

    FastAPI writes ``contentMediaType``, as JSON Schema 2020-12 has it. Generators of clients read that as a text.
    """
    if isinstance(value, list):
        for item in value:
            _mark_files(item)
    elif isinstance(value, dict):
        if value.get("type") == "string" and value.pop("contentMediaType", None):
            value["format"] = "binary"
        for item in value.values():
            _mark_files(item)
