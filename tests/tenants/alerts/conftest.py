"""A partner with a facility and people on its lists, and a channel that a test listens to."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from core.database import tenant_session
from core.tenancy import settings as tenant_settings
from plugins.sdk import Outcome
from tenants.alerts import channels
from tenants.alerts.settings import AlertSettings


class Receiver:
    """A channel's receiver: what it received, and what it answers.

    Attributes:
        calls: (channel, act, key, title) of each message.
        answers: outcomes by call; ``sent`` when they are used up.
        repeatable: whether it recognizes repetitions.
    """

    def __init__(self) -> None:
        self.channels = [channels.Channel(uuid4(), "On duty", "slack")]
        self.calls: list[tuple[UUID, str, str, str]] = []
        self.messages = []
        self.answers: list[Outcome | BaseException] = []
        self.repeatable = False

    @property
    def channel(self) -> UUID:
        return self.channels[0].id

    @property
    def acts(self) -> list[str]:
        return [act for _, act, _, _ in self.calls]

    def send(self, _tenant, channel_id, alert):
        self.calls.append((channel_id, alert.act, alert.key, alert.title))
        self.messages.append(alert)
        answer = self.answers.pop(0) if self.answers else Outcome("sent")
        if isinstance(answer, BaseException):
            raise answer
        return answer


class Prepared:
    """A message for the receiver, as the sender prepares it."""

    def __init__(self, receiving, message):
        self.repeatable, self.send = receiving.repeatable, lambda: receiving.send(*message)

    def count(self, session):
        """Meter nothing."""

    def judge(self, outcome):
        """Judge nothing."""


@pytest.fixture
def receiver(monkeypatch):
    receiving = Receiver()
    monkeypatch.setattr(channels, "list_channels", lambda _session: receiving.channels)
    monkeypatch.setattr(channels, "prepare", lambda *message: Prepared(receiving, message))
    return receiving


def awake(tenant):
    """Switch the quiet hours off: tests run at any hour."""
    with tenant_session(tenant, actor="test:1") as session:
        tenant_settings.put(session, AlertSettings(quiet_hours=False))
