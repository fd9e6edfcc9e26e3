"""Load shedding: who would wait for long is answered at once, and the others are served."""

import anyio
import pytest

from core.app.admission import SHED, Admission, Pace, Slot
from core.errors import Unavailable


def test_a_request_that_would_wait_for_long_is_rejected_at_once_with_the_time_to_wait():
    async def overload():
        pace, limit = Pace(mean=4.0), anyio.CapacityLimiter(2)
        running = [Slot((limit,), 10.0, pace) for _ in range(2)]
        for slot in running:
            await slot.take()
        waiting = Slot((limit,), 10.0, pace)
        async with anyio.create_task_group() as group:
            group.start_soon(waiting.take)
            group.start_soon(Slot((limit,), 10.0, pace).take)
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(Unavailable, match="waiting already") as shed:
                await Slot((limit,), 10.0, pace).take()
            running[0].leave()
            await anyio.wait_all_tasks_blocked()
            assert limit.statistics().tasks_waiting == 1, "who waits already is served in turn"
            group.cancel_scope.cancel()
        return shed.value

    before = SHED.value()
    error = anyio.run(overload)
    assert (error.status, error.retry_after) == (503, 6)
    assert SHED.value() == before + 1


def test_quick_requests_wait_for_their_turn():
    async def busy():
        pace, limit, served = Pace(mean=0.01), anyio.CapacityLimiter(1), []

        async def request():
            slot = Slot((limit,), 10.0, pace)
            await slot.take()
            await anyio.lowlevel.checkpoint()
            slot.leave()
            served.append(1)

        async with anyio.create_task_group() as group:
            for _ in range(100):
                group.start_soon(request)
        return len(served)

    assert anyio.run(busy) == 100


def test_the_pace_follows_the_requests_and_a_slow_upload_does_not_slow_the_others():
    async def paces():
        moment = [0.0]
        admission = Admission(4, 10.0)
        admission._pace.clock = admission._pace_of_long.clock = lambda: moment[0]
        for long, seconds in ((True, 100.0), (False, 1.0)):
            with admission.enter("tenant", "address") as place:
                await place.slot(long=long).take()
                moment[0] += seconds
        return admission._pace.mean, admission._pace_of_long.mean

    short, long = anyio.run(paces)
    assert short == pytest.approx(0.1)
    assert long == pytest.approx(10.0)
