"""Compile a mapping's columns to functions of a row, which are built once per file and called once per row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from core.errors import FieldError, Invalid, phrase
from tenants.imports.fields import FIELDS
from tenants.imports.mapping import Condition, cell_text
from tenants.imports.reading import values
from tenants.imports.reading.numbered_dates import order_formats
from tenants.imports.reading.values import BadValueError, NotRecordedError, Unreadable, clean
from tenants.records.field_spec import FieldSpec
from tenants.records.storable import text_problem

if TYPE_CHECKING:
    from tenants.imports.mapping import Column, Conditions, Mapping, Scalar

Cells = Sequence[str | Unreadable]
Getter = Callable[[Cells], Any]
Test = Callable[[Cells], bool]

BIRTHDATE = FIELDS["patients"]["birthdate"]
_SEX = {"f": "F", "female": "F", "m": "M", "male": "M"}


class Columns:
    """The columns of one file by heading, and the conversion of their cells.

    Args:
        headings: the headings of the file, then the joined columns (``alias.column``).
        mapping: the mapping; its missing texts and date formats apply.
    """

    def __init__(self, headings: Sequence[str], mapping: Mapping) -> None:
        self.index = {clean(heading): number for number, heading in enumerate(headings)}
        self.index |= {heading: number for number, heading in enumerate(headings)}
        self.missing = frozenset(mapping.missing) | {""}
        self.formats = (*mapping.date_formats, *order_formats(mapping.dates))

    def raw(self, name: str) -> Getter:
        """A getter of a column's text: None for a missing value; an unreadable cell raises ``BadValueError``."""
        at, missing = self.index[name], self.missing

        def get(cells: Cells) -> str | None:
            cell = cells[at]
            if isinstance(cell, Unreadable):
                raise BadValueError(*cell)
            text = clean(cell)
            return None if text in missing else text

        return get

    def identifier(self, spec: Column) -> Getter:
        """A getter of an identifier of the source, which may not be missing."""
        if spec.column is None:
            fixed = cell_text(spec.constant)
            return lambda _: fixed
        get = self.raw(spec.column)
        whole = spec.whole_number

        def identify(cells: Cells) -> str:
            identifier = get(cells)
            if identifier is None:
                problem = "the identifier is missing"
                raise BadValueError(problem, "fill it in: a row without it belongs to nobody")
            _storable(identifier)
            return values.whole_number(identifier) if whole else values.identifier(identifier)

        return identify

    def value(self, spec: Column, field: FieldSpec) -> Getter:
        """A getter of a field's value: None for a missing value, if the field is optional."""
        if spec.age is not None and spec.at is not None:
            return self._birthdate(spec.age, spec.at, tuple(spec.formats) if spec.formats else self.formats)
        convert = converter(field, spec, tuple(spec.formats) if spec.formats else self.formats)
        if spec.column is None:
            fixed = _constant(convert, spec)
            return lambda _: fixed
        get, required = self.raw(spec.column), field.required
        replace = _replacer(spec.values, self.missing)

        def read(cells: Cells) -> Any:  # noqa: ANN401 - as varied as the fields
            text = get(cells)
            if text is not None and replace is not None:
                text = replace(text)
            if text is None:
                if required:
                    problem = "the value is missing"
                    raise BadValueError(problem, "fill it in")
                return None
            try:
                return convert(text)
            except NotRecordedError:
                if required:
                    raise
                return None

        return read

    def _birthdate(self, age_column: str, at_column: str, formats: tuple[str, ...]) -> Getter:
        age, at = self.raw(age_column), self.raw(at_column)

        def read(cells: Cells) -> date | None:
            years, when = age(cells), at(cells)
            if years is None or when is None:
                return None
            try:
                return values.birth_from_age(years, values.day(when, formats))
            except NotRecordedError:
                return None

        return read

    def test(self, conditions: Conditions) -> Test | None:
        """A test whether a row meets all the conditions; None if there are no conditions."""
        if not conditions:
            return None
        tests = [self._condition(name, condition) for name, condition in conditions.items()]
        if len(tests) == 1:
            return tests[0]
        return lambda cells: all(test(cells) for test in tests)

    def _condition(self, name: str, condition: Condition | list[Scalar] | Scalar) -> Test:
        get = self.raw(name)
        if isinstance(condition, Condition):
            if condition.present is not None:
                present = condition.present
                return lambda cells: (get(cells) is not None) is present
            none_of = frozenset(clean(cell_text(value)) for value in condition.none_of or ())
            return lambda cells: (get(cells) or "") not in none_of
        listed = condition if isinstance(condition, list) else [condition]
        wanted = frozenset(clean(cell_text(value)) for value in listed)
        return lambda cells: (get(cells) or "") in wanted


