"""Codes of an app and recovery codes: which ones match, and in which spellings."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pyotp
import pytest

from core.identity.people import factor_codes

NOW = datetime(2026, 5, 4, 8, 0, 15, tzinfo=UTC)
STEP = int(NOW.timestamp()) // 30
PERSON, OTHER = UUID(int=1), UUID(int=2)


@pytest.mark.parametrize(("away", "matches"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_code_counts_in_its_time_step_and_the_two_beside_it(away, matches):
    secret = factor_codes.new_secret()
    code = pyotp.TOTP(secret).generate_otp(STEP + away)
    assert factor_codes.matching_step(secret, code, NOW, 0) == (STEP + away if matches else None)


def test_a_code_up_to_the_last_used_step_never_counts_again():
    secret = factor_codes.new_secret()
    code = pyotp.TOTP(secret).generate_otp(STEP)
    assert factor_codes.matching_step(secret, code, NOW, STEP - 1) == STEP
    assert factor_codes.matching_step(secret, code, NOW, STEP) is None
    assert factor_codes.matching_step(secret, code, NOW + timedelta(seconds=30), STEP) is None


def test_an_app_reads_account_and_issuer_from_the_address():
    secret = factor_codes.new_secret()
    read = pyotp.parse_uri(factor_codes.address_of_secret(secret, "a@example.org"))
    assert (read.secret, read.name, read.issuer) == (secret, "a@example.org", factor_codes.ISSUER)


def test_a_recovery_code_is_read_as_people_write_it_and_belongs_to_one_person():
    digest = factor_codes.recovery_digest(PERSON, "a1b0-c3d4-e5f6-g7h8")
    assert digest == factor_codes.recovery_digest(PERSON, " AlBO C3D4E5F6-G7H8 ")
    assert digest != factor_codes.recovery_digest(OTHER, "a1b0-c3d4-e5f6-g7h8")
    assert factor_codes.recovery_digest(PERSON, "123456") is None
    codes = factor_codes.new_recovery_codes()
    assert len({factor_codes.recovery_digest(PERSON, code) for code in codes}) == factor_codes.RECOVERY_CODES
