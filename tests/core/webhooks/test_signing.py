"""Signatures are those of Standard Webhooks."""

import time

import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from core.webhooks.signing import headers, new_secret, sign


def test_the_vector_of_the_standard():
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    signature = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_official_verifier_accepts_each_of_two_secrets_and_no_other():
    old, new = new_secret(), new_secret()
    signed = headers((new, old), "0197", int(time.time()), b'{"a":1}')
    assert Webhook(old).verify(b'{"a":1}', signed) == Webhook(new).verify(b'{"a":1}', signed) == {"a": 1}
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(b'{"a":1}', signed)
    with pytest.raises(WebhookVerificationError):
        Webhook(new).verify(b'{"a":2}', signed)
