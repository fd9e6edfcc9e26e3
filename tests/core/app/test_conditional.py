"""Reads that the caller has already."""

import pytest

PATH = "/v1/toy/versioned"
VERSION = "0197c1f0-0000-7000-8000-000000000001"


@pytest.fixture(params=[PATH, "/v1/toy/pages", "/v1/jobs", "/v1/me"])
def path(request):
    return request.param


def test_what_is_unchanged_is_304_without_content(toy_api, path):
    first = toy_api.get(path)
    again = toy_api.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["cache-control"] == first.headers["cache-control"]
    assert "content-type" not in again.headers


@pytest.mark.parametrize("asked", ["*", '"x", {}', "W/{}"])
def test_any_of_several_tags_will_do_and_reads_compare_weakly(toy_api, asked):
    tag = toy_api.get(PATH).headers["etag"]
    assert toy_api.get(PATH, headers={"If-None-Match": asked.format(tag)}).status_code == 304


def test_other_content_of_the_same_version_is_sent(toy_api):
    tag = toy_api.get(PATH).headers["etag"]
    answer = toy_api.get(PATH, params={"text": "merged"}, headers={"If-None-Match": tag})
    assert (answer.status_code, answer.json()) == (200, {"text": "merged"})


def test_the_tag_that_a_read_sends_is_taken_by_a_change(toy_api):
    tag = toy_api.get(PATH).headers["etag"]
    assert toy_api.put(PATH, headers={"If-Match": tag}).status_code == 200
    assert toy_api.put(PATH, headers={"If-Match": f'"{VERSION}"'}).status_code == 200
    other = tag.replace("000001", "000002")
    assert toy_api.put(PATH, headers={"If-Match": other}).status_code == 412


def test_personal_data_are_not_stored(toy_api):
    assert toy_api.get(PATH).headers["cache-control"] == "no-store"
    assert toy_api.get("/v1/toy/pages").headers["cache-control"] == "no-store"
    assert toy_api.get(PATH, params={"personal": 0}).headers["cache-control"] == "private, no-cache"


def test_settings_may_be_stored_and_are_asked_for_again(api):
    answer = api.get("/v1/settings/risk")
    assert answer.headers["cache-control"] == "private, no-cache"
    assert api.get("/v1/settings/risk", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304


@pytest.mark.parametrize("path", ["/v1/toy/stream", "/v1/nothing", "/health/live", "/docs"])
def test_streams_errors_and_what_is_not_v1_have_no_tag(toy_api, path):
    answer = toy_api.get(path, headers={"If-None-Match": "*"})
    assert answer.status_code != 304
    assert "etag" not in answer.headers


def test_a_write_is_never_304(toy_api):
    assert toy_api.post("/v1/toy/write", headers={"If-None-Match": "*"}).status_code == 200


def test_the_description_says_which_operations_answer_304(application):
    paths = application.openapi()["paths"]
    assert "304" in paths["/v1/facilities"]["get"]["responses"]
    assert "304" not in paths["/v1/facilities"]["post"]["responses"]
    assert "304" not in paths["/v1/patients/export"]["get"]["responses"]
