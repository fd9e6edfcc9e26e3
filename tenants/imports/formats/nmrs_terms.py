"""The terms of an NMRS import: the meaning of questions, answers and identifiers, from the mapping and defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenants.imports.formats.options import ANSWERS, LINES, OUTCOMES
from tenants.imports.formats.records import Terms, fold

if TYPE_CHECKING:
    from collections.abc import Mapping as Map

    from tenants.imports.mapping import Mapping

MEASURED = "measured:"
"""Prefix of the names of variables in the table of questions."""
MOST_QUESTIONS = 20_000
"""Most questions whose answer is cached: a dictionary has a few thousand, a damaged file any number."""


class NmrsTerms:
    """The ``nmrs`` block of a mapping, ready for look-ups.

    Attributes:
        questions: concept id or (folded) name -> its question: a name of ``NmrsConcepts``, or ``measured:<variable>``.
        answers, outcomes, lines: by concept id or folded words; None means that the answer has no meaning here.
        values: how values are read.
    """

    def __init__(self, mapping: Mapping) -> None:
        options = mapping.nmrs
        self.values = Terms.of(mapping)
        self.questions: dict[str, str] = {}
        for variable, codes in options.variables.items():
            self.questions |= {fold(code): f"{MEASURED}{variable}" for code in codes}
        for question, codes in options.concepts.model_dump().items():
            self.questions |= {fold(code): question for code in codes}
        self.answers = _table(ANSWERS, options.answers)
        self.outcomes = _table(OUTCOMES, options.outcomes)
        self.lines = _table(LINES, options.regimen_lines)
        self.visit_types = {fold(name): kind for name, kind in options.visit_types.items()}
        self.pharmacy = frozenset(map(fold, options.pharmacy))
        self.laboratory = frozenset(map(fold, options.laboratory))
        self.pepfar_id = frozenset(map(fold, options.pepfar_id))
        self.hospital_number = frozenset(map(fold, options.hospital_number))
        self.phone = frozenset(map(fold, options.phone))
        self._unasked: dict[tuple[int | str, int | str], bool] = {}
        self.keep_all = options.other_observations == "keep"
        constants = mapping.facility.parts() if mapping.facility is not None else {}
        self.facility = {
            name: str(column.constant) for name, column in constants.items() if column.constant is not None
        }

    def question(self, concept: str | None, name: str | None) -> str | None:
        """The question of an observation, by its concept, else by its variable's name."""
        question = self.questions.get(fold(concept)) if concept else None
        return question if question is not None or not name else self.questions.get(fold(name))

    def unasked(self, concept: object, name: object) -> bool:
        """Whether this concept id and name (0 if missing), as in the file, are certainly not imported."""
        if (
            self.keep_all
            or not isinstance(concept, int | str)
            or not isinstance(name, int | str)
            or not (concept or name)
        ):
            return False
        is_unasked = self._unasked.get((concept, name))
        if is_unasked is None:
            is_unasked = self.question(str(concept) if concept else None, str(name) if name else None) is None
            if len(self._unasked) < MOST_QUESTIONS:
                self._unasked[concept, name] = is_unasked
        return is_unasked


def _table(defaults: Map[str, str], overrides: Map[str, str | int | None]) -> dict[str, str | None]:
    """The defaults, overridden by the mapping, by folded code."""
    texts = {**defaults, **overrides}
    return {fold(code): None if value is None else str(value) for code, value in texts.items()}
