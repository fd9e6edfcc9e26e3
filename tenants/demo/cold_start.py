"""``iit cold-start-rates``: compare a base model with a partner's own after 0, 3, 6 and 12 months; write the docs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import numpy as np

from core.cli.output import json_option, note, print_json
from tenants.demo.partners import EXAMPLES
from tenants.demo.simulate_command import DATA_DATE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    import numpy.typing as npt

    from plugins.sdk import Artifact, FittedModel, TrainingData
    from tenants.risk.dataset import Dataset

PAGE: Final = EXAMPLES.parent / "benchmarks" / "cold-start.md"
MONTHS: Final = (0, 3, 6, 12)
MONTH: Final = 30.4
HALF_YEAR: Final = 182
YEARS: Final = 5.0
_HEAD: Final = (
    "| months of own data | own choice after training | ROC-AUC, own choice | base | base without noise |"
    " own model, passed or not | predicted / observed, own choice | base |"
)
BEFORE_END: Final = 365 + HALF_YEAR + 80
"""Days before the end of the simulated data on which the new partner's records begin."""


@dataclass(frozen=True, slots=True)
class Row:
    """One new partner after some months.

    Attributes:
        months: months of its own data.
        decisions: decisions of the half-year after, on which all are measured.
        own: its own choice after a training: ``naive`` or ``additive``.
        auc: ROC-AUC of the own choice, of the base model, and of the base model without noise.
        fitted: ROC-AUC of the model that was fitted on own data, whether or not it passed its gates; None: too young.
        ratio: mean risk over the share that interrupted, of the own choice and of the base model.
    """

    months: int
    decisions: int
    own: str
    auc: tuple[float, float, float]
    ratio: tuple[float, float]
    fitted: float | None = None


def measure(*, partners: int, people: int, seeds: Sequence[int], data_date: date) -> list[Row]:
    """Pool partners' sums, and compare the base model with each new partner's own choice.

    Args:
        partners: number of partners that give.
        people: people of each partner, and of each new one.
        seeds: one new partner for each.
        data_date: the last day of the data.
    """
    from tenants.demo.simulate import simulate
    from tenants.demo.watching.worlds import timelines_of
    from tenants.risk.base import pooled, sums

    random = np.random.default_rng(1)
    totals = []
    for number in range(partners):
        cohort = simulate(people=people, facilities=6, data_date=data_date, years=YEARS, seed=1000 + number)
        totals.append(sums.exact(_decisions(timelines_of(cohort), cohort.data_day), random)[0])
    rows = []
    for seed in seeds:
        noisy = [sums.noisy(total, 1).to_json() for total in totals]
        exact = [each | {"sums": total.tolist(), "noise": 0.01} for each, total in zip(noisy, totals, strict=True)]
        models = [_additive().load(pooled.artifact_of(pooled.pool(each))) for each in (noisy, exact)]
        cohort = simulate(people=people, facilities=6, data_date=data_date, years=YEARS, seed=seed)
        begin = cohort.data_day - BEFORE_END
        data = _decisions(timelines_of(cohort, partial(_since, first=begin)), cohort.data_day)
        rows += [_row(data, begin, months, models) for months in MONTHS]
    return rows


def _since(contacts: dict[str, npt.NDArray[Any]], *, first: int) -> dict[str, npt.NDArray[Any]]:
    later = contacts["date"] >= first
    return {name: column[later] for name, column in contacts.items()}


def _decisions(timelines: Any, through: int) -> Dataset:  # noqa: ANN401 - Timelines, imported late
    from tenants.cohort.settings import CohortSettings
    from tenants.risk.dataset import build

    complete = np.full(len(timelines.facilities), through, dtype=np.int32)
    data, _ = build(lambda: iter([timelines]), CohortSettings(), complete)
    return data.where(data.labelled)


