"""The routes of a tenant's people."""

from typing import Any
from uuid import UUID, uuid4

import pyotp

from core.database import platform_session
from core.identity.people import members, second_factor
from tests.isolation.routes import Call, World, case

ANY = {"If-Match": "*"}


def _body() -> dict[str, Any]:
    return {"email": f"tracker-{uuid4().hex[:10]}@example.org", "name": "Tracking officer", "roles": ["viewer"]}


def _person(world: World) -> Any:
    return world.json("POST", "/v1/people", json=_body())["id"]


def _accepted(world: World) -> Any:
    person = _person(world)
    with platform_session() as session:
        members.accept(session, UUID(person), world.tenant.id)
    return person


@case("GET", "/v1/people", kind="collection")
def list_people(world: World) -> Call:
    return Call(params={"page_size": 500}, marks=[_person(world)])


@case("POST", "/v1/people", kind="own")
def invite_person(world: World) -> Call:
    return Call(json=_body(), state=lambda: world.json("GET", "/v1/people")["total"])


@case("POST", "/v1/people/file", kind="own")
def add_people(world: World) -> Call:
    content = f"email,name,roles\n{uuid4().hex[:10]}@example.org,Tracking officer,viewer\n"
    return Call(json={"csv": content}, state=lambda: world.json("GET", "/v1/people")["total"])


@case("GET", "/v1/people/{person_id}", kind="item")
def get_person(world: World) -> Call:
    return Call(path={"person_id": _person(world)})


@case("PUT", "/v1/people/{person_id}", kind="item")
def change_person(world: World) -> Call:
    return Call(path={"person_id": _person(world)}, json={"roles": ["data_officer"]}, headers=ANY)


@case("DELETE", "/v1/people/{person_id}", kind="item")
def remove_person(world: World) -> Call:
    return Call(path={"person_id": _person(world)}, headers=ANY)


@case("POST", "/v1/people/{person_id}/links", kind="item")
def create_link(world: World) -> Call:
    return Call(path={"person_id": _person(world)}, json={"purpose": "reset"})


@case("DELETE", "/v1/people/{person_id}/links", kind="item")
def revoke_links(world: World) -> Call:
    return Call(path={"person_id": _person(world)})


@case("POST", "/v1/people/{person_id}/deactivate", kind="item")
def deactivate_person(world: World) -> Call:
    return Call(path={"person_id": _accepted(world)}, headers=ANY)


@case("POST", "/v1/people/{person_id}/reactivate", kind="item")
def reactivate_person(world: World) -> Call:
    return Call(path={"person_id": _accepted(world)})


@case("DELETE", "/v1/people/{person_id}/second-factor", kind="item")
def reset_second_factor(world: World) -> Call:
    person_id = _accepted(world)
    confirm_second_factor(UUID(person_id))
    return Call(path={"person_id": person_id})


def confirm_second_factor(person_id: UUID) -> None:
    """Set up a second factor for the person."""
    with platform_session() as session:
        second_factor.make_candidate(session, person_id)
    code = pyotp.TOTP(second_factor.set_up_of(person_id).secret).now()
    with platform_session() as session:
        second_factor.confirm_candidate(session, person_id, code)
