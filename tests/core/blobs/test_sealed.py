"""The encrypted stream: whatever happens to its bytes, it opens to what was written or not at all."""

from __future__ import annotations

import hashlib
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.blobs import BlobDamaged
from core.blobs.sealed import CHUNK, HEADER, TAG, SealedReader, write

KEY = bytes(range(32))
NAME = "tenant|keep/x"


def sealed(content: bytes, name: str = NAME, key: bytes = KEY) -> bytes:
    target = io.BytesIO()
    assert write(io.BytesIO(content), target, key, name) == (len(content), hashlib.sha256(content).hexdigest())
    return target.getvalue()


def opened(stored: bytes, name: str = NAME, key: bytes = KEY) -> bytes:
    return io.BufferedReader(SealedReader(io.BytesIO(stored), key, name)).read()


LENGTHS = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 7]
THREE = bytes(range(256)) * (CHUNK // 256) * 3


@pytest.mark.parametrize("length", LENGTHS)
def test_any_length_comes_back_whole(length):
    content = (b"0123456789" * (length // 10 + 1))[:length]

    assert opened(sealed(content)) == content


@settings(max_examples=30)
@given(st.binary(max_size=300), st.lists(st.integers(1, 50), min_size=1, max_size=5))
def test_it_can_be_read_in_pieces_and_written_from_a_dribble(content, sizes):
    class Dribble(io.BytesIO):
        def read(self, size=-1):
            return super().read(min(size, 7))

    target = io.BytesIO()
    write(Dribble(content), target, KEY, NAME)
    reader = io.BufferedReader(SealedReader(Dribble(target.getvalue()), KEY, NAME))
    parts = []
    while part := reader.read(sizes[len(parts) % len(sizes)]):
        parts.append(part)

    assert b"".join(parts) == content


def test_the_stored_bytes_tell_nothing_and_never_repeat():
    first, second = sealed(b"secret" * 100), sealed(b"secret" * 100)

    assert b"secret" not in first
    assert first[HEADER:] != second[HEADER:]


@settings(max_examples=100)
@given(st.integers(0, HEADER + 40 + TAG - 1), st.integers(1, 255))
def test_every_changed_byte_is_found(position, change):
    stored = bytearray(sealed(b"x" * 40))
    stored[position] ^= change

    with pytest.raises(BlobDamaged):
        opened(bytes(stored))


def chunks(stored: bytes) -> list[bytes]:
    body = stored[HEADER:]
    return [body[start : start + CHUNK + TAG] for start in range(0, len(body), CHUNK + TAG)]


@pytest.mark.parametrize(
    "rearranged",
    [
        lambda c: [c[1], c[0], c[2]],
        lambda c: [c[0], c[0], c[1], c[2]],
        lambda c: [c[0], c[1]],
        lambda c: [c[0], c[2]],
        lambda c: [],
        lambda c: [*c, c[2]],
        lambda c: [*c, b"more"],
        lambda c: [c[0], c[1], c[2][:-1]],
    ],
    ids=["swapped", "doubled", "last dropped", "middle dropped", "emptied", "last again", "appended", "cut"],
)
def test_chunks_cannot_be_moved_dropped_or_added(rearranged):
    stored = sealed(THREE)

    with pytest.raises(BlobDamaged):
        opened(stored[:HEADER] + b"".join(rearranged(chunks(stored))))


def test_a_chunk_of_another_blob_does_not_fit():
    one, other = sealed(THREE), sealed(THREE)

    with pytest.raises(BlobDamaged):
        opened(one[:HEADER] + b"".join([chunks(one)[0], chunks(other)[1], chunks(one)[2]]))


def test_nothing_after_the_damage_is_given_out():
    stored = bytearray(sealed(THREE))
    stored[HEADER + CHUNK + TAG + 5] ^= 1
    reader = SealedReader(io.BytesIO(bytes(stored)), KEY, NAME)
    given_out = [reader.read(CHUNK)]

    with pytest.raises(BlobDamaged):
        given_out.append(reader.read(1))
    assert given_out == [THREE[:CHUNK]]


def test_it_is_bound_to_its_key_and_name():
    stored = sealed(b"content")

    with pytest.raises(BlobDamaged):
        opened(stored, name="tenant|keep/y")
    with pytest.raises(BlobDamaged):
        opened(stored, key=bytes(32))


@given(st.binary(max_size=60))
def test_any_other_bytes_are_rejected(content):
    with pytest.raises(BlobDamaged):
        opened(content)


def test_closing_the_reader_closes_what_it_reads():
    source = io.BytesIO(sealed(b"x"))
    SealedReader(source, KEY, NAME).close()

    assert source.closed
