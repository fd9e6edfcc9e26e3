"""The form of what one partner's terms change of its plan. An empty field leaves the plan's value."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from billing.console.plan_form import charge_of, number_of, place_of, prices_of, text_of
from billing.terms import Overrides
from core.errors import FieldError, Invalid

Text = Annotated[str, StringConstraints(max_length=2000)]
_OF_METERS: Final = ("charge", "included", "soft_cap", "hard_cap")
"""What the form changes of a meter. Other changes of a meter stay as they are."""


class PriceForm(BaseModel):
    """The fields; of each meter one value in every list."""

    model_config = ConfigDict(extra="ignore")

    effective_on: Text = ""
    reason: Text = ""
    base_fee: Text = ""
    due_days: Text = ""
    meter: list[Text] = []
    charge: list[Text] = []
    prices: list[Text] = []
    included: list[Text] = []
    soft_cap: list[Text] = []
    hard_cap: list[Text] = []

    def overrides(self, present: Overrides) -> Overrides:
        """Return the overrides that the form describes.

        Args:
            present: those of today, of which the form changes its own fields.

        Raises:
            Invalid: a field is not valid; each is named (422).
        """
        errors: list[FieldError] = []
        before = present.model_dump(mode="json", exclude_none=True)
        values: dict[str, Any] = {name: value for name, value in before.items() if name != "meters"}
        for name in ("base_fee", "due_days"):
            _put(values, name, number_of(getattr(self, name), name, errors))
        meters: dict[str, Any] = dict(before.get("meters", {}))
        for at, meter in enumerate(self.meter):
            meters[meter] = self._meter(at, meters.get(meter, {}), errors)
        values["meters"] = {name: change for name, change in meters.items() if change}
        if not errors:
            try:
                return Overrides.model_validate(values)
            except ValidationError as error:
                errors += [FieldError(place_of(each["loc"]), each["msg"]) for each in error.errors()]
        detail = "the terms of the partner are not valid"
        raise Invalid(detail, errors=errors)

    def _meter(self, at: int, before: dict[str, Any], errors: list[FieldError]) -> dict[str, Any]:
        def value(name: str) -> str:
            every: list[str] = getattr(self, name)
            return every[at].strip() if at < len(every) else ""

        meter = self.meter[at]
        change = {name: content for name, content in before.items() if name not in _OF_METERS}
        if prices := value("prices"):
            change["charge"] = charge_of(value("charge") or "per_unit", prices, f"{meter}.prices", errors)
        for name in ("included", "soft_cap", "hard_cap"):
            _put(change, name, number_of(value(name), f"{meter}.{name}", errors))
        return change


def price_form_of(overrides: Overrides, meters: list[str]) -> PriceForm:
    """Return the form that describes overrides, with a row for each of the meters."""
    changes = [overrides.meters.get(meter) for meter in meters]

    def texts(name: str) -> list[str]:
        values = [None if change is None else getattr(change, name) for change in changes]
        return ["" if value is None else text_of(value) for value in values]

    charges = [None if change is None else change.charge for change in changes]
    return PriceForm(
        base_fee="" if overrides.base_fee is None else text_of(overrides.base_fee),
        due_days="" if overrides.due_days is None else str(overrides.due_days),
        meter=meters,
        charge=["" if charge is None else charge.model for charge in charges],
        prices=["" if charge is None else prices_of(charge) for charge in charges],
        included=texts("included"),
        soft_cap=texts("soft_cap"),
        hard_cap=texts("hard_cap"),
    )


def _put(values: dict[str, Any], name: str, value: str | None) -> None:
    """Set a value, or remove it where the field is empty."""
    if value is None:
        values.pop(name, None)
    else:
        values[name] = value
