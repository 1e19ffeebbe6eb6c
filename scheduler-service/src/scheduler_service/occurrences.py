"""When a job is due next (spec: scheduler 2.5, 2.9)."""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from scheduler_service import cron


def following(job: Mapping[str, Any], moment: datetime) -> datetime:
    """Return the first instant after ``moment`` that the job's pattern names in the job's time zone."""
    return cron.next_after(job["pattern"], job["timezone"], moment)


def due_at(job: Mapping[str, Any], planned: datetime) -> datetime:
    """Return when the occurrence planned for ``planned`` fires: up to ``jitter`` seconds later.

    The delay is drawn from job and planned time, so that every process and every restart finds the same.
    """
    if not job["jitter"]:
        return planned
    drawn = hashlib.sha256(f"{job['id']} {planned.timestamp():.0f}".encode()).digest()
    return planned + timedelta(seconds=int.from_bytes(drawn[:4], "big") / 2**32 * job["jitter"])