def _row(data: Dataset, begin: int, months: int, models: Sequence[FittedModel]) -> Row:
    from tenants.risk.base.service import calibrate
    from tenants.risk.input_sets import FEATURE_SET, select
    from tenants.risk.metrics import evaluate
    from tenants.risk.training import train

    now = begin + int(months * MONTH)
    known = data.where(data.deadline < now)
    after = data.where((data.day >= now) & (data.day < now + HALF_YEAR))
    outcome = train(known, _fit, ["additive"], {place: f"F{place}" for place in range(6)})
    choice, columns = outcome.choice, select(FEATURE_SET.features).of(after.X)
    risks = [choice.risk(columns)]
    for model in models:
        calibrator = calibrate(model, known)
        risks.append(calibrator.apply(model.predict(select(model.features).of(after.X))))
    fitted = [candidate.risk(columns) for candidate in outcome.candidates if candidate.name == "additive"]
    own, base, exact, *rest = (
        float(evaluate(risk, after.y, after.patient, replicates=0).metrics["roc_auc"].value or 0.5)
        for risk in (*risks, *fitted)
    )
    share = float(after.y.mean())
    return Row(
        months,
        len(after),
        choice.name,
        (own, base, exact),
        (float(risks[0].mean()) / share, float(risks[1].mean()) / share),
        rest[0] if rest else None,
    )


def _fit(_name: str, data: TrainingData, seed: int) -> tuple[Artifact, FittedModel, str]:
    kind = _additive()
    artifact = kind.fit(data, {}, seed)
    return artifact, kind.load(artifact), kind.version


def _additive() -> Any:  # noqa: ANN401 - of the SDK
    from core import plugins

    return plugins.models()["additive"]


def page(rows: Sequence[Row], command: str, partners: int, people: int) -> str:
    """The figures as a page of the documentation."""
    from tenants.risk.base.privacy import DELTA, NOISE, epsilon

    count = len(rows) // len(MONTHS)
    lines = [
        "# A new partner: the base model of others, or its own",
        "",
        f"Measured by `{command}`",
        f"on {count} simulated new partners; {partners} partners of {people:,} people gave noisy sums once: epsilon",
        f"{epsilon(1):.2f} at delta {DELTA:g} for each of their patients (noise {NOISE:g} times the clipping norm).",
        "All are measured on the half-year that follows. A new partner has no history before its first day. Its own",
        "choice is what training serves: the naive rule until a model passes its gates.",
        "Values are means over the new partners, each with noise of its own, with the lowest and the highest.",
        "",
        _HEAD,
        "|---:|---|---|---|---|---|---|---|",
    ]
    for months in MONTHS:
        some = [row for row in rows if row.months == months]
        own = ", ".join(f"{name} {sum(row.own == name for row in some)}" for name in sorted({r.own for r in some}))
        cells = [_cell([row.auc[place] for row in some]) for place in range(3)]
        cells.append(_cell([row.fitted for row in some if row.fitted is not None]))
        cells += [_cell([row.ratio[place] for row in some]) for place in range(2)]
        lines.append(f"| {months} | {own} | {' | '.join(cells)} |")
    lines += [
        "",
        "All partners are simulated by the same rules ([the simulated cohort](../reference/simulated-cohort.md)).",
        "Real ones differ more from each other than these do, and a base model will help them less.",
        "",
    ]
    return "\n".join(lines)


def _cell(values: Sequence[float]) -> str:
    if not values:
        return "too young"
    return f"{np.mean(values):.2f} ({min(values):.2f} to {max(values):.2f})"


@click.command("cold-start-rates")
@click.option("--partners", type=click.IntRange(2, 100), default=6, show_default=True, help="Partners that give sums.")
@click.option("--people", type=click.IntRange(1000, 100_000), default=2000, show_default=True, help="Of each partner.")
@click.option("--cohorts", type=click.IntRange(1, 100), default=4, show_default=True, help="New partners.")
@click.option("--page", "file", type=click.Path(dir_okay=False, path_type=Path), default=PAGE, help="Where to write.")
@json_option
def cold_start_rates(partners: int, people: int, cohorts: int, file: Path, *, as_json: bool) -> None:
    """Compare a base model with a new partner's own choice at 0, 3, 6 and 12 months of data."""
    rows = measure(partners=partners, people=people, seeds=range(1, cohorts + 1), data_date=DATA_DATE)
    command = f"iit cold-start-rates --partners {partners} --people {people} --cohorts {cohorts}"
    file.write_text(page(rows, command, partners, people), encoding="utf-8")
    note(f"written to {file}")
    if as_json:
        print_json({"page": file, "rows": [asdict(row) for row in rows]})
