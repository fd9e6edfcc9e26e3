"""What an NMRS import goes by: which question means what, which answer, which identifier; from mapping and defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenants.imports.formats.options import ANSWERS, LINES, OUTCOMES
from tenants.imports.formats.records import Terms, fold

if TYPE_CHECKING:
    from collections.abc import Mapping as Map

    from tenants.imports.mapping import Mapping

MEASURED = "measured:"
"""Before the name of a variable, in the table of questions."""
MOST_QUESTIONS = 20_000
"""Questions whose answer is remembered: a dictionary has a few thousand, a damaged file as many as it likes."""


class NmrsTerms:
    """The ``nmrs`` block of a mapping, ready for look-ups.

    Attributes:
        questions: what a concept id or (folded) name asks: a name of ``NmrsConcepts``, or ``measured:<variable>``.
        answers, outcomes, lines: by concept id or folded words; None means that the answer says nothing.
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
        """What an observation answers: told by its concept, else by its variable's name."""
        found = self.questions.get(fold(concept)) if concept else None
        return found if found is not None or not name else self.questions.get(fold(name))

    def unasked(self, concept: object, name: object) -> bool:
        """Whether a concept id and name (0 where not given), as they stand in the file, are certainly not taken."""
        if (
            self.keep_all
            or not isinstance(concept, int | str)
            or not isinstance(name, int | str)
            or not (concept or name)
        ):
            return False
        found = self._unasked.get((concept, name))
        if found is None:
            found = self.question(str(concept) if concept else None, str(name) if name else None) is None
            if len(self._unasked) < MOST_QUESTIONS:
                self._unasked[concept, name] = found
        return found


def _table(defaults: Map[str, str], given: Map[str, str | int | None]) -> dict[str, str | None]:
    """The defaults with what the mapping gives laid over them, by folded code."""
    said = {**defaults, **given}
    return {fold(code): None if value is None else str(value) for code, value in said.items()}
