"""The fields of a form for a group of settings, made from the group's model; and the values that the form sends."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from core.errors import FieldError, Invalid
from core.preferences import service
from core.preferences.registry import label_of, meaning_of
from core.web.texts import gettext as _
from core.web.texts import shown_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from core.preferences.registry import Group
    from core.preferences.service import GroupState

PREFIX: Final = "set."
"""Before the names of settings in the form, so that no setting takes the name of another field."""

LONGEST: Final = 20_000


@dataclass(frozen=True, slots=True)
class SettingField:
    """One setting as a field of a form.

    Attributes:
        name: the dotted name of the setting.
        label: its last parts in words.
        text: its value as the form shows it.
        default: its default as the form shows it.
        meaning: what it is for.
        options: the values to choose from; empty if it is written.
        number: whether it is a number.
        least, most: bounds of a number; None for none.
        whole: whether the number has no decimals.
        is_set: whether the partner has set it.
    """

    name: str
    label: str
    text: str
    default: str
    meaning: str
    options: tuple[str, ...] = ()
    number: bool = False
    least: float | None = None
    most: float | None = None
    whole: bool = False
    is_set: bool = False

    @property
    def takes(self) -> str:
        """The bounds of the value in words; empty if it has none."""
        if self.least is not None and self.most is not None:
            return _("From {least} to {most}.").format(least=_shown(self.least), most=_shown(self.most))
        if self.least is not None:
            return _("{least} or more.").format(least=_shown(self.least))
        if self.most is not None:
            return _("{most} or less.").format(most=_shown(self.most))
        return ""


def fields_of(state: GroupState) -> list[SettingField]:
    """The fields of a group, with the values in force."""
    values = state.value.model_dump(mode="json")
    defaults = state.group.model().model_dump(mode="json")
    return [
        SettingField(
            name,
            _(label_of(name)),
            _text(service.at_name(values, name)),
            _text(service.at_name(defaults, name)),
            _(meaning_of(field)),
            is_set=name in state.set_names,
            **_form_of(model.model_json_schema(), name.rpartition(".")[2]),
        )
        for name, model, field in state.group.leaves()
    ]


def with_texts(fields: list[SettingField], sent: Mapping[str, str]) -> Iterator[SettingField]:
    """Yield the fields with the texts that a form sent."""
    from dataclasses import replace

    for field in fields:
        yield replace(field, text=sent.get(PREFIX + field.name, field.text))


def document_of(state: GroupState, sent: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that a form sets. Without a text, and where it is the default, a setting follows its default.

    Raises:
        Invalid: a text is too long, or is not JSON where the setting is neither a number nor a choice.
    """
    document: dict[str, Any] = {}
    for field in fields_of(state):
        text = sent.get(PREFIX + field.name, "").strip()
        if not text or (text == field.default and not field.is_set):
            continue
        _lay(document, service.at(state.group, field.name, _value(field, text)))
    return document


def wrong_fields(group: Group, fields: list[SettingField], errors: tuple[FieldError, ...]) -> dict[str, str]:
    """What to write in each wrong setting, by name. A wrong part of a setting counts as that setting."""
    known = {field.name: field for field in fields}
    wrong: dict[str, str] = {}
    for error in errors:
        place = error.field.removeprefix(f"{group.name}.")
        name = next((name for name in known if place == name or place.startswith(f"{name}.")), fields[0].name)
        wrong.setdefault(name, " ".join((_("This value does not fit."), known[name].takes)).strip())
    return wrong


def _form_of(schema: Mapping[str, Any], name: str) -> dict[str, Any]:
    own = schema["properties"][name]
    if "$ref" in own:
        own = schema["$defs"][own["$ref"].rpartition("/")[2]]
    kind = own.get("type")
    if "enum" in own:
        return {"options": tuple(str(value) for value in own["enum"])}
    if kind == "boolean":
        return {"options": ("true", "false")}
    if kind in ("integer", "number"):
        least = own.get("minimum", own.get("exclusiveMinimum"))
        most = own.get("maximum", own.get("exclusiveMaximum"))
        return {"number": True, "whole": kind == "integer", "least": least, "most": most}
    return {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _value(field: SettingField, text: str) -> object:
    if field.options and text not in ("true", "false"):
        return text
    try:
        if len(text) <= LONGEST:
            return json.loads(text)
    except (ValueError, RecursionError):
        pass
    if not field.number and not field.text.startswith(("{", "[")):
        return text[:LONGEST]
    detail, problem = "a value cannot be read", FieldError(field.name, _("This value cannot be read."))
    raise Invalid(detail, errors=[problem])


def _shown(value: float) -> str:
    return shown_number(value, 0 if float(value).is_integer() else 3)


def _lay(document: dict[str, Any], part: Mapping[str, Any]) -> None:
    for name, value in part.items():
        if isinstance(value, dict) and isinstance(document.get(name), dict):
            _lay(document[name], value)
        else:
            document[name] = value