def _constant(convert: Callable[[object], Any], spec: Column) -> Any:  # noqa: ANN401 - as varied as the fields
    """The value of a constant in the mapping.

    Raises:
        Invalid: the constant is not valid for its field.
    """
    try:
        return convert(cell_text(spec.constant))
    except BadValueError as bad:
        field = FieldError(f"constant: {cell_text(spec.constant)}", bad.problem, bad.remedy)
        message = phrase(
            "the mapping is not valid: the constant {constant!r}: {problem}",
            constant=cell_text(spec.constant),
            problem=bad.problem,
        )
        raise Invalid(message, remedy=bad.remedy, errors=[field]) from bad


def _replacer(replacements: dict[str, Scalar], missing: frozenset[str]) -> Callable[[str], str | None] | None:
    if not replacements:
        return None
    table = {clean(key): (None if value is None else cell_text(value)) for key, value in replacements.items()}
    folded = {key.casefold(): value for key, value in table.items()}

    def replace(text: str) -> str | None:
        new = table[text] if text in table else folded.get(text.casefold(), text)
        return None if new is None or new in missing else new

    return replace


def converter(field: FieldSpec, spec: Column, formats: tuple[str, ...]) -> Callable[[object], Any]:
    """The function from a cell to a value of the field's type."""
    unit = spec.unit if spec.unit in ("days", "weeks", "months") else "days"
    converters: dict[str, Callable[[object], Any]] = {
        "integer": values.integer,
        "boolean": values.boolean,
        "date": lambda cell: values.day(cell, formats, born=field is BIRTHDATE),
        "datetime": lambda cell: values.moment(cell, formats),
        "days": lambda cell: values.days(cell, unit),
        "number": _logarithm if spec.unit == "log10" else values.measured,
        "code": lambda cell: code(cell, field.codes),
        "text": _text_whole if spec.whole_number else _identifier if field.identifier else _text,
    }
    return converters[field.type]


def _logarithm(cell: object) -> tuple[float, str | None]:
    number, sign = values.measured(cell)
    if not -5 <= number <= 15:  # noqa: PLR2004 - 10^15 copies/mL is not a measurement
        problem = "not a plausible logarithm (base 10)"
        raise BadValueError(problem, "check the unit: log10 copies/mL or copies/mL")
    return float(10.0**number), sign


def _text(cell: object) -> str:
    text = values.text(cell)
    _storable(text)
    return text


def _storable(text: str) -> None:
    if (problem := text_problem(text)) is not None:
        raise BadValueError(*problem)


def _identifier(cell: object) -> str:
    return values.identifier(_text(cell))


def _text_whole(cell: object) -> str:
    return values.whole_number(_text(cell))


def code(cell: object, codes: tuple[str, ...]) -> str:
    """The code in a cell, among a field's codes; sex may be a word. Case, spaces and dashes do not matter."""
    word = values.text(cell)
    if codes == ("F", "M"):
        if (sex := _SEX.get(word.casefold())) is not None:
            return sex
    else:
        folded = word.casefold().replace(" ", "_").replace("-", "_")
        if folded in codes:
            return folded
    problem = "an unknown code"
    raise BadValueError(
        problem, phrase("write one of {listed}, or map the code under 'values'", listed=", ".join(codes))
    )


def key_part(value: object) -> str:
    """A value as part of a key: one day always gives the same text, in whatever form the file has it."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return "" if value is None else str(value)
