"""How a page proves that people reach no more of it than their tenant, role and facilities let them.

Each page has one row in ``test_pages.py``::

    Row("GET", "/patients/{patient_id}", "patients.read", names=("patient_id",))

A row says which permission the page needs, and which parts of its path or fields of its form name something of the
tenant. Pages without a permission are ``public`` (no session is needed) or ``own`` (about the person alone).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi.testclient import TestClient
    from httpx import Response

OWN = "http://localhost"
"""The address of this server: links for other people are made here without IIT_PUBLIC_URL."""


@dataclass(frozen=True)
class Row:
    """One page, and who gets it.

    Attributes:
        needs: the permission, or ``public`` or ``own``.
        names: which thing of the tenant each part of the path or field of the form names; empty where the page names
            none.
        form: the other fields that the page posts.
        status: of the answer to who may.
        confined: whether who reaches a part of the facilities may open it, for that part.
        shared: whether what it names is of the whole tenant, and open to whoever holds the permission.
    """

    method: Literal["GET", "POST"]
    path: str
    needs: str
    names: tuple[str, ...] = ()
    form: Mapping[str, str] = field(default_factory=dict)
    status: int = 200
    confined: bool = True
    shared: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def ask(self, client: TestClient, things: Mapping[str, str]) -> Response:
        """The answer to the client, whose page token goes with what is posted."""
        path = self.path.format_map(things)
        if self.method == "GET":
            return client.get(path)
        fields = {name: things[name] for name in self.names if f"{{{name}}}" not in self.path}
        form = {name: value.format_map(things) for name, value in self.form.items()}
        return client.post(
            path,
            data={**fields, **form, "csrf_token": _token(client)},
            headers={"Origin": str(client.base_url).rstrip("/")},
        )


def _token(client: TestClient) -> str:
    """A token of the client's session; empty where nobody is signed in."""
    match = re.search(r'name="csrf_token" value="([^"]*)"', client.get("/me").text)
    return match[1] if match else ""
