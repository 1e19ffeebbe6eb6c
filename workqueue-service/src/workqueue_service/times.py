"""Timestamps as the API writes them: UTC, six fractional digits, no zone (spec: workqueue 3.4)."""

from datetime import UTC, datetime


def wire(moment: datetime | None = None) -> str:
    """Return a moment, by default now, in the form that clients read."""
    return (moment or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
