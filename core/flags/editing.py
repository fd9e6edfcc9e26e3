"""A definition from the few choices that most changes need: a share, allowed and denied partners, environments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import Invalid
from core.flags.definition import Constraint, Definition, Operator, Strategy, Variant

_WHOLE = 100


@dataclass(frozen=True, slots=True)
class Choices:
    """What an operator chooses.

    Attributes:
        on: whether it is on at all.
        percent: share of those whom the rest lets through.
        stickiness: what stays with its side: ``sessionId`` (partners), ``userId`` (people) or ``random``.
        tenants: partners for whom alone it may be on; empty for all.
        not_tenants: partners for whom it is off.
        people: ids of people and keys for whom it is on, whatever the share.
        environments: environments in which alone it may be on; empty for all.
        variants: name -> percent; together 100.
    """

    on: bool = True
    percent: int = _WHOLE
    stickiness: str = "sessionId"
    tenants: Sequence[str] = ()
    not_tenants: Sequence[str] = ()
    people: Sequence[str] = ()
    environments: Sequence[str] = ()
    variants: Sequence[tuple[str, int]] = ()


def definition_of(flag: str, choices: Choices) -> Definition:
    """Return the definition that the choices mean.

    Raises:
        Invalid: the share is no percentage, or the variants do not add up to 100.
    """
    if not 0 <= choices.percent <= _WHOLE:
        detail = "the share is a whole number of percent from 0 to 100"
        raise Invalid(detail, remedy="correct the share")
    if choices.variants and sum(share for _, share in choices.variants) != _WHOLE:
        detail = "the shares of the variants do not add up to 100 percent"
        raise Invalid(detail, remedy="correct the shares")
    conditions: tuple[tuple[str, Operator, Sequence[str]], ...] = (
        ("tenant", "IN", choices.tenants),
        ("tenant", "NOT_IN", choices.not_tenants),
        ("environment", "IN", choices.environments),
    )
    constraints = tuple(
        Constraint(contextName=name, operator=operator, values=tuple(values))
        for name, operator, values in conditions
        if values
    )
    parameters = {"rollout": str(choices.percent), "stickiness": choices.stickiness, "groupId": flag}
    strategies = [Strategy(name="flexibleRollout", parameters=parameters, constraints=constraints)]
    if choices.people:
        everywhere = tuple(each for each in constraints if each.contextName == "environment")
        parameters = {"userIds": ",".join(choices.people)}
        strategies.append(Strategy(name="userWithId", parameters=parameters, constraints=everywhere))
    return Definition(
        enabled=choices.on,
        strategies=tuple(strategies),
        variants=tuple(
            Variant(name=name, weight=share * 10, stickiness=choices.stickiness) for name, share in choices.variants
        ),
    )


def choices_of(flag: str, definition: Definition | None, default: bool) -> Choices | None:  # noqa: FBT001 - a fact
    """Return the choices that a definition means; None if it says more than they can."""
    if definition is None:
        return Choices(on=default)
    rollout = definition.strategies[0] if definition.strategies else None
    if rollout is None or rollout.name != "flexibleRollout":
        return None
    named = {(each.contextName, each.operator): each.values for each in rollout.constraints}
    people = [
        each for strategy in definition.strategies[1:] for each in strategy.parameters.get("userIds", "").split(",")
    ]
    choices = Choices(
        on=definition.enabled,
        percent=int(rollout.parameters["rollout"]),
        stickiness=rollout.parameters["stickiness"],
        tenants=named.get(("tenant", "IN"), ()),
        not_tenants=named.get(("tenant", "NOT_IN"), ()),
        people=tuple(each for each in people if each),
        environments=named.get(("environment", "IN"), ()),
        variants=tuple((each.name, each.weight // 10) for each in definition.variants),
    )
    try:
        return choices if definition_of(flag, choices) == definition else None
    except Invalid:
        return None
