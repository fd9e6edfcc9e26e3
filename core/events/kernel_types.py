"""The types of events that the kernel's own rooms publish."""

from typing import Final

from core.events.schemas import COUNT, ID, TEXT, described, fields
from core.feature_registry import EventType

_LANGUAGE: Final = described(TEXT, "Language of the request, such as fr.")

KERNEL_TYPES: Final = (
    EventType(
        name="people.link_created",
        version=1,
        description="A one-time link was created and is to be mailed. Only where `IIT_SMTP_URL` is set.",
        subject="the person",
        schema=fields(
            link_id=described(ID, "The link."),
            sealed=described(TEXT, "Its secret, sealed with the tenant's key."),
            language=_LANGUAGE,
        ),
        example={"link_id": "0197a5f0-0000-7000-8000-000000000001", "sealed": "c2VhbGVk", "language": "fr"},
    ),
    EventType(
        name="people.second_factor_reset",
        version=1,
        description="An admin or an operator removed a person's second factor. Only where `IIT_SMTP_URL` is set.",
        subject="the person",
        schema=fields(language=_LANGUAGE),
        example={"language": "pt"},
    ),
    EventType(
        name="jobs.dead_letters_growing",
        version=1,
        description="Open dead letters passed 10, 100 or 1000. Again only after they were half as many.",
        subject="`dead_letters`",
        schema=fields(
            open=described(COUNT, "Dead letters that wait for an operator."),
            threshold=described(COUNT, "The threshold that they passed."),
        ),
        example={"open": 12, "threshold": 10},
        public=True,
    ),
)
