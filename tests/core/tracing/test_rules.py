"""Which traces are exported, what a caller's header may do, and what a span may say."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import tracing
from core.app.access_page import rows_of
from core.app.permissions import api_routes, page_routes
from core.tracing import attributes, units
from core.tracing.propagation import RemoteSpan, parse, render

CALLER = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"
NOTHING = tracing.Rules(share=0.0, slow_request=100.0, slow_job=100.0)


def exported_by(rules, act, header=None, **options):
    spans = []
    with tracing.tracing(rules, spans.extend, **options), tracing.request(header) as first:
        act(first)
    return spans


class TestTailRules:
    def test_a_trace_is_exported_if_a_span_in_it_fails(self):
        def act(_):
            with pytest.raises(ValueError, match="Amina"), tracing.span("call mail_server", "client"):
                raise ValueError("Amina Bello")

        failed, first = exported_by(NOTHING, act)
        assert first.attributes["iit.kept"] == "error"
        assert (failed.error, failed.attributes["error.type"]) == ("ValueError", "ValueError"), "never its text"

    def test_an_expected_error_of_a_call_is_no_failure(self):
        def act(_):
            with pytest.raises(KeyError), tracing.span("call mail_server", "client", harmless=(LookupError,)):
                raise KeyError

        assert not exported_by(NOTHING, act)

    def test_a_slow_one_is_exported_and_a_slow_reader_does_not_make_it_slow(self):
        rules = tracing.Rules(share=0.0, slow_request=0.0)
        assert exported_by(rules, lambda _: None)[-1].attributes["iit.kept"] == "slow"

        def answered(first):
            first.answered()
            first._began -= 1000  # a client that reads for a quarter of an hour

        assert not exported_by(NOTHING, answered)

    @given(st.floats(0, 1), st.integers(1, 2**128 - 1))
    def test_the_share_depends_on_the_trace_id_alone(self, share, number):
        rules = tracing.Rules(share=share)
        trace_id = f"{number:032x}"
        assert rules.in_share(trace_id) == (Fraction(number % 2**56, 2**56) < Fraction(share))

    def test_about_a_share_of_the_rest_is_exported(self):
        rules = tracing.Rules(share=0.25, slow_request=100.0)
        exported = sum(bool(exported_by(rules, lambda _: None)) for _ in range(2000))
        assert 350 < exported < 650

    def test_a_trace_has_a_bounded_number_of_spans_and_says_how_many_are_left_out(self):
        def act(_):
            for _ in range(units.MOST_SPANS + 9):
                with tracing.statement("SELECT 1"):
                    pass

        spans = exported_by(tracing.Rules(share=1.0), act)
        assert len(spans) == units.MOST_SPANS
        assert spans[-1].attributes["iit.spans_left_out"] == 10

    def test_a_span_that_ends_late_follows_the_decision(self):
        late = []

        def act(_):
            late.append(tracing.span("call mail_server", "client"))
            late[0].__enter__()

        spans = exported_by(tracing.Rules(share=1.0), act)
        assert len(spans) == 1
        late[0].__exit__(None, None, None)
        assert len(spans) == 2

    @pytest.mark.parametrize("slow", [0.0, 100.0])
    def test_an_exemplar_that_comes_late_follows_the_decision(self, slow):
        traces, marks = [], []
        exported_by(tracing.Rules(share=0.0, slow_request=slow), lambda first: traces.append(first.trace))
        traces[0].when_kept(marks.append)
        assert marks == ([] if slow else [traces[0].id])


class TestCallers:
    def test_a_callers_trace_is_linked_and_its_flag_does_not_count(self):
        assert not exported_by(NOTHING, lambda _: None, CALLER)
        (first,) = exported_by(tracing.Rules(share=1.0), lambda _: None, CALLER)
        assert first.links == (RemoteSpan("ab" * 16, "cd" * 8),)
        assert (first.parent_id, first.trace.id == "ab" * 16) == (None, False)

    def test_it_is_continued_if_the_setting_says_so(self):
        (first,) = exported_by(tracing.Rules(share=1.0), lambda _: None, CALLER, accepts=True)
        assert (first.trace.id, first.parent_id, first.links) == ("ab" * 16, "cd" * 8, ())

    @pytest.mark.parametrize(
        "header",
        ["", "Amina", "00-" + "0" * 32 + "-" + "cd" * 8 + "-01", "ff" + CALLER[2:], CALLER.upper(), CALLER + "-x"],
    )
    def test_a_header_of_another_form_is_ignored(self, header):
        (first,) = exported_by(tracing.Rules(share=1.0), lambda _: None, header, accepts=True)
        assert (first.parent_id, first.links) == (None, ())

    @given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.booleans())
    def test_what_is_written_is_read(self, trace, span, sampled):
        remote = RemoteSpan(f"{trace:032x}", f"{span:016x}")
        assert parse(render(remote.trace_id, remote.span_id, sampled=sampled)) == remote

    def test_only_named_hosts_learn_the_trace_and_whether_it_is_in_the_share(self):
        headers = {}

        def act(first):
            headers.update({host: tracing.headers_for(host) for host in ("Lab.example.org", "other.example.org")})
            headers["span"] = first.span_id

        exported_by(NOTHING, act, hosts=frozenset({"lab.example.org"}))
        assert headers["other.example.org"] == {}
        assert headers["Lab.example.org"]["traceparent"].endswith(f"-{headers['span']}-00")


class TestAttributes:
    @given(st.sampled_from(sorted(attributes.ALLOWED)), st.text(min_size=1, max_size=30))
    def test_no_attribute_takes_free_text(self, name, text):
        for value in (f"Amina {text}", f"{text} 08031234567", f"'{text}'"):
            assert attributes.cleaned({name: value}) == {}

    def test_an_unknown_attribute_is_dropped(self):
        assert attributes.cleaned({"patient.name": "x", "iit.job.kind": "imports.run"}) == {
            "iit.job.kind": "imports.run"
        }

    @pytest.mark.parametrize(
        "name",
        ["GET /v1/patients/{patient_id}", "GET /", "SELECT patients", "job imports.run", "call redis_jobs", "GET none"],
    )
    def test_names_of_ours_stay(self, name):
        assert attributes.cleaned_name(name) == name

    @pytest.mark.parametrize(
        "name",
        ["GET /v1/patients/0197c1f0-0000-7000-8000-000000000001", "Amina Bello", "job 08031234567", "SELECT Amina"],
    )
    def test_others_do_not(self, name):
        assert attributes.cleaned_name(name) == attributes.UNNAMED

    def test_every_route_of_the_application_has_the_form_of_one(self, application):
        paths = [path for _, path, _ in rows_of([*page_routes(application), *api_routes(application)])]
        assert [path for path in paths if attributes.cleaned_name(f"GET {path}") != f"GET {path}"] == []
