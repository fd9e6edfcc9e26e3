"""Two requests have one fingerprint if and only if they ask for the same."""

import io
import json
from urllib.parse import urlencode

from hypothesis import assume, given
from hypothesis import strategies as st
from starlette.datastructures import Headers, UploadFile

from core.idempotency.fingerprints import body_digest, digest, form_digest, query_digest

TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
PAIRS = st.lists(st.tuples(TEXTS, TEXTS), max_size=6)


def reordered(value):
    """The same JSON value with the members of each object in the opposite order."""
    if isinstance(value, dict):
        return {name: reordered(value[name]) for name in reversed(value)}
    return [reordered(item) for item in value] if isinstance(value, list) else value


def canonical(value):
    return json.dumps(value, sort_keys=True)


def by_name(pairs):
    return sorted(pairs, key=lambda pair: pair[0])


def upload(name, content):
    return UploadFile(io.BytesIO(content), filename=name, headers=Headers())


@given(VALUES)
def test_the_form_of_json_does_not_count(value):
    spaced = json.dumps(reordered(value), indent=3, ensure_ascii=False).encode()
    assert body_digest(json.dumps(value).encode()) == body_digest(spaced)


@given(VALUES, VALUES)
def test_another_json_value_is_another_request(one, other):
    assume(canonical(one) != canonical(other))
    assert body_digest(json.dumps(one).encode()) != body_digest(json.dumps(other).encode())


@given(st.binary(max_size=30), st.binary(max_size=30))
def test_bytes_that_are_no_json_count_as_they_are(one, other):
    one, other = b"\xff" + one, b"\xff" + other
    assert (body_digest(one) == body_digest(other)) == (one == other)


@given(PAIRS, PAIRS)
def test_parameters_count_by_name_and_order_of_their_values(one, other):
    same = by_name(one) == by_name(other)
    assert (query_digest(urlencode(one)) == query_digest(urlencode(other))) == same
    assert (form_digest(one) == form_digest(other)) == same


@given(PAIRS, TEXTS, TEXTS)
def test_the_token_and_the_key_of_a_form_do_not_count(pairs, token, key):
    own = [("csrf_token", token), ("idempotency_key", key)]
    assert form_digest([*own, *pairs]) == form_digest(pairs)
    assert query_digest(urlencode([*own, *pairs])) == query_digest(urlencode(pairs))


@given(st.binary(max_size=40), st.binary(max_size=40), TEXTS, TEXTS)
def test_files_count_by_name_and_content(one, other, name, second):
    same = (name, one) == (second, other)
    assert (form_digest([("f", upload(name, one))]) == form_digest([("f", upload(second, other))])) == same


def test_a_file_can_be_read_after_its_digest():
    file = upload("a.csv", b"abc")
    form_digest([("files", file)])
    assert file.file.read() == b"abc"


@given(st.lists(st.binary(max_size=5), max_size=5), st.lists(st.binary(max_size=5), max_size=5))
def test_no_two_lists_of_parts_look_alike(one, other):
    assert (digest(*one) == digest(*other)) == (one == other)
