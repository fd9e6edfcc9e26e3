"""What a caller of the API sees while its tenant is moved or restored: reads, and 503 with a time for writes."""

import threading

from core.tenancy import placing


def test_reads_go_on_and_what_writes_is_to_come_again_in_a_second(api, owner):
    facility = {"datim_id": "FacAaa00001", "name": "Aaa clinic"}
    assert api.post("/v1/facilities", json=facility).status_code == 201
    with placing.fence(owner.ref, patience=10):
        assert api.get("/v1/jobs").status_code == 200
        rejected = api.post("/v1/facilities", json={**facility, "datim_id": "FacAaa00002"})
        audited = api.get("/v1/audit")
    for answer in (rejected, audited):
        assert answer.status_code == 503, answer.text
        assert answer.headers["Retry-After"] == "1"
        assert answer.json()["type"] == "urn:iit:problem:unavailable"
        assert "moved" in answer.json()["detail"]
    assert api.post("/v1/facilities", json={**facility, "datim_id": "FacAaa00002"}).status_code == 201
    assert api.get("/v1/audit").status_code == 200


def test_a_request_under_way_ends_well_before_the_writers_are_held(api, owner):
    codes = []
    stop = threading.Event()

    def post():
        number = 0
        while not stop.is_set():
            number += 1
            body = {"datim_id": f"FacBbb{number:05}", "name": "Bbb clinic"}
            codes.append(api.post("/v1/facilities", json=body).status_code)

    thread = threading.Thread(target=post)
    thread.start()
    try:
        for _ in range(5):
            with placing.fence(owner.ref, patience=10):
                pass
    finally:
        stop.set()
        thread.join()
    assert set(codes) <= {201, 503}
