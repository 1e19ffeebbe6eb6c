"""``dead-letters`` of every service's command line, and what the metrics say of queues, on every broker."""

# kombu has no type hints.
# mypy: disallow-untyped-calls=False

import re
from typing import Any
from unittest.mock import Mock

import pytest
from click.testing import CliRunner
from prometheus_client import REGISTRY

from chassis.cli import service_command
from chassis.dead_letters_cli import dead_letters_command
from chassis.errors import Unavailable
from chassis.events import Event, Handlers

UPDATED = "auth.worker.updated"


@pytest.fixture(autouse=True)
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what other threads log out of the output of commands."""
    for module in ("consumer", "relay"):
        monkeypatch.setattr(f"chassis.events.{module}.log", Mock())


class Desk:
    """Somebody who types commands."""

    def __init__(self, house: Any) -> None:
        self._command = dead_letters_command(lambda: house.dead("tracker"))

    def __call__(self, *words: str, status: int = 0) -> str:
        result = CliRunner().invoke(self._command, words)
        assert result.exit_code == status, result.output
        return result.output

    def ids(self) -> list[str]:
        return [line.split()[0] for line in self("list").splitlines()]


@pytest.fixture
def desk(house: Any) -> Desk:
    return Desk(house)


@pytest.fixture
def broken(house: Any, tell: Any, eventually: Any, desk: Desk) -> Any:
    """A service that could not handle three events; when the test says so it can."""
    auth, tracker = house.database(), house.database()
    handlers = Handlers()
    state = {"broken": True, "handled": []}

    @handlers.on(UPDATED)
    def handle(tx: Any, event: Event) -> Any:
        if state["broken"]:
            raise ValueError("not \x1b[2J today")
        return lambda: state["handled"].append(event.data["version"])  # type: ignore[attr-defined]

    house.loop(tracker, "tracker", handlers)
    house.loop(auth, "auth")
    for version in (1, 2, 3):
        tell(auth, version)
    eventually(lambda: len(desk.ids()) == 3)
    return state


def test_every_service_has_the_command() -> None:
    assert "dead-letters" in service_command("demo_service:service").commands


def test_letters_are_listed_and_shown(broken: Any, desk: Desk) -> None:
    lines = desk("list").splitlines()
    form = r"[0-9a-f]{16}  \S+  auth\.worker\.updated +ValueError: not \\u001b\[2J today"
    assert all(re.fullmatch(form, line) for line in lines)
    assert len(desk("list", "--limit", "2").splitlines()) == 2
    shown = desk("show", desk.ids()[0])
    assert "reason: ValueError" in shown
    assert "died at: 20" in shown
    assert '"version": ' in shown


def test_letters_are_sent_again_and_dropped(broken: Any, desk: Desk, eventually: Any) -> None:
    broken["broken"] = False
    first, second, third = desk.ids()
    assert desk("resend", first) == "1 sent again\n"
    eventually(lambda: len(broken["handled"]) == 1)
    assert desk("drop", second) == "1 dropped\n"
    assert desk.ids() == [third]
    assert desk("resend", "--all") == "1 sent again\n"
    eventually(lambda: len(broken["handled"]) == 2)
    assert desk("list") == ""


def test_a_letter_that_is_not_there_is_a_failure(house: Any, desk: Desk) -> None:
    for action in ("show", "resend", "drop"):
        assert "there is no dead letter 0123" in desk(action, "0123", status=1)
    assert "or say --all" in desk("drop", status=2)


def test_the_metrics_count_dead_letters(broken: Any, desk: Desk, eventually: Any) -> None:
    eventually(lambda: measured("dead_letters_waiting") == 3)
    desk("drop", "--all")
    eventually(lambda: measured("dead_letters_waiting") == 0)


def test_the_metrics_say_how_far_a_service_lags_behind(house: Any, tell: Any, eventually: Any) -> None:
    auth, tracker = house.database(), house.database()
    handlers, away = Handlers(), [True]

    @handlers.on(UPDATED)
    def handle(tx: Any, event: Event) -> None:
        if away[0]:
            raise Unavailable("something")

    loop = house.loop(tracker, "tracker", handlers)
    house.loop(auth, "auth")
    for version in range(1, 41):
        tell(auth, version)
    eventually(lambda: (measured("events_waiting") or 0) >= 20)
    away[0] = False
    eventually(lambda: measured("events_waiting") == 0)
    loop.stop(10)
    assert measured("events_waiting") is None


def test_the_metrics_count_deliveries_that_come_again(house: Any, tell: Any, eventually: Any, remember: Any) -> None:
    auth, tracker = house.database(), house.database()
    before = REGISTRY.get_sample_value("events_redelivered_total") or 0
    house.loop(tracker, "tracker", remember).stop(10)
    house.loop(auth, "auth")
    tell(auth)
    house.refuse("tracker")
    house.loop(tracker, "tracker", remember)
    eventually(lambda: (REGISTRY.get_sample_value("events_redelivered_total") or 0) > before)


def measured(name: str) -> float | None:
    return REGISTRY.get_sample_value(name, {"queue": "tracker"})
