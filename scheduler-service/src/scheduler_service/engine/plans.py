"""What happens to a job that is due: a function of the job and the time alone (spec: scheduler 2.9, 4.4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from scheduler_service import occurrences


@dataclass(frozen=True)
class Rules:
    """How this system treats jobs that have no rule of their own."""

    misfire_policy: str = "once"
    grace: timedelta = timedelta(seconds=60)
    catch_up: int = 10
    """With the policy ``all``: most missed occurrences of one job in one turn."""


@dataclass(frozen=True)
class Plan:
    """The planned times that fire now, and what the job is afterwards."""

    fires: tuple[datetime, ...]
    next_time: datetime
    status: str
    count: int | None
    replaces: bool = False


def plan(job: Mapping[str, Any], now: datetime, rules: Rules) -> Plan:
    """Decide about a due job; ``job["overlaps"]``: an execution of it still runs.

    A job without a pattern always runs, however late. An occurrence that is left out costs no ``count``.
    """
    planned: datetime = job["next_execution_time"]
    replaces = job["overlap_policy"] == "replace" and job["overlaps"]
    if job["pattern"] is None:
        return Plan((planned,), planned, "done", 0, replaces)
    policy = job["misfire_policy"] or rules.misfire_policy
    missed = now - job["due_at"] > rules.grace
    left_out = (missed and policy == "none") or (job["overlap_policy"] == "forbid" and job["overlaps"])
    if left_out:
        return Plan((), _after(job, planned, now if missed and policy != "all" else planned), "running", job["count"])
    fires = _all_missed(job, now, rules) if missed and policy == "all" else (planned,)
    left = None if job["count"] is None else job["count"] - len(fires)
    if left == 0:
        return Plan(fires, fires[-1], "done", 0, replaces)
    start = now if missed and policy == "once" else fires[-1]
    return Plan(fires, _after(job, fires[-1], start), "running", left, replaces)


def _after(job: Mapping[str, Any], planned: datetime, start: datetime) -> datetime:
    """Return the next time after ``start``, and after ``planned`` even when a clock was set back."""
    return occurrences.following(job, max(planned, start))


def _all_missed(job: Mapping[str, Any], now: datetime, rules: Rules) -> tuple[datetime, ...]:
    most = min(rules.catch_up, job["count"] or rules.catch_up)
    if (job["overlap_policy"] or "allow") != "allow":
        most = 1
    fires = [job["next_execution_time"]]
    while len(fires) < most and (following := occurrences.following(job, fires[-1])) <= now:
        fires.append(following)
    return tuple(fires)
