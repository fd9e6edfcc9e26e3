"""The fields of a form for a group of settings, made from the group's model; and the values that the form sends."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from core.errors import FieldError, Invalid
from core.preferences import service
from core.preferences.registry import meaning_of
from core.web.texts import gettext as _
from core.web.texts import shown_number
from tenants.portal.setting_words import PAGES, choice_words, label_words, meaning_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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
        label: its name in words.
        text: its value as the form shows it; several values are on a line each.
        default: its default as the form shows it.
        meaning: what it is for.
        kind: ``choice``; ``number``; ``text``; ``lines``, a list; ``numbers``, a list of whole numbers; ``pairs``,
            names and values; ``days``, days and their names; ``bands``, a list of pairs of numbers; ``many``, several
            choices; ``variants``, a choice with fields of its own for each value; ``document``, a mapping made
            elsewhere.
        options: the values to choose from.
        names: value -> its name, for values that are identifiers.
        least, most: bounds of a number; None for none.
        whole: whether the number has no decimals.
        is_set: whether the partner has set it.
        parts: of ``variants``: value -> the fields of that value.
        page, page_words: the page on which it is changed instead, and the link to it; empty if it is changed here.
    """

    name: str
    label: str
    text: str
    default: str
    meaning: str
    kind: str = "text"
    options: tuple[str, ...] = ()
    names: Mapping[str, str] | None = None
    least: float | None = None
    most: float | None = None
    whole: bool = False
    is_set: bool = False
    parts: Mapping[str, Sequence[SettingField]] | None = None
    page: str = ""
    page_words: str = ""

    @property
    def takes(self) -> str:
        """The bounds or the form of the value in words; empty if it has none."""
        if self.kind == "days" and not self.page:
            return _("One day on each line, such as 2026-12-25 = Christmas. The name may be left out.")
        if self.least is not None and self.most is not None:
            return _("From {least} to {most}.").format(least=_shown(self.least), most=_shown(self.most))
        if self.least is not None:
            return _("{least} or more.").format(least=_shown(self.least))
        if self.most is not None:
            return _("{most} or less.").format(most=_shown(self.most))
        return ""

    @property
    def choices(self) -> list[tuple[str, str]]:
        """The values to choose from, each with its words."""
        names = self.names or {}
        return [(value, names.get(value) or choice_words(self.name, value)) for value in self.options]

    @property
    def chosen(self) -> list[str]:
        """The values of ``many``; the lines of ``lines``, ``pairs`` and ``days``."""
        return self.text.splitlines()

    @property
    def shown(self) -> str:
        """The value in words, for who only reads it."""
        parts = (self.parts or {}).get(self.text, ())
        return "; ".join([self._words(self.text), *(f"{part.label}: {part.shown}" for part in parts)])

    @property
    def shown_default(self) -> str:
        """The default in words."""
        return self._words(self.default)

    def _words(self, text: str) -> str:
        if not text:
            return _("none")
        if self.options:
            named = dict(self.choices)
            return ", ".join(named.get(value) or choice_words(self.name, value) for value in text.splitlines())
        if self.kind == "document":
            return _("set")
        return ", ".join(text.splitlines())

    def fields(self) -> Iterator[SettingField]:
        """Yield the field and the fields of its parts."""
        yield self
        for parts in (self.parts or {}).values():
            yield from parts


def fields_of(
    state: GroupState, roles: Sequence[str] = (), gateways: Mapping[str, str] | None = None
) -> list[SettingField]:
    """The fields of a group, with the values in force.

    Args:
        state: of the group.
        roles: names of the partner's roles, to choose from where a setting names roles.
        gateways: id -> name of the partner's SMS gateways, to choose from where a setting names one.
    """
    values = state.value.model_dump(mode="json")
    defaults = state.group.model().model_dump(mode="json")
    fields = []
    for name, model, field in state.group.leaves():
        schema = model.model_json_schema()
        own = schema["properties"][name.rpartition(".")[2]]
        setting = _field(
            name, own, schema, service.at_name(values, name), service.at_name(defaults, name), meaning_of(field)
        )
        if name == "second_factor_roles":
            setting = replace(setting, kind="many", options=tuple(dict.fromkeys((*roles, *setting.chosen))))
        if name == "gateway" and gateways is not None:
            names = {setting.text: setting.text, **gateways, "": _("The only one, if there is just one")}
            setting = replace(setting, kind="choice", options=tuple(sorted(names, key=bool)), names=names)
        if (state.group.name, name) in PAGES:
            page, label, link = PAGES[state.group.name, name]
            setting = replace(setting, label=_(label), page=page, page_words=_(link))
        fields.append(replace(setting, is_set=name in state.set_names))
    return fields


