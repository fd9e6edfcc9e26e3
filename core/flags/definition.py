"""How a flag is set: Unleash's definition of a feature, checked before it is stored.

The names of strategies, parameters, operators and fields are Unleash's, so a definition reads the same here, in its
server and in its clients (client specification 6, https://github.com/Unleash/client-specification).
"""

from __future__ import annotations

import ipaddress
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

NUMBERS: Final = {"NUM_EQ", "NUM_GT", "NUM_GTE", "NUM_LT", "NUM_LTE"}
DATES: Final = {"DATE_AFTER", "DATE_BEFORE"}
VERSIONS: Final = {"SEMVER_EQ", "SEMVER_GT", "SEMVER_LT"}
Operator = Literal[
    "IN", "NOT_IN", "STR_CONTAINS", "STR_STARTS_WITH", "STR_ENDS_WITH",
    "NUM_EQ", "NUM_GT", "NUM_GTE", "NUM_LT", "NUM_LTE",
    "DATE_AFTER", "DATE_BEFORE", "SEMVER_EQ", "SEMVER_GT", "SEMVER_LT",
]  # fmt: skip
Parameters = dict[str, str]
_NEEDED: Final[dict[str, tuple[str, ...]]] = {
    "default": (),
    "flexibleRollout": ("rollout", "stickiness", "groupId"),
    "userWithId": ("userIds",),
    "remoteAddress": ("IPs",),
    "applicationHostname": ("hostNames",),
}
_PERCENT: Final = 100
_THOUSAND: Final = 1000


class Constraint(BaseModel):
    """A condition on one field of the context: ``tenant``, ``environment``, ``userId``, ``appName`` or another."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    contextName: str = Field(min_length=1, max_length=60, description="The field, such as `tenant`.")  # noqa: N815 - Unleash's
    operator: Operator = Field(description="How the field is compared.")
    values: tuple[str, ...] = Field(default=(), max_length=1000, description="Values of `IN`, `NOT_IN` and `STR_…`.")
    value: str | None = Field(default=None, max_length=200, description="The value of `NUM_…`, `DATE_…`, `SEMVER_…`.")
    inverted: bool = Field(default=False, description="Whether the opposite must hold.")
    caseInsensitive: bool = Field(default=False, description="Whether `STR_…` compare regardless of case.")  # noqa: N815 - Unleash's

    @model_validator(mode="after")
    def _check(self) -> Self:
        one = self.operator in NUMBERS | DATES | VERSIONS
        if one and self.value is None:
            message = f"{self.operator} needs `value`"
            raise ValueError(message)
        if not one and not self.values:
            message = f"{self.operator} needs `values`"
            raise ValueError(message)
        return self


class Variant(BaseModel):
    """One of several ways in which a flag can be on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=60, description="Name that the code knows.")
    weight: int = Field(ge=0, le=_THOUSAND, description="Share of those for whom the flag is on, in thousandths.")
    stickiness: str = Field(default="default", max_length=60, description="The field that stays with its variant.")


class Strategy(BaseModel):
    """A way to be on. A flag is on for whomever one of its strategies takes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Literal["default", "flexibleRollout", "userWithId", "remoteAddress", "applicationHostname"] = Field(
        description="Unleash's name of the strategy."
    )
    parameters: Parameters = Field(default_factory=dict, description="Its parameters, as Unleash names them.")
    constraints: tuple[Constraint, ...] = Field(default=(), max_length=30, description="All of them must hold.")
    variants: tuple[Variant, ...] = Field(default=(), max_length=20, description="Variants of this strategy alone.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        needed = _NEEDED[self.name]
        if set(self.parameters) != set(needed):
            message = f"{self.name} takes the parameters {', '.join(needed) or 'none'}"
            raise ValueError(message)
        share = self.parameters.get("rollout", "0")
        if not share.isascii() or not share.isdigit() or int(share) > _PERCENT:
            message = "rollout is a whole number of percent from 0 to 100"
            raise ValueError(message)
        for address in filter(None, self.parameters.get("IPs", "").split(",")):
            ipaddress.ip_network(address.strip(), strict=False)
        return self


class Definition(BaseModel):
    """How a flag is set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(description="Whether it is on at all. While it is not, no strategy is asked.")
    strategies: tuple[Strategy, ...] = Field(
        default=(), max_length=20, description="It is on for whomever one of them takes; for everybody without any."
    )
    variants: tuple[Variant, ...] = Field(default=(), max_length=20, description="Its variants.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for variants in (self.variants, *(strategy.variants for strategy in self.strategies)):
            if variants and sum(each.weight for each in variants) != _THOUSAND:
                message = "the weights of variants add up to 1000"
                raise ValueError(message)
        return self

    def names(self) -> set[str]:
        """Return the names of its variants."""
        return {each.name for part in (self.variants, *(each.variants for each in self.strategies)) for each in part}

    def feature(self, name: str) -> dict[str, Any]:
        """Return the definition as Unleash's engine reads it."""
        return {"name": name, **self.model_dump(mode="json", exclude_none=True)}
