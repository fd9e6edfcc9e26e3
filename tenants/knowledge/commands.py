"""``iit knowledge``: documents, and the questions that they answer."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import get_args

import click

from core.cli.output import json_option, note, print_json, print_table
from tenants.knowledge import document_commands
from tenants.knowledge.settings import Model

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group("knowledge")
def knowledge() -> None:
    """Add documents, search them, and measure how well questions find them."""


for command in (
    document_commands.add,
    document_commands.list_,
    document_commands.show,
    document_commands.forget,
    document_commands.sources,
    document_commands.fetch,
):
    knowledge.add_command(command)


@knowledge.command()
@click.option("--documents", type=FILE, required=True, help="JSON lines with id, and text or sections; may end in .gz.")
@click.option("--questions", type=FILE, required=True, help="JSON lines with question, and id of its document.")
@click.option(
    "--model",
    type=click.Choice(get_args(Model)),
    default="minilm",
    show_default=True,
    help="Whose vectors are compared.",
)
@click.option("--language", default="en", show_default=True, help="Of the documents, ISO 639.")
@json_option
def evaluate(documents: Path, questions: Path, model: str, language: str, *, as_json: bool) -> None:
    """Measure how often questions find their documents: by words, by meaning, and by both.

    iit knowledge evaluate --documents abstracts.jsonl --questions questions.jsonl
    """
    from tenants.knowledge.evaluation import evaluate_apart

    began = time.perf_counter()
    figures_of = evaluate_apart(documents, questions, model=model, language=language)
    note(f"measured in {time.perf_counter() - began:.0f} s")
    if as_json:
        print_json({method: asdict(figures) for method, figures in figures_of.items()})
        return
    rows = [{"method": method, **asdict(figures)} for method, figures in figures_of.items()]
    print_table(rows, ("method", "recall_at_1", "recall_at_5", "mrr"))
