"""A worse version is recognised from few requests, and an equal one is not rolled back."""

import random

import pytest
import yaml
from click.testing import CliRunner

from core.releases import commands
from core.releases.canary import STEPS, Plan, within_of
from core.releases.comparison import LEVEL, Limits, Measures, chance_of, problem_of
from core.settings import CHECKOUT

QUICK = {0.25: 100, 0.5: 100, 2.0: 100, float("inf"): 100}


def measured(requests, failed, within=None):
    return Measures(requests, failed, within or dict.fromkeys(QUICK, requests))


def test_the_exact_test_gives_the_chances_of_a_small_table():
    assert chance_of(1, 1, 0, 1) == pytest.approx(0.5)
    assert chance_of(2, 2, 0, 2) == pytest.approx(1 / 6)
    assert chance_of(0, 10, 3, 10) == 1.0


def test_a_version_that_fails_more_is_worse_and_one_that_fails_alike_is_not():
    assert "4 of 10 requests failed" in problem_of(measured(200, 0), measured(10, 4), Limits(), 100)
    assert problem_of(measured(200, 80), measured(10, 4), Limits(), 100) is None
    assert problem_of(measured(20000, 0), measured(1000, 9), Limits(), 100) is None  # within its limit


def test_a_version_that_is_slow_is_worse_even_within_the_absolute_limit():
    slow = {0.25: 60, 0.5: 60, 2.0: 100, float("inf"): 100}
    assert "longer than 0.5 s" in problem_of(measured(100, 0, QUICK), measured(100, 0, slow), Limits(), 100)
    assert problem_of(measured(100, 0, slow), measured(100, 0, slow), Limits(), 100) is None


def test_equal_versions_are_rarely_rolled_back_though_they_are_compared_again_and_again():
    luck, bad = random.Random(7), 0  # noqa: S311 - no secret
    for _ in range(30):
        old = new = old_failed = new_failed = 0
        for _ in range(20):
            old, new = old + 80, new + 20
            old_failed += sum(luck.random() < 0.05 for _ in range(80))
            new_failed += sum(luck.random() < 0.05 for _ in range(20))
            if problem_of(measured(old, old_failed), measured(new, new_failed), Limits(), 20):
                bad += 1
                break
    assert bad <= 5 * LEVEL * 30


def test_probes_are_no_requests():
    text = "\n".join(
        f'iit_http_request_seconds_bucket{{le="{bound}",method="GET",route="{route}"}} {count}'
        for route, bound, count in (("/health/ready", "0.1", 9), ("/v1/me", "0.1", 2), ("/v1/me", "+Inf", 3))
    )
    assert within_of(f"# TYPE iit_http_request_seconds histogram\n{text}\n") == {0.1: 2, float("inf"): 3}


def test_the_limits_are_those_of_the_chart():
    delivery = yaml.safe_load((CHECKOUT / "helm" / "iit" / "values.yaml").read_text())["delivery"]
    assert list(STEPS) == delivery["steps"]
    assert Limits().error_share == delivery["maxErrorShare"]
    assert Limits().seconds95 == delivery["maxSeconds95"]
    assert Plan().step_seconds == delivery["stepSeconds"]


@pytest.mark.parametrize("steps", ["50,20", "0,5", "5,101", "5,x", ""])
def test_steps_grow(steps):
    needed = ["--from", "blue", "--socket", "x", "--metrics", "http://a", "--old-metrics", "http://b"]
    arguments = ["canary", "green", "http://localhost", *needed, "--steps", steps]
    assert CliRunner().invoke(commands.release, arguments).exit_code == 2
