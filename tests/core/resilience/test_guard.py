"""The guard around calls: breaker, bulkhead, deadline, retries, and what operators force."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Semaphore

import pytest

from core import telemetry
from core.errors import Conflict
from core.resilience import (
    BreakerOpen,
    BulkheadFull,
    DeadlinePassed,
    Dependency,
    collecting_fallbacks,
    deadline,
    fallback,
    guarded,
    instances,
    seconds_left,
)
from core.resilience.dependencies import OWN, dependencies
from core.resilience.fallbacks import FALLBACKS
from core.resilience.instances import CALLS, MOST_INSTANCES, instance_of


def fail(dependency, times=1, **options):
    for _ in range(times):
        with pytest.raises(OSError, match="away"), guarded(dependency, **options):
            raise OSError("away")


def succeed(dependency, times=1, **options):
    for _ in range(times):
        with guarded(dependency, **options):
            pass


class TestBreaker:
    def test_it_opens_at_a_failure_rate_and_not_before_enough_calls(self, dependency, clock):
        sample = dependency(calls=4, failure_rate=0.5)
        fail(sample, 3)
        succeed(sample)
        with pytest.raises(BreakerOpen, match="failed too often") as stopped, guarded(sample):
            pytest.fail("the call was made")
        assert stopped.value.status == 503
        assert stopped.value.retry_after == 5
        assert CALLS.value("sample", "breaker_open") >= 1

    def test_successes_between_failures_count_too(self, dependency, clock):
        sample = dependency(calls=4, failure_rate=0.5)
        for _ in range(8):
            succeed(sample, 2)
            fail(sample)
        assert instance_of(sample).breaker.state == "closed"

    def test_failures_from_before_the_window_do_not_count(self, dependency, clock):
        sample = dependency(calls=4, window_seconds=10)
        fail(sample, 3)
        clock.now += 11
        fail(sample, 3)
        assert instance_of(sample).breaker.state == "closed"
        fail(sample)
        assert instance_of(sample).breaker.state == "open"

    def test_slow_calls_open_it(self, dependency, clock):
        sample = dependency(calls=2, slow_seconds=1.0, slow_rate=1.0)
        for _ in range(2):
            with guarded(sample):
                clock.now += 2
        assert instance_of(sample).breaker.state == "open"

    def test_one_of_many_callers_probes_and_its_success_closes_it(self, dependency, clock):
        sample = dependency(calls=2, open_seconds=5)
        fail(sample, 2)
        clock.now += 5
        barrier, rejected, all_rejected = Barrier(8), Semaphore(0), 7

        def call(_):
            barrier.wait(10)
            try:
                with guarded(sample):
                    assert all(rejected.acquire(timeout=10) for _ in range(all_rejected))
            except BreakerOpen:
                rejected.release()
                return "rejected"
            return "probe"

        with ThreadPoolExecutor(8) as pool:
            outcomes = sorted(pool.map(call, range(8)))
        assert outcomes == ["probe"] + ["rejected"] * 7
        assert instance_of(sample).breaker.state == "closed"

    def test_a_failed_probe_doubles_the_wait_up_to_a_bound(self, dependency, clock):
        sample = dependency(calls=1, open_seconds=4, longest_open_seconds=10)
        fail(sample)
        for wait in (4, 8, 10, 10):
            clock.now += wait - 0.1
            with pytest.raises(BreakerOpen), guarded(sample):
                pass
            clock.now += 0.2
            fail(sample)

    def test_each_instance_has_its_own_and_their_number_is_bounded(self, dependency, clock):
        sample = dependency(calls=1, by_instance=True)
        fail(sample, instance="one.example.org")
        succeed(sample, instance="two.example.org")
        with pytest.raises(BreakerOpen), guarded(sample, instance="one.example.org"):
            pass
        for number in range(MOST_INSTANCES + 20):
            instance_of(sample, str(number))
        assert len(instances.instances()) == MOST_INSTANCES

    def test_neither_a_cancelled_call_nor_a_harmless_error_counts(self, dependency, clock):
        sample = dependency(calls=1)

        async def cancelled():
            async with guarded(sample):
                asyncio.current_task().cancel()
                await asyncio.sleep(1)

        with pytest.raises(asyncio.CancelledError):
            asyncio.run(cancelled())
        with pytest.raises(Conflict), guarded(sample, harmless=(Conflict,)):
            raise Conflict("the address may not be called")
        assert instance_of(sample).breaker.state == "closed"

    def test_an_answer_that_is_a_failure_counts(self, dependency, clock):
        sample = dependency(calls=1)
        with guarded(sample) as call:
            call.failed("502")
        state = instance_of(sample)
        assert (state.breaker.state, state.last_error) == ("open", "502")

    def test_it_keeps_no_text_of_an_error(self, dependency, clock):
        sample = dependency(calls=1)
        fail(sample)
        assert instance_of(sample).last_error == "OSError"


class TestForcing:
    def test_an_operator_stops_calls_and_lets_them_go_on(self, dependency, clock):
        sample = dependency(calls=1)
        succeed(sample)
        instances.force({"sample": "open"})
        with pytest.raises(BreakerOpen, match="the operator stopped"), guarded(sample):
            pass
        clock.now += 1000
        with pytest.raises(BreakerOpen), guarded(sample):
            pass
        instances.force({})
        succeed(sample)

    def test_a_breaker_held_closed_lets_every_call_through(self, dependency, clock):
        sample = dependency(calls=1)
        instances.force({"sample": "closed"})
        fail(sample, 5)
        assert instance_of(sample).breaker.state == "forced_closed"

    def test_one_instance_is_forced_and_new_instances_follow_the_dependency(self, dependency, clock):
        sample = dependency(by_instance=True)
        instances.force({"sample/one": "open", "sample": "closed"})
        assert instance_of(sample, "one").breaker.state == "forced_open"
        assert instance_of(sample, "two").breaker.state == "forced_closed"


class TestBulkhead:
    def test_more_calls_than_may_be_at_once_are_rejected_at_once(self, dependency):
        sample = dependency(at_once=2, at_once_per_tenant=2)
        with guarded(sample), guarded(sample), pytest.raises(BulkheadFull), guarded(sample):
            pass
        succeed(sample)

    def test_one_tenant_leaves_room_for_the_others(self, dependency):
        sample = dependency(at_once=4, at_once_per_tenant=1)
        with guarded(sample, tenant="a"):
            with pytest.raises(BulkheadFull), guarded(sample, tenant="a"):
                pass
            succeed(sample, tenant="b")
        succeed(sample, tenant="a")
        assert instance_of(sample).under_way == 0

    def test_a_call_counts_to_the_tenant_of_its_request_or_job(self, dependency):
        sample = dependency(at_once=4, at_once_per_tenant=1)
        with telemetry.bound(tenant="a"), guarded(sample):
            with pytest.raises(BulkheadFull), guarded(sample):
                pass
            with telemetry.bound(tenant="b"), guarded(sample):
                pass

    def test_a_rejection_by_the_breaker_frees_the_place(self, dependency, clock):
        sample = dependency(at_once=1, at_once_per_tenant=1, calls=1)
        fail(sample)
        for _ in range(3):
            with pytest.raises(BreakerOpen), guarded(sample):
                pass
        assert instance_of(sample).under_way == 0


class TestDeadline:
    def test_a_call_gets_what_is_left_and_nothing_below_gets_more(self, dependency):
        sample = dependency(timeout=10.0)
        with guarded(sample) as call:
            assert call.timeout == 10.0
            assert seconds_left(60) <= 10.0
        with deadline(2), deadline(100), guarded(sample) as call:
            assert call.timeout <= 2.0
        assert seconds_left(60) == 60

    def test_no_call_begins_after_it_and_the_breaker_does_not_mind(self, dependency):
        sample = dependency(calls=1)
        with deadline(0), pytest.raises(DeadlinePassed), guarded(sample):
            pytest.fail("the call was made")
        succeed(sample)


class TestRetries:
    def test_a_function_is_called_again_with_jitter(self, dependency, monkeypatch):
        pauses, calls = [], []
        monkeypatch.setattr("core.resilience.guard.time.sleep", pauses.append)
        sample = dependency(retries=2, backoff=0.2, calls=100)

        @guarded(sample)
        def call():
            calls.append(1)
            if len(calls) < 3:
                raise OSError("away")
            return "answer"

        assert call() == "answer"
        assert 0.1 <= pauses[0] < 0.2 <= pauses[1] < 0.4, "without jitter they are 0.2 and 0.4"

    def test_an_async_function_is_called_again_too(self, dependency):
        calls = []

        @guarded(dependency(retries=1, backoff=0.001))
        async def call():
            calls.append(1)
            if len(calls) < 2:
                raise OSError("away")
            return "answer"

        assert asyncio.run(call()) == "answer"

    def test_retries_stay_a_share_of_the_calls(self, dependency, monkeypatch):
        monkeypatch.setattr("core.resilience.guard.time.sleep", lambda _: None)
        calls = []

        @guarded(dependency(retries=1, retry_share=0.1, calls=10_000))
        def call():
            calls.append(1)
            raise OSError("away")

        for _ in range(100):
            with pytest.raises(OSError, match="away"):
                call()
        assert 100 < len(calls) <= 100 * 1.1 + 10

    @pytest.mark.parametrize("state", ["open", "late", "harmless"])
    def test_nothing_is_repeated_that_cannot_help(self, dependency, monkeypatch, state):
        monkeypatch.setattr("core.resilience.guard.time.sleep", lambda _: pytest.fail("it waits for a retry"))
        sample, calls = dependency(retries=3, backoff=50), []
        if state == "open":
            instances.force({"sample": "open"})

        @guarded(sample, harmless=(Conflict,))
        def call():
            calls.append(1)
            raise Conflict("no") if state == "harmless" else OSError("away")

        with pytest.raises((OSError, Conflict, BreakerOpen)), deadline(10):
            call()
        assert len(calls) == (0 if state == "open" else 1)


def test_a_fallback_says_so_also_from_a_thread(dependency):
    from anyio import run
    from anyio.to_thread import run_sync

    async def answer():
        with collecting_fallbacks() as used:
            await run_sync(fallback, dependency(), "last-known")
        return used

    before = FALLBACKS.value("sample", "last-known")
    assert run(answer) == {"last-known"}
    assert FALLBACKS.value("sample", "last-known") == before + 1


def test_each_dependency_is_declared_once_and_its_bounds_make_sense():
    assert list(dependencies())[: len(OWN)] == [dependency.name for dependency in OWN]
    with pytest.raises(ValueError, match="bounds"):
        Dependency("sample", "A sample.", timeout=0)
    with pytest.raises(ValueError, match="name"):
        Dependency("Sample", "A sample.", timeout=1)
