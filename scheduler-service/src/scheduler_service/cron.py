"""Cron patterns: the dialect, and when a pattern is due (spec: scheduler 3.2).

The library decides when; what is accepted is decided here, so that a newer library changes no pattern's meaning.

A job's time zone moves the evaluation of its pattern. When clocks change there (the rule of Debian's cron):

* A pattern whose minute and hour are both fixed fires once a day. A wall time that the change skips is due at the
  first minute after the gap; a wall time that comes twice is due the first time only.
* A pattern with a ``*`` (or ``*/n``) as minute or hour goes by elapsed time: what the change skips is not made up
  for, what comes twice is due twice.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

HORIZON = timedelta(days=3653)
"""A pattern that does not match within ten years is none."""

PRESETS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

_MONTHS = "JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC"
_DAYS = "SUN|MON|TUE|WED|THU|FRI|SAT"


class BadPattern(ValueError):
    """The pattern is not one of this dialect, or never matches"""


def _field(value: str, more: str = "") -> re.Pattern[str]:
    item = rf"(?:\*|(?:{value})(?:-(?:{value}))?)(?:/\d+)?{more}"
    return re.compile(rf"(?:{item})(?:,(?:{item}))*", re.ASCII | re.IGNORECASE)


_FIELDS = (
    _field(r"\d+"),
    _field(r"\d+"),
    _field(r"\d+", r"|L"),
    _field(rf"\d+|{_MONTHS}"),
    _field(rf"\d+|{_DAYS}", rf"|(?:\d|{_DAYS})#[1-5]"),
)
_BLANKS = re.compile(r"[ \t]+")


def check(pattern: str, zone: str | None, now: datetime) -> None:
    """Raise :class:`BadPattern` unless the pattern is of the dialect and matches within ten years."""
    if next_after(pattern, zone, now) > now + HORIZON:
        raise BadPattern(pattern)


def next_after(pattern: str, zone: str | None, moment: datetime) -> datetime:
    """Return the first instant strictly after ``moment`` that matches, in UTC; raise :class:`BadPattern`."""
    local = moment.astimezone(UTC if zone is None else ZoneInfo(zone))
    try:
        occurrences = CronSim(_canonical(pattern), local)
        # In the hour that comes twice the library may name its first run again.
        return next(found for item in occurrences if (found := item.astimezone(UTC)) > moment)
    except (CronSimError, StopIteration, RuntimeError, OverflowError):
        raise BadPattern(pattern) from None


def is_zone(name: str) -> bool:
    """Whether there is such a time zone."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


@lru_cache(maxsize=4096)
def _canonical(pattern: str) -> str:
    """Return the pattern so that the library reads it as this dialect does."""
    text = PRESETS.get(pattern.strip(" \t").lower(), pattern)
    parts = _BLANKS.split(text.strip(" \t"))
    if len(parts) != len(_FIELDS) or not all(form.fullmatch(part) for form, part in zip(_FIELDS, parts, strict=True)):
        raise BadPattern(pattern)
    return " ".join([*parts[:2], _restricted(parts[2], "1-31"), parts[3], _restricted(parts[4], "0-6")])


def _restricted(field: str, everything: str) -> str:
    """Spell out ``*/n``: the library takes whatever begins with a star as no restriction."""
    items = field.split(",")
    if any(item in ("*", "*/1", everything) for item in items):
        return "*"
    return ",".join(item.replace("*", everything) for item in items)
