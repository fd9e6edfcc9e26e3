"""The stager knows whether all keys of an import differ, and never claims it where it does not know."""

from hashlib import sha256

from tenants.imports.staging import key_count
from tenants.imports.staging.key_count import KeyCount


def keys(*numbers):
    return [sha256(str(number).encode()).digest()[:16] for number in numbers]


def test_distinct_keys_are_recognised_over_several_portions():
    count = KeyCount()
    assert count.all_differ()
    for portion in (keys(*range(1000)), [], keys(*range(1000, 1500))):
        count.add(portion)
    assert count.all_differ()


def test_a_key_repeated_in_another_portion_is_seen():
    count = KeyCount()
    count.add(keys(1, 2, 3))
    count.add(keys(4, 2))
    assert not count.all_differ()


def test_nothing_is_claimed_of_more_keys_than_are_remembered(monkeypatch):
    monkeypatch.setattr(key_count, "MOST", 5)
    count = KeyCount()
    count.add(keys(1, 2, 3))
    count.add(keys(4, 5, 6))
    assert not count.all_differ()
    count.add(keys(7))
    assert not count.all_differ()
