"""Measure retrieval and answers over the demo's guidelines: ``python -m tests.tenants.knowledge.measure``.

It asks the questions beside this file, in a tenant that is made for it and deleted afterwards, and prints JSON. The
language model is a stand-in that once copies a sentence, once adds one without a citation, and once changes a number.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from dataclasses import asdict
from typing import get_args
from uuid import uuid4

from tests.tenants.knowledge.asking import ModelServer
from tests.tenants.knowledge.guidelines import add_guidelines, rows

ACTOR = "cli:knowledge:measure"
LANGUAGES = ("en", "fr")


def retrieval(tenant, language, method, cases):
    """How often questions find their section, by one method."""
    from core.clock import today
    from core.database import tenant_session
    from tenants.knowledge.evaluation import figures
    from tenants.knowledge.retrieval import find
    from tenants.knowledge.scope import Scope

    scope = Scope("e5", today(tenant.time_zone), language, [language])
    ranks = []
    with tenant_session(tenant, actor=ACTOR, readonly=True) as session:
        for case in cases:
            if case["language"] == language:
                passages = find(session, case["question"], scope, limit=20, method=method)
                order = list(dict.fromkeys(each.section.split(" > ")[-1] for each in passages))
                ranks.append(order.index(case["section"]) + 1 if case["section"] in order else None)
    return figures(ranks)


def answers(api, cases):
    """What became of the questions: the right source, refusals, and sentences that are not word for word."""
    counts = dict.fromkeys(
        ("questions", "answered", "right_source", "without_answer", "refused", "sentences", "not_word_for_word"), 0
    )
    for case in cases:
        answer = ask(api, case)
        quotes = answer["quotes"]
        section = case.get("section")
        if section is None:
            counts["without_answer"] += 1
            counts["refused"] += answer["outcome"] == "none"
            continue
        counts["questions"] += 1
        counts["answered"] += bool(quotes)
        counts["right_source"] += section in {quote["source"]["section"].split(" > ")[-1] for quote in quotes}
        for quote in quotes:
            page = api.get(f"/v1/knowledge/documents/{quote['source']['document_id']}/passages").json()
            text = next(row["text"] for row in page if row["number"] == quote["source"]["passage"])
            for part in quote["sentences"]:
                counts["sentences"] += part["marked"]
                counts["not_word_for_word"] += quote["text"][part["start"] : part["end"]] not in text
    return counts


def written(api, model, cases):
    """What is shown of a language model's sentences: none without a passage that says it."""
    counts = {}
    for name, says in (("copies", copying), ("adds_uncited", adding), ("changes_number", changing)):
        model.says = says
        tally = {"asked": 0, "shown": 0, "sentences": 0, "uncited_sentences": 0, "rejected": 0}
        for case in cases:
            answer = ask(api, case)
            if answer["outcome"] == "none":
                continue
            texts = {quote["number"]: quote["text"] for quote in answer["quotes"]}
            tally["asked"] += 1
            tally["shown"] += answer["outcome"] == "written"
            tally["rejected"] += answer["outcome"] == "quoted"
            for sentence in answer["answer"]:
                tally["sentences"] += 1
                cited = " ".join(texts[number] for number in sentence["quotes"])
                tally["uncited_sentences"] += sentence["text"].rstrip(".!?;") not in cited
        counts[name] = tally
    return counts


def copying(prompt):
    """The first plain sentence of the first passage, with its number."""
    for number, passage in re.findall(r"^\[(\d+)\] (.*?)(?=^\[\d+\] |\Z)", prompt, re.MULTILINE | re.DOTALL):
        for sentence in re.findall(r"[A-ZÀ-Ý][^.!?;\n|]{20,200}[.]", passage):
            return f"{sentence} [{number}]"
    return "NO ANSWER"


def adding(prompt):
    """A good sentence, and one that cites nothing."""
    return f"{copying(prompt)} The person should also drink much water."


def changing(prompt):
    """A good sentence with another number in it."""
    return re.sub(r"\. \[", " within 97 days. [", copying(prompt))


def ask(api, case):
    """The answer of the API to a question in the documents of its language."""
    body = {"question": case["question"], "language": case["language"], "languages": [case["language"]]}
    answer = api.post("/v1/knowledge/ask", json=body)
    answer.raise_for_status()
    return answer.json()


def calibration_cases():
    """The questions with and without an answer, with the section that answers each."""
    from tenants.knowledge.calibration import CalibrationCase

    return [
        CalibrationCase(row["question"], row["language"], row.get("section"))
        for name in ("questions.jsonl", "questions_without_answer.jsonl")
        for row in rows(name)
    ]


def main():
    """Measure, and print JSON."""
    with ModelServer() as model:
        os.environ |= {"IIT_LANGUAGE_MODEL_URL": model.url, "IIT_LANGUAGE_MODEL_NAME": "stand-in"}
        os.environ.setdefault("IIT_LOG_LEVEL", "warning")
        from core.app.factory import create_app
        from core.database import tenant_session
        from core.database.upgrade import migrate
        from core.tenancy import create_tenant
        from core.tenancy import settings as tenant_settings
        from core.tenancy.archive.deleting import delete_tenant
        from core.tenancy.archive.purging import purge
        from tenants.knowledge.calibration import figures as calibration_figures
        from tenants.knowledge.calibration import left_out, samples
        from tenants.knowledge.retrieval import Method
        from tenants.knowledge.settings_answers import AnswerSettings
        from tests.keyed import KeyedClient

        migrate()
        began = time.perf_counter()
        slug = f"measure-{uuid4().hex[:12]}"
        tenant = create_tenant(slug, name="Measures of answers", actor=ACTOR)
        with_answer, without = rows("questions.jsonl"), rows("questions_without_answer.jsonl")
        try:
            add_guidelines(tenant.ref)
            figures = {
                language: {method: retrieval(tenant.ref, language, method, with_answer) for method in get_args(Method)}
                for language in LANGUAGES
            }
            with KeyedClient(create_app(), headers={"Authorization": f"Bearer {tenant.api_key}"}) as api:
                quoted = answers(api, [*with_answer, *without])
                with tenant_session(tenant.ref, actor=ACTOR) as session:
                    tenant_settings.put(session, AnswerSettings(style="written", egress="local"))
                by_model = written(api, model, with_answer)
            measured = samples(tenant.ref, calibration_cases(), "e5")
        finally:
            delete_tenant(slug, confirm=slug, actor=ACTOR, grace_days=0)
            purge(slug, actor=ACTOR)
        report = {
            "retrieval": {
                language: {method: asdict(each) for method, each in by_method.items()}
                for language, by_method in figures.items()
            },
            "answers": quoted,
            "left_out": asdict(calibration_figures(measured, left_out(measured))),
            "written": by_model,
            "seconds": round(time.perf_counter() - began, 1),
        }
        sys.stdout.write(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
