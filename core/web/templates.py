"""Templates of pages: Jinja2, where every value is escaped and an unknown name is an error.

A feature registers folders of templates by prefix (``Feature.templates``); ``today.html`` in the folder of the prefix
``portal`` is ``portal/today.html`` everywhere. Every template and macro knows ``asset``, and the functions of
``core.web.texts`` that put texts, dates and numbers into the reader's language.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, PrefixLoader, StrictUndefined

from core.web import problem_texts, stored_texts, texts
from core.web.idempotency import new_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


class Templates:
    """The templates of all features.

    Args:
        folders: prefix -> folder.
        asset: gives the address of an asset; templates call it as ``asset("portal/style.css")``.
    """

    def __init__(self, folders: Mapping[str, Path], asset: Callable[[str], str]) -> None:
        self.environment = Environment(
            loader=PrefixLoader({prefix: FileSystemLoader(folder) for prefix, folder in folders.items()}),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.environment.globals |= {
            "asset": asset,
            "maintenance_notice": lambda: None,  # the application sets it
            "new_form_key": new_key,
            "_": texts.gettext,
            "choices": texts.choices,
            "languages": texts.LANGUAGES,
            "ngettext": texts.ngettext,
            "shown_date": texts.shown_date,
            "shown_day": texts.shown_day,
            "shown_time": texts.shown_time,
            "shown_number": texts.shown_number,
            "shown_share": texts.shown_share,
            "shown_size": texts.shown_size,
            "shown_phrase": stored_texts.shown_phrase,
            "shown_sentences": stored_texts.shown_sentences,
            "problem_text": problem_texts.problem_text,
            "shown_sentence": problem_texts.shown_sentence,
        }

    def render(self, name: str, values: Mapping[str, object]) -> str:
        """The text of a template.

        Raises:
            TemplateNotFound: there is none of this name.
            UndefinedError: it uses a name that ``values`` lacks.
        """
        return self.environment.get_template(name).render(values)
