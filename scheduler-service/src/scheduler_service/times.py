"""Times on the wire (spec: scheduler 1.3, 2.4)."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from scheduler_service.refusals import refuse

Clock = Callable[[], datetime]

NOTICE = timedelta(seconds=60)
"""A time that a client chooses must be at least this far ahead (spec: scheduler 2.4)."""

_FORM = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})"
    r"([T ](?P<time>\d{2}:\d{2}(:\d{2})?)(\.\d{1,9})?)?"
    r"(?P<zone>Z| UTC|[+-]\d{2}:\d{2})?",
    re.ASCII,
)


def utc_now() -> datetime:
    """Return this machine's time."""
    return datetime.now(UTC)


def shown(moment: datetime | None) -> str | None:
    """Return the moment in the one form of the wire: UTC, whole seconds, fractions cut off."""
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse(text: str) -> datetime:
    """Return the moment that a client means, in UTC and whole seconds; raise 400 for any other shape."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise refuse(f"The time must look like 2026-11-22T06:42:20Z, not like {text[:50]!r}")
    zone = (found["zone"] or "Z").strip().replace("UTC", "Z")
    try:
        return datetime.fromisoformat(f"{found['date']}T{found['time'] or '00:00'}{zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise refuse(f"There is no such time as {text[:50]!r}") from None


def check_notice(moment: datetime, now: datetime) -> None:
    """Raise 400 unless the moment is far enough ahead."""
    if moment < now + NOTICE:
        raise refuse("Execution time must be at least 1 minute in the future.")
