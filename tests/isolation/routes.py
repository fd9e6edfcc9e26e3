"""How a route proves that another tenant gets nothing by it.

A room registers one case per route in ``tests/isolation/cases_<room>.py``::

    @case("GET", "/v1/visits/{visit_id}", kind="item")
    def get_visit(world):
        visit = world.json("POST", "/v1/visits", json={...})          # as the owner
        return Call(path={"visit_id": visit["id"]})

    @case("GET", "/v1/visits", kind="collection")
    def list_visits(world):
        visit = world.json("POST", "/v1/visits", json={...})
        return Call(marks=[visit["id"]])                               # in the owner's answer, never in another's

``item``: the call names something of the owner, in the path, the query or the body; the owner gets 2xx, another tenant
404 (or what ``rejected`` says). ``collection``: everybody gets 2xx, and the owner's marks are in the owner's answer
alone. ``own``: everybody gets 2xx and acts on their own; the owner's ``state`` is the same afterwards. ``catalogue``:
the same answer for everybody, of nobody's rows. A call that changes what it names is prepared anew for each caller, and
after the stranger's attempt the owner's must still succeed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from fastapi.testclient import TestClient
    from httpx import Response

    from core.database import TenantRef, TenantSession

Kind = Literal["item", "collection", "own", "catalogue"]
SUCCESSES = range(200, 300)


@dataclass(frozen=True)
class Call:
    """One request, and what to look for in its answers.

    Attributes:
        path: values of the path's parameters.
        marks: texts of the owner's rows that the answer shows.
        state: reads what of the owner must stay as it is.
        rejected: status of the stranger's answer; 422 where a body names a natural key that the stranger lacks.
    """

    path: Mapping[str, object] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    files: Any = None
    data: Any = None
    marks: Sequence[object] = ()
    state: Callable[[], object] | None = None
    rejected: int = 404

    def options(self) -> dict[str, Any]:
        request_options = {
            "params": self.params,
            "json": self.json,
            "headers": self.headers,
            "files": self.files,
            "data": self.data,
        }
        return {name: value for name, value in request_options.items() if value}


@dataclass(frozen=True)
class World:
    """The owner, whose rows the cases make, and a stranger with rows of its own."""

    tenant: TenantRef
    owner: TestClient
    stranger: TestClient

    def json(self, method: str, path: str, **options: Any) -> Any:
        """What the owner gets; fails when it is rejected."""
        answer = self.owner.request(method, path, **options)
        assert answer.status_code in SUCCESSES, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def session(self) -> AbstractContextManager[TenantSession]:
        """A transaction of the owner, for rows that no route makes."""
        from core.database import tenant_session

        return tenant_session(self.tenant, actor="test:1")


@dataclass(frozen=True)
class Case:
    """How one route is called, and what kind of operation it is."""

    method: str
    path: str
    kind: Kind
    prepare: Callable[[World], Call]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def ask(self, client: TestClient, call: Call) -> Response:
        return client.request(self.method, self.path.format(**call.path), **call.options())


_cases: dict[tuple[str, str], Case] = {}


def case(method: str, path: str, *, kind: Kind) -> Callable[[Callable[[World], Call]], Callable[[World], Call]]:
    """Register the case of a route. ``path`` is as OpenAPI writes it."""

    def register(prepare: Callable[[World], Call]) -> Callable[[World], Call]:
        key = (method.upper(), path)
        assert key not in _cases, f"two cases for {method} {path}"
        _cases[key] = Case(*key, kind, prepare)
        return prepare

    return register


def all_cases() -> list[Case]:
    """Every registered case, of all ``cases_*.py`` beside this file."""
    for file in sorted(Path(__file__).parent.glob("cases_*.py")):
        import_module(f"tests.isolation.{file.stem}")
    return [_cases[key] for key in sorted(_cases)]


def check(case: Case, world: World) -> None:
    """The promise: the owner reaches it, another tenant does not, and has changed nothing by trying."""
    call = case.prepare(world)
    answer = case.ask(world.owner, call)
    assert answer.status_code in SUCCESSES, f"the owner of what {case} names gets {answer.status_code}: {answer.text}"
    if case.kind == "collection":
        assert call.marks, f"the case of {case} names no marks"
        assert not list(_missing(call, answer)), f"{case} does not show the owner its own: {answer.text}"
    again = case.prepare(world)
    before = _state(case, again)
    foreign = case.ask(world.stranger, again)
    assert _state(case, again) == before, f"{case} as another tenant changes what is the owner's"
    if case.kind == "item":
        assert foreign.status_code == again.rejected, f"{case} as another tenant: {foreign.status_code} {foreign.text}"
    else:
        assert foreign.status_code in SUCCESSES, f"{case} as another tenant: {foreign.status_code} {foreign.text}"
    if case.kind == "catalogue":
        assert foreign.text == answer.text, f"{case} is no catalogue: another tenant gets another answer"
    seen = [mark for mark in (*call.marks, *again.marks) if str(mark) in foreign.text]
    assert not seen, f"{case} shows another tenant {seen}"
    answer = case.ask(world.owner, again)
    assert answer.status_code in SUCCESSES, (
        f"after a stranger's {case} the owner gets {answer.status_code}: {answer.text}"
    )
    assert not list(_missing(again, answer)), f"after a stranger's {case} the owner misses its own: {answer.text}"


def _state(case: Case, call: Call) -> object:
    if case.kind != "own":
        return None
    assert call.state, f"the case of {case} does not say how to read the owner's state"
    return call.state()


def _missing(call: Call, answer: Response) -> Iterator[object]:
    return (mark for mark in call.marks if str(mark) not in answer.text)
