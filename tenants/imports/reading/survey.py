"""A survey of files before their rows are read: format, source, data date, notes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import Invalid, phrase
from tenants.imports.reading.reader import detect, reader
from tenants.imports.reading.sources import check_size

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from tenants.imports.mapping import Mapping
    from tenants.imports.reading.sources import Source


@dataclass(frozen=True, slots=True)
class SurveyResult:
    """The result of a survey.

    Attributes:
        format: the reader's name.
        source: the system whose people these are.
        data_date: the day to which the data run; None if neither the files nor the mapping give it.
        notes: sentences for the import's report.
    """

    format: str
    source: str
    data_date: date | None
    notes: list[str]


@dataclass(frozen=True, slots=True)
class SurveyRequest:
    """The files to survey.

    Attributes:
        sources: the files.
        mapping: the mapping, with its time zone set.
        format: the reader's name; empty to detect it.
        data_date: the data date in the import's order, which overrides the files.
    """

    sources: Sequence[Source]
    mapping: Mapping
    format: str
    data_date: date | None

    def run(self) -> SurveyResult:
        """Survey the files in this process.

        Raises:
            Invalid: a file cannot be read, the format is not recognised, or it needs a mapping.
        """
        check_size(self.sources)
        file_reader = reader(self.format) if self.format else detect(self.sources)
        if not file_reader.each_file_is_a_row:
            for source in self.sources:
                source.head()
        if file_reader.mapping_needed and not self.mapping.records:
            message = "the headings are of no known list, so the import needs a mapping of its columns"
            if self.format:
                message = phrase("the format {name} needs a mapping of its columns", name=file_reader.name)
            remedy = (
                "check that it is the right file, with its heading line; else give a mapping"
                " (docs/how-to/import-your-records.md shows one)"
            )
            raise Invalid(message, remedy=remedy)
        notes: list[str] = []
        data_date = self.data_date
        if data_date is None:
            data_date = file_reader.data_date(self.sources, self.mapping)
            if data_date is not None and self.mapping.data_date is None:
                notes.append(
                    phrase(
                        "data date {data_date} taken from the latest row; give the day of the export if it was later",
                        data_date=data_date,
                    )
                )
        notes += file_reader.notes(self.sources, self.mapping)
        return SurveyResult(file_reader.name, file_reader.source, data_date, notes)
