"""Print the demo's summary: the import and its rejected rows, the quality of the model, and the lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tenants.cohort.indicators import IN_TERMS, OUT_TERMS
from tenants.demo.partner_run import SHOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tenants.demo.guidelines import Guideline
    from tenants.demo.partner_run import PartnerRun

FIGURES = (
    ("roc_auc", "ROC-AUC"),
    ("average_precision", "average precision"),
    ("base_rate", "base rate"),
    ("brier", "Brier score"),
    ("calibration_slope", "calibration slope"),
    ("sensitivity_top_30", "caught in the top 30 %"),
    ("ppv_top_10", "right in the top 10 %"),
)
LISTS = (("at_risk", "At risk: expected, not yet late"), ("to_trace", "To be traced: late, or in IIT"))


def show(partners: list[PartnerRun], console: Console) -> None:
    """Print the whole summary."""
    for run in partners:
        answers = run.answers
        console.print()
        console.rule(f"[bold]{run.partner.name}[/bold]" + ("  (simulated)" if run.partner.simulated else ""))
        _records(answers["import"], answers["import_again"], console)
        _flows(answers["indicators"], console)
        _model(answers["train"], console)
        _lists(answers["worklist"], answers["score"], console)
        if "loop" in answers:
            _loop(answers["loop"], console)
        if "message" in answers:
            _message(answers["message"], console)
        if "explain" in answers:
            _explained(answers["explain"], console)
        if run.partner.guidelines:
            _guidelines(run.partner.guidelines, console)
    console.print()


def _records(first: dict[str, Any], repeat: dict[str, Any], console: Console) -> None:
    console.print(
        f"Read {first['rows_read']:,} rows: {first['rows_accepted']:,} accepted, {first['rows_rejected']:,} rejected; "
        f"the records run to {first['data_date']}."
    )
    changed_rows = sum(
        counts["inserted"] + counts["updated"] for counts in repeat["counts"].values() if "inserted" in counts
    )
    console.print(f"The same files a second time changed {changed_rows} rows.")
    if not first["problems"]:
        return
    table = Table(box=box.SIMPLE_HEAD, title="Rejected rows, and what to do", title_justify="left", pad_edge=False)
    for heading in ("rows", "file", "field", "problem", "remedy"):
        table.add_column(heading, justify="right" if heading == "rows" else "left")
    for problem in first["problems"]:
        table.add_row(*(Text(str(problem[name])) for name in ("count", "file", "field", "problem", "remedy")))
    console.print(table)


def _flows(report: dict[str, Any], console: Console) -> None:
    counts = report["rows"][0]["counts"]
    came = ", ".join(f"{counts[name]:,} {_words(name)}" for name in IN_TERMS if counts[name])
    terms_out = "".join(f" - {counts[name]:,} {_words(name)}" for name in OUT_TERMS if name != "TX_ML" and counts[name])
    console.print(
        f"{report['start']} to {report['end']}: TX_CURR {counts['TX_CURR_start']:,} + {came or 'nobody'} "
        f"- TX_ML {counts['TX_ML']:,}{terms_out} = [bold]TX_CURR {counts['TX_CURR']:,}[/bold]"
    )


def _model(training: dict[str, Any], console: Console) -> None:
    console.print(f"\nModel: [bold]{training['preferred']}[/bold]. {training['why'][:1].upper()}{training['why'][1:]}.")
    models = [model for model in training["models"] if model["held_out"]]
    if not models:
        return
    table = Table(box=box.SIMPLE_HEAD, title="On later time, with 95 % intervals", title_justify="left", pad_edge=False)
    table.add_column("")
    for model in models:
        table.add_column(model["version"], style="bold" if model["version"] == training["preferred"] else "")
    for name, words in FIGURES:
        table.add_row(words, *(_estimate(model["held_out"]["metrics"].get(name)) for model in models))
    console.print(table)


def _lists(lists: dict[str, Any], score_answer: dict[str, Any], console: Console) -> None:
    console.print(f"Scored {score_answer['at_risk']:,} people expected to come, as of {score_answer['as_of']}.")
    for kind, title in LISTS:
        worklist = lists[kind]
        people = sorted(worklist["people"], key=_by_risk if kind == "at_risk" else _by_rank)[:SHOWN]
        table = Table(
            box=box.SIMPLE_HEAD,
            title=f"{title}: {len(worklist['people'])} listed of {worklist['candidates']:,}",
            title_justify="left",
            pad_edge=False,
        )
        for heading in ("facility", "patient", "expected", "risk" if kind == "at_risk" else "days late", "why"):
            table.add_column(heading, overflow="fold")
        for person in people:
            value = f"{float(person['score']):.0%}" if kind == "at_risk" else str(person["days_late"])
            cells = (person["facility"], person["patient_id"][:8], person["expected_date"], value, person["reasons"])
            table.add_row(*(Text(str(cell)) for cell in cells))
        console.print(table)


def _loop(loop: dict[str, Any], console: Console) -> None:
    """What became of last week's lists."""
    console.print(
        f"The loop, closed{' (simulated)' if loop['simulated'] else ''}. Lists of {loop['list_day']}: "
        f"{loop['identified']:,} people, {loop['contacted']:,} contacted, {loop['reached']:,} reached, "
        f"[bold]{loop['returned']:,} of these came back[/bold]; {loop['returned_unreached']:,} came by themselves. "
        f"Of {loop['unsettled']:,} the records are not complete yet."
    )
    for alert in loop["alerts"]:
        if alert["returned"]:
            console.print(f"Alert: {alert['title']}. Came back: {alert['returned']:,}.")


def _message(message: dict[str, Any], console: Console) -> None:
    """A reminder and its answer."""
    console.print(
        Text(
            f"A message (simulated: nothing was sent, no phone rang) to {message['patient_id'][:8]}: "
            f'"{message["text"]}" The answer: "{message["answer"]}". It became an attempt by SMS with the outcome '
            f"{message['outcome']}."
        )
    )


def _explained(explanation: dict[str, Any], console: Console) -> None:
    lines = [f"{reason['contribution']:+.2f}  {reason['text']}" for reason in explanation["reasons"]]
    usual = f"log-odds against the usual risk, {explanation['usual_risk']:.0%}"
    title = f"Why {explanation['patient_id'][:8]} is at {explanation['risk']:.0%} ({usual})"
    console.print(Panel(Text("\n".join(lines) or "nothing stands out"), title=title, title_align="left", expand=False))


def _guidelines(guidelines: Sequence[Guideline], console: Console) -> None:
    titles = "; ".join(guideline.title for guideline in guidelines)
    console.print(Text(f"Guidelines, written for this demo and for nobody's care: {titles}."))


def _by_risk(person: dict[str, Any]) -> float:
    return -float(person["score"])


def _by_rank(person: dict[str, Any]) -> tuple[int, str]:
    return int(person["rank"]), str(person["facility"])


def _estimate(estimate: dict[str, Any] | None) -> str:
    if estimate is None or estimate.get("value") is None:
        return "-"
    if estimate.get("low") is None:
        return f"{estimate['value']:.3f}"
    return f"{estimate['value']:.3f} ({estimate['low']:.3f} to {estimate['high']:.3f})"


def _words(name: str) -> str:
    return name if name.startswith("TX_") else name.replace("_", " ")
