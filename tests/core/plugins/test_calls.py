"""What a plugin gives cannot pass for what only the platform says."""

from datetime import timedelta

import pytest

from core.deliveries import NOT_TRIED, after_try
from core.plugins.calls import RESERVED, call
from plugins.sdk import HttpResponse, retry
from tests.core.plugins.offers import Channel, offered


@pytest.mark.parametrize("reason", sorted(NOT_TRIED))
def test_a_plugin_cannot_say_that_its_message_was_not_tried(reason):
    channel = Channel(outcome=lambda *_: retry(reason, timedelta(milliseconds=1)))
    with offered("alert-channel", channel) as (offer,):
        outcome = call(offer, None, "outcome", HttpResponse(200), {})
    attempts, pause = after_try(1, outcome)
    assert (outcome.reason, attempts) == (RESERVED, 1)
    assert pause >= timedelta(seconds=4)
