"""A tenant's choice of how questions are answered, and what may leave for it."""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

Host = Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$", examples=["models.example.org"])]


class AnswerSettings(BaseModel):
    """How questions are answered."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
    settings_key: ClassVar[str] = "answers"

    style: Literal["quotes", "written"] = "quotes"
    """quotes: the passages themselves, with their best sentences marked. written: also a short answer by the
    installation's language model, each sentence of which was checked against the passage that it cites."""

    egress: Literal["off", "local", "named"] = "off"
    """Where a question and its passages may be sent. off: nowhere. local: only to a language model in a private
    network. named: also to the hosts in `hosts`. Names, phones and identifiers are removed before."""

    hosts: Annotated[tuple[Host, ...], Field(max_length=20)] = ()
    """Hosts of language models outside the private network to which questions may be sent."""

    monthly_budget: Annotated[float, Field(ge=0, le=100_000)] = 20.0
    """US dollars that the language model may cost in a calendar month, by the installation's price list. When they are
    spent, passages are quoted."""

    monthly_tokens: Annotated[int, Field(ge=0, le=1_000_000_000)] = 2_000_000
    """Tokens that the language model may read and write in a calendar month."""
