"""The form of a plan's terms: a few fields, and a line of text for each price, that a person can write by hand."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from billing.terms import GraduatedCharge, Package, PerUnit, PlanTerms, Volume
from core.errors import FieldError, Invalid, phrase

Text = Annotated[str, StringConstraints(max_length=2000)]
ROWS: Final = 12
"""Meters that a form takes."""
_MORE: Final = "more"
_FLAT: Final = "+"


class PlanForm(BaseModel):
    """The fields of the editor; of each meter one value in every list."""

    model_config = ConfigDict(extra="ignore")

    code: Text = ""
    name: Text = ""
    note: Text = ""
    currency: Text = ""
    interval: Text = "month"
    alignment: Text = "calendar"
    base_fee: Text = "0"
    trial_days: Text = "0"
    grace_days: Text = "3"
    due_days: Text = "30"
    meter: list[Text] = []
    label: list[Text] = []
    aggregation: list[Text] = []
    charge: list[Text] = []
    prices: list[Text] = []
    included: list[Text] = []
    soft_cap: list[Text] = []
    hard_cap: list[Text] = []

    def terms(self, present: PlanTerms | None = None) -> PlanTerms:
        """Return the terms that the form describes.

        Args:
            present: the newest version, whose add-ons and steps of dunning are taken over: the form has none.

        Raises:
            Invalid: a field is not valid; each is named (422).
        """
        errors: list[FieldError] = []
        values: dict[str, Any] = {
            "currency": self.currency.strip().upper(),
            "interval": self.interval,
            "alignment": self.alignment,
            "base_fee": number_of(self.base_fee, "base_fee", errors, default="0"),
            **{
                name: number_of(getattr(self, name), name, errors, default="0")
                for name in ("trial_days", "grace_days", "due_days")
            },
            "meters": [self._meter(at, errors) for at, name in enumerate(self.meter) if name],
        }
        if present is not None:
            before = present.model_dump(mode="json")
            values |= {"add_ons": before["add_ons"], "dunning": before["dunning"]}
        if not errors:
            try:
                return PlanTerms.model_validate(values)
            except ValidationError as error:
                errors += [FieldError(place_of(each["loc"]), each["msg"]) for each in error.errors()]
        detail = "the terms of the plan are not valid"
        raise Invalid(detail, errors=errors)

    def _meter(self, at: int, errors: list[FieldError]) -> dict[str, Any]:
        def value(name: str) -> str:
            every: list[str] = getattr(self, name)
            return every[at].strip() if at < len(every) else ""

        place = self.meter[at]
        return {
            "meter": place,
            "label": value("label"),
            **({"aggregation": value("aggregation")} if value("aggregation") else {}),
            "charge": charge_of(value("charge") or "per_unit", value("prices"), f"{place}.prices", errors),
            "included": number_of(value("included"), f"{place}.included", errors, default="0"),
            "soft_cap": number_of(value("soft_cap"), f"{place}.soft_cap", errors),
            "hard_cap": number_of(value("hard_cap"), f"{place}.hard_cap", errors),
        }


def form_of(terms: PlanTerms) -> PlanForm:
    """Return the form that describes terms."""
    return PlanForm(
        currency=terms.currency,
        interval=terms.interval,
        alignment=terms.alignment,
        base_fee=text_of(terms.base_fee),
        trial_days=str(terms.trial_days),
        grace_days=str(terms.grace_days),
        due_days=str(terms.due_days),
        meter=[each.meter for each in terms.meters],
        label=[each.label for each in terms.meters],
        aggregation=[each.aggregation for each in terms.meters],
        charge=[each.charge.model for each in terms.meters],
        prices=[prices_of(each.charge) for each in terms.meters],
        included=[text_of(each.included) for each in terms.meters],
        soft_cap=["" if each.soft_cap is None else text_of(each.soft_cap) for each in terms.meters],
        hard_cap=["" if each.hard_cap is None else text_of(each.hard_cap) for each in terms.meters],
    )


def prices_of(charge: PerUnit | GraduatedCharge | Volume | Package) -> str:
    """Return the prices of a charge as the form writes them.

    A price: ``5``. A package of 1,000 for 50: ``1000: 50``. Tiers, one a line: ``1000: 5`` and ``more: 4``; with a fee
    that is charged once when the tier is reached: ``1000: 5 + 20``.
    """
    if isinstance(charge, PerUnit):
        return text_of(charge.unit_price)
    if isinstance(charge, Package):
        return f"{text_of(charge.size)}: {text_of(charge.price)}"
    return "\n".join(
        f"{_MORE if tier.up_to is None else text_of(tier.up_to)}: {text_of(tier.unit_price)}"
        + (f" {_FLAT} {text_of(tier.flat)}" if tier.flat else "")
        for tier in charge.tiers
    )


def charge_of(model: str, text: str, place: str, errors: list[FieldError]) -> dict[str, Any]:
    """Return the charge that the form's text describes, as JSON, and add what is wrong with it to ``errors``."""
    if model == "per_unit":
        return {"model": model, "unit_price": number_of(text, place, errors, default="0")}
    rows = [line for line in re.split(r"[\n;]", text) if line.strip()]
    pairs = [_pair(row, place, errors) for row in rows]
    if model == "package":
        if len(pairs) != 1:
            errors.append(FieldError(place, "is not one line", "Write the size and its price, such as 1000: 50."))
            return {"model": model, "size": "1", "price": "0"}
        return {"model": model, "size": pairs[0][0], "price": pairs[0][1]}
    if not pairs:
        errors.append(FieldError(place, "has no tier", "Write one tier a line, such as 1000: 5 and more: 4."))
    tiers = [{"up_to": up_to, "unit_price": price, "flat": flat} for up_to, price, flat in pairs]
    return {"model": model, "tiers": tiers}


def _pair(row: str, place: str, errors: list[FieldError]) -> tuple[str | None, str | None, str | None]:
    limit, colon, price = row.partition(":")
    if not colon:
        problem = phrase("{line} has no colon", line=repr(row.strip()))
        errors.append(FieldError(place, problem, "Write one tier a line, such as 1000: 5 and more: 4."))
        return None, "0", "0"
    unit_price, _, flat = price.partition(_FLAT)
    up_to = None if limit.strip().lower() == _MORE else number_of(limit, place, errors)
    return up_to, number_of(unit_price, place, errors, default="0"), number_of(flat, place, errors, default="0")


def number_of(text: str, place: str, errors: list[FieldError], *, default: str | None = None) -> str | None:
    """Return the number that a field has, as JSON, and add what is wrong with it to ``errors``."""
    wanted = text.strip().replace(" ", "").replace("\u202f", "")
    if not wanted:
        return default
    try:
        value = Decimal(wanted)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        problem = phrase("{text} is not a number", text=repr(text.strip()))
        errors.append(FieldError(place, problem, "Write digits, with a point before decimals."))
        return default
    return f"{value:f}"


def text_of(value: Decimal) -> str:
    """Return a number as the form writes it: no exponent, no zeros at its end."""
    text = f"{value:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def place_of(parts: tuple[int | str, ...]) -> str:
    """Return the name of a value, such as ``meters.0.included``."""
    return ".".join(str(part) for part in parts) or "terms"
