"""The dialect of patterns, and when they are due (spec: scheduler 3)."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_service import cron

START = datetime(2026, 11, 22, 5, 42, 54, tzinfo=UTC)  # a Sunday, as in the table of 3.1


def due(pattern: str, start: datetime = START, zone: str | None = None) -> str:
    return cron.next_after(pattern, zone, start).strftime("%Y-%m-%d %H:%M:%S")


def dues(pattern: str, zone: str, start: str, count: int) -> list[str]:
    """Return the next times in the zone, with its offset."""
    moment, found = datetime.fromisoformat(start), []
    for _ in range(count):
        moment = cron.next_after(pattern, zone, moment)
        found.append(moment.astimezone(cron.ZoneInfo(zone)).strftime("%d %H:%M%z"))
    return found


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("* * * * *", "2026-11-22 05:43:00"),
        ("*/5 * * * *", "2026-11-22 05:45:00"),
        ("1-5/2 * * * *", "2026-11-22 06:01:00"),
        ("1,2,3 * * * *", "2026-11-22 06:01:00"),
        ("0 0 * * SUN", "2026-11-29 00:00:00"),
        ("0 0 * * sun", "2026-11-29 00:00:00"),
        ("0 0 1 JAN *", "2027-01-01 00:00:00"),
        ("0 0 * * 7", "2026-11-29 00:00:00"),
        ("0 0 * * 0", "2026-11-29 00:00:00"),
        ("0 0 13 * 5", "2026-11-27 00:00:00"),
        ("0 0 29 2 *", "2028-02-29 00:00:00"),
        ("0 0 L * *", "2026-11-30 00:00:00"),
        ("0 0 * * 5#3", "2026-12-18 00:00:00"),
        ("1/5 * * * *", "2026-11-22 05:46:00"),
        ("*/61 * * * *", "2026-11-22 06:00:00"),
        ("@hourly", "2026-11-22 06:00:00"),
        ("@daily", "2026-11-23 00:00:00"),
        ("@midnight", "2026-11-23 00:00:00"),
        ("@weekly", "2026-11-29 00:00:00"),
        ("@monthly", "2026-12-01 00:00:00"),
        ("@yearly", "2027-01-01 00:00:00"),
        ("@annually", "2027-01-01 00:00:00"),
        (" \t0  0\t* * 1 ", "2026-11-23 00:00:00"),
        ("0 0 * * mon-fri", "2026-11-23 00:00:00"),
        ("0 0 1,L * *", "2026-11-30 00:00:00"),
    ],
)
def test_patterns_of_the_dialect(pattern: str, expected: str) -> None:
    """spec: scheduler 3.1, 3.2, Q18: this table says so if another release of the library changes it."""
    cron.check(pattern, None, START)
    assert due(pattern) == expected


@pytest.mark.parametrize(
    "pattern",
    [
        "0 0 30 2 *", "0 0 31 4,6 *", "0 0 * * L5", "0 0 * * 5L", "* * * * * 30", "* * * * * *", "* * * * * * *",
        "@reboot", "? ? * * *", "R * * * *", "H * * * *", "0 0 0 * *", "0 0 * 0 *", "50-10 * * * *", "5-1 * * * *",
        "60 * * * *", "0 24 * * *", "0 0 32 * *", "0 0 * 13 *", "0 0 * * 8", "*/0 * * * *", "a * * * *", "-1 * * * *",
        "* * * *", "", "0 0 LW * *", "0 0 * * 5#6", "0 0 * * 5#0", "L * * * *", "0 0 * * L", "0 0 * * fri-mon",
        "0,, * * * *", "0 0 *\n* *", "٣ * * * *", "1- * * * *", "*-5 * * * *", "0 0 * FOO *",
    ],
)  # fmt: skip
def test_patterns_that_are_refused(pattern: str) -> None:
    """spec: scheduler 3.1, 3.2, Q17, Q19."""
    with pytest.raises(cron.BadPattern):
        cron.check(pattern, None, START)


def test_two_restricted_day_fields_add_up_even_with_a_step() -> None:
    """spec: scheduler 3.2: either one matching is enough; the library takes ``*/n`` for no restriction."""
    assert due("0 0 */10 * 2") == "2026-11-24 00:00:00"
    assert due("0 0 13 * */6") == "2026-11-28 00:00:00"


def test_a_full_day_field_restricts_nothing() -> None:
    assert due("0 0 1-31 * 2") == due("0 0 */1 * 2") == "2026-11-24 00:00:00"
    assert due("0 0 13 * 0-6") == "2026-12-13 00:00:00"


def test_the_next_time_is_strictly_later_and_whole() -> None:
    """spec: scheduler 2.5."""
    on_time = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
    assert due("0 * * * *", on_time) == "2026-11-22 07:00:00"
    assert due("0 * * * *", on_time.replace(hour=5, minute=59, second=59, microsecond=999_999)) == "2026-11-22 06:00:00"


@given(st.integers(0, 2 * 365 * 24 * 3600), st.sampled_from(["*/7 1-3 * * *", "30 2 * * *"]))
def test_times_always_go_on(seconds: int, pattern: str) -> None:
    moments = [START + timedelta(seconds=seconds)]
    for _ in range(4):
        moments.append(cron.next_after(pattern, "Europe/Berlin", moments[-1]))
    assert all(one < two for one, two in pairwise(moments))


def test_a_zone_moves_the_evaluation() -> None:
    """spec: scheduler 1.3."""
    assert due("0 9 * * *", zone="America/New_York") == "2026-11-22 14:00:00"
    assert due("0 9 * * *", zone="Asia/Kolkata") == "2026-11-23 03:30:00"
    assert cron.is_zone("Europe/Berlin")
    assert not any(cron.is_zone(name) for name in ("Europe/Nowhere", "", "../etc/passwd", "/etc/passwd", "Europe"))


@pytest.mark.parametrize(
    ("zone", "start", "expected"),
    [
        ("Europe/Berlin", "2027-03-27T12:00:00Z", ["28 03:00+0200", "29 02:30+0200"]),
        ("America/New_York", "2027-03-13T12:00:00Z", ["14 03:00-0400", "15 02:30-0400"]),
    ],
)
def test_a_skipped_wall_time_is_due_after_the_gap(zone: str, start: str, expected: list[str]) -> None:
    assert dues("30 2 * * *", zone, start, 2) == expected


@pytest.mark.parametrize(
    ("zone", "pattern", "start", "expected"),
    [
        ("Europe/Berlin", "30 2 * * *", "2026-10-24T12:00:00Z", ["25 02:30+0200", "26 02:30+0100"]),
        ("America/New_York", "30 1 * * *", "2026-10-31T12:00:00Z", ["01 01:30-0400", "02 01:30-0500"]),
        # Asked in the middle of the second pass, too.
        ("Europe/Berlin", "45 2 * * *", "2026-10-25T01:30:00Z", ["26 02:45+0100"]),
    ],
)
def test_a_repeated_wall_time_is_due_once(zone: str, pattern: str, start: str, expected: list[str]) -> None:
    assert dues(pattern, zone, start, len(expected)) == expected


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize("start", ["2026-10-25T00:00:00Z", "2026-11-01T04:00:00Z", "2027-03-28T00:00:00Z"])
def test_a_pattern_with_a_star_goes_by_elapsed_time(zone: str, start: str) -> None:
    moment = datetime.fromisoformat(start)
    for _ in range(6):
        after = cron.next_after("0 * * * *", zone, moment)
        assert (after - moment).total_seconds() == 3600
        moment = after


def test_a_star_in_the_skipped_hour_is_not_made_up_for() -> None:
    found = dues("*/30 2 * * *", "Europe/Berlin", "2027-03-27T12:00:00Z", 2)
    assert found == ["29 02:00+0200", "29 02:30+0200"]


def test_a_star_in_the_repeated_hour_is_due_twice() -> None:
    found = dues("*/30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 4)
    assert found == ["25 02:00+0200", "25 02:30+0200", "25 02:00+0100", "25 02:30+0100"]