def with_texts(fields: Sequence[SettingField], sent: Mapping[str, str]) -> Iterator[SettingField]:
    """Yield the fields with the texts that a form sent. Of several choices it sends none if none is chosen."""
    for field in fields:
        parts = None
        if field.parts is not None:
            parts = {value: list(with_texts(inner, sent)) for value, inner in field.parts.items()}
        unsent = "" if field.kind == "many" else field.text
        yield replace(field, text=sent.get(PREFIX + field.name, unsent), parts=parts)


def document_of(state: GroupState, sent: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that a form sets. Without a text, and where it is the default, a setting follows its default.

    A setting with a page of its own stays as it is.

    Raises:
        Invalid: a text is too long, or a line is not a pair, or a document cannot be read.
    """
    document: dict[str, Any] = {}
    defaults = state.group.model().model_dump(mode="json")
    for field in with_texts(fields_of(state), {name: text.strip() for name, text in sent.items()}):
        if field.page:
            if field.is_set:
                _lay(document, service.at(state.group, field.name, service.at_name(state.stored, field.name)))
            continue
        if not sent.get(PREFIX + field.name, "").strip():
            continue
        value = _value(field)
        if field.is_set or value != service.at_name(defaults, field.name):
            _lay(document, service.at(state.group, field.name, value))
    return document


def wrong_fields(group: Group, fields: list[SettingField], errors: tuple[FieldError, ...]) -> dict[str, str]:
    """What to write in each wrong setting, by name. A wrong part of a setting counts as that setting."""
    known = {field.name: field for outer in fields for field in outer.fields()}
    wrong: dict[str, str] = {}
    for error in errors:
        place = error.field.removeprefix(f"{group.name}.")
        matching = [name for name in known if place == name or place.startswith(f"{name}.")]
        name = max(matching, key=len, default=fields[0].name)
        wrong.setdefault(name, " ".join((_("This value does not fit."), known[name].takes)).strip())
    return wrong


def _field(
    name: str, own: Mapping[str, Any], schema: Mapping[str, Any], value: object, default: object, meaning: str
) -> SettingField:
    """The field of one setting, or of one part of it."""
    own = _resolved(own, schema)
    setting = SettingField(name, label_words(name), "", "", meaning_words(name, meaning), **_form_of(own, schema))
    if "oneOf" in own:
        variants = own["discriminator"]["mapping"]
        parts = {
            kind: _parts(f"{name}.{kind}", _resolved({"$ref": reference}, schema), schema, value)
            for kind, reference in variants.items()
        }
        setting = replace(setting, kind="variants", options=tuple(variants), parts=parts)
        value, default = (each.get("kind") if isinstance(each, dict) else None for each in (value, default))
    return replace(setting, text=_text(setting, value), default=_text(setting, default))


def _parts(name: str, own: Mapping[str, Any], schema: Mapping[str, Any], value: object) -> list[SettingField]:
    """The fields of one variant of a setting; ``value`` is the setting's value, of this variant or another."""
    kind = name.rpartition(".")[2]
    present = value if isinstance(value, dict) and value.get("kind") == kind else {}
    return [
        _field(f"{name}.{part}", each, schema, present.get(part, each.get("default")), each.get("default"), "")
        for part, each in own["properties"].items()
        if part != "kind"
    ]


def _resolved(own: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of a setting behind its reference; of an optional one, that of its value."""
    if "anyOf" in own:
        own = next((each for each in own["anyOf"] if each.get("type") != "null"), own)
    if "$ref" in own:
        resolved: Mapping[str, Any] = schema["$defs"][own["$ref"].rpartition("/")[2]]
        return resolved
    return own


def _form_of(own: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    kind = own.get("type")
    if "enum" in own or kind == "boolean":
        return {"kind": "choice", "options": tuple(map(str, own.get("enum", ("true", "false"))))}
    if kind in ("integer", "number"):
        least = own.get("minimum", own.get("exclusiveMinimum"))
        most = own.get("maximum", own.get("exclusiveMaximum"))
        return {"kind": "number", "whole": kind == "integer", "least": least, "most": most}
    if kind == "array":
        return {"kind": _kind_of_list(_resolved(own.get("items", {}), schema))}
    texts = own.get("additionalProperties")
    if kind == "object":
        if own.get("propertyNames", {}).get("format") == "date":
            return {"kind": "days"}
        return {"kind": "pairs" if isinstance(texts, dict) and texts.get("type") == "string" else "document"}
    return {}


def _kind_of_list(items: Mapping[str, Any]) -> str:
    if items.get("type") in ("string", "integer"):
        return "lines" if items["type"] == "string" else "numbers"
    return "bands" if set(items.get("properties", ())) == {"start", "days"} else "document"


def _text(field: SettingField, value: object) -> str:
    if value is None:
        return ""
    if field.kind in ("lines", "numbers") and isinstance(value, list):
        return "\n".join(map(str, value))
    if field.kind == "pairs" and isinstance(value, dict):
        return "\n".join(f"{name} = {text}" for name, text in value.items())
    if field.kind == "days" and isinstance(value, dict):
        return "\n".join(f"{day} = {name}" if name else day for day, name in value.items())
    if field.kind == "bands" and isinstance(value, list):
        return "\n".join(f"{band['start']} = {band['days']}" for band in value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, str) else json.dumps(value, indent=2 if field.kind == "document" else None)


def _value(field: SettingField) -> object:
    """The value that the text of a field says. What does not fit stays a text, which the model rejects.

    Raises:
        Invalid: the text is too long, a line is not a pair, or a document cannot be read.
    """
    text = field.text.strip()
    if len(text) > LONGEST:
        raise _unreadable(field)
    if field.kind == "variants":
        inner = (field.parts or {}).get(text, ())
        return {"kind": text} | {part.name.rpartition(".")[2]: _value(part) for part in inner if part.text.strip()}
    if field.kind == "number":
        return _number(text, whole=field.whole)
    if field.kind in ("lines", "numbers", "many", "pairs", "days", "bands"):
        return _of_lines(field, [line.strip() for line in text.splitlines() if line.strip()])
    if field.kind == "document" or field.options == ("true", "false"):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise _unreadable(field) from None
    return text


def _of_lines(field: SettingField, lines: list[str]) -> object:
    if field.kind in ("lines", "many"):
        return lines
    if field.kind == "numbers":
        return [_number(line, whole=True) for line in lines]
    if field.kind == "days":
        return {day.strip(): name.strip() for day, _sign, name in (line.partition("=") for line in lines)}
    pairs = [_pair(field, line) for line in lines]
    if field.kind == "pairs":
        return dict(pairs)
    return [{"start": _number(start, whole=True), "days": _number(days, whole=True)} for start, days in pairs]


def _number(text: str, *, whole: bool) -> float | str:
    try:
        return int(text) if whole else float(text.replace(",", "."))
    except ValueError:
        return text


def _pair(field: SettingField, line: str) -> tuple[str, str]:
    name, sign, value = line.partition("=")
    if not sign or not name.strip() or not value.strip():
        raise _unreadable(field)
    return name.strip(), value.strip()


def _unreadable(field: SettingField) -> Invalid:
    detail, problem = "a value cannot be read", FieldError(field.name, _("This value cannot be read."))
    return Invalid(detail, errors=[problem])


def _shown(value: float) -> str:
    return shown_number(value, 0 if float(value).is_integer() else 3)


def _lay(document: dict[str, Any], part: Mapping[str, Any]) -> None:
    for name, value in part.items():
        if isinstance(value, dict) and isinstance(document.get(name), dict):
            _lay(document[name], value)
        else:
            document[name] = value
