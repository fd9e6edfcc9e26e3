"""What the rows of pages name that only some of them need."""

from uuid import uuid4

from tests.isolation import pages_followup


class Things(dict):
    """What the rows name; a report and a schedule only for the rows that name one."""

    def __init__(self, named, world, facility):
        super().__init__(named)
        self.world, self.facility = world, facility

    def __missing__(self, name):
        body = {"kind": "mer", "format": "csv", "facility": self.facility}
        if name in pages_followup.NAMED:
            self[name] = pages_followup.thing_of(self.world, name, self["patient_id"])
            return self[name]
        if name == "report_id":
            answer = self.world.json("POST", "/v1/reports/files", json={**body, "period": "2025Q1"})
        else:
            assert name == "schedule_id", name
            moment = {"every": "month", "on_day": 5, "at_hour": 6}
            answer = self.world.json("POST", "/v1/reports/schedules", json={**body, **moment})
        self[name] = answer["id"]
        return self[name]


def sso_domain(world):
    """A domain that the owner claims, and a provider of the owner's."""
    body = {"issuer": "http://127.0.0.1:9", "client_id": "iit"}
    world.json("PUT", "/v1/sso", json=body, headers={"If-Match": "*"})
    domain = {"domain": f"d{uuid4().hex[:12]}.example.invalid"}
    claims = world.json("GET", "/v1/sso/domains")["items"] or [world.json("POST", "/v1/sso/domains", json=domain)]
    return claims[0]["id"]
