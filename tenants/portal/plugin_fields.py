"""The fields of a form for the settings of a plugin, made from its JSON Schema; and the values that the form sends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from core.plugins.settings_schema import MISSING, secret_names
from core.web.problem_texts import shown_sentence
from core.web.texts import gettext as _
from core.web.texts import ngettext, shown_number
from tenants.portal.plugin_texts import plugin_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.errors import FieldError

PREFIX: Final = "set."
"""Before the names of settings in the form, so that no setting takes the name of another field."""
REMOVE: Final = "remove."
"""Before the names of secrets that the form removes."""
LONGEST: Final = 20_000
_INPUTS: Final = {"email": "email", "date": "date"}


@dataclass(frozen=True, slots=True)
class PluginField:
    """One setting of a plugin as a field of a form.

    Attributes:
        name: of the setting.
        label: its title.
        hint: what its schema says about it.
        kind: ``text``; ``secret``; ``number``; ``choice``; ``yes_no``; ``lines``, a list; ``many``, several choices;
            ``pairs``, texts by name.
        text: its value as the form shows it; several values are on a line each. Always empty for a secret.
        input: type of the text's input.
        options: the values to choose from, as texts.
        required: whether the plugin needs it.
        is_set: whether a secret is set.
        rule: what the value must be, in words; empty if anything goes.
        schema: of the setting.
    """

    name: str
    label: str
    hint: str
    kind: str
    text: str
    input: str
    options: tuple[str, ...]
    required: bool
    is_set: bool
    rule: str
    schema: Mapping[str, Any]

    @property
    def id(self) -> str:
        """The name of its input."""
        return f"{PREFIX}{self.name}"

    @property
    def chosen(self) -> list[str]:
        """The values of ``lines`` and ``many``."""
        return [line.strip() for line in self.text.splitlines() if line.strip()]

    @property
    def choices(self) -> list[tuple[str, str]]:
        """The values to choose from; none first where the setting may stay empty."""
        none = [] if self.kind == "many" or self.required or "default" in self.schema else [("", _("none"))]
        return [*none, *((each, each) for each in self.options)]


def fields_of(
    schema: Mapping[str, Any], values: Mapping[str, Any], secrets_set: Sequence[str] = ()
) -> list[PluginField]:
    """Return the fields of a plugin's settings.

    Args:
        schema: of the settings, as ``core.plugins.settings_schema`` accepts it.
        values: the settings, without secrets; where one is missing, the field shows its default.
        secrets_set: names of the secrets that are set.
    """
    secrets = set(secret_names(schema))
    required = set(schema.get("required", ()))
    fields = []
    for name, each in schema.get("properties", {}).items():
        kind = "secret" if name in secrets else _kind(each)
        value = None if kind == "secret" else values.get(name, each.get("default"))
        fields.append(
            PluginField(
                name=name,
                label=plugin_text(each.get("title") or name),
                hint=plugin_text(each.get("description", "")),
                kind=kind,
                text=_text(value),
                input=_INPUTS.get(each.get("format", ""), "text"),
                options=tuple(_text(option) for option in (each.get("items", each)).get("enum", ())),
                required=name in required,
                is_set=name in secrets_set,
                rule=_rule(each),
                schema=each,
            )
        )
    return fields


def with_texts(fields: Sequence[PluginField], sent: Mapping[str, str]) -> list[PluginField]:
    """Return the fields with the texts that a form sent, without its secrets."""
    return [field if field.kind == "secret" else replace(field, text=sent.get(field.id, "")) for field in fields]


def values_of(fields: Sequence[PluginField], sent: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that a form sends. A text that does not fit stays a text, which the schema rejects.

    A secret without a text stays as it is, and is not among them.
    """
    values: dict[str, Any] = {}
    for field in fields:
        text = sent.get(field.id, "")[:LONGEST]
        if field.kind == "secret":
            if text.strip():
                values[field.name] = text.strip()
            elif sent.get(f"{REMOVE}{field.name}"):
                values[field.name] = ""
        elif field.kind == "yes_no":
            values[field.name] = bool(text)
        elif text.strip():
            values[field.name] = _value(replace(field, text=text.strip()))
    return values


def wrong_fields(fields: Sequence[PluginField], errors: Sequence[FieldError]) -> dict[str, str]:
    """Return what to write in each wrong field, by the name of its input."""
    by_name = {field.name: field for field in fields}
    wrong: dict[str, str] = {}
    for error in errors:
        top, _dot, rest = error.field.partition(".")
        field = by_name.get(rest.partition(".")[0]) if top == "settings" else None
        if field is not None:
            wrong.setdefault(field.id, _problem(field, error))
        elif top == "name":
            wrong.setdefault("name", shown_sentence(error.problem))
    return wrong


def general_problems(errors: Sequence[FieldError]) -> list[str]:
    """Return what is wrong with the settings as a whole, such as that one of two is needed."""
    own = [one for one in errors if one.field == "settings"]
    return [" ".join(filter(None, (shown_sentence(one.problem), shown_sentence(one.remedy)))) for one in own]


def _problem(field: PluginField, error: FieldError) -> str:
    if error.remedy:
        return f"{shown_sentence(error.problem)} {shown_sentence(error.remedy)}"
    if error.problem == MISSING:
        return _("Fill this in.")
    return " ".join(filter(None, (_("This value does not fit."), field.rule, field.hint)))


def _kind(each: Mapping[str, Any]) -> str:
    if each["type"] == "boolean":
        return "yes_no"
    if "enum" in each:
        return "choice"
    if each["type"] in {"integer", "number"}:
        return "number"
    if each["type"] == "array":
        return "many" if "enum" in each["items"] else "lines"
    return "pairs" if each["type"] == "object" else "text"


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, list):
        return "\n".join(map(str, value))
    if isinstance(value, dict):
        return "\n".join(f"{name} = {text}" for name, text in value.items())
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)


def _value(field: PluginField) -> object:
    if field.kind == "choice":
        options: Sequence[object] = field.schema["enum"]
        return next((option for option in options if _text(option) == field.text), field.text)
    if field.kind == "number":
        return _number(field.text, whole=field.schema["type"] == "integer")
    if field.kind in {"lines", "many"}:
        return field.chosen
    if field.kind == "pairs":
        pairs = [line.partition("=") for line in field.chosen]
        return {name.strip(): value.strip() for name, _sign, value in pairs}
    return field.text


def _number(text: str, *, whole: bool) -> float | str:
    try:
        number = int(text) if whole else float(text.replace(",", "."))
    except ValueError:
        return text
    return number if whole or isfinite(number) else text


def _rule(each: Mapping[str, Any]) -> str:
    """Return what a value must be, in words."""
    if each["type"] in {"integer", "number"}:
        return _bounds(*(each.get(bound, each.get(f"exclusive{bound.title()}")) for bound in ("minimum", "maximum")))
    if each["type"] == "array":
        return _("One on each line.")
    if each["type"] == "object":
        return _("One on each line, as name = value.")
    if "minLength" in each:
        return ngettext("At least {count} character.", "At least {count} characters.", int(each["minLength"]))
    if "maxLength" in each:
        return ngettext("At most {count} character.", "At most {count} characters.", int(each["maxLength"]))
    return ""


def _bounds(least: float | None, most: float | None) -> str:
    if least is not None and most is not None:
        return _("From {least} to {most}.").format(least=_figure(least), most=_figure(most))
    if least is not None:
        return _("{least} or more.").format(least=_figure(least))
    return _("{most} or less.").format(most=_figure(most)) if most is not None else ""


def _figure(value: float) -> str:
    return shown_number(value, 0 if float(value).is_integer() else 3)
