"""What happens to a due job: misfire and overlap policies, count, zones, jitter (spec: scheduler 2.9, 4.4)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scheduler_service import occurrences
from scheduler_service.engine.plans import Plan, Rules, plan

START = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
RULES = Rules()


def job(**fields: Any) -> dict[str, Any]:
    made = {
        "id": "afd93455-ac16-4331-bbf6-169c6fc974ab", "pattern": "* * * * *", "timezone": None, "count": None,
        "next_execution_time": START, "misfire_policy": None, "overlap_policy": None, "overlaps": False, "jitter": None,
        **fields,
    }  # fmt: skip
    return {"due_at": occurrences.due_at(made, made["next_execution_time"]), **made}


def minute(number: int) -> datetime:
    return START + timedelta(minutes=number)


def test_the_next_time_comes_from_the_planned_one() -> None:
    """spec: scheduler Q6: no drift."""
    assert plan(job(), START + timedelta(seconds=59), RULES) == Plan((START,), minute(1), "running", None)


def test_the_last_firing_ends_the_job() -> None:
    """spec: scheduler Q16: the planned time stays."""
    assert plan(job(count=2), START, RULES) == Plan((START,), minute(1), "running", 1)
    assert plan(job(count=1), START, RULES) == Plan((START,), START, "done", 0)


@pytest.mark.parametrize("policy", ["once", "all", "none"])
def test_a_one_shot_always_runs(policy: str) -> None:
    """spec: scheduler 4.4, rule 6."""
    late = START + 24 * HOUR
    one_shot = job(pattern=None, count=1, misfire_policy=policy, overlap_policy="forbid", overlaps=True)
    assert plan(one_shot, late, RULES) == Plan((START,), START, "done", 0)


def test_after_an_outage_of_an_hour() -> None:
    """spec: scheduler 4.4, rule 6; 9, step 12."""
    late = START + HOUR + timedelta(seconds=20)
    assert plan(job(), late, RULES) == Plan((START,), minute(61), "running", None)
    assert plan(job(misfire_policy="once", count=5), late, RULES) == Plan((START,), minute(61), "running", 4)
    assert plan(job(misfire_policy="none", count=5), late, RULES) == Plan((), minute(61), "running", 5)
    some = tuple(minute(number) for number in range(10))
    assert plan(job(misfire_policy="all"), late, RULES) == Plan(some, minute(10), "running", None)
    assert plan(job(misfire_policy="all", count=3), late, RULES) == Plan(some[:3], minute(2), "done", 0)
    assert plan(job(), late, Rules(misfire_policy="all", catch_up=2)).fires == some[:2]


def test_all_runs_every_missed_occurrence_and_no_other() -> None:
    """spec: scheduler 4.4, rule 6, Q5."""
    now, current, fired = START + HOUR, job(misfire_policy="all"), []
    while current["next_execution_time"] <= now:
        made = plan(current, now, RULES)
        fired += made.fires
        current = job(misfire_policy="all", next_execution_time=made.next_time)
    assert fired == [minute(number) for number in range(61)]


def test_a_minute_late_is_not_missed() -> None:
    """spec: scheduler 4.4, rule 6: the grace period."""
    on_time = job(misfire_policy="none")
    assert plan(on_time, minute(1), RULES).fires == (START,)
    assert plan(on_time, minute(1) + timedelta(microseconds=1), RULES).fires == ()


def test_overlaps() -> None:
    """design 11."""
    assert plan(job(overlap_policy="allow", overlaps=True), START, RULES).fires == (START,)
    assert plan(job(overlap_policy="forbid", overlaps=True, count=3), START, RULES) == Plan((), minute(1), "running", 3)
    assert plan(job(overlap_policy="forbid"), START, RULES).fires == (START,)
    assert plan(job(overlap_policy="replace", overlaps=True), START, RULES).replaces
    assert not plan(job(overlap_policy="replace"), START, RULES).replaces


def test_catching_up_does_not_overlap_with_itself() -> None:
    late = job(misfire_policy="all", overlap_policy="forbid")
    assert plan(late, START + HOUR, RULES) == Plan((START,), minute(1), "running", None)


def test_the_night_of_a_clock_change() -> None:
    """02:30 in Berlin comes twice on 2026-10-25, and not at all on 2027-03-28."""
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    made = plan(job(pattern="30 2 * * *", timezone="Europe/Berlin", next_execution_time=first), first, RULES)
    assert made.next_time == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)
    gap = datetime(2027, 3, 28, 1, 0, tzinfo=UTC)
    made = plan(job(pattern="30 2 * * *", timezone="Europe/Berlin", next_execution_time=gap), gap, RULES)
    assert made.next_time == datetime(2027, 3, 29, 0, 30, tzinfo=UTC)


def test_a_clock_that_is_set_back_plans_nothing_again() -> None:
    """spec: scheduler 4.4, rule 10."""
    jittered = job(jitter=30)
    made = plan(jittered, jittered["due_at"] - HOUR, RULES)
    assert made.next_time == minute(1)


def test_jitter_is_bounded_repeatable_and_spread() -> None:
    delays = [occurrences.due_at(job(jitter=60), minute(number)) - minute(number) for number in range(200)]
    assert all(timedelta(0) <= delay <= timedelta(seconds=60) for delay in delays)
    assert delays[3] == occurrences.due_at(job(jitter=60), minute(3)) - minute(3)
    assert max(delays) - min(delays) > timedelta(seconds=40)
    assert occurrences.due_at(job(), START) == occurrences.due_at(job(jitter=0), START) == START


def test_lateness_counts_from_the_jittered_time() -> None:
    delayed = job(jitter=3600, misfire_policy="none", due_at=START + HOUR)
    assert plan(delayed, START + HOUR + timedelta(seconds=10), RULES).fires == (START,)
