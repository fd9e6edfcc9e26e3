"""A tenant with a list and officers, for tests of the team and of the sharing out."""

from datetime import timedelta
from uuid import uuid4

from core.clock import today
from core.database import platform_session, tenant_session
from core.identity.people import members
from tenants.followup.today import read_today
from tests.keyed import KeyedClient
from tests.tenants.followup.scored import ZONE, scored


class Partner:
    """A tenant with nine people on today's list of one clinic, and officers."""

    def __init__(self, application, owner):
        self.tenant = owner.ref
        self.client = KeyedClient(application, headers={"Authorization": f"Bearer {owner.api_key}"})
        self.people = scored(owner.ref, self.client, at_risk=9, to_trace=0)["at_risk"]
        self.client.post("/v1/worklists", json={"kind": "at_risk", "as_of": str(today(ZONE))})
        self.facility = self.client.get("/v1/facilities").json()["items"][0]["datim_id"]

    def officer(self, name, **grant):
        email = f"{uuid4().hex[:10]}@example.org"
        person = members.add_member(
            self.tenant, email, name, members.Grant(["tracking_officer"], **grant), actor="test:1"
        )
        with platform_session() as session:
            members.accept(session, person, self.tenant.id)
        return person

    def capacity(self, person, people, facility=None):
        body = {"facility": facility or self.facility, "people": people}
        return self.client.put(f"/v1/officers/{person}/capacity", json=body)

    def away(self, person, first=0, last=3, cover=None):
        days = {"first": str(today(ZONE) + timedelta(days=first)), "last": str(today(ZONE) + timedelta(days=last))}
        return self.client.post(f"/v1/officers/{person}/absences", json={**days, "cover_id": cover and str(cover)})

    def followers(self):
        with tenant_session(self.tenant, actor="test:1") as session, session.cursor() as cursor:
            return dict(cursor.execute("SELECT patient_uuid::text, person_id FROM patient_assignments").fetchall())

    def mine(self, person):
        work = read_today(self.tenant, lambda: tenant_session(self.tenant, actor="test:1"), "at_risk", mine=person)
        return {str(card.patient_id) for card in work.people}
