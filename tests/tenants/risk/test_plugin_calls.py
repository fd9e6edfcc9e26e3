"""A model is another's code: it is never called while a transaction of this thread is open."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from threading import get_ident

import numpy as np
import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from core import plugins
from core.database import TransactionOpenError
from tenants.cohort.timelines import to_date
from tenants.risk import explain, scoring, service, serving, worklist
from tenants.risk.input_list import NAMES
from tests.tenants.risk.clinics import END
from tests.tenants.risk.conftest import opener, predictions

DAY = to_date(END)


class Watched:
    """A model that notes each of its calls, and whether a transaction was open in the thread that made it."""

    def __init__(self, inner, calls, open_ones):
        self._inner, self._calls, self._open = inner, calls, open_ones

    def __getattr__(self, name):
        value = getattr(self._inner, name)
        self._calls.append((name, self._open[get_ident()]))
        if name == "load":
            return lambda artifact: Watched(value(artifact), self._calls, self._open)
        return value


@pytest.fixture
def calls(trained, monkeypatch):
    """Names of what was called of the model, each with the number of transactions open then."""
    open_ones = defaultdict(int)

    def begun(*_):
        open_ones[get_ident()] += 1

    def ended(_, transaction):
        if transaction.parent is None and open_ones[get_ident()]:
            open_ones[get_ident()] -= 1

    event.listen(Session, "after_begin", begun)
    event.listen(Session, "after_transaction_end", ended)
    recorded = []
    kinds = {name: Watched(kind, recorded, open_ones) for name, kind in plugins.models().items()}
    monkeypatch.setattr(plugins, "models", lambda _=None: kinds)
    monkeypatch.setattr(serving, "_CACHE", serving._ModelCache(4))
    yield recorded
    event.remove(Session, "after_begin", begun)
    event.remove(Session, "after_transaction_end", ended)


def assert_called_alone(calls, *names):
    assert set(names) <= {name for name, _ in calls}
    assert {count for _, count in calls} == {0}


def test_a_call_within_a_transaction_is_noticed(trained, calls):
    model = explain.model_of(trained[0].ref, opener(trained[0].ref))
    calls.clear()
    with opener(trained[0].ref)() as session:
        serving.preferred(session)
        model.model.predict(np.zeros((1, len(NAMES))))
    assert calls == [("predict", 1)]


def test_a_call_within_a_transaction_is_rejected(trained, calls):
    model = explain.model_of(trained[0].ref, opener(trained[0].ref))
    calls.clear()
    with opener(trained[0].ref)() as session:
        serving.preferred(session)
        for call in (model.raw_and_risk, model.themes):
            with pytest.raises(TransactionOpenError):
                call(np.zeros((1, len(NAMES))))
    assert calls == []


def test_scoring_calls_the_model_with_no_transaction_open(trained, calls):
    tenant = trained[0].ref
    scoring.score(tenant, opener(tenant), DAY, chunk_patients=90)
    assert_called_alone(calls, "load", "predict", "explain")


def test_explaining_a_patient_calls_the_model_with_no_transaction_open(trained, calls):
    tenant = trained[0].ref
    scoring.score(tenant, opener(tenant), DAY)
    patient = next(row[0] for row in predictions(tenant, DAY) if row[1] == "at_risk")
    calls.clear()
    for _ in range(2):  # the second time from this process's memory
        assert explain.explain(tenant, opener(tenant), str(patient), DAY).reasons
    assert_called_alone(calls, "predict", "explain")


def test_a_list_is_explained_with_no_transaction_open(trained, calls):
    tenant = trained[0].ref
    day = DAY - timedelta(days=3)
    scoring.score(tenant, opener(tenant), day)
    calls.clear()
    worklist.issue(tenant, opener(tenant), worklist.Order("at_risk", day, 200))
    assert_called_alone(calls, "predict", "explain")


def test_an_evaluation_calls_the_model_with_no_transaction_open(trained, calls):
    tenant = trained[0].ref
    service.evaluate(tenant, opener(tenant))
    assert_called_alone(calls, "predict")


def test_training_calls_models_with_no_transaction_open(trained, calls, monkeypatch):
    tenant = trained[0].ref
    quick = {"max_bins": 8, "strengths": [300.0]}
    additive = plugins.models()["additive"]
    only = {"additive": additive}
    monkeypatch.setattr(plugins, "models", lambda _=None: only)
    monkeypatch.setattr(plugins, "fit_in_process", lambda _, data, __, seed, ___: additive.fit(data, quick, seed))
    service.train(tenant, opener(tenant))
    assert_called_alone(calls, "fit", "load", "predict", "features", "summary")
