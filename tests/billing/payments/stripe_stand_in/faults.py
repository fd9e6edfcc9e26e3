"""The errors that the stand-in answers with, in the shape of Stripe's."""

from __future__ import annotations

from typing import Any


class StandInError(Exception):
    """An error answer.

    Attributes:
        status: of the HTTP answer.
        begun: whether the endpoint had begun to execute, so that the answer is saved under its idempotency key.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        begun: bool = True,
    ) -> None:
        super().__init__(message)
        self.status, self.kind, self.code, self.param, self.begun = status, kind, code, param, begun

    def body(self) -> dict[str, Any]:
        error = {"type": self.kind, "message": str(self), "code": self.code, "param": self.param}
        return {"error": {name: value for name, value in error.items() if value is not None}}


def missing(param: str) -> StandInError:
    """A required parameter is absent: matching before the endpoint begins."""
    return StandInError(f"Missing required param: {param}.", code="parameter_missing", param=param, begun=False)


def no_such(kind: str, identifier: object, param: str = "id") -> StandInError:
    """There is no object of this id: 404 where the address names it, 400 where a parameter does."""
    return StandInError(
        f"No such {kind}: '{identifier}'",
        status=404 if param == "id" else 400,
        code="resource_missing",
        param=param,
    )
